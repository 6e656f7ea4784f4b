/* Evaluations and everything around them: tickets, records that nodes lack or have newer, faults,
 * and what nodes get to see of an Encrypt (S-15). */
#include "qktest/qktest.h"
#include "coordsym.h"

#include <stdlib.h>
#include "rounds/pairs.h"

static struct cw_world *world_new(uint8_t modes)
{
    struct cw_world *w = calloc(1, sizeof *w);
    cr_assert(w != NULL);
    cw_init_sym(w, modes);
    return w;
}

static void world_free(struct cw_world *w)
{
    cw_free(w);
    free(w);
}

struct result {
    struct coord_op op;
    struct cw_request request;
    struct kms_fault fault;
    qk_err err;
};

static struct result *serve(struct cw_world *w, const char *target, const char *members)
{
    struct result *r = calloc(1, sizeof *r);
    cr_assert(r != NULL);
    cw_request(&r->request, target, "{\"KeyId\":\"%s\"%s}", w->sym->key_text, members);
    r->err = cw_serve(w, &r->op, &r->request, &r->fault);
    return r;
}

static struct result *data_key(struct cw_world *w)
{
    return serve(w, "TrentService.GenerateDataKey", ",\"KeySpec\":\"AES_256\"");
}

static void result_free(struct result *r)
{
    coord_op_end(&r->op);
    free(r);
}

/* ---- tickets ---- */

QK_TEST(eval_rounds, S_6_a_restarted_node_names_its_new_channel_and_the_request_goes_on)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    (void)pthread_mutex_lock(&w->lock);
    cw_forget_channels(&w->fakes[0]);
    cw_forget_channels(&w->fakes[2]);
    (void)pthread_mutex_unlock(&w->lock);
    struct result *r = data_key(w);
    qk_assert_ok(r->err);
    cr_expect_eq(r->op.blob.p[1], MPC_SYM_F, "S-6: retried in the same mode");
    cr_expect_eq(r->op.attempts, 2);
    result_free(r);
    r = data_key(w); /* the new channels are known from now on */
    qk_assert_ok(r->err);
    cr_expect_eq(r->op.attempts, 1);
    result_free(r);
    world_free(w);
}

QK_TEST(eval_rounds, S_6_tickets_are_never_given_out_twice)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    struct mpc_sym_ticket a, b;
    uint8_t chan[MPC_SYM_CHAN_LEN];
    qk_assert_ok(coord_channels_ticket(w->engine.channels, 1, &a));
    qk_assert_ok(coord_channels_ticket(w->engine.channels, 1, &b));
    cr_assert_eq(memcmp(a.chan, b.chan, sizeof a.chan), 0);
    cr_assert_eq(b.ctr, a.ctr + 1);
    /* Told of the channel that is ours already: the count goes on. */
    coord_channels_renew(w->engine.channels, 1, a.chan, QK_BYTES(a.chan));
    qk_assert_ok(coord_channels_ticket(w->engine.channels, 1, &b));
    cr_assert_eq(b.ctr, a.ctr + 2, "S-6");
    memset(chan, 7, sizeof chan);
    coord_channels_renew(w->engine.channels, 1, a.chan, QK_BYTES(chan));
    qk_assert_ok(coord_channels_ticket(w->engine.channels, 1, &b));
    cr_assert(memcmp(b.chan, chan, sizeof chan) == 0 && b.ctr == 1);
    /* A late word about the channel before that changes nothing any more. */
    coord_channels_renew(w->engine.channels, 1, a.chan, QK_BYTES(a.chan));
    qk_assert_ok(coord_channels_ticket(w->engine.channels, 1, &b));
    cr_assert(memcmp(b.chan, chan, sizeof chan) == 0 && b.ctr == 2, "S-6");
    world_free(w);
}

static enum cw_fate always_ticket(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f;
    if (call->kind != WIRE_CALL_OP || call->eval.op != WIRE_EVAL_ENC) return CW_SEND;
    uint8_t *chan = qk_buf_extend(scratch, MPC_SYM_CHAN_LEN);
    CW_MUST(qk_rng_fill(qk_rng_system(), chan, MPC_SYM_CHAN_LEN) == QK_OK);
    *a = (struct wire_answer){.eval_status = MPC_SYM_TICKET, .chan = qk_bytes(chan, 16)};
    return CW_SEND;
}

QK_TEST(eval_rounds, a_node_that_always_wants_another_ticket_is_left_out)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->fakes[1].bend = always_ticket;
    for (int i = 0; i < 3; i++) {
        struct result *r = data_key(w);
        qk_assert_ok(r->err);
        cr_expect_eq(r->op.blob.p[1], MPC_SYM_V);
        result_free(r);
    }
    world_free(w);
}

