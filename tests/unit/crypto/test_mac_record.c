/* Record, share, roles and dealt parts of HMAC keys. */
#include "driver.h"
#include "mpc/mac_gen.h"
#include "mpc/record.h"
#include "mpc/sym_record.h"
#include "qktest/qktest.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include "mac/keystate.h"
#include "mac/pieces.h"
#include "mpc/epoch.h"
#include "qk/pack.h"

static const uint16_t ids[] = {2, 5, 9, 200};

static const char *hash_name(unsigned alg)
{
    static const char *const names[] = {"", "SHA224", "SHA256", "SHA384", "SHA512"};
    return names[alg];
}

static void deal(struct mpc_mac_part *parts, size_t n, unsigned alg, unsigned profile,
    struct qk_bytes key, uint64_t seed)
{
    struct qkt_rng rng;
    struct mpc_mac_spec spec = {
        .key_id = {7}, .ver = 1, .alg = (uint8_t)alg, .profile = (uint8_t)profile};
    qkt_rng_init(&rng, seed, 1);
    qk_assert_ok(mpc_mac_import_deal(parts, &spec, ids, n, key, &rng.rng));
}

/* A record that fits what was dealt. */
static void record_of(struct mpc_mac_record *rec, const struct mpc_mac_part *parts, size_t n)
{
    const struct mpc_mac_share *s = &parts[0].share;
    *rec = (struct mpc_mac_record){.alg = s->alg,
        .profile = s->profile,
        .key_id = {7},
        .ver = 1,
        .n = (uint16_t)n,
        .e_net = 3,
        .sid = {4}};
    memcpy(rec->st, parts[0].st, 32);
    for (size_t i = 0; i < n; i++)
        rec->nodes[i] = (struct mpc_peer){.id = ids[i], .idh = {(uint8_t)i}};
    for (size_t j = 0; j < n; j++)
        qk_assert_ok(mac_piece_hash(rec->pk[j], rec, ids[j], parts[j == 0].share.piece[j]));
    if (s->profile == MPC_MAC_N) qk_assert_ok(mac_ist_hash(rec->ist, rec, s->ist));
}

/* ---- the record ---- */

QK_TEST(mac_record, comes_back_as_it_was)
{
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += MPC_MAC_S - MPC_MAC_N)
            for (size_t n = 3; n <= 4; n++) {
                struct mpc_mac_part parts[4];
                struct mpc_mac_record rec, back;
                uint8_t a[32], b[32];
                deal(parts, n, alg, profile, qk_str("some key"), alg);
                record_of(&rec, parts, n);
                QK_AUTO_BUF buf = QK_BUF(MPC_MAC_RECORD_MAX);
                qk_assert_ok(mpc_mac_record_encode(&rec, &buf));
                qk_assert_ok(mpc_mac_record_decode(qk_buf_view(&buf), &back));
                cr_assert_eq(memcmp(&rec, &back, sizeof rec), 0);
                qk_assert_ok(mpc_mac_record_hash(&rec, a));
                qk_assert_ok(mpc_record_hash_bytes(qk_buf_view(&buf), b));
                cr_assert_eq(memcmp(a, b, 32), 0);
                for (size_t i = 0; i < n; i++)
                    qk_assert_ok(mpc_mac_share_check(&parts[i].share, &rec));
            }
}

QK_TEST(mac_record, cut_extended_or_altered_bytes_are_none)
{
    struct mpc_mac_part parts[3];
    struct mpc_mac_record rec, back;
    deal(parts, 3, MPC_MAC_256, MPC_MAC_N, qk_str("k"), 1);
    record_of(&rec, parts, 3);
    QK_AUTO_BUF buf = QK_BUF(MPC_MAC_RECORD_MAX);
    qk_assert_ok(mpc_mac_record_encode(&rec, &buf));
    for (size_t len = 0; len < buf.len; len++)
        qk_assert_err(mpc_mac_record_decode(qk_bytes(buf.p, len), &back), QK_E_MALFORMED);
    qk_buf_add_u8(&buf, 0);
    qk_assert_err(mpc_mac_record_decode(qk_buf_view(&buf), &back), QK_E_MALFORMED);
    for (size_t at = 0; at + 1 < buf.len; at++) {
        buf.p[at] ^= 0x40;
        QK_AUTO_BUF again = QK_BUF(MPC_MAC_RECORD_MAX);
        struct qk_bytes altered = qk_bytes(buf.p, buf.len - 1);
        if (mpc_mac_record_decode(altered, &back) == QK_OK) { /* then it says just that */
            qk_assert_ok(mpc_mac_record_encode(&back, &again));
            cr_assert(qk_bytes_eq(altered, qk_buf_view(&again)));
        }
        buf.p[at] ^= 0x40;
    }
}

