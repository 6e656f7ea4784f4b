/* E: evaluates what two garblers vouch for, and says nothing before it has checked everything. */
#include "mac/task.h"

struct mpc_mac_e {
    uint8_t run[32];
    struct mpc_mac_roles roles;
    struct mac_layout layout;
    uint8_t h[MPC_MAC_DIGEST_MAX];
    struct qk_sec32 kappa;
    struct mac_evaluator *evaluator;
    struct mac_gmac gmac;
    uint32_t next; /* chunk */
    uint64_t left; /* bytes of the stream still to come */
    bool have_labels, have_gmac, done, failed;
    uint8_t theirs[MPC_MAC_GMAC_LEN];
    struct mpc_mac_suspects why;
};

static qk_err start(struct mpc_mac_e *e, const struct mac_run *run, const uint8_t *kappa)
{
    memcpy(e->run, run->run, sizeof e->run);
    memcpy(e->kappa.b, kappa, sizeof e->kappa.b);
    e->roles = run->roles;
    mac_layout_own(&e->layout, e->h, &run->layout);
    e->left = 16 * (uint64_t)e->layout.n_a + e->layout.m1_len;
    return mac_evaluator_new(&e->evaluator, &e->layout, run->a, run->b);
}

qk_err mac_e_from(struct mpc_mac_e **out, const struct mac_run *run,
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN])
{
    struct mpc_mac_e *e = OPENSSL_zalloc(sizeof *e);
    QK_ENSURE(e != NULL, QK_E_NOMEM);
    qk_err err = start(e, run, kappa_g2e);
    if (err != QK_OK) {
        mpc_mac_e_free(e);
        return err;
    }
    *out = e;
    return QK_OK;
}

qk_err mpc_mac_e_new(struct mpc_mac_e **out, const struct mpc_mac_task *task,
    const uint8_t kappa_g2e[static MPC_MAC_KAPPA_LEN])
{
    MAC_TASK_RUN(t);
    QK_TRY(mac_task_open(&t, task, task->roles.e));
    return mac_e_from(out, &t.run, kappa_g2e);
}

/* Labels, tables and outputs go at once; what is left says why. */
static void drop(struct mpc_mac_e *e)
{
    mac_evaluator_free(e->evaluator);
    e->evaluator = NULL;
    mac_gmac_clear(&e->gmac);
    qk_sec32_wipe(&e->kappa);
}

void mpc_mac_e_free(struct mpc_mac_e *e)
{
    if (e == NULL) return;
    drop(e);
    OPENSSL_clear_free(e, sizeof *e);
}

const uint8_t *mpc_mac_e_run(const struct mpc_mac_e *e)
{
    return e->run;
}

/* ---- failing ---- */

static void suspect(struct mpc_mac_e *e, uint16_t node, const char *check)
{
    e->why.node[e->why.n++] = node;
    e->why.check = check;
}

/* The run is over; from is whose message it was, 0 if nobody's. */
static qk_err fail(struct mpc_mac_e *e, qk_err err, uint16_t from)
{
    e->failed = true;
    if (qk_peer_fault(err) && from != 0) suspect(e, from, "M-4");
    drop(e);
    return err;
}

/* ---- everything is there: checks M-4 and M-5 ---- */

static qk_err check_gmac(struct mpc_mac_e *e)
{
    uint8_t mine[MPC_MAC_GMAC_LEN];
    QK_TRY(mac_gmac_end(&e->gmac, mine));
    if (CRYPTO_memcmp(mine, e->theirs, sizeof mine) == 0) return QK_OK;
    suspect(e, e->roles.g1, "M-4");
    suspect(e, e->roles.g2, "M-4");
    return QK_E_PROOF;
}

static qk_err check_labels(struct mpc_mac_e *e)
{
    bool bad_a, bad_b;
    qk_err err = mac_evaluator_check(e->evaluator, &bad_a, &bad_b);
    if (err != QK_E_PROOF) return err;
    if (bad_a) suspect(e, e->roles.g1, "M-5");
    if (bad_b) suspect(e, e->roles.g2, "M-5");
    return err;
}

