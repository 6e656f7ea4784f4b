/* EVAL: what a node does with the items of a frame, once it has authorised them. */
#include "mpc/sym_node.h"

#include "qk/secret.h"
#include "sym/key.h"

/* One frame under way. X is no secret: the requester knows every field of it. */
struct frame {
    enum mpc_sym_op op;
    bool prove;
    struct mpc_sym_window *window;
    struct mpc_sym_work *work;
    size_t n;
    struct qk_rng *rng;
    uint8_t *slot[MPC_SYM_ITEMS_MAX]; /* where the answer goes */
    uint8_t x[MPC_SYM_ITEMS_MAX][32];
    bool waits[MPC_SYM_ITEMS_MAX]; /* accepted, not evaluated yet */
};

static uint8_t status_of(qk_err err)
{
    if (err == QK_OK) return MPC_SYM_OK;
    return qk_peer_fault(err) ? MPC_SYM_MALFORMED : MPC_SYM_FAULT;
}

static size_t answer_len(const struct frame *f, const struct mpc_sym_work *w)
{
    return mpc_sym_answer_len(w->item->mode, (uint8_t)f->op, f->prove, w->key->n_own);
}

/* ---- is it an item of this version? ---- */

static qk_err check_item(const struct frame *f, const struct mpc_sym_work *w)
{
    const struct mpc_sym_item *item = w->item;
    const struct mpc_sym_terms *terms = &w->key->version.terms;
    QK_ENSURE(
        memcmp(item->key_id, terms->key_id, 16) == 0 && item->ver == terms->ver, QK_E_MALFORMED);
    QK_ENSURE(sym_flags(&w->key->version, item->mode) == item->flags, QK_E_MALFORMED);
    if (f->op == MPC_SYM_ENC) QK_ENSURE(item->tags.len == 0, QK_E_MALFORMED);
    if (f->op == MPC_SYM_DEC) QK_ENSURE(item->tk.len == 0, QK_E_MALFORMED);
    if (item->mode == MPC_SYM_V) QK_ENSURE(item->tags.len == 0, QK_E_MALFORMED);
    return mpc_sym_ec_check(item->ec);
}

/* Check S-6: a list of nodes of this version, each once, with a fresh ticket of mine. A list that
 * is none is answered like a used ticket: in either case nothing is evaluated. */
static bool ticket_ok(struct frame *f, const struct mpc_sym_work *w)
{
    struct qk_bytes tk = w->item->tk;
    const struct mpc_sym_terms *terms = &w->key->version.terms;
    uint8_t chan[MPC_SYM_CHAN_LEN];
    const uint8_t *mine = NULL;
    uint16_t before = 0;
    if (tk.len == 0 || tk.len % MPC_SYM_TICKET_LEN != 0) return false;
    for (const uint8_t *p = tk.p; p < tk.p + tk.len; p += MPC_SYM_TICKET_LEN) {
        uint16_t id = qk_get_u16(p);
        if (id <= before || sym_terms_index(terms, id) < 0) return false;
        if (id == terms->ids[w->key->self_ix]) mine = p;
        before = id;
    }
    if (mine == NULL) return false;
    mpc_sym_window_chan(f->window, chan);
    if (memcmp(mine + 2, chan, sizeof chan) != 0) return false;
    return mpc_sym_window_take(f->window, qk_get_u64(mine + 18));
}

/* Check S-24. Counted before evaluating, so concurrent frames cannot pass the bound together. */
static bool count_ok(const struct frame *f, struct mpc_sym_work *w)
{
    if (f->op == MPC_SYM_DEC) return true;
    _Atomic uint64_t *count = &w->key->evaluations;
    if (atomic_load(count) >= MPC_SYM_EVALUATIONS_MAX) return false;
    if (w->item->mode != MPC_SYM_F) return true;
    if (atomic_fetch_add(count, 1) < MPC_SYM_EVALUATIONS_MAX) return true;
    atomic_fetch_sub(count, 1);
    return false;
}

/* ---- X, from the fields (check S-9) ---- */

