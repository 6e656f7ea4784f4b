/** Status codes of the whole tree, and the two macros that read them.
 *
 *  The hundreds digit says whose fault it is, and the reaction follows.
 */
#ifndef QK_ERR_H
#define QK_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum qk_err {
    QK_OK = 0,

    QK_E_STATE = 101, /* 1xx  our own caller's mistake: fix the code */

    QK_E_MALFORMED = 201, /* 2xx  these bytes are not that message: reject */
    QK_E_UNEXPECTED,      /*      right bytes, past phase or repeated: reject */
    QK_E_EARLY,           /*      right bytes, one phase ahead: offer again */
    QK_E_FOREIGN,         /*      right bytes of another session or epoch: drop, blame nobody */
    QK_E_TOO_LARGE,       /*      over a stated bound: reject */

    QK_E_PROOF = 301, /* 3xx  a peer failed a check: abort, name culprit */
    QK_E_MISMATCH,    /*      peers disagree, nobody provably guilty: abort */

    QK_E_DENIED = 401, /* 4xx  policy says no: tell the caller, audit it */
    QK_E_NOT_FOUND,    /*      the named thing does not exist */
    QK_E_CONFLICT,     /*      compare-and-set lost: load again */
    QK_E_BUSY,         /*      over a cap: try later */

    QK_E_RNG = 501, /* 5xx  the machine let us down: report, retry later */
    QK_E_NOMEM,
    QK_E_IO,
    QK_E_TIMEOUT,
    QK_E_CRYPTO,  /* a library call failed that cannot fail on valid input */
    QK_E_CORRUPT, /* stored data does not authenticate or decode */
} qk_err;

/** A short stable name for logs, for example "QK_E_PROOF". Never NULL. */
const char *qk_err_name(qk_err err);

/** True for 3xx, and for 2xx that a peer sent: the sender is to be named. */
static inline bool qk_peer_fault(qk_err err)
{
    return err >= 200 && err < 400;
}

#define QK_MUST_USE          __attribute__((warn_unused_result))
#define QK_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define QK_ENSURE(cond, err)                                                                       \
    do {                                                                                           \
        if (!(cond)) return (err);                                                                 \
    } while (0)

#define QK_TRY(expr)                                                                               \
    do {                                                                                           \
        qk_err e_ = (expr);                                                                        \
        if (e_ != QK_OK) return e_;                                                                \
    } while (0)

#define QK_COUNT(array) (sizeof(array) / sizeof *(array))

#endif
