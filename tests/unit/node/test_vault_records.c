#include "qktest/qktest.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "vaultbox.h"

static qk_err put(struct vaultbox *box, const char *id, uint64_t version, uint8_t hash)
{
    struct node_record r = {.kind = 4,
        .id = qk_str(id),
        .version = version,
        .hash = {hash},
        .record = qk_str("record"),
        .cert = qk_str("certificate")};
    return node_vault_record_put(box->vault, &r);
}

static qk_err promise(
    struct vaultbox *box, const char *id, uint64_t version, uint8_t hash, uint64_t now_ms)
{
    const uint8_t full[32] = {hash};
    return node_vault_promise(box->vault, 4, qk_str(id), version, full, now_ms, 1000);
}

static uint64_t version_of(struct vaultbox *box, const char *id)
{
    uint64_t version = 0;
    uint8_t hash[32];
    QK_AUTO_BUF record = QK_BUF(100);
    QK_AUTO_BUF cert = QK_BUF(100);
    qk_assert_ok(node_vault_record_get(box->vault, 4, qk_str(id), &version, hash, &record, &cert));
    cr_assert(qk_bytes_is(qk_buf_view(&record), "record"));
    cr_assert(qk_bytes_is(qk_buf_view(&cert), "certificate"));
    return version;
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

QK_TEST(vault_records, B_23_a_watermark_never_goes_down)
{
    struct vaultbox box;
    start(&box);
    qk_assert_ok(put(&box, "k", 3, 0x33));
    qk_assert_ok(put(&box, "k", 3, 0x33));
    qk_assert_err(put(&box, "k", 3, 0x34), QK_E_CONFLICT);
    qk_assert_err(put(&box, "k", 2, 0x22), QK_E_DENIED); /* B-23 */
    qk_assert_ok(put(&box, "k", 7, 0x77));
    qk_assert_ok(put(&box, "other", 1, 0x11));
    restart(&box);
    qk_assert_err(put(&box, "k", 6, 0x66), QK_E_DENIED); /* B-23, after a restart */
    cr_assert_eq(version_of(&box, "k"), 7);
    cr_assert_eq(version_of(&box, "other"), 1);
    vaultbox_end(&box);
}

QK_TEST(vault_records, B_23_a_watermark_survives_kill_9)
{
    struct vaultbox box;
    start(&box);
    vaultbox_close(&box);
    pid_t pid = fork();
    if (pid == 0) {
        if (vaultbox_open(&box, false) != QK_OK || put(&box, "k", 5, 5) != QK_OK) _exit(1);
        (void)kill(getpid(), SIGKILL);
    }
    int status;
    (void)waitpid(pid, &status, 0);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(vaultbox_open(&box, false), QK_OK);
    qk_assert_err(put(&box, "k", 4, 4), QK_E_DENIED);
    vaultbox_end(&box);
}

static bool collect(void *arg, const struct node_record *r)
{
    struct qk_buf *out = arg;
    qk_buf_add(out, r->id.p, r->id.len);
    return true;
}

QK_TEST(vault_records, lists_a_kind_with_a_cursor)
{
    struct vaultbox box;
    QK_AUTO_BUF seen = QK_BUF(100);
    start(&box);
    for (const char *id = "dbac"; *id; id++) qk_assert_ok(put(&box, (char[]){*id, 0}, 1, 1));
    qk_assert_ok(node_vault_record_list(box.vault, 4, qk_bytes(NULL, 0), 3, collect, &seen));
    cr_assert(qk_bytes_is(qk_buf_view(&seen), "abc"));
    qk_assert_ok(node_vault_record_list(box.vault, 4, qk_str("c"), 3, collect, &seen));
    cr_assert(qk_bytes_is(qk_buf_view(&seen), "abcd"));
    qk_assert_ok(node_vault_record_list(box.vault, 5, qk_bytes(NULL, 0), 3, collect, &seen));
    cr_assert_eq(seen.len, 4);
    vaultbox_end(&box);
}

QK_TEST(vault_records, promises_one_hash_a_version)
{
    struct vaultbox box;
    start(&box);
    qk_assert_ok(promise(&box, "k", 1, 0xaa, 10000));
    qk_assert_ok(promise(&box, "k", 1, 0xaa, 10500));
    qk_assert_err(promise(&box, "k", 1, 0xbb, 11400), QK_E_CONFLICT);
    restart(&box);
    qk_assert_err(promise(&box, "k", 1, 0xbb, 11500), QK_E_CONFLICT);
    qk_assert_err(promise(&box, "k", 1, 0xbb, 100), QK_E_CONFLICT); /* the clock went back */
    qk_assert_ok(promise(&box, "k", 1, 0xbb, 11501));
    qk_assert_err(promise(&box, "k", 1, 0xaa, 11600), QK_E_CONFLICT);
    qk_assert_ok(promise(&box, "k", 2, 0xcc, 11600));
    vaultbox_end(&box);
}

QK_TEST(vault_records, promises_nothing_beside_the_watermark)
{
    struct vaultbox box;
    start(&box);
    qk_assert_ok(promise(&box, "k", 5, 0x55, 10));
    qk_assert_ok(put(&box, "k", 5, 0x66)); /* another change won */
    qk_assert_err(promise(&box, "k", 5, 0x55, 20), QK_E_CONFLICT);
    qk_assert_err(promise(&box, "k", 5, 0x55, 1u << 30), QK_E_CONFLICT);
    qk_assert_err(promise(&box, "k", 4, 0x44, 20), QK_E_DENIED);
    qk_assert_ok(promise(&box, "k", 5, 0x66, 20));
    qk_assert_ok(promise(&box, "k", 6, 0x77, 20));
    vaultbox_end(&box);
}

struct racer {
    struct vaultbox *box;
    uint8_t hash;
    qk_err err;
};

static void *race(void *arg)
{
    struct racer *r = arg;
    r->err = promise(r->box, "k", 1, r->hash, 100);
    return NULL;
}

QK_TEST(vault_records, of_many_racing_promises_one_wins)
{
    struct vaultbox box;
    struct racer racers[8];
    pthread_t threads[8];
    unsigned won = 0;
    start(&box);
    for (uint8_t i = 0; i < 8; i++) {
        racers[i] = (struct racer){&box, (uint8_t)(i + 1), QK_OK};
        cr_assert_eq(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 8; i++) {
        (void)pthread_join(threads[i], NULL);
        won += racers[i].err == QK_OK;
        cr_assert(racers[i].err == QK_OK || racers[i].err == QK_E_CONFLICT);
    }
    cr_assert_eq(won, 1);
    vaultbox_end(&box);
}

QK_TEST(vault_records, refuses_arguments_out_of_bounds)
{
    struct vaultbox box;
    char longer[NODE_RECORD_ID_MAX + 2];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    start(&box);
    qk_assert_err(put(&box, "", 1, 1), QK_E_STATE);
    qk_assert_err(put(&box, longer, 1, 1), QK_E_STATE);
    qk_assert_err(put(&box, "k", 0, 1), QK_E_STATE);
    qk_assert_err(put(&box, "k", UINT64_MAX, 1), QK_E_STATE);
    qk_assert_err(promise(&box, "k", 0, 1, 1), QK_E_STATE);
    vaultbox_end(&box);
}
