#include "qktest/qktest.h"

#include "qk/lru.h"

struct number {
    int value;
    struct qk_lru_item item;
};

static bool same(const struct qk_lru_item *item, const void *key)
{
    const struct number *n = (const void *)((const char *)item - offsetof(struct number, item));
    return n->value == *(const int *)key;
}

static struct number *find(struct qk_lru *t, int value)
{
    /* two hashes for all: buckets are shared */
    return QK_LRU_OF(qk_lru_find(t, value & 1, same, &value), struct number, item);
}

QK_TEST(lru, finds_what_is_in_and_forgets_what_is_not)
{
    struct qk_lru t;
    struct number n[6];
    qk_assert_ok(qk_lru_init(&t, 4));
    for (int i = 0; i < 6; i++) {
        n[i].value = i;
        qk_lru_add(&t, &n[i].item, i & 1);
    }
    cr_assert_eq(t.n, 6);
    for (int i = 0; i < 6; i++) cr_assert_eq(find(&t, i), &n[i]);
    cr_assert_null(find(&t, 6));
    qk_lru_remove(&t, &n[3].item);
    cr_assert_null(find(&t, 3));
    cr_assert_eq(find(&t, 1), &n[1]);
    cr_assert_eq(find(&t, 5), &n[5]);
    qk_lru_free(&t);
}

QK_TEST(lru, the_oldest_is_the_one_longest_unused)
{
    struct qk_lru t;
    struct number n[4];
    const int order[] = {1, 3, 0, 2};
    qk_assert_ok(qk_lru_init(&t, 1));
    for (int i = 0; i < 4; i++) {
        n[i].value = i;
        qk_lru_add(&t, &n[i].item, i & 1);
    }
    for (int i = 0; i < 4; i++) cr_assert_not_null(find(&t, order[i]));
    for (int i = 0; i < 4; i++) {
        struct number *oldest = QK_LRU_OF(t.oldest, struct number, item);
        cr_assert_eq(oldest->value, order[i]);
        qk_lru_remove(&t, t.oldest);
    }
    cr_assert_null(t.oldest);
    cr_assert_null(t.newest);
    cr_assert_eq(t.n, 0);
    qk_lru_free(&t);
}

QK_TEST(lru, hashes_depend_on_every_byte_and_on_the_start)
{
    uint32_t h = qk_lru_hash(0, qk_str("abc"));
    cr_assert_neq(h, qk_lru_hash(0, qk_str("abd")));
    cr_assert_neq(h, qk_lru_hash(1, qk_str("abc")));
    cr_assert_neq(h, qk_lru_hash(0, qk_str("ab")));
    qk_assert_err(qk_lru_init(&(struct qk_lru){0}, 3), QK_E_STATE);
}

QK_TEST(lru, buckets_suit_the_number_of_items)
{
    cr_assert_eq(qk_lru_buckets(0), 64u);
    cr_assert_eq(qk_lru_buckets(64), 64u);
    cr_assert_eq(qk_lru_buckets(65), 128u);
    cr_assert_eq(qk_lru_buckets(UINT64_MAX), (size_t)1 << 20);
}
