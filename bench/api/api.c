#include "api/api.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "api/disk.h"
#include "api/report.h"
#include "common/tell.h"

enum { KEYS_MAX = 64 };

struct options {
    struct bench_load_plan plan;
    const char *env_file;
    const char *disk;
    const char *key_id[KEYS_MAX];
    size_t n_key_ids;
    const char *key_spec;
    unsigned n_create;
    bool keep_keys, allow_remote, json;
};

static atomic_bool stop;

static void on_interrupt(int sig)
{
    (void)sig;
    atomic_store(&stop, true);
}

static void usage(FILE *to)
{
    fputs(
        "usage: qkms-bench api --operation sign|describe-key|get-public-key|verify|disable-key\n"
        "                      (--key-id K ... | --key-spec SPEC [--keys N]) [options]\n"
        "  --connections N    keep-alive connections, 1 to 1024 (8)\n"
        "  --rate R           requests per second, open loop; 0: closed loop (0)\n"
        "  --seconds S        measured time (10)\n"
        "  --warmup S         time before it that is not counted (1)\n"
        "  --warmup-rate R    requests per second meanwhile; 0: as later (0)\n"
        "  --key-id K         id or ARN of a key; may be repeated\n"
        "  --key-spec SPEC    create keys: ECC_NIST_P256, ECC_SECG_P256K1, ECC_NIST_P384,\n"
        "                     ECC_NIST_P521; their deletion is scheduled at the end\n"
        "  --keys N           how many (1)\n"
        "  --keep-keys        do not schedule the deletion of created keys\n"
        "  --verify-every N   check every Nth signature with OpenSSL; 0: none, 1: all (100)\n"
        "  --env-file FILE    settings, for example build/local/client.env; else the environment:\n"
        "                     AWS_ENDPOINT_URL_KMS or AWS_ENDPOINT_URL, AWS_REGION or\n"
        "                     AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,\n"
        "                     AWS_CA_BUNDLE\n"
        "  --disk FOLDER      measure before and after what SQLite makes durable there, and "
        "compare\n"
        "  --allow-remote     load an endpoint that is not on loopback\n"
        "  --json             JSON on stdout instead of text\n",
        to);
}

/* ---- options ---- */

enum {
    O_OP = 256,
    O_CONN,
    O_RATE,
    O_SEC,
    O_WARM,
    O_WARM_RATE,
    O_ID,
    O_SPEC,
    O_KEYS,
    O_KEEP,
    O_VERIFY,
    O_ENV,
    O_REMOTE,
    O_DISK,
    O_JSON
};

static const struct option longs[] = {{"operation", required_argument, NULL, O_OP},
    {"connections", required_argument, NULL, O_CONN}, {"rate", required_argument, NULL, O_RATE},
    {"seconds", required_argument, NULL, O_SEC}, {"warmup", required_argument, NULL, O_WARM},
    {"warmup-rate", required_argument, NULL, O_WARM_RATE},
    {"key-id", required_argument, NULL, O_ID}, {"key-spec", required_argument, NULL, O_SPEC},
    {"keys", required_argument, NULL, O_KEYS}, {"keep-keys", no_argument, NULL, O_KEEP},
    {"verify-every", required_argument, NULL, O_VERIFY},
    {"env-file", required_argument, NULL, O_ENV}, {"allow-remote", no_argument, NULL, O_REMOTE},
    {"disk", required_argument, NULL, O_DISK}, {"json", no_argument, NULL, O_JSON},
    {"help", no_argument, NULL, 'h'}, {0}};

static qk_err pick_operation(struct options *o, const char *text)
{
    const char *name;
    for (unsigned op = 0; (name = bench_op_name(op)) != NULL; op++) {
        if (strcmp(text, name) != 0) continue;
        o->plan.op = (enum bench_op)op;
        return QK_OK;
    }
    bench_error("unknown operation \"%s\"", text);
    return QK_E_MALFORMED;
}

static qk_err pick_key_id(struct options *o, const char *text)
{
    if (o->n_key_ids == KEYS_MAX) {
        bench_error("more than %d keys", KEYS_MAX);
        return QK_E_MALFORMED;
    }
    o->key_id[o->n_key_ids++] = text;
    return QK_OK;
}

static qk_err pick_spec(struct options *o, const char *text)
{
    if (!bench_spec_known(text)) {
        bench_error("unknown key spec \"%s\"", text);
        return QK_E_MALFORMED;
    }
    o->key_spec = text;
    return QK_OK;
}

static qk_err whole(unsigned *out, const char *option, const char *text, double min, double max)
{
    double v;
    QK_TRY(bench_parse_number(&v, option, text, min, max));
    *out = (unsigned)v;
    return QK_OK;
}