static qk_err settle(struct mpc_mac_e *e)
{
    if (e->left > 0 || !e->have_labels || !e->have_gmac) return QK_OK;
    qk_err err = check_gmac(e);
    if (err == QK_OK) err = check_labels(e);
    if (err != QK_OK) return fail(e, err, 0);
    e->done = true;
    return QK_OK;
}

/* ---- messages ---- */

/* LA is in front, whole: it is shorter than a chunk. */
static qk_err take_stream(struct mpc_mac_e *e, struct qk_bytes in)
{
    if (e->next == 0) {
        size_t la = 16 * (size_t)e->layout.n_a;
        QK_TRY(mac_evaluator_labels_a(e->evaluator, qk_bytes(in.p, la)));
        in = qk_bytes(in.p + la, in.len - la);
        QK_TRY(mac_gmac_init(&e->gmac, e->kappa.b, e->run, in.p)); /* M1 begins with kh */
    }
    QK_TRY(mac_gmac_add(&e->gmac, in));
    return mac_evaluator_write(e->evaluator, in);
}

qk_err mpc_mac_e_chunk(struct mpc_mac_e *e, uint32_t number, struct qk_bytes bytes)
{
    size_t want = e->left < MPC_MAC_CHUNK ? (size_t)e->left : MPC_MAC_CHUNK;
    QK_ENSURE(!e->failed && !e->done, QK_E_STATE);
    if (number != e->next || want == 0) return fail(e, QK_E_UNEXPECTED, e->roles.g1);
    if (bytes.len != want) return fail(e, QK_E_MALFORMED, e->roles.g1);
    QK_ENSURE(e->have_labels || number < MPC_MAC_HOLD_CHUNKS, QK_E_EARLY);
    qk_err err = take_stream(e, bytes);
    if (err != QK_OK) return fail(e, err, 0);
    e->next++;
    e->left -= want;
    return settle(e);
}

qk_err mpc_mac_e_labels(struct mpc_mac_e *e, struct qk_bytes lb)
{
    QK_ENSURE(!e->failed && !e->done, QK_E_STATE);
    qk_err err = mac_evaluator_labels_b(e->evaluator, lb);
    if (err != QK_OK) return fail(e, err, e->roles.g2);
    e->have_labels = true;
    return settle(e);
}

qk_err mpc_mac_e_gmac(struct mpc_mac_e *e, struct qk_bytes gmac)
{
    QK_ENSURE(!e->failed && !e->done, QK_E_STATE);
    if (e->have_gmac) return fail(e, QK_E_UNEXPECTED, e->roles.g2);
    if (gmac.len != sizeof e->theirs) return fail(e, QK_E_MALFORMED, e->roles.g2);
    memcpy(e->theirs, gmac.p, sizeof e->theirs);
    e->have_gmac = true;
    return settle(e);
}

/* ---- results ---- */

bool mpc_mac_e_done(const struct mpc_mac_e *e)
{
    return e->done;
}

qk_err mpc_mac_e_take(struct mpc_mac_e *e, struct qk_buf *out)
{
    QK_ENSURE(e->done && !e->layout.decode, QK_E_STATE);
    mac_wire y[8 * MPC_MAC_DIGEST_MAX];
    QK_TRY(mac_evaluator_outputs(e->evaluator, y, NULL));
    qk_buf_add(out, y, 16 * (size_t)e->layout.n_out);
    qk_wipe(y, sizeof y);
    return out->err;
}

struct mpc_mac_suspects mpc_mac_e_suspects(const struct mpc_mac_e *e)
{
    return e->why;
}

qk_err mac_e_outputs(const struct mpc_mac_e *e, mac_wire *active, uint8_t *bits)
{
    QK_ENSURE(e->done && e->layout.decode, QK_E_STATE);
    return mac_evaluator_outputs(e->evaluator, active, bits);
}
