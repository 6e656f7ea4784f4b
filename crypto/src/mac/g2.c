/* G2: garbles the same and vouches for it. */
#include "mac/task.h"

enum { SCRATCH = 65536 };

struct mpc_mac_g2 {
    uint8_t run[32];
    struct mac_layout layout;
    uint8_t h[MPC_MAC_DIGEST_MAX];
    struct mac_garbler *garbler;
    struct mac_gmac gmac;
    uint64_t left; /* bytes of M1 not garbled yet */
    bool done;
    uint8_t mac[MPC_MAC_GMAC_LEN];
    uint8_t lb[MPC_MAC_LABELS_MAX];
    uint8_t scratch[SCRATCH];
};

static qk_err start(struct mpc_mac_g2 *g, const struct mac_run *run, const uint8_t *kappa_g1g2,
    const uint8_t *kappa_g2e)
{
    QK_SEC32(seed);
    memcpy(g->run, run->run, sizeof g->run);
    mac_layout_own(&g->layout, g->h, &run->layout);
    QK_TRY(mac_seed(seed.b, kappa_g1g2, run->run));
    QK_TRY(mac_garbler_new(&g->garbler, &g->layout, seed.b, run->c));
    mac_garbler_labels_b(g->garbler, run->b, g->lb);
    g->left = g->layout.m1_len;
    return mac_gmac_init(&g->gmac, kappa_g2e, run->run, mac_garbler_kh(g->garbler));
}

qk_err mac_g2_from(struct mpc_mac_g2 **out, const struct mac_run *run,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN],
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN])
{
    struct mpc_mac_g2 *g = OPENSSL_zalloc(sizeof *g);
    QK_ENSURE(g != NULL, QK_E_NOMEM);
    qk_err err = start(g, run, kappa_g1g2, kappa_g2e);
    if (err != QK_OK) {
        mpc_mac_g2_free(g);
        return err;
    }
    *out = g;
    return QK_OK;
}

qk_err mpc_mac_g2_new(struct mpc_mac_g2 **out, const struct mpc_mac_task *task,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN],
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN])
{
    MAC_TASK_RUN(t);
    QK_TRY(mac_task_open(&t, task, task->roles.g2));
    return mac_g2_from(out, &t.run, kappa_g1g2, kappa_g2e);
}

void mpc_mac_g2_free(struct mpc_mac_g2 *g)
{
    if (g == NULL) return;
    mac_garbler_free(g->garbler);
    mac_gmac_clear(&g->gmac);
    OPENSSL_clear_free(g, sizeof *g);
}

const uint8_t *mpc_mac_g2_run(const struct mpc_mac_g2 *g)
{
    return g->run;
}

qk_err mpc_mac_g2_labels(struct mpc_mac_g2 *g, struct qk_buf *out)
{
    qk_buf_add(out, g->lb, 16 * (size_t)g->layout.n_b);
    return out->err;
}

static qk_err work_some(struct mpc_mac_g2 *g)
{
    size_t n;
    QK_TRY(mac_garbler_read(g->garbler, g->scratch, SCRATCH, &n));
    g->left -= n;
    return mac_gmac_add(&g->gmac, qk_bytes(g->scratch, n));
}

qk_err mpc_mac_g2_work(struct mpc_mac_g2 *g, bool *done)
{
    for (size_t i = 0; i < MPC_MAC_CHUNK / SCRATCH && g->left > 0; i++) QK_TRY(work_some(g));
    if (g->left == 0 && !g->done) {
        QK_TRY(mac_gmac_end(&g->gmac, g->mac));
        g->done = true;
    }
    *done = g->done;
    return QK_OK;
}

qk_err mpc_mac_g2_gmac(const struct mpc_mac_g2 *g, uint8_t out[static 16])
{
    QK_ENSURE(g->done, QK_E_STATE);
    memcpy(out, g->mac, sizeof g->mac);
    return QK_OK;
}

qk_err mpc_mac_g2_take(struct mpc_mac_g2 *g, struct qk_buf *out)
{
    QK_ENSURE(g->done && !g->layout.decode, QK_E_STATE);
    uint8_t g1[MPC_MAC_G1_MAX], digest[32];
    memcpy(g1, g->run, 32);
    memcpy(g1 + 32, mac_garbler_kh(g->garbler), 16);
    QK_TRY(mac_garbler_ot(g->garbler, g1 + 48));
    size_t len = 48 + 2 * MAC_DIGEST * (size_t)g->layout.n_out;
    QK_TRY(mac_out_digest(digest, qk_bytes(g1, len)));
    qk_buf_add(out, digest, sizeof digest);
    return out->err;
}

qk_err mac_g2_outputs(const struct mpc_mac_g2 *g, mac_wire *falses, mac_wire *delta)
{
    QK_ENSURE(g->done, QK_E_STATE);
    return mac_garbler_outputs(g->garbler, falses, delta);
}
