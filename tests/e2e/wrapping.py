"""Key material wrapped by OpenSSL as AWS documents it, and its import."""
import os
import tempfile

import qkms

WRAPS = ("RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1")


def oaep(public, digest, data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "wrap.der")
        with open(path, "wb") as out:
            out.write(public)
        return qkms.openssl("pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", path, "-pkeyopt", "rsa_padding_mode:oaep",
                            "-pkeyopt", "rsa_oaep_md:" + digest, "-pkeyopt", "rsa_mgf1_md:" + digest, data=data)


def wrap(material, algorithm, public):
    digest = "sha1" if algorithm.endswith("SHA_1") else "sha256"
    if algorithm.startswith("RSAES"):
        return oaep(public, digest, material)
    kek = os.urandom(32)
    return oaep(public, digest, kek) + qkms.openssl("enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", kek.hex(), data=material)


def bring(kms, arn, material, algorithm=WRAPS[0], spec="RSA_2048", **more):
    """The import of this material; the answer of ImportKeyMaterial."""
    wish = kms.get_parameters_for_import(KeyId=arn, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    more.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
    return kms.import_key_material(KeyId=arn, ImportToken=wish["ImportToken"],
                                   EncryptedKeyMaterial=wrap(material, algorithm, wish["PublicKey"]), **more)
