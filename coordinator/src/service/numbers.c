#include "service/numbers.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include "rounds/randpool.h"

enum outcome { OUT_OK, OUT_CLIENT, OUT_SERVER, OUT_N };
static const char *const outcome_names[OUT_N] = {"ok", "client_fault", "server_fault"};
enum { OPS = KMS_OP_COUNT + 1 };
enum family {
    F_REQUESTS,
    F_FAULTS,
    F_SECONDS,
    F_QUEUED,
    F_RUNNING,
    F_UNPUBLISHED,
    F_RANDOM,
    F_NODE_UP,
    F_NODE_CALLS,
    F_NODE_FAILURES,
    F_NODE_IN_FLIGHT,
    F_NODE_LATENCY_US,
    F_ROUNDS, /* and what follows: one per row of `counts` */
};

static const struct coord_family_def defs[] = {
    [F_REQUESTS] = {"qkms_requests_total", "Requests answered.", COORD_COUNTER,
        {"operation", "outcome"}, OPS *OUT_N},
    [F_FAULTS] = {"qkms_faults_total", "Faults told to callers.", COORD_COUNTER, {"type"}, 64},
    [F_SECONDS] = {"qkms_request_seconds", "Time to answer, by operation.", COORD_HISTOGRAM,
        {"operation"}, OPS},
    [F_QUEUED] = {"qkms_queued", "Requests waiting for a worker.", COORD_GAUGE, {NULL}, 1},
    [F_RUNNING] = {"qkms_running", "Requests in work.", COORD_GAUGE, {NULL}, 1},
    [F_UNPUBLISHED] = {"qkms_unpublished", "Changes some reachable node has not acknowledged.",
        COORD_GAUGE, {NULL}, 1},
    [F_RANDOM] = {"qkms_random_bytes", "Random bytes ready in the pool.", COORD_GAUGE, {NULL}, 1},
    [F_NODE_UP] = {"qkms_node_up", "Whether the link to a node is up.", COORD_GAUGE, {"node"}, 32},
    [F_NODE_CALLS] = {"qkms_node_calls_total", "Calls to a node.", COORD_COUNTER, {"node"}, 32},
    [F_NODE_FAILURES] = {"qkms_node_failures_total", "Calls to a node without an answer.",
        COORD_COUNTER, {"node"}, 32},
    [F_NODE_IN_FLIGHT] = {"qkms_node_in_flight", "Calls in flight to a node.", COORD_GAUGE,
        {"node"}, 32},
    [F_NODE_LATENCY_US] = {"qkms_node_latency_microseconds", "Time of the last answered call.",
        COORD_GAUGE, {"node"}, 32},
};

/* Counters of the rounds, mirrored. */
#define COUNT(field, name, help)                                                                   \
    {                                                                                              \
        offsetof(struct coord_counts, field),                                                      \
        {                                                                                          \
            name, help, COORD_COUNTER, {NULL}, 1                                                   \
        }                                                                                          \
    }
static const struct {
    size_t offset;
    struct coord_family_def def;
} counts[] = {
    COUNT(attempts, "qkms_attempts_total", "Sets of nodes asked."),
    COUNT(attempts_failed, "qkms_attempts_failed_total", "Sets of nodes that gave no result."),
    COUNT(combine_failed, "qkms_combine_failed_total", "Parts that made no valid signature."),
    COUNT(bad_certificates, "qkms_bad_certificates_total",
        "Records or signatures of nodes that did not hold."),
    COUNT(lone_faults, "qkms_lone_faults_total", "Faults that other nodes contradicted."),
    COUNT(adopted, "qkms_adopted_total", "Newer records taken over from nodes."),
    COUNT(conflicts, "qkms_conflicts_total", "Compare-and-set operations lost."),
    COUNT(refused, "qkms_refused_total", "Calls of ours that a node does not answer."),
    COUNT(presig_used, "qkms_presig_used_total", "Signatures made with a presignature."),
    COUNT(sym_f, "qkms_encrypt_f_total", "Ciphertexts made in mode F."),
    COUNT(sym_v, "qkms_encrypt_v_total", "Ciphertexts made in mode V."),
    COUNT(sym_fell, "qkms_encrypt_fell_total", "Encrypts that went from mode F to mode V."),
    COUNT(sym_dec, "qkms_decrypt_total", "Ciphertexts opened."),
    COUNT(sym_invalid, "qkms_decrypt_invalid_total", "Ciphertexts that nothing opens."),
    COUNT(sym_suspects, "qkms_evaluation_suspects_total", "Nodes named by an evaluation."),
    COUNT(mac_made, "qkms_mac_total", "MACs computed."),
    COUNT(mac_failed, "qkms_mac_runs_failed_total", "Runs of three nodes that gave no MAC."),
    COUNT(mac_unavailable, "qkms_mac_unavailable_total", "MAC requests that no run answered."),
    COUNT(mac_suspects, "qkms_mac_suspects_total", "Nodes suspected of having spoilt a run."),
    COUNT(mac_alarms, "qkms_mac_alarms_total", "Nodes suspected in three runs within ten minutes."),
    COUNT(rand_alarms, "qkms_random_alarms_total",
        "Random contributions that repeat, are constant or cloned."),
    COUNT(rand_failed, "qkms_random_failed_total", "Random runs with fewer than t contributions."),
    COUNT(presig_failed, "qkms_presig_failed_total", "Presignatures that made none."),
};

