/* Node 3 is ours now: it holds its share, speaks the protocol and lies in it, as G1 and as G2. No Y
 * leaves E (M-4, M-5, M-8), and E suspects whom it has to. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include "qktest/qktest.h"
#include "macmesh.h"
#include "mpc/sym_record.h"
#include "nodemac.h"
#include "vault/shares.h"

enum {
    LIAR = 3,
    LA_LEN = 4096, /* of HMAC_256: labels, kh, digests, tables */
    KH_AT = LA_LEN,
    DIGESTS_AT = KH_AT + 16,
    TABLES_AT = DIGESTS_AT + 16384,
    CHUNKS_MAX = 16,
    TRIES = 5,
};

struct scene {
    struct nodebox box;
    struct nd d;
    struct macmesh mesh; /* node 3 */
    char key[KMS_UUID_LEN + 1];
    struct mpc_mac_record rec;
    struct mpc_mac_share share;
    pthread_mutex_t lock;
    struct qk_buf heard; /* all that came to node 3 */
};

static bool hear(void *ctx, uint16_t from, uint16_t to, struct qk_bytes frame)
{
    struct scene *s = ctx;
    (void)from;
    (void)to;
    (void)pthread_mutex_lock(&s->lock);
    qk_buf_add(&s->heard, frame.p, frame.len);
    (void)pthread_mutex_unlock(&s->lock);
    return true;
}

static void steal_share(struct scene *s)
{
    struct node_seal *seal;
    QK_AUTO_BUF secret = QK_BUF_SECRET(MPC_MAC_SHARE_MAX);
    uint8_t id[16];
    qk_assert_ok(mpc_sym_version_id(id, s->rec.key_id, 1));
    struct node_vault *vault = nodebox_vault(&s->box, LIAR, &seal);
    qk_assert_ok(node_vault_share_load(vault, id, NULL, &secret, NULL));
    node_vault_close(vault);
    node_seal_free(seal);
    qk_assert_ok(mpc_mac_share_decode(qk_buf_view(&secret), &s->share));
    qk_assert_ok(mpc_mac_share_check(&s->share, &s->rec));
}

static void wait_linked(struct scene *s)
{
    struct node *node = s->mesh.node[LIAR];
    QK_SEC32(kappa);
    for (int i = 0; i < NB_WAIT_MS / 20; i++) {
        bool up = wire_mesh_peer_up(node->mesh, 1) && wire_mesh_peer_up(node->mesh, 2);
        if (up && node_maclink_get(node, 1, &kappa) == QK_OK &&
            node_maclink_get(node, 2, &kappa) == QK_OK)
            return;
        nodebox_sleep_ms(20);
    }
    cr_assert_fail("node 3 does not link up");
}

static void set_up(struct scene *s, uint16_t n, const char *spec)
{
    memset(s, 0, sizeof *s);
    (void)pthread_mutex_init(&s->lock, NULL);
    s->heard = (struct qk_buf)QK_BUF(64u << 20);
    nodebox_up_of(&s->box, n, "seccomp = off\n");
    nd_init(&s->d, &s->box);
    nm_create_key(&s->d, spec, false, s->key);
    nm_record(&s->d, s->key, &s->rec);
    (void)nodebox_stop(&s->box, LIAR, SIGTERM);
    steal_share(s);
    s->mesh = (struct macmesh){.box = &s->box, .arrives = hear, .ctx = s};
    macmesh_start(&s->mesh, LIAR);
    wait_linked(s);
}

static void tear_down(struct scene *s)
{
    macmesh_stop(&s->mesh, LIAR);
    mpc_mac_share_wipe(&s->share);
    qk_buf_free(&s->heard);
    nd_free(&s->d);
    nodebox_end(&s->box);
    (void)pthread_mutex_destroy(&s->lock);
}

/* ---- one run ---- */

struct lie;
struct act {
    struct scene *s;
    struct nd_op *op;
    struct mpc_mac_task task;
    const struct lie *lie;
    uint8_t run[32];
};

/* A frame of node 3 to E. */
static void send(
    struct act *a, enum node_frame type, const void *head, size_t head_len, struct qk_bytes bytes)
{
    QK_AUTO_BUF body = QK_BUF_SECRET(WIRE_MSG_MAX);
    qk_buf_add(&body, a->run, 32);
    if (head_len > 0) qk_buf_add(&body, head, head_len);
    qk_buf_add(&body, bytes.p, bytes.len);
    qk_assert_ok(body.err);
    qk_assert_ok(node_frame_send(a->s->mesh.node[LIAR], a->task.roles.e, type, qk_buf_view(&body)));
}

