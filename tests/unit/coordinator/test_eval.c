/* Encrypt and Decrypt through the coordinator, with nodes that lie about their part of the value:
 * no ciphertext leaves that honest nodes could not open (S-3, S-5), and one opens to one plaintext
 * under one context or not at all (S-10, S-11, S-12). */
#include "qktest/qktest.h"
#include "coordsym.h"

#include <stdlib.h>
#include "qk/clock.h"

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

static unsigned long long count(atomic_ullong *n)
{
    return atomic_load(n);
}

/* ---- honest nodes ---- */

static void round_trip(uint8_t modes, uint8_t mode)
{
    struct cw_world *w = world_new(modes);
    struct kms_fault fault;
    QK_AUTO_BUF blob = QK_BUF(8192);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    cw_data_key(w, &blob, &plain);
    cr_expect_eq(blob.p[1], mode);
    qk_assert_ok(cw_decrypt(w, qk_buf_view(&blob), "", &opened, &fault));
    cr_assert(qk_bytes_eq(qk_buf_view(&plain), qk_buf_view(&opened)));
    world_free(w);
}

QK_TEST(eval, a_data_key_of_each_kind_of_key_opens_again)
{
    round_trip(MPC_SYM_FV, MPC_SYM_F);
    round_trip(MPC_SYM_F, MPC_SYM_F);
    round_trip(MPC_SYM_V, MPC_SYM_V);
}

QK_TEST(eval, two_data_keys_have_nothing_in_common)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    QK_AUTO_BUF blobs = QK_BUF(16384);
    QK_AUTO_BUF plains = QK_BUF_SECRET(8192);
    cw_data_key(w, &blobs, &plains);
    size_t half = blobs.len;
    cw_data_key(w, &blobs, &plains);
    cr_assert_eq(blobs.len, 2 * half);
    cr_expect_neq(memcmp(plains.p, plains.p + 32, 32), 0);
    cr_expect_neq(memcmp(blobs.p + 23, blobs.p + half + 23, 32), 0, "alpha");
    cr_expect_neq(memcmp(blobs.p + 55, blobs.p + half + 55, 32), 0, "T");
    world_free(w);
}

QK_TEST(eval, what_an_older_version_encrypted_opens_for_ever)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    struct kms_fault fault;
    QK_AUTO_BUF old = QK_BUF(8192);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    cw_data_key(w, &old, &plain);
    cw_rotate(w);
    cw_rotate(w);
    QK_AUTO_BUF newer = QK_BUF(8192);
    QK_AUTO_BUF other = QK_BUF_SECRET(8192);
    cw_data_key(w, &newer, &other);
    cr_expect_eq(qk_get_u32(newer.p + 19), 3, "Encrypt uses the newest version");
    qk_assert_ok(cw_decrypt(w, qk_buf_view(&old), "", &opened, &fault));
    cr_expect(qk_bytes_eq(qk_buf_view(&plain), qk_buf_view(&opened)));
    world_free(w);
}

/* ---- S-3: a lying node at Encrypt ---- */

enum lie { LIE_PIECE, LIE_TAG, LIE_SHORT, LIE_LONG, LIE_PERMUTED, LIE_EMPTY, LIE_MISSING, LIES };

static void permute(uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t other = p[i];
        p[i] = p[len / 2 + i];
        p[len / 2 + i] = other;
    }
}

/* bend_arg: which lie, about mode F. Two pieces of 32, each with a tag of 16. */
static enum cw_fate lie_in_f(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    uint8_t *p = (uint8_t *)(uintptr_t)a->part.p;
    bool mine = call->kind == WIRE_CALL_OP && call->eval.op == WIRE_EVAL_ENC &&
                call->eval.mode == MPC_SYM_F;
    if (!mine) return CW_SEND;
    cr_assert_eq(a->part.len, 96);
    switch (*(enum lie *)f->bend_arg) {
    case LIE_PIECE:
        p[5] ^= 1;
        return CW_SEND;
    case LIE_TAG:
        p[48 + 32] ^= 0x80;
        return CW_SEND;
    case LIE_SHORT:
        a->part.len--;
        return CW_SEND;
    case LIE_LONG:
        a->part.len++; /* scratch is zeros behind it */
        return CW_SEND;
    case LIE_PERMUTED:
        permute(p, a->part.len);
        return CW_SEND;
    case LIE_EMPTY:
        a->part = (struct qk_bytes){0};
        return CW_SEND;
    default:
        return CW_SILENT;
    }
}

