#include "audit/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "audit/head.h"
#include "audit/members.h"
#include "qk/clock.h"
#include "qk/log.h"

/* Locks are taken in the order sync, mutex. Whoever holds sync may sync and rotate; the others wait
 * there and find their entries synced already: entries that come together share one sync.
 *
 * A thread of its own syncs what node_audit_hurry names, so that the writer can bring
 * something else to the disk meanwhile. The side file is written after every sync of the log but
 * synced by the timer only: after a loss of power it may name an entry that is not the last. */
struct node_audit {
    pthread_mutex_t sync;
    pthread_mutex_t mutex;
    pthread_cond_t wanted; /* with mutex */
    pthread_t syncer;
    bool has_syncer, closing;
    uint64_t want_seq; /* the syncer's task */
    char *path;
    enum node_audit_sync policy;
    uint64_t rotate_bytes;
    int fd;
    int head_fd;
    int head_slot;      /* under sync; written last */
    bool head_unsynced; /* under sync */
    bool failed; /* a sync failed: what the disk holds is unknown, so nothing more is logged */
    uint64_t bytes;
    struct qk_chain_head head; /* of the last entry written */
    struct audit_head synced;  /* what the side file says */
};

static void rotated_name(const struct node_audit *a, uint64_t seq, char *out, size_t len)
{
    (void)snprintf(out, len, "%s.%020" PRIu64, a->path, seq);
}

static qk_err sync_folder(const char *path)
{
    char copy[4096];
    QK_ENSURE((size_t)snprintf(copy, sizeof copy, "%s", path) < sizeof copy, QK_E_STATE);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    QK_ENSURE(fd >= 0, QK_E_IO);
    qk_err err = fsync(fd) == 0 ? QK_OK : QK_E_IO;
    (void)close(fd);
    return err;
}

static qk_err open_log(struct node_audit *a)
{
    a->fd = open(a->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    QK_ENSURE(a->fd >= 0, QK_E_IO);
    return sync_folder(a->path);
}

static qk_err put_head(struct node_audit *a, const struct audit_head *h)
{
    int slot = a->head_unsynced ? a->head_slot : 1 - a->head_slot;
    QK_TRY(audit_head_put(a->head_fd, slot, h));
    a->head_slot = slot;
    a->head_unsynced = true;
    a->synced = *h;
    return QK_OK;
}

static qk_err sync_head(struct node_audit *a)
{
    if (!a->head_unsynced) return QK_OK;
    QK_TRY(audit_head_sync(a->head_fd));
    a->head_unsynced = false;
    return QK_OK;
}

/* The present file is new: the next entry is its first. */
static qk_err begin_file(struct node_audit *a)
{
    const struct audit_head h = {a->head, a->head.seq};
    QK_TRY(put_head(a, &h));
    return sync_head(a);
}

struct opening {
    struct node_audit *a;
    char *why;
    size_t why_len;
    bool torn;
    uint64_t torn_bytes;
};

static qk_err fail(struct opening *in, qk_err err, const char *name, const char *text)
{
    (void)snprintf(in->why, in->why_len, "%s: %s", name, text);
    return err;
}

/* No present file: right for a new log, and between a rotation's rename and the next entry. */
static qk_err expect_rotated(struct opening *in, const struct qk_chain_head *head)
{
    char name[4200];
    struct qk_chain_report report;
    if (head->seq == 0) return QK_OK;
    rotated_name(in->a, head->seq, name, sizeof name);
    qk_err err = qk_chain_verify_file(name, NULL, head, &report);
    if (err == QK_E_NOT_FOUND)
        return fail(
            in, QK_E_CORRUPT, in->a->path, "is missing or empty, though entries were written");
    if (err == QK_E_CORRUPT) return fail(in, err, name, report.why);
    if (err == QK_OK && report.torn) return fail(in, QK_E_CORRUPT, name, "has a torn last line");
    return err;
}

static qk_err cut_tail(struct opening *in, const struct qk_chain_report *report)
{
    struct stat st;
    if (fstat(in->a->fd, &st) != 0 || ftruncate(in->a->fd, (off_t)report->good_bytes) != 0)
        return fail(in, QK_E_IO, in->a->path, "cannot cut off its torn last line");
    in->torn = true;
    in->torn_bytes = (uint64_t)st.st_size - report->good_bytes;
    qk_log(QK_WARN, "audit.torn-tail", QK_F_STR("file", in->a->path),
        QK_F_INT("bytes", in->torn_bytes), QK_F_INT("after_seq", report->last.seq));
    return QK_OK;
}

/* remembered: what the side file says; the log must hold at least that. */
static qk_err check_log(struct opening *in, const struct audit_head *remembered)
{
    const struct qk_chain_head *head = &remembered->at;
    struct node_audit *a = in->a;
    struct qk_chain_report report;
    qk_err err = qk_chain_verify_file(a->path, head->seq == 0 ? head : NULL, head, &report);
    bool empty = report.n_lines == 0 && report.bad_line == 0;
    if (err == QK_E_CORRUPT && !empty) return fail(in, err, a->path, report.why);
    if (err != QK_OK && err != QK_E_CORRUPT) return fail(in, err, a->path, "cannot be read");
    if (!empty && report.first.seq != remembered->start)
        return fail(in, QK_E_CORRUPT, a->path, "does not begin where it was begun");
    if (report.torn) QK_TRY(cut_tail(in, &report));
    a->bytes = report.good_bytes;
    a->head = empty ? *head : report.last;
    return empty ? expect_rotated(in, head) : QK_OK;
}

static bool has_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0;
}

