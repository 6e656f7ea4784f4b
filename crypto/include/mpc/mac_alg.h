/** The four MAC algorithms, the two profiles, and their sizes.
 *
 *  Source: protocols/60-hmac.md section 1; RFC 2104 over FIPS 180-4.
 */
#ifndef MPC_MAC_ALG_H
#define MPC_MAC_ALG_H

#include "qk/err.h"

enum mpc_mac_alg {
    MPC_MAC_224 = 1, /* HMAC_SHA_224 */
    MPC_MAC_256 = 2,
    MPC_MAC_384 = 3,
    MPC_MAC_512 = 4,
};

/** How a key is evaluated. The same numbers as KMS_MODES_MAC_N and _S. */
enum mpc_mac_profile {
    MPC_MAC_N = 8,  /* ist is known to every node, ost is shared: one compression under MPC */
    MPC_MAC_S = 16, /* strict: ist is shared too */
};

enum {
    MPC_MAC_STATE_MAX = 64,   /* bytes of ist, ost */
    MPC_MAC_DIGEST_MAX = 64,  /* bytes of h, tag, and of a key made here */
    MPC_MAC_BLOCK_MAX = 128,  /* bytes of a block, and of the longest imported key */
    MPC_MAC_SECRET_MAX = 128, /* bytes of what pieces share: ost, or ist || ost */
};

static inline bool mpc_mac_alg_known(unsigned alg)
{
    return alg >= MPC_MAC_224 && alg <= MPC_MAC_512;
}
static inline bool mpc_mac_profile_known(unsigned profile)
{
    return profile == MPC_MAC_N || profile == MPC_MAC_S;
}
/** 28, 32, 48, 64; 0 for an unknown alg. */
static inline size_t mpc_mac_digest_len(unsigned alg)
{
    static const uint8_t len[] = {0, 28, 32, 48, 64};
    return mpc_mac_alg_known(alg) ? len[alg] : 0;
}
/** 32 for words of 32 bits, 64 for words of 64 bits; 0 for an unknown alg. */
static inline size_t mpc_mac_state_len(unsigned alg)
{
    if (!mpc_mac_alg_known(alg)) return 0;
    return alg <= MPC_MAC_256 ? 32 : 64;
}
/** 64 or 128; 0 for an unknown alg. */
static inline size_t mpc_mac_block_len(unsigned alg)
{
    return 2 * mpc_mac_state_len(alg);
}
/** Bytes of what the pieces share: the state, or in profile S twice that. 0 if unknown. */
static inline size_t mpc_mac_secret_len(unsigned alg, unsigned profile)
{
    if (!mpc_mac_profile_known(profile)) return 0;
    return mpc_mac_state_len(alg) * (profile == MPC_MAC_S ? 2 : 1);
}

#endif