static void name_of_link(struct act *a, uint16_t peer, uint8_t kappa[static 32],
    uint8_t name[static NODE_MACLINK_ID_LEN])
{
    QK_SEC32(k);
    qk_assert_ok(node_maclink_get(a->s->mesh.node[LIAR], peer, &k));
    qk_assert_ok(node_maclink_id(&k, name));
    memcpy(kappa, k.b, 32);
}

/* What is done to the chunks of G1 before they leave. */
struct chunks {
    struct qk_bytes v[CHUNKS_MAX];
    uint32_t number[CHUNKS_MAX];
    uint8_t *p[CHUNKS_MAX];
    size_t n;
    uint8_t name[NODE_MACLINK_ID_LEN]; /* of the garblers' secret */
};

/* What is done to the messages of G2. */
struct words {
    uint8_t names[2 * NODE_MACLINK_ID_LEN];
    struct qk_buf labels;
    uint8_t gmac[MPC_MAC_GMAC_LEN];
    bool gmac_first, no_gmac, gmac_twice;
};

struct lie {
    const char *what;
    void (*as_g1)(struct chunks *c);
    void (*as_g2)(struct words *w);
    int suspect; /* LIAR; 0: E itself, one of the garblers; -1: nobody */
};

static void act_g1(struct act *a)
{
    struct chunks c = {.n = 0};
    struct mpc_mac_g1 *g;
    uint8_t kappa[32];
    name_of_link(a, a->task.roles.g2, kappa, c.name);
    qk_assert_ok(mpc_mac_g1_new(&g, &a->task, kappa));
    memcpy(a->run, mpc_mac_g1_run(g), 32);
    for (;;) {
        size_t len;
        uint8_t *p = malloc(MPC_MAC_CHUNK);
        cr_assert_not_null(p);
        cr_assert_lt(c.n, CHUNKS_MAX);
        qk_assert_ok(mpc_mac_g1_chunk(g, p, &len));
        c.p[c.n] = p;
        c.number[c.n] = (uint32_t)c.n;
        c.v[c.n] = qk_bytes(p, len);
        if (len == 0) break;
        c.n++;
    }
    size_t made = c.n + 1;
    mpc_mac_g1_free(g);
    if (a->lie->as_g1 != NULL) a->lie->as_g1(&c);
    for (size_t i = 0; i < c.n; i++) {
        uint8_t head[4 + NODE_MACLINK_ID_LEN];
        qk_put_u32(head, c.number[i]);
        memcpy(head + 4, c.name, sizeof c.name);
        send(a, NODE_FRAME_MAC_TABLES, head, sizeof head, c.v[i]);
    }
    for (size_t i = 0; i < made; i++) free(c.p[i]);
}

static void act_g2(struct act *a)
{
    struct words w = {.labels = QK_BUF_SECRET(MPC_MAC_LABELS_MAX)};
    struct mpc_mac_g2 *g;
    uint8_t k1[32], ke[32];
    bool done = false;
    name_of_link(a, a->task.roles.g1, k1, w.names);
    name_of_link(a, a->task.roles.e, ke, w.names + NODE_MACLINK_ID_LEN);
    qk_assert_ok(mpc_mac_g2_new(&g, &a->task, k1, ke));
    memcpy(a->run, mpc_mac_g2_run(g), 32);
    qk_assert_ok(mpc_mac_g2_labels(g, &w.labels));
    while (!done) qk_assert_ok(mpc_mac_g2_work(g, &done));
    qk_assert_ok(mpc_mac_g2_gmac(g, w.gmac));
    mpc_mac_g2_free(g);
    if (a->lie->as_g2 != NULL) a->lie->as_g2(&w);
    if (w.gmac_first) send(a, NODE_FRAME_MAC_GMAC, NULL, 0, QK_BYTES(w.gmac));
    send(a, NODE_FRAME_MAC_LABELS, w.names, sizeof w.names, qk_buf_view(&w.labels));
    if (!w.gmac_first && !w.no_gmac) send(a, NODE_FRAME_MAC_GMAC, NULL, 0, QK_BYTES(w.gmac));
    if (w.gmac_twice) send(a, NODE_FRAME_MAC_GMAC, NULL, 0, QK_BYTES(w.gmac));
    qk_buf_free(&w.labels);
}

