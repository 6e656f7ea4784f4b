#include "kms/credential.h"

/* One base64 character without a table or a branch: v < 64 is secret. */
static char base64_char(unsigned v)
{
    unsigned ge26 = (25u - v) >> 31, ge52 = (51u - v) >> 31;
    unsigned ge62 = (61u - v) >> 31, ge63 = (62u - v) >> 31;
    unsigned c = 'A' + v;
    c += ge26 * ('a' - 'A' - 26u);
    c += ge52 * ((unsigned)'0' - 52u - ('a' - 26u));
    c += ge62 * ((unsigned)'+' - 62u - ((unsigned)'0' - 52u));
    c += ge63 * ((unsigned)'/' - 63u - ((unsigned)'+' - 62u));
    return (char)c;
}

void kms_secret_from_prf(const struct qk_sec32 *prf, struct kms_secret_text *out)
{
    for (size_t i = 0; i < 10; i++) {
        const uint8_t *p = prf->b + 3 * i;
        out->text[4 * i] = base64_char(p[0] >> 2);
        out->text[4 * i + 1] = base64_char(((p[0] & 3u) << 4) | (p[1] >> 4));
        out->text[4 * i + 2] = base64_char(((p[1] & 15u) << 2) | (p[2] >> 6));
        out->text[4 * i + 3] = base64_char(p[2] & 63u);
    }
    out->text[KMS_SECRET_TEXT_LEN] = 0;
}

qk_err kms_credential_input(
    struct qk_bytes access_key_id, uint32_t version, uint8_t out[static KMS_CREDENTIAL_INPUT_LEN])
{
    QK_ENSURE(kms_akid_valid(access_key_id), QK_E_STATE);
    QK_ENSURE(version >= 1, QK_E_STATE);
    uint8_t *p = out;
    qk_put_u32(p, sizeof KMS_CREDENTIAL_PURPOSE - 1);
    memcpy(p + 4, KMS_CREDENTIAL_PURPOSE, sizeof KMS_CREDENTIAL_PURPOSE - 1);
    p += 4 + sizeof KMS_CREDENTIAL_PURPOSE - 1;
    qk_put_u32(p, KMS_AKID_LEN);
    memcpy(p + 4, access_key_id.p, KMS_AKID_LEN);
    p += 4 + KMS_AKID_LEN;
    qk_put_u32(p, 4);
    qk_put_u32(p + 4, version);
    return QK_OK;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static bool name_valid(struct qk_bytes v, const char *prefix, size_t len)
{
    if (v.len != len || memcmp(v.p, prefix, 4) != 0) return false;
    for (size_t i = 4; i < len; i++)
        if (v.p[i] == 0 || strchr(alphabet, v.p[i]) == NULL) return false;
    return true;
}

bool kms_akid_valid(struct qk_bytes v)
{
    return name_valid(v, "AKIA", KMS_AKID_LEN);
}

bool kms_user_id_valid(struct qk_bytes v)
{
    return name_valid(v, "AIDA", KMS_USER_ID_LEN);
}

static qk_err name_new(struct qk_rng *rng, const char *prefix, size_t len, char *out)
{
    uint8_t random[KMS_USER_ID_LEN];
    QK_TRY(qk_rng_fill(rng, random, sizeof random));
    memcpy(out, prefix, 4);
    for (size_t i = 4; i < len; i++) out[i] = alphabet[random[i] & 31];
    out[len] = 0;
    return QK_OK;
}

qk_err kms_akid_new(struct qk_rng *rng, char out[static KMS_AKID_LEN + 1])
{
    return name_new(rng, "AKIA", KMS_AKID_LEN, out);
}

qk_err kms_user_id_new(struct qk_rng *rng, char out[static KMS_USER_ID_LEN + 1])
{
    return name_new(rng, "AIDA", KMS_USER_ID_LEN, out);
}
