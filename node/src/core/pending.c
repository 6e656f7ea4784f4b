#include "core/pending.h"

#include <stdlib.h>
#include "core/evidence.h"
#include "core/frames.h"
#include "core/records.h"
#include "qk/pack.h"
#include "vault/records.h"

enum {
    CHANGES_MAX = 1024,
    BYTES_MAX = 32u << 20,    /* of all their records */
    ASK_MS = 1000,            /* after signing: an honest coordinator has told by then */
    ASK_AGAIN_MS_MAX = 60000, /* doubling up to this */
};

enum { ASK = 1, KNOWN, MINE, NOT_MINE };

struct change {
    enum kms_kind kind;
    char id[KMS_RECORD_ID_MAX + 1];
    uint64_t version;
    uint8_t hash[32];
    bool restricts; /* what the version before allows it forbids */
    bool abandoned; /* no certificate can exist */
    struct qk_buf record;
    struct {
        uint16_t node;
        uint8_t sig[WIRE_SIG_LEN];
    } by[WIRE_NODES_MAX]; /* ours first */
    size_t n;
    bool not_mine[WIRE_NODES_MAX]; /* by index in the cluster file */
    uint64_t made_ms, ask_ms, every_ms;
    struct change *next;
};

struct node_pending {
    pthread_mutex_t lock;
    struct change *list;
    size_t n, bytes;
    _Atomic size_t n_restricting; /* may be too high for a moment, never too low */
};

qk_err node_pending_new(struct node_pending **out)
{
    struct node_pending *p = calloc(1, sizeof *p);
    QK_ENSURE(p != NULL, QK_E_NOMEM);
    pthread_mutex_init(&p->lock, NULL);
    *out = p;
    return QK_OK;
}

static void change_free(struct change *c)
{
    qk_buf_free(&c->record);
    free(c);
}

/* Unlink and free *at; the lock is held. */
static void drop(struct node_pending *p, struct change **at)
{
    struct change *c = *at;
    *at = c->next;
    p->n--;
    p->bytes -= c->record.len;
    p->n_restricting -= c->restricts;
    change_free(c);
}

