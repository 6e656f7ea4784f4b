/** The side file that remembers where an audit log stands. Private to audit/.
 *
 *  Two slots at offsets 0 and 512, written in turn, so a torn write leaves the other one:
 *      "qkmsaud1" || u64 seq || hash (32) || SHA-256 of these 48 bytes (32)
 */
#ifndef NODE_AUDIT_HEAD_H
#define NODE_AUDIT_HEAD_H

#include "qk/chain.h"

/** Open, lock against other processes, read. *fresh: there was none and one was made.
 *  QK_E_BUSY, QK_E_CORRUPT (no slot is whole), QK_E_IO. */
QK_MUST_USE qk_err audit_head_open(
    const char *path, int *fd, bool *fresh, struct qk_chain_head *head);
/** Write the slot that does not hold the present head, and sync. */
QK_MUST_USE qk_err audit_head_write(int fd, const struct qk_chain_head *head);

#endif
