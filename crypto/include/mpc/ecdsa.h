/** Threshold ECDSA: signing, presignatures, and the combiner.
 *
 *  Source: protocols/20-ecdsa.md sections 3 to 8 (DKLs23, ePrint 2023/765, with
 *  the choices of that document). docs/protocols/ecdsa.md has messages, states
 *  and the duties of the caller (durable setup status, strikes, pool bounds).
 *
 *  Left to the caller: authorising caller and digest BEFORE a party is started
 *  or a presignature is used; the request hash `req` must cover both.
 *
 *      node:         mpc_ecdsa_start .. party runs .. mpc_ecdsa_take_part
 *      or:           mpc_ecdsa_start (no digest) .. mpc_ecdsa_take_presig; later mpc_presig_use
 *      coordinator:  mpc_ecdsa_part_decode of every signer's bytes, mpc_ecdsa_combine
 *
 *  No function here opens r, phi, b or a pad, not even of an aborted session (E-25), and there is
 * no tweak, derivation path or related-key input (E-19).
 */
#ifndef MPC_ECDSA_H
#define MPC_ECDSA_H

#include "mpc/group.h"
#include "mpc/otsetup.h"
#include "mpc/record.h"

enum {
    MPC_ECDSA_PART_MAX = MPC_POINT_MAX + 2 * MPC_SCALAR_MAX + 32,
    MPC_ECDSA_DER_MAX = 3 + 2 * (2 + MPC_SCALAR_MAX + 1), /* the longest signature, P-521 */
    MPC_ECDSA_DIGEST_MAX = 64,
};

/** Bytes of the digest that this curve signs: 32, 32, 48, 64; 0 for an unknown curve. */
size_t mpc_ecdsa_digest_len(unsigned curve);

/* ------------------------------------------------------------- signing -- */

struct mpc_ecdsa_params {
    const struct mpc_session *session;  /* peers are exactly the signers; copied */
    const struct mpc_key_record *rec;   /* the record that the caller trusts; copied */
    const struct mpc_scalar *share;     /* our x_i; secret; used within the call */
    struct mpc_ot_setup *const *setups; /* one key setup per other signer, any order; references
                                           are taken */
    size_t n_setups;
    struct qk_bytes digest; /* copied; empty: make a presignature */
    struct qk_rng *rng;     /* borrowed until the party is freed */
};

/** Start one party of a signing session (proto 4).
 *
 *  Checks E-14 (the signers are exactly t nodes of the record, and the delegate iff access is 1;
 *  same curve, key_id, record hash, epochs, t, access), the binding of every setup, and E-16
 * (length of the digest; h = 0 mod q is refused: anyone can forge for it).
 *
 *  Returns    QK_OK         *out is owned by the caller (mpc_party_free)
 *             QK_E_STATE    signers, record, epochs or setups do not fit together, or the digest
 * has not mpc_ecdsa_digest_len bytes QK_E_DENIED   the digest is 0 mod q 5xx           local
 * trouble Effects    SETUP_USE of every setup before the round-2 sends and again at the end: if one
 * fails, expire the party and do not take its result. SETUP_POISON before all else on class X
 *  Timing     constant in share
 */
QK_MUST_USE qk_err mpc_ecdsa_start(struct mpc_party **out, const struct mpc_ecdsa_params *params);

/** What a signer sends to the combiner. Public once sent. */
struct mpc_ecdsa_part {
    uint8_t curve;
    uint8_t big_r[MPC_POINT_MAX]; /* pt bytes; before the offset of a presignature */
    struct mpc_scalar w;
    struct mpc_scalar u;
    uint8_t hd[32]; /* H32("digest"; digest) */
};

/** The result of an online session; once (check E-22), then QK_E_STATE. QK_E_STATE unless the party
 *  is MPC_DONE and was started with a digest. */
QK_MUST_USE qk_err mpc_ecdsa_take_part(struct mpc_party *party, struct mpc_ecdsa_part *out);

/* ------------------------------------------------------- presignatures -- */

struct mpc_presig;

/** The result of a session without a digest; once. */
QK_MUST_USE qk_err mpc_ecdsa_take_presig(struct mpc_party *party, struct mpc_presig **out);

/** The sid of the session that made it: its public name. 32 bytes. */
const uint8_t *mpc_presig_sid(const struct mpc_presig *presig);
/** Was it made with this setup? Then burn it when the setup is poisoned or its epoch ends. */
bool mpc_presig_uses_setup(const struct mpc_presig *presig, const uint8_t setup_id[static 32]);

