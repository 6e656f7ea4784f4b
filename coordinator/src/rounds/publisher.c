#include "rounds/publisher.h"

#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/chores.h"

enum {
    TIMEOUT_MS = 3000,
    TRIES = 20,
    NEWS_MAX = 4096, /* beyond it nodes are left to ask */
    ENDS_MAX = 2048, /* of them, for nodes that are down */
    CALL_BYTES = 1500000,
    CALLS_MAX = 2, /* to one node at a time: what comes meanwhile travels together */
    GATHER_MS = 5, /* so does what comes within so long */
    SYNC_MS = 30,  /* a put is on the disk within about so long */
    IDLE_MS = 1000,
};

/* One record and who has not acknowledged it. By index in the cluster file. */
struct news {
    struct news *next;
    struct qk_buf certified;
    bool ends; /* key material is to go with it: kept for nodes that are down */
    bool pending[WIRE_NODES_MAX], in_flight[WIRE_NODES_MAX];
    unsigned tries[WIRE_NODES_MAX];
    uint64_t not_before_ms[WIRE_NODES_MAX];
};

struct coord_publisher {
    struct coord_engine *engine;
    unsigned retry_ms;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop, woken, fresh; /* fresh: something was published since we last looked */
    struct news *list, **last;
    size_t n, n_ends;
    unsigned calls[WIRE_NODES_MAX]; /* in flight, by index */
    uint64_t sync_at_ms;            /* 0: nothing to sync */
};

/* A PUBLISH call under way. */
struct telling {
    struct coord_publisher *publisher;
    size_t node; /* index */
    struct news *news[WIRE_CALL_RECORDS_MAX];
    size_t n;
};

static void news_free(struct news *w)
{
    qk_buf_free(&w->certified);
    free(w);
}

static bool news_done(const struct news *w)
{
    for (size_t i = 0; i < WIRE_NODES_MAX; i++)
        if (w->pending[i] || w->in_flight[i]) return false;
    return true;
}

/* ---- answers ---- */

static void settle(struct news *w, size_t node, bool taken, uint64_t again_ms)
{
    w->in_flight[node] = false;
    bool given_up = ++w->tries[node] >= TRIES && !w->ends;
    if (taken || given_up) w->pending[node] = false;
    w->not_before_ms[node] = again_ms;
}

static void on_reply(void *ctx, struct coord_reply *r)
{
    struct telling *t = ctx;
    struct coord_publisher *p = t->publisher;
    bool taken = r->err == QK_OK && r->answer.status == WIRE_ANSWER_OK;
    if (!taken)
        qk_log(QK_INFO, "publish.unacknowledged", QK_F_INT("node", r->node), QK_F_ERR(r->err));
    uint64_t again_ms = qk_mono_ms() + p->retry_ms;
    (void)pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < t->n; i++) settle(t->news[i], t->node, taken, again_ms);
    p->calls[t->node]--;
    p->woken = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->mutex);
    coord_reply_free(r);
    free(t);
}

/* ---- telling; the mutex is held unless said otherwise ---- */

static struct telling *pick(struct coord_publisher *p, size_t node, uint64_t now_ms)
{
    struct telling *t = calloc(1, sizeof *t);
    size_t bytes = 0;
    if (t == NULL) return NULL;
    t->publisher = p;
    t->node = node;
    for (struct news *w = p->list; w != NULL && t->n < WIRE_CALL_RECORDS_MAX; w = w->next) {
        bool due = w->pending[node] && !w->in_flight[node] && w->not_before_ms[node] <= now_ms;
        if (!due || (t->n > 0 && bytes + w->certified.len > CALL_BYTES)) continue;
        bytes += w->certified.len;
        w->in_flight[node] = true;
        t->news[t->n++] = w;
    }
    if (t->n > 0) return t;
    free(t);
    return NULL;
}

static qk_err encode(const struct telling *t, struct qk_buf *out)
{
    struct wire_call call = {.kind = WIRE_CALL_PUBLISH, .n_records = (uint32_t)t->n};
    memcpy(call.cluster, t->publisher->engine->cluster->hash, 32);
    QK_TRY(coord_request_id(call.request_id));
    for (size_t i = 0; i < t->n; i++) call.records[i] = qk_buf_view(&t->news[i]->certified);
    wire_call_encode(out, &call);
    return out->err;
}

/* Without the mutex: the answer may come before the call returns. What is in flight stays. */
static void tell(struct telling *t)
{
    struct coord_engine *e = t->publisher->engine;
    uint16_t node = e->cluster->nodes[t->node].id;
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    qk_err err = encode(t, &bytes);
    if (err == QK_OK) {
        coord_node_call(e->nodes, node, qk_buf_view(&bytes), TIMEOUT_MS, COORD_ALONE, on_reply, t);
        return;
    }
    struct coord_reply r = {.node = node, .err = err, .bytes = QK_BUF(1)};
    on_reply(t, &r);
}

static void tell_node(struct coord_publisher *p, size_t node)
{
    while (p->calls[node] < CALLS_MAX) {
        struct telling *t = pick(p, node, qk_mono_ms());
        if (t == NULL) return;
        p->calls[node]++;
        (void)pthread_mutex_unlock(&p->mutex);
        tell(t);
        (void)pthread_mutex_lock(&p->mutex);
    }
}

static void forget_node(struct coord_publisher *p, size_t node)
{
    for (struct news *w = p->list; w != NULL; w = w->next)
        if (!w->in_flight[node] && !w->ends) w->pending[node] = false;
}

