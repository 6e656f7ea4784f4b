/** Symmetric keys: the values that combiner and nodes share, and the ciphertext blob.
 *
 *  Source: protocols/50-symmetric.md sections 1, 4, 5 and 7. docs/protocols/symmetric.md is the
 * map. Next: mpc/sym_record.h (what a key version is), mpc/sym_node.h (evaluating at a node),
 *  mpc/sym_combine.h (Encrypt and Decrypt), mpc/sym_gen.h (making and importing keys).
 *
 *  Everything in this header is public data; a plaintext or a function value never passes here.
 */
#ifndef MPC_SYM_H
#define MPC_SYM_H

#include "mpc/party.h"

/** Modes of evaluation; as bits, what a key allows (attribute `modes`). */
enum {
    MPC_SYM_F = 1,  /* AES under replicated keys, checked by equal copies */
    MPC_SYM_V = 2,  /* P-256, checked by proofs */
    MPC_SYM_FV = 3, /* F when enough nodes answer, else V: the default */
};

enum {
    MPC_SYM_FLAG_DELEGATE = 1, /* a delegate's share is part of the value: not built yet */
    MPC_SYM_FLAG_TAGS = 2,     /* the blob carries origin tags: iff mode F */
};

enum {
    MPC_SYM_SETS_MAX = 64, /* replicated keys of one version */
    MPC_SYM_PIECE_LEN = 32,
    MPC_SYM_TAG_LEN = 16,
    MPC_SYM_TICKET_LEN = 26,
    MPC_SYM_CHAN_LEN = 16,
    MPC_SYM_EC_MAX = 8192,
    MPC_SYM_PLAIN_MAX = 4096,
    MPC_SYM_ITEMS_MAX = 64, /* in one frame */
    MPC_SYM_BLOB_HEAD = 89,
    MPC_SYM_BLOB_MIN = 89 + 33,
    MPC_SYM_BLOB_MAX = 89 + 16 * 64 + 4128,
    MPC_SYM_V_VALUE_LEN = 33,  /* z */
    MPC_SYM_V_PROVED_LEN = 131 /* z, A1, A2, proof scalar */
};

/* ------------------------------------------------ encryption context -- */

struct mpc_sym_pair {
    struct qk_bytes key, value;
};

/** Append EC = u16 count, then fr(key) || fr(value) with keys in byte order. The order of pairs
 *  does not matter; n = 0 is the absent context.
 *  QK_E_MALFORMED: a key twice, not UTF-8, over MPC_SYM_EC_MAX bytes. QK_E_NOMEM. */
QK_MUST_USE qk_err mpc_sym_ec_encode(
    const struct mpc_sym_pair *pairs, size_t n, struct qk_buf *out);
/** QK_E_MALFORMED unless ec is what mpc_sym_ec_encode makes of some map. */
QK_MUST_USE qk_err mpc_sym_ec_check(struct qk_bytes ec);
/** Walk a checked EC, *at 0 at first: the next pair (views into ec), or false. */
bool mpc_sym_ec_next(struct qk_bytes ec, size_t *at, struct mpc_sym_pair *out);
/** d_ec = H32("sym-ec"; EC). */
QK_MUST_USE qk_err mpc_sym_ec_hash(uint8_t d_ec[static 32], struct qk_bytes ec);

/* ------------------------------------------------------------ tickets -- */

/** One node's part in a ticket list: u16 node || chan || u64 ctr on the wire. */
struct mpc_sym_ticket {
    uint16_t node;
    uint8_t chan[MPC_SYM_CHAN_LEN]; /* the node drew it when this link began */
    uint64_t ctr;                   /* the requester's count on it: 1, 2, 3, ... */
};

/** The list: n tickets of ascending nodes, 26 bytes each, appended. */
void mpc_sym_tickets_encode(const struct mpc_sym_ticket *tickets, size_t n, struct qk_buf *out);
/** T = H32("sym-tickets"; list). */
QK_MUST_USE qk_err mpc_sym_tickets_hash(uint8_t t[static 32], struct qk_bytes list);

/* --------------------------------------------------------- EVAL items -- */

enum mpc_sym_op { MPC_SYM_ENC = 1, MPC_SYM_DEC = 2 };

/** One evaluation asked of a node. There is no field for X or P (check S-9). Views are borrowed. */
struct mpc_sym_item {
    uint8_t key_id[16]; /* of the KMS key */
    uint32_t ver;       /* its backing version, from 1 */
    uint8_t mode;       /* MPC_SYM_F or MPC_SYM_V */
    uint8_t flags;
    uint8_t alpha[32];
    struct qk_bytes tk;   /* ENC: the ticket list. DEC: empty */
    uint8_t t[32];        /* DEC: T of the blob. ENC: zeros */
    struct qk_bytes tags; /* DEC in mode F: the blob's tags, 16*d. Else empty */
    struct qk_bytes ec;   /* canonical EC */
};

/** Per-item status of an answer. The first five are the evaluation's, the others the node's. */
enum mpc_sym_status {
    MPC_SYM_OK = 0,
    MPC_SYM_MALFORMED = 1, /* the item is none for this version */
    MPC_SYM_TICKET = 2,   /* ticket list without a fresh ticket of mine: the answer names my chan */
    MPC_SYM_ORIGIN = 3,   /* tags of a blob that no Encrypt ever made */
    MPC_SYM_LIMIT = 4,    /* 2^40 evaluations: rotate before the next Encrypt */
    MPC_SYM_DENIED = 5,   /* not authorised */
    MPC_SYM_ABSENT = 6,   /* no such key or version here */
    MPC_SYM_DISABLED = 7, /* the key's state forbids it */
    MPC_SYM_FAULT = 8,    /* trouble of the node's own */
    MPC_SYM_STATUS_N
};

/** Bytes of an OK answer: F: ascending own sets, 32 (DEC) or 32||16 (ENC) each; V: 33, or 131 with
 *  a proof (ENC, or prove). n_sets: sets of one node. 0 for an unknown mode or op. */
size_t mpc_sym_answer_len(uint8_t mode, uint8_t op, bool prove, size_t n_sets);

/** X = H32("sym-x"; u8 mode, u8 flags, key_id, u32 ver, d_ec, alpha, T), from an item's fields. */
QK_MUST_USE qk_err mpc_sym_x(uint8_t x[static 32], const struct mpc_sym_item *item,
    const uint8_t d_ec[static 32], const uint8_t t[static 32]);

/* --------------------------------------------------------------- blob -- */

/** A parsed ciphertext blob, version 1. tags and e point into it. */
struct mpc_sym_blob {
    uint8_t mode;
    uint8_t flags;
    uint8_t key_id[16];
    uint32_t ver;
    uint8_t alpha[32];
    uint8_t t[32];
    struct qk_bytes tags; /* 16*d in mode F, empty in mode V */
    struct qk_bytes e;    /* 33..4128 bytes */
};

/** Everything that can be checked before the version's record is found (check S-12); the rest is
 *  mpc_sym_blob_check of mpc/sym_record.h. QK_E_MALFORMED. Public data, variable time. */
QK_MUST_USE qk_err mpc_sym_blob_parse(struct qk_bytes in, struct mpc_sym_blob *out);
/** Append the encoding. QK_E_STATE for a blob that would not parse. */
QK_MUST_USE qk_err mpc_sym_blob_build(const struct mpc_sym_blob *blob, struct qk_buf *out);

#endif
