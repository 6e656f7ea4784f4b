#include "rounds/due.h"

#include <stdlib.h>
#include "kms/decide.h"
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/certify.h"
#include "rounds/chores.h"
#include "rounds/combine.h"
#include "rounds/publisher.h"

enum {
    ATTEMPTS = 3,
    PAGE = 100,
    ROTATIONS_MAX = 20, /* in one run */
    ROTATING_MS = 30000 /* after that long no other one is begun in it */
};

struct due {
    struct coord_engine *engine;
    enum kms_due kind;
    uint64_t now_ms; /* proposed: becomes part of the records */
    const struct kms_record *key;
    struct coord_entry
        version; /* EXPIRE: what expires. ROTATE: the next one, if it is there already */
    struct kms_record *version_record; /* NULL: there is none */
    struct kms_ref version_ref;
    struct qk_buf proposal;
    struct wire_call call;
    struct coord_doubts doubts;
    bool stale;
};

/* ---- what the call rests on ---- */

static void add_ref(struct due *d, const struct kms_ref *ref, const struct kms_record *r)
{
    struct wire_ref *to = &d->call.refs[d->call.n_refs++];
    *to = (struct wire_ref){.kind = (uint8_t)ref->kind, .id = qk_str(ref->id)};
    if (r == NULL) return;
    to->version = r->version;
    memcpy(to->hash, r->hash, 32);
}

static qk_err load_version(struct due *d)
{
    const struct kms_symmetric *sym = &d->key->key.sym;
    uint32_t ver = d->kind == KMS_DUE_EXPIRE ? sym->expiring : sym->n_versions + 1;
    kms_ref_version(d->key->key.key_id, ver, &d->version_ref);
    qk_err err = coord_store_get(d->engine->store, &d->version_ref, &d->version);
    if (err == QK_OK) d->version_record = &d->version.r;
    bool may_lack = d->kind == KMS_DUE_ROTATE && err == QK_E_NOT_FOUND;
    return may_lack ? QK_OK : err;
}

static qk_err prepare(struct due *d, const struct kms_ref *key_ref)
{
    struct kms_proposal p = {.now_ms = d->now_ms};
    d->call = (struct wire_call){.kind = WIRE_CALL_DUE};
    memcpy(d->call.cluster, d->engine->cluster->hash, 32);
    QK_TRY(coord_request_id(d->call.request_id));
    QK_TRY(qk_rng_fill(qk_rng_system(), d->call.rnd, sizeof d->call.rnd));
    add_ref(d, key_ref, d->key);
    if (d->kind != KMS_DUE_DELETE) {
        QK_TRY(load_version(d));
        add_ref(d, &d->version_ref, d->version_record);
    }
    kms_proposal_encode(&p, &d->proposal);
    d->call.proposal = qk_buf_view(&d->proposal);
    return d->proposal.err;
}

/* ---- what the nodes answer ---- */

/* The new material, as the first answer tells; coord_certify compares the others with it. */
static qk_err read_created(
    const struct due *d, const struct coord_attempt *a, struct kms_created *out)
{
    const struct wire_answer *first = &a->replies[0].answer;
    for (uint32_t i = 0; i < first->n_signed; i++) {
        struct kms_record r;
        QK_TRY(kms_record_decode(first->signed_records[i].record, &r));
        if (r.kind != KMS_KIND_VERSION) continue;
        QK_ENSURE(r.version_of.ver == d->key->key.sym.n_versions + 1, QK_E_MISMATCH);
        out->pkrec = r.version_of.pkrec;
        return coord_check_version(
            d->engine->cluster, &r.version_of, d->key->key.sym.modes, out->material_id);
    }
    return QK_E_MISMATCH;
}

