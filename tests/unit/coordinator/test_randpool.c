/* The coordinator's pool of random bytes: contributions of t nodes or nothing (G-1, G-2), every one
 * of them counts (G-4), clones and stuck generators raise an alarm (G-5), bytes are given out once
 * (G-6). */
#include "qktest/qktest.h"
#include "coordsym.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct cw_world *world_new(void)
{
    struct cw_world *w = calloc(1, sizeof *w);
    cr_assert(w != NULL);
    cw_init_sym(w, MPC_SYM_FV);
    return w;
}

static void world_free(struct cw_world *w)
{
    cw_free(w);
    free(w);
}

/* Take everything that is there: what comes next comes from new contributions. */
static void empty(struct cw_world *w)
{
    uint8_t bytes[1024];
    while (coord_randpool_take(w->engine.random, bytes, sizeof bytes) == QK_OK) {
    }
}

static void bend_all(struct cw_world *w,
    enum cw_fate (*bend)(struct cw_fake *f, const struct wire_call *call, struct wire_answer *a,
        struct qk_buf *scratch),
    size_t n)
{
    (void)pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < CW_NODES; i++) w->fakes[i].bend = i < n ? bend : NULL;
    (void)pthread_mutex_unlock(&w->lock);
}

/* No bytes come as long as this goes on, and some soon after. More runs fail than can be under way
 * at once: those from before have ended. */
static void expect_none(struct cw_world *w, const char *check)
{
    uint8_t b[64];
    unsigned long long before = atomic_load(&w->engine.counts.rand_failed);
    for (int i = 0; i < 30000 && atomic_load(&w->engine.counts.rand_failed) < before + 80; i++) {
        empty(w);
        (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    cr_expect(atomic_load(&w->engine.counts.rand_failed) >= before + 80, "%s", check);
    empty(w);
    cr_expect_eq(coord_randpool_wait(w->engine.random, b, 64, 200), QK_E_BUSY, "%s", check);
    bend_all(w, NULL, 0);
    qk_assert_ok(coord_randpool_wait(w->engine.random, b, 64, 60000));
}

/* ---- G-1, G-2 ---- */

static enum cw_fate refuses(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_RAND) *a = (struct wire_answer){.status = WIRE_ANSWER_RETRY};
    return CW_SEND;
}

static enum cw_fate other_rid(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_RAND) ((uint8_t *)(uintptr_t)a->part.p)[0] ^= 1;
    return CW_SEND;
}

static enum cw_fate too_short(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_RAND) a->part.len--;
    return CW_SEND;
}

static enum cw_fate too_long(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_RAND) a->part.len++;
    return CW_SEND;
}

static enum cw_fate nothing(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_RAND) a->part.len = 0;
    return CW_SEND;
}

QK_TEST(randpool, G_1_fewer_than_t_contributions_give_no_bytes)
{
    struct cw_world *w = world_new();
    bend_all(w, refuses, 2);
    expect_none(w, "G-1");
    cr_expect(atomic_load(&w->engine.counts.rand_failed) >= 1);
    world_free(w);
}

QK_TEST(randpool, G_2_contributions_of_another_run_or_length_do_not_count)
{
    struct cw_world *w = world_new();
    bend_all(w, other_rid, 2);
    expect_none(w, "G-2: rid");
    bend_all(w, too_short, 2);
    expect_none(w, "G-2: shorter");
    bend_all(w, too_long, 2);
    expect_none(w, "G-2: longer");
    bend_all(w, nothing, 2);
    expect_none(w, "G-2: none");
    world_free(w);
}

QK_TEST(randpool, G_1_t_nodes_are_enough)
{
    struct cw_world *w = world_new();
    uint8_t b[64];
    bend_all(w, refuses, 1);
    empty(w);
    qk_assert_ok(coord_randpool_wait(w->engine.random, b, 64, 20000));
    world_free(w);
}

/* ---- G-4 ---- */

/* Different for each call, but known: the coordinator's own contribution is what remains. */
static enum cw_fate counter(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    uint8_t *p = (uint8_t *)(uintptr_t)a->part.p;
    if (call->kind != WIRE_CALL_RAND) return CW_SEND;
    for (size_t i = 32; i < a->part.len; i++) p[i] = 0;
    qk_put_u64(p + 32, f->calls[WIRE_CALL_RAND] * 4 + f->id);
    return CW_SEND;
}

QK_TEST(randpool, G_4_bytes_are_random_even_when_no_node_is)
{
    struct cw_world *w = world_new();
    uint8_t b[1024];
    bend_all(w, counter, CW_NODES);
    empty(w);
    (void)nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    empty(w);
    qk_assert_ok(coord_randpool_wait(w->engine.random, b, sizeof b, 20000));
    size_t ones = 0;
    for (size_t i = 0; i < sizeof b * 8; i++) ones += b[i / 8] >> (i % 8) & 1;
    cr_expect(ones > 3600 && ones < 4600, "G-4: %zu of 8192 bits", ones); /* 11 sigma */
    world_free(w);
}

/* ---- G-5 ---- */

static enum cw_fate stuck(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    if (call->kind == WIRE_CALL_RAND)
        memset((uint8_t *)(uintptr_t)a->part.p + 32, 0x55, a->part.len - 32);
    return CW_SEND;
}

