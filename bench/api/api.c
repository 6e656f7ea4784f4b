#include "api/api.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "api/disk.h"
#include "api/options.h"
#include "api/report.h"
#include "common/tell.h"

static atomic_bool stop;

static void on_interrupt(int sig)
{
    (void)sig;
    atomic_store(&stop, true);
}

struct run {
    struct bench_options *o;
    const struct bench_target *target;
    struct bench_loop *loop;
    struct bench_keys keys;
    struct bench_load_result result;
    struct bench_ceiling ceiling;
    double disk_per_second;
};

/* ---- before ---- */

/* Two connections on one key would wait for each other. */
static qk_err check_keys(const struct bench_options *o, size_t n_keys)
{
    if (!bench_op_changes(o->plan.op) || n_keys >= o->plan.connections) return QK_OK;
    bench_error("%s needs a key for each connection: --keys %u", bench_op_name(o->plan.op),
        o->plan.connections);
    return QK_E_MALFORMED;
}

static qk_err make_keys(struct run *r)
{
    const struct bench_options *o = r->o;
    struct bench_keys *k = &r->keys;
    QK_TRY(check_keys(o, o->spec ? o->n_create : o->n_key_ids));
    if (o->spec)
        QK_TRY(bench_keys_create(k, o->n_create, o->spec, &o->tag));
    else
        QK_TRY(bench_keys_open(k, o->n_key_ids, o->key_id));
    QK_TRY(bench_keys_prepare(k, o->plan.op, o->plan.bytes, o->plan.verify_every > 0));
    if (o->plan.op == BENCH_DECRYPT)
        return bench_keys_make_blobs(k, o->n_blobs, o->plan.bytes, o->rotations);
    return bench_keys_rotate(k, o->rotations);
}

static qk_err prepare(struct run *r)
{
    struct bench_load_plan *p = &r->o->plan;
    if (bench_op_keyed(p->op)) QK_TRY(make_keys(r));
    p->keys = r->keys.key;
    p->n_keys = r->keys.n;
    p->blobs = r->keys.blob;
    p->n_blobs = r->keys.n_blobs;
    return QK_OK;
}

/* ---- the load ---- */

/* Disks are moody: before and after, and the mean. */
static qk_err load_beside_disk(struct run *r)
{
    double before = 0, after = 0;
    if (r->o->disk) QK_TRY(bench_disk_rate(r->o->disk, &before));
    QK_TRY(bench_load_run(r->loop, &r->o->plan, &r->result, &stop));
    if (r->o->disk) QK_TRY(bench_disk_rate(r->o->disk, &after));
    r->disk_per_second = (before + after) / 2;
    return QK_OK;
}

static qk_err report(const struct run *r)
{
    const struct bench_report all = {.plan = &r->o->plan,
        .result = &r->result,
        .ceiling = r->o->ceiling ? &r->ceiling : NULL,
        .modes = r->o->tag.value,
        .rotations = r->o->rotations,
        .disk_per_second = r->disk_per_second};
    if (r->o->json) return bench_report_print_json(&all, stdout);
    bench_report_print(&all, stdout);
    return QK_OK;
}

static qk_err load_and_report(struct run *r)
{
    QK_TRY(load_beside_disk(r));
    QK_TRY(bench_load_open_samples(r->loop, &r->result));
    if (r->o->ceiling)
        QK_TRY(bench_ceiling_run(&r->ceiling, &r->o->plan, r->target, r->result.reply_len, &stop));
    QK_TRY(report(r));
    return r->result.ok.n == 0 || r->result.n_bad > 0 ? QK_E_PROOF : QK_OK;
}

/* ---- the whole ---- */

static qk_err run(struct run *r)
{
    QK_TRY(bench_loop_new(&r->loop, r->target, r->o->plan.connections));
    r->keys.loop = r->loop;
    r->keys.stop = &stop;
    qk_err err = prepare(r);
    if (err == QK_OK) err = load_and_report(r);
    if (!r->o->keep_keys && bench_keys_drop(&r->keys) != QK_OK) bench_error("created keys stay");
    bench_load_wipe(&r->result);
    bench_keys_free(&r->keys);
    bench_loop_free(r->loop);
    return err;
}

static qk_err run_on_target(struct bench_options *o)
{
    struct bench_target target = {0};
    struct run *r = calloc(1, sizeof *r);
    QK_ENSURE(r != NULL, QK_E_NOMEM);
    r->o = o;
    r->target = &target;
    qk_err err = bench_target_init(&target, o->env_file, o->allow_remote);
    if (err == QK_OK) err = run(r);
    bench_target_wipe(&target);
    free(r);
    return err;
}

int bench_api_main(int argc, char **argv)
{
    struct bench_options o;
    qk_err err = bench_options_parse(&o, argc, argv);
    if (err == QK_E_NOT_FOUND) return 0;
    if (err != QK_OK) {
        fputs("qkms-bench api --help lists the options\n", stderr);
        return 2;
    }
    signal(SIGINT, on_interrupt);
    return run_on_target(&o) == QK_OK ? 0 : 1;
}