QK_TEST(mac_record, what_cannot_be_is_not_encoded)
{
    static const struct {
        const char *what;
        size_t at;
        uint16_t value;
        size_t width;
    } bent[] = {
        {"algorithm 0", offsetof(struct mpc_mac_record, alg), 0, 1},
        {"algorithm 5", offsetof(struct mpc_mac_record, alg), 5, 1},
        {"profile 3", offsetof(struct mpc_mac_record, profile), 3, 1},
        {"strict, but with ist", offsetof(struct mpc_mac_record, profile), MPC_MAC_S, 1},
        {"two nodes", offsetof(struct mpc_mac_record, n), 2, 2},
        {"33 nodes", offsetof(struct mpc_mac_record, n), 33, 2},
        {"a node twice", offsetof(struct mpc_mac_record, nodes[1].id), 2, 2},
        {"ids that fall", offsetof(struct mpc_mac_record, nodes[1].id), 1, 2},
        {"node 0", offsetof(struct mpc_mac_record, nodes[0].id), 0, 2},
        {"node 256", offsetof(struct mpc_mac_record, nodes[2].id), 256, 2},
        {"epoch 0", offsetof(struct mpc_mac_record, e_net), 0, 4},
        {"version 0", offsetof(struct mpc_mac_record, ver), 0, 4},
    };
    struct mpc_mac_part parts[3];
    struct mpc_mac_record good, rec;
    deal(parts, 3, MPC_MAC_384, MPC_MAC_N, qk_str("k"), 1);
    record_of(&good, parts, 3);
    for (size_t i = 0; i < QK_COUNT(bent); i++) {
        QK_AUTO_BUF buf = QK_BUF(MPC_MAC_RECORD_MAX);
        rec = good;
        uint32_t wide = bent[i].value;
        if (bent[i].width == 4)
            memcpy((uint8_t *)&rec + bent[i].at, &wide, 4);
        else if (bent[i].width == 2)
            memcpy((uint8_t *)&rec + bent[i].at, &bent[i].value, 2);
        else
            *((uint8_t *)&rec + bent[i].at) = (uint8_t)bent[i].value;
        cr_expect_eq(mpc_mac_record_encode(&rec, &buf), QK_E_STATE, "%s", bent[i].what);
    }
}

QK_TEST(mac_record, of_a_symmetric_key_is_no_mac_record)
{
    struct mpc_sym_record sym = {.ver = 1, .modes = MPC_SYM_F, .t = 2, .n = 3, .e_net = 1};
    struct mpc_mac_record back;
    for (size_t i = 0; i < 3; i++) sym.nodes[i].id = ids[i];
    sym.n_sets = 3;
    QK_AUTO_BUF buf = QK_BUF(MPC_SYM_RECORD_MAX);
    qk_assert_ok(mpc_sym_record_encode(&sym, &buf));
    qk_assert_err(mpc_mac_record_decode(qk_buf_view(&buf), &back), QK_E_MALFORMED);
}

QK_TEST(mac_record, names_its_epoch_run)
{
    struct mpc_mac_part parts[3];
    struct mpc_mac_record rec;
    struct mpc_epoch_run run;
    uint8_t id[16], hash[32], m1[32], m2[32];
    deal(parts, 3, MPC_MAC_256, MPC_MAC_N, qk_str("k"), 1);
    record_of(&rec, parts, 3);
    qk_assert_ok(mpc_mac_record_run(&rec, 5, &run));
    qk_assert_ok(mpc_sym_version_id(id, rec.key_id, 1));
    qk_assert_ok(mpc_mac_record_hash(&rec, hash));
    cr_assert_eq(memcmp(run.key_id, id, 16), 0);
    cr_assert_eq(memcmp(run.rec, hash, 32), 0);
    cr_assert(run.base == 2 && run.t == 2 && run.n == 3 && run.self == 5 && run.ids[2] == 9);
    qk_assert_ok(mpc_mac_material_id(&rec, m1));
    rec.st[0] ^= 1;
    qk_assert_ok(mpc_mac_material_id(&rec, m2));
    cr_assert_neq(memcmp(m1, m2, 32), 0);
}

