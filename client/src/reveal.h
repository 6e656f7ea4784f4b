/** How the owner of a new access key learns its secret: the nodes seal their partial values of the
 *  distributed PRF to a key made for this one answer; only here do they come together.
 *
 *  The coordinator in between is believed nothing: the system record must carry the signatures of q
 *  nodes of cluster.conf, and every partial its proof against that record (mpc/dprf.h, check S-4).
 *
 *      {"AccessKey":{"AccessKeyId","UserName","Status","CreateDate","Serial"},
 *       "SystemKey":base64, "Sealed":[{"Node":1,"Value":base64}, ...]}
 *
 *  SystemKey is the system record with its certificate (kms_certified_encode); each Value is a
 *  libsodium sealed box that holds one partial of mpc/dprf.h.
 */
#ifndef QKMS_REVEAL_H
#define QKMS_REVEAL_H

#include <jansson.h>
#include "kms/credential.h"
#include "qk/secret.h"
#include "wire/cluster.h"

/** An X25519 key pair for one answer. */
struct qkms_response_key {
    uint8_t pk[32];
    struct qk_sec32 sk;
};
void qkms_response_key_wipe(struct qkms_response_key *key);
#define QKMS_RESPONSE_KEY(name)                                                                    \
    __attribute__((cleanup(qkms_response_key_wipe))) struct qkms_response_key name = {.pk = {0}}

/** QK_E_RNG. */
QK_MUST_USE qk_err qkms_response_key_new(struct qkms_response_key *out);
/** base64 of the public half, as the request member ResponseKey. NULL: out of memory. */
json_t *qkms_response_key_json(const struct qkms_response_key *key);

/** What was found, public. */
struct qkms_revealed {
    char access_key_id[KMS_AKID_LEN + 1];
    uint32_t serial;
    uint16_t bad_node; /* a node whose partial did not verify, 0: none; the others sufficed */
};

/** Open, check, combine.
 *
 *  Returns  QK_OK
 *           QK_E_MALFORMED  the answer is not of the form above
 *           QK_E_PROOF      the record's certificate or too many partials are false: do not use
 *           QK_E_CORRUPT    the system record does not decode, or is not of this cluster
 *           5xx
 *  why      one line for people unless QK_OK
 *  secret   written only on QK_OK
 */
QK_MUST_USE qk_err qkms_reveal(const json_t *answer, const struct wire_cluster *cluster,
    const struct qkms_response_key *key, struct kms_secret_text *secret,
    struct qkms_revealed *revealed, char *why, size_t why_len);

#endif
