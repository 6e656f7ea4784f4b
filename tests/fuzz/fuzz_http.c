/** libFuzzer target: the HTTP parser never misbehaves, and a request cut in
 *  two gives what the whole gives.
 *
 *  The first two bytes of the input say where to cut.
 *  Seeds: tests/fuzz/seeds/http.
 */
#include <stdlib.h>
#include "http/parser.h"

static const struct coord_http_limits limits = {256, 1024, 16, 512};

struct outcome {
    enum coord_http_event ev;
    size_t used;
};

/* The piece is copied, so that AddressSanitizer sees a read past its end. */
static void feed(struct coord_http_parser *p, struct outcome *o, const uint8_t *data, size_t end)
{
    while (o->used < end && o->ev != COORD_HTTP_DONE && o->ev != COORD_HTTP_REFUSED) {
        size_t size = end - o->used, used;
        uint8_t *piece = malloc(size);
        if (piece == NULL) abort();
        memcpy(piece, data + o->used, size);
        o->ev = coord_http_parser_feed(p, piece, size, &used);
        free(piece);
        if (o->ev == COORD_HTTP_MORE && used != size) abort();
        o->used += used;
    }
}

static void require_bounds(const struct coord_http_parser *p)
{
    const struct coord_http_message *m = &p->msg;
    if (m->text.len > limits.max_line + limits.max_head || m->body.len > limits.max_body) abort();
    if (m->n_fields > limits.max_headers) abort();
    for (size_t i = 0; i < m->n_fields; i++)
        if (m->fields[i].value.off + (size_t)m->fields[i].value.len > m->text.len) abort();
    if (p->status != 0 && (p->status < 400 || p->status > 505)) abort();
}

static void require_same(const struct coord_http_parser *a, const struct coord_http_parser *b)
{
    if (a->status != b->status) abort();
    if (a->status != 0) return;
    if (!qk_bytes_eq(qk_buf_view(&a->msg.text), qk_buf_view(&b->msg.text))) abort();
    if (!qk_bytes_eq(qk_buf_view(&a->msg.body), qk_buf_view(&b->msg.body))) abort();
    if (a->msg.n_fields != b->msg.n_fields || a->msg.keep_alive != b->msg.keep_alive) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t cut = qk_get_u16(data);
    data += 2;
    size -= 2;
    cut = size > 0 ? cut % size : 0;
    struct coord_http_parser whole, halves;
    struct outcome a = {COORD_HTTP_MORE, 0}, b = {COORD_HTTP_MORE, 0};
    coord_http_parser_init(&whole, &limits);
    coord_http_parser_init(&halves, &limits);
    feed(&whole, &a, data, size);
    feed(&halves, &b, data, cut);
    feed(&halves, &b, data, size);
    require_bounds(&whole);
    require_same(&whole, &halves);
    if (a.ev == COORD_HTTP_DONE && a.used != b.used) abort();
    coord_http_parser_reset(&whole);
    coord_http_parser_reset(&halves);
    return 0;
}
