/* Bytes to JSON, for hostile bytes. */
#include <malloc.h>
#include <stdlib.h>
#include "kms/validate.h"
#include "qk/secret.h"

/* A body may hold a plaintext, and jansson copies every text it reads, into scratch buffers of its
 * own too. What it gives back is wiped. Set before main, because jansson's hooks belong to the
 * process and must not change under a running thread. */
static void wiping_free(void *p)
{
    if (p == NULL) return;
    qk_wipe(p, malloc_usable_size(p));
    free(p);
}

__attribute__((constructor)) static void wipe_what_jansson_frees(void)
{
    json_set_alloc_funcs(malloc, wiping_free);
}

static qk_err not_json(struct kms_fault *fault)
{
    return kms_fault_set(fault, "SerializationException",
        "The request body is not a JSON object this service reads.");
}

/* jansson recurses up to 2048 levels: look before it does. Brackets inside strings do not count. */
static bool depth_ok(struct qk_bytes body)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < body.len; i++) {
        uint8_t c = body.p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"')
            in_string = true;
        else if (c == '{' || c == '[') {
            if (++depth > KMS_JSON_DEPTH_MAX) return false;
        } else if ((c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return true;
}

qk_err kms_json_parse(struct qk_bytes body, json_t **out, struct kms_fault *fault)
{
    json_error_t where;
    if (body.len == 0) {
        *out = json_object();
        return *out != NULL ? QK_OK : kms_fault_internal(fault, QK_E_NOMEM);
    }
    if (body.len > KMS_RAW_BODY_MAX || !depth_ok(body)) return not_json(fault);
    json_t *root = json_loadb((const char *)body.p, body.len, JSON_REJECT_DUPLICATES, &where);
    if (root == NULL) return not_json(fault);
    if (!json_is_object(root)) {
        json_decref(root);
        return not_json(fault);
    }
    *out = root;
    return QK_OK;
}
