#include "core/macruns_priv.h"

#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"
#include "qk/secret.h"

enum {
    LOOK_MS = 250,         /* a waiting owner sees within so long that the node stops */
    LINK_BYTES = 2u << 20, /* half of a link's queue is for others */
    ROOM_US = 500,         /* between looks at a full queue */
    CREDIT_EVERY = 2,      /* chunks */

    TABLES_AT = 1 + 32 + 4, /* where the bytes of a MAC_TABLES begin: type, run, number */
    CHUNK_AT = TABLES_AT + NODE_MACLINK_ID_LEN,
    TABLES_MAX = CHUNK_AT + MPC_MAC_CHUNK,
};
/* In the place of a credit: E does not go on. */
static const uint32_t GIVEN_UP = UINT32_MAX;
_Static_assert((int)TABLES_MAX <= (int)WIRE_MSG_MAX, "a chunk fits");

qk_err node_macruns_new(struct node_macruns **out)
{
    struct node_macruns *m = calloc(1, sizeof *m);
    QK_ENSURE(m != NULL, QK_E_NOMEM);
    pthread_mutex_init(&m->lock, NULL);
    *out = m;
    return QK_OK;
}

/* ---- frames ---- */

static struct node_macrun *find_run(struct node_macruns *m, const uint8_t run[static 32])
{
    for (struct node_macrun *r = m->list; r != NULL; r = r->next)
        if (memcmp(r->run, run, 32) == 0) return r;
    return NULL;
}

static void on_credit(struct node_macruns *m, uint16_t from, struct qk_bytes body)
{
    uint32_t credit = qk_get_u32(body.p + 32);
    pthread_mutex_lock(&m->lock);
    struct node_macrun *r = find_run(m, body.p);
    if (r != NULL && r->roles.g1 == r->self && r->roles.e == from) {
        bool fits = credit >= r->credit && credit <= r->sent;
        if (credit == GIVEN_UP)
            r->given_up = true;
        else if (fits)
            r->credit = credit;
        else
            r->culprit = from;
        pthread_cond_signal(&r->moved);
    }
    pthread_mutex_unlock(&m->lock);
}

static bool well_formed(enum node_frame type, size_t len)
{
    if (type == NODE_FRAME_MAC_CREDIT) return len == 36;
    if (type == NODE_FRAME_MAC_TABLES) return len > CHUNK_AT - 1 && len <= TABLES_MAX - 1;
    if (type == NODE_FRAME_MAC_GMAC) return len == 32 + MPC_MAC_GMAC_LEN;
    if (type == NODE_FRAME_MAC_LABELS && len <= 32 + 2 * NODE_MACLINK_ID_LEN) return false;
    return len > 32 && len <= 32 + NODE_MAC_OTHER_MAX;
}

void node_macruns_receive(
    struct node *node, uint16_t from, enum node_frame type, struct qk_bytes body)
{
    struct node_macruns *m = node->macruns;
    if (!well_formed(type, body.len)) {
        qk_log(QK_WARN, "frame.malformed", QK_F_INT("peer", from));
        return;
    }
    if (type == NODE_FRAME_MAC_CREDIT) {
        on_credit(m, from, body);
        return;
    }
    bool tables = type == NODE_FRAME_MAC_TABLES;
    size_t head = tables ? TABLES_AT - 1 : 32;
    struct node_mac_item *item = malloc(sizeof *item + body.len - head);
    if (item == NULL) return;
    *item = (struct node_mac_item){.from = from, .type = type, .len = body.len - head};
    if (tables) item->number = qk_get_u32(body.p + 32);
    memcpy(item->bytes, body.p + head, item->len);
    pthread_mutex_lock(&m->lock);
    node_mac_box_deliver(m, body.p, item);
    pthread_mutex_unlock(&m->lock);
}

static bool has_peer(const struct node_macrun *r, uint16_t peer)
{
    return r->roles.g1 == peer || r->roles.g2 == peer || r->roles.e == peer;
}

void node_macruns_on_peer(struct node *node, uint16_t peer, bool up)
{
    struct node_macruns *m = node->macruns;
    if (up) return;
    pthread_mutex_lock(&m->lock);
    for (struct node_macrun *r = m->list; r != NULL; r = r->next) {
        if (!has_peer(r, peer)) continue;
        r->broken = true;
        pthread_cond_signal(&r->moved);
    }
    pthread_mutex_unlock(&m->lock);
}

void node_macruns_tick(struct node *node)
{
    struct node_macruns *m = node->macruns;
    pthread_mutex_lock(&m->lock);
    node_mac_box_expire(m, qk_mono_ms());
    pthread_mutex_unlock(&m->lock);
}

/* ---- begin, end ---- */

static void run_free(struct node_macrun *r)
{
    if (r->tables != NULL) qk_wipe(r->tables, TABLES_MAX);
    free(r->tables);
    pthread_cond_destroy(&r->moved);
    free(r);
}

