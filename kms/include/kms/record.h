/** Control-plane records: what is true about accounts, users, credentials, keys and the system key.
 *
 *  A record has a kind, an id, a version that counts from 1, and the hash of the version before it.
 * Its encoding is canonical msgpack: one value, one encoding. It counts only together with a
 * certificate (kms/cert.h).
 *
 *  Ids: account "123456789012"; user "<account>/<name>"; credential "AKIA..."; key the lower-case
 * UUID; system "system"; version of a symmetric key "<key UUID>/<ver>", ver in decimal from 1.
 */
#ifndef KMS_RECORD_H
#define KMS_RECORD_H

#include "kms/arn.h"
#include "kms/credential.h"
#include "kms/keyspec.h"

enum kms_kind { /* stored and signed: never renumber */
    KMS_KIND_ACCOUNT = 1,
    KMS_KIND_USER = 2,
    KMS_KIND_CREDENTIAL = 3,
    KMS_KIND_KEY = 4,
    KMS_KIND_SYSTEM = 5,
    KMS_KIND_VERSION = 6, /* one backing version of a symmetric key, the one of an HMAC key */
};

#define KMS_RECORD_ID_MAX            64
#define KMS_RECORD_ENCODED_MAX       196608 /* any record, without certificate */
#define KMS_ALLOW_MAX                32     /* action patterns of a user */
#define KMS_ALLOW_TEXT_MAX           128
#define KMS_ACCOUNT_NAME_MAX         64
#define KMS_DESCRIPTION_MAX          32768 /* bytes; 8192 UTF-16 units of the API */
#define KMS_POLICY_MAX               32768
#define KMS_PKREC_MAX                65536 /* public key record of crypto/, opaque here */
#define KMS_SPKI_MAX                 512
#define KMS_MATERIAL_DESCRIPTION_MAX 1024 /* bytes */
#define KMS_ROTATIONS_ON_DEMAND_MAX  25

enum kms_key_state { /* stored: never renumber */
    KMS_STATE_ENABLED = 1,
    KMS_STATE_DISABLED = 2,
    KMS_STATE_PENDING_DELETION = 3,
    KMS_STATE_DELETED = 4, /* final; the key does not exist for callers */
    KMS_STATE_PENDING_IMPORT = 5,
};

enum kms_origin { /* stored: never renumber */
    KMS_ORIGIN_AWS_KMS = 1,
    KMS_ORIGIN_EXTERNAL = 2,
};

/** How a key may be evaluated. A symmetric one: document 50 section 1, as bits. An HMAC key: the
 * profile of document 60 section 1. Stored: never renumber. */
enum kms_modes {
    KMS_MODES_F = 1,
    KMS_MODES_V = 2,
    KMS_MODES_FV = 3,
    KMS_MODES_MAC_N = 8,  /* profile N: one compression in MPC, whatever the length */
    KMS_MODES_MAC_S = 16, /* profile S, strict: all of them */
};

/** "Enabled", "Disabled", "PendingDeletion", "Deleted", "PendingImport". */
const char *kms_key_state_name(enum kms_key_state state);

struct kms_account {
    struct qk_bytes account; /* 12 digits */
    struct qk_bytes name;    /* 1..64 bytes of UTF-8 without control characters */
    uint64_t created_ms;
};

struct kms_user {
    struct qk_bytes account;
    struct qk_bytes name;
    struct qk_bytes user_id;              /* AIDA... */
    bool admin;                           /* may use the QkmsAdmin operations */
    struct qk_bytes allow[KMS_ALLOW_MAX]; /* action patterns with * and ?, for example "kms:Sign" */
    size_t n_allow;
    uint64_t created_ms;
};

struct kms_credential {
    struct qk_bytes access_key_id;
    struct qk_bytes account;
    struct qk_bytes user_name;
    uint32_t serial; /* version of the secret, input of the DPRF; from 1 */
    bool active;
    uint64_t created_ms;
};

enum kms_rotation { /* stored: never renumber */
    KMS_ROTATION_NONE = 0,
    KMS_ROTATION_AUTOMATIC = 1,
    KMS_ROTATION_ON_DEMAND = 2,
};

/** What a SYMMETRIC_DEFAULT or HMAC key has that others have not. An HMAC key has version 1 and no
 * other for ever: it is not rotated, and may be imported again, but only the same. */
struct kms_symmetric {
    uint8_t modes;       /* enum kms_modes, of its family */
    uint32_t n_versions; /* how many VERSION records there are: 1..n_versions; 0 only while nothing
                            was ever imported */
    uint32_t current;    /* the one that Encrypt and GenerateMac use; 0 iff n_versions is 0 */
    uint8_t material_id[32]; /* of the current one; zeros while there is none */
    /* rotation */
    bool rotating;             /* automatic rotation is on */
    uint32_t period_days;      /* 90..2560 when rotating, else 0 */
    uint64_t next_rotation_ms; /* when rotating, else 0 */
    uint64_t last_rotation_ms; /* 0: never */
    uint32_t on_demand;        /* how many RotateKeyOnDemand there were */
    /* Origin EXTERNAL */
    uint32_t pending; /* the version that waits for RotateKeyOnDemand; 0: none. It stays pending
                         when its material is deleted: import it again, then rotate */
    struct qk_bytes materials; /* one packed entry a version (kms_material_get), so that a material
                                  id is found, and what expires is known, without reading VERSION
                                  records; at most KMS_MATERIALS_MAX, for only RotateKeyOnDemand
                                  makes them. Empty for AWS_KMS */
    /* not encoded: follows from materials (kms_material_derive); decode sets it, encode checks */
    uint32_t missing; /* how many of the versions 1..current are not here: not 0 is PendingImport */
    uint64_t next_expiry_ms; /* the earliest valid_to_ms of what is here; 0: none */
    uint32_t expiring;       /* the version that expires then; 0: none */
};

