/** Canonical msgpack: the one binary encoding of envelopes, records and calls.
 *
 *  Writing uses msgpack-c. Reading is our own cursor: msgpack-c has no limits
 *  (a five-byte message can make it allocate gigabytes), and everything we
 *  read has a fixed schema. The cursor accepts only the canonical form of
 *  protocols/00 section 6: smallest integer and length forms, the key that is
 *  expected, nothing trailing; no floats, nil, extensions or negative numbers.
 *  It never allocates; views point into the input.
 *
 *  A value is encoded one way only, so bytes can be hashed and compared.
 */
#ifndef QK_PACK_H
#define QK_PACK_H

#include "qk/bytes.h"

/* ---- writing: appends to a qk_buf, errors collect in buf->err ---- */

void qk_pack_map(struct qk_buf *b, uint32_t n_pairs);
void qk_pack_array(struct qk_buf *b, uint32_t n_items);
void qk_pack_uint(struct qk_buf *b, uint64_t v);
void qk_pack_bool(struct qk_buf *b, bool v);
void qk_pack_str(struct qk_buf *b, struct qk_bytes text);
void qk_pack_bin(struct qk_buf *b, struct qk_bytes v);
/** A map key: the string k. */
void qk_pack_key(struct qk_buf *b, const char *k);
/** Key and value at once. */
void qk_pack_key_uint(struct qk_buf *b, const char *k, uint64_t v);
void qk_pack_key_bool(struct qk_buf *b, const char *k, bool v);
void qk_pack_key_str(struct qk_buf *b, const char *k, struct qk_bytes text);
void qk_pack_key_bin(struct qk_buf *b, const char *k, struct qk_bytes v);

/* ---- reading ---- */

/** A cursor over one encoded value. The first error sticks: every later call
 *  returns it again, so a schema is read straight down with QK_TRY. */
struct qk_unpack {
    const uint8_t *p;
    const uint8_t *end;
    qk_err err;
};

static inline struct qk_unpack qk_unpack(struct qk_bytes in)
{
    return (struct qk_unpack){in.p, in.p + in.len, QK_OK};
}

/** A map of exactly n pairs. */
QK_MUST_USE qk_err qk_unpack_map(struct qk_unpack *u, uint32_t n_pairs);
/** An array of min..max items; *n is how many. */
QK_MUST_USE qk_err qk_unpack_array(struct qk_unpack *u, uint32_t min, uint32_t max, uint32_t *n);
/** The next string must be the key k. */
QK_MUST_USE qk_err qk_unpack_key(struct qk_unpack *u, const char *k);
/** An unsigned integer <= max. */
QK_MUST_USE qk_err qk_unpack_uint(struct qk_unpack *u, uint64_t max, uint64_t *v);
QK_MUST_USE qk_err qk_unpack_bool(struct qk_unpack *u, bool *v);
/** Valid UTF-8 of min..max bytes. */
QK_MUST_USE qk_err qk_unpack_str(struct qk_unpack *u, size_t min, size_t max, struct qk_bytes *v);
QK_MUST_USE qk_err qk_unpack_bin(struct qk_unpack *u, size_t min, size_t max, struct qk_bytes *v);
/** bin of exactly len bytes, copied to out. */
QK_MUST_USE qk_err qk_unpack_fixed(struct qk_unpack *u, void *out, size_t len);
/** The raw bytes of the next value, whatever it is: depth <= 8, at most max_items values inside. */
QK_MUST_USE qk_err qk_unpack_raw(struct qk_unpack *u, uint32_t max_items, struct qk_bytes *v);
/** Success iff every byte was consumed and nothing failed. */
QK_MUST_USE qk_err qk_unpack_end(struct qk_unpack *u);

/* Key and value at once. */
QK_MUST_USE qk_err qk_unpack_key_uint(
    struct qk_unpack *u, const char *k, uint64_t max, uint64_t *v);
QK_MUST_USE qk_err qk_unpack_key_bool(struct qk_unpack *u, const char *k, bool *v);
QK_MUST_USE qk_err qk_unpack_key_str(
    struct qk_unpack *u, const char *k, size_t min, size_t max, struct qk_bytes *v);
QK_MUST_USE qk_err qk_unpack_key_bin(
    struct qk_unpack *u, const char *k, size_t min, size_t max, struct qk_bytes *v);
QK_MUST_USE qk_err qk_unpack_key_fixed(struct qk_unpack *u, const char *k, void *out, size_t len);

/** True iff text is valid UTF-8 (no overlong forms, no surrogates). */
bool qk_utf8_valid(struct qk_bytes text);

#endif
