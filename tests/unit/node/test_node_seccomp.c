/* The whole work of a node under its system call filter: a call that is not on the list kills it,
 * so living through this proves the list long enough. Sanitizers need calls of their own
 * (nodebox.h): there the filter stays off and the test is about the rest. */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"

static const uint16_t pairs[][3] = {{1, 2, 0}, {1, 3, 0}, {2, 3, 0}};

QK_TEST(node_seccomp, a_node_does_all_its_work_under_the_filter)
{
    static const char *const specs[] = {
        "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1"};
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], body[256];
    nodebox_up(&box, NB_FILTER "audit_rotate_mib = 1\naudit_sync = all\n");
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        char path[64], line[4096] = "";
        (void)snprintf(path, sizeof path, "/proc/%d/status", (int)box.pid[id]);
        FILE *f = fopen(path, "r");
        cr_assert_not_null(f);
        size_t n = fread(line, 1, sizeof line - 1, f);
        (void)fclose(f);
        cr_assert_not_null(memmem(line, n, NB_FILTER_MODE, strlen(NB_FILTER_MODE)), "%s", line);
    }
    nd_init(&d, &box);
    for (size_t i = 0; i < QK_COUNT(specs); i++) nd_create_key(&d, specs[i], key);
    nd_create_key(&d, "ECC_NIST_P256", key);
    for (int round = 0; round < 4; round++)
        for (size_t i = 0; i < 3; i++)
            qk_assert_ok(nd_sign(&d, key, "hello", pairs[i], NULL, NULL));
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", key);
    nd_do(&d, "TrentService.DisableKey", body);
    nd_do(&d, "TrentService.EnableKey", body);
    cr_assert_eq(nodebox_stop(&box, 3, SIGKILL), SIGKILL);
    qk_assert_ok(nd_sign(&d, key, "two", pairs[0], NULL, NULL));
    nodebox_start(&box, 3);
    nodebox_wait_ready(&box);
    qk_assert_ok(nd_sign(&d, key, "three again", pairs[2], NULL, NULL));
    struct kms_record dead = nd_find(&d, KMS_KIND_KEY, key)->stored->r;
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    memcpy(dead.prev, dead.hash, 32);
    dead.version++;
    dead.key.state = KMS_STATE_DELETED;
    dead.key.pending_days = 7;
    dead.key.deletion_ms = dead.key.created_ms;
    nd_certify(&d, &dead, pairs[0], &certified);
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_eq(nd_publish(&d, id, qk_buf_view(&certified)), WIRE_ANSWER_OK);
    nd_free(&d);
    nodebox_end(&box); /* status 0 of every node */
}
