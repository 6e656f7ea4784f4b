/** Identities: who a node, coordinator or operator is.
 *
 *  An identity is one P-256 key pair and a self-signed X.509 certificate that carries its public
 *  half into TLS. Nobody signs anybody: peers pin each other's exact certificate (operators: the
 *  public key) in cluster.conf, so names, dates and issuers in a certificate mean nothing. The
 *  SubjectPublicKeyInfo (SPKI) in DER is what protocols/00 section 4 hashes into idh.
 *
 *  The same key signs record certificates and votes. What it signs is framed, so that no such
 *  signature can be one of TLS and no other use can collide:
 *
 *      digest    = SHA-256("QKMS identity signature v1" || 00 || u32 length of msg || msg)
 *      signature = ECDSA P-256 over digest, r || s, 32 bytes big-endian each (64 bytes)
 *
 *  Both s and n - s verify, as in plain ECDSA: a signature is evidence, never an identifier.
 */
#ifndef WIRE_IDENTITY_H
#define WIRE_IDENTITY_H

#include "qk/bytes.h"

enum {
    WIRE_SPKI_LEN = 91,    /* P-256 SubjectPublicKeyInfo, DER, uncompressed point */
    WIRE_CERT_MAX = 2048,  /* bytes of a certificate in DER */
    WIRE_SIG_LEN = 64,     /* bytes of a framed signature */
    WIRE_DER_SIG_MAX = 72, /* bytes of a DER ECDSA P-256 signature */
    WIRE_NAME_MAX = 64,    /* characters of a name: A-Z a-z 0-9 . _ - */
};

/** A P-256 public key, ready to verify. Immutable: any number of threads may use one. */
struct wire_key;

/** QK_E_MALFORMED unless spki is the one DER encoding of a P-256 key (uncompressed point, on the
 *  curve). The caller frees *out. */
QK_MUST_USE qk_err wire_key_from_spki(struct wire_key **out, struct qk_bytes spki);
/** The key of a DER certificate. QK_E_MALFORMED: not exactly one certificate, or not P-256. No
 *  signature, name or date is looked at. */
QK_MUST_USE qk_err wire_key_from_cert(struct wire_key **out, struct qk_bytes cert);
void wire_key_free(struct wire_key *key);
/** WIRE_SPKI_LEN bytes, borrowed from key. */
struct qk_bytes wire_key_spki(const struct wire_key *key);
/** A framed signature (top of this page) over msg. QK_E_PROOF: anything but a valid one. */
QK_MUST_USE qk_err wire_key_verify(
    const struct wire_key *key, struct qk_bytes msg, struct qk_bytes sig);
/** A plain DER ECDSA signature over a SHA-256 digest, as operators make (kms/operator.h).
 *  QK_E_PROOF: anything but a valid one. */
QK_MUST_USE qk_err wire_key_verify_digest(
    const struct wire_key *key, const uint8_t digest[static 32], struct qk_bytes der_sig);

/** A key pair with its certificate. Immutable: any number of threads may use one. */
struct wire_identity;

/** A new key and a certificate valid for 30 years. common_name: 1..WIRE_NAME_MAX characters of
 *  the set above, for people only. QK_E_STATE for a bad name, QK_E_CRYPTO. */
QK_MUST_USE qk_err wire_identity_generate(struct wire_identity **out, const char *common_name);
/** Write the key (PKCS#8 PEM, mode 0600) and the certificate (PEM, 0644), each atomically.
 *  QK_E_IO. */
QK_MUST_USE qk_err wire_identity_save(
    const struct wire_identity *id, const char *key_path, const char *cert_path);
/** QK_E_DENIED: the key file is open to others (qk_file_read_secret); QK_E_NOT_FOUND; QK_E_IO;
 *  QK_E_CORRUPT: not PEM, not P-256, or key and certificate do not belong together. */
QK_MUST_USE qk_err wire_identity_load(
    struct wire_identity **out, const char *key_path, const char *cert_path);
/** Wipes the key. NULL is allowed. */
void wire_identity_free(struct wire_identity *id);

/** The certificate in DER, borrowed from id. */
struct qk_bytes wire_identity_cert(const struct wire_identity *id);
/** The public half, borrowed from id. */
const struct wire_key *wire_identity_key(const struct wire_identity *id);
/** A framed signature over msg. QK_E_CRYPTO leaves sig untouched. */
QK_MUST_USE qk_err wire_identity_sign(
    const struct wire_identity *id, struct qk_bytes msg, uint8_t sig[static WIRE_SIG_LEN]);
/** Append a plain DER ECDSA signature over a SHA-256 digest to out. QK_E_CRYPTO, or out->err. */
QK_MUST_USE qk_err wire_identity_sign_digest(
    const struct wire_identity *id, const uint8_t digest[static 32], struct qk_buf *out);

/** 1..WIRE_NAME_MAX characters of A-Z a-z 0-9 . _ - */
bool wire_name_valid(const char *name);

#endif