struct coord_numbers {
    struct coord_numbers_sources src;
    struct coord_family *family[F_ROUNDS + QK_COUNT(counts)];
    struct coord_series *seconds[OPS];
    struct coord_series *requests[OPS][OUT_N];
};

static const char *op_name(size_t i)
{
    return i < KMS_OP_COUNT ? kms_op_info((enum kms_op)i)->name : "unknown";
}

static void mirror_nodes(struct coord_numbers *n)
{
    struct coord_node_state s[WIRE_NODES_MAX];
    coord_nodes_state(n->src.engine->nodes, s);
    for (size_t i = 0; i < n->src.engine->cluster->n; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "%u", s[i].node);
        coord_metric_set(coord_metric(n->family[F_NODE_UP], id), s[i].up);
        coord_metric_set(coord_metric(n->family[F_NODE_CALLS], id), (int64_t)s[i].calls);
        coord_metric_set(coord_metric(n->family[F_NODE_FAILURES], id), (int64_t)s[i].failures);
        coord_metric_set(coord_metric(n->family[F_NODE_IN_FLIGHT], id), s[i].in_flight);
        coord_metric_set(
            coord_metric(n->family[F_NODE_LATENCY_US], id), (int64_t)s[i].last_latency_us);
    }
}

static void mirror(void *ctx)
{
    struct coord_numbers *n = ctx;
    size_t queued = 0, running = 0, unpublished = 0;
    n->src.load(n->src.ctx, &queued, &running, &unpublished);
    coord_metric_set(coord_metric(n->family[F_QUEUED], NULL), (int64_t)queued);
    coord_metric_set(coord_metric(n->family[F_RUNNING], NULL), (int64_t)running);
    coord_metric_set(coord_metric(n->family[F_UNPUBLISHED], NULL), (int64_t)unpublished);
    if (n->src.engine->random != NULL)
        coord_metric_set(coord_metric(n->family[F_RANDOM], NULL),
            (int64_t)coord_randpool_level(n->src.engine->random));
    mirror_nodes(n);
    for (size_t i = 0; i < QK_COUNT(counts); i++) {
        const uint8_t *at = (const uint8_t *)&n->src.engine->counts + counts[i].offset;
        unsigned long long v = atomic_load((const atomic_ullong *)(const void *)at);
        coord_metric_set(coord_metric(n->family[F_ROUNDS + i], NULL), (int64_t)v);
    }
}

static qk_err add_families(struct coord_numbers *n)
{
    for (size_t i = 0; i < F_ROUNDS; i++)
        QK_TRY(coord_metrics_add(n->src.metrics, &defs[i], &n->family[i]));
    for (size_t i = 0; i < QK_COUNT(counts); i++)
        QK_TRY(coord_metrics_add(n->src.metrics, &counts[i].def, &n->family[F_ROUNDS + i]));
    for (size_t i = 0; i < OPS; i++) {
        if (i < KMS_OP_COUNT && !kms_op_info((enum kms_op)i)->served) continue;
        n->seconds[i] = coord_metric(n->family[F_SECONDS], op_name(i));
        for (size_t k = 0; k < OUT_N; k++)
            n->requests[i][k] = coord_metric(n->family[F_REQUESTS], op_name(i), outcome_names[k]);
    }
    return coord_metrics_on_write(n->src.metrics, mirror, n);
}

qk_err coord_numbers_new(struct coord_numbers **out, const struct coord_numbers_sources *sources)
{
    struct coord_numbers *n = calloc(1, sizeof *n);
    QK_ENSURE(n != NULL, QK_E_NOMEM);
    n->src = *sources;
    qk_err err = add_families(n);
    if (err != QK_OK) {
        free(n);
        return err;
    }
    *out = n;
    return QK_OK;
}

void coord_numbers_free(struct coord_numbers *n)
{
    free(n);
}

void coord_numbers_request(
    struct coord_numbers *n, enum kms_op op, unsigned status, const char *fault, uint64_t took_us)
{
    size_t i = op < KMS_OP_COUNT && kms_op_info(op)->served ? op : KMS_OP_COUNT;
    enum outcome out = fault == NULL ? OUT_OK : status >= 500 ? OUT_SERVER : OUT_CLIENT;
    coord_metric_add(n->requests[i][out], 1);
    coord_metric_observe_us(n->seconds[i], took_us);
    if (fault != NULL) coord_metric_add(coord_metric(n->family[F_FAULTS], fault), 1);
}