/* d_ec of item i; items of one frame often carry the same context. */
static qk_err context_hash(
    struct frame *f, size_t i, const struct mpc_sym_item **memo_of, uint8_t memo[static 32])
{
    const struct mpc_sym_item *item = f->work[i].item;
    if (*memo_of != NULL && qk_bytes_eq((*memo_of)->ec, item->ec)) return QK_OK;
    *memo_of = item;
    return mpc_sym_ec_hash(memo, item->ec);
}

static qk_err make_x(struct frame *f, size_t i, const uint8_t d_ec[static 32])
{
    const struct mpc_sym_item *item = f->work[i].item;
    uint8_t t[32];
    if (f->op == MPC_SYM_ENC)
        QK_TRY(mpc_sym_tickets_hash(t, item->tk));
    else
        memcpy(t, item->t, sizeof t);
    return mpc_sym_x(f->x[i], item, d_ec, t);
}

/* Every ticket of the frame is marked here, before anything is evaluated. */
static void accept(struct frame *f)
{
    const struct mpc_sym_item *memo_of = NULL;
    uint8_t d_ec[32];
    for (size_t i = 0; i < f->n; i++) {
        struct mpc_sym_work *w = &f->work[i];
        w->answer = qk_bytes(NULL, 0);
        if (w->key == NULL) continue;
        w->status = status_of(check_item(f, w));
        if (w->status == MPC_SYM_OK && f->op == MPC_SYM_ENC && !ticket_ok(f, w))
            w->status = MPC_SYM_TICKET;
        if (w->status == MPC_SYM_OK && !count_ok(f, w)) w->status = MPC_SYM_LIMIT;
        if (w->status != MPC_SYM_OK) continue;
        qk_err err = context_hash(f, i, &memo_of, d_ec);
        if (err == QK_OK) err = make_x(f, i, d_ec);
        w->status = status_of(err);
        f->waits[i] = w->status == MPC_SYM_OK;
    }
}

static void done(struct frame *f, size_t i, qk_err err)
{
    struct mpc_sym_work *w = &f->work[i];
    f->waits[i] = false;
    w->status = status_of(err);
    if (err == QK_OK) w->answer = qk_bytes(f->slot[i], answer_len(f, w));
}

/* ---- mode F: all items of one key at once ---- */

struct group {
    struct mpc_sym_key *key;
    size_t n;
    size_t at[MPC_SYM_ITEMS_MAX]; /* numbers of the items */
    uint8_t x[MPC_SYM_ITEMS_MAX][32];
    uint8_t (*values)[MPC_SYM_PIECE_LEN]; /* n_own * n */
    uint8_t (*tags)[MPC_SYM_TAG_LEN];
};

static void collect(const struct frame *f, size_t first, struct group *g)
{
    g->key = f->work[first].key;
    g->n = 0;
    for (size_t i = first; i < f->n; i++) {
        const struct mpc_sym_work *w = &f->work[i];
        if (!f->waits[i] || w->key != g->key || w->item->mode != MPC_SYM_F) continue;
        memcpy(g->x[g->n], f->x[i], 32);
        g->at[g->n++] = i;
    }
}

/* The tag of own set j for input i as the blob has it. */
static const uint8_t *blob_tag(const struct frame *f, const struct group *g, size_t i, size_t j)
{
    return f->work[g->at[i]].item->tags.p + (size_t)g->key->own[j] * MPC_SYM_TAG_LEN;
}

/* Check S-8: an honest node answers DEC for an X that was once evaluated as ENC. Constant time:
 * who asks must not learn a tag byte by byte. */
static bool origin_ok(const struct frame *f, const struct group *g, size_t i)
{
    int bad = 0;
    if (f->work[g->at[i]].item->tags.len != (size_t)g->key->version.sets.d * MPC_SYM_TAG_LEN)
        return false;
    for (size_t j = 0; j < g->key->n_own; j++)
        bad |= CRYPTO_memcmp(g->tags[j * g->n + i], blob_tag(f, g, i, j), MPC_SYM_TAG_LEN);
    return bad == 0;
}

/* Take the items with wrong tags out of the group, unevaluated. */
static void drop_forged(struct frame *f, struct group *g)
{
    size_t kept = 0;
    bool ok[MPC_SYM_ITEMS_MAX];
    for (size_t i = 0; i < g->n; i++) ok[i] = origin_ok(f, g, i);
    for (size_t i = 0; i < g->n; i++) {
        size_t at = g->at[i];
        if (!ok[i]) {
            f->waits[at] = false;
            f->work[at].status = MPC_SYM_ORIGIN;
            continue;
        }
        memmove(g->x[kept], g->x[i], 32);
        g->at[kept++] = at;
    }
    g->n = kept;
}

