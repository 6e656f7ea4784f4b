/** Sealing: AES-256-GCM under the node key, each blob bound to what it is and where it belongs.
 *
 *  blob    = u8 1 || salt (32) || ciphertext || tag (16)          49 bytes more than the plaintext
 *  key||iv = HKDF-SHA-512(ikm = node key, salt, info = "qkms-seal-v1" || cluster id (16) ||
 *            u16 node id || u8 purpose), 32 + 12 bytes
 *  AAD     = "qkms-seal-v1" || scope, in the fixed framing of node_seal_scope below
 *
 *  Every blob has a key of its own, from 32 random bytes, so the number of seals is not bounded by
 *  the 96-bit nonce: two blobs share (key, iv) with probability below 2^-192 after 2^32 seals.
 *
 *  The node key and nothing derived from it outlives a call, outside locked memory.
 */
#ifndef NODE_SEAL_SEAL_H
#define NODE_SEAL_SEAL_H

#include "qk/bytes.h"
#include "qk/rng.h"
#include "seal/keysource.h"

enum node_seal_purpose { /* stored in AAD: never renumber */
    NODE_SEAL_CHECK = 1, /* the vault's check value */
    NODE_SEAL_SHARE = 2, /* a key share */
    NODE_SEAL_SETUP = 3, /* an OT setup */
    NODE_SEAL_RUN = 4,   /* state of an epoch run */
    NODE_SEAL_NOTE = 5,  /* small private notes of the daemon */
};

enum { NODE_SEAL_OVERHEAD = 1 + 32 + 16, NODE_SEAL_PLAIN_MAX = 4 * 1024 * 1024 };

/** What a blob is bound to. Unused fields are zero. Framing in AAD, big-endian, in this order:
 *  u8 purpose, key_id (16), u32 epoch, u16 party, u16 peer, u8 class, id (32), record (32). */
struct node_seal_scope {
    enum node_seal_purpose purpose;
    uint8_t key_id[16];
    uint32_t epoch;
    uint16_t party; /* our own id */
    uint16_t peer;
    uint8_t cls;
    uint8_t id[32];     /* setup id, sid of a run, hash of a note's name */
    uint8_t record[32]; /* SHA-256 of the public bytes stored beside the blob */
};

struct node_seal;

/** Unlock the source and keep the node key in locked memory.
 *
 *  source  borrowed for the call
 *  Returns the source's error, QK_E_NOMEM (also: RLIMIT_MEMLOCK too low)
 */
QK_MUST_USE qk_err node_seal_new(struct node_seal **out, struct node_keysource *source,
    const uint8_t cluster_id[static 16], uint16_t node_id);
/** Wipes the key. NULL is allowed. */
void node_seal_free(struct node_seal *seal);

/** Append the blob of plain to out (unchanged on failure).
 *  QK_E_TOO_LARGE (plain over NODE_SEAL_PLAIN_MAX, or out->max), QK_E_RNG, QK_E_NOMEM,
 *  QK_E_CRYPTO. Threads: any. */
QK_MUST_USE qk_err node_seal_close(const struct node_seal *seal,
    const struct node_seal_scope *scope, struct qk_bytes plain, struct qk_buf *out);
/** Append the plaintext of blob to out, which is a QK_BUF_SECRET (unchanged on failure).
 *  QK_E_CORRUPT: not sealed by this node key for this scope, or altered. QK_E_STATE: out is not
 *  secret. QK_E_TOO_LARGE, QK_E_NOMEM, QK_E_CRYPTO. Threads: any. */
QK_MUST_USE qk_err node_seal_open(const struct node_seal *seal, const struct node_seal_scope *scope,
    struct qk_bytes blob, struct qk_buf *out);

#endif
