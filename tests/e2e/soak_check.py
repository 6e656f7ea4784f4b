"""soak_check.py FILE...: everything that soak_load.py recorded is decrypted and compared."""
import base64
import concurrent.futures
import json
import sys

import botocore.exceptions
import qkms

kms = qkms.client()
records = []
for path in sys.argv[1:]:
    with open(path, encoding="ascii") as lines:
        records += [json.loads(line) for line in lines]


def wrong(record):
    key, context, blob, plain = record
    try:
        back = kms.decrypt(CiphertextBlob=base64.b64decode(blob), EncryptionContext=context)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        return f"{key} {blob}: {error}"
    if back["Plaintext"] != base64.b64decode(plain) or back["KeyId"] != key:
        return f"{key} {blob}: opens to something else"
    return None


with concurrent.futures.ThreadPoolExecutor(4) as pool:
    bad = [text for text in pool.map(wrong, records) if text]
for text in bad[:5]:
    print("FAIL " + text)
if bad or not records:
    qkms.fail(f"{len(bad)} of {len(records)} acknowledged blobs are lost")
qkms.ok(f"all {len(records)} acknowledged blobs open to what they were made of")
