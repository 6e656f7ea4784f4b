#include "qktest/qktest.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "badvfs.h"
#include "vaultbox.h"

enum { LEN = 12000 };

static const uint8_t KEY[16] = {0xaa};
static const uint8_t ROOT[16] = {0};

static struct node_setup setup(uint8_t id, const uint8_t *key, uint32_t epoch, uint16_t peer)
{
    struct node_setup s = {
        .id = {id}, .epoch = epoch, .peer = peer, .cls = 1, .created_ms = 1000u + id};
    memcpy(s.key_id, key, 16);
    return s;
}

static void secret_of(uint8_t id, uint8_t out[static LEN])
{
    for (size_t i = 0; i < LEN; i++) out[i] = (uint8_t)(id * 13 + i * 11 + i / 200);
}

static qk_err put(struct vaultbox *box, const struct node_setup *s)
{
    uint8_t secret[LEN];
    secret_of(s->id[0], secret);
    return node_vault_setup_put(box->vault, s, QK_BYTES(secret));
}

static qk_err load(struct vaultbox *box, const struct node_setup *s)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SETUP_MAX);
    return node_vault_setup_load(box->vault, s->id, NULL, &secret);
}

static enum node_setup_status status_of(struct vaultbox *box, const struct node_setup *s)
{
    struct node_setup got = {0};
    qk_assert_ok(node_vault_setup_load(box->vault, s->id, &got, NULL));
    return got.status;
}

static void start(struct vaultbox *box)
{
    vaultbox_make(box);
    cr_assert_eq(vaultbox_open(box, true), QK_OK, "%s", box->why);
}

static void restart(struct vaultbox *box)
{
    vaultbox_close(box);
    cr_assert_eq(vaultbox_open(box, false), QK_OK, "%s", box->why);
}

QK_TEST(vault_setups, go_from_fresh_to_proven_to_poisoned_and_never_back)
{
    struct vaultbox box;
    struct node_setup s = setup(1, KEY, 1, 2);
    enum node_setup_status was = 0;
    start(&box);
    qk_assert_err(node_vault_setup_use(box.vault, s.id, 1), QK_E_NOT_FOUND);
    qk_assert_ok(put(&box, &s));
    cr_assert_eq(status_of(&box, &s), NODE_SETUP_FRESH);
    qk_assert_ok(node_vault_setup_use(box.vault, s.id, 2000));
    qk_assert_ok(node_vault_setup_use(box.vault, s.id, 2001));
    restart(&box);
    cr_assert_eq(status_of(&box, &s), NODE_SETUP_PROVEN);
    qk_assert_ok(load(&box, &s));
    qk_assert_ok(node_vault_setup_poison(box.vault, s.id, 3000, &was));
    cr_assert_eq(was, NODE_SETUP_PROVEN);
    qk_assert_ok(node_vault_setup_poison(box.vault, s.id, 3001, &was));
    cr_assert_eq(was, NODE_SETUP_POISONED);
    qk_assert_err(node_vault_setup_use(box.vault, s.id, 4000), QK_E_DENIED);
    qk_assert_err(load(&box, &s), QK_E_DENIED);
    qk_assert_err(put(&box, &s), QK_E_CONFLICT);
    restart(&box);
    cr_assert_eq(status_of(&box, &s), NODE_SETUP_POISONED);
    qk_assert_err(put(&box, &s), QK_E_CONFLICT);
    vaultbox_end(&box);
}

QK_TEST(vault_setups, finds_the_newest_usable_one_of_its_scope)
{
    struct vaultbox box;
    struct node_setup old = setup(1, KEY, 1, 2), new = setup(2, KEY, 1, 2),
                      epoch2 = setup(3, KEY, 2, 2), peer3 = setup(4, KEY, 1, 3),
                      root = setup(5, ROOT, 0, 2), got;
    start(&box);
    qk_assert_err(node_vault_setup_find(box.vault, KEY, 1, 2, 1, &got), QK_E_NOT_FOUND);
    qk_assert_ok(put(&box, &new));
    qk_assert_ok(put(&box, &old));
    qk_assert_ok(put(&box, &epoch2));
    qk_assert_ok(put(&box, &peer3));
    qk_assert_ok(put(&box, &root));
    qk_assert_ok(node_vault_setup_find(box.vault, KEY, 1, 2, 1, &got));
    cr_assert_eq(got.id[0], 2);
    qk_assert_err(node_vault_setup_find(box.vault, KEY, 1, 2, 2, &got), QK_E_NOT_FOUND);
    qk_assert_ok(node_vault_setup_find(box.vault, ROOT, 0, 2, 1, &got));
    cr_assert_eq(got.id[0], 5);
    qk_assert_ok(node_vault_setup_poison(box.vault, new.id, 5000, NULL));
    qk_assert_ok(node_vault_setup_find(box.vault, KEY, 1, 2, 1, &got));
    cr_assert_eq(got.id[0], 1);
    qk_assert_ok(node_vault_setup_wipe(box.vault, old.id));
    qk_assert_err(node_vault_setup_find(box.vault, KEY, 1, 2, 1, &got), QK_E_NOT_FOUND);
    uint64_t n;
    qk_assert_ok(node_vault_setup_poisoned(box.vault, KEY, 2, 1, 4000, &n));
    cr_assert_eq(n, 1);
    qk_assert_ok(node_vault_setup_poisoned(box.vault, KEY, 2, 2, 4000, &n));
    cr_assert_eq(n, 0);
    qk_assert_ok(node_vault_setup_poisoned(box.vault, KEY, 2, UINT32_MAX, 5001, &n));
    cr_assert_eq(n, 0);
    qk_assert_ok(node_vault_setup_wipe_key(box.vault, KEY, UINT32_MAX));
    qk_assert_err(node_vault_setup_find(box.vault, KEY, 2, 2, 1, &got), QK_E_NOT_FOUND);
    qk_assert_ok(node_vault_setup_find(box.vault, ROOT, 0, 2, 1, &got));
    vaultbox_end(&box);
}

