/** The vault: everything a node must still know after a crash. One SQLite file.
 *
 *  WAL, synchronous=FULL, secure_delete, foreign keys, exclusive locking: every call that changes
 *  something has committed and synced it when it returns QK_OK, and has changed nothing when it
 *  returns anything else. Secrets rest sealed (seal/seal.h). Tables by topic:
 *      vault/shares.h    key shares, states of epoch runs
 *      vault/setups.h    OT setups and their locks
 *      vault/records.h   certified records (watermarks), promises
 *      this file         identity, counters, notes, strikes
 *
 *  What the disk can tell after a crash is protocols/90 section 4; what it cannot: a file put back
 *  from an older copy. node_vault_generation lets peers notice (K17).
 *
 *  Threads: every function may be called from any thread; one mutex, transactions of less than a
 *  millisecond plus the disk's sync. Do not call from NNG callbacks.
 *
 *  Errors common to all: QK_E_IO (disk full, read or write failed), QK_E_CORRUPT (the file or a
 *  blob does not hold what was put), QK_E_NOMEM, QK_E_STATE (an argument out of its bounds).
 *  After QK_E_CORRUPT of the file itself every later call returns QK_E_CORRUPT: stop the daemon.
 *
 *  Listing callbacks run under the mutex: copy and return, call nothing of the vault inside.
 */
#ifndef NODE_VAULT_VAULT_H
#define NODE_VAULT_VAULT_H

#include "qk/bytes.h"
#include "seal/seal.h"

struct node_vault;

struct node_vault_options {
    const char *path;             /* the SQLite file; WAL stands beside it */
    const struct node_seal *seal; /* borrowed until node_vault_close */
    uint8_t cluster_id[16];
    uint16_t node_id;
    bool create;        /* make a new vault; QK_E_CONFLICT if the file exists. Without it a missing
                           file is QK_E_NOT_FOUND: a node never starts empty by accident (K13) */
    const char *vfs;    /* NULL: the system's; a test's faulty disk otherwise */
    uint64_t max_bytes; /* 0: no cap on the file */
};

/** Open, check and lock. why receives one line for people on every failure.
 *
 *  Returns  QK_E_NOT_FOUND  no such file (and not create)
 *           QK_E_CONFLICT   create, but the file exists
 *           QK_E_BUSY       another process has this vault open
 *           QK_E_DENIED     wrong node key, or the vault of another node, cluster or a newer schema
 *           QK_E_CORRUPT    integrity check failed, or a table is missing
 */
QK_MUST_USE qk_err node_vault_open(
    struct node_vault **out, const struct node_vault_options *options, char *why, size_t why_len);
/** Checkpoint, mark as closed cleanly, unlock. NULL is allowed. */
void node_vault_close(struct node_vault *vault);

/** Counts openings and changes of shares and epoch runs; only grows. A vault restored from a copy
 *  shows a smaller one than its peers remember. */
uint64_t node_vault_generation(struct node_vault *vault);
/** True iff the last process that had this vault open did not close it. */
bool node_vault_was_unclean(const struct node_vault *vault);

/* ---- counters: named, durable, never go down ---- */

enum { NODE_COUNTER_NAME_MAX = 64, NODE_NOTE_MAX = 16384 };

/** 0 for a name never used. */
QK_MUST_USE qk_err node_vault_counter_get(
    struct node_vault *vault, const char *name, uint64_t *value);
/** Add delta; *value is the new one. QK_E_TOO_LARGE above 2^63-1. */
QK_MUST_USE qk_err node_vault_counter_add(
    struct node_vault *vault, const char *name, uint64_t delta, uint64_t *value);
/** value := max(value, least). */
QK_MUST_USE qk_err node_vault_counter_raise(
    struct node_vault *vault, const char *name, uint64_t least);

/* ---- notes: named small blobs, sealed; for the daemon's own state (quarantine, fenced ids) ----
 */

/** Replaces. At most NODE_NOTE_MAX bytes. */
QK_MUST_USE qk_err node_vault_note_put(
    struct node_vault *vault, const char *name, struct qk_bytes value);
/** Append to out (a QK_BUF_SECRET). QK_E_NOT_FOUND. */
QK_MUST_USE qk_err node_vault_note_get(
    struct node_vault *vault, const char *name, struct qk_buf *out);
/** Deleting what is not there is QK_OK. */
QK_MUST_USE qk_err node_vault_note_delete(struct node_vault *vault, const char *name);

/* ---- strikes against peers (protocols/20 section 7) ---- */

enum { NODE_STRIKE_REASON_MAX = 64, NODE_STRIKE_KEEP_DAYS = 90 };

/** key_id NULL: not about one key. reason: a check id or a short word. Forgets strikes older than
 *  NODE_STRIKE_KEEP_DAYS. */
QK_MUST_USE qk_err node_vault_strike(struct node_vault *vault, uint16_t peer, const uint8_t *key_id,
    const char *reason, uint64_t now_ms);
/** Strikes against peer since since_ms; key_id NULL: for all keys. */
QK_MUST_USE qk_err node_vault_strikes(
    struct node_vault *vault, uint16_t peer, const uint8_t *key_id, uint64_t since_ms, uint64_t *n);

#endif