/* With every t of the nodes, one of them left out: bend that asks nothing of it. */
static enum cw_fate absent(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_OP) *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY};
    return CW_SEND;
}

static void expect_opens_everywhere(struct cw_world *w, struct qk_bytes blob, struct qk_bytes plain)
{
    struct kms_fault fault;
    for (size_t out = 0; out < CW_NODES; out++) {
        QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
        for (size_t i = 0; i < CW_NODES; i++) w->fakes[i].bend = i == out ? absent : NULL;
        qk_assert_ok(cw_decrypt(w, blob, "", &opened, &fault));
        cr_expect(qk_bytes_eq(plain, qk_buf_view(&opened)));
    }
    for (size_t i = 0; i < CW_NODES; i++) w->fakes[i].bend = NULL;
}

QK_TEST(eval, S_3_no_lie_of_one_node_gets_into_a_ciphertext)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    for (enum lie lie = 0; lie < LIES; lie++) {
        size_t liar = lie % CW_NODES; /* S-5: in each position */
        QK_AUTO_BUF blob = QK_BUF(8192);
        QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
        w->fakes[liar].bend_arg = &lie;
        w->fakes[liar].bend = lie_in_f;
        atomic_store(&w->engine.watch.avoid_until_ms, 0); /* each lie is tried on mode F */
        if (lie == LIE_MISSING) atomic_store(&w->engine.watch.enc.deadline_us, 50000);
        cw_data_key(w, &blob, &plain);
        cr_expect_eq(blob.p[1], MPC_SYM_V, "S-3: lie %d: falls to mode V", lie);
        expect_opens_everywhere(w, qk_buf_view(&blob), qk_buf_view(&plain));
    }
    cr_expect_eq(count(&w->engine.counts.sym_f), 0, "S-3");
    cr_expect_eq(count(&w->engine.counts.sym_v), LIES);
    cr_expect_eq(count(&w->engine.counts.sym_fell), LIES);
    world_free(w);
}

QK_TEST(eval, S_3_without_mode_V_a_lie_makes_Encrypt_fail)
{
    struct cw_world *w = world_new(MPC_SYM_F);
    enum lie lie = LIE_TAG;
    struct coord_op *op = calloc(1, sizeof *op);
    struct cw_request request;
    struct kms_fault fault;
    w->fakes[1].bend_arg = &lie;
    w->fakes[1].bend = lie_in_f;
    cw_request(&request, "TrentService.GenerateDataKey",
        "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}", w->sym->key_text);
    cr_assert_neq(cw_serve(w, op, &request, &fault), QK_OK, "S-3");
    cr_expect_str_eq(fault.type, "KeyUnavailableException");
    cr_expect_eq(op->blob.len, 0);
    coord_op_end(op);
    free(op);
    world_free(w);
}

QK_TEST(eval, S_5_with_a_node_down_Encrypt_goes_to_mode_V_at_once)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    QK_AUTO_BUF blob = QK_BUF(8192);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    cw_fake_stop(&w->fakes[2]);
    while (coord_node_up(w->engine.nodes, 3)) {
    }
    cw_data_key(w, &blob, &plain);
    cr_expect_eq(blob.p[1], MPC_SYM_V);
    cr_expect_eq(w->sym->enc[0] + w->sym->enc[1], 2, "nobody was asked for mode F");
    cw_fake_start(&w->fakes[2]);
    world_free(w);
}

/* ---- mode V: lies are proved ---- */

static enum cw_fate lie_in_v(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    bool v = call->kind == WIRE_CALL_OP && call->eval.op == WIRE_EVAL_ENC &&
             call->eval.mode == MPC_SYM_V;
    if (v && a->part.len == 131) ((uint8_t *)(uintptr_t)a->part.p)[130] ^= 1;
    return CW_SEND;
}

