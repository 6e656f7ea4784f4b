#include "core/opens.h"

#include <stdlib.h>
#include "mpc/ecdsa.h"
#include "qk/clock.h"
#include "qk/pack.h"
#include "qk/secret.h"
#include "core/evidence.h"
#include "core/frames.h"
#include "core/keygen.h"
#include "core/presigs.h"
#include "core/records.h"
#include "core/sessions.h"
#include "vault/setups.h"

enum {
    ROOT_MS = 60000,
    ROOT_RENEW_MS = 23 * 3600 * 1000,
    ROOT_RETRY_MS = 5000,  /* between attempts with one peer and class */
    SETUP_RETRY_MS = 5000, /* between attempts to repair setups with one peer */
    DAY_MS = 24 * 3600 * 1000,
    POISON_PER_DAY = 1, /* new setups made without an operator (document 20 section 7.4) */
    POISON_PER_EPOCH = 2,
    ROOTS_PER_HOUR = 30, /* that a peer may open with us, by class; one a day is needed */
    HOUR_MS = 3600 * 1000,
    PEERS = 256,
};

enum open_kind { OPEN_ROOT = 1, OPEN_DERIVE = 2, OPEN_PRESIGN = 3 };

struct open_request {
    enum open_kind kind;
    uint8_t cls;
    uint8_t key_id[16];
    uint16_t peers[WIRE_NODES_MAX];
    uint32_t n_peers;
    uint8_t fresh[32];
};

struct node_opens {
    pthread_mutex_t lock;
    uint64_t root_tried_ms[PEERS][3]; /* by peer and class */
    uint64_t setup_tried_ms[PEERS];
    uint64_t derive_heard_ms[PEERS];
    bool root_busy[PEERS][3];
    bool setup_busy[PEERS][2]; /* a repair under way: ours, the peer's */
    /* when the running hour began, and how many roots a peer opened in it */
    uint64_t root_hour_ms[PEERS][3];
    uint32_t root_opened[PEERS][3];
    unsigned busy[PEERS]; /* sessions opened by a peer that occupy a thread of ours now */
};

qk_err node_opens_new(struct node_opens **out)
{
    struct node_opens *o = calloc(1, sizeof *o);
    QK_ENSURE(o != NULL, QK_E_NOMEM);
    pthread_mutex_init(&o->lock, NULL);
    *out = o;
    return QK_OK;
}

void node_opens_free(struct node_opens *opens)
{
    if (opens == NULL) return;
    pthread_mutex_destroy(&opens->lock);
    free(opens);
}

/* ---- the frame ---- */

static qk_err open_send(struct node *node, uint16_t to, const struct open_request *r)
{
    QK_AUTO_BUF b = QK_BUF(512);
    qk_pack_map(&b, 5);
    qk_pack_key_uint(&b, "k", r->kind);
    qk_pack_key_uint(&b, "c", r->cls);
    qk_pack_key_bin(&b, "key", QK_BYTES(r->key_id));
    qk_pack_key(&b, "peers");
    qk_pack_array(&b, r->n_peers);
    for (uint32_t i = 0; i < r->n_peers; i++) qk_pack_uint(&b, r->peers[i]);
    qk_pack_key_bin(&b, "fresh", QK_BYTES(r->fresh));
    QK_TRY(b.err);
    return node_frame_send(node, to, NODE_FRAME_OPEN, qk_buf_view(&b));
}

static qk_err open_decode(struct qk_bytes in, struct open_request *r)
{
    struct qk_unpack u = qk_unpack(in);
    uint64_t kind, cls;
    QK_TRY(qk_unpack_map(&u, 5));
    QK_TRY(qk_unpack_key_uint(&u, "k", OPEN_PRESIGN, &kind));
    QK_TRY(qk_unpack_key_uint(&u, "c", 2, &cls));
    QK_TRY(qk_unpack_key_fixed(&u, "key", r->key_id, sizeof r->key_id));
    QK_TRY(qk_unpack_key(&u, "peers"));
    QK_TRY(qk_unpack_array(&u, 2, WIRE_NODES_MAX, &r->n_peers));
    for (uint32_t i = 0; i < r->n_peers; i++) {
        uint64_t id;
        QK_TRY(qk_unpack_uint(&u, 255, &id));
        QK_ENSURE(i == 0 || id > r->peers[i - 1], QK_E_MALFORMED);
        r->peers[i] = (uint16_t)id;
    }
    QK_TRY(qk_unpack_key_fixed(&u, "fresh", r->fresh, sizeof r->fresh));
    r->kind = (enum open_kind)kind;
    r->cls = (uint8_t)cls;
    return qk_unpack_end(&u);
}

