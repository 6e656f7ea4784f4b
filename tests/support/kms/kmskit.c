#include "kmskit.h"

#include <stdio.h>
#include <stdlib.h>
#include "qktest/qktest.h"

/* Counts up: tests are deterministic. */
static qk_err counting_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    static uint8_t next;
    (void)rng;
    for (size_t i = 0; i < len; i++) out[i] = next++;
    return QK_OK;
}

struct kms_record *kit_find(struct kit_world *w, const struct kms_ref *ref)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->items[i]->r.kind == ref->kind && strcmp(w->items[i]->r.id, ref->id) == 0)
            return &w->items[i]->r;
    return NULL;
}

struct kms_record *kit_key(struct kit_world *w)
{
    struct kms_ref ref;
    kms_ref_key(w->key_id, &ref);
    return kit_find(w, &ref);
}

static void store(struct kit_world *w, struct kms_record *r)
{
    struct qk_buf b = QK_BUF(KMS_RECORD_ENCODED_MAX);
    struct kms_stored *s = calloc(1, sizeof *s);
    size_t at = 0;
    if (s == NULL || kms_record_encode(r, &b) != QK_OK ||
        kms_stored_load(qk_buf_view(&b), s) != QK_OK)
        abort();
    qk_buf_free(&b);
    while (at < w->n && (w->items[at]->r.kind != r->kind || strcmp(w->items[at]->r.id, r->id) != 0))
        at++;
    if (at == KIT_ITEMS_MAX) abort();
    if (at < w->n) {
        kms_stored_free(w->items[at]);
        free(w->items[at]);
    } else
        w->n++;
    w->items[at] = s;
}

struct kms_raw kit_raw(const char *target, const char *body)
{
    struct kms_raw raw = {.method = qk_str("POST"), .path = qk_str("/"), .body = qk_str(body)};
    raw.headers[raw.n_headers++] =
        (struct kms_raw_header){qk_str("Host"), qk_str("localhost:8443")};
    raw.headers[raw.n_headers++] =
        (struct kms_raw_header){qk_str("Content-Type"), qk_str("application/x-amz-json-1.1")};
    if (target != NULL)
        raw.headers[raw.n_headers++] =
            (struct kms_raw_header){qk_str("X-Amz-Target"), qk_str(target)};
    return raw;
}

qk_err kit_parse(
    const char *target, const char *body, struct kms_request *req, struct kms_fault *fault)
{
    struct kms_raw raw = kit_raw(target, body);
    return kms_request_parse(&raw, req, fault);
}

void kit_load(struct kit_world *w, const char *access_key_id, const struct kms_request *req,
    const struct kms_proposal *prop, struct kms_records *recs)
{
    struct kms_ref ref;
    *recs = (struct kms_records){.asked = 0};
    while (kms_records_next(&w->ctx, qk_str(access_key_id), req, prop, recs, &ref))
        if (kms_records_put(recs, kit_find(w, &ref)) != QK_OK) abort();
}

qk_err kit_decide(struct kit_world *w, const char *access_key_id, const char *target,
    const char *body, struct kms_request *req, struct kms_records *recs,
    const struct kms_proposal *prop, struct kms_decision *out)
{
    bool by_operator = access_key_id[0] == 0;
    QK_TRY(kit_parse(target, body, req, &w->fault));
    kit_load(w, access_key_id, req, prop, recs);
    qk_err err = QK_OK;
    if (!by_operator) err = kms_check_client(&w->ctx, qk_str(access_key_id), recs, &w->fault);
    if (err == QK_OK) err = kms_decide(&w->ctx, by_operator, req, recs, prop, out, &w->fault);
    if (err != QK_OK) kms_request_free(req);
    return err;
}

/* A new one each time. */
static void kit_material_id(struct kit_world *w, uint8_t out[static 32])
{
    memset(out, 0xa5, 32);
    qk_put_u32(out, ++w->n_materials);
}

static qk_err act(struct kit_world *w, const struct kms_request *req,
    const struct kms_records *recs, const struct kms_proposal *prop, const struct kms_decision *d)
{
    static const uint8_t spki[KMS_SPKI_MAX] = {0x30};
    struct kms_created created = {.pkrec = qk_str("public key record")};
    struct kms_change *change = calloc(1, sizeof *change);
    if (change == NULL) abort();
    if (d->spec != NULL) created.spki = qk_bytes(spki, d->spec->spki_len);
    kit_material_id(w, created.material_id);
    qk_err err = kms_transition(&w->ctx, req, recs, prop, d, &created, change);
    for (size_t i = 0; err == QK_OK && i < change->n; i++) store(w, &change->records[i]);
    free(change);
    return err;
}

