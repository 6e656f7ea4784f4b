"""G-11: a smoke test of what GenerateRandom gives: monobit, poker, runs, long run, repeats.

Bounds: FIPS 140-2 change notice 1, section 4.9.1, for 20 000 bits; over 1 MiB the totals are tested against a
standard deviation with a bound of 6, so that a good generator fails about once in 10^8 runs.
"""

import math
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from qkms import client

BLOCK = 2500  # bytes: 20 000 bits


def bits_of(data):
    return bin(int.from_bytes(data, "big") | 1 << 8 * len(data))[3:]


def far(value, mean, deviation):
    return abs(value - mean) > 6 * deviation


def faults(data):
    """What is wrong with data; an empty list: nothing."""
    found = []
    n = 8 * len(data)
    bits = bits_of(data)
    ones = bits.count("1")
    if far(ones, n / 2, math.sqrt(n) / 2):
        found.append("monobit: %d of %d" % (ones, n))
    changes = bits.count("01") + bits.count("10")
    if far(changes, (n - 1) / 2, math.sqrt(n - 1) / 2):
        found.append("runs: %d changes in %d bits" % (changes, n))
    counts = [0] * 256
    for byte in data:
        counts[byte] += 1
    mean = len(data) / 256
    chi = sum((c - mean) ** 2 for c in counts) / mean  # 255 degrees of freedom
    if far(chi, 255, math.sqrt(2 * 255)):
        found.append("poker: chi square %.1f" % chi)
    if "0" * 48 in bits or "1" * 48 in bits:
        found.append("a run of 48 equal bits")
    for at in range(0, len(data) - BLOCK + 1, BLOCK):
        ones = bits_of(data[at : at + BLOCK]).count("1")
        if not 9500 < ones < 10500:
            found.append("block %d: %d ones of 20000" % (at // BLOCK, ones))
    pieces = [data[i : i + 16] for i in range(0, len(data), 16)]
    if len(set(pieces)) != len(pieces):
        found.append("16 bytes come twice")
    return found


def fetch(kms, n):
    def one(_):
        return kms.generate_random(NumberOfBytes=1024)["Plaintext"]

    with ThreadPoolExecutor(8) as pool:
        return b"".join(pool.map(one, range(n // 1024)))


def main():
    data = fetch(client("kms"), 1 << 20)
    assert len(data) == 1 << 20, len(data)
    found = faults(data)
    print("1 MiB of GenerateRandom:", found or "nothing to be seen")
    if found:
        return 1
    # The tests can fail: a generator that is dead, biased, stuttering, or repeats itself.
    good = os.urandom(1 << 20)
    spoilt = {
        "zeros": bytes(1 << 20),
        "one bit in eight stuck": bytes(b | 1 for b in good),
        "each byte twice": bytes(b for b in good[: 1 << 19] for _ in range(2)),
        "a block again": good[: 1 << 19] + good[: 1 << 19],
        "seven bits": bytes(b & 0x7F for b in good),
    }
    for name, bad in spoilt.items():
        found = faults(bad)
        print("%s: %s" % (name, found[:1]))
        if not found:
            return 1
    return 0


sys.exit(main())
