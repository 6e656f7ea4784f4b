/** QUARANTINE (protocols/90 section 4 row K17, check B-12): this vault is older than what this node
 *  has signed. Somebody put back an image of an earlier day, or the disk lost what it had synced.
 *
 *  Its shares may be of destroyed epochs, its watermarks may have gone down, and what it votes may
 *  contradict what it voted: it takes part in nothing any more. It still tells its status, and
 * takes in certified records, which only ever forbid more. The state is in the vault: a restart
 * does not end it. Ending it means putting the newest vault back, or replacing the node
 * (docs/operations.md).
 */
#ifndef NODE_CORE_QUARANTINE_H
#define NODE_CORE_QUARANTINE_H

#include "core/node.h"

/** At start: was this vault in quarantine? QK_E_CORRUPT, QK_E_IO: unknown, do not start. */
QK_MUST_USE qk_err node_quarantine_load(struct node *node);
/** Go into it, for good. why: static text. From the return on nothing that depends on a share or a
 *  promise leaves this node. */
void node_quarantine_enter(struct node *node, const char *why);
/** Take part in nothing? */
static inline bool node_quarantined(const struct node *node)
{
    return node->quarantined;
}

#endif
