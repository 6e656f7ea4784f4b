/* RAND: contributions, their tests, their sum (document 65 section 1). */
#include "mpc/rand.h"

#include <openssl/sha.h>
#include <unistd.h>
#include "qk/secret.h"

struct part {
    uint16_t id;
    bool answered, out; /* out: lost or refused */
    uint8_t bytes[MPC_RAND_MAX];
};

struct mpc_rand {
    enum mpc_rand_state state;
    bool taken;
    size_t len; /* wanted */
    unsigned t;
    struct mpc_rand_request req;
    struct mpc_rand_memory *memory;
    size_t n;
    struct part part[MPC_NODES_MAX];
    uint8_t own[MPC_RAND_MAX]; /* ours; the result once DONE */
};

/* ---- the continuous test (check G-5) ---- */

static bool constant(const uint8_t *p, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 1; i < len; i++) any |= p[i] ^ p[0];
    return any == 0;
}

/* False for a dead or repeating generator; else remembers the bytes, by their hash. */
static bool fresh(struct mpc_rand_memory *memory, uint16_t id, const uint8_t *p, size_t len)
{
    uint8_t hash[32];
    if (len < MPC_RAND_TEST_MIN) return true;
    if (constant(p, len)) return false;
    SHA256(p, len, hash);
    bool again = memory->have[id] && memcmp(memory->last[id], hash, 32) == 0;
    memory->have[id] = true;
    memcpy(memory->last[id], hash, 32);
    return !again;
}

qk_err mpc_rand_contribute(uint8_t *out, const struct mpc_rand_request *req, uint16_t self,
    struct mpc_rand_memory *memory, struct qk_rng *rng)
{
    QK_ENSURE(req->len >= 1 && req->len <= MPC_RAND_MAX, QK_E_MALFORMED);
    QK_ENSURE(self >= 1 && self <= 255, QK_E_STATE);
    qk_err err = qk_rng_fill(rng, out, req->len);
    if (err == QK_OK && !fresh(memory, self, out, req->len)) err = QK_E_RNG;
    if (err != QK_OK) qk_wipe(out, req->len);
    return err;
}

/* ---- combiner ---- */

static qk_err take_nodes(struct mpc_rand *r, const uint16_t *nodes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        QK_ENSURE(nodes[i] >= 1 && nodes[i] <= 255, QK_E_STATE);
        for (size_t j = 0; j < i; j++) QK_ENSURE(nodes[j] != nodes[i], QK_E_STATE);
        r->part[i].id = nodes[i];
    }
    r->n = n;
    return QK_OK;
}

qk_err mpc_rand_start(struct mpc_rand **out, size_t len, unsigned t, const uint16_t *nodes,
    size_t n, struct mpc_rand_memory *memory, struct qk_rng *rng)
{
    QK_ENSURE(len >= 1 && len <= MPC_RAND_MAX, QK_E_STATE);
    QK_ENSURE(t >= 1 && t <= n && n <= MPC_NODES_MAX, QK_E_STATE);
    struct mpc_rand *r = OPENSSL_zalloc(sizeof *r);
    QK_ENSURE(r != NULL, QK_E_NOMEM);
    r->len = len;
    r->t = t;
    r->memory = memory;
    r->req.len = (uint16_t)(len < MPC_RAND_ASK_MIN ? MPC_RAND_ASK_MIN : len);
    qk_err err = take_nodes(r, nodes, n);
    if (err == QK_OK) err = qk_rng_fill(rng, r->req.rid, sizeof r->req.rid);
    if (err == QK_OK) err = qk_rng_fill(rng, r->own, r->req.len);
    if (err != QK_OK) {
        mpc_rand_free(r);
        return err;
    }
    *out = r;
    return QK_OK;
}

void mpc_rand_free(struct mpc_rand *r)
{
    if (r != NULL) OPENSSL_clear_free(r, sizeof *r);
}

const struct mpc_rand_request *mpc_rand_request(const struct mpc_rand *r)
{
    return &r->req;
}

enum mpc_rand_state mpc_rand_state(const struct mpc_rand *r)
{
    return r->state;
}

static struct part *part_of(struct mpc_rand *r, uint16_t id)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->part[i].id == id) return &r->part[i];
    return NULL;
}

static void wipe_parts(struct mpc_rand *r)
{
    for (size_t i = 0; i < r->n; i++) qk_wipe(r->part[i].bytes, sizeof r->part[i].bytes);
}

/* Every counted contribution and our own (check G-4). */
static void combine(struct mpc_rand *r)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; r->part[i].answered && k < r->req.len; k++)
            r->own[k] ^= r->part[i].bytes[k];
    r->state = MPC_RAND_DONE;
    wipe_parts(r);
}

static void settle(struct mpc_rand *r)
{
    size_t counted = 0, open = 0;
    for (size_t i = 0; i < r->n; i++) {
        counted += r->part[i].answered;
        open += !r->part[i].answered && !r->part[i].out;
    }
    if (counted >= r->t) {
        combine(r);
    } else if (counted + open < r->t) {
        r->state = MPC_RAND_UNAVAILABLE;
        wipe_parts(r);
        qk_wipe(r->own, sizeof r->own);
    }
}

static qk_err refuse(struct mpc_rand *r, struct part *p, qk_err why)
{
    p->answered = false;
    p->out = true;
    settle(r);
    return why;
}

