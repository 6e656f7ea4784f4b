/* G1: garbles and sends. */
#include "mac/task.h"

struct mpc_mac_g1 {
    uint8_t run[32];
    struct mac_layout layout;
    uint8_t h[MPC_MAC_DIGEST_MAX];
    struct mac_garbler *garbler;
    uint64_t left; /* bytes of the stream not given yet */
    size_t la_off, la_len;
    uint8_t la[16 * MAC_STREAM_INPUTS_MAX];
};

static qk_err start(struct mpc_mac_g1 *g, const struct mac_run *run, const uint8_t *kappa)
{
    QK_SEC32(seed);
    memcpy(g->run, run->run, sizeof g->run);
    mac_layout_own(&g->layout, g->h, &run->layout);
    QK_TRY(mac_seed(seed.b, kappa, run->run));
    QK_TRY(mac_garbler_new(&g->garbler, &g->layout, seed.b, run->c));
    mac_garbler_labels_a(g->garbler, run->a, g->la);
    g->la_len = 16 * (size_t)g->layout.n_a;
    g->left = g->la_len + g->layout.m1_len;
    return QK_OK;
}

qk_err mac_g1_from(struct mpc_mac_g1 **out, const struct mac_run *run,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN])
{
    struct mpc_mac_g1 *g = OPENSSL_zalloc(sizeof *g);
    QK_ENSURE(g != NULL, QK_E_NOMEM);
    qk_err err = start(g, run, kappa_g1g2);
    if (err != QK_OK) {
        mpc_mac_g1_free(g);
        return err;
    }
    *out = g;
    return QK_OK;
}

qk_err mpc_mac_g1_new(struct mpc_mac_g1 **out, const struct mpc_mac_task *task,
    const uint8_t kappa_g1g2[static MPC_MAC_KAPPA_LEN])
{
    MAC_TASK_RUN(t);
    QK_TRY(mac_task_open(&t, task, task->roles.g1));
    return mac_g1_from(out, &t.run, kappa_g1g2);
}

void mpc_mac_g1_free(struct mpc_mac_g1 *g)
{
    if (g == NULL) return;
    mac_garbler_free(g->garbler);
    OPENSSL_clear_free(g, sizeof *g);
}

const uint8_t *mpc_mac_g1_run(const struct mpc_mac_g1 *g)
{
    return g->run;
}

qk_err mpc_mac_g1_chunk(struct mpc_mac_g1 *g, uint8_t out[static MPC_MAC_CHUNK], size_t *len)
{
    size_t want = g->left < MPC_MAC_CHUNK ? (size_t)g->left : MPC_MAC_CHUNK, n;
    size_t la = g->la_len - g->la_off < want ? g->la_len - g->la_off : want;
    memcpy(out, g->la + g->la_off, la);
    g->la_off += la;
    QK_TRY(mac_garbler_read(g->garbler, out + la, want - la, &n));
    QK_ENSURE(la + n == want, QK_E_STATE);
    g->left -= want;
    *len = want;
    return QK_OK;
}

qk_err mpc_mac_g1_take(struct mpc_mac_g1 *g, struct qk_buf *out)
{
    QK_ENSURE(g->left == 0 && !g->layout.decode, QK_E_STATE);
    uint8_t ot[2 * MAC_DIGEST * 8 * MPC_MAC_DIGEST_MAX];
    QK_TRY(mac_garbler_ot(g->garbler, ot));
    qk_buf_add(out, g->run, sizeof g->run);
    qk_buf_add(out, mac_garbler_kh(g->garbler), 16);
    qk_buf_add(out, ot, 2 * MAC_DIGEST * (size_t)g->layout.n_out);
    return out->err;
}

qk_err mac_g1_outputs(const struct mpc_mac_g1 *g, mac_wire *falses, mac_wire *delta)
{
    QK_ENSURE(g->left == 0, QK_E_STATE);
    return mac_garbler_outputs(g->garbler, falses, delta);
}