void node_pending_free(struct node_pending *p)
{
    if (p == NULL) return;
    while (p->list != NULL) drop(p, &p->list);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- which changes matter ---- */

static bool restricts(const struct kms_record *from, const struct kms_record *to)
{
    if (from->kind == KMS_KIND_CREDENTIAL) return from->credential.active && !to->credential.active;
    return from->kind == KMS_KIND_KEY && from->key.state == KMS_STATE_ENABLED &&
           to->key.state != KMS_STATE_ENABLED;
}

static bool rescues(const struct kms_record *from, const struct kms_record *to)
{
    return from->kind == KMS_KIND_KEY && from->key.state == KMS_STATE_PENDING_DELETION &&
           to->key.state == KMS_STATE_DISABLED;
}

/* Compared with the version this node holds. */
static qk_err look(struct node *node, const struct kms_record *r, bool *matters, bool *restricting)
{
    struct node_known *mine;
    *matters = *restricting = false;
    if (r->version == 1 || (r->kind != KMS_KIND_KEY && r->kind != KMS_KIND_CREDENTIAL))
        return QK_OK;
    qk_err err = node_known_get(node, r->kind, r->id, &mine);
    if (err == QK_E_NOT_FOUND) return QK_OK;
    QK_TRY(err);
    *restricting = restricts(&mine->stored.r, r);
    *matters = r->version > mine->stored.r.version && (*restricting || rescues(&mine->stored.r, r));
    node_known_put(node, mine);
    return QK_OK;
}

/* ---- the list ---- */

static bool about(const struct change *c, enum kms_kind kind, const char *id)
{
    return c->kind == kind && strcmp(c->id, id) == 0;
}

static struct change *find(struct node_pending *p, const uint8_t hash[static 32])
{
    for (struct change *c = p->list; c != NULL; c = c->next)
        if (memcmp(c->hash, hash, 32) == 0) return c;
    return NULL;
}

static void start_clock(struct change *c)
{
    c->abandoned = false;
    memset(c->not_mine, 0, sizeof c->not_mine);
    c->made_ms = qk_mono_ms();
    c->every_ms = ASK_MS;
    c->ask_ms = c->made_ms + ASK_MS;
}

static qk_err insert(struct node *node, const struct kms_record *r, struct qk_bytes encoding,
    const uint8_t *sig, bool restricting)
{
    struct node_pending *p = node->pending;
    QK_ENSURE(p->n < CHANGES_MAX && p->bytes + encoding.len <= BYTES_MAX, QK_E_BUSY);
    struct change *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    c->record = (struct qk_buf)QK_BUF(KMS_RECORD_ENCODED_MAX);
    qk_buf_add(&c->record, encoding.p, encoding.len);
    if (c->record.err != QK_OK) {
        change_free(c);
        return QK_E_NOMEM;
    }
    c->kind = r->kind;
    memcpy(c->id, r->id, sizeof c->id);
    c->version = r->version;
    memcpy(c->hash, r->hash, sizeof c->hash);
    c->restricts = restricting;
    c->by[0].node = node_self(node);
    memcpy(c->by[0].sig, sig, WIRE_SIG_LEN);
    c->n = 1;
    start_clock(c);
    c->next = p->list;
    p->list = c;
    p->n++;
    p->bytes += c->record.len;
    p->n_restricting += restricting;
    return QK_OK;
}

/* Rule 2: while a change that matters is open, no other next version of its record. */
static bool at_odds(struct node_pending *p, const struct kms_record *r)
{
    for (struct change *c = p->list; c != NULL; c = c->next)
        if (!c->abandoned && about(c, r->kind, r->id) && c->version == r->version &&
            memcmp(c->hash, r->hash, 32) != 0)
            return true;
    return false;
}

qk_err node_pending_sign(struct node *node, const struct kms_record *r, struct qk_bytes encoding,
    const uint8_t sig[static WIRE_SIG_LEN], bool *added)
{
    struct node_pending *p = node->pending;
    bool matters, restricting;
    *added = false;
    QK_TRY(look(node, r, &matters, &restricting));
    pthread_mutex_lock(&p->lock);
    struct change *c = find(p, r->hash);
    qk_err err = at_odds(p, r) ? QK_E_CONFLICT : QK_OK;
    if (err == QK_OK && c != NULL) start_clock(c);
    if (err == QK_OK && c == NULL && matters) {
        err = insert(node, r, encoding, sig, restricting);
        *added = err == QK_OK;
    }
    pthread_mutex_unlock(&p->lock);
    return err;
}

/* Changes with this hash; NULL: those of r's record up to its version. */
static void drop_if(struct node_pending *p, const struct kms_record *r, const uint8_t *hash)
{
    pthread_mutex_lock(&p->lock);
    for (struct change **at = &p->list; *at != NULL;) {
        struct change *c = *at;
        bool gone = hash != NULL ? memcmp(c->hash, hash, 32) == 0
                                 : about(c, r->kind, r->id) && c->version <= r->version;
        if (gone)
            drop(p, at);
        else
            at = &c->next;
    }
    pthread_mutex_unlock(&p->lock);
}

void node_pending_withdraw(struct node *node, const uint8_t hash[static 32])
{
    drop_if(node->pending, NULL, hash);
}

void node_pending_settle(struct node *node, const struct kms_record *certified)
{
    drop_if(node->pending, certified, NULL);
}

bool node_pending_forbids(struct node *node, enum kms_kind kind, const char *id)
{
    struct node_pending *p = node->pending;
    bool yes = false;
    if (p->n_restricting == 0) return false;
    pthread_mutex_lock(&p->lock);
    for (struct change *c = p->list; c != NULL && !yes; c = c->next)
        yes = c->restricts && !c->abandoned && about(c, kind, id);
    pthread_mutex_unlock(&p->lock);
    return yes;
}

size_t node_pending_count(struct node *node)
{
    size_t n = 0;
    pthread_mutex_lock(&node->pending->lock);
    for (struct change *c = node->pending->list; c != NULL; c = c->next) n += !c->abandoned;
    pthread_mutex_unlock(&node->pending->lock);
    return n;
}

/* ---- frames ---- */

static void send(
    struct node *node, uint16_t to, unsigned kind, struct qk_bytes body, struct qk_bytes sig)
{
    QK_AUTO_BUF b = QK_BUF(WIRE_MSG_MAX);
    qk_pack_map(&b, 3);
    qk_pack_key_uint(&b, "k", kind);
    qk_pack_key_bin(&b, "body", body);
    qk_pack_key_bin(&b, "sig", sig);
    qk_err err = b.err;
    if (err == QK_OK) err = node_frame_send(node, to, NODE_FRAME_CHANGE, qk_buf_view(&b));
    if (err != QK_OK) qk_log(QK_DEBUG, "change.unsent", QK_F_INT("peer", to), QK_F_ERR(err));
}

static void ask_all(struct node *node, const struct change *c)
{
    for (size_t i = 0; i < node->cluster->n; i++)
        if (node->cluster->nodes[i].id != node_self(node))
            send(node, node->cluster->nodes[i].id, ASK, qk_buf_view(&c->record),
                QK_BYTES(c->by[0].sig));
}

static bool signed_by(const struct change *c, uint16_t node)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->by[i].node == node) return true;
    return false;
}

