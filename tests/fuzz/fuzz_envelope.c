/** libFuzzer target: every decoder of crypto/ on bytes of an attacker or of a damaged disk.
 *
 *  The first byte chooses the decoder. What decodes must encode to the same bytes: there is one
 * form of everything that is hashed, compared or stored.
 */
#include <stdlib.h>
#include "epoch/state.h"
#include "mpc/dprf.h"
#include "mpc/ecdsa.h"
#include "mpc/record.h"
#include "mpc/share.h"
#include "session/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_same(struct qk_bytes in, qk_err err, const struct qk_buf *again)
{
    if (err != QK_OK || again->err != QK_OK || !qk_bytes_eq(in, qk_buf_view(again))) abort();
}

static void envelope(struct qk_bytes in)
{
    struct mpc_envelope env;
    uint8_t proto, sid[32];
    bool named = mpc_envelope_peek(in, &proto, sid);
    if (mpc_envelope_decode(in, &env) != QK_OK) return;
    if (!named || proto != env.proto || memcmp(sid, env.sid, 32) != 0) abort();
    QK_AUTO_BUF again = QK_BUF(MPC_FRAME_MAX);
    mpc_envelope_encode(&again, &env);
    require_same(in, QK_OK, &again);
}

static void record(struct qk_bytes in)
{
    static struct mpc_key_record rec;
    if (mpc_record_decode(in, &rec) != QK_OK) return;
    QK_AUTO_BUF again = QK_BUF(MPC_RECORD_MAX);
    require_same(in, mpc_record_encode(&rec, &again), &again);
    (void)!mpc_record_check_points(&rec);
}

static void share(struct qk_bytes in)
{
    MPC_KEY_SHARE(s);
    if (mpc_key_share_decode(in, &s) != QK_OK) return;
    QK_AUTO_BUF again = QK_BUF_SECRET(MPC_KEY_SHARE_MAX);
    require_same(in, mpc_key_share_encode(&s, &again), &again);
}

static void part(struct qk_bytes in)
{
    for (unsigned curve = MPC_SECP256K1; curve <= MPC_P521; curve++) {
        struct mpc_ecdsa_part p;
        if (mpc_ecdsa_part_decode(&p, curve, in) != QK_OK) continue;
        QK_AUTO_BUF again = QK_BUF(MPC_ECDSA_PART_MAX);
        uint8_t *out = qk_buf_extend(&again, mpc_ecdsa_part_len(curve));
        if (out == NULL) abort();
        require_same(in, mpc_ecdsa_part_encode(&p, out), &again);
    }
}

static void signature(struct qk_bytes in)
{
    for (unsigned curve = MPC_SECP256K1; curve <= MPC_P521; curve++) {
        const struct mpc_curve *c = mpc_curve_get(curve);
        struct mpc_scalar r, s;
        if (mpc_ecdsa_der_decode(c, in, &r, &s) != QK_OK) continue;
        QK_AUTO_BUF again = QK_BUF(MPC_ECDSA_DER_MAX);
        require_same(in, mpc_ecdsa_der_encode(c, &r, &s, &again), &again);
    }
}

static void dprf_request(struct qk_bytes in)
{
    struct mpc_dprf_request req;
    if (mpc_dprf_request_decode(in, &req) != QK_OK) return;
    QK_AUTO_BUF again = QK_BUF(MPC_DPRF_REQUEST_MAX);
    require_same(in, mpc_dprf_request_encode(&req, &again), &again);
}

static void epoch_state(struct qk_bytes in)
{
    static struct mpc_epoch e;
    memset(&e, 0, sizeof e);
    if (mpc_epoch_decode(in, &e) != QK_OK) return;
    QK_AUTO_BUF again = QK_BUF(MPC_EPOCH_STATE_MAX);
    require_same(in, mpc_epoch_encode(&e, &again), &again);
}

static void setup_blob(struct qk_bytes in)
{
    struct mpc_ot_binding want = {.curve = MPC_P256, .self = {.id = 1}, .peer = {.id = 2}};
    struct mpc_ot_setup *s;
    if (mpc_ot_setup_deserialize(&s, in, &want) != QK_OK) return;
    QK_AUTO_BUF again = QK_BUF_SECRET(MPC_OT_BLOB_MAX);
    require_same(in, mpc_ot_setup_serialize(s, &again), &again);
    mpc_ot_setup_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const decoders[])(struct qk_bytes) = {
        envelope, record, share, part, signature, dprf_request, epoch_state, setup_blob};
    if (size == 0) return 0;
    decoders[data[0] % QK_COUNT(decoders)](qk_bytes(data + 1, size - 1));
    return 0;
}
