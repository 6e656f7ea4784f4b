#include "coordsym.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "mpc/session.h"
#include "mpc/sym_gen.h"
#include "mpc/transcript.h"
#include "qk/clock.h"
#include "rounds/first.h"

/* ---- a version with real shares, dealt from a random secret ---- */

static void kcv_of(const struct mpc_sym_record *rec, size_t a, const uint8_t *k, uint8_t *out)
{
    uint8_t number[2];
    qk_put_u16(number, (uint16_t)a);
    CW_MUST(
        mpc_h32(out, MPC_L_CNF_KCV, MPC_FIELDS({rec->sid_f, 32}, {number, 2}, {k, 32})) == QK_OK);
}

static void public_point(const struct mpc_scalar *x, uint8_t *out)
{
    MPC_POINT(p);
    CW_MUST(mpc_point_init(&p, mpc_curve_get(MPC_P256)) == QK_OK);
    CW_MUST(mpc_point_mul_base(&p, x) == QK_OK && mpc_point_encode(out, &p) == QK_OK);
}

static void fill_record(
    struct cw_world *w, struct mpc_sym_record *rec, const struct mpc_sym_part *parts, uint8_t modes)
{
    struct mpc_sym_sets sets;
    CW_MUST(mpc_sym_sets_make(&sets, CW_NODES, 2) == QK_OK);
    rec->modes = modes;
    rec->t = 2;
    rec->n = CW_NODES;
    rec->e_net = 1;
    CW_MUST(qk_rng_fill(qk_rng_system(), rec->sid, 32) == QK_OK);
    if (modes & MPC_SYM_F) CW_MUST(qk_rng_fill(qk_rng_system(), rec->sid_f, 32) == QK_OK);
    if (modes & MPC_SYM_F) rec->n_sets = sets.d;
    for (uint16_t i = 0; i < CW_NODES; i++) {
        size_t own = 0;
        rec->nodes[i].id = (uint16_t)(i + 1);
        CW_MUST(mpc_idh(rec->nodes[i].idh, wire_key_spki(w->cluster->nodes[i].key)) == QK_OK);
        for (size_t a = 0; a < rec->n_sets; a++)
            if (sets.members[a] >> i & 1) kcv_of(rec, a, parts[i].share.k[own++], rec->kcv[a]);
        if (modes & MPC_SYM_V) public_point(&parts[i].share.v.x, rec->big_s[i]);
    }
    if (modes & MPC_SYM_V) memcpy(rec->pk, parts[0].commitments[0], 33);
}

static void make_version(struct cw_world *w, uint8_t modes)
{
    static const uint16_t ids[] = {1, 2, 3};
    struct cw_symver *v = &w->sym->version[w->sym->n_versions++];
    struct mpc_sym_part *parts = calloc(CW_NODES, sizeof *parts);
    struct qk_sec32 k;
    CW_MUST(parts != NULL && qk_rng_fill(qk_rng_system(), k.b, 32) == QK_OK);
    CW_MUST(mpc_sym_import_deal(
                parts, w->sym->key_id, modes, 2, ids, CW_NODES, &k, qk_rng_system()) == QK_OK);
    memcpy(v->rec.key_id, w->sym->key_id, 16);
    v->rec.ver = w->sym->n_versions;
    fill_record(w, &v->rec, parts, modes);
    for (size_t i = 0; i < CW_NODES; i++) {
        CW_MUST(mpc_sym_share_check(&parts[i].share, &v->rec) == QK_OK);
        CW_MUST(mpc_sym_key_new(&v->key[i], &v->rec, &parts[i].share, 0) == QK_OK);
        mpc_sym_part_wipe(&parts[i]);
    }
    free(parts);
}

/* ---- its records ---- */

static void certify_version(struct cw_world *w, const struct cw_symver *v, uint8_t material_id[32])
{
    static const uint16_t all[] = {1, 2, 3};
    QK_AUTO_BUF pkrec = QK_BUF(KMS_PKREC_MAX);
    struct kms_ref ref;
    struct kms_record r = {.kind = KMS_KIND_VERSION, .version = 1};
    CW_MUST(mpc_sym_record_encode(&v->rec, &pkrec) == QK_OK);
    CW_MUST(mpc_sym_material_id(&v->rec, material_id) == QK_OK);
    kms_ref_version(w->sym->key_id, v->rec.ver, &ref);
    memcpy(r.id, ref.id, sizeof r.id);
    r.version_of = (struct kms_version){
        .ver = v->rec.ver, .pkrec = qk_buf_view(&pkrec), .created_ms = 1, .imported = true};
    if (v->rec.ver > 1) r.version_of.rotated_ms = v->rec.ver;
    if (v->rec.ver > 1) r.version_of.rotation = KMS_ROTATION_ON_DEMAND;
    memcpy(r.version_of.key_id, w->sym->key_id, 16);
    memcpy(r.version_of.material_id, material_id, 32);
    (void)cw_certify(w, &r, all, 3);
}