static qk_err open_all(struct opening *in)
{
    struct node_audit *a = in->a;
    char name[4200];
    struct audit_head head = {0};
    if (strlen(a->path) > 4000) return fail(in, QK_E_STATE, "audit", "the path is too long");
    (void)snprintf(name, sizeof name, "%s.head", a->path);
    if (access(name, F_OK) != 0 && has_bytes(a->path))
        return fail(in, QK_E_CORRUPT, name, "is missing, though the log has entries");
    qk_err err = audit_head_open(name, &a->head_fd, &head);
    if (err == QK_E_BUSY) return fail(in, err, name, "is in use by another process");
    if (err == QK_E_CORRUPT) return fail(in, err, name, "is damaged");
    if (err != QK_OK) return fail(in, err, name, "cannot be opened or written");
    if (open_log(a) != QK_OK) return fail(in, QK_E_IO, a->path, "cannot be opened or created");
    a->synced = head;
    a->head_slot = audit_head_slot(a->head_fd);
    QK_TRY(check_log(in, &head));
    return a->bytes > 0 ? QK_OK : begin_file(a);
}

static void release(struct node_audit *a)
{
    if (a->has_syncer) {
        (void)pthread_mutex_lock(&a->mutex);
        a->closing = true;
        (void)pthread_cond_signal(&a->wanted);
        (void)pthread_mutex_unlock(&a->mutex);
        (void)pthread_join(a->syncer, NULL);
    }
    if (a->fd >= 0) (void)close(a->fd);
    if (a->head_fd >= 0) (void)close(a->head_fd);
    (void)pthread_cond_destroy(&a->wanted);
    (void)pthread_mutex_destroy(&a->sync);
    (void)pthread_mutex_destroy(&a->mutex);
    free(a->path);
    free(a);
}

static void *sync_on_demand(void *arg);

static qk_err start_syncer(struct node_audit *a)
{
    QK_ENSURE(pthread_create(&a->syncer, NULL, sync_on_demand, a) == 0, QK_E_NOMEM);
    a->has_syncer = true;
    return QK_OK;
}

static qk_err note_torn_tail(struct node_audit *a, uint64_t bytes)
{
    char detail[64];
    (void)snprintf(detail, sizeof detail, "%" PRIu64 " bytes cut off", bytes);
    const struct node_audit_entry entry = {
        .event = "audit.torn-tail", .outcome = NODE_AUDIT_INFO, .detail = qk_str(detail)};
    return node_audit_write(a, &entry, qk_now_ms(), true);
}

qk_err node_audit_open(
    struct node_audit **out, const struct node_audit_options *options, char *why, size_t why_len)
{
    struct node_audit *a = calloc(1, sizeof *a);
    QK_ENSURE(a != NULL, QK_E_NOMEM);
    a->fd = a->head_fd = -1;
    a->policy = options->sync;
    a->rotate_bytes = options->rotate_bytes;
    (void)pthread_mutex_init(&a->sync, NULL);
    (void)pthread_mutex_init(&a->mutex, NULL);
    (void)pthread_cond_init(&a->wanted, NULL);
    a->path = strdup(options->path);
    why[0] = 0;
    struct opening in = {.a = a, .why = why, .why_len = why_len};
    qk_err err = a->path == NULL ? QK_E_NOMEM : open_all(&in);
    if (err == QK_OK && in.torn) err = note_torn_tail(a, in.torn_bytes);
    if (err == QK_OK) err = node_audit_flush(a);
    if (err == QK_OK) err = start_syncer(a);
    if (err != QK_OK) {
        release(a);
        return err;
    }
    *out = a;
    return QK_OK;
}

