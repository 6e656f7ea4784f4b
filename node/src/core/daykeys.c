#include "core/daykeys.h"

#include <stdlib.h>
#include <time.h>
#include <sodium.h>
#include "kms/credential.h"
#include "kms/sigv4.h"
#include "mpc/dprf.h"
#include "qk/clock.h"
#include "core/evidence.h"
#include "core/frames.h"
#include "core/keys.h"
#include "core/records.h"

enum {
    CACHE_MAX = 256,         /* day keys */
    INTEREST_MAX = 256,      /* access keys in use */
    INTEREST_MS = 60000,     /* how long a request makes its partial available to peers */
    WAIT_MS = 4000,          /* for partials */
    WAIT_INTEREST_MS = 2000, /* a peer's ASK waits so long for our own request */
    WAITING_MAX = 64,        /* askings under way */
    ASKS_PER_MINUTE = 600,   /* of one peer */
};

struct day_key {
    struct qk_sec32 key; /* the signing key */
    char access_key_id[KMS_AKID_LEN + 1];
    char date[9];
    char service[4];
    uint32_t serial;
    uint64_t used;
};

struct interest {
    char access_key_id[KMS_AKID_LEN + 1];
    uint64_t until_ms;
};

/* One asking: the partials that came for it. */
struct asking {
    uint32_t number;
    struct mpc_dprf_part parts[WIRE_NODES_MAX];
    uint8_t bytes[WIRE_NODES_MAX][MPC_DPRF_PARTIAL_LEN];
    size_t n;
    struct asking *next;
};

struct node_daykeys {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    struct day_key *cache; /* CACHE_MAX, locked memory */
    uint64_t clock;
    struct interest interests[INTEREST_MAX];
    struct asking *askings;
    size_t n_askings;
    uint32_t next_number;
    uint64_t minute_ms;
    uint32_t asks[256];    /* by peer, in the running minute */
    uint32_t waiting[256]; /* by peer: asks that wait for our own request now */
};

qk_err node_daykeys_new(struct node_daykeys **out)
{
    struct node_daykeys *d = calloc(1, sizeof *d);
    QK_ENSURE(d != NULL, QK_E_NOMEM);
    d->cache = qk_locked_alloc(CACHE_MAX * sizeof *d->cache);
    if (d->cache == NULL) {
        free(d);
        return QK_E_NOMEM;
    }
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->moved, &attr);
    pthread_condattr_destroy(&attr);
    *out = d;
    return QK_OK;
}

