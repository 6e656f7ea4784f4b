/* The epoch commit: rules 1 to 5, 8, 9 and the restarts, one by one. n = 3, t = 2. */
#include "epoch/state.h"
#include "epochworld.h"
#include "qktest/qktest.h"

static enum mpc_epoch_state state(struct qkt_world *w, size_t i)
{
    return mpc_epoch_state(w->node[i].epoch);
}

static void begin_all(struct qkt_world *w)
{
    for (size_t i = 0; i < w->n; i++) qkt_world_begin(w, i);
}

/* Give node i a statement of `who`, sent by `from`. */
static qk_err give(struct qkt_world *w, size_t i, unsigned kind, uint16_t who, uint16_t from)
{
    QK_AUTO_BUF frame = QK_BUF(8192);
    qkt_statement(&frame, &w->run, kind, who, from, w->node[i].id);
    qk_err err = mpc_epoch_receive(w->node[i].epoch, from, qk_buf_view(&frame));
    qkt_world_effects(w, i);
    return err;
}

QK_TEST(epoch, an_undisturbed_run_ends_done_everywhere)
{
    for (uint32_t base = 0; base < 2; base++) {
        struct qkt_world *w = qkt_world_new(3, 2, base);
        w->shuffle = true;
        begin_all(w);
        qkt_world_rest(w);
        for (size_t i = 0; i < 3; i++) {
            cr_assert_eq(state(w, i), MPC_EPOCH_DONE);
            cr_assert(mpc_epoch_complete(w->node[i].epoch));
            cr_assert(w->node[i].share && !w->node[i].base);
            cr_assert_eq(w->node[i].n_wipes, base);
            cr_assert_eq(mpc_epoch_double_signer(w->node[i].epoch), 0);
        }
        qkt_world_free(w);
    }
}

QK_TEST(epoch, a_single_party_commits_alone)
{
    struct qkt_world *w = qkt_world_new(1, 1, 0);
    begin_all(w);
    cr_assert_eq(state(w, 0), MPC_EPOCH_DONE);
    qkt_world_free(w);
}

QK_TEST(epoch, B_1_no_prep_when_the_share_is_not_on_disk)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    w->node[1].fail_disk = true; /* full, or what was read back differs */
    begin_all(w);
    qkt_world_rest(w);
    cr_assert_not(w->node[1].said_prep, "B-1");
    cr_assert_eq(state(w, 1), MPC_EPOCH_STOPPED);
    cr_assert_eq(w->node[1].state.len, 0);
    for (size_t i = 0; i < 3; i += 2) cr_assert_eq(state(w, i), MPC_EPOCH_PREPARED);
    qk_assert_err(mpc_epoch_ask(w->node[1].epoch), QK_E_STATE);
    qkt_world_free(w);
}

QK_TEST(epoch, B_1_share_then_state_then_prep)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    struct mpc_epoch_run run = qkt_world_run_of(w, 0);
    struct mpc_effect e;
    struct mpc_epoch *epoch;
    qk_assert_ok(mpc_epoch_start(&epoch, &run, &w->node[0].signer, qk_str("share")));
    cr_assert(mpc_epoch_next_effect(epoch, &e));
    cr_assert(e.kind == MPC_EFFECT_PERSIST && strcmp(e.name, "share") == 0, "B-1");
    cr_assert(qk_bytes_is(e.data, "share"));
    cr_assert(mpc_epoch_next_effect(epoch, &e));
    cr_assert(e.kind == MPC_EFFECT_PERSIST && strcmp(e.name, "state") == 0, "B-1");
    cr_assert(memmem(e.data.p, e.data.len, "share", 5) == NULL, "the state is public");
    cr_assert(mpc_epoch_next_effect(epoch, &e));
    cr_assert_eq(e.kind, MPC_EFFECT_SEND);
    mpc_epoch_free(epoch);
    qkt_world_free(w);
}