QK_TEST(eval_rounds, a_node_in_quarantine_is_not_asked_in_vain)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    coord_channels_bar(w->engine.channels, 2, true);
    struct result *r = data_key(w);
    qk_assert_ok(r->err);
    cr_expect(r->op.attempts == 1 && r->op.blob.p[1] == MPC_SYM_V);
    cr_expect_eq(w->sym->enc[1], 0);
    result_free(r);
    coord_channels_bar(w->engine.channels, 2, false);
    r = data_key(w);
    qk_assert_ok(r->err);
    cr_expect_eq(r->op.blob.p[1], MPC_SYM_F);
    result_free(r);
    world_free(w);
}

/* ---- records ---- */

QK_TEST(eval_rounds, a_node_that_lacks_a_record_is_given_it_within_the_same_X)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->sym->lacks_key[0] = w->sym->lacks_key[1] = true;
    struct result *r = data_key(w);
    cr_assert_eq(r->err, QK_OK, "%s: %s", r->fault.type, r->fault.message);
    cr_expect_eq(r->op.attempts, 1);
    cr_expect_eq(r->op.blob.p[1], MPC_SYM_F);
    result_free(r);
    world_free(w);
}

static enum cw_fate needs_without_end(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (call->kind != WIRE_CALL_OP) return CW_SEND;
    *a = (struct wire_answer){.status = WIRE_ANSWER_NEED, .n_refs = 1};
    a->refs[0] = (struct wire_ref){
        .kind = KMS_KIND_KEY, .id = qk_str(f->world->sym->key_text), .version = 1};
    return CW_SEND;
}

QK_TEST(eval_rounds, a_node_that_asks_without_end_is_left_out)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->fakes[2].bend = needs_without_end;
    struct result *r = data_key(w);
    qk_assert_ok(r->err);
    cr_expect_eq(r->op.blob.p[1], MPC_SYM_V);
    result_free(r);
    world_free(w);
}

/* The nodes have rotated the key; this coordinator has not heard of it. */
static enum cw_fate knows_better(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (call->kind != WIRE_CALL_OP) return CW_SEND;
    for (uint32_t i = 0; i < call->n_refs; i++) {
        char id[KMS_RECORD_ID_MAX + 1] = {0};
        memcpy(id, call->refs[i].id.p, call->refs[i].id.len);
        const struct cw_record *c = cw_find(f->world, call->refs[i].kind, id);
        if (c == NULL || call->refs[i].version >= c->r.version) continue;
        *a = (struct wire_answer){.status = WIRE_ANSWER_STALE, .n_records = 1};
        a->records[0] = qk_buf_view(&c->certified);
    }
    return CW_SEND;
}

QK_TEST(eval_rounds, a_newer_record_is_taken_over_and_the_operation_starts_over)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    static const uint16_t all[] = {1, 2, 3};
    (void)pthread_mutex_lock(&w->lock);
    struct kms_record r = cw_next(cw_find(w, KMS_KIND_KEY, w->sym->key_text));
    r.key.state = KMS_STATE_DISABLED;
    (void)cw_certify(w, &r, all, 3);
    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < CW_NODES; i++) w->fakes[i].bend = knows_better;
    struct result *res = data_key(w);
    cr_expect_eq(res->err, QK_E_DENIED);
    cr_expect_str_eq(res->fault.type, "DisabledException");
    cr_expect(atomic_load(&w->engine.counts.adopted) >= 1);
    result_free(res);
    world_free(w);
}

/* ---- faults ---- */

static enum cw_fate denies(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_OP)
        *a = (struct wire_answer){.status = WIRE_ANSWER_FAULT,
            .fault_type = qk_str("AccessDeniedException"),
            .fault_message = qk_str("no"),
            .fault_has_message = true};
    return CW_SEND;
}

QK_TEST(eval_rounds, what_t_nodes_say_is_the_callers_fault_is_told_to_the_caller)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->fakes[0].bend = w->fakes[2].bend = denies;
    struct result *r = data_key(w);
    cr_expect_eq(r->err, QK_E_DENIED);
    cr_expect_str_eq(r->fault.type, "AccessDeniedException");
    cr_expect_eq(r->op.attempts, 1, "nobody is asked for mode V");
    result_free(r);
    world_free(w);
}

QK_TEST(eval_rounds, what_one_node_alone_says_against_the_caller_does_not_count)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->fakes[1].bend = denies;
    struct result *r = data_key(w);
    qk_assert_ok(r->err);
    cr_expect_eq(r->op.blob.p[1], MPC_SYM_V);
    result_free(r);
    world_free(w);
}

