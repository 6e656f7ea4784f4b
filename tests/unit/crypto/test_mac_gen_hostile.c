/* Making an HMAC key among nodes of which one lies: there is never a key, and the blame is fair. */
#include "macworld.h"
#include "qktest/qktest.h"
#include "mac/flow.h"

static const uint16_t four[] = {2, 5, 9, 200};

enum role { ROLE_G1, ROLE_G2, ROLE_E, ROLE_OUT, N_ROLES };

static struct mpc_mac_spec spec_of(unsigned alg, unsigned profile)
{
    return (struct mpc_mac_spec){
        .key_id = {2, 7, 1}, .ver = 1, .alg = (uint8_t)alg, .profile = (uint8_t)profile};
}

/* ---- who lies about what ---- */

struct lie {
    const char *what;
    enum role liar;
    enum role victim; /* N_ROLES: every other node sees it */
    unsigned round;   /* of the session */
    const char *field;
    size_t at;
    char cls;
    const char *check;
};

struct scene {
    struct lie lie;
    struct mpc_mac_roles roles; /* of the derivation */
};

static uint16_t node_of(const struct scene *s, enum role role)
{
    switch (role) {
    case ROLE_G1:
        return s->roles.g1;
    case ROLE_G2:
        return s->roles.g2;
    case ROLE_E:
        return s->roles.e;
    default:
        return 200;
    }
}

/* Who lies is known when the roles are. */
static void cast(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix)
{
    struct scene *s = w->ctx;
    (void)ix;
    if (strcmp(step->what, "mac-derive") != 0) return;
    s->roles = step->roles;
    w->cheater = node_of(s, s->lie.liar);
}

static void lie_in_field(struct qkt_net *net, struct qkt_frame *f, void *ctx)
{
    struct qkt_mac *w = ctx;
    const struct scene *s = w->ctx;
    (void)net;
    if (f->round != s->lie.round || qkt_field(f, s->lie.field).len == 0) return;
    if (s->lie.victim != N_ROLES && f->to != node_of(s, s->lie.victim)) return;
    qkt_flip(f, s->lie.field, s->lie.at, 1);
}

/* The victim says what the table says, everybody else that or nothing worse than N. */
static void expect_blame(const struct qkt_mac *w, const struct scene *s)
{
    const struct lie *l = &s->lie;
    uint16_t victim = l->victim == N_ROLES ? 0 : node_of(s, l->victim);
    bool seen = false;
    for (size_t i = 0; i < w->n; i++) {
        struct mpc_blame b = w->blame[i];
        if (w->ids[i] == w->cheater) continue;
        /* Whom the lie did not reach in the last round is through. */
        bool fair = b.cls == MPC_BLAME_NONE || b.cls == MPC_BLAME_N || b.party == w->cheater;
        cr_expect(fair, "%s: %u blames %u (%s)", l->what, w->ids[i], b.party, b.check);
        if (victim != 0 && w->ids[i] != victim) continue;
        if ((char)b.cls == l->cls && b.check && strcmp(b.check, l->check) == 0) seen = true;
    }
    cr_expect(seen, "%s: nobody says %c %s", l->what, l->cls, l->check);
}

static void play(const struct lie *lie, const char *step, unsigned profile, uint64_t seed)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, profile);
    struct qkt_mac *w = qkt_mac_new(seed, four, 4, &spec);
    struct scene s = {.lie = *lie};
    w->ctx = &s;
    w->meddle = cast;
    w->hook = lie_in_field;
    w->hook_step = step;
    cr_expect(!qkt_mac_make(w), "%s: a key was made", lie->what);
    cr_expect_str_eq(w->failed, step, "%s: failed in %s", lie->what, w->failed);
    if (strcmp(w->failed, step) == 0) expect_blame(w, &s);
    qkt_mac_free(w);
}

/* ---- M-14: the outputs of the derivation ---- */

