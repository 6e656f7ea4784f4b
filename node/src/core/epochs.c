#include "core/epochs.h"

#include <stdlib.h>
#include <time.h>
#include "core/attempts.h"
#include "qk/clock.h"
#include "core/evidence.h"
#include "core/frames.h"
#include "core/mackeys.h"
#include "core/payload.h"
#include "core/quarantine.h"
#include "core/symkeys.h"
#include "vault/shares.h"

enum {
    LOOK_MS = 250,                /* a waiting owner looks at the clock */
    ASK_MS = 3000,                /* between questions to peers while undecided */
    GIVE_UP_MS = 30000,           /* rule 5: abort from PREPARED */
    FORGET_MS = 24 * 3600 * 1000, /* rule 8 */
    LINGER_MS = 60000, /* a finished run stays in memory this long, in the vault with its key */
    SETTLE_MAX = 64,   /* runs settled together */
};

static void run_free(struct node_epoch_run *r)
{
    mpc_epoch_free(r->epoch);
    free(r);
}

/* STOPPED: here and now; the disk knows more. */
static bool ends(enum mpc_epoch_state state)
{
    return state == MPC_EPOCH_DONE || state == MPC_EPOCH_ABORTED || state == MPC_EPOCH_SUPERSEDED ||
           state == MPC_EPOCH_STOPPED;
}

/* ---- what has ended is not taken up again at the next start ---- */

struct ended {
    struct node_run_name names[SETTLE_MAX];
    size_t n;
};

/* A STOPPED run is for the next start to look at: its effects may be half done. */
static void note_ended(struct ended *ended, const struct node_epoch_run *r)
{
    enum mpc_epoch_state state = mpc_epoch_state(r->epoch);
    bool over = r->ended_ms != 0 && ends(state) && state != MPC_EPOCH_STOPPED;
    if (!over || ended->n == SETTLE_MAX) return;
    struct node_run_name *name = &ended->names[ended->n++];
    memcpy(name->sid, mpc_epoch_run(r->epoch)->sid, sizeof name->sid);
    memcpy(name->key_id, mpc_epoch_run(r->epoch)->key_id, sizeof name->key_id);
}

/* Failing costs some work at the next start. */
static void settle_ended(struct node *node, const struct ended *ended)
{
    qk_err err = node_vault_run_settle(node->vault, ended->names, ended->n);
    if (err != QK_OK) qk_log(QK_WARN, "epoch.settle", QK_F_ERR(err));
}

void node_epochs_free(struct node_epochs *e)
{
    struct ended ended = {.n = 0};
    if (e == NULL) return;
    while (e->list != NULL) {
        struct node_epoch_run *r = e->list;
        e->list = r->next;
        note_ended(&ended, r);
        run_free(r);
    }
    settle_ended(e->signer.ctx, &ended);
    pthread_cond_destroy(&e->moved);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* ---- identity signatures ---- */

static qk_err sign(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len)
{
    struct node *node = ctx;
    QK_ENSURE(*len >= WIRE_SIG_LEN, QK_E_STATE);
    QK_TRY(wire_identity_sign(node->identity, qk_bytes(msg, 64), sig));
    *len = WIRE_SIG_LEN;
    return QK_OK;
}

static qk_err verify(void *ctx, uint16_t party, const uint8_t msg[64], struct qk_bytes sig)
{
    struct node *node = ctx;
    const struct wire_node *peer = wire_cluster_node(node->cluster, party);
    QK_ENSURE(peer != NULL, QK_E_PROOF);
    return wire_key_verify(peer->key, qk_bytes(msg, 64), sig);
}

qk_err node_epochs_new(struct node_epochs **out, struct node *node)
{
    struct node_epochs *e = calloc(1, sizeof *e);
    QK_ENSURE(e != NULL, QK_E_NOMEM);
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->moved, &attr);
    pthread_condattr_destroy(&attr);
    e->signer = (struct mpc_signer){.ctx = node, .sign = sign, .verify = verify};
    *out = e;
    return QK_OK;
}

/* ---- effects ---- */

