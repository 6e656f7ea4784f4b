#include "driver.h"

#include "qktest/qktest.h"
#include <sodium.h>
#include <stdlib.h>
#include "qk/pack.h"

/* ---- randomness ---- */

static qk_err fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    struct qkt_rng *r = (struct qkt_rng *)rng;
    if (r->fail_after >= 0 && r->draws >= (uint64_t)r->fail_after) return QK_E_RNG;
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = {0};
    qk_put_u64(nonce, r->draws++);
    crypto_stream_chacha20(out, len, nonce, r->key);
    return QK_OK;
}

void qkt_rng_init(struct qkt_rng *r, uint64_t seed, uint64_t stream)
{
    memset(r, 0, sizeof *r);
    r->rng.fill = fill;
    r->fail_after = -1;
    qk_put_u64(r->key, seed);
    qk_put_u64(r->key + 8, stream);
}

uint64_t qkt_random(struct qkt_rng *r, uint64_t below)
{
    uint8_t b[8];
    cr_assert_eq(fill(&r->rng, b, sizeof b), QK_OK);
    return qk_get_u64(b) % below;
}

/* ---- the net ---- */

struct qkt_net *qkt_net_new(uint64_t seed)
{
    struct qkt_net *net = calloc(1, sizeof *net);
    cr_assert_not_null(net);
    net->seed = seed;
    qkt_rng_init(&net->dice, seed, 0xd1ce);
    return net;
}

void qkt_net_free(struct qkt_net *net)
{
    if (!net) return;
    for (size_t i = 0; i < net->n; i++) {
        mpc_party_free(net->p[i].party);
        qk_buf_free(&net->p[i].stored);
    }
    for (size_t i = 0; i < net->n_queue; i++) qk_buf_free(&net->queue[i].data);
    free(net->queue);
    free(net);
}

void qkt_add(struct qkt_net *net, uint16_t id, struct mpc_party *party)
{
    cr_assert_lt(net->n, MPC_PARTIES_MAX);
    net->p[net->n++] =
        (struct qkt_party){.id = id, .party = party, .stored = QK_BUF_SECRET(1 << 20)};
}

struct qkt_party *qkt_party(struct qkt_net *net, uint16_t id)
{
    for (size_t i = 0; i < net->n; i++)
        if (net->p[i].id == id) return &net->p[i];
    cr_assert_fail("no party %u", id);
    return NULL;
}

static struct qkt_frame make_frame(uint16_t from, uint16_t to, struct qk_bytes data)
{
    struct qkt_frame f = {.from = from, .to = to, .data = QK_BUF(1 << 20)};
    qk_buf_add(&f.data, data.p, data.len);
    cr_assert_eq(f.data.err, QK_OK);
    return f;
}

static void enqueue(struct qkt_net *net, struct qkt_frame f)
{
    if (net->n_queue == net->cap_queue) {
        net->cap_queue = net->cap_queue ? 2 * net->cap_queue : 64;
        net->queue = realloc(net->queue, net->cap_queue * sizeof *net->queue);
        cr_assert_not_null(net->queue);
    }
    if (net->tap) net->tap(&f, net->tap_ctx);
    net->queue[net->n_queue++] = f;
}

void qkt_inject(struct qkt_net *net, uint16_t from, uint16_t to, struct qk_bytes data)
{
    enqueue(net, make_frame(from, to, data));
}

/* One addressee's copy; the cheater's hook sees it first. */
static void send_one(struct qkt_net *net, uint16_t from, uint16_t to, struct qk_bytes data)
{
    struct qkt_frame f = make_frame(from, to, data);
    struct mpc_envelope env;
    cr_assert_eq(mpc_envelope_decode(data, &env), QK_OK);
    f.round = env.round;
    if ((from == net->cheater || net->hook_all) && net->hook) net->hook(net, &f, net->hook_ctx);
    if (f.round == 255 && net->mute_aborts) f.drop = true;
    if (f.drop) {
        qk_buf_free(&f.data);
        return;
    }
    enqueue(net, f);
}

