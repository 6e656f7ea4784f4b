/** Changes that this node has signed and whose outcome it does not know.
 *
 *  A coordinator can have a DisableKey certified, answer 200, and show the certificate to nobody.
 * For the changes whose hiding would harm their caller (a key or access key is shut off, a deletion
 * is called off) a node that signed one therefore
 *    1. does not use the record's old version for what the new one forbids,
 *    2. signs no other next version of that record (so no DUE against a signed CancelKeyDeletion),
 *    3. asks the other nodes a second later, and again until it knows. Signers give each other
 * their signatures: with q of them a signer has the certificate itself, whoever hides it.
 *
 *  Any t nodes include a signer of what q nodes signed (q + t > n, wire_cluster_quorum), so a
 * hidden change is in force at once. What never got q signatures must not shut the record off for
 * ever: once promise_hold_ms have passed and n-q+1 others have said that they did not sign, no
 *  certificate can exist, and 1 and 2 end. Should one of them sign after all, it asks, and the
 * certificate comes together then. docs/threat-model.md has the limits.
 *
 *  Bytes of a frame of type 6: canonical map {"k": kind, "body": bin, "sig": bin}
 *      1 ASK       body a record, sig the sender's signature for its certificate: who knows more?
 *      2 KNOWN     body a certified record of this version or a later one
 *      3 MINE      as 1, the answer of one who signed the same
 *      4 NOT_MINE  body the record's hash: I did not sign it
 */
#ifndef NODE_CORE_PENDING_H
#define NODE_CORE_PENDING_H

#include "core/node.h"
#include "kms/record.h"

QK_MUST_USE qk_err node_pending_new(struct node_pending **out);
void node_pending_free(struct node_pending *pending);
/** At start: take up what the vault has promised and not seen certified. */
QK_MUST_USE qk_err node_pending_load(struct node *node);

/** This node is about to promise r: call before the promise is written, for every record.
 *  encoding, sig  r as signed, and our signature
 *  *added         this call opened it: withdraw it if the promise fails
 *  QK_E_CONFLICT: another next version was signed and is open; QK_E_BUSY: too many are open. */
QK_MUST_USE qk_err node_pending_sign(struct node *node, const struct kms_record *r,
    struct qk_bytes encoding, const uint8_t sig[static WIRE_SIG_LEN], bool *added);
void node_pending_withdraw(struct node *node, const uint8_t hash[static 32]);
/** Has this node signed the end of what (kind, id) allows now? Then it must not be used. */
bool node_pending_forbids(struct node *node, enum kms_kind kind, const char *id);
/** A certified version is known. */
void node_pending_settle(struct node *node, const struct kms_record *certified);

/** A frame of type 6. */
void node_pending_receive(struct node *node, uint16_t from, struct qk_bytes frame);
/** A peer came back: ask again. */
void node_pending_on_peer(struct node *node);
void node_pending_tick(struct node *node);
/** Changes whose outcome is open. */
size_t node_pending_count(struct node *node);

#endif
