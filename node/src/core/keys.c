#include "core/keys.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/secret.h"
#include "vault/setups.h"
#include "vault/shares.h"

_Static_assert(sizeof(struct mpc_key_share) <= QK_LOCKED_SMALL_MAX, "shares share a locked page");

struct node_keys {
    pthread_mutex_t lock;
    struct qk_lru lru; /* opened keys; more are opened again when used */
    size_t max;
    uint64_t drops;       /* keys that were destroyed */
    uint64_t setup_drops; /* setups that were poisoned or destroyed */
};

qk_err node_keys_new(struct node_keys **out, const struct node *node)
{
    struct node_keys *k = calloc(1, sizeof *k);
    QK_ENSURE(k != NULL, QK_E_NOMEM);
    k->max = node->conf.open_keys;
    pthread_mutex_init(&k->lock, NULL);
    qk_err err = qk_lru_init(&k->lru, qk_lru_buckets(k->max));
    if (err == QK_OK)
        *out = k;
    else
        node_keys_free(k);
    return err;
}

static struct node_key *key_of(struct qk_lru_item *item)
{
    return QK_LRU_OF(item, struct node_key, item);
}

static void key_free(struct node_key *key)
{
    if (key == NULL) return;
    for (size_t i = 0; i < QK_COUNT(key->setups); i++) mpc_ot_setup_free(key->setups[i]);
    qk_locked_small_free(key->share);
    free(key->rec_bytes);
    free(key);
}

void node_keys_free(struct node_keys *keys)
{
    if (keys == NULL) return;
    while (keys->lru.oldest != NULL) {
        struct node_key *key = key_of(keys->lru.oldest);
        qk_lru_remove(&keys->lru, &key->item);
        key_free(key);
    }
    qk_lru_free(&keys->lru);
    pthread_mutex_destroy(&keys->lock);
    free(keys);
}

/* ---- opening ---- */

static qk_err open_key(struct node *node, const uint8_t key_id[static 16], struct node_key *key)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(MPC_RECORD_MAX);
    uint32_t epoch;
    QK_TRY(node_vault_share_load(node->vault, key_id, &epoch, &secret, &record));
    QK_TRY(mpc_record_decode(qk_buf_view(&record), &key->rec) == QK_OK ? QK_OK : QK_E_CORRUPT);
    QK_ENSURE(memcmp(key->rec.key_id, key_id, 16) == 0 && key->rec.e_net == epoch, QK_E_CORRUPT);
    QK_TRY(mpc_record_hash_bytes(qk_buf_view(&record), key->rec_hash));
    key->share = qk_locked_small_alloc(sizeof *key->share);
    key->rec_bytes = malloc(record.len);
    QK_ENSURE(key->share != NULL && key->rec_bytes != NULL, QK_E_NOMEM);
    memcpy(key->rec_bytes, record.p, record.len);
    key->rec_len = record.len;
    memcpy(key->key_id, key_id, 16);
    QK_TRY(mpc_key_share_decode(qk_buf_view(&secret), key->share));
    QK_ENSURE(key->share->self == node_self(node), QK_E_CORRUPT);
    return mpc_key_share_check(key->share, &key->rec);
}

static bool is_key(const struct qk_lru_item *item, const void *key_id)
{
    const struct node_key *key =
        (const void *)((const char *)item - offsetof(struct node_key, item));
    return memcmp(key->key_id, key_id, 16) == 0;
}

static uint32_t hash_of(const uint8_t key_id[static 16])
{
    return qk_lru_hash(0, qk_bytes(key_id, 16));
}

static struct node_key *find(struct node_keys *k, const uint8_t key_id[static 16])
{
    return key_of(qk_lru_find(&k->lru, hash_of(key_id), is_key, key_id));
}

static void unlink_key(struct node_keys *k, struct node_key *key)
{
    qk_lru_remove(&k->lru, &key->item);
    key->dropped = true;
    if (key->refs == 0) key_free(key);
}

