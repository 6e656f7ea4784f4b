/* What one HMAC costs each of its three nodes and the combiner, and what an AND costs. */
#include <stdlib.h>
#include "common/tell.h"
#include "mpc/mac.h"
#include "protocol/measure.h"
#include "protocol/names.h"

enum { G1, G2, E, ROLES };

struct bench_mac {
    struct mpc_mac_record rec;
    struct mpc_mac_share share[ROLES];
    uint8_t kappa[2][MPC_MAC_KAPPA_LEN]; /* of G1 and G2, of G2 and E */
    struct mpc_mac_task task;
    uint8_t message[MPC_MAC_MESSAGE_MAX];
    uint8_t chunk[MPC_MAC_CHUNK];
    struct qk_buf lb, out1, out2, y;
    struct mpc_mac_g1 *g1;
    struct mpc_mac_g2 *g2;
    struct mpc_mac_e *e;
    uint64_t ns[ROLES]; /* CPU of the run so far */
    uint64_t chunks_ns; /* G1: garbling alone */
};

static void drop_run(struct bench_mac *b)
{
    mpc_mac_g1_free(b->g1);
    mpc_mac_g2_free(b->g2);
    mpc_mac_e_free(b->e);
    b->g1 = NULL;
    b->g2 = NULL;
    b->e = NULL;
    qk_buf_free(&b->lb);
    qk_buf_free(&b->out1);
    qk_buf_free(&b->out2);
    qk_buf_free(&b->y);
}

static void mac_free(struct bench_mac **p)
{
    if (!*p) return;
    drop_run(*p);
    qk_wipe(*p, sizeof **p);
    free(*p);
}

/* Pieces are random in any key; nothing here looks at their hashes. */
static qk_err init(struct bench_mac *b, uint8_t alg, uint8_t profile)
{
    b->rec =
        (struct mpc_mac_record){.alg = alg, .profile = profile, .ver = 1, .n = ROLES, .e_net = 1};
    QK_TRY(qk_rng_fill(qk_rng_system(), b->kappa, sizeof b->kappa));
    QK_TRY(qk_rng_fill(qk_rng_system(), b->message, sizeof b->message));
    for (uint16_t i = 0; i < ROLES; i++) {
        struct mpc_mac_share *s = &b->share[i];
        b->rec.nodes[i].id = (uint16_t)(i + 1);
        *s = (struct mpc_mac_share){
            .self = (uint16_t)(i + 1), .alg = alg, .profile = profile, .n = ROLES, .self_ix = i};
    }
    for (unsigned j = 0; j < ROLES; j++) {
        uint8_t piece[MPC_MAC_SECRET_MAX];
        QK_TRY(qk_rng_fill(qk_rng_system(), piece, sizeof piece));
        for (unsigned i = 0; i < ROLES; i++)
            if (i != j) memcpy(b->share[i].piece[j], piece, sizeof piece);
    }
    b->task = (struct mpc_mac_task){.rec = &b->rec, .roles = {1, 2, 3}};
    return QK_OK;
}

static const struct mpc_mac_task *as(struct bench_mac *b, unsigned role)
{
    b->task.share = &b->share[role];
    return &b->task;
}

static qk_err new_run(struct bench_mac *b, size_t message_len)
{
    b->lb = (struct qk_buf)QK_BUF(MPC_MAC_LABELS_MAX);
    b->out1 = (struct qk_buf)QK_BUF(MPC_MAC_G1_MAX);
    b->out2 = (struct qk_buf)QK_BUF(MPC_MAC_G2_LEN);
    b->y = (struct qk_buf)QK_BUF(MPC_MAC_Y_MAX);
    b->task.message = qk_bytes(b->message, message_len);
    b->chunks_ns = 0;
    return qk_rng_fill(qk_rng_system(), b->task.mid, sizeof b->task.mid);
}

static qk_err run_g2(struct bench_mac *b)
{
    bool done = false;
    uint64_t t0 = bench_cpu_ns();
    QK_TRY(mpc_mac_g2_new(&b->g2, as(b, G2), b->kappa[0], b->kappa[1]));
    QK_TRY(mpc_mac_g2_labels(b->g2, &b->lb));
    while (!done) QK_TRY(mpc_mac_g2_work(b->g2, &done));
    QK_TRY(mpc_mac_g2_take(b->g2, &b->out2));
    b->ns[G2] = bench_cpu_ns() - t0;
    return QK_OK;
}

/* G1 and E in turns, so that a chunk is as warm in the cache as one that has just arrived. */
static qk_err run_stream(struct bench_mac *b)
{
    size_t len;
    for (uint32_t i = 0;; i++) {
        uint64_t t0 = bench_cpu_ns();
        QK_TRY(mpc_mac_g1_chunk(b->g1, b->chunk, &len));
        uint64_t t1 = bench_cpu_ns();
        b->ns[G1] += t1 - t0;
        b->chunks_ns += t1 - t0;
        if (len == 0) return QK_OK;
        QK_TRY(mpc_mac_e_chunk(b->e, i, qk_bytes(b->chunk, len)));
        b->ns[E] += bench_cpu_ns() - t1;
    }
}

