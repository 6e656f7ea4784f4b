"""sym_load.py SECONDS THREADS KEY [ATTEMPTS]: encrypt and make data keys without pause and open each blob at
once; prints how many in which mode, and ends with status 1 at the first error that a caller would see."""
import collections
import sys
import threading
import time

import botocore.exceptions
import qkms

seconds, threads, key = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
kms = qkms.client(attempts=int(sys.argv[4]) if len(sys.argv) > 4 else 2)
end = time.monotonic() + seconds
modes, errors, blobs, lock = collections.Counter(), [], [], threading.Lock()


def once(number, i):
    context = {"thread": str(number), "i": str(i)}
    if i % 2:
        plain = f"{number}/{i}".encode()
        blob = kms.encrypt(KeyId=key, Plaintext=plain, EncryptionContext=context)["CiphertextBlob"]
    else:
        made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
        blob, plain = made["CiphertextBlob"], made["Plaintext"]
    back = kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]
    with lock:
        modes["?FV"[blob[1]] if blob[1] < 3 else "?"] += 1
        blobs.append((blob, plain, context))
        if back != plain:
            errors.append(f"blob {i} of thread {number} opens to something else")


def work(number):
    i = 0
    while time.monotonic() < end and not errors:
        try:
            once(number, i)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            with lock:
                errors.append(f"{time.strftime('%H:%M:%S')} {error}")
            return
        i += 1


crew = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
for one in crew:
    one.start()
for one in crew:
    one.join()
for blob, plain, context in blobs[:: max(1, len(blobs) // 50)]:  # with everybody back
    if not errors and kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] != plain:
        errors.append("a blob opens to something else later")
print(f"{sum(modes.values())} encrypted and opened: " + ", ".join(f"{n} in mode {m}" for m, n in sorted(modes.items())))
for text in errors:
    print("FAIL " + text)
sys.exit(1 if errors or not blobs else 0)
