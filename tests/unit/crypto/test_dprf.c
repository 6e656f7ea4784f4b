/* The system key: values, culprits, and what a request may contain. */
#include "dkgrun.h"
#include "dprf/point.h"
#include "mpc/dprf.h"
#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "qk/pack.h"
#include "qktest/qktest.h"

static struct mpc_dprf_request request(const char *field)
{
    struct mpc_dprf_request r = {.purpose = qk_str("credential"), .n_fields = 2};
    r.fields[0] = qk_str(field);
    r.fields[1] = qk_str("v1");
    return r;
}

/* A key, an input, and every node's answer. */
struct scene {
    struct qkt_key key;
    uint8_t x[32];
    uint8_t partial[MPC_NODES_MAX][MPC_DPRF_PARTIAL_LEN];
    struct mpc_dprf_part parts[MPC_NODES_MAX];
    struct qkt_rng rng;
};

static void set_up(struct scene *s, unsigned n, unsigned t)
{
    struct mpc_dprf_request req = request("AKIA1");
    memset(s, 0, sizeof *s);
    qkt_rng_init(&s->rng, 77, 7);
    qkt_make_key(&s->key, 500 + n, MPC_P256, n, t, 0);
    qk_assert_ok(mpc_dprf_input(s->x, &req));
    for (size_t i = 0; i < n; i++) {
        qk_assert_ok(mpc_dprf_eval(s->partial[i], &s->key.shares[i], s->x, &s->rng.rng));
        s->parts[i].id = s->key.record.nodes[i].id;
        s->parts[i].partial = QK_BYTES(s->partial[i]);
    }
}

QK_TEST(dprf, every_t_subset_gives_the_same_value)
{
    static struct scene s;
    set_up(&s, 5, 3);
    struct qk_sec32 first, w;
    qk_assert_ok(mpc_dprf_combine(&s.key.record, s.x, s.parts, 5, &first));
    for (unsigned mask = 0; mask < 32; mask++) {
        struct mpc_dprf_part parts[5];
        size_t n = 0;
        for (size_t i = 0; i < 5; i++)
            if (mask >> i & 1) parts[n++] = s.parts[i];
        if (n < 3) continue;
        qk_assert_ok(mpc_dprf_combine(&s.key.record, s.x, parts, n, &w));
        cr_assert_eq(memcmp(w.b, first.b, 32), 0);
    }
    qk_assert_err(mpc_dprf_combine(&s.key.record, s.x, s.parts, 2, &w), QK_E_PROOF);
}

QK_TEST(dprf, answers_combine_in_any_order)
{
    static struct scene s;
    struct qk_sec32 sorted, w;
    set_up(&s, 3, 2);
    qk_assert_ok(mpc_dprf_combine(&s.key.record, s.x, s.parts, 3, &sorted));
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            struct mpc_dprf_part two[2] = {s.parts[i], s.parts[j]};
            if (i == j) continue;
            qk_assert_ok(mpc_dprf_combine(&s.key.record, s.x, two, 2, &w));
            cr_assert_eq(memcmp(w.b, sorted.b, 32), 0);
        }
}

QK_TEST(dprf, the_value_is_that_of_the_interpolated_key)
{
    static struct scene s;
    static const uint16_t ids[] = {1, 2};
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    MPC_SCALAR(sk);
    MPC_POINT(p);
    struct qk_sec32 w;
    uint8_t enc[33], want[32];
    set_up(&s, 3, 2);
    for (size_t i = 0; i < 2; i++) {
        struct mpc_scalar l;
        qk_assert_ok(mpc_lagrange_var(c, &l, ids, 2, ids[i]));
        mpc_scalar_mul(c, &l, &l, &s.key.shares[i].x);
        mpc_scalar_add(c, &sk, &sk, &l);
    }
    qk_assert_ok(mpc_dprf_point(&p, s.x));
    qk_assert_ok(mpc_point_mul(&p, &sk, &p));
    qk_assert_ok(mpc_point_encode(enc, &p));
    qk_assert_ok(mpc_h32(want, MPC_L_SYS_W, MPC_FIELDS(QK_BYTES(s.x), QK_BYTES(enc))));
    qk_assert_ok(mpc_dprf_combine(&s.key.record, s.x, s.parts, 3, &w));
    cr_assert_eq(memcmp(want, w.b, 32), 0);
}

