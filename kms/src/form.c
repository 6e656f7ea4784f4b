#include "form.h"

qk_err kms_form_plain(struct qk_bytes body, const char *name, struct qk_bytes *value)
{
    size_t start = 0, seen = 0, name_len = strlen(name);
    struct qk_bytes found = {NULL, 0};
    for (size_t i = 0; i <= body.len; i++) {
        if (i < body.len && body.p[i] != '&') continue;
        struct qk_bytes item = qk_bytes(body.p + start, i - start);
        start = i + 1;
        if (item.len <= name_len || item.p[name_len] != '=') continue;
        if (memcmp(item.p, name, name_len) != 0) continue;
        found = qk_bytes(item.p + name_len + 1, item.len - name_len - 1);
        seen++;
    }
    QK_ENSURE(seen > 0, QK_E_NOT_FOUND);
    QK_ENSURE(seen == 1, QK_E_MALFORMED);
    for (size_t i = 0; i < found.len; i++)
        QK_ENSURE(found.p[i] != '%' && found.p[i] != '+', QK_E_MALFORMED);
    *value = found;
    return QK_OK;
}
