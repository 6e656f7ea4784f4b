/* The reader of cluster.conf. Our own and line by line, not libinih: that one cuts long lines,
 * joins continuation lines, takes ':' for '=' and cannot tell a repeated section, and this file
 * must have one reading only. */
#include "wire/cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "cluster_priv.h"
#include "qk/file.h"

enum kind { NONE, CLUSTER, NODE, COORDINATOR, OPERATOR };

struct reading {
    struct wire_cluster *c;
    enum kind kind; /* of the section we are in; sections come in this order */
    unsigned seen;  /* bits of the fields met in this section */
    size_t line;
    char *why;
    size_t why_len;
};

QK_PRINTF(2, 3) static qk_err bad(struct reading *r, const char *fmt, ...)
{
    int at = r->line != 0 ? snprintf(r->why, r->why_len, "line %zu: ", r->line) : 0;
    if (at < 0 || (size_t)at >= r->why_len) return QK_E_MALFORMED;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->why + at, r->why_len - (size_t)at, fmt, args);
    va_end(args);
    return QK_E_MALFORMED;
}

static struct wire_node *node(const struct reading *r)
{
    return &r->c->nodes[r->c->n - 1];
}
static struct wire_coordinator *coordinator(const struct reading *r)
{
    return &r->c->coordinators[r->c->n_coordinators - 1];
}
static struct wire_operator *operator(const struct reading *r)
{
    return &r->c->operators[r->c->n_operators - 1];
}

/* ---- values ---- */

static bool parse_number(struct qk_bytes v, unsigned min, unsigned max, uint16_t *out)
{
    if (v.len < 1 || v.len > 5 || (v.p[0] == '0' && v.len > 1)) return false;
    unsigned n = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.p[i] < '0' || v.p[i] > '9') return false;
        n = n * 10 + (unsigned)(v.p[i] - '0');
    }
    if (n < min || n > max) return false;
    *out = (uint16_t)n;
    return true;
}

static void copy_text(char *out, struct qk_bytes v)
{
    memcpy(out, v.p, v.len);
    out[v.len] = 0;
}

static bool only(struct qk_bytes v, const char *set)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.p[i] == 0 || strchr(set, v.p[i]) == NULL) return false;
    return true;
}

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static qk_err set_name(struct reading *r, struct qk_bytes v)
{
    char name[WIRE_NAME_MAX + 1];
    if (v.len > WIRE_NAME_MAX) return bad(r, "name is longer than %d characters", WIRE_NAME_MAX);
    copy_text(name, v);
    if (!wire_name_valid(name)) return bad(r, "name must be letters, digits, '.', '_' or '-'");
    memcpy(r->c->name, name, sizeof name);
    return QK_OK;
}

static qk_err set_id(struct reading *r, struct qk_bytes v)
{
    if (v.len != 32 || !only(v, DIGITS "abcdef") || qk_unhex(v, r->c->id, 16) != QK_OK)
        return bad(r, "id must be 32 lower-case hexadecimal digits");
    return QK_OK;
}

static qk_err set_account(struct reading *r, struct qk_bytes v)
{
    if (v.len != 12 || !only(v, DIGITS)) return bad(r, "account must be 12 digits");
    copy_text(r->c->account, v);
    return QK_OK;
}

static qk_err set_region(struct reading *r, struct qk_bytes v)
{
    if (v.len < 1 || v.len > WIRE_REGION_MAX || !only(v, LOWER DIGITS "-"))
        return bad(r, "region must be 1 to %d lower-case letters, digits or '-'", WIRE_REGION_MAX);
    copy_text(r->c->region, v);
    return QK_OK;
}

static qk_err set_threshold(struct reading *r, struct qk_bytes v)
{
    if (!parse_number(v, 2, WIRE_NODES_MAX, &r->c->t))
        return bad(r, "threshold must be a number from 2 to %d", WIRE_NODES_MAX);
    return QK_OK;
}

static bool host_ok(struct qk_bytes host)
{
    if (host.len < 1) return false;
    if (host.p[0] != '[') return only(host, LOWER UPPER DIGITS ".-");
    return host.len > 2 && host.p[host.len - 1] == ']' &&
           only(qk_bytes(host.p + 1, host.len - 2), DIGITS "abcdefABCDEF:.");
}