QK_TEST(dprf, known_answer_of_point_and_value)
{
    /* Document 50 section 12, mode 2: the same arithmetic under the labels of symmetric keys. */
    static const uint8_t key_id[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t d_ec[32], alpha[32], t[32], x[32], enc[33], want[33], w[32];
    qk_assert_ok(qk_unhex(
        qk_str("ec6ff91e8f1f9f4dd4e735946df27ae25384b81eea2edbb4b13b1f1f36e33cb1"), d_ec, 32));
    qk_assert_ok(qk_unhex(
        qk_str("4cac1c643c66f0381ad32c1e2bfc1e04b70ea1225cd0d7de4c0c0bdee2a24860"), alpha, 32));
    qk_assert_ok(qk_unhex(
        qk_str("a958a6a97f15d525a8475fe019c30e7d19e6bd01411af5e8e166aa4729d5f5ac"), t, 32));
    static const uint8_t mode = 2, flags = 0, ver[4] = {0, 0, 0, 1};
    qk_assert_ok(mpc_h32(x, MPC_L_SYM_X,
        MPC_FIELDS({&mode, 1}, {&flags, 1}, QK_BYTES(key_id), QK_BYTES(ver), QK_BYTES(d_ec),
            QK_BYTES(alpha), QK_BYTES(t))));
    MPC_POINT(p);
    struct mpc_scalar s;
    qk_assert_ok(mpc_dprf_point(&p, x));
    qk_assert_ok(mpc_point_encode(enc, &p));
    qk_assert_ok(qk_unhex(
        qk_str("03eca4a3be7bb4d6adf9a3bce3c153f20f40144f1bc3d9724d05655c14d2e8d5e1"), want, 33));
    cr_assert_eq(memcmp(enc, want, 33), 0, "P");
    qk_assert_ok(
        mpc_h2s(mpc_curve_get(MPC_P256), &s, "kat-s", MPC_FIELDS({(const uint8_t *)"x", 1})));
    qk_assert_ok(mpc_point_mul(&p, &s, &p));
    qk_assert_ok(mpc_point_encode(enc, &p));
    qk_assert_ok(mpc_h32(w, MPC_L_SYM_WV, MPC_FIELDS(QK_BYTES(x), QK_BYTES(enc))));
    qk_assert_ok(qk_unhex(
        qk_str("a4d46a47659c62adccefe4acd58dc5170bf41222a6211548479e9817ba0acc46"), want, 32));
    cr_assert_eq(memcmp(w, want, 32), 0, "w");
}

/* ---- S-4: one bad answer, from each node, in each way ---- */

static void bad_answer(struct scene *s, size_t bad, int variant)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    uint8_t *at = s->partial[bad], other_x[32];
    MPC_POINT(z);
    MPC_POINT(g);
    struct mpc_key_share share = s->key.shares[bad];
    struct mpc_scalar one;
    mpc_scalar_set_u64(&one, 1);
    qk_assert_ok(mpc_point_init(&z, c));
    qk_assert_ok(mpc_point_init(&g, c));
    memcpy(other_x, s->x, 32);
    other_x[0] ^= 1;
    switch (variant) {
    case 0: /* z + G */
        qk_assert_ok(mpc_point_set_generator(&g));
        qk_assert_ok(mpc_point_decode_var(&z, qk_bytes(at, 33)));
        qk_assert_ok(mpc_point_add(&z, &z, &g));
        qk_assert_ok(mpc_point_encode(at, &z));
        break;
    case 1: /* value and proof for another X */
        qk_assert_ok(mpc_dprf_eval(at, &share, other_x, &s->rng.rng));
        break;
    case 2: /* the right z, the proof for another X */
        memcpy(other_x, s->x, 32);
        other_x[31] ^= 1;
        {
            uint8_t other[MPC_DPRF_PARTIAL_LEN];
            qk_assert_ok(mpc_dprf_eval(other, &share, other_x, &s->rng.rng));
            memcpy(at + 33, other + 33, MPC_DPRF_PARTIAL_LEN - 33);
        }
        break;
    case 3: /* the answer of node j */
        memcpy(at, s->partial[(bad + 1) % 3], MPC_DPRF_PARTIAL_LEN);
        break;
    case 4: /* a share that is not the recorded one, everything else right */
        mpc_scalar_add(c, &share.x, &share.x, &one);
        qk_assert_ok(mpc_dprf_eval(at, &share, s->x, &s->rng.rng));
        break;
    case 5: /* right share, proved under another id */
        share.self = (uint16_t)(share.self + 1);
        qk_assert_ok(mpc_dprf_eval(at, &share, s->x, &s->rng.rng));
        break;
    case 6: /* z = O: no encoding; zeros stand for it */
        memset(at, 0, 33);
        break;
    case 7: /* identity A1 */
        memset(at + 33, 0, 33);
        break;
    case 8: /* identity A2 */
        memset(at + 66, 0, 33);
        break;
    case 9: /* proof scalar >= q */
        memset(at + 99, 0xff, 32);
        break;
    case 10:
        s->parts[bad].partial.len--;
        break;
    case 11:
        s->parts[bad].partial.len = 0;
        break;
    default: /* one bit anywhere */
        at[(size_t)(variant - 12) * 5] ^= 1;
    }
}