QK_TEST(mac_gen_hostile, M_14_what_E_says_of_its_outputs_is_checked)
{
    static const struct lie lies[] = {
        {"ist to G1", ROLE_E, ROLE_G1, 1, "ist", 0, 'P', "M-14"},
        {"last bit of ist to G1", ROLE_E, ROLE_G1, 1, "ist", 31, 'P', "M-14"},
        {"ist to G2", ROLE_E, ROLE_G2, 1, "ist", 7, 'P', "M-14"},
        {"y to G2", ROLE_E, ROLE_G2, 1, "y", 0, 'P', "M-14"},
        {"last bit of y to G2", ROLE_E, ROLE_G2, 1, "y", 31, 'P', "M-14"},
        {"ist's digest to G1", ROLE_E, ROLE_G1, 1, "ist_d", 0, 'P', "M-14"},
        {"ist's digest to G2", ROLE_E, ROLE_G2, 1, "ist_d", 31, 'P', "M-14"},
        {"y's digest to G2", ROLE_E, ROLE_G2, 1, "y_d", 5, 'P', "M-14"},
        {"ist to a node outside", ROLE_E, ROLE_OUT, 1, "ist", 3, 'N', "M-14"},
        {"y to a node outside", ROLE_E, ROLE_OUT, 1, "y", 3, 'N', "M-14"},
        {"ist to all", ROLE_E, N_ROLES, 1, "ist", 3, 'P', "M-14"},
        {"y to all", ROLE_E, N_ROLES, 1, "y", 3, 'P', "M-14"},
        {"G2: ist to a node outside", ROLE_G2, ROLE_OUT, 2, "ist", 1, 'N', "M-14"},
        {"G2: y to a node outside", ROLE_G2, ROLE_OUT, 2, "y", 1, 'N', "M-14"},
        {"another run", ROLE_G1, N_ROLES, 1, "run", 1, 'N', "M-14"},
        {"another run to one", ROLE_OUT, ROLE_G2, 1, "run", 1, 'N', "M-14"},
        {"echo of round 1", ROLE_OUT, N_ROLES, 2, "echo1", 1, 'N', "C-9"},
        {"echo of round 3", ROLE_G2, N_ROLES, 4, "echo3", 1, 'N', "C-9"},
    };
    for (size_t i = 0; i < QK_COUNT(lies); i++) play(&lies[i], "mac-pieces", MPC_MAC_N, 200 + i);
}

/* Profile S: y is ist || ost, masked; there is no ist to tell. */
QK_TEST(mac_gen_hostile, M_14_in_profile_S_too)
{
    static const struct lie lies[] = {
        {"first bit of y to G2", ROLE_E, ROLE_G2, 1, "y", 0, 'P', "M-14"},
        {"last bit of y to G2", ROLE_E, ROLE_G2, 1, "y", 63, 'P', "M-14"},
        {"y to a node outside", ROLE_E, ROLE_OUT, 1, "y", 40, 'N', "M-14"},
        {"G2: y to a node outside", ROLE_G2, ROLE_OUT, 2, "y", 1, 'N', "M-14"},
    };
    for (size_t i = 0; i < QK_COUNT(lies); i++) play(&lies[i], "mac-pieces", MPC_MAC_S, 220 + i);
}

/* ---- M-13: pieces and self-test ---- */

QK_TEST(mac_gen_hostile, M_13_a_lie_about_pieces_leaves_no_key)
{
    for (enum role liar = ROLE_G1; liar < N_ROLES; liar++) {
        const struct lie lies[] = {
            {"pk of the first piece", liar, N_ROLES, 3, "pc", 0, 'N', "M-13"},
            {"pk of the second piece", liar, N_ROLES, 3, "pc", 32, 'N', "M-13"},
            {"pk of the last piece", liar, N_ROLES, 3, "pc", 95, 'N', "M-13"},
            {"hash of ist", liar, N_ROLES, 3, "ist", 0, 'N', "M-13"},
            {"hash of the record", liar, N_ROLES, 4, "V", 0, 'N', "M-13"},
        };
        for (size_t i = 0; i < QK_COUNT(lies); i++)
            play(&lies[i], "mac-pieces", MPC_MAC_N, 230 + 10 * liar + i);
    }
}

