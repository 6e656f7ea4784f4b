/* M-1: the circuits are the functions, and cost what the specification says. */
#include "mac_bits.h"

enum { LANES = 128 };

static uint64_t gates(struct mac_job job)
{
    uint64_t n = 0;
    qk_assert_ok(mac_job_gates(&job, &n));
    return n;
}

static struct mac_job outer(unsigned alg, const uint8_t *h)
{
    return (struct mac_job){
        .fn = MAC_OUTER, .alg = (uint8_t)alg, .pub = qk_bytes(h, mpc_mac_digest_len(alg))};
}

/* ---- function ---- */

struct many {
    struct qkt_rng rng;
    unsigned alg, n;
    mac_wire in[MAC_INPUTS_MAX], out[MAC_OUTPUTS_MAX];
    uint8_t secret[LANES][3 * MPC_MAC_BLOCK_MAX];
};

static void draw(struct many *m, size_t len)
{
    for (unsigned l = 0; l < LANES; l++) {
        qk_assert_ok(qk_rng_fill(&m->rng.rng, m->secret[l], len));
        mac_bits_in(m->in, m->secret[l], m->n, 8 * (unsigned)len, l);
    }
}

static struct many *many_new(unsigned alg, uint64_t seed)
{
    struct many *m = calloc(1, sizeof *m);
    cr_assert(m != NULL);
    m->alg = alg;
    m->n = mac_word_bits(alg);
    qkt_rng_init(&m->rng, seed, alg);
    return m;
}

static void expect(struct many *m, unsigned lane, const uint8_t *want, size_t len)
{
    uint8_t got[2 * MPC_MAC_STATE_MAX];
    mac_bits_out(got, m->out, m->n, 8 * (unsigned)len, lane);
    cr_assert_eq(memcmp(got, want, len), 0, "M-1: alg %u, evaluation %u", m->alg, lane);
}

QK_TEST(mac_circuit, M_1_outer_block_is_OpenSSLs_for_ten_thousand_states_and_digests)
{
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct many *m = many_new(mac_algs[a], 1);
        size_t len = mpc_mac_digest_len(m->alg);
        for (unsigned run = 0; run < 79; run++) { /* 79 * 128 > 10^4 */
            uint8_t h[MPC_MAC_DIGEST_MAX], block[MPC_MAC_BLOCK_MAX];
            qk_assert_ok(qk_rng_fill(&m->rng.rng, h, len));
            draw(m, mpc_mac_state_len(m->alg));
            struct mac_job job = outer(m->alg, h);
            qk_assert_ok(mac_circuit_plain(&job, m->in, m->out));
            mac_sha2_block(m->alg, qk_bytes(h, len), 0, block);
            for (unsigned l = 0; l < LANES; l++) {
                mac_compress(m->alg, m->secret[l], block);
                expect(m, l, m->secret[l], len);
            }
        }
        free(m);
    }
}

QK_TEST(mac_circuit, M_1_key_derivation_is_OpenSSLs_and_its_mask_hides_ost_only)
{
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct many *m = many_new(mac_algs[a], 2);
        size_t key = mpc_mac_digest_len(m->alg), state = mpc_mac_state_len(m->alg);
        draw(m, key + state);
        struct mac_job job = {.fn = MAC_DERIVE, .alg = mac_algs[a], .masked = true};
        qk_assert_ok(mac_circuit_plain(&job, m->in, m->out));
        for (unsigned l = 0; l < LANES; l++) {
            uint8_t want[2 * MPC_MAC_STATE_MAX];
            mac_key_state(m->alg, want, qk_bytes(m->secret[l], key), 0x36);
            mac_key_state(m->alg, want + state, qk_bytes(m->secret[l], key), 0x5c);
            for (size_t i = 0; i < state; i++) want[state + i] ^= m->secret[l][key + i];
            expect(m, l, want, 2 * state);
        }
        free(m);
    }
}

