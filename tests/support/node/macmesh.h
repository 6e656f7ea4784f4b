/** Three nodes in this process, as far as runs for HMAC keys need them: a real mesh, link secrets,
 *  runs. What arrives can be lost on the way.
 */
#ifndef MACMESH_H
#define MACMESH_H

#include "core/maclinks.h"
#include "core/macruns.h"
#include "nodebox.h"

struct macmesh {
    struct nodebox *box;
    struct nodebox own; /* of macmesh_up; none of its processes runs */
    struct node *node[NB_NODES_MAX + 1];
    /* A frame arrives, type first: false loses it. On threads of the mesh; NULL: nothing is lost.
     * Set it before the nodes start. */
    bool (*arrives)(void *ctx, uint16_t from, uint16_t to, struct qk_bytes frame);
    void *ctx;
};

/** All three, linked, with link secrets. arrives, ctx: as above. */
void macmesh_up(struct macmesh *m,
    bool (*arrives)(void *ctx, uint16_t from, uint16_t to, struct qk_bytes frame), void *ctx);
void macmesh_down(struct macmesh *m);
/** One node, of m->box: also in the place of a process that was stopped, among the others. */
void macmesh_start(struct macmesh *m, uint16_t id);
void macmesh_stop(struct macmesh *m, uint16_t id);
/** Until any two running nodes hold the same secret. Aborts after NB_WAIT_MS. */
void macmesh_wait_linked(struct macmesh *m);
/** Do these two hold the same one? Then it goes to out. */
bool macmesh_kappa(struct macmesh *m, uint16_t a, uint16_t b, struct qk_sec32 *out);

#endif