/* Keys in use stay: their setups must be found when one is poisoned. */
static void evict_oldest(struct node_keys *k)
{
    struct qk_lru_item *at = k->lru.oldest;
    while (at != NULL && key_of(at)->refs > 0) at = at->newer;
    if (at != NULL) unlink_key(k, key_of(at));
}

/* Take a key that was just opened into the table, with a reference. If somebody else was quicker
 * his stays; if a key was destroyed meanwhile it may be this one: it is not kept. */
static struct node_key *take_in(struct node_keys *k, struct node_key *key, uint64_t drops_before)
{
    pthread_mutex_lock(&k->lock);
    struct node_key *other = find(k, key->key_id);
    if (other != NULL) {
        key_free(key);
        key = other;
    } else if (k->drops != drops_before) {
        key->dropped = true;
    } else {
        if (k->lru.n >= k->max) evict_oldest(k);
        qk_lru_add(&k->lru, &key->item, hash_of(key->key_id));
    }
    key->refs++;
    pthread_mutex_unlock(&k->lock);
    return key;
}

qk_err node_key_get(struct node *node, const uint8_t key_id[static 16], struct node_key **out)
{
    struct node_keys *k = node->keys;
    pthread_mutex_lock(&k->lock);
    struct node_key *key = find(k, key_id);
    uint64_t drops = k->drops;
    if (key != NULL) key->refs++;
    pthread_mutex_unlock(&k->lock);
    if (key == NULL) {
        key = calloc(1, sizeof *key);
        QK_ENSURE(key != NULL, QK_E_NOMEM);
        qk_err err = open_key(node, key_id, key);
        if (err != QK_OK) {
            key_free(key);
            return err;
        }
        key = take_in(k, key, drops);
    }
    *out = key;
    return QK_OK;
}

void node_key_put(struct node *node, struct node_key *key)
{
    if (key == NULL) return;
    pthread_mutex_lock(&node->keys->lock);
    if (--key->refs == 0 && key->dropped) key_free(key);
    pthread_mutex_unlock(&node->keys->lock);
}

void node_keys_drop(struct node *node, const uint8_t key_id[static 16])
{
    struct node_keys *k = node->keys;
    pthread_mutex_lock(&k->lock);
    struct node_key *key = find(k, key_id);
    k->drops++;
    if (key != NULL) unlink_key(k, key);
    pthread_mutex_unlock(&k->lock);
}

size_t node_keys_count(struct node *node)
{
    pthread_mutex_lock(&node->keys->lock);
    size_t n = node->keys->lru.n;
    pthread_mutex_unlock(&node->keys->lock);
    return n;
}

/* ---- setups ---- */

static qk_err binding_for(struct node *node, const struct mpc_key_record *rec,
    const uint8_t rec_hash[static 32], uint16_t peer, struct mpc_ot_binding *b)
{
    int self = mpc_record_index(rec, node_self(node)), other = mpc_record_index(rec, peer);
    QK_ENSURE(self >= 0 && other >= 0, QK_E_NOT_FOUND);
    *b = (struct mpc_ot_binding){.curve = rec->curve,
        .e_net = rec->e_net,
        .e_del = rec->e_del,
        .self = rec->nodes[self],
        .peer = rec->nodes[other]};
    memcpy(b->key_id, rec->key_id, 16);
    memcpy(b->rec, rec_hash, 32);
    return QK_OK;
}

static qk_err load_setup(struct node *node, const struct node_setup *info,
    const struct mpc_ot_binding *want, struct mpc_ot_setup **out)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SETUP_MAX);
    QK_TRY(node_vault_setup_load(node->vault, info->id, NULL, &secret));
    return mpc_ot_setup_deserialize(out, qk_buf_view(&secret), want);
}