static void send_best_effort(
    struct node *node, const struct mpc_epoch_run *run, uint16_t to, struct qk_bytes data)
{
    for (size_t i = 0; i < run->n; i++) {
        if (run->ids[i] == run->self || (to != 0 && run->ids[i] != to)) continue;
        if (node_frame_send(node, run->ids[i], NODE_FRAME_EPOCH, data) != QK_OK)
            qk_log(QK_DEBUG, "epoch.unsent", QK_F_INT("peer", run->ids[i]));
    }
}

static qk_err execute(struct node *node, struct node_epoch_run *r, const struct mpc_effect *e)
{
    const struct mpc_epoch_run *run = mpc_epoch_run(r->epoch);
    switch (e->kind) {
    case MPC_EFFECT_PERSIST:
        if (strcmp(e->name, "share") == 0) return node_payload_store(node, run->sid, e->data);
        return node_vault_run_put(node->vault, run->sid, e->data, qk_now_ms());
    case MPC_EFFECT_SEND:
        send_best_effort(node, run, e->to, e->data);
        return QK_OK;
    case MPC_EFFECT_WIPE:
        if (strcmp(e->name, "base") == 0)
            return node_vault_share_destroy_before(node->vault, run->key_id, run->base + 1);
        return node_vault_share_destroy(node->vault, run->key_id, run->base + 1, run->sid);
    case MPC_EFFECT_SETUP_USE:
    case MPC_EFFECT_SETUP_POISON:
        return QK_E_STATE;
    }
    return QK_E_STATE;
}

void node_epochs_settle(struct node *node, struct node_epoch_run *r)
{
    struct mpc_effect e;
    while (mpc_epoch_next_effect(r->epoch, &e)) {
        qk_err err = execute(node, r, &e);
        if (err == QK_OK) continue;
        qk_log(QK_ERROR, "epoch.effect", QK_F_STR("name", e.name), QK_F_ERR(err));
        mpc_epoch_stop(r->epoch);
        break;
    }
    enum mpc_epoch_state state = mpc_epoch_state(r->epoch);
    if (ends(state) || state == MPC_EPOCH_ABORTING) node->epochs->review = true;
    if (ends(state) && r->ended_ms == 0) {
        const struct mpc_epoch_run *run = mpc_epoch_run(r->epoch);
        r->ended_ms = qk_mono_ms();
        if (state == MPC_EPOCH_DONE &&
            node_vault_share_activate(node->vault, run->key_id, run->base + 1, run->sid) != QK_OK)
            mpc_epoch_stop(r->epoch);
        if (run->base > 0) { /* open is the one before */
            node_symkeys_drop_id(node, run->key_id);
            node_mackeys_drop(node, run->key_id);
        }
        qk_log(QK_INFO, "epoch.end", QK_F_HEX("key", run->key_id, 16),
            QK_F_INT("state", mpc_epoch_state(r->epoch)),
            QK_F_INT("votes", mpc_epoch_votes(r->epoch)));
    }
    uint16_t liar = mpc_epoch_double_signer(r->epoch);
    if (liar != 0 && !r->told) { /* once: every frame of the liar comes this way */
        r->told = true;
        struct node_audit_entry entry = {.event = "epoch.double-signer",
            .outcome = NODE_AUDIT_ABORT,
            .reason = "B-10",
            .peer = liar,
            .sid = mpc_epoch_run(r->epoch)->sid};
        node_evidence(node, &entry, true);
    }
    pthread_cond_broadcast(&node->epochs->moved);
}

struct node_epoch_run *node_epochs_find(struct node_epochs *e, const uint8_t sid[static 32])
{
    for (struct node_epoch_run *r = e->list; r != NULL; r = r->next)
        if (memcmp(mpc_epoch_run(r->epoch)->sid, sid, 32) == 0) return r;
    return NULL;
}

static struct node_epoch_run *enlist(struct node_epochs *e, struct mpc_epoch *epoch)
{
    struct node_epoch_run *r = calloc(1, sizeof *r);
    if (r == NULL) {
        mpc_epoch_free(epoch);
        return NULL;
    }
    *r = (struct node_epoch_run){
        .epoch = epoch, .started_ms = qk_mono_ms(), .asked_ms = qk_mono_ms()};
    r->next = e->list;
    e->list = r;
    return r;
}

