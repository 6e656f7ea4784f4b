/* Links with more to do than they can: busy is not dead, and neither is slow. */
#include "qktest/qktest.h"
#include "wiretest.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include "mesh_priv.h"

enum { DEAD_MS = 2000, LONG_MS = 5000 /* more than twice that */ };

struct site {
    struct wt_world w;
    struct wt_inbox in[2];
    struct wire_mesh *m[2];
    atomic_bool stop;
    atomic_uint lost;          /* sends that found the link down */
    atomic_uint_fast64_t came; /* messages, not kept */
};

static void only_count(void *site, uint16_t from, struct qk_bytes bytes)
{
    (void)bytes;
    struct site *s = site;
    cr_assert_eq(from, 1);
    atomic_fetch_add(&s->came, 1);
}

static void peer_of_two(void *site, uint16_t id, bool up)
{
    struct site *s = site;
    wt_on_peer(&s->in[1], id, up);
}

static void start(struct site *s, unsigned i, struct wire_mesh_config *cfg)
{
    cfg->dead_after_ms = DEAD_MS;
    qk_assert_ok(wire_mesh_new(&s->m[i], cfg));
    qk_assert_ok(wire_mesh_start(s->m[i]));
}

static void open_site(struct site *s)
{
    memset(s, 0, sizeof *s);
    wt_world_init(&s->w);
    wt_inbox_init(&s->in[0]);
    wt_inbox_init(&s->in[1]);
}

static void wait_up(struct site *s)
{
    cr_assert(wt_wait_ups(&s->in[0], 2, 1));
    cr_assert(wt_wait_ups(&s->in[1], 1, 1));
}

static void open_pair(struct site *s)
{
    open_site(s);
    struct wire_mesh_config cfg = wt_mesh_config(&s->w, 1, &s->in[0]);
    start(s, 0, &cfg);
    cfg = wt_mesh_config(&s->w, 2, &s->in[1]);
    cfg.on_message = only_count;
    cfg.on_peer = peer_of_two;
    cfg.ctx = s;
    start(s, 1, &cfg);
    wait_up(s);
}

static void close_site(struct site *s)
{
    for (unsigned i = 0; i < 2; i++) wire_mesh_free(s->m[i]);
    for (unsigned i = 0; i < 2; i++) wt_inbox_free(&s->in[i]);
    wt_world_free(&s->w);
}

static unsigned downs(struct wt_inbox *in, uint16_t id)
{
    (void)pthread_mutex_lock(&in->lock);
    unsigned n = in->downs[id];
    (void)pthread_mutex_unlock(&in->lock);
    return n;
}

static void never_went_down(struct site *s)
{
    cr_assert_eq(downs(&s->in[0], 2), 0);
    cr_assert_eq(downs(&s->in[1], 1), 0);
}

/* ---- whoever sends without end ---- */

/* Never pauses, not even when the queue is full. */
static void *hammer(void *arg)
{
    struct site *s = arg;
    static const uint8_t bytes[40];
    while (!atomic_load(&s->stop))
        if (wire_mesh_send(s->m[0], 2, QK_BYTES(bytes)) == QK_E_IO) atomic_fetch_add(&s->lost, 1);
    return NULL;
}

QK_TEST(busy, senders_that_never_pause_do_not_bring_the_link_down)
{
    struct site s;
    pthread_t t[3];
    open_pair(&s);
    for (unsigned i = 0; i < QK_COUNT(t); i++)
        cr_assert_eq(pthread_create(&t[i], NULL, hammer, &s), 0);
    wt_sleep_ms(LONG_MS);
    atomic_store(&s.stop, true);
    for (unsigned i = 0; i < QK_COUNT(t); i++) (void)pthread_join(t[i], NULL);
    cr_assert_eq(atomic_load(&s.lost), 0);
    never_went_down(&s);
    cr_assert_gt(atomic_load(&s.came), 0);
    close_site(&s);
}

static void *heartbeat(void *peer)
{
    struct mesh_peer *p = peer;
    mesh_lock(p);
    p->stats.frames_sent++;
    mesh_unlock(p);
    return NULL;
}

/* A sender that lets go of the lock and takes it again at once, as one in a loop does: the other
 * has no time to wake up, and would not get it from a bare mutex. */
