/** Certified records at rest: the one narrow interface behind which a storage engine stands.
 *
 *  The gate is here: nothing is stored whose certificate does not verify (kms/cert.h, at least q
 *  signatures by nodes of the cluster), so whatever comes out was signed by q nodes. It holds
 *  nothing secret and nothing that cannot be rebuilt from the nodes.
 *
 *  Engine: SQLite in WAL mode. What a put has acknowledged survives the end of the process at once
 *  and a loss of power once coord_store_sync has run, which is called every few tens of
 * milliseconds while there are changes. A loss of power in between loses no change either: q nodes
 * keep what they signed, and rounds/promised.h puts the certificate together again. One process per
 * file (locked exclusively). Records in use are kept decoded (coord_store_keep).
 *
 *  Threads    every function may be called from any thread
 */
#ifndef COORD_STORE_H
#define COORD_STORE_H

#include "kms/cert.h"
#include "wire/cluster.h"

enum {
    COORD_STORE_PUT_MAX = 16,    /* records of one transaction */
    COORD_STORE_LIST_MAX = 1000, /* entries of one page */
};

struct coord_store;

struct coord_kept;

struct mpc_sym_version;

/** A stored record, decoded. Owned: coord_entry_free, also after a failed get. */
struct coord_entry {
    struct coord_kept *kept;   /* shared by all who have got this version; never changes */
    struct qk_bytes certified; /* kms_certified_encode: as it travels */
    struct kms_record r;       /* views into certified */
    uint64_t put_ms;           /* qk_mono_ms when it was put; 0: longer ago than we remember */
};
void coord_entry_free(struct coord_entry *e);
/** A VERSION record ready for use (mpc/sym_record.h): made once and shared, valid while e is.
 *  QK_E_CORRUPT: the key material's record does not decode or is not its own; QK_E_STATE: no
 * VERSION; QK_E_NOMEM. */
QK_MUST_USE qk_err coord_entry_version(
    const struct coord_entry *e, const struct mpc_sym_version **out);

/** Open or create. cluster is borrowed until close. why: one line for people.
 *  QK_E_IO, QK_E_CORRUPT, QK_E_BUSY (another process has it), QK_E_DENIED (a store of another
 *  cluster), QK_E_NOMEM. */
QK_MUST_USE qk_err coord_store_open(struct coord_store **out, const char *path,
    const struct wire_cluster *cluster, char *why, size_t why_len);
/** Keep up to n records decoded in memory, in at most n * 4 KiB; what is kept now is forgotten.
 *  Without this it is a few thousand. QK_E_NOMEM. */
QK_MUST_USE qk_err coord_store_keep(struct coord_store *store, size_t n);
/** NULL is allowed. */
void coord_store_close(struct coord_store *store);

/** Verify one container and decode its record: r views into certified.
 *  QK_E_MALFORMED, QK_E_TOO_LARGE; QK_E_PROOF, QK_E_MISMATCH as kms_cert_verify. */
QK_MUST_USE qk_err coord_store_check(
    const struct wire_cluster *cluster, struct qk_bytes certified, struct kms_record *r);

/** QK_E_NOT_FOUND; QK_E_CORRUPT; 5xx. */
QK_MUST_USE qk_err coord_store_get(
    struct coord_store *store, const struct kms_ref *ref, struct coord_entry *out);

/** Compare-and-set of 1..COORD_STORE_PUT_MAX records in one transaction: every one must follow
 *  exactly the stored version (its prev is that version's hash; version 1: there is none), else
 *  QK_E_CONFLICT and nothing is changed. Certificates as coord_store_check. */
QK_MUST_USE qk_err coord_store_put(
    struct coord_store *store, const struct qk_bytes *certified, size_t n);

/** Take over a record that a node showed us: stored iff newer than ours. *taken may be NULL.
 *  QK_E_CONFLICT: another record of the same version is stored already; q nodes signed both, which
 *  honest nodes never do: the caller must raise the alarm. Certificates as coord_store_check. */
QK_MUST_USE qk_err coord_store_adopt(
    struct coord_store *store, struct qk_bytes certified, bool *taken);

/** Bring to the disk what was put since the last time; nothing to do costs nothing. QK_E_IO. */
QK_MUST_USE qk_err coord_store_sync(struct coord_store *store);

/** What a listing is of. */
struct coord_list_query {
    enum kms_kind kind;
    struct qk_bytes after; /* ids above this one; empty: from the first */
    struct qk_bytes owner; /* credentials: of this user name only; empty: of all */
    bool live;             /* leave out keys in state Deleted */
    size_t limit;          /* 1..COORD_STORE_LIST_MAX */
};

/** One page in id order. Owned: coord_page_free, also after a failed list. */
struct coord_page {
    struct coord_entry *entries;
    size_t n;
    bool more;
};
void coord_page_free(struct coord_page *page);
QK_MUST_USE qk_err coord_store_list(
    struct coord_store *store, const struct coord_list_query *query, struct coord_page *out);

/** Keys for which something was due (kms_due_of) at or before now_ms, the earliest first; only
 * these are read, however many keys there are. query moves on to the next page. */
struct coord_due_query {
    uint64_t now_ms;
    size_t limit;                         /* 1..COORD_STORE_LIST_MAX */
    uint64_t after_ms;                    /* 0 at first */
    char after_id[KMS_RECORD_ID_MAX + 1]; /* "" at first */
};
QK_MUST_USE qk_err coord_store_due(
    struct coord_store *store, struct coord_due_query *query, struct coord_page *out);

#define COORD_AUTO_ENTRY __attribute__((cleanup(coord_entry_free))) struct coord_entry
#define COORD_AUTO_PAGE  __attribute__((cleanup(coord_page_free))) struct coord_page

#endif
