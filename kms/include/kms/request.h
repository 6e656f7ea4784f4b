/** Which operation a request asks for, and its parameters as a typed value.
 *
 *  kms_request_parse does in order: target known (UnknownOperationException), JSON
 * (SerializationException), constraints of the model (ValidationException; kms/validate.h). Key
 * lookup and all later checks are kms/decide.h.
 *
 *  Targets: `TrentService.<Operation>` for the 56 operations of AWS KMS; `QkmsAdmin.<Operation>`
 * for ours (kms/model/admin-api.json), both signed for service "kms"; STS by form body
 * (Action=GetCallerIdentity). An operation that exists but is not served (kms_op_info.served false)
 * is validated like any other, then answered with UnsupportedOperationException by kms_decide.
 */
#ifndef KMS_REQUEST_H
#define KMS_REQUEST_H

#include "kms/arn.h"
#include "kms/fault.h"
#include "kms/keyspec.h"
#include "kms/raw.h"
#include "kms/record.h"
#include "kms/sigv4.h"

enum kms_op {
    /* AWS KMS, alphabetical */
    KMS_OP_CANCEL_KEY_DELETION,
    KMS_OP_CONNECT_CUSTOM_KEY_STORE,
    KMS_OP_CREATE_ALIAS,
    KMS_OP_CREATE_CUSTOM_KEY_STORE,
    KMS_OP_CREATE_GRANT,
    KMS_OP_CREATE_KEY,
    KMS_OP_DECAPSULATE,
    KMS_OP_DECRYPT,
    KMS_OP_DELETE_ALIAS,
    KMS_OP_DELETE_CUSTOM_KEY_STORE,
    KMS_OP_DELETE_IMPORTED_KEY_MATERIAL,
    KMS_OP_DERIVE_SHARED_SECRET,
    KMS_OP_DESCRIBE_CUSTOM_KEY_STORES,
    KMS_OP_DESCRIBE_KEY,
    KMS_OP_DISABLE_KEY,
    KMS_OP_DISABLE_KEY_ROTATION,
    KMS_OP_DISCONNECT_CUSTOM_KEY_STORE,
    KMS_OP_ENABLE_KEY,
    KMS_OP_ENABLE_KEY_ROTATION,
    KMS_OP_ENCAPSULATE,
    KMS_OP_ENCRYPT,
    KMS_OP_GENERATE_DATA_KEY,
    KMS_OP_GENERATE_DATA_KEY_PAIR,
    KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT,
    KMS_OP_GENERATE_DATA_KEY_WITHOUT_PLAINTEXT,
    KMS_OP_GENERATE_MAC,
    KMS_OP_GENERATE_RANDOM,
    KMS_OP_GET_KEY_LAST_USAGE,
    KMS_OP_GET_KEY_POLICY,
    KMS_OP_GET_KEY_ROTATION_STATUS,
    KMS_OP_GET_PARAMETERS_FOR_IMPORT,
    KMS_OP_GET_PUBLIC_KEY,
    KMS_OP_IMPORT_KEY_MATERIAL,
    KMS_OP_LIST_ALIASES,
    KMS_OP_LIST_GRANTS,
    KMS_OP_LIST_KEY_POLICIES,
    KMS_OP_LIST_KEY_ROTATIONS,
    KMS_OP_LIST_KEYS,
    KMS_OP_LIST_RESOURCE_TAGS,
    KMS_OP_LIST_RETIRABLE_GRANTS,
    KMS_OP_PUT_KEY_POLICY,
    KMS_OP_RE_ENCRYPT,
    KMS_OP_REPLICATE_KEY,
    KMS_OP_RETIRE_GRANT,
    KMS_OP_REVOKE_GRANT,
    KMS_OP_ROTATE_KEY_ON_DEMAND,
    KMS_OP_SCHEDULE_KEY_DELETION,
    KMS_OP_SIGN,
    KMS_OP_TAG_RESOURCE,
    KMS_OP_UNTAG_RESOURCE,
    KMS_OP_UPDATE_ALIAS,
    KMS_OP_UPDATE_CUSTOM_KEY_STORE,
    KMS_OP_UPDATE_KEY_DESCRIPTION,
    KMS_OP_UPDATE_PRIMARY_REGION,
    KMS_OP_VERIFY,
    KMS_OP_VERIFY_MAC,
    /* QkmsAdmin */
    KMS_OP_CREATE_ACCESS_KEY,
    KMS_OP_CREATE_USER,
    KMS_OP_GET_STATUS,
    KMS_OP_INITIALIZE,
    KMS_OP_LIST_ACCESS_KEYS,
    KMS_OP_LIST_USERS,
    KMS_OP_UPDATE_ACCESS_KEY,
    /* STS */
    KMS_OP_GET_CALLER_IDENTITY,
    KMS_OP_COUNT,
};

