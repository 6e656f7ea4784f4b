#include "rounds/attempt.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"

enum {
    NEED_MAX = 12, /* rounds of asking for records, per node */
    REFUSED_COOL_MS = 30000,
};

void coord_attempt_init(struct coord_attempt *a, size_t n)
{
    a->n = n;
    a->stale = a->all_ok = false;
    memset(a->got, 0, sizeof a->got);
}

void coord_attempt_free(struct coord_attempt *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->got[i]) coord_reply_free(&a->replies[i]);
    a->n = 0;
}

/* ---- records a node asks for ---- */

void coord_attached_free(struct coord_attached *a)
{
    for (size_t i = 0; i < a->n; i++) coord_entry_free(&a->entries[i]);
    a->n = 0;
}

static bool ref_known(const struct wire_call *call, const struct wire_ref *want)
{
    for (uint32_t i = 0; i < call->n_refs; i++)
        if (call->refs[i].kind == want->kind && qk_bytes_eq(call->refs[i].id, want->id))
            return true;
    return false;
}

static qk_err name_ref(struct wire_call *call, const struct kms_record *r)
{
    struct wire_ref ref = {.kind = (uint8_t)r->kind, .id = qk_str(r->id), .version = r->version};
    memcpy(ref.hash, r->hash, 32);
    if (ref_known(call, &ref)) return QK_OK;
    QK_ENSURE(call->n_refs < WIRE_CALL_RECORDS_MAX, QK_E_TOO_LARGE);
    call->refs[call->n_refs++] = ref;
    return QK_OK;
}

/* Name a record the node expects us to rest on, and attach it if there is one. */
static qk_err attach(struct coord_store *store, const struct wire_ref *want, struct wire_call *call,
    struct coord_attached *a)
{
    QK_ENSURE(want->id.len >= 1 && want->id.len <= KMS_RECORD_ID_MAX, QK_E_MALFORMED);
    QK_ENSURE(a->n < WIRE_CALL_RECORDS_MAX, QK_E_TOO_LARGE);
    struct kms_ref ref = {.kind = (enum kms_kind)want->kind};
    memcpy(ref.id, want->id.p, want->id.len);
    struct coord_entry *e = &a->entries[a->n];
    qk_err err = coord_store_get(store, &ref, e);
    if (err != QK_OK) coord_entry_free(e);
    if (err != QK_OK && err != QK_E_NOT_FOUND) return err;
    if (err == QK_OK) {
        a->n++;
        return QK_OK; /* the caller names what is attached */
    }
    QK_ENSURE(!ref_known(call, want), QK_E_NOT_FOUND); /* said so already: it will not get better */
    QK_ENSURE(call->n_refs < WIRE_CALL_RECORDS_MAX, QK_E_TOO_LARGE);
    call->refs[call->n_refs++] = (struct wire_ref){.kind = want->kind, .id = want->id};
    return QK_OK;
}

qk_err coord_attach(const struct coord_ask *ask, const struct wire_answer *need,
    struct coord_attached *a, struct qk_buf *bytes)
{
    QK_ENSURE(a->rounds++ < NEED_MAX && need->n_refs > 0, QK_E_MALFORMED);
    struct wire_call call = *ask->call;
    for (uint32_t i = 0; i < need->n_refs; i++)
        QK_TRY(attach(ask->engine->store, &need->refs[i], &call, a));
    for (size_t i = 0; i < a->n; i++) {
        call.records[i] = a->entries[i].certified;
        QK_TRY(
            name_ref(&call, &a->entries[i].r)); /* one asked for earlier, not ours to begin with */
    }
    call.n_records = (uint32_t)a->n;
    wire_call_encode(bytes, &call);
    return bytes->err;
}

static size_t position(const struct coord_ask *ask, uint16_t node)
{
    size_t i = 0;
    while (i < ask->n_set && ask->set[i] != node) i++;
    return i;
}

/* The same call again, with the records of this NEED and of those before. */
static qk_err resend(const struct coord_ask *ask, struct coord_gather *g,
    const struct coord_reply *reply, struct coord_attached *a, unsigned timeout_ms)
{
    QK_AUTO_BUF bytes = QK_BUF_SECRET(WIRE_CALL_MAX);
    struct wire_call call = *ask->call;
    struct coord_ask mine = *ask;
    mine.call = &call;
    if (ask->parts != NULL) call.parts = ask->parts[position(ask, reply->node)];
    QK_TRY(coord_attach(&mine, &reply->answer, a, &bytes));
    coord_gather_call(g, reply->node, qk_buf_view(&bytes), timeout_ms, ask->how);
    return QK_OK;
}

/* ---- gathering ---- */

static bool failed(const struct coord_reply *r)
{
    return r->err != QK_OK || r->answer.status != WIRE_ANSWER_OK;
}

bool coord_attempt_ok(const struct coord_attempt *a, size_t at)
{
    return a->got[at] && !failed(&a->replies[at]);
}

