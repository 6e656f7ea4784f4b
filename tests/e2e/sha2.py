"""The two states that HMAC makes of a key (RFC 2104, FIPS 180-4), which no library gives away: for tests that look for them."""
import hmac

PARAMETERS = {256: (32, 64, (2, 13, 22), (6, 11, 25), (7, 18, 3), (17, 19, 10)),
              512: (64, 80, (28, 34, 39), (14, 18, 41), (1, 8, 7), (19, 61, 6))}
BLOCK = {256: 64, 512: 128}


def primes(count):
    found = []
    number = 2
    while len(found) < count:
        if all(number % p for p in found):
            found.append(number)
        number += 1
    return found


def root(value, power):
    """The whole part of value to the 1/power."""
    low, high = 0, 1 << (value.bit_length() // power + 1)
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**power <= value else (low, middle)
    return low


def compress(bits, state, block):
    word, rounds, big0, big1, small0, small1 = PARAMETERS[bits]
    mask = (1 << word) - 1
    constants = [root(p << (3 * word), 3) & mask for p in primes(rounds)]

    def turn(x, n):
        return (x >> n | x << (word - n)) & mask

    def big(x, by):
        return turn(x, by[0]) ^ turn(x, by[1]) ^ turn(x, by[2])

    def small(x, by):
        return turn(x, by[0]) ^ turn(x, by[1]) ^ x >> by[2]

    size = word // 8
    w = [int.from_bytes(block[i : i + size], "big") for i in range(0, 16 * size, size)]
    for i in range(16, rounds):
        w.append((w[i - 16] + small(w[i - 15], small0) + w[i - 7] + small(w[i - 2], small1)) & mask)
    a, b, c, d, e, f, g, h = state
    for k, x in zip(constants, w):
        t1 = h + big(e, big1) + (e & f ^ ~e & mask & g) + k + x
        t2 = big(a, big0) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & mask, a, b, c, (d + t1) & mask, e, f, g
    return [(x + y) & mask for x, y in zip(state, (a, b, c, d, e, f, g, h))]


def states(bits, key):
    """ist and ost, as lists of words, of a key not longer than a block."""
    word = PARAMETERS[bits][0]
    iv = [root(p << (2 * word), 2) & ((1 << word) - 1) for p in primes(8)]
    padded = key.ljust(BLOCK[bits], b"\0")
    ist, ost = (compress(bits, iv, bytes(x ^ pad for x in padded)) for pad in (0x36, 0x5C))
    check(bits, key, ist, ost)
    return ist, ost


def finish(bits, state, message):
    """The digest of one block and message, where state is what the block has made; message fits into one more."""
    size = BLOCK[bits]
    tail = ((size + len(message)) * 8).to_bytes(size // 8, "big")
    block = (message + b"\x80").ljust(size - len(tail), b"\0") + tail
    return b"".join(x.to_bytes(size // 16, "big") for x in compress(bits, state, block))


def check(bits, key, ist, ost):
    if finish(bits, ost, finish(bits, ist, b"check")) != hmac.digest(key, b"check", f"sha{bits}"):
        raise ArithmeticError("these are not the states of HMAC")


def forms(name, words, bits):
    """How a state may stand in memory: (name, bytes) of big-endian bytes and of the machine's words."""
    size = BLOCK[bits] // 16
    for way in ("big", "little"):
        yield f"{name}-{way}", b"".join(x.to_bytes(size, way) for x in words)
