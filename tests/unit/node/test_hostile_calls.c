/* Calls that are no calls, from callers that may not, to peers that do not fit, before their time:
 * three real nodes refuse them and write it down. */
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "qk/rng.h"
#include "wire/bundle.h"

static const uint16_t all[] = {1, 2, 3, 0}, pair[] = {1, 2, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], body[256];
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\nsession_timeout_ms = 3000\n");
    nd_init(&s->d, &s->box);
    nd_create_key(&s->d, "ECC_NIST_P256", s->key);
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
}

static void tear_down(struct scene *s)
{
    qk_assert_ok(nd_sign(&s->d, s->key, "still here", pair, NULL, NULL));
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static struct nd_op *sign_op(struct scene *s)
{
    return nd_op(&s->d, "TrentService.Sign", nd_sign_body(s->key, "x"), all);
}

/* ---- peers and cluster ---- */

static void peers_that_do_not_fit(struct scene *s)
{
    static const uint16_t lists[][4] = {{0}, {1, 0}, {2, 3, 0}, {2, 1, 0}, {1, 1, 0}, {1, 9, 0}};
    for (size_t i = 0; i < QK_COUNT(lists); i++) {
        ND_AUTO_OP *op = sign_op(s);
        op->call.n_peers = 0;
        for (const uint16_t *p = lists[i]; *p != 0; p++) op->call.peers[op->call.n_peers++] = *p;
        nd_call(&s->d, 1, &op->call, &op->answer[1]);
        cr_assert_eq(op->answer[1].a.status, WIRE_ANSWER_REFUSED, "list %zu", i);
        cr_assert(nd_empty(&op->answer[1]));
    }
}

/* A key is made by all nodes of the cluster or not at all; a signature by exactly t. */
static void too_few_for_a_key_too_many_for_a_signature(struct scene *s)
{
    ND_AUTO_OP *key = nd_op(&s->d, "TrentService.CreateKey",
        "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"}", pair);
    cr_assert(nd_refused(&s->d, key, WIRE_ANSWER_RETRY, NULL));
    ND_AUTO_OP *sign = sign_op(s);
    cr_assert(nd_refused(&s->d, sign, WIRE_ANSWER_RETRY, NULL));
}

static void another_cluster(struct scene *s)
{
    ND_AUTO_OP *op = sign_op(s);
    op->call.cluster[31] ^= 1;
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_REFUSED, "another cluster.conf"));
}

static void due_before_its_date(struct scene *s)
{
    char id[KMS_UUID_LEN + 1];
    nd_create_key(&s->d, "ECC_NIST_P256", id);
    for (int round = 0; round < 2; round++) {
        ND_AUTO_OP *op = sign_op(s);
        struct nd_record *r = nd_find(&s->d, KMS_KIND_KEY, id);
        op->call.kind = WIRE_CALL_DUE;
        op->call.n_refs = 1;
        op->call.refs[0] = (struct wire_ref){
            .kind = KMS_KIND_KEY, .id = qk_str(id), .version = r->stored->r.version};
        memcpy(op->call.refs[0].hash, r->stored->r.hash, 32);
        cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_REFUSED, "not due"), "round %d", round);
        char body[128];
        (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\",\"PendingWindowInDays\":7}", id);
        if (round == 0) nd_do(&s->d, "TrentService.ScheduleKeyDeletion", body);
    }
}

QK_TEST(hostile_calls, peers_cluster_and_dates_are_checked)
{
    struct scene s;
    set_up(&s);
    peers_that_do_not_fit(&s);
    too_few_for_a_key_too_many_for_a_signature(&s);
    another_cluster(&s);
    due_before_its_date(&s);
    tear_down(&s);
}

/* ---- garbage ---- */

static void garbage(struct scene *s, struct qk_bytes bytes)
{
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        NB_AUTO_ANSWER a = {0};
        nb_start(s->box.client[id], bytes, 20000, &a);
        nb_wait(&a);
        qk_assert_ok(a.err);
        cr_assert_eq(a.a.status, WIRE_ANSWER_REFUSED);
    }
}

QK_TEST(hostile_calls, garbage_is_refused_and_harms_nobody)
{
    struct scene s;
    uint8_t noise[512];
    set_up(&s);
    for (size_t len = 1; len <= sizeof noise; len = len * 3 + 1) {
        qk_assert_ok(qk_rng_fill(qk_rng_system(), noise, len));
        noise[0] = (uint8_t)(len % 2 == 0 ? 0xff : 0x8c);
        garbage(&s, qk_bytes(noise, len));
    }
    ND_AUTO_OP *op = sign_op(&s);
    QK_AUTO_BUF good = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&good, &op->call);
    qk_assert_ok(good.err);
    garbage(&s, qk_bytes(good.p, good.len - 1));
    garbage(&s, qk_bytes(good.p, good.len / 2));
    qk_buf_add_u8(&good, 0);
    garbage(&s, qk_buf_view(&good));
    op->call.raw = qk_str("not a request");
    cr_assert(nd_refused(&s.d, op, WIRE_ANSWER_REFUSED, "the request does not decode"));
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_geq(nodebox_audit(&s.box, id, "the call does not decode", "\"deny\""), 8u);
    tear_down(&s);
}

