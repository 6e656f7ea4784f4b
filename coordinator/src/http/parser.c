#include "http/parser.h"

#include <stdlib.h>

enum state {
    ST_START,
    ST_START_LF,
    ST_METHOD,
    ST_TARGET,
    ST_VERSION,
    ST_LINE_LF,
    ST_FIELD, /* first byte of a header line */
    ST_NAME,
    ST_LEAD, /* white space before a value */
    ST_VALUE,
    ST_VALUE_LF,
    ST_HEAD_LF,
    ST_BODY,
    ST_SIZE,
    ST_EXT,
    ST_SIZE_LF,
    ST_CHUNK,
    ST_CHUNK_CR,
    ST_CHUNK_LF,
    ST_LAST_CR,
    ST_LAST_LF,
    ST_DONE,
    ST_REFUSED,
    N_STATES
};

struct input {
    const uint8_t *p, *end;
};

/* The states each read one byte or more, or change the state. A handler
 * returns COORD_HTTP_MORE to go on; anything else leaves the loop. */
typedef enum coord_http_event step_fn(struct coord_http_parser *p, struct input *in);

static enum coord_http_event refuse(struct coord_http_parser *p, unsigned status)
{
    p->status = status;
    p->state = ST_REFUSED;
    return COORD_HTTP_REFUSED;
}

static enum coord_http_event become(struct coord_http_parser *p, enum state next)
{
    p->state = next;
    return COORD_HTTP_MORE;
}

/* Exactly the byte c, then the state next. */
static enum coord_http_event expect(
    struct coord_http_parser *p, struct input *in, uint8_t c, enum state next)
{
    if (*in->p != c) return refuse(p, 400);
    in->p++;
    return become(p, next);
}

/* How many bytes of the input are of a class, looking at no more than max. */
static size_t run_of(const struct input *in, bool (*is)(uint8_t), size_t max)
{
    size_t n = 0;
    while (n < max && in->p + n < in->end && is(in->p[n])) n++;
    return n;
}

/* Move n bytes of input to the end of a span (the last one in the text). */
static bool keep(
    struct coord_http_parser *p, struct input *in, struct coord_http_span *span, size_t n)
{
    if (span->len == 0) span->off = (uint32_t)p->msg.text.len;
    qk_buf_add(&p->msg.text, in->p, n);
    in->p += n;
    span->len += (uint32_t)n;
    return p->msg.text.err == QK_OK;
}

static struct coord_http_field *last_field(struct coord_http_parser *p)
{
    return &p->msg.fields[p->msg.n_fields - 1];
}

/* Count n bytes of header lines; false once there are too many. */
static bool count_head(struct coord_http_parser *p, size_t n)
{
    p->n_head += n;
    return p->n_head <= p->limits->max_head;
}

/* ---- request line ---- */

static enum coord_http_event on_start(struct coord_http_parser *p, struct input *in)
{
    if (*in->p != '\r' || p->n_line != 0) return become(p, ST_METHOD);
    p->n_line = 1; /* a second empty line is not ignored */
    in->p++;
    return become(p, ST_START_LF);
}

static enum coord_http_event on_start_lf(struct coord_http_parser *p, struct input *in)
{
    return expect(p, in, '\n', ST_START);
}

static bool is_upper(uint8_t c)
{
    return c >= 'A' && c <= 'Z';
}

