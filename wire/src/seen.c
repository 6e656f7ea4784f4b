#include "wire/seen.h"

#include <pthread.h>
#include <stdlib.h>
#include <openssl/evp.h>
#include "qk/lru.h"

enum { TAG_LEN = 32 };

struct entry {
    struct qk_lru_item item;
    uint8_t tag[TAG_LEN];
};

struct wire_seen {
    pthread_mutex_t lock;
    struct qk_lru lru;
    size_t max;
    EVP_MD *md; /* fetched once: a search by name costs as much as the hash */
};

static size_t power_of_two(size_t least)
{
    size_t n = 1;
    while (n < least) n *= 2;
    return n;
}

qk_err wire_seen_new(struct wire_seen **out, size_t max)
{
    QK_ENSURE(max >= 1 && max <= 1u << 20, QK_E_STATE);
    struct wire_seen *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->max = max;
    (void)pthread_mutex_init(&s->lock, NULL);
    s->md = EVP_MD_fetch(NULL, "SHA512-256", NULL);
    qk_err err = s->md == NULL ? QK_E_CRYPTO : qk_lru_init(&s->lru, power_of_two(max));
    if (err != QK_OK) {
        wire_seen_free(s);
        return err;
    }
    *out = s;
    return QK_OK;
}

static void drop_oldest(struct wire_seen *s)
{
    struct entry *e = QK_LRU_OF(s->lru.oldest, struct entry, item);
    qk_lru_remove(&s->lru, &e->item);
    free(e);
}

void wire_seen_free(struct wire_seen *s)
{
    if (s == NULL) return;
    while (s->lru.oldest != NULL) drop_oldest(s);
    qk_lru_free(&s->lru);
    EVP_MD_free(s->md);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static qk_err tag_of(const struct wire_seen *s, const struct wire_key *key, struct qk_bytes msg,
    struct qk_bytes sig, uint8_t tag[static TAG_LEN])
{
    struct qk_bytes spki = wire_key_spki(key);
    QK_ENSURE(spki.len == WIRE_SPKI_LEN && sig.len == WIRE_SIG_LEN, QK_E_PROOF);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    QK_ENSURE(md != NULL, QK_E_NOMEM);
    bool ok = EVP_DigestInit_ex2(md, s->md, NULL) == 1 &&
              EVP_DigestUpdate(md, spki.p, spki.len) == 1 &&
              EVP_DigestUpdate(md, sig.p, sig.len) == 1 &&
              EVP_DigestUpdate(md, msg.p, msg.len) == 1 && EVP_DigestFinal_ex(md, tag, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok ? QK_OK : QK_E_CRYPTO;
}

static bool is_tag(const struct qk_lru_item *item, const void *key)
{
    const struct entry *e = (const void *)((const char *)item - offsetof(struct entry, item));
    return memcmp(e->tag, key, TAG_LEN) == 0;
}

/* Only a node could make tags that share a bucket, by grinding its own signatures. */
static uint32_t hash_of(const uint8_t tag[static TAG_LEN])
{
    return qk_get_u32(tag);
}

static bool find(struct wire_seen *s, const uint8_t tag[static TAG_LEN])
{
    (void)pthread_mutex_lock(&s->lock);
    bool found = qk_lru_find(&s->lru, hash_of(tag), is_tag, tag) != NULL;
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

/* Without memory it is computed again next time. */
static void keep(struct wire_seen *s, const uint8_t tag[static TAG_LEN])
{
    struct entry *e = malloc(sizeof *e);
    if (e == NULL) return;
    memcpy(e->tag, tag, TAG_LEN);
    (void)pthread_mutex_lock(&s->lock);
    bool there = qk_lru_find(&s->lru, hash_of(tag), is_tag, tag) != NULL;
    if (!there) qk_lru_add(&s->lru, &e->item, hash_of(tag));
    if (s->lru.n > s->max) drop_oldest(s);
    (void)pthread_mutex_unlock(&s->lock);
    if (there) free(e);
}

qk_err wire_seen_verify(
    struct wire_seen *s, const struct wire_key *key, struct qk_bytes msg, struct qk_bytes sig)
{
    uint8_t tag[TAG_LEN];
    if (s == NULL) return wire_key_verify(key, msg, sig);
    QK_TRY(tag_of(s, key, msg, sig, tag));
    if (find(s, tag)) return QK_OK;
    QK_TRY(wire_key_verify(key, msg, sig));
    keep(s, tag);
    return QK_OK;
}

qk_err wire_seen_sign(struct wire_seen *s, const struct wire_identity *id, struct qk_bytes msg,
    uint8_t sig[static WIRE_SIG_LEN])
{
    uint8_t tag[TAG_LEN];
    QK_TRY(wire_identity_sign(id, msg, sig));
    qk_err err = QK_E_STATE;
    if (s != NULL) err = tag_of(s, wire_identity_key(id), msg, qk_bytes(sig, WIRE_SIG_LEN), tag);
    if (err == QK_OK) keep(s, tag);
    return QK_OK;
}

size_t wire_seen_count(struct wire_seen *s)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t n = s->lru.n;
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}
