/** libFuzzer target: the decoders of HMAC keys. The first byte chooses; what decodes must encode to
 * the same bytes. */
#include <stdlib.h>
#include "mpc/mac_gen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_same(struct qk_bytes in, qk_err err, const struct qk_buf *again)
{
    if (err != QK_OK || !qk_bytes_eq(in, qk_buf_view(again))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mpc_mac_record rec;
    if (size < 1) return 0;
    struct qk_bytes in = qk_bytes(data + 1, size - 1);
    QK_AUTO_BUF again = QK_BUF_SECRET(1 << 16);
    MPC_MAC_SHARE(share);
    MPC_MAC_PART(part);
    switch (data[0] % 3) {
    case 0:
        if (mpc_mac_record_decode(in, &rec) == QK_OK)
            require_same(in, mpc_mac_record_encode(&rec, &again), &again);
        break;
    case 1:
        if (mpc_mac_share_decode(in, &share) == QK_OK)
            require_same(in, mpc_mac_share_encode(&share, &again), &again);
        break;
    default:
        if (mpc_mac_part_decode(in, &part) == QK_OK)
            require_same(in, mpc_mac_part_encode(&part, &again), &again);
    }
    return 0;
}
