"""throttled.py KEY: more callers at once than one worker and one waiting place take. Each is answered: with
a signature, or with ThrottlingException and status 400, which every SDK retries."""
import sys
import threading

import botocore.exceptions
import qkms

kms = qkms.client(attempts=1)
signed, throttled, other = [], [], []


def call():
    for _ in range(5):
        try:
            signed.append(qkms.sign(kms, sys.argv[1], b"m"))
        except botocore.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            (throttled if (error.response["Error"]["Code"], status) == ("ThrottlingException", 400) else other).append(error)


callers = [threading.Thread(target=call) for _ in range(24)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
if other or not signed or not throttled:
    qkms.fail(f"{len(signed)} signed, {len(throttled)} throttled, else: {[str(e) for e in other][:3]}")
qkms.ok(f"{len(signed)} signed, {len(throttled)} throttled, nothing else")