QK_TEST(epoch, B_2_a_vote_needs_every_prep_for_exactly_my_record)
{
    for (int v = 0; v < 6; v++) {
        struct qkt_world *w = qkt_world_new(3, 2, 0);
        struct mpc_epoch_run other = w->run;
        QK_AUTO_BUF frame = QK_BUF(8192);
        qkt_world_begin(w, 0);
        qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
        qk_err want = QK_E_PROOF;
        if (v == 0) other.rec[0] ^= 1;
        if (v == 1) other.base++;
        if (v == 2) other.key_id[0] ^= 1;
        if (v == 3) other.sid[0] ^= 1, want = QK_E_FOREIGN;
        if (v == 4) {
            qk_assert_ok(mpc_epoch_fence(w->node[0].epoch, 3));
            want = QK_E_DENIED;
        }
        qkt_statement(&frame, &other, EP_PREP, 3, 3, 1);
        if (v == 5) frame.p[frame.len - 1] ^= 1; /* forged */
        qk_assert_err(mpc_epoch_receive(w->node[0].epoch, 3, qk_buf_view(&frame)), want);
        qkt_world_effects(w, 0);
        cr_assert_eq(state(w, 0), MPC_EPOCH_PREPARED, "B-2: variant %d", v);
        cr_assert_not(w->node[0].said_vote, "B-2: variant %d", v);
        if (v == 4) { /* forwarded by an unfenced peer, it still does not count */
            qk_assert_ok(give(w, 0, EP_PREP, 3, 2));
        }
        cr_assert_not(w->node[0].said_vote, "B-2: variant %d", v);
        qkt_world_free(w);
    }
}

QK_TEST(epoch, B_2_preps_may_be_forwarded_but_not_invented)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    qkt_world_begin(w, 0);
    qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
    qk_assert_ok(give(w, 0, EP_PREP, 3, 2)); /* 2 shows what 3 signed (rule 5) */
    cr_assert_eq(state(w, 0), MPC_EPOCH_VOTED);
    qkt_world_free(w);
}

QK_TEST(epoch, B_3_vote_and_abort_exclude_each_other_across_restarts)
{
    for (unsigned crash = 1; crash < 12; crash++)
        for (int first_abort = 0; first_abort < 2; first_abort++) {
            struct qkt_world *w = qkt_world_new(3, 2, 0);
            w->node[0].crash_at = crash;
            qkt_world_begin(w, 0);
            struct mpc_epoch *e = w->node[0].epoch;
            if (first_abort && e) {
                qk_assert_ok(mpc_epoch_abort(e));
                qkt_world_effects(w, 0);
            }
            if (w->node[0].epoch) qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
            if (w->node[0].epoch) qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
            qkt_world_restart(w, 0);
            e = w->node[0].epoch;
            if (e && mpc_epoch_state(e) == MPC_EPOCH_PREPARED) {
                /* the other choice, if the first was not written */
                if (first_abort) {
                    qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
                    qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
                } else {
                    qk_assert_ok(mpc_epoch_abort(e));
                    qkt_world_effects(w, 0);
                }
            } else if (e) {
                qk_assert_err(mpc_epoch_abort(e), QK_E_STATE);
                qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
                qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
            }
            cr_assert_not(w->node[0].said_vote && w->node[0].said_abort, "B-3: crash at %u", crash);
            qkt_world_free(w);
        }
}

QK_TEST(epoch, B_3_no_abort_once_a_vote_is_known)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    qkt_world_begin(w, 0);
    qk_assert_ok(give(w, 0, EP_VOTE, 2, 2));
    qk_assert_err(mpc_epoch_abort(w->node[0].epoch), QK_E_DENIED);
    cr_assert_eq(state(w, 0), MPC_EPOCH_PREPARED);
    qkt_world_free(w);
}

/* B-3, B-12 (K17): a disk put back to before the vote. Peers that show the vote stop the node,
 * before it can sign an abort on top of it. */