QK_TEST(dprf, S_4_every_bad_answer_names_its_node_and_the_others_suffice)
{
    static struct scene clean, s;
    struct qk_sec32 want, w;
    set_up(&clean, 3, 2);
    qk_assert_ok(mpc_dprf_combine(&clean.key.record, clean.x, clean.parts, 3, &want));
    for (int v = 0; v < 12 + 27; v++)
        for (size_t bad = 0; bad < 3; bad++) {
            s = clean;
            for (size_t i = 0; i < 3; i++) s.parts[i].partial = QK_BYTES(s.partial[i]);
            bad_answer(&s, bad, v);
            qk_assert_ok(mpc_dprf_combine(&s.key.record, s.x, s.parts, 3, &w));
            cr_assert_eq(memcmp(w.b, want.b, 32), 0, "S-4: variant %d", v);
            for (size_t i = 0; i < 3; i++)
                cr_assert_eq(
                    qk_peer_fault(s.parts[i].verdict), i == bad, "S-4: variant %d node %zu", v, i);
            /* With only the bad one and one good: no value. */
            struct mpc_dprf_part two[2] = {s.parts[bad], s.parts[(bad + 1) % 3]};
            memset(&w, 0x11, sizeof w);
            qk_assert_err(mpc_dprf_combine(&s.key.record, s.x, two, 2, &w), QK_E_PROOF);
            cr_assert_eq(w.b[0], 0x11, "S-4: output on failure");
        }
}

QK_TEST(dprf, S_4_share_points_come_from_the_record)
{
    static struct scene s;
    set_up(&s, 3, 2);
    memcpy(s.key.record.big_x[0], s.key.record.big_x[1], 33);
    qk_assert_err(mpc_dprf_verify(&s.key.record, 1, s.x, s.parts[0].partial), QK_E_PROOF);
    qk_assert_err(mpc_dprf_verify(&s.key.record, 9, s.x, s.parts[0].partial), QK_E_STATE);
    struct qk_sec32 w;
    struct mpc_dprf_part twice[2] = {s.parts[1], s.parts[1]};
    qk_assert_err(mpc_dprf_combine(&s.key.record, s.x, twice, 2, &w), QK_E_STATE);
    s.key.record.access = 1;
    qk_assert_err(mpc_dprf_verify(&s.key.record, 2, s.x, s.parts[1].partial), QK_E_STATE);
}

QK_TEST(dprf, only_p256_node_shares_are_evaluated)
{
    static struct scene s;
    uint8_t out[MPC_DPRF_PARTIAL_LEN];
    set_up(&s, 3, 2);
    struct mpc_key_share share = s.key.shares[0];
    share.self = MPC_DELEGATE;
    qk_assert_err(mpc_dprf_eval(out, &share, s.x, &s.rng.rng), QK_E_STATE);
    share = s.key.shares[0];
    share.curve = MPC_SECP256K1;
    qk_assert_err(mpc_dprf_eval(out, &share, s.x, &s.rng.rng), QK_E_STATE);
    s.rng.fail_after = 0;
    qk_assert_err(mpc_dprf_eval(out, &s.key.shares[0], s.x, &s.rng.rng), QK_E_RNG);
}

/* ---- inputs and requests ---- */