QK_TEST(mac_gen_hostile, M_13_pieces_told_differently_to_one_node_leave_no_key)
{
    for (enum role liar = ROLE_G1; liar < N_ROLES; liar++)
        for (enum role victim = ROLE_G1; victim < N_ROLES; victim++) {
            struct lie pc = {"pc to one", liar, victim, 3, "pc", 40, 'N', "M-13"};
            struct lie v = {"V to one", liar, victim, 4, "V", 1, 'N', "M-13"};
            if (liar == victim) continue;
            play(&pc, "mac-pieces", MPC_MAC_N, 300 + 4 * liar + victim);
            play(&v, "mac-pieces", MPC_MAC_N, 320 + 4 * liar + victim);
        }
}

QK_TEST(mac_gen_hostile, M_13_st_is_the_same_in_all_rotations)
{
    for (enum role liar = ROLE_G1; liar <= ROLE_E; liar++) {
        const struct lie all = {"st", liar, N_ROLES, 1, "st", 0, 'N', "M-13"};
        const struct lie one = {"st to one", liar, ROLE_OUT, 1, "st", 31, 'N', "M-13"};
        const struct lie v = {"V", liar, N_ROLES, 2, "V", 0, 'N', "M-13"};
        play(&all, "mac-st", MPC_MAC_N, 340 + liar);
        play(&one, "mac-st", MPC_MAC_N, 350 + liar);
        play(&v, "mac-st", MPC_MAC_N, 360 + liar);
    }
}

/* ---- one node holds another piece than it should ---- */

struct swap {
    const char *step; /* before which the piece changes */
    size_t node, piece;
    bool done;
};

static void other_piece(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix)
{
    struct swap *s = w->ctx;
    if (s->done || strcmp(step->what, s->step) != 0 || ix != s->node) return;
    w->gen[ix]->made.share.piece[s->piece][9] ^= 4;
    s->done = true;
}

static bool made_with(const char *step, size_t node, size_t piece)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_224, MPC_MAC_N);
    struct swap s = {.step = step, .node = node, .piece = piece};
    struct qkt_mac *w = qkt_mac_new(400 + piece, four, 4, &spec);
    w->meddle = other_piece;
    w->ctx = &s;
    bool made = qkt_mac_make(w);
    qkt_mac_free(w);
    return made;
}

/* M-13: changed before the pieces are compared, or after it. Nobody lies: the node believes it.
 * Only piece G1 may change before: what comes from E takes its place. */
QK_TEST(mac_gen_hostile, M_13_a_holder_of_another_piece_makes_no_key)
{
    for (size_t node = 0; node < 4; node++)
        for (size_t piece = 0, made = 0; piece < 4; piece++) {
            if (node == piece) continue;
            made += made_with("mac-derive", node, piece);
            cr_expect(made <= 1, "node %zu, piece %zu", node, piece);
            cr_expect(!made_with("mac-selftest", node, piece), "node %zu, piece %zu", node, piece);
        }
}

/* ---- the runs: nobody gets a key past E's checks ---- */

struct bent_frame {
    const char *what;
    enum role from;
    enum qkt_mac_kind kind;
    bool last; /* of the chunks */
    long at;   /* from the end if negative */
    qk_err err;
    const char *check;
};

struct run_scene {
    struct scene scene;
    struct bent_frame bent;
    const char *step;
    bool done;
};

static void cast_run(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix)
{
    struct run_scene *s = w->ctx;
    (void)ix;
    if (strcmp(step->what, s->step) != 0 || s->done) return;
    s->scene.roles = step->roles;
    w->cheater = node_of(&s->scene, s->bent.from);
}

static void bend_frame(struct qkt_mac *w, struct qkt_mac_frame *f)
{
    struct run_scene *s = w->ctx;
    if (f->what == NULL || strcmp(f->what, s->step) != 0 || f->kind != s->bent.kind) return;
    if (f->kind == QKT_MAC_CHUNK && s->bent.last == (f->data.len == MPC_MAC_CHUNK)) return;
    if (s->done) return;
    size_t at = s->bent.at < 0 ? f->data.len - (size_t)-s->bent.at : (size_t)s->bent.at;
    f->data.p[at] ^= 1;
    s->done = true;
}

