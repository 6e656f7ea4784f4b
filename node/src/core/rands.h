/** RAND (protocols/65-random.md section 1): this node's random bytes for a coordinator's pool.
 *
 *  Coordinators only, each at most config.rand_kib a second (check G-8). When the generator fails
 * or repeats itself nothing is answered, and the node says that it is not well until it is
 * restarted (check G-7).
 */
#ifndef NODE_CORE_RANDS_H
#define NODE_CORE_RANDS_H

#include "core/node.h"
#include "mpc/rand.h"

/** rng is borrowed. */
QK_MUST_USE qk_err node_rands_new(
    struct node_rands **out, const struct node *node, struct qk_rng *rng);
void node_rands_free(struct node_rands *rands);

/** Append rid || contribution to out, a QK_BUF_SECRET.
 *  coordinator  its number in cluster.conf
 *  len          MPC_RAND_ASK_MIN..MPC_RAND_MAX: of fewer bytes the continuous test could fail by
 *               chance, and whoever asks often enough could have us say that we are not well
 *  QK_E_MALFORMED: len. QK_E_BUSY: too much was asked for lately. QK_E_RNG: answer nothing. */
QK_MUST_USE qk_err node_rand_contribute(struct node *node, size_t coordinator,
    const uint8_t rid[static 32], size_t len, struct qk_buf *out);
/** False once the generator has failed. */
bool node_rands_healthy(struct node *node);

#endif
