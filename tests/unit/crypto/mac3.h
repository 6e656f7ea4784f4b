/* MAC3 in one process: a dealt key, three roles, what they send as plain arrays that a test may
 * bend before it arrives, and a combiner. */
#ifndef MAC3_H
#define MAC3_H

#include "mac_bits.h"
#include "mac/pieces.h"
#include "mac/task.h"

enum { M3_NODES_MAX = 4, M3_CHUNKS_MAX = 300 };

struct m3_key {
    struct mpc_mac_record rec;
    struct mpc_mac_share share[M3_NODES_MAX];
    uint8_t kappa[M3_NODES_MAX][M3_NODES_MAX][32]; /* by index */
};

/* What one run sends. */
struct m3 {
    const struct m3_key *key;
    struct mpc_mac_task task; /* share is set per role */
    struct mpc_mac_g1 *g1;
    struct mpc_mac_g2 *g2;
    struct mpc_mac_e *e;
    uint8_t *chunk[M3_CHUNKS_MAX];
    size_t chunk_len[M3_CHUNKS_MAX], n_chunks;
    struct qk_buf lb, out1, out2, y;
    uint8_t gmac[16];
    struct mpc_mac_suspects why; /* of E or of the combiner */
    bool from_e;
};

static inline size_t m3_index(const struct m3_key *k, uint16_t id)
{
    return (size_t)mpc_mac_record_index(&k->rec, id);
}

/* ---- a key ---- */

/* ist and ost of a key of any length, by OpenSSL alone. */
static inline void m3_states(unsigned alg, struct qk_bytes key, uint8_t *ist, uint8_t *ost)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len;
    if (key.len > mpc_mac_block_len(alg)) {
        EVP_Digest(key.p, key.len, digest, &len, mac_md(alg), NULL);
        key = qk_bytes(digest, len);
    }
    mac_key_state(alg, ist, key, 0x36);
    mac_key_state(alg, ost, key, 0x5c);
}

static inline void m3_deal(struct m3_key *k, struct qkt_rng *rng, const uint8_t *secret)
{
    size_t len = mpc_mac_secret_len(k->rec.alg, k->rec.profile);
    uint8_t piece[M3_NODES_MAX][MPC_MAC_SECRET_MAX] = {{0}};
    memcpy(piece[0], secret, len);
    for (size_t j = 1; j < k->rec.n; j++) {
        qk_assert_ok(qk_rng_fill(&rng->rng, piece[j], len));
        for (size_t i = 0; i < len; i++) piece[0][i] ^= piece[j][i];
    }
    for (size_t j = 0; j < k->rec.n; j++) {
        qk_assert_ok(mac_piece_hash(k->rec.pk[j], &k->rec, k->rec.nodes[j].id, piece[j]));
        for (size_t i = 0; i < k->rec.n; i++)
            if (i != j) memcpy(k->share[i].piece[j], piece[j], len);
    }
}

static inline struct m3_key *m3_key_new(
    unsigned alg, unsigned profile, uint16_t n, struct qk_bytes key, uint64_t seed)
{
    struct m3_key *k = calloc(1, sizeof *k);
    uint8_t two[2 * MPC_MAC_STATE_MAX];
    size_t len = mpc_mac_state_len(alg);
    struct qkt_rng rng;
    cr_assert(k != NULL);
    qkt_rng_init(&rng, seed, alg);
    k->rec = (struct mpc_mac_record){.alg = (uint8_t)alg,
        .profile = (uint8_t)profile,
        .key_id = {7},
        .ver = 1,
        .n = n,
        .e_net = 1};
    m3_states(alg, key, two, two + len);
    for (uint16_t i = 0; i < n; i++) {
        k->rec.nodes[i].id = (uint16_t)(i + 1);
        k->share[i] = (struct mpc_mac_share){.self = (uint16_t)(i + 1),
            .alg = (uint8_t)alg,
            .profile = (uint8_t)profile,
            .n = n,
            .self_ix = i};
        if (profile == MPC_MAC_N) memcpy(k->share[i].ist, two, len);
        for (uint16_t j = 0; j < i; j++) {
            qk_assert_ok(qk_rng_fill(&rng.rng, k->kappa[i][j], 32));
            memcpy(k->kappa[j][i], k->kappa[i][j], 32);
        }
    }
    m3_deal(k, &rng, profile == MPC_MAC_N ? two + len : two);
    return k;
}

/* ---- a run ---- */

static inline const struct mpc_mac_task *m3_task(struct m3 *m, uint16_t self)
{
    m->task.share = &m->key->share[m3_index(m->key, self)];
    return &m->task;
}

static inline const uint8_t *m3_kappa(const struct m3 *m, uint16_t a, uint16_t b)
{
    return m->key->kappa[m3_index(m->key, a)][m3_index(m->key, b)];
}

