/* qkms audit verify: files of one hash chain, oldest first. */
#include "cli.h"

#include "qk/chain.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILES_MAX = 4096 };

struct audit_args {
    const char *head;
    const char *files[FILES_MAX];
    size_t n_files;
    bool json;
};

static error_t audit_option(int key, char *arg, struct argp_state *state)
{
    struct audit_args *a = state->input;
    switch (key) {
    case 'H':
        a->head = arg;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->n_files == FILES_MAX) argp_error(state, "at most %d files", FILES_MAX);
        a->files[a->n_files++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->n_files == 0) argp_error(state, "FILE is required");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* "SEQ:HASH", as this command prints it. */
static int parse_head(const char *text, struct qk_chain_head *out)
{
    char *end;
    unsigned long long seq = strtoull(text, &end, 10);
    if (*end != ':' || qk_unhex(qk_str(end + 1), out->hash, sizeof out->hash) != QK_OK)
        return cli_fail(CLI_USAGE, "--head is SEQ:HASH, as an earlier run printed it");
    out->seq = seq;
    return CLI_OK;
}

static int report(
    const struct audit_args *a, uint64_t lines, uint64_t first, const struct qk_chain_head *last)
{
    char hash[65], head[96];
    qk_hex(last->hash, sizeof last->hash, hash);
    (void)snprintf(head, sizeof head, "%llu:%s", (unsigned long long)last->seq, hash);
    CLI_JSON(out) = json_pack(
        "{s:I, s:I, s:s}", "Entries", (json_int_t)lines, "First", (json_int_t)first, "Head", head);
    if (out == NULL) return cli_fail(CLI_FAILED, "out of memory");
    cli_print(out, a->json);
    return CLI_OK;
}

static int verify(const struct audit_args *a, const struct qk_chain_head *expect)
{
    struct qk_chain_head at = {.seq = 0};
    uint64_t lines = 0, first = 0;
    bool seen = expect == NULL;
    for (size_t i = 0; i < a->n_files; i++) {
        struct qk_chain_report r;
        qk_err err = qk_chain_verify_file(a->files[i], i == 0 ? NULL : &at, NULL, &r);
        if (err == QK_E_CORRUPT)
            return cli_fail(
                CLI_FORGED, "%s:%llu: %s", a->files[i], (unsigned long long)r.bad_line, r.why);
        if (err != QK_OK)
            return cli_fail(CLI_FAILED, "%s: %s", a->files[i],
                err == QK_E_NOT_FOUND ? "no such file" : "cannot be read");
        if (r.torn)
            cli_warn("%s: the last line is incomplete: a write was interrupted", a->files[i]);
        if (i == 0) first = r.first.seq + 1;
        if (expect != NULL && !seen && expect->seq <= r.last.seq) {
            /* once more, now for the remembered entry: it may stand in this file only */
            if (qk_chain_verify_file(a->files[i], i == 0 ? NULL : &at, expect, &r) != QK_OK)
                return cli_fail(CLI_FORGED, "%s: entry %llu is not the one that --head remembers",
                    a->files[i], (unsigned long long)expect->seq);
            seen = true;
        }
        lines += r.n_lines;
        at = r.last;
    }
    if (!seen) return cli_fail(CLI_FORGED, "the log ends before the entry that --head remembers");
    return report(a, lines, first, &at);
}

int cli_audit_verify(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"head", 'H', "SEQ:HASH", 0,
            "An entry that must be in the log: the head that an earlier run printed", 0},
        {"json", 'j', NULL, 0, "Print the outcome as JSON", 0},
        {0},
    };
    static const struct argp argp = {.options = options,
        .parser = audit_option,
        .args_doc = "FILE...",
        .doc = "Check the hash chain of audit logs: no entry changed, moved, or dropped from the "
               "middle.\v"
               "Give the files of one log, oldest first. Only --head with a head kept elsewhere "
               "shows that "
               "nothing was cut off at the end, or written anew as a whole."};
    struct audit_args *a = calloc(1, sizeof *a);
    if (a == NULL) return cli_fail(CLI_FAILED, "out of memory");
    struct qk_chain_head expect = {.seq = 0};
    cli_parse(&argp, argc, argv, NULL, a);
    int status = a->head != NULL ? parse_head(a->head, &expect) : CLI_OK;
    if (status == CLI_OK) status = verify(a, a->head != NULL ? &expect : NULL);
    free(a);
    return status;
}
