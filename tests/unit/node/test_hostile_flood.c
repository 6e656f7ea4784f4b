/* One corrupt node asks without end. The honest ones, who are enough, go on serving. */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "mpc/dprf.h"
#include "wire/mesh.h"

enum { FLOOD = 1000, AUDITED_MAX = 601, ASK = 3 /* core/frames.h */, CORRUPT = 3 };

static const uint16_t honest[] = {1, 2, 0};

static void ignore_message(void *ctx, uint16_t from, struct qk_bytes bytes)
{
    (void)ctx;
    (void)from;
    (void)bytes;
}

static void ignore_peer(void *ctx, uint16_t id, bool up)
{
    (void)ctx;
    (void)id;
    (void)up;
}

/* We are node 3 now. */
static struct wire_mesh *take_over(struct nodebox *box)
{
    struct wire_mesh *mesh;
    (void)nodebox_stop(box, CORRUPT, SIGTERM);
    struct wire_mesh_config config = {.cluster = box->cluster,
        .identity = box->nodes[CORRUPT],
        .self = CORRUPT,
        .on_message = ignore_message,
        .on_peer = ignore_peer};
    qk_assert_ok(wire_mesh_new(&mesh, &config));
    qk_assert_ok(wire_mesh_start(mesh));
    for (int i = 0; i < NB_WAIT_MS / 50; i++) {
        if (wire_mesh_peer_up(mesh, 1) && wire_mesh_peer_up(mesh, 2)) return mesh;
        nodebox_sleep_ms(50);
    }
    cr_assert_fail("the honest nodes do not link up again");
    return NULL;
}

/* "A partial for this access key, please": nobody uses it. */
static void ask(struct wire_mesh *mesh, uint32_t number)
{
    static const uint8_t serial[4] = {0, 0, 0, 1};
    char akid[] = "AKIAAAAAAAAAAAAAAAAA";
    QK_AUTO_BUF frame = QK_BUF(MPC_DPRF_REQUEST_MAX + 5);
    struct mpc_dprf_request req = {.purpose = qk_str(KMS_CREDENTIAL_PURPOSE),
        .fields = {qk_bytes(akid, KMS_AKID_LEN), QK_BYTES(serial)},
        .n_fields = 2};
    akid[KMS_AKID_LEN - 1] = (char)('A' + number % 26);
    akid[KMS_AKID_LEN - 2] = (char)('A' + number / 26 % 26);
    qk_buf_add_u8(&frame, ASK);
    qk_buf_add_u32(&frame, number);
    qk_assert_ok(mpc_dprf_request_encode(&req, &frame));
    for (uint16_t to = 1; to <= 2; to++)
        while (wire_mesh_send(mesh, to, qk_buf_view(&frame)) == QK_E_BUSY) nodebox_sleep_ms(5);
}

QK_TEST(hostile_flood, asks_for_partials_neither_stop_the_others_nor_fill_the_audit_log)
{
    struct nodebox box;
    struct nd d;
    struct nd_user bob;
    nodebox_up(&box, "seccomp = off\n");
    nd_init(&d, &box);
    nd_do(&d, "QkmsAdmin.CreateUser", "{\"UserName\":\"bob\",\"Allow\":[\"kms:ListKeys\"]}");
    nd_access_key(&d, "bob", &bob);
    struct wire_mesh *mesh = take_over(&box);
    for (uint32_t i = 0; i < FLOOD; i++) ask(mesh, i);
    {
        /* bob's first request: nodes 1 and 2 must ask one another for his key */
        struct nd_signing by = {.user = &bob};
        ND_AUTO_OP *op = nd_op_by(&d, &by, "TrentService.ListKeys", "{}", honest);
        bool ok = nd_send(&d, op);
        if (!ok) nd_show(op);
        cr_assert(ok);
    }
    for (uint16_t id = 1; id <= 2; id++)
        cr_assert_leq(nodebox_audit(&box, id, "credential.ask", "deny"), AUDITED_MAX);
    wire_mesh_free(mesh);
    nd_free(&d);
    nodebox_end(&box);
}
