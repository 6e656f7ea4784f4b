/** A small deployment for tests: its records made by the real transitions, requests built and
 * decided as a node would. */
#ifndef KMSKIT_H
#define KMSKIT_H

#include "kms/decide.h"

#define KIT_NOW       1790000000000u /* 2026-09-21T14:13:20Z */
#define KIT_AMZ_DATE  "20260921T141320Z"
#define KIT_ACCOUNT   "123456789012"
#define KIT_REGION    "us-east-1"
#define KIT_ALICE     "AKIAALICEALICEALICEA" /* administrator, kms:* */
#define KIT_BOB       "AKIABOBBOBBOBBOBBOBB" /* kms:Sign, kms:Describe* */
#define KIT_ITEMS_MAX 64

struct kit_world {
    struct kms_context ctx;
    struct kms_stored *items[KIT_ITEMS_MAX]; /* the newest version of each record */
    size_t n;
    uint8_t key_id[16];   /* of the last key made */
    uint32_t n_materials; /* how many material ids were given out */
    char key[KMS_UUID_LEN + 1];
    char arn[KMS_ARN_MAX];
    struct kms_fault fault; /* of the last refused request */
};

/** Account, alice and the system key through Initialize; bob, and one ECC_NIST_P256 key. */
void kit_world_init(struct kit_world *w);
void kit_world_free(struct kit_world *w);
struct kms_record *kit_find(struct kit_world *w, const struct kms_ref *ref);
/** The current record of the last key made. */
struct kms_record *kit_key(struct kit_world *w);

/** raw: POST / with host, content-type, target and body; views into the arguments. */
struct kms_raw kit_raw(const char *target, const char *body);
/** Parse target and JSON body. */
qk_err kit_parse(
    const char *target, const char *body, struct kms_request *req, struct kms_fault *fault);
/** Load what the request rests on. access_key_id "" for the operator. */
void kit_load(struct kit_world *w, const char *access_key_id, const struct kms_request *req,
    const struct kms_proposal *prop, struct kms_records *recs);
/** Parse, load, check the client, decide. w->fault on refusal. *req must be freed after QK_OK only.
 */
qk_err kit_decide(struct kit_world *w, const char *access_key_id, const char *target,
    const char *body, struct kms_request *req, struct kms_records *recs,
    const struct kms_proposal *prop, struct kms_decision *out);
/** kit_decide with a fresh proposal, then the transition; the new records replace the old ones. */
qk_err kit_do(struct kit_world *w, const char *access_key_id, const char *target, const char *body);
/** CreateAccessKey by alice, with this name for the new key. */
qk_err kit_access_key(struct kit_world *w, const char *user, const char *access_key_id);
/** Body with the current key's id: a format with one %s. */
const char *kit_body(struct kit_world *w, const char *fmt);

/** The current record of a version of the last key made; NULL if there is none. */
struct kms_record *kit_version(struct kit_world *w, uint32_t ver);
/** This record in the place of the one that is there. */
void kit_put(struct kit_world *w, struct kms_record *r);
/** CreateKey by alice; aborts when refused. */
void kit_symmetric(struct kit_world *w, const char *body);
/** Base64 of something that begins like a blob of this key and version, len bytes of it. */
const char *kit_blob(const uint8_t key_id[static 16], uint32_t ver, size_t len);
/** Decide and expect a fault. %K in text stands for the key's ARN, %s in body for its id; text
 * NULL: none. */
void kit_expect(struct kit_world *w, const char *who, const char *target, const char *body,
    const char *type, const char *text);
/** Decide and expect this. *d's views into the request are gone. */
void kit_expect_decision(struct kit_world *w, const char *who, const char *target, const char *body,
    enum kms_decision_kind kind, struct kms_decision *d);
/** What the clock makes of the last key made; the new records replace the old ones. */
qk_err kit_due(struct kit_world *w, enum kms_due due);

#endif
