/** Symmetric keys for the test's coordinator: tickets, evaluations, combining. As in nodedriver.h
 *  everything can be bent before it is sent.
 */
#ifndef NODESYM_H
#define NODESYM_H

#include "mpc/sym_combine.h"
#include "nodedriver.h"

/** Channels and counters, by node. */
struct ns {
    struct nd *d;
    uint8_t chan[NB_NODES_MAX + 1][MPC_SYM_CHAN_LEN];
    uint64_t ctr[NB_NODES_MAX + 1];
};

/** An encryption context: keys and values in turn, NULL at the end; NULL: none. */
typedef const char *const *ns_context;

/** A channel from each running node. */
void ns_init(struct ns *s, struct nd *d);
/** A fresh channel from one node; false if it does not give one. */
bool ns_channel(struct ns *s, uint16_t node);
/** CreateKey, SYMMETRIC_DEFAULT, tag qkms:modes. */
void ns_create_key(struct ns *s, const char *modes, char id[static KMS_UUID_LEN + 1]);
/** The stored record of a version. */
void ns_record(struct ns *s, const char *key_id, uint32_t ver, struct mpc_sym_record *out);
/** The version of a key by its stored record; free with mpc_sym_version_free. */
struct mpc_sym_version *ns_version(struct ns *s, const char *key_id, uint32_t ver);
/** The version that the KEY record names as current. */
uint32_t ns_current(struct ns *s, const char *key_id);

/** Signed requests, without an item yet. blob: any bytes. plain NULL:
 * GenerateDataKeyWithoutPlaintext, else Encrypt with body hash and claim. */
struct nd_op *ns_enc_op(
    struct ns *s, const char *key_id, ns_context context, const char *plain, const uint16_t *peers);
struct nd_op *ns_dec_op(
    struct ns *s, ns_context context, struct qk_bytes blob, const uint16_t *peers);
/** Move the body of op to where only its hash is shown, with a claim of its content. */
void ns_op_hide_body(struct nd_op *op);
/** Set an ENC item: alpha of `a`s, the current version, and the next ticket of every node. */
void ns_op_enc(struct ns *s, struct nd_op *op, const char *key_id, uint8_t mode, uint8_t a);
/** Write tickets into op's item. */
void ns_op_tickets(struct nd_op *op, const struct mpc_sym_ticket *tickets, size_t n);
/** Set a DEC item. */
void ns_op_dec(struct nd_op *op, bool prove);

/** Run Encrypt (or a data key: plain NULL gives 32 zero bytes) or Decrypt with these nodes, asking
 *  for records as needed. MPC_SYM_DONE: the blob, the plaintext, appended. */
enum mpc_sym_state ns_encrypt(struct ns *s, const char *key_id, ns_context context,
    const char *plain, const uint16_t *peers, bool avoid_f, struct qk_buf *blob);
enum mpc_sym_state ns_decrypt(struct ns *s, ns_context context, struct qk_bytes blob,
    const uint16_t *peers, struct qk_buf *plain);
/** Encrypt and decrypt with all, plaintext compared; mode as the key's modes and avoid_f say. */
bool ns_round_trip(struct ns *s, const char *key_id, ns_context context, bool avoid_f);

/** Did every node of op answer OK with this eval_status, and hand out a part iff it is OK? Prints
 *  what is wrong. */
bool ns_says(struct nd *d, struct nd_op *op, uint8_t eval_status);

#endif