/* From the time when a share had no name, it is that of the only run that was open. */
static void name_share(struct node *node, const struct mpc_epoch *epoch)
{
    const struct mpc_epoch_run *run = mpc_epoch_run(epoch);
    enum mpc_epoch_state state = mpc_epoch_state(epoch);
    if (state != MPC_EPOCH_PREPARED && state != MPC_EPOCH_VOTED && state != MPC_EPOCH_ABORTING)
        return;
    qk_err err = node_vault_share_name(node->vault, run->key_id, run->base + 1, run->sid);
    if (err != QK_OK) qk_log(QK_ERROR, "epoch.name", QK_F_ERR(err));
}

struct node_epoch_run *node_epochs_take_up(struct node *node, const uint8_t sid[static 32])
{
    static const size_t max = NODE_RUN_MAX;
    QK_AUTO_BUF blob = QK_BUF_SECRET(max);
    struct mpc_epoch *epoch;
    if (node_vault_run_get(node->vault, sid, &blob) != QK_OK) return NULL;
    qk_err err = mpc_epoch_resume(&epoch, &node->epochs->signer, qk_buf_view(&blob));
    if (err != QK_OK || mpc_epoch_run(epoch)->self != node_self(node)) {
        qk_log(QK_ERROR, "epoch.resume", QK_F_HEX("sid", sid, 32), QK_F_ERR(err));
        if (err == QK_OK) mpc_epoch_free(epoch);
        return NULL;
    }
    name_share(node, epoch);
    return enlist(node->epochs, epoch);
}

/* ---- owners ---- */

qk_err node_epoch_room(struct node *node, const uint8_t key_id[static 16])
{
    pthread_mutex_lock(&node->epochs->lock);
    qk_err err = node_attempts_room(node, key_id);
    pthread_mutex_unlock(&node->epochs->lock);
    return err;
}

