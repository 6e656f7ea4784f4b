#include "core/evidence.h"

#include "qk/clock.h"

void node_evidence(struct node *node, const struct node_audit_entry *entry, bool durable)
{
    qk_err err = node_audit_write(node->audit, entry, qk_now_ms(), durable);
    if (err != QK_OK)
        qk_log(QK_ERROR, "audit.lost", QK_F_STR("entry", entry->event), QK_F_ERR(err));
}

void node_strike(struct node *node, uint16_t peer, const uint8_t *key_id, const char *reason)
{
    qk_err err = node_vault_strike(
        node->vault, peer, key_id, reason == NULL ? "protocol" : reason, qk_now_ms());
    if (err != QK_OK) qk_log(QK_ERROR, "strike.lost", QK_F_INT("peer", peer), QK_F_ERR(err));
}