QK_TEST(vault_setups, E_7_poison_reaches_what_was_derived_and_wipes_the_bytes)
{
    struct vaultbox box;
    struct node_setup root = setup(1, ROOT, 0, 2), child = setup(2, KEY, 1, 2),
                      other = setup(3, KEY, 1, 3);
    QK_AUTO_BUF root_bytes = QK_BUF(1 << 16);
    QK_AUTO_BUF child_bytes = QK_BUF(1 << 16);
    memcpy(child.root, root.id, 32);
    start(&box);
    qk_assert_ok(put(&box, &root));
    qk_assert_ok(put(&box, &child));
    qk_assert_ok(put(&box, &other));
    vaultbox_close(&box);
    vaultbox_blob(&box, "SELECT sealed FROM setup WHERE substr(id,1,1) = x'01'", &root_bytes);
    vaultbox_blob(&box, "SELECT sealed FROM setup WHERE substr(id,1,1) = x'02'", &child_bytes);
    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    qk_assert_ok(node_vault_setup_poison(box.vault, root.id, 9, NULL));
    cr_expect_eq(status_of(&box, &child), NODE_SETUP_POISONED, "E-7: a child of a poisoned root");
    cr_expect_eq(status_of(&box, &other), NODE_SETUP_FRESH);
    for (size_t at = 0; at + 24 <= root_bytes.len; at += 240) {
        cr_expect(!vaultbox_has(&box, qk_bytes(root_bytes.p + at, 24)), "E-7: not wiped");
        cr_expect(!vaultbox_has(&box, qk_bytes(child_bytes.p + at, 24)), "E-7: not wiped");
    }
    vaultbox_end(&box);
}

QK_TEST(vault_setups, E_7_poisoned_before_kill_9_is_poisoned_after)
{
    struct vaultbox box;
    struct node_setup s = setup(1, KEY, 1, 2), got;
    start(&box);
    qk_assert_ok(put(&box, &s));
    qk_assert_ok(node_vault_setup_use(box.vault, s.id, 5));
    vaultbox_close(&box);
    pid_t pid = fork();
    if (pid == 0) {
        if (vaultbox_open(&box, false) != QK_OK) _exit(1);
        if (node_vault_setup_poison(box.vault, s.id, 6, NULL) != QK_OK) _exit(1);
        (void)kill(getpid(), SIGKILL); /* E-7: right after the return, before anything visible */
    }
    int status;
    (void)waitpid(pid, &status, 0);
    cr_assert(WIFSIGNALED(status), "the child could not poison");
    cr_assert_eq(vaultbox_open(&box, false), QK_OK, "%s", box.why);
    cr_expect_eq(status_of(&box, &s), NODE_SETUP_POISONED, "E-7: alive again after kill -9");
    qk_assert_err(load(&box, &s), QK_E_DENIED);
    qk_assert_err(node_vault_setup_find(box.vault, KEY, 1, 2, 1, &got), QK_E_NOT_FOUND);
    vaultbox_end(&box);
}

QK_TEST(vault_setups, E_7_a_disk_that_refuses_the_poison_does_not_save_the_setup)
{
    struct vaultbox box;
    struct node_setup root = setup(1, ROOT, 0, 2), child = setup(2, KEY, 1, 2), got;
    memcpy(child.root, root.id, 32);
    badvfs_register();
    vaultbox_make(&box);
    box.vfs = "bad";
    cr_assert_eq(vaultbox_open(&box, true), QK_OK);
    qk_assert_ok(put(&box, &root));
    qk_assert_ok(put(&box, &child));
    badvfs.full = true;
    qk_assert_err(node_vault_setup_poison(box.vault, root.id, 7, NULL), QK_E_IO);
    badvfs.full = false;
    /* E-7: not durable, yet this process never uses it again. */
    qk_assert_err(node_vault_setup_use(box.vault, root.id, 8), QK_E_DENIED);
    qk_assert_err(node_vault_setup_use(box.vault, child.id, 8), QK_E_DENIED);
    qk_assert_err(load(&box, &child), QK_E_DENIED);
    qk_assert_err(node_vault_setup_find(box.vault, KEY, 1, 2, 1, &got), QK_E_NOT_FOUND);
    qk_assert_ok(node_vault_setup_poison(box.vault, root.id, 9, NULL));
    vaultbox_end(&box);
}

