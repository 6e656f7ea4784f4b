/** Hashes of what an HMAC key consists of; private, open to tests. */
#ifndef MPC_MAC_PIECES_H
#define MPC_MAC_PIECES_H

#include "mpc/mac_record.h"

/** pk_j = H32("mac-pc"; key_id, u32 epoch, u16 j, s_j), j a node id. Constant time in the piece. */
QK_MUST_USE qk_err mac_piece_hash(
    uint8_t out[static 32], const struct mpc_mac_record *rec, uint16_t j, const uint8_t *piece);
/** H32("mac-ist"; key_id, ist). */
QK_MUST_USE qk_err mac_ist_hash(
    uint8_t out[static 32], const struct mpc_mac_record *rec, const uint8_t *ist);

#endif
