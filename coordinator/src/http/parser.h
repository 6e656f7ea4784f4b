/** HTTP/1.1 requests, byte at a time: a pure state machine without I/O.
 *
 *  Source: RFC 9112 (syntax, framing), RFC 9110 (fields, Expect), narrowed:
 *  whatever two recipients could read in two ways is refused. Any split of
 *  the same bytes over calls gives the same result.
 *
 *      coord_http_parser_init(&p, &limits);
 *      for (;;) { ev = coord_http_parser_feed(&p, data, len, &used); ... }
 *
 *  Chunk extensions are read and ignored within COORD_HTTP_EXT_MAX bytes a request;
 *  trailers are refused. One empty line before a request line is ignored.
 */
#ifndef COORD_HTTP_PARSER_H
#define COORD_HTTP_PARSER_H

#include "qk/bytes.h"

#define COORD_HTTP_METHOD_MAX 16
#define COORD_HTTP_EXT_MAX    1024

struct coord_http_limits {
    size_t max_line, max_head, max_headers, max_body;
};

/** A piece of the text buffer. */
struct coord_http_span {
    uint32_t off, len;
};

struct coord_http_field {
    struct coord_http_span name, value;
};

/** A request as far as it was read. Text and body are wiped when freed: they may hold a bearer
 *  secret or a plaintext. */
struct coord_http_message {
    struct qk_buf text; /* method, target, names and values, one behind the other */
    struct qk_buf body;
    struct coord_http_span method, target;
    struct coord_http_field *fields; /* room for max_headers */
    size_t n_fields;
    bool keep_alive;      /* HTTP/1.1 without "Connection: close" */
    bool expect_continue; /* "Expect: 100-continue" on 1.1 with a body to come */
};

enum coord_http_event {
    COORD_HTTP_MORE,    /* every byte used, more are needed */
    COORD_HTTP_HEAD,    /* the head is complete and acceptable, a body follows; once a request */
    COORD_HTTP_DONE,    /* the request is complete; bytes behind it were not used */
    COORD_HTTP_REFUSED, /* p->status says why; nothing more will be read */
};

struct coord_http_parser {
    const struct coord_http_limits *limits; /* borrowed */
    struct coord_http_message msg;
    unsigned state;  /* enum state of parser.c */
    unsigned status; /* 400, 413, 414, 417, 431, 501, 503 (out of memory) or 505 once refused */
    size_t n_line;   /* bytes of the request line so far */
    size_t n_head;   /* bytes of the header lines so far */
    size_t n_ext;    /* bytes of chunk extensions so far */
    uint64_t left;   /* bytes of the body, or of this chunk, still to come */
    unsigned digits; /* hexadecimal digits of this chunk's size so far */
    uint8_t version[8];
    bool v11, has_host, has_length, chunked, has_coding, has_expect, bad_expect, bad_coding, close;
};

void coord_http_parser_init(struct coord_http_parser *p, const struct coord_http_limits *limits);

/** Read some of data; *used is how much. Not to be called again after COORD_HTTP_REFUSED or
 * COORD_HTTP_DONE before coord_http_parser_take or coord_http_parser_reset; if it is, it returns
 * the same and uses nothing. */
enum coord_http_event coord_http_parser_feed(
    struct coord_http_parser *p, const uint8_t *data, size_t len, size_t *used);

/** Move the complete request out (after COORD_HTTP_DONE) and be ready for the next. */
void coord_http_parser_take(struct coord_http_parser *p, struct coord_http_message *out);

/** Wipe and forget; ready for a new request. */
void coord_http_parser_reset(struct coord_http_parser *p);

void coord_http_message_free(struct coord_http_message *m);

static inline struct qk_bytes coord_http_text(
    const struct coord_http_message *m, struct coord_http_span s)
{
    return qk_bytes(m->text.p + s.off, s.len);
}

/** Take the meaning of the field just read (Host, Content-Length, ...) into p.
 *  Returns 0, or the status that refuses the request at once. */
unsigned coord_http_field_apply(
    struct coord_http_parser *p, struct qk_bytes name, struct qk_bytes value);

/** The checks that need the whole head. Returns 0 or a status. */
unsigned coord_http_head_check(struct coord_http_parser *p);

/** Equality without regard to ASCII letter case. */
bool coord_http_same_word(struct qk_bytes a, const char *b);

/* Character classes of RFC 9110 and RFC 3986. */
bool coord_http_is_token(uint8_t c);
bool coord_http_is_value(uint8_t c);  /* field-vchar, obs-text, SP, HTAB */
bool coord_http_is_target(uint8_t c); /* pchar, '/', '?', '%' */

#endif
