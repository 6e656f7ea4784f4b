/** What an attempt at a version of a symmetric key that was interrupted has left at the nodes. The
 *  machines of mpc/epoch.h run here, with the nodes' own identities and vaults. */
#ifndef NODELEFT_H
#define NODELEFT_H

#include "nodebox.h"
#include "vault/shares.h"

enum nl_left {
    NL_NOTHING,    /* the node never heard of it, and keeps running */
    NL_SHARE_ONLY, /* K1: the share came to the disk, the state of its run did not */
    NL_GIVEN_UP,   /* stored, and aborted by itself: it was cut off */
    NL_VOTED,      /* voted, and has heard of no other's vote or abort */
};

enum { NL_SHARES_MAX = 16 };

/** Kill the nodes that something is left at, leave it under version_id, start them again and wait.
 *  The run starts from epoch `base`; sid and share are `seed` repeated, so that attempts differ. */
void nl_leave(struct nodebox *box, const uint8_t version_id[static 16], uint32_t base, uint8_t seed,
    const enum nl_left left[static NB_NODES + 1]);

/** The shares that the vault of a stopped node holds under this id. */
size_t nl_shares(const struct nodebox *box, uint16_t id, const uint8_t version_id[static 16],
    struct node_share_info out[static NL_SHARES_MAX]);

#endif
