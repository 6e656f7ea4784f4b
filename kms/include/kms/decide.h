/** THE decision: may this request be carried out, and what exactly is to be done. Run by every node
 * and by the coordinator, over the same inputs, with the same outcome; nothing about a key's
 * standing is decided anywhere else.
 *
 *  A node, for one call:
 *
 *      kms_raw_decode -> kms_sigv4_parse (or kms_operator_check) -> kms_request_parse
 *      struct kms_records recs = { 0 };
 *      while (kms_records_next(&ctx, &auth_akid, &req, &prop, &recs, &ref))
 *          load `ref`, verify its certificate, kms_records_put(&recs, record or NULL)
 *      kms_check_client(...)                        // credential and user exist and are active
 *      signing key of the credential -> kms_sigv4_verify
 *      kms_decide(&ctx, &req, &recs, &prop, &decision, &fault)
 *      CREATE_KEY: run the key generation; CHANGE, ...: kms_transition, sign the new records
 *      SIGN: sign decision.digest
 *
 *  Order of checks (kms-api.md section 2): target, JSON and constraints are kms_request_parse's;
 * here key lookup, authorization, key state, key usage, algorithm and size, then the DryRun answer.
 */
#ifndef KMS_DECIDE_H
#define KMS_DECIDE_H

#include "kms/cert.h"
#include "kms/operator.h"
#include "kms/policy.h"
#include "kms/request.h"

/** What this deployment is, and now. */
struct kms_context {
    char account[KMS_ACCOUNT_LEN + 1];
    char region[KMS_REGION_MAX + 1];
    uint64_t now_ms; /* of the machine that decides */
};

/** What the coordinator picks. Checked, never trusted: kms_proposal_check. */
struct kms_proposal {
    uint64_t now_ms;    /* becomes created_ms; within KMS_SKEW_MS of the node's clock */
    uint8_t key_id[16]; /* UUID version 4; CreateKey */
    char user_id[KMS_USER_ID_LEN + 1];    /* CreateUser, Initialize; else "" */
    char access_key_id[KMS_AKID_LEN + 1]; /* CreateAccessKey, Initialize; else "" */
};

#define KMS_PROPOSAL_ENCODED_MAX 128
void kms_proposal_encode(const struct kms_proposal *p, struct qk_buf *out);
QK_MUST_USE qk_err kms_proposal_decode(struct qk_bytes in, struct kms_proposal *p);
/** Fill for op with fresh random names. QK_E_RNG. */
QK_MUST_USE qk_err kms_proposal_new(
    enum kms_op op, uint64_t now_ms, struct qk_rng *rng, struct kms_proposal *p);
/** QK_OK iff everything that op takes from the proposal is well-formed and within the clock skew,
 * and everything it does not take is empty. QK_E_DENIED otherwise (the coordinator's fault, not the
 * caller's). */
QK_MUST_USE qk_err kms_proposal_check(
    const struct kms_context *ctx, enum kms_op op, const struct kms_proposal *p);

/** The records a request rests on. A slot is NULL when the record does not exist (as far as the
 * holder knows). */
enum kms_slot {
    KMS_SLOT_CREDENTIAL, /* of the caller */
    KMS_SLOT_USER,       /* of the caller */
    KMS_SLOT_ACCOUNT,
    KMS_SLOT_KEY, /* named by KeyId, or (Decrypt, ReEncrypt) by the blob, or (CreateKey) the
                     proposed one, which must not exist */
    KMS_SLOT_SYSTEM,
    KMS_SLOT_TARGET_USER,       /* named by UserName */
    KMS_SLOT_TARGET_CREDENTIAL, /* named by AccessKeyId, or the proposed one, which must not exist
                                 */
    KMS_SLOT_VERSION,  /* of KMS_SLOT_KEY: the blob's (Decrypt, ReEncrypt), the one an import or a
                          rotation is about, else the current one */
    KMS_SLOT_DEST_KEY, /* ReEncrypt: DestinationKeyId */
    KMS_SLOT_DEST_VERSION, /* ReEncrypt: the current one of KMS_SLOT_DEST_KEY */
    KMS_SLOT_COUNT,
};

