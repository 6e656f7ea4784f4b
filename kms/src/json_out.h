/** Members of a JSON object, written one after the other. */
#ifndef KMS_JSON_OUT_H
#define KMS_JSON_OUT_H

#include "kms/record.h"

struct kms_json {
    struct qk_buf *b;
    bool more; /* a member stands before the next */
};

/** The comma, if one is due, and `"name":`. */
void kms_json_key_name(struct kms_json *o, const char *name);
void kms_json_text(struct kms_json *o, const char *name, struct qk_bytes v);
void kms_json_str(struct kms_json *o, const char *name, const char *v);
void kms_json_bool(struct kms_json *o, const char *name, bool v);
void kms_json_number(struct kms_json *o, const char *name, uint64_t v);
/** Epoch seconds with milliseconds. */
void kms_json_time(struct kms_json *o, const char *name, uint64_t ms);
/** Base64. */
void kms_json_blob(struct kms_json *o, const char *name, struct qk_bytes v);
/** 64 lower-case hexadecimal digits. */
void kms_json_material_id(struct kms_json *o, const char *name, const uint8_t id[static 32]);
/** The key's ARN. */
void kms_json_arn(struct kms_json *o, const char *name, const struct kms_key *key);

/** `"Truncated":` and, when there is more, `"NextMarker":` naming last. */
void kms_json_page(struct kms_json *o, bool more, struct qk_bytes last);

#endif
