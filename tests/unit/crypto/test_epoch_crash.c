/* Document 90 section 8 for the creation of a key (and the commit of a refresh).
 *
 * 1. Every pair of crashes: n = 3, t = 2, each node before each of its effects, back at once, after
 *    all others are at rest, or never (then fenced), on the real code. After each run the
 * invariants.
 * 2. Random schedules with crashes, aborts and shuffled mail, on the real code.
 * 3. A model of the rules, all interleavings; the two weakened variants must be found unsafe. */
#include "epochworld.h"
#include "qktest/qktest.h"

#include <stdio.h>
#include <stdlib.h>

enum { CRASH_MAX = 14 };

static bool up(const struct qkt_world *w, size_t i)
{
    return w->node[i].epoch != NULL;
}

static enum mpc_epoch_state state(const struct qkt_world *w, size_t i)
{
    return mpc_epoch_state(w->node[i].epoch);
}

/* 30 s pass: who is PREPARED and may, aborts (rule 5). */
static void half_minute(struct qkt_world *w)
{
    qkt_world_ask(w);
    for (size_t i = 0; i < w->n; i++) {
        if (!up(w, i) || state(w, i) != MPC_EPOCH_PREPARED) continue;
        if (mpc_epoch_abort(w->node[i].epoch) == QK_OK) qkt_world_effects(w, i);
    }
    qkt_world_rest(w);
    qkt_world_ask(w);
}

static void fence_lost(struct qkt_world *w)
{
    for (size_t i = 0; i < w->n; i++)
        for (size_t j = 0; j < w->n; j++) {
            if (!w->node[j].lost || !up(w, i)) continue;
            qk_assert_ok(mpc_epoch_fence(w->node[i].epoch, w->node[j].id));
            qkt_world_effects(w, i);
        }
    qkt_world_rest(w);
    qkt_world_ask(w);
}

/* I1, I2, I4, I5, and B-13: what the world may look like at any time when nothing is under way. */
static void claim_safe(const struct qkt_world *w, const char *what)
{
    size_t n_done = 0, n_gone = 0;
    for (size_t i = 0; i < w->n; i++) {
        const struct qkt_node *node = &w->node[i];
        cr_assert_not(node->said_vote && node->said_abort, "I5 (B-3) %s", what);
        if (!up(w, i)) continue;
        n_done += state(w, i) == MPC_EPOCH_DONE;
        n_gone += state(w, i) == MPC_EPOCH_ABORTED;
        if (state(w, i) == MPC_EPOCH_DONE) cr_assert(node->share, "I2 %s", what);
        if (w->run.base && state(w, i) != MPC_EPOCH_DONE)
            cr_assert(node->base, "I2 (B-4) %s", what);
        if (!mpc_epoch_complete(node->epoch)) continue;
        size_t holders = 0;
        for (size_t j = 0; j < w->n; j++) holders += w->node[j].share && !w->node[j].lost;
        cr_assert_geq(holders, w->run.t, "B-13: visible but not usable %s", what);
    }
    cr_assert(n_done == 0 || n_gone == 0, "I4: done and aborted %s", what);
}

/* Once everybody who exists is up again: one outcome for all of them. */
static void claim_settled(const struct qkt_world *w, const char *what)
{
    size_t n_done = 0, n_gone = 0, n_none = 0, n_lost = 0, n_open = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (w->node[i].lost)
            n_lost++;
        else if (!up(w, i))
            n_none++; /* K1: it forgot the run */
        else if (state(w, i) == MPC_EPOCH_DONE)
            n_done++;
        else if (state(w, i) == MPC_EPOCH_ABORTED)
            n_gone++;
        else
            n_open++;
    }
    cr_assert(n_done == 0 || n_done == w->n - n_lost, "half done: %s", what);
    /* A single node that aborts alone while another forgot the run stays ABORTING: the next run
     * supersedes it, or rule 8 forgets it after 24 h. */
    cr_assert(n_open == 0 || n_none + n_lost > 0, "undecided: %s", what);
    (void)n_gone;
}

static void run_plan(unsigned base, const unsigned crash[3], const enum qkt_restart mode[3])
{
    char what[96];
    struct qkt_world *w = qkt_world_new(3, 2, base);
    snprintf(what, sizeof what, "base %u, crashes %u/%d %u/%d %u/%d", base, crash[0], mode[0],
        crash[1], mode[1], crash[2], mode[2]);
    for (size_t i = 0; i < 3; i++) {
        w->node[i].crash_at = crash[i];
        w->node[i].restart = mode[i];
    }
    for (size_t i = 0; i < 3; i++) qkt_world_begin(w, i);
    qkt_world_rest(w);
    claim_safe(w, what);
    /* A planned crash may strike during the recovery from another one. */
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < 3; i++)
            if (w->node[i].down && mode[i] == QKT_NEVER) w->node[i].lost = true;
        for (size_t i = 0; i < 3; i++) qkt_world_restart(w, i);
        qkt_world_rest(w);
        claim_safe(w, what);
        half_minute(w);
        fence_lost(w);
        claim_safe(w, what);
    }
    claim_settled(w, what);
    qkt_world_free(w);
}

