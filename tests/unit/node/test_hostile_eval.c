/* A hostile coordinator asks for evaluations that it should not get: other keys than the caller
 * named, blobs that nobody signed for, tickets used twice, blobs that no Encrypt ever made. Real
 * nodes; document 50 sections 5 and 10. */
#include <signal.h>
#include "qktest/qktest.h"
#include "mpc/sym_node.h"
#include "nodesym.h"

static const uint16_t all[] = {1, 2, 3, 0};
static const char *const context[] = {"who", "alice", NULL};
static const char *const other_context[] = {"who", "mallory", NULL};

struct scene {
    struct nodebox box;
    struct nd d;
    struct ns s;
    char key[KMS_UUID_LEN + 1], other[KMS_UUID_LEN + 1];
    struct qk_buf f, v; /* blobs of key in both modes, under context */
};

static void encrypt(struct scene *s, const char *key, bool avoid_f, struct qk_buf *blob)
{
    cr_assert_eq(ns_encrypt(&s->s, key, context, "a secret", all, avoid_f, blob), MPC_SYM_DONE);
}

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\n");
    nd_init(&s->d, &s->box);
    ns_init(&s->s, &s->d);
    ns_create_key(&s->s, "FV", s->key);
    ns_create_key(&s->s, "FV", s->other);
    s->f = (struct qk_buf)QK_BUF(MPC_SYM_BLOB_MAX);
    s->v = (struct qk_buf)QK_BUF(MPC_SYM_BLOB_MAX);
    encrypt(s, s->key, false, &s->f);
    encrypt(s, s->key, true, &s->v);
}

static void tear_down(struct scene *s)
{
    cr_assert(ns_round_trip(&s->s, s->key, context, false), "still serving");
    qk_buf_free(&s->f);
    qk_buf_free(&s->v);
    nd_free(&s->d);
    nodebox_end(&s->box);
}

/* An ENC item beside a data key's request. */
static struct nd_op *enc(struct scene *s, uint8_t mode)
{
    struct nd_op *op = ns_enc_op(&s->s, s->key, context, NULL, all);
    ns_op_enc(&s->s, op, s->key, mode, 0xa5);
    return op;
}

static struct nd_op *dec(struct scene *s, struct qk_bytes blob)
{
    struct nd_op *op = ns_dec_op(&s->s, context, blob, all);
    ns_op_dec(op, false);
    return op;
}

/* ---- S-6 ---- */

static void replayed(struct scene *s)
{
    for (uint8_t mode = MPC_SYM_F; mode <= MPC_SYM_V; mode++) {
        ND_AUTO_OP *op = enc(s, mode);
        cr_assert(ns_says(&s->d, op, MPC_SYM_OK));
        cr_assert(ns_says(&s->d, op, MPC_SYM_TICKET), "S-6: the same frame again");
        for (uint16_t id = 1; id <= NB_NODES; id++) {
            cr_assert_eq(op->answer[id].a.chan.len, (size_t)MPC_SYM_CHAN_LEN, "it names its chan");
            cr_assert_arr_eq(op->answer[id].a.chan.p, s->s.chan[id], MPC_SYM_CHAN_LEN);
        }
    }
}

/* The victim's own header again, as its maker had it evaluated: alpha and tickets of a blob. */
static void of_an_existing_blob(struct scene *s)
{
    ND_AUTO_OP *op = enc(s, MPC_SYM_F);
    cr_assert(ns_says(&s->d, op, MPC_SYM_OK));
    ND_AUTO_OP *again = ns_enc_op(&s->s, s->key, context, NULL, all);
    again->call.eval = op->call.eval;
    cr_assert(ns_says(&s->d, again, MPC_SYM_TICKET), "S-6: an X that was evaluated");
}

static void tickets_of(struct scene *s, struct mpc_sym_ticket out[static NB_NODES], uint64_t ahead)
{
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        out[id - 1] = (struct mpc_sym_ticket){.node = id, .ctr = (s->s.ctr[id] += ahead)};
        memcpy(out[id - 1].chan, s->s.chan[id], MPC_SYM_CHAN_LEN);
    }
}

