/* A hostile coordinator relays requests that no caller signed, or not so, or not now. Three real
 * nodes refuse each of them and write it down (DESIGN section 5). */
#include "qktest/qktest.h"
#include "nodedriver.h"

static const uint16_t all[] = {1, 2, 3, 0}, pair[] = {1, 2, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], other[KMS_UUID_LEN + 1];
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\nsession_timeout_ms = 3000\n");
    nd_init(&s->d, &s->box);
    nd_create_key(&s->d, "ECC_NIST_P256", s->key);
    nd_create_key(&s->d, "ECC_NIST_P256", s->other);
}

/* Nothing that was refused has harmed anything. */
static void tear_down(struct scene *s)
{
    qk_assert_ok(nd_sign(&s->d, s->key, "still here", pair, NULL, NULL));
    nd_free(&s->d);
    nodebox_end(&s->box);
}

#define BAD_SIGNATURE "InvalidSignatureException"

static bool refused(struct scene *s, struct nd_op *op, const char *type)
{
    return nd_refused(&s->d, op, WIRE_ANSWER_FAULT, type);
}

static struct nd_op *sign_op(struct scene *s, const char *message)
{
    return nd_op(&s->d, "TrentService.Sign", nd_sign_body(s->key, message), all);
}

static void swap_body(struct scene *s, struct nd_op *op, const char *body)
{
    qk_buf_clear(&op->body);
    qk_buf_add_str(&op->body, body);
    op->raw.body = qk_buf_view(&op->body);
    nd_op_rest_on(&s->d, op);
    nd_op_reencode(op);
}

static void another_message(struct scene *s)
{
    ND_AUTO_OP *op = sign_op(s, "pay 1");
    swap_body(s, op, nd_sign_body(s->key, "pay 1000"));
    cr_assert(refused(s, op, BAD_SIGNATURE));
}

static void one_bit_of_the_body(struct scene *s)
{
    ND_AUTO_OP *op = sign_op(s, "pay 1");
    op->body.p[op->body.len - 1] ^= 1;
    nd_op_reencode(op);
    cr_assert(refused(s, op, BAD_SIGNATURE));
}

static void another_key_than_the_signed_one(struct scene *s)
{
    ND_AUTO_OP *op = sign_op(s, "pay 1");
    swap_body(s, op, nd_sign_body(s->other, "pay 1"));
    cr_assert(refused(s, op, BAD_SIGNATURE));
}

static void another_operation_in_the_header(struct scene *s)
{
    char body[128];
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", s->key);
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.DescribeKey", body, all);
    (void)snprintf(op->target, sizeof op->target, "TrentService.DisableKey");
    for (size_t i = 0; i < op->raw.n_headers; i++)
        if (qk_bytes_is(op->raw.headers[i].name, "x-amz-target"))
            op->raw.headers[i].value = qk_str(op->target);
    op->has_proposal = true;
    qk_assert_ok(kms_proposal_new(KMS_OP_DISABLE_KEY, 0, NULL, &op->proposal));
    op->call.proposal = qk_bytes(NULL, 0);
    nd_op_reencode(op);
    cr_assert(refused(s, op, BAD_SIGNATURE));
}

static void two_targets(struct scene *s)
{
    ND_AUTO_OP *op = sign_op(s, "x");
    qk_assert_ok(kms_raw_add_header(
        &op->raw, qk_str("x-amz-target"), qk_str("TrentService.ScheduleKeyDeletion")));
    nd_op_reencode(op);
    cr_assert(refused(s, op, NULL));
}

static void too_old_and_too_new(struct scene *s)
{
    for (int i = 0; i < 2; i++) {
        struct nd_signing by = {.user = &s->d.root, .skew_ms = i == 0 ? -360000 : 360000};
        ND_AUTO_OP *op =
            nd_op_by(&s->d, &by, "TrentService.Sign", nd_sign_body(s->key, "then"), all);
        cr_assert(refused(s, op, BAD_SIGNATURE));
    }
}

