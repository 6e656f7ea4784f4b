/** Decoded records, shared and never changed, and a bounded table of those in use. Private to
 *  store/.
 *
 *  Threads    references: any; the table: under its owner's lock
 */
#ifndef COORD_STORE_KEPT_H
#define COORD_STORE_KEPT_H

#include <stdatomic.h>
#include "qk/lru.h"
#include "store/store.h"

enum {
    COORD_KEPT_MAX = 8192,  /* records, unless coord_store_keep says otherwise */
    COORD_KEPT_EACH = 4096, /* bytes of room for one: they are bounded by bytes, too */
};

struct coord_kept {
    struct qk_lru_item item; /* the table's */
    atomic_uint refs;
    /* VERSION records: what an evaluation needs of it; made when first asked for. NULL before */
    _Atomic(struct mpc_sym_version *) sym;
    struct kms_record r; /* views into bytes */
    uint64_t put_ms;     /* as in coord_entry; set before it is shared */
    size_t len;
    uint8_t bytes[]; /* certified */
};

/** Decode without verifying: what comes from our own file was verified on its way in. One
 *  reference. QK_E_CORRUPT, QK_E_NOMEM. */
QK_MUST_USE qk_err coord_kept_new(struct coord_kept **out, struct qk_bytes certified);
/** Takes the caller's reference over. */
void coord_kept_entry(struct coord_kept *kept, struct coord_entry *out);
void coord_kept_unref(struct coord_kept *kept); /* NULL is allowed */

struct coord_kept_table {
    struct qk_lru lru;
    size_t max, bytes;
};

/** At most max records, in at most max * COORD_KEPT_EACH bytes. QK_E_NOMEM. */
QK_MUST_USE qk_err coord_kept_table_init(struct coord_kept_table *t, size_t max);
void coord_kept_table_free(struct coord_kept_table *t);
/** A new reference, or NULL. */
struct coord_kept *coord_kept_find(struct coord_kept_table *t, enum kms_kind kind, const char *id);
/** Keep (a reference of its own), making room. */
void coord_kept_add(struct coord_kept_table *t, struct coord_kept *kept);
/** Forget a record: another version has been stored. */
void coord_kept_forget(struct coord_kept_table *t, enum kms_kind kind, const char *id);

#endif
