"""load.py SECONDS THREADS KEY [ATTEMPTS]: sign without pause and verify every signature with OpenSSL's
key type; prints "N signed" and ends with status 1 at the first error that a caller would see."""
import sys
import threading
import time

import botocore.exceptions
import qkms

seconds, threads, key = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
attempts = int(sys.argv[4]) if len(sys.argv) > 4 else 2
kms = qkms.client(attempts=attempts)
public = kms.get_public_key(KeyId=key)["PublicKey"]
end = time.monotonic() + seconds
signed, errors, lock = [], [], threading.Lock()


def work(number):
    i = 0
    while time.monotonic() < end and not errors:
        message = f"{number}/{i}".encode()
        try:
            signature = qkms.sign(kms, key, message)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            with lock:
                errors.append(f"{time.strftime('%H:%M:%S')} {error}")
            return
        with lock:
            signed.append((message, signature))
        i += 1


crew = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
for one in crew:
    one.start()
for one in crew:
    one.join()
sample = signed[:: max(1, len(signed) // 50)]
for message, signature in sample:
    if not qkms.openssl_accepts(public, message, signature):
        errors.append(f"a signature over {message!r} does not verify")
print(f"{len(signed)} signed, {len(sample)} of them verified with OpenSSL")
for text in errors:
    print("FAIL " + text)
sys.exit(1 if errors or not signed else 0)