static void no_signature_at_all(struct scene *s)
{
    struct nd_signing by = {.user = &s->d.root, .unsigned_ = true};
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Sign", nd_sign_body(s->key, "x"), all);
    cr_assert(refused(s, op, "MissingAuthenticationTokenException"));
}

static void a_wrong_secret(struct scene *s)
{
    struct nd_user thief = s->d.root;
    thief.secret[0] ^= 1;
    struct nd_signing by = {.user = &thief};
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Sign", nd_sign_body(s->key, "x"), all);
    cr_assert(refused(s, op, BAD_SIGNATURE));
}

static void an_unknown_access_key(struct scene *s)
{
    struct nd_user nobody = s->d.root;
    memcpy(nobody.akid, "AKIAAAAAAAAAAAAAAAAA", sizeof nobody.akid);
    struct nd_signing by = {.user = &nobody};
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Sign", nd_sign_body(s->key, "x"), all);
    cr_assert(refused(s, op, "UnrecognizedClientException"));
}

static void the_scope_of_another_region(struct scene *s)
{
    struct nd_signing by = {.user = &s->d.root, .region = "eu-west-1"};
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Sign", nd_sign_body(s->key, "x"), all);
    cr_assert(refused(s, op, BAD_SIGNATURE));
}

static void a_key_of_another_account(struct scene *s)
{
    char arn[128];
    (void)snprintf(arn, sizeof arn, "arn:aws:kms:" NB_REGION ":999999999999:key/%s", s->key);
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.Sign", nd_sign_body(arn, "x"), all);
    cr_assert(refused(s, op, "AccessDeniedException"));
}

static void a_key_that_does_not_exist(struct scene *s)
{
    ND_AUTO_OP *op = nd_op(
        &s->d, "TrentService.Sign", nd_sign_body("00000000-0000-4000-8000-000000000000", "x"), all);
    cr_assert(refused(s, op, "NotFoundException"));
}

/* What is wrong with a body is told only to a caller whose signature holds. */
static void a_body_that_does_not_parse(struct scene *s)
{
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.Sign", "{\"KeyId\":", all);
    cr_assert(refused(s, op, "SerializationException"));
    ND_AUTO_OP *forged = sign_op(s, "x");
    swap_body(s, forged, "{\"KeyId\":");
    cr_assert(refused(s, forged, BAD_SIGNATURE));
}

QK_TEST(hostile_request, what_the_caller_did_not_sign_is_refused_by_every_node)
{
    struct scene s;
    set_up(&s);
    another_message(&s);
    one_bit_of_the_body(&s);
    another_key_than_the_signed_one(&s);
    another_operation_in_the_header(&s);
    two_targets(&s);
    too_old_and_too_new(&s);
    no_signature_at_all(&s);
    a_wrong_secret(&s);
    an_unknown_access_key(&s);
    the_scope_of_another_region(&s);
    a_key_of_another_account(&s);
    a_key_that_does_not_exist(&s);
    a_body_that_does_not_parse(&s);
    tear_down(&s);
}

/* ---- users ---- */

static void make_bob(struct scene *s, struct nd_user *bob)
{
    nd_do(&s->d, "QkmsAdmin.CreateUser", "{\"UserName\":\"bob\",\"Allow\":[\"kms:DescribeKey\"]}");
    nd_access_key(&s->d, "bob", bob);
}

static struct nd_op *bobs(
    struct scene *s, const struct nd_user *bob, const char *target, const char *body)
{
    struct nd_signing by = {.user = bob};
    return nd_op_by(&s->d, &by, target, body, all);
}

