/* Environment files: what is read, what is refused, and that what is written is read again. */
#include "env.h"

#include "qk/file.h"
#include "qktest/qktest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define GOOD                                                                                       \
    "# comment\nexport "                                                                           \
    "AWS_ENDPOINT_URL='https://127.0.0.1:8443'\nAWS_DEFAULT_REGION=\"q-world-1\"\n"                \
    "export AWS_ACCESS_KEY_ID=AKIAA\nexport AWS_SECRET_ACCESS_KEY='abc/+def'\nOTHER=1\n\n"

static char path[64];

static void write_text(const char *text, unsigned mode)
{
    (void)snprintf(path, sizeof path, "/tmp/qkms-env-%ld", (long)getpid());
    qk_assert_ok(qk_file_write(path, qk_str(text), mode));
}

static qk_err load(const char *text, struct qkms_env *env, char *why)
{
    write_text(text, 0600);
    qk_err err = qkms_env_load(path, env, why, 256);
    (void)unlink(path);
    return err;
}

QK_TEST(env, reads_bare_and_quoted_values)
{
    QKMS_ENV(env);
    char why[256] = "";
    qk_assert_ok(load(GOOD, &env, why));
    cr_assert_str_eq(env.endpoint, "https://127.0.0.1:8443");
    cr_assert_str_eq(env.region, "q-world-1");
    cr_assert_str_eq(env.access_key_id, "AKIAA");
    cr_assert_str_eq(env.secret, "abc/+def");
    cr_assert_str_eq(env.cluster, "");
}

QK_TEST(env, the_service_specific_endpoint_wins_in_any_order)
{
    QKMS_ENV(env);
    char why[256] = "";
    qk_assert_ok(load(GOOD "AWS_ENDPOINT_URL_KMS=https://kms\n", &env, why));
    cr_assert_str_eq(env.endpoint, "https://kms");
    qk_assert_ok(load("AWS_ENDPOINT_URL_KMS=https://kms\n" GOOD, &env, why));
    cr_assert_str_eq(env.endpoint, "https://kms");
}

QK_TEST(env, refuses_what_a_shell_would_read_otherwise)
{
    static const char *const bad[] = {"AWS_REGION='a\n", "AWS_REGION=\"a$b\"\n",
        "AWS_REGION=a`b`\n", "AWS_REGION='a'b'\n", "just words\n", "AWS_REGION=a\\b\n"};
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        QKMS_ENV(env);
        char why[256] = "", text[1024];
        (void)snprintf(text, sizeof text, "%s%s", GOOD, bad[i]);
        qk_assert_err(load(text, &env, why), QK_E_MALFORMED);
        cr_assert(strstr(why, ":8:") != NULL, "the message names the line: %s", why);
        cr_assert_str_eq(env.endpoint, "", "nothing is written on failure");
    }
}

QK_TEST(env, names_what_is_missing)
{
    QKMS_ENV(env);
    char why[256] = "";
    qk_assert_err(load("AWS_ENDPOINT_URL=https://x\n", &env, why), QK_E_NOT_FOUND);
    cr_assert(strstr(why, "AWS_DEFAULT_REGION") != NULL, "%s", why);
}

QK_TEST(env, refuses_a_file_that_others_can_read)
{
    QKMS_ENV(env);
    char why[256] = "";
    write_text(GOOD, 0644);
    qk_assert_err(qkms_env_load(path, &env, why, sizeof why), QK_E_DENIED);
    (void)unlink(path);
}

QK_TEST(env, refuses_values_that_are_too_long)
{
    static char text[4096];
    QKMS_ENV(env);
    char why[256] = "";
    int n = snprintf(text, sizeof text, "%sAWS_REGION=", GOOD);
    memset(text + n, 'r', 100);
    qk_assert_err(load(text, &env, why), QK_E_TOO_LARGE);
}

QK_TEST(env, what_is_printed_is_read_again)
{
    struct qkms_env env = {.endpoint = "https://h:1",
        .region = "r",
        .access_key_id = "AKIA",
        .secret = "s/+",
        .ca_bundle = "/a b/ca.crt",
        .cluster = "/c"};
    struct qkms_env again;
    char why[256] = "";
    QK_AUTO_BUF text = QK_BUF_SECRET(4096);
    qk_assert_ok(qkms_env_print(&env, &text));
    qk_assert_ok(load(qk_buf_cstr(&text), &again, why));
    cr_assert_eq(memcmp(&env, &again, sizeof env), 0);
}

QK_TEST(env, a_value_with_a_quote_is_not_printed)
{
    struct qkms_env env = {.endpoint = "https://h'; rm -rf /; '"};
    QK_AUTO_BUF text = QK_BUF_SECRET(4096);
    qk_assert_err(qkms_env_print(&env, &text), QK_E_MALFORMED);
}
