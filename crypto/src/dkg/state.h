/** The state of a DKG party; private, open to the hostile tests. */
#ifndef MPC_DKG_STATE_H
#define MPC_DKG_STATE_H

#include "mpc/dkg.h"
#include "mpc/proof.h"
#include "session/engine.h"

enum mpc_dkg_row { DKG_COM, DKG_OPEN, DKG_OPEN_D, DKG_SHARE, DKG_RESULT };
enum { DKG_OPEN_ECHO, DKG_OPEN_C, DKG_OPEN_A, DKG_OPEN_Z, DKG_OPEN_RHO };
enum { DKG_RESULT_ECHO, DKG_RESULT_V };

struct mpc_dkg {
    const char *role;                             /* of nodes, in commitments and proofs */
    size_t n_coeffs;                              /* t for a node, 1 for D */
    struct mpc_scalar coeffs[MPC_NODES_MAX];      /* a_{i,k}; D: x_D. Secret, wiped after round 2 */
    struct mpc_scalar own;                        /* f_i(i) */
    uint8_t enc_c[MPC_NODES_MAX * MPC_POINT_MAX]; /* our C, encoded */
    struct mpc_pok pok;
    uint8_t rho[32];
    /* C of party number j at points[j * t + k]; D's X at k = 0. Made in round 2. */
    struct mpc_point *points;
    size_t n_points;
    uint8_t v[32];
    bool taken;
    struct mpc_key_share share;
    struct mpc_key_record record;
};

/** PoK role and commitment label of a party. */
const char *mpc_dkg_role(const struct mpc_party *party, uint16_t id);
/** data_i = C || A || z as views of a broadcast opening. out is appended to. */
void mpc_dkg_opening(struct qk_buf *out, struct qk_bytes c, struct qk_bytes a, struct qk_bytes z);

/** Rounds 0 and 1: choose, commit, open. */
QK_MUST_USE qk_err mpc_dkg_commit(struct mpc_party *party);
QK_MUST_USE qk_err mpc_dkg_open(struct mpc_party *party);
/** Round 2: all checks of document 10 section 1 round 3, then the record and V. */
QK_MUST_USE qk_err mpc_dkg_check(struct mpc_party *party);
/** From decoded points and our share: the record, with checks D-6 and D-7. */
QK_MUST_USE qk_err mpc_dkg_build_record(struct mpc_party *party);

#endif
