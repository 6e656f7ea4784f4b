#include "qktest/qktest.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "badvfs.h"
#include "vaultbox.h"

enum { SHARE_LEN = 2000, RECORD_LEN = 120 };

static const uint8_t KEY[16] = {0xaa, 1, 2, 3};
static const uint8_t SID[32] = {0xcc, 1, 2, 3};
static const uint8_t OTHER[16] = {0xbb, 1, 2, 3};

struct share {
    uint8_t secret[SHARE_LEN];
    uint8_t record[RECORD_LEN];
};

static struct share share_of(uint8_t seed)
{
    struct share s;
    for (size_t i = 0; i < SHARE_LEN; i++) s.secret[i] = (uint8_t)(seed * 31 + i * 7 + i / 251);
    memset(s.record, seed, RECORD_LEN);
    return s;
}

static qk_err put(struct vaultbox *box, const uint8_t *key, uint32_t epoch, uint8_t seed)
{
    struct share s = share_of(seed);
    return node_vault_share_put_pending(
        box->vault, key, epoch, SID, QK_BYTES(s.secret), QK_BYTES(s.record), 1000 + epoch);
}

static qk_err load_epoch(struct vaultbox *box, const uint8_t *key, uint32_t epoch)
{
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    return node_vault_share_load_epoch(box->vault, key, epoch, NULL, &secret, NULL);
}

static void start(struct vaultbox *box)
{
    vaultbox_make(box);
    cr_assert_eq(vaultbox_open(box, true), QK_OK, "%s", box->why);
}

QK_TEST(vault_shares, gives_back_what_was_put)
{
    struct vaultbox box;
    struct share want = share_of(5);
    start(&box);
    qk_assert_ok(put(&box, KEY, 1, 5));
    qk_assert_ok(put(&box, KEY, 1, 5)); /* K3: the same again is the same */
    qk_assert_err(put(&box, KEY, 1, 6), QK_E_CONFLICT);
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    QK_AUTO_BUF record = QK_BUF(NODE_SHARE_RECORD_MAX);
    uint32_t epoch = 0;
    qk_assert_err(node_vault_share_load(box.vault, KEY, &epoch, &secret, &record), QK_E_NOT_FOUND);
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 1, SID));
    vaultbox_close(&box);
    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    qk_assert_ok(node_vault_share_load(box.vault, KEY, &epoch, &secret, &record));
    cr_assert_eq(epoch, 1);
    cr_assert(qk_bytes_eq(qk_buf_view(&secret), QK_BYTES(want.secret)));
    cr_assert(qk_bytes_eq(qk_buf_view(&record), QK_BYTES(want.record)));
    cr_assert(!vaultbox_has(&box, qk_bytes(want.secret, 64)), "a share stands in clear");
    vaultbox_end(&box);
}

QK_TEST(vault_shares, K7_switching_keeps_the_base_and_can_go_back)
{
    struct vaultbox box;
    enum node_share_state state;
    uint32_t epoch;
    start(&box);
    qk_assert_ok(put(&box, KEY, 1, 1));
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 1, SID));
    qk_assert_ok(put(&box, KEY, 2, 2));
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    qk_assert_ok(node_vault_share_load_epoch(box.vault, KEY, 2, &state, &secret, NULL));
    cr_assert_eq(state, NODE_SHARE_PENDING);
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 2, SID));
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 2, SID));
    qk_assert_ok(node_vault_share_load(box.vault, KEY, &epoch, &secret, NULL));
    cr_assert_eq(epoch, 2);
    qk_assert_ok(node_vault_share_load_epoch(box.vault, KEY, 1, &state, &secret, NULL));
    cr_assert_eq(state, NODE_SHARE_RETIRED);
    qk_assert_err(node_vault_share_activate(box.vault, KEY, 3, SID), QK_E_NOT_FOUND);
    qk_assert_ok(node_vault_share_load(box.vault, KEY, &epoch, &secret, NULL));
    cr_assert_eq(epoch, 2, "a failed switch switched");
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 1, SID));
    qk_assert_ok(node_vault_share_load(box.vault, KEY, &epoch, &secret, NULL));
    cr_assert_eq(epoch, 1);
    vaultbox_end(&box);
}

static bool count_infos(void *arg, const struct node_share_info *info)
{
    unsigned *n = arg;
    n[0]++;
    n[1] = n[1] * 10 + info->epoch;
    return n[0] < 4;
}

