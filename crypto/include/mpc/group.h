/** The four prime-order groups: scalars mod q and points.
 *
 *  Source: protocols/00-common.md section 2. secp256k1 points are computed by
 *  libsecp256k1, the NIST curves by OpenSSL. Scalars are our own fixed-width
 *  words, because neither library offers constant-time arithmetic mod q.
 *
 *  Timing: every function is constant time in scalars and in point
 *  coordinates unless its name ends in _var; those take public data only and
 *  are the whole list (protocols/00 section 10).
 *  Threads: reentrant; nothing here has state that a caller can see.
 */
#ifndef MPC_GROUP_H
#define MPC_GROUP_H

#include "qk/bytes.h"
#include "qk/rng.h"

enum { MPC_SECP256K1 = 1, MPC_P256 = 2, MPC_P384 = 3, MPC_P521 = 4 };

enum {
    MPC_SCALAR_WORDS = 9, /* 64-bit words, least significant first */
    MPC_SCALAR_MAX = 66,  /* the longest encoding, Lq of P-521 */
    MPC_POINT_MAX = 67,   /* the longest encoding, Pt of P-521 */
    MPC_WIDE_MAX = 82,    /* the longest Lh */
    MPC_NODE_ID_MAX = 255,
};

/** The public constants of a group; static, never freed. */
struct mpc_curve {
    uint8_t id;
    const char *name;
    uint16_t q_bits;
    uint8_t lq;      /* bytes of an encoded scalar */
    uint8_t pt;      /* bytes of an encoded point (SEC1 compressed) */
    uint8_t lh;      /* bytes reduced to a scalar, ceil((|q|+128)/8) */
    uint8_t lp;      /* bytes of a field element */
    uint8_t n_words; /* words of a scalar in use; the others are zero */
    int nid;         /* OpenSSL's id of the curve */
};

/** The curve with this id, or NULL. */
const struct mpc_curve *mpc_curve_get(unsigned id);

/* ------------------------------------------------------------- scalars -- */

/** A scalar 0 <= v < q. Secret unless a comment says otherwise. */
struct mpc_scalar {
    uint64_t w[MPC_SCALAR_WORDS];
};

void mpc_scalar_wipe(struct mpc_scalar *s);

/* A scalar that is zero at first and wiped on every way out of its scope. */
#define MPC_SCALAR(name) __attribute__((cleanup(mpc_scalar_wipe))) struct mpc_scalar name = {{0}}

void mpc_scalar_set_u64(struct mpc_scalar *r, uint64_t v);
void mpc_scalar_add(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a,
    const struct mpc_scalar *b);
void mpc_scalar_sub(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a,
    const struct mpc_scalar *b);
void mpc_scalar_neg(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a);
void mpc_scalar_mul(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a,
    const struct mpc_scalar *b);
/** r = a in Montgomery form (a*R mod q), for an operand that is used many times. The struct has no
 *  type of its own for it: keep such values in variables named ..._mont and use them only as the
 *  last argument of mpc_scalar_mul_mont. */
void mpc_scalar_to_mont(
    const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a);
/** r = a * b, b given by mpc_scalar_to_mont; half the cost of mpc_scalar_mul. r may alias. */
void mpc_scalar_mul_mont(const struct mpc_curve *c, struct mpc_scalar *r,
    const struct mpc_scalar *a, const struct mpc_scalar *b_mont);
/** r = a^(q-2): the inverse, and 0 for 0. */
void mpc_scalar_inv(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *a);
/** All ones iff a == 0, else 0. */
uint64_t mpc_scalar_zero_mask(const struct mpc_scalar *a);
/** All ones iff a == b, else 0. */
uint64_t mpc_scalar_eq_mask(const struct mpc_scalar *a, const struct mpc_scalar *b);
/** r = mask ? a : b, mask all ones or 0. r may alias either. */
void mpc_scalar_select(
    struct mpc_scalar *r, uint64_t mask, const struct mpc_scalar *a, const struct mpc_scalar *b);
/** r = mask ? a : 0. */
void mpc_scalar_mask(struct mpc_scalar *r, uint64_t mask, const struct mpc_scalar *a);
/** Is a > q/2? All ones or 0. */
uint64_t mpc_scalar_high_mask(const struct mpc_curve *c, const struct mpc_scalar *a);

/** enc(a): c->lq bytes, big-endian. */
void mpc_scalar_encode(const struct mpc_curve *c, uint8_t *out, const struct mpc_scalar *a);
/** Exactly c->lq bytes with value < q, else QK_E_MALFORMED (check C-2). */
QK_MUST_USE qk_err mpc_scalar_decode(
    const struct mpc_curve *c, struct mpc_scalar *r, struct qk_bytes in);
/** Big-endian integer mod q. At most MPC_WIDE_MAX bytes and twice the width of q in words (64 bytes
 *  for the 256-bit curves), else QK_E_STATE. Constant time in the bytes. */
QK_MUST_USE qk_err mpc_scalar_reduce(
    const struct mpc_curve *c, struct mpc_scalar *r, struct qk_bytes in);
/** Uniform: c->lh random bytes mod q; zero is allowed. */
QK_MUST_USE qk_err mpc_scalar_random(
    const struct mpc_curve *c, struct mpc_scalar *r, struct qk_rng *rng);
