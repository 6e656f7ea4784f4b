/* RAND: who counts, what is refused, and a pool whose bytes are used once. */
#include "driver.h"
#include <sys/wait.h>
#include <unistd.h>
#include "mpc/rand.h"
#include "qktest/qktest.h"

static const uint16_t nodes[] = {1, 2, 3};
static struct mpc_rand_memory memory;

static struct mpc_rand *begin(size_t len, uint64_t seed)
{
    struct qkt_rng rng;
    struct mpc_rand *r;
    qkt_rng_init(&rng, seed, 1);
    qk_assert_ok(mpc_rand_start(&r, len, 2, nodes, 3, &memory, &rng.rng));
    return r;
}

static void bytes_of(uint8_t *out, size_t len, uint64_t seed)
{
    struct qkt_rng rng;
    qkt_rng_init(&rng, seed, 2);
    qk_assert_ok(qk_rng_fill(&rng.rng, out, len));
}

static qk_err give(struct mpc_rand *r, uint16_t from, const uint8_t *p, size_t len)
{
    return mpc_rand_receive(r, from, mpc_rand_request(r)->rid, qk_bytes(p, len));
}

QK_TEST(rand, G_1_fewer_than_t_distinct_nodes_give_nothing)
{
    uint8_t a[32], b[32], out[32];
    struct mpc_rand *r = begin(32, 1);
    bytes_of(a, 32, 10);
    bytes_of(b, 32, 11);
    qk_assert_ok(give(r, 1, a, 32));
    qk_assert_err(give(r, 1, b, 32), QK_E_UNEXPECTED); /* the second link of the same node */
    qk_assert_err(mpc_rand_take(r, out), QK_E_STATE);
    qk_assert_ok(give(r, 2, b, 32));
    cr_assert_eq(mpc_rand_state(r), MPC_RAND_RUNNING, "G-1: node 1 does not count");
    mpc_rand_expire(r);
    cr_assert_eq(mpc_rand_state(r), MPC_RAND_UNAVAILABLE, "G-1");
    qk_assert_err(mpc_rand_take(r, out), QK_E_STATE);
    mpc_rand_free(r);
}

QK_TEST(rand, G_2_wrong_length_or_rid_is_the_nodes_fault)
{
    uint8_t a[64], rid[32] = {1};
    struct mpc_rand *r = begin(40, 2);
    bytes_of(a, sizeof a, 12);
    qk_assert_err(give(r, 1, a, 39), QK_E_MALFORMED);
    qk_assert_err(give(r, 2, a, 41), QK_E_MALFORMED);
    cr_assert_eq(mpc_rand_state(r), MPC_RAND_UNAVAILABLE, "G-2: neither counts");
    mpc_rand_free(r);
    r = begin(40, 3);
    qk_assert_err(mpc_rand_receive(r, 1, rid, qk_bytes(a, 40)), QK_E_MALFORMED);
    qk_assert_err(give(r, 9, a, 40), QK_E_STATE);
    mpc_rand_free(r);
}

QK_TEST(rand, G_4_every_counted_contribution_and_the_own_one_are_in_the_output)
{
    uint8_t a[32], b[32], c[32], first[32], out[32];
    for (unsigned k = 0; k < 3; k++) {
        struct mpc_rand *r = begin(32, 4); /* the same own bytes each time */
        bytes_of(a, 32, 20 + (k == 1 ? 100 : 0));
        bytes_of(b, 32, 21 + (k == 2 ? 100 : 0));
        memset(&memory, 0, sizeof memory);
        qk_assert_ok(give(r, 1, a, 32));
        qk_assert_ok(give(r, 2, b, 32));
        qk_assert_ok(mpc_rand_take(r, k == 0 ? first : out));
        qk_assert_err(mpc_rand_take(r, out), QK_E_STATE);
        if (k == 0) {
            memcpy(c, a, 32);
            for (size_t i = 0; i < 32; i++) c[i] ^= b[i] ^ first[i];
        } else {
            cr_assert_neq(memcmp(first, out, 32), 0, "G-4: contribution %u left out", k);
            for (size_t i = 0; i < 32; i++)
                cr_assert_eq(out[i], a[i] ^ b[i] ^ c[i], "G-4: the XOR of all with our own");
        }
        mpc_rand_free(r);
    }
}