QK_TEST(eval, S_4_a_false_proof_is_named_and_another_node_is_asked)
{
    struct cw_world *w = world_new(MPC_SYM_V);
    QK_AUTO_BUF blobs = QK_BUF(65536);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    w->fakes[0].bend = lie_in_v;
    /* Until the liar is among those who are asked. */
    for (int i = 0; i < 100 && count(&w->engine.counts.sym_suspects) == 0; i++) {
        qk_buf_clear(&blobs);
        qk_buf_clear(&plain);
        cw_data_key(w, &blobs, &plain);
    }
    cr_expect(count(&w->engine.counts.sym_suspects) >= 1, "S-4");
    w->fakes[0].bend = NULL;
    expect_opens_everywhere(w, qk_buf_view(&blobs), qk_buf_view(&plain));
    world_free(w);
}

/* ---- a lying node at Decrypt ---- */

static enum cw_fate lie_in_dec(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    bool dec = call->kind == WIRE_CALL_OP && call->eval.op == WIRE_EVAL_DEC;
    if (dec && a->part.len > 40) ((uint8_t *)(uintptr_t)a->part.p)[40] ^= 4;
    if (dec && a->part.len <= 40) ((uint8_t *)(uintptr_t)a->part.p)[20] ^= 4;
    return CW_SEND;
}

static void decrypt_past_a_liar(uint8_t modes)
{
    struct cw_world *w = world_new(modes);
    struct kms_fault fault;
    QK_AUTO_BUF blob = QK_BUF(8192);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    cw_data_key(w, &blob, &plain);
    for (size_t liar = 0; liar < CW_NODES; liar++)
        for (int i = 0; i < 3; i++) { /* whoever is asked first */
            QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
            w->fakes[liar].bend = lie_in_dec;
            qk_assert_ok(cw_decrypt(w, qk_buf_view(&blob), "", &opened, &fault));
            cr_expect(qk_bytes_eq(qk_buf_view(&plain), qk_buf_view(&opened)));
            w->fakes[liar].bend = NULL;
        }
    world_free(w);
}

QK_TEST(eval, a_lying_node_does_not_keep_Decrypt_from_opening)
{
    decrypt_past_a_liar(MPC_SYM_F);
    decrypt_past_a_liar(MPC_SYM_V);
}

/* S-22: mode F does not tell who lied: nobody is shut out for it, and the honest ones go on. */
QK_TEST(eval, S_22_three_disagreements_lead_to_mode_V_and_ban_nobody)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    enum lie lie = LIE_PIECE;
    QK_AUTO_BUF blob = QK_BUF(65536);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    w->fakes[1].bend_arg = &lie;
    w->fakes[1].bend = lie_in_f;
    for (int i = 0; i < 3; i++) cw_data_key(w, &blob, &plain);
    cr_expect(coord_watch_avoid_f(&w->engine.watch, qk_mono_ms()), "S-22: the group avoids mode F");
    w->fakes[1].bend = NULL;
    unsigned before = w->sym->enc[0] + w->sym->enc[1] + w->sym->enc[2];
    qk_buf_clear(&blob);
    cw_data_key(w, &blob, &plain);
    cr_expect_eq(blob.p[1], MPC_SYM_V);
    cr_expect_eq(w->sym->enc[0] + w->sym->enc[1] + w->sym->enc[2], before + 2);
    /* Nobody is banned: without node 1 the other two, the liar among them, still serve. */
    w->fakes[0].bend = absent;
    qk_buf_clear(&blob);
    cw_data_key(w, &blob, &plain);
    cr_expect(!coord_watch_avoid_f(&w->engine.watch, qk_mono_ms() + COORD_WATCH_MS + 1),
        "S-22: and it ends");
    world_free(w);
}

/* ---- S-10, S-11, S-12: what does not open ---- */

static void expect_invalid(
    struct cw_world *w, struct qk_bytes blob, const char *context, const char *why)
{
    struct kms_fault fault = {.type = "none"};
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    cr_expect_eq(cw_decrypt(w, blob, context, &opened, &fault), QK_E_DENIED, "%s", why);
    cr_expect_str_eq(fault.type, "InvalidCiphertextException", "%s: %s", why, fault.type);
    cr_expect(!fault.has_message, "%s", why);
    cr_expect_eq(opened.len, 0);
}

static void encrypt(struct cw_world *w, const char *context, struct qk_buf *blob)
{
    struct cw_request request;
    struct kms_fault fault;
    struct coord_op *op = calloc(1, sizeof *op);
    cw_request(&request, "TrentService.Encrypt",
        "{\"KeyId\":\"%s\",\"Plaintext\":\"c2VjcmV0\",\"EncryptionContext\":{%s}}",
        w->sym->key_text, context);
    qk_assert_ok(cw_serve(w, op, &request, &fault));
    qk_buf_add(blob, op->blob.p, op->blob.len);
    coord_op_end(op);
    free(op);
}

