"""all_sign.py FILE: every key of FILE signs, and OpenSSL accepts it, or encrypts and opens it; and every key
that ListKeys shows does too: no half-made key answers."""
import sys

import qkms

kms = qkms.client()
with open(sys.argv[1], encoding="ascii") as names:
    acknowledged = set(names.read().split())
listed = {entry["KeyId"] for page in kms.get_paginator("list_keys").paginate() for entry in page["Keys"]}
lost = acknowledged - listed
if lost:
    qkms.fail(f"acknowledged but not listed: {sorted(lost)}")
for key in sorted(acknowledged | listed):
    meta = kms.describe_key(KeyId=key)["KeyMetadata"]
    if meta["KeyState"] != "Enabled":
        continue
    if meta["KeySpec"] == "SYMMETRIC_DEFAULT":
        blob = kms.encrypt(KeyId=key, Plaintext=b"still here")["CiphertextBlob"]
        if kms.decrypt(CiphertextBlob=blob)["Plaintext"] != b"still here":
            qkms.fail(f"{key}: its blob opens to something else")
        continue
    public = kms.get_public_key(KeyId=key)["PublicKey"]
    if not qkms.openssl_accepts(public, b"still here", qkms.sign(kms, key, b"still here")):
        qkms.fail(f"{key}: its signature does not verify")
qkms.ok(f"{len(acknowledged)} acknowledged keys and {len(listed)} listed ones all sign or encrypt")
