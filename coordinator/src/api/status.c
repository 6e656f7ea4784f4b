#include "api/api.h"

#include <jansson.h>
#include <stdlib.h>
#include "qk/clock.h"

enum { STATUS_TIMEOUT_MS = 2000, STATUS_JSON_MAX = 65536 };

static json_t *coordinator_json(const struct coord_op *op, const struct coord_about *about)
{
    struct coord_counts *c = &op->engine->counts;
    return json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I}", "Version", QKMS_VERSION, "UptimeSeconds",
        (json_int_t)((qk_mono_ms() - about->started_ms) / 1000), "Queued",
        (json_int_t)about->queued, "Running", (json_int_t)about->running, "AttemptsFailed",
        (json_int_t)atomic_load(&c->attempts_failed), "CombineFailed",
        (json_int_t)atomic_load(&c->combine_failed), "BadCertificates",
        (json_int_t)atomic_load(&c->bad_certificates));
}

static json_t *cluster_json(const struct wire_cluster *c)
{
    char id[33], hash[65];
    qk_hex(c->id, sizeof c->id, id);
    qk_hex(c->hash, sizeof c->hash, hash);
    return json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:i}", "Name", c->name, "Id", id, "Hash", hash,
        "Account", c->account, "Region", c->region, "Nodes", (int)c->n, "Threshold", (int)c->t,
        "Quorum", (int)wire_cluster_quorum(c));
}

/* What a node says of itself, if it is a JSON object of a sane size. */
static json_t *node_said(const struct coord_reply *r)
{
    if (r == NULL || r->err != QK_OK || r->answer.status != WIRE_ANSWER_OK) return NULL;
    struct qk_bytes text = r->answer.status_json;
    if (text.len > STATUS_JSON_MAX) return NULL;
    json_error_t e;
    json_t *v = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, &e);
    if (json_is_object(v)) return v;
    json_decref(v);
    return NULL;
}

static json_t *node_json(const struct coord_node_state *s, const struct coord_reply *r)
{
    json_t *said = node_said(r);
    json_t *o = json_pack("{s:i,s:b,s:b,s:I,s:I,s:f}", "NodeId", (int)s->node, "Reachable",
        said != NULL, "LinkUp", s->up, "Calls", (json_int_t)s->calls, "Failures",
        (json_int_t)s->failures, "LastLatencyMs", (double)s->last_latency_us / 1000.0);
    if (said != NULL) (void)json_object_set_new(o, "Status", said);
    return o;
}

static qk_err ask_all(struct coord_op *op, struct coord_attempt *a)
{
    const struct wire_cluster *c = op->engine->cluster;
    uint16_t set[WIRE_NODES_MAX];
    struct wire_call call = {.kind = WIRE_CALL_STATUS};
    memcpy(call.cluster, c->hash, 32);
    memcpy(call.request_id, op->request_id, sizeof call.request_id);
    for (size_t i = 0; i < c->n; i++) set[i] = c->nodes[i].id;
    struct coord_ask ask = {.engine = op->engine,
        .call = &call,
        .set = set,
        .n_set = c->n,
        .timeout_ms = STATUS_TIMEOUT_MS,
        .patient = true};
    return coord_attempt_run(&ask, a);
}

qk_err coord_api_status(struct coord_op *op, const struct coord_about *about, struct qk_buf *body,
    struct kms_fault *fault)
{
    struct coord_attempt a = {.n = 0};
    struct coord_node_state states[WIRE_NODES_MAX];
    qk_err err = ask_all(op, &a);
    coord_nodes_state(op->engine->nodes, states);
    json_t *nodes = json_array();
    for (size_t i = 0; i < op->engine->cluster->n; i++) {
        bool got = err == QK_OK && a.got[i];
        (void)json_array_append_new(nodes, node_json(&states[i], got ? &a.replies[i] : NULL));
    }
    coord_attempt_free(&a);
    json_t *all = json_pack("{s:o,s:o,s:o}", "Coordinator", coordinator_json(op, about), "Cluster",
        cluster_json(op->engine->cluster), "Nodes", nodes);
    char *text = all == NULL ? NULL : json_dumps(all, JSON_COMPACT);
    json_decref(all);
    if (text == NULL) return kms_fault_internal(fault, QK_E_NOMEM);
    qk_buf_add_str(body, text);
    free(text);
    return QK_OK;
}