QK_TEST(eval_rounds, with_fewer_than_t_nodes_the_caller_may_try_again)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->engine.timing.link_ms = 50;
    w->engine.timing.total_ms = 1000;
    cw_fake_stop(&w->fakes[1]);
    cw_fake_stop(&w->fakes[2]);
    while (coord_nodes_n_up(w->engine.nodes) > 1) {
    }
    struct result *r = data_key(w);
    cr_expect_neq(r->err, QK_OK);
    cr_expect_str_eq(r->fault.type, "KeyUnavailableException");
    cr_expect_eq(r->fault.http_status, 500);
    result_free(r);
    world_free(w);
}

/* ---- statuses of an evaluation ---- */

static enum cw_fate used_up(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_OP && call->eval.op == WIRE_EVAL_ENC)
        *a = (struct wire_answer){.eval_status = MPC_SYM_LIMIT};
    return CW_SEND;
}

QK_TEST(eval_rounds, S_24_a_version_that_t_nodes_say_is_used_up_encrypts_no_more)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->fakes[1].bend = used_up;
    struct result *r = data_key(w);
    qk_assert_ok(r->err); /* one node alone says nothing */
    result_free(r);
    w->fakes[2].bend = used_up;
    r = data_key(w);
    cr_expect_eq(r->err, QK_E_DENIED, "S-24");
    cr_expect_str_eq(r->fault.type, "LimitExceededException");
    result_free(r);
    world_free(w);
}

static enum cw_fate silent_at_dec(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)a, (void)scratch;
    return call->kind == WIRE_CALL_OP && call->eval.op == WIRE_EVAL_DEC ? CW_SILENT : CW_SEND;
}

QK_TEST(eval_rounds, another_node_is_asked_when_one_stays_silent_at_Decrypt)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    struct kms_fault fault;
    struct result *r = data_key(w);
    qk_assert_ok(r->err);
    atomic_store(&w->engine.watch.dec.deadline_us, 50000);
    for (size_t i = 0; i < CW_NODES; i++) {
        QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
        for (size_t k = 0; k < CW_NODES; k++) w->fakes[k].bend = k == i ? silent_at_dec : NULL;
        qk_assert_ok(cw_decrypt(w, qk_buf_view(&r->op.blob), "", &opened, &fault));
        cr_expect(qk_bytes_eq(qk_buf_view(&opened), qk_buf_view(&r->op.plain)));
    }
    result_free(r);
    world_free(w);
}

/* ---- answers that come when another question has been asked ---- */

/* Late at the first evaluation, and just before the answer to the second. */
static enum cw_fate late_at_dec(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)a, (void)scratch;
    if (call->kind != WIRE_CALL_OP) return CW_SEND;
    if (call->eval.op == WIRE_EVAL_DEC) return CW_LATER;
    cw_send_late(f);
    return CW_SEND;
}

QK_TEST(eval_rounds, an_answer_to_the_first_half_of_ReEncrypt_is_none_to_the_second)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    struct result *first = data_key(w);
    QK_AUTO_BUF text = QK_BUF(8192);
    qk_assert_ok(first->err);
    qk_base64_add(&text, qk_buf_view(&first->op.blob));
    atomic_store(&w->engine.watch.dec.deadline_us, 50000);
    for (size_t i = 0; i < CW_NODES; i++) {
        struct result *r = calloc(1, sizeof *r);
        for (size_t k = 0; k < CW_NODES; k++) w->fakes[k].bend = k == i ? late_at_dec : NULL;
        cw_request(&r->request, "TrentService.ReEncrypt",
            "{\"CiphertextBlob\":\"%s\",\"DestinationKeyId\":\"%s\"}", qk_buf_cstr(&text),
            w->sym->key_text);
        qk_assert_ok(cw_serve(w, &r->op, &r->request, &r->fault));
        cr_expect_eq(r->op.blob.p[1], MPC_SYM_F);
        result_free(r);
    }
    cr_expect_eq(atomic_load(&w->engine.counts.sym_suspects), 0, "nobody lied");
    result_free(first);
    world_free(w);
}

/* ---- S-15: the plaintext of an Encrypt stays here ---- */

struct seen {
    unsigned calls;
    bool marker;
};

static bool contains(struct qk_bytes in, const char *what)
{
    return memmem(in.p, in.len, what, strlen(what)) != NULL;
}

