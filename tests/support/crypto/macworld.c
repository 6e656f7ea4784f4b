#include "macworld.h"

#include <stdio.h>
#include <stdlib.h>
#include "mpc/group.h"
#include "mpc/sym_record.h"
#include "qktest/qktest.h"
#include "session/engine.h"

size_t qkt_mac_index(const struct qkt_mac *w, uint16_t id)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->ids[i] == id) return i;
    cr_assert_fail("no node %u", id);
    return 0;
}

/* ---- the world ---- */

static qk_err kappa_of(void *ctx, uint16_t peer, uint8_t out[static MPC_MAC_KAPPA_LEN])
{
    const struct qkt_mac_link *l = ctx;
    memcpy(out, l->w->kappa[l->self][qkt_mac_index(l->w, peer)], MPC_MAC_KAPPA_LEN);
    return QK_OK;
}

static void make_links(struct qkt_mac *w)
{
    for (size_t i = 0; i < w->n; i++) {
        w->link[i] = (struct qkt_mac_link){.w = w, .self = i};
        w->links[i] = (struct mpc_mac_links){.ctx = &w->link[i], .kappa = kappa_of};
        for (size_t j = 0; j < i; j++) {
            qk_assert_ok(qk_rng_fill(&w->dice.rng, w->kappa[i][j], MPC_MAC_KAPPA_LEN));
            memcpy(w->kappa[j][i], w->kappa[i][j], MPC_MAC_KAPPA_LEN);
        }
    }
}

struct qkt_mac *qkt_mac_new(
    uint64_t seed, const uint16_t *ids, size_t n, const struct mpc_mac_spec *spec)
{
    struct qkt_mac *w = calloc(1, sizeof *w);
    cr_assert(w != NULL && n <= QKT_MAC_NODES);
    w->seed = seed;
    w->n = n;
    w->spec = *spec;
    memcpy(w->ids, ids, n * sizeof *ids);
    qkt_rng_init(&w->dice, seed, 0x3ac);
    make_links(w);
    qkt_session(&w->session, seed, MPC_P256, ids, n, 2, 0);
    w->session.e_net = w->session.e_del = 0;
    qk_assert_ok(mpc_sym_version_id(w->session.key_id, spec->key_id, spec->ver));
    return w;
}

static void free_gens(struct qkt_mac *w)
{
    for (size_t i = 0; i < w->n; i++) {
        mpc_mac_gen_free(w->gen[i]);
        w->gen[i] = NULL;
    }
}

void qkt_mac_free(struct qkt_mac *w)
{
    free_gens(w);
    qk_wipe(w, sizeof *w);
    free(w);
}

/* ---- runs: the frames of three objects ---- */

struct ends {
    const char *what;
    unsigned run;
    struct mpc_mac_roles roles;
    struct mpc_mac_g1 *g1;
    struct mpc_mac_g2 *g2;
    struct mpc_mac_e *e;
    bool out;
    struct qk_buf out1, out2; /* for the combiner */
};

static void pass(struct qkt_mac *w, const struct ends *x, struct qkt_mac_frame *f)
{
    f->what = x->what;
    f->run = x->run;
    f->to = x->roles.e;
    if (w->bend && f->from == w->cheater) w->bend(w, f);
    if (w->tap) w->tap(w, x->what ? x->what : "mac", f->from, f->to, qk_buf_view(&f->data));
}

static qk_err send_labels(struct qkt_mac *w, struct ends *x)
{
    struct qkt_mac_frame f = {
        .from = x->roles.g2, .kind = QKT_MAC_LABELS, .data = QK_BUF_SECRET(MPC_MAC_LABELS_MAX)};
    qk_assert_ok(mpc_mac_g2_labels(x->g2, &f.data));
    pass(w, x, &f);
    qk_err err = mpc_mac_e_labels(x->e, qk_buf_view(&f.data));
    qk_buf_free(&f.data);
    return err;
}

