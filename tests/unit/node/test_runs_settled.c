/* Epoch runs that have ended: not taken up at the next start, kept for peers, gone with their key.
 */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "vault/shares.h"
#include "vaultbox.h"

static bool count(void *arg, const uint8_t sid[static 32], uint64_t changed_ms)
{
    (void)sid, (void)changed_ms;
    ++*(size_t *)arg;
    return true;
}

static size_t n_open(struct node_vault *v)
{
    size_t n = 0;
    cr_assert_eq(node_vault_run_list(v, count, &n), QK_OK);
    return n;
}

static bool has(struct node_vault *v, const uint8_t sid[static 32])
{
    QK_AUTO_BUF out = QK_BUF_SECRET(1000);
    return node_vault_run_get(v, sid, &out) == QK_OK;
}

QK_TEST(runs_settled, a_settled_run_is_kept_but_not_listed_until_its_key_goes)
{
    struct vaultbox box;
    struct node_run_name a = {{1}, {11}}, b = {{2}, {12}};
    vaultbox_make(&box);
    cr_assert_eq(vaultbox_open(&box, true), QK_OK);
    qk_assert_ok(node_vault_run_put(box.vault, a.sid, qk_str("DONE"), 10));
    qk_assert_ok(node_vault_run_put(box.vault, b.sid, qk_str("VOTED"), 11));
    qk_assert_ok(node_vault_run_settle(box.vault, &a, 1));
    cr_assert_eq(n_open(box.vault), 1);
    qk_assert_ok(node_vault_run_put(box.vault, a.sid, qk_str("DONE, and a late prep"), 12));
    cr_assert_eq(n_open(box.vault), 1, "what comes later does not open it again");
    cr_assert(has(box.vault, a.sid));
    qk_assert_ok(node_vault_share_destroy_all(box.vault, b.key_id));
    cr_assert(has(box.vault, a.sid));
    cr_assert(has(box.vault, b.sid), "an open run does not know its key");
    qk_assert_ok(node_vault_share_destroy_all(box.vault, a.key_id));
    cr_assert_not(has(box.vault, a.sid));
    vaultbox_end(&box);
}

QK_TEST(runs_settled, a_vault_of_the_schema_before_is_upgraded)
{
    struct vaultbox box;
    struct node_run_name a = {{1}, {11}};
    vaultbox_make(&box);
    cr_assert_eq(vaultbox_open(&box, true), QK_OK);
    qk_assert_ok(node_vault_run_put(box.vault, a.sid, qk_str("DONE"), 10));
    vaultbox_close(&box);
    vaultbox_sql(&box,
        "DROP INDEX run_open; DROP INDEX run_key; ALTER TABLE run DROP COLUMN settled;"
        "ALTER TABLE run DROP COLUMN key_id; PRAGMA user_version = 2");
    cr_assert_eq(vaultbox_open(&box, false), QK_OK, "%s", box.why);
    cr_assert_eq(n_open(box.vault), 1);
    qk_assert_ok(node_vault_run_settle(box.vault, &a, 1));
    cr_assert_eq(n_open(box.vault), 0);
    vaultbox_end(&box);
}

static size_t n_open_in(const struct nodebox *box, uint16_t id)
{
    struct node_seal *seal;
    struct node_vault *v = nodebox_vault(box, id, &seal);
    size_t n = n_open(v);
    node_vault_close(v);
    node_seal_free(seal);
    return n;
}

QK_TEST(runs_settled, a_node_does_not_take_up_again_what_has_ended)
{
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1];
    nodebox_up(&box, "seccomp = off\n");
    nd_init(&d, &box);
    nd_create_key(&d, "ECC_NIST_P256", key);
    (void)nodebox_stop(&box, 1, SIGKILL);
    cr_assert_eq(n_open_in(&box, 1), 2, "the system key's run and the key's");
    nodebox_start(&box, 1); /* takes them up once more, and ends them */
    nodebox_wait_ready(&box);
    cr_assert_eq(nodebox_stop(&box, 1, SIGTERM), 0);
    cr_assert_eq(n_open_in(&box, 1), 0);
    nodebox_start(&box, 1);
    nodebox_wait_ready(&box);
    nd_free(&d);
    nodebox_end(&box);
}