static void odd_tickets(struct scene *s)
{
    struct mpc_sym_ticket t[NB_NODES], twice[2 * NB_NODES], behind[NB_NODES];
    ND_AUTO_OP *op = enc(s, MPC_SYM_F);
    tickets_of(s, t, 1);
    for (size_t i = 0; i < NB_NODES; i++) twice[2 * i] = twice[2 * i + 1] = t[i];
    ns_op_tickets(op, twice, 2 * NB_NODES);
    cr_assert(ns_says(&s->d, op, MPC_SYM_TICKET), "S-6: two entries for one node");
    for (size_t i = 0; i < NB_NODES; i++) behind[i] = t[i], t[i].ctr = 0;
    ns_op_tickets(op, t, NB_NODES);
    cr_assert(ns_says(&s->d, op, MPC_SYM_TICKET), "S-6: counter 0");
    tickets_of(s, t, 1);
    for (size_t i = 0; i < NB_NODES; i++) t[i].chan[0] ^= 1;
    ns_op_tickets(op, t, NB_NODES);
    cr_assert(ns_says(&s->d, op, MPC_SYM_TICKET), "S-6: another's chan");
    tickets_of(s, t, 1);
    memcpy(t[0].chan, s->s.chan[2], MPC_SYM_CHAN_LEN);
    memcpy(t[1].chan, s->s.chan[3], MPC_SYM_CHAN_LEN);
    memcpy(t[2].chan, s->s.chan[1], MPC_SYM_CHAN_LEN);
    ns_op_tickets(op, t, NB_NODES);
    cr_assert(ns_says(&s->d, op, MPC_SYM_TICKET), "S-6: chans of other nodes");
    tickets_of(s, t, 2 * MPC_SYM_WINDOW);
    ns_op_tickets(op, t, NB_NODES);
    cr_assert(ns_says(&s->d, op, MPC_SYM_OK), "a leap is fine");
    ns_op_tickets(op, behind, NB_NODES);
    cr_assert(ns_says(&s->d, op, MPC_SYM_TICKET), "S-6: more than 4096 late");
}

static void without_a_ticket(struct scene *s)
{
    struct mpc_sym_ticket t[NB_NODES];
    ND_AUTO_OP *op = enc(s, MPC_SYM_F);
    tickets_of(s, t, 1);
    for (size_t i = 0; i < NB_NODES; i++) {
        struct mpc_sym_ticket foreign[2] = {t[(i + 1) % NB_NODES], t[(i + 2) % NB_NODES]};
        if (foreign[0].node > foreign[1].node)
            foreign[0] = t[(i + 2) % NB_NODES], foreign[1] = t[(i + 1) % NB_NODES];
        uint16_t me = t[i].node;
        ns_op_tickets(op, foreign, 2);
        nd_call(&s->d, me, &op->call, &op->answer[me]);
        cr_assert_eq(op->answer[me].a.eval_status, MPC_SYM_TICKET, "S-6: none for node %u", me);
        cr_assert(nd_empty(&op->answer[me]));
    }
}

/* Four channels are kept: an older one is forgotten, and so are all when a node restarts. */
static void forgotten_channels(struct scene *s)
{
    struct mpc_sym_ticket t[NB_NODES];
    ND_AUTO_OP *op = enc(s, MPC_SYM_F);
    tickets_of(s, t, 1);
    ns_op_tickets(op, t, NB_NODES);
    for (int i = 0; i < 3; i++)
        for (uint16_t id = 1; id <= NB_NODES; id++) cr_assert(ns_channel(&s->s, id));
    cr_assert(ns_says(&s->d, op, MPC_SYM_OK), "one of the newest four");
    for (size_t i = 0; i < NB_NODES; i++) t[i].ctr++;
    ns_op_tickets(op, t, NB_NODES);
    for (uint16_t id = 1; id <= NB_NODES; id++) cr_assert(ns_channel(&s->s, id));
    cr_assert(ns_says(&s->d, op, MPC_SYM_TICKET), "S-6: a channel of long ago");

    tickets_of(s, t, 1);
    cr_assert_eq(nodebox_stop(&s->box, 2, SIGKILL), SIGKILL);
    nodebox_start(&s->box, 2);
    nodebox_wait_ready(&s->box);
    ns_op_tickets(op, t, NB_NODES);
    nd_call(&s->d, 2, &op->call, &op->answer[2]);
    cr_assert_eq(op->answer[2].a.eval_status, MPC_SYM_TICKET, "S-6: a chan of before the restart");
    cr_assert(nd_empty(&op->answer[2]));
    cr_assert_eq(op->answer[2].a.chan.len, (size_t)MPC_SYM_CHAN_LEN);
    memcpy(s->s.chan[2], op->answer[2].a.chan.p, MPC_SYM_CHAN_LEN);
    s->s.ctr[2] = 0;
}

QK_TEST(hostile_eval, S_6_nothing_is_evaluated_without_a_fresh_ticket)
{
    struct scene s;
    set_up(&s);
    replayed(&s);
    of_an_existing_blob(&s);
    odd_tickets(&s);
    without_a_ticket(&s);
    forgotten_channels(&s);
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_geq(nodebox_audit(&s.box, id, "\"reason\":\"ticket\"", "\"deny\""), 1u);
    tear_down(&s);
}

