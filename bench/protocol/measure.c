#include "protocol/measure.h"

#include "common/tell.h"
#include "protocol/names.h"

/* A net that is freed on every way out of its scope. */
#define BENCH_NET(name) __attribute__((cleanup(bench_net_free))) struct bench_net name = {0}

static uint64_t deadline(const struct bench_plan *plan)
{
    return bench_mono_ns() + (uint64_t)(plan->seconds * 1e9);
}

/* Run number i (0 is the warm-up) is due. */
static bool go_on(unsigned i, uint64_t end)
{
    return i <= BENCH_RUNS_MIN || bench_mono_ns() < end;
}

static const char *class_name(const struct bench_key *k)
{
    return mpc_ot_class_of(k->c->id) == MPC_OT_L1 ? "L1" : "L2";
}

/* ---- making keys ---- */

static qk_err measure_dkg(struct bench_table *t, const struct bench_plan *plan, struct bench_key *k)
{
    struct bench_row *row = bench_table_row(t, ROW_DKG, k->c->name, "each node");
    uint64_t end = deadline(plan);
    for (unsigned i = 0; go_on(i, end); i++) {
        BENCH_NET(net);
        bench_progress("%s: dkg, run %u", k->c->name, i);
        QK_TRY(bench_key_dkg(k, &net));
        if (i > 0) QK_TRY(bench_row_add_run(row, &net));
    }
    return QK_OK;
}