static enum coord_http_event on_method(struct coord_http_parser *p, struct input *in)
{
    struct coord_http_span *method = &p->msg.method;
    size_t n = run_of(in, is_upper, COORD_HTTP_METHOD_MAX - method->len);
    p->n_line += n;
    if (n > 0) return keep(p, in, method, n) ? COORD_HTTP_MORE : refuse(p, 503);
    if (method->len == 0) return refuse(p, 400);
    p->n_line++;
    return expect(p, in, ' ', ST_TARGET);
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* origin-form only, every '%' with its two digits. */
static bool target_ok(struct qk_bytes t)
{
    if (t.len == 0 || t.p[0] != '/') return false;
    for (size_t i = 0; i < t.len; i++)
        if (t.p[i] == '%' && (t.len - i < 3 || !is_hex(t.p[i + 1]) || !is_hex(t.p[i + 2])))
            return false;
    return true;
}

static enum coord_http_event on_target(struct coord_http_parser *p, struct input *in)
{
    struct coord_http_span *target = &p->msg.target;
    if (target->len == 0 && *in->p != '/') return refuse(p, 400);
    if (p->n_line >= p->limits->max_line) return refuse(p, 414);
    size_t n = run_of(in, coord_http_is_target, p->limits->max_line - p->n_line);
    p->n_line += n;
    if (n > 0) return keep(p, in, target, n) ? COORD_HTTP_MORE : refuse(p, 503);
    if (!target_ok(coord_http_text(&p->msg, *target))) return refuse(p, 400);
    p->digits = 0;
    return expect(p, in, ' ', ST_VERSION);
}

static enum coord_http_event on_version(struct coord_http_parser *p, struct input *in)
{
    static const char form[] = "HTTP/#.#";
    uint8_t c = *in->p++;
    unsigned i = p->digits;
    bool fits = form[i] == '#' ? (c >= '0' && c <= '9') : c == (uint8_t)form[i];
    if (!fits) return refuse(p, 400);
    p->version[p->digits++] = c;
    if (p->digits < sizeof p->version) return COORD_HTTP_MORE;
    if (p->version[5] != '1' || p->version[7] > '1') return refuse(p, 505);
    p->v11 = p->version[7] == '1';
    return become(p, ST_LINE_LF);
}

/* The CR and the LF behind the version. */
static enum coord_http_event on_line_lf(struct coord_http_parser *p, struct input *in)
{
    if (p->digits == sizeof p->version) {
        p->digits = 0;
        return expect(p, in, '\r', ST_LINE_LF);
    }
    return expect(p, in, '\n', ST_FIELD);
}

/* ---- header lines ---- */

static enum coord_http_event on_field(struct coord_http_parser *p, struct input *in)
{
    if (*in->p == '\r') {
        in->p++;
        return become(p, ST_HEAD_LF);
    }
    struct coord_http_message *m = &p->msg;
    if (m->n_fields >= p->limits->max_headers) return refuse(p, 431);
    if (m->fields == NULL) m->fields = calloc(p->limits->max_headers, sizeof *m->fields);
    if (m->fields == NULL) return refuse(p, 503);
    m->fields[m->n_fields++] = (struct coord_http_field){{0, 0}, {0, 0}};
    return become(p, ST_NAME);
}

static enum coord_http_event on_name(struct coord_http_parser *p, struct input *in)
{
    struct coord_http_span *name = &last_field(p)->name;
    size_t n = run_of(in, coord_http_is_token, p->limits->max_head + 1 - p->n_head);
    if (n == 0 && name->len == 0) return refuse(p, 400); /* also a folded line */
    if (!count_head(p, n > 0 ? n : 1)) return refuse(p, 431);
    if (n > 0) return keep(p, in, name, n) ? COORD_HTTP_MORE : refuse(p, 503);
    return expect(p, in, ':', ST_LEAD);
}

static enum coord_http_event on_lead(struct coord_http_parser *p, struct input *in)
{
    if (*in->p != ' ' && *in->p != '\t') {
        last_field(p)->value.off = (uint32_t)p->msg.text.len;
        return become(p, ST_VALUE);
    }
    in->p++;
    return count_head(p, 1) ? COORD_HTTP_MORE : refuse(p, 431);
}

static enum coord_http_event on_value(struct coord_http_parser *p, struct input *in)
{
    size_t n = run_of(in, coord_http_is_value, p->limits->max_head + 1 - p->n_head);
    if (!count_head(p, n > 0 ? n : 2)) return refuse(p, 431); /* 2: the CR and its LF */
    if (n == 0) return expect(p, in, '\r', ST_VALUE_LF);
    return keep(p, in, &last_field(p)->value, n) ? COORD_HTTP_MORE : refuse(p, 503);
}

static enum coord_http_event on_value_lf(struct coord_http_parser *p, struct input *in)
{
    struct coord_http_field *f = last_field(p);
    struct qk_bytes v = coord_http_text(&p->msg, f->value);
    while (v.len > 0 && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t')) v.len--;
    f->value.len = (uint32_t)v.len;
    if (*in->p != '\n') return refuse(p, 400);
    unsigned status = coord_http_field_apply(p, coord_http_text(&p->msg, f->name), v);
    if (status != 0) return refuse(p, status);
    return expect(p, in, '\n', ST_FIELD);
}

static enum coord_http_event done(struct coord_http_parser *p)
{
    p->state = ST_DONE;
    return COORD_HTTP_DONE;
}

static enum coord_http_event on_head_lf(struct coord_http_parser *p, struct input *in)
{
    if (*in->p != '\n') return refuse(p, 400);
    in->p++;
    unsigned status = coord_http_head_check(p);
    if (status != 0) return refuse(p, status);
    p->digits = 0;
    if (!p->chunked && p->left == 0) return done(p);
    p->state = p->chunked ? ST_SIZE : ST_BODY;
    return COORD_HTTP_HEAD;
}

/* ---- body ---- */

/* Up to p->left bytes to the body. */
static bool keep_body(struct coord_http_parser *p, struct input *in)
{
    size_t n = (size_t)(in->end - in->p);
    if (n > p->left) n = (size_t)p->left;
    qk_buf_add(&p->msg.body, in->p, n);
    in->p += n;
    p->left -= n;
    return p->msg.body.err == QK_OK;
}

static enum coord_http_event on_body(struct coord_http_parser *p, struct input *in)
{
    if (!keep_body(p, in)) return refuse(p, 503);
    return p->left == 0 ? done(p) : COORD_HTTP_MORE;
}

static unsigned hex_value(uint8_t c)
{
    return c <= '9' ? (unsigned)c - '0' : ((unsigned)c | 0x20) - 'a' + 10;
}

static enum coord_http_event on_size(struct coord_http_parser *p, struct input *in)
{
    uint8_t c = *in->p;
    if (is_hex(c)) {
        if (++p->digits > 8) return refuse(p, 400);
        p->left = (p->digits == 1 ? 0 : p->left * 16) + hex_value(c);
        in->p++;
        return COORD_HTTP_MORE;
    }
    if (p->digits == 0) return refuse(p, 400);
    if (p->left > p->limits->max_body - p->msg.body.len) return refuse(p, 413);
    if (c == ';') return become(p, ST_EXT);
    return expect(p, in, '\r', ST_SIZE_LF);
}

static enum coord_http_event on_ext(struct coord_http_parser *p, struct input *in)
{
    size_t n = run_of(in, coord_http_is_value, COORD_HTTP_EXT_MAX + 1 - p->n_ext);
    p->n_ext += n;
    in->p += n;
    if (p->n_ext > COORD_HTTP_EXT_MAX) return refuse(p, 400);
    return n > 0 ? COORD_HTTP_MORE : expect(p, in, '\r', ST_SIZE_LF);
}

static enum coord_http_event on_size_lf(struct coord_http_parser *p, struct input *in)
{
    return expect(p, in, '\n', p->left > 0 ? ST_CHUNK : ST_LAST_CR);
}

static enum coord_http_event on_chunk(struct coord_http_parser *p, struct input *in)
{
    if (!keep_body(p, in)) return refuse(p, 503);
    return p->left == 0 ? become(p, ST_CHUNK_CR) : COORD_HTTP_MORE;
}

static enum coord_http_event on_chunk_cr(struct coord_http_parser *p, struct input *in)
{
    return expect(p, in, '\r', ST_CHUNK_LF);
}

static enum coord_http_event on_chunk_lf(struct coord_http_parser *p, struct input *in)
{
    p->digits = 0;
    return expect(p, in, '\n', ST_SIZE);
}

static enum coord_http_event on_last_cr(struct coord_http_parser *p, struct input *in)
{
    return expect(p, in, '\r', ST_LAST_LF); /* anything else begins a trailer */
}

static enum coord_http_event on_last_lf(struct coord_http_parser *p, struct input *in)
{
    if (*in->p != '\n') return refuse(p, 400);
    in->p++;
    return done(p);
}

/* ---- the machine ---- */

static step_fn *const steps[N_STATES] = {
    [ST_START] = on_start,
    [ST_START_LF] = on_start_lf,
    [ST_METHOD] = on_method,
    [ST_TARGET] = on_target,
    [ST_VERSION] = on_version,
    [ST_LINE_LF] = on_line_lf,
    [ST_FIELD] = on_field,
    [ST_NAME] = on_name,
    [ST_LEAD] = on_lead,
    [ST_VALUE] = on_value,
    [ST_VALUE_LF] = on_value_lf,
    [ST_HEAD_LF] = on_head_lf,
    [ST_BODY] = on_body,
    [ST_SIZE] = on_size,
    [ST_EXT] = on_ext,
    [ST_SIZE_LF] = on_size_lf,
    [ST_CHUNK] = on_chunk,
    [ST_CHUNK_CR] = on_chunk_cr,
    [ST_CHUNK_LF] = on_chunk_lf,
    [ST_LAST_CR] = on_last_cr,
    [ST_LAST_LF] = on_last_lf,
};

enum coord_http_event coord_http_parser_feed(
    struct coord_http_parser *p, const uint8_t *data, size_t len, size_t *used)
{
    *used = 0;
    if (p->state == ST_DONE) return COORD_HTTP_DONE;
    if (p->state == ST_REFUSED) return COORD_HTTP_REFUSED;
    struct input in = {data, data + len};
    enum coord_http_event ev = COORD_HTTP_MORE;
    while (ev == COORD_HTTP_MORE && in.p < in.end) ev = steps[p->state](p, &in);
    *used = (size_t)(in.p - data);
    return ev;
}

void coord_http_parser_init(struct coord_http_parser *p, const struct coord_http_limits *limits)
{
    *p = (struct coord_http_parser){.limits = limits};
    p->msg.text = (struct qk_buf)QK_BUF_SECRET(limits->max_line + limits->max_head);
    p->msg.body = (struct qk_buf)QK_BUF_SECRET(limits->max_body);
}

void coord_http_parser_take(struct coord_http_parser *p, struct coord_http_message *out)
{
    *out = p->msg;
    coord_http_parser_init(p, p->limits);
}

void coord_http_parser_reset(struct coord_http_parser *p)
{
    coord_http_message_free(&p->msg);
    coord_http_parser_init(p, p->limits);
}

void coord_http_message_free(struct coord_http_message *m)
{
    qk_buf_free(&m->text);
    qk_buf_free(&m->body);
    free(m->fields);
    m->fields = NULL;
    m->n_fields = 0;
}