static void play_run(const struct bent_frame *bent, const char *step, uint64_t seed)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *w = qkt_mac_new(seed, four, 4, &spec);
    struct run_scene s = {.bent = *bent, .step = step};
    w->ctx = &s;
    w->meddle = cast_run;
    w->bend = bend_frame;
    cr_expect(!qkt_mac_make(w), "%s of %s: a key was made", bent->what, step);
    cr_expect(s.done, "%s of %s: nothing was bent", bent->what, step);
    cr_expect_str_eq(w->failed, step);
    cr_expect_eq(w->err, bent->err, "%s of %s: %d", bent->what, step, w->err);
    bool named = false;
    for (size_t i = 0; i < w->why.n; i++) named |= w->why.node[i] == w->cheater;
    cr_expect(named, "%s of %s: the liar is no suspect", bent->what, step);
    if (w->why.check) cr_expect_str_eq(w->why.check, bent->check, "%s of %s", bent->what, step);
    qkt_mac_free(w);
}

QK_TEST(mac_gen_hostile, M_4_M_5_no_derivation_survives_a_changed_bit)
{
    /* The stream of a derivation: LA (64 bytes of bits), kh, digests, tables, decoding bits. */
    enum { LA = 16 * 8 * 64 };
    static const struct bent_frame bent[] = {
        {"LA of K", ROLE_G1, QKT_MAC_CHUNK, false, 0, QK_E_PROOF, "M-5"},
        {"LA of the mask", ROLE_G1, QKT_MAC_CHUNK, false, LA - 1, QK_E_PROOF, "M-5"},
        {"kh", ROLE_G1, QKT_MAC_CHUNK, false, LA, QK_E_PROOF, "M-4"},
        {"a digest", ROLE_G1, QKT_MAC_CHUNK, false, LA + 16 + 64, QK_E_PROOF, "M-4"},
        {"a table", ROLE_G1, QKT_MAC_CHUNK, false, 100000, QK_E_PROOF, "M-4"},
        {"the last table", ROLE_G1, QKT_MAC_CHUNK, true, -100, QK_E_PROOF, "M-4"},
        {"first decoding bits", ROLE_G1, QKT_MAC_CHUNK, true, -64, QK_E_PROOF, "M-4"},
        {"last decoding bits", ROLE_G1, QKT_MAC_CHUNK, true, -1, QK_E_PROOF, "M-4"},
        {"LB", ROLE_G2, QKT_MAC_LABELS, false, 16 * 77, QK_E_PROOF, "M-5"},
        {"GMAC", ROLE_G2, QKT_MAC_GMAC, false, 3, QK_E_PROOF, "M-4"},
    };
    for (size_t i = 0; i < QK_COUNT(bent); i++) play_run(&bent[i], "mac-derive", 500 + i);
}

QK_TEST(mac_gen_hostile, M_13_no_self_test_survives_a_changed_bit)
{
    static const struct bent_frame bent[] = {
        {"LA", ROLE_G1, QKT_MAC_CHUNK, false, 5, QK_E_PROOF, "M-5"},
        {"a table", ROLE_G1, QKT_MAC_CHUNK, true, -1, QK_E_PROOF, "M-4"},
        {"LB", ROLE_G2, QKT_MAC_LABELS, false, 0, QK_E_PROOF, "M-5"},
        {"G1's run", ROLE_G1, QKT_MAC_OUT, false, 0, QK_E_PROOF, "M-7"},
        {"G1's OT", ROLE_G1, QKT_MAC_OUT, false, 100, QK_E_PROOF, "M-7"},
        {"G2's digest", ROLE_G2, QKT_MAC_OUT, false, 31, QK_E_PROOF, "M-7"},
    };
    for (size_t i = 0; i < QK_COUNT(bent); i++) play_run(&bent[i], "mac-selftest", 520 + i);
}

/* Two garblers with different link secrets: two streams, no key, nothing to read in either. */
QK_TEST(mac_gen_hostile, M_11_other_link_secrets_make_no_key)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    for (size_t i = 0; i < 3; i++) {
        struct qkt_mac *w = qkt_mac_new(540 + i, four, 4, &spec);
        w->kappa[i][(i + 1) % 3][0] ^= 1;
        cr_expect(!qkt_mac_make(w));
        cr_expect(strcmp(w->failed, "mac-derive") == 0 || strcmp(w->failed, "mac-selftest") == 0,
            "%s", w->failed);
        qkt_mac_free(w);
    }
}