qk_err bench_measure_roots(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k)
{
    struct bench_row *row = bench_table_row(t, ROW_DIRECT, class_name(k), "each node");
    static const unsigned pair[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    uint64_t end = deadline(plan);
    for (unsigned i = 0; go_on(i, end); i++) {
        BENCH_NET(net);
        bench_progress("%s: direct setup, run %u", class_name(k), i);
        QK_TRY(bench_key_root(k, &net, pair[i % 3][0], pair[i % 3][1]));
        if (i > 0) QK_TRY(bench_row_add_run(row, &net));
    }
    return QK_OK;
}

static qk_err measure_derive(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k)
{
    struct bench_row *row = bench_table_row(t, ROW_DERIVED, k->c->name, "each node");
    static const unsigned pair[3][2] = {{0, 1}, {0, 2}, {1, 2}};
    uint64_t end = deadline(plan);
    bench_key_drop_setups(k); /* they belong to an earlier key */
    for (unsigned i = 0; go_on(i, end); i++) {
        BENCH_NET(net);
        bench_progress("%s: derived setup, run %u", k->c->name, i);
        QK_TRY(bench_key_derive(k, &net, pair[i % 3][0], pair[i % 3][1]));
        if (i > 0) QK_TRY(bench_row_add_run(row, &net));
    }
    return QK_OK;
}

/* ---- signing ---- */

struct use {
    struct bench_key *k;
    uint8_t digest[MPC_ECDSA_DIGEST_MAX];
    size_t digest_len;
    uint8_t req[32];
    struct mpc_ecdsa_part part[BENCH_NODES];
    uint64_t cpu_ns[BENCH_NODES];
};

static qk_err use_init(struct use *u, struct bench_key *k)
{
    u->k = k;
    u->digest_len = mpc_ecdsa_digest_len(k->c->id);
    QK_TRY(qk_rng_fill(qk_rng_system(), u->digest, u->digest_len));
    return qk_rng_fill(qk_rng_system(), u->req, sizeof u->req);
}

/* What a combiner does: decode every signer's bytes, add, verify. */
static qk_err combine(struct use *u, const struct mpc_ecdsa_offset *offset, uint64_t *cpu_ns)
{
    uint8_t enc[BENCH_NODES][MPC_ECDSA_PART_MAX];
    struct mpc_ecdsa_part got[BENCH_NODES];
    QK_AUTO_BUF der = QK_BUF(MPC_ECDSA_DER_MAX);
    size_t len = mpc_ecdsa_part_len(u->k->c->id);
    for (unsigned i = 0; i < u->k->t; i++) QK_TRY(mpc_ecdsa_part_encode(&u->part[i], enc[i]));
    uint64_t t0 = bench_cpu_ns();
    for (unsigned i = 0; i < u->k->t; i++)
        QK_TRY(mpc_ecdsa_part_decode(&got[i], u->k->c->id, qk_bytes(enc[i], len)));
    QK_TRY(mpc_ecdsa_combine(
        &u->k->rec, got, u->k->t, qk_bytes(u->digest, u->digest_len), offset, &der));
    *cpu_ns = bench_cpu_ns() - t0;
    return QK_OK;
}

static qk_err sign_once(struct bench_table *t, struct bench_key *k, bool count)
{
    BENCH_NET(net);
    uint64_t combine_ns;
    struct use u;
    QK_TRY(use_init(&u, k));
    QK_TRY(bench_key_sign(k, &net, qk_bytes(u.digest, u.digest_len)));
    for (unsigned i = 0; i < k->t; i++) QK_TRY(mpc_ecdsa_take_part(net.p[i].party, &u.part[i]));
    QK_TRY(combine(&u, NULL, &combine_ns));
    if (!count) return QK_OK;
    QK_TRY(bench_row_add_run(bench_table_row(t, ROW_SIGN, k->c->name, "signer"), &net));
    return bench_row_add(bench_table_row(t, ROW_COMBINE, k->c->name, "combiner"), combine_ns);
}

static void presigs_free(struct mpc_presig *(*p)[BENCH_NODES])
{
    for (unsigned i = 0; i < BENCH_NODES; i++) mpc_presig_free((*p)[i]);
}

static qk_err use_all(struct use *u, struct mpc_presig *const *presig)
{
    uint16_t ids[BENCH_NODES];
    for (unsigned i = 0; i < u->k->t; i++) ids[i] = u->k->peers[i].id;
    for (unsigned i = 0; i < u->k->t; i++) {
        uint64_t t0 = bench_cpu_ns();
        QK_TRY(mpc_presig_use(presig[i], &u->k->rec, ids, u->k->t,
            qk_bytes(u->digest, u->digest_len), u->req, &u->part[i]));
        u->cpu_ns[i] = bench_cpu_ns() - t0;
    }
    return QK_OK;
}

static qk_err presign_once(struct bench_table *t, struct bench_key *k, bool count)
{
    BENCH_NET(net);
    __attribute__((cleanup(presigs_free))) struct mpc_presig *presig[BENCH_NODES] = {0};
    uint8_t sid[32];
    uint64_t combine_ns;
    struct use u;
    QK_TRY(use_init(&u, k));
    QK_TRY(bench_key_sign(k, &net, qk_bytes(NULL, 0)));
    for (unsigned i = 0; i < k->t; i++) QK_TRY(mpc_ecdsa_take_presig(net.p[i].party, &presig[i]));
    memcpy(sid, mpc_presig_sid(presig[0]), sizeof sid);
    QK_TRY(use_all(&u, presig));
    QK_TRY(combine(&u, &(struct mpc_ecdsa_offset){.sid = sid, .req = u.req}, &combine_ns));
    if (!count) return QK_OK;
    QK_TRY(bench_row_add_run(bench_table_row(t, ROW_PRESIGN, k->c->name, "signer"), &net));
    for (unsigned i = 0; i < k->t; i++)
        QK_TRY(bench_row_add(bench_table_row(t, ROW_USE, k->c->name, "signer"), u.cpu_ns[i]));
    return bench_row_add(bench_table_row(t, ROW_COMBINE, k->c->name, "combiner"), combine_ns);
}

static qk_err measure_sign(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k)
{
    uint64_t end = deadline(plan);
    for (unsigned i = 0; go_on(i, end); i++) {
        bench_progress("%s: signatures, run %u", k->c->name, i);
        QK_TRY(sign_once(t, k, i > 0));
    }
    end = deadline(plan);
    for (unsigned i = 0; go_on(i, end); i++) {
        bench_progress("%s: presignatures, run %u", k->c->name, i);
        QK_TRY(presign_once(t, k, i > 0));
    }
    return QK_OK;
}

qk_err bench_measure_curve(
    struct bench_table *t, const struct bench_plan *plan, struct bench_key *k)
{
    QK_TRY(measure_dkg(t, plan, k));
    QK_TRY(measure_derive(t, plan, k));
    return measure_sign(t, plan, k);
}
