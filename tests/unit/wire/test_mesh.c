/* Links between nodes: what a good link does. */
#include "qktest/qktest.h"
#include "wiretest.h"

#include <stdio.h>

struct pair {
    struct wt_world w;
    struct wt_inbox in[2];
    struct wire_mesh *m[2];
};

static void pair_up(struct pair *p)
{
    wt_world_init(&p->w);
    for (unsigned i = 0; i < 2; i++) {
        wt_inbox_init(&p->in[i]);
        p->m[i] = wt_mesh(&p->w, (uint16_t)(i + 1), NULL, &p->in[i]);
    }
    cr_assert(wt_wait_ups(&p->in[0], 2, 1), "2 is up for 1");
    cr_assert(wt_wait_ups(&p->in[1], 1, 1), "1 is up for 2");
}

static void pair_down(struct pair *p)
{
    for (unsigned i = 0; i < 2; i++) wire_mesh_free(p->m[i]);
    for (unsigned i = 0; i < 2; i++) wt_inbox_free(&p->in[i]);
    wt_world_free(&p->w);
}

QK_TEST(mesh, good_peers_connect_both_ways_and_know_who_sent)
{
    struct pair p;
    pair_up(&p);
    cr_assert(wire_mesh_peer_up(p.m[0], 2));
    cr_assert_not(wire_mesh_peer_up(p.m[0], 3), "nobody there");
    cr_assert_not(wire_mesh_peer_up(p.m[0], 77), "no such node");
    qk_assert_ok(wire_mesh_send(p.m[0], 2, qk_str("from one")));
    qk_assert_ok(wire_mesh_send(p.m[1], 1, qk_str("from two")));
    cr_assert(wt_wait_messages(&p.in[0], 1));
    cr_assert(wt_wait_messages(&p.in[1], 1));
    cr_assert_eq(p.in[0].messages[0].from, 2);
    cr_assert(qk_bytes_is(p.in[0].messages[0].bytes, "from two"));
    cr_assert_eq(p.in[1].messages[0].from, 1);
    cr_assert(qk_bytes_is(p.in[1].messages[0].bytes, "from one"));
    pair_down(&p);
}

QK_TEST(mesh, refuses_what_cannot_be_sent)
{
    struct pair p;
    pair_up(&p);
    static uint8_t big[WIRE_MSG_MAX + 1];
    qk_assert_err(wire_mesh_send(p.m[0], 2, qk_bytes(big, 0)), QK_E_STATE);
    qk_assert_err(wire_mesh_send(p.m[0], 1, qk_str("to myself")), QK_E_STATE);
    qk_assert_err(wire_mesh_send(p.m[0], 9, qk_str("to nobody")), QK_E_STATE);
    qk_assert_err(wire_mesh_send(p.m[0], 3, qk_str("not connected")), QK_E_IO);
    qk_assert_err(wire_mesh_send(p.m[0], 2, QK_BYTES(big)), QK_E_TOO_LARGE);
    qk_assert_ok(wire_mesh_send(p.m[0], 2, qk_bytes(big, WIRE_MSG_MAX)));
    cr_assert(wt_wait_messages(&p.in[1], 1));
    cr_assert_eq(p.in[1].messages[0].bytes.len, WIRE_MSG_MAX);
    struct wire_mesh_stats s;
    qk_assert_err(wire_mesh_stats(p.m[0], 1, &s), QK_E_STATE);
    pair_down(&p);
}

/* Message i: its number, then i * 37 % 700 bytes of it. */
static size_t numbered(uint8_t out[static 1024], uint32_t i)
{
    size_t len = 4 + (size_t)(i * 37 % 700);
    memset(out, (int)(i & 0xff), len);
    qk_put_u32(out, i);
    return len;
}

QK_TEST(mesh, keeps_the_order_and_the_boundaries_of_batched_messages)
{
    enum { N = 20000 };
    struct pair p;
    pair_up(&p);
    uint8_t want[1024];
    for (uint32_t i = 0; i < N; i++) {
        size_t len = numbered(want, i);
        qk_err err;
        while ((err = wire_mesh_send(p.m[0], 2, qk_bytes(want, len))) == QK_E_BUSY) wt_sleep_ms(1);
        qk_assert_ok(err);
    }
    cr_assert(wt_wait_messages(&p.in[1], N));
    for (uint32_t i = 0; i < N; i++) {
        size_t len = numbered(want, i);
        cr_assert(qk_bytes_eq(p.in[1].messages[i].bytes, qk_bytes(want, len)), "message %u", i);
    }
    struct wire_mesh_stats s;
    qk_assert_ok(wire_mesh_stats(p.m[0], 2, &s));
    cr_assert_eq(s.sent, N);
    cr_assert_lt(s.frames_sent, N, "small messages travelled together");
    cr_assert_eq(s.queued_bytes, 0);
    qk_assert_ok(wire_mesh_stats(p.m[1], 1, &s));
    cr_assert_eq(s.received, N);
    cr_assert_eq(s.garbage, 0);
    pair_down(&p);
}

