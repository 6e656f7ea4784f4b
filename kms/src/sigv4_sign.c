/* The client side: sign every header that is there. */
#include "kms/sigv4.h"

#include <stdio.h>
#include <stdlib.h>
#include "qk/clock.h"

struct name_list {
    char text[KMS_RAW_HEADERS_MAX][64];
    size_t n;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* "a;b;c": lower case, sorted, distinct. */
static qk_err signed_headers(const struct kms_raw *raw, struct qk_buf *out)
{
    struct name_list names = {.n = 0};
    for (size_t i = 0; i < raw->n_headers; i++) {
        struct qk_bytes name = raw->headers[i].name;
        QK_ENSURE(name.len < sizeof names.text[0], QK_E_TOO_LARGE);
        for (size_t k = 0; k < name.len; k++) {
            char c = (char)name.p[k];
            names.text[names.n][k] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
        }
        names.text[names.n++][name.len] = 0;
    }
    qsort(names.text, names.n, sizeof names.text[0], compare_names);
    for (size_t i = 0; i < names.n; i++) {
        if (i > 0 && strcmp(names.text[i], names.text[i - 1]) == 0) continue;
        if (i > 0) qk_buf_add_u8(out, ';');
        qk_buf_add_str(out, names.text[i]);
    }
    return out->err;
}

static qk_err sign_text(const struct kms_raw *raw, const struct kms_sigv4_signer *s,
    const char *amz_date, struct qk_bytes names, uint8_t out[static 32])
{
    QK_SEC32(day_key);
    QK_SEC32(signing_key);
    QK_AUTO_BUF canonical = QK_BUF(4u * KMS_RAW_HEAD_MAX);
    QK_AUTO_BUF text = QK_BUF(1024);
    struct qk_bytes date = qk_bytes(amz_date, 8);
    uint8_t hash[32];
    char hex[65];
    QK_TRY(kms_raw_body_hash(raw, hash));
    qk_hex(hash, sizeof hash, hex);
    QK_TRY(kms_sigv4_canonical(raw, names, hex, &canonical));
    QK_TRY(kms_sigv4_string_to_sign(
        amz_date, date, qk_str(s->region), qk_str(s->service), qk_buf_view(&canonical), &text));
    QK_TRY(kms_sigv4_day_key(s->secret, date, &day_key));
    QK_TRY(kms_sigv4_signing_key(&day_key, qk_str(s->region), qk_str(s->service), &signing_key));
    return kms_sigv4_signature(&signing_key, qk_buf_view(&text), out);
}

qk_err kms_sigv4_sign(
    struct kms_raw *raw, const struct kms_sigv4_signer *signer, struct kms_sigv4_headers *headers)
{
    QK_AUTO_BUF names = QK_BUF(2048);
    uint8_t signature[32];
    char hex[65];
    QK_ENSURE(kms_raw_header(raw, "host") != NULL, QK_E_STATE);
    qk_time_basic(signer->now_ms, headers->amz_date);
    QK_TRY(kms_raw_add_header(raw, qk_str("x-amz-date"), qk_str(headers->amz_date)));
    QK_TRY(signed_headers(raw, &names));
    QK_TRY(sign_text(raw, signer, headers->amz_date, qk_buf_view(&names), signature));
    qk_hex(signature, sizeof signature, hex);
    int n = snprintf(headers->authorization, sizeof headers->authorization,
        "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%.*s, Signature=%s",
        signer->access_key_id, headers->amz_date, signer->region, signer->service, (int)names.len,
        (const char *)names.p, hex);
    QK_ENSURE(n > 0 && (size_t)n < sizeof headers->authorization, QK_E_TOO_LARGE);
    return kms_raw_add_header(raw, qk_str("authorization"), qk_str(headers->authorization));
}