static bool address_ok(struct qk_bytes v)
{
    static const char scheme[] = "tls+tcp://";
    size_t at = sizeof scheme - 1;
    if (v.len > WIRE_ADDRESS_MAX || v.len < at || memcmp(v.p, scheme, at) != 0) return false;
    size_t colon = v.len;
    while (colon > at && v.p[colon - 1] != ':') colon--;
    if (colon <= at) return false;
    uint16_t port;
    return host_ok(qk_bytes(v.p + at, colon - 1 - at)) &&
           parse_number(qk_bytes(v.p + colon, v.len - colon), 1, 65535, &port);
}

static bool address_taken(const struct wire_cluster *c, const char *address)
{
    unsigned met = 0; /* itself included */
    for (size_t i = 0; i < c->n; i++) {
        met += strcmp(c->nodes[i].address, address) == 0;
        met += strcmp(c->nodes[i].call_address, address) == 0;
    }
    return met > 1;
}

static qk_err set_any_address(struct reading *r, char *out, struct qk_bytes v, const char *field)
{
    if (!address_ok(v)) return bad(r, "%s must be tls+tcp://host:port", field);
    copy_text(out, v);
    if (address_taken(r->c, out)) return bad(r, "%s %s is already another listener's", field, out);
    return QK_OK;
}

static qk_err set_address(struct reading *r, struct qk_bytes v)
{
    return set_any_address(r, node(r)->address, v, "address");
}

static qk_err set_call_address(struct reading *r, struct qk_bytes v)
{
    return set_any_address(r, node(r)->call_address, v, "call_address");
}

static unsigned users_of(const struct wire_cluster *c, struct qk_bytes spki)
{
    unsigned n = 0;
    const struct wire_key *k;
    for (size_t i = 0; i < c->n; i++)
        n += (k = c->nodes[i].key) != NULL && qk_bytes_eq(wire_key_spki(k), spki);
    for (size_t i = 0; i < c->n_coordinators; i++)
        n += (k = c->coordinators[i].key) != NULL && qk_bytes_eq(wire_key_spki(k), spki);
    for (size_t i = 0; i < c->n_operators; i++)
        n += (k = c->operators[i].key) != NULL && qk_bytes_eq(wire_key_spki(k), spki);
    return n;
}

static qk_err check_key_is_new(struct reading *r, const struct wire_key *key)
{
    if (users_of(r->c, wire_key_spki(key)) > 1)
        return bad(r, "this key is already another party's");
    return QK_OK;
}

static qk_err set_any_cert(
    struct reading *r, struct qk_bytes *cert, struct wire_key **key, struct qk_bytes v)
{
    QK_AUTO_BUF der = QK_BUF(WIRE_CERT_MAX);
    if (qk_unbase64(v, &der) != QK_OK || der.len == 0)
        return bad(r, "certificate must be base64 of at most %d bytes", WIRE_CERT_MAX);
    qk_err err = wire_key_from_cert(key, qk_buf_view(&der));
    if (err == QK_E_MALFORMED)
        return bad(r, "certificate is not one DER certificate of a P-256 key");
    QK_TRY(err);
    uint8_t *copy = malloc(der.len);
    QK_ENSURE(copy != NULL, QK_E_NOMEM);
    memcpy(copy, der.p, der.len);
    *cert = qk_bytes(copy, der.len);
    return check_key_is_new(r, *key);
}

static qk_err set_node_cert(struct reading *r, struct qk_bytes v)
{
    return set_any_cert(r, &node(r)->cert, &node(r)->key, v);
}

static qk_err set_coordinator_cert(struct reading *r, struct qk_bytes v)
{
    return set_any_cert(r, &coordinator(r)->cert, &coordinator(r)->key, v);
}

static qk_err set_operator_key(struct reading *r, struct qk_bytes v)
{
    QK_AUTO_BUF der = QK_BUF(WIRE_SPKI_LEN);
    qk_err err = qk_unbase64(v, &der);
    if (err == QK_OK) err = wire_key_from_spki(&operator(r)->key, qk_buf_view(&der));
    if (err == QK_E_NOMEM) return err;
    if (err != QK_OK) return bad(r, "key is not base64 of a P-256 SubjectPublicKeyInfo in DER");
    return check_key_is_new(r, operator(r)->key);
}