QK_TEST(rand, G_5_repeated_constant_and_cloned_contributions_are_refused)
{
    uint8_t a[32], zero[32] = {0};
    struct mpc_rand *r = begin(32, 5);
    bytes_of(a, 32, 30);
    qk_assert_err(give(r, 3, zero, 32), QK_E_PROOF);
    qk_assert_ok(give(r, 1, a, 32));
    qk_assert_err(give(r, 2, a, 32), QK_E_PROOF);
    cr_assert_eq(mpc_rand_state(r), MPC_RAND_UNAVAILABLE, "G-5: neither clone counts");
    mpc_rand_free(r);
    r = begin(32, 6);
    qk_assert_err(give(r, 1, a, 32), QK_E_PROOF); /* as last time */
    mpc_rand_free(r);
}

static qk_err stuck(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)i;
    return QK_OK;
}

QK_TEST(rand, G_5_G_7_a_node_with_a_bad_generator_answers_nothing)
{
    struct mpc_rand_request req = {.len = 32};
    struct mpc_rand_memory mine = {0};
    struct qk_rng dead = {stuck};
    struct qkt_rng rng;
    uint8_t out[MPC_RAND_MAX], zero[32] = {0};
    qk_assert_ok(mpc_rand_contribute(out, &req, 1, &mine, &dead));
    qk_assert_err(mpc_rand_contribute(out, &req, 1, &mine, &dead), QK_E_RNG);
    cr_assert_eq(memcmp(out, zero, 32), 0, "G-5: refused bytes are wiped");
    qkt_rng_init(&rng, 1, 1);
    rng.fail_after = 0;
    qk_assert_err(mpc_rand_contribute(out, &req, 1, &mine, &rng.rng), QK_E_RNG);
    req.len = MPC_RAND_MAX + 1;
    qk_assert_err(mpc_rand_contribute(out, &req, 1, &mine, &rng.rng), QK_E_MALFORMED);
}

static void fill_pool(struct mpc_rand_pool *pool, uint64_t seed, uint64_t now_ms)
{
    uint8_t a[100], b[100];
    struct mpc_rand *r = begin(100, seed);
    bytes_of(a, 100, 40 + seed);
    bytes_of(b, 100, 900 + seed);
    qk_assert_err(mpc_rand_pool_put(pool, r, now_ms), QK_E_STATE); /* not combined yet */
    qk_assert_ok(give(r, 1, a, 100));
    qk_assert_ok(give(r, 3, b, 100));
    qk_assert_ok(mpc_rand_pool_put(pool, r, now_ms));
    qk_assert_err(mpc_rand_pool_put(pool, r, now_ms), QK_E_STATE);
    mpc_rand_free(r);
}

QK_TEST(rand, G_6_pool_bytes_are_used_once_and_grow_old)
{
    struct mpc_rand_pool *pool;
    uint8_t one[50], two[50], three[200];
    qk_assert_ok(mpc_rand_pool_new(&pool));
    fill_pool(pool, 50, 1000);
    fill_pool(pool, 51, 31000);
    cr_assert_eq(mpc_rand_pool_level(pool, 31000), 200);
    qk_assert_ok(mpc_rand_pool_take(pool, one, 50, 31000));
    qk_assert_ok(mpc_rand_pool_take(pool, two, 50, 31000));
    cr_assert_neq(memcmp(one, two, 50), 0);
    qk_assert_err(mpc_rand_pool_take(pool, three, 101, 31000), QK_E_BUSY);
    cr_assert_eq(mpc_rand_pool_level(pool, 31000), 100, "nothing was taken");
    cr_assert_eq(mpc_rand_pool_level(pool, 92000), 0, "G-6: 61 s");
    fill_pool(pool, 52, 100000);
    mpc_rand_pool_drop(pool);
    cr_assert_eq(mpc_rand_pool_level(pool, 100000), 0);
    mpc_rand_pool_free(pool);
}

QK_TEST(rand, G_6_the_child_of_a_fork_finds_an_empty_pool)
{
    struct mpc_rand_pool *pool;
    int status;
    qk_assert_ok(mpc_rand_pool_new(&pool));
    fill_pool(pool, 53, 1000);
    pid_t child = fork();
    if (child == 0) _exit(mpc_rand_pool_level(pool, 1000) == 0 ? 0 : 1);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "G-6: fork");
    cr_assert_eq(mpc_rand_pool_level(pool, 1000), 100);
    mpc_rand_pool_free(pool);
}
