/** Inside of requests: what their views point into, and how members are read. Types were checked by
 * kms_validate; null counts as absent. */
#ifndef KMS_REQUEST_PARTS_H
#define KMS_REQUEST_PARTS_H

#include <jansson.h>
#include "kms/request.h"

struct kms_owner {
    json_t *root;
    struct qk_buf secret;  /* Message, Plaintext, ResponseKey */
    struct qk_buf mac;     /* Mac; a good one is as secret as the message */
    struct qk_buf blob;    /* Signature, CiphertextBlob, ImportToken */
    struct qk_buf wrapped; /* EncryptedKeyMaterial */
    struct qk_buf after;
    struct kms_pair *pairs[2];
};

static inline struct qk_bytes kms_text(const json_t *in, const char *name)
{
    const json_t *v = json_object_get(in, name);
    return json_is_string(v) ? qk_bytes(json_string_value(v), json_string_length(v))
                             : qk_bytes(NULL, 0);
}

static inline struct qk_bytes kms_text_or(const json_t *in, const char *name, const char *preset)
{
    struct qk_bytes v = kms_text(in, name);
    return v.p != NULL ? v : qk_str(preset);
}

static inline bool kms_present(const json_t *in, const char *name)
{
    const json_t *v = json_object_get(in, name);
    return v != NULL && !json_is_null(v);
}

static inline bool kms_flag(const json_t *in, const char *name)
{
    return json_is_true(json_object_get(in, name));
}

static inline uint32_t kms_number(const json_t *in, const char *name, uint32_t preset)
{
    const json_t *v = json_object_get(in, name);
    return json_is_integer(v) ? (uint32_t)json_integer_value(v) : preset;
}

/** Decode base64 into out; *view is empty when the member is absent. */
static inline qk_err kms_blob(
    const json_t *in, const char *name, struct qk_buf *out, struct qk_bytes *view)
{
    QK_TRY(qk_unbase64(kms_text(in, name), out));
    *view = qk_buf_view(out);
    return QK_OK;
}

/** The members of operations of symmetric keys; *mine tells whether r->op is one. */
QK_MUST_USE qk_err kms_request_read_symmetric(const json_t *in, struct kms_owner *o,
    struct kms_request *r, bool *mine, struct kms_fault *fault);
/** CreateKey's Tags. TagException when a key stands twice. */
QK_MUST_USE qk_err kms_request_read_tags(
    const json_t *in, struct kms_request *r, struct kms_fault *fault);
/** Limit and Marker. */
QK_MUST_USE qk_err kms_request_read_page(
    const json_t *in, struct kms_owner *o, struct kms_request *r, struct kms_fault *fault);
/** kms_request_parse of this body, whatever raw's is. */
QK_MUST_USE qk_err kms_request_parse_body(const struct kms_raw *raw, struct qk_bytes body,
    struct kms_request *out, struct kms_fault *fault);

#endif