QK_TEST(mesh, three_nodes_all_talk)
{
    struct wt_world w;
    struct wt_inbox in[WT_NODES];
    struct wire_mesh *m[WT_NODES];
    wt_world_init(&w);
    for (uint16_t i = 0; i < WT_NODES; i++) {
        wt_inbox_init(&in[i]);
        m[i] = wt_mesh(&w, (uint16_t)(i + 1), NULL, &in[i]);
    }
    for (uint16_t i = 0; i < WT_NODES; i++)
        for (uint16_t j = 1; j <= WT_NODES; j++)
            if (j != i + 1) cr_assert(wt_wait_ups(&in[i], j, 1), "%u up for %u", j, i + 1);
    for (uint16_t i = 0; i < WT_NODES; i++)
        for (uint16_t j = 1; j <= WT_NODES; j++)
            if (j != i + 1) qk_assert_ok(wire_mesh_send(m[i], j, qk_bytes(&i, sizeof i)));
    for (uint16_t i = 0; i < WT_NODES; i++) {
        cr_assert(wt_wait_messages(&in[i], WT_NODES - 1));
        for (size_t k = 0; k < in[i].n; k++) {
            uint16_t said;
            memcpy(&said, in[i].messages[k].bytes.p, sizeof said);
            cr_assert_eq(said + 1, in[i].messages[k].from);
        }
    }
    for (uint16_t i = 0; i < WT_NODES; i++) wire_mesh_free(m[i]);
    for (uint16_t i = 0; i < WT_NODES; i++) wt_inbox_free(&in[i]);
    wt_world_free(&w);
}

static bool cannot_send(void *mesh)
{
    return wire_mesh_send(mesh, 2, qk_str("x")) == QK_E_IO;
}

QK_TEST(mesh, a_peer_that_restarts_is_back_and_older_lines_are_replaced)
{
    struct pair p;
    pair_up(&p);
    for (unsigned round = 0; round < 3; round++) {
        wire_mesh_free(p.m[1]);
        cr_assert(wt_wait_downs(&p.in[0], 2, round + 1), "went down");
        cr_assert(wt_until(cannot_send, p.m[0]), "our line to it breaks, too");
        p.m[1] = wt_mesh(&p.w, 2, NULL, &p.in[1]);
        cr_assert(wt_wait_ups(&p.in[0], 2, round + 2), "came back");
        cr_assert(wt_wait_ups(&p.in[1], 1, round + 2));
        qk_assert_ok(wire_mesh_send(p.m[0], 2, qk_str("again")));
        cr_assert(wt_wait_messages(&p.in[1], round + 1));
    }
    pair_down(&p);
}

/* Its own delay has grown to minutes while the peer was away; the peer's hello cuts it short. */
QK_TEST(mesh, a_peer_that_dials_in_is_dialled_at_once)
{
    struct pair p;
    wt_world_init(&p.w);
    for (unsigned i = 0; i < 2; i++) wt_inbox_init(&p.in[i]);
    struct wire_mesh_config cfg = wt_mesh_config(&p.w, 1, &p.in[0]);
    cfg.reconnect_min_ms = cfg.reconnect_max_ms = 3600 * 1000;
    qk_assert_ok(wire_mesh_new(&p.m[0], &cfg));
    qk_assert_ok(wire_mesh_start(p.m[0]));
    wt_sleep_ms(300); /* it has dialled in vain */
    p.m[1] = wt_mesh(&p.w, 2, NULL, &p.in[1]);
    cr_assert(wt_wait_ups(&p.in[0], 2, 1), "it sleeps on although the peer is there");
    cr_assert(wt_wait_ups(&p.in[1], 1, 1));
    pair_down(&p);
}

QK_TEST(mesh, config_must_fit_the_cluster)
{
    struct wt_world w;
    struct wt_inbox in;
    struct wire_mesh *m;
    wt_world_init(&w);
    wt_inbox_init(&in);
    struct wire_mesh_config cfg = wt_mesh_config(&w, 1, &in);
    cfg.self = 9;
    qk_assert_err(wire_mesh_new(&m, &cfg), QK_E_STATE);
    cfg.self = 2; /* with the identity of 1 */
    qk_assert_err(wire_mesh_new(&m, &cfg), QK_E_STATE);
    cfg.self = 1;
    cfg.on_message = NULL;
    qk_assert_err(wire_mesh_new(&m, &cfg), QK_E_STATE);
    cfg = wt_mesh_config(&w, 1, &in);
    qk_assert_ok(wire_mesh_new(&m, &cfg));
    wire_mesh_free(m); /* never started */
    cfg.listen = "tls+tcp://203.0.113.1:1";
    qk_assert_ok(wire_mesh_new(&m, &cfg));
    qk_assert_err(wire_mesh_start(m), QK_E_IO);
    wire_mesh_free(m);
    wt_inbox_free(&in);
    wt_world_free(&w);
}
