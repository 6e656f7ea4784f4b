/** RAND: random bytes that no single machine could have chosen.
 *
 *  Source: protocols/65-random.md section 1 (proto 65). A combiner XORs bytes of its own with
 *  contributions of at least t nodes, each fetched through its own encrypted channel.
 *
 *      combiner: mpc_rand_start -> mpc_rand_request to each node -> mpc_rand_receive per answer
 *                -> mpc_rand_take; or mpc_rand_pool_put now and mpc_rand_pool_take later
 *      node:     AUTHORISE (check G-8, the node's duty), then mpc_rand_contribute
 *
 *  No clock: times are arguments. Not thread-safe: one caller at a time for each object.
 */
#ifndef MPC_RAND_H
#define MPC_RAND_H

#include "mpc/party.h"

enum {
    MPC_RAND_MAX = 1024,   /* bytes of one run */
    MPC_RAND_ASK_MIN = 32, /* a shorter wish asks for so many: tests of fewer bytes mean nothing */
    MPC_RAND_TEST_MIN = 8, /* bytes from which on the continuous test looks */
    MPC_RAND_POOL_MAX = 65536,
    MPC_RAND_POOL_AGE_MS = 60000,
};

/** What a process remembers for the continuous test (check G-5): a hash of the last contribution of
 *  each node id. Zeroed at first; one object per process, for as long as it lives. */
struct mpc_rand_memory {
    bool have[256];
    uint8_t last[256][32];
};

/** What goes to a node. Public. */
struct mpc_rand_request {
    uint8_t rid[32];
    uint16_t len; /* 1..1024 */
};

/* --------------------------------------------------------------- node -- */

/** This node's contribution: exactly req->len bytes straight from rng. Secret; to the requester
 *  only, and wiped (check G-3).
 *  self  the node's own id, its place in memory
 *  Returns QK_OK; QK_E_MALFORMED: len; QK_E_RNG: the generator failed, repeats itself, or is stuck:
 *  answer nothing, report unhealthy (check G-7). */
QK_MUST_USE qk_err mpc_rand_contribute(uint8_t *out, const struct mpc_rand_request *req,
    uint16_t self, struct mpc_rand_memory *memory, struct qk_rng *rng);

/* ----------------------------------------------------------- combiner -- */

struct mpc_rand;

enum mpc_rand_state { MPC_RAND_RUNNING, MPC_RAND_DONE, MPC_RAND_UNAVAILABLE };

/** Draw rid and our own contribution.
 *  len     bytes wanted, 1..MPC_RAND_MAX
 *  t       contributions needed; nodes: n distinct ids that are asked, n >= t >= 1 (QK_E_STATE)
 *  memory  borrowed for the life of the run; rng for this call */
QK_MUST_USE qk_err mpc_rand_start(struct mpc_rand **out, size_t len, unsigned t,
    const uint16_t *nodes, size_t n, struct mpc_rand_memory *memory, struct qk_rng *rng);
const struct mpc_rand_request *mpc_rand_request(const struct mpc_rand *run);
/** An answer from the channel of node `from`.
 *  Returns  QK_OK            counted (or dropped: the run has ended)
 *           QK_E_MALFORMED   another rid or length (check G-2): P(from), not counted
 *           QK_E_UNEXPECTED  a second answer: P(from), neither is counted
 *           QK_E_PROOF       the continuous test failed (check G-5): not counted, raise an alarm.
 *                            Equal to another's: neither is counted
 *           QK_E_STATE       from was not asked */
QK_MUST_USE qk_err mpc_rand_receive(
    struct mpc_rand *run, uint16_t from, const uint8_t rid[static 32], struct qk_bytes bytes);
/** The node will not answer. */
void mpc_rand_lost(struct mpc_rand *run, uint16_t node);
/** DONE with t contributions, UNAVAILABLE once t cannot be reached any more. */
enum mpc_rand_state mpc_rand_state(const struct mpc_rand *run);
/** Give up: a deadline passed. A DONE run stays DONE. */
void mpc_rand_expire(struct mpc_rand *run);
/** The len bytes of a DONE run, once (QK_E_STATE otherwise); all parts are wiped. Secret. */
QK_MUST_USE qk_err mpc_rand_take(struct mpc_rand *run, uint8_t *out);
/** Wipe and free; NULL is allowed. */
void mpc_rand_free(struct mpc_rand *run);

/* --------------------------------------------------------------- pool -- */

/** At most 64 KiB of combined bytes, in locked memory, each used once (check G-6). For data keys,
 *  rho and nonces; never for long-lived shares. */
struct mpc_rand_pool;
QK_MUST_USE qk_err mpc_rand_pool_new(struct mpc_rand_pool **out);
void mpc_rand_pool_free(struct mpc_rand_pool *pool);
/** Move the bytes of a DONE run in; only such bytes can enter. QK_E_BUSY: full. */
QK_MUST_USE qk_err mpc_rand_pool_put(
    struct mpc_rand_pool *pool, struct mpc_rand *run, uint64_t now_ms);
/** Move bytes out, erased from the pool before the caller sees them. Bytes older than 60 s, and
 *  all bytes after a fork, are gone. QK_E_BUSY: fewer than len left, nothing taken. */
QK_MUST_USE qk_err mpc_rand_pool_take(
    struct mpc_rand_pool *pool, uint8_t *out, size_t len, uint64_t now_ms);
/** Bytes that could be taken now. */
size_t mpc_rand_pool_level(struct mpc_rand_pool *pool, uint64_t now_ms);
/** Wipe all: fewer than t nodes contributed last time, a virtual machine was restored. */
void mpc_rand_pool_drop(struct mpc_rand_pool *pool);

#endif
