#include "http.h"

#include <curl/curl.h>
#include <stdio.h>

static bool starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

static bool is_loopback(struct qk_bytes host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < QK_COUNT(names); i++) {
        size_t len = strlen(names[i]);
        if (host.len >= len && memcmp(host.p, names[i], len) == 0 &&
            (host.len == len || host.p[len] == ':'))
            return true;
    }
    return false;
}

qk_err qkms_http_host(const char *endpoint, struct qk_bytes *host, char *why, size_t why_len)
{
    bool plain = starts(endpoint, "http://");
    const char *p = plain ? endpoint + 7 : starts(endpoint, "https://") ? endpoint + 8 : NULL;
    size_t len = p != NULL ? strcspn(p, "/?#@ ") : 0;
    if (len == 0 || (p[len] != 0 && strcmp(p + len, "/") != 0)) {
        (void)snprintf(why, why_len, "endpoint must be https://host:port, not '%s'", endpoint);
        return QK_E_MALFORMED;
    }
    if (plain && !is_loopback(qk_bytes(p, len))) {
        (void)snprintf(why, why_len, "plain http:// is for loopback only, not '%s'", endpoint);
        return QK_E_MALFORMED;
    }
    *host = qk_bytes(p, len);
    return QK_OK;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct qk_buf *body = arg;
    qk_buf_add(body, data, size * n);
    return body->err == QK_OK ? size * n : 0;
}

static qk_err header_list(const struct kms_raw *raw, struct curl_slist **list)
{
    QK_AUTO_BUF line = QK_BUF(KMS_RAW_HEAD_MAX + 16);
    struct curl_slist *grown = curl_slist_append(NULL, "Expect:"); /* never wait for a 100 */
    QK_ENSURE(grown != NULL, QK_E_NOMEM);
    *list = grown;
    for (size_t i = 0; i < raw->n_headers; i++) {
        qk_buf_clear(&line);
        qk_buf_add(&line, raw->headers[i].name.p, raw->headers[i].name.len);
        qk_buf_add_str(&line, ": ");
        qk_buf_add(&line, raw->headers[i].value.p, raw->headers[i].value.len);
        const char *text = qk_buf_cstr(&line);
        QK_ENSURE(text != NULL, line.err);
        grown = curl_slist_append(*list, text);
        QK_ENSURE(grown != NULL, QK_E_NOMEM);
        *list = grown;
    }
    return QK_OK;
}

static CURLcode set_trust(CURL *curl, const struct qkms_http *http)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (rc == CURLE_OK && http->ca_bundle[0] != 0) {
        rc = curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_bundle);
        if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
    }
    return rc;
}

static CURLcode set_request(CURL *curl, const struct qkms_http *http, const struct kms_raw *raw,
    struct curl_slist *headers, struct qk_buf *body)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, http->endpoint);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_POST, 1L);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)raw->body.len);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(
            curl, CURLOPT_POSTFIELDS, raw->body.len > 0 ? (const char *)raw->body.p : "");
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)http->timeout_ms);
    if (rc == CURLE_OK) rc = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    return rc;
}

static qk_err explain(CURLcode rc, const struct qkms_http *http, const char *detail,
    const struct qk_buf *body, char *why, size_t why_len)
{
    (void)snprintf(
        why, why_len, "%s: %s", http->endpoint, detail[0] != 0 ? detail : curl_easy_strerror(rc));
    if (body->err != QK_OK) return body->err;
    if (rc == CURLE_OUT_OF_MEMORY) return QK_E_NOMEM;
    return rc == CURLE_OPERATION_TIMEDOUT ? QK_E_TIMEOUT : QK_E_IO;
}

static qk_err perform(CURL *curl, const struct qkms_http *http, const struct kms_raw *raw,
    int *status, struct qk_buf *body, char *why, size_t why_len)
{
    char detail[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    qk_err err = header_list(raw, &headers);
    if (err == QK_OK) {
        CURLcode rc = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
        long code = 0;
        if (rc == CURLE_OK) rc = set_trust(curl, http);
        if (rc == CURLE_OK) rc = set_request(curl, http, raw, headers, body);
        if (rc == CURLE_OK) rc = curl_easy_perform(curl);
        if (rc == CURLE_OK) rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
        if (rc != CURLE_OK)
            err = explain(rc, http, detail, body, why, why_len);
        else
            *status = (int)code;
    }
    curl_slist_free_all(headers);
    return err;
}

qk_err qkms_http_post(const struct qkms_http *http, const struct kms_raw *raw, int *status,
    struct qk_buf *body, char *why, size_t why_len)
{
    struct qk_bytes host;
    QK_TRY(qkms_http_host(http->endpoint, &host, why, why_len));
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        (void)snprintf(why, why_len, "no HTTP client: out of memory");
        return QK_E_NOMEM;
    }
    qk_err err = perform(curl, http, raw, status, body, why, why_len);
    curl_easy_cleanup(curl);
    return err;
}
