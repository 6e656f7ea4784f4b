#include "common/tell.h"
#include "mpc/dprf.h"
#include "protocol/measure.h"
#include "protocol/names.h"

static const char name[] = "P-256";

struct answers {
    struct bench_key k;
    uint8_t x[32];
    uint8_t partial[BENCH_NODES][MPC_DPRF_PARTIAL_LEN];
};

static void answers_wipe(struct answers *a)
{
    bench_key_wipe(&a->k);
    qk_wipe(a->partial, sizeof a->partial);
}

static qk_err make_key(struct answers *a, unsigned t)
{
    struct bench_net net = {0};
    QK_TRY(bench_key_init(&a->k, mpc_curve_get(MPC_P256), t));
    qk_err err = bench_key_dkg(&a->k, &net);
    bench_net_free(&net);
    return err;
}

static qk_err evaluate(struct answers *a, struct bench_row *row)
{
    for (unsigned i = 0; i < a->k.t; i++) {
        uint64_t t0 = bench_cpu_ns();
        QK_TRY(mpc_dprf_eval(a->partial[i], &a->k.share[i], a->x, qk_rng_system()));
        QK_TRY(bench_row_add(row, bench_cpu_ns() - t0));
    }
    return QK_OK;
}

static qk_err verify_and_combine(
    struct answers *a, struct bench_row *verify, struct bench_row *comb)
{
    QK_SEC32(w);
    struct mpc_dprf_part part[BENCH_NODES];
    for (unsigned i = 0; i < a->k.t; i++)
        part[i] =
            (struct mpc_dprf_part){.id = a->k.peers[i].id, .partial = QK_BYTES(a->partial[i])};
    uint64_t t0 = bench_cpu_ns();
    QK_TRY(mpc_dprf_verify(&a->k.rec, part[0].id, a->x, part[0].partial));
    uint64_t t1 = bench_cpu_ns();
    QK_TRY(mpc_dprf_combine(&a->k.rec, a->x, part, a->k.t, &w));
    uint64_t t2 = bench_cpu_ns();
    QK_TRY(bench_row_add(verify, t1 - t0));
    return bench_row_add(comb, t2 - t1);
}

qk_err bench_measure_dprf(struct bench_table *t, const struct bench_plan *plan)
{
    __attribute__((cleanup(answers_wipe))) struct answers a = {0};
    struct bench_row *eval = bench_table_row(t, ROW_DPRF_EVAL, name, "each node");
    struct bench_row *verify = bench_table_row(t, ROW_DPRF_VERIFY, name, "asker");
    struct bench_row *comb = bench_table_row(t, ROW_DPRF_COMBINE, name, "asker");
    QK_TRY(make_key(&a, plan->t));
    uint64_t end = bench_mono_ns() + (uint64_t)(plan->seconds * 1e9);
    for (unsigned i = 0; i < BENCH_RUNS_MIN || bench_mono_ns() < end; i++) {
        bench_progress("%s: system-key PRF, run %u", name, i);
        QK_TRY(qk_rng_fill(qk_rng_system(), a.x, sizeof a.x));
        QK_TRY(evaluate(&a, eval));
        QK_TRY(verify_and_combine(&a, verify, comb));
    }
    if (eval && eval->cpu_us.n) { /* one answer to the asker, who asks at most that much back */
        eval->parties = plan->t;
        eval->rounds = 1;
        eval->sent = MPC_DPRF_PARTIAL_LEN;
    }
    return QK_OK;
}
