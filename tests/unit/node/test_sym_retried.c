/* A version id is used again by the next attempt: what an earlier one left at some nodes only must
 * not stand in its way (check S-20). */
#include <signal.h>
#include "mpc/epoch.h"
#include "mpc/sym_record.h"
#include "qktest/qktest.h"
#include "nodesym.h"
#include "qk/clock.h"
#include "vault/shares.h"

enum { NODE = 2 };

static const uint16_t all[] = {1, 2, 3, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    struct ns s;
    char key[KMS_UUID_LEN + 1], body[160];
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\n");
    nd_init(&s->d, &s->box);
    ns_init(&s->s, &s->d);
    ns_create_key(&s->s, "FV", s->key);
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

/* What the attempt before has left in the vault of NODE, under the id of version 2. */
struct left {
    struct node_vault *vault;
    struct wire_identity *identity;
    struct mpc_epoch_run run;
};

static qk_err sign(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len)
{
    struct left *l = ctx;
    *len = WIRE_SIG_LEN;
    return wire_identity_sign(l->identity, qk_bytes(msg, 64), sig);
}

static qk_err verify(void *ctx, uint16_t party, const uint8_t msg[64], struct qk_bytes sig)
{
    (void)ctx, (void)party, (void)msg, (void)sig;
    return QK_E_PROOF; /* nobody answers */
}

static void carry_out(struct left *l, struct mpc_epoch *epoch, bool keep_state)
{
    struct mpc_effect e;
    while (mpc_epoch_next_effect(epoch, &e)) {
        if (e.kind != MPC_EFFECT_PERSIST) continue;
        if (strcmp(e.name, "share") == 0)
            qk_assert_ok(node_vault_share_put_pending(l->vault, l->run.key_id, 1, qk_str("a share"),
                qk_str("of an attempt"), qk_now_ms()));
        else if (keep_state)
            qk_assert_ok(node_vault_run_put(l->vault, l->run.sid, e.data, qk_now_ms()));
    }
}

static void leave(struct scene *s, bool keep_state)
{
    struct node_seal *seal;
    struct mpc_epoch *epoch;
    struct left l = {.identity = s->box.nodes[NODE]};
    l.run = (struct mpc_epoch_run){
        .sid = {9}, .rec = {8}, .t = 2, .n = 3, .ids = {1, 2, 3}, .self = NODE};
    struct mpc_signer signer = {.ctx = &l, .sign = sign, .verify = verify};
    qk_assert_ok(mpc_sym_version_id(
        l.run.key_id, nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r.key.key_id, 2));
    cr_assert_eq(nodebox_stop(&s->box, NODE, SIGKILL), SIGKILL);
    l.vault = nodebox_vault(&s->box, NODE, &seal);
    qk_assert_ok(mpc_epoch_start(&epoch, &l.run, &signer, qk_str("payload")));
    carry_out(&l, epoch, keep_state);
    qk_assert_ok(mpc_epoch_abort(epoch));
    carry_out(&l, epoch, keep_state);
    mpc_epoch_free(epoch);
    node_vault_close(l.vault);
    node_seal_free(seal);
    nodebox_start(&s->box, NODE);
    nodebox_wait_ready(&s->box);
    cr_assert(ns_channel(&s->s, NODE));
}

static void rotates(struct scene *s, const char *what)
{
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.RotateKeyOnDemand", s->body, all);
    bool ok = nd_send(&s->d, op);
    if (!ok) nd_show(op);
    cr_assert(ok, "S-20: %s", what);
    nd_keep(&s->d, op);
    cr_assert_eq(ns_current(&s->s, s->key), 2u);
    cr_assert(ns_round_trip(&s->s, s->key, NULL, false));
}

/* The share came to the disk and the state of its run did not: K1 of document 90. */
QK_TEST(sym_retried, S_20_a_share_without_a_run_is_gone_after_the_restart)
{
    struct scene s;
    set_up(&s);
    leave(&s, false);
    rotates(&s, "a crash between the share and its run blocks the version");
    tear_down(&s);
}

/* Fewer than t nodes were prepared, so there will never be a certificate of abortion. */
QK_TEST(sym_retried, S_20_a_run_that_one_node_has_given_up_makes_room)
{
    struct scene s;
    set_up(&s);
    leave(&s, true);
    rotates(&s, "an attempt that one node alone has given up blocks the version");
    tear_down(&s);
}
