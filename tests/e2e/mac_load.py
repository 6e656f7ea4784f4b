"""mac_load.py SECONDS THREADS KEY MATERIAL [ATTEMPTS] [--faults]: tags without pause under an imported HMAC_256 key whose
material (hex) we know, each compared with OpenSSL's; some verified. A wrong tag, or an error that cannot be retried, ends
it with status 1; so does any error unless --faults is given."""
import hmac
import os
import sys
import threading
import time

import botocore.exceptions
import qkms

RETRYABLE = ("KeyUnavailableException", "DependencyTimeoutException", "ThrottlingException")
faults = "--faults" in sys.argv
arguments = [a for a in sys.argv[1:] if a != "--faults"]
seconds, threads, key, material = float(arguments[0]), int(arguments[1]), arguments[2], bytes.fromhex(arguments[3])
kms = qkms.client(attempts=int(arguments[4]) if len(arguments) > 4 else 2)
end = time.monotonic() + seconds
lock = threading.Lock()
made = retryable = 0
last_error = last_good = time.monotonic()
errors = []


def once(number, i):
    message = os.urandom(1 + (37 * i + number) % 4096)
    want = hmac.digest(material, message, "sha256")
    got = qkms.mac(kms, key, message)
    if got != want:
        return f"a wrong tag: {got.hex()} for {message.hex()}"
    if i % 4 == 0 and not qkms.verifies(kms, key, message, want):
        return "a tag does not verify"
    return None


def goes_on():
    """After the end, too, until what was broken is whole again, but not for ever."""
    now = time.monotonic()
    return now < end or (faults and last_good < last_error and now < end + 60)


def work(number):
    global made, retryable, last_error, last_good
    i = 0
    while goes_on() and not errors:
        i += 1
        try:
            bad = once(number, i)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            with lock:
                retryable += 1
                last_error = time.monotonic()
                if not faults or (code not in RETRYABLE):
                    errors.append(f"{time.strftime('%H:%M:%S')} {error}")
            time.sleep(0.1)
            continue
        with lock:
            made += 1
            last_good = time.monotonic()
            if bad:
                errors.append(bad)


crew = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
for one in crew:
    one.start()
for one in crew:
    one.join()
if not errors and last_good < last_error:
    errors.append("the last thing that happened was an error")
print(f"{made} tags, all of them OpenSSL's; {retryable} errors that can be retried")
for text in errors:
    print("FAIL " + text)
sys.exit(1 if errors or not made else 0)
