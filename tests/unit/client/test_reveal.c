/* A new secret through a hostile coordinator: what the owner believes and what not. */
#include "reveal.h"

#include "kms/cert.h"
#include "mpc/dprf.h"
#include "mpc/group.h"
#include "qktest/qktest.h"

#include <sodium.h>
#include <stdio.h>

enum { NODES = 3, T = 2 };
#define AKID "AKIAALICEALICEALICEA"

/* Three nodes with a shared system key, as the ceremony leaves them. */
struct world {
    struct wire_identity *ids[NODES];
    struct wire_cluster *cluster;
    struct mpc_key_share shares[NODES];
    struct mpc_key_record system;
    struct qk_buf certified;
    struct qkms_response_key key;
};

static void make_cluster(struct world *w)
{
    static const uint8_t id[16] = {7};
    char why[256] = "", address[64], call[64];
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    wire_cluster_put(&text, "test", id, "123456789012", "r", T);
    for (uint16_t i = 0; i < NODES; i++) {
        qk_assert_ok(wire_identity_generate(&w->ids[i], "node"));
        (void)snprintf(address, sizeof address, "tls+tcp://127.0.0.1:%u", 7001u + i);
        (void)snprintf(call, sizeof call, "tls+tcp://127.0.0.1:%u", 7101u + i);
        wire_cluster_put_node(
            &text, (uint16_t)(i + 1), address, call, wire_identity_cert(w->ids[i]));
    }
    qk_assert_ok(wire_cluster_parse(&w->cluster, qk_buf_view(&text), why, sizeof why));
}

/* f(x) = a + b x over P-256: node i holds f(i). */
static void deal(struct world *w)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    MPC_SCALAR(a);
    MPC_SCALAR(b);
    MPC_POINT(p);
    qk_assert_ok(mpc_point_init(&p, c));
    qk_assert_ok(mpc_scalar_random_nonzero(c, &a, qk_rng_system()));
    qk_assert_ok(mpc_scalar_random_nonzero(c, &b, qk_rng_system()));
    struct mpc_key_record *r = &w->system;
    *r = (struct mpc_key_record){.curve = MPC_P256, .t = T, .n = NODES, .e_net = 1};
    for (uint16_t i = 0; i < NODES; i++) {
        MPC_SCALAR(x);
        mpc_scalar_set_u64(&x, i + 1u);
        mpc_scalar_mul(c, &x, &x, &b);
        mpc_scalar_add(c, &x, &x, &a);
        w->shares[i] = (struct mpc_key_share){.curve = MPC_P256, .self = (uint16_t)(i + 1), .x = x};
        r->nodes[i].id = (uint16_t)(i + 1);
        qk_assert_ok(mpc_point_mul_base(&p, &x));
        qk_assert_ok(mpc_point_encode(r->big_x[i], &p));
    }
    qk_assert_ok(mpc_point_mul_base(&p, &a));
    qk_assert_ok(mpc_point_encode(r->pk, &p));
}

/* The system record, signed by the first n_signers nodes. */
static void certify(struct world *w, size_t n_signers, struct qk_buf *out)
{
    QK_AUTO_BUF pkrec = QK_BUF(MPC_RECORD_MAX);
    QK_AUTO_BUF bytes = QK_BUF(KMS_RECORD_ENCODED_MAX);
    uint8_t msg[KMS_CERT_MSG_LEN], sigs[NODES][WIRE_SIG_LEN];
    struct kms_cert cert = {.n = 0};
    struct kms_record r = {.kind = KMS_KIND_SYSTEM, .id = "system", .version = 1};
    qk_assert_ok(mpc_record_encode(&w->system, &pkrec));
    r.system.pkrec = qk_buf_view(&pkrec);
    r.system.created_ms = 1790000000000;
    qk_assert_ok(kms_record_encode(&r, &bytes));
    qk_assert_ok(kms_cert_message(&r, msg));
    for (size_t i = 0; i < n_signers; i++) {
        qk_assert_ok(wire_identity_sign(w->ids[i], QK_BYTES(msg), sigs[i]));
        qk_assert_ok(kms_cert_add(&cert, (uint16_t)(i + 1), QK_BYTES(sigs[i])));
    }
    qk_buf_clear(out);
    qk_assert_ok(kms_certified_encode(qk_buf_view(&bytes), &cert, out));
}

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    w->certified.max = KMS_CERTIFIED_MAX;
    cr_assert_geq(sodium_init(), 0);
    make_cluster(w);
    deal(w);
    certify(w, T, &w->certified);
    qk_assert_ok(qkms_response_key_new(&w->key));
}

