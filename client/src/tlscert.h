/** The HTTPS certificate of a coordinator, for deployments without a public CA.
 *
 *  A certificate authority is made, signs one server certificate and is forgotten: its private key
 *  never touches a disk, so nothing else can ever be signed in its name. Clients trust its
 *  certificate. Both follow RFC 5280 to the letter (key identifiers, critical key usage), which
 *  OpenSSL's strict mode, as newer Pythons set it, demands.
 */
#ifndef QKMS_TLSCERT_H
#define QKMS_TLSCERT_H

#include "qk/bytes.h"

enum { QKMS_TLS_HOSTS_MAX = 16 };

struct qkms_tls_files {
    const char *key;  /* server's private key, mode 0600 */
    const char *cert; /* server's certificate, then the authority's */
    const char *ca;   /* the authority's: what clients trust */
};

/** hosts: DNS names and IP addresses, 1..QKMS_TLS_HOSTS_MAX; the first is the common name.
 *  QK_E_STATE (no or too many hosts), QK_E_MALFORMED (one is neither), QK_E_IO, QK_E_CRYPTO. */
QK_MUST_USE qk_err qkms_tls_create(
    const struct qkms_tls_files *files, const char *const *hosts, size_t n_hosts, unsigned days);

#endif