/* ---- the share ---- */

QK_TEST(mac_share, comes_back_as_it_was)
{
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += MPC_MAC_S - MPC_MAC_N) {
            struct mpc_mac_part parts[4];
            struct mpc_mac_share back;
            deal(parts, 4, alg, profile, qk_str("some key"), 2);
            for (size_t i = 0; i < 4; i++) {
                QK_AUTO_BUF buf = QK_BUF_SECRET(MPC_MAC_SHARE_MAX);
                qk_assert_ok(mpc_mac_share_encode(&parts[i].share, &buf));
                qk_assert_ok(mpc_mac_share_decode(qk_buf_view(&buf), &back));
                cr_assert_eq(memcmp(&back, &parts[i].share, sizeof back), 0);
                for (size_t len = 0; len < buf.len; len++)
                    qk_assert_err(mpc_mac_share_decode(qk_bytes(buf.p, len), &back), QK_E_CORRUPT);
                qk_buf_add_u8(&buf, 0);
                qk_assert_err(mpc_mac_share_decode(qk_buf_view(&buf), &back), QK_E_CORRUPT);
                buf.p[0] = 1; /* a symmetric key's */
                qk_assert_err(
                    mpc_mac_share_decode(qk_bytes(buf.p, buf.len - 1), &back), QK_E_CORRUPT);
            }
        }
}

/* M-13: whatever of it is not the record's. */
QK_TEST(mac_share, M_13_of_another_key_does_not_fit)
{
    struct mpc_mac_part parts[3];
    struct mpc_mac_record rec;
    deal(parts, 3, MPC_MAC_224, MPC_MAC_N, qk_str("some key"), 2);
    record_of(&rec, parts, 3);
    struct mpc_mac_share s = parts[1].share;
    qk_assert_ok(mpc_mac_share_check(&s, &rec));
    s.piece[0][31] ^= 1;
    qk_assert_err(mpc_mac_share_check(&s, &rec), QK_E_CORRUPT);
    s = parts[1].share;
    s.piece[2][0] ^= 0x80;
    qk_assert_err(mpc_mac_share_check(&s, &rec), QK_E_CORRUPT);
    s = parts[1].share;
    s.ist[31] ^= 1;
    qk_assert_err(mpc_mac_share_check(&s, &rec), QK_E_CORRUPT);
    s = parts[1].share;
    s.self = 9;
    qk_assert_err(mpc_mac_share_check(&s, &rec), QK_E_CORRUPT);
    s = parts[1].share;
    s.alg = MPC_MAC_256;
    qk_assert_err(mpc_mac_share_check(&s, &rec), QK_E_CORRUPT);
    rec.e_net++; /* pieces of another epoch never mix */
    qk_assert_err(mpc_mac_share_check(&parts[1].share, &rec), QK_E_CORRUPT);
}

/* ---- roles ---- */

QK_TEST(mac_roles, are_the_six_permutations)
{
    static const uint16_t abc[3] = {3, 4, 7};
    static const uint16_t want[6][3] = {
        {3, 4, 7}, {3, 7, 4}, {4, 3, 7}, {4, 7, 3}, {7, 3, 4}, {7, 4, 3}};
    for (unsigned k = 0; k < 12; k++) {
        struct mpc_mac_roles r = mpc_mac_roles_permute(abc, k);
        const uint16_t *w = want[k % 6];
        cr_assert(r.g1 == w[0] && r.g2 == w[1] && r.e == w[2], "permutation %u", k);
    }
}

static bool all_zero(const uint8_t *p)
{
    static const uint8_t none[MPC_MAC_SECRET_MAX];
    return memcmp(p, none, sizeof none) == 0;
}

