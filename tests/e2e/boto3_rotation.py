"""Rotation through boto3: what was encrypted before opens ever after."""
import datetime

import qkms
from qkms import equal, ok, refused

kms = qkms.client()
print("boto3", qkms.boto3.__version__)
DAY = datetime.timedelta(days=1)


def opens(blob, want, **more):
    back = kms.decrypt(CiphertextBlob=blob, **more)
    equal("what was encrypted before opens", back["Plaintext"], want)
    return back["KeyMaterialId"]


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def schedule(arn):
    said = kms.get_key_rotation_status(KeyId=arn)
    equal("GetKeyRotationStatus of a new key", (said["KeyRotationEnabled"], said["KeyId"], "NextRotationDate" in said), (False, arn, False))
    kms.enable_key_rotation(KeyId=arn)
    said = kms.get_key_rotation_status(KeyId=arn)
    equal("EnableKeyRotation: a year", (said["KeyRotationEnabled"], said["RotationPeriodInDays"]), (True, 365))
    equal("from now", abs(said["NextRotationDate"] - now() - 365 * DAY) < DAY, True)
    kms.enable_key_rotation(KeyId=arn, RotationPeriodInDays=90)
    said = kms.get_key_rotation_status(KeyId=arn)
    equal("another period", (said["RotationPeriodInDays"], abs(said["NextRotationDate"] - now() - 90 * DAY) < DAY), (90, True))
    kms.disable_key_rotation(KeyId=arn)
    equal("DisableKeyRotation", kms.get_key_rotation_status(KeyId=arn)["KeyRotationEnabled"], False)
    refused("a period too short", "ValidationException", kms.enable_key_rotation, KeyId=arn, RotationPeriodInDays=89)
    signing = qkms.new_key(kms)
    equal("a signing key does not rotate", kms.get_key_rotation_status(KeyId=signing)["KeyRotationEnabled"], False)
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand):
        refused(f"{call.__name__} of a signing key", "UnsupportedOperationException", call, KeyId=signing)


def rotations(arn, **more):
    return kms.list_key_rotations(KeyId=arn, **more)["Rotations"]


def rotate(modes):
    """Blobs of every version open, whatever rotates."""
    arn = qkms.new_symmetric(kms, modes)
    blobs, ids = [], []
    for i in range(4):
        if i:
            equal(f"RotateKeyOnDemand {i}", kms.rotate_key_on_demand(KeyId=arn)["KeyId"], arn)
        plain = b"version %d" % (i + 1)
        blobs.append((kms.encrypt(KeyId=arn, Plaintext=plain)["CiphertextBlob"], plain))
        ids.append(kms.generate_data_key(KeyId=arn, KeySpec="AES_256")["KeyMaterialId"])
        equal("DescribeKey tells the current material", kms.describe_key(KeyId=arn)["KeyMetadata"]["CurrentKeyMaterialId"], ids[-1])
    equal("each version has an id", len(set(ids)), 4)
    equal("and each blob is opened by its own", [opens(blob, plain, KeyId=arn) for blob, plain in blobs], ids)
    seen = rotations(arn)
    equal("ListKeyRotations", [(r["KeyMaterialId"], r["RotationType"], r["KeyId"]) for r in seen],
          [(i, "ON_DEMAND", arn) for i in ids[1:]])
    equal("with dates of today", all(abs(r["RotationDate"] - now()) < DAY for r in seen), True)
    every = rotations(arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    equal("ALL_KEY_MATERIAL", [(r["KeyMaterialId"], r["KeyMaterialState"]) for r in every],
          [(i, "NON_CURRENT") for i in ids[:3]] + [(ids[3], "CURRENT")])
    page = kms.list_key_rotations(KeyId=arn, Limit=2)
    rest = kms.list_key_rotations(KeyId=arn, Limit=2, Marker=page["NextMarker"])
    equal("page by page", [r["KeyMaterialId"] for r in page["Rotations"] + rest["Rotations"]], ids[1:])
    equal("until the end", (page["Truncated"], rest["Truncated"]), (True, False))
    refused("from a marker that is none", "InvalidMarkerException", kms.list_key_rotations, KeyId=arn, Marker="nonsense")
    for i in range(4, 26):
        kms.rotate_key_on_demand(KeyId=arn)
    ok("RotateKeyOnDemand 25 times")
    refused("and not once more", "LimitExceededException", kms.rotate_key_on_demand, KeyId=arn)
    opens(blobs[0][0], blobs[0][1])
    kms.disable_key(KeyId=arn)
    refused("RotateKeyOnDemand of a disabled key", "DisabledException", kms.rotate_key_on_demand, KeyId=arn)


schedule(qkms.new_symmetric(kms))
for modes in ("FV", "V"):
    rotate(modes)