/* ---- bundles ---- */

QK_TEST(hostile_calls, each_call_of_a_bundle_is_judged_like_a_call_alone)
{
    struct scene s;
    set_up(&s);
    ND_AUTO_OP *op = sign_op(&s);
    QK_AUTO_BUF status = QK_BUF(WIRE_CALL_MAX);
    QK_AUTO_BUF publish = QK_BUF(WIRE_CALL_MAX);
    QK_AUTO_BUF foreign = QK_BUF(WIRE_CALL_MAX);
    op->call.kind = WIRE_CALL_PUBLISH;
    wire_call_encode(&publish, &op->call);
    op->call.kind = WIRE_CALL_STATUS;
    wire_call_encode(&status, &op->call);
    op->call.cluster[0] ^= 1;
    wire_call_encode(&foreign, &op->call);
    const struct qk_bytes items[] = {qk_buf_view(&status), qk_str("garbage"), qk_buf_view(&foreign),
        qk_buf_view(&publish), qk_buf_view(&status)};
    enum { OK = WIRE_ANSWER_OK, NO = WIRE_ANSWER_REFUSED };
    nb_bundle(s.box.client[1], items, (const int[]){OK, NO, NO, OK, OK}, QK_COUNT(items));
    struct wire_client *oper = nodebox_client(&s.box, s.box.operator_, 1);
    cr_assert(nodebox_client_up(oper));
    nb_bundle(oper, items, (const int[]){OK, NO, NO, NO, OK}, QK_COUNT(items));
    wire_client_free(oper);
    cr_assert_eq(nodebox_audit(&s.box, 1, "the call does not decode", "\"deny\""), 2u);
    cr_assert_eq(nodebox_audit(&s.box, 1, "another cluster.conf", "\"deny\""), 2u);

    QK_AUTO_BUF torn = QK_BUF(WIRE_CALL_MAX);
    wire_bundle_encode(&torn, items, QK_COUNT(items));
    garbage(&s, qk_bytes(torn.p, torn.len - 1));
    cr_assert_eq(nodebox_audit(&s.box, 1, "the call does not decode", "\"deny\""), 3u);
    tear_down(&s);
}

/* ---- callers ---- */

static void refused_from(struct scene *s, const struct wire_identity *who, const char *name)
{
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        if (who == s->box.nodes[id]) continue; /* a node does not call itself */
        struct wire_client *link = nodebox_client(&s->box, who, id);
        cr_assert(nodebox_client_up(link));
        for (int kind = WIRE_CALL_OP; kind <= WIRE_CALL_PROMISED; kind++) {
            NB_AUTO_ANSWER a = {0};
            QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
            ND_AUTO_OP *op = sign_op(s);
            op->call.kind = (enum wire_call_kind)kind;
            op->call.fetch_kind = KMS_KIND_KEY;
            wire_call_encode(&bytes, &op->call);
            nb_start(link, qk_buf_view(&bytes), 20000, &a);
            nb_wait(&a);
            qk_assert_ok(a.err);
            bool may = kind == WIRE_CALL_STATUS && who == s->box.operator_;
            cr_assert_eq(
                a.a.status, may ? WIRE_ANSWER_OK : WIRE_ANSWER_REFUSED, "%s, kind %d", name, kind);
            cr_assert(nd_empty(&a));
            cr_assert_eq(a.a.n_records, 0u);
            if (!may)
                cr_assert_eq(nodebox_audit(&s->box, id, op->call.request_id, name), 1u, "%s", name);
        }
        wire_client_free(link);
    }
}

QK_TEST(hostile_calls, operators_may_look_nodes_may_not_call_and_strangers_get_no_link)
{
    struct scene s;
    set_up(&s);
    refused_from(&s, s.box.operator_, "operator-link:" NB_OPERATOR);
    refused_from(&s, s.box.nodes[2], "node:2");
    struct wire_client *stranger = nodebox_client(&s.box, s.box.rogue, 1);
    nodebox_sleep_ms(2000);
    cr_assert_not(wire_client_up(stranger));
    ND_AUTO_OP *op = sign_op(&s);
    NB_AUTO_ANSWER a = {0};
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&bytes, &op->call);
    nb_start(stranger, qk_buf_view(&bytes), 2000, &a);
    nb_wait(&a);
    cr_assert_neq(a.err, QK_OK);
    cr_assert_eq(nodebox_audit(&s.box, 1, op->call.request_id, NULL), 0u);
    wire_client_free(stranger);
    tear_down(&s);
}
