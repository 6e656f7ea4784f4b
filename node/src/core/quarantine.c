#include "core/quarantine.h"

#include "core/evidence.h"

#define NOTE "quarantine"

qk_err node_quarantine_load(struct node *node)
{
    QK_AUTO_BUF why = QK_BUF_SECRET(NODE_NOTE_MAX);
    qk_err err = node_vault_note_get(node->vault, NOTE, &why);
    if (err == QK_E_NOT_FOUND) return QK_OK;
    QK_TRY(err);
    node->quarantined = true;
    qk_log(QK_ERROR, "quarantine", QK_F_TEXT("why", qk_buf_view(&why)));
    return QK_OK;
}

/* The flag first: should the note not reach the disk, then this process stops all the same. */
void node_quarantine_enter(struct node *node, const char *why)
{
    if (atomic_exchange(&node->quarantined, true)) return;
    struct node_audit_entry entry = {
        .event = "quarantine", .outcome = NODE_AUDIT_DENY, .reason = "B-12", .detail = qk_str(why)};
    qk_err err = node_vault_note_put(node->vault, NOTE, qk_str(why));
    qk_log(QK_ERROR, "quarantine", QK_F_STR("why", why), QK_F_ERR(err));
    node_evidence(node, &entry, true);
}
