/* Which operation a request names. */
#include "form.h"
#include "kms/request.h"
#include "model.h"

const struct kms_op_info *kms_op_info(enum kms_op op)
{
    return &kms_model_ops[op];
}

static qk_err find(enum kms_service service, bool admin, struct qk_bytes name, enum kms_op *op,
    struct kms_fault *fault)
{
    for (int i = 0; i < KMS_OP_COUNT; i++) {
        const struct kms_op_info *info = &kms_model_ops[i];
        if (info->service != service || info->admin != admin) continue;
        if (!qk_bytes_is(name, info->name)) continue;
        *op = (enum kms_op)i;
        return QK_OK;
    }
    return kms_fault_bare(fault, "UnknownOperationException");
}

static qk_err sts_op(const struct kms_raw *raw, enum kms_op *op, struct kms_fault *fault)
{
    struct qk_bytes action, version;
    bool ok = !raw->body_is_hash && kms_form_plain(raw->body, "Action", &action) == QK_OK &&
              kms_form_plain(raw->body, "Version", &version) == QK_OK &&
              qk_bytes_is(version, "2011-06-15");
    if (!ok) return kms_fault_bare(fault, "UnknownOperationException");
    return find(KMS_SERVICE_STS, false, action, op, fault);
}

qk_err kms_op_of(const struct kms_raw *raw, enum kms_op *op, struct kms_fault *fault)
{
    static const char aws[] = "TrentService.", ours[] = "QkmsAdmin.";
    if (kms_service_of(raw) == KMS_SERVICE_STS) return sts_op(raw, op, fault);
    const struct qk_bytes *target = kms_raw_header(raw, "x-amz-target");
    if (target == NULL || kms_raw_header_count(raw, "x-amz-target") != 1)
        return kms_fault_bare(fault, "UnknownOperationException");
    struct qk_bytes t = *target;
    if (t.len > sizeof aws - 1 && memcmp(t.p, aws, sizeof aws - 1) == 0)
        return find(KMS_SERVICE_KMS, false, qk_bytes(t.p + sizeof aws - 1, t.len - sizeof aws + 1),
            op, fault);
    if (t.len > sizeof ours - 1 && memcmp(t.p, ours, sizeof ours - 1) == 0)
        return find(KMS_SERVICE_KMS, true, qk_bytes(t.p + sizeof ours - 1, t.len - sizeof ours + 1),
            op, fault);
    return kms_fault_bare(fault, "UnknownOperationException");
}
