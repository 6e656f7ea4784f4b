#include "core/mackeys.h"

#include <stdlib.h>
#include "mpc/sym_record.h"
#include "qk/secret.h"
#include "vault/shares.h"

enum { TRIES = 8 }; /* opening again because something was destroyed meanwhile */

struct node_mackeys {
    pthread_mutex_t lock;
    struct qk_lru open;
    size_t max;
    uint32_t seed;    /* of the hashes: key ids are a coordinator's choice */
    uint64_t changes; /* what an opening under way may have missed */
};

qk_err node_mackeys_new(struct node_mackeys **out, const struct node *node)
{
    struct node_mackeys *k = calloc(1, sizeof *k);
    QK_ENSURE(k != NULL, QK_E_NOMEM);
    pthread_mutex_init(&k->lock, NULL);
    k->max = node->conf.sym_keys;
    qk_err err = qk_rng_fill(qk_rng_system(), &k->seed, sizeof k->seed);
    if (err == QK_OK) err = qk_lru_init(&k->open, qk_lru_buckets(k->max));
    if (err == QK_OK)
        *out = k;
    else
        node_mackeys_free(k);
    return err;
}

static void key_free(struct node_mackey *key)
{
    if (key == NULL) return;
    if (key->small)
        qk_locked_small_free(key->share);
    else
        qk_locked_free(key->share);
    free(key->record);
    free(key);
}