static qk_err send_chunks(struct qkt_mac *w, struct ends *x)
{
    static uint8_t chunk[MPC_MAC_CHUNK];
    size_t len;
    for (uint32_t number = 0;; number++) {
        qk_assert_ok(mpc_mac_g1_chunk(x->g1, chunk, &len));
        if (len == 0) return QK_OK;
        struct qkt_mac_frame f = {.from = x->roles.g1,
            .kind = QKT_MAC_CHUNK,
            .number = number,
            .data = QK_BUF_SECRET(MPC_MAC_CHUNK)};
        qk_buf_add(&f.data, chunk, len);
        pass(w, x, &f);
        qk_err err = mpc_mac_e_chunk(x->e, f.number, qk_buf_view(&f.data));
        qk_buf_free(&f.data);
        QK_TRY(err);
    }
}

static qk_err send_gmac(struct qkt_mac *w, struct ends *x)
{
    uint8_t gmac[MPC_MAC_GMAC_LEN];
    bool done = false;
    while (!done) qk_assert_ok(mpc_mac_g2_work(x->g2, &done));
    qk_assert_ok(mpc_mac_g2_gmac(x->g2, gmac));
    struct qkt_mac_frame f = {
        .from = x->roles.g2, .kind = QKT_MAC_GMAC, .data = QK_BUF(MPC_MAC_GMAC_LEN)};
    qk_buf_add(&f.data, gmac, sizeof gmac);
    pass(w, x, &f);
    qk_err err = mpc_mac_e_gmac(x->e, qk_buf_view(&f.data));
    qk_buf_free(&f.data);
    return err;
}

static void send_outs(struct qkt_mac *w, struct ends *x)
{
    struct qkt_mac_frame f1 = {
        .from = x->roles.g1, .kind = QKT_MAC_OUT, .data = QK_BUF(MPC_MAC_G1_MAX)};
    struct qkt_mac_frame f2 = {
        .from = x->roles.g2, .kind = QKT_MAC_OUT, .data = QK_BUF(MPC_MAC_G1_MAX)};
    qk_assert_ok(mpc_mac_g1_take(x->g1, &f1.data));
    qk_assert_ok(mpc_mac_g2_take(x->g2, &f2.data));
    pass(w, x, &f1);
    pass(w, x, &f2);
    x->out1 = f1.data;
    x->out2 = f2.data;
}

static qk_err carry(struct qkt_mac *w, struct ends *x)
{
    qk_err err = send_labels(w, x);
    if (err == QK_OK) err = send_chunks(w, x);
    if (err == QK_OK) err = send_gmac(w, x);
    if (err == QK_OK && !mpc_mac_e_done(x->e)) err = QK_E_TIMEOUT;
    if (err != QK_OK) w->why = mpc_mac_e_suspects(x->e);
    if (err == QK_OK && x->out) send_outs(w, x);
    return err;
}

/* ---- sessions ---- */

struct hooking {
    struct qkt_mac *w;
    const char *what;
};

static void tap_frame(const struct qkt_frame *frame, void *ctx)
{
    struct hooking *h = ctx;
    if (h->w->tap) h->w->tap(h->w, h->what, frame->from, frame->to, qk_buf_view(&frame->data));
}

static qk_err run_session(struct qkt_mac *w, const struct mpc_mac_gen_step *steps)
{
    struct qkt_net *net = qkt_net_new(w->seed);
    struct hooking h = {.w = w, .what = steps[0].what};
    qk_err err = QK_OK;
    for (size_t i = 0; i < w->n; i++) qkt_add(net, w->ids[i], steps[i].party);
    net->cheater = w->cheater;
    net->mute_aborts = w->cheater != 0;
    if (w->hook && w->hook_step && strcmp(w->hook_step, steps[0].what) == 0) net->hook = w->hook;
    net->hook_ctx = w;
    net->tap = tap_frame;
    net->tap_ctx = &h;
    qkt_run(net);
    if (w->cheater != 0) qkt_expire(net);
    for (size_t i = 0; i < w->n; i++) {
        w->blame[i] = mpc_party_blame(steps[i].party);
        bool honest = w->ids[i] != w->cheater;
        if (honest && mpc_party_state(steps[i].party) != MPC_DONE) err = QK_E_MISMATCH;
        net->p[i].party = NULL; /* gen's */
    }
    qkt_net_free(net);
    return err;
}

