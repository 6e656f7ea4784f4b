#include "frame.h"

static const uint8_t magic[4] = {'Q', 'K', 'M', 'S'};

void wire_hello_encode(const struct wire_hello *hello, uint8_t out[static WIRE_HELLO_LEN])
{
    out[0] = WIRE_FRAME_HELLO;
    memcpy(out + 1, magic, 4);
    qk_put_u16(out + 5, hello->version);
    memcpy(out + 7, hello->cluster, 32);
    qk_put_u16(out + 39, hello->from);
    qk_put_u16(out + 41, hello->to);
}

static qk_err decode_hello(struct qk_bytes in, struct wire_hello *out)
{
    QK_ENSURE(in.len == WIRE_HELLO_LEN, QK_E_MALFORMED);
    QK_ENSURE(memcmp(in.p + 1, magic, sizeof magic) == 0, QK_E_MALFORMED);
    out->version = qk_get_u16(in.p + 5);
    memcpy(out->cluster, in.p + 7, 32);
    out->from = qk_get_u16(in.p + 39);
    out->to = qk_get_u16(in.p + 41);
    return QK_OK;
}

static qk_err check_batch(struct qk_bytes body, size_t *n)
{
    *n = 0;
    while (body.len > 0) {
        QK_ENSURE(body.len >= WIRE_BATCH_OVERHEAD, QK_E_MALFORMED);
        uint32_t len = qk_get_u32(body.p);
        QK_ENSURE(len >= 1 && len <= WIRE_MSG_MAX, QK_E_MALFORMED);
        QK_ENSURE(len <= body.len - WIRE_BATCH_OVERHEAD, QK_E_MALFORMED);
        size_t step = WIRE_BATCH_OVERHEAD + (size_t)len;
        body = qk_bytes(body.p + step, body.len - step);
        (*n)++;
    }
    return *n >= 1 ? QK_OK : QK_E_MALFORMED;
}

qk_err wire_frame_decode(struct qk_bytes in, struct wire_frame *out)
{
    QK_ENSURE(in.len >= 1 && in.len <= WIRE_FRAME_MAX, QK_E_MALFORMED);
    struct wire_frame f = {.type = in.p[0]};
    switch (f.type) {
    case WIRE_FRAME_HELLO:
        QK_TRY(decode_hello(in, &f.hello));
        break;
    case WIRE_FRAME_HEARTBEAT:
        QK_ENSURE(in.len == WIRE_HEARTBEAT_LEN && in.p[1] <= 1, QK_E_MALFORMED);
        f.hears = in.p[1] == 1;
        break;
    case WIRE_FRAME_BATCH:
        f.batch = qk_bytes(in.p + 1, in.len - 1);
        QK_TRY(check_batch(f.batch, &f.n_messages));
        break;
    default:
        return QK_E_MALFORMED;
    }
    *out = f;
    return QK_OK;
}

bool wire_batch_next(struct qk_bytes *batch, struct qk_bytes *message)
{
    if (batch->len < WIRE_BATCH_OVERHEAD) return false;
    size_t len = qk_get_u32(batch->p);
    *message = qk_bytes(batch->p + WIRE_BATCH_OVERHEAD, len);
    size_t step = WIRE_BATCH_OVERHEAD + len;
    *batch = qk_bytes(batch->p + step, batch->len - step);
    return true;
}
