#include "qk/chain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "qk/clock.h"
#include "qk/sha256.h"

static const char LABEL[] = "qkms-chain-v1";

enum {
    TIME_LEN = 24,
    HEX_LEN = 64,
    SEQ_DIGITS = 19,
    TAIL_LEN = 9 + HEX_LEN + 2, /* ,"hash":"HEX"} */
};

static void digest(struct qk_bytes covered, uint8_t out[static 32])
{
    struct qk_sha256 s;
    qk_sha256_begin(&s);
    qk_sha256_add(&s, LABEL, sizeof LABEL - 1);
    qk_sha256_add(&s, covered.p, covered.len);
    qk_sha256_end(&s, out);
}

qk_err qk_chain_append(
    struct qk_buf *out, struct qk_chain_head *head, uint64_t time_ms, struct qk_bytes members)
{
    QK_ENSURE(members.len > 0 && memchr(members.p, '\n', members.len) == NULL, QK_E_STATE);
    QK_ENSURE(head->seq < INT64_MAX, QK_E_STATE);
    char when[25], hex[2 * 32 + 1];
    qk_time_iso(time_ms, when);
    qk_hex(head->hash, 32, hex);

    size_t before = out->len;
    struct qk_chain_head next = {.seq = head->seq + 1};
    qk_buf_printf(out, "{\"seq\":%" PRIu64 ",\"time\":\"", next.seq);
    qk_buf_add_str(out, when);
    qk_buf_add_str(out, "\",\"prev\":\"");
    qk_buf_add_str(out, hex);
    qk_buf_add_str(out, "\",");
    qk_buf_add(out, members.p, members.len);
    qk_err err = out->err;
    if (err == QK_OK) digest(qk_bytes(out->p + before, out->len - before), next.hash);
    qk_hex(next.hash, 32, hex);
    qk_buf_add_str(out, ",\"hash\":\"");
    qk_buf_add_str(out, hex);
    qk_buf_add_str(out, "\"}\n");
    if (err == QK_OK) err = out->err;
    if (err == QK_OK && out->len - before > QK_CHAIN_LINE_MAX) err = QK_E_TOO_LARGE;
    if (err != QK_OK) {
        out->len = before;
        return err;
    }
    *head = next;
    return QK_OK;
}

/* A cursor over one line: each step eats what must stand there. */
struct eater {
    const char *p;
    size_t left;
};

static bool eat(struct eater *e, const char *text)
{
    size_t len = strlen(text);
    if (e->left < len || memcmp(e->p, text, len) != 0) return false;
    e->p += len;
    e->left -= len;
    return true;
}

static bool eat_number(struct eater *e, uint64_t *out)
{
    size_t n = 0;
    uint64_t v = 0;
    while (n < e->left && n < SEQ_DIGITS && e->p[n] >= '0' && e->p[n] <= '9')
        v = v * 10 + (uint64_t)(e->p[n++] - '0');
    if (n == 0 || e->p[0] == '0') return false;
    e->p += n;
    e->left -= n;
    *out = v;
    return true;
}

/* Lower case only: an entry has one spelling. */
static bool eat_hash(struct eater *e, uint8_t out[static 32])
{
    char again[HEX_LEN + 1];
    if (e->left < HEX_LEN || qk_unhex(qk_bytes(e->p, HEX_LEN), out, 32) != QK_OK) return false;
    qk_hex(out, 32, again);
    if (memcmp(again, e->p, HEX_LEN) != 0) return false;
    e->p += HEX_LEN;
    e->left -= HEX_LEN;
    return true;
}

struct entry {
    uint64_t seq;
    uint8_t prev[32];
    uint8_t hash[32];
    struct qk_bytes covered; /* what the hash is over */
};

static qk_err parse(struct qk_bytes line, struct entry *out)
{
    QK_ENSURE(line.len > TAIL_LEN && line.len < QK_CHAIN_LINE_MAX, QK_E_MALFORMED);
    out->covered = qk_bytes(line.p, line.len - TAIL_LEN);
    struct eater tail = {(const char *)line.p + out->covered.len, TAIL_LEN};
    QK_ENSURE(eat(&tail, ",\"hash\":\"") && eat_hash(&tail, out->hash) && eat(&tail, "\"}"),
        QK_E_MALFORMED);

    struct eater e = {(const char *)line.p, out->covered.len};
    QK_ENSURE(eat(&e, "{\"seq\":") && eat_number(&e, &out->seq), QK_E_MALFORMED);
    QK_ENSURE(eat(&e, ",\"time\":\"") && e.left > TIME_LEN, QK_E_MALFORMED);
    e.p += TIME_LEN;
    e.left -= TIME_LEN;
    QK_ENSURE(eat(&e, "\",\"prev\":\"") && eat_hash(&e, out->prev), QK_E_MALFORMED);
    QK_ENSURE(eat(&e, "\",") && e.left > 0, QK_E_MALFORMED);
    return QK_OK;
}

