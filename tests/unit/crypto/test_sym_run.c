/* Symmetric keys from generation to Decrypt: nodes that lie, are down, or are asked twice. */
#include <stdlib.h>
#include "dkgrun.h"
#include "mpc/sym_combine.h"
#include "mpc/sym_gen.h"
#include "mpc/sym_node.h"
#include "qktest/qktest.h"
#include "sym/run.h"

enum { N_MAX = 5 };

struct world {
    unsigned n, t;
    struct mpc_sym_record rec;
    struct mpc_sym_share share[N_MAX];
    struct mpc_sym_version *version;
    struct mpc_sym_key *key[N_MAX];
    struct mpc_sym_window *window[N_MAX];
    uint64_t ctr[N_MAX];
    uint16_t ids[N_MAX];
    bool down[N_MAX];
    struct qkt_rng rng;
    /* The liar bends its OK answers. */
    uint16_t liar;
    size_t bend_at;
    bool cut;
    unsigned n_evaluated;
};

static void make_keys(struct world *w, uint8_t modes, uint64_t seed)
{
    struct qkt_rng rngs[2 * N_MAX];
    struct mpc_session s;
    struct mpc_key_record v[N_MAX];
    struct mpc_key_share vs[N_MAX];
    struct mpc_sym_spec spec = {.key_id = {7}, .ver = 1, .modes = modes};
    qkt_session(&s, seed, MPC_P256, w->ids, w->n, w->t, 0);
    s.e_net = s.e_del = 0;
    qk_assert_ok(mpc_sym_version_id(s.key_id, spec.key_id, spec.ver));
    if (modes & MPC_SYM_V) {
        struct qkt_net *net = qkt_net_new(seed);
        for (unsigned i = 0; i < w->n; i++) {
            struct mpc_party *p;
            s.self = w->ids[i];
            qkt_rng_init(&rngs[i], seed, i);
            qk_assert_ok(mpc_dkg_start_role(&p, &s, "sym-v", &rngs[i].rng));
            qkt_add(net, s.self, p);
        }
        qkt_run(net);
        for (unsigned i = 0; i < w->n; i++)
            qk_assert_ok(mpc_dkg_take(qkt_party(net, w->ids[i])->party, &vs[i], &v[i]));
        qkt_net_free(net);
        qk_assert_ok(mpc_record_hash(&v[0], s.rec));
        spec.v = &v[0];
    }
    if (!(modes & MPC_SYM_F)) {
        for (unsigned i = 0; i < w->n; i++)
            qk_assert_ok(mpc_sym_from_dkg(&spec, &vs[i], &w->share[i], &w->rec));
        return;
    }
    struct qkt_net *net = qkt_net_new(seed + 1);
    for (unsigned i = 0; i < w->n; i++) {
        struct mpc_party *p;
        s.self = w->ids[i];
        qkt_rng_init(&rngs[N_MAX + i], seed, 100 + i);
        qk_assert_ok(mpc_cnfgen_start(&p, &s, &spec, &rngs[N_MAX + i].rng));
        qkt_add(net, s.self, p);
    }
    qkt_run(net);
    for (unsigned i = 0; i < w->n; i++) {
        qkt_expect_done(net, w->ids[i]);
        qk_assert_ok(mpc_cnfgen_take(qkt_party(net, w->ids[i])->party,
            modes & MPC_SYM_V ? &vs[i] : NULL, &w->share[i], &w->rec));
    }
    qkt_net_free(net);
}

static struct world *world_new(unsigned n, unsigned t, uint8_t modes)
{
    struct world *w = calloc(1, sizeof *w);
    w->n = n;
    w->t = t;
    for (unsigned i = 0; i < n; i++) w->ids[i] = (uint16_t)(2 * i + 1);
    qkt_rng_init(&w->rng, 5, 5);
    make_keys(w, modes, 1000 + 10 * n + t + 100 * modes);
    qk_assert_ok(mpc_sym_version_new(&w->version, &w->rec));
    for (unsigned i = 0; i < n; i++) {
        qk_assert_ok(mpc_sym_key_new(&w->key[i], &w->rec, &w->share[i], 0));
        qk_assert_ok(mpc_sym_window_new(&w->window[i], &w->rng.rng));
    }
    return w;
}

static void world_free(struct world *w)
{
    mpc_sym_version_free(w->version);
    for (unsigned i = 0; i < w->n; i++) {
        mpc_sym_key_free(w->key[i]);
        mpc_sym_window_free(w->window[i]);
    }
    free(w);
}

