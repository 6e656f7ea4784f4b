#include "core/attempts.h"

#include <stdlib.h>
#include "vault/shares.h"

enum { SHARES_MAX = 64 }; /* of one key; more are not looked at: QK_E_BUSY */

static bool is_of(const struct node_epoch_run *r, const uint8_t *key_id)
{
    return memcmp(mpc_epoch_run(r->epoch)->key_id, key_id, 16) == 0;
}

/* ---- room for another one ---- */

static bool given_up(const struct node_epoch_run *r)
{
    return mpc_epoch_state(r->epoch) == MPC_EPOCH_ABORTING && mpc_epoch_run(r->epoch)->base == 0;
}

/* An open run that may yet become Complete by itself is waited for: a PREPARED one is decided by
 * its peers or given up after 30 s, a VOTED one is decided unless somebody has signed an abort. */
static bool undecided(const struct node_epoch_run *r)
{
    enum mpc_epoch_state state = mpc_epoch_state(r->epoch);
    if (r->ended_ms != 0) return false;
    return state == MPC_EPOCH_PREPARED || (state == MPC_EPOCH_VOTED && !mpc_epoch_doomed(r->epoch));
}

qk_err node_attempts_room(struct node *node, const uint8_t key_id[static 16])
{
    for (struct node_epoch_run *r = node->epochs->list; r != NULL; r = r->next) {
        if (!is_of(r, key_id)) continue;
        if (r->ended_ms == 0 && given_up(r) && mpc_epoch_forget(r->epoch) == QK_OK)
            node_epochs_settle(node, r);
        if (undecided(r)) return QK_E_BUSY;
    }
    return QK_OK;
}

/* ---- the shares of a key, as the disk has them ---- */

struct shares {
    struct node_share_info of[SHARES_MAX]; /* in the order in which they came */
    size_t n;
    bool more;
};

static bool note_share(void *arg, const struct node_share_info *info)
{
    struct shares *s = arg;
    s->more = s->n == SHARES_MAX;
    if (!s->more) s->of[s->n++] = *info;
    return !s->more;
}

static int by_seq(const void *a, const void *b)
{
    const struct node_share_info *x = a, *y = b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static qk_err list_shares(struct node *node, const uint8_t *key_id, struct shares *s)
{
    *s = (struct shares){.n = 0};
    QK_TRY(node_vault_share_list(node->vault, key_id, note_share, s));
    qsort(s->of, s->n, sizeof s->of[0], by_seq);
    return s->more ? QK_E_BUSY : QK_OK;
}

static bool is_final(const struct node_share_info *s)
{
    return s->state == NODE_SHARE_ACTIVE || s->state == NODE_SHARE_RETIRED;
}

/* ---- taking part ---- */

/* The machine of a stored share: one that stopped (its disk failed) is read again, since what it
 * has signed counts. *out is NULL for a share whose run never came to the disk: it has signed
 * nothing (K1). */
static qk_err machine_of(
    struct node *node, const struct node_share_info *share, struct node_epoch_run **out)
{
    static const size_t max = NODE_RUN_MAX;
    struct node_epoch_run *r = node_epochs_find(node->epochs, share->sid);
    bool stopped = r != NULL && mpc_epoch_state(r->epoch) == MPC_EPOCH_STOPPED;
    *out = r;
    if (r != NULL) return stopped ? QK_E_BUSY : QK_OK;
    QK_AUTO_BUF blob = QK_BUF_SECRET(max);
    qk_err err = node_vault_run_get(node->vault, share->sid, &blob);
    if (err == QK_E_NOT_FOUND) return QK_OK;
    QK_TRY(err);
    *out = node_epochs_take_up(node, share->sid);
    if (*out != NULL) node_epochs_settle(node, *out);
    return *out != NULL ? QK_OK : QK_E_CORRUPT;
}

static qk_err hold(struct node *node, struct node_epoch_run *r)
{
    if (r->ended_ms != 0 || mpc_epoch_state(r->epoch) != MPC_EPOCH_VOTED) return QK_OK;
    QK_TRY(mpc_epoch_hold(r->epoch));
    node_epochs_settle(node, r);
    return mpc_epoch_state(r->epoch) == MPC_EPOCH_HELD ? QK_OK : QK_E_IO;
}

static bool comes_after(const struct shares *s, const struct mpc_epoch_run *run)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->of[i].epoch > run->base + 1 || (s->of[i].epoch > run->base && is_final(&s->of[i])))
            return true;
    return false;
}

