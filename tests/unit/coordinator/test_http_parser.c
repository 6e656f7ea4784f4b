#include "qktest/qktest.h"

#include <stdio.h>
#include <stdlib.h>
#include "http/parser.h"

static const struct coord_http_limits limits = {512, 1024, 8, 64};

struct outcome {
    enum coord_http_event ev;
    unsigned status;
    size_t used;
    bool keep_alive, expects;
    char text[4096]; /* METHOD TARGET|name=value|...|body */
};

static void describe(const struct coord_http_message *m, struct outcome *o)
{
    int n = snprintf(o->text, sizeof o->text, "%.*s %.*s", (int)m->method.len,
        m->text.p + m->method.off, (int)m->target.len, m->text.p + m->target.off);
    for (size_t i = 0; i < m->n_fields; i++)
        n += snprintf(o->text + n, sizeof o->text - (size_t)n, "|%.*s=%.*s",
            (int)m->fields[i].name.len, m->text.p + m->fields[i].name.off,
            (int)m->fields[i].value.len, m->text.p + m->fields[i].value.off);
    (void)snprintf(o->text + n, sizeof o->text - (size_t)n, "|%.*s", (int)m->body.len,
        m->body.len > 0 ? (const char *)m->body.p : "");
    o->keep_alive = m->keep_alive;
    o->expects = m->expect_continue;
}

/* Feed in pieces that end at the n_cuts positions, then the rest. */
static struct outcome parse_cut(const char *in, size_t len, const size_t *cuts, size_t n_cuts)
{
    struct coord_http_parser p;
    struct outcome o = {.ev = COORD_HTTP_MORE};
    coord_http_parser_init(&p, &limits);
    for (size_t i = 0; i <= n_cuts; i++) {
        size_t end = i < n_cuts ? cuts[i] : len;
        while (o.used < end && o.ev != COORD_HTTP_DONE && o.ev != COORD_HTTP_REFUSED) {
            /* an exact copy, so that ASan sees a read past the piece */
            size_t size = end - o.used, used;
            uint8_t *piece = malloc(size);
            memcpy(piece, in + o.used, size);
            o.ev = coord_http_parser_feed(&p, piece, size, &used);
            free(piece);
            o.used += used;
        }
    }
    if (o.ev == COORD_HTTP_HEAD) o.ev = COORD_HTTP_MORE; /* an empty rest */
    o.status = p.status;
    if (o.ev == COORD_HTTP_DONE) describe(&p.msg, &o);
    coord_http_parser_reset(&p);
    return o;
}

static struct outcome parse(const char *in)
{
    return parse_cut(in, strlen(in), NULL, 0);
}

#define H "Host: h\r\n"

static const struct {
    const char *in, *want;
    bool keep_alive;
} good[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", "GET /|Host=h|", true},
    {"\r\nGET / HTTP/1.1\r\n" H "\r\n", "GET /|Host=h|", true},
    {"POST /a?b=%2F HTTP/1.1\r\n" H "Content-Length: 5\r\n\r\nhello",
        "POST /a?b=%2F|Host=h|Content-Length=5|hello", true},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0\r\n\r\n", "POST /|Host=h|Content-Length=0|", true},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST /|Host=h|Transfer-Encoding=chunked|hello", true},
    {"POST / HTTP/1.1\r\n" H
     "Transfer-Encoding: Chunked\r\n\r\n3;a=b\r\nhel\r\n02\r\nlo\r\n0\r\n\r\n",
        "POST /|Host=h|Transfer-Encoding=Chunked|hello", true},
    {"GET / HTTP/1.1\r\nHOST:\t h \t\r\nX:\r\nY:  a  b\t \r\n\r\n", "GET /|HOST=h|X=|Y=a  b|",
        true},
    {"GET / HTTP/1.1\r\n" H "Connection: foo, Close\r\n\r\n", "GET /|Host=h|Connection=foo, Close|",
        false},
    {"GET / HTTP/1.1\r\n" H "X: \xc3\xa9\r\n\r\n", "GET /|Host=h|X=\xc3\xa9|", true},
    {"GET / HTTP/1.0\r\n\r\n", "GET /|", false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /|Connection=keep-alive|", false},
    {"GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", "GET /|Host=[::1]:8443|", true},
};

#define G    "GET / HTTP/1.1\r\n" H
#define P    "POST / HTTP/1.1\r\n" H
#define TE   "Transfer-Encoding: chunked\r\n"
#define X64  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X512 X64 X64 X64 X64 X64 X64 X64 X64