QK_TEST(vault_shares, lists_in_order_and_stops_when_told)
{
    struct vaultbox box;
    uint64_t total;
    start(&box);
    for (uint32_t e = 3; e >= 1; e--) {
        qk_assert_ok(put(&box, KEY, e, (uint8_t)e));
        qk_assert_ok(put(&box, OTHER, e, (uint8_t)e));
    }
    unsigned one[2] = {0}, all[2] = {0};
    qk_assert_ok(node_vault_share_list(box.vault, OTHER, count_infos, one));
    cr_assert_eq(one[1], 123);
    qk_assert_ok(node_vault_share_list(box.vault, NULL, count_infos, all));
    cr_assert_eq(all[1], 1231);
    qk_assert_ok(node_vault_share_count(box.vault, &total));
    cr_assert_eq(total, 6);
    vaultbox_end(&box);
}

/* B-1: each way in which a disk can fail must end without QK_OK, that is, without a prep. */
QK_TEST(vault_shares, B_1_no_disk_failure_ends_in_a_prep)
{
    static const struct {
        const char *what;
        struct badvfs bad;
        qk_err want, or_else;
    } disks[] = {
        {"the sync fails", {.fail_sync = true}, QK_E_IO, QK_E_IO},
        {"the disk is full", {.full = true}, QK_E_IO, QK_E_IO},
        {"writes vanish", {.drop_writes = true}, QK_E_IO, QK_E_CORRUPT},
        {"a bit flips on the way down", {.flip_writes = true}, QK_E_CORRUPT, QK_E_CORRUPT},
        {"a bit flips on the way back", {.flip_reads = true}, QK_E_CORRUPT, QK_E_CORRUPT},
    };
    badvfs_register();
    for (size_t i = 0; i < QK_COUNT(disks); i++) {
        struct vaultbox box;
        vaultbox_make(&box);
        box.vfs = "bad";
        cr_assert_eq(vaultbox_open(&box, true), QK_OK, "%s", box.why);
        qk_assert_ok(put(&box, KEY, 1, 1));
        badvfs = disks[i].bad;
        qk_err err = put(&box, KEY, 2, 2);
        badvfs = (struct badvfs){0};
        cr_expect(err == disks[i].want || err == disks[i].or_else, "B-1, %s: %s", disks[i].what,
            qk_err_name(err));
        vaultbox_end(&box);
    }
}

QK_TEST(vault_shares, B_1_syncs_before_it_says_yes)
{
    struct vaultbox box;
    badvfs_register();
    vaultbox_make(&box);
    box.vfs = "bad";
    cr_assert_eq(vaultbox_open(&box, true), QK_OK);
    unsigned before = badvfs.syncs;
    qk_assert_ok(put(&box, KEY, 1, 1));
    cr_assert_gt(badvfs.syncs, before, "B-1: stored without a sync");
    vaultbox_end(&box);
}

QK_TEST(vault_shares, B_1_a_full_file_refuses_and_keeps_what_it_had)
{
    struct vaultbox box;
    vaultbox_make(&box);
    box.max_bytes = 256 * 1024;
    cr_assert_eq(vaultbox_open(&box, true), QK_OK);
    qk_err err = QK_OK;
    uint32_t stored = 0;
    while (stored < 1000 && (err = put(&box, KEY, stored + 1, 3)) == QK_OK) stored++;
    cr_assert_eq(err, QK_E_IO, "B-1: %s", qk_err_name(err));
    cr_assert_gt(stored, 10);
    vaultbox_close(&box);
    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    for (uint32_t e = 1; e <= stored; e++) qk_assert_ok(load_epoch(&box, KEY, e));
    qk_assert_err(load_epoch(&box, KEY, stored + 1), QK_E_NOT_FOUND);
    vaultbox_end(&box);
}

