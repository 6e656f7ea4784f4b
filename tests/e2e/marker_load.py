"""marker_load.py FILE COUNT KEY KEY: Encrypt, Decrypt, ReEncrypt, data keys and key pairs whose plaintexts are known; every
form of them that a node must never have seen goes to FILE, as memory_scan.py reads it."""
import base64
import os
import sys

import qkms

path, count, first, second = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
kms = qkms.client()
marker = os.urandom(48)
secrets = {"encrypted": marker}
for i in range(count):
    blob = kms.encrypt(KeyId=(first, second)[i % 2], Plaintext=marker * (1 + i % 80))["CiphertextBlob"]
    if kms.decrypt(CiphertextBlob=blob)["Plaintext"] != marker * (1 + i % 80):
        qkms.fail("it does not open")
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=first)
data = kms.generate_data_key(KeyId=first, NumberOfBytes=48)
secrets["data-key"] = data["Plaintext"]
pair = kms.generate_data_key_pair(KeyId=second, KeyPairSpec="ECC_NIST_P256")
secrets["private-key"] = pair["PrivateKeyPlaintext"][36:68]  # the scalar, in PKCS#8 of P-256
secrets["random"] = kms.generate_random(NumberOfBytes=48)["Plaintext"]
for blob, plain in ((data["CiphertextBlob"], data["Plaintext"]), (pair["PrivateKeyCiphertextBlob"], pair["PrivateKeyPlaintext"])):
    if kms.decrypt(CiphertextBlob=blob)["Plaintext"] != plain:
        qkms.fail("it does not open")
with open(path, "w", encoding="ascii") as out:
    for name, secret in secrets.items():
        out.write(f"{name} {secret.hex()}\n")
        for shift in range(3):  # in base64 it looks different at each of three offsets
            text = base64.b64encode(bytes(shift) + secret)
            out.write(f"{name}-base64-{shift} {text[(shift + 1) * 4 // 3 + 1:-4].hex()}\n")
        out.write(f"{name}-hex {secret.hex().encode().hex()}\n")
qkms.ok(f"{count} times Encrypt, Decrypt, ReEncrypt; data key, key pair, random bytes")
