/** Public identities from PEM files, for writing a cluster.conf. */
#ifndef QKMS_PEM_H
#define QKMS_PEM_H

#include "qk/bytes.h"

/** Append the DER of the certificate in a PEM file. QK_E_NOT_FOUND, QK_E_IO, QK_E_TOO_LARGE,
 *  QK_E_MALFORMED (no certificate in it). */
QK_MUST_USE qk_err qkms_pem_cert(const char *path, struct qk_buf *der);
/** Append the SubjectPublicKeyInfo of a PEM certificate or public key. Errors as above. */
QK_MUST_USE qk_err qkms_pem_spki(const char *path, struct qk_buf *spki);

#endif
