/** The presignature pool (document 20 section 6): memory only, each used once, bound to key, epoch,
 *  signer set and setups; bounded in number and age; made no faster than twice the recent use.
 */
#ifndef NODE_CORE_PRESIGS_H
#define NODE_CORE_PRESIGS_H

#include "core/keys.h"
#include "mpc/ecdsa.h"
#include "wire/calls.h"

QK_MUST_USE qk_err node_presigs_new(struct node_presigs **out, const struct node *node);
/** Burns everything. */
void node_presigs_free(struct node_presigs *presigs);

/** A signature of this key by these signers was just made: note the use, append the
 *  names of up to want presignatures that wait to names, and have the lowest signer make one
 *  more if the pool has room and the node is not busy with calls. */
void node_presigs_offer(struct node *node, const struct node_key *key, const uint16_t *signers,
    size_t n, size_t want, struct qk_buf *names);
/** May one more be made for (key, signers)? Counts it as under way if so: pair with
 *  node_presigs_end. */
bool node_presigs_begin(
    struct node *node, const uint8_t key_id[static 16], const uint16_t *signers, size_t n);
void node_presigs_end(
    struct node *node, const uint8_t key_id[static 16], const uint16_t *signers, size_t n);
/** Takes presig over, also on failure (QK_E_BUSY: the pool is full; burned). */
QK_MUST_USE qk_err node_presigs_add(struct node *node, const struct node_key *key,
    const uint16_t *signers, size_t n, struct mpc_presig *presig);
/** Spend the presignature named sid: it leaves the pool before anything can fail.
 *  QK_E_NOT_FOUND: not here (any more). Other errors: mpc_presig_use. */
QK_MUST_USE qk_err node_presig_use(struct node *node, const uint8_t sid[static 32],
    const struct mpc_key_record *rec, const uint16_t *signers, size_t n, struct qk_bytes digest,
    const uint8_t req[static 32], struct mpc_ecdsa_part *part);

void node_presigs_burn_setup(struct node *node, const uint8_t setup_id[static 32]);
void node_presigs_burn_key(struct node *node, const uint8_t key_id[static 16]);
void node_presigs_tick(struct node *node);
size_t node_presigs_count(struct node *node);

#endif