static bool add_signature(struct change *c, uint16_t from, struct qk_bytes sig)
{
    if (signed_by(c, from)) return false;
    c->by[c->n].node = from;
    memcpy(c->by[c->n++].sig, sig.p, WIRE_SIG_LEN);
    return true;
}

/* The certificate of a change that q nodes have signed; QK_E_MISMATCH: not yet. */
static qk_err certify(const struct node *node, const struct change *c, struct qk_buf *out)
{
    struct kms_cert cert = {.n = 0};
    QK_ENSURE(c->n >= wire_cluster_quorum(node->cluster), QK_E_MISMATCH);
    for (size_t i = 0; i < c->n; i++)
        QK_TRY(kms_cert_add(&cert, c->by[i].node, QK_BYTES(c->by[i].sig)));
    QK_TRY(kms_certified_encode(qk_buf_view(&c->record), &cert, out));
    return out->err;
}

static void accept_found(struct node *node, const char *id, struct qk_bytes certified)
{
    struct node_audit_entry entry = {.event = "change.found",
        .outcome = NODE_AUDIT_INFO,
        .key = qk_str(id),
        .reason = "certified, but no coordinator has told this node"};
    qk_err err = node_record_accept(node, certified, 0);
    if (err == QK_OK) node_evidence(node, &entry, false);
    if (err != QK_OK) qk_log(QK_WARN, "change.found", QK_F_STR("id", id), QK_F_ERR(err));
}

/* The peer's signature was verified. Answer it, and see whether that makes q. */
static void on_signed(
    struct node *node, uint16_t from, bool asked, const struct kms_record *r, struct qk_bytes sig)
{
    struct node_pending *p = node->pending;
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    qk_err err = QK_E_MISMATCH;
    pthread_mutex_lock(&p->lock);
    struct change *c = find(p, r->hash);
    if (c != NULL && asked) send(node, from, MINE, qk_buf_view(&c->record), QK_BYTES(c->by[0].sig));
    if (c == NULL && asked) send(node, from, NOT_MINE, QK_BYTES(r->hash), qk_bytes(NULL, 0));
    if (c != NULL && add_signature(c, from, sig)) err = certify(node, c, &certified);
    pthread_mutex_unlock(&p->lock);
    if (err == QK_OK) accept_found(node, r->id, qk_buf_view(&certified));
}

