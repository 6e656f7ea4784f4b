"""What the Python tests share: clients of the running cluster, and small assertions."""
import os
import subprocess
import sys
import tempfile

import boto3
import botocore.config
import botocore.exceptions

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ALGORITHMS = {
    "ECC_NIST_P256": ("ECDSA_SHA_256", "sha256"),
    "ECC_SECG_P256K1": ("ECDSA_SHA_256", "sha256"),
    "ECC_NIST_P384": ("ECDSA_SHA_384", "sha384"),
    "ECC_NIST_P521": ("ECDSA_SHA_512", "sha512"),
}


def client(service="kms", attempts=4, timeout=30, **more):
    """A client with so many attempts in all; Debian's boto3 ignores AWS_ENDPOINT_URL."""
    config = botocore.config.Config(
        parameter_validation=False,  # it is the service that must refuse
        retries={"total_max_attempts": attempts, "mode": "standard"},
        read_timeout=timeout, connect_timeout=5, max_pool_connections=32)
    return boto3.client(service, endpoint_url=ENDPOINT, config=config,
                        verify=os.environ["AWS_CA_BUNDLE"], **more)


def new_key(kms, spec="ECC_NIST_P256", **more):
    return kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY", **more)["KeyMetadata"]["KeyId"]


def new_symmetric(kms, modes=None, **more):
    """A symmetric key: of the default modes, or of those that the tag says (docs/encryption.md)."""
    if modes:
        more["Tags"] = [{"TagKey": "qkms:modes", "TagValue": modes}]
    return kms.create_key(**more)["KeyMetadata"]["Arn"]


def new_mac(kms, bits=256, profile=None, **more):
    """An HMAC key: of profile N, or S when profile is "strict" (docs/hmac.md)."""
    if profile:
        more["Tags"] = [{"TagKey": "qkms:mac-profile", "TagValue": profile}]
    return kms.create_key(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC", **more)["KeyMetadata"]["Arn"]


def mac(kms, key, message, bits=256):
    return kms.generate_mac(KeyId=key, Message=message, MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]


def verifies(kms, key, message, tag, bits=256):
    return kms.verify_mac(KeyId=key, Message=message, Mac=tag, MacAlgorithm=f"HMAC_SHA_{bits}")["MacValid"]


def sign(kms, key, message, algorithm="ECDSA_SHA_256"):
    return kms.sign(KeyId=key, Message=message, MessageType="RAW",
                    SigningAlgorithm=algorithm)["Signature"]


def openssl_accepts(public_der, message, signature, digest="sha256"):
    """Does OpenSSL, which shares no code with the service's answer, accept the signature?"""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("key.der", "message", "signature")]
        for path, data in zip(paths, (public_der, message, signature)):
            with open(path, "wb") as out:
                out.write(data)
        run = subprocess.run(
            ["openssl", "dgst", "-" + digest, "-keyform", "DER", "-verify", paths[0],
             "-signature", paths[2], paths[1]], capture_output=True, check=False)
        return run.returncode == 0


def openssl(*arguments, data=None):
    """Output of the openssl program; data goes to its standard input."""
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def ok(text):
    print("ok   " + text, flush=True)


def fail(text):
    print("FAIL " + text, flush=True)
    sys.exit(1)


def equal(text, got, want):
    if got != want:
        fail(f"{text}: got {got!r}, want {want!r}")
    ok(text)


def refused(text, name, call, message=None, **arguments):
    """call(**arguments) must be refused with this error; message, if given, is its whole text."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        got = error.response["Error"]
        if got["Code"] != name:
            fail(f"{text}: want {name}, got {got['Code']}: {got.get('Message')}")
        if message is not None and got.get("Message") != message:
            fail(f"{text}: want the text {message!r}, got {got.get('Message')!r}")
        ok(f"{text}: {name}")
        return error.response
    fail(f"{text}: was not refused")
    return None