struct gathering {
    const struct coord_ask *ask;
    struct coord_attempt *out;
    struct coord_gather *g;
    struct coord_attached *attached; /* one per position */
    uint64_t until_ms;
};

/* True when the reply was a NEED and has been served. */
static bool serve_need(struct gathering *s, struct coord_reply *r, size_t at)
{
    if (r->err != QK_OK || r->answer.status != WIRE_ANSWER_NEED) return false;
    uint64_t now = qk_mono_ms();
    unsigned left = s->until_ms > now ? (unsigned)(s->until_ms - now) : 1;
    qk_err err = resend(s->ask, s->g, r, &s->attached[at], left);
    if (err == QK_OK) return true;
    qk_log(QK_WARN, "node.need", QK_F_STR("request_id", s->ask->call->request_id),
        QK_F_INT("node", r->node), QK_F_ERR(err));
    r->err = err;
    return false;
}

static void take(struct gathering *s, struct coord_reply *r)
{
    size_t at = position(s->ask, r->node);
    if (at == s->ask->n_set || serve_need(s, r, at) || s->out->got[at]) {
        coord_reply_free(r);
        return;
    }
    s->out->got[at] = true;
    s->out->replies[at] = *r;
    if (r->err == QK_OK && r->answer.status == WIRE_ANSWER_STALE) s->out->stale = true;
    /* The attempt is lost: do not wait long for the rest, who may wait for the one that failed. */
    uint64_t grace = qk_mono_ms() + s->ask->engine->timing.grace_ms;
    if (failed(r) && !s->ask->patient && grace < s->until_ms) s->until_ms = grace;
}

/* Enough said OK: the others may come, but are not waited for. */
static void enough(struct gathering *s)
{
    size_t n_ok = 0;
    uint64_t grace = qk_mono_ms() + s->ask->engine->timing.grace_ms;
    for (size_t i = 0; i < s->out->n; i++) n_ok += coord_attempt_ok(s->out, i);
    if (s->ask->enough > 0 && n_ok >= s->ask->enough && grace < s->until_ms) s->until_ms = grace;
}

static void gather(struct gathering *s)
{
    while (!s->out->stale) {
        uint64_t now = qk_mono_ms();
        struct coord_reply r;
        if (now >= s->until_ms || !coord_gather_next(s->g, s->until_ms - now, &r)) break;
        take(s, &r);
        enough(s);
    }
    s->out->all_ok = true;
    for (size_t i = 0; i < s->out->n; i++)
        if (!coord_attempt_ok(s->out, i)) s->out->all_ok = false;
}

/* The same bytes for all, or for each what is his. */
static qk_err call_all(const struct coord_ask *ask, struct coord_gather *g)
{
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    struct wire_call call = *ask->call;
    bytes.secret = ask->parts != NULL;
    for (size_t i = 0; i < ask->n_set; i++) {
        if (ask->parts != NULL) call.parts = ask->parts[i];
        if (ask->parts != NULL) qk_buf_clear(&bytes);
        if (bytes.len == 0) wire_call_encode(&bytes, &call);
        QK_TRY(bytes.err);
        coord_gather_call(g, ask->set[i], qk_buf_view(&bytes), ask->timeout_ms, ask->how);
    }
    return QK_OK;
}

qk_err coord_attempt_run(const struct coord_ask *ask, struct coord_attempt *out)
{
    coord_attempt_init(out, ask->n_set);
    struct gathering s = {.ask = ask, .out = out, .until_ms = qk_mono_ms() + ask->timeout_ms + 100};
    s.attached = calloc(ask->n_set, sizeof *s.attached);
    QK_ENSURE(s.attached != NULL, QK_E_NOMEM);
    qk_err err = coord_gather_new(&s.g, ask->engine->nodes);
    if (err == QK_OK) {
        atomic_fetch_add(&ask->engine->counts.attempts, 1);
        err = call_all(ask, s.g);
        if (err == QK_OK) gather(&s);
        coord_gather_free(s.g);
    }
    for (size_t i = 0; i < ask->n_set; i++) coord_attached_free(&s.attached[i]);
    free(s.attached);
    return err;
}

void coord_attempt_drop(struct coord_attempt *a, uint16_t *set, size_t at)
{
    if (a->got[at]) coord_reply_free(&a->replies[at]);
    for (a->n--; at < a->n; at++) {
        set[at] = set[at + 1];
        a->got[at] = a->got[at + 1];
        a->replies[at] = a->replies[at + 1];
    }
    a->all_ok = a->n > 0;
    for (size_t i = 0; i < a->n; i++) a->all_ok &= coord_attempt_ok(a, i);
}

/* ---- what it says about the nodes ---- */

static void log_retry(const struct coord_ask *ask, const struct coord_reply *r)
{
    qk_log(QK_INFO, "node.retry", QK_F_STR("request_id", ask->call->request_id),
        QK_F_INT("node", r->node), QK_F_INT("culprit", r->answer.culprit),
        QK_F_TEXT("why", r->answer.fault_message));
}