static void send_effect(struct qkt_net *net, struct qkt_party *who, const struct mpc_effect *e)
{
    for (size_t i = 0; i < net->n; i++) {
        uint16_t to = net->p[i].id;
        if (to != who->id && (e->to == 0 || e->to == to)) send_one(net, who->id, to, e->data);
    }
}

static qk_err count_effect(struct qkt_party *who, const struct mpc_effect *e)
{
    if (e->kind == MPC_EFFECT_SETUP_POISON) who->n_poisons++;
    if (e->kind == MPC_EFFECT_WIPE) who->n_wipes++;
    if (e->kind != MPC_EFFECT_PERSIST) return QK_OK;
    if (who->persist_fails) return QK_E_IO;
    who->n_persists++;
    qk_buf_clear(&who->stored);
    qk_buf_add(&who->stored, e->data.p, e->data.len);
    return who->stored.err;
}

static void run_effects(struct qkt_net *net, struct qkt_party *who)
{
    struct mpc_effect e;
    while (mpc_party_next_effect(who->party, &e)) {
        if (e.kind == MPC_EFFECT_SEND) {
            send_effect(net, who, &e);
            continue;
        }
        qk_err err =
            net->on_effect ? net->on_effect(net, who, &e, net->effect_ctx) : count_effect(who, &e);
        if (err != QK_OK) mpc_party_expire(who->party);
    }
}

static size_t pick(struct qkt_net *net)
{
    size_t start = net->in_order ? 0 : (size_t)qkt_random(&net->dice, net->n_queue);
    for (size_t k = 0; k < net->n_queue; k++) {
        size_t i = (start + k) % net->n_queue;
        if (net->queue[i].delay == 0) return i;
    }
    return start;
}

static struct qkt_frame dequeue(struct qkt_net *net)
{
    size_t at = pick(net);
    struct qkt_frame f = net->queue[at];
    net->n_queue--;
    memmove(&net->queue[at], &net->queue[at + 1], (net->n_queue - at) * sizeof *net->queue);
    for (size_t i = 0; i < net->n_queue; i++)
        if (net->queue[i].delay) net->queue[i].delay--;
    return f;
}

static void deliver(struct qkt_net *net, struct qkt_frame *f)
{
    struct qkt_party *to = qkt_party(net, f->to);
    if (f->to == net->cheater && net->before) net->before(net, to->party, net->hook_ctx);
    qk_err err = mpc_party_receive(to->party, f->from, qk_buf_view(&f->data));
    if (err == QK_E_FOREIGN)
        to->n_foreign++;
    else if (err != QK_OK && err != QK_E_STATE && err != QK_E_EARLY)
        to->last_err = err;
    run_effects(net, to);
    if (err == QK_E_EARLY && f->delay < 1000) { /* what the contract says: offer it again */
        struct qkt_frame again = make_frame(f->from, f->to, qk_buf_view(&f->data));
        again.delay = f->delay + 1;
        if (net->n_queue)
            enqueue(net, again);
        else
            qk_buf_free(&again.data);
    }
}

void qkt_run(struct qkt_net *net)
{
    for (size_t i = 0; i < net->n; i++) run_effects(net, &net->p[i]);
    for (unsigned steps = 0; net->n_queue > 0; steps++) {
        cr_assert_lt(steps, 1000000, "the net never comes to rest (seed %llu)",
            (unsigned long long)net->seed);
        struct qkt_frame f = dequeue(net);
        deliver(net, &f);
        qk_buf_free(&f.data);
    }
}

void qkt_expire(struct qkt_net *net)
{
    for (size_t i = 0; i < net->n; i++) {
        mpc_party_expire(net->p[i].party);
        run_effects(net, &net->p[i]);
    }
    qkt_run(net);
}

/* ---- claims ---- */

