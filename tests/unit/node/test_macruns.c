/* What travels between the three nodes of a run: in order, once, by whom it may, in bounded memory
 * (M-4, M-18). The bytes mean nothing here; three meshes in one process. */
#include "qktest/qktest.h"
#include "macmesh.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    RUN_MS = 20000,
    FLOODED = 200,
    CHUNKS = 40,
    EIGHT = 15 * MPC_MAC_CHUNK / 2 /* bytes that seven chunks have not */
};

static const struct mpc_mac_roles roles = {1, 2, 3};
static const uint8_t KAPPA[NODE_MACLINK_ID_LEN] = {1, 2, 3};

static void name_run(uint8_t run[static 32], uint32_t number)
{
    memset(run, 0x55, 32);
    qk_put_u32(run, number);
}

static struct node_macrun *begin(struct macmesh *m, uint16_t self, uint32_t number)
{
    uint8_t name[32];
    struct node_macrun *run = NULL;
    name_run(name, number);
    qk_assert_ok(node_macrun_begin(m->node[self], name, &roles, false, RUN_MS, &run));
    return run;
}

/* A frame as it comes from a link. */
static void receive(struct macmesh *m, uint16_t to, uint16_t from, uint32_t run,
    enum node_frame type, uint32_t number, size_t len)
{
    uint8_t name[32];
    QK_AUTO_BUF body = QK_BUF(WIRE_MSG_MAX);
    name_run(name, run);
    qk_buf_add(&body, name, 32);
    if (type == NODE_FRAME_MAC_TABLES || type == NODE_FRAME_MAC_CREDIT)
        qk_buf_add_u32(&body, number);
    if (len > 0) cr_assert_not_null(qk_buf_extend(&body, len));
    qk_assert_ok(body.err);
    node_macruns_receive(m->node[to], from, type, qk_buf_view(&body));
}

static void tables(struct macmesh *m, uint16_t from, uint32_t run, uint32_t number)
{
    receive(m, 3, from, run, NODE_FRAME_MAC_TABLES, number, 1000);
}

static void labels(struct macmesh *m, uint16_t from, uint32_t run)
{
    receive(m, 3, from, run, NODE_FRAME_MAC_LABELS, 0, 200);
}

static qk_err next(struct macmesh *m, struct node_macrun *run, enum node_frame *type)
{
    struct node_mac_item *item;
    QK_TRY(node_macrun_next(m->node[3], run, &item));
    *type = item->type;
    node_macrun_consumed(m->node[3], run, item);
    return QK_OK;
}

static void expect(struct macmesh *m, struct node_macrun *run, enum node_frame want)
{
    enum node_frame type = 0;
    qk_assert_ok(next(m, run, &type));
    cr_assert_eq(type, want);
}

/* ---- order ---- */

QK_TEST(macruns, frames_may_come_before_the_call_and_labels_go_first)
{
    struct macmesh m;
    macmesh_up(&m, NULL, NULL);
    tables(&m, 1, 1, 0);
    tables(&m, 1, 1, 1);
    struct node_macrun *run = begin(&m, 3, 1);
    labels(&m, 2, 1);
    expect(&m, run, NODE_FRAME_MAC_LABELS);
    expect(&m, run, NODE_FRAME_MAC_TABLES);
    expect(&m, run, NODE_FRAME_MAC_TABLES);
    receive(&m, 3, 2, 1, NODE_FRAME_MAC_GMAC, 0, MPC_MAC_GMAC_LEN);
    expect(&m, run, NODE_FRAME_MAC_GMAC);
    node_macrun_end(m.node[3], run);
    cr_assert_eq(node_macruns_bytes(m.node[3]), 0u);
    macmesh_down(&m);
}

/* One that breaks the rules ends its own run, whether it was begun or not. */
struct breach {
    const char *what;
    void (*commit)(struct macmesh *m, uint32_t run);
    uint16_t culprit;
};