static unsigned index_of(const struct world *w, uint16_t id)
{
    unsigned i = 0;
    while (w->ids[i] != id) i++;
    return i;
}

static qk_err ticket(void *ctx, uint16_t node, struct mpc_sym_ticket *out)
{
    struct world *w = ctx;
    unsigned i = index_of(w, node);
    *out = (struct mpc_sym_ticket){.node = node, .ctr = ++w->ctr[i]};
    mpc_sym_window_chan(w->window[i], out->chan);
    return QK_OK;
}

/* Node i's answer to one item, as its own frame. */
static uint8_t answer(struct world *w, unsigned i, uint8_t op, bool prove,
    const struct mpc_sym_item *item, struct qk_buf *out)
{
    struct mpc_sym_work work = {.item = item, .key = w->key[i]};
    qk_assert_ok(
        mpc_sym_eval((enum mpc_sym_op)op, prove, w->window[i], &work, 1, &w->rng.rng, out));
    if (work.status == MPC_SYM_OK) w->n_evaluated++;
    if (work.status != MPC_SYM_OK) qk_buf_clear(out);
    return work.status;
}

static void drive(struct world *w, struct mpc_sym_run *run)
{
    struct mpc_sym_ask ask;
    while (mpc_sym_run_state(run) == MPC_SYM_RUNNING) {
        if (!mpc_sym_run_next(run, &ask)) {
            qk_assert_ok(mpc_sym_run_expire(run));
            continue;
        }
        unsigned i = index_of(w, ask.to);
        if (w->down[i]) continue;
        QK_AUTO_BUF out = QK_BUF_SECRET(1 << 16);
        struct mpc_sym_reply reply = {.from = ask.to, .attempt = ask.attempt};
        reply.status = answer(w, i, ask.op, ask.prove, ask.item, &out);
        if (ask.to == w->liar && out.len > 0) {
            out.p[w->bend_at % out.len] ^= 1;
            if (w->cut) out.len--;
        }
        reply.answer = qk_buf_view(&out);
        qk_assert_ok(mpc_sym_run_receive(run, &reply));
    }
}

static const uint8_t no_ec[2] = {0, 0};
static const uint8_t secret[32] = "plaintext of thirty-two bytes!!";

static enum mpc_sym_state encrypt(
    struct world *w, struct qk_buf *blob, uint8_t *mode, struct mpc_sym_suspect *who, size_t *n_who)
{
    struct mpc_sym_run *run;
    struct mpc_sym_enc_params p = {.version = w->version,
        .ec = QK_BYTES(no_ec),
        .plain = QK_BYTES(secret),
        .nodes = w->ids,
        .n_nodes = w->n,
        .ticket = ticket,
        .ctx = w,
        .rng = &w->rng.rng};
    qk_assert_ok(mpc_sym_enc_start(&run, &p));
    drive(w, run);
    enum mpc_sym_state state = mpc_sym_run_state(run);
    if (state == MPC_SYM_DONE)
        qk_assert_ok(mpc_sym_enc_take(run, blob));
    else
        qk_assert_err(mpc_sym_enc_take(run, blob), QK_E_STATE);
    if (mode) *mode = mpc_sym_run_mode(run);
    if (who) *n_who = mpc_sym_run_suspects(run, who);
    mpc_sym_run_free(run);
    return state;
}

static enum mpc_sym_state decrypt(struct world *w, struct qk_bytes blob, struct qk_bytes ec,
    const uint16_t *nodes, size_t n, struct mpc_sym_suspect *who, size_t *n_who)
{
    struct mpc_sym_run *run;
    QK_AUTO_BUF out = QK_BUF_SECRET(8192);
    struct mpc_sym_dec_params p = {
        .version = w->version, .blob = blob, .ec = ec, .nodes = nodes, .n_nodes = n};
    qk_assert_ok(mpc_sym_dec_start(&run, &p));
    drive(w, run);
    enum mpc_sym_state state = mpc_sym_run_state(run);
    if (state == MPC_SYM_DONE) {
        qk_assert_ok(mpc_sym_dec_take(run, &out));
        cr_assert(qk_bytes_eq(qk_buf_view(&out), QK_BYTES(secret)));
    } else {
        qk_assert_err(mpc_sym_dec_take(run, &out), QK_E_STATE);
    }
    if (who) *n_who = mpc_sym_run_suspects(run, who);
    mpc_sym_run_free(run);
    return state;
}