QK_TEST(epoch, B_3_a_vote_that_is_not_remembered_stops_the_machine)
{
    for (unsigned kind = EP_VOTE; kind <= EP_ABORT; kind++) {
        struct qkt_world *w = qkt_world_new(3, 2, 1);
        qkt_world_begin(w, 0);
        struct mpc_epoch *e = w->node[0].epoch;
        QK_AUTO_BUF forged = QK_BUF(8192);
        qkt_statement(&forged, &w->run, kind, 1, 2, 1);
        forged.p[forged.len - 1] ^= 1; /* nobody can say it in our name */
        qk_assert_err(mpc_epoch_receive(e, 2, qk_buf_view(&forged)), QK_E_PROOF);
        cr_assert_eq(state(w, 0), MPC_EPOCH_PREPARED);
        qk_assert_ok(give(w, 0, EP_PREP, 1, 2)); /* what we do remember is no news */
        qk_assert_err(give(w, 0, kind, 1, 2), QK_E_CORRUPT);
        cr_assert_eq(state(w, 0), MPC_EPOCH_STOPPED, "B-12");
        qk_assert_err(mpc_epoch_abort(e), QK_E_STATE);
        cr_assert_not(w->node[0].said_vote || w->node[0].said_abort, "B-3");
        qkt_world_free(w);
    }
}

QK_TEST(epoch, B_4_done_only_with_every_vote)
{
    struct qkt_world *w = qkt_world_new(3, 2, 1);
    qkt_world_begin(w, 0);
    qkt_world_begin(w, 1);
    qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
    qk_assert_ok(give(w, 1, EP_PREP, 3, 3));
    qkt_world_rest(w); /* 1 and 2 have voted, 3 never does */
    for (size_t i = 0; i < 2; i++) {
        for (int k = 0; k < 100; k++) qkt_world_ask(w);
        cr_assert_eq(state(w, i), MPC_EPOCH_VOTED);
        cr_assert(mpc_epoch_usable(w->node[i].epoch));
        cr_assert_not(mpc_epoch_complete(w->node[i].epoch));
        cr_assert(w->node[i].base && w->node[i].share, "B-4: the base share is gone");
    }
    qk_assert_ok(give(w, 0, EP_VOTE, 3, 3));
    cr_assert_eq(state(w, 0), MPC_EPOCH_DONE);
    cr_assert_not(w->node[0].base);
    qkt_world_free(w);
}

QK_TEST(epoch, B_5_size_and_signers_of_an_abort_certificate)
{
    struct qkt_world *w = qkt_world_new(3, 2, 1);
    qkt_world_begin(w, 0);
    qk_assert_ok(give(w, 0, EP_ABORT, 2, 2));
    qk_assert_ok(give(w, 0, EP_ABORT, 2, 2)); /* t-1 and a repetition */
    qk_assert_ok(give(w, 0, EP_ABORT, 2, 3));
    cr_assert_eq(state(w, 0), MPC_EPOCH_PREPARED, "B-5: one signer is not two");
    qk_assert_ok(give(w, 0, EP_ABORT, 3, 3));
    cr_assert_eq(state(w, 0), MPC_EPOCH_ABORTED);
    cr_assert(w->node[0].base && !w->node[0].share);
    qkt_world_free(w);

    w = qkt_world_new(4, 3, 1); /* the abort of a fenced node does not count: 3-1 needed */
    qkt_world_begin(w, 0);
    qk_assert_ok(give(w, 0, EP_ABORT, 3, 2));
    qk_assert_ok(mpc_epoch_fence(w->node[0].epoch, 3));
    qk_assert_ok(give(w, 0, EP_ABORT, 2, 2));
    cr_assert_eq(state(w, 0), MPC_EPOCH_PREPARED, "B-5: fenced");
    qk_assert_ok(give(w, 0, EP_ABORT, 4, 4));
    cr_assert_eq(state(w, 0), MPC_EPOCH_ABORTED);
    qkt_world_free(w);
}

QK_TEST(epoch, B_5_complete_wins_over_a_later_certificate)
{
    struct qkt_world *w = qkt_world_new(3, 2, 1);
    begin_all(w);
    qkt_world_rest(w);
    cr_assert_eq(state(w, 0), MPC_EPOCH_DONE);
    qk_assert_ok(give(w, 0, EP_ABORT, 2, 2));
    qk_assert_ok(give(w, 0, EP_ABORT, 3, 3));
    cr_assert_eq(state(w, 0), MPC_EPOCH_DONE, "B-5");
    cr_assert(w->node[0].share, "B-5");
    qkt_world_free(w);
}

