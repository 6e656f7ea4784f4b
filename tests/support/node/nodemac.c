#include "nodemac.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include "qk/rng.h"

enum { SEND_TRIES = 5 };

static void must(bool ok, int line, const char *what)
{
    if (ok) return;
    fprintf(stderr, "nodemac.c:%d: %s failed\n", line, what);
    abort();
}
#define MUST(expr) must((expr), __LINE__, #expr)

/* ---- keys ---- */

static const struct kms_record *record_of(struct nd *d, enum kms_kind kind, const char *id)
{
    const struct nd_record *r = nd_find(d, kind, id);
    MUST(r != NULL);
    return &r->stored->r;
}

void nm_record(struct nd *d, const char *key_id, struct mpc_mac_record *out)
{
    char id[KMS_RECORD_ID_MAX + 1];
    (void)snprintf(id, sizeof id, "%s/1", key_id);
    MUST(mpc_mac_record_decode(record_of(d, KMS_KIND_VERSION, id)->version_of.pkrec, out) == QK_OK);
}

static void create(
    struct nd *d, const char *spec, bool strict, const char *more, char id[static KMS_UUID_LEN + 1])
{
    char body[320];
    (void)snprintf(body, sizeof body,
        "{\"KeySpec\":\"%s\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"%s%s}", spec,
        strict ? ",\"Tags\":[{\"TagKey\":\"qkms:mac-profile\",\"TagValue\":\"strict\"}]" : "",
        more);
    ND_AUTO_OP *op = nd_op(d, "TrentService.CreateKey", body, d->all);
    bool ok = nd_send(d, op);
    if (!ok) nd_show(op);
    MUST(ok);
    kms_uuid_text(op->proposal.key_id, id);
    nd_keep(d, op);
}

void nm_create_key(struct nd *d, const char *spec, bool strict, char id[static KMS_UUID_LEN + 1])
{
    create(d, spec, strict, "", id);
}

static unsigned alg_of(const struct kms_keyspec *spec)
{
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++)
        if (mpc_mac_digest_len(alg) == spec->digest_len) return alg;
    MUST(!"an HMAC spec");
    return 0;
}

static void deal(struct nd *d, const char *key_id, struct qk_bytes material,
    struct qk_buf parts[static NB_NODES_MAX])
{
    struct mpc_mac_part *part = calloc(NB_NODES_MAX, sizeof *part);
    MUST(part != NULL);
    const struct kms_key *key = &record_of(d, KMS_KIND_KEY, key_id)->key;
    struct mpc_mac_spec spec = {
        .ver = 1, .alg = (uint8_t)alg_of(key->spec), .profile = key->sym.modes};
    memcpy(spec.key_id, key->key_id, 16);
    MUST(mpc_mac_import_deal(part, &spec, d->all, d->box->n, material, qk_rng_system()) == QK_OK);
    for (size_t i = 0; i < d->box->n; i++) {
        parts[i] = (struct qk_buf)QK_BUF_SECRET(MPC_MAC_PART_MAX);
        MUST(mpc_mac_part_encode(&part[i], &parts[i]) == QK_OK);
        mpc_mac_part_wipe(&part[i]);
    }
    free(part);
}

struct nd_op *nm_import_op(struct nd *d, const char *key_id, struct qk_bytes material, uint16_t odd,
    struct qk_bytes odd_material)
{
    char body[320];
    struct qk_buf parts[NB_NODES_MAX], odd_parts[NB_NODES_MAX];
    (void)snprintf(body, sizeof body,
        "{\"KeyId\":\"%s\",\"ImportToken\":\"AAAA\",\"EncryptedKeyMaterial\":\"AAAA\","
        "\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\"}",
        key_id);
    struct nd_op *op = nd_op(d, "TrentService.ImportKeyMaterial", body, d->all);
    deal(d, key_id, material, parts);
    deal(d, key_id, odd_material, odd_parts);
    for (uint16_t id = 1; id <= d->box->n; id++) {
        QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
        op->call.parts = qk_buf_view(id == odd ? &odd_parts[id - 1] : &parts[id - 1]);
        wire_call_encode(&bytes, &op->call);
        nb_start(d->box->client[id], qk_buf_view(&bytes), ND_CALL_MS, &op->answer[id]);
    }
    for (uint16_t id = 1; id <= d->box->n; id++) {
        nb_wait(&op->answer[id]);
        qk_buf_free(&parts[id - 1]);
        qk_buf_free(&odd_parts[id - 1]);
    }
    op->call.parts = qk_bytes(NULL, 0);
    return op;
}

qk_err nm_import(struct nd *d, const char *key_id, struct qk_bytes material)
{
    bool ok = true;
    ND_AUTO_OP *op = nm_import_op(d, key_id, material, 0, material);
    for (uint16_t id = 1; id <= d->box->n; id++)
        ok = ok && op->answer[id].err == QK_OK && op->answer[id].a.status == WIRE_ANSWER_OK;
    if (ok) nd_keep(d, op);
    if (!ok) nd_show(op);
    return ok ? QK_OK : QK_E_STATE;
}

