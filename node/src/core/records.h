/** Certified records as this node holds them: verified, durable, cached decoded.
 *
 *  The vault's newest version of a record is this node's truth; older ones are refused whatever a
 *  coordinator or store says. Nothing enters without a certificate of q nodes
 * (wire_cluster_quorum). What could not be written stays in memory, in force, until it is or until
 *  twice the room is taken.
 */
#ifndef NODE_CORE_RECORDS_H
#define NODE_CORE_RECORDS_H

#include "core/node.h"
#include "kms/cert.h"
#include "kms/record.h"
#include "qk/lru.h"
#include "vault/records.h"

/** A decoded record. Read-only, reference counted. */
struct node_known {
    struct kms_stored stored; /* its views point into certified; bytes: none of its own */
    struct qk_bytes record;   /* the encoding, in certified */
    struct qk_buf certified;  /* record with certificate, as sent */
    struct qk_lru_item item;  /* private, as all that follows */
    unsigned refs;
    bool dropped;
    _Atomic bool on_disk;
    _Atomic bool unwritten; /* learnt, and the vault does not have it (yet) */
};

QK_MUST_USE qk_err node_records_new(struct node_record_cache **out, const struct node *node);
void node_records_free(struct node_record_cache *cache);

/** What this node holds. QK_E_NOT_FOUND; QK_E_CORRUPT if the stored certificate does not hold.
 *  Pair with node_known_put. */
QK_MUST_USE qk_err node_known_get(
    struct node *node, enum kms_kind kind, const char *id, struct node_known **out);
void node_known_put(struct node *node, struct node_known *known);

/** Take a certified record in: decode, verify the certificate, store durably, act on what it says
 *  (a Deleted key's shares are destroyed). Idempotent. In force for other threads at once; returns
 *  when it is on disk, for which it may wait patience_ms to share the sync with others.
 *
 *  QK_E_MALFORMED, QK_E_PROOF, QK_E_MISMATCH (too few signatures), QK_E_DENIED (older than ours),
 *  QK_E_CONFLICT (another record of the same version: audited, it proves a broken rule)
 */
QK_MUST_USE qk_err node_record_accept(
    struct node *node, struct qk_bytes certified, unsigned patience_ms);

/** The first half of node_record_accept: verified and in force, not yet on the disk. Errors as
 * there. Pair *out with node_known_put. */
QK_MUST_USE qk_err node_record_learn(
    struct node *node, struct qk_bytes certified, struct node_known **out);
/** The second half, for several with one sync. The first error. */
QK_MUST_USE qk_err node_records_keep(
    struct node *node, struct node_known *const *known, size_t n, unsigned patience_ms);
/** The same for one who writes himself (commit.h): views into known, which outlives row; and after
 *  the write, which ended with err. Returns err, or that of what the record demands (a Deleted
 *  key's shares are destroyed). */
void node_known_row(const struct node_known *known, struct node_record *row);
QK_MUST_USE qk_err node_known_written(struct node *node, struct node_known *known, qk_err err);

/** kms_cert_verify_fn with the cluster's node keys; arg is the node. */
qk_err node_cert_verify(
    void *arg, uint16_t id, const uint8_t msg[static KMS_CERT_MSG_LEN], struct qk_bytes signature);

#endif
