/* A body for an operation chosen by the first byte: parsed and validated, never more than a fault.
 * What parses as an Encrypt has a claim, which says the same. */
#include <stdio.h>
#include <stdlib.h>
#include "kms/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_context(const struct kms_context_map *a, const struct kms_context_map *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++)
        if (!qk_bytes_eq(a->pairs[i].key, b->pairs[i].key) ||
            !qk_bytes_eq(a->pairs[i].value, b->pairs[i].value))
            return false;
    return a->n == b->n;
}

static void check_claim(const struct kms_raw *raw, const struct kms_request *req)
{
    static struct kms_fault fault;
    static const uint8_t hash[32];
    struct kms_request again;
    struct kms_raw relayed = *raw;
    QK_AUTO_BUF claim = QK_BUF(65536);
    relayed.body = QK_BYTES(hash);
    relayed.body_is_hash = true;
    if (kms_claim_make(raw, &claim) != QK_OK ||
        kms_claim_parse(&relayed, qk_buf_view(&claim), &again, &fault) != QK_OK)
        abort();
    if (!qk_bytes_eq(req->key_id, again.key_id) || req->dry_run != again.dry_run ||
        !qk_bytes_eq(req->enc_algorithm, again.enc_algorithm) ||
        !same_context(&req->context, &again.context))
        abort();
    kms_request_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kms_fault fault;
    struct kms_request req;
    char target[96];
    if (size == 0) return 0;
    const struct kms_op_info *info = kms_op_info((enum kms_op)(data[0] % KMS_OP_COUNT));
    snprintf(
        target, sizeof target, "%s.%s", info->admin ? "QkmsAdmin" : "TrentService", info->name);
    struct kms_raw raw = {
        .method = qk_str("POST"), .path = qk_str("/"), .body = qk_bytes(data + 1, size - 1)};
    raw.headers[raw.n_headers++] = (struct kms_raw_header){qk_str("x-amz-target"), qk_str(target)};
    qk_err err = kms_request_parse(&raw, &req, &fault);
    if (err == QK_OK && req.op == KMS_OP_ENCRYPT) check_claim(&raw, &req);
    if (err == QK_OK)
        kms_request_free(&req);
    else if (fault.type == NULL)
        abort();
    return 0;
}
