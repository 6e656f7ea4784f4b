#include "coordmac.h"

#include <openssl/hmac.h>
#include <stdlib.h>
#include "mpc/labels.h"
#include "mpc/session.h"
#include "mpc/transcript.h"

static const uint16_t all_nodes[CW_NODES_MAX] = {1, 2, 3, 4, 5};

/* ---- a key ---- */

static void piece_hash(uint8_t *out, const struct mpc_mac_record *rec, uint16_t j, const uint8_t *s)
{
    uint8_t epoch[4], node[2];
    qk_put_u32(epoch, rec->e_net);
    qk_put_u16(node, j);
    CW_MUST(mpc_h32(out, MPC_L_MAC_PC,
                MPC_FIELDS({rec->key_id, 16}, {epoch, 4}, {node, 2},
                    {s, mpc_mac_secret_len(rec->alg, rec->profile)})) == QK_OK);
}

/* What the nodes would agree on: piece j is known to every node but j. */
static void fill_record(struct cw_world *w)
{
    struct cw_mac *m = w->mac;
    struct mpc_mac_record *rec = &m->rec;
    rec->n = w->n;
    rec->ver = 1;
    rec->e_net = 1;
    memcpy(rec->key_id, m->key_id, 16);
    CW_MUST(qk_rng_fill(qk_rng_system(), rec->sid, 32) == QK_OK);
    memcpy(rec->st, m->part[0].st, 32);
    for (uint16_t j = 0; j < w->n; j++) {
        rec->nodes[j].id = (uint16_t)(j + 1);
        CW_MUST(mpc_idh(rec->nodes[j].idh, wire_key_spki(w->cluster->nodes[j].key)) == QK_OK);
        const struct mpc_mac_share *holder = &m->part[j == 0 ? 1 : 0].share;
        piece_hash(rec->pk[j], rec, (uint16_t)(j + 1), holder->piece[j]);
    }
    if (rec->profile == MPC_MAC_N)
        CW_MUST(mpc_h32(rec->ist, MPC_L_MAC_IST,
                    MPC_FIELDS({rec->key_id, 16},
                        {m->part[0].share.ist, mpc_mac_state_len(rec->alg)})) == QK_OK);
}

static void make_key(struct cw_world *w, unsigned alg, uint8_t profile)
{
    struct cw_mac *m = w->mac;
    struct mpc_mac_spec spec = {.ver = 1, .alg = (uint8_t)alg, .profile = profile};
    m->key_len = mpc_mac_digest_len(alg);
    CW_MUST(qk_rng_fill(qk_rng_system(), m->key, m->key_len) == QK_OK);
    memcpy(spec.key_id, m->key_id, 16);
    CW_MUST(mpc_mac_import_deal(m->part, &spec, all_nodes, w->n, qk_bytes(m->key, m->key_len),
                qk_rng_system()) == QK_OK);
    m->rec.alg = (uint8_t)alg;
    m->rec.profile = profile;
    fill_record(w);
    for (size_t i = 0; i < w->n; i++)
        CW_MUST(mpc_mac_share_check(&m->part[i].share, &m->rec) == QK_OK);
}

static void store(struct cw_world *w, enum kms_kind kind, const char *id)
{
    struct qk_bytes view = qk_buf_view(&cw_find(w, kind, id)->certified);
    CW_MUST(coord_store_put(w->engine.store, &view, 1) == QK_OK);
}

static void certify_version(struct cw_world *w, uint8_t material_id[static 32])
{
    struct cw_mac *m = w->mac;
    QK_AUTO_BUF pkrec = QK_BUF(KMS_PKREC_MAX);
    struct kms_ref ref;
    struct kms_record r = {.kind = KMS_KIND_VERSION, .version = 1};
    CW_MUST(mpc_mac_record_encode(&m->rec, &pkrec) == QK_OK);
    CW_MUST(mpc_mac_material_id(&m->rec, material_id) == QK_OK);
    kms_ref_version(m->key_id, 1, &ref);
    memcpy(r.id, ref.id, sizeof r.id);
    r.version_of = (struct kms_version){
        .ver = 1, .pkrec = qk_buf_view(&pkrec), .created_ms = 1, .imported = true};
    memcpy(r.version_of.key_id, m->key_id, 16);
    memcpy(r.version_of.material_id, material_id, 32);
    (void)cw_certify(w, &r, all_nodes, w->n);
    store(w, KMS_KIND_VERSION, ref.id);
}

