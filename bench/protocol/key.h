/** Three nodes in this process and what they hold: identities, a key, pair setups.
 *
 *  Everything is made by the real protocols; each making is a run that can be measured.
 */
#ifndef BENCH_KEY_H
#define BENCH_KEY_H

#include "mpc/dkg.h"
#include "mpc/ecdsa.h"
#include "protocol/net.h"

enum { BENCH_NODES = 3 };

struct bench_key {
    const struct mpc_curve *c;
    unsigned t; /* nodes that sign: 1..t */
    struct mpc_peer peers[BENCH_NODES];
    struct mpc_key_record rec;
    struct mpc_key_share share[BENCH_NODES];
    /* [i][j]: what node i+1 holds with node j+1 */
    struct mpc_ot_setup *root[BENCH_NODES][BENCH_NODES];
    struct mpc_ot_setup *setup[BENCH_NODES][BENCH_NODES];
};

/** Fresh identities for a key of this curve; nothing else yet. QK_E_RNG. */
QK_MUST_USE qk_err bench_key_init(struct bench_key *k, const struct mpc_curve *c, unsigned t);
/** Run a t-of-3 DKG in net (zeroed; the caller frees it) and keep its result. */
QK_MUST_USE qk_err bench_key_dkg(struct bench_key *k, struct bench_net *net);
/** Run the direct setup of a root between nodes i+1 and j+1, i < j, and keep it. */
QK_MUST_USE qk_err bench_key_root(
    struct bench_key *k, struct bench_net *net, unsigned i, unsigned j);
/** Derive the key setup of a pair under its root and keep it. */
QK_MUST_USE qk_err bench_key_derive(
    struct bench_key *k, struct bench_net *net, unsigned i, unsigned j);
/** Run a signing session of nodes 1..t; with an empty digest it makes presignatures. The results
 *  are left in the parties of net. */
QK_MUST_USE qk_err bench_key_sign(
    struct bench_key *k, struct bench_net *net, struct qk_bytes digest);
/** Drop the key setups, keep the roots. */
void bench_key_drop_setups(struct bench_key *k);
/** Wipe and release. */
void bench_key_wipe(struct bench_key *k);

#endif
