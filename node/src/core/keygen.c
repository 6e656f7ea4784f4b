#include "core/keygen.h"

#include "mpc/dkg.h"
#include "mpc/labels.h"
#include "qk/clock.h"
#include "qk/secret.h"
#include "core/epochs.h"
#include "core/sessions.h"

enum { DKG_MS = 20000, EPOCH_MS = 20000, DERIVE_MS = 20000 };

qk_err node_keygen_session(struct node_op *op, unsigned curve, const uint8_t key_id[static 16],
    const char *what, struct mpc_session *s)
{
    struct node *node = op->node;
    uint8_t request[32] = {0}; /* DUE: nobody has signed anything */
    *s = (struct mpc_session){.curve = (uint8_t)curve,
        .t = node->cluster->t,
        .n_peers = (uint16_t)node->cluster->n,
        .self = node_self(node)};
    memcpy(s->key_id, key_id, 16);
    memcpy(s->peers, node->peers, node->cluster->n * sizeof *s->peers);
    if (op->call.kind == WIRE_CALL_OP) QK_TRY(kms_raw_body_hash(&op->raw, request));
    struct mpc_req req = {.operation = qk_str(what),
        .principal = qk_str(op->principal),
        .algorithm = qk_str(mpc_curve_get(curve)->name),
        .digest = QK_BYTES(request)};
    memcpy(req.fresh, op->call.rnd, 32);
    return mpc_req_hash(s->req, &req);
}

qk_err node_keygen_dkg(struct node_op *op, unsigned curve, const uint8_t key_id[static 16],
    const char *role, const char *what, struct mpc_key_share *share, struct mpc_key_record *rec,
    uint16_t *culprit)
{
    struct mpc_session s;
    struct mpc_party *party;
    QK_TRY(node_keygen_session(op, curve, key_id, what, &s));
    QK_TRY(mpc_dkg_start_role(&party, &s, role, qk_rng_system()));
    qk_err err = node_session_run(op->node, party, &s, 0, "dkg", DKG_MS, culprit);
    if (err == QK_OK) err = mpc_dkg_take(party, share, rec);
    mpc_party_free(party);
    return err == QK_OK ? mpc_key_share_check(share, rec) : err;
}

/* DKG and epoch commit: after this the share is ACTIVE at every node, or there is no key. */
static qk_err generate(struct node_op *op, unsigned curve, const uint8_t key_id[static 16],
    const char *what, uint16_t *culprit)
{
    MPC_KEY_SHARE(share);
    struct mpc_key_record rec;
    QK_TRY(node_keygen_dkg(op, curve, key_id, MPC_L_DKG, what, &share, &rec, culprit));
    return node_epoch_commit(op->node, &share, &rec, EPOCH_MS);
}

qk_err node_derive_setup(struct node *node, struct node_key *key, uint16_t peer, uint16_t opener,
    const uint8_t fresh[static 32])
{
    struct mpc_ot_setup *root = NULL, *setup = NULL;
    struct mpc_session s;
    uint8_t hash[32];
    uint16_t culprit, self = node_self(node);
    uint16_t ids[2] = {self < peer ? self : peer, self < peer ? peer : self};
    unsigned cls = mpc_ot_class_of(key->rec.curve);
    QK_TRY(node_root_get(node, peer, (enum mpc_ot_class)cls, &root, NULL));
    /* The root's id is part of the request: two nodes that would use different roots get different
     * sessions and time out, instead of failing a check and poisoning a good root. */
    struct mpc_req req = {
        .operation = qk_str("DeriveSetup"), .digest = qk_bytes(mpc_ot_setup_id(root), 32)};
    memcpy(req.fresh, fresh, 32);
    qk_err err = mpc_req_hash(hash, &req);
    if (err == QK_OK) err = mpc_record_session(&key->rec, ids, 2, self, hash, &s);
    struct mpc_party *party = NULL;
    if (err == QK_OK) err = mpc_otderive_start(&party, &s, root, qk_rng_system());
    if (err == QK_OK)
        err = node_session_run(node, party, &s, opener, "derive", DERIVE_MS, &culprit);
    if (err == QK_OK) err = mpc_otsetup_take(party, &setup);
    if (err == QK_OK) err = node_setup_store(node, setup);
    mpc_ot_setup_free(setup);
    mpc_party_free(party);
    mpc_ot_setup_free(root);
    return err;
}

/* Derive with every other node, one after the other: node i and j meet because both walk the pairs
 * in the same order, and early frames wait. */
static qk_err derive_all(struct node_op *op, struct node_key *key)
{
    for (size_t i = 0; i < key->rec.n; i++) {
        uint16_t peer = key->rec.nodes[i].id;
        if (peer == node_self(op->node)) continue;
        QK_TRY(node_derive_setup(op->node, key, peer, 0, op->call.rnd));
    }
    return QK_OK;
}

qk_err node_keygen(struct node_op *op, unsigned curve, const uint8_t key_id[static 16],
    const char *what, bool with_setups, struct node_key **out, uint16_t *culprit)
{
    struct node *node = op->node;
    *culprit = 0;
    QK_ENSURE(op->call.n_peers == node->cluster->n, QK_E_STATE);
    QK_TRY(generate(op, curve, key_id, what, culprit));
    QK_TRY(node_key_get(node, key_id, out));
    qk_err err = with_setups ? derive_all(op, *out) : QK_OK;
    if (err != QK_OK) {
        node_key_put(node, *out);
        *out = NULL;
    }
    return err;
}
