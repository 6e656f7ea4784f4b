/* Opening, locking, identity, counters, notes, strikes, and what a killed process leaves. */
#include "qktest/qktest.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "qk/file.h"
#include "vaultbox.h"

static void open_ok(struct vaultbox *box, bool create)
{
    qk_err err = vaultbox_open(box, create);
    cr_assert_eq(err, QK_OK, "%s: %s", qk_err_name(err), box->why);
}

static void open_fails(struct vaultbox *box, bool create, qk_err want, const char *text)
{
    qk_err err = vaultbox_open(box, create);
    cr_assert_eq(err, want, "%s: %s", qk_err_name(err), box->why);
    cr_assert(strstr(box->why, text) != NULL, "'%s' lacks '%s'", box->why, text);
}

QK_TEST(vault_open, makes_a_private_file_once)
{
    struct vaultbox box;
    struct stat st;
    vaultbox_make(&box);
    open_ok(&box, true);
    cr_assert_eq(stat(box.db, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    vaultbox_close(&box);
    open_fails(&box, true, QK_E_CONFLICT, "exists already");
    open_ok(&box, false);
    vaultbox_end(&box);
}

QK_TEST(vault_open, never_starts_empty_by_accident)
{
    struct vaultbox box;
    vaultbox_make(&box);
    open_fails(&box, false, QK_E_NOT_FOUND, "joins under a new id"); /* K13, B-12 */
    cr_assert(access(box.db, F_OK) != 0);
    vaultbox_end(&box);
}

QK_TEST(vault_open, refuses_the_wrong_node_key_and_the_vault_of_another_node)
{
    struct vaultbox box;
    vaultbox_make(&box);
    open_ok(&box, true);
    vaultbox_close(&box);

    struct node_seal *mine = box.seal;
    box.seal = vaultbox_seal(&box, 0x43, 1);
    open_fails(&box, false, QK_E_DENIED, "another node key");
    node_seal_free(box.seal);
    box.seal = mine;

    box.node_id = 2;
    open_fails(&box, false, QK_E_DENIED, "belongs to node 1 of cluster c1");
    box.node_id = 1;

    (void)chmod(box.db, 0640);
    open_fails(&box, false, QK_E_DENIED, "open to group");
    (void)chmod(box.db, 0600);
    vaultbox_sql(&box, "PRAGMA user_version = 99");
    open_fails(&box, false, QK_E_DENIED, "schema version 99");
    vaultbox_end(&box);
}

QK_TEST(vault_open, reports_a_damaged_file)
{
    struct vaultbox box;
    vaultbox_make(&box);
    cr_assert_eq(
        qk_file_write(box.db, qk_str("this is no database, whatever its name says"), 0600), QK_OK);
    open_fails(&box, false, QK_E_CORRUPT, "damaged");
    (void)unlink(box.db);
    open_ok(&box, true);
    vaultbox_close(&box);
    vaultbox_sql(&box, "DELETE FROM meta WHERE name = 'generation'");
    open_fails(&box, false, QK_E_CORRUPT, "cannot be written");
    (void)unlink(box.db);

    open_ok(&box, true);
    vaultbox_close(&box);
    FILE *f = fopen(box.db, "r+"); /* a page in the middle is overwritten */
    (void)fseek(f, 3 * 4096, SEEK_SET);
    for (int i = 0; i < 4096; i++) (void)fputc(0xee, f);
    (void)fclose(f);
    open_fails(&box, false, QK_E_CORRUPT, "damaged");
    vaultbox_end(&box);
}

/* Run body in a child that holds the vault; it reports over the pipe and is killed. */
static pid_t child_with_vault(struct vaultbox *box, int *from, void (*body)(struct vaultbox *, int))
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(fds[0]);
        if (vaultbox_open(box, false) == QK_OK) body(box, fds[1]);
        _exit(1);
    }
    (void)close(fds[1]);
    *from = fds[0];
    return pid;
}

static void say_and_wait(struct vaultbox *box, int to)
{
    (void)box;
    (void)!write(to, "x", 1);
    (void)pause();
}

