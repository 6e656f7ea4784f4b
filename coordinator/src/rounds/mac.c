#include "rounds/mac.h"

#include "mpc/mac.h"
#include "qk/clock.h"
#include "qk/log.h"
#include "qk/secret.h"
#include "rounds/combine.h"

enum { PERMUTATIONS = 6 };

bool coord_mac_is(const struct coord_op *op)
{
    if (!op->decided) return false;
    return op->decision.kind == KMS_DO_GENERATE_MAC || op->decision.kind == KMS_DO_VERIFY_MAC;
}

static unsigned run_ms(const struct coord_op *op)
{
    const struct coord_timing *t = &op->engine->timing;
    return op->decision.modes == KMS_MODES_MAC_S ? t->mac_strict_ms : t->mac_ms;
}

unsigned coord_mac_total_ms(const struct coord_op *op)
{
    return COORD_MAC_RUNS * run_ms(op);
}

/* ---- who does what ---- */

/* A new name for the run, and roles that these three have not had in this operation: what went
 * wrong may have been the doing of one role. */
static qk_err draw_roles(struct coord_op *op)
{
    struct wire_mac *item = &op->mac.item;
    unsigned k;
    if (op->mac.tried == (1u << PERMUTATIONS) - 1) op->mac.tried = 0;
    do {
        QK_TRY(qk_rng_fill(qk_rng_system(), item->mid, sizeof item->mid));
        k = item->mid[0] % PERMUTATIONS;
    } while (op->mac.tried >> k & 1);
    op->mac.tried |= 1u << k;
    struct mpc_mac_roles roles = mpc_mac_roles_permute(op->set, k);
    item->set = true;
    item->g1 = roles.g1;
    item->g2 = roles.g2;
    item->e = roles.e;
    return QK_OK;
}

static qk_err choose(struct coord_op *op)
{
    uint16_t before[COORD_MAC_NODES];
    memcpy(before, op->set, sizeof before);
    op->n_set = 0;
    QK_TRY(coord_nodes_pick(op->engine->nodes, &op->doubts, COORD_MAC_NODES, op->set));
    op->n_set = COORD_MAC_NODES;
    if (memcmp(before, op->set, sizeof before) != 0) op->mac.tried = 0;
    return draw_roles(op);
}

/* ---- whom to suspect ---- */

static void alarm_for(const struct coord_op *op, const uint16_t *nodes, size_t n)
{
    struct coord_engine *e = op->engine;
    uint16_t alarm[COORD_MAC_NODES];
    size_t n_alarm = coord_watch_mac(&e->watch, e->cluster, nodes, n, qk_mono_ms(), alarm);
    for (size_t i = 0; i < n_alarm; i++) {
        atomic_fetch_add(&e->counts.mac_alarms, 1);
        qk_log(QK_ERROR, "mac.alarm", QK_F_INT("node", alarm[i]),
            QK_F_STR("why", "three failed runs that it may have spoilt, within ten minutes"));
    }
}

/* said_by: the node on whose word this rests; 0: our own. */
static void suspect(
    const struct coord_op *op, const uint16_t *nodes, size_t n, const char *check, uint16_t said_by)
{
    for (size_t i = 0; i < n; i++) {
        atomic_fetch_add(&op->engine->counts.mac_suspects, 1);
        qk_log(QK_ERROR, "mac.suspect", QK_F_STR("request_id", op->request_id),
            QK_F_INT("node", nodes[i]), QK_F_STR("check", check), QK_F_INT("said_by", said_by),
            QK_F_INT("g1", op->mac.item.g1), QK_F_INT("g2", op->mac.item.g2),
            QK_F_INT("e", op->mac.item.e));
    }
    alarm_for(op, nodes, n);
}

/* E's word: docs/hmac.md, "A request". */
static void hear(const struct coord_op *op, const struct coord_reply *r)
{
    const struct wire_mac *item = &op->mac.item;
    uint16_t by = r->answer.culprit;
    const uint16_t garblers[] = {item->g1, item->g2}, labels[] = {by, item->e};
    if (r->node != item->e) return;
    if (by == item->e) suspect(op, garblers, QK_COUNT(garblers), "M-4", r->node);
    if (by == item->g1 || by == item->g2) suspect(op, labels, QK_COUNT(labels), "M-5", r->node);
}

/* The run is lost. Silence is doubted more than a word: who waits in vain says so in time. */
static void blame(struct coord_op *op, const struct coord_attempt *a)
{
    for (size_t i = 0; i < a->n; i++) {
        const struct coord_reply *r = &a->replies[i];
        bool silent = !a->got[i] || r->err == QK_E_TIMEOUT;
        if (silent) coord_doubt(op->engine->nodes, &op->doubts, op->set[i], COORD_DOUBT_FAILED);
        if (a->got[i] && r->err == QK_OK && r->answer.status == WIRE_ANSWER_RETRY) hear(op, r);
    }
}

/* ---- one run ---- */

static void wipe_answers(struct coord_attempt *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->got[i] && a->replies[i].bytes.p != NULL)
            qk_wipe(a->replies[i].bytes.p, a->replies[i].bytes.len); /* labels: the tag */
    coord_attempt_free(a);
}

