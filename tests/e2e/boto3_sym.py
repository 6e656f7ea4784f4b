"""Encrypt, Decrypt, data keys and random bytes through boto3, in every mode, and their errors."""
import qkms
from qkms import equal, ok, refused

kms = qkms.client()
CONTEXT = {"purpose": "test", "tenant": "1 ✓"}
WRONG = {"purpose": "test", "tenant": "2"}
PAIRS = {"RSA_2048": "rsaEncryption", "RSA_3072": "rsaEncryption", "ECC_NIST_P256": "prime256v1",
         "ECC_NIST_P384": "secp384r1", "ECC_NIST_P521": "secp521r1", "ECC_SECG_P256K1": "secp256k1",
         "ECC_NIST_EDWARDS25519": "ED25519"}
DRY = "The request would have succeeded, but the DryRun option is set."
INCORRECT = "The key ID in the request does not identify a CMK that can perform this operation."


def opens(blob, **more):
    return kms.decrypt(CiphertextBlob=blob, **more)["Plaintext"]


def bad(text, blob, **more):
    answer = refused(text, "InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, **more)
    if answer["Error"].get("Message"):
        qkms.fail(f"{text}: says more than it may: {answer['Error']['Message']!r}")


def each_mode(modes):
    arn = qkms.new_symmetric(kms, modes)
    name = modes or "default"
    for size in (1, 32, 4096):
        plain = bytes(range(256)) * 16
        made = kms.encrypt(KeyId=arn, Plaintext=plain[:size], EncryptionContext=CONTEXT)
        equal(f"{name}: Encrypt {size} bytes", (made["KeyId"], made["EncryptionAlgorithm"]), (arn, "SYMMETRIC_DEFAULT"))
        blob = made["CiphertextBlob"]
        if len(blob) > 6144 or plain[:size] in blob and size > 1:
            qkms.fail(f"{name}: a blob of {len(blob)} bytes")
        back = kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(CONTEXT.items())))
        equal(f"{name}: Decrypt without KeyId", (back["Plaintext"], back["KeyId"]), (plain[:size], arn))
        equal(f"{name}: Decrypt with KeyId", opens(blob, KeyId=arn, EncryptionContext=CONTEXT), plain[:size])
    for what, context in (("no", {}), ("another", WRONG), ("a longer", {**CONTEXT, "x": "y"})):
        bad(f"{name}: {what} context", blob, EncryptionContext=context)
    two = [kms.encrypt(KeyId=arn, Plaintext=b"same")["CiphertextBlob"] for _ in range(2)]
    equal(f"{name}: the same plaintext twice, two blobs", two[0] == two[1], False)
    equal(f"{name}: an empty context is none", opens(two[0], EncryptionContext={}), b"same")
    return arn


def data_keys(arn):
    for wish, size in (({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 1}, 1),
                       ({"NumberOfBytes": 64}, 64), ({"NumberOfBytes": 1024}, 1024)):
        made = kms.generate_data_key(KeyId=arn, EncryptionContext=CONTEXT, **wish)
        equal(f"GenerateDataKey {wish}", (len(made["Plaintext"]), made["KeyId"]), (size, arn))
        equal("its blob opens to it", opens(made["CiphertextBlob"], EncryptionContext=CONTEXT), made["Plaintext"])
        only = kms.generate_data_key_without_plaintext(KeyId=arn, EncryptionContext=CONTEXT, **wish)
        equal(f"GenerateDataKeyWithoutPlaintext {wish}", ("Plaintext" in only, only["KeyId"]), (False, arn))
        equal("its blob opens", len(opens(only["CiphertextBlob"], EncryptionContext=CONTEXT)), size)
    bad("a data key with another context", made["CiphertextBlob"], EncryptionContext=WRONG)
    for wish in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        refused(f"GenerateDataKey {wish}", "ValidationException", kms.generate_data_key, KeyId=arn, **wish)


def public_of(private):
    """OpenSSL loads the PKCS#8 and says its public key, as SubjectPublicKeyInfo."""
    qkms.openssl("pkey", "-inform", "DER", "-noout", "-check", data=private)
    return qkms.openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", data=private)