static qk_err take(struct options *o, int c, const char *arg)
{
    struct bench_load_plan *p = &o->plan;
    switch (c) {
    case O_OP:
        return pick_operation(o, arg);
    case O_CONN:
        return whole(&p->connections, "--connections", arg, 1, 1024);
    case O_RATE:
        return bench_parse_number(&p->rate, "--rate", arg, 0, 1e6);
    case O_SEC:
        return bench_parse_number(&p->seconds, "--seconds", arg, 0.1, 86400);
    case O_WARM:
        return bench_parse_number(&p->warmup, "--warmup", arg, 0, 3600);
    case O_WARM_RATE:
        return bench_parse_number(&p->warmup_rate, "--warmup-rate", arg, 0, 1e6);
    case O_ID:
        return pick_key_id(o, arg);
    case O_SPEC:
        return pick_spec(o, arg);
    case O_KEYS:
        return whole(&o->n_create, "--keys", arg, 1, KEYS_MAX);
    case O_VERIFY:
        return whole(&p->verify_every, "--verify-every", arg, 0, 1e9);
    case O_KEEP:
        o->keep_keys = true;
        return QK_OK;
    case O_REMOTE:
        o->allow_remote = true;
        return QK_OK;
    case O_JSON:
        o->json = true;
        return QK_OK;
    case O_DISK:
        o->disk = arg;
        return QK_OK;
    case O_ENV:
        o->env_file = arg;
        return QK_OK;
    default:
        return QK_E_MALFORMED;
    }
}

/* QK_E_NOT_FOUND: --help was answered. */
static qk_err parse(struct options *o, int argc, char **argv)
{
    int c;
    bool operation = false;
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'h') {
            usage(stdout);
            return QK_E_NOT_FOUND;
        }
        QK_TRY(take(o, c, optarg));
        operation |= c == O_OP;
    }
    if (optind < argc) {
        bench_error("unexpected argument \"%s\"", argv[optind]);
        return QK_E_MALFORMED;
    }
    if (operation && (o->n_key_ids > 0) != (o->key_spec != NULL)) return QK_OK;
    bench_error("give --operation, and either --key-id or --key-spec");
    return QK_E_MALFORMED;
}

/* ---- the run ---- */

static qk_err make_keys(struct options *o, struct bench_conn *c, struct bench_kms_key *keys)
{
    size_t n = o->key_spec ? o->n_create : o->n_key_ids;
    for (size_t i = 0; i < n; i++) {
        bench_progress("key %zu of %zu", i + 1, n);
        o->plan.n_keys = i + 1; /* also to be dropped if the rest fails */
        if (o->key_spec)
            QK_TRY(bench_kms_key_create(c, o->key_spec, &keys[i]));
        else
            QK_TRY(bench_kms_key_open(c, o->key_id[i], &keys[i]));
        if (o->plan.op == BENCH_VERIFY) QK_TRY(bench_kms_key_prepare_verify(c, &keys[i]));
    }
    bench_progress_end();
    return QK_OK;
}

static void drop_keys(const struct options *o, struct bench_conn *c, struct bench_kms_key *keys)
{
    for (size_t i = 0; i < o->plan.n_keys; i++) {
        if (keys[i].created && !o->keep_keys && bench_kms_key_drop(c, &keys[i]) != QK_OK)
            bench_error("key %s stays", keys[i].id);
        bench_kms_key_free(&keys[i]);
    }
}

/* Disks are moody: before and after, and the mean. */
static qk_err load_beside_disk(struct options *o, struct bench_load_result *r)
{
    double before = 0, after = 0;
    if (o->disk) QK_TRY(bench_disk_rate(o->disk, &before));
    QK_TRY(bench_load_run(&o->plan, r, &stop));
    if (o->disk) QK_TRY(bench_disk_rate(o->disk, &after));
    o->plan.disk_per_second = (before + after) / 2;
    return QK_OK;
}

static qk_err load_and_report(struct options *o)
{
    struct bench_load_result *r = calloc(1, sizeof *r);
    QK_ENSURE(r != NULL, QK_E_NOMEM);
    qk_err err = load_beside_disk(o, r);
    if (err == QK_OK && o->json) err = bench_report_print_json(&o->plan, r, stdout);
    if (err == QK_OK && !o->json) bench_report_print(&o->plan, r, stdout);
    if (err == QK_OK && (r->ok.n == 0 || r->n_bad > 0)) err = QK_E_PROOF;
    free(r);
    return err;
}

/* Two connections on one key would wait for each other. */
static qk_err check_keys(const struct options *o)
{
    if (!bench_op_changes(o->plan.op) || o->plan.n_keys >= o->plan.connections) return QK_OK;
    bench_error("%s needs a key for each connection: --keys %u", bench_op_name(o->plan.op),
        o->plan.connections);
    return QK_E_MALFORMED;
}

static qk_err run(struct options *o, struct bench_conn *c)
{
    struct bench_kms_key keys[KEYS_MAX] = {0};
    qk_err err = make_keys(o, c, keys);
    o->plan.keys = keys;
    if (err == QK_OK) err = check_keys(o);
    if (err == QK_OK) err = load_and_report(o);
    bench_conn_close(c); /* it was idle; the service may have closed it meanwhile */
    drop_keys(o, c, keys);
    return err;
}

int bench_api_main(int argc, char **argv)
{
    struct bench_target target = {0};
    struct options o = {
        .n_create = 1, .plan = {.connections = 8, .seconds = 10, .warmup = 1, .verify_every = 100}};
    qk_err err = parse(&o, argc, argv);
    if (err == QK_E_NOT_FOUND) return 0;
    if (err != QK_OK) {
        fputs("qkms-bench api --help lists the options\n", stderr);
        return 2;
    }
    o.plan.target = &target;
    signal(SIGINT, on_interrupt);
    err = bench_target_init(&target, o.env_file, o.allow_remote);
    struct bench_conn *c = err == QK_OK ? bench_conn_new(&target) : NULL;
    if (err == QK_OK) err = c ? run(&o, c) : QK_E_NOMEM;
    bench_conn_free(c);
    bench_target_wipe(&target);
    return err == QK_OK ? 0 : 1;
}