QK_TEST(dprf, S_14_system_inputs_and_symmetric_inputs_never_meet)
{
    struct mpc_dprf_request req = request("AKIA1");
    uint8_t sys[32], sym[32];
    qk_assert_ok(mpc_dprf_input(sys, &req));
    qk_assert_ok(mpc_h32(sym, MPC_L_SYM_X, MPC_FIELDS(req.purpose, req.fields[0], req.fields[1])));
    cr_assert_neq(memcmp(sys, sym, 32), 0, "S-14");
}

QK_TEST(dprf, C_4_inputs_are_injective)
{
    struct mpc_dprf_request a = request("ab"), b = request("a");
    uint8_t xa[32], xb[32];
    b.fields[1] = qk_str("bv1");
    qk_assert_ok(mpc_dprf_input(xa, &a));
    qk_assert_ok(mpc_dprf_input(xb, &b));
    cr_assert_neq(memcmp(xa, xb, 32), 0, "C-4: bytes moved between fields");
    a.n_fields = 1;
    qk_assert_ok(mpc_dprf_input(xb, &a));
    cr_assert_neq(memcmp(xa, xb, 32), 0);
    a.n_fields = 2;
    a.purpose = qk_str("credentials");
    qk_assert_ok(mpc_dprf_input(xb, &a));
    cr_assert_neq(memcmp(xa, xb, 32), 0);
}

/* S-9: an X or a P in a request is an unknown field. */
QK_TEST(dprf, S_9_a_request_has_fields_only)
{
    struct mpc_dprf_request req = request("AKIA1"), got;
    QK_AUTO_BUF buf = QK_BUF(MPC_DPRF_REQUEST_MAX);
    uint8_t x[32], y[32];
    qk_assert_ok(mpc_dprf_request_encode(&req, &buf));
    qk_assert_ok(mpc_dprf_request_decode(qk_buf_view(&buf), &got));
    qk_assert_ok(mpc_dprf_input(x, &req));
    qk_assert_ok(mpc_dprf_input(y, &got));
    cr_assert_eq(memcmp(x, y, 32), 0);
    for (size_t len = 0; len < buf.len; len++)
        qk_assert_err(mpc_dprf_request_decode(qk_bytes(buf.p, len), &got), QK_E_MALFORMED);
    qk_buf_add_u8(&buf, 0); /* anything behind it */
    qk_assert_err(mpc_dprf_request_decode(qk_buf_view(&buf), &got), QK_E_MALFORMED);

    for (int v = 0; v < 3; v++) { /* an X or a P beside or in place of the fields */
        QK_AUTO_BUF bent = QK_BUF(MPC_DPRF_REQUEST_MAX);
        uint8_t point[33] = {2};
        qk_pack_map(&bent, v == 2 ? 4 : 5);
        qk_pack_key_bin(&bent, "key_id", QK_BYTES(req.key_id));
        qk_pack_key_bin(&bent, "rec", QK_BYTES(req.rec));
        qk_pack_key_str(&bent, "purpose", req.purpose);
        if (v < 2) {
            qk_pack_key(&bent, "fields");
            qk_pack_array(&bent, 0);
        }
        if (v == 0)
            qk_pack_key_bin(&bent, "X", QK_BYTES(x));
        else
            qk_pack_key_bin(&bent, "P", QK_BYTES(point));
        qk_assert_err(mpc_dprf_request_decode(qk_buf_view(&bent), &got), QK_E_MALFORMED);
    }
}

QK_TEST(dprf, S_9_request_bounds)
{
    static uint8_t big[MPC_DPRF_FIELD_MAX + 1];
    struct mpc_dprf_request req = request("k");
    QK_AUTO_BUF buf = QK_BUF(1 << 20);
    uint8_t x[32];
    req.fields[0] = QK_BYTES(big);
    qk_assert_err(mpc_dprf_request_encode(&req, &buf), QK_E_STATE);
    qk_assert_err(mpc_dprf_input(x, &req), QK_E_STATE);
    req = request("k");
    req.n_fields = MPC_DPRF_FIELDS_MAX + 1;
    qk_assert_err(mpc_dprf_input(x, &req), QK_E_STATE);
    req = request("k");
    req.purpose = qk_str("");
    qk_assert_err(mpc_dprf_input(x, &req), QK_E_STATE);
    req.purpose = qk_str("with space");
    qk_assert_err(mpc_dprf_input(x, &req), QK_E_STATE);
    req.purpose = qk_str("a-purpose-of-more-than-32-characters");
    qk_assert_err(mpc_dprf_input(x, &req), QK_E_STATE);
}
