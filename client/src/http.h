/** One HTTPS request and its answer (libcurl).
 *
 *  Only the given CA bundle is trusted when there is one; TLS 1.2 or newer; no redirects, no
 *  proxies, no user's curl settings. Plain http:// is accepted for loopback addresses only.
 */
#ifndef QKMS_HTTP_H
#define QKMS_HTTP_H

#include "kms/raw.h"

enum { QKMS_HTTP_ANSWER_MAX = 4 * 1024 * 1024 };

struct qkms_http {
    const char *endpoint;  /* "https://host:port" with nothing behind it but an optional '/' */
    const char *ca_bundle; /* PEM file; "": the system's */
    unsigned timeout_ms;   /* for everything together */
};

/** The Host header of an endpoint, a view into it. QK_E_MALFORMED: not such a URL, or plain HTTP to
 *  another machine. */
QK_MUST_USE qk_err qkms_http_host(
    const char *endpoint, struct qk_bytes *host, char *why, size_t why_len);

/** Send raw (method POST, its headers as they stand, its body) and append the answer's body.
 *
 *  Returns  QK_OK           an answer came; *status says what kind
 *           QK_E_MALFORMED  endpoint
 *           QK_E_TIMEOUT, QK_E_IO (no connection, no trust, broken answer), QK_E_TOO_LARGE
 * (body->max) why gets one line for people unless QK_OK.
 */
QK_MUST_USE qk_err qkms_http_post(const struct qkms_http *http, const struct kms_raw *raw,
    int *status, struct qk_buf *body, char *why, size_t why_len);

#endif