static void doubled(struct macmesh *m, uint32_t run)
{
    tables(m, 1, run, 0);
    tables(m, 1, run, 0);
}
static void dropped(struct macmesh *m, uint32_t run)
{
    tables(m, 1, run, 0);
    tables(m, 1, run, 2);
}
static void reordered(struct macmesh *m, uint32_t run)
{
    tables(m, 1, run, 1);
    tables(m, 1, run, 0);
}
static void too_many(struct macmesh *m, uint32_t run)
{
    for (uint32_t i = 0; i <= NODE_MAC_WINDOW; i++) tables(m, 1, run, i);
}
static void two_labels(struct macmesh *m, uint32_t run)
{
    labels(m, 2, run);
    labels(m, 2, run);
}
static void tables_of_g2(struct macmesh *m, uint32_t run)
{
    tables(m, 2, run, 0);
}
static void labels_of_g1(struct macmesh *m, uint32_t run)
{
    labels(m, 1, run);
}
static void out_unasked(struct macmesh *m, uint32_t run)
{
    receive(m, 3, 2, run, NODE_FRAME_MAC_OUT, 0, 32);
}

static const struct breach breaches[] = {
    {"M-4: doubled", doubled, 1},
    {"M-4: dropped", dropped, 1},
    {"M-4: reordered", reordered, 1},
    {"M-18: more than the window", too_many, 1},
    {"labels twice", two_labels, 2},
    {"tables of G2", tables_of_g2, 2},
    {"labels of G1", labels_of_g1, 1},
    {"what only a combiner takes", out_unasked, 2},
};

QK_TEST(macruns, M_4_M_18_a_breach_ends_that_run_and_no_other)
{
    struct macmesh m;
    macmesh_up(&m, NULL, NULL);
    uint32_t number = 100;
    for (size_t i = 0; i < QK_COUNT(breaches); i++) {
        const struct breach *b = &breaches[i];
        for (int early = 0; early < 2; early++) {
            enum node_frame type;
            uint32_t bad = ++number, good = ++number;
            struct node_macrun *other = begin(&m, 3, good);
            tables(&m, 1, good, 0);
            if (early) b->commit(&m, bad);
            struct node_macrun *run = begin(&m, 3, bad);
            if (!early) b->commit(&m, bad);
            qk_assert_err(next(&m, run, &type), QK_E_UNEXPECTED);
            cr_assert_eq(node_macrun_culprit(run), b->culprit, "%s", b->what);
            node_macrun_end(m.node[3], run);
            labels(&m, 2, good);
            expect(&m, other, NODE_FRAME_MAC_LABELS);
            expect(&m, other, NODE_FRAME_MAC_TABLES);
            node_macrun_end(m.node[3], other);
        }
    }
    cr_assert_eq(node_macruns_bytes(m.node[3]), 0u);
    macmesh_down(&m);
}

/* Another node's frames are not those of the run, whatever they name. */
QK_TEST(macruns, a_third_node_cannot_end_a_run)
{
    struct macmesh m;
    macmesh_up(&m, NULL, NULL);
    struct node_macrun *run = begin(&m, 3, 1);
    tables(&m, 9, 1, 7);
    receive(&m, 3, 9, 1, NODE_FRAME_MAC_GMAC, 0, MPC_MAC_GMAC_LEN);
    receive(&m, 1, 9, 1, NODE_FRAME_MAC_CREDIT, 5, 0);
    labels(&m, 2, 1);
    expect(&m, run, NODE_FRAME_MAC_LABELS);
    node_macrun_end(m.node[3], run);
    macmesh_down(&m);
}

QK_TEST(macruns, frames_of_no_possible_length_are_dropped)
{
    struct macmesh m;
    macmesh_up(&m, NULL, NULL);
    struct node_macrun *run = begin(&m, 3, 1);
    static const struct {
        enum node_frame type;
        size_t len;
    } odd[] = {{NODE_FRAME_MAC_TABLES, 0}, {NODE_FRAME_MAC_TABLES, NODE_MACLINK_ID_LEN},
        {NODE_FRAME_MAC_TABLES, MPC_MAC_CHUNK + NODE_MACLINK_ID_LEN + 1},
        {NODE_FRAME_MAC_LABELS, 2 * NODE_MACLINK_ID_LEN}, {NODE_FRAME_MAC_GMAC, 15},
        {NODE_FRAME_MAC_GMAC, 17}, {NODE_FRAME_MAC_OUT, 0},
        {NODE_FRAME_MAC_OUT, NODE_MAC_OTHER_MAX + 1}, {NODE_FRAME_MAC_CREDIT, 1}};
    for (size_t i = 0; i < QK_COUNT(odd); i++)
        for (uint16_t from = 1; from <= 2; from++)
            receive(&m, 3, from, 1, odd[i].type, 0, odd[i].len);
    node_macruns_receive(m.node[3], 1, NODE_FRAME_MAC_TABLES, qk_bytes(KAPPA, 0));
    cr_assert_eq(node_macruns_bytes(m.node[3]), 0u);
    labels(&m, 2, 1);
    expect(&m, run, NODE_FRAME_MAC_LABELS);
    node_macrun_end(m.node[3], run);
    macmesh_down(&m);
}