void node_mackeys_free(struct node_mackeys *k)
{
    if (k == NULL) return;
    while (k->open.oldest != NULL) {
        struct node_mackey *key = QK_LRU_OF(k->open.oldest, struct node_mackey, item);
        qk_lru_remove(&k->open, &key->item);
        key_free(key);
    }
    qk_lru_free(&k->open);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* ---- the table; with the lock ---- */

static uint32_t hash_of(const struct node_mackeys *k, const uint8_t *id)
{
    return qk_lru_hash(k->seed, qk_bytes(id, 16));
}

static bool same_id(const struct qk_lru_item *item, const void *id)
{
    const struct node_mackey *key =
        QK_LRU_OF((struct qk_lru_item *)(uintptr_t)item, struct node_mackey, item);
    return memcmp(key->id, id, 16) == 0;
}

static struct node_mackey *find(struct node_mackeys *k, const uint8_t *id)
{
    return QK_LRU_OF(qk_lru_find(&k->open, hash_of(k, id), same_id, id), struct node_mackey, item);
}

static void close_key(struct node_mackeys *k, struct node_mackey *key)
{
    key->dropped = true;
    qk_lru_remove(&k->open, &key->item);
    if (key->refs == 0) key_free(key);
}

/* Close up to n that nobody uses, those first that were used longest ago. */
static void close_idle(struct node_mackeys *k, size_t n)
{
    struct qk_lru_item *at = k->open.oldest;
    while (at != NULL && n > 0) {
        struct node_mackey *key = QK_LRU_OF(at, struct node_mackey, item);
        at = at->newer;
        if (key->refs > 0) continue;
        close_key(k, key);
        n--;
    }
}

/* ---- opening ---- */

static void *locked(struct node_mackey *key, size_t len)
{
    key->small = len <= QK_LOCKED_SMALL_MAX;
    return key->small ? qk_locked_small_alloc(len) : qk_locked_alloc(len);
}

/* Where locked memory has run out, others that idle give theirs up. */
static qk_err keep_share(
    struct node_mackeys *k, struct node_mackey *key, const struct qk_buf *share)
{
    key->share = locked(key, share->len);
    if (key->share == NULL) {
        pthread_mutex_lock(&k->lock);
        close_idle(k, k->open.n / 4 + 1);
        pthread_mutex_unlock(&k->lock);
        key->share = locked(key, share->len);
    }
    QK_ENSURE(key->share != NULL, QK_E_NOMEM);
    memcpy(key->share, share->p, share->len);
    key->share_len = share->len;
    return QK_OK;
}

static qk_err keep_record(struct node_mackey *key, struct qk_bytes pkrec)
{
    key->record = malloc(pkrec.len);
    QK_ENSURE(key->record != NULL, QK_E_NOMEM);
    memcpy(key->record, pkrec.p, pkrec.len);
    key->record_len = pkrec.len;
    return QK_OK;
}

/* What a version is: its name and its record. */
struct version {
    const uint8_t *key_id;
    uint32_t ver;
    struct qk_bytes pkrec;
};

/* The share of the vault is that of this record, and of this node (check M-13). */
static qk_err load(struct node *node, const struct version *v, struct node_mackey *key)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(MPC_MAC_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(MPC_MAC_RECORD_MAX);
    MPC_MAC_SHARE(share);
    uint32_t epoch;
    QK_TRY(node_vault_share_load(node->vault, key->id, &epoch, &secret, &record));
    QK_ENSURE(qk_bytes_eq(qk_buf_view(&record), v->pkrec), QK_E_MISMATCH);
    QK_TRY(mpc_mac_record_decode(v->pkrec, &key->rec) == QK_OK ? QK_OK : QK_E_CORRUPT);
    bool same = memcmp(key->rec.key_id, v->key_id, 16) == 0 && key->rec.ver == v->ver;
    QK_ENSURE(same && key->rec.e_net == epoch, QK_E_CORRUPT);
    QK_TRY(mpc_mac_share_decode(qk_buf_view(&secret), &share));
    QK_ENSURE(share.self == node_self(node), QK_E_CORRUPT);
    QK_TRY(mpc_mac_share_check(&share, &key->rec));
    QK_TRY(keep_record(key, v->pkrec));
    return keep_share(node->mackeys, key, &secret);
}

/* Take what was just opened into the table, with a reference; *key becomes another's if he was
 * quicker. QK_E_BUSY: what it was opened from may have changed meanwhile. With the lock. */
static qk_err take_in(struct node_mackeys *k, struct node_mackey **key, uint64_t changes)
{
    QK_ENSURE(k->changes == changes, QK_E_BUSY);
    struct node_mackey *other = find(k, (*key)->id);
    if (other != NULL) {
        key_free(*key);
        *key = other;
        other->refs++;
        return QK_OK;
    }
    if (k->open.n >= k->max) close_idle(k, 1 + k->open.n - k->max);
    (*key)->refs = 1;
    qk_lru_add(&k->open, &(*key)->item, hash_of(k, (*key)->id));
    return QK_OK;
}

static qk_err open_once(struct node *node, const struct version *v, const uint8_t id[static 16],
    struct node_mackey **out)
{
    struct node_mackeys *k = node->mackeys;
    struct node_mackey *key = calloc(1, sizeof *key);
    QK_ENSURE(key != NULL, QK_E_NOMEM);
    memcpy(key->id, id, 16);
    pthread_mutex_lock(&k->lock);
    uint64_t changes = k->changes;
    pthread_mutex_unlock(&k->lock);
    qk_err err = load(node, v, key);
    if (err == QK_OK) {
        pthread_mutex_lock(&k->lock);
        err = take_in(k, &key, changes);
        pthread_mutex_unlock(&k->lock);
    }
    if (err == QK_OK)
        *out = key;
    else
        key_free(key);
    return err;
}

qk_err node_mackey_get(struct node *node, const uint8_t key_id[static 16], uint32_t ver,
    struct qk_bytes pkrec, struct node_mackey **out)
{
    struct node_mackeys *k = node->mackeys;
    struct version v = {key_id, ver, pkrec};
    uint8_t id[16];
    QK_TRY(mpc_sym_version_id(id, key_id, ver));
    pthread_mutex_lock(&k->lock);
    struct node_mackey *key = find(k, id);
    bool fits = key != NULL && qk_bytes_eq(qk_bytes(key->record, key->record_len), pkrec);
    if (fits) key->refs++;
    pthread_mutex_unlock(&k->lock);
    if (!fits && key != NULL) return QK_E_MISMATCH;
    if (fits) {
        *out = key;
        return QK_OK;
    }
    qk_err err = QK_E_BUSY;
    for (int i = 0; i < TRIES && err == QK_E_BUSY; i++) err = open_once(node, &v, id, out);
    return err;
}

void node_mackey_put(struct node *node, struct node_mackey *key)
{
    if (key == NULL) return;
    pthread_mutex_lock(&node->mackeys->lock);
    bool last = --key->refs == 0 && key->dropped;
    pthread_mutex_unlock(&node->mackeys->lock);
    if (last) key_free(key);
}

qk_err node_mackey_share(const struct node_mackey *key, struct mpc_mac_share *out)
{
    return mpc_mac_share_decode(qk_bytes(key->share, key->share_len), out);
}

/* ---- destruction ---- */

void node_mackeys_drop(struct node *node, const uint8_t version_id[static 16])
{
    struct node_mackeys *k = node->mackeys;
    pthread_mutex_lock(&k->lock);
    k->changes++;
    struct node_mackey *key = find(k, version_id);
    if (key != NULL) close_key(k, key);
    pthread_mutex_unlock(&k->lock);
}

size_t node_mackeys_count(struct node *node)
{
    pthread_mutex_lock(&node->mackeys->lock);
    size_t n = node->mackeys->open.n;
    pthread_mutex_unlock(&node->mackeys->lock);
    return n;
}
