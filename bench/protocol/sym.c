/* What one item of a symmetric key costs a node, in frames of 64. */
#include "common/tell.h"
#include "mpc/sym_gen.h"
#include "mpc/sym_node.h"
#include "protocol/measure.h"
#include "protocol/names.h"

enum { ITEMS = MPC_SYM_ITEMS_MAX, T = 2 };

struct bench_sym {
    struct bench_key k; /* for its identities */
    struct mpc_sym_record rec;
    struct mpc_sym_share share[BENCH_NODES];
    struct mpc_sym_key *key; /* of node 1 */
    struct mpc_sym_window *window;
    uint64_t ctr;
    struct mpc_sym_item item[ITEMS];
    struct mpc_sym_work work[ITEMS];
    struct qk_buf tickets[ITEMS];
    uint8_t tags[ITEMS][3 * MPC_SYM_TAG_LEN]; /* 2-of-3 has three sets */
};

static void sym_wipe(struct bench_sym *s)
{
    mpc_sym_key_free(s->key);
    mpc_sym_window_free(s->window);
    for (size_t i = 0; i < BENCH_NODES; i++) mpc_sym_share_wipe(&s->share[i]);
    for (size_t i = 0; i < ITEMS; i++) qk_buf_free(&s->tickets[i]);
    bench_key_wipe(&s->k);
}

/* ---- a key: imported, which takes one protocol instead of two ---- */

static qk_err start_import(struct bench_sym *s, struct bench_net *net, struct mpc_session *session,
    const struct mpc_sym_spec *spec, const struct mpc_sym_part *part, unsigned i)
{
    struct mpc_party *party = NULL;
    session->self = s->k.peers[i].id;
    QK_TRY(mpc_sym_import_start(&party, session, spec, NULL, part, qk_rng_system()));
    bench_net_add(net, session->self, party, 0);
    return QK_OK;
}

static qk_err import_in(struct bench_sym *s, struct bench_net *net, struct mpc_sym_part *parts)
{
    struct mpc_sym_spec spec = {.key_id = {1}, .ver = 1, .modes = MPC_SYM_FV};
    struct mpc_session session = {.curve = MPC_P256, .t = T, .n_peers = BENCH_NODES};
    memcpy(session.peers, s->k.peers, sizeof s->k.peers);
    QK_TRY(mpc_sym_version_id(session.key_id, spec.key_id, spec.ver));
    for (unsigned i = 0; i < BENCH_NODES; i++)
        QK_TRY(start_import(s, net, &session, &spec, &parts[i], i));
    QK_TRY(bench_net_run(net));
    for (unsigned i = 0; i < BENCH_NODES; i++)
        QK_TRY(mpc_sym_import_take(net->p[i].party, &s->share[i], &s->rec));
    return QK_OK;
}

static qk_err make_key(struct bench_sym *s)
{
    struct mpc_sym_part parts[BENCH_NODES] = {0};
    struct bench_net net = {0};
    const uint16_t ids[BENCH_NODES] = {1, 2, 3};
    const uint8_t key_id[16] = {1};
    QK_SEC32(secret);
    QK_TRY(bench_key_init(&s->k, mpc_curve_get(MPC_P256), T));
    QK_TRY(qk_rng_fill(qk_rng_system(), secret.b, sizeof secret.b));
    qk_err err = mpc_sym_import_deal(
        parts, key_id, MPC_SYM_FV, T, ids, BENCH_NODES, &secret, qk_rng_system());
    if (err == QK_OK) err = import_in(s, &net, parts);
    bench_net_free(&net);
    for (unsigned i = 0; i < BENCH_NODES; i++) mpc_sym_part_wipe(&parts[i]);
    QK_TRY(err);
    QK_TRY(mpc_sym_key_new(&s->key, &s->rec, &s->share[0], 0));
    return mpc_sym_window_new(&s->window, qk_rng_system());
}

/* ---- frames ---- */

