#include "core/symkeys.h"

#include <stdlib.h>
#include "qk/secret.h"
#include "vault/shares.h"

enum {
    COUNTS_LEAST = 1 << 17, /* counts of about 100 bytes, also of versions that are not open */
    MARGIN = 4096,          /* evaluations that may be under way when a block is asked for */
    TRIES = 8,              /* opening again because something was destroyed meanwhile */
};

/* How often a version was evaluated, as far as this process and the disk know. */
struct node_sym_count {
    struct qk_lru_item item;
    uint8_t key_id[16];
    uint32_t ver;
    uint64_t used;    /* when it was last closed */
    uint64_t durable; /* the disk says so many were used */
    struct node_symkey *open;
};

struct node_symkeys {
    pthread_mutex_t lock;
    struct qk_lru open, counts;
    size_t max, max_counts;
    uint32_t seed;    /* of the hashes: key ids are a coordinator's choice */
    uint64_t changes; /* what an opening under way may have missed */
};

/* ---- names ---- */

struct name {
    const uint8_t *key_id;
    uint32_t ver;
};

static uint32_t hash_of(const struct node_symkeys *k, const struct name *name)
{
    uint8_t ver[4];
    qk_put_u32(ver, name->ver);
    return qk_lru_hash(qk_lru_hash(k->seed, qk_bytes(name->key_id, 16)), QK_BYTES(ver));
}

static bool same_key(const struct qk_lru_item *item, const void *arg)
{
    const struct name *name = arg;
    const struct node_symkey *key =
        QK_LRU_OF((struct qk_lru_item *)(uintptr_t)item, struct node_symkey, item);
    return key->ver == name->ver && memcmp(key->key_id, name->key_id, 16) == 0;
}

static bool same_count(const struct qk_lru_item *item, const void *arg)
{
    const struct name *name = arg;
    const struct node_sym_count *c =
        QK_LRU_OF((struct qk_lru_item *)(uintptr_t)item, struct node_sym_count, item);
    return c->ver == name->ver && memcmp(c->key_id, name->key_id, 16) == 0;
}

static struct node_symkey *find(struct node_symkeys *k, const struct name *name)
{
    return QK_LRU_OF(
        qk_lru_find(&k->open, hash_of(k, name), same_key, name), struct node_symkey, item);
}

static struct node_sym_count *find_count(struct node_symkeys *k, const struct name *name)
{
    return QK_LRU_OF(
        qk_lru_find(&k->counts, hash_of(k, name), same_count, name), struct node_sym_count, item);
}

/* ---- the table ---- */

qk_err node_symkeys_new(struct node_symkeys **out, const struct node *node)
{
    struct node_symkeys *k = calloc(1, sizeof *k);
    QK_ENSURE(k != NULL, QK_E_NOMEM);
    pthread_mutex_init(&k->lock, NULL);
    k->max = node->conf.sym_keys;
    k->max_counts = 4 * k->max > COUNTS_LEAST ? 4 * k->max : COUNTS_LEAST;
    qk_err err = qk_rng_fill(qk_rng_system(), &k->seed, sizeof k->seed);
    if (err == QK_OK) err = qk_lru_init(&k->open, qk_lru_buckets(k->max));
    if (err == QK_OK) err = qk_lru_init(&k->counts, qk_lru_buckets(k->max_counts));
    if (err == QK_OK)
        *out = k;
    else
        node_symkeys_free(k);
    return err;
}

static void key_free(struct node_symkey *key)
{
    if (key == NULL) return;
    mpc_sym_key_free(key->key);
    free(key->record);
    free(key);
}