static void opens_with_every_subset(struct world *w, struct qk_bytes blob)
{
    for (unsigned mask = 0; mask < 1u << w->n; mask++) {
        uint16_t ids[N_MAX];
        size_t n = 0;
        for (unsigned i = 0; i < w->n; i++)
            if (mask >> i & 1 && w->ids[i] != w->liar) ids[n++] = w->ids[i];
        if (n != w->t) continue;
        cr_assert_eq(decrypt(w, blob, QK_BYTES(no_ec), ids, n, NULL, NULL), MPC_SYM_DONE,
            "S-5: subset %x", mask);
    }
}

/* S-5, S-3, S-4: with a liar in every position, at every byte it may bend (and a cut answer, S-2),
 * Encrypt gives a blob that every honest t-subset opens, or none. */
QK_TEST(sym_run, S_3_S_4_S_5_a_liar_never_causes_a_blob_that_does_not_open)
{
    static const struct {
        unsigned n, t;
        uint8_t modes;
    } kinds[] = {{3, 2, MPC_SYM_FV}, {4, 2, MPC_SYM_FV}, {3, 2, MPC_SYM_F}, {3, 2, MPC_SYM_V},
        {5, 3, MPC_SYM_FV}};
    static const size_t at[] = {0, 31, 32, 47, 50, 80, 95, 130};
    for (size_t k = 0; k < QK_COUNT(kinds); k++) {
        struct world *w = world_new(kinds[k].n, kinds[k].t, kinds[k].modes);
        for (unsigned l = 0; l <= w->n; l++)
            for (size_t b = 0; b < QK_COUNT(at); b++) {
                QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
                struct mpc_sym_suspect who[MPC_NODES_MAX];
                size_t n_who;
                uint8_t mode;
                w->liar = l < w->n ? w->ids[l] : 0;
                w->bend_at = at[b];
                w->cut = b == 7;
                enum mpc_sym_state got = encrypt(w, &blob, &mode, who, &n_who);
                bool f_only = kinds[k].modes == MPC_SYM_F;
                if (w->liar && f_only) {
                    cr_assert_eq(got, MPC_SYM_UNAVAILABLE, "S-3: released in spite of a liar");
                    continue;
                }
                cr_assert_eq(got, MPC_SYM_DONE, "n %u liar %u at %zu", w->n, w->liar, at[b]);
                if (!w->liar) cr_assert_eq(n_who, 0);
                if (kinds[k].modes == MPC_SYM_V)
                    for (size_t i = 0; i < n_who; i++)
                        cr_assert(who[i].node == w->liar && who[i].cls == 'P', "S-4: culprit");
                opens_with_every_subset(w, qk_buf_view(&blob));
            }
        world_free(w);
    }
}

QK_TEST(sym_run, S_3_one_silent_holder_sends_encrypt_to_mode_v_or_ends_it)
{
    struct world *w = world_new(3, 2, MPC_SYM_FV);
    QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
    uint8_t mode;
    w->down[2] = true;
    cr_assert_eq(encrypt(w, &blob, &mode, NULL, NULL), MPC_SYM_DONE);
    cr_assert_eq(mode, MPC_SYM_V, "S-3");
    w->down[2] = false;
    opens_with_every_subset(w, qk_buf_view(&blob));
    world_free(w);
    w = world_new(3, 2, MPC_SYM_F);
    w->down[0] = true;
    qk_buf_clear(&blob);
    cr_assert_eq(encrypt(w, &blob, &mode, NULL, NULL), MPC_SYM_UNAVAILABLE, "S-3");
    world_free(w);
    w = world_new(4, 2, MPC_SYM_F);
    w->down[0] = true;
    cr_assert_eq(encrypt(w, &blob, &mode, NULL, NULL), MPC_SYM_DONE);
    world_free(w);
}

/* S-22: at Decrypt in mode F the liar is found out, and named with class N only. */
QK_TEST(sym_run, S_22_decrypt_opens_past_a_liar_and_bans_nobody)
{
    for (unsigned modes = MPC_SYM_F; modes <= MPC_SYM_V; modes++) {
        struct world *w = world_new(3, 2, (uint8_t)modes);
        QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
        cr_assert_eq(encrypt(w, &blob, NULL, NULL, NULL), MPC_SYM_DONE);
        for (unsigned l = 0; l < 3; l++) {
            struct mpc_sym_suspect who[MPC_NODES_MAX];
            size_t n_who;
            w->liar = w->ids[l];
            w->bend_at = 5;
            cr_assert_eq(decrypt(w, qk_buf_view(&blob), QK_BYTES(no_ec), w->ids, 3, who, &n_who),
                MPC_SYM_DONE);
            for (size_t i = 0; i < n_who; i++) {
                cr_assert_eq(who[i].node, w->liar, "S-22: an honest node is suspected");
                if (modes == MPC_SYM_F) cr_assert_eq(who[i].cls, 'N', "S-22");
            }
        }
        world_free(w);
    }
}

