/* The effects of a party, in order. */
#include "session/envelope.h"
#include "session/internal.h"

static struct mpc_effect *slot_new(struct mpc_party *party, struct qk_bytes data, qk_err *err)
{
    struct mpc_queue *q = &party->queue;
    *err = QK_E_STATE;
    if (q->n >= MPC_EFFECTS_MAX) return NULL;
    size_t at = (q->head + q->n) % MPC_EFFECTS_MAX;
    struct qk_buf buf = QK_BUF_SECRET(MPC_FRAME_MAX + 1024);
    qk_buf_add(&buf, data.p, data.len);
    *err = buf.err;
    if (buf.err != QK_OK) {
        qk_buf_free(&buf);
        return NULL;
    }
    q->data[at] = buf;
    q->n++;
    q->e[at] = (struct mpc_effect){.data = qk_buf_view(&q->data[at])};
    return &q->e[at];
}

qk_err mpc_engine_effect(struct mpc_party *party, enum mpc_effect_kind kind, uint16_t to,
    const uint8_t *id, const char *name, struct qk_bytes data)
{
    qk_err err;
    struct mpc_effect *e = slot_new(party, data, &err);
    QK_ENSURE(e, err);
    e->kind = kind;
    e->to = to;
    e->name = name;
    if (id) memcpy(e->id, id, 32);
    return QK_OK;
}

qk_err mpc_queue_frame(struct mpc_party *party, unsigned round, uint16_t to, struct qk_bytes body)
{
    struct mpc_envelope env = {.proto = party->def->proto,
        .round = (uint8_t)round,
        .from = party->s.self,
        .to = to,
        .body = body};
    bool opening = round == 0 || !party->have_sid;
    memcpy(env.sid, opening ? party->open_id : party->sid, 32);
    QK_AUTO_BUF frame = QK_BUF_SECRET(MPC_FRAME_MAX);
    mpc_envelope_encode(&frame, &env);
    QK_TRY(frame.err);
    return mpc_engine_effect(party, MPC_EFFECT_SEND, to, NULL, "", qk_buf_view(&frame));
}

bool mpc_party_next_effect(struct mpc_party *party, struct mpc_effect *out)
{
    struct mpc_queue *q = &party->queue;
    qk_buf_free(&q->taken);
    if (q->n == 0) return false;
    q->taken = q->data[q->head];
    *out = q->e[q->head];
    q->data[q->head] = (struct qk_buf)QK_BUF(0);
    q->head = (q->head + 1) % MPC_EFFECTS_MAX;
    q->n--;
    return true;
}

void mpc_queue_drop_unsaid(struct mpc_party *party)
{
    struct mpc_queue *q = &party->queue;
    size_t kept = 0;
    for (size_t i = 0; i < q->n; i++) {
        size_t from = (q->head + i) % MPC_EFFECTS_MAX, to = (q->head + kept) % MPC_EFFECTS_MAX;
        enum mpc_effect_kind kind = q->e[from].kind;
        if (kind != MPC_EFFECT_SETUP_POISON && kind != MPC_EFFECT_WIPE) {
            qk_buf_free(&q->data[from]);
            continue;
        }
        if (from != to) {
            q->e[to] = q->e[from];
            q->data[to] = q->data[from];
            q->data[from] = (struct qk_buf)QK_BUF(0);
        }
        kept++;
    }
    q->n = kept;
}

void mpc_queue_free(struct mpc_party *party)
{
    struct mpc_queue *q = &party->queue;
    for (size_t i = 0; i < MPC_EFFECTS_MAX; i++) qk_buf_free(&q->data[i]);
    qk_buf_free(&q->taken);
    q->n = 0;
}