qk_err nm_import_key(struct nd *d, const char *spec, bool strict, struct qk_bytes material,
    char id[static KMS_UUID_LEN + 1])
{
    create(d, spec, strict, ",\"Origin\":\"EXTERNAL\"", id);
    return nm_import(d, id, material);
}

/* ---- runs ---- */

void nm_op_mid(struct nd_op *op)
{
    MUST(qk_rng_fill(qk_rng_system(), op->call.mac.mid, sizeof op->call.mac.mid) == QK_OK);
}

/* Ascending, as peers of a call are. */
static void peers_of(const struct mpc_mac_roles *roles, uint16_t out[static 4])
{
    out[0] = roles->g1;
    out[1] = roles->g2;
    out[2] = roles->e;
    out[3] = 0;
    for (int i = 0; i < 3; i++) {
        for (int k = i + 1; k < 3; k++) {
            uint16_t a = out[i], b = out[k];
            out[i] = a < b ? a : b;
            out[k] = a < b ? b : a;
        }
    }
}

struct nd_op *nm_op(struct nd *d, const char *target, const char *key_id, struct qk_bytes message,
    const struct mpc_mac_roles *roles)
{
    static const uint8_t zeros[MPC_MAC_DIGEST_MAX];
    QK_AUTO_BUF body = QK_BUF(KMS_RAW_BODY_MAX);
    uint16_t peers[4];
    const struct kms_keyspec *spec = record_of(d, KMS_KIND_KEY, key_id)->key.spec;
    qk_buf_printf(
        &body, "{\"KeyId\":\"%s\",\"MacAlgorithm\":\"%s\",\"Message\":\"", key_id, spec->algorithm);
    qk_base64_add(&body, message);
    qk_buf_add_str(&body, "\"");
    if (strcmp(target, "TrentService.VerifyMac") == 0) {
        qk_buf_add_str(&body, ",\"Mac\":\"");
        qk_base64_add(&body, qk_bytes(zeros, spec->digest_len));
        qk_buf_add_str(&body, "\"");
    }
    qk_buf_add_str(&body, "}");
    peers_of(roles, peers);
    struct nd_op *op = nd_op(d, target, qk_buf_cstr(&body), peers);
    op->call.mac = (struct wire_mac){.set = true, .g1 = roles->g1, .g2 = roles->g2, .e = roles->e};
    nm_op_mid(op);
    return op;
}

/* As the coordinator does: a link that has just come up may have no secret yet. */
void nm_send(struct nd *d, struct nd_op *op)
{
    for (int tries = 0; tries < SEND_TRIES && !nd_send(d, op); tries++) nodebox_sleep_ms(200);
}

qk_err nm_combine(struct nd *d, const char *key_id, struct nd_op *op,
    uint8_t tag[static MPC_MAC_DIGEST_MAX], struct mpc_mac_suspects *why)
{
    const struct wire_mac *m = &op->call.mac;
    const struct mpc_mac_roles roles = {m->g1, m->g2, m->e};
    const uint16_t ids[3] = {m->g1, m->g2, m->e};
    struct mpc_mac_record rec;
    for (int i = 0; i < 3; i++) {
        const struct nb_answer *a = &op->answer[ids[i]];
        QK_ENSURE(a->err == QK_OK && a->a.status == WIRE_ANSWER_OK, QK_E_STATE);
    }
    nm_record(d, key_id, &rec);
    return mpc_mac_combine(tag, rec.alg, &roles, op->answer[m->g1].a.part, op->answer[m->g2].a.part,
        op->answer[m->e].a.part, why);
}

qk_err nm_generate(struct nd *d, const char *key_id, struct qk_bytes message,
    const struct mpc_mac_roles *roles, uint8_t tag[static MPC_MAC_DIGEST_MAX])
{
    struct mpc_mac_suspects why = {.n = 0};
    ND_AUTO_OP *op = nm_op(d, "TrentService.GenerateMac", key_id, message, roles);
    nm_send(d, op);
    qk_err err = nm_combine(d, key_id, op, tag, &why);
    if (err != QK_OK) nd_show(op);
    return err;
}

void nm_hmac(unsigned alg, struct qk_bytes key, struct qk_bytes message,
    uint8_t tag[static MPC_MAC_DIGEST_MAX])
{
    static const char *const name[] = {NULL, "SHA224", "SHA256", "SHA384", "SHA512"};
    unsigned len = 0;
    MUST(HMAC(EVP_get_digestbyname(name[alg]), key.p, (int)key.len, message.p, message.len, tag,
             &len) != NULL);
    MUST(len == mpc_mac_digest_len(alg));
}