/* Whatever the roles, a xor b xor c is the secret, and nobody knows all three. */
QK_TEST(mac_roles, every_input_is_known_to_two_of_three)
{
    struct mpc_mac_part parts[4];
    struct mpc_mac_record rec;
    uint8_t ist[64], ost[64];
    deal(parts, 4, MPC_MAC_512, MPC_MAC_N, qk_str("some key"), 2);
    record_of(&rec, parts, 4);
    qk_assert_ok(mac_key_states(ist, ost, MPC_MAC_512, qk_str("some key")));
    for (unsigned k = 0; k < 64; k++) {
        unsigned x = k & 3, y = k >> 2 & 3, z = k >> 4;
        struct mpc_mac_roles r = {.g1 = ids[x], .g2 = ids[y], .e = ids[z]};
        struct mpc_mac_inputs g1, g2, e;
        if (x == y || x == z || y == z) { /* M-9 */
            qk_assert_err(mpc_mac_inputs_of(&g1, &rec, &parts[x].share, &r), QK_E_STATE);
            continue;
        }
        qk_assert_err(mpc_mac_inputs_of(&g1, &rec, &parts[6 - x - y - z].share, &r), QK_E_STATE);
        qk_assert_ok(mpc_mac_inputs_of(&g1, &rec, &parts[x].share, &r));
        qk_assert_ok(mpc_mac_inputs_of(&g2, &rec, &parts[y].share, &r));
        qk_assert_ok(mpc_mac_inputs_of(&e, &rec, &parts[z].share, &r));
        cr_assert(all_zero(g1.b) && all_zero(g2.a) && all_zero(e.c));
        cr_assert_eq(memcmp(g1.a, e.a, sizeof e.a), 0);
        cr_assert_eq(memcmp(g2.b, e.b, sizeof e.b), 0);
        cr_assert_eq(memcmp(g1.c, g2.c, sizeof g1.c), 0);
        for (size_t i = 0; i < 64; i++) cr_assert_eq(ost[i], (uint8_t)(e.a[i] ^ e.b[i] ^ g1.c[i]));
        r.e = 77; /* no node of the record */
        qk_assert_err(mpc_mac_inputs_of(&g1, &rec, &parts[x].share, &r), QK_E_STATE);
    }
}

/* ---- dealing ---- */

static void tag_of(
    uint8_t *tag, const uint8_t *ist, const uint8_t *ost, unsigned alg, struct qk_bytes message)
{
    uint8_t h[MPC_MAC_DIGEST_MAX];
    qk_assert_ok(mpc_mac_inner(h, alg, ist, message));
    qk_assert_ok(mpc_mac_inner(tag, alg, ost, qk_bytes(h, mpc_mac_digest_len(alg))));
}

static void secret_of(uint8_t *out, const struct mpc_mac_part *parts, size_t n, size_t i, size_t k)
{
    memset(out, 0, MPC_MAC_SECRET_MAX);
    for (size_t j = 0; j < n; j++)
        for (size_t b = 0; b < MPC_MAC_SECRET_MAX; b++)
            out[b] ^= parts[j == i ? k : i].share.piece[j][b];
}

/* Keys of any length up to 1024 bits; one longer than a block is hashed first. Any two parts give
 * the tag that OpenSSL gives. */
QK_TEST(mac_import, any_two_parts_are_hmac)
{
    uint8_t key[MPC_MAC_BLOCK_MAX], want[64], tag[64], secret[MPC_MAC_SECRET_MAX];
    const struct qk_bytes message = qk_str("a message");
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(i * 37 + 1);
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        for (size_t len = 1; len <= sizeof key; len += len < 60 || len > 66 ? 7 : 1) {
            struct mpc_mac_part parts[4];
            unsigned profile = len % 2 ? MPC_MAC_N : MPC_MAC_S;
            size_t state = mpc_mac_state_len(alg);
            deal(parts, 4, alg, profile, qk_bytes(key, len), len);
            secret_of(secret, parts, 4, len % 4, (len + 1) % 4);
            unsigned n = sizeof want;
            cr_assert_not_null(HMAC(EVP_get_digestbyname(hash_name(alg)), key, (int)len, message.p,
                message.len, want, &n));
            const uint8_t *ist = profile == MPC_MAC_N ? parts[0].share.ist : secret;
            const uint8_t *ost = profile == MPC_MAC_N ? secret : secret + state;
            tag_of(tag, ist, ost, alg, message);
            cr_assert_eq(memcmp(tag, want, n), 0, "%s, key of %zu bytes", hash_name(alg), len);
        }
}