static struct node_macrun *run_new(struct node *node, const uint8_t run[static 32],
    const struct mpc_mac_roles *roles, bool combine, uint64_t timeout_ms)
{
    struct node_macrun *r = calloc(1, sizeof *r);
    if (r == NULL) return NULL;
    memcpy(r->run, run, 32);
    r->roles = *roles;
    r->self = node_self(node);
    r->combine = combine;
    r->deadline_ms = qk_mono_ms() + timeout_ms;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->moved, &attr);
    pthread_condattr_destroy(&attr);
    if (r->self != roles->g1) return r;
    r->tables = malloc(TABLES_MAX);
    if (r->tables != NULL) return r;
    run_free(r);
    return NULL;
}

static qk_err enlist(struct node_macruns *m, struct node_macrun *r)
{
    QK_ENSURE(m->n < NODE_MAC_RUNS, QK_E_BUSY);
    QK_ENSURE(find_run(m, r->run) == NULL, QK_E_CONFLICT);
    qk_err err = QK_OK;
    for (int i = 0; i < 2 && err == QK_OK && r->roles.e == r->self; i++)
        err = node_mac_box_adopt(m, r, i);
    if (err != QK_OK) {
        node_mac_box_drop_all(m, r);
        return err;
    }
    r->next = m->list;
    m->list = r;
    m->n++;
    return QK_OK;
}

static bool links_up(const struct node *node, const struct mpc_mac_roles *roles)
{
    const uint16_t ids[3] = {roles->g1, roles->g2, roles->e};
    for (int i = 0; i < 3; i++)
        if (ids[i] != node_self(node) && !wire_mesh_peer_up(node->mesh, ids[i])) return false;
    return true;
}

qk_err node_macrun_begin(struct node *node, const uint8_t run[static 32],
    const struct mpc_mac_roles *roles, bool combine, uint64_t timeout_ms, struct node_macrun **out)
{
    struct node_macruns *m = node->macruns;
    struct node_macrun *r = run_new(node, run, roles, combine, timeout_ms);
    QK_ENSURE(r != NULL, QK_E_NOMEM);
    pthread_mutex_lock(&m->lock);
    qk_err err = enlist(m, r);
    pthread_mutex_unlock(&m->lock);
    if (err != QK_OK) {
        run_free(r);
        return err;
    }
    /* only now: a link that breaks from here on is noticed by on_peer */
    if (!links_up(node, roles)) {
        node_macrun_end(node, r);
        return QK_E_IO;
    }
    *out = r;
    return QK_OK;
}

void node_macrun_end(struct node *node, struct node_macrun *run)
{
    struct node_macruns *m = node->macruns;
    if (run == NULL) return;
    pthread_mutex_lock(&m->lock);
    struct node_macrun **at = &m->list;
    while (*at != run) at = &(*at)->next;
    *at = run->next;
    m->n--;
    node_mac_box_drop_all(m, run);
    pthread_mutex_unlock(&m->lock);
    run_free(run);
}

void node_macruns_free(struct node_macruns *m)
{
    if (m == NULL) return;
    node_mac_box_expire(m, UINT64_MAX); /* no run is left */
    pthread_mutex_destroy(&m->lock);
    free(m);
}

/* ---- waiting ---- */