static qk_err run_g1_e(struct bench_mac *b)
{
    uint8_t gmac[MPC_MAC_GMAC_LEN];
    uint64_t t0 = bench_cpu_ns();
    QK_TRY(mpc_mac_g1_new(&b->g1, as(b, G1), b->kappa[0]));
    uint64_t t1 = bench_cpu_ns();
    QK_TRY(mpc_mac_e_new(&b->e, as(b, E), b->kappa[1]));
    QK_TRY(mpc_mac_e_labels(b->e, qk_buf_view(&b->lb)));
    b->ns[E] = bench_cpu_ns() - t1;
    b->ns[G1] = t1 - t0;
    QK_TRY(run_stream(b));
    t0 = bench_cpu_ns();
    QK_TRY(mpc_mac_g1_take(b->g1, &b->out1));
    b->ns[G1] += bench_cpu_ns() - t0;
    QK_TRY(mpc_mac_g2_gmac(b->g2, gmac));
    t0 = bench_cpu_ns();
    QK_TRY(mpc_mac_e_gmac(b->e, QK_BYTES(gmac)));
    QK_TRY(mpc_mac_e_take(b->e, &b->y));
    b->ns[E] += bench_cpu_ns() - t0;
    return QK_OK;
}

static qk_err combine(struct bench_mac *b, uint64_t *ns)
{
    uint8_t tag[MPC_MAC_DIGEST_MAX];
    struct mpc_mac_suspects why;
    uint64_t t0 = bench_cpu_ns();
    QK_TRY(mpc_mac_combine(tag, b->rec.alg, &b->task.roles, qk_buf_view(&b->out1),
        qk_buf_view(&b->out2), qk_buf_view(&b->y), &why));
    *ns = bench_cpu_ns() - t0;
    return QK_OK;
}

static qk_err one_run(struct bench_mac *b, size_t message_len, uint64_t *combine_ns)
{
    drop_run(b);
    QK_TRY(new_run(b, message_len));
    QK_TRY(run_g2(b));
    QK_TRY(run_g1_e(b));
    return combine(b, combine_ns);
}

/* ---- rows ---- */

static qk_err add_roles(
    struct bench_table *t, struct bench_mac *b, const char *name, uint64_t combine_ns)
{
    struct bench_row *row = bench_table_row(t, ROW_MAC_G1, name, "G1");
    struct mpc_mac_sizes sizes;
    QK_TRY(bench_row_add(row, b->ns[G1]));
    QK_TRY(bench_row_add(bench_table_row(t, ROW_MAC_G2, name, "G2"), b->ns[G2]));
    QK_TRY(bench_row_add(bench_table_row(t, ROW_MAC_E, name, "E"), b->ns[E]));
    QK_TRY(bench_row_add(bench_table_row(t, ROW_MAC_COMBINE, name, "combiner"), combine_ns));
    QK_TRY(mpc_mac_sizes(&sizes, &b->task));
    row->parties = ROLES;
    row->rounds = 1;
    row->sent = sizes.stream + sizes.g1;
    return QK_OK;
}

/* What a million ANDs take, from a stream that is nearly all tables of 32 bytes. */
static qk_err add_ands(struct bench_table *t, struct bench_mac *b, const char *name)
{
    struct mpc_mac_sizes sizes;
    QK_TRY(mpc_mac_sizes(&sizes, &b->task));
    double scale = 1e6 * 32 / (double)sizes.stream;
    QK_TRY(bench_row_add(
        bench_table_row(t, ROW_GARBLE, name, "G1"), (uint64_t)(scale * (double)b->chunks_ns)));
    return bench_row_add(
        bench_table_row(t, ROW_EVALUATE, name, "E"), (uint64_t)(scale * (double)b->ns[E]));
}

static qk_err measure(struct bench_table *t, const struct bench_plan *plan, uint8_t alg,
    uint8_t profile, const char *name)
{
    __attribute__((cleanup(mac_free))) struct bench_mac *b = calloc(1, sizeof *b);
    bool strict = profile == MPC_MAC_S;
    uint64_t end = bench_mono_ns() + (uint64_t)(plan->seconds * 1e9), combine_ns;
    QK_ENSURE(b != NULL, QK_E_NOMEM);
    QK_TRY(init(b, alg, profile));
    for (unsigned i = 0; i <= BENCH_RUNS_MIN || bench_mono_ns() < end; i++) {
        bench_progress("%s, run %u", name, i);
        QK_TRY(one_run(b, strict ? MPC_MAC_MESSAGE_MAX : 64, &combine_ns));
        if (i == 0) continue; /* the caches */
        QK_TRY(add_roles(t, b, name, combine_ns));
        if (strict) QK_TRY(add_ands(t, b, name));
    }
    return QK_OK;
}

qk_err bench_measure_mac(struct bench_table *t, const struct bench_plan *plan)
{
    QK_TRY(measure(t, plan, MPC_MAC_256, MPC_MAC_N, BENCH_HMAC_256));
    QK_TRY(measure(t, plan, MPC_MAC_512, MPC_MAC_N, BENCH_HMAC_512));
    return measure(t, plan, MPC_MAC_256, MPC_MAC_S, BENCH_HMAC_256_S);
}
