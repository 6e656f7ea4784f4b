/* What a node may see of an Encrypt, frames with fields that do not belong there, bundles with a
 * bad item. Real nodes; document 50 sections 5 and 10. */
#include "qktest/qktest.h"
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include "nodesym.h"
#include "qk/pack.h"
#include "wire/bundle.h"

#define MARKER "Plaintext-Marker-93bd0f1e7a"

static const uint16_t all[] = {1, 2, 3, 0};
static const char *const context[] = {"who", "alice", NULL};

struct scene {
    struct nodebox box;
    struct nd d;
    struct ns s;
    char key[KMS_UUID_LEN + 1];
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\nlog_level = debug\n");
    nd_init(&s->d, &s->box);
    ns_init(&s->s, &s->d);
    ns_create_key(&s->s, "FV", s->key);
}

static void tear_down(struct scene *s)
{
    cr_assert(ns_round_trip(&s->s, s->key, context, false), "still serving");
    nd_free(&s->d);
    nodebox_end(&s->box);
}

/* ---- S-15 ---- */

static struct nd_op *encrypt_op(struct scene *s)
{
    struct nd_op *op = ns_enc_op(&s->s, s->key, context, MARKER, all);
    ns_op_enc(&s->s, op, s->key, MPC_SYM_F, 7);
    return op;
}

/* An Encrypt as the caller sent it. */
static struct nd_op *with_body(struct scene *s)
{
    QK_AUTO_BUF body = QK_BUF(4096);
    qk_buf_printf(&body, "{\"KeyId\":\"%s\",\"Plaintext\":\"", s->key);
    qk_base64_add(&body, qk_str(MARKER));
    qk_buf_add_str(&body, "\"}");
    struct nd_op *op = nd_op(&s->d, "TrentService.Encrypt", qk_buf_cstr(&body), all);
    ns_op_enc(&s->s, op, s->key, MPC_SYM_F, 7);
    return op;
}

static void bodies_and_claims(struct scene *s)
{
    ND_AUTO_OP *body = with_body(s);
    cr_assert(nd_refused(&s->d, body, WIRE_ANSWER_REFUSED, "the body does not fit"), "S-15");
    ND_AUTO_OP *real = encrypt_op(s);
    ND_AUTO_OP *donor = with_body(s);
    real->call.claim = qk_buf_view(&donor->body); /* Plaintext and all */
    cr_assert(nd_refused(&s->d, real, WIRE_ANSWER_REFUSED, "the claim is none"), "S-15");
    real->call.claim = qk_str("{\"KeyId\":");
    cr_assert(nd_refused(&s->d, real, WIRE_ANSWER_REFUSED, "the claim is none"), "S-15");
    ND_AUTO_OP *data_key = ns_enc_op(&s->s, s->key, context, NULL, all);
    ns_op_enc(&s->s, data_key, s->key, MPC_SYM_F, 7);
    data_key->call.claim = qk_buf_view(&real->claim);
    cr_assert(nd_refused(&s->d, data_key, WIRE_ANSWER_REFUSED, "the body does not fit"), "S-15");
    data_key->call.claim = qk_bytes(NULL, 0);
    qk_assert_ok(kms_raw_body_hash(&data_key->raw, data_key->body_hash));
    data_key->raw.body = QK_BYTES(data_key->body_hash);
    data_key->raw.body_is_hash = true;
    nd_op_reencode(data_key);
    cr_assert(nd_refused(&s->d, data_key, WIRE_ANSWER_REFUSED, "the body does not fit"), "S-15");
}

/* A body that the coordinator cannot parse: the nodes authenticate, and see nothing of it. */
static void no_claim(struct scene *s)
{
    ND_AUTO_OP *op = encrypt_op(s);
    op->call.claim = qk_bytes(NULL, 0);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "ValidationException"), "S-15");
    op->body_hash[0] ^= 1; /* not the body that was signed */
    nd_op_reencode(op);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "InvalidSignatureException"), "S-15");
}

/* The claim is the coordinator's word, and is held against the policy like a request. */
static void claims_are_judged(struct scene *s)
{
    struct nd_user bob;
    nd_do(&s->d, "QkmsAdmin.CreateUser", "{\"UserName\":\"bob\",\"Allow\":[\"kms:DescribeKey\"]}");
    nd_access_key(&s->d, "bob", &bob);
    struct nd_signing by = {.user = &bob};
    ND_AUTO_OP *plain = with_body(s);
    ND_AUTO_OP *op = nd_op_by(&s->d, &by, "TrentService.Encrypt", qk_buf_cstr(&plain->body), all);
    ns_op_hide_body(op);
    ns_op_enc(&s->s, op, s->key, MPC_SYM_F, 7);
    (void)nd_send(&s->d, op);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "AccessDeniedException"));
}

