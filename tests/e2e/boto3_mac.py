"""HMAC keys through boto3: creation, tags, their verification, import, states and typed errors."""
import datetime
import os

import qkms
from qkms import equal, ok, refused
from wrapping import WRAPS, bring

kms = qkms.client()
print("boto3", qkms.boto3.__version__)
DAY = datetime.timedelta(days=1)
SIZES = {224: 28, 256: 32, 384: 48, 512: 64}
DRY = "The request would have succeeded, but the DryRun option is set."


def call(operation, arn, bits=256, data=b"message", **more):
    return operation(KeyId=arn, Message=data, MacAlgorithm=f"HMAC_SHA_{bits}", **more)


def described(arn):
    return kms.describe_key(KeyId=arn)["KeyMetadata"]


def made(bits, profile):
    """A key that the nodes have made: what it is, and that its tags hold."""
    arn = qkms.new_mac(kms, bits, profile, Description="made for a test")
    meta = described(arn)
    equal(f"CreateKey HMAC_{bits}", (meta["KeySpec"], meta["CustomerMasterKeySpec"], meta["KeyUsage"], meta["MacAlgorithms"], meta["KeyState"],
          meta["Enabled"], meta["Origin"]), (f"HMAC_{bits}", f"HMAC_{bits}", "GENERATE_VERIFY_MAC", [f"HMAC_SHA_{bits}"], "Enabled", True, "AWS_KMS"))
    equal("and no more about its material", [k for k in meta if k in ("CurrentKeyMaterialId", "EncryptionAlgorithms", "SigningAlgorithms")], [])
    message = os.urandom(300)
    answer = call(kms.generate_mac, arn, bits, message)
    tag = answer["Mac"]
    equal("GenerateMac", (len(tag), answer["KeyId"], answer["MacAlgorithm"]), (SIZES[bits], arn, f"HMAC_SHA_{bits}"))
    equal("the same tag again", qkms.mac(kms, arn.rsplit("/", 1)[1], message, bits), tag)
    equal("another message, another tag", qkms.mac(kms, arn, message + b".", bits) != tag, True)
    answer = call(kms.verify_mac, arn, bits, message, Mac=tag)
    equal("VerifyMac", (answer["MacValid"], answer["KeyId"], answer["MacAlgorithm"]), (True, arn, f"HMAC_SHA_{bits}"))
    return arn, message, tag