static void look_for_marker(struct cw_world *w, struct qk_bytes call)
{
    struct seen *s = w->witness_arg;
    s->calls++;
    s->marker |= contains(call, "S15-MARKER") || contains(call, "UzE1LU1BUktFUi"); /* base64 */
}

static void encrypt_watched(
    uint8_t modes, const char *members, struct seen *seen, const char *fault)
{
    struct cw_world *w = world_new(modes);
    (void)pthread_mutex_lock(&w->lock);
    *seen = (struct seen){0};
    w->witness_arg = seen;
    w->witness = look_for_marker;
    (void)pthread_mutex_unlock(&w->lock);
    struct result *r = serve(w, "TrentService.Encrypt", members);
    if (fault == NULL) {
        qk_assert_ok(r->err);
        QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
        qk_assert_ok(
            cw_decrypt(w, qk_buf_view(&r->op.blob), "\"to\":\"nodes\"", &opened, &r->fault));
        cr_expect(qk_bytes_is(qk_buf_view(&opened), "S15-MARKER-plaintext"));
    } else {
        cr_expect_eq(r->err, QK_E_DENIED);
        cr_expect_str_eq(r->fault.type, fault);
    }
    result_free(r);
    world_free(w);
}

QK_TEST(eval_rounds, S_15_no_node_is_sent_the_plaintext_of_an_Encrypt)
{
    struct seen seen;
    static const char good[] = ",\"Plaintext\":\"UzE1LU1BUktFUi1wbGFpbnRleHQ=\","
                               "\"EncryptionContext\":{\"to\":\"nodes\"}";
    encrypt_watched(MPC_SYM_FV, good, &seen, NULL);
    cr_expect(seen.calls >= 5 && !seen.marker, "S-15");
    encrypt_watched(MPC_SYM_V, good, &seen, NULL);
    cr_expect(seen.calls >= 4 && !seen.marker, "S-15");
}

QK_TEST(eval_rounds, S_15_nor_that_of_an_Encrypt_that_is_wrong)
{
    struct seen seen;
    static const struct {
        const char *members, *fault;
    } wrong[] = {
        {",\"Plaintext\":\"UzE1LU1BUktFUi\"", "SerializationException"},
        {",\"Plaintext\":\"UzE1LU1BUktFUi1w\",\"KeyId\":5", "SerializationException"},
        {",\"Plaintext\":\"UzE1LU1BUktFUi1w\",\"EncryptionAlgorithm\":\"ROT13\"",
            "ValidationException"},
        {",\"Plaintext\":\"UzE1LU1BUktFUi1w\",\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_1\"",
            "InvalidKeyUsageException"},
        {",\"Plaintext\":\"UzE1LU1BUktFUi1w\",\"DryRun\":true", "DryRunOperationException"},
    };
    for (size_t i = 0; i < QK_COUNT(wrong); i++) {
        encrypt_watched(MPC_SYM_FV, wrong[i].members, &seen, wrong[i].fault);
        cr_expect(seen.calls >= 2 && !seen.marker, "S-15: %s", wrong[i].members);
    }
}

/* ---- key pairs ---- */

static void pair_of(struct cw_world *w, const char *spec)
{
    char members[80];
    (void)snprintf(members, sizeof members, ",\"KeyPairSpec\":\"%s\"", spec);
    struct result *r = serve(w, "TrentService.GenerateDataKeyPair", members);
    struct kms_fault fault;
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    qk_assert_ok(r->err);
    cr_expect(r->op.pair_public.len > 40 && r->op.plain.len > 40);
    qk_assert_ok(cw_decrypt(w, qk_buf_view(&r->op.blob), "", &opened, &fault));
    cr_expect(qk_bytes_eq(qk_buf_view(&r->op.plain), qk_buf_view(&opened)), "%s", spec);
    result_free(r);
}

QK_TEST(eval_rounds, the_private_key_of_a_pair_opens_from_its_ciphertext)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    pair_of(w, "ECC_NIST_P256");
    pair_of(w, "ECC_NIST_EDWARDS25519");
    pair_of(w, "RSA_2048");
    world_free(w);
}

QK_TEST(eval_rounds, a_pair_is_made_for_nobody_whom_t_nodes_do_not_know)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    w->fakes[0].bend = w->fakes[1].bend = w->fakes[2].bend = denies;
    struct result *r =
        serve(w, "TrentService.GenerateDataKeyPair", ",\"KeyPairSpec\":\"RSA_4096\"");
    cr_expect_eq(r->err, QK_E_DENIED);
    cr_expect_eq(r->op.pair_public.len, 0);
    cr_expect_eq(r->op.plain.len, 0);
    result_free(r);
    world_free(w);
}
