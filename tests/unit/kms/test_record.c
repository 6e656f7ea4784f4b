#include "qktest/qktest.h"

#include "kms/record.h"
#include "kmskit.h"
#include "qk/pack.h"

static void encode(struct kms_record *r, struct qk_buf *b)
{
    qk_buf_clear(b);
    qk_assert_ok(kms_record_encode(r, b));
}

QK_TEST(record, every_kind_round_trips_to_the_same_bytes)
{
    struct kit_world w;
    unsigned kinds = 0;
    kit_world_init(&w);
    for (size_t i = 0; i < w.n; i++) {
        QK_AUTO_BUF a = QK_BUF(KMS_RECORD_ENCODED_MAX);
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        struct kms_record got;
        encode(&w.items[i]->r, &a);
        qk_assert_ok(kms_record_decode(qk_buf_view(&a), &got));
        cr_assert_arr_eq(got.hash, w.items[i]->r.hash, 32);
        encode(&got, &b);
        cr_assert(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)));
        kinds |= 1u << got.kind;
    }
    cr_assert_eq(kinds, 0x3e, "all kinds but VERSION, which test_symmetric_record has");
    kit_world_free(&w);
}

QK_TEST(record, every_truncation_and_extension_is_refused)
{
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < w.n; i++) {
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        struct kms_record got;
        encode(&w.items[i]->r, &b);
        for (size_t n = 0; n < b.len; n++)
            cr_assert_neq(kms_record_decode(qk_bytes(b.p, n), &got), QK_OK);
        qk_buf_add_u8(&b, 0xc0);
        qk_assert_err(kms_record_decode(qk_buf_view(&b), &got), QK_E_MALFORMED);
    }
    kit_world_free(&w);
}

/* Any byte changed: refused, or another record with another hash. */
QK_TEST(record, no_changed_byte_keeps_the_hash)
{
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < w.n; i++) {
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        struct kms_record got;
        encode(&w.items[i]->r, &b);
        for (size_t at = 0; at < b.len; at++) {
            b.p[at] ^= 1;
            if (kms_record_decode(qk_buf_view(&b), &got) == QK_OK)
                cr_assert(memcmp(got.hash, w.items[i]->r.hash, 32) != 0, "byte %zu", at);
            b.p[at] ^= 1;
        }
    }
    kit_world_free(&w);
}

QK_TEST(record, a_longer_integer_form_is_not_canonical)
{
    struct kit_world w;
    struct kms_record got;
    kit_world_init(&w);
    QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF bent = QK_BUF(KMS_RECORD_ENCODED_MAX);
    encode(kit_key(&w), &b);
    /* "format" = 01 right after the map header and the key: write it as cc 01. */
    size_t at = 1 + 7;
    cr_assert_eq(b.p[at], 1);
    qk_buf_add(&bent, b.p, at);
    qk_buf_add(&bent, "\xcc\x01", 2);
    qk_buf_add(&bent, b.p + at + 1, b.len - at - 1);
    qk_assert_err(kms_record_decode(qk_buf_view(&bent), &got), QK_E_MALFORMED);
    kit_world_free(&w);
}

static void bend_id(struct kms_record *r)
{
    r->id[0] = r->id[0] == '1' ? '2' : '1';
}
static void bend_version0(struct kms_record *r)
{
    r->version = 0;
}
static void bend_version2(struct kms_record *r)
{
    r->version = 2;
}
static void bend_prev(struct kms_record *r)
{
    r->prev[0] = 1;
}
static void bend_uuid(struct kms_record *r)
{
    r->key.key_id[6] = 0x10;
}
static void bend_state(struct kms_record *r)
{
    r->key.state = (enum kms_key_state)5;
}
static void bend_deletion(struct kms_record *r)
{
    r->key.deletion_ms = 5;
}
static void bend_window(struct kms_record *r)
{
    r->key.state = KMS_STATE_PENDING_DELETION;
    r->key.deletion_ms = 5;
    r->key.pending_days = 6;
}
static void bend_region(struct kms_record *r)
{
    r->key.region = qk_str("nowhere");
}
static void bend_account(struct kms_record *r)
{
    r->key.account = qk_str("12");
}
static void bend_utf8(struct kms_record *r)
{
    r->key.description = qk_str("\xff");
}
static void bend_spki(struct kms_record *r)
{
    r->key.spki.len--;
}
static void bend_pkrec(struct kms_record *r)
{
    r->key.pkrec.len = 0;
}
static void bend_spec(struct kms_record *r)
{
    r->key.spec = NULL;
}
static void bend_policy(struct kms_record *r)
{
    r->key.policy.len = 0;
}
static void bend_time(struct kms_record *r)
{
    r->key.created_ms = UINT64_MAX;
}

