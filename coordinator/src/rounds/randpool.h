/** Random bytes that no single machine could have chosen, ready when they are needed.
 *
 *  Source: protocols/65-random.md section 1; mpc/rand.h. A thread of its own keeps a pool of 64 KiB
 *  filled with sums of contributions of at least t nodes and our own, fetched with RAND calls to
 * every node that is up. Data keys, key pairs, rho of ciphertexts and GenerateRandom are taken from
 * it.
 *
 *  The pool is dropped when fewer than t nodes contribute, in a forked child, when bytes are older
 *  than 60 s, and when the wall clock leaps (a virtual machine that was restored).
 *
 *  Threads    any
 */
#ifndef COORD_RANDPOOL_H
#define COORD_RANDPOOL_H

#include "mpc/rand.h"
#include "rounds/engine.h"

struct coord_randpool;
/** engine is borrowed; its nodes must exist. Starts filling. QK_E_NOMEM: also when the lock limit
 *  does not hold the pool. */
QK_MUST_USE qk_err coord_randpool_new(struct coord_randpool **out, struct coord_engine *engine);
/** Stop filling and let waiters go. Calls may still be answered until coord_nodes_free. NULL is
 *  allowed. */
void coord_randpool_stop(struct coord_randpool *p);
/** After coord_nodes_free. */
void coord_randpool_free(struct coord_randpool *p);

/** Take len bytes (1..MPC_RAND_POOL_MAX / 2), each given out once. Never blocks. QK_E_BUSY: not
 *  there now. out is secret. */
QK_MUST_USE qk_err coord_randpool_take(struct coord_randpool *p, void *out, size_t len);
/** The same, waiting up to wait_ms for them. */
QK_MUST_USE qk_err coord_randpool_wait(
    struct coord_randpool *p, void *out, size_t len, unsigned wait_ms);
/** Wait until len bytes are there, without taking them. False: they did not come. */
bool coord_randpool_await(struct coord_randpool *p, size_t len, unsigned wait_ms);
/** Bytes that could be taken now. */
size_t coord_randpool_level(struct coord_randpool *p);
/** The pool as a generator: a fill that finds too little fails with QK_E_BUSY. */
struct qk_rng *coord_randpool_rng(struct coord_randpool *p);

#endif
