#include "audit/members.h"

#include "qk/log.h"

static void text(struct qk_buf *out, const char *name, struct qk_bytes value)
{
    if (value.len == 0) return;
    qk_buf_add_str(out, ",\"");
    qk_buf_add_str(out, name);
    qk_buf_add_str(out, "\":");
    qk_json_string(out, value, NODE_AUDIT_TEXT_MAX);
}

qk_err audit_members(struct qk_buf *out, const struct node_audit_entry *entry)
{
    static const char *const outcomes[] = {"allow", "deny", "abort", "info"};
    QK_ENSURE(entry->event != NULL && entry->event[0] != 0, QK_E_STATE);
    QK_ENSURE((size_t)entry->outcome < QK_COUNT(outcomes), QK_E_STATE);
    qk_buf_add_str(out, "\"event\":");
    qk_json_string(out, qk_str(entry->event), NODE_AUDIT_TEXT_MAX);
    text(out, "outcome", qk_str(outcomes[entry->outcome]));
    text(out, "request", entry->request);
    text(out, "caller", entry->caller);
    text(out, "operation", entry->operation);
    text(out, "key", entry->key);
    if (entry->reason != NULL) text(out, "reason", qk_str(entry->reason));
    if (entry->peer != 0) qk_buf_printf(out, ",\"peer\":%u", (unsigned)entry->peer);
    if (entry->has_epoch) qk_buf_printf(out, ",\"epoch\":%u", (unsigned)entry->epoch);
    if (entry->sid != NULL) {
        char hex[65];
        qk_hex(entry->sid, 32, hex);
        text(out, "sid", qk_str(hex));
    }
    text(out, "detail", entry->detail);
    return out->err;
}