QK_TEST(epoch, B_10_a_double_signer_is_named_and_nothing_destroyed)
{
    struct qkt_world *w = qkt_world_new(3, 2, 1);
    qkt_world_begin(w, 0);
    qkt_world_begin(w, 1);
    qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
    qk_assert_ok(give(w, 1, EP_PREP, 3, 3));
    qk_assert_ok(give(w, 1, EP_ABORT, 3, 3)); /* votes to the one, aborts to the other */
    w->mute = 1;
    qkt_world_rest(w);
    qk_assert_ok(give(w, 1, EP_VOTE, 3, 3));
    cr_assert_eq(mpc_epoch_double_signer(w->node[1].epoch), 3, "B-10");
    cr_assert(w->node[1].share && w->node[1].base, "B-10");
    qkt_world_free(w);
}

QK_TEST(epoch, rule_4_t_votes_make_it_usable_for_aborting_nodes_too)
{
    struct qkt_world *w = qkt_world_new(4, 2, 1);
    qkt_world_begin(w, 0);
    qk_assert_ok(mpc_epoch_abort(w->node[0].epoch));
    qkt_world_effects(w, 0);
    cr_assert_not(mpc_epoch_usable(w->node[0].epoch));
    qk_assert_ok(give(w, 0, EP_VOTE, 2, 2));
    cr_assert_not(mpc_epoch_usable(w->node[0].epoch));
    qk_assert_ok(give(w, 0, EP_VOTE, 3, 3));
    cr_assert(mpc_epoch_usable(w->node[0].epoch) && w->node[0].share);
    cr_assert_eq(state(w, 0), MPC_EPOCH_ABORTING);
    qkt_world_free(w);
}

QK_TEST(epoch, rule_8_an_unvoted_creation_may_be_forgotten_and_never_votes_again)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    qkt_world_begin(w, 0);
    qk_assert_ok(mpc_epoch_forget(w->node[0].epoch));
    qkt_world_effects(w, 0);
    cr_assert_eq(state(w, 0), MPC_EPOCH_ABORTED);
    cr_assert_not(w->node[0].share);
    qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
    qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
    cr_assert_not(w->node[0].said_vote);
    qkt_world_free(w);

    w = qkt_world_new(3, 2, 1);
    qkt_world_begin(w, 0);
    qk_assert_err(mpc_epoch_forget(w->node[0].epoch), QK_E_DENIED); /* no creation */
    qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
    qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
    qk_assert_err(mpc_epoch_forget(w->node[0].epoch), QK_E_DENIED); /* voted */
    qkt_world_free(w);
}

QK_TEST(epoch, rule_9_fencing_the_lost_node_lets_the_others_finish)
{
    struct qkt_world *w = qkt_world_new(3, 2, 1);
    qkt_world_begin(w, 0);
    qkt_world_begin(w, 1);
    qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
    qk_assert_ok(give(w, 1, EP_PREP, 3, 3));
    qkt_world_rest(w);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(state(w, i), MPC_EPOCH_VOTED);
        qk_assert_ok(mpc_epoch_fence(w->node[i].epoch, 3));
        qkt_world_effects(w, i);
        cr_assert_eq(state(w, i), MPC_EPOCH_DONE);
        qk_assert_err(give(w, i, EP_ABORT, 3, 3), QK_E_DENIED);
    }
    qkt_world_free(w);
}

QK_TEST(epoch, K_3_a_restarted_node_repeats_the_same_bytes_and_asks)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    w->node[0].restart = QKT_AFTER_REST;
    w->node[0].crash_at = 3; /* share and state are written, prep is not sent */
    qkt_world_begin(w, 0);
    cr_assert_not(w->node[0].said_prep);
    qkt_world_begin(w, 1);
    qkt_world_begin(w, 2);
    qkt_world_rest(w);
    cr_assert_eq(state(w, 1), MPC_EPOCH_PREPARED);
    qkt_world_restart(w, 0);
    cr_assert(w->node[0].said_prep);
    qkt_world_rest(w);
    for (size_t i = 0; i < 3; i++) cr_assert_eq(state(w, i), MPC_EPOCH_DONE);
    qkt_world_free(w);
}

