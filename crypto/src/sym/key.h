/** Inside of a node's key; private to crypto/src/sym and its tests. */
#ifndef MPC_SYM_KEY_H
#define MPC_SYM_KEY_H

#include <pthread.h>
#include <stdatomic.h>
#include "mpc/sym_node.h"
#include "sym/prf.h"
#include "sym/version.h"

struct mpc_sym_key {
    struct mpc_sym_version version;
    size_t self_ix; /* in the record */
    size_t n_own;   /* sets of this node */
    uint8_t own[MPC_SYM_SETS_MAX];
    pthread_mutex_t lock;    /* of prf: it serves one caller at a time */
    struct sym_prf *prf;     /* n_own of them */
    struct mpc_key_share *v; /* locked memory; NULL without mode V */
    _Atomic uint64_t evaluations;
};

/** Mode F over inputs of one key, tags verified already for DEC. values[j * n + i] belongs to own
 *  set j and input i; tags (ENC only, else NULL) likewise. */
QK_MUST_USE qk_err sym_key_values(struct mpc_sym_key *key, const uint8_t (*x)[32], size_t n,
    uint8_t (*values)[MPC_SYM_PIECE_LEN]);
QK_MUST_USE qk_err sym_key_tags(
    struct mpc_sym_key *key, const uint8_t (*x)[32], size_t n, uint8_t (*tags)[MPC_SYM_TAG_LEN]);
/** Mode V: z, and with prove A1, A2 and the proof scalar, into out (33 or 131 bytes). */
QK_MUST_USE qk_err sym_key_point(uint8_t *out, const struct mpc_sym_key *key,
    const uint8_t x[static 32], bool prove, struct qk_rng *rng);

#endif