def bad_macs(bits, arn, message, tag):
    """One answer for everything that is not the tag, without a word on why."""
    bent = [("its first bit", bytes([tag[0] ^ 0x80]) + tag[1:]), ("its last bit", tag[:-1] + bytes([tag[-1] ^ 1])),
            ("truncated by one", tag[:-1]), ("half of it", tag[: len(tag) // 2]), ("one byte", tag[:1]), ("extended", tag + b"\0"),
            ("twice", tag * 2), ("zeros", bytes(len(tag))), ("6144 bytes", bytes(6144))]
    for what, mac in bent:
        answer = refused(f"VerifyMac, {what}", "KMSInvalidMacException", call, operation=kms.verify_mac, arn=arn, bits=bits, data=message, Mac=mac)
        if tag.hex() in str(answer) or answer["Error"].get("Message"):
            qkms.fail(f"the answer says too much: {answer}")
    refused("VerifyMac, another message", "KMSInvalidMacException", call, operation=kms.verify_mac, arn=arn, bits=bits, data=message + b"x", Mac=tag)


def typed_errors(arn, message, tag):
    other = qkms.new_key(kms)
    none = "12345678-1234-1234-1234-123456789012"
    for name, operation, more in (("GenerateMac", kms.generate_mac, {}), ("VerifyMac", kms.verify_mac, {"Mac": tag})):
        def bad(text, error, *args, operation=operation, name=name, more=more, **kw):
            refused(f"{name}, {text}", error, call, *args, operation=operation, **{"arn": arn, "data": message, **more, **kw})
        bad("DryRun", "DryRunOperationException", DRY, DryRun=True)
        bad("another algorithm", "InvalidKeyUsageException", "Algorithm HMAC_SHA_512 is incompatible with key spec HMAC_256.", bits=512)
        bad("no algorithm", "ValidationException", bits=1)
        bad("no message", "ValidationException", data=b"")
        bad("4097 bytes", "ValidationException", data=bytes(4097))
        bad("an unknown key", "NotFoundException", arn=none)
        bad("a signing key", "InvalidKeyUsageException", arn=other)
    refused("VerifyMac, no MAC", "ValidationException", call, operation=kms.verify_mac, arn=arn)
    refused("Sign with an HMAC key", "InvalidKeyUsageException", kms.sign, f"{arn} key usage is GENERATE_VERIFY_MAC which is not valid for Sign.",
            KeyId=arn, Message=b"m", SigningAlgorithm="ECDSA_SHA_256")
    refused("Encrypt with an HMAC key", "InvalidKeyUsageException", kms.encrypt, KeyId=arn, Plaintext=b"m")
    refused("GetPublicKey", "UnsupportedOperationException", kms.get_public_key, KeyId=arn)
    equal("GetKeyRotationStatus", kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"], False)
    for operation in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand, kms.list_key_rotations):
        refused(f"{operation.__name__}", "UnsupportedOperationException", operation, KeyId=arn)
    refused("a tag that is none", "ValidationException", qkms.new_mac, "Tag qkms:mac-profile must be strict.", kms=kms, profile="lax")
    refused("no usage", "ValidationException", kms.create_key, KeySpec="HMAC_256")
    refused("another usage", "ValidationException", kms.create_key, "KeyUsage ENCRYPT_DECRYPT is not compatible with KeySpec HMAC_256",
            KeySpec="HMAC_256", KeyUsage="ENCRYPT_DECRYPT")


def states(arn, message, tag):
    kms.disable_key(KeyId=arn)
    for operation, more in ((kms.generate_mac, {}), (kms.verify_mac, {"Mac": tag})):
        refused("disabled", "DisabledException", call, f"{arn} is disabled.", operation=operation, arn=arn, data=message, **more)
    kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=7)
    for operation, more in ((kms.generate_mac, {}), (kms.verify_mac, {"Mac": tag})):
        refused("scheduled for deletion", "KMSInvalidStateException", call, f"{arn} is pending deletion.", operation=operation, arn=arn, data=message, **more)
    kms.cancel_key_deletion(KeyId=arn)
    kms.enable_key(KeyId=arn)
    equal("enabled again, the same tag", qkms.mac(kms, arn, message), tag)


def imported(bits, algorithm):
    material = os.urandom(SIZES[bits] + 5)
    arn = qkms.new_mac(kms, bits, Origin="EXTERNAL")
    meta = described(arn)
    equal(f"HMAC_{bits} without material", (meta["KeyState"], meta["Enabled"], meta["Origin"]), ("PendingImport", False, "EXTERNAL"))
    refused("GenerateMac with it", "KMSInvalidStateException", call, f"{arn} is pending import.", operation=kms.generate_mac, arn=arn, bits=bits)
    answer = bring(kms, arn, material, algorithm)
    equal(f"ImportKeyMaterial {algorithm}", (answer["KeyId"], answer.get("KeyMaterialId")), (arn, None))
    tag = qkms.mac(kms, arn, b"message", bits)
    equal("the tag is the material's", tag, qkms.openssl("dgst", f"-sha{bits}", "-binary", "-mac", "HMAC", "-macopt", "hexkey:" + material.hex(), data=b"message"))
    other = bytes([material[0] ^ 1]) + material[1:]
    refused("other material over it", "IncorrectKeyMaterialException", bring, kms=kms, arn=arn, material=other)
    kms.delete_imported_key_material(KeyId=arn)
    equal("DeleteImportedKeyMaterial", described(arn)["KeyState"], "PendingImport")
    refused("other material", "IncorrectKeyMaterialException", bring, kms=kms, arn=arn, material=other)
    refused("GenerateMac", "KMSInvalidStateException", call, operation=kms.generate_mac, arn=arn, bits=bits)
    end = datetime.datetime.now(datetime.timezone.utc) + 2 * DAY
    bring(kms, arn, material, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=end)
    meta = described(arn)
    equal("the same material again, now with an end", (meta["ExpirationModel"], abs(meta["ValidTo"] - end) < DAY / 24), ("KEY_MATERIAL_EXPIRES", True))
    equal("the same tag again", qkms.mac(kms, arn, b"message", bits), tag)


keys = {bits: made(bits, None) for bits in SIZES}
for bits, (arn, message, tag) in keys.items():
    bad_macs(bits, arn, message, tag)
arn, message, tag = made(256, "strict")
bad_macs(256, arn, message, tag)
typed_errors(*keys[256])
states(*keys[256])
for bits, algorithm in zip(SIZES, WRAPS):
    imported(bits, algorithm)
ok("all of it")
