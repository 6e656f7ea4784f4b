#include <pthread.h>
#include <stdlib.h>
#include "qk/clock.h"
#include "loop.h"
#include "wire/bundle.h"

enum {
    WAITING_MAX = 4096,
    /* While a frame is under way calls gather until it is answered, or so many wait, and at least
     * as many as are under way: long frames when there is much to do. But not longer than this. */
    MANY = 32,
    GATHER_MS = 5,
};

/* One call, waiting or in a frame. */
struct item {
    struct item *next;
    wire_call_fn fn;
    void *ctx;
    unsigned timeout_ms;
    uint64_t since_ms;
    size_t len;
    uint8_t bytes[];
};

/* One frame in flight, or free. */
struct frame {
    struct wire_bundler *bundler;
    struct frame *next_free;
    size_t n;
    struct item *items[WIRE_BUNDLE_MAX];
};

struct wire_bundler {
    struct wire_client *client;
    struct frame *frames;
    struct wire_alarm alarm;
    bool on_loop;
    pthread_mutex_t lock; /* everything below */
    bool alarm_set;
    struct frame *free;
    size_t under_way; /* calls in frames */
    size_t n_waiting;
    struct item *first, **last;
};

static void send_waiting(struct wire_bundler *b);

/* With the lock held: must the caller set the alarm, once the lock is gone? */
static bool wants_alarm(struct wire_bundler *b)
{
    bool wants = b->first != NULL && !b->alarm_set;
    if (wants) b->alarm_set = true;
    return wants;
}

static void set_alarm(struct wire_bundler *b)
{
    wire_alarm_set(&b->alarm, qk_mono_ms() + GATHER_MS);
}

static void on_alarm(void *ctx, uint64_t now_ms)
{
    struct wire_bundler *b = ctx;
    (void)now_ms;
    send_waiting(b);
    (void)pthread_mutex_lock(&b->lock);
    b->alarm_set = false;
    bool again = wants_alarm(b);
    (void)pthread_mutex_unlock(&b->lock);
    if (again) set_alarm(b);
}

qk_err wire_bundler_new(struct wire_bundler **out, struct wire_client *client, unsigned max_frames)
{
    QK_ENSURE(max_frames >= 1, QK_E_STATE);
    struct wire_bundler *b = calloc(1, sizeof *b);
    QK_ENSURE(b != NULL, QK_E_NOMEM);
    b->frames = calloc(max_frames, sizeof *b->frames);
    if (b->frames == NULL) {
        free(b);
        return QK_E_NOMEM;
    }
    for (unsigned i = 0; i < max_frames; i++) {
        b->frames[i] = (struct frame){.bundler = b, .next_free = b->free};
        b->free = &b->frames[i];
    }
    b->client = client;
    b->last = &b->first;
    (void)pthread_mutex_init(&b->lock, NULL);
    b->alarm = (struct wire_alarm){.fn = on_alarm, .ctx = b, .due_ms = WIRE_NEVER};
    qk_err err = wire_loop_hold();
    if (err != QK_OK) {
        wire_bundler_free(b);
        return err;
    }
    b->on_loop = true;
    wire_alarm_add(&b->alarm);
    *out = b;
    return QK_OK;
}

static void no_more_alarms(void *ctx)
{
    struct wire_bundler *b = ctx;
    wire_alarm_remove(&b->alarm);
}

void wire_bundler_stop(struct wire_bundler *b)
{
    if (b == NULL || !b->on_loop) return;
    b->on_loop = false;
    wire_loop_run(no_more_alarms, b);
    wire_loop_release();
}

void wire_bundler_free(struct wire_bundler *b)
{
    if (b == NULL) return;
    wire_bundler_stop(b);
    (void)pthread_mutex_destroy(&b->lock);
    free(b->frames);
    free(b);
}

/* ---- ends ---- */

static void end_item(struct item *item, qk_err err, struct qk_bytes bytes)
{
    item->fn(item->ctx, err, bytes);
    free(item);
}

static void end_all(struct frame *f, qk_err err)
{
    for (size_t i = 0; i < f->n; i++) end_item(f->items[i], err, qk_bytes(NULL, 0));
}

static void hand_out(struct frame *f, struct qk_bytes answer)
{
    struct qk_bytes parts[WIRE_BUNDLE_MAX];
    size_t n = 0;
    qk_err err = wire_bundle_decode(answer, parts, &n);
    if (err == QK_OK && n != f->n) err = QK_E_MALFORMED;
    if (err != QK_OK) {
        end_all(f, QK_E_MALFORMED);
        return;
    }
    for (size_t i = 0; i < n; i++)
        end_item(f->items[i], parts[i].len > 0 ? QK_OK : QK_E_UNEXPECTED, parts[i]);
}

