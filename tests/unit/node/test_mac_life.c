/* HMAC keys when nodes die, with a fourth node, and when their material goes and comes back. */
#include <signal.h>
#include "mpc/sym_record.h"
#include "qktest/qktest.h"
#include "nodemac.h"
#include "vault/shares.h"

enum { NODE = 2 };

static const uint8_t material[32] = {1, 2, 3}, others[32] = {1, 2, 4};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], body[160];
};

static void set_up(struct scene *s, uint16_t n)
{
    nodebox_up_of(&s->box, n, "seccomp = off\n");
    nd_init(&s->d, &s->box);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static void come_back(struct scene *s, uint16_t id)
{
    nodebox_start(&s->box, id);
    nodebox_wait_ready(&s->box);
}

/* ---- four nodes ---- */

QK_TEST(mac_life, with_four_nodes_any_three_give_the_tag_and_one_may_be_down)
{
    static const struct mpc_mac_roles sets[] = {
        {1, 2, 3}, {4, 1, 2}, {3, 4, 1}, {2, 3, 4}, {1, 4, 3}, {4, 3, 2}};
    static const struct mpc_mac_roles alive[] = {{1, 2, 4}, {4, 1, 2}, {2, 4, 1}};
    struct scene s;
    set_up(&s, 4);
    for (int strict = 0; strict < 2; strict++) {
        char imported[KMS_UUID_LEN + 1];
        uint8_t tag[MPC_MAC_DIGEST_MAX] = {0}, again[MPC_MAC_DIGEST_MAX] = {0},
                want[MPC_MAC_DIGEST_MAX] = {0};
        nm_create_key(&s.d, "HMAC_256", strict, s.key);
        qk_assert_ok(nm_import_key(&s.d, "HMAC_256", strict, QK_BYTES(material), imported));
        nm_hmac(MPC_MAC_256, QK_BYTES(material), qk_str("m"), want);
        for (size_t i = 0; i < QK_COUNT(sets); i++) {
            qk_assert_ok(nm_generate(&s.d, s.key, qk_str("m"), &sets[i], i == 0 ? tag : again));
            if (i > 0) cr_assert_arr_eq(tag, again, sizeof tag, "set %zu", i);
            qk_assert_ok(nm_generate(&s.d, imported, qk_str("m"), &sets[i], again));
            cr_assert_arr_eq(want, again, sizeof want, "set %zu", i);
        }
        (void)nodebox_stop(&s.box, 3, SIGKILL);
        for (size_t i = 0; i < QK_COUNT(alive); i++) {
            qk_assert_ok(nm_generate(&s.d, s.key, qk_str("m"), &alive[i], again));
            cr_assert_arr_eq(tag, again, sizeof tag, "without node 3, set %zu", i);
        }
        come_back(&s, 3);
    }
    tear_down(&s);
}

/* One node of a long run dies in the middle of it. The others say so, and go on without it. */
QK_TEST(mac_life, a_node_that_dies_in_a_run_leaves_the_others_free)
{
    static uint8_t message[NM_LONG_MESSAGE];
    static const struct mpc_mac_roles roles = {1, 2, 3};
    static const struct mpc_mac_roles without[] = {[1] = {4, 2, 3}, {1, 4, 3}, {1, 2, 4}};
    struct scene s;
    uint8_t tag[MPC_MAC_DIGEST_MAX] = {0}, again[MPC_MAC_DIGEST_MAX] = {0};
    struct qk_bytes m = QK_BYTES(message);
    set_up(&s, 4);
    nm_create_key(&s.d, "HMAC_512", true, s.key);
    qk_assert_ok(nm_generate(&s.d, s.key, m, &roles, tag));
    for (uint16_t dies = 1; dies <= 3; dies++) {
        ND_AUTO_OP *op = nm_op(&s.d, "TrentService.GenerateMac", s.key, m, &roles);
        QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
        wire_call_encode(&bytes, &op->call);
        for (uint16_t id = 1; id <= 3; id++)
            if (id != dies || dies != 2) /* G2 dies before it has said a word */
                nb_start(s.box.client[id], qk_buf_view(&bytes), ND_CALL_MS, &op->answer[id]);
        nodebox_sleep_ms(30);
        if (dies == 2)
            (void)nodebox_stop(&s.box, dies, SIGKILL);
        else
            (void)kill(s.box.pid[dies], SIGKILL);
        for (uint16_t id = 1; id <= 3; id++)
            if (id != dies || dies != 2) nb_wait(&op->answer[id]);
        if (dies != 3 && op->answer[3].a.status != WIRE_ANSWER_OK)
            cr_assert(nd_empty(&op->answer[3]));
        if (dies != 2) (void)nodebox_stop(&s.box, dies, SIGKILL);
        qk_assert_ok(nm_generate(&s.d, s.key, m, &without[dies], again));
        cr_assert_arr_eq(tag, again, sizeof tag, "without node %u", dies);
        come_back(&s, dies);
    }
    qk_assert_ok(nm_generate(&s.d, s.key, m, &roles, again));
    cr_assert_arr_eq(tag, again, sizeof tag);
    tear_down(&s);
}

/* ---- material ---- */

static bool holds(struct scene *s)
{
    struct node_seal *seal;
    uint8_t id[16];
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    const struct kms_record *r = &nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r;
    qk_assert_ok(mpc_sym_version_id(id, r->key.key_id, 1));
    (void)nodebox_stop(&s->box, NODE, SIGTERM);
    struct node_vault *v = nodebox_vault(&s->box, NODE, &seal);
    qk_err err = node_vault_share_load(v, id, NULL, &secret, NULL);
    cr_assert(err == QK_OK || err == QK_E_NOT_FOUND);
    node_vault_close(v);
    node_seal_free(seal);
    come_back(s, NODE);
    return err == QK_OK;
}

static void gives_the_tag(struct scene *s, const char *when)
{
    static const struct mpc_mac_roles roles = {2, 3, 1};
    uint8_t tag[MPC_MAC_DIGEST_MAX] = {0}, want[MPC_MAC_DIGEST_MAX] = {0};
    nm_hmac(MPC_MAC_256, QK_BYTES(material), qk_str("kept"), want);
    qk_assert_ok(nm_generate(&s->d, s->key, qk_str("kept"), &roles, tag));
    cr_assert_arr_eq(tag, want, sizeof tag, "%s", when);
}

static void other_material(struct scene *s, const char *when)
{
    ND_AUTO_OP *op = nm_import_op(&s->d, s->key, QK_BYTES(others), 0, QK_BYTES(others));
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        cr_assert_eq(op->answer[id].a.status, WIRE_ANSWER_FAULT, "%s", when);
        cr_assert_str_eq(nd_fault(&op->answer[id]), "IncorrectKeyMaterialException", "%s", when);
        cr_assert(nd_empty(&op->answer[id]));
    }
}

