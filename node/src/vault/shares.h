/** Key shares and the states of epoch runs (protocols/90 sections 3 and 4).
 *
 *  A key may have several epochs on disk at once: PENDING ones (stored, prep given), at most one
 *  ACTIVE (used), RETIRED ones (the base after the switch at t votes, kept until DONE). Of an epoch
 *  there may be several, by several attempts to make it: (key, epoch, sid of the run) names one. A
 *  share is sealed for (key, epoch, our id) and the exact record bytes stored beside it: exchanging
 * blobs, records or rows makes the load fail with QK_E_CORRUPT.
 */
#ifndef NODE_VAULT_SHARES_H
#define NODE_VAULT_SHARES_H

#include "vault/vault.h"

enum node_share_state { /* stored: never renumber */
    NODE_SHARE_PENDING = 1,
    NODE_SHARE_ACTIVE = 2,
    NODE_SHARE_RETIRED = 3,
};

enum {
    NODE_SHARE_MAX = 1024 * 1024, /* bytes of secret; RSA pieces are the largest */
    NODE_SHARE_RECORD_MAX = 64 * 1024,
    NODE_RUN_MAX = 1024 * 1024, /* bytes of an epoch run's state */
};

struct node_share_info {
    uint8_t key_id[16];
    uint32_t epoch;  /* e_net */
    uint8_t sid[32]; /* of the run that made it */
    bool named;      /* false: from before shares had the names of their runs; sid is zeros */
    uint64_t seq;    /* of those that are here at the same time, the later one has the higher */
    enum node_share_state state;
    uint64_t created_ms;
};

/** Store a share as PENDING, sync, drop the cache, read it back from the file and open it (check
 *  B-1). Only QK_OK allows a prep to be signed.
 *
 *  secret  the share, 1..NODE_SHARE_MAX bytes; borrowed
 *  record  the public key record of that epoch, 1..NODE_SHARE_RECORD_MAX bytes
 *
 *  Returns  QK_OK          stored now, or the same share and record were stored before
 *           QK_E_CONFLICT  (key, epoch, sid) holds another share or record
 *           QK_E_IO, QK_E_CORRUPT  nothing may be promised; the row is removed again if possible
 */
QK_MUST_USE qk_err node_vault_share_put_pending(struct node_vault *vault,
    const uint8_t key_id[static 16], uint32_t epoch, const uint8_t sid[static 32],
    struct qk_bytes secret, struct qk_bytes record, uint64_t now_ms);

/** Make this one ACTIVE (or the one without a name, if there is none with this); the one before
 *  becomes RETIRED. Idempotent. QK_E_NOT_FOUND. */
QK_MUST_USE qk_err node_vault_share_activate(struct node_vault *vault,
    const uint8_t key_id[static 16], uint32_t epoch, const uint8_t sid[static 32]);
/** Name the PENDING share of this epoch that has no name, if there is one. */
QK_MUST_USE qk_err node_vault_share_name(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, const uint8_t sid[static 32]);

/** Open the ACTIVE share of a key.
 *
 *  epoch   receives its epoch; may be NULL
 *  secret  a QK_BUF_SECRET, appended to; record: a plain buffer, may be NULL
 *  Returns QK_E_NOT_FOUND, QK_E_CORRUPT (altered or exchanged: class N, no protocol run, blame
 *          nobody), QK_E_TOO_LARGE (the buffers' max)
 */
QK_MUST_USE qk_err node_vault_share_load(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t *epoch, struct qk_buf *secret, struct qk_buf *record);
/** The same for one epoch, whatever its state; of several the latest. state may be NULL. */
QK_MUST_USE qk_err node_vault_share_load_epoch(struct node_vault *vault,
    const uint8_t key_id[static 16], uint32_t epoch, enum node_share_state *state,
    struct qk_buf *secret, struct qk_buf *record);

/** Destroy the share that one run made, and with the last one of an epoch its OT setups: deleted
 * with secure_delete, then the log is checkpointed and truncated, so neither file holds the sealed
 * bytes any more (check B-6). Idempotent: nothing there is QK_OK. Repeating after a crash completes
 * it (K9, K11). */
QK_MUST_USE qk_err node_vault_share_destroy(struct node_vault *vault,
    const uint8_t key_id[static 16], uint32_t epoch, const uint8_t sid[static 32]);
/** The same for one without a name. */
QK_MUST_USE qk_err node_vault_share_destroy_unnamed(
    struct node_vault *vault, const uint8_t key_id[static 16], uint32_t epoch);
/** The same for every epoch below epoch (rule 6: DONE destroys all earlier ones). */
QK_MUST_USE qk_err node_vault_share_destroy_before(
    struct node_vault *vault, const uint8_t key_id[static 16], uint32_t epoch);
/** The same for every epoch of the key, and its settled runs. */
QK_MUST_USE qk_err node_vault_share_destroy_all(
    struct node_vault *vault, const uint8_t key_id[static 16]);
/** The same for n keys, in one transaction. */
QK_MUST_USE qk_err node_vault_share_destroy_keys(
    struct node_vault *vault, const uint8_t (*key_ids)[16], size_t n);

/** Call each for the epochs of key_id (NULL: of all keys), ascending by key, epoch and seq, until
 *  it returns false. */
QK_MUST_USE qk_err node_vault_share_list(struct node_vault *vault, const uint8_t *key_id,
    bool (*each)(void *arg, const struct node_share_info *info), void *arg);
/** Number of stored shares. */
QK_MUST_USE qk_err node_vault_share_count(struct node_vault *vault, uint64_t *n);

/** Replace the state of an epoch run, in one transaction; durable when it returns. blob is opaque
 *  (mpc/epoch.h), 1..NODE_RUN_MAX bytes, and rests sealed. */
QK_MUST_USE qk_err node_vault_run_put(
    struct node_vault *vault, const uint8_t sid[static 32], struct qk_bytes blob, uint64_t now_ms);
/** Append it to out (a QK_BUF_SECRET). QK_E_NOT_FOUND. */
QK_MUST_USE qk_err node_vault_run_get(
    struct node_vault *vault, const uint8_t sid[static 32], struct qk_buf *out);
/** These runs have ended and what their end asked for is done: they are kept for peers that ask,
 * and are not listed any more. They go with their key (node_vault_share_destroy_all). */
struct node_run_name {
    uint8_t sid[32], key_id[16];
};
QK_MUST_USE qk_err node_vault_run_settle(
    struct node_vault *vault, const struct node_run_name *runs, size_t n);
/** Nothing there is QK_OK. */
QK_MUST_USE qk_err node_vault_run_delete(struct node_vault *vault, const uint8_t sid[static 32]);
/** Sid and time of the last change of every run that was not settled, until each returns false. */
QK_MUST_USE qk_err node_vault_run_list(struct node_vault *vault,
    bool (*each)(void *arg, const uint8_t sid[static 32], uint64_t changed_ms), void *arg);

#endif
