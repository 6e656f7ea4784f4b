#include "qktest/qktest.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "audit/audit.h"
#include "qk/file.h"

struct box {
    char dir[64];
    char path[96];
    char head[112];
    struct node_audit *audit;
    uint64_t rotate_bytes;
    char why[256];
};

static void make(struct box *b)
{
    memset(b, 0, sizeof *b);
    (void)snprintf(b->dir, sizeof b->dir, "/tmp/qkms-audit-XXXXXX");
    cr_assert(mkdtemp(b->dir) != NULL);
    (void)snprintf(b->path, sizeof b->path, "%s/audit.log", b->dir);
    (void)snprintf(b->head, sizeof b->head, "%s.head", b->path);
}

static qk_err start(struct box *b)
{
    const struct node_audit_options o = {b->path, NODE_AUDIT_SYNC_CHANGES, b->rotate_bytes};
    return node_audit_open(&b->audit, &o, b->why, sizeof b->why);
}

static void stop(struct box *b)
{
    node_audit_close(b->audit);
    b->audit = NULL;
}

static unsigned rotated_files(const struct box *b, bool remove)
{
    unsigned n = 0;
    DIR *d = opendir(b->dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", b->dir, e->d_name);
        n += strncmp(e->d_name, "audit.log.0", 11) == 0;
        if (remove) (void)unlink(path);
    }
    (void)closedir(d);
    return n;
}

static void end(struct box *b)
{
    stop(b);
    (void)rotated_files(b, true);
    (void)rmdir(b->dir);
}

static qk_err say(struct box *b, const char *what, bool durable)
{
    const struct node_audit_entry e = {.event = "request",
        .outcome = NODE_AUDIT_DENY,
        .request = qk_str("r-1"),
        .caller = qk_str("arn:aws:iam::123456789012:user/a"),
        .operation = qk_str("Sign"),
        .key = qk_str("k-1"),
        .reason = "policy",
        .detail = qk_str(what)};
    return node_audit_write(b->audit, &e, 1000, durable);
}

static void read_all(const char *path, struct qk_buf *out)
{
    out->len = 0;
    qk_assert_ok(qk_file_read(path, out));
}

static void fill(struct box *b, int n)
{
    make(b);
    cr_assert_eq(start(b), QK_OK, "%s", b->why);
    for (int i = 0; i < n; i++) qk_assert_ok(say(b, "entry", true));
    stop(b);
}