QK_TEST(mac_import, parts_come_back_as_they_were_and_hostile_bytes_do_not)
{
    struct mpc_mac_part parts[3], back;
    deal(parts, 3, MPC_MAC_384, MPC_MAC_S, qk_str("some key"), 5);
    QK_AUTO_BUF buf = QK_BUF_SECRET(MPC_MAC_PART_MAX);
    qk_assert_ok(mpc_mac_part_encode(&parts[1], &buf));
    qk_assert_ok(mpc_mac_part_decode(qk_buf_view(&buf), &back));
    cr_assert_eq(memcmp(&back, &parts[1], sizeof back), 0);
    for (size_t len = 0; len < buf.len; len++)
        qk_assert_err(mpc_mac_part_decode(qk_bytes(buf.p, len), &back), QK_E_MALFORMED);
    qk_buf_add_u8(&buf, 0);
    qk_assert_err(mpc_mac_part_decode(qk_buf_view(&buf), &back), QK_E_MALFORMED);
}

QK_TEST(mac_import, refuses_what_is_no_key_or_no_cluster)
{
    struct mpc_mac_part parts[4];
    struct qkt_rng rng;
    uint8_t key[MPC_MAC_BLOCK_MAX + 1] = {1};
    const uint16_t twice[] = {2, 2, 5};
    struct mpc_mac_spec spec = {.ver = 1, .alg = MPC_MAC_256, .profile = MPC_MAC_N};
    qkt_rng_init(&rng, 1, 1);
    struct qk_bytes good = qk_str("k");
    qk_assert_err(
        mpc_mac_import_deal(parts, &spec, ids, 3, qk_bytes(key, 0), &rng.rng), QK_E_STATE);
    qk_assert_err(mpc_mac_import_deal(parts, &spec, ids, 3, QK_BYTES(key), &rng.rng), QK_E_STATE);
    qk_assert_err(mpc_mac_import_deal(parts, &spec, ids, 2, good, &rng.rng), QK_E_STATE);
    qk_assert_err(mpc_mac_import_deal(parts, &spec, twice, 3, good, &rng.rng), QK_E_STATE);
    spec.alg = 0;
    qk_assert_err(mpc_mac_import_deal(parts, &spec, ids, 3, good, &rng.rng), QK_E_STATE);
    spec.alg = MPC_MAC_256;
    spec.profile = 3;
    qk_assert_err(mpc_mac_import_deal(parts, &spec, ids, 3, good, &rng.rng), QK_E_STATE);
    spec.profile = MPC_MAC_N;
    rng.fail_after = 1;
    qk_assert_err(mpc_mac_import_deal(parts, &spec, ids, 3, good, &rng.rng), QK_E_RNG);
    cr_assert(all_zero(parts[0].share.piece[1]) && all_zero(parts[2].share.piece[0]));
}

QK_TEST(mac_import, only_the_same_key_matches_the_record)
{
    for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += MPC_MAC_S - MPC_MAC_N) {
        struct mpc_mac_part first[3], again[3], other[3];
        struct mpc_mac_record rec;
        deal(first, 3, MPC_MAC_256, profile, qk_str("some key"), 5);
        deal(again, 3, MPC_MAC_256, profile, qk_str("some key"), 6);
        deal(other, 3, MPC_MAC_256, profile, qk_str("some kez"), 6);
        record_of(&rec, first, 3);
        for (size_t i = 0; i < 3; i++) {
            cr_assert_neq(
                memcmp(first[i].share.piece, again[i].share.piece, sizeof again[i].share.piece), 0);
            qk_assert_ok(mpc_mac_import_matches(&again[i], &rec));
            qk_assert_err(mpc_mac_import_matches(&other[i], &rec), QK_E_MISMATCH);
        }
        struct mpc_mac_part mixed = other[2]; /* says the same st, but has another ist */
        memcpy(mixed.st, again[2].st, sizeof mixed.st);
        if (profile == MPC_MAC_N)
            qk_assert_err(mpc_mac_import_matches(&mixed, &rec), QK_E_MISMATCH);
        again[0].share.self = 3;
        qk_assert_err(mpc_mac_import_matches(&again[0], &rec), QK_E_MISMATCH);
        again[1].share.alg = MPC_MAC_224;
        qk_assert_err(mpc_mac_import_matches(&again[1], &rec), QK_E_MISMATCH);
    }
}