/** Use a presignature up, for one digest.
 *
 *  Burns first: the entry goes from FREE to USED atomically and is wiped before anything is checked
 *  or computed; whatever the outcome, it is gone. Two threads that race get one answer.
 *
 *  rec      must be the record and epochs it was made for, else QK_E_STATE (check E-18)
 *  signers  the ids of the signers of this request, ascending; must be those it was made with
 *  digest   as in mpc_ecdsa_start
 *  req      32 bytes: the authorised request; the offset delta covers it
 *
 *  Returns  QK_OK, QK_E_STATE (also: already used), QK_E_DENIED, 5xx
 *  Threads  safe against itself and mpc_presig_burn on the same entry
 */
QK_MUST_USE qk_err mpc_presig_use(struct mpc_presig *presig, const struct mpc_key_record *rec,
    const uint16_t *signers, size_t n_signers, struct qk_bytes digest, const uint8_t req[static 32],
    struct mpc_ecdsa_part *out);
/** Burn without use. Idempotent. */
void mpc_presig_burn(struct mpc_presig *presig);
/** Burn and free; NULL is allowed. */
void mpc_presig_free(struct mpc_presig *presig);

/* ------------------------------------------------------------ combiner -- */

/** Bytes of an encoded part: big_r pt, w lq, u lq, hd 32. 0 for an unknown curve. */
size_t mpc_ecdsa_part_len(unsigned curve);
/** out takes mpc_ecdsa_part_len bytes. */
QK_MUST_USE qk_err mpc_ecdsa_part_encode(const struct mpc_ecdsa_part *part, uint8_t *out);
/** Exactly that length, a valid point, scalars below q (check E-9); else QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_ecdsa_part_decode(
    struct mpc_ecdsa_part *out, unsigned curve, struct qk_bytes in);

/** The inputs of delta = H2S("ecdsa-rerand"; sid, enc pk, enc R, digest, req). */
struct mpc_ecdsa_offset {
    const uint8_t *sid; /* of the presignature, 32 bytes */
    const uint8_t *req; /* of this use, 32 bytes */
};

/** Add the parts up, verify, and only then release the signature. Holds nothing secret.
 *
 *  rec      curve, t, access and pk are used; n_parts is t (+ 1 with access 1)
 *  digest   what was to be signed; every hd must be its hash
 *  offset   NULL for online signing
 *  der      the signature is appended: SEQUENCE of two minimal INTEGERs; s <= q/2 on secp256k1
 *           only (section 8)
 *
 *  Returns  QK_OK
 *           QK_E_STATE     wrong number of parts, part of another curve, digest length
 *           QK_E_DENIED    digest = 0 mod q
 *           QK_E_MISMATCH  the signers disagree on R or on the digest
 *           QK_E_PROOF     U = 0, s = 0, or the signature does not verify under pk (check E-15):
 *                          never retry with the same R
 *           On any error der is as before.
 */
QK_MUST_USE qk_err mpc_ecdsa_combine(const struct mpc_key_record *rec,
    const struct mpc_ecdsa_part *parts, size_t n_parts, struct qk_bytes digest,
    const struct mpc_ecdsa_offset *offset, struct qk_buf *der);

/* -------------------------------------------- signatures as bytes, public -- */

/** Append the DER form; r and s in 1..q-1, else QK_E_STATE. Timing: public data. */
QK_MUST_USE qk_err mpc_ecdsa_der_encode(const struct mpc_curve *c, const struct mpc_scalar *r,
    const struct mpc_scalar *s, struct qk_buf *out);
/** Strict DER only, r and s in 1..q-1, nothing trailing; else QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_ecdsa_der_decode(
    const struct mpc_curve *c, struct qk_bytes der, struct mpc_scalar *r, struct mpc_scalar *s);
/** Verify with OpenSSL's ECDSA.
 *
 *  pk       SEC1 compressed, pt bytes
 *  digest   any length OpenSSL takes (1..64 bytes; FIPS 186-5 truncation)
 *
 *  Returns  QK_OK; QK_E_MALFORMED (pk or DER); QK_E_PROOF (does not verify); 5xx
 */
QK_MUST_USE qk_err mpc_ecdsa_verify(
    unsigned curve, const uint8_t *pk, struct qk_bytes digest, struct qk_bytes der);

#endif