static struct timespec soon(void)
{
    uint64_t ms = qk_mono_ms() + LOOK_MS;
    return (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
}

/* With the lock: from here on this run counts, and what it holds waits for it. */
static qk_err begin(struct node *node, const struct mpc_epoch_run *run, struct qk_bytes payload)
{
    struct mpc_epoch *epoch;
    QK_TRY(node_attempts_enter(node, run));
    QK_TRY(mpc_epoch_start(&epoch, run, &node->epochs->signer, payload));
    struct node_epoch_run *r = enlist(node->epochs, epoch);
    QK_ENSURE(r != NULL, QK_E_NOMEM);
    node_epochs_settle(node, r);
    /* peers that were quicker sent their prep before this run was known here */
    if (mpc_epoch_state(r->epoch) == MPC_EPOCH_PREPARED && mpc_epoch_ask(r->epoch) == QK_OK)
        node_epochs_settle(node, r);
    return QK_OK;
}

static qk_err commit(struct node *node, const struct mpc_epoch_run *run, struct qk_bytes payload,
    uint64_t timeout_ms)
{
    struct node_epochs *e = node->epochs;
    uint64_t end_ms = qk_mono_ms() + timeout_ms;
    pthread_mutex_lock(&e->lock);
    qk_err err = begin(node, run, payload);
    while (err == QK_OK) {
        const struct node_epoch_run *r = node_epochs_find(e, run->sid);
        enum mpc_epoch_state state = r == NULL ? MPC_EPOCH_STOPPED : mpc_epoch_state(r->epoch);
        if (state == MPC_EPOCH_DONE) break;
        if (state == MPC_EPOCH_STOPPED) err = QK_E_IO;
        if (ends(state) || state == MPC_EPOCH_ABORTING) err = err == QK_OK ? QK_E_MISMATCH : err;
        if (err != QK_OK) break;
        if (qk_mono_ms() >= end_ms || node_give_up(node)) {
            err = QK_E_TIMEOUT;
            break;
        }
        struct timespec until = soon();
        (void)pthread_cond_timedwait(&e->moved, &e->lock, &until);
    }
    if (err == QK_OK)
        node_attempts_review(node); /* what this one overtakes goes with its success */
    pthread_mutex_unlock(&e->lock);
    return err;
}

qk_err node_epoch_commit(struct node *node, const struct mpc_key_share *share,
    const struct mpc_key_record *rec, uint64_t timeout_ms)
{
    QK_AUTO_BUF payload = QK_BUF_SECRET(MPC_EPOCH_PAYLOAD_MAX);
    struct mpc_epoch_run run = {
        .base = rec->e_net - 1, .t = rec->t, .n = rec->n, .self = node_self(node)};
    memcpy(run.sid, rec->sid, 32);
    memcpy(run.key_id, rec->key_id, 16);
    for (size_t i = 0; i < rec->n; i++) run.ids[i] = rec->nodes[i].id;
    QK_TRY(mpc_record_hash(rec, run.rec));
    QK_TRY(node_payload_of_key(share, rec, &payload));
    return commit(node, &run, qk_buf_view(&payload), timeout_ms);
}

qk_err node_epoch_commit_sym(struct node *node, const struct mpc_sym_share *share,
    const struct mpc_sym_record *rec, uint64_t timeout_ms)
{
    QK_AUTO_BUF payload = QK_BUF_SECRET(MPC_EPOCH_PAYLOAD_MAX);
    struct mpc_epoch_run run;
    QK_TRY(mpc_sym_record_run(rec, node_self(node), &run));
    QK_TRY(node_payload_of_sym(share, rec, &payload));
    return commit(node, &run, qk_buf_view(&payload), timeout_ms);
}

qk_err node_epoch_commit_mac(struct node *node, const struct mpc_mac_share *share,
    const struct mpc_mac_record *rec, uint64_t timeout_ms)
{
    QK_AUTO_BUF payload = QK_BUF_SECRET(MPC_EPOCH_PAYLOAD_MAX);
    struct mpc_epoch_run run;
    QK_TRY(mpc_mac_record_run(rec, node_self(node), &run));
    QK_TRY(node_payload_of_mac(share, rec, &payload));
    return commit(node, &run, qk_buf_view(&payload), timeout_ms);
}

void node_epochs_receive(struct node *node, uint16_t from, struct qk_bytes frame)
{
    struct node_epochs *e = node->epochs;
    struct mpc_envelope env;
    if (mpc_envelope_decode(frame, &env) != QK_OK) return;
    pthread_mutex_lock(&e->lock);
    struct node_epoch_run *r = node_epochs_find(e, env.sid);
    if (r == NULL) r = node_epochs_take_up(node, env.sid);
    if (r != NULL) {
        qk_err err = mpc_epoch_receive(r->epoch, from, frame);
        if (err != QK_OK) qk_log(QK_WARN, "epoch.frame", QK_F_INT("peer", from), QK_F_ERR(err));
        if (err == QK_E_MALFORMED || err == QK_E_PROOF)
            node_strike(node, from, mpc_epoch_run(r->epoch)->key_id, "epoch");
        node_epochs_settle(node, r);
        if (err == QK_E_CORRUPT)
            node_quarantine_enter(node, "a peer holds a vote or abort of ours that is not here: "
                                        "this vault is older than what this node has signed");
    }
    pthread_mutex_unlock(&e->lock);
}

/* ---- time ---- */

static void tick_run(struct node *node, struct node_epoch_run *r, uint64_t now, bool ask)
{
    enum mpc_epoch_state state = mpc_epoch_state(r->epoch);
    if (r->ended_ms != 0) return;
    if (ask || now - r->asked_ms >= ASK_MS) {
        r->asked_ms = now;
        if (mpc_epoch_ask(r->epoch) == QK_OK) node_epochs_settle(node, r);
    }
    if (state == MPC_EPOCH_PREPARED && now - r->started_ms >= GIVE_UP_MS &&
        mpc_epoch_abort(r->epoch) == QK_OK)
        node_epochs_settle(node, r);
    if (state == MPC_EPOCH_ABORTING && now - r->started_ms >= FORGET_MS &&
        mpc_epoch_forget(r->epoch) == QK_OK)
        node_epochs_settle(node, r);
}

void node_epochs_tick(struct node *node)
{
    struct node_epochs *e = node->epochs;
    struct ended ended = {.n = 0};
    bool ask = e->ask_all;
    e->ask_all = false;
    pthread_mutex_lock(&e->lock);
    uint64_t now = qk_mono_ms(); /* under the lock: no run may have ended after `now` */
    if (e->review || now - e->reviewed_ms >= ASK_MS) {
        e->review = false;
        e->reviewed_ms = now;
        node_attempts_review(node);
    }
    for (struct node_epoch_run **at = &e->list; *at != NULL;) {
        struct node_epoch_run *r = *at;
        tick_run(node, r, now, ask);
        if (r->ended_ms == 0 || now - r->ended_ms < LINGER_MS || ended.n == SETTLE_MAX) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        note_ended(&ended, r);
        run_free(r);
    }
    pthread_mutex_unlock(&e->lock);
    settle_ended(node, &ended);
}

void node_epochs_on_peer(struct node *node)
{
    node->epochs->ask_all = true; /* NNG's thread: the ticker does the asking */
}

size_t node_epochs_open(struct node *node)
{
    size_t n = 0;
    pthread_mutex_lock(&node->epochs->lock);
    for (struct node_epoch_run *r = node->epochs->list; r != NULL; r = r->next)
        n += r->ended_ms == 0;
    pthread_mutex_unlock(&node->epochs->lock);
    return n;
}

/* ---- start-up ---- */

struct sids {
    uint8_t (*sid)[32];
    size_t n, cap;
    bool lost; /* out of memory */
};

static bool collect(void *arg, const uint8_t sid[static 32], uint64_t changed_ms)
{
    struct sids *s = arg;
    (void)changed_ms;
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 64 : 2 * s->cap;
        void *more = realloc(s->sid, cap * sizeof *s->sid);
        s->lost = more == NULL;
        if (s->lost) return false;
        s->sid = more;
        s->cap = cap;
    }
    memcpy(s->sid[s->n++], sid, 32);
    return true;
}