/* ---- steps ---- */

static qk_err run_step(struct qkt_mac *w, const struct mpc_mac_gen_step *steps, unsigned run)
{
    struct ends x = {
        .what = steps[0].what, .run = run, .roles = steps[0].roles, .out = steps[0].test};
    size_t e = qkt_mac_index(w, x.roles.e);
    for (size_t i = 0; i < w->n; i++) {
        cr_assert_eq(memcmp(&steps[i].roles, &x.roles, sizeof x.roles), 0, "roles differ");
        if (steps[i].g1) x.g1 = steps[i].g1;
        if (steps[i].g2) x.g2 = steps[i].g2;
        if (steps[i].e) x.e = steps[i].e;
    }
    cr_assert(x.g1 && x.g2 && x.e, "a role of %s is missing", x.what);
    qk_err err = carry(w, &x);
    if (err == QK_OK && x.out)
        err = mpc_mac_gen_tested(w->gen[e], qk_buf_view(&x.out1), qk_buf_view(&x.out2), &w->why);
    qk_buf_free(&x.out1);
    qk_buf_free(&x.out2);
    return err;
}

static qk_err next_all(struct qkt_mac *w, struct mpc_mac_gen_step *steps)
{
    qk_err err = QK_OK;
    for (size_t i = 0; i < w->n; i++) {
        qk_err e = mpc_mac_gen_next(w->gen[i], &steps[i]);
        if (e != QK_OK) err = e;
    }
    for (size_t i = 0; err == QK_OK && i < w->n; i++) cr_assert_eq(steps[i].kind, steps[0].kind);
    for (size_t i = 0; err == QK_OK && w->meddle && i < w->n; i++) w->meddle(w, &steps[i], i);
    return err;
}

static qk_err fail(struct qkt_mac *w, const char *what, qk_err err)
{
    (void)snprintf(w->failed, sizeof w->failed, "%s", what ? what : "start");
    w->err = err;
    return err;
}

static qk_err run_all(struct qkt_mac *w)
{
    struct mpc_mac_gen_step steps[QKT_MAC_NODES] = {{0}};
    const char *what = "start", *before = "";
    unsigned run = 0;
    for (;;) {
        qk_err err = next_all(w, steps);
        if (err != QK_OK) return fail(w, what, err);
        if (steps[0].kind == MPC_MAC_GEN_END) return QK_OK;
        what = steps[0].what;
        run = strcmp(what, before) == 0 ? run + 1 : 0;
        before = what;
        err =
            steps[0].kind == MPC_MAC_GEN_SESSION ? run_session(w, steps) : run_step(w, steps, run);
        if (err != QK_OK) return fail(w, what, err);
    }
}

static qk_err take_all(struct qkt_mac *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct mpc_mac_record rec;
        uint8_t a[32], b[32];
        qk_err err = mpc_mac_gen_take(w->gen[i], &w->share[i], &rec);
        if (err != QK_OK) return fail(w, "take", err);
        if (i == 0) w->record = rec;
        qk_assert_ok(mpc_mac_record_hash(&rec, a));
        qk_assert_ok(mpc_mac_record_hash(&w->record, b));
        cr_assert_eq(
            memcmp(a, b, 32), 0, "records differ (seed %llu)", (unsigned long long)w->seed);
        qk_assert_ok(mpc_mac_share_check(&w->share[i], &rec));
        qk_assert_err(mpc_mac_gen_take(w->gen[i], &w->share[i], &rec), QK_E_STATE);
    }
    return QK_OK;
}

static bool finish(struct qkt_mac *w)
{
    w->ok = run_all(w) == QK_OK && take_all(w) == QK_OK;
    free_gens(w);
    return w->ok;
}