/* ---- bounds ---- */

QK_TEST(macruns, M_18_a_flood_of_frames_for_runs_that_nobody_began_is_bounded_and_others_finish)
{
    struct macmesh m;
    macmesh_up(&m, NULL, NULL);
    QK_AUTO_BUF full = QK_BUF(WIRE_MSG_MAX);
    cr_assert_not_null(qk_buf_extend(&full, 36 + NODE_MACLINK_ID_LEN + MPC_MAC_CHUNK));
    for (uint32_t i = 0; i < FLOODED; i++) {
        for (uint32_t k = 0; k <= NODE_MAC_WINDOW; k++) {
            name_run(full.p, 1000 + i);
            qk_put_u32(full.p + 32, k);
            node_macruns_receive(m.node[3], 1, NODE_FRAME_MAC_TABLES, qk_buf_view(&full));
        }
    }
    cr_assert_leq(node_macruns_bytes(m.node[3]), 8u << 20, "M-18: of one peer");
    /* a run of the others' and one of his own, once it is begun, go on */
    struct node_macrun *run = begin(&m, 3, 1);
    labels(&m, 2, 1);
    tables(&m, 1, 1, 0);
    expect(&m, run, NODE_FRAME_MAC_LABELS);
    expect(&m, run, NODE_FRAME_MAC_TABLES);
    node_macrun_end(m.node[3], run);
    macmesh_down(&m);
}

QK_TEST(macruns, M_18_so_many_runs_are_begun_at_once_and_no_more)
{
    struct macmesh m;
    struct node_macrun *run[NODE_MAC_RUNS], *one = NULL;
    uint8_t name[32];
    macmesh_up(&m, NULL, NULL);
    for (uint32_t i = 0; i < NODE_MAC_RUNS; i++) run[i] = begin(&m, 3, i);
    name_run(name, NODE_MAC_RUNS);
    qk_assert_err(node_macrun_begin(m.node[3], name, &roles, false, RUN_MS, &one), QK_E_BUSY);
    node_macrun_end(m.node[3], run[0]);
    name_run(name, 1);
    qk_assert_err(node_macrun_begin(m.node[3], name, &roles, false, RUN_MS, &one), QK_E_CONFLICT);
    run[0] = begin(&m, 3, NODE_MAC_RUNS);
    for (uint32_t i = 0; i < NODE_MAC_RUNS; i++) node_macrun_end(m.node[3], run[i]);
    cr_assert_eq(node_macruns_count(m.node[3]), 0u);
    macmesh_down(&m);
}

/* ---- flow ---- */

struct garbler {
    struct macmesh *m;
    struct node_macrun *run;
    qk_err err;
    uint32_t sent;
};

static void *garble(void *arg)
{
    struct garbler *g = arg;
    struct node *node = g->m->node[1];
    for (uint32_t i = 0; i < CHUNKS && g->err == QK_OK; i++) {
        memset(node_macrun_chunk(g->run), (int)i, MPC_MAC_CHUNK);
        g->err = node_macrun_send_chunk(node, g->run, KAPPA, MPC_MAC_CHUNK - i);
        if (g->err == QK_OK) g->sent++;
    }
    return NULL;
}

static void start(struct garbler *g, struct macmesh *m, pthread_t *thread)
{
    *g = (struct garbler){.m = m, .run = begin(m, 1, 1)};
    cr_assert_eq(pthread_create(thread, NULL, garble, g), 0);
}

static void join(struct garbler *g, pthread_t thread)
{
    cr_assert_eq(pthread_join(thread, NULL), 0);
    node_macrun_end(g->m->node[1], g->run);
}