static void first_key_record(struct cw_world *w, uint8_t modes, struct kms_record *r)
{
    const struct cw_record *other = cw_find(w, KMS_KIND_KEY, w->key_text);
    *r = (struct kms_record){.kind = KMS_KIND_KEY, .version = 1};
    memcpy(r->id, w->sym->key_text, sizeof w->sym->key_text);
    r->key = (struct kms_key){.account = other->r.key.account,
        .region = other->r.key.region,
        .spec = kms_keyspec_by_id(KMS_SPEC_SYMMETRIC_DEFAULT),
        .state = KMS_STATE_ENABLED,
        .origin = KMS_ORIGIN_AWS_KMS,
        .policy = other->r.key.policy,
        .created_ms = 1,
        .sym = {.modes = modes}};
    memcpy(r->key.key_id, w->sym->key_id, 16);
}

static void certify_key(struct cw_world *w, uint8_t modes, const uint8_t material_id[32])
{
    static const uint16_t all[] = {1, 2, 3};
    struct kms_record r;
    const struct cw_record *now = cw_find(w, KMS_KIND_KEY, w->sym->key_text);
    if (now == NULL)
        first_key_record(w, modes, &r);
    else
        r = cw_next(now);
    r.key.sym.n_versions = r.key.sym.current = w->sym->n_versions;
    if (now != NULL) r.key.sym.last_rotation_ms = r.key.sym.on_demand = w->sym->n_versions;
    memcpy(r.key.sym.material_id, material_id, 32);
    (void)cw_certify(w, &r, all, 3);
}

static void store(struct cw_world *w, enum kms_kind kind, const char *id)
{
    struct qk_bytes view = qk_buf_view(&cw_find(w, kind, id)->certified);
    CW_MUST(coord_store_put(w->engine.store, &view, 1) == QK_OK);
}

static void add_version(struct cw_world *w, uint8_t modes)
{
    uint8_t material_id[32];
    struct kms_ref ref;
    make_version(w, modes);
    certify_version(w, &w->sym->version[w->sym->n_versions - 1], material_id);
    certify_key(w, modes, material_id);
    kms_ref_version(w->sym->key_id, w->sym->n_versions, &ref);
    store(w, KMS_KIND_VERSION, ref.id);
    store(w, KMS_KIND_KEY, w->sym->key_text);
}

void cw_rotate(struct cw_world *w)
{
    (void)pthread_mutex_lock(&w->lock);
    add_version(w, w->sym->version[0].rec.modes);
    (void)pthread_mutex_unlock(&w->lock);
}

void cw_schedule_rotation(struct cw_world *w, uint64_t next_rotation_ms)
{
    static const uint16_t all[] = {1, 2, 3};
    (void)pthread_mutex_lock(&w->lock);
    struct kms_record r = cw_next(cw_find(w, KMS_KIND_KEY, w->sym->key_text));
    r.key.sym.rotating = true;
    r.key.sym.period_days = 90;
    r.key.sym.next_rotation_ms = next_rotation_ms;
    (void)cw_certify(w, &r, all, 3);
    store(w, KMS_KIND_KEY, w->sym->key_text);
    (void)pthread_mutex_unlock(&w->lock);
}

void cw_generated(struct cw_world *w, uint32_t ver, struct kms_created *out, struct qk_buf *pkrec)
{
    CW_MUST(ver <= w->sym->n_versions + 1);
    if (ver > w->sym->n_versions) make_version(w, w->sym->version[0].rec.modes);
    const struct mpc_sym_record *rec = &w->sym->version[ver - 1].rec;
    *out = (struct kms_created){.spki = {0}};
    CW_MUST(mpc_sym_record_encode(rec, pkrec) == QK_OK);
    CW_MUST(mpc_sym_material_id(rec, out->material_id) == QK_OK);
    out->pkrec = qk_buf_view(pkrec);
}

/* ---- the world ---- */

