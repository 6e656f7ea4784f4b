/* The HTTPS certificate: it verifies under its CA file in OpenSSL's strict mode, for its hosts
 * only. */
#include "tlscert.h"

#include "pem.h"
#include "qk/file.h"
#include "qktest/qktest.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], key[96], cert[96], ca[96];

static struct qkms_tls_files names(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/qkms-tls-XXXXXX");
    cr_assert(mkdtemp(dir) != NULL);
    (void)snprintf(key, sizeof key, "%s/tls.key", dir);
    (void)snprintf(cert, sizeof cert, "%s/tls.crt", dir);
    (void)snprintf(ca, sizeof ca, "%s/ca.crt", dir);
    return (struct qkms_tls_files){.key = key, .cert = cert, .ca = ca};
}

static void clean(void)
{
    (void)unlink(key);
    (void)unlink(cert);
    (void)unlink(ca);
    (void)rmdir(dir);
}

static X509 *read_first(const char *file)
{
    FILE *f = fopen(file, "r");
    cr_assert(f != NULL);
    X509 *x = PEM_read_X509(f, NULL, NULL, NULL);
    (void)fclose(f);
    cr_assert(x != NULL);
    return x;
}

static int verifies(const char *host)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509 *leaf = read_first(cert), *root = read_first(ca);
    cr_assert(X509_STORE_add_cert(store, root) == 1);
    cr_assert(X509_STORE_CTX_init(ctx, store, leaf, NULL) == 1);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    cr_assert(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT) == 1);
    cr_assert(X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER) == 1);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) != 1)
        cr_assert(X509_VERIFY_PARAM_set1_host(param, host, 0) == 1);
    int good = X509_verify_cert(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(leaf);
    X509_free(root);
    return good;
}

QK_TEST(tlscert, verifies_strictly_and_for_its_hosts_only)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    struct qkms_tls_files files = names();
    struct stat st;
    qk_assert_ok(qkms_tls_create(&files, hosts, 3, 30));
    for (size_t i = 0; i < 3; i++) cr_expect_eq(verifies(hosts[i]), 1, "%s", hosts[i]);
    cr_expect_neq(verifies("kms.example"), 1);
    cr_expect_neq(verifies("127.0.0.2"), 1);
    cr_assert_eq(stat(key, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    QK_AUTO_BUF der = QK_BUF(4096);
    qk_assert_ok(qkms_pem_cert(cert, &der));
    qk_assert_err(qkms_pem_cert(key, &der), QK_E_MALFORMED);
    clean();
}

QK_TEST(tlscert, refuses_hosts_that_are_none)
{
    static const char *const bad[] = {"", "a b", "x,IP:10.0.0.1", "a\nb", "*"};
    struct qkms_tls_files files = names();
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        qk_assert_err(qkms_tls_create(&files, &bad[i], 1, 30), QK_E_MALFORMED);
    qk_assert_err(qkms_tls_create(&files, bad, 0, 30), QK_E_STATE);
    cr_assert_neq(access(key, F_OK), 0);
    clean();
}
