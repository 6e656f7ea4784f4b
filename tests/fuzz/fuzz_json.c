/* A body for an operation chosen by the first byte: parsed and validated, never more than a fault.
 */
#include <stdio.h>
#include <stdlib.h>
#include "kms/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    if (err == QK_OK)
        kms_request_free(&req);
    else if (fault.type == NULL)
        abort();
    return 0;
}