struct kms_records {
    struct kms_record *slot[KMS_SLOT_COUNT];
    unsigned asked;     /* bit per slot: kms_records_next has named it */
    enum kms_slot last; /* what kms_records_put fills */
    struct kms_ref want;
};

/** The next record to load; false when there are no more. access_key_id is empty for an operator's
 * request. */
bool kms_records_next(const struct kms_context *ctx, struct qk_bytes access_key_id,
    const struct kms_request *req, const struct kms_proposal *prop, struct kms_records *recs,
    struct kms_ref *ref);
/** The record kms_records_next asked for last, borrowed; NULL if it does not exist. QK_E_MISMATCH
 * when kind or id differ. */
QK_MUST_USE qk_err kms_records_put(struct kms_records *recs, struct kms_record *r);

/** The caller's credential exists and is active, its user exists, both in this account.
 * UnrecognizedClientException. Comes before the signature is verified. */
QK_MUST_USE qk_err kms_check_client(const struct kms_context *ctx, struct qk_bytes access_key_id,
    const struct kms_records *recs, struct kms_fault *fault);

enum kms_decision_kind {
    KMS_DO_READ = 1,   /* answer from records; no node action beyond authentication */
    KMS_DO_SIGN,       /* sign digest with key */
    KMS_DO_VERIFY,     /* check signature over digest with key->key.spki: public, done by whoever
                          decides */
    KMS_DO_CREATE_KEY, /* generate a key on spec->curve (SYMMETRIC_DEFAULT, HMAC: version 1, with
                          `modes`), then kms_transition. Origin EXTERNAL is KMS_DO_CHANGE: nothing
                          is generated */
    KMS_DO_CHANGE,     /* kms_transition */
    KMS_DO_ACCESS_KEY, /* kms_transition, and seal DPRF partials to req->response_key */
    KMS_DO_INITIALIZE, /* generate the system key, kms_transition, seal partials */
    KMS_DO_ENCRYPT,    /* evaluate version_record's ENC: Encrypt, GenerateDataKey and its kin */
    KMS_DO_DECRYPT,    /* evaluate version_record's DEC on req->blob */
    KMS_DO_REENCRYPT,  /* both: DEC on version_record and req->blob, ENC on dest_version */
    KMS_DO_RANDOM,     /* GenerateRandom */
    KMS_DO_ROTATE, /* generate version n_versions + 1, then kms_transition. KMS_DO_CHANGE instead
                      when nothing is to be generated: Origin EXTERNAL, or the VERSION record was
                      left certified by an earlier attempt */
    KMS_DO_IMPORT, /* take parts of imported material in as version `ver`, then kms_transition */
    KMS_DO_IMPORT_PARAMETERS, /* GetParametersForImport: made by the coordinator */
    KMS_DO_GENERATE_MAC,      /* HMAC of req->message under version_record, by profile `modes` */
    KMS_DO_VERIFY_MAC,        /* the same, then req->mac, of spec->digest_len bytes, is compared */
};

struct kms_decision {
    enum kms_decision_kind kind;
    const struct kms_record *key;   /* SIGN, VERIFY, and changes of a key; else NULL */
    const struct kms_keyspec *spec; /* of key, or (CREATE_KEY) of the one to make */
    uint8_t digest[KMS_DIGEST_MAX]; /* SIGN, VERIFY: hashed here from the caller's message, or the
                                       caller's digest */
    size_t digest_len;
    /* symmetric and HMAC keys */
    const struct kms_record *version_record;          /* ENCRYPT, DECRYPT, REENCRYPT, GENERATE_MAC,
                                                         VERIFY_MAC; IMPORT, if it exists */
    const struct kms_record *dest_key, *dest_version; /* REENCRYPT */
    uint8_t modes; /* CREATE_KEY, ROTATE, IMPORT, and every evaluation: enum kms_modes */
    uint32_t ver;  /* CREATE_KEY, ROTATE, IMPORT: the version to make; else the one in use */
};