QK_TEST(vault_setups, E_3_every_exchange_on_disk_is_noticed)
{
    static const char *const tricks[] = {
        /* E-3: two setups' blobs, a bit, another peer, key, epoch, class, record, root */
        "UPDATE setup SET sealed = (SELECT sealed FROM setup WHERE peer = 3) WHERE peer = 2",
        "", /* a bit */
        "UPDATE setup SET peer = 9 WHERE peer = 2",
        "UPDATE setup SET key_id = zeroblob(16)",
        "UPDATE setup SET epoch = 4",
        "UPDATE setup SET cls = 2",
        "UPDATE setup SET record = CAST(x'01' || zeroblob(31) AS BLOB)",
        "UPDATE setup SET root = CAST(x'01' || zeroblob(31) AS BLOB)",
        "UPDATE setup SET sealed = x''",
    };
    for (size_t i = 0; i < QK_COUNT(tricks); i++) {
        struct vaultbox box;
        struct node_setup s = setup(1, KEY, 1, 2), other = setup(2, KEY, 1, 3);
        start(&box);
        qk_assert_ok(put(&box, &s));
        qk_assert_ok(put(&box, &other));
        vaultbox_close(&box);
        if (tricks[i][0] == 0) vaultbox_flip(&box, "setup", 500);
        vaultbox_sql(&box, tricks[i]);
        cr_assert_eq(vaultbox_open(&box, false), QK_OK, "%s", box.why);
        qk_err err = load(&box, &s);
        cr_expect_eq(err, QK_E_CORRUPT, "E-3, %s: %s", tricks[i], qk_err_name(err));
        uint64_t n;
        qk_assert_ok(node_vault_strikes(box.vault, 2, NULL, 0, &n));
        cr_expect_eq(n, 0, "E-3: a strike for our own disk");
        vaultbox_end(&box);
    }
}

QK_TEST(vault_setups, are_read_back_when_stored)
{
    static const struct badvfs disks[] = {
        {.fail_sync = true}, {.full = true}, {.drop_writes = true}, {.flip_writes = true}};
    badvfs_register();
    for (size_t i = 0; i < QK_COUNT(disks); i++) {
        struct vaultbox box;
        struct node_setup s = setup(1, KEY, 1, 2);
        vaultbox_make(&box);
        box.vfs = "bad";
        cr_assert_eq(vaultbox_open(&box, true), QK_OK);
        badvfs = disks[i];
        qk_err err = put(&box, &s);
        badvfs = (struct badvfs){0};
        cr_expect(err == QK_E_IO || err == QK_E_CORRUPT, "disk %zu: %s", i, qk_err_name(err));
        vaultbox_end(&box);
    }
}

/* Document 20 section 7.1: k sessions at once must not learn k bits. Each thread does what a
 * session does; the failure of one stops all that come after it. */
struct race {
    struct vaultbox *box;
    const struct node_setup *s;
    unsigned sent_after;
    bool poisoned;
};

static void *session(void *arg)
{
    struct race *r = arg;
    for (int i = 0; i < 20; i++) {
        node_setup_lock(r->box->vault, r->s->id);
        bool may_send = node_vault_setup_use(r->box->vault, r->s->id, 5) == QK_OK;
        if (may_send && r->poisoned) r->sent_after++;
        if (may_send && i == 7 && !r->poisoned)
            r->poisoned = node_vault_setup_poison(r->box->vault, r->s->id, 6, NULL) == QK_OK;
        node_setup_unlock(r->box->vault, r->s->id);
    }
    return NULL;
}

QK_TEST(vault_setups, E_7_nothing_is_sent_after_the_first_failure)
{
    struct vaultbox box;
    struct node_setup s = setup(1, KEY, 1, 2);
    pthread_t threads[8];
    start(&box);
    qk_assert_ok(put(&box, &s));
    struct race r = {&box, &s, 0, false};
    for (int i = 0; i < 8; i++) cr_assert_eq(pthread_create(&threads[i], NULL, session, &r), 0);
    for (int i = 0; i < 8; i++) (void)pthread_join(threads[i], NULL);
    cr_assert(r.poisoned);
    cr_assert_eq(r.sent_after, 0, "E-7: %u sends after the poison", r.sent_after);
    vaultbox_end(&box);
}

static bool sum_ids(void *arg, const struct node_setup *info)
{
    unsigned *sum = arg;
    *sum = *sum * 10 + info->id[0];
    return true;
}

QK_TEST(vault_setups, lists_by_age)
{
    struct vaultbox box;
    unsigned sum = 0;
    start(&box);
    for (uint8_t id = 3; id >= 1; id--) {
        struct node_setup s = setup(id, KEY, 1, 2);
        qk_assert_ok(put(&box, &s));
    }
    qk_assert_ok(node_vault_setup_list(box.vault, sum_ids, &sum));
    cr_assert_eq(sum, 123);
    vaultbox_end(&box);
}