static qk_err no_link(void *ctx, uint16_t peer, uint8_t out[static MPC_MAC_KAPPA_LEN])
{
    (void)ctx, (void)peer, (void)out;
    return QK_E_IO;
}

QK_TEST(mac_gen_hostile, without_a_link_the_step_does_not_begin)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *w = qkt_mac_new(550, four, 4, &spec);
    for (size_t i = 0; i < 3; i++) w->links[i].kappa = no_link;
    cr_assert(!qkt_mac_make(w));
    cr_assert_str_eq(w->failed, "cnfgen"); /* what came before */
    cr_assert_eq(w->err, QK_E_IO);
    qkt_mac_free(w);
}

/* ---- import ---- */

static void deal_to(struct qkt_mac *w, struct mpc_mac_part *parts, struct qk_bytes key)
{
    qk_assert_ok(mpc_mac_import_deal(parts, &w->spec, w->ids, w->n, key, &w->dice.rng));
}

static void import_fails(struct qkt_mac *w, const struct mpc_mac_part *parts,
    const struct mpc_mac_record *old, const char *step, const char *what)
{
    cr_expect(!qkt_mac_import(w, parts, old), "%s: imported", what);
    cr_expect_str_eq(w->failed, step, "%s: failed in %s", what, w->failed);
    bool said = strcmp(step, "start") == 0;
    for (size_t i = 0; i < w->n && !said; i++)
        said = w->blame[i].check != NULL && strcmp(w->blame[i].check, "M-13") == 0;
    cr_expect(said, "%s: nobody says M-13", what);
}

QK_TEST(mac_gen_hostile, M_13_parts_that_do_not_belong_together_make_no_key)
{
    struct mpc_mac_spec spec = spec_of(MPC_MAC_256, MPC_MAC_N);
    struct qkt_mac *w = qkt_mac_new(600, four, 4, &spec);
    struct mpc_mac_part good[4], other[4], bad[4];
    deal_to(w, good, qk_str("the right key"));
    deal_to(w, other, qk_str("another key"));

    memcpy(bad, good, sizeof bad);
    bad[2].share.piece[3][31] ^= 1;
    import_fails(w, bad, NULL, "mac-pieces", "a piece of one node");
    memcpy(bad, good, sizeof bad);
    bad[0].share.ist[0] ^= 1;
    import_fails(w, bad, NULL, "mac-pieces", "ist of one node");
    memcpy(bad, good, sizeof bad);
    bad[3] = other[3];
    import_fails(w, bad, NULL, "mac-pieces", "a part of another key");
    memcpy(bad, good, sizeof bad);
    for (size_t i = 0; i < 4; i++) bad[i].st[0] ^= 1;
    import_fails(w, bad, NULL, "mac-st", "st that the key does not give");
    memcpy(bad, good, sizeof bad);
    bad[1].st[0] ^= 1;
    import_fails(w, bad, NULL, "mac-st", "st of one node");
    qkt_mac_free(w);
}

QK_TEST(mac_gen_hostile, M_13_only_the_same_key_comes_back)
{
    for (unsigned profile = MPC_MAC_N; profile <= MPC_MAC_S; profile += MPC_MAC_S - MPC_MAC_N) {
        struct mpc_mac_spec spec = spec_of(MPC_MAC_256, profile);
        struct qkt_mac *w = qkt_mac_new(610 + profile, four, 4, &spec);
        struct mpc_mac_part good[4], other[4];
        deal_to(w, good, qk_str("the right key"));
        cr_assert(qkt_mac_import(w, good, NULL), "%s", w->failed);
        struct mpc_mac_record first = w->record;
        deal_to(w, other, qk_str("another key"));
        import_fails(w, other, &first, "start", "another key");
        /* The dealer says it is the same. */
        for (size_t i = 0; i < 4; i++) {
            memcpy(other[i].st, good[i].st, 32);
            memcpy(other[i].share.ist, good[i].share.ist, sizeof good[i].share.ist);
        }
        import_fails(w, other, &first, "mac-st", "another key that claims to be the same");
        qkt_mac_free(w);
    }
}
