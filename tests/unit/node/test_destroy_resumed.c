/* A node that stopped between storing a Deleted version and destroying the share destroys it when
 * it starts again. */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "qk/clock.h"
#include "vault/records.h"
#include "vault/shares.h"

enum { NODE = 1, DAY_MS = 86400000 };

static const uint16_t all[] = {1, 2, 3, 0};

static void deleted_version(struct nd *d, const char *key, struct qk_buf *certified)
{
    struct kms_record r = nd_find(d, KMS_KIND_KEY, key)->stored->r;
    memcpy(r.prev, r.hash, sizeof r.prev);
    r.version++;
    r.key.state = KMS_STATE_DELETED;
    r.key.deletion_ms = qk_now_ms() - DAY_MS;
    r.key.pending_days = 7;
    nd_certify(d, &r, all, certified);
}

/* What node_record_accept has done when the power fails before destroy_key. */
static void store_record(struct node_vault *v, struct qk_bytes certified)
{
    struct qk_bytes bytes;
    struct kms_cert cert;
    struct kms_stored stored;
    qk_assert_ok(kms_certified_decode(certified, &bytes, &cert));
    qk_assert_ok(kms_stored_load(bytes, &stored));
    struct node_record row = {.kind = KMS_KIND_KEY,
        .id = qk_str(stored.r.id),
        .version = stored.r.version,
        .record = bytes,
        .cert = certified};
    memcpy(row.hash, stored.r.hash, sizeof row.hash);
    qk_assert_ok(node_vault_record_put(v, &row, 0));
    kms_stored_free(&stored);
}

static qk_err load_share(struct node_vault *v, const char *key)
{
    uint8_t id[16];
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    qk_assert_ok(kms_uuid_parse(qk_str(key), id));
    return node_vault_share_load(v, id, NULL, &secret, NULL);
}

QK_TEST(destroy_resumed, a_deleted_key_does_not_survive_the_next_start)
{
    struct nodebox box;
    struct nd d;
    struct node_seal *seal;
    char doomed[KMS_UUID_LEN + 1], kept[KMS_UUID_LEN + 1];
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    nodebox_up(&box, "seccomp = off\n");
    nd_init(&d, &box);
    nd_create_key(&d, "ECC_NIST_P256", doomed);
    nd_create_key(&d, "ECC_NIST_P256", kept);
    deleted_version(&d, doomed, &certified);

    cr_assert_eq(nodebox_stop(&box, NODE, SIGTERM), 0);
    struct node_vault *v = nodebox_vault(&box, NODE, &seal);
    store_record(v, qk_buf_view(&certified));
    qk_assert_ok(load_share(v, doomed));
    node_vault_close(v);
    node_seal_free(seal);

    nodebox_start(&box, NODE);
    nodebox_wait_ready(&box);
    cr_assert_eq(nodebox_audit(&box, NODE, "key.destroyed", doomed), 1u);
    cr_assert_eq(nodebox_stop(&box, NODE, SIGTERM), 0);
    v = nodebox_vault(&box, NODE, &seal);
    qk_assert_err(load_share(v, doomed), QK_E_NOT_FOUND);
    qk_assert_ok(load_share(v, kept));
    node_vault_close(v);
    node_seal_free(seal);
    nd_free(&d);
    nodebox_end(&box);
}
