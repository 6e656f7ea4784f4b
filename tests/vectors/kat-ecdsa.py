#!/usr/bin/env python3
"""Print the rvole and pad lines of kat-ecdsa.txt.

An implementation of protocols/20-ecdsa.md sections 3 and 4, with the AES masks of
docs/protocols/ecdsa.md section 8, that shares nothing with crypto/: integers of Python, SHA-512 of
hashlib, AES of python3-cryptography. Inputs as in section 11 of the specification. With --spec the
masks are those of the specification, and the lines its known answers: that the script reproduces
them is what makes it a reference.
"""
import hashlib
import sys
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

# name, q, curve id, kappa
CURVES = [
    ("secp256k1", 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141, 1, 128),
    ("P-256", 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551, 2, 128),
    ("P-384", (1 << 384) - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D, 3, 256),
    ("P-521", (1 << 521) - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7, 4, 256),
]


SPEC = "--spec" in sys.argv[1:]


def u8(v): return v.to_bytes(1, "big")
def u16(v): return v.to_bytes(2, "big")
def u32(v): return v.to_bytes(4, "big")
def fr(x): return u32(len(x)) + x


def transcript(label, *fields):
    t = fr(b"TKMS-v1") + fr(label.encode()) + u32(len(fields))
    return t + b"".join(fr(f) for f in fields)


def H(label, *fields): return hashlib.sha512(transcript(label, *fields)).digest()


def expand(label, *fields, n):
    t, out, i = transcript(label, *fields), b"", 0
    while len(out) < n:
        out += hashlib.sha512(t + u32(i)).digest()
        i += 1
    return out[:n]


def aes(key, blocks):
    e = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return e.update(blocks) + e.finalize()


def xor(a, b): return bytes(x ^ y for x, y in zip(a, b, strict=True))
def le16(v): return v.to_bytes(16, "little")
def bit(y, j): return (y[j >> 3] >> (j & 7)) & 1
def kat(n, length): return expand("kat", n, n=length)