static const struct {
    const char *what, *in;
    unsigned status;
} bad[] = {
    {"two lengths that differ", P "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
    {"two lengths that agree", P "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
    {"length and coding", P "Content-Length: 5\r\n" TE "\r\n", 400},
    {"coding and length", P TE "Content-Length: 5\r\n\r\n", 400},
    {"coding xchunked", P "Transfer-Encoding: xchunked\r\n\r\n", 501},
    {"coding gzip, chunked", P "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
    {"coding chunked, chunked", P "Transfer-Encoding: chunked, chunked\r\n\r\n", 501},
    {"empty coding", P "Transfer-Encoding:\r\n\r\n", 501},
    {"two codings", P TE TE "\r\n", 400},
    {"coding on 1.0", "POST / HTTP/1.0\r\n" TE "\r\n", 400},
    {"space before the colon", P "Content-Length : 5\r\n\r\nhello", 400},
    {"tab before the colon", P "Content-Length\t: 5\r\n\r\nhello", 400},
    {"folded header", G "X: a\r\n b\r\n\r\n", 400},
    {"folded with a tab", G "X: a\r\n\tb\r\n\r\n", 400},
    {"white space before the first header", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400},
    {"length +5", P "Content-Length: +5\r\n\r\n", 400},
    {"length -0", P "Content-Length: -0\r\n\r\n", 400},
    {"length 0x5", P "Content-Length: 0x5\r\n\r\n", 400},
    {"length 5, 5", P "Content-Length: 5, 5\r\n\r\n", 400},
    {"length 1 2", P "Content-Length: 1 2\r\n\r\n", 400},
    {"empty length", P "Content-Length:\r\n\r\n", 400},
    {"length over the limit", P "Content-Length: 65\r\n\r\n", 413},
    {"length over 64 bits", P "Content-Length: 18446744073709551617\r\n\r\n", 413},
    {"length of 40 digits", P "Content-Length: 9999999999999999999999999999999999999999\r\n\r\n",
        413},
    {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
    {"two hosts", G H "\r\n", 400},
    {"two hosts on 1.0", "GET / HTTP/1.0\r\n" H H "\r\n", 400},
    {"empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
    {"host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
    {"host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
    {"host with user", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
    {"control character in a value",
        G "X: a\x01"
          "b\r\n\r\n",
        400},
    {"DEL in a value", G "X: a\x7f\r\n\r\n", 400},
    {"bare LF behind the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
    {"bare LF behind a header", G "X: a\nY: b\r\n\r\n", 400},
    {"bare LF ends the head", G "\n", 400},
    {"bare CR in a value", G "X: a\rb\r\n\r\n", 400},
    {"bare CR in the request line", "GET /\rHTTP/1.1\r\n", 400},
    {"bare CR ends the head", G "\rx", 400},
    {"header without a colon", G "nonsense\r\n\r\n", 400},
    {"empty header name", G ": x\r\n\r\n", 400},
    {"header name with a space", G "a b: x\r\n\r\n", 400},
    {"header name with UTF-8", G "\xc3\xa9: x\r\n\r\n", 400},
    {"lower-case method", "post / HTTP/1.1\r\n", 400},
    {"method with a digit", "GET1 / HTTP/1.1\r\n", 400},
    {"method of 17 letters", "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n", 400},
    {"no method", " / HTTP/1.1\r\n", 400},
    {"two spaces", "GET  / HTTP/1.1\r\n", 400},
    {"two spaces before the version", "GET /  HTTP/1.1\r\n", 400},
    {"no version (0.9)", "GET /\r\n", 400},
    {"absolute form", "GET http://h/ HTTP/1.1\r\n", 400},
    {"asterisk form", "OPTIONS * HTTP/1.1\r\n", 400},
    {"authority form", "CONNECT h:443 HTTP/1.1\r\n", 400},
    {"fragment", "GET /a#b HTTP/1.1\r\n", 400},
    {"backslash", "GET /a\\b HTTP/1.1\r\n", 400},
    {"percent without digits", "GET /%4 HTTP/1.1\r\n", 400},
    {"percent at the end", "GET /% HTTP/1.1\r\n", 400},
    {"UTF-8 in the target", "GET /\xc3\xa9 HTTP/1.1\r\n", 400},
    {"HTTP/2.0", "GET / HTTP/2.0\r\n", 505},
    {"HTTP/1.2", "GET / HTTP/1.2\r\n", 505},
    {"HTTP/0.9", "GET / HTTP/0.9\r\n", 505},
    {"HTTP/1.10", "GET / HTTP/1.10\r\n", 400},
    {"http/1.1", "GET / http/1.1\r\n", 400},
    {"space behind the version", "GET / HTTP/1.1 \r\n", 400},
    {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
    {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\n", 400},
    {"a TLS hello", "\x16\x03\x01\x02", 400},
    {"expectation unknown", G "Expect: 200-ok\r\n\r\n", 417},
    {"two expectations", P "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 400},
    {"request line over the limit", "GET /" X512 " HTTP/1.1\r\n", 414},
    {"header line over the limit", G "X: " X512 X512 "\r\n\r\n", 431},
    {"header name over the limit", G X512 X512 "x: \r\n\r\n", 431},
    {"white space over the limit", G "X: " X512 "\r\nY:           " X512 "\r\n\r\n", 431},
    {"nine headers", G "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\n\r\n", 431},
    {"connection that is no list", G "Connection: a/b\r\n\r\n", 400},
    {"chunk size missing", P TE "\r\n\r\n", 400},
    {"chunk size not hexadecimal", P TE "\r\nx\r\n", 400},
    {"chunk size with 0x", P TE "\r\n0x5\r\nhello\r\n", 400},
    {"chunk size negative", P TE "\r\n-1\r\n", 400},
    {"chunk size with a space first", P TE "\r\n 5\r\nhello", 400},
    {"chunk size with a space behind", P TE "\r\n5 \r\nhello", 400},
    {"chunk size of nine digits", P TE "\r\n000000005\r\nhello", 400},
    {"chunk over the limit", P TE "\r\n41\r\n", 413},
    {"chunks over the limit together", P TE "\r\n1\r\nx\r\n40\r\n", 413},
    {"chunk size with a bare LF", P TE "\r\n5\nhello\r\n0\r\n\r\n", 400},
    {"chunk longer than said", P TE "\r\n5\r\nhelloo\r\n0\r\n\r\n", 400},
    {"chunk ended by a bare LF", P TE "\r\n5\r\nhello\n0\r\n\r\n", 400},
    {"control character in an extension", P TE "\r\n5;\x01\r\nhello", 400},
    {"extensions over the limit", P TE "\r\n5;" X512 X512 "\r\nhello", 400},
    {"trailer", P TE "\r\n0\r\nX: y\r\n\r\n", 400},
    {"last chunk ended by a bare LF", P TE "\r\n0\r\n\n", 400},
};

QK_TEST(http_parser, reads_every_good_request)
{
    for (size_t i = 0; i < QK_COUNT(good); i++) {
        struct outcome o = parse(good[i].in);
        cr_expect_eq(o.ev, COORD_HTTP_DONE, "%s", good[i].in);
        cr_expect_str_eq(o.text, good[i].want);
        cr_expect_eq(o.keep_alive, good[i].keep_alive, "%s", good[i].in);
        cr_expect_eq(o.used, strlen(good[i].in), "%s", good[i].in);
    }
}

QK_TEST(http_parser, refuses_everything_ambiguous_with_its_status)
{
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct outcome o = parse(bad[i].in);
        cr_expect_eq(o.ev, COORD_HTTP_REFUSED, "%s", bad[i].what);
        cr_expect_eq(o.status, bad[i].status, "%s gave %u", bad[i].what, o.status);
    }
}

QK_TEST(http_parser, refuses_nul_anywhere_in_a_head)
{
    static const char *const heads[] = {"GET /?a HTTP/1.1\r\nHost: h\r\nX: v\r\n\r\n"};
    char copy[64];
    size_t len = strlen(heads[0]);
    for (size_t i = 0; i < len; i++) {
        memcpy(copy, heads[0], len);
        copy[i] = '\0';
        struct outcome o = parse_cut(copy, len, NULL, 0);
        cr_expect_eq(o.ev, COORD_HTTP_REFUSED, "NUL at %zu", i);
        cr_expect_eq(o.status, 400, "NUL at %zu", i);
    }
}

static void same(const struct outcome *a, const struct outcome *b, const char *in, size_t at)
{
    cr_expect_eq(a->ev, b->ev, "cut at %zu of %s", at, in);
    cr_expect_eq(a->status, b->status, "cut at %zu of %s", at, in);
    if (a->ev == COORD_HTTP_DONE) cr_expect_eq(a->used, b->used, "cut at %zu of %s", at, in);
    cr_expect_str_eq(a->text, b->text);
}

static void split_everywhere(const char *in)
{
    size_t len = strlen(in), each[2048];
    struct outcome whole = parse(in), o;
    for (size_t i = 1; i < len; i++) {
        each[i - 1] = i;
        o = parse_cut(in, len, &i, 1);
        same(&whole, &o, in, i);
    }
    o = parse_cut(in, len, each, len - 1); /* byte by byte */
    same(&whole, &o, in, 0);
}

QK_TEST(http_parser, gives_the_same_result_for_every_split)
{
    for (size_t i = 0; i < QK_COUNT(good); i++) split_everywhere(good[i].in);
    for (size_t i = 0; i < QK_COUNT(bad); i++) split_everywhere(bad[i].in);
}

QK_TEST(http_parser, wants_more_for_every_proper_prefix)
{
    for (size_t i = 0; i < QK_COUNT(good); i++)
        for (size_t len = 0; len < strlen(good[i].in); len++)
            cr_expect_eq(parse_cut(good[i].in, len, NULL, 0).ev, COORD_HTTP_MORE, "%zu of %s", len,
                good[i].in);
}

QK_TEST(http_parser, leaves_the_next_request_unread)
{
    struct outcome o = parse(G "\r\nGET /2 HTTP/1.1\r\n");
    cr_assert_eq(o.ev, COORD_HTTP_DONE);
    cr_assert_eq(o.used, strlen(G "\r\n"));
}

QK_TEST(http_parser, expects_100_only_when_a_body_comes)
{
    cr_assert(parse(P "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx").expects);
    cr_assert_not(parse(P "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n").expects);
    cr_assert_not(parse("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expects);
}

QK_TEST(http_parser, accepts_exactly_the_limits)
{
    char in[2048];
    int n = snprintf(in, sizeof in, "GET /%.*s HTTP/1.1\r\nHost: h\r\n\r\n", 512 - 6, X512);
    cr_assert_eq(parse_cut(in, (size_t)n, NULL, 0).status, 0);
    cr_assert_eq(parse(P "Content-Length: 64\r\n\r\n" X64).ev, COORD_HTTP_DONE);
    cr_assert_eq(parse(P TE "\r\n40\r\n" X64 "\r\n0\r\n\r\n").ev, COORD_HTTP_DONE);
    cr_assert_eq(parse(G "a:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\n\r\n").ev, COORD_HTTP_DONE);
}

/* ---- mutated inputs ---- */

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

static size_t mutate(uint64_t *s, const char *in, char *out, size_t max)
{
    static const char spice[] = "\r\n\t :;,0123456789abcdefGETPOST/%\x01\x7f\xff\x00HTTP1.";
    size_t len = strlen(in) < max ? strlen(in) : max;
    memcpy(out, in, len);
    for (uint64_t n = next(s) % 4 + 1; n > 0 && len > 1; n--) {
        size_t at = next(s) % len;
        switch (next(s) % 3) {
        case 0:
            out[at] = spice[next(s) % (sizeof spice - 1)];
            break;
        case 1:
            memmove(out + at, out + at + 1, --len - at);
            break;
        default:
            if (len == max) break;
            memmove(out + at + 1, out + at, len++ - at);
            out[at] = spice[next(s) % (sizeof spice - 1)];
        }
    }
    return len;
}

QK_TEST(http_parser, survives_mutation_and_splits_it_alike)
{
    uint64_t seed = 20261125;
    cr_log_info("seed %llu", (unsigned long long)seed);
    char buf[2048];
    for (int i = 0; i < 20000; i++) {
        size_t k = next(&seed) % (QK_COUNT(good) + QK_COUNT(bad));
        const char *in = k < QK_COUNT(good) ? good[k].in : bad[k - QK_COUNT(good)].in;
        size_t len = mutate(&seed, in, buf, sizeof buf);
        size_t cut = next(&seed) % (len + 1);
        struct outcome whole = parse_cut(buf, len, NULL, 0);
        struct outcome split = parse_cut(buf, len, &cut, 1);
        same(&whole, &split, "mutant", cut);
        cr_assert(whole.ev != COORD_HTTP_REFUSED || whole.status >= 400);
    }
}
