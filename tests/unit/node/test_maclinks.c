/* Link secrets: both ends come to the same one, with every link to another one (M-11). */
#include "qktest/qktest.h"
#include "macmesh.h"

#include <stdatomic.h>

QK_TEST(maclinks, two_nodes_hold_the_same_and_no_two_pairs_do)
{
    struct macmesh m;
    QK_SEC32(a);
    QK_SEC32(b);
    uint8_t id_a[NODE_MACLINK_ID_LEN], id_b[NODE_MACLINK_ID_LEN];
    macmesh_up(&m, NULL, NULL);
    cr_assert(macmesh_kappa(&m, 1, 2, &a));
    cr_assert(macmesh_kappa(&m, 1, 3, &b));
    cr_assert_neq(memcmp(a.b, b.b, sizeof a.b), 0);
    qk_assert_ok(node_maclink_id(&a, id_a));
    qk_assert_ok(node_maclink_id(&b, id_b));
    cr_assert_neq(memcmp(id_a, id_b, sizeof id_a), 0);
    qk_assert_err(node_maclink_get(m.node[1], 1, &a), QK_E_STATE);
    qk_assert_err(node_maclink_get(m.node[1], 4, &a), QK_E_STATE);
    macmesh_down(&m);
}

/* M-11 */
QK_TEST(maclinks, M_11_a_node_that_comes_back_has_other_secrets_and_nobody_keeps_the_old_ones)
{
    struct macmesh m;
    QK_SEC32(before);
    QK_SEC32(after);
    QK_SEC32(others);
    QK_SEC32(still);
    macmesh_up(&m, NULL, NULL);
    cr_assert(macmesh_kappa(&m, 1, 2, &before));
    cr_assert(macmesh_kappa(&m, 1, 3, &others));
    macmesh_stop(&m, 2);
    for (int i = 0; i < NB_WAIT_MS / 10 && wire_mesh_peer_up(m.node[1]->mesh, 2); i++)
        nodebox_sleep_ms(10);
    for (int i = 0; i < 1000 && node_maclink_get(m.node[1], 2, &after) == QK_OK; i++)
        nodebox_sleep_ms(10);
    qk_assert_err(node_maclink_get(m.node[1], 2, &after), QK_E_IO);
    macmesh_start(&m, 2);
    macmesh_wait_linked(&m);
    cr_assert(macmesh_kappa(&m, 1, 2, &after));
    cr_assert(macmesh_kappa(&m, 1, 3, &still));
    cr_assert_neq(
        memcmp(before.b, after.b, sizeof after.b), 0, "M-11: the secret of a former link");
    cr_assert_arr_eq(others.b, still.b, sizeof still.b, "a link that stands");
    macmesh_down(&m);
}

/* Loses the first frames between 1 and 2, in both directions. */
static bool lossy(void *ctx, uint16_t from, uint16_t to, struct qk_bytes frame)
{
    atomic_int *left = ctx;
    bool hit = frame.p[0] == NODE_FRAME_MAC_LINK && from + to == 3;
    return !hit || atomic_fetch_sub(left, 1) <= 0;
}

QK_TEST(maclinks, what_is_lost_is_told_again)
{
    struct macmesh m;
    atomic_int lost = 1; /* one end's first word: the other's makes it speak again */
    macmesh_up(&m, lossy, &lost);
    macmesh_down(&m);
    cr_assert_leq(atomic_load(&lost), 0);
}

QK_TEST(maclinks, frames_that_are_none_change_nothing)
{
    struct macmesh m;
    QK_SEC32(before);
    QK_SEC32(after);
    uint8_t junk[NODE_MACLINK_FRAME_LEN + 1] = {7};
    macmesh_up(&m, NULL, NULL);
    cr_assert(macmesh_kappa(&m, 1, 2, &before));
    for (size_t len = 0; len <= sizeof junk; len++)
        if (len != NODE_MACLINK_FRAME_LEN) node_maclinks_receive(m.node[1], 2, qk_bytes(junk, len));
    node_maclinks_receive(m.node[1], 9, qk_bytes(junk, NODE_MACLINK_FRAME_LEN));
    cr_assert(macmesh_kappa(&m, 1, 2, &after));
    cr_assert_arr_eq(before.b, after.b, sizeof after.b);
    macmesh_down(&m);
}

/* Whatever one of them has been told wrongly, the next words between the two mend it. */
QK_TEST(maclinks, a_word_that_was_never_said_is_found_out)
{
    struct macmesh m;
    uint8_t stale[NODE_MACLINK_FRAME_LEN] = {1};
    macmesh_up(&m, NULL, NULL);
    node_maclinks_receive(m.node[1], 2, QK_BYTES(stale)); /* node 2 has never drawn that */
    macmesh_wait_linked(&m);
    macmesh_down(&m);
}