QK_TEST(vault_open, refuses_a_second_process)
{
    struct vaultbox box;
    vaultbox_make(&box);
    open_ok(&box, true);
    vaultbox_close(&box);
    int from;
    char c;
    pid_t pid = child_with_vault(&box, &from, say_and_wait);
    cr_assert_eq(read(from, &c, 1), 1);
    open_fails(&box, false, QK_E_BUSY, "in use");
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    (void)close(from);
    open_ok(&box, false);
    cr_assert(node_vault_was_unclean(box.vault));
    vaultbox_close(&box);
    open_ok(&box, false);
    cr_assert(!node_vault_was_unclean(box.vault));
    vaultbox_end(&box);
}

static void count_forever(struct vaultbox *box, int to)
{
    for (;;) {
        /* The row first: killed in between, the next process puts the same row again. */
        uint64_t n = 0;
        if (node_vault_counter_get(box->vault, "loop", &n) != QK_OK) return;
        uint8_t sid[32] = {0};
        qk_put_u64(sid, n + 1);
        if (node_vault_run_put(box->vault, sid, QK_BYTES(sid), n + 1) != QK_OK) return;
        if (node_vault_counter_add(box->vault, "loop", 1, &n) != QK_OK) return;
        if (write(to, &n, sizeof n) != (ssize_t)sizeof n) return;
    }
}

QK_TEST(vault_open, has_every_committed_row_after_kill_9)
{
    struct vaultbox box;
    vaultbox_make(&box);
    open_ok(&box, true);
    vaultbox_close(&box);
    uint64_t told = 0, n = 0;
    for (int round = 0; round < 3; round++) {
        int from;
        pid_t pid = child_with_vault(&box, &from, count_forever);
        for (int i = 0; i < 20 + round; i++) cr_assert_eq(read(from, &told, 8), 8);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        while (read(from, &n, 8) == 8) told = n;
        (void)close(from);
        open_ok(&box, false);
        cr_assert_eq(node_vault_counter_get(box.vault, "loop", &n), QK_OK);
        cr_assert_geq(n, told);
        for (uint64_t i = 1; i <= told; i++) {
            uint8_t sid[32] = {0};
            qk_put_u64(sid, i);
            QK_AUTO_BUF out = QK_BUF_SECRET(64);
            qk_assert_ok(node_vault_run_get(box.vault, sid, &out));
        }
        vaultbox_close(&box);
    }
    vaultbox_end(&box);
}

QK_TEST(vault_open, K17_an_older_copy_of_the_file_shows_a_smaller_generation)
{
    struct vaultbox box;
    vaultbox_make(&box);
    open_ok(&box, true);
    uint8_t sid[32] = {7};
    qk_assert_ok(node_vault_run_put(box.vault, sid, qk_str("a"), 1));
    vaultbox_close(&box);
    char copy[128];
    (void)snprintf(copy, sizeof copy, "%s/old.db", box.dir);
    vaultbox_copy(box.db, copy);

    open_ok(&box, false);
    uint64_t before = node_vault_generation(box.vault);
    qk_assert_ok(node_vault_run_put(box.vault, sid, qk_str("b"), 2));
    cr_assert_eq(node_vault_generation(box.vault), before + 1);
    qk_assert_ok(node_vault_run_put(box.vault, sid, qk_str("c"), 3));
    uint64_t told_to_peers = node_vault_generation(box.vault);
    vaultbox_close(&box);

    vaultbox_copy(copy, box.db);
    open_ok(&box, false);
    cr_assert_lt(node_vault_generation(box.vault), told_to_peers);
    vaultbox_end(&box);
}

QK_TEST(vault_small, B_23_counters_only_go_up)
{
    struct vaultbox box;
    uint64_t n = 9;
    vaultbox_make(&box);
    open_ok(&box, true);
    qk_assert_ok(node_vault_counter_get(box.vault, "unused", &n));
    cr_assert_eq(n, 0);
    qk_assert_ok(node_vault_counter_add(box.vault, "c", 5, &n));
    qk_assert_ok(node_vault_counter_raise(box.vault, "c", 3)); /* B-23: never down */
    qk_assert_ok(node_vault_counter_get(box.vault, "c", &n));
    cr_assert_eq(n, 5);
    qk_assert_ok(node_vault_counter_raise(box.vault, "c", 30));
    vaultbox_close(&box);
    open_ok(&box, false);
    qk_assert_ok(node_vault_counter_get(box.vault, "c", &n));
    cr_assert_eq(n, 30);
    qk_assert_err(node_vault_counter_add(box.vault, "c", INT64_MAX, &n), QK_E_TOO_LARGE);
    qk_assert_err(node_vault_counter_add(box.vault, "", 1, &n), QK_E_STATE);
    vaultbox_end(&box);
}

