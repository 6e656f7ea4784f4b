#include "json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include "kms/response.h"
#include "qk/log.h"

void kms_json_key_name(struct kms_json *o, const char *name)
{
    qk_buf_add_str(o->b, o->more ? ",\"" : "\"");
    qk_buf_add_str(o->b, name);
    qk_buf_add_str(o->b, "\":");
    o->more = true;
}

void kms_json_text(struct kms_json *o, const char *name, struct qk_bytes v)
{
    kms_json_key_name(o, name);
    qk_json_string(o->b, v, v.len);
}

void kms_json_str(struct kms_json *o, const char *name, const char *v)
{
    kms_json_text(o, name, qk_str(v));
}

void kms_json_bool(struct kms_json *o, const char *name, bool v)
{
    kms_json_key_name(o, name);
    qk_buf_add_str(o->b, v ? "true" : "false");
}

void kms_json_number(struct kms_json *o, const char *name, uint64_t v)
{
    kms_json_key_name(o, name);
    qk_buf_printf(o->b, "%" PRIu64, v);
}

/* Epoch seconds with milliseconds. */
void kms_json_time(struct kms_json *o, const char *name, uint64_t ms)
{
    kms_json_key_name(o, name);
    qk_buf_printf(o->b, "%" PRIu64 ".%03u", ms / 1000, (unsigned)(ms % 1000));
}

void kms_json_blob(struct kms_json *o, const char *name, struct qk_bytes v)
{
    kms_json_key_name(o, name);
    qk_buf_add_u8(o->b, '"');
    qk_base64_add(o->b, v);
    qk_buf_add_u8(o->b, '"');
}

static void key_arn(const struct kms_key *key, char out[static KMS_ARN_MAX])
{
    char account[KMS_ACCOUNT_LEN + 1], region[KMS_REGION_MAX + 1];
    snprintf(account, sizeof account, "%.*s", (int)key->account.len, (const char *)key->account.p);
    snprintf(region, sizeof region, "%.*s", (int)key->region.len, (const char *)key->region.p);
    kms_key_arn(region, account, key->key_id, out);
}

void kms_json_arn(struct kms_json *o, const char *name, const struct kms_key *key)
{
    char arn[KMS_ARN_MAX];
    key_arn(key, arn);
    kms_json_str(o, name, arn);
}

void kms_json_material_id(struct kms_json *o, const char *name, const uint8_t id[static 32])
{
    char hex[65];
    qk_hex(id, 32, hex);
    kms_json_str(o, name, hex);
}

void kms_json_page(struct kms_json *o, bool more, struct qk_bytes last)
{
    kms_json_bool(o, "Truncated", more);
    if (!more) return;
    kms_json_key_name(o, "NextMarker");
    qk_buf_add_u8(o->b, '"');
    kms_marker_encode(last, o->b);
    qk_buf_add_u8(o->b, '"');
}