static qk_err fill_enc(struct bench_sym *s, uint8_t mode)
{
    static const uint8_t no_context[2];
    for (size_t i = 0; i < ITEMS; i++) {
        struct mpc_sym_item *it = &s->item[i];
        struct qk_buf *tk = &s->tickets[i];
        *it = (struct mpc_sym_item){.key_id = {1},
            .ver = 1,
            .mode = mode,
            .flags = mode == MPC_SYM_F ? MPC_SYM_FLAG_TAGS : 0,
            .ec = QK_BYTES(no_context)};
        QK_TRY(qk_rng_fill(qk_rng_system(), it->alpha, sizeof it->alpha));
        tk->max = BENCH_NODES * MPC_SYM_TICKET_LEN;
        qk_buf_clear(tk);
        s->ctr++;
        for (unsigned j = 0; j < BENCH_NODES; j++) {
            struct mpc_sym_ticket t = {.node = s->k.peers[j].id, .ctr = s->ctr};
            mpc_sym_window_chan(s->window, t.chan);
            mpc_sym_tickets_encode(&t, 1, tk);
        }
        it->tk = qk_buf_view(tk);
    }
    return QK_OK;
}

/* The tags of node 1's sets, 0 and 1 of three, are all that it looks at. */
static qk_err turn_to_dec(struct bench_sym *s)
{
    for (size_t i = 0; i < ITEMS; i++) {
        struct mpc_sym_item *it = &s->item[i];
        QK_TRY(mpc_sym_tickets_hash(it->t, it->tk));
        it->tk = qk_bytes(NULL, 0);
        if (it->mode != MPC_SYM_F) continue;
        const uint8_t *pieces = s->work[i].answer.p;
        for (size_t a = 0; a < 2; a++)
            memcpy(s->tags[i] + a * MPC_SYM_TAG_LEN,
                pieces + a * (MPC_SYM_PIECE_LEN + MPC_SYM_TAG_LEN) + MPC_SYM_PIECE_LEN,
                MPC_SYM_TAG_LEN);
        it->tags = QK_BYTES(s->tags[i]);
    }
    return QK_OK;
}

static qk_err evaluate(
    struct bench_sym *s, enum mpc_sym_op op, struct bench_row *row, struct qk_buf *out)
{
    for (size_t i = 0; i < ITEMS; i++)
        s->work[i] = (struct mpc_sym_work){.item = &s->item[i], .key = s->key};
    uint64_t t0 = bench_cpu_ns();
    QK_TRY(mpc_sym_eval(op, false, s->window, s->work, ITEMS, qk_rng_system(), out));
    uint64_t took = bench_cpu_ns() - t0;
    for (size_t i = 0; i < ITEMS; i++) QK_ENSURE(s->work[i].status == MPC_SYM_OK, QK_E_PROOF);
    return bench_row_add(row, took / ITEMS);
}

static qk_err one_run(
    struct bench_sym *s, uint8_t mode, struct bench_row *enc, struct bench_row *dec)
{
    QK_AUTO_BUF first = QK_BUF_SECRET(1 << 16);
    QK_AUTO_BUF second = QK_BUF_SECRET(1 << 16);
    QK_TRY(fill_enc(s, mode));
    QK_TRY(evaluate(s, MPC_SYM_ENC, enc, &first));
    QK_TRY(turn_to_dec(s));
    return evaluate(s, MPC_SYM_DEC, dec, &second);
}

qk_err bench_measure_sym(struct bench_table *t, const struct bench_plan *plan)
{
    static const struct {
        uint8_t mode;
        const char *name;
    } modes[] = {{MPC_SYM_F, BENCH_MODE_F}, {MPC_SYM_V, BENCH_MODE_V}};
    __attribute__((cleanup(sym_wipe))) struct bench_sym s = {0};
    QK_TRY(make_key(&s));
    for (size_t m = 0; m < QK_COUNT(modes); m++) {
        struct bench_row *enc = bench_table_row(t, ROW_EVAL_ENC, modes[m].name, "each node");
        struct bench_row *dec = bench_table_row(t, ROW_EVAL_DEC, modes[m].name, "each node");
        uint64_t end = bench_mono_ns() + (uint64_t)(plan->seconds * 1e9);
        for (unsigned i = 0; i < BENCH_RUNS_MIN || bench_mono_ns() < end; i++) {
            bench_progress("symmetric, %s, run %u", modes[m].name, i);
            QK_TRY(one_run(&s, modes[m].mode, enc, dec));
        }
    }
    return QK_OK;
}
