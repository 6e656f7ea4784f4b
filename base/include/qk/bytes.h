/** Byte views, growable buffers, hexadecimal and base64.
 *
 *  A view borrows; a buffer owns. Nothing here is for secrets unless the
 *  buffer is made with qk_buf_secret, which wipes on growth and on free.
 */
#ifndef QK_BYTES_H
#define QK_BYTES_H

#include <string.h>
#include "qk/err.h"

struct qk_bytes {
    const uint8_t *p;
    size_t len;
};

#define QK_BYTES(array) ((struct qk_bytes){(array), sizeof(array)})

static inline struct qk_bytes qk_bytes(const void *p, size_t len)
{
    return (struct qk_bytes){(const uint8_t *)p, len};
}

/** A view of a NUL-terminated string, without the NUL. */
static inline struct qk_bytes qk_str(const char *s)
{
    return qk_bytes(s, strlen(s));
}

/** Equality of public data; for secrets use CRYPTO_memcmp. */
static inline bool qk_bytes_eq(struct qk_bytes a, struct qk_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/** True iff v equals the string s. */
static inline bool qk_bytes_is(struct qk_bytes v, const char *s)
{
    return qk_bytes_eq(v, qk_str(s));
}

/** A growable byte buffer with an upper bound.
 *
 *  The first failed append sets err and every later one is a no-op, so a
 *  message is written straight down and checked once at the end.
 */
struct qk_buf {
    uint8_t *p;
    size_t len;
    size_t cap;
    size_t max;  /* never grows beyond this many bytes */
    bool secret; /* wiped whenever memory is given back */
    qk_err err;  /* QK_OK, QK_E_TOO_LARGE or QK_E_NOMEM */
};

#define QK_BUF(max_len)                                                                            \
    {                                                                                              \
        .max = (max_len)                                                                           \
    }
#define QK_BUF_SECRET(max_len)                                                                     \
    {                                                                                              \
        .max = (max_len), .secret = true                                                           \
    }

/** Append len bytes; src may be NULL iff len is 0. */
void qk_buf_add(struct qk_buf *b, const void *src, size_t len);
/** Append len zero bytes; returns where they start, or NULL once err is set. */
uint8_t *qk_buf_extend(struct qk_buf *b, size_t len);
void qk_buf_add_u8(struct qk_buf *b, uint8_t v);
void qk_buf_add_u16(struct qk_buf *b, uint16_t v); /* big-endian, as all integers here */
void qk_buf_add_u32(struct qk_buf *b, uint32_t v);
void qk_buf_add_u64(struct qk_buf *b, uint64_t v);
void qk_buf_add_str(struct qk_buf *b, const char *s);
void qk_buf_printf(struct qk_buf *b, const char *fmt, ...) QK_PRINTF(2, 3);
/** Forget the contents, keep the memory. Clears err. */
void qk_buf_clear(struct qk_buf *b);
/** Free (and wipe if secret). The buffer can be used again. */
void qk_buf_free(struct qk_buf *b);
static inline struct qk_bytes qk_buf_view(const struct qk_buf *b)
{
    return qk_bytes(b->p, b->len);
}
/** A NUL-terminated view of the text so far (the NUL is not counted in len). NULL once err is set.
 */
const char *qk_buf_cstr(struct qk_buf *b);

#define QK_AUTO_BUF __attribute__((cleanup(qk_buf_free))) struct qk_buf

static inline uint16_t qk_get_u16(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}
static inline uint32_t qk_get_u32(const uint8_t *p)
{
    return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}
static inline uint64_t qk_get_u64(const uint8_t *p)
{
    return ((uint64_t)qk_get_u32(p) << 32) | qk_get_u32(p + 4);
}
static inline void qk_put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void qk_put_u32(uint8_t *p, uint32_t v)
{
    qk_put_u16(p, (uint16_t)(v >> 16));
    qk_put_u16(p + 2, (uint16_t)v);
}
static inline void qk_put_u64(uint8_t *p, uint64_t v)
{
    qk_put_u32(p, (uint32_t)(v >> 32));
    qk_put_u32(p + 4, (uint32_t)v);
}

/** Lower-case hexadecimal of len bytes plus NUL into out (2*len+1 bytes). */
void qk_hex(const uint8_t *src, size_t len, char *out);
/** Exactly 2*len hexadecimal digits (either case) into out (len bytes); QK_E_MALFORMED otherwise.
 */
QK_MUST_USE qk_err qk_unhex(struct qk_bytes text, uint8_t *out, size_t len);

/** Standard base64 with padding, appended to b. */
void qk_base64_add(struct qk_buf *b, struct qk_bytes src);
/** Strict standard base64 (padding required, no white space, no stray bits), appended to out.
 *  QK_E_MALFORMED leaves out unspecified; free or clear it. */
QK_MUST_USE qk_err qk_unbase64(struct qk_bytes text, struct qk_buf *out);

/** strdup of a view; NULL when out of memory or when the view holds a NUL byte. */
char *qk_strndup(struct qk_bytes v);

#endif
