/* A hostile coordinator in the middle of signing: other digests for the two signers, presignatures
 * spent twice, in other hands or after a restart, more calls than a node can take. Real nodes;
 * documents 20 section 7 and 00 section 8. */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"
#include <openssl/evp.h>

static const uint16_t pair[] = {1, 2, 0}, other_pair[] = {1, 3, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1];
};

static void set_up(struct scene *s, const char *extra)
{
    nodebox_up(&s->box, extra);
    nd_init(&s->d, &s->box);
    nd_create_key(&s->d, "ECC_NIST_P256", s->key);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static struct nd_op *sign_op(struct scene *s, const char *message, const uint16_t *peers)
{
    return nd_op(&s->d, "TrentService.Sign", nd_sign_body(s->key, message), peers);
}

static void digest_of(const char *message, uint8_t out[static 32])
{
    cr_assert_eq(EVP_Digest(message, strlen(message), out, NULL, EVP_sha256(), NULL), 1);
}

/* Send one op to node 1 and the other to node 2, at the same time. */
static void send_both(struct scene *s, struct nd_op *a, struct nd_op *b)
{
    QK_AUTO_BUF one = QK_BUF(WIRE_CALL_MAX);
    QK_AUTO_BUF two = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&one, &a->call);
    wire_call_encode(&two, &b->call);
    nb_start(s->box.client[1], qk_buf_view(&one), ND_CALL_MS, &a->answer[1]);
    nb_start(s->box.client[2], qk_buf_view(&two), ND_CALL_MS, &a->answer[2]);
    nb_wait(&a->answer[1]);
    nb_wait(&a->answer[2]);
}

/* ---- E-16 ---- */

QK_TEST(hostile_signing, E_16_two_signers_told_different_digests_both_abort)
{
    struct scene s;
    uint8_t digest[32];
    set_up(&s, "seccomp = off\nsession_timeout_ms = 1500\npresign_per_key = 0\n");
    qk_assert_ok(nd_sign(&s.d, s.key, "first", pair, NULL, NULL));
    /* both messages are signed by the caller; only the mixture is the coordinator's */
    ND_AUTO_OP *a = sign_op(&s, "pay 1", pair);
    ND_AUTO_OP *b = sign_op(&s, "pay 2", pair);
    memcpy(b->call.rnd, a->call.rnd, 32);
    send_both(&s, a, b);
    for (uint16_t id = 1; id <= 2; id++) {
        cr_assert_eq(a->answer[id].a.status, WIRE_ANSWER_RETRY);
        cr_assert(nd_empty(&a->answer[id]), "no part of a signature");
        cr_assert_geq(nodebox_audit(&s.box, id, "session.abort", "\"operation\":\"sign\""), 1u);
    }
    /* other fresh bytes, other peers, other caller's ARN: no common session either */
    ND_AUTO_OP *c = sign_op(&s, "pay 1", pair);
    ND_AUTO_OP *e = sign_op(&s, "pay 1", pair);
    send_both(&s, c, e);
    for (uint16_t id = 1; id <= 2; id++) {
        cr_assert_eq(c->answer[id].a.status, WIRE_ANSWER_RETRY);
        cr_assert(nd_empty(&c->answer[id]));
    }
    digest_of("pay 1", digest);
    qk_assert_ok(nd_sign(&s.d, s.key, "pay 1", pair, NULL, NULL));
    tear_down(&s);
}

/* ---- presignatures ---- */

/* A presignature that both of the pair offer. */
static void wait_presig(struct scene *s, const uint16_t *peers, uint8_t sid[static 32])
{
    for (int tries = 0; tries < 200; tries++) {
        ND_AUTO_OP *op = sign_op(s, "warm up", peers);
        op->call.want_presigs = WIRE_CALL_PRESIGS_MAX;
        cr_assert(nd_send(&s->d, op));
        const struct wire_answer *a = &op->answer[peers[0]].a, *b = &op->answer[peers[1]].a;
        for (size_t i = 0; i < a->presigs.len; i += 32)
            for (size_t k = 0; k < b->presigs.len; k += 32)
                if (memcmp(a->presigs.p + i, b->presigs.p + k, 32) == 0) {
                    memcpy(sid, a->presigs.p + i, 32);
                    return;
                }
        nodebox_sleep_ms(50);
    }
    cr_assert_fail("no presignature comes");
}

static void is_gone(struct scene *s, const uint8_t sid[static 32], const uint16_t *peers)
{
    ND_AUTO_OP *op = sign_op(s, "again", peers);
    op->call.presig = qk_bytes(sid, 32);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_RETRY, "QK_E_NOT_FOUND"));
}

static void E_17_used_once(struct scene *s)
{
    uint8_t sid[32];
    wait_presig(s, pair, sid);
    qk_assert_ok(nd_sign(&s->d, s->key, "one digest", pair, sid, NULL));
    is_gone(s, sid, pair);
}