/** Decide. The signature was verified and kms_check_client passed (operator: kms_operator_check
 * passed, and the op is Initialize).
 *
 *  by_operator  the request was authenticated by kms_operator_check
 *  prop         NULL for reads and uses; else passed kms_proposal_check
 *  Faults: NotFound, AccessDenied, Disabled, KMSInvalidState, InvalidKeyUsage, Validation,
 *  KMSInvalidMac (VerifyMac, a MAC of another length),
 *  UnsupportedOperation, AlreadyExists, MalformedPolicyDocument, DryRunOperation, LimitExceeded.
 *  QK_E_MISMATCH: the coordinator's proposal is not acceptable (kms_proposal_check is repeated
 * here); QK_E_CONFLICT: a name it proposed is taken; the fault is then KMSInternalException.
 *  Enabling an enabled key, disabling a disabled one, and the like, is KMS_DO_READ: nothing
 * changes.
 */
QK_MUST_USE qk_err kms_decide(const struct kms_context *ctx, bool by_operator,
    const struct kms_request *req, const struct kms_records *recs, const struct kms_proposal *prop,
    struct kms_decision *out, struct kms_fault *fault);

/** Public outcome of the key generation that CREATE_KEY or INITIALIZE asked for. */
struct kms_created {
    struct qk_bytes pkrec;   /* 1..KMS_PKREC_MAX */
    struct qk_bytes spki;    /* CREATE_KEY of an asymmetric key: spec->spki_len bytes */
    uint8_t material_id[32]; /* CREATE_KEY of a symmetric or HMAC key, ROTATE, IMPORT: not zeros, a
                                function of key id and material (mpc_sym_material_id) */
};

#define KMS_CHANGE_MAX 4

/** The new record versions; INITIALIZE makes four (account, user, credential, system), symmetric
 * keys' CREATE_KEY, ROTATE and IMPORT make two (KEY, VERSION), everything else one. Views in them
 * point into the request, the current records, prop, created and this struct: encode before any of
 * those goes. Do not copy. */
struct kms_change {
    struct kms_record records[KMS_CHANGE_MAX];
    size_t n;
    char policy[512];                                        /* the default policy text */
    uint8_t materials[KMS_MATERIALS_MAX * KMS_MATERIAL_LEN]; /* of Origin EXTERNAL */
};

/** The one function that makes the next version of a record. Every input is as for kms_decide,
 * which returned `decision`. Same inputs, same records, on every node. created: for CREATE_KEY,
 * INITIALIZE, ROTATE and IMPORT, else NULL. QK_E_STATE when the decision kind makes no record or a
 * needed input is missing. */
QK_MUST_USE qk_err kms_transition(const struct kms_context *ctx, const struct kms_request *req,
    const struct kms_records *recs, const struct kms_proposal *prop,
    const struct kms_decision *decision, const struct kms_created *created, struct kms_change *out);

/** What is due for a key without any caller's request, by this clock. */
enum kms_due {
    KMS_DUE_NOTHING = 0,
    KMS_DUE_DELETE, /* PendingDeletion and its date has come: -> Deleted */
    KMS_DUE_ROTATE, /* Enabled, automatic rotation on and its date has come: a new version */
    KMS_DUE_EXPIRE, /* imported material `sym.expiring` has expired: -> PendingImport */
};
/** The first of DELETE, EXPIRE, ROTATE that is due. */
enum kms_due kms_due_of(const struct kms_key *key, uint64_t now_ms);

/** The records that follow: DELETE makes the KEY record; ROTATE needs created (as for
 * KMS_DO_ROTATE) and makes KEY and VERSION, or `version`, if the VERSION record of n_versions + 1
 * is there already, and makes KEY only; EXPIRE needs `version`, the VERSION record of sym.expiring,
 * and makes both. now_ms: the one the coordinator proposes, within KMS_SKEW_MS of ours (the caller
 * has checked). It leaves no trace in the records: the date of a rotation is the latest of the
 * schedule. QK_E_STATE, QK_E_EARLY: not due.
 */
QK_MUST_USE qk_err kms_transition_due(const struct kms_record *current,
    const struct kms_record *version, enum kms_due due, uint64_t now_ms,
    const struct kms_created *created, struct kms_change *out);

#endif