qk_err qk_chain_check(struct qk_bytes line, bool any, struct qk_chain_head *head)
{
    struct entry e;
    uint8_t hash[32];
    QK_TRY(parse(line, &e));
    digest(e.covered, hash);
    QK_ENSURE(memcmp(hash, e.hash, 32) == 0, QK_E_CORRUPT);
    if (!any) {
        QK_ENSURE(e.seq == head->seq + 1, QK_E_MISMATCH);
        QK_ENSURE(memcmp(e.prev, head->hash, 32) == 0, QK_E_MISMATCH);
    }
    head->seq = e.seq;
    memcpy(head->hash, e.hash, 32);
    return QK_OK;
}

struct walk {
    const struct qk_chain_head *expect;
    struct qk_chain_report *report;
    bool any; /* the next line's word is taken for where it follows */
};

static void note_expected(struct walk *w, const struct qk_chain_head *h)
{
    if (w->expect == NULL || h->seq != w->expect->seq) return;
    w->report->saw_expected = memcmp(h->hash, w->expect->hash, 32) == 0;
}

static qk_err broken(struct qk_chain_report *r, qk_err err, uint64_t after)
{
    const char *what = "is not an entry";
    if (err == QK_E_CORRUPT) what = "was changed: its hash is wrong";
    if (err == QK_E_MISMATCH) what = "does not follow the line before: lines are missing or moved";
    r->bad_line = r->n_lines + 1;
    (void)snprintf(r->why, sizeof r->why, "line %" PRIu64 " %s (after seq %" PRIu64 ")",
        r->bad_line, what, after);
    return QK_E_CORRUPT;
}

static qk_err take_line(struct walk *w, struct qk_bytes line)
{
    struct qk_chain_report *r = w->report;
    struct entry e;
    if (w->any) {
        qk_err err = parse(line, &e);
        if (err != QK_OK) return broken(r, err, 0);
        r->first.seq = e.seq - 1;
        memcpy(r->first.hash, e.prev, 32);
        r->last = r->first;
        note_expected(w, &r->first);
        w->any = false;
    }
    uint64_t after = r->last.seq;
    qk_err err = qk_chain_check(line, false, &r->last);
    if (err == QK_E_NOMEM || err == QK_E_CRYPTO) return err;
    if (err != QK_OK) return broken(r, err, after);
    note_expected(w, &r->last);
    r->n_lines++;
    r->good_bytes += line.len + 1;
    return QK_OK;
}

static qk_err take_all(struct walk *w, FILE *f)
{
    char *line = malloc(QK_CHAIN_LINE_MAX + 1);
    QK_ENSURE(line != NULL, QK_E_NOMEM);
    qk_err err = QK_OK;
    size_t len = 0;
    for (int c; err == QK_OK && (c = getc_unlocked(f)) != EOF;) {
        if (c == '\n') {
            err = take_line(w, qk_bytes(line, len));
            len = 0;
        } else if (len < QK_CHAIN_LINE_MAX) {
            line[len++] = (char)c;
        } else {
            err = broken(w->report, QK_E_MALFORMED, w->report->last.seq);
        }
    }
    if (err == QK_OK && ferror(f)) err = QK_E_IO;
    w->report->torn = err == QK_OK && len > 0;
    free(line);
    return err;
}

static bool is_zero_head(const struct qk_chain_head *h)
{
    return h->seq == 0;
}

static qk_err finish(struct walk *w)
{
    struct qk_chain_report *r = w->report;
    if (w->expect == NULL || is_zero_head(w->expect)) r->saw_expected = true;
    if (r->saw_expected) return QK_OK;
    if (r->last.seq < w->expect->seq)
        (void)snprintf(r->why, sizeof r->why,
            "entries are missing at the end: the last is seq %" PRIu64 ", seq %" PRIu64
            " was written",
            r->last.seq, w->expect->seq);
    else
        (void)snprintf(r->why, sizeof r->why, "seq %" PRIu64 " is not the entry that was written",
            w->expect->seq);
    return QK_E_CORRUPT;
}

qk_err qk_chain_verify_file(const char *path, const struct qk_chain_head *start,
    const struct qk_chain_head *expect, struct qk_chain_report *report)
{
    memset(report, 0, sizeof *report);
    struct walk w = {expect, report, start == NULL};
    if (start != NULL) {
        report->first = report->last = *start;
        note_expected(&w, start);
    }
    FILE *f = fopen(path, "re");
    if (f == NULL) return QK_E_NOT_FOUND;
    qk_err err = take_all(&w, f);
    (void)fclose(f);
    return err == QK_OK ? finish(&w) : err;
}