static qk_err run(struct kit_world *w, const char *access_key_id, const char *target,
    const char *body, struct kms_proposal *prop)
{
    struct kms_request req;
    struct kms_records recs;
    struct kms_decision d;
    QK_TRY(kit_decide(w, access_key_id, target, body, &req, &recs, prop, &d));
    qk_err err = d.kind == KMS_DO_READ ? QK_OK : act(w, &req, &recs, prop, &d);
    if (err == QK_OK && req.op == KMS_OP_CREATE_KEY) {
        memcpy(w->key_id, prop->key_id, sizeof w->key_id);
        kms_uuid_text(w->key_id, w->key);
        kms_key_arn(KIT_REGION, KIT_ACCOUNT, w->key_id, w->arn);
    }
    kms_request_free(&req);
    return err;
}

static enum kms_op op_of(const char *target)
{
    struct kms_raw raw = kit_raw(target, "{}");
    struct kms_fault fault;
    enum kms_op op = KMS_OP_COUNT;
    if (kms_op_of(&raw, &op, &fault) != QK_OK) return KMS_OP_COUNT;
    return op;
}

qk_err kit_do(struct kit_world *w, const char *access_key_id, const char *target, const char *body)
{
    struct qk_rng rng = {counting_fill};
    struct kms_proposal prop;
    QK_TRY(kms_proposal_new(op_of(target), w->ctx.now_ms, &rng, &prop));
    return run(w, access_key_id, target, body, &prop);
}

#define RESPONSE_KEY "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

static void must(qk_err err)
{
    if (err != QK_OK) abort();
}

void kit_world_init(struct kit_world *w)
{
    *w = (struct kit_world){
        .ctx = {.account = KIT_ACCOUNT, .region = KIT_REGION, .now_ms = KIT_NOW}};
    struct kms_proposal p = {
        .now_ms = KIT_NOW, .user_id = "AIDAALICEALICEALICEAL", .access_key_id = KIT_ALICE};
    must(run(w, "", "QkmsAdmin.Initialize",
        "{\"AccountName\":\"Example\",\"AdminUserName\":\"alice\",\"ResponseKey\":\"" RESPONSE_KEY
        "\"}",
        &p));
    must(kit_do(w, KIT_ALICE, "QkmsAdmin.CreateUser",
        "{\"UserName\":\"bob\",\"Allow\":[\"kms:Sign\",\"kms:Describe*\"]}"));
    p = (struct kms_proposal){.now_ms = KIT_NOW, .access_key_id = KIT_BOB};
    must(run(w, KIT_ALICE, "QkmsAdmin.CreateAccessKey",
        "{\"UserName\":\"bob\",\"ResponseKey\":\"" RESPONSE_KEY "\"}", &p));
    must(kit_do(w, KIT_ALICE, "TrentService.CreateKey",
        "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\",\"Description\":\"first\"}"));
}

qk_err kit_access_key(struct kit_world *w, const char *user, const char *access_key_id)
{
    char body[256];
    struct kms_proposal p = {.now_ms = w->ctx.now_ms};
    snprintf(p.access_key_id, sizeof p.access_key_id, "%s", access_key_id);
    snprintf(body, sizeof body, "{\"UserName\":\"%s\",\"ResponseKey\":\"" RESPONSE_KEY "\"}", user);
    return run(w, KIT_ALICE, "QkmsAdmin.CreateAccessKey", body, &p);
}

void kit_world_free(struct kit_world *w)
{
    for (size_t i = 0; i < w->n; i++) {
        kms_stored_free(w->items[i]);
        free(w->items[i]);
    }
    w->n = 0;
}

const char *kit_body(struct kit_world *w, const char *fmt)
{
    static char body[32768];
    const char *at = strstr(fmt, "%s");
    snprintf(body, sizeof body, "%.*s%s%s", (int)(at - fmt), fmt, w->key, at + 2);
    return body;
}

