/** ImportKeyMaterial across the nodes: unwrapped here, shared out, and forgotten. Private to
 * rounds/. */
#ifndef COORD_IMPORTING_H
#define COORD_IMPORTING_H

#include "rounds/internal.h"

/** What one import sends: a part for each node, or what is wrong with the caller's material. */
struct coord_importing {
    struct qk_buf parts[WIRE_NODES_MAX]; /* SECRET; by index in the cluster file */
    bool refused;                        /* fault holds; the nodes are asked who the caller is */
    struct kms_fault fault;
};

/** Before the first attempt: unwrap, deal, wipe the material. Later: nothing to do. */
QK_MUST_USE qk_err coord_importing_begin(struct coord_op *op);
/** The parts by position in op->set, for coord_ask. */
void coord_importing_parts(struct coord_op *op, struct qk_bytes out[static WIRE_NODES_MAX]);
/** After an attempt of a refused import: t nodes that know the caller and lack only their part let
 * us tell our own fault. */
bool coord_importing_refuses(
    const struct coord_op *op, const struct coord_attempt *a, struct kms_fault *fault);
void coord_importing_free(struct coord_importing *i); /* wipes; NULL is allowed */

#endif
