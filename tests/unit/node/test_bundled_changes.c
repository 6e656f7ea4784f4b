/* Changes that come in one bundle: each is judged for itself, and what is answered is on the disk
 * (core/commit.h). */
#include "qktest/qktest.h"
#include <signal.h>
#include "nodedriver.h"

static const uint16_t pair[] = {1, 2, 0}, others[] = {2, 3, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[2][KMS_UUID_LEN + 1], body[2][128];
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\nsession_timeout_ms = 3000\n");
    nd_init(&s->d, &s->box);
    for (int i = 0; i < 2; i++) {
        nd_create_key(&s->d, "ECC_NIST_P256", s->key[i]);
        (void)snprintf(s->body[i], sizeof s->body[i], "{\"KeyId\":\"%s\"}", s->key[i]);
    }
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static void kill_and_restart(struct scene *s)
{
    cr_assert_eq(nodebox_stop(&s->box, 1, SIGKILL), SIGKILL);
    nodebox_start(&s->box, 1);
    nodebox_wait_ready(&s->box);
}

static struct qk_bytes encoded(struct nd_op *op, struct qk_buf *out)
{
    wire_call_encode(out, &op->call);
    qk_assert_ok(out->err);
    return qk_buf_view(out);
}

/* Disabled, certified by the others and unknown to node 1; in the store. */
static void disable_behind_its_back(struct scene *s, int i, struct qk_buf *certified)
{
    struct kms_record r = nd_find(&s->d, KMS_KIND_KEY, s->key[i])->stored->r;
    memcpy(r.prev, r.hash, sizeof r.prev);
    r.version++;
    r.key.state = KMS_STATE_DISABLED;
    nd_certify(&s->d, &r, others, certified);
    nd_put(&s->d, qk_buf_view(certified));
}

QK_TEST(bundled_changes, of_two_at_odds_one_is_signed_and_every_promise_outlives_a_kill)
{
    static const char why[] = "a change that forbids this is under way";
    struct scene s;
    char describe[192];
    QK_AUTO_BUF a = QK_BUF(WIRE_CALL_MAX);
    QK_AUTO_BUF b = QK_BUF(WIRE_CALL_MAX);
    QK_AUTO_BUF c = QK_BUF(WIRE_CALL_MAX);
    set_up(&s);
    (void)snprintf(describe, sizeof describe, "{\"KeyId\":\"%s\",\"Description\":\"x\"}", s.key[0]);
    ND_AUTO_OP *first = nd_op(&s.d, "TrentService.DisableKey", s.body[0], pair);
    ND_AUTO_OP *at_odds = nd_op(&s.d, "TrentService.UpdateKeyDescription", describe, pair);
    ND_AUTO_OP *another = nd_op(&s.d, "TrentService.DisableKey", s.body[1], pair);
    const struct qk_bytes items[] = {
        encoded(first, &a), encoded(at_odds, &b), encoded(another, &c)};
    nb_bundle(s.box.client[1], items,
        (const int[]){WIRE_ANSWER_OK, WIRE_ANSWER_RETRY, WIRE_ANSWER_OK}, QK_COUNT(items));
    kill_and_restart(&s);
    for (int i = 0; i < 2; i++) {
        qk_assert_ok(nd_sign(&s.d, s.key[i], "m", others, NULL, NULL)); /* they never heard of it */
        ND_AUTO_OP *use = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key[i], "m"), pair);
        cr_assert(nd_refused_by(&s.d, 1, use, WIRE_ANSWER_RETRY, why), "key %d", i);
    }
    cr_assert_eq(nodebox_audit(&s.box, 1, first->call.request_id, "\"allow\""), 1u);
    cr_assert_eq(nodebox_audit(&s.box, 1, at_odds->call.request_id, "\"abort\""), 1u);
    cr_assert_eq(nodebox_audit(&s.box, 1, another->call.request_id, "\"allow\""), 1u);
    tear_down(&s);
}

QK_TEST(bundled_changes, a_record_that_came_along_is_remembered_after_a_kill)
{
    struct scene s;
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF a = QK_BUF(WIRE_CALL_MAX);
    QK_AUTO_BUF b = QK_BUF(WIRE_CALL_MAX);
    set_up(&s);
    ND_AUTO_OP *old = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key[0], "m"), pair);
    disable_behind_its_back(&s, 0, &certified);
    ND_AUTO_OP *enable = nd_op(&s.d, "TrentService.EnableKey", s.body[0], pair);
    ND_AUTO_OP *another = nd_op(&s.d, "TrentService.DisableKey", s.body[1], pair);
    enable->call.records[enable->call.n_records++] = qk_buf_view(&certified);
    const struct qk_bytes items[] = {encoded(enable, &a), encoded(another, &b)};
    nb_bundle(s.box.client[1], items, (const int[]){WIRE_ANSWER_OK, WIRE_ANSWER_OK}, 2);
    kill_and_restart(&s);
    cr_assert(nd_refused_by(&s.d, 1, old, WIRE_ANSWER_STALE, NULL), "it knows the second version");
    tear_down(&s);
}

QK_TEST(bundled_changes, a_forged_record_that_came_along_harms_its_own_call_alone)
{
    struct scene s;
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF a = QK_BUF(WIRE_CALL_MAX);
    QK_AUTO_BUF b = QK_BUF(WIRE_CALL_MAX);
    set_up(&s);
    ND_AUTO_OP *old = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key[0], "m"), pair);
    disable_behind_its_back(&s, 0, &certified);
    ND_AUTO_OP *enable = nd_op(&s.d, "TrentService.EnableKey", s.body[0], pair);
    ND_AUTO_OP *another = nd_op(&s.d, "TrentService.DisableKey", s.body[1], pair);
    certified.p[certified.len - 1] ^= 1; /* of the last signature */
    enable->call.records[enable->call.n_records++] = qk_buf_view(&certified);
    const struct qk_bytes items[] = {encoded(enable, &a), encoded(another, &b)};
    nb_bundle(s.box.client[1], items, (const int[]){WIRE_ANSWER_REFUSED, WIRE_ANSWER_OK}, 2);
    cr_assert_eq(nodebox_audit(&s.box, 1, "record.refused", enable->call.request_id), 1u);
    cr_assert(nd_send(&s.d, old), "the first version stands");
    tear_down(&s);
}
