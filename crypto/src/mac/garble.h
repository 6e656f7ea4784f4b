/** Half-gates on AES: tables from labels, labels from tables.
 *
 *  Source: protocols/60-hmac.md section 3; Zahur, Rosulek, Evans, EUROCRYPT 2015 (half-gates); Guo,
 *  Katz, Wang, Yu, IEEE S&P 2020 (why pi is called twice and keyed anew in each run).
 *
 *      Hs(x, tau) = pi(pi(x) xor tau) xor pi(x), pi = AES-128 under kh
 *      D(kind, j, b, L) = Hs(L, kind * 2^32 + 2j + b)
 *
 *  Three implementations with one result: VAES, AES-NI, and OpenSSL's ECB mode everywhere else.
 *
 *  Timing: constant in labels. Threads: reentrant, one object per thread.
 */
#ifndef MPC_MAC_GARBLE_H
#define MPC_MAC_GARBLE_H

#include "mac/circuit.h"

enum { MAC_TABLE = 32, MAC_DIGEST = 16 };
enum mac_digest_kind { MAC_KIND_A = 1, MAC_KIND_B = 2, MAC_KIND_Y = 3 };

enum mac_engine { MAC_ENGINE_BEST, MAC_ENGINE_EVP, MAC_ENGINE_NI, MAC_ENGINE_VAES };

/** pi under one kh. Clear with mac_pi_clear. */
struct mac_pi {
    uint8_t round_key[11][16]; /* with AES instructions */
    void *evp;                 /* without: an EVP_CIPHER_CTX */
    enum mac_engine engine;
    qk_err err; /* of OpenSSL: the first failure sticks, results are then worthless */
};

/** QK_E_STATE: the processor lacks the engine asked for. QK_E_NOMEM, QK_E_CRYPTO. */
QK_MUST_USE qk_err mac_pi_init(
    struct mac_pi *pi, const uint8_t kh[static 16], enum mac_engine engine);
void mac_pi_clear(struct mac_pi *pi);
#define MAC_PI(name) __attribute__((cleanup(mac_pi_clear))) struct mac_pi name = {.evp = NULL}

/* Blocks of one batch. Arrays that go through mac_hs are as long as n rounded up to four. */
enum { MAC_BLOCKS_MAX = 4 * MAC_LANES };

/** out[i] = Hs(x[i], tau[i]) for i < n <= MAC_BLOCKS_MAX; no overlap; writes up to n rounded up to
 *  four. tau: integers below 2^64, zero in the upper half. */
void mac_hs(struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n);
/** D(kind, j, 0, falses[j]) || D(kind, j, 1, falses[j] xor delta) for j = 0 .. n-1: 32 n bytes. */
void mac_digests(struct mac_pi *pi, uint8_t *out, enum mac_digest_kind kind, const mac_wire *falses,
    mac_wire delta, unsigned n);
/** D(kind, j, bit j of bits, active[j]) for j = 0 .. n-1, where the bits are one byte each, 0 or 1:
 *  16 n bytes. */
void mac_active_digests(struct mac_pi *pi, uint8_t *out, enum mac_digest_kind kind,
    const mac_wire *active, const uint8_t *bits, unsigned n);

/** Work space of a sink: holds labels, so it is wiped with the object it is part of. */
struct mac_blocks {
    mac_wire x[MAC_BLOCKS_MAX], tau[MAC_BLOCKS_MAX], h[MAC_BLOCKS_MAX];
};

/** A sink that makes tables. */
struct mac_garble_sink {
    struct mac_sink sink; /* one = delta */
    struct mac_pi *pi;
    uint64_t first;  /* number of the wave's first gate */
    uint8_t *tables; /* of the wave: gate `at` goes to tables + 32 * at */
    struct mac_blocks b;
};
void mac_garble_sink_init(struct mac_garble_sink *s, struct mac_pi *pi, mac_wire delta);

/** A sink that uses them. */
struct mac_eval_sink {
    struct mac_sink sink; /* one = 0 */
    struct mac_pi *pi;
    uint64_t first;
    const uint8_t *tables;
    struct mac_blocks b;
};
void mac_eval_sink_init(struct mac_eval_sink *s, struct mac_pi *pi);

#endif
