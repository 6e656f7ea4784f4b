/** The distributed PRF of the system key: t nodes evaluate it together, every share of the value
 *  is proved right.
 *
 *  Source: protocols/50-symmetric.md sections 3 and 9 (Naor-Pinkas-Reingold on P-256 with DLEQ
 *  proofs). docs/protocols/system-key.md has the use. Pure functions; proto 53 is one request and
 *  one answer, no session: the value is a deterministic function of its input.
 *
 *      asker:  mpc_dprf_request_encode -> each node
 *      node:   mpc_dprf_request_decode, AUTHORISE, mpc_dprf_input, mpc_dprf_eval -> answer
 *      asker:  mpc_dprf_combine over the answers of t or more nodes
 *
 *  A node computes X and P itself from the fields (check S-9); no message carries a point to be
 *  multiplied. The labels differ from those of symmetric keys (check S-14), and a system key serves
 *  nothing else: its record is a DKG record on P-256 with access 0.
 */
#ifndef MPC_DPRF_H
#define MPC_DPRF_H

#include "mpc/record.h"
#include "mpc/share.h"
#include "qk/secret.h"

enum {
    MPC_DPRF_PARTIAL_LEN = 131, /* z 33, A1 33, A2 33, proof scalar 32 */
    MPC_DPRF_PURPOSE_MAX = 32,
    MPC_DPRF_FIELDS_MAX = 8,
    MPC_DPRF_FIELD_MAX = 1024,
    MPC_DPRF_REQUEST_MAX = 9216,
};

/** What is asked for. Public to the nodes. */
struct mpc_dprf_request {
    uint8_t key_id[16];
    uint8_t rec[32];         /* hash of the record the asker works with: epochs never mix */
    struct qk_bytes purpose; /* ASCII name of the use, 1..32 bytes, for example "credential" */
    struct qk_bytes
        fields[MPC_DPRF_FIELDS_MAX]; /* each 0..1024 bytes; their meaning is purpose's */
    uint32_t n_fields;
};

/** Append the canonical msgpack map {key_id, rec, purpose, fields}. QK_E_STATE out of bounds. */
QK_MUST_USE qk_err mpc_dprf_request_encode(const struct mpc_dprf_request *req, struct qk_buf *out);
/** Exactly those keys (check S-9: an X or a P in the request is malformed). Views into in. */
QK_MUST_USE qk_err mpc_dprf_request_decode(struct qk_bytes in, struct mpc_dprf_request *out);

/** X = H32("sys-x"; purpose, fields...). */
QK_MUST_USE qk_err mpc_dprf_input(uint8_t x[static 32], const struct mpc_dprf_request *req);

/** This node's part: z = s*P with P = H2P("sym-p"; X), and DLEQ(self, "sym", s, P) with X as sid.
 *
 *  share  on P-256, a node's; QK_E_STATE otherwise. Constant time in it.
 *  out    t such values of different nodes give the result away: send it to the asker only
 */
QK_MUST_USE qk_err mpc_dprf_eval(uint8_t out[static MPC_DPRF_PARTIAL_LEN],
    const struct mpc_key_share *share, const uint8_t x[static 32], struct qk_rng *rng);

/** Check S-4 for one answer, with S_id of the record.
 *
 *  Returns QK_OK, QK_E_MALFORMED (length, a point or scalar invalid), QK_E_PROOF, QK_E_STATE (no
 *  such node, or not the record of a system key), 5xx.
 */
QK_MUST_USE qk_err mpc_dprf_verify(const struct mpc_key_record *rec, uint16_t id,
    const uint8_t x[static 32], struct qk_bytes partial);

/** An answer and the node whose channel it came from. */
struct mpc_dprf_part {
    uint16_t id;
    struct qk_bytes partial;
    qk_err verdict; /* out: QK_OK, or what mpc_dprf_verify said: that node is the culprit, P(id) */
};

/** w = H32("sys-w"; X, enc W), W = sum of lambda_i z_i over the first t good parts.
 *
 *  parts    every one is verified and gets its verdict; ids must be distinct (QK_E_STATE)
 *  n_parts  1..32; more than t hides a bad one
 *
 *  Returns  QK_OK       *w is the value; also with some bad parts: look at the verdicts
 *           QK_E_PROOF  fewer than t good ones: ask other nodes; w untouched
 *           QK_E_STATE, 5xx
 */
QK_MUST_USE qk_err mpc_dprf_combine(const struct mpc_key_record *rec, const uint8_t x[static 32],
    struct mpc_dprf_part *parts, size_t n_parts, struct qk_sec32 *w);

#endif
