#include "core/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "qk/clock.h"
#include "core/calls.h"
#include "core/channels.h"
#include "core/daykeys.h"
#include "core/destroy.h"
#include "core/epochs.h"
#include "core/frames.h"
#include "core/keys.h"
#include "core/mackeys.h"
#include "core/maclinks.h"
#include "core/macruns.h"
#include "core/opens.h"
#include "core/pending.h"
#include "core/presigs.h"
#include "core/quarantine.h"
#include "core/rands.h"
#include "core/records.h"
#include "core/sessions.h"
#include "core/symkeys.h"

enum {
    OPS_THREADS = 48,       /* calls served at once; each mostly waits */
    STOP_MS = 1000,         /* what runs when the node stops has so long to finish */
    LOCKED_NEED = 2u << 20, /* bytes of locked memory without which nothing works */
};

#define GIVE_UP(err, ...)                                                                          \
    do {                                                                                           \
        (void)snprintf(why, why_len, __VA_ARGS__);                                                 \
        return (err);                                                                              \
    } while (0)

static qk_err read_files(struct node *node, char *why, size_t why_len)
{
    QK_TRY(wire_cluster_read(&node->cluster, node->conf.cluster, why, why_len));
    const struct wire_node *me = wire_cluster_node(node->cluster, node_self(node));
    if (me == NULL)
        GIVE_UP(QK_E_DENIED, "node %u is not in %s", node_self(node), node->conf.cluster);
    qk_err err =
        wire_identity_load(&node->identity, node->conf.identity_key, node->conf.identity_cert);
    if (err != QK_OK)
        GIVE_UP(err, "identity %s, %s: %s", node->conf.identity_key, node->conf.identity_cert,
            err == QK_E_DENIED ? "the key file must be private (mode 0600)" : qk_err_name(err));
    if (!qk_bytes_eq(wire_identity_cert(node->identity), me->cert))
        GIVE_UP(QK_E_DENIED, "%s is not the certificate of node %u in %s", node->conf.identity_cert,
            node_self(node), node->conf.cluster);
    for (size_t i = 0; i < node->cluster->n; i++) {
        node->peers[i].id = node->cluster->nodes[i].id;
        QK_TRY(mpc_idh(node->peers[i].idh, wire_key_spki(node->cluster->nodes[i].key)));
    }
    return QK_OK;
}

static qk_err unlock(struct node *node, char *why, size_t why_len)
{
    struct node_keysource *source;
    qk_err err = node_keysource_named(
        &source, node->conf.node_key_source, node->conf.node_key, node->conf.node_key_params);
    if (err != QK_OK) GIVE_UP(err, "node_key_source: %s", qk_err_name(err));
    err = node_seal_new(&node->seal, source, node->cluster->id, node_self(node));
    node_keysource_free(source);
    if (err != QK_OK)
        GIVE_UP(err, "the node key %s cannot be read: %s", node->conf.node_key,
            err == QK_E_DENIED ? "the file must be private (mode 0600)" : qk_err_name(err));
    return QK_OK;
}

static qk_err open_stores(struct node *node, bool create, char *why, size_t why_len)
{
    struct node_vault_options vault = {
        .path = node->conf.vault, .seal = node->seal, .node_id = node_self(node), .create = create};
    memcpy(vault.cluster_id, node->cluster->id, 16);
    QK_TRY(node_vault_open(&node->vault, &vault, why, why_len));
    struct node_audit_options audit = {.path = node->conf.audit,
        .sync = node->conf.audit_sync_mode,
        .rotate_bytes = node->conf.audit_rotate_mib << 20};
    return node_audit_open(&node->audit, &audit, why, why_len);
}

static qk_err make_parts(struct node *node)
{
    QK_TRY(node_sessions_new(&node->sessions, node));
    QK_TRY(node_records_new(&node->records, node));
    QK_TRY(node_daykeys_new(&node->daykeys));
    QK_TRY(node_keys_new(&node->keys, node));
    QK_TRY(node_symkeys_new(&node->symkeys, node));
    QK_TRY(node_maclinks_new(&node->maclinks));
    QK_TRY(node_macruns_new(&node->macruns));
    QK_TRY(node_mackeys_new(&node->mackeys, node));
    QK_TRY(node_channels_new(&node->channels));
    QK_TRY(node_rands_new(&node->rands, node, qk_rng_system()));
    QK_TRY(node_epochs_new(&node->epochs, node));
    QK_TRY(node_opens_new(&node->opens));
    QK_TRY(node_presigs_new(&node->presigs, node));
    QK_TRY(node_pending_new(&node->pending));
    QK_TRY(qk_pool_new(&node->frames, "frames", (unsigned)node->conf.threads, node->conf.max_jobs));
    QK_TRY(qk_pool_new(&node->ops, "ops", OPS_THREADS, node->conf.max_jobs));
    QK_TRY(qk_pool_new(&node->asks, "asks", NODE_ASKS_THREADS, node->conf.max_jobs));
    return qk_pool_new(&node->background, "backgr", NODE_BACKGROUND_THREADS, node->conf.max_jobs);
}