/* With base 1 this is D-12 too: the old epoch or the new one has its shares at every step, and no
 * two nodes end differently. (D-12 on shares that RESHARE made belongs to RESHARE.) */
QK_TEST(epoch_crash, B_3_B_4_B_13_D_12_every_pair_of_crashes)
{
    for (unsigned base = 0; base < 2; base++)
        for (size_t a = 0; a < 3; a++)
            for (unsigned ca = 1; ca <= CRASH_MAX; ca++)
                for (int ma = 0; ma < 3; ma++)
                    for (unsigned cb = 0; cb <= CRASH_MAX; cb++)
                        for (int mb = 0; mb < (cb ? 3 : 1); mb++) {
                            unsigned crash[3] = {0};
                            enum qkt_restart mode[3] = {QKT_AT_ONCE, QKT_AT_ONCE, QKT_AT_ONCE};
                            size_t b = (a + 1) % 3;
                            if (ma == QKT_NEVER && mb == QKT_NEVER) continue; /* t-1 lost at most */
                            crash[a] = ca;
                            mode[a] = (enum qkt_restart)ma;
                            crash[b] = cb;
                            mode[b] = (enum qkt_restart)mb;
                            run_plan(base, crash, mode);
                        }
}

/* ---- 2 ---- */

static void random_step(struct qkt_world *w)
{
    size_t i = (size_t)qkt_random(&w->dice, w->n);
    switch (qkt_random(&w->dice, 6)) {
    case 0:
        if (up(w, i))
            w->node[i].crash_at = w->node[i].n_effects + 1 + (unsigned)qkt_random(&w->dice, 6);
        break;
    case 1:
        qkt_world_restart(w, i);
        break;
    case 2:
        if (up(w, i) && state(w, i) == MPC_EPOCH_PREPARED && qkt_random(&w->dice, 4) == 0)
            if (mpc_epoch_abort(w->node[i].epoch) == QK_OK) qkt_world_effects(w, i);
        break;
    case 3:
        if (up(w, i)) {
            qk_assert_ok(mpc_epoch_ask(w->node[i].epoch));
            qkt_world_effects(w, i);
        }
        break;
    case 4:
        w->mute = (uint16_t)qkt_random(&w->dice, w->n + 1);
        break;
    default:
        qkt_world_rest(w);
    }
}

QK_TEST(epoch_crash, random_schedules_keep_the_invariants)
{
    for (unsigned seed = 0; seed < 3000; seed++) {
        unsigned n = 3 + seed % 3, t = n == 3 ? 2 : 2 + seed % 2;
        struct qkt_world *w = qkt_world_new(n, t, seed % 2);
        char what[32];
        snprintf(what, sizeof what, "seed %u", seed);
        qkt_rng_init(&w->dice, seed, 3);
        w->shuffle = true;
        for (size_t i = 0; i < n; i++) {
            w->node[i].restart = QKT_AFTER_REST;
            qkt_world_begin(w, i);
        }
        for (int k = 0; k < 40; k++) {
            random_step(w);
            claim_safe(w, what);
        }
        w->mute = 0;
        for (size_t i = 0; i < n; i++) {
            w->node[i].crash_at = 0;
            qkt_world_restart(w, i);
        }
        qkt_world_rest(w);
        qkt_world_ask(w);
        claim_safe(w, what);
        size_t n_done = 0;
        for (size_t i = 0; i < n; i++) n_done += up(w, i) && state(w, i) == MPC_EPOCH_DONE;
        cr_assert(n_done == 0 || n_done == n, "half done: %s", what);
        qkt_world_free(w);
    }
}

/* ---- 3: the model. Node 2 may be corrupt: it signs anything to anybody. ---- */

enum { MN = 3, MT = 2, PREPARED = 0, VOTED, DONE, ABORTING, ABORTED };

/* Per node: its state and which of the 9 statements it knows (bit kind*3 + who). */
struct model {
    uint8_t st[MN];
    uint16_t know[MN];
};

struct rules {
    bool done_at_t;    /* weakened: commit at t votes */
    bool abort_by_one; /* weakened: an abort certificate of one */
    bool corrupt;
};

static uint64_t pack(const struct model *m)
{
    uint64_t v = 0;
    for (int i = 0; i < MN; i++) v = v << 12 | (uint64_t)m->st[i] << 9 | m->know[i];
    return v;
}

