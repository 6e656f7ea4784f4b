#include "core/rands.h"

#include <stdlib.h>
#include "core/evidence.h"
#include "qk/clock.h"

struct bucket {
    uint64_t bytes; /* that may be taken now */
    uint64_t at_ms; /* when it was filled up last */
};

struct node_rands {
    pthread_mutex_t lock;
    struct qk_rng *rng;
    struct mpc_rand_memory memory;
    struct bucket bucket[WIRE_MEMBERS_MAX];
    uint64_t per_ms, most;
    _Atomic bool failed;
};

qk_err node_rands_new(struct node_rands **out, const struct node *node, struct qk_rng *rng)
{
    struct node_rands *r = calloc(1, sizeof *r);
    QK_ENSURE(r != NULL, QK_E_NOMEM);
    pthread_mutex_init(&r->lock, NULL);
    r->rng = rng;
    r->most = node->conf.rand_kib * 1024; /* a second's worth */
    r->per_ms = r->most / 1000;
    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++)
        r->bucket[i] = (struct bucket){r->most, qk_mono_ms()};
    *out = r;
    return QK_OK;
}

void node_rands_free(struct node_rands *r)
{
    if (r == NULL) return;
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* With the lock. */
static bool take(struct node_rands *r, size_t coordinator, size_t len)
{
    struct bucket *b = &r->bucket[coordinator];
    uint64_t now = qk_mono_ms(), gained = (now - b->at_ms) * r->per_ms;
    b->bytes = gained > r->most - b->bytes ? r->most : b->bytes + gained;
    b->at_ms = now;
    if (b->bytes < len) return false;
    b->bytes -= len;
    return true;
}

static void raise_alarm(struct node *node)
{
    if (atomic_exchange(&node->rands->failed, true)) return;
    qk_log(
        QK_ERROR, "rand.failed", QK_F_STR("do", "this machine's generator is not to be trusted"));
    struct node_audit_entry entry = {.event = "rand.failed",
        .outcome = NODE_AUDIT_ABORT,
        .reason = "G-7",
        .detail = qk_str("the random generator failed or repeats itself")};
    node_evidence(node, &entry, true);
}

static qk_err contribute(struct node *node, const struct mpc_rand_request *req, struct qk_buf *out)
{
    struct node_rands *r = node->rands;
    size_t before = out->len;
    qk_buf_add(out, req->rid, sizeof req->rid);
    uint8_t *at = qk_buf_extend(out, req->len);
    QK_ENSURE(at != NULL, out->err);
    pthread_mutex_lock(&r->lock);
    qk_err err = mpc_rand_contribute(at, req, node_self(node), &r->memory, r->rng);
    pthread_mutex_unlock(&r->lock);
    if (err != QK_OK) out->len = before;
    return err;
}

qk_err node_rand_contribute(struct node *node, size_t coordinator, const uint8_t rid[static 32],
    size_t len, struct qk_buf *out)
{
    struct node_rands *r = node->rands;
    QK_ENSURE(coordinator < WIRE_MEMBERS_MAX, QK_E_STATE);
    QK_ENSURE(len >= MPC_RAND_ASK_MIN && len <= MPC_RAND_MAX, QK_E_MALFORMED);
    QK_ENSURE(!r->failed, QK_E_RNG);
    struct mpc_rand_request req = {.len = (uint16_t)len};
    memcpy(req.rid, rid, sizeof req.rid);
    pthread_mutex_lock(&r->lock);
    bool ok = take(r, coordinator, len);
    pthread_mutex_unlock(&r->lock);
    QK_ENSURE(ok, QK_E_BUSY);
    qk_err err = contribute(node, &req, out);
    if (err == QK_E_RNG) raise_alarm(node);
    return err;
}

bool node_rands_healthy(struct node *node)
{
    return !node->rands->failed;
}