/* The records as we make them ourselves. */
static qk_err expect(const struct due *d, const struct coord_attempt *a, struct coord_expected *out)
{
    struct kms_created created = {.pkrec = {0}};
    bool makes = d->kind == KMS_DUE_ROTATE && d->version_record == NULL;
    if (makes) QK_TRY(read_created(d, a, &created));
    struct kms_change *next = calloc(1, sizeof *next);
    QK_ENSURE(next != NULL, QK_E_NOMEM);
    qk_err err = kms_transition_due(
        d->key, d->version_record, d->kind, d->now_ms, makes ? &created : NULL, next);
    if (err == QK_OK) err = coord_expected_of(next, out);
    free(next);
    return err;
}

static qk_err certify(
    struct due *d, const struct coord_attempt *a, const uint16_t *set, struct coord_certified *made)
{
    struct coord_expected e = {.n = 0};
    uint16_t liar = 0;
    qk_err err = expect(d, a, &e);
    if (err == QK_OK) err = coord_certify(d->engine->cluster, a, e.views, e.n, made, &liar);
    coord_expected_free(&e);
    for (size_t i = 0; i < a->n && qk_peer_fault(err); i++)
        coord_doubt(d->engine->nodes, &d->doubts, set[i],
            set[i] == liar ? COORD_DOUBT_LIAR : COORD_DOUBT_FAILED);
    return err;
}

static qk_err attempt(struct due *d, struct coord_certified *made)
{
    struct coord_engine *e = d->engine;
    uint16_t set[WIRE_NODES_MAX];
    bool all = d->kind == KMS_DUE_ROTATE;
    size_t n = all ? e->cluster->n : wire_cluster_quorum(e->cluster);
    QK_TRY(coord_nodes_pick(e->nodes, &d->doubts, n, set));
    d->call.n_peers = (uint32_t)n;
    memcpy(d->call.peers, set, n * sizeof *set);
    struct coord_ask ask = {.engine = e,
        .call = &d->call,
        .set = set,
        .n_set = n,
        .timeout_ms = all ? e->timing.create_ms : e->timing.attempt_ms};
    struct coord_attempt a;
    qk_err err = coord_attempt_run(&ask, &a);
    d->stale = err == QK_OK && a.stale && coord_attempt_adopt(&ask, &a, &d->doubts);
    coord_attempt_judge(&ask, &a, &d->doubts);
    if (err == QK_OK) err = a.all_ok ? certify(d, &a, set, made) : QK_E_TIMEOUT;
    coord_attempt_free(&a);
    return err;
}

/* ---- one key ---- */

static qk_err store(struct due *d, const struct coord_certified *made)
{
    struct coord_engine *e = d->engine;
    struct qk_bytes views[KMS_CHANGE_MAX];
    for (size_t i = 0; i < made->n; i++) views[i] = qk_buf_view(&made->bytes[i]);
    QK_TRY(coord_store_put(e->store, views, made->n));
    if (d->kind == KMS_DUE_ROTATE) QK_TRY(coord_store_sync(e->store)); /* a first record */
    if (e->publisher != NULL) coord_publish(e->publisher, views, made->n);
    return QK_OK;
}

static qk_err carry_out(struct due *d, const struct kms_ref *key_ref)
{
    struct coord_certified made = {.n = 0};
    qk_err err = prepare(d, key_ref);
    if (err != QK_OK) return err;
    err = QK_E_TIMEOUT;
    for (unsigned i = 0; i < ATTEMPTS && err != QK_OK && err != QK_E_BUSY && !d->stale; i++)
        err = attempt(d, &made);
    if (err == QK_OK) err = store(d, &made);
    coord_certified_free(&made);
    return d->stale ? QK_OK : err; /* the newer version is judged at the next look */
}

static qk_err due_one(
    struct coord_engine *e, const struct kms_record *r, enum kms_due kind, uint64_t now_ms)
{
    struct kms_ref ref = {.kind = KMS_KIND_KEY};
    memcpy(ref.id, r->id, sizeof ref.id);
    struct due *d = calloc(1, sizeof *d);
    QK_ENSURE(d != NULL, QK_E_NOMEM);
    d->engine = e;
    d->kind = kind;
    d->now_ms = now_ms;
    d->key = r;
    d->proposal = (struct qk_buf)QK_BUF(KMS_PROPOSAL_ENCODED_MAX);
    qk_err err = carry_out(d, &ref);
    coord_entry_free(&d->version);
    qk_buf_free(&d->proposal);
    free(d);
    return err;
}

