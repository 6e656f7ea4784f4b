#include "core/status.h"

#include "qk/clock.h"
#include "core/epochs.h"
#include "core/keys.h"
#include "core/mackeys.h"
#include "core/macruns.h"
#include "core/opens.h"
#include "core/pending.h"
#include "core/presigs.h"
#include "core/quarantine.h"
#include "core/rands.h"
#include "core/sessions.h"
#include "core/symkeys.h"
#include "vault/shares.h"

bool node_ready(struct node *node)
{
    size_t up = 1;
    if (node_quarantined(node) || !node_rands_healthy(node)) return false;
    for (size_t i = 0; i < node->cluster->n; i++) {
        uint16_t id = node->cluster->nodes[i].id;
        if (id == node_self(node) || !wire_mesh_peer_up(node->mesh, id)) continue;
        if (!node_opens_root_ready(node, id, MPC_OT_L1) ||
            !node_opens_root_ready(node, id, MPC_OT_L2))
            continue;
        up++;
    }
    return up >= node->cluster->t;
}

static void add_peer(struct node *node, uint16_t id, struct qk_buf *out)
{
    struct wire_mesh_stats s = {0};
    (void)!wire_mesh_stats(node->mesh, id, &s);
    qk_buf_printf(out,
        "{\"NodeId\":%u,\"Up\":%s,\"Root1\":%s,\"Root2\":%s,\"Sent\":%llu,\"Received\":%llu,"
        "\"Garbage\":%llu}",
        id, wire_mesh_peer_up(node->mesh, id) ? "true" : "false",
        node_opens_root_ready(node, id, MPC_OT_L1) ? "true" : "false",
        node_opens_root_ready(node, id, MPC_OT_L2) ? "true" : "false", (unsigned long long)s.sent,
        (unsigned long long)s.received, (unsigned long long)s.garbage);
}

void node_status_json(struct node *node, struct qk_buf *out)
{
    struct qk_chain_head head;
    uint64_t shares = 0;
    node_audit_head(node->audit, &head);
    (void)!node_vault_share_count(node->vault, &shares);
    qk_buf_printf(out,
        "{\"NodeId\":%u,\"Version\":\"" QKMS_VERSION
        "\",\"Ready\":%s,\"Quarantine\":%s,\"Healthy\":%s,\"UptimeSeconds\":%llu,"
        "\"Shares\":%llu,\"OpenKeys\":%zu,\"OpenVersions\":%zu,\"OpenMacKeys\":%zu,"
        "\"Sessions\":%zu,\"MacRuns\":%zu,\"MacBytes\":%zu,"
        "\"OpenEpochRuns\":%zu,\"OpenChanges\":%zu,"
        "\"Presignatures\":%zu,\"VaultGeneration\":%llu,\"AuditEntries\":%llu,\"Peers\":[",
        node_self(node), node_ready(node) ? "true" : "false",
        node_quarantined(node) ? "true" : "false", node_rands_healthy(node) ? "true" : "false",
        (unsigned long long)((qk_mono_ms() - node->started_ms) / 1000), (unsigned long long)shares,
        node_keys_count(node), node_symkeys_count(node), node_mackeys_count(node),
        node_sessions_count(node), node_macruns_count(node), node_macruns_bytes(node),
        node_epochs_open(node), node_pending_count(node), node_presigs_count(node),
        (unsigned long long)node_vault_generation(node->vault), (unsigned long long)head.seq);
    bool first = true;
    for (size_t i = 0; i < node->cluster->n; i++) {
        uint16_t id = node->cluster->nodes[i].id;
        if (id == node_self(node)) continue;
        if (!first) qk_buf_add_str(out, ",");
        first = false;
        add_peer(node, id, out);
    }
    qk_buf_add_str(out, "]}");
}
