/** The state of one signer, shared by the files sign_*.c.
 *
 *  Source: protocols/20-ecdsa.md section 5; the names are the document's:
 *  toward peer j we are Bob with b_ij in round 1 and Alice with (r_i, sk_i) in
 *  round 2.
 */
#ifndef MPC_ECDSA_SIGN_H
#define MPC_ECDSA_SIGN_H

#include "ecdsa/rvole.h"
#include "ecdsa/setup.h"
#include "mpc/ecdsa.h"
#include "session/engine.h"

/* The message table; the order of the fields is that of the document. */
enum { SIGN_ROW_1, SIGN_ROW_2 };
enum sign_field_1 { F1_COM, F1_SU, F1_U, F1_XH, F1_TH, F1_COUNT };
enum sign_field_2 {
    F2_ECHO,
    F2_R,
    F2_RHO,
    F2_P,
    F2_AT,
    F2_ETA,
    F2_MU,
    F2_GU,
    F2_GV,
    F2_PSI,
    F2_COUNT
};

/** What we keep about another signer. */
struct sign_peer {
    uint16_t id;
    struct mpc_ot_setup *setup; /* a reference */

    /* We as Bob: the peer multiplies her r_j, sk_j with our b. */
    struct rvole bob;
    uint8_t x[OT_NB_MAX]; /* beta, tau */
    struct mpc_scalar b;
    struct qk_buf sent;     /* u, xh, th of round 1, one after the other */
    struct qk_buf t_rows;   /* T_j */
    struct mpc_scalar d[2]; /* d^u, d^v */

    /* We as Alice. */
    struct rvole alice;
    struct qk_buf q_rows;   /* Q_j */
    struct mpc_scalar c[2]; /* c^u, c^v */

    /* What the peer said. */
    uint8_t com[64];
    struct mpc_point big_r, big_p, gamma[2];
    struct mpc_scalar psi;
};

struct sign {
    struct mpc_key_record rec;
    uint8_t rec_hash[32];
    bool online;
    uint8_t digest[MPC_ECDSA_DIGEST_MAX];
    size_t digest_len;

    struct mpc_scalar sk; /* l_i * x_i at first, + zeta_i once the sid is known */
    struct mpc_scalar r, phi;
    struct mpc_point big_r, big_p; /* r*G, sk*G */
    uint8_t rho[32];
    struct sign_peer peers[MPC_PARTIES_MAX];
    size_t n_peers;

    /* The result. */
    uint8_t out_r[MPC_POINT_MAX];
    struct mpc_scalar u, v; /* and phi */
    uint8_t setup_ids[MPC_PARTIES_MAX][32];
    size_t n_setup_ids;
    bool taken;
};

/** The message of round 1 that we sent to this peer. */
struct otext_msg sign_sent_msg(const struct sign_peer *peer);
/** h = bits2int(digest) mod q. QK_E_STATE for a wrong length, QK_E_DENIED for h = 0 (E-16). */
QK_MUST_USE qk_err ecdsa_hash_scalar(
    const struct mpc_curve *c, struct qk_bytes digest, struct mpc_scalar *h);
/** hd = H32("digest"; digest) */
QK_MUST_USE qk_err ecdsa_digest_hash(uint8_t out[static 32], struct qk_bytes digest);

/* The rounds, in order. */
QK_MUST_USE qk_err sign_round_1(struct mpc_party *party); /* sends round 1 */
QK_MUST_USE qk_err sign_round_2(struct mpc_party *party); /* checks round 1, sends round 2 */
QK_MUST_USE qk_err sign_finish(struct mpc_party *party);  /* checks round 2, ends */
/** Release and wipe everything that is no result. */
void sign_wipe_work(struct sign *s);

#endif
