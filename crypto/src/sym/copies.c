/* Mode F at the combiner: copies of pieces, and what follows when they differ. */
#include "sym/run.h"

static size_t stride(const struct mpc_sym_run *run)
{
    return MPC_SYM_PIECE_LEN + (run->op == MPC_SYM_ENC ? MPC_SYM_TAG_LEN : 0);
}

static bool is_member(const struct mpc_sym_run *run, const struct sym_seat *seat, size_t a)
{
    return run->version->sets.members[a] >> seat->ix & 1;
}

const uint8_t *sym_piece(const struct mpc_sym_run *run, const struct sym_seat *seat, size_t a)
{
    size_t at = 0;
    if (seat->st != SEAT_OK || !is_member(run, seat, a)) return NULL;
    for (size_t b = 0; b < a; b++) at += is_member(run, seat, b);
    return seat->answer.p + at * stride(run);
}

static bool same(const struct mpc_sym_run *run, const uint8_t *a, const uint8_t *b)
{
    return CRYPTO_memcmp(a, b, stride(run)) == 0;
}

/* ---- Encrypt: the release rule ---- */

/* Copies of set a that equal that of seat number i. */
static size_t n_equal(const struct mpc_sym_run *run, size_t a, size_t i)
{
    const uint8_t *mine = sym_piece(run, &run->seat[i], a);
    size_t n = 0;
    for (size_t j = 0; j < run->n; j++) {
        const uint8_t *theirs = sym_piece(run, &run->seat[j], a);
        n += theirs != NULL && same(run, mine, theirs);
    }
    return n;
}

/* Of 2t-1 copies at most t-1 are lies: what more than half of them say is true, and the others
 * lied. Fewer copies convict nobody: an honest node knows that it was the other. */
static void blame_difference(struct mpc_sym_run *run, size_t a, size_t n_copies)
{
    bool provable = n_copies + 1 >= 2 * (size_t)run->version->terms.t, settled = false;
    for (size_t i = 0; provable && i < run->n; i++)
        if (sym_piece(run, &run->seat[i], a) != NULL) settled |= 2 * n_equal(run, a, i) > n_copies;
    for (size_t i = 0; i < run->n; i++) {
        if (sym_piece(run, &run->seat[i], a) == NULL) continue;
        if (settled && 2 * n_equal(run, a, i) > n_copies) continue;
        sym_run_suspect(run, run->seat[i].ix, settled ? MPC_BLAME_P : MPC_BLAME_N, "S-3");
    }
}

static enum sym_copies judge_set(struct mpc_sym_run *run, size_t a)
{
    const uint8_t *first = NULL;
    size_t copies = 0, equal = 0, open = 0;
    for (size_t i = 0; i < run->n; i++) {
        const struct sym_seat *seat = &run->seat[i];
        const uint8_t *piece = sym_piece(run, seat, a);
        bool waiting = seat->st == SEAT_ASK || seat->st == SEAT_ASKED;
        open += waiting && is_member(run, seat, a);
        if (piece == NULL) continue;
        if (first == NULL) first = piece;
        copies++;
        equal += same(run, first, piece);
    }
    if (equal != copies) {
        blame_difference(run, a, copies);
        return COPIES_DIFFER;
    }
    if (copies >= run->version->terms.t) return COPIES_ENOUGH;
    return copies + open >= run->version->terms.t ? COPIES_WAIT : COPIES_SHORT;
}

/* A difference anywhere outweighs everything; then what can no longer be; then what is missing. */
enum sym_copies sym_copies_judge(struct mpc_sym_run *run)
{
    bool differ = false, shortfall = false, wait = false;
    for (size_t a = 0; a < run->version->sets.d; a++) {
        enum sym_copies c = judge_set(run, a);
        differ |= c == COPIES_DIFFER;
        shortfall |= c == COPIES_SHORT;
        wait |= c == COPIES_WAIT;
    }
    if (differ) return COPIES_DIFFER;
    if (shortfall) return COPIES_SHORT;
    return wait ? COPIES_WAIT : COPIES_ENOUGH;
}

static const uint8_t *first_copy(const struct mpc_sym_run *run, size_t a, uint32_t without)
{
    for (size_t i = 0; i < run->n; i++) {
        if (without >> i & 1) continue;
        const uint8_t *piece = sym_piece(run, &run->seat[i], a);
        if (piece != NULL) return piece;
    }
    return NULL;
}

