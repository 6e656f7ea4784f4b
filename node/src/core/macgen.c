#include "core/macgen.h"

#include "core/epochs.h"
#include "core/keygen.h"
#include "core/maccarry.h"
#include "core/sessions.h"
#include "vault/shares.h"

enum { SESSION_MS = 20000, RUN_MS = 10000, EPOCH_MS = 20000 };
_Static_assert((int)MPC_MAC_RECORD_MAX <= (int)MPC_SYM_RECORD_MAX, "node_sym_made holds it");

/* ---- what is made ---- */

static uint8_t alg_of(const struct kms_keyspec *spec)
{
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        if (mpc_mac_digest_len(alg) == spec->digest_len) return (uint8_t)alg;
    return 0;
}

_Static_assert((int)KMS_MODES_MAC_N == (int)MPC_MAC_N && (int)KMS_MODES_MAC_S == (int)MPC_MAC_S,
    "one numbering");

void node_mac_spec_of(
    const struct kms_decision *decision, const uint8_t key_id[static 16], struct mpc_mac_spec *out)
{
    *out = (struct mpc_mac_spec){
        .ver = decision->ver, .alg = alg_of(decision->spec), .profile = decision->modes};
    memcpy(out->key_id, key_id, 16);
}

bool node_mac_is_ours(
    const struct node *node, const struct mpc_mac_record *rec, const struct mpc_mac_spec *spec)
{
    bool same = memcmp(rec->key_id, spec->key_id, 16) == 0 && rec->ver == spec->ver &&
                rec->alg == spec->alg && rec->profile == spec->profile &&
                rec->n == node->cluster->n;
    for (size_t i = 0; same && i < rec->n; i++)
        same = rec->nodes[i].id == node->peers[i].id &&
               memcmp(rec->nodes[i].idh, node->peers[i].idh, sizeof rec->nodes[i].idh) == 0;
    return same;
}

bool node_mac_possible(const struct node *node, struct kms_fault *fault)
{
    const struct wire_cluster *c = node->cluster;
    if (c->t == 2 && c->n >= MPC_MAC_NODES_MIN) return true;
    (void)!kms_fault_set(fault, "UnsupportedOperationException",
        "HMAC keys need a threshold of two and at least three nodes; this cluster has n = %zu and "
        "t = %u.",
        (size_t)c->n, (unsigned)c->t);
    return false;
}

/* ---- steps ---- */

static qk_err give_kappa(void *ctx, uint16_t peer, uint8_t out[static MPC_MAC_KAPPA_LEN])
{
    struct node_mac_links *l = ctx;
    QK_SEC32(kappa);
    QK_TRY(node_maclink_get(l->node, peer, &kappa));
    l->given[1] = l->given[0];
    l->given[0].peer = peer;
    QK_TRY(node_maclink_id(&kappa, l->given[0].id));
    memcpy(out, kappa.b, sizeof kappa.b);
    return QK_OK;
}
_Static_assert((int)MPC_MAC_KAPPA_LEN == (int)sizeof(struct qk_sec32), "one length");

void node_mac_links_init(struct node_mac_links *l, struct node *node)
{
    *l = (struct node_mac_links){.node = node};
    l->links = (struct mpc_mac_links){.ctx = l, .kappa = give_kappa};
}

static const uint8_t *name_given(const struct node_mac_links *l, uint16_t peer)
{
    static const uint8_t none[NODE_MACLINK_ID_LEN];
    for (size_t i = 0; i < QK_COUNT(l->given); i++)
        if (l->given[i].peer == peer) return l->given[i].id;
    return none;
}

/* The names of the link secrets that this role has. */
static void name_kappas(const struct node_mac_links *l, struct node_maccarry *c)
{
    uint16_t g1 = c->roles.g1, g2 = c->roles.g2;
    if (c->e == NULL)
        memcpy(c->garblers, name_given(l, c->g1 != NULL ? g2 : g1), sizeof c->garblers);
    if (c->g1 == NULL)
        memcpy(c->checker, name_given(l, c->g2 != NULL ? c->roles.e : g2), sizeof c->checker);
}

