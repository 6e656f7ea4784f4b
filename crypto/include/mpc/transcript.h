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
#include "mpc/labels.h"

/** The fields of one transcript, in order. */
struct mpc_fields {
    const struct qk_bytes *v;
    uint32_t n;
};

/* A literal list of { pointer, length } pairs. */
#define MPC_FIELDS(...)                                                                            \
    ((struct mpc_fields){(const struct qk_bytes[]){__VA_ARGS__},                                   \
        sizeof((const struct qk_bytes[]){__VA_ARGS__}) / sizeof(struct qk_bytes)})

QK_MUST_USE qk_err mpc_h(uint8_t out[static 64], const char *label, struct mpc_fields f);
QK_MUST_USE qk_err mpc_h32(uint8_t out[static 32], const char *label, struct mpc_fields f);
/** out_len bytes, at most 1 MiB. */
QK_MUST_USE qk_err mpc_expand(uint8_t *out, size_t out_len, const char *label, struct mpc_fields f);
QK_MUST_USE qk_err mpc_h2s(
    const struct mpc_curve *c, struct mpc_scalar *r, const char *label, struct mpc_fields f);
/** Hash to a point of unknown discrete logarithm; P-256 and P-521 only (QK_E_STATE otherwise).
 *  Variable time: public input only (check C-8). r is initialised with that curve. */
QK_MUST_USE qk_err mpc_h2p_var(struct mpc_point *r, const char *label, struct mpc_fields f);

/** Append T itself, unhashed, to out: for code that hashes many transcripts at once with a hash of
 *  its own (out then holds the secrets among the fields: use QK_BUF_SECRET). out->err on failure.
 */
QK_MUST_USE qk_err mpc_transcript(struct qk_buf *out, const char *label, struct mpc_fields f);

/** An incremental form of the same transcript, for fields that arrive in pieces or are many: the
 *  number of fields is announced first and enforced. Misuse is remembered and reported at the end.
 *  A hasher owns no memory; it is wiped by mpc_hasher_end and mpc_hasher_abort, one of which must
 *  follow mpc_hasher_begin (MPC_HASHER does it on every way out of a scope). */
struct mpc_hasher {
    uint64_t md[28]; /* the SHA-512 state, private */
    uint32_t fields_left;
    size_t bytes_left; /* of the current field */
    qk_err err;
};
QK_MUST_USE qk_err mpc_hasher_begin(struct mpc_hasher *h, const char *label, uint32_t n_fields);
void mpc_hasher_field(struct mpc_hasher *h, struct qk_bytes v);
/** Open a field of len bytes, to be filled by mpc_hasher_part calls. */
void mpc_hasher_field_begin(struct mpc_hasher *h, size_t len);
void mpc_hasher_part(struct mpc_hasher *h, const void *p, size_t len);
/** The 64-byte H. QK_E_STATE if a field is missing or short. Wipes h. */
QK_MUST_USE qk_err mpc_hasher_end(struct mpc_hasher *h, uint8_t out[static 64]);
void mpc_hasher_abort(struct mpc_hasher *h);

/* A hasher that must still begin, wiped on every way out of its scope. */
#define MPC_HASHER(name)                                                                           \
    __attribute__((cleanup(mpc_hasher_abort))) struct mpc_hasher name = {.err = QK_E_STATE}

#endif
