"""Imported key material through boto3, wrapped by OpenSSL as AWS documents it."""
import datetime
import os

import qkms
from qkms import equal, refused
from wrapping import WRAPS, wrap

kms = qkms.client()
print("boto3", qkms.boto3.__version__)
DAY = datetime.timedelta(days=1)


def opens(blob, want, **more):
    back = kms.decrypt(CiphertextBlob=blob, **more)
    equal("what was encrypted before opens", back["Plaintext"], want)
    return back["KeyMaterialId"]


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def bring(arn, material, algorithm=WRAPS[0], spec="RSA_2048", bend=None, **more):
    """The import of this material as AWS documents it; the answer of ImportKeyMaterial."""
    wish = kms.get_parameters_for_import(KeyId=arn, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    equal("GetParametersForImport", (wish["KeyId"], abs(wish["ParametersValidTo"] - now() - DAY) < DAY / 24), (arn, True))
    wrapped = wrap(material, algorithm, wish["PublicKey"])
    if bend:
        wrapped = bend(wrapped)
    more.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
    return kms.import_key_material(KeyId=arn, ImportToken=wish["ImportToken"], EncryptedKeyMaterial=wrapped, **more)


def imported(modes, algorithm, spec):
    material = os.urandom(32)
    arn = qkms.new_symmetric(kms, modes, Origin="EXTERNAL")
    meta = kms.describe_key(KeyId=arn)["KeyMetadata"]
    equal("a key without material", (meta["KeyState"], meta["Enabled"], meta["Origin"]), ("PendingImport", False, "EXTERNAL"))
    refused("Encrypt with it", "KMSInvalidStateException", kms.encrypt, f"{arn} is pending import.", KeyId=arn, Plaintext=b"x")
    name = bring(arn, material, algorithm, spec).get("KeyMaterialId")
    meta = kms.describe_key(KeyId=arn)["KeyMetadata"]
    equal(f"ImportKeyMaterial {algorithm} {spec}", (meta["KeyState"], meta["Enabled"], meta["ExpirationModel"]),
          ("Enabled", True, "KEY_MATERIAL_DOES_NOT_EXPIRE"))
    blob = kms.encrypt(KeyId=arn, Plaintext=b"under imported material")["CiphertextBlob"]
    equal("its id", opens(blob, b"under imported material"), name)
    kms.delete_imported_key_material(KeyId=arn)
    equal("DeleteImportedKeyMaterial", kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"], "PendingImport")
    refused("Decrypt without it", "KMSInvalidStateException", kms.decrypt, f"{arn} is pending import.", CiphertextBlob=blob)
    other = bytes([material[0] ^ 1]) + material[1:]
    refused("other material", "IncorrectKeyMaterialException", bring, arn=arn, material=other)
    end = now() + 2 * DAY
    bring(arn, material, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=end)
    meta = kms.describe_key(KeyId=arn)["KeyMetadata"]
    equal("the same material again, now with an end", (meta["ExpirationModel"], abs(meta["ValidTo"] - end) < DAY / 24), ("KEY_MATERIAL_EXPIRES", True))
    equal("opens old blobs", opens(blob, b"under imported material", KeyId=arn), name)
    return arn, blob


def bad_imports():
    arn, material = qkms.new_symmetric(kms, Origin="EXTERNAL"), os.urandom(32)
    other = qkms.new_symmetric(kms, Origin="EXTERNAL")
    for size in (16, 31, 33):
        refused(f"material of {size} bytes", "IncorrectKeyMaterialException", bring, arn=arn, material=os.urandom(size))
    refused("a bent wrapping", "InvalidCiphertextException", bring, arn=arn, material=material,
            bend=lambda w: w[:-1] + bytes([w[-1] ^ 1]))
    wish = kms.get_parameters_for_import(KeyId=other, WrappingAlgorithm=WRAPS[0], WrappingKeySpec="RSA_2048")
    call = {"EncryptedKeyMaterial": wrap(material, WRAPS[0], wish["PublicKey"]), "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
    refused("the token of another key", "InvalidImportTokenException", kms.import_key_material, KeyId=arn,
            ImportToken=wish["ImportToken"], **call)
    refused("a garbled token", "InvalidImportTokenException", kms.import_key_material, KeyId=other,
            ImportToken=wish["ImportToken"][:-1] + bytes([wish["ImportToken"][-1] ^ 1]), **call)
    refused("an end without a date", "ValidationException", bring, arn=arn, material=material, ExpirationModel="KEY_MATERIAL_EXPIRES")
    made = qkms.new_symmetric(kms)
    text = f"{made} origin is AWS_KMS which is not valid for this operation."
    refused("an import into a key of our own", "UnsupportedOperationException", kms.get_parameters_for_import, text, KeyId=made,
            WrappingAlgorithm=WRAPS[0], WrappingKeySpec="RSA_2048")
    refused("DeleteImportedKeyMaterial of it", "UnsupportedOperationException", kms.delete_imported_key_material, text, KeyId=made)
    refused("EnableKeyRotation of imported material", "UnsupportedOperationException", kms.enable_key_rotation, KeyId=arn)
    equal("after all that it waits", kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"], "PendingImport")
    bring(arn, material)
    equal("and takes good material", kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"], "Enabled")


def several(arn, blob):
    """New material waits for RotateKeyOnDemand; then both open what is theirs."""
    bring(arn, os.urandom(32), ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="second")
    every = kms.list_key_rotations(KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    equal("new material waits", [r["KeyMaterialState"] for r in every], ["CURRENT", "PENDING_ROTATION"])
    first = opens(blob, b"under imported material")
    kms.rotate_key_on_demand(KeyId=arn)
    second = kms.encrypt(KeyId=arn, Plaintext=b"second")["CiphertextBlob"]
    equal("rotated, it encrypts", opens(second, b"second"), every[1]["KeyMaterialId"])
    equal("the first still opens", opens(blob, b"under imported material"), first)
    refused("nothing more to rotate to", "KMSInvalidStateException", kms.rotate_key_on_demand,
            f"No available key material pending rotation for the key: {arn}.", KeyId=arn)


for modes, algorithm, spec in zip((None, "V", "F", None), WRAPS, ("RSA_2048", "RSA_3072", "RSA_4096", "RSA_2048")):
    key = imported(modes, algorithm, spec)
bad_imports()
several(*key)