QK_TEST(busy, heartbeats_do_not_wait_for_senders)
{
    struct mesh_peer p = {.lock = PTHREAD_MUTEX_INITIALIZER, .calm = PTHREAD_COND_INITIALIZER};
    for (unsigned i = 0; i < 200; i++) {
        pthread_t t;
        mesh_lock_user(&p);
        cr_assert_eq(pthread_create(&t, NULL, heartbeat, &p), 0);
        while (atomic_load(&p.ours_waiting) == 0) (void)sched_yield();
        mesh_unlock(&p);
        mesh_lock_user(&p);
        uint64_t sent = p.stats.frames_sent;
        mesh_unlock(&p);
        (void)pthread_join(t, NULL);
        cr_assert_eq(sent, i + 1, "round %u", i);
    }
}

QK_TEST(busy, a_batch_is_seldom_moved_while_it_grows)
{
    nng_msg *batch;
    cr_assert_eq(nng_msg_alloc(&batch, 0), 0);
    unsigned moved = 0, n = 0;
    for (uint8_t bytes[100] = {7}; nng_msg_len(batch) + 104 <= WIRE_FRAME_MAX; n++) {
        const void *before = nng_msg_body(batch);
        cr_assert(mesh_batch_append(batch, QK_BYTES(bytes)));
        moved += nng_msg_body(batch) != before;
        cr_assert_eq(nng_msg_len(batch), 104 * (n + 1));
    }
    cr_assert_gt(n, 2500);
    cr_assert_leq(moved, 16, "%u times", moved);
    cr_assert_leq(nng_msg_capacity(batch), WIRE_FRAME_MAX);
    struct qk_bytes rest = qk_bytes(nng_msg_body(batch), nng_msg_len(batch)), message;
    for (; wire_batch_next(&rest, &message); n--)
        cr_assert(message.len == 100 && message.p[0] == 7);
    cr_assert_eq(n, 0);
    nng_msg_free(batch);
}

/* ---- slow lines, and nodes that were not there for a while ---- */

QK_TEST(busy, a_message_that_takes_longer_than_silence_may_last_gets_through)
{
    struct site s;
    open_site(&s);
    struct wt_proxy *proxy = wt_proxy_new(s.w.ports[0]);
    struct wire_cluster *via = wt_moved(&s.w, 1, wt_proxy_port(proxy));
    char url[64];
    (void)snprintf(url, sizeof url, "tls+tcp://127.0.0.1:%u", s.w.ports[0]);
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 1, &s.in[0]);
    cfg.cluster = via;
    cfg.listen = url;
    start(&s, 0, &cfg);
    cfg = wt_mesh_config(&s.w, 2, &s.in[1]);
    cfg.cluster = via;
    start(&s, 1, &cfg);
    wait_up(&s);
    wt_proxy_slow(proxy, WIRE_MSG_MAX * 10 / LONG_MS);
    static uint8_t big[WIRE_MSG_MAX];
    qk_assert_ok(wire_mesh_send(s.m[1], 1, QK_BYTES(big)));
    cr_assert(wt_wait_messages(&s.in[0], 1));
    never_went_down(&s);
    for (unsigned i = 0; i < 2; i++) wire_mesh_free(s.m[i]);
    s.m[0] = s.m[1] = NULL;
    wt_proxy_free(proxy);
    wire_cluster_free(via);
    close_site(&s);
}

static uint64_t frames_of_child(struct site *s)
{
    struct wire_mesh_stats st;
    qk_assert_ok(wire_mesh_stats(s->m[0], 2, &st));
    return st.frames_received;
}

/* What its peers said meanwhile waits for it to be read. */
QK_TEST(busy, a_node_that_stood_still_does_not_blame_its_peers)
{
    struct site s;
    open_site(&s);
    pid_t pid = wt_child_node(&s.w, 2); /* dead_after_ms as here */
    struct wire_mesh_config cfg = wt_mesh_config(&s.w, 1, &s.in[0]);
    cfg.dead_after_ms = 60000; /* we are patient; the child is not */
    qk_assert_ok(wire_mesh_new(&s.m[0], &cfg));
    qk_assert_ok(wire_mesh_start(s.m[0]));
    cr_assert(wt_wait_ups(&s.in[0], 2, 1));
    cr_assert_eq(kill(pid, SIGSTOP), 0);
    wt_sleep_ms(LONG_MS);
    uint64_t before = frames_of_child(&s);
    cr_assert_eq(kill(pid, SIGCONT), 0);
    while (frames_of_child(&s) < before + 20 && downs(&s.in[0], 2) == 0) wt_sleep_ms(10);
    cr_assert_eq(
        downs(&s.in[0], 2), 0, "it has looked around many times since, and hung up on nobody");
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    close_site(&s);
}
