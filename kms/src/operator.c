#include "kms/operator.h"

#include <stdio.h>
#include "digest.h"
#include "sigv4_header.h"

#define TARGET "QkmsAdmin.Initialize"

static qk_err incomplete(struct kms_fault *fault, const char *text)
{
    return kms_fault_set(fault, "IncompleteSignatureException", "%s", text);
}

bool kms_operator_is(const struct kms_raw *raw)
{
    static const char scheme[] = KMS_OPERATOR_SCHEME " ";
    const struct qk_bytes *auth = kms_raw_header(raw, "authorization");
    return auth != NULL && auth->len >= sizeof scheme - 1 &&
           memcmp(auth->p, scheme, sizeof scheme - 1) == 0;
}

static bool name_valid(struct qk_bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        bool ok = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.' ||
                  c == '_' || c == '-';
        if (!ok) return false;
    }
    return name.len > 0 && name.len <= KMS_OPERATOR_NAME_MAX;
}

qk_err kms_operator_text(const struct kms_raw *raw, const char *name,
    const uint8_t cluster_hash[static 32], struct qk_buf *out)
{
    const struct qk_bytes *target = kms_raw_header(raw, "x-amz-target");
    const struct qk_bytes *date = kms_raw_header(raw, "x-amz-date");
    uint8_t hash[32];
    char cluster[65], body[65];
    QK_ENSURE(target != NULL && date != NULL, QK_E_STATE);
    QK_TRY(kms_raw_body_hash(raw, hash));
    qk_hex(cluster_hash, 32, cluster);
    qk_hex(hash, sizeof hash, body);
    const struct qk_bytes lines[] = {qk_str(KMS_OPERATOR_SCHEME), raw->method, raw->path, *target,
        *date, qk_str(name), qk_str(cluster), qk_str(body)};
    for (size_t i = 0; i < QK_COUNT(lines); i++) {
        if (i > 0) qk_buf_add_u8(out, '\n');
        qk_buf_add(out, lines[i].p, lines[i].len);
    }
    return out->err;
}

void kms_operator_header(const char *name, struct qk_bytes der_signature, struct qk_buf *out)
{
    qk_buf_printf(out, KMS_OPERATOR_SCHEME " Operator=%s, Signature=", name);
    qk_base64_add(out, der_signature);
}

/* "Operator=<name>, Signature=<base64>", exactly. */
static qk_err parse(const struct kms_raw *raw, struct kms_operator *op, struct kms_fault *fault)
{
    static const char lead[] = KMS_OPERATOR_SCHEME " Operator=", mid[] = ", Signature=";
    const struct qk_bytes *auth = kms_raw_header(raw, "authorization");
    QK_AUTO_BUF sig = QK_BUF(KMS_OPERATOR_SIG_MAX);
    if (auth == NULL || auth->len < sizeof lead || memcmp(auth->p, lead, sizeof lead - 1) != 0)
        return incomplete(fault, "Authorization header requires 'Operator' parameter.");
    struct qk_bytes rest = qk_bytes(auth->p + sizeof lead - 1, auth->len - (sizeof lead - 1));
    const uint8_t *at = memmem(rest.p, rest.len, mid, sizeof mid - 1);
    if (at == NULL)
        return incomplete(fault, "Authorization header requires 'Signature' parameter.");
    struct qk_bytes name = qk_bytes(rest.p, (size_t)(at - rest.p));
    struct qk_bytes text = qk_bytes(at + sizeof mid - 1, rest.len - name.len - (sizeof mid - 1));
    if (!name_valid(name)) return incomplete(fault, "Operator name is not valid.");
    if (qk_unbase64(text, &sig) != QK_OK || sig.len == 0)
        return incomplete(fault, "Operator signature is not valid base64 of at most 80 bytes.");
    memcpy(op->name, name.p, name.len);
    op->name[name.len] = 0;
    memcpy(op->signature, sig.p, sig.len);
    op->signature_len = sig.len;
    return QK_OK;
}

static qk_err check_headers(const struct kms_raw *raw, struct kms_fault *fault)
{
    static const char *const single[] = {"authorization", "x-amz-target", "x-amz-date"};
    for (size_t i = 0; i < QK_COUNT(single); i++)
        if (kms_raw_header_count(raw, single[i]) != 1)
            return kms_fault_set(fault, "IncompleteSignatureException",
                "Operator requests require exactly one '%s' header.", single[i]);
    if (raw->query.len != 0) return incomplete(fault, "Operator requests take no query.");
    if (!qk_bytes_is(*kms_raw_header(raw, "x-amz-target"), TARGET))
        return kms_fault_set(
            fault, "AccessDeniedException", "An operator's signature authorizes " TARGET " only.");
    return QK_OK;
}

qk_err kms_operator_check(const struct kms_raw *raw, uint64_t now_ms,
    const uint8_t cluster_hash[static 32], kms_operator_verify_fn verify, void *arg,
    struct kms_operator *out, struct kms_fault *fault)
{
    struct kms_operator op = {0};
    QK_AUTO_BUF text = QK_BUF(2u * KMS_RAW_HEAD_MAX);
    uint8_t digest[32];
    uint64_t ms;
    QK_TRY(check_headers(raw, fault));
    QK_TRY(parse(raw, &op, fault));
    QK_TRY(kms_sigv4_date(raw, op.amz_date, &ms, fault));
    QK_TRY(kms_sigv4_window(op.amz_date, ms, now_ms, fault));
    qk_err err = kms_operator_text(raw, op.name, cluster_hash, &text);
    if (err == QK_OK) err = kms_sha256(qk_buf_view(&text), digest);
    if (err != QK_OK) return kms_fault_internal(fault, err);
    err = verify(arg, op.name, digest, qk_bytes(op.signature, op.signature_len));
    if (err == QK_E_NOT_FOUND) return kms_fault_unknown_client(fault);
    if (err >= 500) return kms_fault_internal(fault, err);
    if (err != QK_OK)
        return kms_fault_set(fault, "InvalidSignatureException",
            "The operator's signature does not verify for this cluster and request.");
    *out = op;
    return QK_OK;
}