def pairs(arn):
    for spec, name in PAIRS.items():
        made = kms.generate_data_key_pair(KeyId=arn, KeyPairSpec=spec, EncryptionContext=CONTEXT)
        private = made["PrivateKeyPlaintext"]
        equal(f"GenerateDataKeyPair {spec}: the private key has this public key", public_of(private), made["PublicKey"])
        said = qkms.openssl("asn1parse", "-inform", "DER", data=private).decode()
        equal(f"{spec}: PKCS#8 names {name}", (f":{name}" in said, "OCTET STRING" in said), (True, True))
        equal(f"{spec}: KeyId, KeyPairSpec", (made["KeyId"], made["KeyPairSpec"]), (arn, spec))
        equal(f"{spec}: the blob opens to it", opens(made["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT), private)
        only = kms.generate_data_key_pair_without_plaintext(KeyId=arn, KeyPairSpec=spec, EncryptionContext=CONTEXT)
        equal(f"GenerateDataKeyPairWithoutPlaintext {spec}: no plaintext", "PrivateKeyPlaintext" in only, False)
        private = opens(only["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
        equal(f"{spec}: its blob opens to the private half", public_of(private), only["PublicKey"])
    refused("GenerateDataKeyPair of a kind that is not made", "UnsupportedOperationException",
            kms.generate_data_key_pair, KeyId=arn, KeyPairSpec="SM2")


def re_encrypt(source, target):
    blob = kms.encrypt(KeyId=source, Plaintext=b"moves", EncryptionContext=CONTEXT)["CiphertextBlob"]
    moved = kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext=CONTEXT, DestinationKeyId=target,
                           DestinationEncryptionContext=WRONG)
    equal("ReEncrypt", (moved["SourceKeyId"], moved["KeyId"], moved["SourceEncryptionAlgorithm"],
                        moved["DestinationEncryptionAlgorithm"]), (source, target) + ("SYMMETRIC_DEFAULT",) * 2)
    equal("what moved opens under its new context", opens(moved["CiphertextBlob"], KeyId=target, EncryptionContext=WRONG), b"moves")
    bad("but not under the old one", moved["CiphertextBlob"], EncryptionContext=CONTEXT)
    again = kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=source, SourceEncryptionContext=CONTEXT, DestinationKeyId=source)
    equal("ReEncrypt within one key", opens(again["CiphertextBlob"]), b"moves")
    call = {"CiphertextBlob": blob, "DestinationKeyId": target}
    refused("ReEncrypt under a wrong context", "InvalidCiphertextException", kms.re_encrypt, SourceEncryptionContext=WRONG, **call)
    refused("ReEncrypt from a key that it is not of", "IncorrectKeyException", kms.re_encrypt, INCORRECT,
            SourceKeyId=target, SourceEncryptionContext=CONTEXT, **call)
    return blob


def bad_blobs(arn, other):
    blob = kms.encrypt(KeyId=arn, Plaintext=b"spoil me")["CiphertextBlob"]
    refused("Decrypt with another key", "IncorrectKeyException", kms.decrypt, INCORRECT, CiphertextBlob=blob, KeyId=other)
    for what, spoilt in (("one byte", b"\1"), ("the head alone", blob[:19]), ("a byte short", blob[:-1]),
                         ("a byte long", blob + b"\0"), ("noise", bytes(len(blob)))):
        bad(f"a blob: {what}", spoilt)
    for at in (0, 1, 2, 22, 23, 60, 95, len(blob) - 1):  # version, mode, flags, ver, alpha, T, tags, ciphertext
        bent = bytearray(blob)
        bent[at] ^= 1
        bad(f"a blob: bit flipped in byte {at}", bytes(bent))
        bad("the same with KeyId", bytes(bent), KeyId=arn)
    bent = bytearray(blob)
    bent[3] ^= 1
    bad("a blob of a key that is not here", bytes(bent))
    refused("the same with KeyId", "IncorrectKeyException", kms.decrypt, INCORRECT, CiphertextBlob=bytes(bent), KeyId=arn)
    equal("the blob itself opens", opens(blob), b"spoil me")


def random_bytes():
    seen = set()
    for size in (1, 32, 1024):
        data = kms.generate_random(NumberOfBytes=size)["Plaintext"]
        equal(f"GenerateRandom {size}", len(data), size)
        seen.add(data)
    equal("never the same", len(seen | {kms.generate_random(NumberOfBytes=32)["Plaintext"]}), 4)
    refused("GenerateRandom of nothing", "ValidationException", kms.generate_random)
    refused("GenerateRandom of too much", "ValidationException", kms.generate_random, NumberOfBytes=1025)


def calls(arn, blob):
    """Each operation as (name, call, arguments) that would succeed."""
    return (("Encrypt", kms.encrypt, {"KeyId": arn, "Plaintext": b"x"}),
            ("Decrypt", kms.decrypt, {"KeyId": arn, "CiphertextBlob": blob, "EncryptionContext": CONTEXT}),
            ("ReEncrypt", kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": arn, "SourceEncryptionContext": CONTEXT}),
            ("GenerateDataKey", kms.generate_data_key, {"KeyId": arn, "KeySpec": "AES_256"}),
            ("GenerateDataKeyWithoutPlaintext", kms.generate_data_key_without_plaintext, {"KeyId": arn, "KeySpec": "AES_256"}),
            ("GenerateDataKeyPair", kms.generate_data_key_pair, {"KeyId": arn, "KeyPairSpec": "ECC_NIST_P256"}),
            ("GenerateDataKeyPairWithoutPlaintext", kms.generate_data_key_pair_without_plaintext,
             {"KeyId": arn, "KeyPairSpec": "ECC_NIST_P256"}))


def errors(arn, blob):
    missing = arn.rsplit("/", 1)[0] + "/12345678-1234-1234-1234-123456789012"
    signing = qkms.new_key(kms)
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"none"}
    for name, call, good in calls(arn, blob):
        refused(f"{name} with DryRun", "DryRunOperationException", call, DRY, DryRun=True, **good)
        key = "DestinationKeyId" if name == "ReEncrypt" else "KeyId"
        refused(f"{name} with a key that does not exist", "NotFoundException", call, f"Key '{missing}' does not exist",
                **{**good, key: missing})
        refused(f"{name} with a signing key", "InvalidKeyUsageException", call, **{**good, key: signing})
    for name, call, good in calls(arn, blob) + (("GenerateRandom", kms.generate_random, {"NumberOfBytes": 32}),):
        if name in ("Decrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateRandom"):
            refused(f"{name} for a Recipient fails closed", "ValidationException", call, Recipient=recipient, **good)
    refused("Sign with a symmetric key", "InvalidKeyUsageException", kms.sign, KeyId=arn, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")
    refused("GetPublicKey of a symmetric key", "UnsupportedOperationException", kms.get_public_key, KeyId=arn)
    refused("Encrypt with an algorithm of another kind", "InvalidKeyUsageException", kms.encrypt, KeyId=arn,
            Plaintext=b"x", EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    refused("Encrypt of too much", "ValidationException", kms.encrypt, KeyId=arn, Plaintext=bytes(4097))
    kms.disable_key(KeyId=arn)
    for name, call, good in calls(arn, blob):
        refused(f"{name} with a disabled key", "DisabledException", call, f"{arn} is disabled.", **good)
    kms.enable_key(KeyId=arn)
    equal("enabled, it opens again", opens(blob, EncryptionContext=CONTEXT), b"moves")
    kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    for name, call, good in calls(arn, blob):
        refused(f"{name} with a key pending deletion", "KMSInvalidStateException", call, f"{arn} is pending deletion.", **good)
    kms.cancel_key_deletion(KeyId=arn)
    kms.enable_key(KeyId=arn)
    equal("rescued, it opens again", opens(blob, EncryptionContext=CONTEXT), b"moves")


print("boto3", qkms.boto3.__version__)
made = {modes: each_mode(modes) for modes in (None, "FV", "F", "V")}
meta = kms.describe_key(KeyId=made[None])["KeyMetadata"]
equal("CreateKey's default", (meta["KeySpec"], meta["KeyUsage"], meta["Origin"], meta["KeyState"], meta["EncryptionAlgorithms"]),
      ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "Enabled", ["SYMMETRIC_DEFAULT"]))
refused("modes that are none", "ValidationException", qkms.new_symmetric, kms=kms, modes="X")
for arn in (made[None], made["V"]):
    data_keys(arn)
pairs(made[None])
for source, target in ((None, "V"), ("V", "F")):
    blob = re_encrypt(made[source], made[target])
    bad_blobs(made[source], made[target])
random_bytes()
errors(made["V"], blob)
ok("every symmetric operation, in every mode")