/** An entry of kms_symmetric.materials: id 32 || u64 valid_to_ms || u8 here. */
struct kms_material {
    uint8_t material_id[32];
    uint64_t valid_to_ms; /* 0: does not expire, or is not here */
    bool here;
};
#define KMS_MATERIAL_LEN  41
#define KMS_MATERIALS_MAX (KMS_ROTATIONS_ON_DEMAND_MAX + 1)

/** Of version ver, 1..materials.len / KMS_MATERIAL_LEN; false for any other. */
bool kms_material_get(const struct kms_symmetric *sym, uint32_t ver, struct kms_material *out);
void kms_material_put(const struct kms_material *m, uint8_t out[static KMS_MATERIAL_LEN]);
/** The version that has this id; 0: none. */
uint32_t kms_material_find(const struct kms_symmetric *sym, const uint8_t id[static 32]);
/** Set missing, next_expiry_ms, expiring from materials and current. */
void kms_material_derive(struct kms_symmetric *sym);

struct kms_key {
    uint8_t key_id[16];
    struct qk_bytes account;
    struct qk_bytes region;
    const struct kms_keyspec *spec; /* encoded as its number */
    enum kms_key_state state;       /* usage and origin are encoded as text and checked */
    enum kms_origin origin;
    struct qk_bytes description; /* UTF-8, 0..KMS_DESCRIPTION_MAX */
    struct qk_bytes policy;      /* JSON text */
    uint64_t created_ms;
    uint64_t deletion_ms;  /* 0 unless PendingDeletion or Deleted */
    uint32_t pending_days; /* 7..30 when deletion_ms is set, else 0 */
    /* asymmetric keys: the key itself */
    struct qk_bytes pkrec; /* 1..KMS_PKREC_MAX; empty for others */
    struct qk_bytes spki;  /* spec->spki_len bytes of DER; empty for others */
    /* SYMMETRIC_DEFAULT, HMAC: their materials are VERSION records of their own */
    struct kms_symmetric sym; /* zeros for other specs */
};

/** One material of a symmetric or HMAC key: what is the same for ever, and for imported ones
 * whether it is here. */
struct kms_version {
    uint8_t key_id[16];
    uint32_t ver;            /* from 1 */
    struct qk_bytes pkrec;   /* mpc/sym_record.h, mpc/mac_record.h; 1..KMS_PKREC_MAX. A re-import
                                makes a new one */
    uint8_t material_id[32]; /* of the first pkrec, for ever */
    uint64_t created_ms;
    uint64_t rotated_ms; /* when it became current by a rotation; 0: first material, or pending */
    enum kms_rotation rotation; /* NONE iff rotated_ms is 0 */
    /* Origin EXTERNAL */
    bool imported;                        /* is it here? Always true for AWS_KMS */
    uint64_t valid_to_ms;                 /* 0: does not expire */
    struct qk_bytes material_description; /* 0..KMS_MATERIAL_DESCRIPTION_MAX bytes of UTF-8 */
};

struct kms_system {
    struct qk_bytes pkrec; /* of the system key */
    uint64_t created_ms;
};

struct kms_record {
    enum kms_kind kind;
    char id[KMS_RECORD_ID_MAX + 1]; /* NUL-terminated */
    uint64_t version;               /* >= 1 */
    uint8_t prev[32];               /* hash of the version before; zeros iff version is 1 */
    uint8_t hash[32];               /* of this version; set by decode and by kms_record_hash */
    union {
        struct kms_account account;
        struct kms_user user;
        struct kms_credential credential;
        struct kms_key key;
        struct kms_system system;
        struct kms_version version_of; /* KMS_KIND_VERSION */
    };
};

/** A record's name. */
struct kms_ref {
    enum kms_kind kind;
    char id[KMS_RECORD_ID_MAX + 1];
};

void kms_ref_account(const char *account, struct kms_ref *out);
/** QK_E_MALFORMED when the name is not a valid user name. */
QK_MUST_USE qk_err kms_ref_user(const char *account, struct qk_bytes name, struct kms_ref *out);
/** QK_E_MALFORMED when it is not a valid access key id. */
QK_MUST_USE qk_err kms_ref_credential(struct qk_bytes access_key_id, struct kms_ref *out);
void kms_ref_key(const uint8_t key_id[static 16], struct kms_ref *out);
void kms_ref_system(struct kms_ref *out);
void kms_ref_version(const uint8_t key_id[static 16], uint32_t ver, struct kms_ref *out);

/** Append the canonical encoding, and set r->hash. QK_E_STATE when a field is out of its bounds or
 *  the id does not follow from the body. */
QK_MUST_USE qk_err kms_record_encode(struct kms_record *r, struct qk_buf *out);
/** Views into `in`, which must outlive r. Every bound is checked, the id must follow from the body,
 * and re-encoding must give the same bytes. Sets r->hash. QK_E_MALFORMED, QK_E_TOO_LARGE. */
QK_MUST_USE qk_err kms_record_decode(struct qk_bytes in, struct kms_record *r);
/** SHA-256(fr("qkms-record-v1") || fr(encoding)), fr(x) = u32(len x) || x. */
QK_MUST_USE qk_err kms_record_hash(struct qk_bytes encoding, uint8_t out[static 32]);

/** An owned record: the encoding and the views into it. Do not copy the struct; move pointers to
 * it. */
struct kms_stored {
    struct qk_buf bytes;
    struct kms_record r;
};
/** Copy `in`, decode the copy. Free with kms_stored_free, also after an error. */
QK_MUST_USE qk_err kms_stored_load(struct qk_bytes in, struct kms_stored *out);
void kms_stored_free(struct kms_stored *s);

#endif