QK_TEST(eval, S_10_a_ciphertext_opens_under_equal_contexts_only)
{
    static const char *const wrong[] = {"", "\"a\":\"1\"", "\"a\":\"1\",\"b\":\"3\"",
        "\"a\":\"1\",\"b\":\"2\",\"c\":\"\"", "\"a\":\"2\",\"b\":\"1\"", "\"a\":\"1b\",\"\":\"2\"",
        "\"A\":\"1\",\"b\":\"2\"", "\"a1\":\"\",\"b\":\"2\""};
    struct cw_world *w = world_new(MPC_SYM_FV);
    struct kms_fault fault;
    QK_AUTO_BUF blob = QK_BUF(8192);
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    encrypt(w, "\"a\":\"1\",\"b\":\"2\"", &blob);
    for (size_t i = 0; i < QK_COUNT(wrong); i++)
        expect_invalid(w, qk_buf_view(&blob), wrong[i], "S-10");
    qk_assert_ok(cw_decrypt(w, qk_buf_view(&blob), "\"b\":\"2\",\"a\":\"1\"", &opened, &fault));
    cr_expect(qk_bytes_is(qk_buf_view(&opened), "secret"), "S-10: the order does not matter");
    world_free(w);
}

QK_TEST(eval, S_11_a_ciphertext_with_a_bit_changed_opens_nowhere)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    QK_AUTO_BUF blob = QK_BUF(8192);
    encrypt(w, "", &blob);
    /* mode, flags; of alpha, T, tags and e every 7th byte: key id and version lead to other keys */
    for (size_t i = 0; i < blob.len; i += i < 3 || i >= 23 ? (i < 3 ? 1 : 7) : 1) {
        if (i >= 3 && i < 23) continue;
        blob.p[i] ^= 1;
        expect_invalid(w, qk_buf_view(&blob), "", "S-11");
        blob.p[i] ^= 1;
    }
    world_free(w);
}

QK_TEST(eval, S_12_what_is_no_ciphertext_is_told_like_one_that_does_not_open)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    QK_AUTO_BUF blob = QK_BUF(8192);
    encrypt(w, "", &blob);
    size_t whole = blob.len;
    for (size_t len = 24; len < whole; len += 11)
        expect_invalid(w, qk_bytes(blob.p, len), "", "S-12: cut");
    qk_buf_add_u8(&blob, 0);
    expect_invalid(w, qk_buf_view(&blob), "", "S-12: a byte behind it");
    world_free(w);
}

/* ---- ReEncrypt ---- */

QK_TEST(eval, ReEncrypt_moves_a_plaintext_to_another_context_and_version)
{
    struct cw_world *w = world_new(MPC_SYM_FV);
    struct cw_request request;
    struct kms_fault fault;
    struct coord_op *op = calloc(1, sizeof *op);
    QK_AUTO_BUF blob = QK_BUF(8192);
    QK_AUTO_BUF text = QK_BUF(8192);
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    encrypt(w, "\"a\":\"1\"", &blob);
    cw_rotate(w);
    qk_base64_add(&text, qk_buf_view(&blob));
    cw_request(&request, "TrentService.ReEncrypt",
        "{\"CiphertextBlob\":\"%s\",\"SourceEncryptionContext\":{\"a\":\"1\"},"
        "\"DestinationKeyId\":\"%s\",\"DestinationEncryptionContext\":{\"b\":\"2\"}}",
        qk_buf_cstr(&text), w->sym->key_text);
    qk_assert_ok(cw_serve(w, op, &request, &fault));
    cr_expect_eq(qk_get_u32(op->blob.p + 19), 2);
    expect_invalid(w, qk_buf_view(&op->blob), "\"a\":\"1\"", "the old context");
    qk_assert_ok(cw_decrypt(w, qk_buf_view(&op->blob), "\"b\":\"2\"", &opened, &fault));
    cr_expect(qk_bytes_is(qk_buf_view(&opened), "secret"));
    coord_op_end(op);
    free(op);
    world_free(w);
}
