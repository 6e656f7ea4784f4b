/** Bodies of the KEY and VERSION records: bounds, writing, reading. */
#ifndef KMS_RECORD_KEY_H
#define KMS_RECORD_KEY_H

#include "kms/record.h"
#include "qk/pack.h"

#define KMS_TIME_MAX 253402300799999u /* 9999-12-31: dates keep four digits */

bool kms_key_ok(const struct kms_key *k);
void kms_key_put(const struct kms_key *k, struct qk_buf *b);
QK_MUST_USE qk_err kms_key_get(struct qk_unpack *u, struct kms_key *k);

bool kms_version_ok(const struct kms_version *v);
void kms_version_put(const struct kms_version *v, struct qk_buf *b);
QK_MUST_USE qk_err kms_version_get(struct qk_unpack *u, struct kms_version *v);

#endif
