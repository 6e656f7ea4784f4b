/** Structured logs: one JSON object a line on a file descriptor.
 *
 *      qk_log(QK_INFO, "session.end", QK_F_HEX("sid", sid, 32), QK_F_INT("party", 2),
 *          QK_F_STR("result", "ok"));
 *
 *  Fields are public data only; no field type takes a secret. Values are
 *  escaped and cut at 512 bytes, so hostile text cannot forge or flood a line.
 *  Thread-safe; one write(2) a line.
 */
#ifndef QK_LOG_H
#define QK_LOG_H

#include "qk/bytes.h"

enum qk_level { QK_DEBUG, QK_INFO, QK_WARN, QK_ERROR };

struct qk_field {
    const char *name; /* NULL ends the list */
    enum { QK_F_KIND_STR, QK_F_KIND_BYTES, QK_F_KIND_HEX, QK_F_KIND_INT } kind;
    const char *str;
    struct qk_bytes bytes;
    int64_t num;
};

#define QK_F_STR(n, v) ((struct qk_field){.name = (n), .kind = QK_F_KIND_STR, .str = (v)})
#define QK_F_TEXT(n, view)                                                                         \
    ((struct qk_field){.name = (n), .kind = QK_F_KIND_BYTES, .bytes = (view)})
#define QK_F_HEX(n, ptr, size)                                                                     \
    ((struct qk_field){.name = (n), .kind = QK_F_KIND_HEX, .bytes = qk_bytes((ptr), (size))})
#define QK_F_INT(n, v) ((struct qk_field){.name = (n), .kind = QK_F_KIND_INT, .num = (int64_t)(v)})
#define QK_F_ERR(e)    QK_F_STR("err", qk_err_name(e))

/** Where lines go and what is kept. program is borrowed for good. fd -1 silences. */
void qk_log_setup(int fd, enum qk_level least, const char *program);
bool qk_log_enabled(enum qk_level level);
/** "debug", "info", "warn", "error". */
QK_MUST_USE qk_err qk_log_level_parse(const char *text, enum qk_level *out);

void qk_log_fields(enum qk_level level, const char *event, const struct qk_field *fields);

#define qk_log(level, event, ...)                                                                  \
    do {                                                                                           \
        if (qk_log_enabled(level))                                                                 \
            qk_log_fields((level), (event),                                                        \
                (const struct qk_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}});              \
    } while (0)

/** Append a JSON string literal of text (quotes included), invalid UTF-8 and control characters
 *  escaped; at most max_len source bytes are taken. */
void qk_json_string(struct qk_buf *out, struct qk_bytes text, size_t max_len);

#endif
