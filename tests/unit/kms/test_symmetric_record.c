/* KEY and VERSION records of symmetric keys. */
#include "qktest/qktest.h"

#include <stdio.h>
#include "kmskit.h"
#include "qk/pack.h"

#define EXTERNAL "{\"Origin\":\"EXTERNAL\"}"
#define IMPORT                                                                                     \
    "{\"KeyId\":\"%s\",\"ImportToken\":\"AA==\",\"EncryptedKeyMaterial\":\"AA==\","                \
    "\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\",\"ImportType\":\"NEW_KEY_MATERIAL\"}"

static void import(struct kit_world *w)
{
    qk_assert_ok(kit_do(w, KIT_ALICE, "TrentService.ImportKeyMaterial", kit_body(w, IMPORT)));
}

/* Keys in clusters were written before there were symmetric ones. */
QK_TEST(symmetric_record, asymmetric_keys_keep_their_bytes)
{
    struct kit_world w;
    char hex[65];
    kit_world_init(&w);
    struct kms_record *r = kit_key(&w);
    qk_hex(r->hash, 32, hex);
    cr_expect_str_eq(hex, "c52f88fc4392f957bdf1b45b0950d7f207ed262a619b78ddcb277555bfe63832");
    cr_expect_eq(r->key.origin, KMS_ORIGIN_AWS_KMS);
    kit_world_free(&w);
}

QK_TEST(symmetric_record, key_and_version_round_trip)
{
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, "{}");
    kit_symmetric(&w, EXTERNAL);
    import(&w);
    import(&w);
    size_t versions = 0;
    for (size_t i = 0; i < w.n; i++) {
        struct kms_record got;
        QK_AUTO_BUF a = QK_BUF(KMS_RECORD_ENCODED_MAX);
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        qk_assert_ok(kms_record_encode(&w.items[i]->r, &a));
        qk_assert_ok(kms_record_decode(qk_buf_view(&a), &got));
        qk_assert_ok(kms_record_encode(&got, &b));
        cr_assert(qk_bytes_eq(qk_buf_view(&a), qk_buf_view(&b)));
        versions += got.kind == KMS_KIND_VERSION;
    }
    cr_assert_eq(versions, 3);
    char id[KMS_RECORD_ID_MAX];
    snprintf(id, sizeof id, "%s/2", w.key);
    cr_assert_str_eq(kit_version(&w, 2)->id, id);
    kit_world_free(&w);
}

/* Every truncation is refused, every changed byte is refused or another record. */
QK_TEST(symmetric_record, hostile_bytes)
{
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, EXTERNAL);
    import(&w);
    struct kms_record *const records[] = {kit_key(&w), kit_version(&w, 1)};
    for (size_t i = 0; i < QK_COUNT(records); i++) {
        struct kms_record got;
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        qk_assert_ok(kms_record_encode(records[i], &b));
        for (size_t n = 0; n < b.len; n++)
            cr_assert_neq(kms_record_decode(qk_bytes(b.p, n), &got), QK_OK);
        for (size_t at = 0; at < 8 * b.len; at++) {
            b.p[at / 8] ^= (uint8_t)(1u << at % 8);
            if (kms_record_decode(qk_buf_view(&b), &got) == QK_OK)
                cr_assert(memcmp(got.hash, records[i]->hash, 32) != 0);
            b.p[at / 8] ^= (uint8_t)(1u << at % 8);
        }
    }
    kit_world_free(&w);
}

/* ---- fields out of bounds ---- */

#define KEY_BEND(name, what)                                                                       \
    static void name(struct kms_record *r)                                                         \
    {                                                                                              \
        what;                                                                                      \
    }
KEY_BEND(no_modes, r->key.sym.modes = 0)
KEY_BEND(other_modes, r->key.sym.modes = 4)
KEY_BEND(no_version, r->key.sym.n_versions = r->key.sym.current = 0)
KEY_BEND(not_newest, r->key.sym.n_versions = 2)
KEY_BEND(beyond_newest, r->key.sym.current = 2)
KEY_BEND(no_material, memset(r->key.sym.material_id, 0, 32))
KEY_BEND(period_alone, r->key.sym.period_days = 365)
KEY_BEND(date_alone, r->key.sym.next_rotation_ms = 1)
KEY_BEND(short_period, r->key.sym.rotating = true; r->key.sym.next_rotation_ms = 1;
         r->key.sym.period_days = 89)
KEY_BEND(long_period, r->key.sym.rotating = true; r->key.sym.next_rotation_ms = 1;
         r->key.sym.period_days = 2561)
