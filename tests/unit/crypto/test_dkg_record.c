/* The public key record and the stored share: one encoding, everything validated. */
#include "dkgrun.h"
#include "mpc/session.h"
#include "qktest/qktest.h"

static void make(struct qkt_key *key, unsigned curve, unsigned access)
{
    qkt_make_key(key, 900 + curve, curve, 3, 2, access);
}

QK_TEST(record, round_trip_on_every_curve)
{
    for (unsigned curve = 1; curve <= 4; curve++)
        for (unsigned access = 0; access < 2; access++) {
            static struct qkt_key key;
            struct mpc_key_record got;
            uint8_t a[32], b[32];
            QK_AUTO_BUF buf = QK_BUF(MPC_RECORD_MAX);
            make(&key, curve, access);
            qk_assert_ok(mpc_record_encode(&key.record, &buf));
            qk_assert_ok(mpc_record_decode(qk_buf_view(&buf), &got));
            cr_assert_eq(memcmp(&got, &key.record, sizeof got), 0);
            qk_assert_ok(mpc_record_hash(&got, a));
            qk_assert_ok(mpc_record_hash_bytes(qk_buf_view(&buf), b));
            cr_assert_eq(memcmp(a, b, 32), 0);
        }
}

QK_TEST(record, C_7_no_prefix_and_no_extension_decodes)
{
    static struct qkt_key key;
    struct mpc_key_record got;
    QK_AUTO_BUF buf = QK_BUF(MPC_RECORD_MAX);
    make(&key, MPC_P256, 1);
    qk_assert_ok(mpc_record_encode(&key.record, &buf));
    for (size_t len = 0; len < buf.len; len++)
        qk_assert_err(mpc_record_decode(qk_bytes(buf.p, len), &got), QK_E_MALFORMED);
    qk_buf_add_u8(&buf, 0);
    qk_assert_err(mpc_record_decode(qk_buf_view(&buf), &got), QK_E_MALFORMED);
}

QK_TEST(record, C_1_and_C_3_bad_records_are_neither_written_nor_read)
{
    static struct qkt_key key;
    make(&key, MPC_P256, 1);
    for (int v = 0; v < 18; v++) {
        struct mpc_key_record r = key.record;
        QK_AUTO_BUF buf = QK_BUF(MPC_RECORD_MAX);
        if (v == 0) r.nodes[0].id = 0;
        if (v == 1) r.nodes[1].id = 1;
        if (v == 2) r.nodes[2].id = 256;
        if (v == 3) r.t = 4;
        if (v == 4) r.t = 0;
        if (v == 5) r.n = 0;
        if (v == 6) r.n = 33;
        if (v == 7) r.curve = 5;
        if (v == 8) r.access = 2;
        if (v == 9) r.e_net = 0;
        if (v == 10) r.e_del = 0;
        if (v == 11) memset(r.big_x[1], 0, sizeof r.big_x[1]); /* O */
        if (v == 12) r.big_x[0][0] = 5;
        if (v == 13) memset(r.pk + 1, 0xff, 32);
        if (v == 14) memset(r.big_x_d, 0, sizeof r.big_x_d);
        if (v == 15) r.delegate.id = 7;
        if (v == 16) r.access = 0; /* with a delegate in it */
        if (v == 17) {
            r.access = 0, r.t = 1, r.e_del = 0;
            memset(&r.delegate, 0, sizeof r.delegate);
            memset(r.big_x_d, 0, sizeof r.big_x_d);
        }
        qk_assert_err(mpc_record_encode(&r, &buf), QK_E_STATE);
        cr_assert_eq(buf.len, 0);
    }
}

QK_TEST(record, C_3_every_flipped_bit_is_refused_or_another_record)
{
    static struct qkt_key key;
    struct mpc_key_record got;
    uint8_t want[32], hash[32];
    QK_AUTO_BUF buf = QK_BUF(MPC_RECORD_MAX);
    make(&key, MPC_SECP256K1, 1);
    qk_assert_ok(mpc_record_encode(&key.record, &buf));
    qk_assert_ok(mpc_record_hash(&key.record, want));
    for (size_t at = 0; at < buf.len; at++) {
        buf.p[at] ^= (uint8_t)(1u << at % 8);
        if (mpc_record_decode(qk_buf_view(&buf), &got) == QK_OK) {
            qk_assert_ok(mpc_record_hash(&got, hash));
            cr_assert_neq(memcmp(hash, want, 32), 0);
        }
        buf.p[at] ^= (uint8_t)(1u << at % 8);
    }
}

QK_TEST(record, points_off_the_polynomial_are_found)
{
    for (unsigned access = 0; access < 2; access++)
        for (int v = 0; v < 4; v++) {
            static struct qkt_key key;
            make(&key, MPC_P384, access);
            struct mpc_key_record *r = &key.record;
            qk_assert_ok(mpc_record_check_points(r));
            if (v < 3)
                memcpy(r->big_x[v], r->pk, sizeof r->pk);
            else
                memcpy(r->pk, r->big_x[0], sizeof r->pk);
            qk_assert_err(mpc_record_check_points(r), QK_E_PROOF);
        }
}

QK_TEST(record, sessions_are_made_of_recorded_nodes_only)
{
    static struct qkt_key key;
    static const uint8_t req[32] = {5};
    static const uint16_t good[] = {1, 3}, bad[] = {1, 4};
    struct mpc_session s;
    uint8_t rec[32];
    make(&key, MPC_P256, 1);
    qk_assert_ok(mpc_record_session(&key.record, good, 2, 3, req, &s));
    qk_assert_ok(mpc_session_check(&s));
    qk_assert_ok(mpc_record_hash(&key.record, rec));
    cr_assert_eq(memcmp(s.rec, rec, 32), 0);
    cr_assert_eq(s.n_peers, 3);
    cr_assert_eq(s.peers[2].id, MPC_DELEGATE);
    qk_assert_err(mpc_record_session(&key.record, bad, 2, 1, req, &s), QK_E_NOT_FOUND);
}

QK_TEST(share, stored_shares_must_fit_their_record)
{
    for (unsigned curve = 1; curve <= 4; curve++) {
        static struct qkt_key key;
        make(&key, curve, 1);
        for (size_t i = 0; i < key.n; i++) {
            QK_AUTO_BUF buf = QK_BUF_SECRET(MPC_KEY_SHARE_MAX);
            MPC_KEY_SHARE(got);
            qk_assert_ok(mpc_key_share_encode(&key.shares[i], &buf));
            qk_assert_ok(mpc_key_share_decode(qk_buf_view(&buf), &got));
            qk_assert_ok(mpc_key_share_check(&got, &key.record));
            got.self = got.self == 1 ? 2 : 1;
            qk_assert_err(mpc_key_share_check(&got, &key.record), QK_E_CORRUPT);
            for (size_t len = 0; len < buf.len; len++)
                qk_assert_err(mpc_key_share_decode(qk_bytes(buf.p, len), &got), QK_E_CORRUPT);
            buf.p[buf.len - 1] ^= 1;
            qk_assert_ok(mpc_key_share_decode(qk_buf_view(&buf), &got));
            qk_assert_err(mpc_key_share_check(&got, &key.record), QK_E_CORRUPT);
            memset(buf.p + 4, 0xff, buf.len - 4); /* C-2: >= q */
            qk_assert_err(mpc_key_share_decode(qk_buf_view(&buf), &got), QK_E_CORRUPT);
            memset(buf.p + 4, 0, buf.len - 4);
            qk_assert_err(mpc_key_share_decode(qk_buf_view(&buf), &got), QK_E_CORRUPT);
        }
    }
}