static qk_err open_network(struct node *node, char *why, size_t why_len)
{
    const struct wire_node *me = wire_cluster_node(node->cluster, node_self(node));
    const char *listen = node->conf.listen[0] != 0 ? node->conf.listen : me->address;
    const char *calls = node->conf.call_listen[0] != 0 ? node->conf.call_listen : me->call_address;
    struct wire_mesh_config mesh = {.cluster = node->cluster,
        .identity = node->identity,
        .self = node_self(node),
        .listen = listen,
        .on_message = node_frames_on_message,
        .on_peer = node_frames_on_peer,
        .ctx = node};
    QK_TRY(wire_mesh_new(&node->mesh, &mesh));
    qk_err err = wire_mesh_start(node->mesh);
    if (err != QK_OK) GIVE_UP(err, "cannot listen on %s: %s", listen, qk_err_name(err));
    if (!node_quarantined(node)) QK_TRY(node_epochs_resume(node));
    struct wire_server_config server = {.listen = calls,
        .identity = node->identity,
        .cluster = node->cluster,
        .handler = node_calls_handler,
        .ctx = node};
    err = wire_server_new(&node->server, &server);
    if (err != QK_OK) GIVE_UP(err, "cannot listen on %s: %s", calls, qk_err_name(err));
    return QK_OK;
}

static qk_err start(
    struct node *node, const char *config_path, bool init_vault, char *why, size_t why_len)
{
    enum node_lock_result locked;
    QK_TRY(node_harden_early());
    QK_TRY(node_config_read(config_path, &node->conf, why, why_len));
    qk_log_setup(2, node->conf.level, "qkms-node");
    QK_TRY(read_files(node, why, why_len));
    if (geteuid() == 0 && node->conf.user[0] == 0)
        qk_log(QK_WARN, "running-as-root", QK_F_STR("do", "set `user` in the configuration"));
    else
        QK_TRY(node_harden_user(node->conf.user, why, why_len));
    QK_TRY(node_harden_memory(LOCKED_NEED, &locked, why, why_len));
    QK_TRY(unlock(node, why, why_len));
    QK_TRY(open_stores(node, init_vault, why, why_len));
    if (init_vault) return QK_OK;
    QK_TRY(make_parts(node));
    QK_TRY(node_quarantine_load(node));
    QK_TRY(node_destroy_resume(node));
    QK_TRY(node_pending_load(node));
    QK_TRY(open_network(node, why, why_len));
    return node_harden_syscalls(node->conf.seccomp_mode);
}

qk_err node_new(
    struct node **out, const char *config_path, bool init_vault, char *why, size_t why_len)
{
    struct node *node = calloc(1, sizeof *node);
    QK_ENSURE(node != NULL, QK_E_NOMEM);
    node->started_ms = qk_mono_ms();
    pthread_mutex_init(&node->gate, NULL);
    pthread_mutex_init(&node->setup_lock, NULL);
    why[0] = 0;
    qk_err err = start(node, config_path, init_vault, why, why_len);
    if (err != QK_OK) {
        if (why[0] == 0) (void)snprintf(why, why_len, "start failed: %s", qk_err_name(err));
        node_free(node);
        return err;
    }
    *out = node;
    return QK_OK;
}

/* From the return on no frame enters the pools that the flag closes. */
static void set_gate(struct node *node, _Atomic bool *flag)
{
    pthread_mutex_lock(&node->gate);
    *flag = true;
    pthread_mutex_unlock(&node->gate);
}

void node_free(struct node *node)
{
    if (node == NULL) return;
    node->stop_by_ms = qk_mono_ms() + STOP_MS;
    set_gate(node, &node->stopping);
    /* Calls first: their threads may wait for sessions, which need the mesh until they time out. */
    wire_server_free(node->server);
    qk_pool_free(node->ops);
    qk_pool_free(node->asks);
    qk_pool_free(node->background);
    set_gate(node, &node->deaf);
    qk_pool_free(node->frames);
    wire_mesh_free(node->mesh); /* last: whatever ran until here may have sent */
    node_presigs_free(node->presigs);
    node_pending_free(node->pending);
    node_opens_free(node->opens);
    node_epochs_free(node->epochs);
    node_rands_free(node->rands);
    node_channels_free(node->channels);
    node_mackeys_free(node->mackeys);
    node_macruns_free(node->macruns);
    node_maclinks_free(node->maclinks);
    node_symkeys_free(node->symkeys);
    node_keys_free(node->keys);
    node_daykeys_free(node->daykeys);
    node_records_free(node->records);
    node_sessions_free(node->sessions);
    node_audit_close(node->audit);
    node_vault_close(node->vault);
    node_seal_free(node->seal);
    wire_identity_free(node->identity);
    wire_cluster_free(node->cluster);
    node_config_free(&node->conf);
    pthread_mutex_destroy(&node->setup_lock);
    pthread_mutex_destroy(&node->gate);
    free(node);
}

void node_tick(struct node *node)
{
    node_sessions_tick(node);
    node_macruns_tick(node);
    node_maclinks_tick(node);
    if (!node_quarantined(node)) {
        node_epochs_tick(node);
        node_opens_tick(node);
        node_presigs_tick(node);
        node_pending_tick(node);
    }
    if (node_audit_flush(node->audit) != QK_OK) qk_log(QK_ERROR, "audit.flush");
}