static void forget_done(struct coord_publisher *p)
{
    struct news **at = &p->list;
    while (*at != NULL) {
        struct news *w = *at;
        if (!news_done(w)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        p->n--;
        p->n_ends -= w->ends;
        news_free(w);
    }
    p->last = at;
}

static void tell_all(struct coord_publisher *p)
{
    const struct wire_cluster *c = p->engine->cluster;
    for (size_t i = 0; i < c->n; i++) {
        if (coord_node_up(p->engine->nodes, c->nodes[i].id))
            tell_node(p, i);
        else
            forget_node(p, i);
    }
    forget_done(p);
}

/* ---- the thread ---- */

static void sleep_until(struct coord_publisher *p, unsigned ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&p->wake, &p->mutex, &at);
}

static void sync_store(struct coord_publisher *p)
{
    p->sync_at_ms = 0;
    (void)pthread_mutex_unlock(&p->mutex);
    qk_err err = coord_store_sync(p->engine->store);
    if (err != QK_OK) qk_log(QK_ERROR, "store.sync", QK_F_ERR(err));
    (void)pthread_mutex_lock(&p->mutex);
}

static unsigned pause_ms(const struct coord_publisher *p)
{
    uint64_t now = qk_mono_ms();
    unsigned ms = p->list != NULL ? p->retry_ms : IDLE_MS;
    if (p->sync_at_ms == 0) return ms;
    uint64_t left = p->sync_at_ms > now ? p->sync_at_ms - now : 0;
    return left < ms ? (unsigned)left : ms;
}

/* News that begin to come are waited for a little; the mutex is let go meanwhile. */
static void gather(struct coord_publisher *p)
{
    const struct timespec pause = {.tv_nsec = GATHER_MS * 1000000};
    if (!p->fresh || p->stop) return;
    p->fresh = false;
    (void)pthread_mutex_unlock(&p->mutex);
    (void)nanosleep(&pause, NULL);
    (void)pthread_mutex_lock(&p->mutex);
}

static void *run(void *arg)
{
    struct coord_publisher *p = arg;
    (void)pthread_mutex_lock(&p->mutex);
    while (!p->stop) {
        gather(p);
        p->woken = false;
        if (p->list != NULL) tell_all(p);
        if (p->sync_at_ms != 0 && qk_mono_ms() >= p->sync_at_ms) sync_store(p);
        unsigned ms = pause_ms(p);
        if (!p->woken && !p->stop && ms > 0) sleep_until(p, ms);
    }
    sync_store(p);
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

qk_err coord_publisher_new(
    struct coord_publisher **out, struct coord_engine *engine, unsigned retry_ms)
{
    struct coord_publisher *p = calloc(1, sizeof *p);
    QK_ENSURE(p != NULL, QK_E_NOMEM);
    p->engine = engine;
    p->retry_ms = retry_ms;
    p->last = &p->list;
    (void)pthread_mutex_init(&p->mutex, NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    if (pthread_create(&p->thread, NULL, run, p) != 0) {
        p->stop = true;
        coord_publisher_free(p);
        return QK_E_NOMEM;
    }
    *out = p;
    return QK_OK;
}

void coord_publisher_stop(struct coord_publisher *p)
{
    if (p == NULL) return;
    (void)pthread_mutex_lock(&p->mutex);
    p->stop = true;
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->mutex);
    (void)pthread_join(p->thread, NULL);
}

void coord_publisher_free(struct coord_publisher *p)
{
    if (p == NULL) return;
    while (p->list != NULL) {
        struct news *w = p->list;
        p->list = w->next;
        news_free(w);
    }
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* A node that has not heard of it keeps a share that should be gone. */
static bool ends_material(struct qk_bytes certified)
{
    struct kms_record r;
    struct kms_cert cert;
    struct qk_bytes record;
    if (kms_certified_decode(certified, &record, &cert) != QK_OK) return false;
    if (kms_record_decode(record, &r) != QK_OK) return false;
    return (r.kind == KMS_KIND_KEY && r.key.state == KMS_STATE_DELETED) ||
           (r.kind == KMS_KIND_VERSION && !r.version_of.imported);
}

static struct news *news_new(const struct wire_cluster *c, struct qk_bytes certified)
{
    struct news *w = calloc(1, sizeof *w);
    if (w == NULL) return NULL;
    w->certified = (struct qk_buf)QK_BUF(KMS_CERTIFIED_MAX);
    qk_buf_add(&w->certified, certified.p, certified.len);
    for (size_t i = 0; i < c->n; i++) w->pending[i] = true;
    w->ends = ends_material(certified);
    if (w->certified.err == QK_OK) return w;
    news_free(w);
    return NULL;
}

void coord_publish(struct coord_publisher *p, const struct qk_bytes *certified, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct news *w = news_new(p->engine->cluster, certified[i]);
        if (w == NULL) return; /* nodes ask for what they lack */
        (void)pthread_mutex_lock(&p->mutex);
        bool room = p->n < NEWS_MAX && !p->stop;
        if (room) {
            w->ends = w->ends && p->n_ends < ENDS_MAX;
            p->n_ends += w->ends;
            *p->last = w;
            p->last = &w->next;
            p->n++;
            if (p->sync_at_ms == 0) p->sync_at_ms = qk_mono_ms() + SYNC_MS;
            if (!p->fresh) (void)pthread_cond_signal(&p->wake);
            p->woken = p->fresh = true;
        }
        (void)pthread_mutex_unlock(&p->mutex);
        if (!room) news_free(w);
    }
}

size_t coord_publisher_n_open(struct coord_publisher *p)
{
    (void)pthread_mutex_lock(&p->mutex);
    size_t n = p->n;
    (void)pthread_mutex_unlock(&p->mutex);
    return n;
}
