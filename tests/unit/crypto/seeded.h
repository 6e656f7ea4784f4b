/** A seeded generator for tests, and known answers read from tests/vectors.
 *
 *  The seed is drawn once a process and printed, so that a failing run can be
 *  repeated: QK_TEST_SEED=<number> build/bin/crypto_test_scalar.
 */
#ifndef TEST_CRYPTO_SEEDED_H
#define TEST_CRYPTO_SEEDED_H

#include <stdio.h>
#include <stdlib.h>
#include "mpc/group.h"
#include "qktest/qktest.h"

struct seeded {
    struct qk_rng base; /* first, so that a struct qk_rng * is enough */
    uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014): for tests only. */
static inline uint64_t seeded_u64(struct seeded *s)
{
    uint64_t z = (s->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline qk_err seeded_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    struct seeded *s = (struct seeded *)(void *)rng;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)seeded_u64(s);
    return QK_OK;
}

static inline struct seeded seeded_new(const char *test)
{
    uint64_t seed = 0;
    const char *given = getenv("QK_TEST_SEED");
    if (given != NULL)
        seed = strtoull(given, NULL, 0);
    else
        qk_assert_ok(qk_rng_fill(qk_rng_system(), &seed, sizeof seed));
    fprintf(stderr, "%s: QK_TEST_SEED=0x%016llx\n", test, (unsigned long long)seed);
    return (struct seeded){{seeded_fill}, seed};
}

/* The bytes of the line `name = hex` in tests/vectors/file; exactly len of them. */
static inline void kat_read(const char *file, const char *name, uint8_t *out, size_t len)
{
    char path[512], line[1024];
    snprintf(path, sizeof path, "%s/%s", QK_VECTORS, file);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f, "%s is missing", path);
    size_t name_len = strlen(name);
    bool found = false;
    while (!found && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, name_len) != 0 || strncmp(line + name_len, " = ", 3) != 0) continue;
        const char *hex = line + name_len + 3;
        found = qk_unhex(qk_bytes(hex, strcspn(hex, "\n")), out, len) == QK_OK;
    }
    fclose(f);
    cr_assert(found, "%s: no %zu bytes named %s", file, len, name);
}

static inline void kat_assert(const char *file, const char *name, const uint8_t *got, size_t len)
{
    uint8_t want[256];
    cr_assert(len <= sizeof want);
    kat_read(file, name, want, len);
    cr_assert_eq(memcmp(got, want, len), 0, "%s: %s differs", file, name);
}

/* Every curve of mpc/group.h. */
#define EACH_CURVE(c)                                                                              \
    for (unsigned id_ = MPC_SECP256K1; id_ <= MPC_P521; id_++)                                     \
        for (const struct mpc_curve *c = mpc_curve_get(id_); c != NULL; c = NULL)

#endif
