/* What an operation evaluates, and what becomes of the result. */
#include "rounds/evaluation.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "qk/secret.h"

bool coord_eval_is(const struct coord_op *op)
{
    if (!op->decided) return false;
    return op->decision.kind == KMS_DO_ENCRYPT || op->decision.kind == KMS_DO_DECRYPT ||
           op->decision.kind == KMS_DO_REENCRYPT;
}

static bool is_pair(enum kms_op op)
{
    return op == KMS_OP_GENERATE_DATA_KEY_PAIR ||
           op == KMS_OP_GENERATE_DATA_KEY_PAIR_WITHOUT_PLAINTEXT;
}

bool coord_eval_is_quick(const struct coord_op *op)
{
    return coord_eval_is(op) && !is_pair(op->req.op);
}

size_t coord_eval_index(const struct coord_eval *e, uint16_t node)
{
    const struct wire_cluster *c = e->engine->cluster;
    size_t i = 0;
    while (i < c->n && c->nodes[i].id != node) i++;
    return i;
}

/* ---- what the run is given ---- */

static qk_err encode_context(const struct kms_context_map *map, struct qk_buf *out)
{
    struct mpc_sym_pair few[8], *pairs = few;
    if (map->n > QK_COUNT(few)) pairs = calloc(map->n, sizeof *pairs);
    QK_ENSURE(pairs != NULL, QK_E_NOMEM);
    for (size_t i = 0; i < map->n; i++)
        pairs[i] = (struct mpc_sym_pair){.key = map->pairs[i].key, .value = map->pairs[i].value};
    qk_err err = mpc_sym_ec_encode(pairs, map->n, out);
    if (pairs != few) free(pairs);
    return err != QK_OK ? err : out->err;
}

/* The version's own nodes that are up, preferred ones first. */
static void choose_nodes(struct coord_eval *e)
{
    uint16_t up[WIRE_NODES_MAX];
    const struct mpc_sym_terms *terms = mpc_sym_version_terms(e->version);
    size_t n = coord_nodes_rank(e->engine->nodes, &e->op->doubts, up);
    e->n_nodes = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < terms->n; k++)
            if (terms->ids[k] == up[i]) e->nodes[e->n_nodes++] = up[i];
}

static qk_err ticket(void *ctx, uint16_t node, struct mpc_sym_ticket *out)
{
    struct coord_eval *e = ctx;
    size_t at = coord_eval_index(e, node);
    QK_ENSURE(at < e->engine->cluster->n, QK_E_NOT_FOUND);
    QK_TRY(coord_channels_ticket(e->engine->channels, node, out));
    memcpy(e->chan[at], out->chan, sizeof e->chan[at]);
    return QK_OK;
}

static qk_err start_enc(struct coord_eval *e, struct qk_bytes plain, struct qk_bytes ec)
{
    struct mpc_sym_enc_params p = {.version = e->version,
        .ec = ec,
        .plain = plain,
        .nodes = e->nodes,
        .n_nodes = e->n_nodes,
        .avoid_f = coord_watch_avoid_f(&e->engine->watch, qk_mono_ms()),
        .ticket = ticket,
        .ctx = e,
        .rng = coord_randpool_rng(e->engine->random)};
    e->phase = MPC_SYM_ENC;
    return mpc_sym_enc_start(&e->run, &p);
}

static qk_err start_dec(struct coord_eval *e, struct qk_bytes ec)
{
    struct mpc_sym_dec_params p = {.version = e->version,
        .blob = e->op->req.blob,
        .ec = ec,
        .nodes = e->nodes,
        .n_nodes = e->n_nodes};
    e->phase = MPC_SYM_DEC;
    return mpc_sym_dec_start(&e->run, &p);
}

static qk_err start(struct coord_eval *e, enum mpc_sym_op phase, enum kms_slot version,
    const struct kms_context_map *context, struct qk_bytes plain)
{
    QK_AUTO_BUF ec = QK_BUF(MPC_SYM_EC_MAX);
    QK_TRY(coord_entry_version(&e->op->entries[version], &e->version));
    QK_TRY(encode_context(context, &ec));
    choose_nodes(e);
    QK_ENSURE(e->n_nodes >= mpc_sym_version_terms(e->version)->t, QK_E_BUSY);
    e->attempt = 0;
    if (phase == MPC_SYM_ENC) return start_enc(e, plain, qk_buf_view(&ec));
    return start_dec(e, qk_buf_view(&ec));
}

/* ---- what is encrypted ---- */

/* A data key is drawn once per operation, whatever becomes of its attempts. */
static qk_err draw_data_key(struct coord_op *op)
{
    size_t len = op->req.n_bytes;
    if (op->plain.len > 0) return QK_OK;
    QK_ENSURE(len >= 1 && len <= MPC_RAND_MAX, QK_E_STATE);
    uint8_t *p = qk_buf_extend(&op->plain, len);
    QK_ENSURE(p != NULL, op->plain.err);
    qk_err err = coord_randpool_take(op->engine->random, p, len);
    if (err != QK_OK) qk_buf_clear(&op->plain);
    return err;
}

static qk_err plaintext(struct coord_op *op, struct qk_bytes *out)
{
    *out = op->req.plaintext;
    if (op->req.op == KMS_OP_ENCRYPT) return QK_OK;
    /* A key pair is made before, by coord_eval_run. */
    if (!is_pair(op->req.op)) QK_TRY(draw_data_key(op));
    QK_ENSURE(op->plain.len > 0, QK_E_BUSY);
    *out = qk_buf_view(&op->plain);
    return QK_OK;
}

