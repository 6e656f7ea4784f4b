/** Hashing of our own transcripts: T, H, H32, Expand, H2S, H2P.
 *
 *  Source: protocols/00-common.md section 3. The input is framed so that it
 *  is injective (check C-4): fields are length-prefixed and counted. All
 *  labels stand in mpc/labels.h; a label's fields have fixed positions.
 *
 *      uint8_t out[32];
 *      qk_err err = mpc_h32(out, MPC_L_ACK, MPC_FIELDS({ sid, 32 }, { v, 32 }));
 *
 *  Timing: constant in the fields (SHA-512), except mpc_h2p_var.
 */
#ifndef MPC_TRANSCRIPT_H
#define MPC_TRANSCRIPT_H

#include "mpc/group.h"

/** The fields of one transcript, in order. */
struct mpc_fields {
    const struct qk_bytes *v;
    uint32_t n;
};

/* A literal list of { pointer, length } pairs. */
#define MPC_FIELDS(...)                                                      \
    ((struct mpc_fields){ (const struct qk_bytes[]){ __VA_ARGS__ },          \
        sizeof((const struct qk_bytes[]){ __VA_ARGS__ }) / sizeof(struct qk_bytes) })

QK_MUST_USE qk_err mpc_h(uint8_t out[static 64], const char *label, struct mpc_fields f);
QK_MUST_USE qk_err mpc_h32(uint8_t out[static 32], const char *label, struct mpc_fields f);
/** out_len bytes, at most 1 MiB. */
QK_MUST_USE qk_err mpc_expand(uint8_t *out, size_t out_len, const char *label, struct mpc_fields f);
QK_MUST_USE qk_err mpc_h2s(
    const struct mpc_curve *c, struct mpc_scalar *r, const char *label, struct mpc_fields f);
/** Hash to a point of unknown discrete logarithm; P-256 and P-521 only (QK_E_STATE otherwise).
 *  Variable time: public input only (check C-8). r is initialised with that curve. */
QK_MUST_USE qk_err mpc_h2p_var(struct mpc_point *r, const char *label, struct mpc_fields f);

/** An incremental form of the same transcript, for fields that arrive in pieces or are many: the
 *  number of fields is announced first and enforced. */
struct mpc_hasher {
    void *md;            /* EVP_MD_CTX */
    uint32_t fields_left;
    size_t bytes_left;   /* of the current field */
    qk_err err;
};
QK_MUST_USE qk_err mpc_hasher_begin(struct mpc_hasher *h, const char *label, uint32_t n_fields);
void mpc_hasher_field(struct mpc_hasher *h, struct qk_bytes v);
/** Open a field of len bytes, to be filled by mpc_hasher_part calls. */
void mpc_hasher_field_begin(struct mpc_hasher *h, size_t len);
void mpc_hasher_part(struct mpc_hasher *h, const void *p, size_t len);
/** The 64-byte H. QK_E_STATE if a field is missing or short. Releases h. */
QK_MUST_USE qk_err mpc_hasher_end(struct mpc_hasher *h, uint8_t out[static 64]);
void mpc_hasher_abort(struct mpc_hasher *h);

#endif
