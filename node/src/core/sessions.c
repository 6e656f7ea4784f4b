#include "core/sessions.h"

#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "core/evidence.h"
#include "qk/secret.h"
#include "core/frames.h"
#include "core/keys.h"
#include "core/presigs.h"
#include "vault/setups.h"

enum {
    LOOK_MS = 250,                /* a waiting owner sees within so long that the node stops */
    EARLY_MS = 5000,              /* how long a frame waits for its session */
    EARLY_PER_PEER = 64,          /* frames */
    EARLY_BYTES = 8u << 20,       /* of all early frames together, an equal part for each peer... */
    EARLY_BYTES_LEAST = 1u << 20, /* ... but no less than this */
};

struct session {
    uint8_t open_id[32], sid[32];
    bool sid_known, ended;
    qk_err err;
    struct mpc_party *party;
    const struct mpc_session *params;
    uint16_t opener;
    const char *what;
    pthread_mutex_t lock; /* of the party */
    pthread_cond_t end;
    unsigned users; /* under sessions.lock */
    struct session *next;
};

struct early {
    uint16_t from;
    uint64_t until_ms;
    uint8_t id[32];
    size_t len;
    struct early *next;
    uint8_t bytes[];
};

struct node_sessions {
    pthread_mutex_t lock;
    pthread_cond_t unused; /* some session lost its last user */
    struct session *list;
    size_t n, max, max_per_peer;
    struct early *early;
    size_t early_of_peer; /* bytes */
};

qk_err node_sessions_new(struct node_sessions **out, const struct node *node)
{
    struct node_sessions *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->unused, NULL);
    s->max = node->conf.max_sessions;
    s->max_per_peer = node->conf.max_sessions_per_peer;
    s->early_of_peer = EARLY_BYTES / node->cluster->n;
    if (s->early_of_peer < EARLY_BYTES_LEAST) s->early_of_peer = EARLY_BYTES_LEAST;
    *out = s;
    return QK_OK;
}

static void early_free(struct early *e)
{
    qk_wipe(e->bytes, e->len);
    free(e);
}