struct kms_record *kit_version(struct kit_world *w, uint32_t ver)
{
    struct kms_ref ref;
    kms_ref_version(w->key_id, ver, &ref);
    return kit_find(w, &ref);
}

void kit_put(struct kit_world *w, struct kms_record *r)
{
    store(w, r);
}

void kit_symmetric(struct kit_world *w, const char *body)
{
    must(kit_do(w, KIT_ALICE, "TrentService.CreateKey", body));
}

const char *kit_blob(const uint8_t key_id[static 16], uint32_t ver, size_t len)
{
    static char text[8400];
    struct qk_buf raw = QK_BUF(6200), b64 = QK_BUF(sizeof text - 1);
    qk_buf_add(&raw, "\x01\x02\x00", 3);
    qk_buf_add(&raw, key_id, 16);
    qk_buf_add_u32(&raw, ver);
    if (raw.len > len)
        raw.len = len;
    else
        (void)qk_buf_extend(&raw, len - raw.len);
    qk_base64_add(&b64, qk_buf_view(&raw));
    const char *view = qk_buf_cstr(&b64);
    if (view == NULL) abort();
    snprintf(text, sizeof text, "%s", view);
    qk_buf_free(&raw);
    qk_buf_free(&b64);
    return text;
}

static void replace(const char *text, const char *mark, const char *with, char *out, size_t size)
{
    const char *at = text ? strstr(text, mark) : NULL;
    if (at != NULL)
        snprintf(out, size, "%.*s%s%s", (int)(at - text), text, with, at + strlen(mark));
    else
        snprintf(out, size, "%s", text ? text : "");
}

void kit_expect(struct kit_world *w, const char *who, const char *target, const char *body,
    const char *type, const char *text)
{
    struct kms_request req;
    struct kms_records recs;
    struct kms_decision d;
    struct kms_proposal prop;
    struct kms_fault relayed; /* every fault must survive the way from a node */
    char want[2048];
    qk_assert_ok(kms_proposal_new(op_of(target), w->ctx.now_ms, qk_rng_system(), &prop));
    const char *full = strstr(body, "%s") ? kit_body(w, body) : body;
    qk_err err = kit_decide(w, who, target, full, &req, &recs, &prop, &d);
    cr_assert_eq(err, QK_E_DENIED, "%s %s gave %s", target, full, qk_err_name(err));
    cr_expect_str_eq(w->fault.type, type, "%s %s", target, full);
    cr_expect_eq(w->fault.has_message, text != NULL);
    qk_assert_ok(kms_fault_from_parts(
        qk_str(w->fault.type), qk_str(w->fault.message), w->fault.has_message, &relayed));
    cr_expect_eq(relayed.http_status, w->fault.http_status);
    replace(text, "%K", w->arn, want, sizeof want);
    if (text != NULL) cr_expect_str_eq(w->fault.message, want);
}

void kit_expect_decision(struct kit_world *w, const char *who, const char *target, const char *body,
    enum kms_decision_kind kind, struct kms_decision *d)
{
    struct kms_request req;
    struct kms_records recs;
    struct kms_proposal prop;
    qk_assert_ok(kms_proposal_new(op_of(target), w->ctx.now_ms, qk_rng_system(), &prop));
    const char *full = strstr(body, "%s") ? kit_body(w, body) : body;
    qk_err err = kit_decide(w, who, target, full, &req, &recs, &prop, d);
    cr_assert_eq(err, QK_OK, "%s %s gave %s: %s", target, full, qk_err_name(err), w->fault.message);
    cr_expect_eq(d->kind, kind, "%s %s", target, full);
    kms_request_free(&req);
}

qk_err kit_due(struct kit_world *w, enum kms_due due)
{
    struct kms_record *key = kit_key(w);
    struct kms_created created = {.pkrec = qk_str("record of a rotation")};
    struct kms_change *change = calloc(1, sizeof *change);
    if (change == NULL) abort();
    kit_material_id(w, created.material_id);
    struct kms_record *version =
        due == KMS_DUE_EXPIRE ? kit_version(w, key->key.sym.expiring) : NULL;
    qk_err err = kms_transition_due(key, version, due, w->ctx.now_ms, &created, change);
    for (size_t i = 0; err == QK_OK && i < change->n; i++) store(w, &change->records[i]);
    free(change);
    return err;
}
