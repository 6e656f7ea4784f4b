/* A coordinator asks for runs that it should not get: other roles, other messages, one node told
 * this and another that. Real nodes; protocols document 60, M-8, M-9, M-10, M-11. */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodemac.h"

enum { MAC_LABELS = 4096 /* bytes of Y, HMAC_256 */ };

static const struct mpc_mac_roles roles = {1, 2, 3};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], other[KMS_UUID_LEN + 1];
};

static struct nd_op *ask(struct scene *s, const char *key, const char *message)
{
    return nm_op(&s->d, "TrentService.GenerateMac", key, qk_str(message), &roles);
}

static void works(struct scene *s)
{
    uint8_t tag[MPC_MAC_DIGEST_MAX];
    qk_assert_ok(nm_generate(&s->d, s->key, qk_str("m"), &roles, tag));
}

/* ---- M-9 ---- */

static void M_9_roles(struct scene *s)
{
    static const struct {
        const char *what;
        uint16_t g1, g2, e;
    } bad[] = {
        {"M-9: one node twice", 1, 1, 3},
        {"M-9: one node twice", 1, 2, 1},
        {"M-9: one node twice", 1, 2, 2},
        {"M-9: everything at once", 3, 3, 3},
        {"M-9: an outsider", 9, 2, 3},
        {"M-9: an outsider", 1, 9, 3},
        {"M-9: an outsider", 1, 2, 9},
        {"M-9: an id that is none", 1, 2, 300},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        ND_AUTO_OP *op = ask(s, s->key, "m");
        op->call.mac.g1 = bad[i].g1;
        op->call.mac.g2 = bad[i].g2;
        op->call.mac.e = bad[i].e;
        cr_assert(
            nd_refused(&s->d, op, WIRE_ANSWER_REFUSED, "the roles do not fit"), "%s", bad[i].what);
    }
}

/* ---- M-10 ---- */

static void M_10_message(struct scene *s)
{
    QK_AUTO_BUF body = QK_BUF(4096);
    ND_AUTO_OP *other = ask(s, s->key, "n");
    ND_AUTO_OP *op = ask(s, s->key, "m");
    qk_buf_add(&body, other->raw.body.p, other->raw.body.len);
    op->raw.body = qk_buf_view(&body);
    nd_op_reencode(op);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "InvalidSignatureException"),
        "M-10: a message that nobody has signed");
    uint8_t hash[32];
    ND_AUTO_OP *hidden = ask(s, s->key, "m");
    qk_assert_ok(kms_raw_body_hash(&hidden->raw, hash));
    hidden->raw.body = QK_BYTES(hash);
    hidden->raw.body_is_hash = true;
    nd_op_reencode(hidden);
    cr_assert(nd_refused(&s->d, hidden, WIRE_ANSWER_REFUSED, "the body does not fit"),
        "M-10: a hash in the place of a message");
}

/* ---- M-8 ---- */

/* Each node is asked by the op named for it. No label of an output leaves E. */
static void apart(struct scene *s, const char *what, struct nd_op *const ops[4])
{
    struct nb_answer answer[4] = {{.err = QK_OK}};
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
        wire_call_encode(&bytes, &ops[id]->call);
        qk_assert_ok(bytes.err);
        nb_start(s->box.client[id], qk_buf_view(&bytes), ND_CALL_MS, &answer[id]);
    }
    for (uint16_t id = 1; id <= NB_NODES; id++) nb_wait(&answer[id]);
    cr_assert_eq(answer[3].a.status, WIRE_ANSWER_RETRY, "%s", what);
    cr_assert(nd_empty(&answer[3]), "%s", what);
    for (uint16_t id = 1; id <= NB_NODES; id++) nb_answer_free(&answer[id]);
}

/* Each node in turn is asked something else than the other two. */
static void each_alone(struct scene *s, const char *what, struct nd_op *all, struct nd_op *odd)
{
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        struct nd_op *ops[4] = {NULL, all, all, all};
        ops[id] = odd;
        nm_op_mid(all);
        memcpy(odd->call.mac.mid, all->call.mac.mid, sizeof odd->call.mac.mid);
        apart(s, what, ops);
    }
}

static void M_8_told_apart(struct scene *s)
{
    ND_AUTO_OP *op = ask(s, s->key, "m");
    ND_AUTO_OP *message = ask(s, s->key, "n");
    ND_AUTO_OP *key = ask(s, s->other, "m");
    each_alone(s, "M-8: another message", op, message);
    each_alone(s, "M-8: another key", op, key);
    ND_AUTO_OP *mid = ask(s, s->key, "m");
    struct nd_op *mids[4] = {NULL, op, mid, op};
    nm_op_mid(op); /* E may still have the frames of the last run: a repeated one would succeed */
    apart(s, "M-8: another mid", mids);
    ND_AUTO_OP *swapped = ask(s, s->key, "m");
    nm_op_mid(op);
    memcpy(swapped->call.mac.mid, op->call.mac.mid, sizeof op->call.mac.mid);
    swapped->call.mac.g1 = 2;
    swapped->call.mac.g2 = 1;
    struct nd_op *swaps[4] = {NULL, op, swapped, op}, *for_e[4] = {NULL, op, op, swapped};
    apart(s, "M-8: two first garblers", swaps);
    nm_op_mid(op);
    memcpy(swapped->call.mac.mid, op->call.mac.mid, sizeof op->call.mac.mid);
    apart(s, "M-8: E thinks otherwise", for_e);
}