static void give_back(struct frame *f)
{
    struct wire_bundler *b = f->bundler;
    (void)pthread_mutex_lock(&b->lock);
    f->next_free = b->free;
    b->free = f;
    b->under_way -= f->n;
    (void)pthread_mutex_unlock(&b->lock);
}

static void on_frame(void *ctx, qk_err err, struct qk_bytes bytes)
{
    struct frame f = *(struct frame *)ctx;
    give_back(ctx);
    send_waiting(f.bundler); /* first: the node is to have work while the answers are looked at */
    if (err != QK_OK)
        end_all(&f, err);
    else if (f.n == 1)
        end_item(f.items[0], QK_OK, bytes); /* it went as itself */
    else
        hand_out(&f, bytes);
}

/* ---- frames ---- */

/* With the lock held. */
static bool is_time(const struct wire_bundler *b)
{
    if (b->first == NULL) return false;
    if (b->under_way == 0 || b->n_waiting >= WIRE_BUNDLE_MAX) return true;
    bool many = b->n_waiting >= MANY && b->n_waiting >= b->under_way;
    return many || qk_mono_ms() - b->first->since_ms >= GATHER_MS;
}

/* With the lock held: what is to travel together now. NULL: nothing, or no frame is free. */
static struct frame *take_frame(struct wire_bundler *b)
{
    struct frame *f = is_time(b) ? b->free : NULL;
    if (f == NULL) return NULL;
    b->free = f->next_free;
    f->n = 0;
    size_t bytes = 0;
    while (b->first != NULL && f->n < WIRE_BUNDLE_MAX) {
        struct item *item = b->first;
        if (f->n > 0 && bytes + item->len > WIRE_BUNDLE_BYTES) break;
        bytes += item->len;
        b->first = item->next;
        b->n_waiting--;
        f->items[f->n++] = item;
    }
    if (b->first == NULL) b->last = &b->first;
    b->under_way += f->n;
    return f;
}

static qk_err send_frame(struct frame *f)
{
    struct wire_client *client = f->bundler->client;
    struct qk_bytes parts[WIRE_BUNDLE_MAX];
    unsigned timeout_ms = 1;
    for (size_t i = 0; i < f->n; i++) {
        parts[i] = qk_bytes(f->items[i]->bytes, f->items[i]->len);
        if (f->items[i]->timeout_ms > timeout_ms) timeout_ms = f->items[i]->timeout_ms;
    }
    if (f->n == 1) return wire_client_call(client, parts[0], timeout_ms, on_frame, f);
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_FRAME_MAX);
    wire_bundle_encode(&bytes, parts, f->n);
    QK_TRY(bytes.err);
    return wire_client_call(client, qk_buf_view(&bytes), timeout_ms, on_frame, f);
}

static void send_waiting(struct wire_bundler *b)
{
    for (;;) {
        (void)pthread_mutex_lock(&b->lock);
        struct frame *f = take_frame(b);
        (void)pthread_mutex_unlock(&b->lock);
        if (f == NULL) return;
        qk_err err = send_frame(f);
        if (err == QK_OK) continue;
        struct frame failed = *f;
        give_back(f);
        end_all(&failed, err);
    }
}

void wire_bundler_send(struct wire_bundler *b)
{
    send_waiting(b);
}

qk_err wire_bundler_add(
    struct wire_bundler *b, struct qk_bytes bytes, unsigned timeout_ms, wire_call_fn fn, void *ctx)
{
    QK_ENSURE(bytes.len >= 1 && timeout_ms >= 1 && fn != NULL, QK_E_STATE);
    QK_ENSURE(bytes.len <= WIRE_BUNDLE_CALL_BYTES, QK_E_TOO_LARGE);
    QK_ENSURE(wire_client_up(b->client), QK_E_IO);
    struct item *item = malloc(sizeof *item + bytes.len);
    QK_ENSURE(item != NULL, QK_E_NOMEM);
    *item = (struct item){
        .fn = fn, .ctx = ctx, .timeout_ms = timeout_ms, .since_ms = qk_mono_ms(), .len = bytes.len};
    memcpy(item->bytes, bytes.p, bytes.len);
    (void)pthread_mutex_lock(&b->lock);
    bool room = b->n_waiting < WAITING_MAX;
    if (room) {
        *b->last = item;
        b->last = &item->next;
        b->n_waiting++;
    }
    bool alarm = wants_alarm(b);
    (void)pthread_mutex_unlock(&b->lock);
    if (alarm) set_alarm(b);
    if (!room) {
        free(item);
        return QK_E_BUSY;
    }
    return QK_OK;
}

qk_err wire_bundler_call(
    struct wire_bundler *b, struct qk_bytes bytes, unsigned timeout_ms, wire_call_fn fn, void *ctx)
{
    QK_TRY(wire_bundler_add(b, bytes, timeout_ms, fn, ctx));
    send_waiting(b);
    return QK_OK;
}
