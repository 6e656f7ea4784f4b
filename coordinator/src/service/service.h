/** The running coordinator: HTTP in, rounds out.
 *
 *  Threads
 *      HTTP loops   parse, answer /healthz, /readyz, /metrics, hand everything else to the workers
 *      workers      one per operation in work (config.workers); block while nodes answer. Simple on
 *                   purpose: an operation is straight-line code, and a few dozen sleeping threads
 *                   cost less than a state machine would cost its readers
 *      links        the wire's (wire/call.h): only wake the worker that waits
 *      keeper       background work (rounds/keeper.h)
 *  Work waits in one bounded queue; when it is full, or a job has waited too long, the caller gets
 *  ThrottlingException at once.
 */
#ifndef COORD_SERVICE_H
#define COORD_SERVICE_H

#include "config.h"

struct coord_service;

/** Read the files the configuration names, open the store, dial the nodes, listen. config is
 *  borrowed until coord_service_free. why: one line for people. */
QK_MUST_USE qk_err coord_service_start(
    struct coord_service **out, const struct coord_config *config, char *why, size_t why_len);
/** Port bound for the i-th listen address; 0 if there is none. */
uint16_t coord_service_port(const struct coord_service *s, size_t i);

/** Load the HTTPS certificate again and reopen the audit file (after a rotation). */
void coord_service_reload(struct coord_service *s);
/** Stop accepting and let what is in work finish, config.drain_ms at most. True iff all of it did.
 */
bool coord_service_drain(struct coord_service *s);
/** Cut what is left, close everything. NULL is allowed. */
void coord_service_free(struct coord_service *s);

#endif