QK_TEST(audit, goes_on_after_a_restart_and_verifies_as_one_chain)
{
    struct box b;
    struct qk_chain_report r;
    struct qk_chain_head head;
    struct stat st;
    fill(&b, 3);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    qk_assert_ok(say(&b, "more", false));
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 4);
    stop(&b);
    static const struct qk_chain_head zero;
    qk_assert_ok(qk_chain_verify_file(b.path, &zero, &head, &r));
    cr_assert_eq(r.n_lines, 4);
    cr_assert_eq(stat(b.path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    end(&b);
}

QK_TEST(audit, writes_its_fields_escaped_and_in_order)
{
    struct box b;
    uint8_t sid[32] = {0xab};
    make(&b);
    cr_assert_eq(start(&b), QK_OK);
    const struct node_audit_entry e = {.event = "session.end",
        .outcome = NODE_AUDIT_ABORT,
        .caller = qk_str("a\"\n\"hash\":\"x"),
        .reason = "E-6",
        .peer = 3,
        .has_epoch = true,
        .epoch = 0,
        .sid = sid};
    qk_assert_ok(node_audit_write(b.audit, &e, 0, true));
    QK_AUTO_BUF text = QK_BUF(4096);
    read_all(b.path, &text);
    const char *line = qk_buf_cstr(&text);
    cr_assert(strstr(line, "\"event\":\"session.end\",\"outcome\":\"abort\","
                           "\"caller\":\"a\\\"\\u000a\\\"hash\\\":\\\"x\",\"reason\":\"E-6\","
                           "\"peer\":3,\"epoch\":0,\"sid\":\"ab00") != NULL,
        "%s", line);
    cr_assert(strchr(line, '\n') == line + text.len - 1, "more than one line");
    const struct node_audit_entry nameless = {.outcome = NODE_AUDIT_ALLOW};
    qk_assert_err(node_audit_write(b.audit, &nameless, 0, true), QK_E_STATE);
    end(&b);
}

QK_TEST(audit, takes_the_most_hostile_texts_there_are)
{
    struct box b;
    char bad[2000];
    memset(bad, 0x01, sizeof bad); /* six bytes each when escaped */
    struct qk_bytes v = qk_bytes(bad, sizeof bad);
    make(&b);
    cr_assert_eq(start(&b), QK_OK);
    const struct node_audit_entry e = {
        .event = "request", .request = v, .caller = v, .operation = v, .key = v, .detail = v};
    qk_assert_ok(node_audit_write(b.audit, &e, 0, true));
    stop(&b);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    end(&b);
}

typedef void bend(struct box *b, struct qk_buf *text);

static size_t line_start(const struct qk_buf *text, int i)
{
    size_t at = 0;
    while (i-- > 0)
        at = (size_t)((uint8_t *)memchr(text->p + at, '\n', text->len - at) - text->p) + 1;
    return at;
}
static void cut(struct qk_buf *text, size_t from, size_t to)
{
    memmove(text->p + from, text->p + to, text->len - to);
    text->len -= to - from;
}
static void edit(struct box *b, struct qk_buf *text)
{
    (void)b;
    text->p[line_start(text, 1) + 20] ^= 1;
}
static void remove_one(struct box *b, struct qk_buf *text)
{
    (void)b;
    cut(text, line_start(text, 1), line_start(text, 2));
}
static void remove_first(struct box *b, struct qk_buf *text)
{
    (void)b;
    cut(text, 0, line_start(text, 1));
}
static void swap(struct box *b, struct qk_buf *text)
{
    (void)b;
    size_t one = line_start(text, 1), two = line_start(text, 2), three = line_start(text, 3);
    QK_AUTO_BUF copy = QK_BUF(1 << 16);
    qk_buf_add(&copy, text->p + one, two - one);
    memmove(text->p + one, text->p + two, three - two);
    memcpy(text->p + one + three - two, copy.p, copy.len);
}
static void cut_last(struct box *b, struct qk_buf *text)
{
    (void)b;
    text->len = line_start(text, 3);
}
static void tear_a_synced_entry(struct box *b, struct qk_buf *text)
{
    (void)b;
    text->len -= 30;
}
static void empty(struct box *b, struct qk_buf *text)
{
    (void)b;
    text->len = 0;
}
static void remove_head(struct box *b, struct qk_buf *text)
{
    (void)text;
    (void)unlink(b->head);
}
static void damage_head(struct box *b, struct qk_buf *text)
{
    (void)text;
    uint8_t junk[600] = {1};
    qk_assert_ok(qk_file_write(b->head, QK_BYTES(junk), 0600));
}

QK_TEST(audit, does_not_start_on_a_log_that_was_tampered_with)
{
    static const struct {
        const char *what;
        bend *how;
        const char *says;
    } tricks[] = {
        {"edited", edit, "line 2 "},
        {"removed", remove_one, "line 2 does not follow"},
        {"first removed", remove_first, "does not begin where it was begun"},
        {"swapped", swap, "line 2 does not follow"},
        {"last entry cut off", cut_last, "entries are missing at the end"},
        {"synced entry torn", tear_a_synced_entry, "entries are missing at the end"},
        {"emptied", empty, "is missing or empty"},
        {"head removed", remove_head, "head: is missing"},
        {"head damaged", damage_head, "head: is damaged"},
    };
    for (size_t i = 0; i < QK_COUNT(tricks); i++) {
        struct box b;
        QK_AUTO_BUF text = QK_BUF(1 << 16);
        fill(&b, 4);
        read_all(b.path, &text);
        tricks[i].how(&b, &text);
        qk_assert_ok(qk_file_write(b.path, qk_buf_view(&text), 0600));
        qk_err err = start(&b);
        cr_expect_eq(err, QK_E_CORRUPT, "%s: %s", tricks[i].what, qk_err_name(err));
        cr_expect(strstr(b.why, tricks[i].says) != NULL, "%s: '%s'", tricks[i].what, b.why);
        end(&b);
    }
}

QK_TEST(audit, does_not_start_without_its_file)
{
    struct box b;
    fill(&b, 2);
    (void)unlink(b.path);
    qk_assert_err(start(&b), QK_E_CORRUPT);
    cr_assert(strstr(b.why, "is missing or empty") != NULL, "%s", b.why);
    end(&b);
}

QK_TEST(audit, a_torn_unsynced_tail_is_cut_and_reported)
{
    struct box b;
    QK_AUTO_BUF text = QK_BUF(1 << 16);
    struct qk_chain_report r;
    fill(&b, 3);
    int fd = open(b.path, O_WRONLY | O_APPEND);
    cr_assert_eq(write(fd, "{\"seq\":4,\"time\":\"20", 20), 20);
    (void)close(fd);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    stop(&b);
    read_all(b.path, &text);
    cr_assert(strstr(qk_buf_cstr(&text), "audit.torn-tail") != NULL);
    cr_assert(strstr(qk_buf_cstr(&text), "20 bytes cut off") != NULL);
    static const struct qk_chain_head zero;
    qk_assert_ok(qk_chain_verify_file(b.path, &zero, NULL, &r));
    cr_assert_eq(r.n_lines, 4);
    end(&b);
}

QK_TEST(audit, refuses_a_second_writer)
{
    struct box b;
    make(&b);
    cr_assert_eq(start(&b), QK_OK);
    struct box second = b;
    qk_assert_err(start(&second), QK_E_BUSY);
    end(&b);
}

QK_TEST(audit, durable_entries_survive_kill_9)
{
    struct box b;
    make(&b);
    pid_t pid = fork();
    if (pid == 0) {
        if (start(&b) != QK_OK) _exit(1);
        for (int i = 0; i < 10; i++)
            if (say(&b, "before the kill", true) != QK_OK) _exit(1);
        (void)kill(getpid(), SIGKILL);
    }
    int status;
    (void)waitpid(pid, &status, 0);
    cr_assert(WIFSIGNALED(status));
    struct qk_chain_head head;
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 10);
    end(&b);
}

