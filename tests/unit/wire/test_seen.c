/* Signatures seen valid: nothing but the very same key, message and signature is a hit. */
#include "qktest/qktest.h"
#include "wire/cluster.h"

#include <pthread.h>

struct signer {
    struct wire_identity *id;
    const struct wire_key *key;
};

static void signer_init(struct signer *s)
{
    qk_assert_ok(wire_identity_generate(&s->id, "node"));
    s->key = wire_identity_key(s->id);
}

QK_TEST(seen, accepts_no_changed_byte_of_message_or_signature_after_a_hit)
{
    struct signer a;
    struct wire_seen *seen;
    uint8_t msg[64], sig[WIRE_SIG_LEN];
    signer_init(&a);
    qk_assert_ok(wire_seen_new(&seen, 16));
    memset(msg, 3, sizeof msg);
    qk_assert_ok(wire_identity_sign(a.id, QK_BYTES(msg), sig));
    qk_assert_ok(wire_seen_verify(seen, a.key, QK_BYTES(msg), QK_BYTES(sig)));
    qk_assert_ok(wire_seen_verify(seen, a.key, QK_BYTES(msg), QK_BYTES(sig)));
    cr_assert_eq(wire_seen_count(seen), 1);
    for (size_t i = 0; i < sizeof msg; i++) {
        msg[i] ^= 1;
        qk_assert_err(wire_seen_verify(seen, a.key, QK_BYTES(msg), QK_BYTES(sig)), QK_E_PROOF);
        msg[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof sig; i++) {
        sig[i] ^= 0x80;
        qk_assert_err(wire_seen_verify(seen, a.key, QK_BYTES(msg), QK_BYTES(sig)), QK_E_PROOF);
        sig[i] ^= 0x80;
    }
    for (size_t len = 0; len < sizeof msg; len++)
        qk_assert_err(wire_seen_verify(seen, a.key, qk_bytes(msg, len), QK_BYTES(sig)), QK_E_PROOF);
    qk_assert_err(wire_seen_verify(seen, a.key, QK_BYTES(msg), qk_bytes(sig, 63)), QK_E_PROOF);
    cr_assert_eq(wire_seen_count(seen), 1, "what does not verify must not be kept");
    wire_seen_free(seen);
    wire_identity_free(a.id);
}

QK_TEST(seen, accepts_no_other_key_after_a_hit)
{
    struct signer a, b;
    struct wire_seen *seen;
    uint8_t sig[WIRE_SIG_LEN];
    struct qk_bytes msg = qk_str("a record");
    signer_init(&a);
    signer_init(&b);
    qk_assert_ok(wire_seen_new(&seen, 16));
    qk_assert_ok(wire_seen_sign(seen, a.id, msg, sig));
    cr_assert_eq(wire_seen_count(seen), 1, "one's own signature is known without verifying");
    qk_assert_ok(wire_seen_verify(seen, a.key, msg, QK_BYTES(sig)));
    qk_assert_ok(wire_key_verify(a.key, msg, QK_BYTES(sig)));
    qk_assert_err(wire_seen_verify(seen, b.key, msg, QK_BYTES(sig)), QK_E_PROOF);
    cr_assert_eq(wire_seen_count(seen), 1);
    wire_seen_free(seen);
    wire_identity_free(a.id);
    wire_identity_free(b.id);
}

/* The bytes of signature and message, cut at another place, are other arguments. */
QK_TEST(seen, a_byte_moved_from_signature_to_message_is_no_hit)
{
    struct signer a;
    struct wire_seen *seen;
    uint8_t both[WIRE_SIG_LEN + 8] = {0};
    signer_init(&a);
    qk_assert_ok(wire_seen_new(&seen, 16));
    memset(both + WIRE_SIG_LEN, 5, 8);
    qk_assert_ok(wire_seen_sign(seen, a.id, qk_bytes(both + WIRE_SIG_LEN, 8), both));
    struct qk_bytes sig = qk_bytes(both, WIRE_SIG_LEN), msg = qk_bytes(both + WIRE_SIG_LEN, 8);
    qk_assert_ok(wire_seen_verify(seen, a.key, msg, sig));
    qk_assert_err(wire_seen_verify(seen, a.key, qk_bytes(both + WIRE_SIG_LEN - 1, 9),
                      qk_bytes(both, WIRE_SIG_LEN - 1)),
        QK_E_PROOF);
    qk_assert_err(wire_seen_verify(seen, a.key, qk_bytes(both + WIRE_SIG_LEN + 1, 7),
                      qk_bytes(both, WIRE_SIG_LEN + 1)),
        QK_E_PROOF);
    wire_seen_free(seen);
    wire_identity_free(a.id);
}

QK_TEST(seen, keeps_those_used_last)
{
    struct signer a;
    struct wire_seen *seen;
    uint8_t sig[4][WIRE_SIG_LEN];
    signer_init(&a);
    qk_assert_ok(wire_seen_new(&seen, 3));
    for (uint8_t i = 0; i < 4; i++)
        qk_assert_ok(wire_seen_sign(seen, a.id, qk_bytes(&i, 1), sig[i]));
    cr_assert_eq(wire_seen_count(seen), 3);
    for (uint8_t i = 0; i < 4; i++) /* forgotten or not, valid it stays */
        qk_assert_ok(wire_seen_verify(seen, a.key, qk_bytes(&i, 1), QK_BYTES(sig[i])));
    cr_assert_eq(wire_seen_count(seen), 3);
    wire_seen_free(seen);
    wire_identity_free(a.id);
}

QK_TEST(seen, nothing_is_kept_without_a_table)
{
    struct signer a;
    uint8_t sig[WIRE_SIG_LEN];
    signer_init(&a);
    qk_assert_ok(wire_seen_sign(NULL, a.id, qk_str("m"), sig));
    qk_assert_ok(wire_seen_verify(NULL, a.key, qk_str("m"), QK_BYTES(sig)));
    sig[0] ^= 1;
    qk_assert_err(wire_seen_verify(NULL, a.key, qk_str("m"), QK_BYTES(sig)), QK_E_PROOF);
    wire_identity_free(a.id);
}

enum { THREADS = 4, TURNS = 200 };

struct turn {
    struct wire_seen *seen;
    struct signer *signer;
    uint8_t (*sig)[WIRE_SIG_LEN];
};

static void *look(void *arg)
{
    struct turn *t = arg;
    for (unsigned i = 0; i < TURNS; i++) {
        uint8_t m = (uint8_t)(i % 8), other = (uint8_t)(m + 1);
        qk_assert_ok(
            wire_seen_verify(t->seen, t->signer->key, qk_bytes(&m, 1), QK_BYTES(t->sig[m])));
        qk_assert_err(
            wire_seen_verify(t->seen, t->signer->key, qk_bytes(&other, 1), QK_BYTES(t->sig[m])),
            QK_E_PROOF);
    }
    return NULL;
}

QK_TEST(seen, threads_share_it)
{
    struct signer a;
    struct wire_seen *seen;
    uint8_t sig[8][WIRE_SIG_LEN];
    pthread_t threads[THREADS];
    signer_init(&a);
    qk_assert_ok(wire_seen_new(&seen, 4)); /* fewer than there are: entries come and go */
    for (uint8_t i = 0; i < 8; i++) qk_assert_ok(wire_identity_sign(a.id, qk_bytes(&i, 1), sig[i]));
    struct turn t = {seen, &a, sig};
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, look, &t), 0);
    for (size_t i = 0; i < THREADS; i++) (void)pthread_join(threads[i], NULL);
    cr_assert_eq(wire_seen_count(seen), 4);
    wire_seen_free(seen);
    wire_identity_free(a.id);
}
