/* A certified record is in force from the moment it is learnt, whatever becomes of the disk: one
 * that could not be written is not forgotten for lack of room, or the vault's older version would
 * be. */
#include <stdio.h>
#include <stdlib.h>
#include "badvfs.h"
#include "core/pending.h"
#include "core/records.h"
#include "nodedriver.h"
#include "qktest/qktest.h"
#include "vaultbox.h"

enum { ROOM = 4, OTHERS = 6 };

static const uint16_t all[] = {1, 2, 3, 0};

struct bench {
    struct nodebox box;
    struct vaultbox vault;
    struct nd d;
    struct node *node;
};

static void set_up(struct bench *b)
{
    memset(b, 0, sizeof *b);
    nodebox_make(&b->box, NULL);
    b->d.box = &b->box;
    badvfs_register();
    vaultbox_make(&b->vault);
    b->vault.vfs = "bad";
    qk_assert_ok(vaultbox_open(&b->vault, true));
    b->node = calloc(1, sizeof *b->node);
    cr_assert_not_null(b->node);
    b->node->conf.node_id = 1;
    b->node->conf.known_records = ROOM;
    b->node->cluster = b->box.cluster;
    b->node->vault = b->vault.vault;
    qk_assert_ok(node_records_new(&b->node->records, b->node));
    qk_assert_ok(node_pending_new(&b->node->pending));
}

static void tear_down(struct bench *b)
{
    badvfs.full = false;
    node_pending_free(b->node->pending);
    node_records_free(b->node->records);
    free(b->node);
    vaultbox_end(&b->vault);
    nodebox_end(&b->box);
}

/* Version `version` of user number i; its record follows *last, which it becomes. */
static qk_err accept(struct bench *b, unsigned i, uint64_t version, struct kms_record *last)
{
    char name[16];
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    struct kms_ref ref;
    struct kms_record r = {.kind = KMS_KIND_USER, .version = version};
    (void)snprintf(name, sizeof name, "user-%u", i);
    qk_assert_ok(kms_ref_user(NB_ACCOUNT, qk_str(name), &ref));
    memcpy(r.id, ref.id, sizeof r.id);
    if (last != NULL) memcpy(r.prev, last->hash, sizeof r.prev);
    r.user = (struct kms_user){.account = qk_str(NB_ACCOUNT),
        .name = qk_str(name),
        .user_id = qk_str("AIDAQKMSTESTUSERAAAAA"),
        .admin = version == 1,
        .created_ms = 1000};
    nd_certify(&b->d, &r, all, &certified);
    if (last != NULL) memcpy(last->hash, r.hash, sizeof last->hash);
    return node_record_accept(b->node, qk_buf_view(&certified), 0);
}

static uint64_t version_in_force(struct bench *b, unsigned i)
{
    struct node_known *known;
    struct kms_ref ref;
    char name[16];
    (void)snprintf(name, sizeof name, "user-%u", i);
    qk_assert_ok(kms_ref_user(NB_ACCOUNT, qk_str(name), &ref));
    qk_assert_ok(node_known_get(b->node, KMS_KIND_USER, ref.id, &known));
    uint64_t version = known->stored.r.version;
    node_known_put(b->node, known);
    return version;
}

QK_TEST(records_unwritten, a_version_that_the_disk_did_not_take_is_not_forgotten_for_lack_of_room)
{
    struct bench b;
    struct kms_record last = {.version = 0};
    set_up(&b);
    for (unsigned i = 1; i <= OTHERS; i++) qk_assert_ok(accept(&b, i, 1, NULL));
    qk_assert_ok(accept(&b, 0, 1, &last));
    badvfs.full = true;
    cr_assert_neq(accept(&b, 0, 2, &last), QK_OK, "the disk is full");
    for (unsigned i = 1; i <= OTHERS; i++) cr_assert_eq(version_in_force(&b, i), 1u);
    cr_assert_eq(version_in_force(&b, 0), 2u, "an older version is in force again");
    badvfs.full = false;
    qk_assert_ok(accept(&b, 7, 1, NULL));
    tear_down(&b);
}

QK_TEST(records_unwritten, is_written_when_it_comes_again)
{
    struct bench b;
    struct kms_record first = {.version = 0}, again;
    set_up(&b);
    qk_assert_ok(accept(&b, 0, 1, &first));
    again = first;
    badvfs.full = true;
    cr_assert_neq(accept(&b, 0, 2, &first), QK_OK);
    badvfs.full = false;
    qk_assert_ok(accept(&b, 0, 2, &again));
    for (unsigned i = 1; i <= OTHERS; i++) qk_assert_ok(accept(&b, i, 1, NULL));
    cr_assert_eq(version_in_force(&b, 0), 2u);
    tear_down(&b);
}

QK_TEST(records_unwritten, take_twice_the_room_at_most)
{
    struct bench b;
    set_up(&b);
    qk_assert_ok(accept(&b, 0, 1, NULL));
    badvfs.full = true;
    for (unsigned i = 1; i <= 3 * ROOM; i++) cr_assert_neq(accept(&b, i, 1, NULL), QK_OK);
    struct node_known *known;
    struct kms_ref ref;
    qk_assert_ok(kms_ref_user(NB_ACCOUNT, qk_str("user-1"), &ref));
    qk_assert_err(node_known_get(b.node, KMS_KIND_USER, ref.id, &known), QK_E_NOT_FOUND);
    cr_assert_eq(version_in_force(&b, 3 * ROOM), 1u);
    tear_down(&b);
}
