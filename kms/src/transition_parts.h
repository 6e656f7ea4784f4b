/** Shared by the files that make record versions. */
#ifndef KMS_TRANSITION_PARTS_H
#define KMS_TRANSITION_PARTS_H

#include "kms/decide.h"
#include "symmetric.h"

/** Room for one more record in out. */
struct kms_record *kms_change_add(struct kms_change *out);
/** Version 1 of a record with this name, body all zeros. */
void kms_change_first(struct kms_record *r, const struct kms_ref *ref);
/** What comes after current, with its body. */
void kms_change_next(struct kms_record *r, const struct kms_record *current);

/** CREATE_KEY of a symmetric or HMAC key: complete the KEY record, and add the VERSION record when
 * material was generated (created not NULL). */
void kms_symmetric_create(struct kms_record *key, uint8_t modes, enum kms_origin origin,
    const struct kms_created *created, uint64_t now_ms, struct kms_change *out);
/** DO_CHANGE, DO_ROTATE and DO_IMPORT of the operations on material. QK_E_STATE for others, and
 * when an input is missing. */
QK_MUST_USE qk_err kms_symmetric_change(const struct kms_request *req,
    const struct kms_record *current, const struct kms_proposal *prop,
    const struct kms_decision *decision, const struct kms_created *created, struct kms_change *out);
/** The state that a key with imported material has after its materials or its state changed. */
void kms_symmetric_settle(struct kms_key *key);

#endif