void qkt_expect_done(struct qkt_net *net, uint16_t id)
{
    struct mpc_party *party = qkt_party(net, id)->party;
    struct mpc_blame b = mpc_party_blame(party);
    cr_assert_eq(mpc_party_state(party), MPC_DONE,
        "party %u is not done: state %d round %u blame %c(%u) %s (seed %llu)", id,
        mpc_party_state(party), mpc_party_round(party), b.cls ? b.cls : '-', b.party,
        b.check ? b.check : "", (unsigned long long)net->seed);
}

void qkt_expect_blame(struct qkt_net *net, uint16_t id, char cls, uint16_t who, const char *check)
{
    struct mpc_party *party = qkt_party(net, id)->party;
    struct mpc_blame b = mpc_party_blame(party);
    unsigned long long seed = net->seed;
    cr_assert_eq(mpc_party_state(party), MPC_ABORTED,
        "party %u did not abort, wanted %s (seed %llu)", id, check ? check : "any", seed);
    cr_assert_eq((char)b.cls, cls, "party %u says %c(%u) %s, wanted %c(%u) %s (seed %llu)", id,
        b.cls, b.party, b.check, cls, who, check ? check : "any", seed);
    cr_assert_eq(b.party, who, "party %u blames %u (%s), wanted %u (seed %llu)", id, b.party,
        b.check, who, seed);
    if (check)
        cr_assert_str_eq(
            b.check, check, "party %u names %s, wanted %s (seed %llu)", id, b.check, check, seed);
}

void qkt_expect_nothing(struct qkt_net *net)
{
    for (size_t i = 0; i < net->n; i++) {
        if (net->p[i].id == net->cheater) continue;
        cr_assert_eq(mpc_party_state(net->p[i].party), MPC_ABORTED,
            "party %u ended well (seed %llu)", net->p[i].id, (unsigned long long)net->seed);
        cr_assert_eq(net->p[i].n_persists, 0, "party %u stored something (seed %llu)", net->p[i].id,
            (unsigned long long)net->seed);
    }
}

void qkt_expect_attack(
    struct qkt_net *net, uint16_t victim, char cls, uint16_t who, const char *check)
{
    for (size_t i = 0; i < net->n; i++) {
        uint16_t id = net->p[i].id;
        if (id == net->cheater) continue;
        struct mpc_blame b = mpc_party_blame(net->p[i].party);
        bool saw = victim == 0 || victim == id;
        qkt_expect_blame(net, id, saw ? cls : (char)b.cls, saw ? who : b.party, saw ? check : NULL);
        if (saw) continue;
        bool fair = b.cls == MPC_BLAME_N || ((char)b.cls == cls && b.party == who);
        cr_assert(fair, "party %u blames %c(%u) %s (seed %llu)", id, b.cls, b.party, b.check,
            (unsigned long long)net->seed);
    }
    qkt_expect_nothing(net);
}

/* ---- sessions ---- */

void qkt_session(struct mpc_session *s, uint64_t seed, unsigned curve, const uint16_t *ids,
    size_t n_ids, unsigned t, unsigned access)
{
    struct qkt_rng r;
    qkt_rng_init(&r, seed, 0x5e55);
    *s = (struct mpc_session){.curve = (uint8_t)curve,
        .e_net = 1,
        .e_del = access,
        .t = (uint16_t)t,
        .access = (uint8_t)access,
        .self = ids[0]};
    cr_assert_eq(qk_rng_fill(&r.rng, s->key_id, sizeof s->key_id), QK_OK);
    cr_assert_eq(qk_rng_fill(&r.rng, s->req, sizeof s->req), QK_OK);
    for (size_t i = 0; i < n_ids + access; i++) {
        struct mpc_peer *p = &s->peers[s->n_peers++];
        p->id = i < n_ids ? ids[i] : MPC_DELEGATE;
        cr_assert_eq(qk_rng_fill(&r.rng, p->idh, sizeof p->idh), QK_OK);
    }
}
