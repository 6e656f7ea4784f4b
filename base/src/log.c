#include "qk/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>
#include "qk/clock.h"
#include "utf8.h"

enum { LINE_MAX_BYTES = 16384, VALUE_MAX_BYTES = 512 };

static _Atomic int log_fd = 2;
static _Atomic int log_least = QK_INFO;
static const char *_Atomic log_program = "qkms";

void qk_log_setup(int fd, enum qk_level least, const char *program)
{
    log_fd = fd;
    log_least = (int)least;
    log_program = program;
}

bool qk_log_enabled(enum qk_level level)
{
    return log_fd >= 0 && (int)level >= log_least;
}

static const char *const level_names[] = {"debug", "info", "warn", "error"};

qk_err qk_log_level_parse(const char *text, enum qk_level *out)
{
    for (size_t i = 0; i < QK_COUNT(level_names); i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum qk_level)i;
            return QK_OK;
        }
    }
    return QK_E_MALFORMED;
}

/* How many bytes from i on stand for themselves: nearly always all of them. */
static size_t plain_run(const uint8_t *p, size_t i, size_t len)
{
    size_t from = i;
    while (i < len && p[i] >= 0x20 && p[i] < 0x7f && p[i] != '"' && p[i] != '\\') i++;
    return i - from;
}

void qk_json_string(struct qk_buf *out, struct qk_bytes text, size_t max_len)
{
    qk_buf_add_u8(out, '"');
    size_t len = text.len < max_len ? text.len : max_len;
    for (size_t i = 0; i < len;) {
        size_t run = plain_run(text.p, i, len);
        if (run > 0) {
            qk_buf_add(out, text.p + i, run);
            i += run;
            continue;
        }
        uint8_t c = text.p[i];
        size_t n = qk_utf8_len(text.p + i, len - i);
        if (n == 0) {
            qk_buf_add_str(out, "\\ufffd");
            i++;
        } else if (c == '"' || c == '\\') {
            qk_buf_add_u8(out, '\\');
            qk_buf_add_u8(out, c);
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            qk_buf_printf(out, "\\u%04x", c);
            i++;
        } else {
            qk_buf_add(out, text.p + i, n);
            i += n;
        }
    }
    qk_buf_add_u8(out, '"');
}

static void add_field(struct qk_buf *b, const struct qk_field *f)
{
    qk_buf_add_u8(b, ',');
    qk_json_string(b, qk_str(f->name), VALUE_MAX_BYTES);
    qk_buf_add_u8(b, ':');
    switch (f->kind) {
    case QK_F_KIND_STR:
        qk_json_string(b, qk_str(f->str == NULL ? "" : f->str), VALUE_MAX_BYTES);
        break;
    case QK_F_KIND_BYTES:
        qk_json_string(b, f->bytes, VALUE_MAX_BYTES);
        break;
    case QK_F_KIND_INT:
        qk_buf_printf(b, "%" PRId64, f->num);
        break;
    case QK_F_KIND_HEX: {
        char hex[2 * 64 + 1];
        size_t n = f->bytes.len < 64 ? f->bytes.len : 64;
        qk_hex(f->bytes.p, n, hex);
        qk_json_string(b, qk_str(hex), sizeof hex);
        break;
    }
    }
}

void qk_log_fields(enum qk_level level, const char *event, const struct qk_field *fields)
{
    QK_AUTO_BUF b = QK_BUF(LINE_MAX_BYTES);
    char when[25];
    qk_time_iso(qk_now_ms(), when);
    qk_buf_printf(&b, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":", when, level_names[level]);
    qk_json_string(&b, qk_str(log_program), VALUE_MAX_BYTES);
    qk_buf_add_str(&b, ",\"event\":");
    qk_json_string(&b, qk_str(event), VALUE_MAX_BYTES);
    for (; fields->name != NULL; fields++) add_field(&b, fields);
    qk_buf_add_str(&b, "}\n");
    if (b.err != QK_OK) return;
    ssize_t n;
    do n = write(log_fd, b.p, b.len);
    while (n < 0 && errno == EINTR);
}
