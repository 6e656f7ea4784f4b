#include "kms/arn.h"

#include <stdio.h>

static bool in_range(uint8_t c, char lo, char hi)
{
    return c >= (uint8_t)lo && c <= (uint8_t)hi;
}

bool kms_account_valid(struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++)
        if (!in_range(v.p[i], '0', '9')) return false;
    return v.len == KMS_ACCOUNT_LEN;
}

bool kms_region_valid(struct qk_bytes v)
{
    if (v.len == 0 || v.len > KMS_REGION_MAX) return false;
    size_t words = 0, run = 0, i = 0;
    for (; i < v.len && !in_range(v.p[i], '0', '9'); i++) {
        if (v.p[i] == '-' && run > 0) {
            words++;
            run = 0;
        } else if (in_range(v.p[i], 'a', 'z'))
            run++;
        else
            return false;
    }
    if (run != 0 || words < 2 || words > 3 || i == v.len) return false;
    for (; i < v.len; i++)
        if (!in_range(v.p[i], '0', '9')) return false;
    return true;
}

bool kms_user_name_valid(struct qk_bytes v)
{
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.p[i];
        bool ok = in_range(c, '0', '9') || in_range(c, 'a', 'z') || in_range(c, 'A', 'Z') ||
                  (c != 0 && strchr("+=,.@_-", c) != NULL);
        if (!ok) return false;
    }
    return v.len > 0 && v.len <= KMS_USER_NAME_MAX;
}

void kms_uuid_text(const uint8_t id[static 16], char out[static KMS_UUID_LEN + 1])
{
    static const size_t groups[] = {4, 2, 2, 2, 6}; /* bytes */
    for (size_t i = 0; i < QK_COUNT(groups); i++) {
        if (i > 0) *out++ = '-';
        qk_hex(id, groups[i], out); /* the NUL is overwritten but for the last one */
        out += 2 * groups[i];
        id += groups[i];
    }
}

static bool lower_hex(uint8_t c)
{
    return in_range(c, '0', '9') || in_range(c, 'a', 'f');
}

qk_err kms_uuid_parse(struct qk_bytes text, uint8_t id[static 16])
{
    char hex[32];
    size_t n = 0;
    QK_ENSURE(text.len == KMS_UUID_LEN, QK_E_MALFORMED);
    for (size_t i = 0; i < KMS_UUID_LEN; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            QK_ENSURE(text.p[i] == '-', QK_E_MALFORMED);
            continue;
        }
        QK_ENSURE(lower_hex(text.p[i]), QK_E_MALFORMED);
        hex[n++] = (char)text.p[i];
    }
    return qk_unhex(qk_bytes(hex, n), id, 16);
}

bool kms_uuid_is_v4(const uint8_t id[static 16])
{
    return (id[6] & 0xf0) == 0x40 && (id[8] & 0xc0) == 0x80;
}

void kms_uuid_make_v4(uint8_t id[static 16])
{
    id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
    id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

void kms_key_arn(const char *region, const char *account, const uint8_t id[static 16],
    char out[static KMS_ARN_MAX])
{
    char uuid[KMS_UUID_LEN + 1];
    kms_uuid_text(id, uuid);
    snprintf(out, KMS_ARN_MAX, "arn:aws:kms:%.32s:%.12s:key/%s", region, account, uuid);
}

void kms_user_arn(const char *account, struct qk_bytes name, char out[static KMS_ARN_MAX])
{
    int len = name.len > KMS_USER_NAME_MAX ? KMS_USER_NAME_MAX : (int)name.len;
    snprintf(out, KMS_ARN_MAX, "arn:aws:iam::%.12s:user/%.*s", account, len, (const char *)name.p);
}

void kms_root_arn(const char *account, char out[static KMS_ARN_MAX])
{
    snprintf(out, KMS_ARN_MAX, "arn:aws:iam::%.12s:root", account);
}

static qk_err invalid_key_id(struct qk_bytes text, struct kms_fault *fault)
{
    return kms_fault_set(
        fault, "NotFoundException", "Invalid keyId '%.*s'", (int)text.len, (const char *)text.p);
}

static bool starts(struct qk_bytes v, const char *prefix)
{
    return v.len >= strlen(prefix) && memcmp(v.p, prefix, strlen(prefix)) == 0;
}

/* Cut the next ':'-ended field off *rest. */
static bool next_field(struct qk_bytes *rest, struct qk_bytes *field)
{
    const uint8_t *colon = rest->len ? memchr(rest->p, ':', rest->len) : NULL;
    if (colon == NULL) return false;
    *field = qk_bytes(rest->p, (size_t)(colon - rest->p));
    *rest = qk_bytes(colon + 1, rest->len - field->len - 1);
    return true;
}

static qk_err no_alias(struct qk_bytes text, struct qk_bytes alias, enum kms_key_forms forms,
    const char *account, const char *region, struct kms_fault *fault)
{
    if (forms != KMS_FORMS_ANY) return invalid_key_id(text, fault);
    return kms_fault_set(fault, "NotFoundException", "Alias arn:aws:kms:%s:%s:%.*s is not found.",
        region, account, (int)alias.len, (const char *)alias.p);
}

static bool is_mrk(struct qk_bytes text)
{
    if (text.len != 36 || !starts(text, "mrk-")) return false;
    for (size_t i = 4; i < text.len; i++)
        if (!lower_hex(text.p[i])) return false;
    return true;
}

/* The bare id, by itself or at the end of an ARN. Multi-Region keys do not exist here. */
static qk_err resolve_id(struct qk_bytes text, struct qk_bytes id_text, const char *account,
    const char *region, uint8_t id[static 16], struct kms_fault *fault)
{
    if (is_mrk(id_text))
        return kms_fault_set(fault, "NotFoundException",
            "Key 'arn:aws:kms:%s:%s:key/%.*s' does not exist", region, account, (int)id_text.len,
            (const char *)id_text.p);
    if (kms_uuid_parse(id_text, id) != QK_OK) return invalid_key_id(text, fault);
    return QK_OK;
}

qk_err kms_key_resolve(struct qk_bytes text, enum kms_key_forms forms, const char *account,
    const char *region, uint8_t id[static 16], bool *foreign, struct kms_fault *fault)
{
    *foreign = false;
    if (starts(text, "alias/")) return no_alias(text, text, forms, account, region, fault);
    if (!starts(text, "arn:")) return resolve_id(text, text, account, region, id, fault);

    struct qk_bytes rest = text, arn, partition, service, where, who;
    bool split = next_field(&rest, &arn) && next_field(&rest, &partition) &&
                 next_field(&rest, &service) && next_field(&rest, &where) &&
                 next_field(&rest, &who);
    if (!split || !qk_bytes_is(partition, "aws") || !qk_bytes_is(service, "kms") ||
        !kms_account_valid(who))
        return invalid_key_id(text, fault);
    if (!qk_bytes_is(where, region))
        return kms_fault_set(
            fault, "NotFoundException", "Invalid arn %.*s", (int)where.len, (const char *)where.p);
    *foreign = !qk_bytes_is(who, account);
    if (*foreign) return QK_OK;
    if (starts(rest, "alias/")) return no_alias(text, rest, forms, account, region, fault);
    if (!starts(rest, "key/")) return invalid_key_id(text, fault);
    return resolve_id(text, qk_bytes(rest.p + 4, rest.len - 4), account, region, id, fault);
}