static void world_free(struct world *w)
{
    for (size_t i = 0; i < NODES; i++) wire_identity_free(w->ids[i]);
    wire_cluster_free(w->cluster);
    qk_buf_free(&w->certified);
}

static json_t *base64(struct qk_bytes v)
{
    QK_AUTO_BUF text = QK_BUF(1 << 20);
    qk_base64_add(&text, v);
    return json_string(qk_buf_cstr(&text));
}

static json_t *sealed(struct world *w, size_t node, const char *akid, uint32_t serial)
{
    uint8_t x[32], partial[MPC_DPRF_PARTIAL_LEN], be[4];
    uint8_t box[MPC_DPRF_PARTIAL_LEN + crypto_box_SEALBYTES];
    qk_put_u32(be, serial);
    struct mpc_dprf_request input = {.purpose = qk_str(KMS_CREDENTIAL_PURPOSE),
        .fields = {qk_str(akid), QK_BYTES(be)},
        .n_fields = 2};
    qk_assert_ok(mpc_dprf_input(x, &input));
    qk_assert_ok(mpc_dprf_eval(partial, &w->shares[node], x, qk_rng_system()));
    cr_assert_eq(crypto_box_seal(box, partial, sizeof partial, w->key.pk), 0);
    return json_pack("{s:i, s:o}", "Node", (int)node + 1, "Value", base64(QK_BYTES(box)));
}

static json_t *answer_of(struct world *w, size_t n_parts)
{
    json_t *parts = json_array();
    for (size_t i = 0; i < n_parts; i++) json_array_append_new(parts, sealed(w, i, AKID, 1));
    return json_pack("{s:{s:s, s:s, s:i}, s:o, s:o}", "AccessKey", "AccessKeyId", AKID, "UserName",
        "alice", "Serial", 1, "SystemKey", base64(qk_buf_view(&w->certified)), "Sealed", parts);
}

static qk_err reveal(
    struct world *w, json_t *answer, struct kms_secret_text *secret, struct qkms_revealed *found)
{
    char why[256] = "";
    qk_err err = qkms_reveal(answer, w->cluster, &w->key, secret, found, why, sizeof why);
    cr_expect(err == QK_OK || why[0] != 0, "a failure has a message");
    json_decref(answer);
    return err;
}

QK_TEST(reveal, any_t_parts_give_the_same_secret)
{
    static struct world w;
    KMS_SECRET_TEXT(two);
    KMS_SECRET_TEXT(three);
    struct qkms_revealed found;
    world_init(&w);
    qk_assert_ok(reveal(&w, answer_of(&w, 2), &two, &found));
    cr_assert_str_eq(found.access_key_id, AKID);
    cr_assert_eq(found.bad_node, 0);
    qk_assert_ok(reveal(&w, answer_of(&w, 3), &three, &found));
    cr_assert_str_eq(two.text, three.text);
    cr_assert_eq(strlen(two.text), KMS_SECRET_TEXT_LEN);
    world_free(&w);
}

QK_TEST(reveal, one_lying_node_is_named_and_does_no_harm)
{
    static struct world w;
    KMS_SECRET_TEXT(good);
    KMS_SECRET_TEXT(secret);
    struct qkms_revealed found;
    world_init(&w);
    qk_assert_ok(reveal(&w, answer_of(&w, 2), &good, &found));
    json_t *answer = answer_of(&w, 3);
    /* S-4: node 1 answers for another access key */
    json_array_set_new(
        json_object_get(answer, "Sealed"), 0, sealed(&w, 0, "AKIABOBBOBBOBBOBBOBB", 1));
    qk_assert_ok(reveal(&w, answer, &secret, &found));
    cr_assert_eq(found.bad_node, 1);
    cr_assert_str_eq(secret.text, good.text);
    world_free(&w);
}

/* ---- what a hostile coordinator may try ---- */

