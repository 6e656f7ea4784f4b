"""mac_marks.py import FOLDER: two HMAC keys with known material. mac_marks.py load FOLDER COUNT: tags under them, and MACs
that do not verify. What must not be found afterwards goes to FOLDER, as memory_scan.py reads it: nodes, coordinator, files;
and what must be found in every node: held."""
import base64
import hmac
import json
import os
import sys

import botocore.exceptions
import qkms
import sha2
from wrapping import bring

step, folder = sys.argv[1], sys.argv[2]
kms = qkms.client()
BITS = (256, 512)
MARKED = 20  # of so many tags two are looked for, one of each operation: a search takes its time


def texts(name, secret):
    """Bytes, base64 at each of three offsets, hex."""
    yield name, secret
    for shift in range(3):
        yield f"{name}-base64-{shift}", base64.b64encode(bytes(shift) + secret)[(shift + 1) * 4 // 3 + 1 : -4]
    yield f"{name}-hex", secret.hex().encode()


def write(file, marks):
    with open(os.path.join(folder, file), "w", encoding="ascii") as out:
        for name, secret in marks:
            out.write(f"{name} {secret.hex()}\n")


def bring_keys():
    keys = []
    for bits in BITS:
        material = os.urandom(sha2.BLOCK[bits] - 5)
        arn = qkms.new_mac(kms, bits, Origin="EXTERNAL")
        bring(kms, arn, material)
        keys.append((bits, arn, material.hex()))
    with open(os.path.join(folder, "keys"), "w", encoding="ascii") as out:
        json.dump(keys, out)


def wrong(bits, arn, message, tag):
    """The right tag is computed for this answer, and must be gone."""
    try:
        qkms.verifies(kms, arn, message, bytes(len(tag)), bits)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "KMSInvalidMacException":
            return
    qkms.fail("a MAC of zeros verifies")


def load(count):
    with open(os.path.join(folder, "keys"), encoding="ascii") as file:
        keys = [(bits, arn, bytes.fromhex(text)) for bits, arn, text in json.load(file)]
    nodes, coordinator, files, held = [], [], [], []
    for bits, arn, material in keys:
        ist, ost = sha2.states(bits, material)
        held += list(sha2.forms(f"ist-{bits}", ist, bits))
        secret = [(f"material-{bits}", material), *sha2.forms(f"ost-{bits}", ost, bits)]
        nodes += secret
        coordinator += secret + list(sha2.forms(f"ist-{bits}", ist, bits))
        for i in range(count):
            message = os.urandom(1 + 97 * i % 4096)
            tag = hmac.digest(material, message, f"sha{bits}")
            marks = list(texts(f"tag-{bits}-{i}", tag)) if i % MARKED < 2 else []
            if i % 2:
                wrong(bits, arn, message, tag)
                coordinator += marks
            elif qkms.mac(kms, arn, message, bits) != tag:
                qkms.fail("a wrong tag")
            nodes += marks
            files += marks
    write("nodes", nodes)
    write("coordinator", coordinator)
    write("files", files + coordinator)
    write("held", held)
    qkms.ok(f"{count} times GenerateMac or VerifyMac under each of {len(keys)} keys")


if step == "import":
    bring_keys()
else:
    load(int(sys.argv[3]))