static void certify_key(struct cw_world *w, uint8_t profile, const uint8_t material_id[static 32])
{
    struct cw_mac *m = w->mac;
    const struct cw_record *other = cw_find(w, KMS_KIND_KEY, w->key_text);
    struct kms_record r = {.kind = KMS_KIND_KEY, .version = 1};
    memcpy(r.id, m->key_text, sizeof m->key_text);
    r.key = (struct kms_key){.account = other->r.key.account,
        .region = other->r.key.region,
        .spec = kms_keyspec_by_id(m->spec),
        .state = KMS_STATE_ENABLED,
        .origin = KMS_ORIGIN_AWS_KMS,
        .policy = other->r.key.policy,
        .created_ms = 1,
        .sym = {.modes = profile, .n_versions = 1, .current = 1}};
    memcpy(r.key.key_id, m->key_id, 16);
    memcpy(r.key.sym.material_id, material_id, 32);
    (void)cw_certify(w, &r, all_nodes, w->n);
    store(w, KMS_KIND_KEY, m->key_text);
}

void cw_init_mac(struct cw_world *w, uint16_t n, enum kms_spec_id spec, uint8_t profile)
{
    uint8_t material_id[32];
    cw_init_of(w, n);
    struct cw_mac *m = w->mac = calloc(1, sizeof *w->mac);
    CW_MUST(m != NULL && qk_rng_fill(qk_rng_system(), m->key_id, 16) == QK_OK);
    kms_uuid_make_v4(m->key_id);
    kms_uuid_text(m->key_id, m->key_text);
    m->spec = spec;
    m->g1 = m->g2 = m->y = m->old_y = (struct qk_buf)QK_BUF(WIRE_ANSWER_PART_MAX);
    make_key(w, (unsigned)(spec - KMS_SPEC_HMAC_224) + MPC_MAC_224, profile);
    certify_version(w, material_id);
    certify_key(w, profile, material_id);
    /* A slow machine is no slow node: what tests want to be late is silent, or they say so. */
    w->engine.timing.mac_ms = w->engine.timing.mac_strict_ms = 60000;
}

void cw_mac_free(struct cw_world *w)
{
    if (w->mac == NULL) return;
    for (size_t i = 0; i < w->n; i++) mpc_mac_part_wipe(&w->mac->part[i]);
    qk_buf_free(&w->mac->g1);
    qk_buf_free(&w->mac->g2);
    qk_buf_free(&w->mac->y);
    qk_buf_free(&w->mac->old_y);
    free(w->mac);
    w->mac = NULL;
}

void cw_mac_expect(struct cw_world *w, struct qk_bytes message, uint8_t out[static 64])
{
    static const EVP_MD *(*const mds[])(void) = {EVP_sha224, EVP_sha256, EVP_sha384, EVP_sha512};
    const struct cw_mac *m = w->mac;
    unsigned len = 64;
    CW_MUST(HMAC(mds[m->spec - KMS_SPEC_HMAC_224](), m->key, (int)m->key_len, message.p,
                message.len, out, &len) != NULL);
}

/* ---- a run: all three roles at once, by whoever is asked first ---- */

static void kappa(uint16_t i, uint16_t j, uint8_t out[static MPC_MAC_KAPPA_LEN])
{
    memset(out, i < j ? 16 * i + j : 16 * j + i, MPC_MAC_KAPPA_LEN);
}

struct players {
    struct mpc_mac_g1 *g1;
    struct mpc_mac_g2 *g2;
    struct mpc_mac_e *e;
};

static void sit_down(struct cw_mac *m, struct players *p, const struct mpc_mac_task *task)
{
    const struct mpc_mac_roles *r = &task->roles;
    struct mpc_mac_task t = *task;
    uint8_t gg[MPC_MAC_KAPPA_LEN], ge[MPC_MAC_KAPPA_LEN];
    kappa(r->g1, r->g2, gg);
    kappa(r->g2, r->e, ge);
    t.share = &m->part[r->g1 - 1].share;
    CW_MUST(mpc_mac_g1_new(&p->g1, &t, gg) == QK_OK);
    t.share = &m->part[r->g2 - 1].share;
    CW_MUST(mpc_mac_g2_new(&p->g2, &t, gg, ge) == QK_OK);
    t.share = &m->part[r->e - 1].share;
    CW_MUST(mpc_mac_e_new(&p->e, &t, ge) == QK_OK);
}

