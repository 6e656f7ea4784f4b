/** OT setups: where FRESH, PROVEN and POISONED live (protocols/20 section 7).
 *
 *  The rule that keeps shares secret: a check's failure takes effect under the setup's lock, and is
 *  on disk before anything visible happens.
 *
 *      node_setup_lock(vault, id);
 *      ok:      node_vault_setup_use(...)      then send round 2 of this session
 *      failed:  node_vault_setup_poison(...)   then drop the session
 *      node_setup_unlock(vault, id);
 *
 *  A poisoned setup's secret is wiped at once; its row stays, as the memory of what happened.
 */
#ifndef NODE_VAULT_SETUPS_H
#define NODE_VAULT_SETUPS_H

#include "vault/vault.h"

enum node_setup_status { /* stored: never renumber */
    NODE_SETUP_FRESH = 1,
    NODE_SETUP_PROVEN = 2,
    NODE_SETUP_POISONED = 3,
};

enum { NODE_SETUP_MAX = 64 * 1024 }; /* bytes of a serialised setup */

struct node_setup {
    uint8_t id[32];
    uint8_t root[32];   /* the root it was derived under; zeros: a direct one, or a root */
    uint8_t key_id[16]; /* zeros: a root */
    uint8_t record[32]; /* rec of the key's record; zeros for a root; bound into the seal */
    uint32_t epoch;     /* e_net; 0 for a root */
    uint16_t peer;
    uint8_t cls; /* enum mpc_ot_class */
    enum node_setup_status status;
    uint64_t created_ms;
    uint64_t changed_ms; /* of the last status change */
};

/** Store a new setup as FRESH (status and changed_ms of info are ignored), read back like a share.
 *  QK_E_CONFLICT: the id exists, in whatever status: an id never comes back to life. */
QK_MUST_USE qk_err node_vault_setup_put(
    struct node_vault *vault, const struct node_setup *info, struct qk_bytes secret);

/** The newest setup of (key_id or zeros, epoch, peer, cls) that is not POISONED. QK_E_NOT_FOUND. */
QK_MUST_USE qk_err node_vault_setup_find(struct node_vault *vault, const uint8_t key_id[static 16],
    uint32_t epoch, uint16_t peer, uint8_t cls, struct node_setup *out);
/** info (may be NULL) and the opened secret, appended to secret (a QK_BUF_SECRET; NULL: info
 *  only). QK_E_NOT_FOUND; QK_E_DENIED: POISONED and secret was asked for; QK_E_CORRUPT: altered or
 *  exchanged on disk (check E-3): class N, no protocol run, no strike. */
QK_MUST_USE qk_err node_vault_setup_load(struct node_vault *vault, const uint8_t id[static 32],
    struct node_setup *info, struct qk_buf *secret);

/** The check passed: FRESH becomes PROVEN. QK_OK also if it was PROVEN; QK_E_DENIED if POISONED:
 *  drop the session, send nothing; QK_E_NOT_FOUND. */
QK_MUST_USE qk_err node_vault_setup_use(
    struct node_vault *vault, const uint8_t id[static 32], uint64_t now_ms);
/** The check failed: POISONED and wiped, with everything derived under it, synced to disk before
 *  the return (check E-7). was (may be NULL) receives the status before. Idempotent.
 *  QK_E_NOT_FOUND. On QK_E_IO the setup is refused by this process from now on all the same. */
QK_MUST_USE qk_err node_vault_setup_poison(struct node_vault *vault, const uint8_t id[static 32],
    uint64_t now_ms, enum node_setup_status *was);
/** Remove a setup, row and all. Nothing there is QK_OK. */
QK_MUST_USE qk_err node_vault_setup_wipe(struct node_vault *vault, const uint8_t id[static 32]);
/** Remove every setup of a key's epoch that is not POISONED (or of all its epochs: epoch
 * 0xffffffff). */
QK_MUST_USE qk_err node_vault_setup_wipe_key(
    struct node_vault *vault, const uint8_t key_id[static 16], uint32_t epoch);

/** Setups of (key_id, peer) poisoned since since_ms, in epoch (0xffffffff: in any). For the rule
 *  "automatic new setup at most once per 24 h and twice per epoch". */
QK_MUST_USE qk_err node_vault_setup_poisoned(struct node_vault *vault,
    const uint8_t key_id[static 16], uint16_t peer, uint32_t epoch, uint64_t since_ms, uint64_t *n);
/** Every setup, oldest first, until each returns false. */
QK_MUST_USE qk_err node_vault_setup_list(
    struct node_vault *vault, bool (*each)(void *arg, const struct node_setup *info), void *arg);

/** The lock of section 7.1. Striped: two setups may share one, so a thread holds at most one at a
 *  time. Vault calls are allowed inside. */
void node_setup_lock(struct node_vault *vault, const uint8_t id[static 32]);
void node_setup_unlock(struct node_vault *vault, const uint8_t id[static 32]);

#endif
