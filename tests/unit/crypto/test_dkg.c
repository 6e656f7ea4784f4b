/* Honest runs of the key generation: every curve, random sizes, with and without a delegate. */
#include "dkgrun.h"
#include "qktest/qktest.h"

/* Every subset of k node indices out of n. */
static void each_subset(const struct qkt_key *key, size_t k, bool want)
{
    size_t n = key->record.n;
    for (uint32_t mask = 0; mask < 1u << n; mask++) {
        size_t ix[MPC_NODES_MAX], m = 0;
        for (size_t i = 0; i < n; i++)
            if (mask >> i & 1) ix[m++] = i;
        if (m == k) cr_assert_eq(qkt_interpolates(key, ix, m), want, "subset %x", mask);
    }
}

static void claim_key(const struct qkt_key *key)
{
    const struct mpc_key_record *r = &key->record;
    cr_assert_eq(r->e_net, 1);
    cr_assert_eq(r->e_del, r->access);
    qk_assert_ok(mpc_record_check_points(r));
    for (size_t i = 0; i < key->n; i++) qk_assert_ok(mpc_key_share_check(&key->shares[i], r));
    each_subset(key, r->t, true);
    if (r->t > 1) each_subset(key, r->t - 1, false);
}

QK_TEST(dkg, every_t_subset_gives_the_key_on_every_curve)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (unsigned access = 0; access <= 1; access++) {
            struct qkt_key key;
            qkt_make_key(&key, 100 + curve, curve, 3, 2, access);
            claim_key(&key);
        }
}

QK_TEST(dkg, random_sizes_and_ids)
{
    struct qkt_rng dice;
    qkt_rng_init(&dice, 4711, 0);
    for (unsigned run = 0; run < 12; run++) {
        unsigned n = 1 + (unsigned)qkt_random(&dice, 6), access = (unsigned)qkt_random(&dice, 2);
        unsigned t = 1 + (unsigned)qkt_random(&dice, n);
        if (t < 2 && !access) t = 2, n = n < 2 ? 2 : n;
        uint16_t ids[MPC_NODES_MAX], next = 0;
        for (unsigned i = 0; i < n; i++)
            ids[i] = next = (uint16_t)(next + 1 + qkt_random(&dice, 40));
        struct qkt_rng rngs[MPC_PARTIES_MAX];
        struct qkt_key key;
        struct qkt_net *net =
            qkt_dkg_net(run, run % 2 ? MPC_P256 : MPC_SECP256K1, ids, n, t, access, rngs);
        qkt_run(net);
        qkt_dkg_take(net, &key);
        qkt_net_free(net);
        claim_key(&key);
    }
}