QK_TEST(audit, the_chain_goes_on_over_rotation)
{
    struct box b;
    struct qk_chain_head head;
    make(&b);
    b.rotate_bytes = 2000;
    cr_assert_eq(start(&b), QK_OK);
    for (int i = 0; i < 30; i++) qk_assert_ok(say(&b, "entry", i % 3 == 0));
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 30);
    stop(&b);
    cr_assert_gt(rotated_files(&b, false), 2);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    end(&b);
}

QK_TEST(audit, a_rotated_file_must_be_there_when_the_present_one_is_empty)
{
    struct box b;
    make(&b);
    b.rotate_bytes = 1; /* rotate after every entry */
    cr_assert_eq(start(&b), QK_OK);
    qk_assert_ok(say(&b, "entry", true));
    stop(&b);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    stop(&b);
    (void)unlink(b.path); /* as between the rename and the next file */
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    stop(&b);
    char rotated[160];
    (void)snprintf(rotated, sizeof rotated, "%s.%020d", b.path, 1);
    cr_assert_eq(unlink(rotated), 0);
    qk_assert_err(start(&b), QK_E_CORRUPT);
    end(&b);
}

/* A full disk, by a limit on the size of files: the entry is refused, and the log stays whole. */
QK_TEST(audit, refuses_what_it_cannot_write)
{
    struct box b;
    fill(&b, 3);
    pid_t pid = fork();
    if (pid == 0) {
        struct stat st;
        (void)signal(SIGXFSZ, SIG_IGN);
        if (start(&b) != QK_OK || stat(b.path, &st) != 0) _exit(1);
        const struct rlimit limit = {(rlim_t)st.st_size + 100, (rlim_t)st.st_size + 100};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
        if (say(&b, "does not fit", true) != QK_E_IO) _exit(3);
        if (say(&b, "does not fit either", true) != QK_E_IO) _exit(4);
        _exit(0);
    }
    int status;
    struct qk_chain_head head;
    (void)waitpid(pid, &status, 0);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 3, "half an entry was left");
    end(&b);
}

