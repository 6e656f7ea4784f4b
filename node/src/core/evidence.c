#include "core/evidence.h"

#include <stdatomic.h>
#include "qk/clock.h"

void node_evidence(struct node *node, const struct node_audit_entry *entry, bool durable)
{
    qk_err err = node_audit_write(node->audit, entry, qk_now_ms(), durable);
    if (err != QK_OK)
        qk_log(QK_ERROR, "audit.lost", QK_F_STR("entry", entry->event), QK_F_ERR(err));
}

/* More say nothing new, and each is a write to the disk. */
enum { STRIKES_PER_MINUTE = 30 };

/* Slot: the minute, and in the low 16 bits the strikes in it. */
static bool worth_writing(struct node *node, uint16_t peer)
{
    _Atomic uint64_t *slot = &node->strikes[peer & 255];
    uint64_t minute = qk_mono_ms() / 60000 + 1, was = atomic_load(slot), n;
    do {
        n = was >> 16 == minute ? was & 0xffff : 0;
        if (n >= STRIKES_PER_MINUTE) return false;
    } while (!atomic_compare_exchange_weak(slot, &was, minute << 16 | (n + 1)));
    return true;
}

void node_strike(struct node *node, uint16_t peer, const uint8_t *key_id, const char *reason)
{
    if (!worth_writing(node, peer)) return;
    qk_err err = node_vault_strike(
        node->vault, peer, key_id, reason == NULL ? "protocol" : reason, qk_now_ms());
    if (err != QK_OK) qk_log(QK_ERROR, "strike.lost", QK_F_INT("peer", peer), QK_F_ERR(err));
}