static void call(struct scene *s, struct nd_op *op, uint16_t id)
{
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&bytes, &op->call);
    qk_assert_ok(bytes.err);
    nb_answer_free(&op->answer[id]);
    nb_start(s->box.client[id], qk_buf_view(&bytes), ND_CALL_MS, &op->answer[id]);
}

/* Nodes 1 and 2 do what they do, node 3 what the lie says. The answer of E. */
static const struct nb_answer *perform(
    struct scene *s, const struct mpc_mac_roles *roles, const struct lie *lie, struct nd_op **out)
{
    struct qk_bytes message = qk_str("what is authenticated");
    struct nd_op *op = nm_op(&s->d, "TrentService.GenerateMac", s->key, message, roles);
    struct act a = {.s = s,
        .op = op,
        .lie = lie,
        .task = {.rec = &s->rec, .share = &s->share, .roles = *roles, .message = message}};
    memcpy(a.task.mid, op->call.mac.mid, sizeof a.task.mid);
    call(s, op, 1);
    call(s, op, 2);
    if (roles->g1 == LIAR)
        act_g1(&a);
    else
        act_g2(&a);
    nb_wait(&op->answer[1]);
    nb_wait(&op->answer[2]);
    *out = op;
    return &op->answer[roles->e];
}

/* On a busy machine a run may end at its deadline, with nobody to blame: once more, then. */
static void caught(struct scene *s, const struct mpc_mac_roles *roles, const struct lie *lie)
{
    int want = lie->suspect < 0 ? 0 : lie->suspect == 0 ? roles->e : lie->suspect, got = -1;
    for (int i = 0; i < TRIES && got != want && got <= 0; i++) {
        ND_AUTO_OP *op;
        const struct nb_answer *e = perform(s, roles, lie, &op);
        qk_assert_ok(e->err);
        if (e->a.status != WIRE_ANSWER_RETRY) nd_show(op);
        cr_assert_eq(e->a.status, WIRE_ANSWER_RETRY, "%s", lie->what);
        cr_assert(nd_empty(e), "%s: no Y leaves E", lie->what);
        got = e->a.culprit;
    }
    cr_assert_eq(got, want, "%s: suspects %d", lie->what, got);
}

static void honest(struct scene *s, const struct mpc_mac_roles *roles, const struct lie *lie)
{
    bool ok = false;
    for (int i = 0; i < TRIES && !ok; i++) {
        ND_AUTO_OP *op;
        const struct nb_answer *e = perform(s, roles, lie, &op);
        qk_assert_ok(e->err);
        ok = e->a.status == WIRE_ANSWER_OK;
        if (ok) cr_assert_eq(e->a.part.len, 16u * 8 * 32, "%s: Y", lie->what);
        if (!ok && i + 1 == TRIES) nd_show(op);
    }
    cr_assert(ok, "%s", lie->what);
}

/* ---- lies of G1 ---- */

static void flip(struct chunks *c, size_t chunk, size_t at)
{
    c->p[chunk][at] ^= 0x10;
}
static void flip_label(struct chunks *c)
{
    flip(c, 0, 5);
}
static void flip_kh(struct chunks *c)
{
    flip(c, 0, KH_AT);
}
static void flip_digest(struct chunks *c)
{
    flip(c, 0, DIGESTS_AT + 100);
}
static void flip_first_table(struct chunks *c)
{
    flip(c, 0, TABLES_AT);
}
static void flip_last_table(struct chunks *c)
{
    flip(c, c->n - 1, c->v[c->n - 1].len - 1);
}
static void swap_labels(struct chunks *c)
{
    for (size_t i = 0; i < 16; i++) {
        uint8_t x = c->p[0][i];
        c->p[0][i] = c->p[0][16 + i];
        c->p[0][16 + i] = x;
    }
}
static void remove_chunk(struct chunks *c, size_t at, bool renumber)
{
    for (size_t i = at; i + 1 < c->n; i++) {
        c->v[i] = c->v[i + 1];
        c->number[i] = renumber ? (uint32_t)i : c->number[i + 1];
    }
    c->n--;
}
static void drop(struct chunks *c)
{
    remove_chunk(c, 2, false);
}
static void drop_and_renumber(struct chunks *c)
{
    remove_chunk(c, 2, true);
}
static void drop_last(struct chunks *c)
{
    c->n--;
}
static void repeat(struct chunks *c)
{
    c->v[2] = c->v[1];
    c->number[2] = c->number[1];
}
static void repeat_renumbered(struct chunks *c)
{
    c->v[2] = c->v[1];
}
static void exchange(struct chunks *c)
{
    struct qk_bytes v = c->v[1];
    c->v[1] = c->v[2];
    c->v[2] = v;
    c->number[1] = 2;
    c->number[2] = 1;
}
static void exchange_renumbered(struct chunks *c)
{
    exchange(c);
    c->number[1] = 1;
    c->number[2] = 2;
}
static void cut(struct chunks *c)
{
    c->v[1].len--;
}
static void cut_last(struct chunks *c)
{
    c->v[c->n - 1].len -= 32;
}
static void go_on(struct chunks *c)
{
    c->v[c->n] = qk_bytes(c->p[0], 32);
    c->number[c->n] = (uint32_t)c->n;
    c->n++;
}
static void other_link(struct chunks *c)
{
    c->name[0] ^= 1;
}