struct kms_op_info {
    const char *name;   /* "ScheduleKeyDeletion" */
    const char *action; /* permission, "kms:ScheduleKeyDeletion", "qkms:CreateUser",
                           "sts:GetCallerIdentity" */
    enum kms_service service;
    bool served; /* false: UnsupportedOperationException */
    bool admin;  /* QkmsAdmin: needs a user with the admin flag (Initialize: the operator) */
    bool on_key; /* KeyId names the key it acts on */
    enum kms_key_forms forms;
    bool dry_run; /* takes DryRun */
};

/** Static; never NULL for a value below KMS_OP_COUNT. */
const struct kms_op_info *kms_op_info(enum kms_op op);

/** The operation of a request, without parsing its body for KMS (the STS action stands in the
 * body). UnknownOperationException. */
QK_MUST_USE qk_err kms_op_of(const struct kms_raw *raw, enum kms_op *op, struct kms_fault *fault);

enum kms_message_type { KMS_MESSAGE_RAW, KMS_MESSAGE_DIGEST, KMS_MESSAGE_EXTERNAL_MU };

#define KMS_LIST_LIMIT_DEFAULT 100
#define KMS_MARKER_MAX         128 /* bytes inside a marker: the record id to go on after */

/** A pair of an encryption context. */
struct kms_pair {
    struct qk_bytes key, value;
};
struct kms_context_map {
    const struct kms_pair *pairs; /* in no particular order; no key twice */
    size_t n;
};

/** What an Encrypt's claim has in the place of Plaintext: one zero byte. */
#define KMS_CLAIM_PLAINTEXT "AA=="
/** What a node says (ValidationException) of an authentic Encrypt without a claim: its coordinator
 *  could not parse the body and answers with its own fault. */
#define KMS_CLAIM_MISSING "The nodes were shown no claim."

/** Owned by the request: free with kms_request_free. Views point into it. */
struct kms_request {
    enum kms_op op;
    void *owner; /* private: what the views point into */

    /* operations on a key */
    struct qk_bytes key_id; /* as sent; empty if the operation has none */
    bool dry_run;

    /* CreateKey. Defaults are filled in as the API says. */
    struct qk_bytes spec_name; /* KeySpec or CustomerMasterKeySpec */
    struct qk_bytes usage;     /* empty: absent */
    struct qk_bytes origin;    /* "AWS_KMS" when absent */
    struct qk_bytes policy;    /* empty: absent */
    bool both_specs;           /* KeySpec and CustomerMasterKeySpec were given */
    bool multi_region;
    bool custom_store; /* CustomKeyStoreId or XksKeyId given */
    size_t n_tags;
    bool bypass_lockout;

    /* CreateKey, UpdateKeyDescription */
    struct qk_bytes description; /* may be empty */

    /* Sign, Verify, GenerateMac, VerifyMac */
    struct qk_bytes message; /* decoded */
    enum kms_message_type message_type;
    struct qk_bytes algorithm; /* name, valid in the enum */
    struct qk_bytes signature; /* decoded; Verify */
    struct qk_bytes mac;       /* decoded, 1..6144 bytes; VerifyMac */