void node_sessions_free(struct node_sessions *s)
{
    if (s == NULL) return;
    while (s->early != NULL) {
        struct early *e = s->early;
        s->early = e->next;
        early_free(e);
    }
    pthread_cond_destroy(&s->unused);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- effects ---- */

static qk_err send_to(
    struct node *node, const struct session *ses, uint16_t to, struct qk_bytes data)
{
    if (to != 0) return node_frame_send(node, to, NODE_FRAME_MPC, data);
    for (size_t i = 0; i < ses->params->n_peers; i++) {
        uint16_t id = ses->params->peers[i].id;
        if (id == ses->params->self) continue;
        QK_TRY(node_frame_send(node, id, NODE_FRAME_MPC, data));
    }
    return QK_OK;
}

static qk_err poison(struct node *node, const struct session *ses, const struct mpc_effect *e)
{
    enum node_setup_status was = NODE_SETUP_FRESH;
    struct mpc_blame blame = mpc_party_blame(ses->party);
    qk_err err = node_vault_setup_poison(node->vault, e->id, qk_now_ms(), &was);
    node_keys_drop_setup(node, e->id);
    node_presigs_burn_setup(node, e->id);
    node_strike(node, e->to, ses->params->key_id, blame.check == NULL ? "X" : blame.check);
    struct node_audit_entry entry = {.event = "setup.poison",
        .outcome = NODE_AUDIT_ABORT,
        .peer = e->to,
        .reason = blame.check,
        .detail = qk_str(was == NODE_SETUP_PROVEN ? "was proven" : "was fresh")};
    node_evidence(node, &entry, true);
    return err;
}

/* Carry out what the party wants done, in order, stopping at the first failure. The setup lock is
 * taken when a setup is involved and kept to the end of the batch: the sends that depend on a
 * passed check leave before another session's failure can take effect (document 20 section 7.1). */
static qk_err execute_effects(struct node *node, struct session *ses)
{
    qk_err err = QK_OK;
    bool locked = false;
    struct mpc_effect e;
    while (err == QK_OK && mpc_party_next_effect(ses->party, &e)) {
        bool about_setup = e.kind == MPC_EFFECT_SETUP_USE || e.kind == MPC_EFFECT_SETUP_POISON;
        if (about_setup && !locked) {
            pthread_mutex_lock(&node->setup_lock);
            locked = true;
        }
        switch (e.kind) {
        case MPC_EFFECT_SEND:
            err = send_to(node, ses, e.to, e.data);
            break;
        case MPC_EFFECT_SETUP_USE:
            err = node_vault_setup_use(node->vault, e.id, qk_now_ms());
            break;
        case MPC_EFFECT_SETUP_POISON:
            err = poison(node, ses, &e);
            break;
        case MPC_EFFECT_WIPE:
            break; /* the party has wiped its own memory */
        case MPC_EFFECT_PERSIST:
            err = QK_E_STATE;
            break; /* only the epoch commit stores */
        }
    }
    if (locked) pthread_mutex_unlock(&node->setup_lock);
    return err;
}

/* After every call on the party, under its lock. */
static void after(struct node *node, struct session *ses, qk_err received)
{
    qk_err err = execute_effects(node, ses);
    if (err != QK_OK && mpc_party_state(ses->party) == MPC_RUNNING) {
        mpc_party_expire(ses->party);
        (void)execute_effects(node, ses); /* the abort messages */
    }
    enum mpc_state state = mpc_party_state(ses->party);
    if (state == MPC_RUNNING || ses->ended) return;
    ses->ended = true;
    if (state == MPC_DONE && err == QK_OK)
        ses->err = QK_OK;
    else
        ses->err = err != QK_OK ? err : received != QK_OK ? received : QK_E_MISMATCH;
    pthread_cond_broadcast(&ses->end);
}

/* ---- routing ---- */

static struct session *find(struct node_sessions *s, const uint8_t id[32])
{
    for (struct session *ses = s->list; ses != NULL; ses = ses->next)
        if (memcmp(ses->open_id, id, 32) == 0 || (ses->sid_known && memcmp(ses->sid, id, 32) == 0))
            return ses;
    return NULL;
}

static void release(struct node_sessions *s, struct session *ses)
{
    pthread_mutex_lock(&s->lock);
    if (--ses->users == 0) pthread_cond_broadcast(&s->unused);
    pthread_mutex_unlock(&s->lock);
}

/* Keep a frame for a session that may come; the caller holds s->lock. */
static void keep_early(
    struct node_sessions *s, uint16_t from, const uint8_t id[32], struct qk_bytes frame)
{
    size_t of_peer = 0, bytes = frame.len;
    for (struct early *e = s->early; e != NULL; e = e->next) {
        if (e->from != from) continue;
        of_peer++;
        bytes += e->len;
    }
    if (of_peer >= EARLY_PER_PEER || bytes > s->early_of_peer) return;
    struct early *e = malloc(sizeof *e + frame.len);
    if (e == NULL) return;
    *e = (struct early){.from = from, .until_ms = qk_mono_ms() + EARLY_MS, .len = frame.len};
    memcpy(e->id, id, 32);
    memcpy(e->bytes, frame.p, frame.len);
    struct early **at = &s->early;
    while (*at != NULL) at = &(*at)->next;
    *at = e;
}

/* The oldest early frame for one of the session's ids, unlinked; the caller holds s->lock. */
static struct early *take_early(struct node_sessions *s, const struct session *ses)
{
    for (struct early **at = &s->early; *at != NULL; at = &(*at)->next) {
        struct early *e = *at;
        bool fits = memcmp(e->id, ses->open_id, 32) == 0 ||
                    (ses->sid_known && memcmp(e->id, ses->sid, 32) == 0);
        if (!fits) continue;
        *at = e->next;
        return e;
    }
    return NULL;
}

static void feed(struct node *node, struct session *ses, uint16_t from, struct qk_bytes frame)
{
    struct node_sessions *s = node->sessions;
    pthread_mutex_lock(&ses->lock);
    if (!ses->ended) {
        qk_err err = mpc_party_receive(ses->party, from, frame);
        after(node, ses, err);
    }
    uint8_t sid[32];
    bool known = mpc_party_sid(ses->party, sid);
    pthread_mutex_unlock(&ses->lock);
    if (!known) return;
    pthread_mutex_lock(&s->lock);
    memcpy(ses->sid, sid, 32);
    ses->sid_known = true;
    pthread_mutex_unlock(&s->lock);
}

/* Frames that were early and fit now. */
static void drain(struct node *node, struct session *ses)
{
    struct node_sessions *s = node->sessions;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct early *e = take_early(s, ses);
        pthread_mutex_unlock(&s->lock);
        if (e == NULL) return;
        feed(node, ses, e->from, qk_bytes(e->bytes, e->len));
        early_free(e);
    }
}

void node_sessions_receive(struct node *node, uint16_t from, struct qk_bytes frame)
{
    struct node_sessions *s = node->sessions;
    struct mpc_envelope env;
    if (mpc_envelope_decode(frame, &env) != QK_OK) {
        qk_log(QK_WARN, "frame.malformed", QK_F_INT("peer", from));
        return;
    }
    pthread_mutex_lock(&s->lock);
    struct session *ses = find(s, env.sid);
    if (ses == NULL)
        keep_early(s, from, env.sid, frame);
    else
        ses->users++;
    pthread_mutex_unlock(&s->lock);
    if (ses == NULL) return;
    feed(node, ses, from, frame);
    drain(node, ses);
    release(s, ses);
}

/* ---- owners ---- */

