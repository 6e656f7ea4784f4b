#include "protocol/key.h"

#include "common/stats.h"

/* A started party and the CPU its start took, into net. */
static qk_err add(
    struct bench_net *net, uint16_t id, qk_err err, struct mpc_party *party, uint64_t cpu_ns)
{
    QK_TRY(err);
    bench_net_add(net, id, party, cpu_ns);
    return QK_OK;
}

qk_err bench_key_init(struct bench_key *k, const struct mpc_curve *c, unsigned t)
{
    memset(k, 0, sizeof *k);
    k->c = c;
    k->t = t;
    for (unsigned i = 0; i < BENCH_NODES; i++) {
        k->peers[i].id = (uint16_t)(i + 1);
        QK_TRY(qk_rng_fill(qk_rng_system(), k->peers[i].idh, sizeof k->peers[i].idh));
    }
    return QK_OK;
}

/* ---- the key ---- */

static qk_err dkg_session(const struct bench_key *k, struct mpc_session *s)
{
    *s = (struct mpc_session){
        .curve = k->c->id, .t = (uint16_t)k->t, .n_peers = BENCH_NODES, .self = 1};
    memcpy(s->peers, k->peers, sizeof k->peers);
    QK_TRY(qk_rng_fill(qk_rng_system(), s->key_id, sizeof s->key_id));
    return qk_rng_fill(qk_rng_system(), s->req, sizeof s->req);
}

qk_err bench_key_dkg(struct bench_key *k, struct bench_net *net)
{
    struct mpc_session s;
    QK_TRY(dkg_session(k, &s));
    for (unsigned i = 0; i < BENCH_NODES; i++) {
        struct mpc_party *party = NULL;
        s.self = k->peers[i].id;
        uint64_t t0 = bench_cpu_ns();
        qk_err err = mpc_dkg_start(&party, &s, qk_rng_system());
        QK_TRY(add(net, s.self, err, party, bench_cpu_ns() - t0));
    }
    QK_TRY(bench_net_run(net));
    for (unsigned i = 0; i < BENCH_NODES; i++)
        QK_TRY(mpc_dkg_take(net->p[i].party, &k->share[i], &k->rec));
    return QK_OK;
}

/* ---- pair setups ---- */

static qk_err take_pair(struct bench_net *net, struct mpc_ot_setup **a, struct mpc_ot_setup **b)
{
    mpc_ot_setup_free(*a);
    mpc_ot_setup_free(*b);
    *a = *b = NULL;
    QK_TRY(mpc_otsetup_take(net->p[0].party, a));
    return mpc_otsetup_take(net->p[1].party, b);
}

qk_err bench_key_root(struct bench_key *k, struct bench_net *net, unsigned i, unsigned j)
{
    uint8_t req[32];
    struct mpc_session s;
    const unsigned ends[2] = {i, j};
    enum mpc_ot_class cls = (enum mpc_ot_class)mpc_ot_class_of(k->c->id);
    QK_TRY(qk_rng_fill(qk_rng_system(), req, sizeof req));
    for (unsigned e = 0; e < 2; e++) {
        struct mpc_party *party = NULL;
        uint16_t self = k->peers[ends[e]].id;
        QK_TRY(mpc_otsetup_root_session(&s, cls, &k->peers[i], &k->peers[j], self, req));
        uint64_t t0 = bench_cpu_ns();
        qk_err err = mpc_otsetup_start(&party, &s, qk_rng_system());
        QK_TRY(add(net, self, err, party, bench_cpu_ns() - t0));
    }
    QK_TRY(bench_net_run(net));
    return take_pair(net, &k->root[i][j], &k->root[j][i]);
}

qk_err bench_key_derive(struct bench_key *k, struct bench_net *net, unsigned i, unsigned j)
{
    uint8_t req[32];
    struct mpc_session s;
    const unsigned ends[2] = {i, j};
    const uint16_t ids[2] = {k->peers[i].id, k->peers[j].id};
    QK_TRY(qk_rng_fill(qk_rng_system(), req, sizeof req));
    for (unsigned e = 0; e < 2; e++) {
        struct mpc_party *party = NULL;
        struct mpc_ot_setup *root = k->root[ends[e]][ends[1 - e]];
        QK_TRY(mpc_record_session(&k->rec, ids, 2, ids[e], req, &s));
        uint64_t t0 = bench_cpu_ns();
        qk_err err = mpc_otderive_start(&party, &s, root, qk_rng_system());
        QK_TRY(add(net, ids[e], err, party, bench_cpu_ns() - t0));
    }
    QK_TRY(bench_net_run(net));
    return take_pair(net, &k->setup[i][j], &k->setup[j][i]);
}

/* ---- signing ---- */

static qk_err start_signer(struct bench_key *k, struct bench_net *net, const struct mpc_session *s,
    unsigned i, struct qk_bytes digest)
{
    size_t n = 0;
    struct mpc_ot_setup *setups[BENCH_NODES];
    struct mpc_party *party = NULL;
    for (unsigned j = 0; j < k->t; j++)
        if (j != i) setups[n++] = k->setup[i][j];
    struct mpc_ecdsa_params p = {.session = s,
        .rec = &k->rec,
        .share = &k->share[i].x,
        .setups = setups,
        .n_setups = n,
        .digest = digest,
        .rng = qk_rng_system()};
    uint64_t t0 = bench_cpu_ns();
    qk_err err = mpc_ecdsa_start(&party, &p);
    return add(net, s->self, err, party, bench_cpu_ns() - t0);
}

qk_err bench_key_sign(struct bench_key *k, struct bench_net *net, struct qk_bytes digest)
{
    uint8_t req[32];
    uint16_t ids[BENCH_NODES];
    for (unsigned i = 0; i < k->t; i++) ids[i] = k->peers[i].id;
    QK_TRY(qk_rng_fill(qk_rng_system(), req, sizeof req));
    for (unsigned i = 0; i < k->t; i++) {
        struct mpc_session s;
        QK_TRY(mpc_record_session(&k->rec, ids, k->t, ids[i], req, &s));
        QK_TRY(start_signer(k, net, &s, i, digest));
    }
    return bench_net_run(net);
}

/* ---- the end ---- */

void bench_key_drop_setups(struct bench_key *k)
{
    for (unsigned i = 0; i < BENCH_NODES; i++)
        for (unsigned j = 0; j < BENCH_NODES; j++) {
            mpc_ot_setup_free(k->setup[i][j]);
            k->setup[i][j] = NULL;
        }
}

void bench_key_wipe(struct bench_key *k)
{
    bench_key_drop_setups(k);
    for (unsigned i = 0; i < BENCH_NODES; i++) {
        mpc_key_share_wipe(&k->share[i]);
        for (unsigned j = 0; j < BENCH_NODES; j++) {
            mpc_ot_setup_free(k->root[i][j]);
            k->root[i][j] = NULL;
        }
    }
}