static const struct lie lies_of_g1[] = {
    {"M-5: a bit of a label", flip_label, NULL, LIAR},
    {"M-5: two labels exchanged", swap_labels, NULL, LIAR},
    {"M-4: a bit of kh", flip_kh, NULL, 0},
    {"M-4: a bit of a digest", flip_digest, NULL, 0},
    {"M-4: a bit of the first table", flip_first_table, NULL, 0},
    {"M-4: a bit of the last table", flip_last_table, NULL, 0},
    {"M-4: a frame dropped", drop, NULL, LIAR},
    {"M-4: a chunk dropped, the others renumbered", drop_and_renumber, NULL, LIAR},
    {"M-4: the last frame dropped", drop_last, NULL, -1},
    {"M-4: a frame doubled", repeat, NULL, LIAR},
    {"M-4: a chunk in the place of the next", repeat_renumbered, NULL, 0},
    {"M-4: frames reordered", exchange, NULL, LIAR},
    {"M-4: chunks reordered", exchange_renumbered, NULL, 0},
    {"M-4: a chunk cut short", cut, NULL, LIAR},
    {"M-4: the last chunk cut short", cut_last, NULL, LIAR},
    {"M-11: another link's secret", other_link, NULL, -1},
};
static const struct lie truth = {"the truth", NULL, NULL, -1};

QK_TEST(mac_hostile_node, M_4_M_5_no_lie_of_the_first_garbler_gets_labels_out_of_the_evaluator)
{
    struct scene s;
    set_up(&s, NB_NODES, "HMAC_256");
    for (uint16_t e = 1; e <= 2; e++) {
        const struct mpc_mac_roles roles = {LIAR, (uint16_t)(3 - e), e};
        honest(&s, &roles, &truth);
        for (size_t i = 0; i < QK_COUNT(lies_of_g1); i++) caught(&s, &roles, &lies_of_g1[i]);
        honest(&s, &roles, &truth);
    }
    tear_down(&s);
}

/* What comes behind the end comes too late to matter, or ends the run. */
QK_TEST(mac_hostile_node, a_stream_that_goes_on_behind_its_end_gives_the_right_labels_or_none)
{
    static const struct lie more = {"more", go_on, NULL, -1};
    static const struct mpc_mac_roles roles = {LIAR, 2, 1};
    struct scene s;
    set_up(&s, NB_NODES, "HMAC_256");
    ND_AUTO_OP *op;
    const struct nb_answer *e = perform(&s, &roles, &more, &op);
    qk_assert_ok(e->err);
    cr_assert(e->a.status == WIRE_ANSWER_OK ? e->a.part.len == 4096 : nd_empty(e));
    honest(&s, &roles, &truth);
    tear_down(&s);
}

/* ---- lies of G2 ---- */

static void bad_gmac(struct words *w)
{
    w->gmac[15] ^= 1;
}
static void bad_label(struct words *w)
{
    w->labels.p[16 * 200] ^= 1;
}
static void labels_exchanged(struct words *w)
{
    for (size_t i = 0; i < 16; i++) {
        uint8_t x = w->labels.p[i];
        w->labels.p[i] = w->labels.p[16 + i];
        w->labels.p[16 + i] = x;
    }
}
static void few_labels(struct words *w)
{
    w->labels.len -= 16;
}
static void many_labels(struct words *w)
{
    qk_buf_add(&w->labels, w->gmac, 16);
}
static void no_gmac(struct words *w)
{
    w->no_gmac = true;
}
static void garblers_link(struct words *w)
{
    w->names[0] ^= 1;
}
static void checkers_link(struct words *w)
{
    w->names[NODE_MACLINK_ID_LEN] ^= 1;
}
static void gmac_first(struct words *w)
{
    w->gmac_first = true;
}

