/* A version id is used again by the next attempt: what an earlier one left at some nodes must not
 * stand in its way (check S-20), whatever it was: document 90, rule 6. */
#include <signal.h>
#include "mpc/sym_record.h"
#include "nodeleft.h"
#include "nodesym.h"
#include "qktest/qktest.h"

enum { PATIENCE_MS = 30000 };

static const uint16_t all[] = {1, 2, 3, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    struct ns s;
    char key[KMS_UUID_LEN + 1], body[160];
    uint8_t id[16]; /* of version 2 */
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\n");
    nd_init(&s->d, &s->box);
    ns_init(&s->s, &s->d);
    ns_create_key(&s->s, "FV", s->key);
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
    qk_assert_ok(
        mpc_sym_version_id(s->id, nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r.key.key_id, 2));
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static void channels(struct scene *s)
{
    for (uint16_t id = 1; id <= (uint16_t)NB_NODES; id++) cr_assert(ns_channel(&s->s, id));
}

/* The nodes tell each other first what they have signed: until then they say RETRY. */
static void rotates(struct scene *s, const char *what)
{
    bool ok = false;
    channels(s);
    for (unsigned waited = 0; !ok && waited < PATIENCE_MS; waited += 500) {
        ND_AUTO_OP *op = nd_op(&s->d, "TrentService.RotateKeyOnDemand", s->body, all);
        ok = nd_send(&s->d, op);
        if (ok)
            nd_keep(&s->d, op);
        else
            nodebox_sleep_ms(500);
        if (!ok && waited + 500 >= PATIENCE_MS) nd_show(op);
    }
    cr_assert(ok, "S-20: %s", what);
    cr_assert_eq(ns_current(&s->s, s->key), 2u);
    cr_assert(ns_round_trip(&s->s, s->key, NULL, false));
}

/* Every node: one share of version 2, in use, the same attempt everywhere; stopped afterwards. */
static void one_attempt_counts(struct scene *s)
{
    struct node_share_info first[NL_SHARES_MAX], info[NL_SHARES_MAX];
    for (uint16_t id = 1; id <= (uint16_t)NB_NODES; id++) {
        cr_assert_eq(nodebox_stop(&s->box, id, SIGTERM), 0);
        cr_assert_eq(nl_shares(&s->box, id, s->id, id == 1 ? first : info), 1, "node %u", id);
        const struct node_share_info *i = id == 1 ? &first[0] : &info[0];
        cr_assert_eq(i->state, NODE_SHARE_ACTIVE, "node %u", id);
        cr_assert_arr_eq(i->sid, first[0].sid, 32, "node %u", id);
    }
}

static void restart(struct scene *s)
{
    for (uint16_t id = 1; id <= (uint16_t)NB_NODES; id++) nodebox_start(&s->box, id);
    nodebox_wait_ready(&s->box);
    channels(s);
}

/* The share came to the disk and the state of its run did not: K1 of document 90. */
QK_TEST(sym_retried, S_20_a_share_without_a_run_is_gone_after_the_restart)
{
    struct scene s;
    set_up(&s);
    nl_leave(&s.box, s.id, 0, 9, (enum nl_left[]){[2] = NL_SHARE_ONLY, [3] = NL_NOTHING});
    rotates(&s, "a crash between the share and its run blocks the version");
    one_attempt_counts(&s);
    tear_down(&s);
}

/* Fewer than t nodes were prepared, so there will never be a certificate of abortion. */
QK_TEST(sym_retried, S_20_a_run_that_one_node_has_given_up_makes_room)
{
    struct scene s;
    set_up(&s);
    nl_leave(&s.box, s.id, 0, 9, (enum nl_left[]){[2] = NL_GIVEN_UP, [3] = NL_NOTHING});
    rotates(&s, "an attempt that one node alone has given up blocks the version");
    tear_down(&s);
}

/* B-8: (vote, vote, abort), a node that was cut off when the others had all preps. Neither set is
 * complete, nobody may take back what he signed, and the next run supersedes it. */
QK_TEST(sym_retried, B_8_S_20_the_next_run_supersedes_one_of_votes_and_an_abort)
{
    struct scene s;
    set_up(&s);
    nl_leave(&s.box, s.id, 0, 9, (enum nl_left[]){[1] = NL_VOTED, NL_GIVEN_UP, NL_VOTED});
    rotates(&s, "B-8: an attempt with votes and an abort blocks the version");
    one_attempt_counts(&s);
    restart(&s);
    cr_assert(ns_round_trip(&s.s, s.key, NULL, false), "B-8: after a restart");
    one_attempt_counts(&s);
    tear_down(&s);
}

/* The same twice, and all nodes die in between: the order of the attempts is on the disk. */
QK_TEST(sym_retried, B_8_two_undecided_runs_are_superseded_by_the_third)
{
    struct scene s;
    set_up(&s);
    nl_leave(&s.box, s.id, 0, 9, (enum nl_left[]){[1] = NL_VOTED, NL_GIVEN_UP, NL_VOTED});
    nl_leave(&s.box, s.id, 0, 7, (enum nl_left[]){[1] = NL_GIVEN_UP, NL_VOTED, NL_VOTED});
    rotates(&s, "B-8: two attempts with votes and an abort block the version");
    one_attempt_counts(&s);
    tear_down(&s);
}

/* (vote, abort, abort): the certificate of abortion ends it everywhere. */
QK_TEST(sym_retried, B_8_a_run_that_t_nodes_aborted_is_over)
{
    struct scene s;
    set_up(&s);
    nl_leave(&s.box, s.id, 0, 9, (enum nl_left[]){[1] = NL_VOTED, NL_GIVEN_UP, NL_GIVEN_UP});
    rotates(&s, "B-8: an attempt that was aborted blocks the version");
    one_attempt_counts(&s);
    tear_down(&s);
}
