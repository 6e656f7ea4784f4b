/** Options of the programs: one table feeds the parser, the sample file and the documentation.
 *
 *  A configuration file is INI text of `name = value` lines (sections are not used; `#` and `;`
 *  start comments). Every name must be in the table, once; an unknown or repeated name, a missing
 *  required one or a value out of bounds is an error that names file, line and reason. Secrets
 *  never stand in a configuration: options name files.
 */
#ifndef QK_CONF_H
#define QK_CONF_H

#include <stdio.h>
#include "qk/bytes.h"

enum qk_opt_type { QK_OPT_TEXT, QK_OPT_PATH, QK_OPT_NUMBER, QK_OPT_BOOL };

struct qk_opt {
    const char *name; /* as in the file, for example "listen" */
    enum qk_opt_type type;
    const char *unit;   /* "ms", "bytes", ... or "" */
    const char *preset; /* default as text; NULL: required */
    uint64_t min, max;  /* for numbers, inclusive */
    const char *effect; /* what it does: full sentences, for --help and docs */
    const char *danger; /* what a bad choice costs, or "" */
    size_t offset;      /* of the field in the result struct: char * (TEXT, PATH; owned),
                           uint64_t (NUMBER), bool (BOOL) */
};

/** Read path into the struct at out (zeroed before). On error a message for people is put in why
 *  and everything is released. Relative PATH values are taken relative to the file's folder. */
QK_MUST_USE qk_err qk_conf_read(const char *path, const struct qk_opt *table, size_t n_table,
    void *out, char *why, size_t why_len);
/** Free the strings of a struct filled by qk_conf_read. */
void qk_conf_free(const struct qk_opt *table, size_t n_table, void *conf);
/** How many things of `each` bytes an eighth of the machine's memory has room for; at least 1024.
 *  For options that bound a cache and are 0. */
uint64_t qk_conf_room(uint64_t each);
/** A commented sample file. */
void qk_conf_print_sample(const struct qk_opt *table, size_t n_table, FILE *to);

#endif
