#include "wire/bundle.h"

#include "qk/pack.h"

bool wire_bundle_is(struct qk_bytes frame)
{
    return frame.len > 0 && ((frame.p[0] & 0xf0) == 0x90 || frame.p[0] == 0xdc);
}

qk_err wire_bundle_decode(
    struct qk_bytes frame, struct qk_bytes items[static WIRE_BUNDLE_MAX], size_t *n)
{
    uint32_t count;
    struct qk_unpack u = qk_unpack(frame);
    QK_TRY(qk_unpack_array(&u, 1, WIRE_BUNDLE_MAX, &count));
    for (uint32_t i = 0; i < count; i++) QK_TRY(qk_unpack_bin(&u, 0, WIRE_CALL_MAX, &items[i]));
    QK_TRY(qk_unpack_end(&u));
    *n = count;
    return QK_OK;
}

void wire_bundle_encode(struct qk_buf *out, const struct qk_bytes *items, size_t n)
{
    qk_pack_array(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) qk_pack_bin(out, items[i]);
}
