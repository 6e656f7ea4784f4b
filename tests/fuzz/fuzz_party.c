/** libFuzzer target: real parties of every protocol under frames that a peer has bent.
 *
 *  Once, each protocol runs honestly and what its peers send to party 1 is kept. Each input then
 *  starts party 1 anew with the same random bytes and is a list of what happens to those frames.
 *
 *  What must hold whatever is sent: nobody who sent what the protocol says is blamed; with frames
 *  that are merely late, repeated or in another order the session never aborts; class X begins with
 *  the poison; an ended party takes nothing more. Seeds: none needed, an empty input is the honest
 *  run.
 */
#include <stdlib.h>
#include "fuzz_scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tape {
    const uint8_t *p, *end;
};

static unsigned byte(struct tape *t)
{
    return t->p < t->end ? *t->p++ : 0;
}

static size_t below(struct tape *t, size_t n)
{
    size_t v = byte(t) << 8;
    v |= byte(t);
    return n == 0 ? 0 : v * n >> 16;
}

struct victim {
    struct mpc_party *party;
    bool bent[FUZZ_PARTIES_MAX + 1]; /* by id: has not sent what it should */
    bool expired, lazy;              /* lazy: effects are left until the end */
};

/* Poison first on class X, and never two answers to one failure. */
static void drain(struct victim *v)
{
    struct mpc_effect e;
    bool first = true, x = mpc_party_blame(v->party).cls == MPC_BLAME_X;
    bool aborted = mpc_party_state(v->party) == MPC_ABORTED;
    for (; mpc_party_next_effect(v->party, &e); first = false) {
        if (first && aborted && x && e.kind != MPC_EFFECT_SETUP_POISON) abort();
        if (e.kind == MPC_EFFECT_SETUP_POISON && !v->bent[e.to]) abort();
    }
}

static void judge(const struct victim *v)
{
    struct mpc_blame blame = mpc_party_blame(v->party);
    bool any = v->expired;
    for (size_t i = 0; i <= FUZZ_PARTIES_MAX; i++) any |= v->bent[i];
    if (mpc_party_state(v->party) != MPC_ABORTED) {
        if (blame.cls != MPC_BLAME_NONE) abort();
        return;
    }
    if (!any) abort();
    if (blame.cls == MPC_BLAME_N) return;
    if (blame.party > FUZZ_PARTIES_MAX || !v->bent[blame.party]) abort();
}

static void give(struct victim *v, uint16_t from, struct qk_bytes frame)
{
    bool over = mpc_party_state(v->party) != MPC_RUNNING;
    /* A copy of its own, so that AddressSanitizer sees a read past its end. */
    uint8_t *copy = malloc(frame.len ? frame.len : 1);
    if (copy == NULL) abort();
    if (frame.len) memcpy(copy, frame.p, frame.len);
    qk_err err = mpc_party_receive(v->party, from, qk_bytes(copy, frame.len));
    free(copy);
    if (over && err != QK_E_STATE) abort();
    judge(v);
    if (!v->lazy) drain(v);
}

static void bend(struct victim *v, struct tape *t, const struct fuzz_frame *f)
{
    QK_AUTO_BUF b = QK_BUF(2 * MPC_FRAME_MAX);
    qk_buf_add(&b, f->data.p, f->data.len);
    if (b.err != QK_OK) abort();
    size_t at = below(t, b.len), n = 1 + below(t, b.len - at);
    switch (byte(t) % 5) {
    case 0:
        b.p[at] ^= (uint8_t)byte(t);
        break;
    case 1:
        b.len = at;
        break;
    case 2:
        memset(b.p + at, (int)byte(t), n < 80 ? n : 80);
        break;
    case 3: /* move bytes inside the frame */
        memmove(b.p + at, b.p + below(t, b.len - n + 1), n);
        break;
    default:
        qk_buf_add(&b, t->p, (size_t)(t->end - t->p));
        break;
    }
    if (!qk_bytes_eq(qk_buf_view(&b), qk_buf_view(&f->data))) v->bent[f->from] = true;
    give(v, f->from, qk_buf_view(&b));
}

static void raw(struct victim *v, struct tape *t, uint16_t from)
{
    size_t len = byte(t), left = (size_t)(t->end - t->p);
    if (len > left) len = left;
    v->bent[from] = true;
    give(v, from, qk_bytes(t->p, len));
    t->p += len;
}

static void act(struct victim *v, struct tape *t, const struct fuzz_scene *s, size_t *next)
{
    unsigned op = byte(t) % 12;
    const struct fuzz_frame *any = &s->frames[below(t, s->n_frames)];
    const struct fuzz_frame *now = *next < s->n_frames ? &s->frames[*next] : any;
    if (op < 3 || (op >= 6 && op < 9)) ++*next;
    switch (op) {
    case 3: /* late, early or again */
        give(v, any->from, qk_buf_view(&any->data));
        break;
    case 4: /* somebody repeats what another one said */
        v->bent[s->frames[0].from] |= any->from != s->frames[0].from;
        give(v, s->frames[0].from, qk_buf_view(&any->data));
        break;
    case 5:
        raw(v, t, any->from);
        break;
    case 6:
    case 7:
    case 8:
        bend(v, t, now);
        break;
    case 9:
        bend(v, t, any);
        break;
    case 10:
        if (byte(t) % 8 != 0) break;
        v->expired |= mpc_party_state(v->party) == MPC_RUNNING;
        mpc_party_expire(v->party);
        if (!v->lazy) drain(v);
        break;
    case 11:
        v->lazy = true;
        break;
    default:
        give(v, now->from, qk_buf_view(&now->data));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fuzz_scene *s = fuzz_scene(size ? data[0] : 0);
    struct tape t = {data, data + size};
    struct victim v = {.party = fuzz_start(s, 0)};
    size_t next = 0;
    (void)byte(&t);
    while (t.p < t.end) act(&v, &t, s, &next);
    /* Twice: what was more than one round early the first time fits the second time. */
    for (size_t k = 0; k < 2 * s->n_frames; k++) {
        const struct fuzz_frame *f = &s->frames[k % s->n_frames];
        give(&v, f->from, qk_buf_view(&f->data));
    }
    drain(&v);
    bool any = v.expired;
    for (size_t i = 0; i <= FUZZ_PARTIES_MAX; i++) any |= v.bent[i];
    if (!any && mpc_party_state(v.party) != MPC_DONE) abort();
    mpc_party_free(v.party);
    return 0;
}