KEY_BEND(no_date, r->key.sym.rotating = true; r->key.sym.period_days = 90)
KEY_BEND(late_date, r->key.sym.rotating = true; r->key.sym.period_days = 90;
         r->key.sym.next_rotation_ms = UINT64_MAX)
KEY_BEND(too_often, r->key.sym.on_demand = 26)
KEY_BEND(pending_generated, r->key.sym.pending = 1)
KEY_BEND(import_of_generated, r->key.state = KMS_STATE_PENDING_IMPORT)
KEY_BEND(state_six, r->key.state = (enum kms_key_state)6)
KEY_BEND(with_pkrec, r->key.pkrec = qk_str("x"))
KEY_BEND(with_spki, r->key.spki = qk_str("x"))
KEY_BEND(no_origin, r->key.origin = (enum kms_origin)0)
KEY_BEND(other_origin, r->key.origin = KMS_ORIGIN_EXTERNAL)

static void refuse(struct kms_record *r, void (*const bends[])(struct kms_record *), size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct kms_record bent = *r;
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        qk_assert_ok(kms_record_encode(&bent, &b));
        qk_buf_clear(&b);
        bends[i](&bent);
        cr_expect_eq(kms_record_encode(&bent, &b), QK_E_STATE, "bend %zu", i);
    }
}

QK_TEST(symmetric_record, fields_of_generated_keys_have_bounds)
{
    static void (*const bends[])(struct kms_record *) = {no_modes, other_modes, no_version,
        not_newest, beyond_newest, no_material, period_alone, date_alone, short_period, long_period,
        no_date, late_date, too_often, pending_generated, import_of_generated, state_six,
        with_pkrec, with_spki, no_origin, other_origin};
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, "{}");
    refuse(kit_key(&w), bends, QK_COUNT(bends));
    kit_world_free(&w);
}

/* Two imported versions, the second one pending: entries of 41 bytes. */
static uint8_t entries[3 * KMS_MATERIAL_LEN];
static void own_entries(struct kms_record *r)
{
    memcpy(entries, r->key.sym.materials.p, 2 * KMS_MATERIAL_LEN);
    r->key.sym.materials = qk_bytes(entries, 2 * KMS_MATERIAL_LEN);
}
KEY_BEND(one_entry, r->key.sym.materials.len = KMS_MATERIAL_LEN)
KEY_BEND(half_an_entry, r->key.sym.materials.len--)
KEY_BEND(pending_first, r->key.sym.pending = 1)
KEY_BEND(none_pending, r->key.sym.pending = 0)
KEY_BEND(none_current, r->key.sym.current = 0)
KEY_BEND(rotates_itself, r->key.sym.rotating = true; r->key.sym.period_days = 90;
         r->key.sym.next_rotation_ms = 1)
KEY_BEND(says_missing, r->key.sym.missing = 1)
KEY_BEND(says_expiring, r->key.sym.next_expiry_ms = 7; r->key.sym.expiring = 1)
KEY_BEND(not_whole_enabled, own_entries(r); entries[40] = 0; kms_material_derive(&r->key.sym))
KEY_BEND(whole_pending, r->key.state = KMS_STATE_PENDING_IMPORT)
KEY_BEND(flag_two, own_entries(r); entries[40] = 2)
KEY_BEND(gone_but_expires, own_entries(r); entries[40 + 41] = 0; entries[39 + 41] = 1;
         kms_material_derive(&r->key.sym))
KEY_BEND(twice_the_same, own_entries(r); memcpy(entries + 41, entries, 41))
KEY_BEND(no_id, own_entries(r); memset(entries + 41, 0, 32))
KEY_BEND(other_current, own_entries(r); entries[0] ^= 1)

QK_TEST(symmetric_record, fields_of_imported_keys_have_bounds)
{
    static void (*const bends[])(struct kms_record *) = {one_entry, half_an_entry, pending_first,
        none_pending, none_current, rotates_itself, says_missing, says_expiring, not_whole_enabled,
        whole_pending, flag_two, gone_but_expires, twice_the_same, no_id, other_current};
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, EXTERNAL);
    import(&w);
    import(&w);
    cr_assert_eq(kit_key(&w)->key.sym.pending, 2);
    refuse(kit_key(&w), bends, QK_COUNT(bends));
    kit_world_free(&w);
}

KEY_BEND(v_zero, r->version_of.ver = 0)
KEY_BEND(v_other_id, r->version_of.ver = 2)
KEY_BEND(v_no_pkrec, r->version_of.pkrec.len = 0)
KEY_BEND(v_no_material, memset(r->version_of.material_id, 0, 32))
KEY_BEND(v_uuid, r->version_of.key_id[6] = 0x10)
KEY_BEND(v_rotation_alone, r->version_of.rotation = KMS_ROTATION_AUTOMATIC)
KEY_BEND(v_date_alone, r->version_of.rotated_ms = 5)
KEY_BEND(v_rotation_three, r->version_of.rotated_ms = 5;
         r->version_of.rotation = (enum kms_rotation)3)
