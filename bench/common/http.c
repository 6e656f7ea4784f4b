#include "common/http.h"

#include <strings.h>

struct parsing {
    struct bench_head *head;
    bool has_length;
};

static qk_err parse_length(struct parsing *p, struct qk_bytes v)
{
    size_t n = 0;
    QK_ENSURE(v.len > 0 && v.len <= 6 && !p->has_length, QK_E_MALFORMED);
    for (size_t i = 0; i < v.len; i++) {
        QK_ENSURE(v.p[i] >= '0' && v.p[i] <= '9', QK_E_MALFORMED);
        n = 10 * n + (size_t)(v.p[i] - '0');
    }
    p->head->body_len = n;
    p->has_length = true;
    return QK_OK;
}

static bool name_is(struct qk_bytes name, const char *lower)
{
    return name.len == strlen(lower) && strncasecmp((const char *)name.p, lower, name.len) == 0;
}

static qk_err parse_header(struct parsing *p, struct qk_bytes line)
{
    const uint8_t *colon = memchr(line.p, ':', line.len);
    QK_ENSURE(colon != NULL, QK_E_MALFORMED);
    struct qk_bytes name = qk_bytes(line.p, (size_t)(colon - line.p));
    struct qk_bytes v = qk_bytes(colon + 1, line.len - name.len - 1);
    while (v.len > 0 && v.p[0] == ' ') v = qk_bytes(v.p + 1, v.len - 1);
    if (name_is(name, "content-length")) return parse_length(p, v);
    QK_ENSURE(!name_is(name, "transfer-encoding"), QK_E_MALFORMED);
    if (name_is(name, "connection") && name_is(v, "close")) p->head->close = true;
    return QK_OK;
}

/* "HTTP/1.1 200 OK"; anything else is a request line. */
static qk_err parse_first(struct parsing *p, struct qk_bytes line)
{
    static const char version[] = "HTTP/1.1 ";
    unsigned status = 0;
    if (line.len < 9 || memcmp(line.p, version, 9) != 0) return QK_OK;
    QK_ENSURE(line.len >= 12, QK_E_MALFORMED);
    for (size_t i = 9; i < 12; i++) {
        QK_ENSURE(line.p[i] >= '0' && line.p[i] <= '9', QK_E_MALFORMED);
        status = 10 * status + (unsigned)(line.p[i] - '0');
    }
    p->head->status = status;
    return status >= 200 ? QK_OK : QK_E_MALFORMED; /* nobody asks for an interim answer */
}

qk_err bench_head_parse(struct bench_head *out, struct qk_bytes text)
{
    struct parsing p = {.head = out};
    *out = (struct bench_head){0};
    for (size_t at = 0; at < text.len;) {
        const uint8_t *nl = memchr(text.p + at, '\n', text.len - at);
        if (!nl) return QK_E_BUSY;
        size_t end = (size_t)(nl - text.p);
        QK_ENSURE(end > at && text.p[end - 1] == '\r', QK_E_MALFORMED);
        struct qk_bytes line = qk_bytes(text.p + at, end - 1 - at);
        out->len = end + 1;
        if (line.len == 0) return p.has_length ? QK_OK : QK_E_MALFORMED;
        QK_TRY(at == 0 ? parse_first(&p, line) : parse_header(&p, line));
        at = end + 1;
    }
    return QK_E_BUSY;
}