QK_TEST(epoch, K_9_and_K_11_interrupted_destruction_is_repeated)
{
    for (unsigned crash = 1; crash < 20; crash++)
        for (int abort = 0; abort < 2; abort++) {
            struct qkt_world *w = qkt_world_new(3, 2, 1);
            w->node[0].crash_at = crash;
            qkt_world_begin(w, 0);
            for (unsigned who = 2; who <= 3; who++)
                for (unsigned kind = 0; kind < 3; kind++)
                    if (w->node[0].epoch && (kind == EP_ABORT) == (abort != 0) &&
                        !(abort && kind != EP_ABORT))
                        qk_assert_ok(give(w, 0, kind, (uint16_t)who, (uint16_t)who));
            qkt_world_restart(w, 0);
            if (w->node[0].epoch) {
                for (unsigned who = 2; who <= 3; who++) {
                    if (!abort) qk_assert_ok(give(w, 0, EP_PREP, (uint16_t)who, (uint16_t)who));
                    qk_assert_ok(
                        give(w, 0, abort ? EP_ABORT : EP_VOTE, (uint16_t)who, (uint16_t)who));
                }
                cr_assert_eq(state(w, 0), abort ? MPC_EPOCH_ABORTED : MPC_EPOCH_DONE);
                cr_assert_eq(w->node[0].base, abort != 0, "crash at %u", crash);
                cr_assert_eq(w->node[0].share, abort == 0, "crash at %u", crash);
            } else {
                cr_assert(w->node[0].base);
            }
            qkt_world_free(w);
        }
}

QK_TEST(epoch, a_failing_signer_stops_the_machine_and_loses_nothing)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    qkt_world_begin(w, 0);
    qk_assert_ok(give(w, 0, EP_PREP, 2, 2));
    w->node[0].ident.fail = 1;
    qk_assert_err(give(w, 0, EP_PREP, 3, 3), QK_E_CRYPTO);
    cr_assert_eq(state(w, 0), MPC_EPOCH_STOPPED);
    w->node[0].ident.fail = 0;
    qkt_world_crash(w, 0);
    qkt_world_restart(w, 0);
    cr_assert_eq(state(w, 0), MPC_EPOCH_PREPARED);
    qk_assert_ok(give(w, 0, EP_PREP, 3, 3));
    cr_assert_eq(state(w, 0), MPC_EPOCH_VOTED);
    qkt_world_free(w);
}

/* ---- bytes ---- */

QK_TEST(epoch, C_7_statement_lists_have_one_form)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    struct mpc_stmts got;
    const uint8_t good[] = {0, 0, 2, 1, 9, 1, 0, 1, 2, 9, 9};
    qk_assert_ok(mpc_stmts_decode(&w->run, QK_BYTES(good), &got));
    for (size_t len = 1; len < sizeof good; len++)
        if (len != 5)
            qk_assert_err(mpc_stmts_decode(&w->run, qk_bytes(good, len), &got), QK_E_MALFORMED);
    static const uint8_t bad[][11] = {
        {1, 0, 1, 2, 9, 9, 0, 0, 2, 1, 9}, /* descending kinds */
        {0, 0, 2, 1, 9, 0, 0, 2, 2, 9, 9}, /* twice */
        {0, 0, 2, 1, 9, 0, 0, 1, 2, 9, 9}, /* descending ids */
        {0, 0, 2, 1, 9, 3, 0, 1, 2, 9, 9}, /* no such kind */
        {0, 0, 4, 1, 9, 1, 0, 1, 2, 9, 9}, /* no participant */
        {0, 0, 2, 0, 1, 0, 1, 2, 9, 9, 9}, /* empty */
        {0, 0, 2, 200, 9, 1, 0, 1, 2, 9, 9},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        qk_assert_err(mpc_stmts_decode(&w->run, QK_BYTES(bad[i]), &got), QK_E_MALFORMED);
    qkt_world_free(w);
}