void node_symkeys_free(struct node_symkeys *k)
{
    if (k == NULL) return;
    while (k->open.oldest != NULL) {
        struct node_symkey *key = QK_LRU_OF(k->open.oldest, struct node_symkey, item);
        qk_lru_remove(&k->open, &key->item);
        key_free(key);
    }
    while (k->counts.oldest != NULL) {
        struct node_sym_count *c = QK_LRU_OF(k->counts.oldest, struct node_sym_count, item);
        qk_lru_remove(&k->counts, &c->item);
        free(c);
    }
    qk_lru_free(&k->open);
    qk_lru_free(&k->counts);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* Out of the table. Who still uses it may go on up to what is durable, so whoever opens it anew has
 * to begin there. */
static void close_key(struct node_symkeys *k, struct node_symkey *key)
{
    struct node_sym_count *c = key->count;
    c->used = key->refs == 0 ? mpc_sym_key_evaluations(key->key) : c->durable;
    c->open = NULL;
    key->count = NULL;
    key->dropped = true;
    qk_lru_remove(&k->open, &key->item);
    if (key->refs == 0) key_free(key);
}

/* Close up to n that nobody uses, those first that were used longest ago. */
static void close_idle(struct node_symkeys *k, size_t n)
{
    struct qk_lru_item *at = k->open.oldest;
    while (at != NULL && n > 0) {
        struct node_symkey *key = QK_LRU_OF(at, struct node_symkey, item);
        at = at->newer;
        if (key->refs > 0) continue;
        close_key(k, key);
        n--;
    }
}

static void forget_oldest_count(struct node_symkeys *k)
{
    struct qk_lru_item *at = k->counts.oldest;
    while (at != NULL && QK_LRU_OF(at, struct node_sym_count, item)->open != NULL) at = at->newer;
    if (at == NULL) return;
    qk_lru_remove(&k->counts, at);
    free(QK_LRU_OF(at, struct node_sym_count, item));
    k->changes++; /* who read the disk before this may have read too little */
}

static struct node_sym_count *count_of(
    struct node_symkeys *k, const struct name *name, uint64_t on_disk)
{
    struct node_sym_count *c = find_count(k, name);
    if (c != NULL) return c;
    c = calloc(1, sizeof *c);
    if (c == NULL) return NULL;
    if (k->counts.n >= k->max_counts) forget_oldest_count(k);
    memcpy(c->key_id, name->key_id, 16);
    c->ver = name->ver;
    c->used = c->durable = on_disk;
    qk_lru_add(&k->counts, &c->item, hash_of(k, name));
    return c;
}

/* ---- opening ---- */

static qk_err counter_name(const struct name *name, char out[static NODE_COUNTER_NAME_MAX])
{
    uint8_t id[16];
    char hex[2 * sizeof id + 1];
    QK_TRY(mpc_sym_version_id(id, name->key_id, name->ver));
    qk_hex(id, sizeof id, hex);
    (void)snprintf(out, NODE_COUNTER_NAME_MAX, "sym-evaluations/%s", hex);
    return QK_OK;
}

static qk_err load(struct node *node, const struct name *name, struct qk_bytes pkrec,
    struct mpc_sym_record *rec, struct mpc_sym_share *share)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(MPC_SYM_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(MPC_SYM_RECORD_MAX);
    uint8_t id[16];
    uint32_t epoch;
    QK_TRY(mpc_sym_version_id(id, name->key_id, name->ver));
    QK_TRY(node_vault_share_load(node->vault, id, &epoch, &secret, &record));
    QK_ENSURE(qk_bytes_eq(qk_buf_view(&record), pkrec), QK_E_MISMATCH);
    QK_TRY(mpc_sym_record_decode_known(pkrec, rec) == QK_OK ? QK_OK : QK_E_CORRUPT);
    bool same = memcmp(rec->key_id, name->key_id, 16) == 0 && rec->ver == name->ver;
    QK_ENSURE(same && rec->e_net == epoch, QK_E_CORRUPT);
    QK_TRY(mpc_sym_share_decode(qk_buf_view(&secret), share));
    return share->self == node_self(node) ? QK_OK : QK_E_CORRUPT;
}

static qk_err fill(struct node_symkey *key, const struct name *name, struct qk_bytes pkrec)
{
    memcpy(key->key_id, name->key_id, 16);
    key->ver = name->ver;
    QK_TRY(mpc_sym_version_id(key->id, name->key_id, name->ver));
    key->record = malloc(pkrec.len);
    QK_ENSURE(key->record != NULL, QK_E_NOMEM);
    memcpy(key->record, pkrec.p, pkrec.len);
    key->record_len = pkrec.len;
    return QK_OK;
}

/* The key object. Where locked memory has run out, others that idle give theirs up. */
static qk_err make(struct node_symkeys *k, struct node_symkey *key,
    const struct mpc_sym_record *rec, const struct mpc_sym_share *share, uint64_t used)
{
    qk_err err = mpc_sym_key_new(&key->key, rec, share, used);
    if (err != QK_E_NOMEM) return err;
    pthread_mutex_lock(&k->lock);
    close_idle(k, k->open.n / 4 + 1);
    pthread_mutex_unlock(&k->lock);
    return mpc_sym_key_new(&key->key, rec, share, used);
}

struct start {
    uint64_t used, on_disk, changes;
};

/* From which count to go on. */
static qk_err begin_count(struct node *node, const struct name *name, struct start *s)
{
    struct node_symkeys *k = node->symkeys;
    char text[NODE_COUNTER_NAME_MAX];
    pthread_mutex_lock(&k->lock);
    const struct node_sym_count *c = find_count(k, name);
    bool known = c != NULL;
    if (known) *s = (struct start){.used = c->used, .on_disk = c->durable};
    s->changes = k->changes;
    pthread_mutex_unlock(&k->lock);
    if (known) return QK_OK;
    QK_TRY(counter_name(name, text));
    QK_TRY(node_vault_counter_get(node->vault, text, &s->on_disk));
    s->used = s->on_disk;
    return QK_OK;
}

/* Take what was just opened into the table, with a reference; *key becomes another's if he was
 * quicker. QK_E_BUSY: what it was opened from may have changed meanwhile. */
static qk_err take_in(struct node_symkeys *k, struct node_symkey **key, const struct start *s)
{
    struct name name = {(*key)->key_id, (*key)->ver};
    struct node_symkey *other = find(k, &name);
    QK_ENSURE(k->changes == s->changes, QK_E_BUSY);
    if (other != NULL) {
        key_free(*key);
        *key = other;
        other->refs++;
        return QK_OK;
    }
    if (k->open.n >= k->max) close_idle(k, 1 + k->open.n - k->max);
    struct node_sym_count *c = count_of(k, &name, s->on_disk);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    QK_ENSURE(c->used == s->used, QK_E_BUSY); /* it was open in between */
    c->open = *key;
    (*key)->count = c;
    atomic_init(&(*key)->durable, c->durable);
    (*key)->refs = 1;
    qk_lru_add(&k->open, &(*key)->item, hash_of(k, &name));
    return QK_OK;
}

static qk_err open_once(struct node *node, const struct name *name, struct qk_bytes pkrec,
    struct node_symkey *key, struct node_symkey **out)
{
    struct node_symkeys *k = node->symkeys;
    MPC_SYM_SHARE(share);
    struct mpc_sym_record rec;
    struct start s = {0};
    QK_TRY(begin_count(node, name, &s));
    QK_TRY(load(node, name, pkrec, &rec, &share));
    QK_TRY(fill(key, name, pkrec));
    QK_TRY(make(k, key, &rec, &share, s.used));
    pthread_mutex_lock(&k->lock);
    qk_err err = take_in(k, &key, &s);
    pthread_mutex_unlock(&k->lock);
    if (err == QK_OK) *out = key;
    return err;
}

static qk_err open_key(
    struct node *node, const struct name *name, struct qk_bytes pkrec, struct node_symkey **out)
{
    qk_err err = QK_E_BUSY;
    for (int i = 0; i < TRIES && err == QK_E_BUSY; i++) {
        struct node_symkey *key = calloc(1, sizeof *key);
        QK_ENSURE(key != NULL, QK_E_NOMEM);
        err = open_once(node, name, pkrec, key, out);
        if (err != QK_OK) key_free(key);
    }
    return err;
}

qk_err node_symkey_get(struct node *node, const uint8_t key_id[static 16], uint32_t ver,
    struct qk_bytes pkrec, struct node_symkey **out)
{
    struct node_symkeys *k = node->symkeys;
    struct name name = {key_id, ver};
    pthread_mutex_lock(&k->lock);
    struct node_symkey *key = find(k, &name);
    bool fits = key != NULL && qk_bytes_eq(qk_bytes(key->record, key->record_len), pkrec);
    if (fits) key->refs++;
    pthread_mutex_unlock(&k->lock);
    if (!fits && key != NULL) return QK_E_MISMATCH;
    if (key == NULL) return open_key(node, &name, pkrec, out);
    *out = key;
    return QK_OK;
}

void node_symkey_put(struct node *node, struct node_symkey *key)
{
    if (key == NULL) return;
    pthread_mutex_lock(&node->symkeys->lock);
    bool last = --key->refs == 0 && key->dropped;
    pthread_mutex_unlock(&node->symkeys->lock);
    if (last) key_free(key);
}

/* ---- counting ---- */

static bool covered(const struct node_symkey *key)
{
    uint64_t used = mpc_sym_key_evaluations(key->key);
    return used + MARGIN <= atomic_load(&key->durable) || used >= MPC_SYM_EVALUATIONS_MAX;
}

/* Where a key that is not in the table any more stops is for its next opening to begin at. */
static void extend(struct node_symkeys *k, struct node_symkey *key, uint64_t to)
{
    pthread_mutex_lock(&k->lock);
    if (key->count != NULL && key->count->durable < to) {
        key->count->durable = to;
        atomic_store(&key->durable, to);
    }
    pthread_mutex_unlock(&k->lock);
}

qk_err node_symkey_reserve(struct node *node, struct node_symkey *key)
{
    char text[NODE_COUNTER_NAME_MAX];
    if (covered(key)) return QK_OK;
    uint64_t to = atomic_load(&key->durable) + NODE_SYM_BLOCK;
    QK_TRY(counter_name(&(struct name){key->key_id, key->ver}, text));
    QK_TRY(node_vault_counter_raise(node->vault, text, to));
    extend(node->symkeys, key, to);
    return covered(key) ? QK_OK : QK_E_BUSY;
}

/* ---- destruction ---- */

void node_symkeys_drop(struct node *node, const uint8_t key_id[static 16], uint32_t ver)
{
    struct node_symkeys *k = node->symkeys;
    pthread_mutex_lock(&k->lock);
    struct node_symkey *key = find(k, &(struct name){key_id, ver});
    k->changes++;
    if (key != NULL) close_key(k, key);
    pthread_mutex_unlock(&k->lock);
}

void node_symkeys_drop_id(struct node *node, const uint8_t version_id[static 16])
{
    struct node_symkeys *k = node->symkeys;
    pthread_mutex_lock(&k->lock);
    k->changes++;
    for (struct qk_lru_item *at = k->open.newest; at != NULL;) {
        struct node_symkey *key = QK_LRU_OF(at, struct node_symkey, item);
        at = at->older;
        if (memcmp(key->id, version_id, sizeof key->id) == 0) close_key(k, key);
    }
    pthread_mutex_unlock(&k->lock);
}

size_t node_symkeys_count(struct node *node)
{
    pthread_mutex_lock(&node->symkeys->lock);
    size_t n = node->symkeys->open.n;
    pthread_mutex_unlock(&node->symkeys->lock);
    return n;
}
