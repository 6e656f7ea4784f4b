"""Every operation that is served, and the errors of those that are not, through boto3."""
import hashlib
import os
import sys

import boto3
import qkms
from qkms import ALGORITHMS, equal, fail, ok, refused

kms = qkms.client()
sts = qkms.client("sts")
print("boto3", boto3.__version__, "on Python", sys.version.split()[0])

identity = sts.get_caller_identity()
equal("GetCallerIdentity tells the user", identity["Arn"].endswith(":user/admin"), True)

made = {}
for spec, (algorithm, digest) in ALGORITHMS.items():
    meta = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY", Description=spec)["KeyMetadata"]
    key = made[spec] = meta["KeyId"]
    equal(f"{spec}: CreateKey", (meta["KeySpec"], meta["KeyState"], meta["KeyUsage"], meta["Enabled"]),
          (spec, "Enabled", "SIGN_VERIFY", True))
    public = kms.get_public_key(KeyId=meta["Arn"])
    equal(f"{spec}: GetPublicKey", (public["KeyId"], public["SigningAlgorithms"]), (meta["Arn"], [algorithm]))
    message = b"message for " + spec.encode()
    signature = qkms.sign(kms, key, message, algorithm)
    equal(f"{spec}: OpenSSL accepts Sign RAW", qkms.openssl_accepts(public["PublicKey"], message, signature, digest), True)
    hashed = hashlib.new(digest, message).digest()
    second = kms.sign(KeyId=key, Message=hashed, MessageType="DIGEST", SigningAlgorithm=algorithm)["Signature"]
    equal(f"{spec}: OpenSSL accepts Sign DIGEST", qkms.openssl_accepts(public["PublicKey"], message, second, digest), True)
    equal(f"{spec}: Verify", kms.verify(KeyId=key, Message=message, MessageType="RAW", Signature=signature,
                                      SigningAlgorithm=algorithm)["SignatureValid"], True)
    bent = bytearray(signature)
    bent[-1] ^= 1
    refused(f"{spec}: Verify of a tampered signature", "KMSInvalidSignatureException", kms.verify, KeyId=key,
            Message=message, MessageType="RAW", Signature=bytes(bent), SigningAlgorithm=algorithm)
    refused(f"{spec}: Verify of another message", "KMSInvalidSignatureException", kms.verify, KeyId=key,
            Message=message + b"!", MessageType="RAW", Signature=signature, SigningAlgorithm=algorithm)

key = made["ECC_NIST_P256"]
arn = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
listed = {entry["KeyId"] for page in kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 2})
          for entry in page["Keys"]}
equal("ListKeys, page by page, lists every key", set(made.values()) <= listed, True)

kms.update_key_description(KeyId=key, Description="changed ✓")
equal("UpdateKeyDescription", kms.describe_key(KeyId=key)["KeyMetadata"]["Description"], "changed ✓")

request = {"KeyId": key, "Message": b"m", "MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
dry = "The request would have succeeded, but the DryRun option is set."
refused("Sign with DryRun", "DryRunOperationException", kms.sign, dry, DryRun=True, **request)
refused("Verify with DryRun", "DryRunOperationException", kms.verify, dry, DryRun=True,
        Signature=qkms.sign(kms, key, b"m"), **request)

kms.disable_key(KeyId=key)
equal("DisableKey", kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "Disabled")
refused("Sign with a disabled key", "DisabledException", kms.sign, f"{arn} is disabled.", **request)
kms.enable_key(KeyId=key)
qkms.sign(kms, key, b"again")
ok("EnableKey")
gone = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
equal("ScheduleKeyDeletion", (gone["KeyState"], gone["KeyId"]), ("PendingDeletion", arn))
refused("Sign with a key pending deletion", "KMSInvalidStateException", kms.sign, f"{arn} is pending deletion.", **request)
for call in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion):
    refused(f"{call.__name__} of it", "KMSInvalidStateException", call, f"{arn} is pending deletion.", KeyId=key)
equal("CancelKeyDeletion", kms.cancel_key_deletion(KeyId=key)["KeyId"], arn)
refused("CancelKeyDeletion twice", "KMSInvalidStateException", kms.cancel_key_deletion,
        f"{arn} is not pending deletion.", KeyId=key)
kms.enable_key(KeyId=key)

missing = "12345678-1234-1234-1234-123456789012"
refused("an unknown key", "NotFoundException", kms.describe_key,
        f"Key '{arn.rsplit('/', 1)[0]}/{missing}' does not exist", KeyId=missing)
refused("GetPublicKey of an unknown key", "NotFoundException", kms.get_public_key, KeyId=missing)
refused("UpdateKeyDescription of an unknown key", "NotFoundException", kms.update_key_description,
        KeyId=missing, Description="x")
refused("ListKeys from a marker that is none", "InvalidMarkerException", kms.list_keys, Marker="nonsense")
refused("CreateKey with a policy that is none", "MalformedPolicyDocumentException", kms.create_key,
        KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY", Policy="{")
refused("CreateKey of a kind that is not served", "UnsupportedOperationException", kms.create_key,
        KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
refused("not a key id", "NotFoundException", kms.describe_key, "Invalid keyId 'nonsense'", KeyId="nonsense")
refused("a digest of the wrong length", "ValidationException", kms.sign,
        "Digest is invalid length for algorithm ECDSA_SHA_256.", KeyId=key, Message=b"short",
        MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")
refused("an algorithm of another curve", "InvalidKeyUsageException", kms.sign, KeyId=key, Message=b"m",
        MessageType="RAW", SigningAlgorithm="ECDSA_SHA_512")
refused("an operation that is not served", "UnsupportedOperationException", kms.list_aliases)

own = os.environ["AWS_ACCESS_KEY_ID"]
for name, who, code in (("a wrong secret", {"aws_access_key_id": own, "aws_secret_access_key": "x" * 40}, "InvalidSignatureException"),
                        ("an unknown access key", {"aws_access_key_id": "AKIA" + "A" * 16, "aws_secret_access_key": "x" * 40},
                         "UnrecognizedClientException"),
                        ("another region", {"region_name": "eu-west-1"}, "InvalidSignatureException")):
    refused(name, code, qkms.client(**who).list_keys)
code = refused("STS with an unknown access key", "InvalidClientTokenId",
               qkms.client("sts", aws_access_key_id="AKIA" + "A" * 16, aws_secret_access_key="x" * 40).get_caller_identity)
equal("and its status", code["ResponseMetadata"]["HTTPStatusCode"], 403)
if len(made) != 4:
    fail("not all curves were tried")
