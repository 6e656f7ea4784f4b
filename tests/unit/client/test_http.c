/* Which endpoints the client talks to. */
#include "http.h"

#include "qktest/qktest.h"

QK_TEST(http, the_host_header_is_that_of_the_endpoint)
{
    struct qk_bytes host;
    char why[256];
    qk_assert_ok(qkms_http_host("https://kms.example:8443", &host, why, sizeof why));
    cr_assert(qk_bytes_is(host, "kms.example:8443"));
    qk_assert_ok(qkms_http_host("https://kms.example/", &host, why, sizeof why));
    cr_assert(qk_bytes_is(host, "kms.example"));
    qk_assert_ok(qkms_http_host("http://127.0.0.1:80", &host, why, sizeof why));
    qk_assert_ok(qkms_http_host("http://[::1]:80", &host, why, sizeof why));
    qk_assert_ok(qkms_http_host("http://localhost", &host, why, sizeof why));
}

QK_TEST(http, other_urls_and_plain_http_to_others_are_refused)
{
    static const char *const bad[] = {"", "https://", "ftp://x", "kms.example", "https://a/b",
        "https://a?x", "https://user@a", "https:// a", "http://kms.example",
        "http://127.0.0.1.evil.example", "http://localhost.evil.example", "http://10.0.0.1"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct qk_bytes host = {0};
        char why[256] = "";
        qk_assert_err(qkms_http_host(bad[i], &host, why, sizeof why), QK_E_MALFORMED);
        cr_expect(why[0] != 0, "%s gets a message", bad[i]);
        cr_expect(host.p == NULL, "%s writes nothing", bad[i]);
    }
}

QK_TEST(http, nobody_there_is_an_io_error_with_a_message)
{
    struct qkms_http http = {
        .endpoint = "https://127.0.0.1:1", .ca_bundle = "", .timeout_ms = 5000};
    struct kms_raw raw = {.method = qk_str("POST"), .path = qk_str("/")};
    QK_AUTO_BUF body = QK_BUF(1024);
    char why[256] = "";
    int status = 0;
    qk_assert_err(qkms_http_post(&http, &raw, &status, &body, why, sizeof why), QK_E_IO);
    cr_assert(strstr(why, "127.0.0.1:1") != NULL, "%s", why);
}