void node_audit_close(struct node_audit *audit)
{
    if (audit == NULL) return;
    if (node_audit_flush(audit) != QK_OK)
        qk_log(QK_ERROR, "audit.close", QK_F_STR("file", audit->path));
    release(audit);
}

static void set_failed(struct node_audit *a)
{
    (void)pthread_mutex_lock(&a->mutex);
    a->failed = true;
    (void)pthread_mutex_unlock(&a->mutex);
}

/* With sync held. The head follows the log: a head on disk never names an entry that is not. */
static qk_err sync_held(struct node_audit *a)
{
    (void)pthread_mutex_lock(&a->mutex);
    const struct audit_head h = {a->head, a->synced.start};
    bool failed = a->failed;
    (void)pthread_mutex_unlock(&a->mutex);
    if (failed) return QK_E_IO;
    if (h.at.seq == a->synced.at.seq) return QK_OK;
    qk_err err = fdatasync(a->fd) == 0 ? put_head(a, &h) : QK_E_IO;
    if (err != QK_OK) set_failed(a);
    return err;
}

static qk_err flush_held(struct node_audit *a)
{
    QK_TRY(sync_held(a));
    qk_err err = sync_head(a);
    if (err != QK_OK) set_failed(a);
    return err;
}

qk_err node_audit_flush(struct node_audit *audit)
{
    (void)pthread_mutex_lock(&audit->sync);
    qk_err err = flush_held(audit);
    (void)pthread_mutex_unlock(&audit->sync);
    return err;
}

qk_err node_audit_wait(struct node_audit *audit, uint64_t seq)
{
    (void)pthread_mutex_lock(&audit->sync);
    qk_err err = audit->synced.at.seq >= seq ? QK_OK : sync_held(audit);
    (void)pthread_mutex_unlock(&audit->sync);
    return err;
}

static void *sync_on_demand(void *arg)
{
    struct node_audit *a = arg;
    uint64_t done = 0;
    (void)pthread_mutex_lock(&a->mutex);
    for (;;) {
        while (!a->closing && a->want_seq <= done) (void)pthread_cond_wait(&a->wanted, &a->mutex);
        if (a->closing) break;
        done = a->want_seq;
        (void)pthread_mutex_unlock(&a->mutex);
        (void)!node_audit_wait(a, done); /* a failure is kept in the log: whoever waits is told */
        (void)pthread_mutex_lock(&a->mutex);
    }
    (void)pthread_mutex_unlock(&a->mutex);
    return NULL;
}

