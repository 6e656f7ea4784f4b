/** Where the load goes and with whose key: read from the environment, as AWS's own tools do.
 *
 *  AWS_ENDPOINT_URL_KMS or AWS_ENDPOINT_URL, AWS_REGION or AWS_DEFAULT_REGION,
 *  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and for https AWS_CA_BUNDLE.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <limits.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include "kms/sigv4.h"

struct bench_target {
    bool tls;
    char host[256]; /* a name or an address, without brackets */
    char port[6];
    char authority[300]; /* as in the URL: the Host header */
    char region[64];
    char access_key_id[129];
    char secret[KMS_SECRET_KEY_MAX + 1]; /* wiped by bench_target_wipe */
    char ca[PATH_MAX];
    struct sockaddr_storage addr;
    socklen_t addr_len;
    SSL_CTX *ctx; /* NULL without TLS */
};

/** Read the settings, resolve the host, load the CA. Every failure is told on stderr.
 *
 *  env_file      lines `export NAME=value`, value bare or in one kind of quotes, such as
 *                build/local/client.env; it wins over the environment. It holds a secret: refused
 *                unless closed to group and others. NULL: none
 *  allow_remote  false: every address of the host must be a loopback address
 *
 *  Returns QK_OK; QK_E_MALFORMED, QK_E_NOT_FOUND, QK_E_DENIED, QK_E_IO, QK_E_CRYPTO
 */
QK_MUST_USE qk_err bench_target_init(
    struct bench_target *t, const char *env_file, bool allow_remote);
/** A TLS context of a client that trusts nobody yet; the caller's, also on error. QK_E_CRYPTO. */
QK_MUST_USE qk_err bench_target_client_tls(SSL_CTX **out);
void bench_target_wipe(struct bench_target *t);

#endif