static void is_refused(struct scene *s, const char *type)
{
    static const struct mpc_mac_roles roles = {1, 2, 3};
    ND_AUTO_OP *op = nm_op(&s->d, "TrentService.GenerateMac", s->key, qk_str("kept"), &roles);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, type));
}

/* M-13 */
QK_TEST(mac_life, M_13_imported_material_is_one_key_at_all_nodes_and_comes_back_as_what_it_was)
{
    struct scene s;
    set_up(&s, NB_NODES);
    qk_assert_ok(nm_import_key(&s.d, "HMAC_256", false, QK_BYTES(material), s.key));
    gives_the_tag(&s, "imported");
    other_material(&s, "while the first is here");
    qk_assert_ok(nm_import(&s.d, s.key, QK_BYTES(material)));
    (void)snprintf(s.body, sizeof s.body, "{\"KeyId\":\"%s\"}", s.key);
    nd_do(&s.d, "TrentService.DeleteImportedKeyMaterial", s.body);
    is_refused(&s, "KMSInvalidStateException");
    cr_assert(!holds(&s), "deleted");
    other_material(&s, "when it is gone");
    {
        ND_AUTO_OP *op = nm_import_op(&s.d, s.key, QK_BYTES(material), NODE, QK_BYTES(others));
        for (uint16_t id = 1; id <= NB_NODES; id++) {
            cr_assert_neq(op->answer[id].a.status, WIRE_ANSWER_OK, "M-13: one node's is another's");
            cr_assert(nd_empty(&op->answer[id]));
        }
        cr_assert(!holds(&s));
    }
    qk_assert_ok(nm_import(&s.d, s.key, QK_BYTES(material)));
    gives_the_tag(&s, "imported again");
    cr_assert(holds(&s));
    gives_the_tag(&s, "after a restart");
    tear_down(&s);
}

QK_TEST(mac_life, a_deleted_key_takes_its_shares_along)
{
    struct scene s;
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    set_up(&s, NB_NODES);
    nm_create_key(&s.d, "HMAC_384", false, s.key);
    cr_assert(holds(&s));
    struct kms_record r = nd_find(&s.d, KMS_KIND_KEY, s.key)->stored->r;
    memcpy(r.prev, r.hash, sizeof r.prev);
    r.version++;
    r.key.state = KMS_STATE_DELETED;
    r.key.deletion_ms = 1;
    r.key.pending_days = 7;
    nd_certify(&s.d, &r, s.d.all, &certified);
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_eq(nd_publish(&s.d, id, qk_buf_view(&certified)), WIRE_ANSWER_OK);
    nd_put(&s.d, qk_buf_view(&certified));
    is_refused(&s, "NotFoundException");
    cr_assert(!holds(&s));
    cr_assert_eq(nodebox_audit(&s.box, NODE, "key.destroyed", s.key), 1u);
    tear_down(&s);
}
