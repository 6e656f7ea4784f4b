/** The side file that remembers where an audit log stands. Private to audit/.
 *
 *  Two slots at offsets 0 and 512, written in turn, so a torn write leaves the other one:
 *      "qkmsaud1" || u64 seq || u64 start || hash (32) || SHA-256 of these 56 bytes (32)
 */
#ifndef NODE_AUDIT_HEAD_H
#define NODE_AUDIT_HEAD_H

#include "qk/chain.h"

struct audit_head {
    struct qk_chain_head at; /* the last entry on disk */
    uint64_t start;          /* seq of the last entry before the present file */
};

/** Open, lock against other processes, read; makes one (all zero) where there is none.
 *  QK_E_BUSY, QK_E_CORRUPT (no slot is whole), QK_E_IO. */
QK_MUST_USE qk_err audit_head_open(const char *path, int *fd, struct audit_head *head);
/** The slot that holds the newest whole head, 0 or 1. */
int audit_head_slot(int fd);
/** Write slot; durable only after audit_head_sync. Until then write the same slot again: the other
 *  one is whole on disk. */
QK_MUST_USE qk_err audit_head_put(int fd, int slot, const struct audit_head *head);
QK_MUST_USE qk_err audit_head_sync(int fd);

#endif
