/** DKG sessions for tests: every protocol above needs a key. */
#ifndef QKT_DKGRUN_H
#define QKT_DKGRUN_H

#include "driver.h"
#include "mpc/dkg.h"

/** A made key, all shares in one place. */
struct qkt_key {
    struct mpc_key_record record;
    size_t n; /* shares: the nodes in order, then D */
    struct mpc_key_share shares[MPC_PARTIES_MAX];
};

/** Start a DKG of these nodes (and D with access 1) on a net that the caller frees. rngs: one per
 *  party, borrowed until the net is freed. */
struct qkt_net *qkt_dkg_net(uint64_t seed, unsigned curve, const uint16_t *ids, size_t n_ids,
    unsigned t, unsigned access, struct qkt_rng *rngs);
/** Take the results of a finished net; asserts that all parties are done with equal records. */
void qkt_dkg_take(struct qkt_net *net, struct qkt_key *key);
/** All of it for nodes 1..n. */
void qkt_make_key(
    struct qkt_key *key, uint64_t seed, unsigned curve, unsigned n, unsigned t, unsigned access);
/** Do these node shares (indices in key->shares) and, with access 1, D's share give pk? */
bool qkt_interpolates(const struct qkt_key *key, const size_t *ix, size_t n_ix);

#endif