QK_TEST(mac_circuit, M_1_strict_profile_is_HMAC_at_every_edge_of_the_padding)
{
    static const size_t lens[] = {1, 55, 56, 63, 64, 111, 112, 119, 120, 127, 128, 300};
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct many *m = many_new(mac_algs[a], 3);
        size_t state = mpc_mac_state_len(m->alg);
        for (size_t i = 0; i < QK_COUNT(lens); i++) {
            uint8_t msg[300], key[LANES][MPC_MAC_DIGEST_MAX], two[2 * MPC_MAC_STATE_MAX];
            qk_assert_ok(qk_rng_fill(&m->rng.rng, msg, sizeof msg));
            qk_assert_ok(qk_rng_fill(&m->rng.rng, key, sizeof key));
            for (unsigned l = 0; l < LANES; l++) {
                mac_key_state(m->alg, two, QK_BYTES(key[l]), 0x36);
                mac_key_state(m->alg, two + state, QK_BYTES(key[l]), 0x5c);
                mac_bits_in(m->in, two, m->n, 16 * (unsigned)state, l);
            }
            struct mac_job job = {
                .fn = MAC_STRICT, .alg = mac_algs[a], .pub = qk_bytes(msg, lens[i])};
            qk_assert_ok(mac_circuit_plain(&job, m->in, m->out));
            for (unsigned l = 0; l < LANES; l++) {
                uint8_t tag[EVP_MAX_MD_SIZE];
                HMAC(mac_md(m->alg), key[l], MPC_MAC_DIGEST_MAX, msg, lens[i], tag, NULL);
                expect(m, l, tag, mpc_mac_digest_len(m->alg));
            }
        }
        free(m);
    }
}

QK_TEST(mac_circuit, M_1_all_secret_compression_is_OpenSSLs)
{
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct many *m = many_new(mac_algs[a], 4);
        size_t state = mpc_mac_state_len(m->alg);
        draw(m, 3 * state);
        struct mac_job job = {.fn = MAC_SECRET, .alg = mac_algs[a]};
        qk_assert_ok(mac_circuit_plain(&job, m->in, m->out));
        for (unsigned l = 0; l < LANES; l++) {
            mac_compress(m->alg, m->secret[l], m->secret[l] + state);
            expect(m, l, m->secret[l], state);
        }
        free(m);
    }
}

/* The comparison above would notice one wrong constant: another h is the same as other constants
 * K_r + W_r in every round. */
QK_TEST(mac_circuit, M_1_a_wrong_constant_is_noticed)
{
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct many *m = many_new(mac_algs[a], 5);
        size_t len = mpc_mac_digest_len(m->alg);
        uint8_t h[MPC_MAC_DIGEST_MAX] = {0}, block[MPC_MAC_BLOCK_MAX], got[MPC_MAC_STATE_MAX];
        draw(m, mpc_mac_state_len(m->alg));
        mac_sha2_block(m->alg, qk_bytes(h, len), 0, block);
        h[len - 1] ^= 1; /* the lowest bit of the last word */
        struct mac_job job = outer(m->alg, h);
        qk_assert_ok(mac_circuit_plain(&job, m->in, m->out));
        for (unsigned l = 0; l < LANES; l++) {
            mac_compress(m->alg, m->secret[l], block);
            mac_bits_out(got, m->out, m->n, 8 * (unsigned)len, l);
            cr_assert_neq(memcmp(got, m->secret[l], len), 0, "M-1");
        }
        free(m);
    }
}

/* ---- cost ---- */

static uint64_t formula(unsigned alg, const uint8_t *h)
{
    const struct mac_sha2 *s = mac_sha2(alg);
    uint8_t block[MPC_MAC_BLOCK_MAX];
    uint64_t w[80], n = s->bits, all = n == 64 ? UINT64_MAX : UINT32_MAX, count;
    mac_sha2_block(alg, qk_bytes(h, mpc_mac_digest_len(alg)), 0, block);
    count = s->rounds * (5 * (n - 1) + 2 * n) + 8 * mpc_mac_digest_len(alg) / n * (n - 1);
    for (unsigned r = 0; r < s->rounds; r++) {
        w[r] = r < 16 ? mac_sha2_word(alg, block, r)
                      : mac_sha2_sigma(s, s->sigma1, true, w[r - 2]) + w[r - 7] +
                            mac_sha2_sigma(s, s->sigma0, true, w[r - 15]) + w[r - 16];
        uint64_t k = (w[r] + mac_sha2_k(alg, r)) & all;
        unsigned tz = k == 0 ? 64 : (unsigned)__builtin_ctzll(k);
        if (tz < n - 2) count += n - 2 - tz;
        w[r] &= all;
    }
    return count;
}