static const struct lie lies_of_g2[] = {
    {"M-4: a bit of the GMAC", NULL, bad_gmac, 0},
    {"M-4: no GMAC", NULL, no_gmac, -1},
    {"M-5: a bit of a label", NULL, bad_label, LIAR},
    {"M-5: two labels exchanged", NULL, labels_exchanged, LIAR},
    {"M-5: a label too few", NULL, few_labels, LIAR},
    {"M-5: a label too many", NULL, many_labels, LIAR},
    {"M-11: another secret with G1", NULL, garblers_link, -1},
    {"M-11: another secret with E", NULL, checkers_link, -1},
};
static const struct lie odd_order = {"GMAC before labels", NULL, gmac_first, -1};

QK_TEST(mac_hostile_node, M_4_M_5_no_lie_of_the_second_garbler_gets_labels_out_of_the_evaluator)
{
    struct scene s;
    set_up(&s, NB_NODES, "HMAC_256");
    for (uint16_t e = 1; e <= 2; e++) {
        const struct mpc_mac_roles roles = {(uint16_t)(3 - e), LIAR, e};
        honest(&s, &roles, &truth);
        honest(&s, &roles, &odd_order);
        for (size_t i = 0; i < QK_COUNT(lies_of_g2); i++) caught(&s, &roles, &lies_of_g2[i]);
        honest(&s, &roles, &truth);
    }
    /* M-17: what reached this node is its own share's business, and ist was not told again */
    (void)pthread_mutex_lock(&s.lock);
    cr_assert_null(memmem(s.heard.p, s.heard.len, s.share.ist, 32), "M-17");
    (void)pthread_mutex_unlock(&s.lock);
    tear_down(&s);
}

/* ---- floods ---- */

enum { RUNS = 40, CHUNKS = 9, BYTES_MAX = 8 << 20 };

static void flood(struct scene *s, uint16_t to)
{
    struct wire_mesh *mesh = s->mesh.node[LIAR]->mesh;
    QK_AUTO_BUF frame = QK_BUF(WIRE_MSG_MAX);
    qk_buf_add_u8(&frame, NODE_FRAME_MAC_TABLES);
    cr_assert_not_null(qk_buf_extend(&frame, 32 + 4 + NODE_MACLINK_ID_LEN + MPC_MAC_CHUNK));
    for (uint32_t run = 0; run < RUNS; run++) {
        for (uint32_t k = 0; k < CHUNKS; k++) {
            qk_put_u32(frame.p + 1, run);
            qk_put_u32(frame.p + 33, k);
            while (wire_mesh_send(mesh, to, qk_buf_view(&frame)) == QK_E_BUSY) nodebox_sleep_ms(2);
        }
    }
}

/* Bytes of runs that wait at a node. */
static unsigned long waiting(struct scene *s, uint16_t id)
{
    static const char field[] = "\"MacBytes\":";
    NB_AUTO_ANSWER a = {.err = QK_OK};
    struct wire_call status = {.kind = WIRE_CALL_STATUS};
    memcpy(status.cluster, s->box.cluster->hash, 32);
    nd_call(&s->d, id, &status, &a);
    qk_assert_ok(a.err);
    const char *at = memmem(a.a.status_json.p, a.a.status_json.len, field, sizeof field - 1);
    cr_assert_not_null(at);
    return strtoul(at + sizeof field - 1, NULL, 10);
}

QK_TEST(mac_hostile_node, M_18_a_flood_is_bounded_and_the_runs_of_others_go_on)
{
    struct scene s;
    set_up(&s, 4, "HMAC_256");
    static const struct mpc_mac_roles g1 = {LIAR, 2, 1}, others[] = {{4, 2, 1}, {1, 4, 2}};
    uint8_t tag[MPC_MAC_DIGEST_MAX];
    flood(&s, 1);
    flood(&s, 2);
    for (uint16_t id = 1; id <= 2; id++)
        cr_assert_leq(waiting(&s, id), (unsigned long)BYTES_MAX, "M-18: node %u", id);
    for (size_t i = 0; i < QK_COUNT(others); i++)
        qk_assert_ok(nm_generate(&s.d, s.key, qk_str("m"), &others[i], tag));
    for (int i = 0; i < 1200 && (waiting(&s, 1) > 0 || waiting(&s, 2) > 0); i++)
        nodebox_sleep_ms(50);
    cr_assert_eq(waiting(&s, 1), 0u, "M-18: what nobody asked for is dropped");
    cr_assert_eq(waiting(&s, 2), 0u);
    honest(&s, &g1, &truth);
    tear_down(&s);
}