/* ---- roots ---- */

static const struct mpc_peer *peer_of(const struct node *node, uint16_t id)
{
    for (size_t i = 0; i < node->cluster->n; i++)
        if (node->peers[i].id == id) return &node->peers[i];
    return NULL;
}

static qk_err run_root(struct node *node, uint16_t peer, enum mpc_ot_class cls, uint16_t opener,
    const uint8_t fresh[static 32])
{
    uint8_t hash[32];
    uint16_t culprit;
    struct mpc_session s;
    struct mpc_party *party;
    struct mpc_ot_setup *setup = NULL;
    struct mpc_req req = {.operation = qk_str("RootSetup")};
    memcpy(req.fresh, fresh, 32);
    QK_TRY(mpc_req_hash(hash, &req));
    QK_TRY(mpc_otsetup_root_session(
        &s, cls, peer_of(node, node_self(node)), peer_of(node, peer), node_self(node), hash));
    QK_TRY(mpc_otsetup_start(&party, &s, qk_rng_system()));
    qk_err err = node_session_run(node, party, &s, opener, "root", ROOT_MS, &culprit);
    if (err == QK_OK) err = mpc_otsetup_take(party, &setup);
    if (err == QK_OK) err = node_setup_store(node, setup);
    mpc_ot_setup_free(setup);
    mpc_party_free(party);
    qk_log(err == QK_OK ? QK_INFO : QK_WARN, "root.setup", QK_F_INT("peer", peer),
        QK_F_INT("class", cls), QK_F_ERR(err));
    return err;
}

/* One attempt at a time with a peer and class, not too often. */
static bool begin_root(struct node_opens *o, uint16_t peer, unsigned cls, uint64_t least_ms)
{
    pthread_mutex_lock(&o->lock);
    uint64_t now = qk_mono_ms();
    uint64_t *tried = &o->root_tried_ms[peer & 255][cls];
    bool ok = !o->root_busy[peer & 255][cls] && (*tried == 0 || now - *tried >= least_ms);
    if (ok) {
        *tried = now;
        o->root_busy[peer & 255][cls] = true;
    }
    pthread_mutex_unlock(&o->lock);
    return ok;
}

static void end_root(struct node_opens *o, uint16_t peer, unsigned cls)
{
    pthread_mutex_lock(&o->lock);
    o->root_busy[peer & 255][cls] = false;
    pthread_mutex_unlock(&o->lock);
}

/* Every root that is made stays in the vault for the keys under it: a peer must not fill it. */
static bool root_allowed(struct node_opens *o, uint16_t peer, unsigned cls)
{
    uint64_t *since = &o->root_hour_ms[peer & 255][cls], now = qk_mono_ms();
    uint32_t *opened = &o->root_opened[peer & 255][cls];
    pthread_mutex_lock(&o->lock);
    if (*since == 0 || now - *since >= HOUR_MS) {
        *since = now;
        *opened = 0;
    }
    bool ok = *opened < ROOTS_PER_HOUR;
    *opened += ok;
    pthread_mutex_unlock(&o->lock);
    return ok;
}

static void receive_root(struct node *node, uint16_t from, const struct open_request *r)
{
    if (r->cls != MPC_OT_L1 && r->cls != MPC_OT_L2) return;
    if (!begin_root(node->opens, from, r->cls, ROOT_RETRY_MS / 2)) return;
    if (root_allowed(node->opens, from, r->cls))
        (void)!run_root(node, from, (enum mpc_ot_class)r->cls, from, r->fresh);
    end_root(node->opens, from, r->cls);
}

/* ---- repaired setups ---- */

/* Only keys that callers use are worked for: the system key has no such record and no setups. */
static qk_err key_is_enabled(struct node *node, const uint8_t key_id[static 16])
{
    char id[KMS_UUID_LEN + 1];
    struct node_known *known;
    kms_uuid_text(key_id, id);
    QK_TRY(node_known_get(node, KMS_KIND_KEY, id, &known));
    bool enabled = known->stored.r.key.state == KMS_STATE_ENABLED;
    node_known_put(node, known);
    return enabled ? QK_OK : QK_E_DENIED;
}

