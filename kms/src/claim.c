/* What nodes see of an Encrypt: its parameters, without the plaintext. */
#include "kms/validate.h"
#include "request_parts.h"

/* Exactly these: a member we do not know might be anything, a plaintext under a wrong name too.
 * Grant tokens are left out while no grant can be made; ten of the longest would not fit. */
static const char *const claimed[] = {
    "KeyId", "EncryptionContext", "EncryptionAlgorithm", "DryRun"};

static qk_err add_json(struct qk_buf *out, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    QK_ENSURE(text != NULL, QK_E_NOMEM);
    qk_buf_add_str(out, text);
    json_free_t release;
    json_get_alloc_funcs(NULL, &release);
    release(text);
    return out->err;
}

static qk_err write_claim(const json_t *root, struct qk_buf *out)
{
    qk_buf_add_str(out, "{\"Plaintext\":\"" KMS_CLAIM_PLAINTEXT "\"");
    for (size_t i = 0; i < QK_COUNT(claimed); i++) {
        const json_t *v = json_object_get(root, claimed[i]);
        if (v == NULL) continue;
        qk_buf_printf(out, ",\"%s\":", claimed[i]);
        QK_TRY(add_json(out, v));
    }
    qk_buf_add_u8(out, '}');
    return out->err;
}

qk_err kms_claim_make(const struct kms_raw *raw, struct qk_buf *out)
{
    struct kms_fault fault;
    enum kms_op op;
    json_t *root = NULL;
    QK_ENSURE(!raw->body_is_hash && kms_op_of(raw, &op, &fault) == QK_OK, QK_E_STATE);
    QK_ENSURE(op == KMS_OP_ENCRYPT, QK_E_STATE);
    qk_err err = kms_json_parse(raw->body, &root, &fault);
    QK_ENSURE(err != QK_E_DENIED, QK_E_STATE);
    QK_TRY(err);
    err = write_claim(root, out);
    json_decref(root);
    return err;
}

static bool has_placeholder(struct qk_bytes claim)
{
    struct kms_fault ignored;
    json_t *root = NULL;
    if (kms_json_parse(claim, &root, &ignored) != QK_OK) return false;
    bool yes = qk_bytes_is(kms_text(root, "Plaintext"), KMS_CLAIM_PLAINTEXT);
    json_decref(root);
    return yes;
}

/* The way kms_claim_make writes it: no key comes twice in what parses, so this is all there is of
 * a Plaintext, and the text need not be parsed twice. */
static bool begins_as_made(struct qk_bytes claim)
{
    static const char head[] = "{\"Plaintext\":\"" KMS_CLAIM_PLAINTEXT "\"";
    const size_t len = sizeof head - 1;
    return claim.len > len && memcmp(claim.p, head, len) == 0 &&
           (claim.p[len] == ',' || claim.p[len] == '}');
}

qk_err kms_claim_parse(const struct kms_raw *raw, struct qk_bytes claim, struct kms_request *out,
    struct kms_fault *fault)
{
    enum kms_op op;
    QK_TRY(kms_op_of(raw, &op, fault));
    if (!raw->body_is_hash) return kms_fault_internal(fault, QK_E_STATE);
    bool as_made = begins_as_made(claim);
    if (op != KMS_OP_ENCRYPT || (!as_made && !has_placeholder(claim)))
        return kms_fault_internal(fault, QK_E_MALFORMED);
    qk_err err = kms_request_parse_body(raw, claim, out, fault);
    if (err == QK_E_DENIED && as_made && !has_placeholder(claim))
        return kms_fault_internal(fault, QK_E_MALFORMED);
    return err;
}