static void add_piece(struct qk_sec32 *w, const uint8_t *piece)
{
    for (size_t k = 0; k < MPC_SYM_PIECE_LEN; k++) w->b[k] ^= piece[k];
}

qk_err sym_copies_value(const struct mpc_sym_run *run, struct qk_sec32 *w, uint8_t *tags)
{
    QK_SEC32(sum);
    for (size_t a = 0; a < run->version->sets.d; a++) {
        const uint8_t *piece = first_copy(run, a, 0);
        QK_ENSURE(piece != NULL, QK_E_STATE);
        add_piece(&sum, piece);
        if (run->op == MPC_SYM_ENC)
            memcpy(tags + a * MPC_SYM_TAG_LEN, piece + MPC_SYM_PIECE_LEN, MPC_SYM_TAG_LEN);
    }
    *w = sum;
    return QK_OK;
}

/* ---- Decrypt: leaving out suspects ---- */

/* The value by the answers of seats outside `without`; false where these differ or miss a set. */
static bool value_without(const struct mpc_sym_run *run, uint32_t without, struct qk_sec32 *w)
{
    QK_SEC32(sum);
    for (size_t a = 0; a < run->version->sets.d; a++) {
        const uint8_t *first = first_copy(run, a, without);
        if (first == NULL) return false;
        for (size_t i = 0; i < run->n; i++) {
            const uint8_t *piece = sym_piece(run, &run->seat[i], a);
            if (piece != NULL && !(without >> i & 1) && !same(run, first, piece)) return false;
        }
        add_piece(&sum, first);
    }
    *w = sum;
    return true;
}

/* Seats of `without` whose pieces are not those of the others. */
static uint32_t differing(const struct mpc_sym_run *run, uint32_t without)
{
    uint32_t lies = 0;
    for (size_t a = 0; a < run->version->sets.d; a++) {
        const uint8_t *first = first_copy(run, a, without);
        for (size_t i = 0; i < run->n; i++) {
            const uint8_t *piece = sym_piece(run, &run->seat[i], a);
            if (piece == NULL || !(without >> i & 1)) continue;
            if (!same(run, first, piece)) lies |= UINT32_C(1) << i;
        }
    }
    return lies;
}

/* The next larger number with as many bits (0 if there is none below 2^32). */
static uint64_t next_same_weight(uint64_t v)
{
    uint64_t low = v & (~v + 1), ripple = v + low;
    return ripple | ((v ^ ripple) / low >> 2);
}

struct search {
    const struct mpc_sym_run *run;
    bool (*try)(void *ctx, const struct qk_sec32 *w);
    void *ctx;
    size_t n_tried;
    uint32_t lies;
};

/* Seats with an answer, as a list: subsets of them are counted through as numbers. */
static size_t answering(const struct mpc_sym_run *run, uint8_t at[static MPC_NODES_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < run->n; i++)
        if (run->seat[i].st == SEAT_OK) at[n++] = (uint8_t)i;
    return n;
}

static bool try_without(struct search *s, uint32_t without)
{
    QK_SEC32(w);
    if (!value_without(s->run, without, &w)) return false;
    s->n_tried++;
    s->lies = differing(s->run, without);
    return s->try(s->ctx, &w);
}

static bool search_size(struct search *s, const uint8_t *at, size_t m, size_t size)
{
    uint64_t pick = (UINT64_C(1) << size) - 1, end = UINT64_C(1) << m;
    while (pick < end) {
        uint32_t without = 0;
        for (size_t i = 0; i < m; i++)
            if (pick >> i & 1) without |= UINT32_C(1) << at[i];
        if (try_without(s, without)) return true;
        if (size == 0) break;
        pick = next_same_weight(pick);
    }
    return false;
}

/* Smallest L first, so that L names no more nodes than it must. C(n, t-1) <= 64 bounds the work. */
bool sym_copies_search(const struct mpc_sym_run *run,
    bool (*try)(void *ctx, const struct qk_sec32 *w), void *ctx, size_t *n_tried, uint32_t *lies)
{
    struct search s = {.run = run, .try = try, .ctx = ctx};
    uint8_t at[MPC_NODES_MAX];
    size_t m = answering(run, at), t = run->version->terms.t;
    bool stopped = false;
    for (size_t size = 0; size < t && size + t <= m && !stopped; size++)
        stopped = search_size(&s, at, m, size);
    *n_tried = s.n_tried;
    *lies = s.lies;
    return stopped;
}