static const struct field {
    enum kind kind;
    const char *name;
    qk_err (*set)(struct reading *, struct qk_bytes value);
} fields[] = {
    {CLUSTER, "name", set_name},
    {CLUSTER, "id", set_id},
    {CLUSTER, "account", set_account},
    {CLUSTER, "region", set_region},
    {CLUSTER, "threshold", set_threshold},
    {NODE, "address", set_address},
    {NODE, "call_address", set_call_address},
    {NODE, "certificate", set_node_cert},
    {COORDINATOR, "certificate", set_coordinator_cert},
    {OPERATOR, "key", set_operator_key},
};

/* ---- sections ---- */

static qk_err end_section(struct reading *r)
{
    for (size_t i = 0; i < QK_COUNT(fields); i++)
        if (fields[i].kind == r->kind && (r->seen & (1u << i)) == 0)
            return bad(r, "the section before this ends without '%s'", fields[i].name);
    r->seen = 0;
    return QK_OK;
}

static qk_err begin_node(struct reading *r, struct qk_bytes arg)
{
    struct wire_cluster *c = r->c;
    uint16_t id;
    if (!parse_number(arg, 1, 255, &id)) return bad(r, "a node's id is a number from 1 to 255");
    if (c->n > 0 && id <= c->nodes[c->n - 1].id) return bad(r, "node ids must ascend");
    if (c->n == WIRE_NODES_MAX) return bad(r, "more than %d nodes", WIRE_NODES_MAX);
    c->nodes[c->n++].id = id;
    return QK_OK;
}

static qk_err member_name(struct reading *r, char *out, struct qk_bytes arg)
{
    if (arg.len < 1 || arg.len > WIRE_NAME_MAX || !only(arg, LOWER UPPER DIGITS "._-"))
        return bad(r, "a name is 1 to %d letters, digits, '.', '_' or '-'", WIRE_NAME_MAX);
    copy_text(out, arg);
    return QK_OK;
}

static qk_err begin_coordinator(struct reading *r, struct qk_bytes arg)
{
    char name[WIRE_NAME_MAX + 1] = "";
    QK_TRY(member_name(r, name, arg));
    if (wire_cluster_coordinator(r->c, name)) return bad(r, "two coordinators named %s", name);
    if (r->c->n_coordinators == WIRE_MEMBERS_MAX)
        return bad(r, "more than %d coordinators", WIRE_MEMBERS_MAX);
    memcpy(r->c->coordinators[r->c->n_coordinators++].name, name, sizeof name);
    return QK_OK;
}

static qk_err begin_operator(struct reading *r, struct qk_bytes arg)
{
    char name[WIRE_NAME_MAX + 1] = "";
    QK_TRY(member_name(r, name, arg));
    if (wire_cluster_operator(r->c, name)) return bad(r, "two operators named %s", name);
    if (r->c->n_operators == WIRE_MEMBERS_MAX)
        return bad(r, "more than %d operators", WIRE_MEMBERS_MAX);
    memcpy(r->c->operators[r->c->n_operators++].name, name, sizeof name);
    return QK_OK;
}

static qk_err begin_cluster(struct reading *r, struct qk_bytes arg)
{
    if (r->kind != NONE || arg.len != 0) return bad(r, "[cluster] stands once, first");
    return QK_OK;
}

static const struct section {
    const char *name;
    enum kind kind;
    qk_err (*begin)(struct reading *, struct qk_bytes arg);
} sections[] = {
    {"cluster", CLUSTER, begin_cluster},
    {"node", NODE, begin_node},
    {"coordinator", COORDINATOR, begin_coordinator},
    {"operator", OPERATOR, begin_operator},
};