/* S-8, S-11, S-12: every bit of a blob counts, and nothing comes out of a bent one. */
QK_TEST(sym_run, S_8_S_11_S_12_no_bent_blob_opens)
{
    for (unsigned modes = MPC_SYM_F; modes <= MPC_SYM_V; modes++) {
        struct world *w = world_new(3, 2, (uint8_t)modes);
        QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX + 1);
        cr_assert_eq(encrypt(w, &blob, NULL, NULL, NULL), MPC_SYM_DONE);
        for (size_t i = 0; i < blob.len; i += i < 24 || modes == MPC_SYM_F ? 1 : 7) {
            w->n_evaluated = 0;
            blob.p[i] ^= (uint8_t)(1u << i % 8);
            cr_assert_eq(decrypt(w, qk_buf_view(&blob), QK_BYTES(no_ec), w->ids, 3, NULL, NULL),
                MPC_SYM_INVALID, "S-11: byte %zu", i);
            bool in_x = modes == MPC_SYM_F && i < 87;
            if (in_x) cr_assert_eq(w->n_evaluated, 0, "S-8: evaluated, byte %zu", i);
            blob.p[i] ^= (uint8_t)(1u << i % 8);
        }
        for (size_t len = 0; len < blob.len; len++)
            cr_assert_eq(decrypt(w, qk_bytes(blob.p, len), QK_BYTES(no_ec), w->ids, 3, NULL, NULL),
                MPC_SYM_INVALID, "S-12: %zu bytes", len);
        qk_buf_add_u8(&blob, 0);
        cr_assert_eq(decrypt(w, qk_buf_view(&blob), QK_BYTES(no_ec), w->ids, 3, NULL, NULL),
            MPC_SYM_INVALID, "S-12: trailing byte");
        world_free(w);
    }
}

QK_TEST(sym_run, S_10_another_context_does_not_open)
{
    static const uint8_t other[] = {0, 1, 0, 0, 0, 1, 'a', 0, 0, 0, 1, '1'};
    for (unsigned modes = MPC_SYM_F; modes <= MPC_SYM_V; modes++) {
        struct world *w = world_new(3, 2, (uint8_t)modes);
        QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
        cr_assert_eq(encrypt(w, &blob, NULL, NULL, NULL), MPC_SYM_DONE);
        cr_assert_eq(decrypt(w, qk_buf_view(&blob), QK_BYTES(other), w->ids, 3, NULL, NULL),
            MPC_SYM_INVALID, "S-10");
        world_free(w);
    }
}

/* ---- at the node ---- */

static void make_item(
    struct world *w, struct mpc_sym_item *item, struct qk_buf *tk, uint8_t mode, uint64_t ctr)
{
    *item = (struct mpc_sym_item){.ver = 1,
        .mode = mode,
        .flags = mode == MPC_SYM_F ? MPC_SYM_FLAG_TAGS : 0,
        .ec = QK_BYTES(no_ec)};
    memcpy(item->key_id, w->rec.key_id, 16);
    qk_buf_clear(tk);
    for (unsigned i = 0; i < w->n; i++) {
        struct mpc_sym_ticket t = {.node = w->ids[i], .ctr = ctr};
        mpc_sym_window_chan(w->window[i], t.chan);
        mpc_sym_tickets_encode(&t, 1, tk);
    }
    item->tk = qk_buf_view(tk);
}

static uint8_t ask_node(struct world *w, uint8_t op, const struct mpc_sym_item *item)
{
    QK_AUTO_BUF out = QK_BUF_SECRET(1 << 16);
    return answer(w, 0, op, false, item, &out);
}