static qk_err append(struct node_audit *a, struct qk_bytes line)
{
    for (size_t done = 0; done < line.len;) {
        ssize_t n = write(a->fd, line.p + done, line.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (ftruncate(a->fd, (off_t)a->bytes) != 0) a->failed = true;
        return QK_E_IO;
    }
    a->bytes += line.len;
    return QK_OK;
}

/* Both locks held, everything synced. */
static qk_err start_new_file(struct node_audit *a)
{
    char name[4200];
    rotated_name(a, a->head.seq, name, sizeof name);
    QK_ENSURE(rename(a->path, name) == 0, QK_E_IO);
    (void)close(a->fd);
    a->fd = -1;
    a->bytes = 0;
    qk_err err = open_log(a);
    if (err == QK_OK) err = begin_file(a);
    if (err != QK_OK) a->failed = true;
    return err;
}

static qk_err rotate(struct node_audit *a)
{
    (void)pthread_mutex_lock(&a->sync);
    qk_err err = flush_held(a);
    (void)pthread_mutex_lock(&a->mutex);
    /* Another thread may have rotated, or written more, meanwhile: then the next entry looks. */
    bool still = a->bytes >= a->rotate_bytes && a->head.seq == a->synced.at.seq;
    if (err == QK_OK && still) err = start_new_file(a);
    (void)pthread_mutex_unlock(&a->mutex);
    (void)pthread_mutex_unlock(&a->sync);
    return err;
}

/* All entries with one write. */
static qk_err write_locked(struct node_audit *a, const struct node_audit_batch *batch,
    uint64_t now_ms, uint64_t *seq, bool *full)
{
    QK_ENSURE(!a->failed, QK_E_IO);
    QK_AUTO_BUF lines = QK_BUF(NODE_AUDIT_BATCH_MAX * QK_CHAIN_LINE_MAX);
    struct qk_chain_head next = a->head;
    for (size_t i = 0, at = 0; i < batch->n; at = batch->end[i++])
        QK_TRY(qk_chain_append(
            &lines, &next, now_ms, qk_bytes(batch->text.p + at, batch->end[i] - at)));
    QK_TRY(append(a, qk_buf_view(&lines)));
    a->head = next;
    *seq = next.seq;
    *full = a->rotate_bytes != 0 && a->bytes >= a->rotate_bytes;
    return QK_OK;
}

void node_audit_batch_init(struct node_audit_batch *batch)
{
    batch->text = (struct qk_buf)QK_BUF(NODE_AUDIT_BATCH_MAX * QK_CHAIN_LINE_MAX);
    batch->n = 0;
}

void node_audit_batch_free(struct node_audit_batch *batch)
{
    qk_buf_free(&batch->text);
}

qk_err node_audit_batch_add(struct node_audit_batch *batch, const struct node_audit_entry *entry)
{
    size_t before = batch->text.len;
    QK_ENSURE(batch->n < NODE_AUDIT_BATCH_MAX, QK_E_BUSY);
    qk_err err = audit_members(&batch->text, entry);
    if (err != QK_OK) {
        batch->text.len = before;
        return err;
    }
    batch->end[batch->n++] = batch->text.len;
    return QK_OK;
}

static qk_err write_batch(
    struct node_audit *a, const struct node_audit_batch *batch, uint64_t now_ms, uint64_t *seq)
{
    bool full = false;
    (void)pthread_mutex_lock(&a->mutex);
    qk_err err = write_locked(a, batch, now_ms, seq, &full);
    (void)pthread_mutex_unlock(&a->mutex);
    QK_TRY(err);
    /* The entries stand; a rotation that fails is the next entry's problem. */
    if (full && rotate(a) != QK_OK) qk_log(QK_ERROR, "audit.rotate", QK_F_STR("file", a->path));
    return QK_OK;
}

qk_err node_audit_write_batch(
    struct node_audit *audit, struct node_audit_batch *batch, uint64_t now_ms)
{
    uint64_t seq;
    if (batch->n == 0) return QK_OK;
    qk_err err = write_batch(audit, batch, now_ms, &seq);
    batch->n = batch->text.len = 0;
    if (err == QK_OK && audit->policy == NODE_AUDIT_SYNC_ALL) err = node_audit_wait(audit, seq);
    return err;
}

qk_err node_audit_append(
    struct node_audit *a, const struct node_audit_entry *entry, uint64_t now_ms, uint64_t *seq)
{
    struct node_audit_batch one = {.text = QK_BUF(QK_CHAIN_LINE_MAX)};
    qk_err err = node_audit_batch_add(&one, entry);
    if (err == QK_OK) err = write_batch(a, &one, now_ms, seq);
    node_audit_batch_free(&one);
    return err;
}

qk_err node_audit_write(
    struct node_audit *audit, const struct node_audit_entry *entry, uint64_t now_ms, bool durable)
{
    uint64_t seq;
    QK_TRY(node_audit_append(audit, entry, now_ms, &seq));
    if (!durable && audit->policy != NODE_AUDIT_SYNC_ALL) return QK_OK;
    return node_audit_wait(audit, seq);
}

void node_audit_hurry(struct node_audit *audit, uint64_t seq)
{
    (void)pthread_mutex_lock(&audit->mutex);
    if (seq > audit->want_seq) {
        audit->want_seq = seq;
        (void)pthread_cond_signal(&audit->wanted);
    }
    (void)pthread_mutex_unlock(&audit->mutex);
}

void node_audit_head(struct node_audit *audit, struct qk_chain_head *out)
{
    (void)pthread_mutex_lock(&audit->mutex);
    *out = audit->head;
    (void)pthread_mutex_unlock(&audit->mutex);
}
