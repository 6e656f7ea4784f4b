/* Four nodes, two of which use a key: what is true takes three signatures (wire_cluster_quorum), so
 * that a coordinator cannot have two truths certified, nor one that two nodes never hear of. */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"

enum { NODES = 4 };

static const uint16_t two[] = {1, 2, 0}, others[] = {3, 4, 0}, three[] = {1, 2, 3, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], body[128];
};

static void set_up_with(struct scene *s, const char *conf)
{
    nodebox_up_of(&s->box, NODES, conf);
    cr_assert_eq(wire_cluster_quorum(s->box.cluster), 3);
    nd_init(&s->d, &s->box);
    nd_create_key(&s->d, "ECC_NIST_P256", s->key);
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
}

static void set_up(struct scene *s)
{
    set_up_with(s, "seccomp = off\nsession_timeout_ms = 3000\npromise_hold_ms = 3000\n");
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static void wait_for(struct scene *s, uint16_t node, const char *event)
{
    for (int i = 0; i < 1200 && nodebox_audit(&s->box, node, event, s->key) == 0; i++)
        nodebox_sleep_ms(50);
    cr_assert_geq(nodebox_audit(&s->box, node, event, s->key), 1u, "node %u: %s", node, event);
}

static struct nd_op *sign_op(struct scene *s, const uint16_t *peers)
{
    return nd_op(&s->d, "TrentService.Sign", nd_sign_body(s->key, "m"), peers);
}

/* The key's next version, signed by the real keys of these nodes. */
static void next_version(struct scene *s, const uint16_t *signers, struct qk_buf *out)
{
    struct kms_record r = nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r;
    memcpy(r.prev, r.hash, 32);
    r.version++;
    r.key.description = qk_str("as the coordinator would have it");
    nd_certify(&s->d, &r, signers, out);
}

QK_TEST(quorum, a_certificate_of_t_nodes_is_refused_and_one_of_a_quorum_is_taken)
{
    struct scene s;
    QK_AUTO_BUF few = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF enough = QK_BUF(KMS_CERTIFIED_MAX);
    set_up(&s);
    qk_assert_ok(nd_sign(&s.d, s.key, "m", two, NULL, NULL)); /* t shares use a key */
    qk_assert_ok(nd_sign(&s.d, s.key, "m", others, NULL, NULL));
    next_version(&s, two, &few);
    next_version(&s, three, &enough);

    for (uint16_t id = 1; id <= (uint16_t)NODES; id++)
        cr_assert_eq(nd_publish(&s.d, id, qk_buf_view(&few)), WIRE_ANSWER_REFUSED);
    ND_AUTO_OP *attached = sign_op(&s, others);
    for (uint32_t i = 0; i < attached->call.n_refs; i++)
        if (attached->call.refs[i].kind == KMS_KIND_KEY) attached->call.refs[i].version++;
    attached->call.records[attached->call.n_records++] = qk_buf_view(&few);
    cr_assert(nd_refused(&s.d, attached, WIRE_ANSWER_REFUSED, "a record does not hold"));

    for (uint16_t id = 1; id <= (uint16_t)NODES; id++)
        cr_assert_eq(nd_publish(&s.d, id, qk_buf_view(&enough)), WIRE_ANSWER_OK);
    ND_AUTO_OP *old = sign_op(&s, others);
    cr_assert(nd_refused(&s.d, old, WIRE_ANSWER_STALE, NULL));
    tear_down(&s);
}

QK_TEST(quorum, a_hidden_disable_of_three_binds_every_pair_and_one_of_two_comes_to_nothing)
{
    static const char why[] = "a change that forbids this is under way";
    struct scene s;
    set_up(&s);
    /* Two sign: no certificate, and the other two go on meanwhile. */
    ND_AUTO_OP *half = nd_op(&s.d, "TrentService.DisableKey", s.body, two);
    cr_assert(nd_send(&s.d, half));
    ND_AUTO_OP *mine = sign_op(&s, two);
    cr_assert(nd_refused(&s.d, mine, WIRE_ANSWER_RETRY, why));
    qk_assert_ok(nd_sign(&s.d, s.key, "m", others, NULL, NULL));
    /* Its signers know each other's signature by now: two are not three. */
    wait_for(&s, 1, "change.abandoned");
    wait_for(&s, 2, "change.abandoned");
    cr_assert_eq(nodebox_audit(&s.box, 1, "change.found", s.key), 0u);
    qk_assert_ok(nd_sign(&s.d, s.key, "m", two, NULL, NULL));

    /* Three sign, and the coordinator shows the certificate to nobody: any two nodes include one.
     */
    ND_AUTO_OP *hidden = nd_op(&s.d, "TrentService.DisableKey", s.body, three);
    cr_assert(nd_send(&s.d, hidden));
    ND_AUTO_OP *last = sign_op(&s, others);
    nd_call(&s.d, 3, &last->call, &last->answer[3]);
    cr_assert_neq(last->answer[3].a.status, WIRE_ANSWER_OK, "node 3 signed the end of this key");
    for (uint16_t id = 1; id <= 3; id++) wait_for(&s, id, "change.found");
    ND_AUTO_OP *late = sign_op(&s, three);
    cr_assert(nd_refused(&s.d, late, WIRE_ANSWER_STALE, NULL));
    tear_down(&s);
}

/* Node 2 is asked before it signs. With node 4, which cannot be asked, there may be three. */
QK_TEST(quorum, who_said_no_and_signed_afterwards_is_not_counted_as_a_no)
{
    enum { HOLD_MS = 12000, ASKED_MS = 2500 };
    struct scene s;
    set_up_with(&s, "seccomp = off\nsession_timeout_ms = 3000\npromise_hold_ms = 12000\n");
    nodebox_stop(&s.box, 4, SIGKILL);
    ND_AUTO_OP *op = nd_op(&s.d, "TrentService.DisableKey", s.body, three);
    nd_call(&s.d, 1, &op->call, &op->answer[1]);
    cr_assert_eq(op->answer[1].a.status, WIRE_ANSWER_OK);
    nodebox_sleep_ms(ASKED_MS);
    nd_call(&s.d, 2, &op->call, &op->answer[2]);
    cr_assert_eq(op->answer[2].a.status, WIRE_ANSWER_OK);
    nodebox_sleep_ms(HOLD_MS);
    cr_assert_eq(nodebox_audit(&s.box, 1, "change.abandoned", s.key), 0u);
    nodebox_start(&s.box, 4);
    wait_for(&s, 1, "change.abandoned");
    wait_for(&s, 2, "change.abandoned");
    tear_down(&s);
}