bool qkt_mac_make(struct qkt_mac *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct mpc_session s = w->session;
        s.self = w->ids[i];
        qkt_rng_init(&w->rng[i], w->seed, i);
        qk_assert_ok(mpc_mac_gen_start(&w->gen[i], &s, &w->spec, &w->links[i], &w->rng[i].rng));
    }
    return finish(w);
}

bool qkt_mac_import(
    struct qkt_mac *w, const struct mpc_mac_part *parts, const struct mpc_mac_record *old)
{
    for (size_t i = 0; i < w->n; i++) {
        struct mpc_session s = w->session;
        s.self = w->ids[i];
        if (old != NULL) {
            s.e_net = old->e_net;
            qk_assert_ok(mpc_mac_record_hash(old, s.rec));
        }
        qkt_rng_init(&w->rng[i], w->seed, 100 + i);
        qk_err err = mpc_mac_import_start(
            &w->gen[i], &s, &w->spec, old, &parts[i], &w->links[i], &w->rng[i].rng);
        if (err != QK_OK) {
            free_gens(w);
            return fail(w, "start", err) == QK_OK;
        }
    }
    return finish(w);
}

/* ---- use ---- */

static qk_err make_ends(struct qkt_mac *w, struct ends *x, struct mpc_mac_task *task)
{
    size_t g1 = qkt_mac_index(w, x->roles.g1), g2 = qkt_mac_index(w, x->roles.g2),
           e = qkt_mac_index(w, x->roles.e);
    task->share = &w->share[g1];
    QK_TRY(mpc_mac_g1_new(&x->g1, task, w->kappa[g1][g2]));
    task->share = &w->share[g2];
    QK_TRY(mpc_mac_g2_new(&x->g2, task, w->kappa[g2][g1], w->kappa[g2][e]));
    task->share = &w->share[e];
    return mpc_mac_e_new(&x->e, task, w->kappa[e][g2]);
}

static qk_err combine(struct qkt_mac *w, struct ends *x, uint8_t *tag)
{
    QK_AUTO_BUF y = QK_BUF_SECRET(MPC_MAC_Y_MAX);
    qk_assert_ok(mpc_mac_e_take(x->e, &y));
    return mpc_mac_combine(tag, w->record.alg, &x->roles, qk_buf_view(&x->out1),
        qk_buf_view(&x->out2), qk_buf_view(&y), &w->why);
}

qk_err qkt_mac_tag(struct qkt_mac *w, const struct mpc_mac_roles *roles, struct qk_bytes message,
    uint8_t tag[static MPC_MAC_DIGEST_MAX])
{
    struct ends x = {.roles = *roles, .out = true};
    struct mpc_mac_task task = {.rec = &w->record, .roles = *roles, .message = message};
    qk_assert_ok(qk_rng_fill(&w->dice.rng, task.mid, sizeof task.mid));
    qk_err err = make_ends(w, &x, &task);
    if (err == QK_OK) err = carry(w, &x);
    if (err == QK_OK) err = combine(w, &x, tag);
    mpc_mac_g1_free(x.g1);
    mpc_mac_g2_free(x.g2);
    mpc_mac_e_free(x.e);
    qk_buf_free(&x.out1);
    qk_buf_free(&x.out2);
    return err;
}

void qkt_mac_secret(const struct qkt_mac *w, uint8_t out[static MPC_MAC_SECRET_MAX])
{
    memset(out, 0, MPC_MAC_SECRET_MAX);
    for (size_t j = 0; j < w->n; j++) {
        const uint8_t *piece = w->share[j == 0 ? 1 : 0].piece[j];
        for (size_t i = 0; i < w->n; i++)
            if (i != j)
                cr_assert_eq(memcmp(w->share[i].piece[j], piece, MPC_MAC_SECRET_MAX), 0,
                    "piece %zu differs", j);
        for (size_t b = 0; b < MPC_MAC_SECRET_MAX; b++) out[b] ^= piece[b];
    }
}
