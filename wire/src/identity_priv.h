/** The insides of keys and identities, for the TLS engine and cluster.conf. */
#ifndef WIRE_IDENTITY_PRIV_H
#define WIRE_IDENTITY_PRIV_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include "wire/identity.h"

struct wire_key {
    EVP_PKEY *pkey;
    uint8_t spki[WIRE_SPKI_LEN];
};

struct wire_identity {
    EVP_PKEY *pkey; /* with the secret half; OpenSSL wipes it when the last reference goes */
    X509 *x509;
    uint8_t cert[WIRE_CERT_MAX];
    size_t cert_len;
    struct wire_key *key;
};

/** A second handle on the same key. */
QK_MUST_USE qk_err wire_key_from_pkey(struct wire_key **out, EVP_PKEY *pkey);

#endif