static void judge_refused(
    const struct coord_ask *ask, const struct coord_reply *r, struct coord_doubts *d)
{
    atomic_fetch_add(&ask->engine->counts.refused, 1);
    coord_doubt(ask->engine->nodes, d, r->node, COORD_DOUBT_LOST);
    coord_node_cool(ask->engine->nodes, r->node, REFUSED_COOL_MS);
    qk_log(QK_ERROR, "node.refused", QK_F_STR("request_id", ask->call->request_id),
        QK_F_INT("node", r->node), QK_F_TEXT("why", r->answer.fault_message));
}

/* No answer. A timeout may be the doing of another member of the set; a lost link is not. */
static void judge_lost(
    const struct coord_ask *ask, const struct coord_reply *r, struct coord_doubts *d)
{
    if (r->err != QK_E_TIMEOUT && r->err != QK_E_BUSY)
        coord_doubt(ask->engine->nodes, d, r->node, COORD_DOUBT_LOST);
    qk_log(QK_WARN, "node.lost", QK_F_STR("request_id", ask->call->request_id),
        QK_F_INT("node", r->node), QK_F_ERR(r->err));
}

void coord_judge_reply(
    const struct coord_ask *ask, const struct coord_reply *r, struct coord_doubts *d)
{
    if (r->err != QK_OK)
        judge_lost(ask, r, d);
    else if (r->answer.status == WIRE_ANSWER_RETRY)
        log_retry(ask, r);
    else if (r->answer.status == WIRE_ANSWER_REFUSED)
        judge_refused(ask, r, d);
    else if (r->answer.status == WIRE_ANSWER_FAULT)
        coord_doubt(ask->engine->nodes, d, r->node, COORD_DOUBT_FAULT);
}

void coord_attempt_judge(
    const struct coord_ask *ask, const struct coord_attempt *a, struct coord_doubts *d)
{
    if (a->all_ok) return;
    atomic_fetch_add(&ask->engine->counts.attempts_failed, 1);
    for (size_t i = 0; i < a->n; i++) {
        coord_doubt(ask->engine->nodes, d, ask->set[i], COORD_DOUBT_FAILED);
        if (a->got[i]) coord_judge_reply(ask, &a->replies[i], d);
    }
}

bool coord_adopt_from(struct coord_engine *e, uint16_t node, struct qk_bytes certified)
{
    bool taken = false;
    qk_err err = coord_store_adopt(e->store, certified, &taken);
    if (err == QK_E_CONFLICT)
        qk_log(QK_ERROR, "record.forked", QK_F_INT("node", node),
            QK_F_STR("why", "two certified records of one version: more than n - t nodes lie"));
    else if (err != QK_OK)
        qk_log(QK_ERROR, "record.refused", QK_F_INT("node", node), QK_F_ERR(err));
    if (qk_peer_fault(err)) atomic_fetch_add(&e->counts.bad_certificates, 1);
    if (taken) atomic_fetch_add(&e->counts.adopted, 1);
    return taken;
}

/* Does the store hold a newer version of anything that the call rests on? */
static bool moved_on(const struct coord_ask *ask)
{
    bool newer = false;
    for (uint32_t i = 0; i < ask->call->n_refs && !newer; i++) {
        const struct wire_ref *ref = &ask->call->refs[i];
        struct kms_ref name = {.kind = (enum kms_kind)ref->kind};
        COORD_AUTO_ENTRY e = {0};
        if (ref->id.len > KMS_RECORD_ID_MAX) continue;
        memcpy(name.id, ref->id.p, ref->id.len);
        bool there = coord_store_get(ask->engine->store, &name, &e) == QK_OK;
        newer = there && e.r.version > ref->version;
    }
    return newer;
}

bool coord_stale_reply(
    const struct coord_ask *ask, const struct coord_reply *r, struct coord_doubts *d)
{
    bool taken = false;
    for (uint32_t k = 0; k < r->answer.n_records; k++)
        taken |= coord_adopt_from(ask->engine, r->node, r->answer.records[k]);
    if (taken || moved_on(ask)) return true;
    coord_doubt(ask->engine->nodes, d, r->node, COORD_DOUBT_LIAR);
    qk_log(QK_ERROR, "node.stale", QK_F_STR("request_id", ask->call->request_id),
        QK_F_INT("node", r->node), QK_F_STR("why", "says that records have moved on, shows none"));
    return false;
}

bool coord_attempt_adopt(
    const struct coord_ask *ask, const struct coord_attempt *a, struct coord_doubts *d)
{
    bool news = false;
    for (size_t i = 0; i < a->n; i++) {
        const struct coord_reply *r = &a->replies[i];
        if (!a->got[i] || r->err != QK_OK || r->answer.status != WIRE_ANSWER_STALE) continue;
        news |= coord_stale_reply(ask, r, d);
    }
    return news;
}
