/** The SigV4 signing keys of callers, one a day and service: derived by t nodes, never stored.
 *
 *  secret = text(DPRF(system key; "credential", access key id, serial)); the signing key follows
 *  from it, date, region and service, and is all that is kept, in locked memory, for at most a day.
 *  Page: docs/protocols/system-key.md.
 *
 *  Who may ask: a node answers a peer's ASK only while it serves a request of the same access key
 *  itself (it waits a moment for one to arrive): a node that is taken over cannot ask for the
 *  secrets of callers who are not active. Every answer is audited; a peer that asks too often is
 *  refused.
 */
#ifndef NODE_CORE_DAYKEYS_H
#define NODE_CORE_DAYKEYS_H

#include "core/node.h"
#include "kms/record.h"
#include "qk/secret.h"

QK_MUST_USE qk_err node_daykeys_new(struct node_daykeys **out);
void node_daykeys_free(struct node_daykeys *daykeys);

/** We serve a request that names this access key: from now, and for a minute, its partial may be
 *  given to peers that serve it too. */
void node_daykeys_interest(struct node *node, struct qk_bytes access_key_id);

/** Is the signing key here? Then *out is it. Arguments as of node_daykey_get; never blocks. */
bool node_daykey_cached(struct node *node, const struct kms_credential *credential,
    struct qk_bytes date, struct qk_bytes service, struct qk_sec32 *out);

/** The signing key of a credential in this region. Blocking up to 4 s.
 *  credential, system  certified records
 *  date                "YYYYMMDD"
 *  service             "kms" or "sts"
 *  peers               the nodes that serve the same request: they are the ones that may answer
 *  QK_E_TIMEOUT: fewer than t partials came; QK_E_NOT_FOUND: no share of the system key here. */
QK_MUST_USE qk_err node_daykey_get(struct node *node, const struct kms_credential *credential,
    const struct kms_system *system, struct qk_bytes date, struct qk_bytes service,
    const uint16_t *peers, size_t n_peers, struct qk_sec32 *out);

/** Our partial for a credential, sealed to a caller's X25519 key (crypto_box_seal): only its owner
 *  can open t of them. Appended to out. */
QK_MUST_USE qk_err node_credential_seal(struct node *node, struct qk_bytes access_key_id,
    uint32_t serial, struct qk_bytes system_pkrec, const uint8_t response_key[static 32],
    struct qk_buf *out);

void node_daykeys_on_ask(struct node *node, uint16_t from, struct qk_bytes body);
void node_daykeys_on_partial(struct node *node, uint16_t from, struct qk_bytes body);

#endif
