#include "qk/conf.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>
#include <ini.h>

struct reading {
    const char *path;
    const struct qk_opt *table;
    size_t n_table;
    uint8_t *out;
    bool *seen;
    char *why;
    size_t why_len;
    int bad_line_is_ours;
};

static void *field(const struct reading *r, const struct qk_opt *opt)
{
    return r->out + opt->offset;
}

static bool parse_number(const char *text, uint64_t *v)
{
    if (text[0] < '0' || text[0] > '9') return false;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0) return false;
    *v = n;
    return true;
}

static char *resolve(const char *conf_path, const char *value)
{
    if (value[0] == '/' || value[0] == 0) return strdup(value);
    char dir[PATH_MAX], full[2 * PATH_MAX];
    (void)snprintf(dir, sizeof dir, "%s", conf_path);
    (void)snprintf(full, sizeof full, "%s/%s", dirname(dir), value);
    return strdup(full);
}

static qk_err set(const struct reading *r, const struct qk_opt *opt, const char *value)
{
    switch (opt->type) {
    case QK_OPT_NUMBER: {
        uint64_t v;
        if (!parse_number(value, &v) || v < opt->min || v > opt->max) {
            (void)snprintf(r->why, r->why_len,
                "%s: %s must be a number from %llu to %llu%s%s, not '%s'", r->path, opt->name,
                (unsigned long long)opt->min, (unsigned long long)opt->max, opt->unit[0] ? " " : "",
                opt->unit, value);
            return QK_E_MALFORMED;
        }
        *(uint64_t *)field(r, opt) = v;
        return QK_OK;
    }
    case QK_OPT_BOOL:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
            (void)snprintf(r->why, r->why_len, "%s: %s must be yes or no, not '%s'", r->path,
                opt->name, value);
            return QK_E_MALFORMED;
        }
        *(bool *)field(r, opt) = value[0] == 'y';
        return QK_OK;
    case QK_OPT_TEXT:
    case QK_OPT_PATH: {
        char **at = field(r, opt);
        *at = opt->type == QK_OPT_PATH ? resolve(r->path, value) : strdup(value);
        return *at == NULL ? QK_E_NOMEM : QK_OK;
    }
    }
    return QK_E_STATE;
}

static int on_line(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    r->bad_line_is_ours = 1;
    if (section[0] != 0) {
        (void)snprintf(
            r->why, r->why_len, "%s: sections are not used, found [%s]", r->path, section);
        return 0;
    }
    for (size_t i = 0; i < r->n_table; i++) {
        if (strcmp(r->table[i].name, name) != 0) continue;
        if (r->seen[i]) {
            (void)snprintf(r->why, r->why_len, "%s: %s is given twice", r->path, name);
            return 0;
        }
        r->seen[i] = true;
        if (set(r, &r->table[i], value) != QK_OK) return 0;
        r->bad_line_is_ours = 0;
        return 1;
    }
    (void)snprintf(r->why, r->why_len, "%s: unknown option '%s'", r->path, name);
    return 0;
}

static qk_err read_all(struct reading *r)
{
    int line = ini_parse(r->path, on_line, r);
    if (line == -1) {
        (void)snprintf(r->why, r->why_len, "%s: cannot be read: %s", r->path, strerror(errno));
        return QK_E_NOT_FOUND;
    }
    if (line != 0) {
        if (!r->bad_line_is_ours)
            (void)snprintf(r->why, r->why_len, "%s:%d: not a 'name = value' line", r->path, line);
        return QK_E_MALFORMED;
    }
    for (size_t i = 0; i < r->n_table; i++) {
        if (r->seen[i]) continue;
        if (r->table[i].preset == NULL) {
            (void)snprintf(r->why, r->why_len, "%s: %s is required: %s", r->path, r->table[i].name,
                r->table[i].effect);
            return QK_E_MALFORMED;
        }
        QK_TRY(set(r, &r->table[i], r->table[i].preset));
    }
    return QK_OK;
}

qk_err qk_conf_read(const char *path, const struct qk_opt *table, size_t n_table, void *out,
    char *why, size_t why_len)
{
    bool seen[64] = {false};
    QK_ENSURE(n_table <= QK_COUNT(seen), QK_E_STATE);
    struct reading r = {path, table, n_table, out, seen, why, why_len, 0};
    for (size_t i = 0; i < n_table; i++) {
        size_t size = table[i].type == QK_OPT_BOOL ? sizeof(bool) : 8;
        memset(r.out + table[i].offset, 0, size);
    }
    why[0] = 0;
    qk_err err = read_all(&r);
    if (err != QK_OK) qk_conf_free(table, n_table, out);
    return err;
}

void qk_conf_free(const struct qk_opt *table, size_t n_table, void *conf)
{
    for (size_t i = 0; i < n_table; i++) {
        if (table[i].type != QK_OPT_TEXT && table[i].type != QK_OPT_PATH) continue;
        char **at = (char **)(void *)((uint8_t *)conf + table[i].offset);
        free(*at);
        *at = NULL;
    }
}

uint64_t qk_conf_room(uint64_t each)
{
    enum { LEAST = 1024 };
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t n = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page / 8 / each : 0;
    return n > LEAST ? n : LEAST;
}

/* The parser takes lines of up to 200 bytes, comments included. */
static void print_wrapped(FILE *to, const char *lead, const char *text)
{
    enum { COLUMNS = 88 };
    size_t used = (size_t)fprintf(to, "# %s", lead);
    for (bool first = true; *text; first = false) {
        size_t word = strcspn(text, " ");
        if (first || used + 1 + word <= COLUMNS)
            used += (size_t)fprintf(to, "%s%.*s", first ? "" : " ", (int)word, text);
        else
            used = (size_t)fprintf(to, "\n# %.*s", (int)word, text) - 1;
        text += word + strspn(text + word, " ");
    }
    fprintf(to, "\n");
}

void qk_conf_print_sample(const struct qk_opt *table, size_t n_table, FILE *to)
{
    for (size_t i = 0; i < n_table; i++) {
        const struct qk_opt *o = &table[i];
        print_wrapped(to, "", o->effect);
        if (o->danger[0]) print_wrapped(to, "Danger: ", o->danger);
        if (o->type == QK_OPT_NUMBER)
            fprintf(to, "# A number from %llu to %llu%s%s.\n", (unsigned long long)o->min,
                (unsigned long long)o->max, o->unit[0] ? " " : "", o->unit);
        if (o->preset == NULL)
            fprintf(to, "%s =\n\n", o->name);
        else
            fprintf(to, "#%s = %s\n\n", o->name, o->preset);
    }
}