/* S-6, S-7: one evaluation for each ticket, and only for mine. */
QK_TEST(sym_run, S_6_S_7_a_ticket_is_good_once_for_its_node_and_channel)
{
    struct world *w = world_new(3, 2, MPC_SYM_FV);
    struct mpc_sym_item item;
    QK_AUTO_BUF tk = QK_BUF(1024);
    for (uint8_t mode = MPC_SYM_F; mode <= MPC_SYM_V; mode++) {
        uint64_t c = mode * UINT64_C(10000);
        make_item(w, &item, &tk, mode, c);
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_OK);
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_TICKET, "S-6: replay");
        item.alpha[0] ^= 1;
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_TICKET, "S-7: another alpha");
        make_item(w, &item, &tk, mode, c - MPC_SYM_WINDOW);
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_TICKET, "S-6: 4097 late");
        make_item(w, &item, &tk, mode, c - MPC_SYM_WINDOW + 1);
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_OK);
        make_item(w, &item, &tk, mode, c + 1);
        item.tk = qk_bytes(tk.p + 26, tk.len - 26);
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_TICKET, "S-6: none for me");
        tk.p[26 + 1] = (uint8_t)w->ids[0];
        item.tk = qk_buf_view(&tk);
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_TICKET, "S-6: two for me");
        make_item(w, &item, &tk, mode, c + 2);
        mpc_sym_window_free(w->window[0]);
        qk_assert_ok(mpc_sym_window_new(&w->window[0], &w->rng.rng));
        cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_TICKET, "S-6: restart");
    }
    world_free(w);
}

/* S-14: an item of one kind is none of another. */
QK_TEST(sym_run, S_14_relabelled_items_are_refused)
{
    struct world *w = world_new(3, 2, MPC_SYM_F);
    struct mpc_sym_item item;
    uint8_t tags[48] = {0};
    QK_AUTO_BUF tk = QK_BUF(1024);
    make_item(w, &item, &tk, MPC_SYM_F, 1);
    cr_assert_eq(ask_node(w, MPC_SYM_DEC, &item), MPC_SYM_MALFORMED, "S-14: ENC as DEC");
    item.tk.len = 0;
    cr_assert_eq(ask_node(w, MPC_SYM_DEC, &item), MPC_SYM_ORIGIN, "S-8: no tags");
    item.tags = qk_bytes(tags, 32);
    cr_assert_eq(ask_node(w, MPC_SYM_DEC, &item), MPC_SYM_ORIGIN, "S-8: d-1 tags");
    item.tags = QK_BYTES(tags);
    cr_assert_eq(ask_node(w, MPC_SYM_DEC, &item), MPC_SYM_ORIGIN, "S-8: wrong tags");
    cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_MALFORMED, "S-14: DEC as ENC");
    make_item(w, &item, &tk, MPC_SYM_V, 2);
    cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_MALFORMED, "S-14: mode not allowed");
    make_item(w, &item, &tk, MPC_SYM_F, 3);
    item.flags |= MPC_SYM_FLAG_DELEGATE;
    cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item), MPC_SYM_MALFORMED, "S-12: delegate flag");
    cr_assert_eq(w->n_evaluated, 0);
    world_free(w);
}

/* S-23: items are independent, at most 64. S-24: the bound of evaluations. */
QK_TEST(sym_run, S_23_S_24_batches_and_the_bound_of_evaluations)
{
    struct world *w = world_new(3, 2, MPC_SYM_F);
    static struct mpc_sym_item item[65];
    static struct qk_buf tk[65];
    struct mpc_sym_work work[65] = {0};
    QK_AUTO_BUF out = QK_BUF_SECRET(1 << 20);
    for (unsigned i = 0; i < 65; i++) {
        tk[i] = (struct qk_buf)QK_BUF(1024);
        make_item(w, &item[i], &tk[i], MPC_SYM_F, i + 1);
        work[i] = (struct mpc_sym_work){.item = &item[i], .key = w->key[0]};
    }
    item[30].mode = 3;
    qk_assert_err(
        mpc_sym_eval(MPC_SYM_ENC, false, w->window[0], work, 65, &w->rng.rng, &out), QK_E_STATE);
    qk_assert_ok(mpc_sym_eval(MPC_SYM_ENC, false, w->window[0], work, 64, &w->rng.rng, &out));
    for (unsigned i = 0; i < 64; i++)
        cr_assert_eq(work[i].status, i == 30 ? MPC_SYM_MALFORMED : MPC_SYM_OK, "S-23: %u", i);
    cr_assert_eq(mpc_sym_key_evaluations(w->key[0]), 63);
    mpc_sym_key_free(w->key[0]);
    qk_assert_ok(mpc_sym_key_new(&w->key[0], &w->rec, &w->share[0], MPC_SYM_EVALUATIONS_MAX - 1));
    make_item(w, &item[0], &tk[0], MPC_SYM_F, 100);
    cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item[0]), MPC_SYM_OK);
    make_item(w, &item[0], &tk[0], MPC_SYM_F, 101);
    cr_assert_eq(ask_node(w, MPC_SYM_ENC, &item[0]), MPC_SYM_LIMIT, "S-24");
    for (unsigned i = 0; i < 65; i++) qk_buf_free(&tk[i]);
    world_free(w);
}
