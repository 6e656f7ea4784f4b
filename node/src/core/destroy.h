/** What certified records say must go: the shares of Deleted keys, imported material that was
 * deleted or has expired. Idempotent; repeated whenever such a record is seen again and at every
 * start, so a crash in between costs nothing.
 */
#ifndef NODE_CORE_DESTROY_H
#define NODE_CORE_DESTROY_H

#include "core/node.h"
#include "kms/record.h"

/** Does r end something that this node may hold? */
bool node_destroys(const struct kms_record *r);
/** Destroy what it ends: vault first, then memory, so that nobody can open it again. A Deleted
 *  symmetric key takes all its versions along; material that is not here any more, the epochs that
 *  its record knows (a later import is a later epoch). */
QK_MUST_USE qk_err node_destroy(struct node *node, const struct kms_record *r);
/** At start, before anything is served: destroy what is still held although this node has the
 * record that ends it. It had stored that record and was stopped before the rest. */
QK_MUST_USE qk_err node_destroy_resume(struct node *node);

#endif