/* ---- the rest ---- */

static void without_an_item(struct scene *s)
{
    ND_AUTO_OP *op = ask(s, s->key, "m");
    op->call.mac.set = false;
    cr_assert(nd_send(&s->d, op));
    for (uint16_t id = 1; id <= NB_NODES; id++) cr_assert(nd_empty(&op->answer[id]));
}

static void of_a_verify(struct scene *s)
{
    uint8_t tag[MPC_MAC_DIGEST_MAX], same[MPC_MAC_DIGEST_MAX];
    struct mpc_mac_suspects why = {.n = 0};
    ND_AUTO_OP *op = nm_op(&s->d, "TrentService.VerifyMac", s->key, qk_str("m"), &roles);
    nm_send(&s->d, op);
    qk_assert_ok(nm_combine(&s->d, s->key, op, tag, &why));
    qk_assert_ok(nm_generate(&s->d, s->key, qk_str("m"), &roles, same));
    cr_assert_arr_eq(tag, same, 32);
}

static void signed_away(struct scene *s)
{
    char body[128];
    static const uint16_t one[] = {1, 2, 0};
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", s->other);
    ND_AUTO_OP *disable = nd_op(&s->d, "TrentService.DisableKey", body, one);
    cr_assert(nd_send(&s->d, disable)); /* and nobody is told */
    ND_AUTO_OP *op = ask(s, s->other, "m");
    cr_assert(!nd_send(&s->d, op));
    cr_assert_neq(op->answer[1].a.status, WIRE_ANSWER_OK);
    cr_assert_neq(op->answer[2].a.status, WIRE_ANSWER_OK);
    cr_assert_neq(op->answer[3].a.status, WIRE_ANSWER_OK, "E alone comes to nothing");
    for (uint16_t id = 1; id <= NB_NODES; id++) cr_assert(nd_empty(&op->answer[id]));
}

QK_TEST(mac_hostile_calls, nodes_take_roles_only_in_runs_that_the_caller_signed_for)
{
    struct scene s;
    nodebox_up(&s.box, "seccomp = off\n");
    nd_init(&s.d, &s.box);
    nm_create_key(&s.d, "HMAC_256", false, s.key);
    nm_create_key(&s.d, "HMAC_256", false, s.other);
    M_9_roles(&s);
    M_10_message(&s);
    works(&s);
    without_an_item(&s);
    of_a_verify(&s);
    M_8_told_apart(&s);
    works(&s);
    signed_away(&s);
    works(&s);
    nd_free(&s.d);
    nodebox_end(&s.box);
}

/* ---- M-11 ---- */

static struct qk_bytes first_garbler(const struct nd_op *op)
{
    cr_assert_eq(op->answer[1].a.status, WIRE_ANSWER_OK);
    cr_assert_eq(op->answer[1].a.part.len, 32u + 16 + 2 * MAC_LABELS);
    return op->answer[1].a.part;
}

QK_TEST(mac_hostile_calls, M_11_a_run_repeated_is_the_same_run_until_a_garbler_starts_again)
{
    struct scene s;
    uint8_t before[32 + 16 + 2 * MAC_LABELS], tag[MPC_MAC_DIGEST_MAX], again[MPC_MAC_DIGEST_MAX];
    struct mpc_mac_suspects why = {.n = 0};
    nodebox_up(&s.box, "seccomp = off\n");
    nd_init(&s.d, &s.box);
    nm_create_key(&s.d, "HMAC_256", false, s.key);
    ND_AUTO_OP *op = ask(&s, s.key, "m");
    nm_send(&s.d, op);
    qk_assert_ok(nm_combine(&s.d, s.key, op, tag, &why));
    memcpy(before, first_garbler(op).p, sizeof before);
    nm_send(&s.d, op); /* mid, message, roles as before */
    cr_assert_arr_eq(before, first_garbler(op).p, sizeof before);

    (void)nodebox_stop(&s.box, 2, SIGTERM);
    nodebox_start(&s.box, 2);
    nodebox_wait_ready(&s.box);
    nm_send(&s.d, op);
    qk_assert_ok(nm_combine(&s.d, s.key, op, again, &why));
    cr_assert_arr_eq(tag, again, 32, "the same tag");
    cr_assert_arr_eq(before, first_garbler(op).p, 32, "the same run");
    cr_assert_neq(memcmp(before + 32, first_garbler(op).p + 32, 16), 0, "M-11: the same kh");
    cr_assert_neq(memcmp(before + 48, first_garbler(op).p + 48, 32), 0, "M-11: the same labels");
    nd_free(&s.d);
    nodebox_end(&s.box);
}