    /* symmetric operations */
    struct kms_context_map context;      /* EncryptionContext, SourceEncryptionContext */
    struct kms_context_map dest_context; /* ReEncrypt */
    struct qk_bytes plaintext;           /* Encrypt; SECRET. Of a claim: the placeholder */
    struct qk_bytes blob;                /* Decrypt, ReEncrypt: CiphertextBlob, decoded */
    struct qk_bytes dest_key_id; /* ReEncrypt; as sent (key_id is SourceKeyId, may be empty) */
    struct qk_bytes enc_algorithm, dest_algorithm; /* defaults filled in */
    uint32_t n_bytes;          /* GenerateDataKey*: bytes of the data key, from KeySpec or
                                  NumberOfBytes, 0 if neither, UINT32_MAX if both; GenerateRandom */
    struct qk_bytes pair_spec; /* GenerateDataKeyPair* */
    bool ignore_ciphertext;    /* Decrypt, ReEncrypt: DryRunModifiers IGNORE_CIPHERTEXT */
    bool recipient;            /* Recipient was given: fails closed */
    bool custom_key_store;     /* GenerateRandom: CustomKeyStoreId was given */
    bool modes_tag;            /* CreateKey: is there a tag qkms:modes? */
    uint8_t modes;             /* its value; KMS_MODES_FV when absent, 0 if it is none */
    bool profile_tag;          /* CreateKey: is there a tag qkms:mac-profile? */
    uint8_t mac_modes;         /* its value; KMS_MODES_MAC_N when absent, 0 if it is none */
    size_t n_other_tags;       /* CreateKey: tags besides these two */
    /* rotation */
    uint32_t period_days; /* EnableKeyRotation; 365 when absent */
    bool all_material;    /* ListKeyRotations: IncludeKeyMaterial ALL_KEY_MATERIAL */
    /* import */
    struct qk_bytes wrapping_algorithm, wrapping_spec; /* GetParametersForImport */
    struct qk_bytes import_token, encrypted_material;  /* ImportKeyMaterial, decoded */
    bool expires;                                      /* KEY_MATERIAL_EXPIRES, the default */
    uint64_t valid_to_ms;                              /* 0: absent */
    int import_new;              /* ImportType: 1 NEW, 0 EXISTING, -1 absent */
    struct qk_bytes material_id; /* KeyMaterialId, 64 hex digits; empty: absent */
    struct qk_bytes material_description;

    /* ScheduleKeyDeletion */
    uint32_t pending_days; /* 30 when absent */

    /* ListKeys, ListUsers, ListAccessKeys */
    uint32_t limit; /* 1..1000 */
    struct qk_bytes
        after; /* decoded marker: list what comes after this id; empty: from the start */

    /* admin */
    struct qk_bytes account_name; /* Initialize */
    struct qk_bytes
        user_name; /* CreateUser, CreateAccessKey, ListAccessKeys (empty: all), Initialize */
    bool admin;    /* CreateUser */
    struct qk_bytes allow[KMS_ALLOW_MAX]; /* CreateUser; default filled in */
    size_t n_allow;
    uint8_t response_key[32];      /* X25519 public key: CreateAccessKey, Initialize */
    struct qk_bytes access_key_id; /* UpdateAccessKey */
    bool active;                   /* UpdateAccessKey: Status */
};

/** For an Encrypt: the JSON body with Plaintext replaced, which is all that nodes see of it: KeyId,
 *  EncryptionContext, EncryptionAlgorithm and DryRun, nothing else (grant tokens neither, as long
 * as no grant can be made). Fits WIRE_CALL_CLAIM_MAX. Appended to out. Only for a body that parsed.
 *  QK_E_STATE for other operations. */
QK_MUST_USE qk_err kms_claim_make(const struct kms_raw *raw, struct qk_buf *out);
/** Parse a claim beside a raw request with body_is_hash: Encrypt only, Plaintext exactly the
 *  placeholder (QK_E_MALFORMED as a fault KMSInternalException: the coordinator's doing). Else as
 *  kms_request_parse. */
QK_MUST_USE qk_err kms_claim_parse(const struct kms_raw *raw, struct qk_bytes claim,
    struct kms_request *out, struct kms_fault *fault);

/** Parse. raw->body_is_hash must be false (QK_E_STATE, as fault KMSInternalException). out needs
 * kms_request_free only after QK_OK; it does not refer to raw afterwards. */
QK_MUST_USE qk_err kms_request_parse(
    const struct kms_raw *raw, struct kms_request *out, struct kms_fault *fault);
void kms_request_free(struct kms_request *r);

#define KMS_AUTO_REQUEST __attribute__((cleanup(kms_request_free))) struct kms_request

#endif
