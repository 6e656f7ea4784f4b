/* Life of a party: start, rounds, end. */
#include "session/engine.h"

#include "mpc/session.h"
#include "session/internal.h"

#include "qk/pack.h"

qk_err mpc_engine_new(struct mpc_party **out, const struct mpc_proto_def *def,
    const struct mpc_session *s, struct qk_rng *rng)
{
    QK_ENSURE(def->n_rounds >= 1 && def->n_rounds <= MPC_ROUNDS_MAX, QK_E_STATE);
    QK_TRY(mpc_session_check(s));
    struct mpc_party *party = OPENSSL_zalloc(sizeof *party);
    QK_ENSURE(party, QK_E_NOMEM);
    party->state = OPENSSL_zalloc(def->state_len ? def->state_len : 1);
    if (!party->state) {
        OPENSSL_clear_free(party, sizeof *party);
        return QK_E_NOMEM;
    }
    party->def = def;
    party->s = *s;
    party->curve = mpc_curve_get(s->curve);
    party->rng = rng;
    party->self_ix = (size_t)mpc_engine_index(party, s->self);
    qk_err err = mpc_open_id(party->open_id, def->name, s);
    if (err != QK_OK) {
        mpc_party_free(party);
        return err;
    }
    *out = party;
    return QK_OK;
}

static void wipe_msgs(struct mpc_party *party, unsigned round, enum mpc_way way)
{
    for (size_t i = 0; i < party->s.n_peers; i++) {
        struct mpc_seen *seen = &party->seen[round][i][way];
        mpc_msg_free(seen->msg);
        seen->msg = NULL;
    }
}

void mpc_engine_wipe_session(struct mpc_party *party)
{
    for (unsigned r = 0; r < MPC_ROUNDS_MAX; r++) {
        wipe_msgs(party, r, MPC_TO_ALL);
        wipe_msgs(party, r, MPC_TO_ONE);
    }
    for (size_t i = 0; i < MPC_PARTIES_MAX; i++)
        for (size_t w = 0; w < 2; w++) qk_buf_free(&party->early[i][w].frame);
    qk_wipe(party->nonce, sizeof party->nonce);
}

static void clear_state(struct mpc_party *party)
{
    if (!party->state) return;
    if (party->def->clear) party->def->clear(party->state);
    OPENSSL_clear_free(party->state, party->def->state_len ? party->def->state_len : 1);
    party->state = NULL;
}

void mpc_party_free(struct mpc_party *party)
{
    if (!party) return;
    mpc_engine_wipe_session(party);
    clear_state(party);
    mpc_queue_clear(&party->queue);
    OPENSSL_clear_free(party, sizeof *party);
}

void mpc_engine_done(struct mpc_party *party)
{
    party->phase = MPC_DONE;
}

void *mpc_engine_result(struct mpc_party *party, uint8_t proto)
{
    if (party->phase != MPC_DONE || party->def->proto != proto) return NULL;
    return party->state;
}

/* ---- failure ---- */

static qk_err fail(struct mpc_party *party, struct mpc_blame blame, qk_err err)
{
    if (party->blame.cls == MPC_BLAME_NONE) party->blame = blame;
    return err;
}

qk_err mpc_fail_p(struct mpc_party *party, uint16_t id, const char *check, qk_err err)
{
    return fail(party, (struct mpc_blame){MPC_BLAME_P, id, check}, err);
}

qk_err mpc_fail_x(struct mpc_party *party, uint16_t id, const char *check, qk_err err)
{
    return fail(party, (struct mpc_blame){MPC_BLAME_X, id, check}, err);
}

qk_err mpc_fail_n(struct mpc_party *party, const char *check, qk_err err)
{
    return fail(party, (struct mpc_blame){MPC_BLAME_N, 0, check}, err);
}

static void tell_peers(struct mpc_party *party)
{
    static const uint8_t code = 1;
    QK_AUTO_BUF body = QK_BUF(32);
    qk_pack_map(&body, 1);
    qk_pack_key_bin(&body, "code", qk_bytes(&code, 1));
    /* Out of memory here: the peers will time out instead. */
    if (body.err == QK_OK)
        if (mpc_queue_frame(party, MPC_ROUND_ABORT, 0, qk_buf_view(&body)) != QK_OK) return;
}

void mpc_engine_abort(struct mpc_party *party, qk_err err, bool tell, size_t first)
{
    if (party->phase == MPC_ABORTED) return;
    fail(party, (struct mpc_blame){MPC_BLAME_N, 0, qk_err_name(err)}, err); /* if no other */
    party->phase = MPC_ABORTED;
    /* A caller stops at the first effect that fails. Were a poison behind sends of earlier steps,
     * the peer it is about could prevent it by closing its link. */
    if (mpc_queue_has(&party->queue, MPC_EFFECT_SETUP_POISON)) first = 0;
    mpc_queue_drop_unsaid(&party->queue, first);
    if (tell && party->s.n_peers > 1) tell_peers(party);
    mpc_engine_wipe_session(party);
    clear_state(party);
}