QK_TEST(vault_shares, E_3_every_exchange_on_disk_is_noticed)
{
    static const char *const tricks[] = {
        /* E-3: blobs of two epochs, of two keys, a bit, a record, a moved row */
        "UPDATE share SET sealed = (SELECT sealed FROM share WHERE epoch = 2) WHERE epoch = 1",
        ("UPDATE share SET sealed = (SELECT sealed FROM share WHERE key_id > x'b0' AND epoch = 1)"
         " WHERE epoch = 1"),
        "", /* a bit */
        "UPDATE share SET record = (SELECT record FROM share WHERE epoch = 2) WHERE epoch = 1",
        "UPDATE share SET epoch = 9 WHERE epoch = 1; UPDATE share SET epoch = 1 WHERE epoch = 2",
        "UPDATE share SET sealed = x'' WHERE epoch = 1",
        "UPDATE share SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE epoch = 1",
    };
    for (size_t i = 0; i < QK_COUNT(tricks); i++) {
        struct vaultbox box;
        start(&box);
        qk_assert_ok(put(&box, KEY, 1, 1));
        qk_assert_ok(put(&box, KEY, 2, 2));
        if (i == 1) qk_assert_ok(put(&box, OTHER, 1, 1));
        qk_assert_ok(load_epoch(&box, KEY, 1));
        vaultbox_close(&box);
        if (tricks[i][0] == 0) vaultbox_flip(&box, "share", 100);
        vaultbox_sql(&box, tricks[i]);
        cr_assert_eq(vaultbox_open(&box, false), QK_OK, "%s", box.why);
        qk_err err = load_epoch(&box, KEY, 1);
        cr_expect_eq(err, QK_E_CORRUPT, "E-3, %s: %s", tricks[i], qk_err_name(err));
        uint64_t n;
        for (uint16_t peer = 1; peer < 4; peer++) {
            qk_assert_ok(node_vault_strikes(box.vault, peer, NULL, 0, &n));
            cr_expect_eq(n, 0, "E-3: somebody was blamed for our disk");
        }
        vaultbox_end(&box);
    }
}

/* Pieces of the sealed blob: pages split it, so a few short ones rather than the whole. */
static bool any_piece_left(const struct vaultbox *box, const struct qk_buf *sealed)
{
    for (size_t at = 0; at + 24 <= sealed->len; at += 24)
        if (vaultbox_has(box, qk_bytes(sealed->p + at, 24))) return true;
    return false;
}

enum destroy_how { ONE, BEFORE, ALL };

static void destroys(enum destroy_how how)
{
    struct vaultbox box;
    QK_AUTO_BUF gone = QK_BUF(1 << 16);
    QK_AUTO_BUF kept = QK_BUF(1 << 16);
    QK_AUTO_BUF setup = QK_BUF(1 << 16);
    struct node_setup info = {.id = {1}, .epoch = 1, .peer = 2, .cls = 1, .created_ms = 1};
    uint8_t big[9000];
    start(&box);
    memcpy(info.key_id, KEY, 16);
    memset(big, 0x5a, sizeof big);
    qk_assert_ok(node_vault_setup_put(box.vault, &info, QK_BYTES(big)));
    for (uint32_t e = 1; e <= 3; e++) qk_assert_ok(put(&box, KEY, e, (uint8_t)e));
    qk_assert_ok(put(&box, OTHER, 1, 7));
    vaultbox_close(&box);
    vaultbox_blob(&box, "SELECT sealed FROM share WHERE epoch = 1 AND key_id < x'b0'", &gone);
    vaultbox_blob(&box, "SELECT sealed FROM share WHERE key_id > x'b0'", &kept);
    vaultbox_blob(&box, "SELECT sealed FROM setup", &setup);

    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    cr_assert(any_piece_left(&box, &gone), "the test looks for the wrong thing");
    if (how == ONE) qk_assert_ok(node_vault_share_destroy(box.vault, KEY, 1, SID));
    if (how == BEFORE) qk_assert_ok(node_vault_share_destroy_before(box.vault, KEY, 3));
    if (how == ALL) qk_assert_ok(node_vault_share_destroy_all(box.vault, KEY));
    cr_expect(!any_piece_left(&box, &gone), "B-6: the share is still on disk (%d)", (int)how);
    cr_expect(!any_piece_left(&box, &setup), "B-6: its setup is still on disk (%d)", (int)how);
    cr_expect(any_piece_left(&box, &kept));
    qk_assert_ok(node_vault_share_destroy(box.vault, KEY, 1, SID)); /* idempotent */
    qk_assert_err(load_epoch(&box, KEY, 1), QK_E_NOT_FOUND);
    qk_assert_err(load_epoch(&box, KEY, 2), how == ONE ? QK_OK : QK_E_NOT_FOUND);
    qk_assert_err(load_epoch(&box, KEY, 3), how == ALL ? QK_E_NOT_FOUND : QK_OK);
    qk_assert_ok(load_epoch(&box, OTHER, 1));
    qk_assert_err(node_vault_setup_load(box.vault, info.id, NULL, NULL), QK_E_NOT_FOUND);
    vaultbox_end(&box);
}