/* We hold this version or a later one: that settles it for the peer. */
static bool tell_known(struct node *node, uint16_t to, const struct kms_record *r)
{
    struct node_known *mine;
    if (node_known_get(node, r->kind, r->id, &mine) != QK_OK) return false;
    bool settled = mine->stored.r.version >= r->version;
    if (settled) send(node, to, KNOWN, qk_buf_view(&mine->certified), qk_bytes(NULL, 0));
    node_known_put(node, mine);
    return settled;
}

static qk_err receive_signed(
    struct node *node, uint16_t from, bool asked, struct qk_bytes body, struct qk_bytes sig)
{
    struct kms_record r;
    uint8_t msg[KMS_CERT_MSG_LEN];
    QK_ENSURE(sig.len == WIRE_SIG_LEN, QK_E_MALFORMED);
    QK_TRY(kms_record_decode(body, &r));
    QK_ENSURE(r.kind == KMS_KIND_KEY || r.kind == KMS_KIND_CREDENTIAL, QK_E_MALFORMED);
    QK_TRY(kms_cert_message(&r, msg));
    QK_TRY(node_cert_verify(node, from, msg, sig));
    if (!asked || !tell_known(node, from, &r)) on_signed(node, from, asked, &r, sig);
    return QK_OK;
}

/* Only what settles a question of ours. */
static qk_err receive_known(struct node *node, struct qk_bytes certified)
{
    struct qk_bytes record;
    struct kms_cert cert;
    struct kms_record r;
    bool wanted = false;
    QK_TRY(kms_certified_decode(certified, &record, &cert));
    QK_TRY(kms_record_decode(record, &r));
    pthread_mutex_lock(&node->pending->lock);
    for (struct change *c = node->pending->list; c != NULL; c = c->next)
        wanted = wanted || (about(c, r.kind, r.id) && c->version <= r.version);
    pthread_mutex_unlock(&node->pending->lock);
    if (wanted) accept_found(node, r.id, certified);
    return QK_OK;
}

static qk_err receive_not_mine(struct node *node, uint16_t from, struct qk_bytes hash)
{
    QK_ENSURE(hash.len == 32, QK_E_MALFORMED);
    pthread_mutex_lock(&node->pending->lock);
    struct change *c = find(node->pending, hash.p);
    for (size_t i = 0; c != NULL && i < node->cluster->n; i++)
        if (node->cluster->nodes[i].id == from) c->not_mine[i] = true;
    pthread_mutex_unlock(&node->pending->lock);
    return QK_OK;
}

static qk_err receive(struct node *node, uint16_t from, struct qk_bytes frame)
{
    struct qk_unpack u = qk_unpack(frame);
    uint64_t kind;
    struct qk_bytes body, sig;
    QK_TRY(qk_unpack_map(&u, 3));
    QK_TRY(qk_unpack_key_uint(&u, "k", NOT_MINE, &kind));
    QK_TRY(qk_unpack_key_bin(&u, "body", 1, WIRE_MSG_MAX, &body));
    QK_TRY(qk_unpack_key_bin(&u, "sig", 0, WIRE_SIG_LEN, &sig));
    QK_TRY(qk_unpack_end(&u));
    switch (kind) {
    case ASK:
    case MINE:
        return receive_signed(node, from, kind == ASK, body, sig);
    case KNOWN:
        return receive_known(node, body);
    case NOT_MINE:
        return receive_not_mine(node, from, body);
    default:
        return QK_E_MALFORMED;
    }
}

void node_pending_receive(struct node *node, uint16_t from, struct qk_bytes frame)
{
    qk_err err = receive(node, from, frame);
    if (err == QK_OK) return;
    qk_log(QK_WARN, "change.frame", QK_F_INT("peer", from), QK_F_ERR(err));
    if (qk_peer_fault(err)) node_strike(node, from, NULL, "change");
}

/* ---- time ---- */

/* With ours there would be q - 1 others if there were a certificate; so many say no that there are
 * not. Who said no and signed afterwards has not said no. */
