#include "protocol/protocol.h"

#include <getopt.h>
#include <stdlib.h>
#include "common/tell.h"
#include "protocol/baseline.h"
#include "protocol/measure.h"

struct options {
    bool curve[MPC_P521 + 1];
    unsigned parties;
    double seconds;
    bool json;
};

static const struct {
    const char *name;
    uint8_t id;
} curve_names[] = {
    {"p256", MPC_P256},
    {"secp256k1", MPC_SECP256K1},
    {"p384", MPC_P384},
    {"p521", MPC_P521},
};

static void usage(FILE *to)
{
    fputs("usage: qkms-bench protocol [options]\n"
          "  --curve all|p256|secp256k1|p384|p521  which keys (all; may be repeated)\n"
          "  --parties 2|3   signers; keys are 2-of-3 or 3-of-3 (2)\n"
          "  --seconds S     time for each group of rows, 0.01 to 60 (1); at least 3 runs each\n"
          "  --json          JSON on stdout instead of a table\n"
          "CPU is the thread time inside a party's own calls. OpenSSL and libsecp256k1 signing by\n"
          "one party is measured in the same run, before and after.\n",
        to);
}

static qk_err pick_curve(struct options *o, const char *text)
{
    bool all = strcmp(text, "all") == 0, known = all;
    for (size_t i = 0; i < QK_COUNT(curve_names); i++) {
        if (!all && strcmp(text, curve_names[i].name) != 0) continue;
        o->curve[curve_names[i].id] = known = true;
    }
    if (known) return QK_OK;
    bench_error("--curve takes all, p256, secp256k1, p384 or p521, not \"%s\"", text);
    return QK_E_MALFORMED;
}

static qk_err pick_parties(struct options *o, const char *text)
{
    double v;
    QK_TRY(bench_parse_number(&v, "--parties", text, 2, 3));
    o->parties = v < 3 ? 2 : 3;
    return QK_OK;
}

/* QK_E_NOT_FOUND: --help was answered. */
static qk_err parse(struct options *o, int argc, char **argv)
{
    static const struct option longs[] = {{"curve", required_argument, NULL, 'c'},
        {"parties", required_argument, NULL, 'p'}, {"seconds", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    int c;
    bool any = false;
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == 'c') QK_TRY(pick_curve(o, optarg));
        if (c == 'p') QK_TRY(pick_parties(o, optarg));
        if (c == 's') QK_TRY(bench_parse_number(&o->seconds, "--seconds", optarg, 0.01, 60));
        if (c == 'j') o->json = true;
        if (c == 'h') {
            usage(stdout);
            return QK_E_NOT_FOUND;
        }
        if (c == '?') return QK_E_MALFORMED;
        any |= c == 'c';
    }
    if (optind < argc) {
        bench_error("unexpected argument \"%s\"", argv[optind]);
        return QK_E_MALFORMED;
    }
    return any ? QK_OK : pick_curve(o, "all");
}

static qk_err curve_rows(struct bench_table *t, const struct bench_plan *plan, unsigned id,
    struct bench_key *k, bool classes_done[3])
{
    const struct mpc_curve *c = mpc_curve_get(id);
    unsigned cls = mpc_ot_class_of(id);
    struct bench_plan roots_only = {.t = plan->t, .seconds = 0};
    QK_TRY(bench_key_init(k, c, plan->t));
    bench_progress("%s: one party alone", c->name);
    QK_TRY(bench_baseline(t, c, plan->seconds / 2));
    QK_TRY(bench_measure_roots(t, classes_done[cls] ? &roots_only : plan, k));
    classes_done[cls] = true;
    QK_TRY(bench_measure_curve(t, plan, k));
    QK_TRY(bench_measure_online(t, plan, k));
    return bench_baseline(t, c, plan->seconds / 2);
}

static qk_err run(struct bench_table *t, const struct options *o)
{
    struct bench_plan plan = {.t = o->parties, .seconds = o->seconds};
    bool classes_done[3] = {false};
    for (size_t i = 0; i < QK_COUNT(curve_names); i++) {
        struct bench_key k = {0};
        if (!o->curve[curve_names[i].id]) continue;
        qk_err err = curve_rows(t, &plan, curve_names[i].id, &k, classes_done);
        bench_key_wipe(&k);
        QK_TRY(err);
    }
    if (!o->curve[MPC_P256]) return QK_OK;
    QK_TRY(bench_measure_dprf(t, &plan));
    QK_TRY(bench_measure_sym(t, &plan));
    return bench_measure_mac(t, &plan);
}

static qk_err report(struct bench_table *t, const struct options *o)
{
    bench_progress_end();
    if (o->json) return bench_table_print_json(t, stdout);
    bench_table_print(t, stdout);
    return ferror(stdout) ? QK_E_IO : QK_OK;
}

int bench_protocol_main(int argc, char **argv)
{
    struct options o = {.parties = 2, .seconds = 1};
    struct bench_table *t = calloc(1, sizeof *t);
    qk_err err = parse(&o, argc, argv);
    if (err != QK_OK || !t) {
        free(t);
        if (err == QK_E_MALFORMED) usage(stderr);
        return err == QK_E_NOT_FOUND ? 0 : 2;
    }
    err = run(t, &o);
    if (err == QK_OK) err = report(t, &o);
    if (err != QK_OK) bench_error("protocol: %s", qk_err_name(err));
    bench_table_free(t);
    free(t);
    return err == QK_OK ? 0 : 1;
}