QK_TEST(vault_shares, B_6_destruction_leaves_no_sealed_byte_behind)
{
    destroys(ONE);
    destroys(BEFORE);
    destroys(ALL);
}

/* Stored and destroyed without a restart between: then the sealed bytes stand in the log. */
QK_TEST(vault_shares, B_6_the_log_is_cut_too)
{
    struct vaultbox box;
    QK_AUTO_BUF gone = QK_BUF(1 << 16);
    start(&box);
    qk_assert_ok(put(&box, KEY, 1, 1));
    struct vaultbox copy = box;
    (void)snprintf(copy.db, sizeof copy.db, "%s/copy.db", box.dir);
    (void)snprintf(copy.wal, sizeof copy.wal, "%s/copy.db-wal", box.dir);
    vaultbox_copy(box.db, copy.db);
    vaultbox_copy(box.wal, copy.wal);
    vaultbox_blob(&copy, "SELECT sealed FROM share", &gone);
    cr_assert(any_piece_left(&box, &gone), "the test looks for the wrong thing");
    qk_assert_ok(node_vault_share_destroy(box.vault, KEY, 1, SID));
    cr_expect(!any_piece_left(&box, &gone), "B-6: the log still holds the share");
    vaultbox_end(&box);
}

/* K9: the rows are deleted, the log is not yet cut, the process dies. The child does what destroy
 * does, up to there, by failing the sync of the checkpoint. */
QK_TEST(vault_shares, B_6_a_destruction_cut_short_ends_at_the_next_start)
{
    struct vaultbox box;
    QK_AUTO_BUF gone = QK_BUF(1 << 16);
    start(&box);
    qk_assert_ok(put(&box, KEY, 1, 1));
    vaultbox_close(&box);
    vaultbox_blob(&box, "SELECT sealed FROM share", &gone);
    (void)unlink(box.db);
    cr_assert_eq(vaultbox_open(&box, true), QK_OK);
    vaultbox_close(&box);
    pid_t pid = fork();
    if (pid == 0) {
        if (vaultbox_open(&box, false) != QK_OK || put(&box, KEY, 1, 1) != QK_OK) _exit(1);
        (void)kill(getpid(), SIGKILL); /* stored, in the log only */
    }
    int status;
    (void)waitpid(pid, &status, 0);
    cr_assert(WIFSIGNALED(status));
    gone.len = 0;
    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    qk_assert_ok(load_epoch(&box, KEY, 1));
    vaultbox_close(&box);
    vaultbox_blob(&box, "SELECT sealed FROM share", &gone);

    pid = fork();
    if (pid == 0) {
        badvfs_register();
        box.vfs = "bad";
        if (vaultbox_open(&box, false) != QK_OK) _exit(1);
        badvfs.fail_sync_after = badvfs.syncs + 1; /* the commit is synced, the checkpoint not */
        (void)!node_vault_share_destroy(box.vault, KEY, 1, SID);
        (void)kill(getpid(), SIGKILL);
    }
    (void)waitpid(pid, &status, 0);
    cr_assert(WIFSIGNALED(status));
    cr_assert(any_piece_left(&box, &gone), "it was not cut short");
    cr_assert_eq(vaultbox_open(&box, false), QK_OK, "%s", box.why);
    qk_assert_err(load_epoch(&box, KEY, 1), QK_E_NOT_FOUND);
    cr_expect(!any_piece_left(&box, &gone), "B-6: a restart left sealed bytes");
    vaultbox_end(&box);
}

QK_TEST(vault_shares, K2_a_killed_store_is_whole_or_absent)
{
    struct vaultbox box;
    start(&box);
    vaultbox_close(&box);
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (vaultbox_open(&box, false) != QK_OK) _exit(1);
        for (uint32_t e = 1;; e++)
            if (put(&box, KEY, e, (uint8_t)e) != QK_OK || write(fds[1], &e, 4) != 4) _exit(1);
    }
    (void)close(fds[1]);
    uint32_t told = 0, e;
    while (told < 25) cr_assert_eq(read(fds[0], &told, 4), 4);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    while (read(fds[0], &e, 4) == 4) told = e;
    (void)close(fds[0]);
    cr_assert_eq(vaultbox_open(&box, false), QK_OK, "%s", box.why);
    for (e = 1; e <= told; e++) qk_assert_ok(load_epoch(&box, KEY, e));
    qk_err next = load_epoch(&box, KEY, told + 1);
    cr_assert(next == QK_OK || next == QK_E_NOT_FOUND);
    vaultbox_end(&box);
}