/** Uniform and not zero. */
QK_MUST_USE qk_err mpc_scalar_random_nonzero(
    const struct mpc_curve *c, struct mpc_scalar *r, struct qk_rng *rng);

/** Check C-1 for node ids: 1..255, strictly ascending (so distinct), at least one; as integers, so
 *  that 0 and q cannot even be written. QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_ids_check(const uint16_t *ids, size_t n_ids);
/** The Lagrange coefficient at 0 of id among ids: product of j/(j-id) over the other j. Public.
 *  QK_E_STATE if ids fails mpc_ids_check or does not contain id. */
QK_MUST_USE qk_err mpc_lagrange_var(const struct mpc_curve *c, struct mpc_scalar *r,
    const uint16_t *ids, size_t n_ids, uint16_t id);

/** r = sum over k < n of coeffs[k] * x^k, Horner. Constant time in coeffs. */
void mpc_poly_eval(const struct mpc_curve *c, struct mpc_scalar *r, const struct mpc_scalar *coeffs,
    size_t n, uint16_t x);

/* -------------------------------------------------------------- points -- */

/** A point, O included. Fields are private to crypto/src/group. */
struct mpc_point {
    const struct mpc_curve *c;
    void *ec;          /* EC_POINT for the NIST curves */
    uint8_t k1[64];    /* secp256k1_pubkey */
    uint8_t k1_is_inf; /* 1: O */
};

/** Make p the point O of c. Must be paired with mpc_point_clear. */
QK_MUST_USE qk_err mpc_point_init(struct mpc_point *p, const struct mpc_curve *c);
/** Wipe and release. A zeroed struct is allowed. */
void mpc_point_clear(struct mpc_point *p);

/* A point that must still be initialised, cleared on every way out of its scope. */
#define MPC_POINT(name) __attribute__((cleanup(mpc_point_clear))) struct mpc_point name = {0}

/* In all functions below results are initialised points of the operands' curve and may alias them.
 */
QK_MUST_USE qk_err mpc_point_copy(struct mpc_point *r, const struct mpc_point *a);
void mpc_point_set_infinity(struct mpc_point *r);
QK_MUST_USE qk_err mpc_point_set_generator(struct mpc_point *r);
/** True iff O. Whether a computed point is O is public in every protocol here. */
bool mpc_point_is_infinity(const struct mpc_point *a);
/** Must these public points be equal? QK_OK; QK_E_PROOF if they are not; QK_E_STATE (of two curves)
 *  and 5xx blame nobody: this is what checks of a peer's values use. */
QK_MUST_USE qk_err mpc_point_check_eq_var(const struct mpc_point *a, const struct mpc_point *b);
/** Are they? A failure of the machine counts as no. */
bool mpc_point_eq_var(const struct mpc_point *a, const struct mpc_point *b);
QK_MUST_USE qk_err mpc_point_add(
    struct mpc_point *r, const struct mpc_point *a, const struct mpc_point *b);
QK_MUST_USE qk_err mpc_point_neg(struct mpc_point *r, const struct mpc_point *a);
/** r = k*G. */
QK_MUST_USE qk_err mpc_point_mul_base(struct mpc_point *r, const struct mpc_scalar *k);
/** r = k*a; O for k = 0 or a = O. */
QK_MUST_USE qk_err mpc_point_mul(
    struct mpc_point *r, const struct mpc_scalar *k, const struct mpc_point *a);
/** r = k*G + l*a, everything public. */
QK_MUST_USE qk_err mpc_point_mul_add_var(struct mpc_point *r, const struct mpc_scalar *k,
    const struct mpc_scalar *l, const struct mpc_point *a);
/** r = sum over k < n of x^k * coeffs[k], everything public; O is a legal result (check D-5). */
QK_MUST_USE qk_err mpc_point_poly_eval_var(
    struct mpc_point *r, const struct mpc_point *coeffs, size_t n, uint16_t x);
/** r = mask ? a : b, with mask all ones or 0 and secret. Neither may be O. */
QK_MUST_USE qk_err mpc_point_select(
    struct mpc_point *r, uint64_t mask, const struct mpc_point *a, const struct mpc_point *b);
/** x(a) mod q for a != O. */
QK_MUST_USE qk_err mpc_point_x_mod_q(struct mpc_scalar *r, const struct mpc_point *a);

/** enc(a): c->pt bytes, SEC1 compressed. QK_E_STATE for O, which has no encoding. */
QK_MUST_USE qk_err mpc_point_encode(uint8_t *out, const struct mpc_point *a);
/** Check C-3: exact length, prefix 02 or 03, coordinate < p, on the curve. QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_point_decode_var(struct mpc_point *r, struct qk_bytes in);
/** SEC1 uncompressed, 1 + 2*lp bytes. QK_E_STATE for O. */
QK_MUST_USE qk_err mpc_point_encode_uncompressed(uint8_t *out, const struct mpc_point *a);
/** SubjectPublicKeyInfo (DER, named curve, uncompressed) of a public point, appended to out. */
QK_MUST_USE qk_err mpc_point_spki(struct qk_buf *out, const struct mpc_point *a);

#endif
