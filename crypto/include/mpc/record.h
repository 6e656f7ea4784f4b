/** The public key record: what everybody must know about a shared key, and nothing secret.
 *
 *  Source: protocols/00-common.md section 4. The record is canonical msgpack;
 *  its hash `rec` is bound into every session of the key. Decoding accepts only
 *  what encoding produces, and only valid points.
 *
 *  Encoding: a map with exactly these keys in this order:
 *      v 1, key_id bin16, curve, access, t, n, nodes: array of n [id, idh bin32, X bin pt],
 *      X_D bin pt (empty bin with access 0), D: bin32 idh of the delegate (empty with access 0),
 *      pk bin pt, e_net, e_del, sid bin32
 */
#ifndef MPC_RECORD_H
#define MPC_RECORD_H

#include "mpc/group.h"
#include "mpc/party.h"

enum { MPC_RECORD_MAX = 8192 }; /* bytes of an encoded record */

struct mpc_key_record {
    uint8_t key_id[16];
    uint8_t curve;
    uint8_t access; /* 0 nodes, 1 delegate AND nodes */
    uint16_t t;
    uint16_t n;
    struct mpc_peer nodes[MPC_NODES_MAX];        /* n of them, ids 1..255 strictly ascending */
    uint8_t big_x[MPC_NODES_MAX][MPC_POINT_MAX]; /* X_i, pt bytes each */
    struct mpc_peer delegate;                    /* id MPC_DELEGATE; zeros with access 0 */
    uint8_t big_x_d[MPC_POINT_MAX];              /* X_D; zeros with access 0 */
    uint8_t pk[MPC_POINT_MAX];
    uint32_t e_net;  /* 1 for a fresh key */
    uint32_t e_del;  /* 1 for a fresh key with a delegate, else 0 */
    uint8_t sid[32]; /* of the run that made this record */
};

/** Append the canonical encoding. QK_E_STATE for a record that would not decode again. */
QK_MUST_USE qk_err mpc_record_encode(const struct mpc_key_record *rec, struct qk_buf *out);
/** Validate everything: canonical form, known curve, 1 <= t <= n <= 32 (t >= 2 unless access 1),
 *  ids, every point on the curve and not O, e_net >= 1, unused fields absent. QK_E_MALFORMED. */
QK_MUST_USE qk_err mpc_record_decode(struct qk_bytes in, struct mpc_key_record *out);
/** rec = H32("keyrec"; encoding). */
QK_MUST_USE qk_err mpc_record_hash(const struct mpc_key_record *rec, uint8_t out[static 32]);
/** The same over bytes that are an encoded record already. */
QK_MUST_USE qk_err mpc_record_hash_bytes(struct qk_bytes encoded, uint8_t out[static 32]);
/** The index in nodes of a node id, or -1. */
int mpc_record_index(const struct mpc_key_record *rec, uint16_t id);
/** Do the shares fit together? Checks in public that the X_i lie on one polynomial of degree t-1
 *  whose value at 0 is pk (less X_D). QK_E_PROOF if not. */
QK_MUST_USE qk_err mpc_record_check_points(const struct mpc_key_record *rec);
/** Fill a session for a use of this key by the given node ids (ascending) and, with access 1, the
 *  delegate. self must be among them. QK_E_NOT_FOUND for an id that is not in the record. */
QK_MUST_USE qk_err mpc_record_session(const struct mpc_key_record *rec, const uint16_t *node_ids,
    size_t n_ids, uint16_t self, const uint8_t req[static 32], struct mpc_session *out);

#endif