QK_TEST(vault_small, notes_are_sealed_and_bound_to_their_name)
{
    struct vaultbox box;
    vaultbox_make(&box);
    open_ok(&box, true);
    struct qk_bytes text = qk_str("fenced: node 3, since Tuesday");
    qk_assert_ok(node_vault_note_put(box.vault, "one", text));
    qk_assert_ok(node_vault_note_put(box.vault, "two", qk_str("nothing")));
    QK_AUTO_BUF out = QK_BUF_SECRET(NODE_NOTE_MAX);
    qk_assert_ok(node_vault_note_get(box.vault, "one", &out));
    cr_assert(qk_bytes_eq(qk_buf_view(&out), text));
    cr_assert(!vaultbox_has(&box, text));
    vaultbox_close(&box);
    vaultbox_sql(&box, "UPDATE note SET sealed = (SELECT sealed FROM note WHERE name = x'6f6e65')");
    open_ok(&box, false);
    qk_assert_err(node_vault_note_get(box.vault, "two", &out), QK_E_CORRUPT);
    qk_assert_ok(node_vault_note_delete(box.vault, "one"));
    qk_assert_err(node_vault_note_get(box.vault, "one", &out), QK_E_NOT_FOUND);
    vaultbox_end(&box);
}

QK_TEST(vault_small, counts_strikes_by_peer_key_and_time)
{
    struct vaultbox box;
    const uint8_t key_a[16] = {1}, key_b[16] = {2};
    const uint64_t day = 86400000, now = 1000 * day;
    uint64_t n;
    vaultbox_make(&box);
    open_ok(&box, true);
    qk_assert_ok(node_vault_strike(box.vault, 2, key_a, "E-6", now - 40 * day));
    qk_assert_ok(node_vault_strike(box.vault, 2, key_a, "E-8", now - 10 * day));
    qk_assert_ok(node_vault_strike(box.vault, 2, key_b, "E-8", now - day));
    qk_assert_ok(node_vault_strike(box.vault, 2, NULL, "frame", now));
    qk_assert_ok(node_vault_strike(box.vault, 3, key_a, "E-8", now));
    qk_assert_ok(node_vault_strikes(box.vault, 2, NULL, now - 30 * day, &n));
    cr_assert_eq(n, 3);
    qk_assert_ok(node_vault_strikes(box.vault, 2, key_a, now - 30 * day, &n));
    cr_assert_eq(n, 1);
    qk_assert_ok(node_vault_strike(box.vault, 2, key_a, "E-8", now + 60 * day));
    qk_assert_ok(node_vault_strikes(box.vault, 2, NULL, 0, &n));
    cr_assert_eq(n, 4, "the one of 100 days ago is forgotten");
    vaultbox_end(&box);
}

QK_TEST(vault_open, brings_a_vault_of_the_first_schema_up_to_date)
{
    struct vaultbox box;
    vaultbox_make(&box);
    open_ok(&box, true);
    vaultbox_close(&box);
    vaultbox_sql(&box,
        "ALTER TABLE promise DROP COLUMN record; ALTER TABLE promise DROP COLUMN sig;"
        "DROP INDEX run_open; DROP INDEX run_key; ALTER TABLE run DROP COLUMN settled;"
        "ALTER TABLE run DROP COLUMN key_id;"
        "INSERT INTO promise VALUES(4, x'6b', 1, zeroblob(32), 1000);"
        "PRAGMA user_version = 1");
    open_ok(&box, false); /* a promise that kept nothing stays a promise */
    const struct node_promise other = {.kind = 4,
        .id = qk_str("k"),
        .version = 1,
        .hash = {1},
        .record = qk_str("r"),
        .sig = qk_str("s"),
        .now_ms = 1500,
        .hold_ms = 1000};
    qk_assert_err(node_vault_promise(box.vault, &other), QK_E_CONFLICT);
    vaultbox_end(&box);
}