/* Would `more` further poisoned setups with this peer still leave a new one allowed? */
static bool within_limits(
    struct node *node, const struct node_key *key, uint16_t peer, unsigned more)
{
    uint64_t in_day = 0, in_epoch = 0, now = qk_now_ms();
    if (node_vault_setup_poisoned(
            node->vault, key->key_id, peer, 0xffffffff, now - DAY_MS, &in_day) != QK_OK ||
        node_vault_setup_poisoned(node->vault, key->key_id, peer, key->rec.e_net, 0, &in_epoch) !=
            QK_OK)
        return false;
    if (in_day + more <= POISON_PER_DAY && in_epoch + more <= POISON_PER_EPOCH) return true;
    qk_log(QK_ERROR, "setup.repair-refused", QK_F_HEX("key", key->key_id, 16),
        QK_F_INT("peer", peer),
        QK_F_STR("do", "this pair failed its checks too often: reshare the key without that node"));
    return false;
}

/* The peer cannot use the setup that we still have: it poisoned it, or a crash kept it from storing
 * its half. Ours is of no use then; giving it up counts like a poisoned one, so that a peer cannot
 * ask for ever. */
static bool give_up(
    struct node *node, const struct node_key *key, uint16_t peer, const struct node_setup *mine)
{
    enum node_setup_status was;
    if (!within_limits(node, key, peer, 1)) return false;
    pthread_mutex_lock(&node->setup_lock);
    qk_err err = node_vault_setup_poison(node->vault, mine->id, qk_now_ms(), &was);
    node_keys_drop_setup(node, mine->id);
    node_presigs_burn_setup(node, mine->id);
    pthread_mutex_unlock(&node->setup_lock);
    struct node_audit_entry entry = {.event = "setup.given-up",
        .outcome = NODE_AUDIT_INFO,
        .peer = peer,
        .detail = qk_str("the peer asked for a new one")};
    node_evidence(node, &entry, true);
    return err == QK_OK;
}

static bool may_derive(
    struct node *node, const struct node_key *key, uint16_t peer, uint16_t opener)
{
    struct node_setup mine;
    uint8_t cls = (uint8_t)mpc_ot_class_of(key->rec.curve);
    if (mpc_record_index(&key->rec, peer) < 0 || peer == node_self(node)) return false;
    qk_err err = node_vault_setup_find(node->vault, key->key_id, key->rec.e_net, peer, cls, &mine);
    if (err == QK_OK) return opener != 0 && give_up(node, key, peer, &mine);
    return err == QK_E_NOT_FOUND && within_limits(node, key, peer, 0);
}

/* A peer's wishes for new setups are heard no more often than we would ask ourselves. */
static bool may_hear(struct node_opens *o, uint16_t peer)
{
    uint64_t now = qk_mono_ms();
    pthread_mutex_lock(&o->lock);
    uint64_t *heard = &o->derive_heard_ms[peer & 255];
    bool ok = *heard == 0 || now - *heard >= SETUP_RETRY_MS / 2;
    if (ok) *heard = now;
    pthread_mutex_unlock(&o->lock);
    return ok;
}

/* When both sides ask at once the lower id's request is the one that counts: the other is answered
 * by nobody and times out. */
static bool begin_derive(struct node *node, uint16_t peer, uint16_t opener)
{
    struct node_opens *o = node->opens;
    pthread_mutex_lock(&o->lock);
    bool *busy = &o->setup_busy[peer & 255][opener != 0];
    bool ok = !*busy && (opener == 0 || opener < node_self(node) || !o->setup_busy[peer & 255][0]);
    if (ok) *busy = true;
    pthread_mutex_unlock(&o->lock);
    return ok;
}

static void end_derive(struct node *node, uint16_t peer, uint16_t opener)
{
    struct node_opens *o = node->opens;
    pthread_mutex_lock(&o->lock);
    o->setup_busy[peer & 255][opener != 0] = false;
    pthread_mutex_unlock(&o->lock);
}

static void derive_now(struct node *node, struct node_key *key, uint16_t peer, uint16_t opener,
    const struct open_request *r)
{
    if (!may_derive(node, key, peer, opener)) return;
    if (opener == 0 && open_send(node, peer, r) != QK_OK) return;
    qk_err err = node_derive_setup(node, key, peer, opener, r->fresh);
    qk_log(QK_INFO, "setup.repair", QK_F_HEX("key", r->key_id, 16), QK_F_INT("peer", peer),
        QK_F_ERR(err));
}

static void run_derive(
    struct node *node, uint16_t peer, uint16_t opener, const struct open_request *r)
{
    struct node_key *key;
    if (opener != 0 && !may_hear(node->opens, opener)) return;
    if (key_is_enabled(node, r->key_id) != QK_OK) return;
    if (!begin_derive(node, peer, opener)) return;
    if (node_key_get(node, r->key_id, &key) == QK_OK) {
        derive_now(node, key, peer, opener, r);
        node_key_put(node, key);
    }
    end_derive(node, peer, opener);
}