QK_TEST(hostile_request, users_without_the_right_or_with_a_disabled_key_are_refused)
{
    struct scene s;
    struct nd_user bob;
    char describe[128], body[128];
    set_up(&s);
    make_bob(&s, &bob);
    (void)snprintf(describe, sizeof describe, "{\"KeyId\":\"%s\"}", s.key);
    nd_do_by(&s.d, &bob, "TrentService.DescribeKey", describe);
    ND_AUTO_OP *sign = bobs(&s, &bob, "TrentService.Sign", nd_sign_body(s.key, "x"));
    cr_assert(refused(&s, sign, "AccessDeniedException"));
    ND_AUTO_OP *grab =
        bobs(&s, &bob, "QkmsAdmin.CreateUser", "{\"UserName\":\"eve\",\"Admin\":true}");
    cr_assert(refused(&s, grab, "AccessDeniedException"));

    /* signed while active, sent after the end of the access key, with the old record and the new */
    ND_AUTO_OP *held = bobs(&s, &bob, "TrentService.DescribeKey", describe);
    (void)snprintf(body, sizeof body, "{\"AccessKeyId\":\"%s\",\"Status\":\"Inactive\"}", bob.akid);
    nd_do(&s.d, "QkmsAdmin.UpdateAccessKey", body);
    cr_assert(nd_refused(&s.d, held, WIRE_ANSWER_STALE, NULL));
    nd_op_rest_on(&s.d, held);
    cr_assert(refused(&s, held, "UnrecognizedClientException"));
    tear_down(&s);
}

/* ---- the operator ---- */

#define INIT_BODY                                                                                  \
    "{\"AccountName\":\"Evil\",\"AdminUserName\":\"eve\",\"ResponseKey\":"                         \
    "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}"

QK_TEST(hostile_request, a_cluster_is_initialized_once_and_operators_may_do_nothing_else)
{
    struct scene s;
    set_up(&s);
    ND_AUTO_OP *again = nd_op_operator(&s.d, "QkmsAdmin.Initialize", INIT_BODY);
    cr_assert(refused(&s, again, "AlreadyExistsException"));
    ND_AUTO_OP *forgetful = nd_op_operator(&s.d, "QkmsAdmin.Initialize", INIT_BODY);
    for (uint32_t i = 0; i < forgetful->call.n_refs; i++) {
        forgetful->call.refs[i].version = 0;
        memset(forgetful->call.refs[i].hash, 0, 32);
    }
    cr_assert(nd_refused(&s.d, forgetful, WIRE_ANSWER_STALE, NULL));
    ND_AUTO_OP *other = nd_op_operator(&s.d, "TrentService.Sign", nd_sign_body(s.key, "x"));
    cr_assert(refused(&s, other, "AccessDeniedException"));
    ND_AUTO_OP *bent = nd_op_operator(&s.d, "QkmsAdmin.Initialize", INIT_BODY);
    bent->body.p[20] ^= 1;
    nd_op_reencode(bent);
    cr_assert(refused(&s, bent, BAD_SIGNATURE));
    ND_AUTO_OP *byroot = nd_op(&s.d, "QkmsAdmin.Initialize", INIT_BODY, all);
    cr_assert(refused(&s, byroot, "AccessDeniedException"));
    tear_down(&s);
}

/* ---- replay ---- */

QK_TEST(hostile_request, a_replay_makes_fresh_nonces_and_ends_with_the_window)
{
    struct scene s;
    set_up(&s);
    ND_AUTO_OP *op = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key, "once"), pair);
    QK_AUTO_BUF first = QK_BUF(256);
    cr_assert(nd_send(&s.d, op));
    qk_buf_add(&first, op->answer[1].a.part.p, op->answer[1].a.part.len);
    cr_assert(nd_send(&s.d, op), "the same call again, inside the window");
    cr_assert(memcmp(first.p, op->answer[1].a.part.p, 33) != 0, "R was used twice");

    /* nine seconds of the window are left: enough for one use now */
    struct nd_signing by = {.user = &s.d.root, .skew_ms = -(int64_t)KMS_SKEW_MS + 9000};
    ND_AUTO_OP *late = nd_op_by(&s.d, &by, "TrentService.Sign", nd_sign_body(s.key, "late"), pair);
    cr_assert(nd_send(&s.d, late));
    nodebox_sleep_ms(10000);
    cr_assert(refused(&s, late, BAD_SIGNATURE));
    tear_down(&s);
}