static struct qk_bytes trim(struct qk_bytes v)
{
    while (v.len > 0 && (v.p[0] == ' ' || v.p[0] == '\t')) v = qk_bytes(v.p + 1, v.len - 1);
    while (v.len > 0 && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t')) v.len--;
    return v;
}

/* Cut v at the first c; false if there is none. */
static bool split(struct qk_bytes v, char c, struct qk_bytes *head, struct qk_bytes *tail)
{
    const uint8_t *at = v.len > 0 ? memchr(v.p, c, v.len) : NULL;
    if (at == NULL) return false;
    size_t n = (size_t)(at - v.p);
    *head = trim(qk_bytes(v.p, n));
    *tail = trim(qk_bytes(at + 1, v.len - n - 1));
    return true;
}

static qk_err on_section(struct reading *r, struct qk_bytes v)
{
    if (v.p[v.len - 1] != ']') return bad(r, "a section line ends with ']'");
    struct qk_bytes word = trim(qk_bytes(v.p + 1, v.len - 2)), arg = {v.p, 0};
    (void)split(word, ' ', &word, &arg);
    for (size_t i = 0; i < QK_COUNT(sections); i++) {
        if (!qk_bytes_is(word, sections[i].name)) continue;
        QK_TRY(end_section(r));
        if (r->kind == NONE && sections[i].kind != CLUSTER) return bad(r, "[cluster] comes first");
        if (sections[i].kind < r->kind) return bad(r, "sections are out of order");
        QK_TRY(sections[i].begin(r, arg));
        r->kind = sections[i].kind;
        return QK_OK;
    }
    return bad(r, "unknown section");
}

static qk_err on_field(struct reading *r, struct qk_bytes v)
{
    struct qk_bytes name, value;
    if (!split(v, '=', &name, &value)) return bad(r, "neither 'name = value' nor [section]");
    for (size_t i = 0; i < QK_COUNT(fields); i++) {
        if (fields[i].kind != r->kind || !qk_bytes_is(name, fields[i].name)) continue;
        if (r->seen & (1u << i)) return bad(r, "'%s' is given twice", fields[i].name);
        r->seen |= 1u << i;
        return fields[i].set(r, value);
    }
    return bad(r, "this name does not belong here");
}

static qk_err on_line(struct reading *r, struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++)
        if ((v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] >= 0x7f)
            return bad(r, "byte %02x is not printable ASCII", v.p[i]);
    v = trim(v);
    if (v.len == 0 || v.p[0] == '#' || v.p[0] == ';') return QK_OK;
    return v.p[0] == '[' ? on_section(r, v) : on_field(r, v);
}

static qk_err read_lines(struct reading *r, struct qk_bytes text)
{
    while (text.len > 0) {
        const uint8_t *lf = memchr(text.p, '\n', text.len);
        size_t n = lf != NULL ? (size_t)(lf - text.p) : text.len;
        r->line++;
        QK_TRY(on_line(r, qk_bytes(text.p, n)));
        n += lf != NULL;
        text = qk_bytes(text.p + n, text.len - n);
    }
    r->line++;
    QK_TRY(end_section(r));
    r->line = 0;
    if (r->c->n < 2) return bad(r, "a cluster has at least 2 nodes");
    if (r->c->t > r->c->n)
        return bad(r, "threshold %u is more than the %zu nodes", r->c->t, r->c->n);
    return wire_cluster_seal(r->c);
}

qk_err wire_cluster_parse(
    struct wire_cluster **out, struct qk_bytes text, char *why, size_t why_len)
{
    why[0] = 0;
    struct wire_cluster *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    struct reading r = {.c = c, .why = why, .why_len = why_len};
    qk_err err =
        text.len > WIRE_CLUSTER_FILE_MAX ? bad(&r, "file is too large") : read_lines(&r, text);
    if (err == QK_OK) err = wire_seen_new(&c->seen, WIRE_CLUSTER_SEEN);
    if (err != QK_OK) {
        wire_cluster_free(c);
        return err;
    }
    *out = c;
    return QK_OK;
}

qk_err wire_cluster_read(struct wire_cluster **out, const char *path, char *why, size_t why_len)
{
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    qk_err err = qk_file_read(path, &text);
    if (err != QK_OK) {
        (void)snprintf(why, why_len, "%s: cannot be read: %s", path, qk_err_name(err));
        return err;
    }
    char reason[192];
    err = wire_cluster_parse(out, qk_buf_view(&text), reason, sizeof reason);
    if (err != QK_OK) (void)snprintf(why, why_len, "%s: %s", path, reason);
    return err;
}
