/* A coordinator has a change certified and hides it: the nodes that signed it act on it at once,
 * and find its certificate among themselves (core/pending.h, docs/threat-model.md). */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "qk/clock.h"

static const uint16_t pair[] = {1, 2, 0}, third[] = {2, 3, 0}, other[] = {1, 3, 0}, one[] = {1, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], body[128];
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\nsession_timeout_ms = 3000\npromise_hold_ms = 3000\n");
    nd_init(&s->d, &s->box);
    nd_create_key(&s->d, "ECC_NIST_P256", s->key);
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static void wait_for(struct scene *s, uint16_t node, const char *event, const char *what)
{
    for (int i = 0; i < 1200 && nodebox_audit(&s->box, node, event, s->key) == 0; i++)
        nodebox_sleep_ms(50);
    cr_assert_geq(nodebox_audit(&s->box, node, event, s->key), 1u, "node %u: %s", node, what);
}

/* Certified by nodes 1 and 2, kept to itself. */
static void hide(struct scene *s, const char *target)
{
    ND_AUTO_OP *op = nd_op(&s->d, target, s->body, pair);
    cr_assert(nd_send(&s->d, op));
}

QK_TEST(hidden_changes, a_withheld_disable_is_in_force_at_its_signers_and_then_everywhere)
{
    static const char why[] = "a change that forbids this is under way";
    struct scene s;
    set_up(&s);
    hide(&s, "TrentService.DisableKey");
    ND_AUTO_OP *use = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key, "m"), other);
    cr_assert(nd_refused_by(&s.d, 1, use, WIRE_ANSWER_RETRY, why));
    wait_for(&s, 1, "change.found", "the signers put the certificate together");
    wait_for(&s, 2, "change.found", "both of them");
    ND_AUTO_OP *late = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key, "m"), pair);
    cr_assert(nd_refused(&s.d, late, WIRE_ANSWER_STALE, NULL));
    tear_down(&s);
}

QK_TEST(hidden_changes, a_withheld_rescue_keeps_the_key_from_being_destroyed)
{
    struct scene s;
    set_up(&s);
    nd_do(&s.d, "TrentService.ScheduleKeyDeletion", s.body);
    hide(&s, "TrentService.CancelKeyDeletion");
    wait_for(&s, 1, "change.found", "the certificate of the rescue");
    wait_for(&s, 2, "change.found", "both of them");
    ND_AUTO_OP *late = nd_op(&s.d, "TrentService.CancelKeyDeletion", s.body, pair);
    cr_assert(nd_refused(&s.d, late, WIRE_ANSWER_STALE, NULL));
    tear_down(&s);
}

QK_TEST(hidden_changes, what_too_few_signed_does_not_lock_the_key_for_ever)
{
    static const char why[] = "a change that forbids this is under way";
    struct scene s;
    set_up(&s);
    ND_AUTO_OP *lone = nd_op(&s.d, "TrentService.DisableKey", s.body, pair);
    nd_call(&s.d, one[0], &lone->call, &lone->answer[1]); /* node 2 never hears of it */
    cr_assert_eq(lone->answer[1].a.status, WIRE_ANSWER_OK);
    qk_assert_ok(nd_sign(&s.d, s.key, "m", third, NULL, NULL)); /* the others go on meanwhile */
    cr_assert_eq(nodebox_stop(&s.box, 1, SIGKILL), SIGKILL);
    nodebox_start(&s.box, 1);
    nodebox_wait_ready(&s.box);
    ND_AUTO_OP *use = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key, "m"), pair);
    cr_assert(nd_refused_by(&s.d, 1, use, WIRE_ANSWER_RETRY, why), "it is remembered");
    wait_for(&s, 1, "change.abandoned", "nobody else signed");
    qk_assert_ok(nd_sign(&s.d, s.key, "m", pair, NULL, NULL));
    tear_down(&s);
}