static void hand_out(struct frame *f, const struct group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        uint8_t *to = f->slot[g->at[i]];
        for (size_t j = 0; j < g->key->n_own; j++) {
            memcpy(to, g->values[j * g->n + i], MPC_SYM_PIECE_LEN);
            to += MPC_SYM_PIECE_LEN;
            if (f->op == MPC_SYM_DEC) continue;
            memcpy(to, g->tags[j * g->n + i], MPC_SYM_TAG_LEN);
            to += MPC_SYM_TAG_LEN;
        }
        done(f, g->at[i], QK_OK);
    }
}

static qk_err eval_group(struct frame *f, struct group *g)
{
    QK_TRY(sym_key_tags(g->key, (const uint8_t(*)[32])g->x, g->n, g->tags));
    if (f->op == MPC_SYM_DEC) drop_forged(f, g);
    QK_TRY(sym_key_values(g->key, (const uint8_t(*)[32])g->x, g->n, g->values));
    hand_out(f, g);
    return QK_OK;
}

static void run_group(struct frame *f, struct group *g)
{
    enum { EACH = MPC_SYM_PIECE_LEN + MPC_SYM_TAG_LEN };
    size_t cells = g->key->n_own * g->n;
    uint8_t *memory = OPENSSL_malloc(cells * EACH);
    g->values = (uint8_t(*)[MPC_SYM_PIECE_LEN])memory;
    g->tags = (uint8_t(*)[MPC_SYM_TAG_LEN])(memory + cells * MPC_SYM_PIECE_LEN);
    qk_err err = memory != NULL ? eval_group(f, g) : QK_E_NOMEM;
    for (size_t i = 0; i < g->n; i++)
        if (err != QK_OK) done(f, g->at[i], err);
    OPENSSL_clear_free(memory, cells * EACH);
}

static void run(struct frame *f)
{
    struct group g;
    for (size_t i = 0; i < f->n; i++) {
        if (!f->waits[i]) continue;
        const struct mpc_sym_work *w = &f->work[i];
        if (w->item->mode == MPC_SYM_F) {
            collect(f, i, &g);
            run_group(f, &g);
        } else {
            bool prove = f->prove || f->op == MPC_SYM_ENC;
            done(f, i, sym_key_point(f->slot[i], w->key, f->x[i], prove, f->rng));
        }
    }
}

/* ---- the frame ---- */

/* Room for every answer, reserved at once: views into the buffer must not move. */
static qk_err reserve(struct frame *f, struct qk_buf *out)
{
    size_t total = 0;
    for (size_t i = 0; i < f->n; i++)
        if (f->work[i].key != NULL) total += answer_len(f, &f->work[i]);
    uint8_t *p = total > 0 ? qk_buf_extend(out, total) : NULL;
    QK_ENSURE(total == 0 || p != NULL, out->err);
    for (size_t i = 0; i < f->n; i++) {
        if (f->work[i].key == NULL) continue;
        f->slot[i] = p;
        p += answer_len(f, &f->work[i]);
    }
    return QK_OK;
}

qk_err mpc_sym_eval(enum mpc_sym_op op, bool prove, struct mpc_sym_window *window,
    struct mpc_sym_work *work, size_t n, struct qk_rng *rng, struct qk_buf *out)
{
    QK_ENSURE(op == MPC_SYM_ENC || op == MPC_SYM_DEC, QK_E_STATE);
    QK_ENSURE(n <= MPC_SYM_ITEMS_MAX && (n == 0 || work != NULL), QK_E_STATE);
    QK_ENSURE(window != NULL || op == MPC_SYM_DEC, QK_E_STATE);
    QK_ENSURE(out->secret && out->len == 0, QK_E_STATE);
    struct frame f = {.op = op, .prove = prove, .window = window, .work = work, .n = n, .rng = rng};
    QK_TRY(reserve(&f, out));
    accept(&f);
    run(&f);
    return QK_OK;
}
