#include "dkgrun.h"

#include "qktest/qktest.h"

struct qkt_net *qkt_dkg_net(uint64_t seed, unsigned curve, const uint16_t *ids, size_t n_ids,
    unsigned t, unsigned access, struct qkt_rng *rngs)
{
    struct qkt_net *net = qkt_net_new(seed);
    struct mpc_session s;
    qkt_session(&s, seed, curve, ids, n_ids, t, access);
    s.e_net = s.e_del = 0;
    for (size_t i = 0; i < s.n_peers; i++) {
        struct mpc_party *party;
        s.self = s.peers[i].id;
        qkt_rng_init(&rngs[i], seed, s.self);
        qk_assert_ok(mpc_dkg_start(&party, &s, &rngs[i].rng));
        qkt_add(net, s.self, party);
    }
    return net;
}

void qkt_dkg_take(struct qkt_net *net, struct qkt_key *key)
{
    uint8_t first[32], other[32];
    memset(key, 0, sizeof *key);
    for (size_t i = 0; i < net->n; i++) {
        struct mpc_key_record record;
        qkt_expect_done(net, net->p[i].id);
        qk_assert_ok(mpc_dkg_take(net->p[i].party, &key->shares[i], &record));
        qk_assert_ok(mpc_record_hash(&record, other));
        if (i == 0) {
            key->record = record;
            memcpy(first, other, 32);
        }
        cr_assert_eq(memcmp(first, other, 32), 0, "two parties hold different records");
    }
    key->n = net->n;
}

void qkt_make_key(
    struct qkt_key *key, uint64_t seed, unsigned curve, unsigned n, unsigned t, unsigned access)
{
    struct qkt_rng rngs[MPC_PARTIES_MAX];
    uint16_t ids[MPC_NODES_MAX];
    for (unsigned i = 0; i < n; i++) ids[i] = (uint16_t)(i + 1);
    struct qkt_net *net = qkt_dkg_net(seed, curve, ids, n, t, access, rngs);
    qkt_run(net);
    qkt_dkg_take(net, key);
    qkt_net_free(net);
}

bool qkt_interpolates(const struct qkt_key *key, const size_t *ix, size_t n_ix)
{
    const struct mpc_curve *c = mpc_curve_get(key->record.curve);
    uint16_t ids[MPC_NODES_MAX];
    for (size_t i = 0; i < n_ix; i++) ids[i] = key->record.nodes[ix[i]].id;
    MPC_SCALAR(sk);
    for (size_t i = 0; i < n_ix; i++) {
        struct mpc_scalar l;
        qk_assert_ok(mpc_lagrange_var(c, &l, ids, n_ix, ids[i]));
        mpc_scalar_mul(c, &l, &l, &key->shares[ix[i]].x);
        mpc_scalar_add(c, &sk, &sk, &l);
    }
    if (key->record.access) mpc_scalar_add(c, &sk, &sk, &key->shares[key->record.n].x);
    MPC_POINT(p);
    uint8_t enc[MPC_POINT_MAX];
    qk_assert_ok(mpc_point_init(&p, c));
    qk_assert_ok(mpc_point_mul_base(&p, &sk));
    if (mpc_point_is_infinity(&p)) return false;
    qk_assert_ok(mpc_point_encode(enc, &p));
    return memcmp(enc, key->record.pk, c->pt) == 0;
}