struct job {
    struct vaultbox *box;
    uint8_t key[16];
    qk_err err;
};

static void *work(void *arg)
{
    struct job *j = arg;
    for (uint32_t e = 1; e <= 10 && j->err == QK_OK; e++) {
        j->err = put(j->box, j->key, e, (uint8_t)e);
        if (j->err == QK_OK) j->err = node_vault_share_activate(j->box->vault, j->key, e, SID);
        if (j->err == QK_OK) j->err = load_epoch(j->box, j->key, e);
        if (j->err == QK_OK) j->err = node_vault_share_destroy_before(j->box->vault, j->key, e);
    }
    return NULL;
}

/* ---- several attempts at one epoch ---- */

static const uint8_t SID2[32] = {0xdd, 1, 2, 3};

static qk_err put_of(struct vaultbox *box, const uint8_t sid[static 32], uint8_t seed)
{
    struct share s = share_of(seed);
    return node_vault_share_put_pending(
        box->vault, KEY, 1, sid, QK_BYTES(s.secret), QK_BYTES(s.record), 1000);
}

struct listed {
    struct node_share_info info[4];
    size_t n;
};

static bool list_one(void *arg, const struct node_share_info *info)
{
    struct listed *l = arg;
    l->info[l->n++] = *info;
    return l->n < QK_COUNT(l->info);
}

static struct listed list(struct vaultbox *box)
{
    struct listed l = {.n = 0};
    qk_assert_ok(node_vault_share_list(box->vault, KEY, list_one, &l));
    return l;
}

static bool active_is(struct vaultbox *box, uint8_t seed)
{
    struct share want = share_of(seed);
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    return node_vault_share_load(box->vault, KEY, NULL, &secret, NULL) == QK_OK &&
           qk_bytes_eq(qk_buf_view(&secret), QK_BYTES(want.secret));
}

QK_TEST(vault_shares, B_8_attempts_at_one_epoch_stand_side_by_side_in_their_order)
{
    struct vaultbox box;
    start(&box);
    qk_assert_ok(put_of(&box, SID2, 2));
    qk_assert_ok(put_of(&box, SID, 1));
    qk_assert_err(put_of(&box, SID, 2), QK_E_CONFLICT);
    vaultbox_close(&box);
    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    struct listed l = list(&box);
    cr_assert_eq(l.n, 2);
    cr_assert_arr_eq(l.info[0].sid, SID2, 32, "B-8");
    cr_assert_arr_eq(l.info[1].sid, SID, 32, "B-8");
    cr_assert(l.info[0].named && l.info[0].seq < l.info[1].seq, "B-8");
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 1, SID2));
    cr_assert(active_is(&box, 2));
    qk_assert_ok(node_vault_share_destroy(box.vault, KEY, 1, SID));
    cr_assert(active_is(&box, 2), "B-8: another attempt's share went");
    cr_assert_eq(list(&box).n, 1);
    vaultbox_end(&box);
}

QK_TEST(vault_shares, setups_of_an_epoch_stay_while_one_of_its_shares_does)
{
    struct vaultbox box;
    struct node_setup info = {.id = {5}, .epoch = 1, .peer = 2, .cls = 1};
    memcpy(info.key_id, KEY, 16);
    start(&box);
    qk_assert_ok(put_of(&box, SID, 1));
    qk_assert_ok(put_of(&box, SID2, 2));
    qk_assert_ok(node_vault_setup_put(box.vault, &info, qk_str("a setup")));
    qk_assert_ok(node_vault_share_destroy(box.vault, KEY, 1, SID));
    qk_assert_ok(node_vault_setup_load(box.vault, info.id, NULL, NULL));
    qk_assert_ok(node_vault_share_destroy(box.vault, KEY, 1, SID2));
    qk_assert_err(node_vault_setup_load(box.vault, info.id, NULL, NULL), QK_E_NOT_FOUND);
    vaultbox_end(&box);
}