qk_err node_attempts_enter(struct node *node, const struct mpc_epoch_run *run)
{
    struct shares s;
    struct node_epoch_run *r;
    QK_TRY(list_shares(node, run->key_id, &s));
    QK_ENSURE(!comes_after(&s, run), QK_E_CONFLICT);
    for (size_t i = 0; i < s.n; i++)
        if (s.of[i].epoch == run->base + 1) QK_TRY(machine_of(node, &s.of[i], &r));
    QK_TRY(node_attempts_room(node, run->key_id));
    for (r = node->epochs->list; r != NULL; r = r->next)
        if (is_of(r, run->key_id)) QK_TRY(hold(node, r));
    QK_TRY(list_shares(node, run->key_id, &s)); /* one that was taken up may have become final */
    return comes_after(&s, run) ? QK_E_CONFLICT : QK_OK;
}

/* ---- what becomes of the others ---- */

/* Has another one become final? For a run without our vote it does not matter which was later. */
static bool overtaken(const struct shares *s, const struct node_epoch_run *r)
{
    const struct mpc_epoch_run *run = mpc_epoch_run(r->epoch);
    for (size_t i = 0; i < s->n; i++) {
        const struct node_share_info *other = &s->of[i];
        bool own = other->epoch == run->base + 1 && memcmp(other->sid, run->sid, 32) == 0;
        if (!own && other->epoch > run->base && is_final(other)) return true;
    }
    return false;
}

/* Is one that came later still under way, or held as well? */
static bool waits(struct node *node, const struct shares *s, const struct node_epoch_run *r)
{
    const struct mpc_epoch_run *run = mpc_epoch_run(r->epoch);
    for (size_t i = s->n; i-- > 0;) {
        const struct node_share_info *other = &s->of[i];
        if (other->epoch != run->base + 1) continue;
        if (memcmp(other->sid, run->sid, 32) == 0) return false;
        struct node_epoch_run *later;
        if (machine_of(node, other, &later) != QK_OK) return true;
        if (later == NULL) continue; /* K1 */
        enum mpc_epoch_state state = mpc_epoch_state(later->epoch);
        if (state != MPC_EPOCH_ABORTING && state != MPC_EPOCH_ABORTED) return true;
    }
    return false;
}

static void review_one(struct node *node, struct node_epoch_run *r)
{
    struct shares s;
    bool held = mpc_epoch_state(r->epoch) == MPC_EPOCH_HELD;
    if (list_shares(node, mpc_epoch_run(r->epoch)->key_id, &s) != QK_OK) return;
    qk_err err = QK_OK;
    if (overtaken(&s, r))
        err = mpc_epoch_supersede(r->epoch);
    else if (held && !waits(node, &s, r))
        err = mpc_epoch_release(r->epoch);
    if (err != QK_OK) qk_log(QK_ERROR, "epoch.review", QK_F_ERR(err));
    node_epochs_settle(node, r);
}

void node_attempts_review(struct node *node)
{
    for (struct node_epoch_run *r = node->epochs->list; r != NULL; r = r->next) {
        enum mpc_epoch_state state = mpc_epoch_state(r->epoch);
        if (r->ended_ms == 0 && (state == MPC_EPOCH_HELD || state == MPC_EPOCH_ABORTING))
            review_one(node, r);
    }
}
