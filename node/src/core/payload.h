/** What an epoch commit stores, on its way through mpc/epoch.h to the disk: which kind of key it
 * is, the share, the record. It exists in memory only: the vault keeps share and record, and a
 * run's state has neither, so runs of earlier versions of this program are taken up as they are.
 *
 *  Canonical map {"kind": 1 to 3, "share": bin, "rec": bin}. Secret.
 */
#ifndef NODE_CORE_PAYLOAD_H
#define NODE_CORE_PAYLOAD_H

#include "core/node.h"
#include "mpc/mac_record.h"
#include "mpc/share.h"
#include "mpc/sym_record.h"

enum node_payload_kind {
    NODE_PAYLOAD_KEY = 1, /* mpc_key_share, mpc_key_record: a curve's */
    NODE_PAYLOAD_SYM = 2, /* mpc_sym_share, mpc_sym_record: a version of a symmetric key */
    NODE_PAYLOAD_MAC = 3, /* mpc_mac_share, mpc_mac_record: an HMAC key */
};

/** Append to out, a QK_BUF_SECRET(MPC_EPOCH_PAYLOAD_MAX). */
QK_MUST_USE qk_err node_payload_of_key(
    const struct mpc_key_share *share, const struct mpc_key_record *rec, struct qk_buf *out);
QK_MUST_USE qk_err node_payload_of_sym(
    const struct mpc_sym_share *share, const struct mpc_sym_record *rec, struct qk_buf *out);
QK_MUST_USE qk_err node_payload_of_mac(
    const struct mpc_mac_share *share, const struct mpc_mac_record *rec, struct qk_buf *out);

/** Store it as PENDING under the record's key id (of symmetric and HMAC keys: the version's), epoch
 *  and the run that made it. */
QK_MUST_USE qk_err node_payload_store(
    struct node *node, const uint8_t sid[static 32], struct qk_bytes payload);

#endif
