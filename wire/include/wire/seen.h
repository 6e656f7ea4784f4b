/** Signatures that verified in this process: the same bytes need not be computed twice.
 *
 *  The signature of one node on one record is looked at again and again: when the certificate is
 *  put together, at the door of a store, when a coordinator publishes it. An entry is
 *
 *      SHA-512/256(SPKI of the signer, 91 bytes || signature, 64 bytes || message)
 *
 *  The first two have one length each, so the hash has one reading, and a hit proves that exactly
 *  this key, message and signature passed wire_key_verify here (or were made here by the key
 *  itself). What does not verify is never kept.
 *
 *  Threads: any.
 */
#ifndef WIRE_SEEN_H
#define WIRE_SEEN_H

#include "wire/identity.h"

struct wire_seen;

/** Keeps the max (>= 1) signatures used last, about 100 bytes each. QK_E_NOMEM. */
QK_MUST_USE qk_err wire_seen_new(struct wire_seen **out, size_t max);
void wire_seen_free(struct wire_seen *seen); /* NULL is allowed */

/** As wire_key_verify. seen NULL: nothing is kept. */
QK_MUST_USE qk_err wire_seen_verify(
    struct wire_seen *seen, const struct wire_key *key, struct qk_bytes msg, struct qk_bytes sig);
/** Sign with id and keep the signature: who made it need not verify it. As wire_identity_sign. */
QK_MUST_USE qk_err wire_seen_sign(struct wire_seen *seen, const struct wire_identity *id,
    struct qk_bytes msg, uint8_t sig[static WIRE_SIG_LEN]);
/** How many are kept. */
size_t wire_seen_count(struct wire_seen *seen);

#endif