qk_err coord_eval_begin(struct coord_eval *e)
{
    struct coord_op *op = e->op;
    struct qk_bytes plain = {0};
    qk_buf_clear(&op->blob);
    if (op->decision.kind == KMS_DO_ENCRYPT) {
        QK_TRY(plaintext(op, &plain));
        return start(e, MPC_SYM_ENC, KMS_SLOT_VERSION, &op->req.context, plain);
    }
    qk_buf_free(&op->plain); /* of an attempt before: wiped */
    return start(e, MPC_SYM_DEC, KMS_SLOT_VERSION, &op->req.context, plain);
}

/* ---- suspects ---- */

static void note_suspects(struct coord_eval *e)
{
    struct mpc_sym_suspect s[MPC_NODES_MAX], differ[MPC_NODES_MAX];
    size_t n = mpc_sym_run_suspects(e->run, s), n_differ = 0;
    for (size_t i = 0; i < n; i++) {
        atomic_fetch_add(&e->engine->counts.sym_suspects, 1);
        qk_log(QK_ERROR, "sym.suspect", QK_F_STR("request_id", e->op->request_id),
            QK_F_INT("node", s[i].node), QK_F_STR("class", s[i].cls == MPC_BLAME_P ? "P" : "N"),
            QK_F_STR("check", s[i].check));
        /* Disagreements of mode F; TICKET and ORIGIN (S-6, S-8) are another matter. */
        bool copies = strcmp(s[i].check, "S-3") == 0 || strcmp(s[i].check, "S-22") == 0;
        if (copies && s[i].cls == MPC_BLAME_N) differ[n_differ++] = s[i];
        if (s[i].cls != MPC_BLAME_P) continue;
        coord_doubt(e->engine->nodes, &e->op->doubts, s[i].node, COORD_DOUBT_LIAR);
        coord_node_cool(e->engine->nodes, s[i].node, e->engine->timing.avoid_ms);
    }
    if (n_differ > 0)
        coord_watch_event(&e->engine->watch, e->engine->cluster, differ, n_differ, qk_mono_ms());
}

void coord_eval_drop_run(struct coord_eval *e)
{
    if (e->run == NULL) return;
    note_suspects(e);
    mpc_sym_run_free(e->run);
    e->run = NULL;
}

/* ---- the end of a run ---- */

static void note_success(struct coord_eval *e)
{
    struct coord_counts *c = &e->engine->counts;
    struct coord_watch *w = &e->engine->watch;
    bool f = mpc_sym_run_mode(e->run) == MPC_SYM_F;
    uint64_t took_us = qk_mono_us() - e->began_us;
    if (e->phase == MPC_SYM_DEC) {
        atomic_fetch_add(&c->sym_dec, 1);
        coord_pace_note(f ? &w->dec : &w->v, took_us);
    } else {
        bool fell =
            !f && e->attempt > 1 && (mpc_sym_version_terms(e->version)->modes & MPC_SYM_F) != 0;
        atomic_fetch_add(f ? &c->sym_f : &c->sym_v, 1);
        atomic_fetch_add(&c->sym_fell, fell);
        coord_pace_note(f ? &w->enc : &w->v, took_us);
    }
}

static void settle(struct coord_eval *e, enum coord_eval_outcome outcome, qk_err err)
{
    if (e->outcome != EVAL_OPEN) return;
    e->outcome = err == QK_OK ? outcome : EVAL_AGAIN;
    e->err = err;
}

static void opened(struct coord_eval *e)
{
    struct coord_op *op = e->op;
    op->plain = (struct qk_buf)QK_BUF_SECRET(MPC_SYM_PLAIN_MAX);
    qk_err err = mpc_sym_dec_take(e->run, &op->plain);
    if (err != QK_OK || op->decision.kind != KMS_DO_REENCRYPT) {
        settle(e, EVAL_DONE, err);
        return;
    }
    coord_eval_drop_run(e);
    err = start(
        e, MPC_SYM_ENC, KMS_SLOT_DEST_VERSION, &op->req.dest_context, qk_buf_view(&op->plain));
    if (err != QK_OK) settle(e, EVAL_AGAIN, err);
}

static void done(struct coord_eval *e)
{
    note_success(e);
    if (e->phase == MPC_SYM_DEC) {
        opened(e);
        return;
    }
    settle(e, EVAL_DONE, mpc_sym_enc_take(e->run, &e->op->blob));
}

void coord_eval_look(struct coord_eval *e)
{
    if (e->outcome != EVAL_OPEN) return;
    switch (mpc_sym_run_state(e->run)) {
    case MPC_SYM_RUNNING:
        break;
    case MPC_SYM_DONE:
        done(e);
        break;
    case MPC_SYM_INVALID:
        atomic_fetch_add(&e->engine->counts.sym_invalid, 1);
        settle(e, EVAL_INVALID, QK_OK);
        break;
    case MPC_SYM_REFUSED:
        settle(e, mpc_sym_run_refusal(e->run) == MPC_SYM_LIMIT ? EVAL_LIMIT : EVAL_AGAIN, QK_OK);
        break;
    case MPC_SYM_UNAVAILABLE:
        settle(e, EVAL_AGAIN, QK_OK);
        break;
    }
}
