/** JSON bodies against the API model, with AWS's texts (kms-api.md section 2.2).
 *
 *  The model (kms/model/kms-api-model.json, kms/model/admin-api.json) becomes C tables at build
 * time. Hostile JSON: at most KMS_RAW_BODY_MAX bytes and 16 levels; duplicate names, invalid UTF-8,
 * NUL, numbers that do not fit are refused.
 */
#ifndef KMS_VALIDATE_H
#define KMS_VALIDATE_H

#include <jansson.h>
#include "kms/request.h"

#define KMS_JSON_DEPTH_MAX 16

/** Parse one JSON object; an empty body is `{}`. SerializationException. *out is a new reference.
 */
QK_MUST_USE qk_err kms_json_parse(struct qk_bytes body, json_t **out, struct kms_fault *fault);

/** Check the input of op: SerializationException for a wrong JSON type or bad base64,
 *  ValidationException listing every violated constraint. Unknown members and null are ignored. */
QK_MUST_USE qk_err kms_validate(enum kms_op op, const json_t *input, struct kms_fault *fault);

#endif
