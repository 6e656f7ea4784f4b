/** The members of an audit entry as JSON text. Private to audit/. */
#ifndef NODE_AUDIT_MEMBERS_H
#define NODE_AUDIT_MEMBERS_H

#include "audit/audit.h"

/** Append `"event":"...","outcome":"...",...`. QK_E_STATE: no event, or an unknown outcome. */
QK_MUST_USE qk_err audit_members(struct qk_buf *out, const struct node_audit_entry *entry);

#endif