static void nap(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

void cw_init_sym(struct cw_world *w, uint8_t modes)
{
    cw_init(w);
    w->sym = calloc(1, sizeof *w->sym);
    CW_MUST(w->sym != NULL && qk_rng_fill(qk_rng_system(), w->sym->key_id, 16) == QK_OK);
    kms_uuid_make_v4(w->sym->key_id);
    kms_uuid_text(w->sym->key_id, w->sym->key_text);
    add_version(w, modes);
    struct coord_engine *e = &w->engine;
    /* A slow machine is no slow node: what tests want to be late is silent, or they say so. */
    e->timing.attempt_ms = 20000;
    e->timing.total_ms = 30000;
    atomic_store(&e->watch.enc.deadline_us, 60000000);
    atomic_store(&e->watch.dec.deadline_us, 60000000);
    atomic_store(&e->watch.v.deadline_us, 60000000);
    CW_MUST(coord_timers_new(&e->timers) == QK_OK);
    CW_MUST(coord_channels_new(&e->channels, e) == QK_OK);
    for (uint16_t i = 1; i <= CW_NODES; i++) coord_channels_node_up(e->channels, i);
    CW_MUST(coord_randpool_new(&e->random, e) == QK_OK);
    bool ready = false;
    for (int i = 0; i < 30000 && !ready; i++) { /* a minute: sanitizers on a busy machine */
        ready = coord_randpool_level(e->random) >= MPC_RAND_POOL_MAX / 2;
        for (uint16_t k = 1; k <= CW_NODES; k++) ready &= coord_channels_ready(e->channels, k);
        if (!ready) nap();
    }
    CW_MUST(ready);
}

void cw_forget_channels(struct cw_fake *f)
{
    mpc_sym_window_free(f->world->sym->window[f->id - 1]);
    f->world->sym->window[f->id - 1] = NULL;
}

void cw_sym_free(struct cw_world *w)
{
    if (w->sym == NULL) return;
    for (size_t v = 0; v < w->sym->n_versions; v++)
        for (size_t i = 0; i < CW_NODES; i++) mpc_sym_key_free(w->sym->version[v].key[i]);
    for (size_t i = 0; i < CW_NODES; i++) mpc_sym_window_free(w->sym->window[i]);
    free(w->sym);
    w->sym = NULL;
}

/* ---- a node's answers ---- */

static void name_channel(struct cw_fake *f, struct wire_answer *a, struct qk_buf *scratch)
{
    struct mpc_sym_window **window = &f->world->sym->window[f->id - 1];
    if (*window == NULL) CW_MUST(mpc_sym_window_new(window, qk_rng_system()) == QK_OK);
    uint8_t *chan = qk_buf_extend(scratch, MPC_SYM_CHAN_LEN);
    mpc_sym_window_chan(*window, chan);
    a->chan = qk_bytes(chan, MPC_SYM_CHAN_LEN);
}

void cw_answer_channel(struct cw_fake *f, struct wire_answer *a, struct qk_buf *scratch)
{
    cw_forget_channels(f);
    f->world->sym->channels[f->id - 1]++;
    name_channel(f, a, scratch);
}

void cw_answer_rand(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f;
    size_t at = scratch->len;
    qk_buf_add(scratch, call->rnd, 32);
    uint8_t *p = qk_buf_extend(scratch, call->rand_len);
    CW_MUST(p != NULL && qk_rng_fill(qk_rng_system(), p, call->rand_len) == QK_OK);
    a->part = qk_bytes(scratch->p + at, scratch->len - at);
}

static void context(const struct kms_context_map *map, struct qk_buf *ec)
{
    struct mpc_sym_pair pairs[16];
    CW_MUST(map->n <= QK_COUNT(pairs));
    for (size_t i = 0; i < map->n; i++)
        pairs[i] = (struct mpc_sym_pair){map->pairs[i].key, map->pairs[i].value};
    CW_MUST(mpc_sym_ec_encode(pairs, map->n, ec) == QK_OK);
}

/* The item as docs/encryption.md says: of a DEC everything comes from the request's blob. */
static void make_item(const struct wire_call *call, const struct kms_request *req,
    const struct kms_version *v, struct mpc_sym_blob *blob, struct mpc_sym_item *item)
{
    memcpy(item->key_id, v->key_id, 16);
    item->ver = v->ver;
    if (call->eval.op == WIRE_EVAL_ENC) {
        item->mode = call->eval.mode;
        item->flags = item->mode == MPC_SYM_F ? MPC_SYM_FLAG_TAGS : 0;
        memcpy(item->alpha, call->eval.alpha, 32);
        item->tk = call->eval.tk;
        return;
    }
    CW_MUST(mpc_sym_blob_parse(req->blob, blob) == QK_OK);
    item->mode = blob->mode;
    item->flags = blob->flags;
    memcpy(item->alpha, blob->alpha, 32);
    memcpy(item->t, blob->t, 32);
    item->tags = blob->tags;
}

void cw_answer_eval(struct cw_fake *f, const struct wire_call *call, const struct kms_request *req,
    const struct kms_decision *d, struct wire_answer *a, struct qk_buf *scratch)
{
    struct cw_sym *sym = f->world->sym;
    bool enc = call->eval.op == WIRE_EVAL_ENC, two = d->kind == KMS_DO_REENCRYPT;
    if (call->eval.op == 0) return; /* authorised, nothing more */
    if (sym->lacks_key[f->id - 1] && call->n_records == 0) {
        *a = (struct wire_answer){.status = WIRE_ANSWER_NEED, .n_refs = 1};
        a->refs[0] =
            (struct wire_ref){.kind = KMS_KIND_KEY, .id = qk_str(sym->key_text), .version = 1};
        return;
    }
    const struct kms_record *version = two && enc ? d->dest_version : d->version_record;
    struct mpc_sym_blob blob;
    struct mpc_sym_item item = {.mode = 0};
    QK_AUTO_BUF ec = QK_BUF(MPC_SYM_EC_MAX);
    QK_AUTO_BUF out = QK_BUF_SECRET(8192);
    context(two && enc ? &req->dest_context : &req->context, &ec);
    make_item(call, req, &version->version_of, &blob, &item);
    item.ec = qk_buf_view(&ec);
    if (sym->window[f->id - 1] == NULL)
        CW_MUST(mpc_sym_window_new(&sym->window[f->id - 1], qk_rng_system()) == QK_OK);
    struct mpc_sym_work work = {.item = &item, .key = sym->version[item.ver - 1].key[f->id - 1]};
    CW_MUST(mpc_sym_eval(enc ? MPC_SYM_ENC : MPC_SYM_DEC, call->eval.prove, sym->window[f->id - 1],
                &work, 1, qk_rng_system(), &out) == QK_OK);
    a->eval_status = work.status;
    if (work.status == MPC_SYM_TICKET) name_channel(f, a, scratch);
    if (work.status != MPC_SYM_OK) return;
    enc ? sym->enc[f->id - 1]++ : sym->dec[f->id - 1]++;
    size_t at = scratch->len;
    qk_buf_add(scratch, work.answer.p, work.answer.len);
    a->part = qk_bytes(scratch->p + at, scratch->len - at);
}

/* ---- requests ---- */

struct served {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static void on_served(void *ctx)
{
    struct served *s = ctx;
    (void)pthread_mutex_lock(&s->lock);
    s->done = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

qk_err cw_serve(
    struct cw_world *w, struct coord_op *op, struct cw_request *request, struct kms_fault *fault)
{
    static const char id[] = "6d3a7e0e-6a3c-4d8e-9b1f-0123456789ab";
    struct served s = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    struct coord_first *first;
    qk_err err = coord_op_begin(op, &w->engine, &request->raw, id, fault);
    if (err != QK_OK) return err;
    if (!coord_first_start(op, on_served, &s, &first)) return coord_op_run(op, fault);
    (void)pthread_mutex_lock(&s.lock);
    while (!s.done) (void)pthread_cond_wait(&s.wake, &s.lock);
    (void)pthread_mutex_unlock(&s.lock);
    return coord_first_end(first, &err, fault) ? err : coord_op_run(op, fault);
}

void cw_data_key(struct cw_world *w, struct qk_buf *blob, struct qk_buf *plain)
{
    struct cw_request request;
    struct coord_op *op = calloc(1, sizeof *op);
    struct kms_fault fault;
    CW_MUST(op != NULL);
    cw_request(&request, "TrentService.GenerateDataKey",
        "{\"KeyId\":\"%s\",\"KeySpec\":\"AES_256\"}", w->sym->key_text);
    CW_MUST(cw_serve(w, op, &request, &fault) == QK_OK);
    CW_MUST(op->plain.len == 32 && op->blob.len > 0);
    qk_buf_add(blob, op->blob.p, op->blob.len);
    qk_buf_add(plain, op->plain.p, op->plain.len);
    coord_op_end(op);
    free(op);
}

qk_err cw_decrypt(struct cw_world *w, struct qk_bytes blob, const char *context_json,
    struct qk_buf *plain, struct kms_fault *fault)
{
    struct cw_request request;
    struct coord_op *op = calloc(1, sizeof *op);
    QK_AUTO_BUF text = QK_BUF(65536);
    CW_MUST(op != NULL);
    qk_base64_add(&text, blob);
    cw_request(&request, "TrentService.Decrypt",
        "{\"CiphertextBlob\":\"%s\",\"EncryptionContext\":{%s}}", qk_buf_cstr(&text), context_json);
    qk_err err = cw_serve(w, op, &request, fault);
    if (err == QK_OK) qk_buf_add(plain, op->plain.p, op->plain.len);
    coord_op_end(op);
    free(op);
    return err;
}
