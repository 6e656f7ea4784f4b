"""mac_openssl.py [SEED]: HMAC keys are imported in all four wrappings; their tags over RFC 4231 and over random messages of
every length from 1 to 300 and some to 4,096 are those that OpenSSL gives for the same key."""
import concurrent.futures
import hmac
import os
import random
import sys

import qkms
from wrapping import WRAPS, bring

BITS = (224, 256, 384, 512)
BLOCK = {224: 64, 256: 64, 384: 128, 512: 128}
LENGTHS = list(range(1, 301)) + [447, 448, 511, 512, 513, 895, 896, 1023, 1024, 1025, 2047, 2048, 4000, 4032, 4095, 4096]
seed = sys.argv[1] if len(sys.argv) > 1 else os.urandom(8).hex()
print("seed", seed)
rng = random.Random(seed)
kms = qkms.client(attempts=6)


def openssl_tag(bits, key, message):
    return hmac.digest(key, message, f"sha{bits}")  # OpenSSL's


def importable(bits, key):
    """The same HMAC key, in a length that may be imported: RFC 2104 hashes what is longer than a block and fills up what is
    shorter with zeros."""
    if len(key) > 128:
        key = qkms.openssl("dgst", f"-sha{bits}", "-binary", data=key)
    return key.ljust(bits // 8, b"\0")


def vectors():
    """Rows of tests/vectors/rfc4231.txt: case, key, data, and a tag for each of BITS."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors/rfc4231.txt")
    with open(path, encoding="ascii") as lines:
        for case, *texts in (line.split() for line in lines if not line.startswith("#")):
            yield case, *(bytes.fromhex(text) for text in texts)


def rfc4231():
    wraps = 0
    for case, key, data, *tags in vectors():
        for bits, tag in zip(BITS, tags, strict=True):
            arn = qkms.new_mac(kms, bits, Origin="EXTERNAL")
            bring(kms, arn, importable(bits, key), WRAPS[wraps % 4], f"RSA_{(2048, 3072, 4096)[wraps % 3]}")
            wraps += 1
            got = qkms.mac(kms, arn, data, bits)
            if got != tag or not qkms.verifies(kms, arn, data, got, bits):
                qkms.fail(f"RFC 4231 case {case}, SHA-{bits}: {got.hex()}")
    if wraps != 24:
        qkms.fail(f"{wraps} tags of RFC 4231 were read, not 24")
    qkms.ok(f"RFC 4231: {wraps} tags")


def compare(bits, profile, lengths):
    """One imported key of a random length, a tag for each length of message."""
    key = rng.randbytes(rng.randint(bits // 8, 128))
    arn = qkms.new_mac(kms, bits, profile, Origin="EXTERNAL")
    bring(kms, arn, key, WRAPS[rng.randrange(4)])
    messages = [rng.randbytes(n) for n in lengths]
    with concurrent.futures.ThreadPoolExecutor(4) as crew:
        for message, got in zip(messages, crew.map(lambda m: qkms.mac(kms, arn, m, bits), messages)):
            if got != openssl_tag(bits, key, message):
                qkms.fail(f"HMAC_{bits}, {profile or 'profile N'}, {len(message)} bytes, key {key.hex()}, message {message.hex()}: {got.hex()}")
    qkms.ok(f"HMAC_{bits}, {profile or 'profile N'}, key of {len(key)} bytes: {len(messages)} tags are OpenSSL's")


def key_lengths():
    """The shortest and the longest material, one byte less and more, and around a block: longer ones are hashed first."""
    for bits in BITS:
        for size in sorted({bits // 8, BLOCK[bits] - 1, BLOCK[bits], BLOCK[bits] + 1, 127, 128}):
            if not bits // 8 <= size <= 128:
                continue
            key = rng.randbytes(size)
            arn = qkms.new_mac(kms, bits, Origin="EXTERNAL")
            bring(kms, arn, key)
            if qkms.mac(kms, arn, b"message", bits) != openssl_tag(bits, key, b"message"):
                qkms.fail(f"HMAC_{bits} with a key of {size} bytes")
        for size in (bits // 8 - 1, 129):
            arn = qkms.new_mac(kms, bits, Origin="EXTERNAL")
            qkms.refused(f"HMAC_{bits}: material of {size} bytes", "IncorrectKeyMaterialException", bring, kms=kms, arn=arn,
                         material=rng.randbytes(size))
    qkms.ok("material of every length that matters")


rfc4231()
key_lengths()
for size in BITS:
    compare(size, None, LENGTHS)
compare(256, "strict", LENGTHS[0:130:5] + [1000])
compare(512, "strict", LENGTHS[0:260:25] + [1000])
for size in (224, 384):
    compare(size, "strict", [1, 55, 56, 64, 111, 112, 128, 200])