static qk_err ask(struct coord_op *op, unsigned timeout_ms, const struct wire_call *call,
    struct kms_fault *fault, enum coord_step *step)
{
    struct coord_ask ask = {.engine = op->engine,
        .call = call,
        .set = op->set,
        .n_set = op->n_set,
        .timeout_ms = timeout_ms,
        .how = COORD_ALONE};
    struct coord_attempt a = {.n = 0};
    op->attempts++;
    qk_err err = coord_attempt_run(&ask, &a);
    if (err == QK_OK) err = coord_op_conclude(op, &ask, &a, fault, step);
    if (err == QK_OK && *step == COORD_AGAIN) {
        atomic_fetch_add(&op->engine->counts.mac_failed, 1);
        blame(op, &a);
    }
    wipe_answers(&a);
    return err;
}

static unsigned left_ms(uint64_t until_ms, unsigned most)
{
    uint64_t now = qk_mono_ms();
    uint64_t left = until_ms > now ? until_ms - now : 1;
    return left < most ? (unsigned)left : most;
}

static qk_err run(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step)
{
    struct wire_call call;
    struct coord_texts t = COORD_TEXTS;
    *step = COORD_GIVE_UP;
    qk_err err = choose(op);
    op->too_few = err == QK_E_BUSY;
    if (err == QK_E_BUSY) return QK_OK;
    QK_TRY(err);
    err = coord_op_call(op, &call, &t);
    call.mac = op->mac.item;
    if (err == QK_OK) err = ask(op, left_ms(until_ms, run_ms(op)), &call, fault, step);
    coord_texts_free(&t);
    return err;
}

qk_err coord_mac_run(
    struct coord_op *op, uint64_t until_ms, struct kms_fault *fault, enum coord_step *step)
{
    struct coord_engine *e = op->engine;
    bool strict = op->decision.modes == KMS_MODES_MAC_S;
    struct coord_gate *gate = strict ? &e->strict_macs : &e->macs;
    *step = COORD_GIVE_UP;
    op->too_few = coord_nodes_n_up(e->nodes) < COORD_MAC_NODES;
    if (op->too_few) return QK_OK;
    op->crowded = !coord_gate_enter(gate, until_ms);
    if (op->crowded) return QK_OK;
    qk_err err = run(op, until_ms, fault, step);
    coord_gate_leave(gate);
    return err;
}

/* ---- the tag ---- */

static struct qk_bytes part_of(const struct coord_attempt *a, uint16_t node)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->replies[i].node == node) return a->replies[i].answer.part;
    return (struct qk_bytes){0};
}

/* Their answers do not go together (check M-7): nothing is released. */
static void reject(
    struct coord_op *op, const struct coord_attempt *a, const struct mpc_mac_suspects *why)
{
    struct coord_nodes *nodes = op->engine->nodes;
    for (size_t i = 0; i < a->n; i++)
        coord_doubt(nodes, &op->doubts, op->set[i], COORD_DOUBT_FAILED);
    for (size_t i = 0; i < why->n; i++)
        coord_doubt(
            nodes, &op->doubts, why->node[i], why->n == 1 ? COORD_DOUBT_LIAR : COORD_DOUBT_FAILED);
    suspect(op, why->node, why->n, why->check, 0);
}

/* A tag that was computed to compare is compared and gone (check M-16). */
static void release(struct coord_op *op, unsigned alg, const uint8_t *tag)
{
    if (op->decision.kind == KMS_DO_VERIFY_MAC) {
        op->mac.valid = mpc_mac_equal(alg, tag, op->req.mac);
        return;
    }
    op->mac.tag_len = mpc_mac_digest_len(alg);
    memcpy(op->mac.tag, tag, op->mac.tag_len);
}

qk_err coord_mac_finish(struct coord_op *op, const struct coord_attempt *a, enum coord_step *step)
{
    const struct wire_mac *item = &op->mac.item;
    struct mpc_mac_roles roles = {.g1 = item->g1, .g2 = item->g2, .e = item->e};
    struct mpc_mac_suspects why = {.n = 0};
    uint8_t tag[MPC_MAC_DIGEST_MAX] = {0};
    unsigned alg = coord_mac_alg(op->decision.spec);
    qk_err err = mpc_mac_combine(
        tag, alg, &roles, part_of(a, item->g1), part_of(a, item->g2), part_of(a, item->e), &why);
    if (err == QK_OK) release(op, alg, tag);
    qk_wipe(tag, sizeof tag);
    *step = err == QK_OK ? COORD_DONE : COORD_AGAIN;
    if (err == QK_OK) atomic_fetch_add(&op->engine->counts.mac_made, 1);
    if (!qk_peer_fault(err)) return err;
    reject(op, a, &why);
    return QK_OK;
}

qk_err coord_mac_unavailable(const struct coord_op *op, struct kms_fault *fault)
{
    atomic_fetch_add(&op->engine->counts.mac_unavailable, 1);
    if (op->crowded) return kms_fault_throttled(fault);
    if (!op->too_few) return kms_fault_unavailable(fault);
    qk_err refused = kms_fault_set(fault, "KeyUnavailableException",
        "An HMAC key needs three nodes, and fewer are available. The request can be retried.");
    fault->http_status = 500;
    return refused;
}