/* ---- presignatures ---- */

static qk_err presign_session(struct node *node, struct node_key *key, const struct open_request *r,
    uint16_t opener, struct mpc_ot_setup *const *setups, size_t n_setups, struct mpc_presig **out)
{
    uint8_t hash[32];
    uint16_t culprit;
    struct mpc_session s;
    struct mpc_party *party;
    struct mpc_req req = {.operation = qk_str("presign")};
    memcpy(req.fresh, r->fresh, 32);
    QK_TRY(mpc_req_hash(hash, &req));
    QK_TRY(mpc_record_session(&key->rec, r->peers, r->n_peers, node_self(node), hash, &s));
    struct mpc_ecdsa_params params = {.session = &s,
        .rec = &key->rec,
        .share = &key->share->x,
        .setups = setups,
        .n_setups = n_setups,
        .rng = qk_rng_system()};
    QK_TRY(mpc_ecdsa_start(&party, &params));
    qk_err err = node_session_run(
        node, party, &s, opener, "presign", node->conf.session_timeout_ms, &culprit);
    if (err == QK_OK) err = mpc_ecdsa_take_presig(party, out);
    mpc_party_free(party);
    return err;
}

/* A setup may have been poisoned while the session ran: whoever poisoned it burned the pool before
 * this presignature was in it (document 20 section 6, rule 3). */
static void burn_if_poisoned(struct node *node, const uint8_t setup_id[static 32])
{
    struct node_setup info;
    bool good = node_vault_setup_load(node->vault, setup_id, &info, NULL) == QK_OK &&
                info.status != NODE_SETUP_POISONED;
    if (!good) node_presigs_burn_setup(node, setup_id);
}

static qk_err presign(
    struct node *node, struct node_key *key, const struct open_request *r, uint16_t opener)
{
    struct mpc_ot_setup *setups[MPC_NODES_MAX];
    struct mpc_presig *presig = NULL;
    size_t n = 0;
    qk_err err = key_is_enabled(node, r->key_id);
    for (uint32_t i = 0; err == QK_OK && i < r->n_peers; i++) {
        if (r->peers[i] == node_self(node)) continue;
        err = node_key_setup(node, key, r->peers[i], &setups[n]);
        n += err == QK_OK;
    }
    for (uint32_t i = 0; err == QK_OK && opener == 0 && i < r->n_peers; i++)
        if (r->peers[i] != node_self(node)) err = open_send(node, r->peers[i], r);
    if (err == QK_OK) err = presign_session(node, key, r, opener, setups, n, &presig);
    if (err == QK_OK) err = node_presigs_add(node, key, r->peers, r->n_peers, presig);
    for (size_t i = 0; i < n; i++) burn_if_poisoned(node, mpc_ot_setup_id(setups[i]));
    for (size_t i = 0; i < n; i++) mpc_ot_setup_free(setups[i]);
    return err;
}

static void run_presign(struct node *node, uint16_t opener, const struct open_request *r)
{
    struct node_key *key;
    bool self = false;
    for (uint32_t i = 0; i < r->n_peers; i++) self = self || r->peers[i] == node_self(node);
    bool fits = self && (opener == 0 || opener == r->peers[0]);
    if (!fits || !node_presigs_begin(node, r->key_id, r->peers, r->n_peers)) return;
    if (node_key_get(node, r->key_id, &key) == QK_OK) {
        qk_err err = presign(node, key, r, opener);
        if (err != QK_OK) qk_log(QK_DEBUG, "presign", QK_F_ERR(err));
        node_key_put(node, key);
    }
    node_presigs_end(node, r->key_id, r->peers, r->n_peers);
}

/* ---- in and out ---- */

/* A session that its opener lets hang keeps a thread until it times out: a peer gets its share. */
static bool begin_open(struct node *node, uint16_t from)
{
    struct node_opens *o = node->opens;
    pthread_mutex_lock(&o->lock);
    bool ok = o->busy[from & 255] < node_peer_share(node, NODE_BACKGROUND_THREADS);
    o->busy[from & 255] += ok;
    pthread_mutex_unlock(&o->lock);
    return ok;
}

static void end_open(struct node *node, uint16_t from)
{
    pthread_mutex_lock(&node->opens->lock);
    node->opens->busy[from & 255]--;
    pthread_mutex_unlock(&node->opens->lock);
}