/* Schema 3: a share was named by key and epoch alone. */
static void make_old(struct vaultbox *box)
{
    vaultbox_close(box);
    vaultbox_sql(box,
        "ALTER TABLE share RENAME TO share_new; DROP INDEX share_active;"
        "CREATE TABLE share(key_id BLOB NOT NULL CHECK(length(key_id) = 16),"
        " epoch INTEGER NOT NULL, state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 3),"
        " sealed BLOB NOT NULL, record BLOB NOT NULL, created_ms INTEGER NOT NULL,"
        " PRIMARY KEY(key_id, epoch)) STRICT;"
        "CREATE UNIQUE INDEX share_active ON share(key_id) WHERE state = 2;"
        "INSERT INTO share SELECT key_id, epoch, state, sealed, record, created_ms FROM share_new;"
        "DROP TABLE share_new; PRAGMA user_version = 3");
    cr_assert_eq(vaultbox_open(box, false), QK_OK, "%s", box->why);
}

QK_TEST(vault_shares, those_of_the_schema_before_are_taken_over_without_a_name)
{
    struct vaultbox box;
    start(&box);
    qk_assert_ok(put(&box, KEY, 1, 1));
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 1, SID));
    qk_assert_ok(put(&box, KEY, 2, 2));
    make_old(&box);
    cr_assert(active_is(&box, 1));
    struct listed l = list(&box);
    cr_assert(l.n == 2 && !l.info[0].named && !l.info[1].named);
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 1, SID)); /* repeated after a crash */
    qk_assert_ok(node_vault_share_name(box.vault, KEY, 1, SID2));
    qk_assert_ok(node_vault_share_name(box.vault, KEY, 2, SID));
    l = list(&box);
    cr_assert_not(l.info[0].named, "it is ACTIVE: whose it is does not matter any more");
    cr_assert_arr_eq(l.info[1].sid, SID, 32);
    qk_assert_ok(node_vault_share_destroy_unnamed(box.vault, KEY, 1));
    qk_assert_ok(node_vault_share_activate(box.vault, KEY, 2, SID));
    cr_assert(active_is(&box, 2));
    vaultbox_end(&box);
}

QK_TEST(vault_shares, threads_share_one_vault)
{
    struct vaultbox box;
    struct job jobs[4];
    pthread_t threads[4];
    uint64_t n;
    start(&box);
    for (uint8_t i = 0; i < 4; i++) {
        jobs[i] = (struct job){&box, {i}, QK_OK};
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], NULL);
        qk_assert_ok(jobs[i].err);
    }
    qk_assert_ok(node_vault_share_count(box.vault, &n));
    cr_assert_eq(n, 4);
    vaultbox_end(&box);
}

static bool count_run(void *arg, const uint8_t sid[static 32], uint64_t changed_ms)
{
    *(uint64_t *)arg += sid[0] * changed_ms;
    return true;
}

QK_TEST(vault_runs, keep_their_last_state_sealed)
{
    struct vaultbox box;
    const uint8_t a[32] = {1}, b[32] = {2};
    uint64_t sum = 0;
    start(&box);
    qk_assert_ok(node_vault_run_put(box.vault, a, qk_str("PREPARED and some more text"), 10));
    qk_assert_ok(node_vault_run_put(box.vault, a, qk_str("VOTED and some more text"), 20));
    qk_assert_ok(node_vault_run_put(box.vault, b, qk_str("ABORTING"), 100));
    qk_assert_ok(node_vault_run_list(box.vault, count_run, &sum));
    cr_assert_eq(sum, 220);
    QK_AUTO_BUF out = QK_BUF_SECRET(1000);
    qk_assert_ok(node_vault_run_get(box.vault, a, &out));
    cr_assert(qk_bytes_is(qk_buf_view(&out), "VOTED and some more text"));
    qk_assert_ok(node_vault_run_delete(box.vault, b));
    qk_assert_ok(node_vault_run_delete(box.vault, b));
    qk_assert_err(node_vault_run_get(box.vault, b, &out), QK_E_NOT_FOUND);
    vaultbox_close(&box);
    vaultbox_sql(&box, "UPDATE run SET sid = x'"
                       "0300000000000000000000000000000000000000000000000000000000000000'");
    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    const uint8_t c[32] = {3};
    qk_assert_err(node_vault_run_get(box.vault, c, &out), QK_E_CORRUPT);
    vaultbox_end(&box);
}