static void other_key_id(struct world *w, json_t *a)
{
    (void)w;
    json_object_set_new(
        json_object_get(a, "AccessKey"), "AccessKeyId", json_string("AKIABOBBOBBOBBOBBOBB"));
}
static void other_serial(struct world *w, json_t *a)
{
    (void)w;
    json_object_set_new(json_object_get(a, "AccessKey"), "Serial", json_integer(2));
}
static void too_few_signatures(struct world *w, json_t *a)
{
    certify(w, T - 1, &w->certified);
    json_object_set_new(a, "SystemKey", base64(qk_buf_view(&w->certified)));
}
/* A system key of the coordinator's own, with the signatures of keys that are not the cluster's. */
static void own_system_key(struct world *w, json_t *a)
{
    struct wire_identity *real[NODES];
    memcpy(real, w->ids, sizeof real);
    for (size_t i = 0; i < NODES; i++) qk_assert_ok(wire_identity_generate(&w->ids[i], "fake"));
    deal(w);
    certify(w, NODES, &w->certified);
    json_t *b = answer_of(w, NODES);
    json_object_update(a, b);
    json_decref(b);
    for (size_t i = 0; i < NODES; i++) wire_identity_free(w->ids[i]);
    memcpy(w->ids, real, sizeof real);
}
static void bent_record(struct world *w, json_t *a)
{
    w->certified.p[w->certified.len / 3] ^= 1;
    json_object_set_new(a, "SystemKey", base64(qk_buf_view(&w->certified)));
}
static void no_record(struct world *w, json_t *a)
{
    (void)w;
    json_object_del(a, "SystemKey");
}
static void one_part(struct world *w, json_t *a)
{
    (void)w;
    while (json_array_size(json_object_get(a, "Sealed")) > 1)
        json_array_remove(json_object_get(a, "Sealed"), 1);
}
static void one_part_twice(struct world *w, json_t *a)
{
    json_array_set_new(json_object_get(a, "Sealed"), 1, sealed(w, 0, AKID, 1));
}
static void part_for_another(struct world *w, json_t *a)
{
    struct qkms_response_key own = w->key;
    qk_assert_ok(qkms_response_key_new(&w->key));
    one_part(w, a);
    json_array_append_new(json_object_get(a, "Sealed"), sealed(w, 1, AKID, 1));
    w->key = own;
}
static void not_a_list(struct world *w, json_t *a)
{
    (void)w;
    json_object_set_new(a, "Sealed", json_string("x"));
}
static void bad_base64(struct world *w, json_t *a)
{
    (void)w;
    json_object_set_new(json_array_get(json_object_get(a, "Sealed"), 0), "Value", json_string("!"));
}
static void bad_node(struct world *w, json_t *a)
{
    (void)w;
    json_object_set_new(
        json_array_get(json_object_get(a, "Sealed"), 0), "Node", json_integer(70000));
}

QK_TEST(reveal, believes_the_coordinator_nothing)
{
    static const struct {
        const char *what;
        void (*bend)(struct world *, json_t *);
        qk_err want;
    } bent[] = {
        {"another access key id", other_key_id, QK_E_PROOF},
        {"another serial", other_serial, QK_E_PROOF},
        {"a record with t-1 signatures", too_few_signatures, QK_E_PROOF},
        {"the coordinator's own system key", own_system_key, QK_E_PROOF},
        {"no record", no_record, QK_E_MALFORMED},
        {"t-1 parts", one_part, QK_E_PROOF},
        {"one node's part twice", one_part_twice, QK_E_MALFORMED},
        {"a part sealed to somebody else", part_for_another, QK_E_PROOF},
        {"parts that are no list", not_a_list, QK_E_MALFORMED},
        {"a part that is not base64", bad_base64, QK_E_MALFORMED},
        {"a node that cannot be", bad_node, QK_E_MALFORMED},
    };
    for (size_t i = 0; i < QK_COUNT(bent); i++) {
        static struct world w;
        KMS_SECRET_TEXT(secret);
        struct qkms_revealed found;
        world_init(&w);
        json_t *answer = answer_of(&w, T);
        bent[i].bend(&w, answer);
        qk_err err = reveal(&w, answer, &secret, &found);
        cr_expect_eq(err, bent[i].want, "%s: got %s", bent[i].what, qk_err_name(err));
        cr_expect_str_eq(secret.text, "", "%s: no secret comes out", bent[i].what);
        world_free(&w);
    }
}

QK_TEST(reveal, a_bent_record_is_never_believed)
{
    static struct world w;
    KMS_SECRET_TEXT(secret);
    struct qkms_revealed found;
    world_init(&w);
    json_t *answer = answer_of(&w, T);
    bent_record(&w, answer);
    cr_assert_neq(reveal(&w, answer, &secret, &found), QK_OK);
    cr_assert_str_eq(secret.text, "");
    world_free(&w);
}