void node_daykeys_free(struct node_daykeys *d)
{
    if (d == NULL) return;
    qk_locked_free(d->cache);
    pthread_cond_destroy(&d->moved);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static struct timespec in_ms(uint64_t ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* ---- interest ---- */

void node_daykeys_interest(struct node *node, struct qk_bytes akid)
{
    struct node_daykeys *d = node->daykeys;
    if (!kms_akid_valid(akid)) return;
    pthread_mutex_lock(&d->lock);
    struct interest *slot = &d->interests[0];
    for (size_t i = 0; i < INTEREST_MAX; i++) {
        struct interest *x = &d->interests[i];
        if (qk_bytes_is(akid, x->access_key_id)) {
            slot = x;
            break;
        }
        if (x->until_ms < slot->until_ms) slot = x;
    }
    memcpy(slot->access_key_id, akid.p, KMS_AKID_LEN);
    slot->access_key_id[KMS_AKID_LEN] = 0;
    slot->until_ms = qk_mono_ms() + INTEREST_MS;
    pthread_cond_broadcast(&d->moved);
    pthread_mutex_unlock(&d->lock);
}

static bool interested(const struct node_daykeys *d, struct qk_bytes akid)
{
    uint64_t now = qk_mono_ms();
    for (size_t i = 0; i < INTEREST_MAX; i++)
        if (d->interests[i].until_ms > now && qk_bytes_is(akid, d->interests[i].access_key_id))
            return true;
    return false;
}

/* ---- the function ---- */

static void request_of(struct mpc_dprf_request *req, const struct node_key *system,
    struct qk_bytes akid, const uint8_t serial[static 4])
{
    *req = (struct mpc_dprf_request){.purpose = qk_str(KMS_CREDENTIAL_PURPOSE), .n_fields = 2};
    req->fields[0] = akid;
    req->fields[1] = qk_bytes(serial, 4);
    memcpy(req->key_id, system->key_id, 16);
    memcpy(req->rec, system->rec_hash, 32);
}

static qk_err system_key(struct node *node, struct qk_bytes pkrec, struct node_key **out)
{
    struct mpc_key_record rec;
    QK_TRY(mpc_record_decode(pkrec, &rec));
    QK_TRY(node_key_get(node, rec.key_id, out));
    bool same = (*out)->rec_len == pkrec.len && memcmp((*out)->rec_bytes, pkrec.p, pkrec.len) == 0;
    if (same) return QK_OK;
    node_key_put(node, *out);
    return QK_E_MISMATCH;
}

qk_err node_credential_seal(struct node *node, struct qk_bytes akid, uint32_t serial,
    struct qk_bytes system_pkrec, const uint8_t response_key[static 32], struct qk_buf *out)
{
    struct node_key *system;
    struct mpc_dprf_request req;
    uint8_t be[4], x[32], partial[MPC_DPRF_PARTIAL_LEN];
    qk_put_u32(be, serial);
    QK_TRY(system_key(node, system_pkrec, &system));
    request_of(&req, system, akid, be);
    qk_err err = mpc_dprf_input(x, &req);
    if (err == QK_OK) err = mpc_dprf_eval(partial, system->share, x, qk_rng_system());
    node_key_put(node, system);
    if (err == QK_OK) {
        uint8_t *at = qk_buf_extend(out, sizeof partial + crypto_box_SEALBYTES);
        err = at == NULL                                                        ? out->err
              : crypto_box_seal(at, partial, sizeof partial, response_key) == 0 ? QK_OK
                                                                                : QK_E_MALFORMED;
    }
    qk_wipe(partial, sizeof partial);
    return err;
}

/* ---- asking ---- */

static bool cached(struct node_daykeys *d, const struct kms_credential *c, struct qk_bytes date,
    struct qk_bytes service, struct qk_sec32 *out)
{
    for (size_t i = 0; i < CACHE_MAX; i++) {
        struct day_key *k = &d->cache[i];
        if (k->used == 0 || k->serial != c->serial || !qk_bytes_is(date, k->date) ||
            !qk_bytes_is(service, k->service) || !qk_bytes_is(c->access_key_id, k->access_key_id))
            continue;
        k->used = ++d->clock;
        *out = k->key;
        return true;
    }
    return false;
}

static void remember(struct node_daykeys *d, const struct kms_credential *c, struct qk_bytes date,
    struct qk_bytes service, const struct qk_sec32 *key)
{
    struct day_key *oldest = &d->cache[0];
    for (size_t i = 1; i < CACHE_MAX; i++)
        if (d->cache[i].used < oldest->used) oldest = &d->cache[i];
    qk_wipe(oldest, sizeof *oldest);
    oldest->key = *key;
    oldest->serial = c->serial;
    oldest->used = ++d->clock;
    memcpy(oldest->access_key_id, c->access_key_id.p, KMS_AKID_LEN);
    memcpy(oldest->date, date.p, 8);
    memcpy(oldest->service, service.p, service.len);
}

static qk_err send_asks(struct node *node, const struct mpc_dprf_request *req, uint32_t number,
    const uint16_t *peers, size_t n_peers)
{
    QK_AUTO_BUF body = QK_BUF(MPC_DPRF_REQUEST_MAX + 4);
    qk_buf_add_u32(&body, number);
    QK_TRY(mpc_dprf_request_encode(req, &body));
    for (size_t i = 0; i < n_peers; i++)
        if (peers[i] != node_self(node))
            (void)!node_frame_send(node, peers[i], NODE_FRAME_ASK, qk_buf_view(&body));
    return QK_OK;
}

/* Wait until t good partials are there; combine. The caller holds the lock. */
static qk_err gather(struct node *node, struct asking *a, const struct mpc_key_record *rec,
    const uint8_t x[static 32], struct qk_sec32 *w)
{
    struct node_daykeys *d = node->daykeys;
    struct timespec until = in_ms(WAIT_MS);
    size_t tried = 0;
    for (;;) {
        if (a->n >= rec->t && a->n > tried) {
            tried = a->n;
            qk_err err = mpc_dprf_combine(rec, x, a->parts, a->n, w);
            for (size_t i = 0; i < a->n; i++)
                if (a->parts[i].verdict != QK_OK) {
                    struct node_audit_entry entry = {.event = "credential.partial",
                        .outcome = NODE_AUDIT_ABORT,
                        .reason = "S-4",
                        .peer = a->parts[i].id};
                    node_evidence(node, &entry, false);
                    node_strike(node, a->parts[i].id, NULL, "S-4");
                }
            if (err != QK_E_PROOF) return err;
        }
        if (pthread_cond_timedwait(&d->moved, &d->lock, &until) != 0) return QK_E_TIMEOUT;
    }
}

static void enlist(struct node_daykeys *d, struct asking *a)
{
    a->number = ++d->next_number;
    a->next = d->askings;
    d->askings = a;
    d->n_askings++;
}

static void delist(struct node_daykeys *d, struct asking *a)
{
    struct asking **at = &d->askings;
    while (*at != a) at = &(*at)->next;
    *at = a->next;
    d->n_askings--;
}

static qk_err derive(struct node *node, struct node_key *system, const struct kms_credential *c,
    const uint16_t *peers, size_t n_peers, struct qk_sec32 *w)
{
    struct node_daykeys *d = node->daykeys;
    struct mpc_dprf_request req;
    uint8_t be[4], x[32];
    qk_put_u32(be, c->serial);
    request_of(&req, system, c->access_key_id, be);
    QK_TRY(mpc_dprf_input(x, &req));
    struct asking *a = calloc(1, sizeof *a);
    QK_ENSURE(a != NULL, QK_E_NOMEM);
    a->parts[0] = (struct mpc_dprf_part){node_self(node), QK_BYTES(a->bytes[0]), QK_OK};
    a->n = 1;
    qk_err err = mpc_dprf_eval(a->bytes[0], system->share, x, qk_rng_system());
    pthread_mutex_lock(&d->lock);
    if (err == QK_OK && d->n_askings >= WAITING_MAX) err = QK_E_BUSY;
    if (err == QK_OK) {
        enlist(d, a);
        pthread_mutex_unlock(&d->lock);
        err = send_asks(node, &req, a->number, peers, n_peers);
        pthread_mutex_lock(&d->lock);
        if (err == QK_OK) err = gather(node, a, &system->rec, x, w);
        delist(d, a);
    }
    pthread_mutex_unlock(&d->lock);
    qk_wipe(a, sizeof *a);
    free(a);
    return err;
}

bool node_daykey_cached(struct node *node, const struct kms_credential *c, struct qk_bytes date,
    struct qk_bytes service, struct qk_sec32 *out)
{
    pthread_mutex_lock(&node->daykeys->lock);
    bool have = cached(node->daykeys, c, date, service, out);
    pthread_mutex_unlock(&node->daykeys->lock);
    return have;
}

qk_err node_daykey_get(struct node *node, const struct kms_credential *c,
    const struct kms_system *system, struct qk_bytes date, struct qk_bytes service,
    const uint16_t *peers, size_t n_peers, struct qk_sec32 *out)
{
    struct node_daykeys *d = node->daykeys;
    QK_ENSURE(
        date.len == 8 && service.len == 3 && c->access_key_id.len == KMS_AKID_LEN, QK_E_STATE);
    if (node_daykey_cached(node, c, date, service, out)) return QK_OK;

    struct node_key *key;
    QK_SEC32(w);
    QK_SEC32(day);
    KMS_SECRET_TEXT(text);
    QK_TRY(system_key(node, system->pkrec, &key));
    qk_err err = derive(node, key, c, peers, n_peers, &w);
    node_key_put(node, key);
    QK_TRY(err);
    kms_secret_from_prf(&w, &text);
    QK_TRY(kms_sigv4_day_key(qk_bytes(text.text, KMS_SECRET_TEXT_LEN), date, &day));
    QK_TRY(kms_sigv4_signing_key(&day, qk_str(node->cluster->region), service, out));
    pthread_mutex_lock(&d->lock);
    remember(d, c, date, service, out);
    pthread_mutex_unlock(&d->lock);
    return QK_OK;
}

void node_daykeys_on_partial(struct node *node, uint16_t from, struct qk_bytes body)
{
    struct node_daykeys *d = node->daykeys;
    if (body.len != 4 + MPC_DPRF_PARTIAL_LEN) return;
    uint32_t number = qk_get_u32(body.p);
    pthread_mutex_lock(&d->lock);
    for (struct asking *a = d->askings; a != NULL; a = a->next) {
        if (a->number != number || a->n >= WIRE_NODES_MAX) continue;
        bool heard = false;
        for (size_t i = 0; i < a->n; i++) heard = heard || a->parts[i].id == from;
        if (heard) break;
        memcpy(a->bytes[a->n], body.p + 4, MPC_DPRF_PARTIAL_LEN);
        a->parts[a->n] = (struct mpc_dprf_part){from, QK_BYTES(a->bytes[a->n]), QK_OK};
        a->n++;
        pthread_cond_broadcast(&d->moved);
        break;
    }
    pthread_mutex_unlock(&d->lock);
}

/* ---- answering ---- */

/* Asks of this peer in the running minute, this one included. */
static uint32_t count_ask(struct node_daykeys *d, uint16_t from)
{
    pthread_mutex_lock(&d->lock);
    uint64_t now = qk_mono_ms();
    if (now - d->minute_ms >= 60000) {
        d->minute_ms = now;
        memset(d->asks, 0, sizeof d->asks);
    }
    uint32_t n = ++d->asks[from & 255];
    pthread_mutex_unlock(&d->lock);
    return n;
}

/* Wait a moment for a request of our own that names this access key. A peer that lets too many wait
 * is not waited for: its asks must not hold up those of the others. */
static bool wait_interested(struct node *node, uint16_t from, struct qk_bytes akid)
{
    struct node_daykeys *d = node->daykeys;
    struct timespec until = in_ms(WAIT_INTEREST_MS);
    pthread_mutex_lock(&d->lock);
    bool ok = interested(d, akid);
    if (!ok && d->waiting[from & 255] < node_peer_share(node, NODE_ASKS_THREADS)) {
        d->waiting[from & 255]++;
        do ok = pthread_cond_timedwait(&d->moved, &d->lock, &until) == 0;
        while (ok && !interested(d, akid));
        d->waiting[from & 255]--;
    }
    pthread_mutex_unlock(&d->lock);
    return ok;
}

static qk_err may_answer(struct node *node, uint16_t from, const struct mpc_dprf_request *req)
{
    struct qk_bytes akid = req->fields[0];
    QK_ENSURE(qk_bytes_is(req->purpose, KMS_CREDENTIAL_PURPOSE) && req->n_fields == 2, QK_E_DENIED);
    QK_ENSURE(kms_akid_valid(akid) && req->fields[1].len == 4, QK_E_DENIED);
    QK_ENSURE(wait_interested(node, from, akid), QK_E_DENIED);
    char id[KMS_AKID_LEN + 1] = {0};
    memcpy(id, akid.p, KMS_AKID_LEN);
    struct node_known *credential;
    QK_TRY(node_known_get(node, KMS_KIND_CREDENTIAL, id, &credential));
    bool ok = credential->stored.r.credential.active &&
              credential->stored.r.credential.serial == qk_get_u32(req->fields[1].p);
    node_known_put(node, credential);
    return ok ? QK_OK : QK_E_DENIED;
}

static qk_err partial_for(
    struct node *node, const struct mpc_dprf_request *req, uint8_t out[static MPC_DPRF_PARTIAL_LEN])
{
    struct node_known *system;
    struct node_key *key = NULL;
    uint8_t x[32];
    QK_TRY(node_known_get(node, KMS_KIND_SYSTEM, "system", &system));
    qk_err err = system_key(node, system->stored.r.system.pkrec, &key);
    if (err == QK_OK &&
        (memcmp(key->key_id, req->key_id, 16) != 0 || memcmp(key->rec_hash, req->rec, 32) != 0))
        err = QK_E_MISMATCH;
    if (err == QK_OK) err = mpc_dprf_input(x, req);
    if (err == QK_OK) err = mpc_dprf_eval(out, key->share, x, qk_rng_system());
    node_key_put(node, key);
    node_known_put(node, system);
    return err;
}

void node_daykeys_on_ask(struct node *node, uint16_t from, struct qk_bytes body)
{
    struct mpc_dprf_request req;
    if (body.len < 4 ||
        mpc_dprf_request_decode(qk_bytes(body.p + 4, body.len - 4), &req) != QK_OK) {
        qk_log(QK_WARN, "frame.malformed", QK_F_INT("peer", from));
        return;
    }
    /* The first one too many is written down, the rest dropped: or a peer could fill our disk. */
    uint32_t n = count_ask(node->daykeys, from);
    if (n > ASKS_PER_MINUTE + 1) return;
    uint8_t answer[4 + MPC_DPRF_PARTIAL_LEN];
    memcpy(answer, body.p, 4);
    qk_err err = n > ASKS_PER_MINUTE ? QK_E_DENIED : may_answer(node, from, &req);
    if (err == QK_OK) err = partial_for(node, &req, answer + 4);
    struct node_audit_entry entry = {.event = "credential.ask",
        .outcome = err == QK_OK ? NODE_AUDIT_ALLOW : NODE_AUDIT_DENY,
        .peer = from,
        .reason = err == QK_OK ? NULL : qk_err_name(err),
        .detail = req.n_fields > 0 && kms_akid_valid(req.fields[0]) ? req.fields[0] : qk_str("")};
    if (node_audit_write(node->audit, &entry, qk_now_ms(), false) != QK_OK && err == QK_OK)
        err = QK_E_IO;
    size_t len = err == QK_OK ? sizeof answer : 4;
    (void)!node_frame_send(node, from, NODE_FRAME_PARTIAL, qk_bytes(answer, len));
    qk_wipe(answer, sizeof answer);
}
