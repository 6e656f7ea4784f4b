/* CreateKey. */
#include <stdio.h>
#include "question.h"

static qk_err check_usage(const struct kms_question *q, const struct kms_keyspec *spec)
{
    const struct kms_request *req = q->req;
    if (req->usage.p == NULL && kms_keyspec_is_symmetric(spec)) return QK_OK;
    if (req->usage.p == NULL)
        return kms_q_validation(q, "You must specify a KeyUsage value for all KMS keys except for "
                                   "symmetric encryption keys.");
    if (qk_bytes_is(req->usage, spec->usage)) return QK_OK;
    bool agreement = qk_bytes_is(req->usage, "KEY_AGREEMENT") && spec->curve != 0 &&
                     spec->id != KMS_SPEC_ECC_SECG_P256K1;
    if (agreement) return kms_q_unsupported(q, "KeyUsage", req->usage);
    return kms_fault_set(q->fault, "ValidationException",
        "KeyUsage %.*s is not compatible with KeySpec %s", (int)req->usage.len,
        (const char *)req->usage.p, spec->name);
}

static qk_err tag_of_another_spec(
    const struct kms_question *q, const char *tag, const struct kms_keyspec *spec)
{
    char what[64];
    snprintf(what, sizeof what, "Tag %s of a key of KeySpec", tag);
    return kms_q_unsupported(q, what, qk_str(spec->name));
}

/* Two tags mean something here: how a symmetric key, and how an HMAC key may be evaluated. */
static qk_err check_tags(const struct kms_question *q, const struct kms_keyspec *spec)
{
    const struct kms_request *req = q->req;
    if (req->n_other_tags > 0) return kms_q_unsupported(q, "A key with", qk_str("Tags"));
    if (req->modes_tag && !kms_keyspec_is_symmetric(spec))
        return tag_of_another_spec(q, "qkms:modes", spec);
    if (req->profile_tag && !kms_keyspec_is_mac(spec))
        return tag_of_another_spec(q, "qkms:mac-profile", spec);
    if (req->modes == 0) return kms_q_validation(q, "Tag qkms:modes must be FV, F or V.");
    if (req->mac_modes == 0) return kms_q_validation(q, "Tag qkms:mac-profile must be strict.");
    return QK_OK;
}

static qk_err check_options(const struct kms_question *q, const struct kms_keyspec *spec)
{
    const struct kms_request *req = q->req;
    bool imports = kms_keyspec_has_versions(spec) && qk_bytes_is(req->origin, "EXTERNAL");
    if (req->custom_store)
        return kms_fault_set(q->fault, "CustomKeyStoreNotFoundException",
            "The custom key store does not exist: this service has none.");
    if (!imports && !qk_bytes_is(req->origin, "AWS_KMS"))
        return kms_q_unsupported(q, "Origin", req->origin);
    if (req->multi_region) return kms_q_unsupported(q, "MultiRegion", qk_str("true"));
    QK_TRY(check_tags(q, spec));
    if (req->policy.p != NULL) QK_TRY(kms_policy_check(req->policy, q->ctx->account, q->fault));
    return QK_OK;
}

qk_err kms_decide_create_key(const struct kms_question *q, struct kms_decision *out)
{
    const struct kms_request *req = q->req;
    QK_TRY(kms_q_authorize(q, q->info->action, NULL, "*"));
    if (req->n_tags > 0) QK_TRY(kms_q_authorize(q, "kms:TagResource", NULL, "*"));
    if (req->both_specs)
        return kms_q_validation(q,
            "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
            "CustomerMasterKeySpec is deprecated.");
    const struct kms_keyspec *spec = kms_keyspec_by_name(req->spec_name);
    if (spec == NULL) return kms_q_unsupported(q, "KeySpec", req->spec_name);
    QK_TRY(check_usage(q, spec));
    QK_TRY(check_options(q, spec));
    QK_TRY(kms_q_need_proposal(q));
    if (kms_q_slot(q, KMS_SLOT_KEY) != NULL) return kms_fault_internal(q->fault, QK_E_CONFLICT);
    bool generated = qk_bytes_is(req->origin, "AWS_KMS");
    out->kind = generated ? KMS_DO_CREATE_KEY : KMS_DO_CHANGE;
    out->spec = spec;
    if (!kms_keyspec_has_versions(spec)) return QK_OK;
    out->modes = kms_keyspec_is_mac(spec) ? req->mac_modes : req->modes;
    out->ver = generated ? 1 : 0;
    return QK_OK;
}