static bool cannot_be(const struct node *node, const struct change *c)
{
    size_t n = 0;
    for (size_t i = 0; i < node->cluster->n; i++)
        n += c->not_mine[i] && !signed_by(c, node->cluster->nodes[i].id);
    return n + wire_cluster_quorum(node->cluster) > node->cluster->n;
}

static void tick_change(struct node *node, struct change *c, uint64_t now)
{
    if (c->abandoned) return;
    if (now >= c->made_ms + node->conf.promise_hold_ms && cannot_be(node, c)) {
        struct node_audit_entry entry = {.event = "change.abandoned",
            .outcome = NODE_AUDIT_INFO,
            .key = qk_str(c->id),
            .reason = "signed here, by too few others"};
        c->abandoned = true;
        node_evidence(node, &entry, false);
        return;
    }
    if (now < c->ask_ms) return;
    c->every_ms = 2 * c->every_ms < ASK_AGAIN_MS_MAX ? 2 * c->every_ms : ASK_AGAIN_MS_MAX;
    c->ask_ms = now + c->every_ms;
    ask_all(node, c);
}

void node_pending_tick(struct node *node)
{
    pthread_mutex_lock(&node->pending->lock);
    uint64_t now = qk_mono_ms();
    for (struct change *c = node->pending->list; c != NULL; c = c->next) tick_change(node, c, now);
    pthread_mutex_unlock(&node->pending->lock);
}

void node_pending_on_peer(struct node *node)
{
    pthread_mutex_lock(&node->pending->lock);
    uint64_t soon = qk_mono_ms() + ASK_MS;
    for (struct change *c = node->pending->list; c != NULL; c = c->next)
        if (c->ask_ms > soon) c->ask_ms = soon;
    pthread_mutex_unlock(&node->pending->lock);
}

/* ---- start-up ---- */

struct loading {
    struct node *node;
    struct qk_buf record, after;
    uint8_t sig[WIRE_SIG_LEN];
    bool found;
};

/* Under the vault's lock: copy, look at it later. */
static bool copy_promise(void *arg, const struct node_promise *p)
{
    struct loading *l = arg;
    qk_buf_clear(&l->record);
    qk_buf_clear(&l->after);
    qk_buf_add(&l->after, p->id.p, p->id.len);
    qk_buf_add(&l->record, p->record.p, p->record.len);
    l->found = true;
    memset(l->sig, 0, sizeof l->sig);
    if (p->sig.len == WIRE_SIG_LEN) memcpy(l->sig, p->sig.p, WIRE_SIG_LEN);
    return false;
}

static qk_err take_up(struct loading *l)
{
    struct kms_record r;
    bool added;
    QK_ENSURE(kms_record_decode(qk_buf_view(&l->record), &r) == QK_OK, QK_E_CORRUPT);
    return node_pending_sign(l->node, &r, qk_buf_view(&l->record), l->sig, &added);
}

static qk_err load_kind(struct loading *l, enum kms_kind kind)
{
    struct node_vault *v = l->node->vault;
    qk_buf_clear(&l->after);
    for (;;) {
        l->found = false;
        QK_TRY(
            node_vault_promise_list(v, (uint8_t)kind, qk_buf_view(&l->after), 1, copy_promise, l));
        QK_TRY(l->after.err);
        QK_TRY(l->record.err);
        if (!l->found) return QK_OK;
        QK_TRY(take_up(l));
    }
}

qk_err node_pending_load(struct node *node)
{
    struct loading l = {
        .node = node, .record = QK_BUF(NODE_RECORD_MAX), .after = QK_BUF(NODE_RECORD_ID_MAX)};
    qk_err err = load_kind(&l, KMS_KIND_KEY);
    if (err == QK_OK) err = load_kind(&l, KMS_KIND_CREDENTIAL);
    qk_buf_free(&l.record);
    qk_buf_free(&l.after);
    return err;
}
