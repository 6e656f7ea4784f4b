"""soak_load.py FILE SECONDS KEY...: encrypt and make data keys without pause. What was acknowledged goes to FILE,
flushed, before the next request: key, context, blob, plaintext. Errors are counted and allowed: only what
was acknowledged and does not open later is a loss."""
import base64
import collections
import json
import os
import sys
import time

import botocore.exceptions
import qkms

path, end, keys = sys.argv[1], time.monotonic() + float(sys.argv[2]), sys.argv[3:]
kms = qkms.client(attempts=1, timeout=15)
made, errors, last = 0, collections.Counter(), ""


def ask(i, key):
    """One request: (blob, plaintext, context)."""
    context = {"run": os.path.basename(path), "number": str(i)}
    if i % 2:
        plain = os.urandom(1 + i % 200)
        return kms.encrypt(KeyId=key, Plaintext=plain, EncryptionContext=context)["CiphertextBlob"], plain, context
    answer = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    return answer["CiphertextBlob"], answer["Plaintext"], context


i = 0
with open(path, "w", encoding="ascii") as out:
    while time.monotonic() < end:
        i += 1
        key = keys[i % len(keys)]
        try:
            blob, plain, context = ask(i, key)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            name = error.response["Error"]["Code"] if isinstance(error, botocore.exceptions.ClientError) else type(error).__name__
            errors[name] += 1
            last = str(error)
            time.sleep(0.05)
            continue
        out.write(json.dumps([key, context, base64.b64encode(blob).decode(), base64.b64encode(plain).decode()]) + "\n")
        out.flush()
        made += 1
unexpected = set(errors) - {"DependencyTimeoutException", "KeyUnavailableException", "KMSInternalException", "InternalFailure",
                            "ThrottlingException", "EndpointConnectionError", "ConnectionClosedError", "ReadTimeoutError",
                            "ConnectTimeoutError", "SSLError", "ProxyConnectionError", "503", "500"}
print(f"{made} acknowledged, errors: {dict(errors) or 'none'}")
if unexpected:
    print(f"FAIL errors that a retry would not mend: {sorted(unexpected)}; the last error: {last}")
sys.exit(1 if unexpected or not made else 0)