static inline void m3_init(struct m3 *m, const struct m3_key *k, unsigned permutation,
    struct qk_bytes message, uint8_t mid)
{
    static const uint16_t abc[3] = {1, 2, 3};
    *m = (struct m3){.key = k};
    m->task = (struct mpc_mac_task){.rec = &k->rec,
        .roles = mpc_mac_roles_permute(abc, permutation),
        .mid = {mid},
        .message = message};
    m->lb.max = MPC_MAC_LABELS_MAX;
    m->out1.max = MPC_MAC_G1_MAX;
    m->out2.max = MPC_MAC_G2_LEN;
    m->y.max = MPC_MAC_Y_MAX;
}

static inline void m3_garble_1(struct m3 *m)
{
    const struct mpc_mac_roles *r = &m->task.roles;
    qk_assert_ok(mpc_mac_g1_new(&m->g1, m3_task(m, r->g1), m3_kappa(m, r->g1, r->g2)));
    for (;;) {
        uint8_t *c = malloc(MPC_MAC_CHUNK);
        size_t len;
        cr_assert(c != NULL && m->n_chunks < M3_CHUNKS_MAX);
        qk_assert_ok(mpc_mac_g1_chunk(m->g1, c, &len));
        m->chunk[m->n_chunks] = c;
        m->chunk_len[m->n_chunks] = len;
        if (len == 0) break;
        m->n_chunks++;
    }
    free(m->chunk[m->n_chunks]);
    m->chunk[m->n_chunks] = NULL;
    qk_assert_ok(mpc_mac_g1_take(m->g1, &m->out1));
}

static inline void m3_garble_2(struct m3 *m)
{
    const struct mpc_mac_roles *r = &m->task.roles;
    bool done = false;
    qk_assert_ok(mpc_mac_g2_new(
        &m->g2, m3_task(m, r->g2), m3_kappa(m, r->g1, r->g2), m3_kappa(m, r->g2, r->e)));
    qk_assert_ok(mpc_mac_g2_labels(m->g2, &m->lb));
    while (!done) qk_assert_ok(mpc_mac_g2_work(m->g2, &done));
    qk_assert_ok(mpc_mac_g2_gmac(m->g2, m->gmac));
    qk_assert_ok(mpc_mac_g2_take(m->g2, &m->out2));
}

static inline void m3_garble(struct m3 *m)
{
    m3_garble_1(m);
    m3_garble_2(m);
}

static inline void m3_e_new(struct m3 *m)
{
    const struct mpc_mac_roles *r = &m->task.roles;
    qk_assert_ok(mpc_mac_e_new(&m->e, m3_task(m, r->e), m3_kappa(m, r->g2, r->e)));
}

/* Everything to E, labels first. */
static inline qk_err m3_evaluate(struct m3 *m)
{
    if (m->e == NULL) m3_e_new(m);
    qk_err err = mpc_mac_e_labels(m->e, qk_buf_view(&m->lb));
    for (size_t i = 0; i < m->n_chunks && err == QK_OK; i++)
        err = mpc_mac_e_chunk(m->e, (uint32_t)i, qk_bytes(m->chunk[i], m->chunk_len[i]));
    if (err == QK_OK) err = mpc_mac_e_gmac(m->e, QK_BYTES(m->gmac));
    if (err == QK_OK) err = mpc_mac_e_take(m->e, &m->y);
    return err;
}

static inline qk_err m3_combine(struct m3 *m, uint8_t *tag)
{
    return mpc_mac_combine(tag, m->key->rec.alg, &m->task.roles, qk_buf_view(&m->out1),
        qk_buf_view(&m->out2), qk_buf_view(&m->y), &m->why);
}

static inline void m3_end(struct m3 *m)
{
    mpc_mac_g1_free(m->g1);
    mpc_mac_g2_free(m->g2);
    mpc_mac_e_free(m->e);
    for (size_t i = 0; i < m->n_chunks; i++) free(m->chunk[i]);
    qk_buf_free(&m->lb);
    qk_buf_free(&m->out1);
    qk_buf_free(&m->out2);
    qk_buf_free(&m->y);
}

/* All of it, honest. */
static inline void m3_tag(
    const struct m3_key *k, unsigned permutation, struct qk_bytes message, uint8_t *tag)
{
    struct m3 m;
    m3_init(&m, k, permutation, message, (uint8_t)permutation);
    m3_garble(&m);
    qk_assert_ok(m3_evaluate(&m));
    qk_assert_ok(m3_combine(&m, tag));
    m3_end(&m);
}

/* No Y leaves E, and it says whom it suspects: g1, g2 or both. */
static inline void m3_expect_no_y(struct m3 *m, const char *what, bool g1, bool g2)
{
    const struct mpc_mac_roles *r = &m->task.roles;
    struct mpc_mac_suspects why = mpc_mac_e_suspects(m->e);
    bool s1 = false, s2 = false;
    cr_assert(!mpc_mac_e_done(m->e), "%s", what);
    qk_assert_err(mpc_mac_e_take(m->e, &m->y), QK_E_STATE);
    cr_assert_eq(m->y.len, 0, "%s", what);
    for (size_t i = 0; i < why.n; i++) {
        s1 |= why.node[i] == r->g1;
        s2 |= why.node[i] == r->g2;
    }
    cr_assert(why.n == (size_t)g1 + g2 && s1 == g1 && s2 == g2, "%s: wrong suspects", what);
}

#endif