static enum cw_fate repeats(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    uint8_t *p = (uint8_t *)(uintptr_t)a->part.p;
    if (call->kind == WIRE_CALL_RAND)
        for (size_t i = 32; i < a->part.len; i++) p[i] = (uint8_t)(i * f->id);
    return CW_SEND;
}

static enum cw_fate cloned(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)f, (void)scratch;
    uint8_t *p = (uint8_t *)(uintptr_t)a->part.p;
    if (call->kind == WIRE_CALL_RAND)
        for (size_t i = 32; i < a->part.len; i++) p[i] = call->rnd[i % 32] ^ (uint8_t)(i / 32);
    return CW_SEND;
}

static unsigned long long alarms(struct cw_world *w)
{
    return atomic_load(&w->engine.counts.rand_alarms);
}

QK_TEST(randpool, G_5_stuck_repeated_and_cloned_contributions_raise_an_alarm)
{
    struct cw_world *w = world_new();
    cr_assert_eq(alarms(w), 0);
    bend_all(w, stuck, 2);
    expect_none(w, "G-5: constant");
    unsigned long long n = alarms(w);
    cr_expect(n >= 1);
    bend_all(w, repeats, 2);
    expect_none(w, "G-5: repeated");
    cr_expect(alarms(w) > n);
    n = alarms(w);
    bend_all(w, cloned, 3); /* of two clones one may come when the run has ended */
    expect_none(w, "G-5: cloned");
    cr_expect(alarms(w) > n);
    world_free(w);
}

/* ---- G-6 ---- */

/* A child that was forked while the pool's own thread held the lock waits for it for ever: its
 * clock ends it, and another one is tried. */
static int status_of_a_taking_child(struct cw_world *w)
{
    int status = -1;
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        if (child == 0) {
            uint8_t b[64];
            (void)alarm(5);
            _exit(coord_randpool_take(w->engine.random, b, sizeof b) == QK_E_BUSY ? 0 : 1);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM) break;
    }
    return status;
}

QK_TEST(randpool, G_6_a_forked_child_gets_none_of_the_parents_bytes)
{
    struct cw_world *w = world_new();
    uint8_t b[64];
    cr_assert(coord_randpool_await(w->engine.random, MPC_RAND_POOL_MAX / 2, 60000));
    int status = status_of_a_taking_child(w);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "G-6");
    qk_assert_ok(coord_randpool_take(w->engine.random, b, sizeof b));
    world_free(w);
}

QK_TEST(randpool, G_6_what_is_left_is_dropped_when_fewer_than_t_nodes_contribute)
{
    struct cw_world *w = world_new();
    uint8_t bytes[1024];
    bend_all(w, refuses, 2);
    unsigned long long before = atomic_load(&w->engine.counts.rand_failed);
    /* Take until it is filled up again, never all of it. */
    for (int i = 0; i < 30000 && atomic_load(&w->engine.counts.rand_failed) == before; i++) {
        if (coord_randpool_level(w->engine.random) > MPC_RAND_POOL_MAX / 4)
            qk_assert_ok(coord_randpool_take(w->engine.random, bytes, sizeof bytes));
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    cr_assert(atomic_load(&w->engine.counts.rand_failed) > before);
    for (int i = 0; i < 30000 && atomic_load(&w->engine.counts.rand_failed) < before + 80; i++)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    cr_expect_eq(coord_randpool_level(w->engine.random), 0, "G-6");
    world_free(w);
}

struct taker {
    pthread_t thread;
    struct cw_world *w;
    uint64_t first8[400];
};

static void *take_many(void *arg)
{
    struct taker *t = arg;
    for (size_t i = 0; i < QK_COUNT(t->first8); i++) {
        uint8_t b[32];
        CW_MUST(coord_randpool_wait(t->w->engine.random, b, sizeof b, 20000) == QK_OK);
        t->first8[i] = qk_get_u64(b);
    }
    return NULL;
}

static int u64_cmp(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

QK_TEST(randpool, G_6_no_bytes_are_given_out_twice)
{
    struct cw_world *w = world_new();
    struct taker t[4];
    uint64_t all[4 * 400];
    for (size_t i = 0; i < 4; i++) {
        t[i].w = w;
        cr_assert_eq(pthread_create(&t[i].thread, NULL, take_many, &t[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(pthread_join(t[i].thread, NULL), 0);
        memcpy(all + 400 * i, t[i].first8, sizeof t[i].first8);
    }
    qsort(all, QK_COUNT(all), sizeof *all, u64_cmp);
    for (size_t i = 1; i < QK_COUNT(all); i++) cr_assert_neq(all[i - 1], all[i], "G-6");
    world_free(w);
}

/* ---- GenerateRandom ---- */

QK_TEST(randpool, GenerateRandom_takes_bytes_for_a_caller_whom_t_nodes_know)
{
    struct cw_world *w = world_new();
    struct cw_request request;
    struct kms_fault fault;
    struct coord_op *op = calloc(1, sizeof *op);
    cw_request(&request, "TrentService.GenerateRandom", "{\"NumberOfBytes\":1024}");
    qk_assert_ok(cw_serve(w, op, &request, &fault));
    cr_expect_eq(op->plain.len, 1024);
    coord_op_end(op);
    empty(w); /* the slow way waits for new ones */
    qk_assert_ok(cw_serve(w, op, &request, &fault));
    cr_expect_eq(op->plain.len, 1024);
    coord_op_end(op);
    free(op);
    world_free(w);
}