/* ---- S-8, S-14: blobs that no Encrypt made, signed by a caller who may decrypt ---- */

static void S_8_forged(struct scene *s, size_t at, uint8_t bit, const char *what)
{
    QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
    qk_buf_add(&blob, s->f.p, s->f.len);
    blob.p[at] ^= bit;
    ND_AUTO_OP *op = dec(s, qk_buf_view(&blob));
    cr_assert(nd_send(&s->d, op));
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        uint8_t said = op->answer[id].a.eval_status;
        bool part = op->answer[id].a.part.len > 0;
        cr_assert_eq(said == MPC_SYM_OK, part);
        /* of three sets every node is in two: a tag of the third is none of its business */
        if (said == MPC_SYM_OK) cr_assert(at >= MPC_SYM_BLOB_HEAD, "S-8: %s at node %u", what, id);
    }
    size_t refused = 0;
    for (uint16_t id = 1; id <= NB_NODES; id++)
        refused += op->answer[id].a.eval_status == MPC_SYM_ORIGIN;
    cr_assert_geq(refused, 2u, "S-8: %s", what);
}

QK_TEST(hostile_eval, S_8_a_blob_that_no_encrypt_made_is_not_evaluated)
{
    enum { ALPHA = 23, T = 55, TAGS = MPC_SYM_BLOB_HEAD };
    struct scene s;
    set_up(&s);
    S_8_forged(&s, ALPHA, 1, "a fresh alpha");
    S_8_forged(&s, ALPHA + 31, 0x80, "a fresh alpha, last bit");
    S_8_forged(&s, T, 1, "other tickets");
    S_8_forged(&s, TAGS, 1, "tag of the first set");
    S_8_forged(&s, TAGS + 16 + 7, 0x10, "tag of the second set");
    S_8_forged(&s, TAGS + 2 * 16 + 15, 0x80, "tag of the third set");
    /* under another context than it was made under */
    ND_AUTO_OP *op = ns_dec_op(&s.s, other_context, qk_buf_view(&s.f), all);
    ns_op_dec(op, false);
    cr_assert(ns_says(&s.d, op, MPC_SYM_ORIGIN), "S-8, S-10");
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_geq(nodebox_audit(&s.box, id, "\"reason\":\"origin\"", "\"deny\""), 1u);
    tear_down(&s);
}

/* ---- S-12 at the node ---- */

QK_TEST(hostile_eval, S_12_bytes_that_are_no_blob_of_the_key_are_a_fault)
{
    struct scene s;
    set_up(&s);
    QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX + 1);
    qk_buf_add(&blob, s.f.p, s.f.len);
    for (int item = 0; item < 2; item++) { /* with an item and without */
        ND_AUTO_OP *cut = dec(&s, qk_bytes(blob.p, MPC_SYM_BLOB_HEAD + 3 * 16 + 32));
        ND_AUTO_OP *fewer = dec(&s, qk_bytes(blob.p, blob.len));
        if (item == 0) cut->call.eval.op = fewer->call.eval.op = 0;
        cr_assert(nd_refused(&s.d, cut, WIRE_ANSWER_FAULT, "InvalidCiphertextException"), "S-12");
    }
    uint8_t *mode = &blob.p[1], *flags = &blob.p[2];
    *flags |= MPC_SYM_FLAG_DELEGATE;
    ND_AUTO_OP *delegate = dec(&s, qk_buf_view(&blob));
    cr_assert(nd_refused(&s.d, delegate, WIRE_ANSWER_FAULT, "InvalidCiphertextException"), "S-12");
    *mode = 3;
    ND_AUTO_OP *third = dec(&s, qk_buf_view(&blob));
    cr_assert(nd_refused(&s.d, third, WIRE_ANSWER_FAULT, "InvalidCiphertextException"), "S-12");
    tear_down(&s);
}

/* ---- S-16 ---- */

static void signed_by_nobody(struct scene *s)
{
    struct nd_signing by = {.user = &s->d.root, .unsigned_ = true};
    ND_AUTO_OP *good = dec(s, qk_buf_view(&s->f));
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Decrypt", qk_buf_cstr(&good->body), all);
    ns_op_dec(op, false);
    op->call.n_refs = good->call.n_refs;
    memcpy(op->call.refs, good->call.refs, sizeof op->call.refs);
    cr_assert(
        nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "MissingAuthenticationTokenException"), "S-16");
    op->call.raw = qk_bytes(NULL, 0);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_REFUSED, "the request does not decode"), "S-16");
}

static void signed_long_ago(struct scene *s)
{
    struct nd_signing by = {.user = &s->d.root, .skew_ms = -16 * 60 * 1000};
    ND_AUTO_OP *good = dec(s, qk_buf_view(&s->f));
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Decrypt", qk_buf_cstr(&good->body), all);
    ns_op_dec(op, false);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "InvalidSignatureException"), "S-16");
}