static qk_err run_step(struct node_mac_links *l, struct mpc_mac_gen *gen,
    const struct mpc_mac_gen_step *step, uint16_t *culprit)
{
    QK_AUTO_BUF from_g1 = QK_BUF_SECRET(MPC_MAC_G1_MAX);
    QK_AUTO_BUF from_g2 = QK_BUF_SECRET(MPC_MAC_G2_LEN);
    struct node_maccarry c = {.roles = step->roles,
        .timeout_ms = RUN_MS,
        .g1 = step->g1,
        .g2 = step->g2,
        .e = step->e,
        .test = step->test,
        .from_g1 = &from_g1,
        .from_g2 = &from_g2};
    if (c.g1 == NULL && c.g2 == NULL && c.e == NULL) return QK_OK; /* not one of the three */
    name_kappas(l, &c);
    QK_TRY(node_maccarry_run(l->node, &c, culprit));
    if (c.e == NULL || !c.test) return QK_OK;
    struct mpc_mac_suspects why = {.n = 0};
    qk_err err = mpc_mac_gen_tested(gen, qk_buf_view(&from_g1), qk_buf_view(&from_g2), &why);
    if (err != QK_OK && why.n == 1) *culprit = why.node[0];
    return err;
}

qk_err node_mac_steps(struct node_mac_links *l, struct mpc_mac_gen *gen, uint16_t *culprit)
{
    struct mpc_mac_gen_step step;
    for (;;) {
        QK_TRY(mpc_mac_gen_next(gen, &step));
        switch (step.kind) {
        case MPC_MAC_GEN_SESSION:
            QK_TRY(node_session_run(
                l->node, step.party, step.session, 0, step.what, SESSION_MS, culprit));
            break;
        case MPC_MAC_GEN_RUN:
            QK_TRY(run_step(l, gen, &step, culprit));
            break;
        case MPC_MAC_GEN_END:
            return QK_OK;
        }
    }
}

/* ---- generation ---- */

/* QK_E_NOT_FOUND: there is none yet. */
static qk_err find_made(struct node *node, const uint8_t id[static 16],
    const struct mpc_mac_spec *spec, struct mpc_mac_record *rec)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(MPC_MAC_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(MPC_MAC_RECORD_MAX);
    QK_TRY(node_vault_share_load(node->vault, id, NULL, &secret, &record));
    QK_TRY(mpc_mac_record_decode(qk_buf_view(&record), rec) == QK_OK ? QK_OK : QK_E_CORRUPT);
    return node_mac_is_ours(node, rec, spec) ? QK_OK : QK_E_MISMATCH;
}

static qk_err generate(struct node_op *op, const uint8_t id[static 16],
    const struct mpc_mac_spec *spec, struct mpc_mac_share *share, struct mpc_mac_record *rec,
    uint16_t *culprit)
{
    struct mpc_session s;
    struct node_mac_links links;
    struct mpc_mac_gen *gen;
    QK_TRY(node_keygen_session(op, MPC_P256, id, "CreateKey", &s));
    node_mac_links_init(&links, op->node);
    QK_TRY(mpc_mac_gen_start(&gen, &s, spec, &links.links, qk_rng_system()));
    qk_err err = node_mac_steps(&links, gen, culprit);
    if (err == QK_OK) err = mpc_mac_gen_take(gen, share, rec);
    mpc_mac_gen_free(gen);
    return err;
}

/* After this the key is ACTIVE at every node, or there is none. */
static qk_err generate_and_commit(struct node_op *op, const uint8_t id[static 16],
    const struct mpc_mac_spec *spec, struct mpc_mac_record *rec, uint16_t *culprit)
{
    MPC_MAC_SHARE(share);
    QK_ENSURE(op->call.n_peers == op->node->cluster->n, QK_E_STATE);
    QK_TRY(node_epoch_room(op->node, id));
    QK_TRY(generate(op, id, spec, &share, rec, culprit));
    QK_TRY(mpc_mac_share_check(&share, rec));
    return node_epoch_commit_mac(op->node, &share, rec, EPOCH_MS);
}

qk_err node_mac_make(struct node_op *op, struct node_sym_made *made, uint16_t *culprit)
{
    struct mpc_mac_record rec;
    struct mpc_mac_spec spec;
    uint8_t id[16];
    *culprit = 0;
    node_mac_spec_of(&op->decision, op->prop.key_id, &spec);
    QK_TRY(mpc_sym_version_id(id, spec.key_id, spec.ver));
    qk_err err = find_made(op->node, id, &spec, &rec);
    if (err == QK_E_NOT_FOUND) err = generate_and_commit(op, id, &spec, &rec, culprit);
    QK_TRY(err);
    QK_TRY(mpc_mac_material_id(&rec, made->material_id));
    return mpc_mac_record_encode(&rec, &made->pkrec);
}