static void E_17_two_digests_at_once(struct scene *s)
{
    uint8_t sid[32], digest[32];
    wait_presig(s, pair, sid);
    ND_AUTO_OP *a = sign_op(s, "pay 1", pair);
    ND_AUTO_OP *b = sign_op(s, "pay 2", pair);
    memcpy(b->call.rnd, a->call.rnd, 32);
    a->call.presig = b->call.presig = qk_bytes(sid, 32);
    send_both(s, a, b);
    digest_of("pay 1", digest);
    cr_assert_neq(nd_combine(&s->d, a, s->key, QK_BYTES(digest), sid), QK_OK);
    digest_of("pay 2", digest);
    cr_assert_neq(nd_combine(&s->d, a, s->key, QK_BYTES(digest), sid), QK_OK);
    is_gone(s, sid, pair);
}

static void E_18_other_signers(struct scene *s)
{
    uint8_t sid[32];
    wait_presig(s, pair, sid);
    ND_AUTO_OP *op = sign_op(s, "x", other_pair);
    op->call.presig = qk_bytes(sid, 32);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_RETRY, NULL));
    ND_AUTO_OP *at1 = sign_op(s, "x", pair);
    at1->call.presig = qk_bytes(sid, 32);
    cr_assert(nd_refused_by(&s->d, 1, at1, WIRE_ANSWER_RETRY, "QK_E_NOT_FOUND"), "burned");
}

static void E_18_another_key(struct scene *s)
{
    uint8_t sid[32];
    char other[KMS_UUID_LEN + 1];
    nd_create_key(&s->d, "ECC_NIST_P256", other);
    wait_presig(s, pair, sid);
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.Sign", nd_sign_body(other, "x"), pair);
    op->call.presig = qk_bytes(sid, 32);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_RETRY, NULL));
    is_gone(s, sid, pair);
}

/* E-20: memory only. */
static void E_20_gone_after_a_restart(struct scene *s)
{
    uint8_t sid[32];
    wait_presig(s, pair, sid);
    cr_assert_eq(nodebox_stop(&s->box, 2, SIGKILL), SIGKILL);
    nodebox_start(&s->box, 2);
    nodebox_wait_ready(&s->box);
    ND_AUTO_OP *op = sign_op(s, "x", pair);
    op->call.presig = qk_bytes(sid, 32);
    cr_assert(nd_refused_by(&s->d, 2, op, WIRE_ANSWER_RETRY, "QK_E_NOT_FOUND"));
}

static void a_disabled_key_spends_none(struct scene *s)
{
    uint8_t sid[32];
    char body[128];
    wait_presig(s, pair, sid);
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", s->key);
    nd_do(&s->d, "TrentService.DisableKey", body);
    ND_AUTO_OP *op = sign_op(s, "x", pair);
    op->call.presig = qk_bytes(sid, 32);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "DisabledException"));
}

QK_TEST(hostile_signing, E_17_E_18_E_20_presignatures_are_spent_once_by_their_signers_only)
{
    struct scene s;
    set_up(&s, "seccomp = off\npresign_per_key = 8\n");
    E_17_used_once(&s);
    E_17_two_digests_at_once(&s);
    E_18_other_signers(&s);
    E_18_another_key(&s);
    E_20_gone_after_a_restart(&s);
    a_disabled_key_spends_none(&s);
    tear_down(&s);
}

/* ---- C-14 ---- */

enum { FLOOD = 200 };

/* Sessions that wait for a second signer who never hears of them. */
QK_TEST(hostile_signing, C_14_a_flood_of_calls_is_answered_busy_and_what_runs_goes_on)
{
    struct scene s;
    static struct nb_answer flood[FLOOD];
    struct nd_op *ops[FLOOD];
    size_t busy = 0, retried = 0;
    set_up(&s, "seccomp = off\nsession_timeout_ms = 4000\npresign_per_key = 0\n");
    for (size_t i = 0; i < FLOOD; i++) {
        QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
        ops[i] = sign_op(&s, "flood", pair);
        wire_call_encode(&bytes, &ops[i]->call);
        nb_start(s.box.client[1], qk_buf_view(&bytes), ND_CALL_MS, &flood[i]);
    }
    /* nodes 2 and 3 are not affected */
    qk_assert_ok(nd_sign(&s.d, s.key, "elsewhere", (const uint16_t[]){2, 3, 0}, NULL, NULL));
    for (size_t i = 0; i < FLOOD; i++) {
        nb_wait(&flood[i]);
        bool turned_away = flood[i].err == QK_E_BUSY;
        bool ended = flood[i].err == QK_OK && flood[i].a.status == WIRE_ANSWER_RETRY;
        cr_assert(turned_away || ended, "call %zu: %s", i, qk_err_name(flood[i].err));
        cr_assert(turned_away || nd_empty(&flood[i]));
        busy += turned_away;
        retried += ended;
        nb_answer_free(&flood[i]);
        nd_op_free(ops[i]);
    }
    cr_assert_geq(busy, (size_t)FLOOD - WIRE_CALLS_IN_FLIGHT - 1, "%zu", busy);
    cr_assert_geq(retried, 1u);
    qk_assert_ok(nd_sign(&s.d, s.key, "afterwards", pair, NULL, NULL));
    tear_down(&s);
}