static void serve_open(struct node *node, uint16_t from, const struct open_request *r)
{
    switch (r->kind) {
    case OPEN_ROOT:
        receive_root(node, from, r);
        break;
    case OPEN_DERIVE:
        run_derive(node, from, from, r);
        break;
    case OPEN_PRESIGN:
        run_presign(node, from, r);
        break;
    }
}

void node_opens_receive(struct node *node, uint16_t from, struct qk_bytes body)
{
    struct open_request r = {0};
    if (open_decode(body, &r) != QK_OK) {
        qk_log(QK_WARN, "frame.malformed", QK_F_INT("peer", from));
        return;
    }
    if (!begin_open(node, from)) return;
    serve_open(node, from, &r);
    end_open(node, from);
}

struct job {
    struct node *node;
    uint16_t peer;
    struct open_request r;
};

static void run_job(void *arg)
{
    struct job *job = arg;
    struct node *node = job->node;
    switch (job->r.kind) {
    case OPEN_ROOT:
        if (open_send(node, job->peer, &job->r) == QK_OK)
            (void)!run_root(node, job->peer, (enum mpc_ot_class)job->r.cls, 0, job->r.fresh);
        end_root(node->opens, job->peer, job->r.cls);
        break;
    case OPEN_DERIVE:
        run_derive(node, job->peer, 0, &job->r);
        break;
    case OPEN_PRESIGN:
        run_presign(node, 0, &job->r);
        break;
    }
    free(job);
}

static bool schedule(struct node *node, uint16_t peer, const struct open_request *r)
{
    struct job *job = malloc(sizeof *job);
    if (job == NULL) return false;
    *job = (struct job){node, peer, *r};
    bool ok = qk_rng_fill(qk_rng_system(), job->r.fresh, 32) == QK_OK &&
              qk_pool_run(node->background, run_job, job) == QK_OK;
    if (!ok) free(job);
    return ok;
}

static void pair_of(struct node *node, uint16_t peer, struct open_request *r)
{
    uint16_t self = node_self(node);
    r->peers[0] = self < peer ? self : peer;
    r->peers[1] = self < peer ? peer : self;
    r->n_peers = 2;
}

void node_opens_want_setup(struct node *node, const uint8_t key_id[static 16], uint16_t peer)
{
    struct node_opens *o = node->opens;
    pthread_mutex_lock(&o->lock);
    uint64_t now = qk_mono_ms();
    uint64_t *tried = &o->setup_tried_ms[peer & 255];
    bool ok = *tried == 0 || now - *tried >= SETUP_RETRY_MS;
    if (ok) *tried = now;
    pthread_mutex_unlock(&o->lock);
    if (!ok) return;
    struct open_request r = {.kind = OPEN_DERIVE};
    memcpy(r.key_id, key_id, 16);
    pair_of(node, peer, &r);
    (void)schedule(node, peer, &r);
}

void node_opens_want_presig(
    struct node *node, const uint8_t key_id[static 16], const uint16_t *peers, size_t n_peers)
{
    struct open_request r = {.kind = OPEN_PRESIGN, .n_peers = (uint32_t)n_peers};
    memcpy(r.key_id, key_id, 16);
    memcpy(r.peers, peers, n_peers * sizeof *peers);
    (void)schedule(node, 0, &r);
}

bool node_opens_root_ready(struct node *node, uint16_t peer, enum mpc_ot_class cls)
{
    return node_root_get(node, peer, cls, NULL, NULL) == QK_OK;
}

void node_opens_tick(struct node *node)
{
    for (size_t i = 0; i < node->cluster->n; i++) {
        uint16_t peer = node->cluster->nodes[i].id;
        if (peer <= node_self(node) || !wire_mesh_peer_up(node->mesh, peer)) continue;
        for (unsigned cls = MPC_OT_L1; cls <= MPC_OT_L2; cls++) {
            uint64_t created = 0;
            qk_err err = node_root_get(node, peer, (enum mpc_ot_class)cls, NULL, &created);
            bool due =
                err == QK_E_NOT_FOUND || (err == QK_OK && qk_now_ms() > created + ROOT_RENEW_MS);
            if (!due || !begin_root(node->opens, peer, cls, ROOT_RETRY_MS)) continue;
            struct open_request r = {.kind = OPEN_ROOT, .cls = (uint8_t)cls};
            pair_of(node, peer, &r);
            if (!schedule(node, peer, &r)) end_root(node->opens, peer, cls);
        }
    }
}