QK_TEST(mac_circuit, M_1_outer_block_costs_what_the_formula_and_the_table_say)
{
    static const uint64_t average[] = {16090, 16116, 40700, 40825};
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct qkt_rng rng;
        uint64_t sum = 0;
        qkt_rng_init(&rng, 6, a);
        for (unsigned i = 0; i < 200; i++) {
            uint8_t h[MPC_MAC_DIGEST_MAX];
            qk_assert_ok(qk_rng_fill(&rng.rng, h, sizeof h));
            uint64_t n = gates(outer(mac_algs[a], h));
            cr_assert_eq(n, formula(mac_algs[a], h), "M-1: alg %u", mac_algs[a]);
            sum += n;
        }
        cr_assert(sum / 200 <= average[a] + 6 && sum / 200 + 6 >= average[a],
            "M-1: alg %u costs %llu", mac_algs[a], (unsigned long long)(sum / 200));
    }
}

QK_TEST(mac_circuit, M_1_all_secret_compression_costs_the_published_count)
{
    cr_assert_eq(gates((struct mac_job){.fn = MAC_SECRET, .alg = MPC_MAC_256}), 22573, "M-1");
    cr_assert_eq(gates((struct mac_job){.fn = MAC_SECRET, .alg = MPC_MAC_512}), 57947, "M-1");
}

/* The exact counts are those of a second generator (Python, every bit a linear combination of
 * inputs and AND outputs), which folds whatever can be folded. */
QK_TEST(mac_circuit, M_1_key_derivation_costs_no_more_than_the_table)
{
    static const uint64_t table[] = {43043, 43248, 111469, 112235};
    static const uint64_t exact[] = {43005, 43204, 111377, 112152};
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        struct mac_job job = {.fn = MAC_DERIVE, .alg = mac_algs[a]};
        cr_assert_leq(gates(job), table[a], "M-1: alg %u", mac_algs[a]);
        for (job.masked = 0; job.masked <= 2; job.masked++) /* a mask is free */
            cr_assert_eq(gates(job), exact[a], "M-1: alg %u", mac_algs[a]);
    }
}

/* One inner block costs what an outer one with eight output words does; the rest is the secret
 * digest. */
QK_TEST(mac_circuit, M_1_strict_profile_costs_the_inner_blocks_and_the_table)
{
    static const uint64_t table[] = {21518, 21649, 55603, 56101};
    static const uint8_t msg[4096] = {0};
    for (size_t a = 0; a < QK_COUNT(mac_algs); a++) {
        unsigned alg = mac_algs[a];
        uint8_t h[MPC_MAC_DIGEST_MAX] = {0};
        struct mac_job job = {
            .fn = MAC_STRICT, .alg = mac_algs[a], .pub = qk_bytes(msg, mpc_mac_digest_len(alg))};
        /* the same block as the outer one of h = 0 */
        cr_assert_eq(gates(job), formula(alg, h) + table[a], "M-1: alg %u", alg);
    }
    uint64_t n =
        gates((struct mac_job){.fn = MAC_STRICT, .alg = MPC_MAC_256, .pub = QK_BYTES(msg)});
    cr_assert(n > 1060000 && n < 1090000, "M-1: 4096 bytes cost %llu", (unsigned long long)n);
}

QK_TEST(mac_circuit, jobs_of_the_wrong_shape_are_refused)
{
    static const uint8_t bytes[MPC_MAC_MESSAGE_MAX + 1];
    static const struct {
        const char *what;
        struct mac_job job;
    } wrong[] = {
        {"no such algorithm", {.fn = MAC_DERIVE, .alg = 5}},
        {"h too short", {.fn = MAC_OUTER, .alg = 2, .pub = {bytes, 31}}},
        {"h too long", {.fn = MAC_OUTER, .alg = 1, .pub = {bytes, 32}}},
        {"empty message", {.fn = MAC_STRICT, .alg = 2}},
        {"long message", {.fn = MAC_STRICT, .alg = 2, .pub = {bytes, sizeof bytes}}},
        {"masked outer", {.fn = MAC_OUTER, .alg = 2, .pub = {bytes, 32}, .masked = true}},
        {"derivation of a message", {.fn = MAC_DERIVE, .alg = 2, .pub = {bytes, 1}}},
    };
    for (size_t i = 0; i < QK_COUNT(wrong); i++) {
        struct mac_circuit *c;
        qk_err err = mac_circuit_new(&c, &wrong[i].job);
        cr_expect_eq(err, QK_E_STATE, "%s", wrong[i].what);
    }
}
