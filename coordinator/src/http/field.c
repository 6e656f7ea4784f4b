#include "http/parser.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool coord_http_same_word(struct qk_bytes a, const char *b)
{
    size_t i = 0;
    for (; i < a.len && b[i] != '\0'; i++)
        if (lower(a.p[i]) != lower((uint8_t)b[i])) return false;
    return i == a.len && b[i] == '\0';
}

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool one_of(uint8_t c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

bool coord_http_is_token(uint8_t c)
{
    return is_alnum(c) || one_of(c, "!#$%&'*+-.^_`|~");
}

bool coord_http_is_value(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

bool coord_http_is_target(uint8_t c)
{
    return is_alnum(c) || one_of(c, "-._~!$&'()*+,;=:@/?%");
}

/* Not empty, and nothing by which a second reader could see another host. */
static unsigned on_host(struct coord_http_parser *p, struct qk_bytes value)
{
    if (p->has_host || value.len == 0) return 400;
    for (size_t i = 0; i < value.len; i++)
        if (!is_alnum(value.p[i]) && !one_of(value.p[i], "-._~:[]%")) return 400;
    p->has_host = true;
    return 0;
}

static unsigned on_length(struct coord_http_parser *p, struct qk_bytes value)
{
    if (p->has_length || value.len == 0) return 400;
    uint64_t n = 0;
    bool huge = false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') return 400;
        if (n > (UINT64_MAX - 9) / 10) huge = true;
        n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    p->has_length = true;
    p->left = huge ? UINT64_MAX : n;
    return 0;
}

static unsigned on_coding(struct coord_http_parser *p, struct qk_bytes value)
{
    if (p->has_coding) return 400;
    p->has_coding = true;
    p->chunked = coord_http_same_word(value, "chunked");
    p->bad_coding = !p->chunked;
    return 0;
}

static unsigned on_expect(struct coord_http_parser *p, struct qk_bytes value)
{
    if (p->has_expect) return 400;
    p->has_expect = true;
    p->bad_expect = !coord_http_same_word(value, "100-continue");
    return 0;
}

/* A list of tokens; only "close" has a meaning here. */
static unsigned on_connection(struct coord_http_parser *p, struct qk_bytes value)
{
    size_t i = 0;
    while (i < value.len) {
        while (i < value.len && one_of(value.p[i], " \t,")) i++;
        size_t start = i;
        while (i < value.len && coord_http_is_token(value.p[i])) i++;
        if (coord_http_same_word(qk_bytes(value.p + start, i - start), "close")) p->close = true;
        if (i < value.len && !one_of(value.p[i], " \t,")) return 400;
    }
    return 0;
}

unsigned coord_http_field_apply(
    struct coord_http_parser *p, struct qk_bytes name, struct qk_bytes value)
{
    static const struct {
        const char *name;
        unsigned (*on)(struct coord_http_parser *, struct qk_bytes);
    } known[] = {
        {"host", on_host},
        {"content-length", on_length},
        {"transfer-encoding", on_coding},
        {"expect", on_expect},
        {"connection", on_connection},
    };
    for (size_t i = 0; i < QK_COUNT(known); i++)
        if (coord_http_same_word(name, known[i].name)) return known[i].on(p, value);
    return 0;
}

unsigned coord_http_head_check(struct coord_http_parser *p)
{
    if (p->v11 && !p->has_host) return 400;
    if (p->has_coding && (p->has_length || !p->v11)) return 400; /* framing in two ways */
    if (p->bad_coding) return 501;
    if (p->v11 && p->bad_expect) return 417;
    if (p->has_length && p->left > p->limits->max_body) return 413;
    p->msg.keep_alive = p->v11 && !p->close;
    p->msg.expect_continue = p->v11 && p->has_expect && (p->chunked || p->left > 0);
    return 0;
}