static void add(struct node_audit_batch *batch, const char *what, size_t n)
{
    const struct node_audit_entry e = {
        .event = "request", .outcome = NODE_AUDIT_ALLOW, .detail = qk_str(what)};
    for (size_t i = 0; i < n; i++) qk_assert_ok(node_audit_batch_add(batch, &e));
}

QK_TEST(audit, a_batch_is_entries_like_others_and_nothing_before_it_is_written)
{
    struct box b;
    struct qk_chain_head head;
    struct qk_chain_report r;
    struct node_audit_batch batch;
    const struct node_audit_entry more = {.event = "request"};
    static const struct qk_chain_head zero;
    fill(&b, 3);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    node_audit_batch_init(&batch);
    qk_assert_ok(node_audit_write_batch(b.audit, &batch, 1000));
    add(&batch, "first", NODE_AUDIT_BATCH_MAX);
    qk_assert_err(node_audit_batch_add(&batch, &more), QK_E_BUSY);
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 3);
    qk_assert_ok(node_audit_write_batch(b.audit, &batch, 1000));
    add(&batch, "second", 1);
    qk_assert_ok(say(&b, "between", false));
    qk_assert_ok(node_audit_write_batch(b.audit, &batch, 2000));
    node_audit_batch_free(&batch);
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 3u + NODE_AUDIT_BATCH_MAX + 2u);
    stop(&b);
    qk_assert_ok(qk_chain_verify_file(b.path, &zero, &head, &r));
    cr_assert_eq(r.n_lines, head.seq);
    end(&b);
}

QK_TEST(audit, of_a_batch_that_does_not_fit_nothing_is_logged)
{
    struct box b;
    fill(&b, 3);
    pid_t pid = fork();
    if (pid == 0) {
        struct stat st;
        struct node_audit_batch batch;
        (void)signal(SIGXFSZ, SIG_IGN);
        node_audit_batch_init(&batch);
        if (start(&b) != QK_OK || stat(b.path, &st) != 0) _exit(1);
        const struct rlimit limit = {(rlim_t)st.st_size + 600, (rlim_t)st.st_size + 600};
        if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
        add(&batch, "one fits, four do not", 4);
        if (node_audit_write_batch(b.audit, &batch, 1000) != QK_E_IO) _exit(3);
        _exit(0);
    }
    int status;
    struct qk_chain_head head;
    (void)waitpid(pid, &status, 0);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 3, "a part of the batch was left");
    end(&b);
}

static void *write_some(void *arg)
{
    struct box *b = arg;
    for (int i = 0; i < 25; i++)
        if (say(b, "from a thread", i % 2 == 0) != QK_OK) return b;
    return NULL;
}

QK_TEST(audit, threads_write_one_chain)
{
    struct box b;
    pthread_t threads[4];
    struct qk_chain_head head;
    make(&b);
    b.rotate_bytes = 8000;
    cr_assert_eq(start(&b), QK_OK);
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&threads[i], NULL, write_some, &b), 0);
    for (int i = 0; i < 4; i++) {
        void *failed;
        (void)pthread_join(threads[i], &failed);
        cr_assert(failed == NULL);
    }
    node_audit_head(b.audit, &head);
    cr_assert_eq(head.seq, 100);
    stop(&b);
    cr_assert_eq(start(&b), QK_OK, "%s", b.why);
    end(&b);
}
