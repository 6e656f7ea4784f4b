#include "http/request.h"

#include <stdio.h>
#include <time.h>
#include "qk/clock.h"
#include "qk/log.h"

static const char *reason(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } known[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < QK_COUNT(known); i++)
        if (known[i].status == status) return known[i].text;
    return "Other";
}

/* IMF-fixdate (RFC 9110, section 5.6.7); strftime would follow the locale. */
static void add_date(struct qk_buf *out)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(qk_now_ms() / 1000);
    struct tm tm;
    if (gmtime_r(&now, &tm) == NULL) return;
    qk_buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
        months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static bool is_ours(struct qk_bytes name)
{
    static const char *const ours[] = {"content-length", "transfer-encoding", "connection", "date"};
    for (size_t i = 0; i < QK_COUNT(ours); i++)
        if (coord_http_same_word(name, ours[i])) return true;
    return false;
}

static bool header_ok(const struct coord_http_header *h)
{
    if (h->name.len == 0 || is_ours(h->name)) return false;
    for (size_t i = 0; i < h->name.len; i++)
        if (!coord_http_is_token(h->name.p[i])) return false;
    for (size_t i = 0; i < h->value.len; i++)
        if (!coord_http_is_value(h->value.p[i])) return false;
    return true;
}

static bool reply_ok(unsigned status, const struct coord_http_header *headers, size_t n_headers)
{
    if (status < 200 || status > 599) return false;
    for (size_t i = 0; i < n_headers; i++)
        if (!header_ok(&headers[i])) return false;
    return true;
}

static void add_header(struct qk_buf *out, const struct coord_http_header *h)
{
    qk_buf_add(out, h->name.p, h->name.len);
    qk_buf_add_str(out, ": ");
    qk_buf_add(out, h->value.p, h->value.len);
    qk_buf_add_str(out, "\r\n");
}

static void add_reply(struct qk_buf *out, unsigned status, const struct coord_http_header *headers,
    size_t n_headers, struct qk_bytes body, bool keep_alive, bool is_head)
{
    bool bodiless = status == 204 || status == 304;
    qk_buf_printf(out, "HTTP/1.1 %u %s\r\n", status, reason(status));
    add_date(out);
    for (size_t i = 0; i < n_headers; i++) add_header(out, &headers[i]);
    if (!bodiless) qk_buf_printf(out, "Content-Length: %zu\r\n", body.len);
    qk_buf_printf(out, "Connection: %s\r\n\r\n", keep_alive ? "keep-alive" : "close");
    if (!bodiless && !is_head) qk_buf_add(out, body.p, body.len);
}

void coord_http_reply_write(struct qk_buf *out, unsigned status,
    const struct coord_http_header *headers, size_t n_headers, struct qk_bytes body,
    bool keep_alive, bool is_head)
{
    bool fits = out->max >= 65536 && body.len <= out->max - 65536;
    if (fits && reply_ok(status, headers, n_headers)) {
        add_reply(out, status, headers, n_headers, body, keep_alive, is_head);
        if (out->err == QK_OK) return;
    }
    qk_log(QK_ERROR, "http.bad_reply", QK_F_INT("status", status), QK_F_INT("body_len", body.len));
    qk_buf_clear(out);
    add_reply(out, 500, NULL, 0, qk_bytes(NULL, 0), keep_alive, is_head);
}

void coord_http_reply_refuse(struct qk_buf *out, unsigned status)
{
    struct coord_http_header type = COORD_HTTP_HEADER("Content-Type", "text/plain");
    char body[64];
    int n = snprintf(body, sizeof body, "%s\n", reason(status));
    add_reply(out, status, &type, 1, qk_bytes(body, (size_t)n), false, false);
}
