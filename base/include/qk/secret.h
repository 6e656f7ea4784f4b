/** Secret types and the memory they live in.
 *
 *  A secret has its own type; the type does the wiping. There is no print
 *  function for any of these. Short-lived secrets are locals declared with the
 *  macros below; long-lived ones live in guarded, locked memory (libsodium:
 *  mlock, MADV_DONTDUMP, guard pages).
 */
#ifndef QK_SECRET_H
#define QK_SECRET_H

#include <openssl/crypto.h>
#include "qk/err.h"

struct qk_sec32 {
    uint8_t b[32];
};

static inline void qk_wipe(void *p, size_t len)
{
    OPENSSL_cleanse(p, len);
}

static inline void qk_sec32_wipe(struct qk_sec32 *s)
{
    qk_wipe(s, sizeof *s);
}

/* A local that is wiped on every way out of its scope. */
#define QK_SEC32(name) __attribute__((cleanup(qk_sec32_wipe))) struct qk_sec32 name = {{0}}

/** Zeroed, locked, undumpable memory between guard pages. NULL when the lock limit is reached.
 *  Costs at least three pages: for long-lived secrets, not for every scalar. */
void *qk_locked_alloc(size_t len);
/** Wipe and free memory of qk_locked_alloc; NULL is allowed. */
void qk_locked_free(void *p);

/** As qk_locked_alloc, for small secrets of which there are many: up to QK_LOCKED_SMALL_MAX bytes,
 *  256 of them between one pair of guard pages. An overrun reaches the neighbour before it reaches
 *  a guard page: for structs of fixed size, not for buffers. */
enum { QK_LOCKED_SMALL_MAX = 256 };
void *qk_locked_small_alloc(size_t len);
/** Wipe and give back; NULL is allowed. Aborts on what is not there to be given back. */
void qk_locked_small_free(void *p);

/** Process-wide preparation, before any secret exists: libsodium start-up,
 *  no core dumps (RLIMIT_CORE 0, PR_SET_DUMPABLE 0). Idempotent. */
QK_MUST_USE qk_err qk_harden_process(void);

#endif
