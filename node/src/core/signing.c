#include "core/signing.h"

#include "mpc/ecdsa.h"
#include "qk/clock.h"
#include "qk/secret.h"
#include "core/keys.h"
#include "core/opens.h"
#include "core/presigs.h"
#include "core/sessions.h"

/* What a setup list needs to be freed. */
struct setups {
    struct mpc_ot_setup *v[MPC_NODES_MAX];
    size_t n;
};

static void setups_free(struct setups *s)
{
    for (size_t i = 0; i < s->n; i++) mpc_ot_setup_free(s->v[i]);
    s->n = 0;
}

static qk_err gather_setups(struct node_op *op, struct node_key *key, struct setups *s)
{
    for (uint32_t i = 0; i < op->call.n_peers; i++) {
        uint16_t peer = op->call.peers[i];
        if (peer == node_self(op->node)) continue;
        qk_err err = node_key_setup(op->node, key, peer, &s->v[s->n]);
        if (err == QK_E_NOT_FOUND) node_opens_want_setup(op->node, key->key_id, peer);
        QK_TRY(err);
        s->n++;
    }
    return QK_OK;
}

static qk_err request_hash(const struct node_op *op, uint8_t out[static 32])
{
    struct mpc_req req = {.operation = qk_str("Sign"),
        .principal = qk_str(op->principal),
        .algorithm = op->req.algorithm,
        .digest = qk_bytes(op->decision.digest, op->decision.digest_len)};
    memcpy(req.fresh, op->call.rnd, 32);
    return mpc_req_hash(out, &req);
}

static qk_err sign_online(struct node_op *op, struct node_key *key, struct setups *setups,
    const uint8_t req[static 32], struct mpc_ecdsa_part *part)
{
    struct node *node = op->node;
    struct mpc_session s;
    struct mpc_party *party;
    QK_TRY(gather_setups(op, key, setups));
    QK_TRY(
        mpc_record_session(&key->rec, op->call.peers, op->call.n_peers, node_self(node), req, &s));
    struct mpc_ecdsa_params params = {.session = &s,
        .rec = &key->rec,
        .share = &key->share->x,
        .setups = setups->v,
        .n_setups = setups->n,
        .digest = qk_bytes(op->decision.digest, op->decision.digest_len),
        .rng = qk_rng_system()};
    QK_TRY(mpc_ecdsa_start(&party, &params));
    qk_err err = node_session_run(
        node, party, &s, 0, "sign", node->conf.session_timeout_ms, &op->answer.culprit);
    if (err == QK_OK) err = mpc_ecdsa_take_part(party, part);
    mpc_party_free(party);
    return err;
}

/* The key's public record inside the certified kms record must be the one this share belongs to. */
static qk_err check_record(const struct node_op *op, const struct node_key *key)
{
    struct qk_bytes pkrec = op->decision.key->key.pkrec;
    bool same = pkrec.len == key->rec_len && memcmp(pkrec.p, key->rec_bytes, pkrec.len) == 0;
    return same ? QK_OK : QK_E_MISMATCH;
}

static qk_err make_part(struct node_op *op, struct node_key *key, struct mpc_ecdsa_part *part)
{
    uint8_t req[32];
    QK_TRY(check_record(op, key));
    QK_ENSURE(op->call.n_peers == key->rec.t, QK_E_STATE);
    QK_TRY(request_hash(op, req));
    if (op->call.presig.len == 32)
        return node_presig_use(op->node, op->call.presig.p, &key->rec, op->call.peers,
            op->call.n_peers, qk_bytes(op->decision.digest, op->decision.digest_len), req, part);
    struct setups setups = {.n = 0};
    qk_err err = sign_online(op, key, &setups, req, part);
    setups_free(&setups);
    return err;
}

/* Names are a courtesy: none when memory is short. */
static void offer_presigs(struct node_op *op, const struct node_key *key)
{
    node_presigs_offer(
        op->node, key, op->call.peers, op->call.n_peers, op->call.want_presigs, &op->names);
    if (op->names.err == QK_OK) op->answer.presigs = qk_buf_view(&op->names);
}

void node_sign(struct node_op *op)
{
    struct node_key *key;
    struct mpc_ecdsa_part part;
    qk_err err = node_key_get(op->node, op->decision.key->key.key_id, &key);
    if (err == QK_OK) {
        err = make_part(op, key, &part);
        if (err == QK_OK && !node_guard_still(op)) err = QK_E_DENIED; /* learnt during the rounds */
        if (err == QK_OK) {
            size_t len = mpc_ecdsa_part_len(key->rec.curve);
            uint8_t *at = qk_buf_extend(&op->out, len);
            err = at == NULL ? QK_E_NOMEM : mpc_ecdsa_part_encode(&part, at);
            op->answer.part = qk_bytes(at, len);
        }
        if (err == QK_OK) offer_presigs(op, key);
        node_key_put(op->node, key);
    }
    if (err == QK_OK) {
        op->answer.status = WIRE_ANSWER_OK;
        return;
    }
    op->answer.part = qk_bytes(NULL, 0);
    (void)node_op_stop(op, WIRE_ANSWER_RETRY, qk_err_name(err));
}