KEY_BEND(v_gone_expires, r->version_of.imported = false; r->version_of.valid_to_ms = 5)
KEY_BEND(v_late, r->version_of.valid_to_ms = UINT64_MAX)
KEY_BEND(v_utf8, r->version_of.material_description = qk_str("\xff"))
KEY_BEND(v_long, r->version_of.material_description.len = KMS_MATERIAL_DESCRIPTION_MAX + 1)

QK_TEST(symmetric_record, fields_of_versions_have_bounds)
{
    static void (*const bends[])(struct kms_record *) = {v_zero, v_other_id, v_no_pkrec,
        v_no_material, v_uuid, v_rotation_alone, v_date_alone, v_rotation_three, v_gone_expires,
        v_late, v_utf8, v_long};
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, "{}");
    refuse(kit_version(&w, 1), bends, QK_COUNT(bends));
    kit_world_free(&w);
}

/* A writer that does not check: a family's spec in the other family's shape, an unknown origin. */
QK_TEST(symmetric_record, shape_spec_and_origin_belong_together)
{
    static const struct {
        const char *from, *to;
    } swaps[] = {{"\xa4spec\x05", "\xa4spec\x02"}, {"ENCRYPT_DECRYPT", "ENCRYPT_DECRYPS"},
        {"AWS_KMS", "AWS_KMT"}};
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, "{}");
    for (size_t i = 0; i < QK_COUNT(swaps); i++) {
        struct kms_record got;
        QK_AUTO_BUF b = QK_BUF(KMS_RECORD_ENCODED_MAX);
        qk_assert_ok(kms_record_encode(kit_key(&w), &b));
        size_t n = strlen(swaps[i].from), at = 0;
        while (at + n < b.len && memcmp(b.p + at, swaps[i].from, n) != 0) at++;
        cr_assert_lt(at + n, b.len);
        memcpy(b.p + at, swaps[i].to, n);
        qk_assert_err(kms_record_decode(qk_buf_view(&b), &got), QK_E_MALFORMED);
    }
    kit_world_free(&w);
}

/* What an Encrypt rests on must not become slower with every rotation. */
QK_TEST(symmetric_record, a_key_rotated_ten_thousand_times_is_as_small)
{
    struct kit_world w;
    kit_world_init(&w);
    kit_symmetric(&w, "{}");
    qk_assert_ok(kit_do(
        &w, KIT_ALICE, "TrentService.EnableKeyRotation", kit_body(&w, "{\"KeyId\":\"%s\"}")));
    QK_AUTO_BUF young = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF old = QK_BUF(KMS_RECORD_ENCODED_MAX);
    struct kms_record r = *kit_key(&w);
    qk_assert_ok(kms_record_encode(&r, &young));
    r.key.sym.n_versions = r.key.sym.current = 10001;
    r.key.sym.last_rotation_ms = KIT_NOW;
    r.version = 10003;
    qk_assert_ok(kms_record_encode(&r, &old));
    cr_assert_leq(old.len, young.len + 16);
    kit_world_free(&w);
}

QK_TEST(symmetric_record, materials_are_found_and_the_first_to_expire_is_known)
{
    uint8_t packed[3 * KMS_MATERIAL_LEN], id[32];
    struct kms_symmetric sym = {.n_versions = 3, .current = 2, .materials = QK_BYTES(packed)};
    struct kms_material m = {.valid_to_ms = 900, .here = true};
    for (uint8_t i = 0; i < 3; i++) {
        memset(m.material_id, 'a' + i, 32);
        m.valid_to_ms = 900u - 100u * i;
        kms_material_put(&m, packed + i * KMS_MATERIAL_LEN);
    }
    memset(id, 'b', 32);
    cr_expect_eq(kms_material_find(&sym, id), 2);
    memset(id, 'z', 32);
    cr_expect_eq(kms_material_find(&sym, id), 0);
    cr_expect_not(kms_material_get(&sym, 0, &m));
    cr_expect_not(kms_material_get(&sym, 4, &m));
    kms_material_derive(&sym);
    cr_expect_eq(sym.missing, 0);
    cr_expect_eq(sym.expiring, 3);
    cr_expect_eq(sym.next_expiry_ms, 700);
    memset(packed + 32, 0, 9); /* the first is gone */
    kms_material_derive(&sym);
    cr_expect_eq(sym.missing, 1);
}