void mpc_party_expire(struct mpc_party *party)
{
    if (party->phase != MPC_RUNNING) return;
    fail(party, (struct mpc_blame){MPC_BLAME_N, 0, "timeout"}, QK_E_TIMEOUT);
    mpc_engine_abort(party, QK_E_TIMEOUT, true, 0);
}

/* ---- rounds ---- */

static bool round_complete(const struct mpc_party *party)
{
    unsigned r = party->round;
    for (size_t i = 0; i < party->s.n_peers; i++) {
        uint16_t id = party->s.peers[i].id;
        for (unsigned way = 0; way < 2; way++) {
            bool wanted = r == 0 ? way == MPC_TO_ALL && i != party->self_ix
                                 : mpc_engine_expects(party, r, way, id, party->s.self);
            if (wanted && !party->seen[r][i][way].have) return false;
        }
    }
    return true;
}

/* What tells a late copy of a private message from a second one, once its bytes are gone. */
static qk_err note_digests(struct mpc_party *party, unsigned r)
{
    for (size_t i = 0; i < party->s.n_peers; i++) {
        struct mpc_seen *seen = &party->seen[r][i][MPC_TO_ONE];
        if (seen->msg)
            QK_TRY(mpc_h32(seen->digest, MPC_L_BC, MPC_FIELDS(qk_buf_view(&seen->msg->body))));
    }
    return QK_OK;
}

static qk_err run_round(struct mpc_party *party)
{
    unsigned r = party->round;
    if (r == 0) {
        QK_TRY(
            mpc_sid(party->sid, party->def->name, &party->s, (const uint8_t(*)[32])party->nonce));
        party->have_sid = true;
    }
    QK_TRY(party->def->rounds[r](party));
    if (party->phase == MPC_RUNNING) QK_TRY(note_digests(party, r));
    wipe_msgs(party, r, MPC_TO_ONE);
    if (party->phase != MPC_RUNNING) return QK_OK;
    party->round++;
    QK_ENSURE(party->round < party->def->n_rounds, QK_E_STATE);
    return QK_OK;
}

/* Now that the sid is known, look at what came before it. */
static qk_err replay_early(struct mpc_party *party)
{
    for (size_t i = 0; i < party->s.n_peers; i++) {
        for (size_t w = 0; w < 2; w++) {
            struct mpc_early *early = &party->early[i][w];
            if (!early->have) continue;
            early->have = false;
            struct mpc_envelope env;
            qk_err err = mpc_envelope_decode(qk_buf_view(&early->frame), &env);
            if (err == QK_OK && memcmp(env.sid, party->sid, 32) == 0)
                err = mpc_engine_take(party, i, &env);
            qk_buf_free(&early->frame);
            QK_TRY(err);
        }
    }
    return QK_OK;
}

qk_err mpc_engine_advance(struct mpc_party *party)
{
    while (party->phase == MPC_RUNNING && round_complete(party)) {
        size_t first = party->queue.n;
        qk_err err = run_round(party);
        if (err == QK_OK && party->phase == MPC_RUNNING && party->round == 1)
            err = replay_early(party);
        if (err != QK_OK) {
            mpc_engine_abort(party, err, true, first);
            return err;
        }
    }
    if (party->phase == MPC_DONE) mpc_engine_wipe_session(party);
    return QK_OK;
}

static qk_err open_session(struct mpc_party *party)
{
    uint8_t *nonce = party->nonce[party->self_ix];
    QK_TRY(qk_rng_fill(party->rng, nonce, 32));
    QK_AUTO_BUF body = QK_BUF(64);
    qk_pack_map(&body, 1);
    qk_pack_key_bin(&body, "nonce", qk_bytes(nonce, 32));
    QK_TRY(body.err);
    if (party->s.n_peers == 1) return QK_OK;
    return mpc_queue_frame(party, 0, 0, qk_buf_view(&body));
}

qk_err mpc_engine_begin(struct mpc_party *party)
{
    qk_err err = open_session(party);
    if (err != QK_OK) {
        mpc_engine_abort(party, err, false, 0);
        return err;
    }
    return mpc_engine_advance(party);
}

/* ---- what everybody may ask ---- */

void mpc_party_open_id(const struct mpc_party *party, uint8_t out[static 32])
{
    memcpy(out, party->open_id, 32);
}

bool mpc_party_sid(const struct mpc_party *party, uint8_t out[static 32])
{
    if (party->have_sid) memcpy(out, party->sid, 32);
    return party->have_sid;
}

enum mpc_state mpc_party_state(const struct mpc_party *party)
{
    return party->phase;
}

struct mpc_blame mpc_party_blame(const struct mpc_party *party)
{
    return party->blame;
}

unsigned mpc_party_round(const struct mpc_party *party)
{
    return party->round;
}
