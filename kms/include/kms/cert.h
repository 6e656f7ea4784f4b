/** Certificates: a quorum of q nodes signed this version of this record (q: the caller's
 *  wire_cluster_quorum).
 *
 *  Each node signs, with its identity key, the 64-byte message
 *
 *      H("cert"; u8 kind, id, u64 version, hash 32, prev 32)
 *
 *  where H is the framed SHA-512 of protocols/00 section 3 (label and field framing make it
 * distinct from every other signed message of the system). Node identity keys and their algorithm
 * are not known here: verification is a callback.
 */
#ifndef KMS_CERT_H
#define KMS_CERT_H

#include "kms/record.h"

#define KMS_CERT_SIGS_MAX 32
#define KMS_CERT_SIG_MAX  256
#define KMS_CERT_MSG_LEN  64
#define KMS_CERTIFIED_MAX                                                                          \
    (KMS_RECORD_ENCODED_MAX + KMS_CERT_SIGS_MAX * (KMS_CERT_SIG_MAX + 16) + 64)

struct kms_cert_sig {
    uint16_t node; /* 1..255 */
    struct qk_bytes signature;
};

struct kms_cert {
    struct kms_cert_sig sigs[KMS_CERT_SIGS_MAX]; /* ascending by node, distinct */
    size_t n;
};

/** Verifies sig over msg with the identity key of node. QK_OK, QK_E_NOT_FOUND (no such node),
 * QK_E_PROOF. */
typedef qk_err (*kms_cert_verify_fn)(void *arg, uint16_t node,
    const uint8_t msg[static KMS_CERT_MSG_LEN], struct qk_bytes signature);

/** The message to sign. Uses r->hash, r->prev: r was encoded or decoded. */
QK_MUST_USE qk_err kms_cert_message(
    const struct kms_record *r, uint8_t out[static KMS_CERT_MSG_LEN]);

/** Insert in order. QK_E_CONFLICT when node has signed already, QK_E_TOO_LARGE, QK_E_STATE for a
 * bad node id or length. */
QK_MUST_USE qk_err kms_cert_add(struct kms_cert *cert, uint16_t node, struct qk_bytes signature);

/** QK_OK iff every signature is valid, by distinct known nodes, and there are at least q (q >= 1).
 *  QK_E_PROOF: a signature is bad or its node unknown; QK_E_MISMATCH: fewer than q; QK_E_MALFORMED:
 * not ascending and distinct; a 5xx of the callback is passed on. */
QK_MUST_USE qk_err kms_cert_verify(const struct kms_record *r, const struct kms_cert *cert,
    kms_cert_verify_fn verify, void *arg, size_t q);

/** A record with its certificate, as stored and sent: map {"record": bin, "cert": [[node, sig],
 * ...]}. */
QK_MUST_USE qk_err kms_certified_encode(
    struct qk_bytes record, const struct kms_cert *cert, struct qk_buf *out);
/** Views into `in`. The record is not decoded (kms_record_decode) and nothing is verified. */
QK_MUST_USE qk_err kms_certified_decode(
    struct qk_bytes in, struct qk_bytes *record, struct kms_cert *cert);

#endif