/* Equal to ours or to another's in this run: a cloned generator, and nobody knows whose. */
static bool cloned(struct mpc_rand *r, const struct part *p, const uint8_t *bytes)
{
    bool found = CRYPTO_memcmp(r->own, bytes, r->req.len) == 0;
    for (size_t i = 0; i < r->n; i++) {
        struct part *q = &r->part[i];
        if (q == p || !q->answered || CRYPTO_memcmp(q->bytes, bytes, r->req.len) != 0) continue;
        q->answered = false;
        q->out = true;
        found = true;
    }
    return found;
}

qk_err mpc_rand_receive(
    struct mpc_rand *r, uint16_t from, const uint8_t rid[static 32], struct qk_bytes bytes)
{
    struct part *p = part_of(r, from);
    QK_ENSURE(p != NULL, QK_E_STATE);
    if (r->state != MPC_RAND_RUNNING) return QK_OK;
    if (p->answered) return refuse(r, p, QK_E_UNEXPECTED);
    if (p->out) return QK_OK;
    if (memcmp(rid, r->req.rid, 32) != 0 || bytes.len != r->req.len)
        return refuse(r, p, QK_E_MALFORMED);
    bool good = fresh(r->memory, from, bytes.p, bytes.len);
    if (cloned(r, p, bytes.p) || !good) return refuse(r, p, QK_E_PROOF);
    memcpy(p->bytes, bytes.p, bytes.len);
    p->answered = true;
    settle(r);
    return QK_OK;
}

void mpc_rand_lost(struct mpc_rand *r, uint16_t node)
{
    struct part *p = part_of(r, node);
    if (p == NULL || p->answered || r->state != MPC_RAND_RUNNING) return;
    p->out = true;
    settle(r);
}

void mpc_rand_expire(struct mpc_rand *r)
{
    for (size_t i = 0; i < r->n; i++) mpc_rand_lost(r, r->part[i].id);
}

qk_err mpc_rand_take(struct mpc_rand *r, uint8_t *out)
{
    QK_ENSURE(r->state == MPC_RAND_DONE && !r->taken, QK_E_STATE);
    r->taken = true;
    memcpy(out, r->own, r->len);
    qk_wipe(r->own, sizeof r->own);
    return QK_OK;
}

/* ---- pool (check G-6) ---- */

enum { CHUNKS = MPC_RAND_POOL_MAX / MPC_RAND_MAX };

struct chunk {
    uint64_t born_ms;
    size_t at, len; /* bytes left: at .. len */
    uint8_t bytes[MPC_RAND_MAX];
};

struct mpc_rand_pool {
    pid_t owner;
    struct chunk chunk[CHUNKS];
};

qk_err mpc_rand_pool_new(struct mpc_rand_pool **out)
{
    struct mpc_rand_pool *p = qk_locked_alloc(sizeof *p);
    QK_ENSURE(p != NULL, QK_E_NOMEM);
    p->owner = getpid();
    *out = p;
    return QK_OK;
}

void mpc_rand_pool_free(struct mpc_rand_pool *p)
{
    qk_locked_free(p);
}

void mpc_rand_pool_drop(struct mpc_rand_pool *p)
{
    qk_wipe(p->chunk, sizeof p->chunk);
}

/* What a fork copied, and what grew old, is gone. A clock that went back counts as old. */
static void tidy(struct mpc_rand_pool *p, uint64_t now_ms)
{
    if (p->owner != getpid()) {
        mpc_rand_pool_drop(p);
        p->owner = getpid();
    }
    for (size_t i = 0; i < CHUNKS; i++) {
        struct chunk *c = &p->chunk[i];
        bool old = now_ms < c->born_ms || now_ms - c->born_ms > MPC_RAND_POOL_AGE_MS;
        if (c->len > 0 && old) qk_wipe(c, sizeof *c);
    }
}

qk_err mpc_rand_pool_put(struct mpc_rand_pool *p, struct mpc_rand *run, uint64_t now_ms)
{
    tidy(p, now_ms);
    for (size_t i = 0; i < CHUNKS; i++) {
        struct chunk *c = &p->chunk[i];
        if (c->at < c->len) continue;
        size_t len = run->len;
        QK_TRY(mpc_rand_take(run, c->bytes));
        c->born_ms = now_ms;
        c->at = 0;
        c->len = len;
        return QK_OK;
    }
    return QK_E_BUSY;
}

size_t mpc_rand_pool_level(struct mpc_rand_pool *p, uint64_t now_ms)
{
    size_t level = 0;
    tidy(p, now_ms);
    for (size_t i = 0; i < CHUNKS; i++) level += p->chunk[i].len - p->chunk[i].at;
    return level;
}

qk_err mpc_rand_pool_take(struct mpc_rand_pool *p, uint8_t *out, size_t len, uint64_t now_ms)
{
    QK_ENSURE(mpc_rand_pool_level(p, now_ms) >= len, QK_E_BUSY);
    for (size_t i = 0, done = 0; done < len; i++) {
        struct chunk *c = &p->chunk[i];
        size_t some = c->len - c->at < len - done ? c->len - c->at : len - done;
        memcpy(out + done, c->bytes + c->at, some);
        qk_wipe(c->bytes + c->at, some); /* before the caller sees them */
        c->at += some;
        done += some;
    }
    return QK_OK;
}