static struct timespec at_ms(uint64_t ms)
{
    return (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
}

/* Why there is nothing more to wait for; with the lock. */
static qk_err over(const struct node *node, const struct node_macrun *r)
{
    QK_ENSURE(r->culprit == 0, QK_E_UNEXPECTED);
    QK_ENSURE(!r->broken, QK_E_IO);
    QK_ENSURE(!r->given_up, QK_E_MISMATCH);
    QK_ENSURE(qk_mono_ms() < r->deadline_ms && !node_give_up(node), QK_E_TIMEOUT);
    return QK_OK;
}

/* Until something moved, for a while; with the lock. */
static void wait_a_while(struct node_macruns *m, struct node_macrun *r)
{
    uint64_t look = qk_mono_ms() + LOOK_MS;
    struct timespec until = at_ms(look < r->deadline_ms ? look : r->deadline_ms);
    (void)pthread_cond_timedwait(&r->moved, &m->lock, &until);
}

qk_err node_macrun_still(struct node *node, struct node_macrun *run)
{
    pthread_mutex_lock(&node->macruns->lock);
    qk_err err = over(node, run);
    pthread_mutex_unlock(&node->macruns->lock);
    return err;
}

/* ---- garblers ---- */

uint8_t *node_macrun_chunk(struct node_macrun *run)
{
    return run->tables == NULL ? NULL : run->tables + CHUNK_AT;
}

static qk_err wait_for_credit(struct node *node, struct node_macrun *run)
{
    struct node_macruns *m = node->macruns;
    pthread_mutex_lock(&m->lock);
    qk_err err = over(node, run);
    while (err == QK_OK && run->sent - run->credit >= NODE_MAC_WINDOW) {
        wait_a_while(m, run);
        err = over(node, run);
    }
    if (err == QK_OK) run->sent++; /* before it leaves: E may be quick */
    pthread_mutex_unlock(&m->lock);
    return err;
}

static bool has_room(const struct node *node, uint16_t peer)
{
    struct wire_mesh_stats stats;
    return wire_mesh_stats(node->mesh, peer, &stats) != QK_OK || stats.queued_bytes <= LINK_BYTES;
}

/* The other traffic of the link must not find its queue full of tables. */
static qk_err send_when_room(struct node *node, struct node_macrun *run, struct qk_bytes frame)
{
    for (;;) {
        qk_err err = QK_E_BUSY;
        if (has_room(node, run->roles.e)) err = wire_mesh_send(node->mesh, run->roles.e, frame);
        if (err != QK_E_BUSY) return err;
        QK_TRY(node_macrun_still(node, run));
        struct timespec pause = {0, ROOM_US * 1000L};
        (void)nanosleep(&pause, NULL);
    }
}

qk_err node_macrun_send_chunk(struct node *node, struct node_macrun *run,
    const uint8_t kappa_id[static NODE_MACLINK_ID_LEN], size_t len)
{
    QK_ENSURE(run->tables != NULL && len > 0 && len <= MPC_MAC_CHUNK, QK_E_STATE);
    run->tables[0] = NODE_FRAME_MAC_TABLES;
    memcpy(run->tables + 1, run->run, 32);
    qk_put_u32(run->tables + 33, run->sent);
    memcpy(run->tables + TABLES_AT, kappa_id, NODE_MACLINK_ID_LEN);
    QK_TRY(wait_for_credit(node, run));
    return send_when_room(node, run, qk_bytes(run->tables, CHUNK_AT + len));
}

qk_err node_macrun_send(
    struct node *node, struct node_macrun *run, enum node_frame type, struct qk_bytes bytes)
{
    QK_AUTO_BUF body = QK_BUF_SECRET(32 + NODE_MAC_OTHER_MAX);
    qk_buf_add(&body, run->run, 32);
    qk_buf_add(&body, bytes.p, bytes.len);
    QK_TRY(body.err);
    return node_frame_send(node, run->roles.e, type, qk_buf_view(&body));
}

/* ---- the evaluator ---- */

qk_err node_macrun_next(struct node *node, struct node_macrun *run, struct node_mac_item **out)
{
    struct node_macruns *m = node->macruns;
    QK_ENSURE(run->roles.e == run->self, QK_E_STATE);
    struct node_mac_item *item = NULL;
    pthread_mutex_lock(&m->lock);
    qk_err err = over(node, run);
    while (err == QK_OK) {
        item = node_mac_box_take(run->box[1]);
        bool labels = run->box[1]->seen & node_mac_bit(NODE_FRAME_MAC_LABELS);
        if (item == NULL && labels) item = node_mac_box_take(run->box[0]);
        if (item != NULL) break;
        wait_a_while(m, run);
        err = over(node, run);
    }
    pthread_mutex_unlock(&m->lock);
    if (err == QK_OK) *out = item;
    return err;
}

static void tell_credit(struct node *node, const struct node_macrun *run, uint32_t credit)
{
    uint8_t body[36];
    memcpy(body, run->run, 32);
    qk_put_u32(body + 32, credit);
    /* what is lost makes G1 wait until the next one, or its deadline */
    if (node_frame_send(node, run->roles.g1, NODE_FRAME_MAC_CREDIT, QK_BYTES(body)) != QK_OK)
        qk_log(QK_DEBUG, "mac.credit.unsent", QK_F_INT("peer", run->roles.g1));
}

void node_macrun_consumed(struct node *node, struct node_macrun *run, struct node_mac_item *item)
{
    struct node_macruns *m = node->macruns;
    bool tables = item->type == NODE_FRAME_MAC_TABLES;
    struct node_mac_box *b = run->box[item->from == run->roles.g1 ? 0 : 1];
    pthread_mutex_lock(&m->lock);
    if (tables) b->waiting--;
    if (!b->bad) { /* spoiling has counted it already */
        b->bytes -= item->len;
        m->bytes -= item->len;
    }
    pthread_mutex_unlock(&m->lock);
    if (tables && ++run->consumed % CREDIT_EVERY == 0) tell_credit(node, run, run->consumed);
    node_mac_item_free(item);
}

void node_macrun_give_up(struct node *node, const struct node_macrun *run)
{
    tell_credit(node, run, GIVEN_UP);
}

uint16_t node_macrun_culprit(const struct node_macrun *run)
{
    return run->culprit;
}

/* ---- numbers ---- */

size_t node_macruns_count(struct node *node)
{
    pthread_mutex_lock(&node->macruns->lock);
    size_t n = node->macruns->n;
    pthread_mutex_unlock(&node->macruns->lock);
    return n;
}

size_t node_macruns_bytes(struct node *node)
{
    pthread_mutex_lock(&node->macruns->lock);
    size_t n = node->macruns->bytes;
    pthread_mutex_unlock(&node->macruns->lock);
    return n;
}