QK_TEST(macruns, a_stream_longer_than_the_window_arrives_whole_and_in_order)
{
    struct macmesh m;
    struct garbler g;
    pthread_t thread;
    macmesh_up(&m, NULL, NULL);
    struct node_macrun *run = begin(&m, 3, 1), *g2 = begin(&m, 2, 1);
    start(&g, &m, &thread);
    nodebox_sleep_ms(50);
    cr_assert_leq(node_macruns_bytes(m.node[3]),
        NODE_MAC_WINDOW * (size_t)(MPC_MAC_CHUNK + NODE_MACLINK_ID_LEN), "the window holds");
    uint8_t text[100] = {1};
    qk_assert_ok(node_macrun_send(m.node[2], g2, NODE_FRAME_MAC_LABELS, QK_BYTES(text)));
    expect(&m, run, NODE_FRAME_MAC_LABELS);
    for (uint32_t i = 0; i < CHUNKS; i++) {
        struct node_mac_item *item;
        qk_assert_ok(node_macrun_next(m.node[3], run, &item));
        cr_assert_eq(item->number, i);
        cr_assert_eq(item->len, NODE_MACLINK_ID_LEN + MPC_MAC_CHUNK - i);
        cr_assert_arr_eq(item->bytes, KAPPA, sizeof KAPPA);
        cr_assert_eq(item->bytes[item->len - 1], i);
        node_macrun_consumed(m.node[3], run, item);
    }
    join(&g, thread);
    qk_assert_ok(g.err);
    node_macrun_end(m.node[3], run);
    node_macrun_end(m.node[2], g2);
    macmesh_down(&m);
}

QK_TEST(macruns, a_credit_for_what_was_never_sent_ends_the_stream)
{
    struct macmesh m;
    struct garbler g;
    pthread_t thread;
    macmesh_up(&m, NULL, NULL);
    start(&g, &m, &thread);
    for (int i = 0; i < 1000 && node_macruns_bytes(m.node[3]) < EIGHT; i++) nodebox_sleep_ms(10);
    receive(&m, 1, 3, 1, NODE_FRAME_MAC_CREDIT, CHUNKS, 0);
    join(&g, thread);
    qk_assert_err(g.err, QK_E_UNEXPECTED);
    cr_assert_eq(g.sent, (uint32_t)NODE_MAC_WINDOW);
    macmesh_down(&m);
}

QK_TEST(macruns, everybody_stops_waiting_when_a_node_dies)
{
    struct macmesh m;
    struct garbler g;
    pthread_t thread;
    enum node_frame type;
    uint8_t name[32];
    macmesh_up(&m, NULL, NULL);
    struct node_macrun *run = begin(&m, 3, 1), *again = NULL;
    start(&g, &m, &thread);
    nodebox_sleep_ms(50);
    macmesh_stop(&m, 2);
    qk_assert_err(next(&m, run, &type), QK_E_IO);
    join(&g, thread);
    qk_assert_err(g.err, QK_E_IO);
    node_macrun_end(m.node[3], run);
    cr_assert_eq(node_macruns_bytes(m.node[3]), 0u);
    name_run(name, 2);
    qk_assert_err(node_macrun_begin(m.node[3], name, &roles, false, RUN_MS, &again), QK_E_IO);
    macmesh_down(&m);
}

QK_TEST(macruns, a_run_ends_at_its_deadline_and_what_waits_for_nobody_is_dropped)
{
    struct macmesh m;
    struct node_macrun *run;
    enum node_frame type;
    uint8_t name[32];
    macmesh_up(&m, NULL, NULL);
    name_run(name, 1);
    qk_assert_ok(node_macrun_begin(m.node[3], name, &roles, false, 50, &run));
    tables(&m, 1, 2, 0);
    qk_assert_err(next(&m, run, &type), QK_E_TIMEOUT);
    node_macrun_end(m.node[3], run);
    cr_assert_gt(node_macruns_bytes(m.node[3]), 0u);
    for (int i = 0; i < 1000 && node_macruns_bytes(m.node[3]) > 0; i++) {
        nodebox_sleep_ms(20);
        node_macruns_tick(m.node[3]);
    }
    cr_assert_eq(node_macruns_bytes(m.node[3]), 0u);
    macmesh_down(&m);
}

QK_TEST(macruns, a_garbler_stops_when_the_evaluator_has_given_up)
{
    struct macmesh m;
    struct garbler g;
    pthread_t thread;
    macmesh_up(&m, NULL, NULL);
    struct node_macrun *run = begin(&m, 3, 1);
    start(&g, &m, &thread);
    node_macrun_give_up(m.node[3], run);
    join(&g, thread);
    qk_assert_err(g.err, QK_E_MISMATCH);
    node_macrun_end(m.node[3], run);
    macmesh_down(&m);
}
