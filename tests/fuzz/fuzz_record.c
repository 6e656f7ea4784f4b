/* Records and certificates: whatever decodes must encode to the same bytes. */
#include <stdlib.h>
#include "kms/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_again(struct qk_bytes in)
{
    struct kms_record r;
    QK_AUTO_BUF again = QK_BUF(KMS_RECORD_ENCODED_MAX);
    if (kms_record_decode(in, &r) != QK_OK) return;
    if (kms_record_encode(&r, &again) != QK_OK || !qk_bytes_eq(in, qk_buf_view(&again))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qk_bytes record;
    struct kms_cert cert;
    same_again(qk_bytes(data, size));
    if (kms_certified_decode(qk_bytes(data, size), &record, &cert) != QK_OK) return 0;
    QK_AUTO_BUF again = QK_BUF(KMS_CERTIFIED_MAX);
    if (kms_certified_encode(record, &cert, &again) != QK_OK ||
        !qk_bytes_eq(qk_bytes(data, size), qk_buf_view(&again)))
        abort();
    same_again(record);
    return 0;
}