struct orphans {
    const struct node_epochs *epochs;
    struct node_share_info found[SETTLE_MAX];
    size_t n;
};

static bool made_by(const struct node_share_info *info, const struct node_epoch_run *r)
{
    const struct mpc_epoch_run *run = mpc_epoch_run(r->epoch);
    if (run->base + 1 != info->epoch || memcmp(run->key_id, info->key_id, 16) != 0) return false;
    if (info->named) return memcmp(run->sid, info->sid, 32) == 0;
    return mpc_epoch_state(r->epoch) != MPC_EPOCH_ABORTED;
}

static bool note_orphan(void *arg, const struct node_share_info *info)
{
    struct orphans *o = arg;
    bool known = info->state != NODE_SHARE_PENDING;
    for (const struct node_epoch_run *r = o->epochs->list; r != NULL && !known; r = r->next)
        known = made_by(info, r);
    if (!known) o->found[o->n++] = *info;
    return o->n < SETTLE_MAX;
}

static qk_err destroy_orphan(struct node *node, const struct node_share_info *o)
{
    if (!o->named) return node_vault_share_destroy_unnamed(node->vault, o->key_id, o->epoch);
    return node_vault_share_destroy(node->vault, o->key_id, o->epoch, o->sid);
}

/* K1: a share whose run was not written before a crash. Nobody was told of it, and it would stand
 * in the way of the next attempt under its name. With the lock. */
static qk_err destroy_orphans(struct node *node)
{
    struct orphans o = {.epochs = node->epochs};
    do {
        o.n = 0;
        QK_TRY(node_vault_share_list(node->vault, NULL, note_orphan, &o));
        for (size_t i = 0; i < o.n; i++) {
            qk_log(QK_WARN, "epoch.orphan", QK_F_HEX("key", o.found[i].key_id, 16),
                QK_F_INT("epoch", o.found[i].epoch));
            QK_TRY(destroy_orphan(node, &o.found[i]));
        }
    } while (o.n == SETTLE_MAX);
    return QK_OK;
}

qk_err node_epochs_resume(struct node *node)
{
    struct sids s = {0};
    qk_err err = node_vault_run_list(node->vault, collect, &s);
    bool all = !s.lost;
    pthread_mutex_lock(&node->epochs->lock);
    for (size_t i = 0; err == QK_OK && i < s.n; i++) {
        struct node_epoch_run *r =
            node_epochs_find(node->epochs, s.sid[i]); /* a peer's frame may have been quicker */
        if (r == NULL) r = node_epochs_take_up(node, s.sid[i]);
        if (r != NULL) node_epochs_settle(node, r);
        all = all && r != NULL;
    }
    /* Of a run that cannot be read the share may be the one that counts. */
    if (err == QK_OK && all) err = destroy_orphans(node);
    pthread_mutex_unlock(&node->epochs->lock);
    free(s.sid);
    return err;
}