static struct model unpack(uint64_t v)
{
    struct model m;
    for (int i = MN; i-- > 0; v >>= 12) {
        m.know[i] = v & 511;
        m.st[i] = (v >> 9) & 7;
    }
    return m;
}

static int popcount3(unsigned v)
{
    return __builtin_popcount(v & 7);
}

struct set {
    uint64_t *slot; /* value + 1, 0: free */
    size_t cap, n;
    uint64_t *todo;
    size_t n_todo;
};

static void visit(struct set *s, const struct model *m)
{
    uint64_t v = pack(m) + 1;
    size_t at = (size_t)((v * 0x9e3779b97f4a7c15u) >> 20) & (s->cap - 1);
    while (s->slot[at] != 0 && s->slot[at] != v) at = (at + 1) & (s->cap - 1);
    if (s->slot[at] == v) return;
    cr_assert_lt(s->n, s->cap / 2);
    s->slot[at] = v;
    s->n++;
    s->todo[s->n_todo++] = v - 1;
}

/* What node i may do by itself. */
static void own_moves(struct set *s, const struct model *m, int i, const struct rules *r)
{
    unsigned k = m->know[i];
    bool all_preps = (k & 7) == 7, complete = popcount3(k >> 3) >= (r->done_at_t ? MT : MN);
    bool cert = popcount3(k >> 6) >= (r->abort_by_one ? 1 : MT);
    struct model next = *m;
    uint8_t st = m->st[i];
    if (st == PREPARED && all_preps && !cert) {
        next.st[i] = VOTED;
        next.know[i] = (uint16_t)(k | 8u << i);
        visit(s, &next);
    }
    if (st == PREPARED && popcount3(k >> 3) == 0 && !all_preps) {
        next = *m;
        next.st[i] = ABORTING;
        next.know[i] = (uint16_t)(k | 64u << i);
        visit(s, &next);
    }
    if ((st == VOTED || st == ABORTING) && complete) {
        next = *m;
        next.st[i] = DONE;
        visit(s, &next);
    }
    if (st != DONE && st != ABORTED && cert && !(st != PREPARED && complete)) {
        next = *m;
        next.st[i] = ABORTED;
        visit(s, &next);
    }
}

/* Node i learns one statement that somebody else knows (or a corrupt one signs). Never delivered,
 * late, reordered and crashed are all covered: nothing has to happen. */
static void learnings(struct set *s, const struct model *m, int i, const struct rules *r)
{
    unsigned known = 0;
    for (int j = 0; j < MN; j++)
        if (!(r->corrupt && j == 2)) known |= m->know[j];
    if (r->corrupt) known |= 1u << 2 | 8u << 2 | 64u << 2;
    unsigned news = known & ~(unsigned)m->know[i];
    for (unsigned b = 0; b < 9; b++) {
        if (!(news >> b & 1)) continue;
        struct model next = *m;
        next.know[i] = (uint16_t)(next.know[i] | 1u << b);
        visit(s, &next);
    }
}

/* Two honest nodes, one that destroyed the old share and one that destroyed the new. */
static bool violated(const struct model *m, const struct rules *r)
{
    bool done = false, gone = false;
    for (int i = 0; i < (r->corrupt ? 2 : MN); i++) {
        done |= m->st[i] == DONE;
        gone |= m->st[i] == ABORTED;
    }
    return done && gone;
}

static bool explore(const struct rules *r, size_t *n_states)
{
    struct set s = {.cap = 1 << 21};
    bool bad = false;
    s.slot = calloc(s.cap, sizeof *s.slot);
    s.todo = calloc(s.cap, sizeof *s.todo);
    struct model m = {.know = {1, 2, 4}};
    visit(&s, &m);
    while (s.n_todo > 0 && !bad) {
        m = unpack(s.todo[--s.n_todo]);
        bad = violated(&m, r);
        for (int i = 0; i < (r->corrupt ? 2 : MN); i++) {
            own_moves(&s, &m, i, r);
            learnings(&s, &m, i, r);
        }
    }
    *n_states = s.n;
    free(s.slot);
    free(s.todo);
    return bad;
}

QK_TEST(epoch_crash, model_is_safe_and_the_weakened_rules_are_not)
{
    size_t n;
    cr_assert_not(explore(&(struct rules){0}, &n), "the rules are unsafe");
    cr_log_info("%zu states", n);
    cr_assert_gt(n, 1000);
    cr_assert_not(explore(&(struct rules){.corrupt = true}, &n), "unsafe with a corrupt node");
    cr_assert(explore(&(struct rules){.done_at_t = true, .corrupt = true}, &n),
        "commit at t votes was not found out");
    cr_assert(explore(&(struct rules){.abort_by_one = true, .corrupt = true}, &n),
        "abort by one was not found out");
}