QK_TEST(epoch, C_7_bent_frames_change_nothing)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    qkt_world_begin(w, 0);
    QK_AUTO_BUF frame = QK_BUF(8192);
    qkt_statement(&frame, &w->run, EP_PREP, 2, 2, 1);
    struct mpc_epoch *e = w->node[0].epoch;
    for (size_t len = 0; len < frame.len; len++)
        cr_assert_neq(mpc_epoch_receive(e, 2, qk_bytes(frame.p, len)), QK_OK);
    for (size_t at = 0; at < frame.len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            frame.p[at] ^= (uint8_t)(1u << bit);
            qk_err err = mpc_epoch_receive(e, 2, qk_buf_view(&frame));
            frame.p[at] ^= (uint8_t)(1u << bit);
            if (err == QK_OK) /* tell turned into ask, or r beyond: nothing false was learnt */
                cr_assert_eq(mpc_epoch_state(e), MPC_EPOCH_PREPARED);
        }
    qk_assert_err(mpc_epoch_receive(e, 9, qk_buf_view(&frame)), QK_E_STATE);
    qk_assert_err(mpc_epoch_receive(e, 1, qk_buf_view(&frame)), QK_E_STATE);
    qk_assert_err(mpc_epoch_receive(e, 3, qk_buf_view(&frame)), QK_E_MALFORMED); /* f is 2 */
    mpc_epoch_stop(e);
    qkt_world_free(w);
}

QK_TEST(epoch, K_2_a_damaged_state_is_refused)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    struct mpc_epoch *e = NULL;
    begin_all(w);
    qkt_world_rest(w);
    struct qk_buf *blob = &w->node[0].state;
    for (size_t len = 0; len < blob->len; len++)
        qk_assert_err(
            mpc_epoch_resume(&e, &w->node[0].signer, qk_bytes(blob->p, len)), QK_E_CORRUPT);
    qk_buf_add_u8(blob, 0);
    qk_assert_err(mpc_epoch_resume(&e, &w->node[0].signer, qk_buf_view(blob)), QK_E_CORRUPT);
    cr_assert_null(e);
    qkt_world_free(w);
}

/* What node 1 would have on disk with this state and these statements; may it go on from there? */
static qk_err resume_with(enum mpc_epoch_state st, bool destroyed, unsigned preps, unsigned votes,
    unsigned aborts, uint32_t base, size_t fenced)
{
    struct qkt_world *w = qkt_world_new(3, 2, base);
    struct mpc_epoch disk = {.run = qkt_world_run_of(w, 0), .state = st, .destroyed = destroyed};
    struct mpc_epoch *e = NULL;
    QK_AUTO_BUF blob = QK_BUF(MPC_EPOCH_STATE_MAX);
    const unsigned sets[EP_KINDS] = {preps, votes, aborts}; /* bit i: node i + 1 */
    for (unsigned kind = 0; kind < EP_KINDS; kind++)
        for (unsigned i = 0; i < 3; i++) disk.known.s[kind][i].len = (sets[kind] >> i) & 1 ? 32 : 0;
    if (fenced) disk.fenced[fenced - 1] = true;
    qk_assert_ok(mpc_epoch_encode(&disk, &blob));
    qk_err err = mpc_epoch_resume(&e, &w->node[0].signer, qk_buf_view(&blob));
    cr_assert_eq(err == QK_OK, e != NULL);
    mpc_epoch_free(e);
    qkt_world_free(w);
    return err;
}

/* K-2: a state that would destroy a share must hold what decided it: VOTED and DONE differ in one
 * bit. */