/* ---- all that are due ---- */

static const char *name_of(enum kms_due kind)
{
    return kind == KMS_DUE_DELETE ? "delete" : kind == KMS_DUE_ROTATE ? "rotate" : "expire";
}

static void report(const char *key, enum kms_due kind, qk_err err)
{
    qk_log(err == QK_OK ? QK_INFO : QK_WARN, "key.due", QK_F_STR("key", key),
        QK_F_STR("what", name_of(kind)), QK_F_ERR(err));
}

/* Some of the keys whose rotation is due, each as likely as another: where one fails again and
 * again, the others have their turn. */
struct rotations {
    char id[ROTATIONS_MAX][KMS_RECORD_ID_MAX + 1];
    size_t n;
    uint64_t seen;
};

static qk_err random_below(uint64_t n, uint64_t *out)
{
    uint8_t b[8];
    QK_TRY(qk_rng_fill(qk_rng_system(), b, sizeof b));
    *out = qk_get_u64(b) % n; /* nothing secret: a slight preference does no harm */
    return QK_OK;
}

static qk_err note_rotation(struct rotations *r, const char *id)
{
    uint64_t at;
    QK_TRY(random_below(++r->seen, &at));
    if (r->n < ROTATIONS_MAX) at = r->n++;
    if (at < ROTATIONS_MAX) memcpy(r->id[at], id, sizeof r->id[at]);
    return QK_OK;
}

static void rotate(struct coord_engine *e, const char *id, uint64_t now_ms)
{
    struct kms_ref ref = {.kind = KMS_KIND_KEY};
    COORD_AUTO_ENTRY key = {0};
    memcpy(ref.id, id, sizeof ref.id);
    if (coord_store_get(e->store, &ref, &key) != QK_OK) return;
    if (kms_due_of(&key.r.key, now_ms) != KMS_DUE_ROTATE) return; /* changed meanwhile */
    report(id, KMS_DUE_ROTATE, due_one(e, &key.r, KMS_DUE_ROTATE, now_ms));
}

/* What takes more nodes than there are waits for the next look, without a word each time. */
static qk_err rotate_some(struct coord_engine *e, const struct rotations *r, uint64_t now_ms)
{
    uint64_t first, from_ms = qk_mono_ms();
    if (r->n == 0) return QK_OK;
    QK_TRY(random_below(r->n, &first));
    for (size_t i = 0; i < r->n && qk_mono_ms() - from_ms < ROTATING_MS; i++) {
        if (coord_nodes_n_up(e->nodes) != e->cluster->n) break;
        rotate(e, r->id[(first + i) % r->n], now_ms);
    }
    return QK_OK;
}

static qk_err look_at(struct coord_engine *e, const struct kms_record *r, uint64_t now_ms,
    struct rotations *rotations)
{
    enum kms_due kind = kms_due_of(&r->key, now_ms);
    if (kind == KMS_DUE_NOTHING) return QK_OK;
    if (kind == KMS_DUE_ROTATE) return note_rotation(rotations, r->id);
    if (coord_nodes_n_up(e->nodes) >= wire_cluster_quorum(e->cluster))
        report(r->id, kind, due_one(e, r, kind, now_ms));
    return QK_OK;
}

/* Rotations come last: they take seconds each, and one that goes wrong half a minute. */
qk_err coord_due_run(struct coord_engine *e, uint64_t now_ms)
{
    struct coord_due_query query = {.now_ms = now_ms, .limit = PAGE};
    struct rotations rotations = {.n = 0};
    for (bool more = true; more;) {
        COORD_AUTO_PAGE page = {0};
        QK_TRY(coord_store_due(e->store, &query, &page));
        more = page.more;
        for (size_t i = 0; i < page.n; i++)
            QK_TRY(look_at(e, &page.entries[i].r, now_ms, &rotations));
    }
    return rotate_some(e, &rotations, now_ms);
}
