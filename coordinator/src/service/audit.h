/** Audit events in CloudTrail's shape, one JSON object a line, appended to a file.
 *
 *  Every request that named an operation or a caller is an event, allowed or denied. Never in it:
 *  messages, digests, signatures, plaintexts, sealed secrets. The nodes keep their own chained
 * logs; this one is the coordinator's word only. The lines of answers that leave together are
 * handed to the kernel together, before the first of them leaves; they are not synced to disk.
 */
#ifndef COORD_AUDIT_H
#define COORD_AUDIT_H

#include "api/api.h"
#include "http/http.h"

struct coord_audit;
QK_MUST_USE qk_err coord_audit_open(struct coord_audit **out, const char *path);
void coord_audit_close(struct coord_audit *a);
/** Open the path again: after a rotation. The old file stays in use if that fails. */
void coord_audit_reopen(struct coord_audit *a);

/** Hand what was written to the kernel. A failure is logged and counted. */
void coord_audit_flush(struct coord_audit *a);

/** fault: NULL on success. body: the answer, of which parts are quoted for operations that make or
 *  change things. It waits for coord_audit_flush. What is lost is logged and counted, never a
 * reason to fail the request. */
void coord_audit_write(struct coord_audit *a, const struct coord_op *op,
    const struct coord_http_request *http, const struct coord_answer *answer);
uint64_t coord_audit_lost(struct coord_audit *a);

#endif