/* Somebody else's request, who may not decrypt; and one for another blob. */
static void signed_for_something_else(struct scene *s)
{
    struct nd_user bob;
    nd_do(&s->d, "QkmsAdmin.CreateUser",
        "{\"UserName\":\"bob\",\"Allow\":[\"kms:Encrypt\",\"kms:GenerateDataKey*\"]}");
    nd_access_key(&s->d, "bob", &bob);
    struct nd_signing by = {.user = &bob};
    ND_AUTO_OP *good = dec(s, qk_buf_view(&s->f));
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Decrypt", qk_buf_cstr(&good->body), all);
    ns_op_dec(op, false);
    (void)nd_send(&s->d, op); /* all at once: then the nodes have derived bob's key */
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "AccessDeniedException"), "S-16");

    ND_AUTO_OP *swapped = dec(s, qk_buf_view(&s->f));
    ND_AUTO_OP *victim = dec(s, qk_buf_view(&s->v));
    swapped->raw.body = qk_buf_view(&victim->body); /* the signature is over the other blob */
    nd_op_reencode(swapped);
    cr_assert(nd_refused(&s->d, swapped, WIRE_ANSWER_FAULT, "InvalidSignatureException"), "S-16");
}

/* An item of the other kind beside a request: a permission to encrypt opens nothing. */
static void of_the_other_kind(struct scene *s)
{
    ND_AUTO_OP *key = ns_enc_op(&s->s, s->key, context, NULL, all);
    ns_op_dec(key, false);
    cr_assert(nd_refused(&s->d, key, WIRE_ANSWER_REFUSED, "not what the caller asks"), "S-16");
    ND_AUTO_OP *text = ns_enc_op(&s->s, s->key, context, "x", all);
    ns_op_dec(text, false);
    cr_assert(nd_refused(&s->d, text, WIRE_ANSWER_REFUSED, "not what the caller asks"), "S-16");
    ND_AUTO_OP *open = ns_dec_op(&s->s, context, qk_buf_view(&s->f), all);
    ns_op_enc(&s->s, open, s->key, MPC_SYM_F, 1);
    cr_assert(nd_refused(&s->d, open, WIRE_ANSWER_REFUSED, "not what the caller asks"), "S-16");
}

/* Records of another key than the request names, versions and modes that are not the key's. */
static void of_another_key(struct scene *s)
{
    ND_AUTO_OP *op = enc(s, MPC_SYM_F);
    ND_AUTO_OP *donor = ns_enc_op(&s->s, s->other, context, NULL, all);
    op->call.n_refs = donor->call.n_refs;
    memcpy(op->call.refs, donor->call.refs, sizeof op->call.refs);
    cr_assert_not(nd_send(&s->d, op));
    for (uint16_t id = 1; id <= NB_NODES; id++) cr_assert(nd_empty(&op->answer[id]), "S-16");
    ND_AUTO_OP *version = enc(s, MPC_SYM_F);
    version->call.eval.ver = 2;
    cr_assert(nd_refused(&s->d, version, WIRE_ANSWER_REFUSED, "not the current version"), "S-16");
    char v_only[KMS_UUID_LEN + 1];
    ns_create_key(&s->s, "V", v_only);
    ND_AUTO_OP *mode = ns_enc_op(&s->s, v_only, context, NULL, all);
    ns_op_enc(&s->s, mode, v_only, MPC_SYM_F, 1);
    cr_assert(nd_refused(&s->d, mode, WIRE_ANSWER_REFUSED, "not a mode of this key"), "S-14");
}

QK_TEST(hostile_eval, S_16_every_node_opens_only_what_the_caller_signed_for)
{
    struct scene s;
    set_up(&s);
    signed_by_nobody(&s);
    signed_long_ago(&s);
    signed_for_something_else(&s);
    of_the_other_kind(&s);
    of_another_key(&s);
    tear_down(&s);
}

QK_TEST(hostile_eval, S_16_a_disabled_key_evaluates_nothing)
{
    struct scene s;
    char body[128];
    set_up(&s);
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", s.key);
    nd_do(&s.d, "TrentService.DisableKey", body);
    ND_AUTO_OP *one = enc(&s, MPC_SYM_F);
    cr_assert(nd_refused(&s.d, one, WIRE_ANSWER_FAULT, "DisabledException"), "S-16");
    ND_AUTO_OP *two = dec(&s, qk_buf_view(&s.v));
    cr_assert(nd_refused(&s.d, two, WIRE_ANSWER_FAULT, "DisabledException"), "S-16");
    nd_do(&s.d, "TrentService.EnableKey", body);
    tear_down(&s);
}
