/** From a task to a run: the statement, its hash, the circuit, the inputs of one role. */
#ifndef MPC_MAC_TASK_H
#define MPC_MAC_TASK_H

#include "mac/run.h"

/** A run and the h that its layout points to. Secret. */
struct mac_task_run {
    struct mac_run run;
    uint8_t h[MPC_MAC_DIGEST_MAX];
};
void mac_task_run_wipe(struct mac_task_run *t);
#define MAC_TASK_RUN(name) __attribute__((cleanup(mac_task_run_wipe))) struct mac_task_run name

/** Check M-9 and shapes, then everything a role starts from. me: which node of the roles this must
 *  be, or 0 for any of them. QK_E_STATE, 5xx. Points into itself: do not copy. */
QK_MUST_USE qk_err mac_task_open(
    struct mac_task_run *out, const struct mpc_mac_task *task, uint16_t me);

/* ---- what the roles have in common ---- */

/** seed = H32("mac3-seed"; kappa, run). */
QK_MUST_USE qk_err mac_seed(
    uint8_t out[static 32], const uint8_t kappa[static 32], const uint8_t run[static 32]);
/** H32("mac3-out"; run, kh, OT), from run || kh || OT. */
QK_MUST_USE qk_err mac_out_digest(uint8_t out[static 32], struct qk_bytes g1);

/** A layout whose job owns its h: copies job.pub of MAC_OUTER to keep. */
void mac_layout_own(
    struct mac_layout *out, uint8_t keep[static MPC_MAC_DIGEST_MAX], const struct mac_layout *in);

/** GMAC of a stream: AES-256-GCM, zero IV, everything is associated data. */
struct mac_gmac {
    void *ctx;
};
/** Key H32("mac3-gmac"; kappa, run, kh). */
QK_MUST_USE qk_err mac_gmac_init(struct mac_gmac *m, const uint8_t kappa[static 32],
    const uint8_t run[static 32], const uint8_t kh[static 16]);
QK_MUST_USE qk_err mac_gmac_add(struct mac_gmac *m, struct qk_bytes part);
QK_MUST_USE qk_err mac_gmac_end(struct mac_gmac *m, uint8_t out[static MPC_MAC_GMAC_LEN]);
void mac_gmac_clear(struct mac_gmac *m);

#endif
