/** Signatures: the signers' parts become one, which is verified before anyone sees it. */
#ifndef COORD_COMBINE_H
#define COORD_COMBINE_H

#include "kms/decide.h"
#include "rounds/attempt.h"

/** What is to be signed, and with what. Borrowed. */
struct coord_combine {
    const struct kms_key *key;
    struct qk_bytes digest;
    struct qk_bytes presig; /* sid of the presignature spent; empty: signed online */
    const char *principal;  /* ARN of the caller */
    struct qk_bytes algorithm;
    const uint8_t *rnd; /* 32 bytes, as in the call */
};

/** Combine the parts of every answer of the attempt (all_ok), verify, append the DER signature.
 *
 *  Returns  QK_OK
 *           QK_E_MALFORMED  a part is not one; *liar is its node
 *           QK_E_MISMATCH, QK_E_PROOF  the parts do not make a valid signature; nobody can be named
 *           QK_E_CORRUPT    the key record's public key record does not decode
 *           On any error der is as before.
 */
QK_MUST_USE qk_err coord_combine_parts(const struct coord_combine *c,
    const struct coord_attempt *attempt, struct qk_buf *der, uint16_t *liar);

/** Check a caller's DER signature over digest under the SPKI of key. QK_E_PROOF: anything but a
 *  valid one. */
QK_MUST_USE qk_err coord_verify_signature(
    const struct kms_key *key, struct qk_bytes digest, struct qk_bytes signature);

/** Does the key material that nodes report for a new key hold together: the public key record
 *  decodes, is of this key id, curve and cluster, its points lie on one polynomial, and spki is
 *  its public key? QK_E_MISMATCH otherwise. */
QK_MUST_USE qk_err coord_check_created(
    const struct wire_cluster *cluster, const struct kms_key *key);
/** The same for a new version of a symmetric key, which must have these modes; fills in what
 *  mpc_sym_material_id makes of its record. */
QK_MUST_USE qk_err coord_check_version(const struct wire_cluster *cluster,
    const struct kms_version *v, uint8_t modes, uint8_t material_id[static 32]);
/** The same for an HMAC key of this spec and profile (KMS_MODES_MAC_N, _S), by
 *  mpc_mac_material_id. */
QK_MUST_USE qk_err coord_check_mac(const struct wire_cluster *cluster, const struct kms_version *v,
    const struct kms_keyspec *spec, uint8_t profile, uint8_t material_id[static 32]);
/** enum mpc_mac_alg; 0 for a spec that is none of HMAC keys. */
unsigned coord_mac_alg(const struct kms_keyspec *spec);

#endif
