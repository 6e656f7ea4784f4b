/** The options of `qkms-bench api`. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "api/load.h"

enum {
    BENCH_KEYS_MAX = 100000,  /* created */
    BENCH_KEY_IDS_MAX = 64,   /* given */
    BENCH_ROTATIONS_MAX = 25, /* on demand, of one key, ever: KMS's own limit */
};

struct bench_options {
    struct bench_load_plan plan; /* without keys and ciphertexts */
    struct bench_cpu cpu;        /* --cpu-of */
    const char *env_file;
    const char *disk; /* NULL: not asked for */
    const char *key_id[BENCH_KEY_IDS_MAX];
    size_t n_key_ids;
    const struct bench_spec *spec; /* NULL: no keys are created */
    struct bench_tag tag;          /* of created keys: how they are evaluated */
    unsigned n_create, n_blobs, rotations;
    bool keep_keys, allow_remote, json, ceiling;
};

/** Defaults, then the command line. Strings are borrowed from argv.
 *
 *  Returns QK_OK; QK_E_NOT_FOUND: --help was answered; else told on stderr: usage
 */
QK_MUST_USE qk_err bench_options_parse(struct bench_options *o, int argc, char **argv);

#endif
