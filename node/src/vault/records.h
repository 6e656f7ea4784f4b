/** Certified records as this node last saw them, and what it has promised to sign.
 *
 *  A stored record is a watermark: from then on an older version is refused, whatever the store or
 *  a coordinator says. The vault compares versions and hashes; that record, hash and certificate
 *  belong together is for the caller to have verified.
 */
#ifndef NODE_VAULT_RECORDS_H
#define NODE_VAULT_RECORDS_H

#include "vault/vault.h"

enum {
    NODE_RECORD_ID_MAX = 64,
    NODE_RECORD_MAX = 256 * 1024,
    NODE_RECORD_CERT_MAX = 64 * 1024,
    NODE_PROMISE_SIG_MAX = 256,
    NODE_WRITES_MAX = 512, /* of one node_vault_write */
};

struct node_record {
    uint8_t kind;
    struct qk_bytes id; /* 1..NODE_RECORD_ID_MAX */
    uint64_t version;   /* 1..2^63-1 */
    uint8_t hash[32];
    struct qk_bytes record; /* encoding */
    struct qk_bytes cert;
};

/** The newest version seen. record and cert (may be NULL) are appended to. QK_E_NOT_FOUND. */
QK_MUST_USE qk_err node_vault_record_get(struct node_vault *vault, uint8_t kind, struct qk_bytes id,
    uint64_t *version, uint8_t hash[static 32], struct qk_buf *record, struct qk_buf *cert);
/** Raise the watermark; durable when it returns, and patient for patience_ms: so long it waits for
 *  other changes to share a sync with. QK_OK also if this very version and hash is stored (a
 * certificate given then replaces the stored one). QK_E_CONFLICT: the same version with another
 * hash, proof that a certificate rule was broken. QK_E_DENIED: an older version. Promises up to
 * this version are forgotten. */
QK_MUST_USE qk_err node_vault_record_put(
    struct node_vault *vault, const struct node_record *record, unsigned patience_ms);
/** Records of a kind with id > after (empty: from the first), ascending by id bytes; the views live
 *  during the call. until each returns false or max were given. */
QK_MUST_USE qk_err node_vault_record_list(struct node_vault *vault, uint8_t kind,
    struct qk_bytes after, size_t max, bool (*each)(void *arg, const struct node_record *r),
    void *arg);

/** A signature of this node's on the next version of a record: what makes it certified is not
 *  known yet. */
struct node_promise {
    uint8_t kind;
    struct qk_bytes id; /* 1..NODE_RECORD_ID_MAX */
    uint64_t version;   /* 1..2^63-1 */
    uint8_t hash[32];
    struct qk_bytes record; /* encoding, 1..NODE_RECORD_MAX */
    struct qk_bytes sig;    /* 1..NODE_PROMISE_SIG_MAX */
    uint64_t now_ms, hold_ms;
};

/** May this signature leave? Durable when it returns: call before it leaves. With t of these on
 * disk the change itself is: record and signature are kept so that a coordinator that lost the
 *  certificate can ask for its pieces again.
 *
 *  Returns  QK_OK          nothing promised yet, the same hash (held anew from now_ms), or the
 *                          promise of another hash is older than hold_ms and is replaced
 *           QK_E_CONFLICT  another hash is promised; or stored as this version
 *           QK_E_DENIED    a newer version is stored
 *  A clock that went back never ends a promise early.
 */
QK_MUST_USE qk_err node_vault_promise(struct node_vault *vault, const struct node_promise *p);
/** A record to put, or a promise to make. */
struct node_write {
    const struct node_record *record;   /* or */
    const struct node_promise *promise; /* if record is NULL */
    qk_err err;                         /* out */
};

/** Several of node_vault_record_put and node_vault_promise, in order, with one sync. Each succeeds
 * or fails by itself; those that did not fail are durable when it returns. */
void node_vault_write(
    struct node_vault *vault, struct node_write *writes, size_t n, unsigned patience_ms);

/** The newest promise for each record of a kind with id > after, as node_vault_record_list;
 * version, id, record and sig are set. */
QK_MUST_USE qk_err node_vault_promise_list(struct node_vault *vault, uint8_t kind,
    struct qk_bytes after, size_t max, bool (*each)(void *arg, const struct node_promise *p),
    void *arg);

#endif