static qk_err enlist(struct node *node, struct session *ses)
{
    struct node_sessions *s = node->sessions;
    size_t of_opener = 0;
    qk_err err = node->stopping ? QK_E_BUSY : QK_OK;
    pthread_mutex_lock(&s->lock);
    for (struct session *x = s->list; x != NULL; x = x->next) of_opener += x->opener == ses->opener;
    if (s->n >= s->max || (ses->opener != 0 && of_opener >= s->max_per_peer)) err = QK_E_BUSY;
    if (err == QK_OK && find(s, ses->open_id) != NULL) err = QK_E_CONFLICT;
    if (err == QK_OK) {
        ses->users = 1;
        ses->next = s->list;
        s->list = ses;
        s->n++;
    }
    pthread_mutex_unlock(&s->lock);
    return err;
}

static void delist(struct node_sessions *s, struct session *ses)
{
    pthread_mutex_lock(&s->lock);
    struct session **at = &s->list;
    while (*at != ses) at = &(*at)->next;
    *at = ses->next;
    s->n--;
    ses->users--;
    while (ses->users > 0) pthread_cond_wait(&s->unused, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

static struct timespec at_ms(uint64_t ms)
{
    return (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
}

static void wait_for_end(struct node *node, struct session *ses, uint64_t timeout_ms)
{
    uint64_t end_ms = qk_mono_ms() + timeout_ms;
    while (!ses->ended) {
        uint64_t now = qk_mono_ms(), look = now + LOOK_MS;
        struct timespec until = at_ms(look < end_ms ? look : end_ms);
        if (pthread_cond_timedwait(&ses->end, &ses->lock, &until) == 0 || ses->ended) continue;
        if (qk_mono_ms() < end_ms && !node_give_up(node)) continue;
        mpc_party_expire(ses->party);
        after(node, ses, QK_E_TIMEOUT);
        if (!ses->ended) { /* a machine that will not expire: leave it to its owner to free */
            ses->ended = true;
            ses->err = QK_E_TIMEOUT;
        }
    }
}

static void report(struct node *node, const struct session *ses, uint16_t *culprit)
{
    struct mpc_blame blame = {0};
    if (ses->err != QK_OK) blame = mpc_party_blame(ses->party);
    *culprit = blame.party;
    qk_log(ses->err == QK_OK ? QK_DEBUG : QK_WARN, "session.end", QK_F_STR("what", ses->what),
        QK_F_HEX("sid", ses->sid, 32), QK_F_STR("err", qk_err_name(ses->err)),
        QK_F_INT("blamed", blame.party), QK_F_STR("check", blame.check));
    if (ses->err == QK_OK) return;
    struct node_audit_entry entry = {.event = "session.abort",
        .outcome = NODE_AUDIT_ABORT,
        .operation = qk_str(ses->what),
        .reason = blame.check == NULL ? qk_err_name(ses->err) : blame.check,
        .peer = blame.party,
        .sid = ses->sid};
    node_evidence(node, &entry, false);
    if (blame.cls == MPC_BLAME_P && blame.party != 0)
        node_strike(
            node, blame.party, ses->params->key_id, blame.check == NULL ? "P" : blame.check);
}

static void session_init(struct session *ses, struct mpc_party *party,
    const struct mpc_session *params, uint16_t opener, const char *what)
{
    *ses = (struct session){.party = party, .params = params, .opener = opener, .what = what};
    mpc_party_open_id(party, ses->open_id);
    pthread_mutex_init(&ses->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&ses->end, &attr);
    pthread_condattr_destroy(&attr);
}

qk_err node_session_run(struct node *node, struct mpc_party *party,
    const struct mpc_session *params, uint16_t opener, const char *what, uint64_t timeout_ms,
    uint16_t *culprit)
{
    struct session ses;
    *culprit = 0;
    session_init(&ses, party, params, opener, what);
    qk_err err = enlist(node, &ses);
    if (err == QK_OK) {
        pthread_mutex_lock(&ses.lock);
        after(node, &ses, QK_OK);
        pthread_mutex_unlock(&ses.lock);
        drain(node, &ses);
        pthread_mutex_lock(&ses.lock);
        wait_for_end(node, &ses, timeout_ms);
        pthread_mutex_unlock(&ses.lock);
        delist(node->sessions, &ses);
        report(node, &ses, culprit);
        err = ses.err;
    }
    pthread_cond_destroy(&ses.end);
    pthread_mutex_destroy(&ses.lock);
    return err;
}

void node_sessions_tick(struct node *node)
{
    struct node_sessions *s = node->sessions;
    uint64_t now = qk_mono_ms();
    pthread_mutex_lock(&s->lock);
    for (struct early **at = &s->early; *at != NULL;) {
        struct early *e = *at;
        if (e->until_ms > now) {
            at = &e->next;
            continue;
        }
        *at = e->next;
        early_free(e);
    }
    pthread_mutex_unlock(&s->lock);
}

size_t node_sessions_count(struct node *node)
{
    pthread_mutex_lock(&node->sessions->lock);
    size_t n = node->sessions->n;
    pthread_mutex_unlock(&node->sessions->lock);
    return n;
}
