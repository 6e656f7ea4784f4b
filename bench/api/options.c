#include "api/options.h"

#include <getopt.h>
#include <stdio.h>
#include "common/tell.h"

static void usage(FILE *to)
{
    fputs("usage: qkms-bench api --operation OP (--key-id K ... | [--key-spec SPEC] [--keys N])\n"
          "                      [options]\n"
          "  --operation OP     sign, verify, describe-key, get-public-key, disable-key, encrypt,\n"
          "                     decrypt, generate-data-key, generate-random (needs no key),\n"
          "                     generate-mac, verify-mac\n"
          "  --connections N    keep-alive connections, 1 to 1024 (8)\n"
          "  --rate R           requests per second, open loop; 0: closed loop (0)\n"
          "  --seconds S        measured time (10)\n"
          "  --warmup S         time before it that is not counted (1)\n"
          "  --warmup-rate R    requests per second meanwhile; 0: as later (0)\n"
          "  --key-id K         id or ARN of a key; may be repeated\n"
          "  --key-spec SPEC    create keys: ECC_NIST_P256, ECC_SECG_P256K1, ECC_NIST_P384,\n"
          "                     ECC_NIST_P521, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384,\n"
          "                     HMAC_512; their deletion is scheduled at the end. Defaults: "
          "encrypt,\n"
          "                     decrypt, generate-data-key: SYMMETRIC_DEFAULT; MACs: HMAC_256\n"
          "  --keys N           how many, used in turn, 1 to 100000 (1)\n"
          "  --modes M          F, V or FV: tag qkms:modes of created symmetric keys\n"
          "  --mac-profile P    strict: tag qkms:mac-profile of created HMAC keys\n"
          "  --rotations N      rotate every key so many times before, 0 to 25 (0)\n"
          "  --ciphertexts N    how many decrypt opens in turn, spread over all versions of all\n"
          "                     keys, at least one of each; made before (512)\n"
          "  --bytes N          of plaintexts, data keys and random bytes, 1 to 4096 (32);\n"
          "                     --message-bytes N is the same, for what MACs are made of\n"
          "  --keep-keys        do not schedule the deletion of created keys\n",
        to);
    fputs(
        "  --verify-every N   check every Nth signature with OpenSSL; open every Nth ciphertext,\n"
        "                     verify every Nth MAC after the load (at most 64); 0: none, 1: all\n"
        "                     (100)\n"
        "  --cpu-of PATH      a file with a pid, or a folder such as build/local: print CPU per\n"
        "                     request of these processes, too; may be repeated\n"
        "  --ceiling          the same load on a server that does nothing, afterwards\n"
        "  --disk FOLDER      measure before and after what SQLite makes durable there, and\n"
        "                     compare\n"
        "  --env-file FILE    settings, for example build/local/client.env; else the environment:\n"
        "                     AWS_ENDPOINT_URL_KMS or AWS_ENDPOINT_URL, AWS_REGION or\n"
        "                     AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,\n"
        "                     AWS_CA_BUNDLE\n"
        "  --allow-remote     load an endpoint that is not on loopback\n"
        "  --json             JSON on stdout instead of text\n",
        to);
}

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
    O_MODES,
    O_PROFILE,
    O_ROTATIONS,
    O_BLOBS,
    O_BYTES,
    O_KEEP,
    O_VERIFY,
    O_ENV,
    O_REMOTE,
    O_CPU,
    O_CEILING,
    O_DISK,
    O_JSON
};

static const struct option longs[] = {{"operation", required_argument, NULL, O_OP},
    {"connections", required_argument, NULL, O_CONN}, {"rate", required_argument, NULL, O_RATE},
    {"seconds", required_argument, NULL, O_SEC}, {"warmup", required_argument, NULL, O_WARM},
    {"warmup-rate", required_argument, NULL, O_WARM_RATE},
    {"key-id", required_argument, NULL, O_ID}, {"key-spec", required_argument, NULL, O_SPEC},
    {"keys", required_argument, NULL, O_KEYS}, {"modes", required_argument, NULL, O_MODES},
    {"mac-profile", required_argument, NULL, O_PROFILE},
    {"message-bytes", required_argument, NULL, O_BYTES},
    {"rotations", required_argument, NULL, O_ROTATIONS},
    {"ciphertexts", required_argument, NULL, O_BLOBS}, {"bytes", required_argument, NULL, O_BYTES},
    {"keep-keys", no_argument, NULL, O_KEEP}, {"verify-every", required_argument, NULL, O_VERIFY},
    {"env-file", required_argument, NULL, O_ENV}, {"allow-remote", no_argument, NULL, O_REMOTE},
    {"cpu-of", required_argument, NULL, O_CPU}, {"ceiling", no_argument, NULL, O_CEILING},
    {"disk", required_argument, NULL, O_DISK}, {"json", no_argument, NULL, O_JSON},
    {"help", no_argument, NULL, 'h'}, {0}};

static qk_err pick_operation(struct bench_options *o, const char *text)
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

static qk_err pick_key_id(struct bench_options *o, const char *text)
{
    if (o->n_key_ids == BENCH_KEY_IDS_MAX) {
        bench_error("more than %d keys", BENCH_KEY_IDS_MAX);
        return QK_E_MALFORMED;
    }
    o->key_id[o->n_key_ids++] = text;
    return QK_OK;
}

