/* Encrypt, Decrypt, ReEncrypt, data keys, random bytes. */
#include "question.h"

#define USAGE "ENCRYPT_DECRYPT"

/* Nobody here can verify an attestation document, so nobody may be answered as if it had been. */
static qk_err refuse_recipient(const struct kms_question *q)
{
    if (!q->req->recipient) return QK_OK;
    return kms_q_validation(
        q, "Recipient is not supported by this service: it verifies no attestation documents.");
}

/* ---- Encrypt, GenerateDataKey and its kin ---- */

static qk_err check_length(const struct kms_question *q)
{
    bool data_key = q->req->op == KMS_OP_GENERATE_DATA_KEY ||
                    q->req->op == KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT;
    if (!data_key || (q->req->n_bytes != 0 && q->req->n_bytes != UINT32_MAX)) return QK_OK;
    return kms_q_validation(q, "Please specify either number of bytes or key spec.");
}

static qk_err check_pair_spec(const struct kms_question *q)
{
    static const char *const made[] = {"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256",
        "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"};
    if (q->req->pair_spec.p == NULL) return QK_OK;
    for (size_t i = 0; i < QK_COUNT(made); i++)
        if (qk_bytes_is(q->req->pair_spec, made[i])) return QK_OK;
    return kms_q_unsupported(q, "KeyPairSpec", q->req->pair_spec);
}

qk_err kms_decide_encrypt(const struct kms_question *q, struct kms_decision *out)
{
    char arn[KMS_ARN_MAX];
    QK_TRY(refuse_recipient(q));
    QK_TRY(check_length(q));
    QK_TRY(kms_q_find_key(q, q->req->key_id, q->info->action, KMS_SLOT_KEY, &out->key, arn));
    const struct kms_key *key = &out->key->key;
    QK_TRY(kms_q_authorize(q, q->info->action, key, arn));
    QK_TRY(kms_q_check_state(q, key, arn));
    QK_TRY(kms_q_check_expiry(q, key, arn));
    QK_TRY(kms_q_check_usage(q, key, USAGE, arn));
    QK_TRY(kms_q_check_algorithm(q, key->spec, q->req->enc_algorithm));
    QK_TRY(check_pair_spec(q));
    QK_TRY(kms_q_take_version(q, KMS_SLOT_VERSION, &out->version_record));
    QK_TRY(kms_q_dry_run(q));
    out->kind = KMS_DO_ENCRYPT;
    out->spec = key->spec;
    out->modes = key->sym.modes;
    out->ver = key->sym.current;
    return QK_OK;
}

/* ---- Decrypt, ReEncrypt ---- */

/* One answer for every bad blob: it must not tell what is wrong with it. */
static qk_err invalid_ciphertext(const struct kms_question *q)
{
    return kms_fault_bare(q->fault, "InvalidCiphertextException");
}

static qk_err check_blob_given(const struct kms_question *q)
{
    const struct kms_request *req = q->req;
    if (req->ignore_ciphertext) {
        if (req->dry_run && req->key_id.p != NULL) return QK_OK;
        return kms_q_validation(
            q, "DryRunModifiers IGNORE_CIPHERTEXT requires DryRun and a key id.");
    }
    if (req->blob.p != NULL) return QK_OK;
    return kms_q_validation(q,
        "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
        "Member must not be null");
}

/* The key that is to open the blob: the one named, else the one the blob names. A blob may name
 * anything, so whatever it names that is no symmetric key here is the blob's fault. */
static qk_err find_source(const struct kms_question *q, const char *action,
    const struct kms_record **out, char arn[static KMS_ARN_MAX])
{
    const struct kms_request *req = q->req;
    struct kms_blob_head head;
    if (req->key_id.p != NULL)
        return kms_q_find_key(q, req->key_id, action, KMS_SLOT_KEY, out, arn);
    const struct kms_record *r = kms_q_slot(q, KMS_SLOT_KEY);
    if (!kms_blob_head(req->blob, &head) || !kms_q_key_is_here(q, r, head.key_id) ||
        !kms_key_is_symmetric(&r->key))
        return invalid_ciphertext(q);
    kms_key_arn(q->ctx->region, q->ctx->account, head.key_id, arn);
    *out = r;
    return QK_OK;
}

static qk_err check_blob(const struct kms_question *q, struct kms_decision *out)
{
    const struct kms_key *key = &out->key->key;
    struct kms_blob_head head;
    if (q->req->ignore_ciphertext) return QK_OK;
    if (!kms_blob_head(q->req->blob, &head)) return invalid_ciphertext(q);
    if (memcmp(head.key_id, key->key_id, sizeof head.key_id) != 0)
        return kms_fault_set(q->fault, "IncorrectKeyException",
            "The key ID in the request does not identify a CMK that can perform this operation.");
    out->ver = kms_version_wanted(q->req, key);
    if (out->ver == 0) return invalid_ciphertext(q);
    return kms_q_take_version(q, KMS_SLOT_VERSION, &out->version_record);
}

/* State, usage, algorithm of one of the keys. */
static qk_err check_key(const struct kms_question *q, const struct kms_record *key, const char *arn,
    struct qk_bytes algorithm)
{
    QK_TRY(kms_q_check_state(q, &key->key, arn));
    QK_TRY(kms_q_check_expiry(q, &key->key, arn));
    QK_TRY(kms_q_check_usage(q, &key->key, USAGE, arn));
    return kms_q_check_algorithm(q, key->key.spec, algorithm);
}

qk_err kms_decide_decrypt(const struct kms_question *q, struct kms_decision *out)
{
    bool again = q->req->op == KMS_OP_RE_ENCRYPT;
    const char *from = again ? "kms:ReEncryptFrom" : q->info->action, *to = "kms:ReEncryptTo";
    char arn[KMS_ARN_MAX], dest_arn[KMS_ARN_MAX];
    QK_TRY(refuse_recipient(q));
    QK_TRY(check_blob_given(q));
    QK_TRY(find_source(q, from, &out->key, arn));
    if (again)
        QK_TRY(kms_q_find_key(
            q, q->req->dest_key_id, to, KMS_SLOT_DEST_KEY, &out->dest_key, dest_arn));
    QK_TRY(kms_q_authorize(q, from, &out->key->key, arn));
    if (again) QK_TRY(kms_q_authorize(q, to, &out->dest_key->key, dest_arn));
    QK_TRY(check_key(q, out->key, arn, q->req->enc_algorithm));
    if (again) QK_TRY(check_key(q, out->dest_key, dest_arn, q->req->dest_algorithm));
    QK_TRY(check_blob(q, out));
    if (again) QK_TRY(kms_q_take_version(q, KMS_SLOT_DEST_VERSION, &out->dest_version));
    QK_TRY(kms_q_dry_run(q));
    out->kind = again ? KMS_DO_REENCRYPT : KMS_DO_DECRYPT;
    out->spec = out->key->key.spec;
    out->modes = out->key->key.sym.modes;
    return QK_OK;
}

/* ---- GenerateRandom ---- */

qk_err kms_decide_random(const struct kms_question *q, struct kms_decision *out)
{
    if (q->req->n_bytes == 0) return kms_q_validation(q, "NumberOfBytes is required.");
    QK_TRY(refuse_recipient(q));
    QK_TRY(kms_q_authorize(q, q->info->action, NULL, "*"));
    if (q->req->custom_key_store)
        return kms_fault_set(q->fault, "CustomKeyStoreNotFoundException",
            "The custom key store does not exist: this service has none.");
    out->kind = KMS_DO_RANDOM;
    return QK_OK;
}
