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
    return node_vault_record_put(box->vault, &r, 0);
}

static qk_err promise(
    struct vaultbox *box, const char *id, uint64_t version, uint8_t hash, uint64_t now_ms)
{
    const struct node_promise p = {.kind = 4,
        .id = qk_str(id),
        .version = version,
        .hash = {hash},
        .record = qk_str("promised"),
        .sig = qk_str("signature"),
        .now_ms = now_ms,
        .hold_ms = 1000};
    return node_vault_promise(box->vault, &p);
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

static bool collect_promise(void *arg, const struct node_promise *p)
{
    struct qk_buf *out = arg;
    qk_buf_add(out, p->id.p, p->id.len);
    qk_buf_add_u8(out, (uint8_t)('0' + p->version));
    cr_assert(qk_bytes_is(p->record, "promised"));
    cr_assert(qk_bytes_is(p->sig, "signature"));
    return true;
}

QK_TEST(vault_records, gives_the_newest_open_promise_of_each_record)
{
    struct vaultbox box;
    QK_AUTO_BUF seen = QK_BUF(100);
    start(&box);
    qk_assert_ok(promise(&box, "b", 1, 1, 10));
    qk_assert_ok(promise(&box, "a", 2, 1, 10));
    qk_assert_ok(promise(&box, "a", 3, 1, 10));
    qk_assert_ok(promise(&box, "c", 1, 1, 10));
    qk_assert_ok(put(&box, "c", 1, 1)); /* certified: open no more */
    restart(&box);
    qk_assert_ok(
        node_vault_promise_list(box.vault, 4, qk_bytes(NULL, 0), 9, collect_promise, &seen));
    cr_assert(qk_bytes_is(qk_buf_view(&seen), "a3b1"));
    qk_assert_ok(node_vault_promise_list(box.vault, 4, qk_str("a"), 9, collect_promise, &seen));
    cr_assert(qk_bytes_is(qk_buf_view(&seen), "a3b1b1"));
    vaultbox_end(&box);
}

struct patient {
    struct vaultbox *box;
    const char *id;
    uint64_t version;
    unsigned patience_ms;
    qk_err err;
};

static void *put_patiently(void *arg)
{
    struct patient *p = arg;
    struct node_record r = {.kind = 4,
        .id = qk_str(p->id),
        .version = p->version,
        .hash = {(uint8_t)p->version},
        .record = qk_str("record"),
        .cert = qk_str("certificate")};
    p->err = node_vault_record_put(p->box->vault, &r, p->patience_ms);
    return NULL;
}

QK_TEST(vault_records, changes_that_share_a_sync_fail_one_by_one)
{
    enum { N = 12 };
    struct vaultbox box;
    struct patient p[N];
    pthread_t threads[N];
    char ids[N][2];
    start(&box);
    qk_assert_ok(put(&box, "e", 9, 9)); /* in the way of one of them */
    for (int i = 0; i < N; i++) {
        ids[i][0] = (char)('a' + i);
        ids[i][1] = 0;
        p[i] = (struct patient){&box, ids[i], 3, 100, QK_E_STATE};
        cr_assert_eq(pthread_create(&threads[i], NULL, put_patiently, &p[i]), 0);
    }
    for (int i = 0; i < N; i++) (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < N; i++) cr_assert_eq(p[i].err, i == 4 ? QK_E_DENIED : QK_OK, "%d", i);
    restart(&box);
    for (int i = 0; i < N; i++) cr_assert_eq(version_of(&box, ids[i]), i == 4 ? 9u : 3u);
    vaultbox_end(&box);
}

QK_TEST(vault_records, writes_that_come_together_fail_one_by_one)
{
    struct vaultbox box;
    start(&box);
    qk_assert_ok(put(&box, "b", 9, 9));
    struct node_record r[3];
    struct node_promise p[3];
    struct node_write w[6];
    for (int i = 0; i < 3; i++) {
        static const char *const ids[] = {"a", "b", "c"};
        r[i] = (struct node_record){.kind = 4,
            .id = qk_str(ids[i]),
            .version = 3,
            .hash = {3},
            .record = qk_str("record"),
            .cert = qk_str("certificate")};
        p[i] = (struct node_promise){.kind = 4,
            .id = i == 2 ? qk_str("") : qk_str(ids[i]),
            .version = 4,
            .hash = {4},
            .record = qk_str("promised"),
            .sig = qk_str("signature"),
            .now_ms = 1,
            .hold_ms = 1000};
        w[i] = (struct node_write){.record = &r[i]};
        w[3 + i] = (struct node_write){.promise = &p[i]};
    }
    node_vault_write(box.vault, w, 6, 0);
    const qk_err want[] = {QK_OK, QK_E_DENIED, QK_OK, QK_OK, QK_E_DENIED, QK_E_STATE};
    for (int i = 0; i < 6; i++) cr_assert_eq(w[i].err, want[i], "%d: %s", i, qk_err_name(w[i].err));
    restart(&box);
    cr_assert_eq(version_of(&box, "a"), 3);
    cr_assert_eq(version_of(&box, "b"), 9);
    cr_assert_eq(version_of(&box, "c"), 3);
    qk_assert_err(promise(&box, "a", 4, 5, 2), QK_E_CONFLICT); /* the promise stands, too */
    vaultbox_end(&box);
}