static bool file_holds(const char *path, const char *text)
{
    QK_AUTO_BUF b = QK_BUF(64u << 20);
    char chunk[4096];
    FILE *f = fopen(path, "rb");
    if (f == NULL) return false;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) qk_buf_add(&b, chunk, n);
    (void)fclose(f);
    cr_assert_eq(b.err, QK_OK);
    return memmem(b.p, b.len, text, strlen(text)) != NULL;
}

/* Nothing that a node writes, whatever it is: vault, audit log, log of its standard error. */
static void no_file_holds(struct scene *s, const char *text, const char *what)
{
    size_t files = 0;
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        char folder[128], path[512];
        nodebox_path(&s->box, id, "", folder);
        DIR *dir = opendir(folder);
        cr_assert_not_null(dir);
        for (struct dirent *e; (e = readdir(dir)) != NULL;) {
            (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
            if (e->d_name[0] == '.') continue;
            cr_assert_not(file_holds(path, text), "%s in %s", what, path);
            files++;
        }
        (void)closedir(dir);
    }
    cr_assert_geq(files, 3u * NB_NODES);
}

static void nothing_written(struct scene *s)
{
    QK_AUTO_BUF b64 = QK_BUF(256);
    QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
    qk_base64_add(&b64, qk_str(MARKER));
    cr_assert_eq(ns_encrypt(&s->s, s->key, context, MARKER, all, false, &blob), MPC_SYM_DONE);
    no_file_holds(s, MARKER, "S-15: plaintext");
    no_file_holds(s, qk_buf_cstr(&b64), "S-15: plaintext");
}

QK_TEST(hostile_claim, S_15_no_node_is_shown_a_plaintext)
{
    struct scene s;
    set_up(&s);
    bodies_and_claims(&s);
    no_claim(&s);
    claims_are_judged(&s);
    nothing_written(&s);
    tear_down(&s);
}

/* ---- S-9 ---- */

static void refused_as_garbage(struct scene *s, struct qk_bytes bytes, const char *what)
{
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        NB_AUTO_ANSWER a = {0};
        nb_start(s->box.client[id], bytes, 20000, &a);
        nb_wait(&a);
        qk_assert_ok(a.err);
        cr_assert_eq(a.a.status, WIRE_ANSWER_REFUSED, "S-9: %s", what);
        cr_assert(nd_empty(&a), "S-9: %s", what);
    }
}

/* A frame that carries an X, or a point, of the coordinator's own: there is no field for it. */
QK_TEST(hostile_claim, S_9_a_frame_with_a_field_for_x_or_p_is_none)
{
    static const char *const names[] = {"x", "p", "t", "point"};
    struct scene s;
    set_up(&s);
    ND_AUTO_OP *op = encrypt_op(&s);
    QK_AUTO_BUF good = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&good, &op->call);
    qk_assert_ok(good.err);
    cr_assert_eq(good.p[0], 0xde, "a map of more than 15 keys");
    cr_assert_eq(good.p[2], 18);
    for (size_t i = 0; i < QK_COUNT(names); i++) {
        QK_AUTO_BUF more = QK_BUF(WIRE_CALL_MAX);
        qk_buf_add(&more, good.p, good.len);
        more.p[2]++;
        qk_pack_key_bin(&more, names[i], QK_BYTES(op->call.eval.alpha));
        refused_as_garbage(&s, qk_buf_view(&more), names[i]);
    }
    /* inside the item: an array of six */
    uint8_t *item = memmem(good.p, good.len,
        "\xa4"
        "eval"
        "\x96",
        6);
    cr_assert_not_null(item);
    QK_AUTO_BUF seven = QK_BUF(WIRE_CALL_MAX);
    size_t head = (size_t)(item - good.p) + 5;
    qk_buf_add(&seven, good.p, head);
    qk_buf_add_u8(&seven, 0x97);
    qk_pack_bin(&seven, QK_BYTES(op->call.eval.alpha));
    qk_buf_add(&seven, good.p + head + 1, good.len - head - 1);
    refused_as_garbage(&s, qk_buf_view(&seven), "a seventh value in the item");
    /* DEC takes everything from the blob: T, alpha or version of the coordinator's are no item */
    ND_AUTO_OP *dec = ns_dec_op(&s.s, context, qk_str("any bytes"), all);
    for (int what = 0; what < 4; what++) {
        QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
        ns_op_dec(dec, false);
        if (what == 0) dec->call.eval.ver = 1;
        if (what == 1) dec->call.eval.mode = MPC_SYM_V;
        if (what == 2) dec->call.eval.alpha[31] = 1;
        if (what == 3) dec->call.eval.tk = qk_bytes(dec->tk, MPC_SYM_TICKET_LEN);
        wire_call_encode(&bytes, &dec->call);
        refused_as_garbage(&s, qk_buf_view(&bytes), "a DEC with a field of its own");
    }
    tear_down(&s);
}

