"""create.py FILE SECONDS: make signing and symmetric keys without pause; every acknowledged one goes to FILE
before the next is made. Errors are counted: under faults they are allowed, lost keys are not."""
import sys
import time

import botocore.exceptions
import qkms

path, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
kms = qkms.client(attempts=1, timeout=15)
made = errors = 0
with open(path, "w", encoding="ascii") as out:
    while time.monotonic() < end:
        try:
            key = qkms.new_key(kms) if made % 2 else qkms.new_symmetric(kms).rsplit("/", 1)[1]
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            errors += 1
            print(f"{time.strftime('%H:%M:%S')} {error}", flush=True)
            time.sleep(0.2)
            continue
        out.write(key + "\n")
        out.flush()
        made += 1
print(f"{made} keys acknowledged, {errors} errors")