QK_TEST(epoch, B_4_B_5_a_stored_decision_without_its_signatures_is_refused)
{
    qk_assert_ok(resume_with(MPC_EPOCH_DONE, false, 7, 7, 0, 1, 0));
    qk_assert_ok(resume_with(MPC_EPOCH_DONE, true, 7, 3, 0, 1, 3)); /* fenced before or since */
    qk_assert_err(resume_with(MPC_EPOCH_DONE, false, 7, 3, 0, 1, 0), QK_E_CORRUPT);
    qk_assert_err(resume_with(MPC_EPOCH_DONE, false, 7, 6, 0, 1, 0), QK_E_CORRUPT); /* not ours */
    qk_assert_ok(resume_with(MPC_EPOCH_ABORTED, false, 7, 0, 3, 1, 0));
    qk_assert_ok(resume_with(MPC_EPOCH_ABORTED, false, 7, 1, 6, 1, 0));
    qk_assert_ok(resume_with(MPC_EPOCH_ABORTED, true, 3, 0, 2, 1, 3));
    qk_assert_ok(resume_with(MPC_EPOCH_ABORTED, false, 1, 0, 0, 0, 0)); /* a creation given up */
    qk_assert_err(resume_with(MPC_EPOCH_ABORTED, false, 1, 0, 0, 1, 0), QK_E_CORRUPT);
    qk_assert_err(resume_with(MPC_EPOCH_ABORTED, false, 7, 1, 2, 1, 0), QK_E_CORRUPT);
    qk_assert_err(resume_with(MPC_EPOCH_ABORTED, false, 7, 1, 0, 0, 0), QK_E_CORRUPT); /* voted */
    qk_assert_ok(resume_with(MPC_EPOCH_VOTED, false, 7, 1, 0, 1, 0));
    qk_assert_err(resume_with(MPC_EPOCH_VOTED, false, 3, 1, 0, 1, 0), QK_E_CORRUPT);
    qk_assert_err(resume_with(MPC_EPOCH_VOTED, true, 7, 1, 0, 1, 0), QK_E_CORRUPT);
    qk_assert_err(resume_with(MPC_EPOCH_PREPARED, false, 1, 0, 0, 1, 1), QK_E_CORRUPT);
}

QK_TEST(epoch, rule_7_certificates_of_t_votes_verify_and_others_do_not)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    QK_AUTO_BUF cert = QK_BUF(8192);
    size_t n = 0;
    qkt_world_begin(w, 0);
    qk_assert_err(mpc_epoch_certificate(w->node[0].epoch, &cert), QK_E_STATE);
    qkt_world_begin(w, 1);
    qkt_world_begin(w, 2);
    qkt_world_rest(w);
    const struct mpc_signer *signer = &w->node[0].signer;
    qk_assert_ok(mpc_epoch_certificate(w->node[0].epoch, &cert));
    qk_assert_ok(mpc_epoch_certificate_verify(&w->run, signer, qk_buf_view(&cert), &n));
    cr_assert_eq(n, 3);
    struct mpc_epoch_run other = w->run;
    other.rec[3] ^= 1;
    qk_assert_err(mpc_epoch_certificate_verify(&other, signer, qk_buf_view(&cert), &n), QK_E_PROOF);
    qk_assert_err(
        mpc_epoch_certificate_verify(&w->run, signer, qk_bytes(cert.p, 36), &n), QK_E_PROOF);
    cert.p[10] ^= 1;
    qk_assert_err(
        mpc_epoch_certificate_verify(&w->run, signer, qk_buf_view(&cert), &n), QK_E_PROOF);
    qkt_world_free(w);
}

QK_TEST(epoch, C_1_runs_with_bad_participants_are_refused)
{
    struct qkt_world *w = qkt_world_new(3, 2, 0);
    struct mpc_epoch *e = NULL;
    for (int v = 0; v < 8; v++) {
        struct mpc_epoch_run run = qkt_world_run_of(w, 0);
        if (v == 0) run.ids[0] = 0;
        if (v == 1) run.ids[1] = 1;
        if (v == 2) run.ids[2] = 256;
        if (v == 3) run.t = 4;
        if (v == 4) run.t = 0;
        if (v == 5) run.self = 7;
        if (v == 6) run.n = 0;
        if (v == 7) run.n = 34;
        qk_assert_err(mpc_epoch_start(&e, &run, &w->node[0].signer, qk_str("s")), QK_E_STATE);
    }
    struct mpc_epoch_run run = qkt_world_run_of(w, 0);
    qk_assert_err(mpc_epoch_start(&e, &run, &w->node[0].signer, qk_bytes("", 0)), QK_E_STATE);
    cr_assert_null(e);
    qkt_world_free(w);
}
