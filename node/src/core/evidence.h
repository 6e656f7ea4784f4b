/** Evidence of what went wrong: audit entries and strikes whose writing cannot change what happens
 *  next (the bad thing is refused either way); a failure to write is an error in the log.
 */
#ifndef NODE_CORE_EVIDENCE_H
#define NODE_CORE_EVIDENCE_H

#include "core/node.h"

void node_evidence(struct node *node, const struct node_audit_entry *entry, bool durable);
/** key_id may be NULL; reason NULL counts as "protocol". At most 30 a minute and peer are kept. */
void node_strike(struct node *node, uint16_t peer, const uint8_t *key_id, const char *reason);

#endif