qk_err node_key_setup(
    struct node *node, struct node_key *key, uint16_t peer, struct mpc_ot_setup **out)
{
    int at = mpc_record_index(&key->rec, peer);
    QK_ENSURE(at >= 0 && peer != node_self(node), QK_E_NOT_FOUND);
    struct node_keys *k = node->keys;
    pthread_mutex_lock(&k->lock);
    struct mpc_ot_setup *have = key->setups[at];
    *out = have == NULL ? NULL : mpc_ot_setup_ref(have);
    uint64_t drops = k->setup_drops;
    pthread_mutex_unlock(&k->lock);
    if (*out != NULL) return QK_OK;
    struct node_setup info;
    struct mpc_ot_binding want;
    uint8_t cls = (uint8_t)mpc_ot_class_of(key->rec.curve);
    QK_TRY(node_vault_setup_find(node->vault, key->key_id, key->rec.e_net, peer, cls, &info));
    QK_TRY(binding_for(node, &key->rec, key->rec_hash, peer, &want));
    QK_TRY(load_setup(node, &info, &want, out));
    pthread_mutex_lock(&k->lock);
    bool gone = k->setup_drops != drops; /* perhaps this very one, while it was being read */
    if (!gone && key->setups[at] == NULL) key->setups[at] = mpc_ot_setup_ref(*out);
    pthread_mutex_unlock(&k->lock);
    if (!gone) return QK_OK;
    mpc_ot_setup_free(*out);
    *out = NULL;
    return QK_E_BUSY;
}

qk_err node_root_get(struct node *node, uint16_t peer, enum mpc_ot_class cls,
    struct mpc_ot_setup **out, uint64_t *created_ms)
{
    static const uint8_t no_key[16] = {0};
    struct node_setup info;
    QK_TRY(node_vault_setup_find(node->vault, no_key, 0, peer, (uint8_t)cls, &info));
    struct mpc_ot_binding want = {.curve = cls == MPC_OT_L1 ? MPC_P256 : MPC_P521};
    for (size_t i = 0; i < node->cluster->n; i++) {
        if (node->peers[i].id == node_self(node)) want.self = node->peers[i];
        if (node->peers[i].id == peer) want.peer = node->peers[i];
    }
    if (created_ms != NULL) *created_ms = info.created_ms;
    if (out == NULL) return QK_OK;
    return load_setup(node, &info, &want, out);
}

qk_err node_setup_store(struct node *node, const struct mpc_ot_setup *setup)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SETUP_MAX);
    const struct mpc_ot_binding *b = mpc_ot_setup_binding(setup);
    const uint8_t *root = mpc_ot_setup_root_id(setup);
    struct node_setup info = {.epoch = b->e_net,
        .peer = b->peer.id,
        .cls = (uint8_t)mpc_ot_setup_class(setup),
        .created_ms = qk_now_ms()};
    memcpy(info.id, mpc_ot_setup_id(setup), 32);
    if (root != NULL) memcpy(info.root, root, 32);
    memcpy(info.key_id, b->key_id, 16);
    memcpy(info.record, b->rec, 32);
    QK_TRY(mpc_ot_setup_serialize(setup, &secret));
    return node_vault_setup_put(node->vault, &info, qk_buf_view(&secret));
}

void node_keys_drop_setup(struct node *node, const uint8_t setup_id[static 32])
{
    struct node_keys *k = node->keys;
    pthread_mutex_lock(&k->lock);
    k->setup_drops++;
    for (struct qk_lru_item *at = k->lru.newest; at != NULL; at = at->older)
        for (size_t i = 0; i < MPC_NODES_MAX; i++) {
            struct node_key *key = key_of(at);
            struct mpc_ot_setup *s = key->setups[i];
            if (s == NULL) continue;
            const uint8_t *root = mpc_ot_setup_root_id(s);
            bool gone = memcmp(mpc_ot_setup_id(s), setup_id, 32) == 0 ||
                        (root != NULL && memcmp(root, setup_id, 32) == 0);
            if (!gone) continue;
            mpc_ot_setup_free(s);
            key->setups[i] = NULL;
        }
    pthread_mutex_unlock(&k->lock);
}