QK_TEST(record, fields_out_of_bounds_are_not_written)
{
    static void (*const bends[])(struct kms_record *) = {bend_id, bend_version0, bend_version2,
        bend_prev, bend_uuid, bend_state, bend_deletion, bend_window, bend_region, bend_account,
        bend_utf8, bend_spki, bend_pkrec, bend_spec, bend_policy, bend_time};
    struct kit_world w;
    kit_world_init(&w);
    for (size_t i = 0; i < QK_COUNT(bends); i++) {
        struct kms_record r = *kit_key(&w);
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        qk_assert_ok(kms_record_encode(&r, &b));
        qk_buf_clear(&b);
        bends[i](&r);
        cr_expect_eq(kms_record_encode(&r, &b), QK_E_STATE, "bend %zu", i);
    }
    kit_world_free(&w);
}

/* The same for reading: written by a hand that does not check. */
QK_TEST(record, an_id_that_does_not_follow_from_the_body_is_refused)
{
    QK_AUTO_BUF b = QK_BUF(1024);
    static const uint8_t zeros[32];
    static const struct {
        const char *id;
        uint64_t version;
        qk_err want;
    } cases[] = {{"123456789012", 1, QK_OK}, {"123456789013", 1, QK_E_MALFORMED},
        {"123456789012", 2, QK_E_MALFORMED}, {"system", 1, QK_E_MALFORMED}};
    for (size_t i = 0; i < QK_COUNT(cases); i++) {
        struct kms_record r;
        qk_buf_clear(&b);
        qk_pack_map(&b, 6);
        qk_pack_key_uint(&b, "format", 1);
        qk_pack_key_uint(&b, "kind", KMS_KIND_ACCOUNT);
        qk_pack_key_str(&b, "id", qk_str(cases[i].id));
        qk_pack_key_uint(&b, "version", cases[i].version);
        qk_pack_key_bin(&b, "prev", QK_BYTES(zeros));
        qk_pack_key(&b, "body");
        qk_pack_map(&b, 3);
        qk_pack_key_str(&b, "account", qk_str("123456789012"));
        qk_pack_key_str(&b, "name", qk_str("n"));
        qk_pack_key_uint(&b, "created", 5);
        cr_expect_eq(kms_record_decode(qk_buf_view(&b), &r), cases[i].want, "case %zu", i);
    }
}

QK_TEST(record, the_hash_is_framed)
{
    /* SHA-256(u32(14) "qkms-record-v1" u32(3) "abc") */
    uint8_t hash[32];
    char hex[65];
    qk_assert_ok(kms_record_hash(qk_str("abc"), hash));
    qk_hex(hash, 32, hex);
    cr_assert_str_eq(hex, "e414576d5b318492f832e3621de3120c6aa7d251d7ce48201b6bdeb15e5d54f3");
}

QK_TEST(record, refs_check_their_names)
{
    struct kms_ref ref;
    qk_assert_err(kms_ref_user(KIT_ACCOUNT, qk_str("a/b"), &ref), QK_E_MALFORMED);
    qk_assert_err(kms_ref_credential(qk_str("AKIA"), &ref), QK_E_MALFORMED);
    qk_assert_ok(kms_ref_user(KIT_ACCOUNT, qk_str("bob"), &ref));
    cr_assert_str_eq(ref.id, "123456789012/bob");
}