def prg(k, seed, pm, n):
    if SPEC:
        return expand("ot-prg", pm, u16(k), seed, n=n)
    start = xor(aes(seed, pm[:16]), pm[16:])
    return aes(seed, b"".join(xor(start, le16(i)) for i in range((n + 15) // 16)))[:n]


def pad_bytes(pm, j, row, n):
    blocks = (n + 15) // 16
    if SPEC:
        return expand("ot-pad", pm, u16(j), row, n=n)
    if len(row) == 16:
        x = aes(pm, row)
        return b"".join(xor(aes(pm, xor(x, le16(16 * j + i))), x) for i in range(blocks))[:n]
    key = expand("ot-pad", pm, u16(j), row, n=32)
    return aes(key, b"".join(le16(i) for i in range(blocks)))[:n]


def gf_mul(a, b):
    a, b, r = int.from_bytes(a, "little"), int.from_bytes(b, "little"), 0
    for i in range(128):
        if b >> i & 1:
            r ^= a << i
    for i in range(254, 127, -1):
        if r >> i & 1:
            r ^= ((1 << 128) | 0x87) << (i - 128)
    return le16(r)


def fold(chi, y):
    body, acc = y[:-16], y[-16:]
    for l, c in enumerate(chi):
        acc = xor(acc, gf_mul(c, body[16 * l:16 * l + 16].ljust(16, b"\0")))
    return acc


def rows_of(cols, xi):
    kappa, out = len(cols), []
    for j in range(xi):
        v = sum(bit(cols[k], j) << k for k in range(kappa))
        out.append(v.to_bytes(kappa // 8, "little"))
    return out


def run(name, q, cid, kappa):
    bits = q.bit_length()
    lq, lh, xi = (bits + 7) // 8, (bits + 128 + 7) // 8, (bits + 160 + 7) // 8 * 8
    nb, m = (xi + 128) // 8, (xi + 127) // 128

    def h2s(label, *f): return int.from_bytes(expand(label, *f, n=lh), "big") % q
    def enc(v): return v.to_bytes(lq, "big")
    def line(what, v): print(f"rvole-{name}-{what} = {v.hex()}")

    psid, pm = kat(b"ps", 32), kat(b"pm", 32)
    seed = [[kat(b"seed" + u16(k) + u8(b), 32) for b in (0, 1)] for k in range(kappa)]
    delta, beta = kat(b"delta", kappa // 8), kat(b"beta", xi // 8)
    x = beta + kat(b"tau", 16)
    a = [h2s("kat-s", n) for n in (b"a0", b"a1", b"ahat")]
    g = [h2s("rvole-gadget", psid, u8(cid), u16(j)) for j in range(xi)]

    def pads(j, row):
        e = pad_bytes(pm, j, row, 3 * lh)
        return [int.from_bytes(e[lh * i:lh * i + lh], "big") % q for i in range(3)]

    # The extension.
    t0 = [prg(k, seed[k][0], pm, nb) for k in range(kappa)]
    t1 = [prg(k, seed[k][1], pm, nb) for k in range(kappa)]
    u = [xor(xor(t0[k], t1[k]), x) for k in range(kappa)]
    chi_all = expand("ot-chi", pm, b"".join(u), n=16 * m)
    chi = [chi_all[16 * l:16 * l + 16] for l in range(m)]
    xh, th = fold(chi, x), [fold(chi, t) for t in t0]
    cols_q = [xor(t1[k], u[k]) if bit(delta, k) else t0[k] for k in range(kappa)]
    for k in range(kappa):
        assert fold(chi, cols_q[k]) == (xor(th[k], xh) if bit(delta, k) else th[k])
    rows_q, rows_t = rows_of(cols_q, xi), rows_of(t0, xi)

    # The multiplication.
    al0 = [pads(j, rows_q[j]) for j in range(xi)]
    al1 = [pads(j, xor(rows_q[j], delta)) for j in range(xi)]
    ga = [pads(j, rows_t[j]) for j in range(xi)]
    b = sum(g[j] for j in range(xi) if bit(beta, j)) % q
    c = [-sum(g[j] * al0[j][i] for j in range(xi)) % q for i in (0, 1)]
    at = [[(al0[j][l] - al1[j][l] + a[l]) % q for l in range(3)] for j in range(xi)]
    at_enc = b"".join(enc(v) for row in at for v in row)
    ha = H("rvole-a", pm, b"".join(u), xh, b"".join(th), at_enc)
    theta = [h2s("rvole-theta", pm, u8(i), ha) for i in (0, 1)]
    eta = (a[2] + theta[0] * a[0] + theta[1] * a[1]) % q
    mu = H("rvole-mu", pm, b"".join(
        enc((p[2] + theta[0] * p[0] + theta[1] * p[1]) % q) for p in al0))
    dd = [[(ga[j][l] + bit(beta, j) * at[j][l]) % q for l in range(3)] for j in range(xi)]
    assert mu == H("rvole-mu", pm, b"".join(
        enc((p[2] + theta[0] * p[0] + theta[1] * p[1] - bit(beta, j) * eta) % q)
        for j, p in enumerate(dd)))
    d = [sum(g[j] * dd[j][i] for j in range(xi)) % q for i in (0, 1)]
    for i in (0, 1):
        assert (c[i] + d[i]) % q == a[i] * b % q

    line("xh", xh)
    line("m1", H("kat-m1", b"".join(u) + xh + b"".join(th))[:32])
    line("b-tail", enc(b)[-8:])
    line("m2", H("kat-m2", at_enc, enc(eta), mu)[:32])
    line("cd", H("kat-cd", enc(c[0]), enc(c[1]), enc(d[0]), enc(d[1]))[:32])


def main():
    pm = kat(b"pm", 32)
    for n, length in ((16, 144), (32, 246)):
        print(f"pad-{8 * n} = {pad_bytes(pm, 415, kat(b'row', n), length).hex()}")
    for c in CURVES:
        run(*c)


main()
