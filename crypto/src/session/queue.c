/* The effects of a party, in order. */
#include "session/envelope.h"
#include "session/internal.h"

qk_err mpc_queue_push(struct mpc_queue *q, enum mpc_effect_kind kind, uint16_t to,
    const uint8_t *id, const char *name, struct qk_bytes data)
{
    QK_ENSURE(q->n < MPC_EFFECTS_MAX, QK_E_STATE);
    size_t at = (q->head + q->n) % MPC_EFFECTS_MAX;
    struct qk_buf buf = QK_BUF_SECRET(MPC_FRAME_MAX + 1024);
    /* Without data no memory is needed: a poison cannot fail for want of it. */
    if (data.len > 0) qk_buf_add(&buf, data.p, data.len);
    if (buf.err != QK_OK) {
        qk_err err = buf.err;
        qk_buf_free(&buf);
        return err;
    }
    q->data[at] = buf;
    q->e[at] = (struct mpc_effect){
        .kind = kind, .to = to, .name = name, .data = qk_buf_view(&q->data[at])};
    if (id) memcpy(q->e[at].id, id, 32);
    q->n++;
    return QK_OK;
}

bool mpc_queue_pop(struct mpc_queue *q, struct mpc_effect *out)
{
    qk_buf_free(&q->taken);
    if (q->n == 0) return false;
    q->taken = q->data[q->head];
    *out = q->e[q->head];
    q->data[q->head] = (struct qk_buf)QK_BUF(0);
    q->head = (q->head + 1) % MPC_EFFECTS_MAX;
    q->n--;
    return true;
}

void mpc_queue_clear(struct mpc_queue *q)
{
    for (size_t i = 0; i < MPC_EFFECTS_MAX; i++) qk_buf_free(&q->data[i]);
    qk_buf_free(&q->taken);
    q->n = 0;
}

qk_err mpc_engine_effect(struct mpc_party *party, enum mpc_effect_kind kind, uint16_t to,
    const uint8_t *id, const char *name, struct qk_bytes data)
{
    return mpc_queue_push(&party->queue, kind, to, id, name, data);
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
    return mpc_queue_pop(&party->queue, out);
}

bool mpc_queue_has(const struct mpc_queue *q, enum mpc_effect_kind kind)
{
    for (size_t i = 0; i < q->n; i++)
        if (q->e[(q->head + i) % MPC_EFFECTS_MAX].kind == kind) return true;
    return false;
}

void mpc_queue_drop_unsaid(struct mpc_queue *q, size_t first)
{
    size_t kept = first < q->n ? first : q->n;
    for (size_t i = kept; i < q->n; i++) {
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