/* ---- S-23 ---- */

struct bundle_answer {
    atomic_bool here;
    qk_err err;
    uint8_t bytes[65536];
    size_t len;
};

static void on_bundle(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct bundle_answer *a = ctx;
    a->err = err;
    a->len = bytes.len < sizeof a->bytes ? bytes.len : sizeof a->bytes;
    if (a->len > 0) memcpy(a->bytes, bytes.p, a->len);
    atomic_store(&a->here, true);
}

static void send_bundle(
    struct wire_client *link, const struct qk_bytes *items, size_t n, struct bundle_answer *a)
{
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    wire_bundle_encode(&bytes, items, n);
    qk_assert_ok(bytes.err);
    atomic_store(&a->here, false);
    qk_assert_ok(wire_client_call(link, qk_buf_view(&bytes), 20000, on_bundle, a));
    while (!atomic_load(&a->here)) nodebox_sleep_ms(5);
}

enum { ITEMS = 5, BAD_TICKET = 1, GARBAGE = 2, BAD_SIGNATURE = 3 };

static void make_items(struct scene *s, struct nd_op *ops[static ITEMS], struct qk_buf *bytes)
{
    for (size_t i = 0; i < ITEMS; i++) {
        ops[i] = ns_enc_op(&s->s, s->key, context, NULL, all);
        ns_op_enc(&s->s, ops[i], s->key, MPC_SYM_F, (uint8_t)i);
        if (i == BAD_TICKET) ops[i]->tk[2] ^= 1;
        if (i == BAD_SIGNATURE) {
            ops[i]->body.p[ops[i]->body.len - 4] ^= 1; /* another context than was signed */
            nd_op_reencode(ops[i]);
        }
        bytes[i] = (struct qk_buf)QK_BUF(WIRE_CALL_MAX);
        wire_call_encode(&bytes[i], &ops[i]->call);
    }
    bytes[GARBAGE].p[0] = 0xff;
}

QK_TEST(hostile_claim, S_23_items_of_a_bundle_do_not_touch_each_other)
{
    static struct bundle_answer a;
    struct scene s;
    struct nd_op *ops[ITEMS];
    struct qk_buf bytes[ITEMS];
    struct qk_bytes items[WIRE_BUNDLE_MAX + 1], got[WIRE_BUNDLE_MAX];
    size_t n;
    set_up(&s);
    make_items(&s, ops, bytes);
    for (size_t i = 0; i < ITEMS; i++) items[i] = qk_buf_view(&bytes[i]);
    send_bundle(s.box.client[1], items, ITEMS, &a);
    qk_assert_ok(a.err);
    qk_assert_ok(wire_bundle_decode(qk_bytes(a.bytes, a.len), got, &n));
    cr_assert_eq(n, (size_t)ITEMS);
    for (size_t i = 0; i < ITEMS; i++) {
        struct wire_answer one;
        qk_assert_ok(wire_answer_decode(got[i], &one));
        bool bad = i == BAD_TICKET || i == GARBAGE || i == BAD_SIGNATURE;
        cr_assert_eq(one.part.len > 0, !bad, "S-23: item %zu", i);
        if (!bad) cr_assert_eq(one.eval_status, MPC_SYM_OK, "S-23: item %zu", i);
        if (i == BAD_TICKET) cr_assert_eq(one.eval_status, MPC_SYM_TICKET);
        if (i == GARBAGE) cr_assert_eq(one.status, WIRE_ANSWER_REFUSED);
        if (i == BAD_SIGNATURE) cr_assert_eq(one.status, WIRE_ANSWER_FAULT);
    }
    for (size_t i = 0; i <= WIRE_BUNDLE_MAX; i++) items[i] = qk_str("x");
    send_bundle(s.box.client[1], items, WIRE_BUNDLE_MAX + 1, &a);
    struct wire_answer whole;
    qk_assert_ok(a.err);
    qk_assert_ok(wire_answer_decode(qk_bytes(a.bytes, a.len), &whole));
    cr_assert_eq(whole.status, WIRE_ANSWER_REFUSED, "S-23: 65 items");
    for (size_t i = 0; i < ITEMS; i++) {
        qk_buf_free(&bytes[i]);
        nd_op_free(ops[i]);
    }
    tear_down(&s);
}