static void play(struct cw_mac *m, struct players *p)
{
    uint8_t *chunk = malloc(MPC_MAC_CHUNK), gmac[MPC_MAC_GMAC_LEN];
    QK_AUTO_BUF labels = QK_BUF_SECRET(MPC_MAC_LABELS_MAX);
    size_t len = 1;
    bool done = false;
    CW_MUST(chunk != NULL && mpc_mac_g2_labels(p->g2, &labels) == QK_OK);
    CW_MUST(mpc_mac_e_labels(p->e, qk_buf_view(&labels)) == QK_OK);
    for (uint32_t i = 0; len > 0; i++) {
        CW_MUST(mpc_mac_g1_chunk(p->g1, chunk, &len) == QK_OK);
        if (len > 0) CW_MUST(mpc_mac_e_chunk(p->e, i, qk_bytes(chunk, len)) == QK_OK);
    }
    while (!done) CW_MUST(mpc_mac_g2_work(p->g2, &done) == QK_OK);
    CW_MUST(mpc_mac_g2_gmac(p->g2, gmac) == QK_OK);
    CW_MUST(mpc_mac_e_gmac(p->e, QK_BYTES(gmac)) == QK_OK && mpc_mac_e_done(p->e));
    CW_MUST(mpc_mac_g1_take(p->g1, &m->g1) == QK_OK);
    CW_MUST(mpc_mac_g2_take(p->g2, &m->g2) == QK_OK);
    CW_MUST(mpc_mac_e_take(p->e, &m->y) == QK_OK);
    free(chunk);
}

static void run(struct cw_mac *m, const struct wire_mac *item, struct qk_bytes message)
{
    struct players p = {.g1 = NULL};
    struct mpc_mac_task task = {.rec = &m->rec,
        .roles = {.g1 = item->g1, .g2 = item->g2, .e = item->e},
        .message = message};
    memcpy(task.mid, item->mid, sizeof task.mid);
    CW_MUST(m->n_runs < CW_RUNS);
    m->run[m->n_runs++] = *item;
    qk_buf_clear(&m->old_y);
    qk_buf_add(&m->old_y, m->y.p, m->y.len);
    qk_buf_clear(&m->g1);
    qk_buf_clear(&m->g2);
    qk_buf_clear(&m->y);
    sit_down(m, &p, &task);
    play(m, &p);
    mpc_mac_g1_free(p.g1);
    mpc_mac_g2_free(p.g2);
    mpc_mac_e_free(p.e);
}

int cw_mac_role(const struct cw_fake *f, const struct wire_call *call)
{
    if (!call->mac.set) return 0;
    if (f->id == call->mac.g1) return 1;
    if (f->id == call->mac.g2) return 2;
    return f->id == call->mac.e ? 3 : 0;
}

void cw_answer_mac(struct cw_fake *f, const struct wire_call *call, const struct kms_request *req,
    struct wire_answer *a, struct qk_buf *scratch)
{
    struct cw_mac *m = f->world->mac;
    int role = cw_mac_role(f, call);
    if (m->lacks_key[f->id - 1] && call->n_records == 0) {
        *a = (struct wire_answer){.status = WIRE_ANSWER_NEED, .n_refs = 1};
        a->refs[0] =
            (struct wire_ref){.kind = KMS_KIND_KEY, .id = qk_str(m->key_text), .version = 1};
        return;
    }
    CW_MUST(role != 0);
    bool known =
        m->n_runs > 0 && memcmp(m->run[m->n_runs - 1].mid, call->mac.mid, WIRE_CALL_MID_LEN) == 0;
    if (!known) run(m, &call->mac, req->message);
    const struct qk_buf *part = role == 1 ? &m->g1 : role == 2 ? &m->g2 : &m->y;
    size_t at = scratch->len;
    qk_buf_add(scratch, part->p, part->len);
    a->part = qk_bytes(scratch->p + at, scratch->len - at);
}

/* ---- requests ---- */

static qk_err ask(struct cw_world *w, struct coord_op *op, struct cw_request *request,
    const char *target, struct qk_bytes message, const char *members, struct kms_fault *fault)
{
    QK_AUTO_BUF text = QK_BUF(8192);
    qk_base64_add(&text, message);
    cw_request(request, target, "{\"KeyId\":\"%s\",\"MacAlgorithm\":\"%s\",\"Message\":\"%s\"%s}",
        w->mac->key_text, kms_keyspec_by_id(w->mac->spec)->algorithm, qk_buf_cstr(&text), members);
    return cw_run(w, op, request, fault);
}

qk_err cw_generate_mac(struct cw_world *w, struct coord_op *op, struct cw_request *request,
    struct qk_bytes message, const char *members, struct kms_fault *fault)
{
    return ask(w, op, request, "TrentService.GenerateMac", message, members, fault);
}

qk_err cw_verify_mac(struct cw_world *w, struct coord_op *op, struct cw_request *request,
    struct qk_bytes message, struct qk_bytes mac, struct kms_fault *fault)
{
    QK_AUTO_BUF members = QK_BUF(1024);
    qk_buf_add_str(&members, ",\"Mac\":\"");
    qk_base64_add(&members, mac);
    qk_buf_add_str(&members, "\"");
    return ask(w, op, request, "TrentService.VerifyMac", message, qk_buf_cstr(&members), fault);
}