static qk_err pick_spec(struct bench_options *o, const char *text)
{
    o->spec = bench_spec_find(qk_str(text));
    if (o->spec) return QK_OK;
    bench_error("unknown key spec \"%s\"", text);
    return QK_E_MALFORMED;
}

static qk_err pick_modes(struct bench_options *o, const char *text)
{
    o->tag = (struct bench_tag){"qkms:modes", text};
    if (strcmp(text, "F") == 0 || strcmp(text, "V") == 0 || strcmp(text, "FV") == 0) return QK_OK;
    bench_error("--modes takes F, V or FV, not \"%s\"", text);
    return QK_E_MALFORMED;
}

static qk_err pick_profile(struct bench_options *o, const char *text)
{
    o->tag = (struct bench_tag){"qkms:mac-profile", text};
    if (strcmp(text, "strict") == 0) return QK_OK;
    bench_error("--mac-profile takes strict, not \"%s\"", text);
    return QK_E_MALFORMED;
}

static qk_err whole(unsigned *out, const char *option, const char *text, double min, double max)
{
    double v;
    QK_TRY(bench_parse_number(&v, option, text, min, max));
    *out = (unsigned)v;
    return QK_OK;
}

static qk_err take_bytes(struct bench_options *o, const char *arg)
{
    unsigned v;
    QK_TRY(whole(&v, "--bytes", arg, 1, 4096));
    o->plan.bytes = v;
    return QK_OK;
}

static qk_err take_number(struct bench_options *o, int c, const char *arg)
{
    struct bench_load_plan *p = &o->plan;
    switch (c) {
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
    case O_KEYS:
        return whole(&o->n_create, "--keys", arg, 1, BENCH_KEYS_MAX);
    case O_ROTATIONS:
        return whole(&o->rotations, "--rotations", arg, 0, BENCH_ROTATIONS_MAX);
    case O_BLOBS:
        return whole(&o->n_blobs, "--ciphertexts", arg, 1, 1e6);
    case O_BYTES:
        return take_bytes(o, arg);
    case O_VERIFY:
        return whole(&p->verify_every, "--verify-every", arg, 0, 1e9);
    default:
        return QK_E_MALFORMED;
    }
}

static qk_err take_flag(struct bench_options *o, int c)
{
    switch (c) {
    case O_KEEP:
        o->keep_keys = true;
        return QK_OK;
    case O_REMOTE:
        o->allow_remote = true;
        return QK_OK;
    case O_JSON:
        o->json = true;
        return QK_OK;
    case O_CEILING:
        o->ceiling = true;
        return QK_OK;
    default:
        return QK_E_MALFORMED;
    }
}

static qk_err take(struct bench_options *o, int c, const char *arg)
{
    switch (c) {
    case O_OP:
        return pick_operation(o, arg);
    case O_ID:
        return pick_key_id(o, arg);
    case O_SPEC:
        return pick_spec(o, arg);
    case O_MODES:
        return pick_modes(o, arg);
    case O_PROFILE:
        return pick_profile(o, arg);
    case O_CPU:
        o->plan.daemons = &o->cpu;
        return bench_cpu_add(&o->cpu, arg);
    case O_DISK:
        o->disk = arg;
        return QK_OK;
    case O_ENV:
        o->env_file = arg;
        return QK_OK;
    default:
        return arg ? take_number(o, c, arg) : take_flag(o, c);
    }
}

static qk_err wrong(const char *why)
{
    bench_error("%s", why);
    return QK_E_MALFORMED;
}

/* What the options mean together. */
static qk_err settle(struct bench_options *o)
{
    enum bench_op op = o->plan.op;
    if (!bench_op_keyed(op)) {
        if (o->spec || o->n_key_ids > 0) return wrong("this operation takes no key");
        return o->tag.key || o->rotations > 0
                   ? wrong("--modes, --mac-profile, --rotations: there is no key")
                   : QK_OK;
    }
    if (!o->spec && o->n_key_ids == 0) o->spec = bench_op_spec(op);
    if (o->spec ? o->n_key_ids > 0 : o->n_key_ids == 0)
        return wrong("give either --key-id or --key-spec");
    bool strict = o->tag.key && strcmp(o->tag.key, "qkms:mac-profile") == 0;
    if (strict && (!o->spec || o->spec->family != BENCH_MAC))
        return wrong("--mac-profile is for created HMAC keys");
    bool symmetric = (o->tag.key && !strict) || o->rotations > 0;
    if (symmetric && (!o->spec || o->spec->family != BENCH_SYMMETRIC))
        return wrong("--modes and --rotations are for created symmetric keys");
    return QK_OK;
}

static void set_defaults(struct bench_options *o)
{
    *o = (struct bench_options){.n_create = 1,
        .n_blobs = 512,
        .plan = {.connections = 8, .seconds = 10, .warmup = 1, .verify_every = 100, .bytes = 32}};
}

qk_err bench_options_parse(struct bench_options *o, int argc, char **argv)
{
    int c;
    bool operation = false;
    set_defaults(o);
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
    return operation ? settle(o) : wrong("give --operation");
}
