/* HMAC keys on three real nodes: made, imported, used in every role, for every algorithm. */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodemac.h"

static const struct mpc_mac_roles orders[] = {
    {1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
static const char *const specs[] = {NULL, "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"};

struct scene {
    struct nodebox box;
    struct nd d;
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, NB_FILTER);
    nd_init(&s->d, &s->box);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

/* The same tag, whoever does what. */
static void every_order(struct scene *s, const char *key, struct qk_bytes message,
    uint8_t tag[static MPC_MAC_DIGEST_MAX])
{
    memset(tag, 0, MPC_MAC_DIGEST_MAX);
    for (size_t i = 0; i < QK_COUNT(orders); i++) {
        uint8_t again[MPC_MAC_DIGEST_MAX] = {0};
        qk_assert_ok(nm_generate(&s->d, key, message, &orders[i], i == 0 ? tag : again));
        if (i > 0) cr_assert_arr_eq(tag, again, sizeof again, "order %zu", i);
    }
}

static void different(const uint8_t *a, const uint8_t *b)
{
    cr_assert_neq(memcmp(a, b, MPC_MAC_DIGEST_MAX), 0);
}

QK_TEST(mac_honest, keys_made_here_give_one_tag_in_every_order_also_after_a_restart)
{
    struct scene s;
    set_up(&s);
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++) {
        char key[KMS_UUID_LEN + 1];
        uint8_t tag[MPC_MAC_DIGEST_MAX], other[MPC_MAC_DIGEST_MAX], later[MPC_MAC_DIGEST_MAX];
        nm_create_key(&s.d, specs[alg], false, key);
        every_order(&s, key, qk_str("a message"), tag);
        memset(other, 0, sizeof other);
        qk_assert_ok(nm_generate(&s.d, key, qk_str("b message"), &orders[0], other));
        different(tag, other);
        if (alg != MPC_MAC_256) continue;
        (void)nodebox_stop(&s.box, 2, SIGTERM);
        nodebox_start(&s.box, 2);
        nodebox_wait_ready(&s.box);
        every_order(&s, key, qk_str("a message"), later);
        cr_assert_arr_eq(tag, later, sizeof tag);
    }
    tear_down(&s);
}

QK_TEST(mac_honest, imported_keys_give_the_tags_of_a_library)
{
    static const uint8_t material[128] = {1, 2, 3, 4, [127] = 9};
    static uint8_t message[4096];
    static const size_t lengths[] = {1, 55, 56, 111, 112, 300, 4096};
    struct scene s;
    set_up(&s);
    for (size_t i = 0; i < sizeof message; i++) message[i] = (uint8_t)(i * 31);
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++) {
        char key[KMS_UUID_LEN + 1];
        struct qk_bytes k = qk_bytes(material, alg == MPC_MAC_256 ? 128 : 64);
        qk_assert_ok(nm_import_key(&s.d, specs[alg], false, k, key));
        for (size_t i = 0; i < QK_COUNT(lengths); i++) {
            uint8_t tag[MPC_MAC_DIGEST_MAX] = {0}, want[MPC_MAC_DIGEST_MAX] = {0};
            struct qk_bytes m = qk_bytes(message, lengths[i]);
            qk_assert_ok(nm_generate(&s.d, key, m, &orders[i % QK_COUNT(orders)], tag));
            nm_hmac(alg, k, m, want);
            cr_assert_arr_eq(tag, want, sizeof tag, "%s, %zu bytes", specs[alg], lengths[i]);
        }
        qk_assert_ok(nm_import(&s.d, key, k)); /* again: the same is here */
    }
    tear_down(&s);
}

QK_TEST(mac_honest, strict_keys_stream_and_give_the_same_tags)
{
    static const uint8_t material[64] = {7};
    static uint8_t message[4096];
    static const size_t lengths[] = {1, 119, NM_LONG_MESSAGE};
    struct scene s;
    set_up(&s);
    for (unsigned alg = MPC_MAC_256; alg <= MPC_MAC_512; alg += 2) {
        char key[KMS_UUID_LEN + 1], made[KMS_UUID_LEN + 1];
        uint8_t one[MPC_MAC_DIGEST_MAX];
        qk_assert_ok(nm_import_key(&s.d, specs[alg], true, QK_BYTES(material), key));
        for (size_t i = 0; i < QK_COUNT(lengths); i++) {
            uint8_t tag[MPC_MAC_DIGEST_MAX] = {0}, want[MPC_MAC_DIGEST_MAX] = {0};
            struct qk_bytes m = qk_bytes(message, lengths[i]);
            qk_assert_ok(nm_generate(&s.d, key, m, &orders[i + 3], tag));
            nm_hmac(alg, QK_BYTES(material), m, want);
            cr_assert_arr_eq(tag, want, sizeof tag, "%s, %zu bytes", specs[alg], lengths[i]);
        }
        nm_create_key(&s.d, specs[alg], true, made);
        every_order(&s, made, qk_str("a message"), one);
    }
    tear_down(&s);
}
