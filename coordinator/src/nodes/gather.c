#include "nodes/internal.h"

#include <stdlib.h>
#include <time.h>
#include "qk/clock.h"

/* A reply handed over and not yet taken. */
struct arrival {
    struct arrival *next;
    struct coord_reply reply;
};

/* Shared by its owner and every flight: the last one out frees it. */
struct coord_gather {
    struct coord_nodes *nodes;
    pthread_mutex_t mutex;
    pthread_cond_t arrived;
    size_t refs;
    size_t outstanding; /* called and not yet handed out */
    bool abandoned;
    struct arrival *first, **last; /* answered, in order of arrival */
};

qk_err coord_gather_new(struct coord_gather **out, struct coord_nodes *nodes)
{
    struct coord_gather *g = calloc(1, sizeof *g);
    QK_ENSURE(g != NULL, QK_E_NOMEM);
    g->nodes = nodes;
    g->refs = 1;
    g->last = &g->first;
    (void)pthread_mutex_init(&g->mutex, NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&g->arrived, &attr);
    (void)pthread_condattr_destroy(&attr);
    *out = g;
    return QK_OK;
}

static void arrival_free(struct arrival *a)
{
    coord_reply_free(&a->reply);
    free(a);
}

static void gather_unref(struct coord_gather *g)
{
    (void)pthread_mutex_lock(&g->mutex);
    bool last = --g->refs == 0;
    (void)pthread_mutex_unlock(&g->mutex);
    if (!last) return;
    while (g->first != NULL) {
        struct arrival *a = g->first;
        g->first = a->next;
        arrival_free(a);
    }
    (void)pthread_cond_destroy(&g->arrived);
    (void)pthread_mutex_destroy(&g->mutex);
    free(g);
}

void coord_gather_free(struct coord_gather *g)
{
    if (g == NULL) return;
    (void)pthread_mutex_lock(&g->mutex);
    g->abandoned = true;
    (void)pthread_mutex_unlock(&g->mutex);
    gather_unref(g);
}

/* Takes the reply over and gives the call's reference back. */
static void on_reply(void *ctx, struct coord_reply *reply)
{
    struct coord_gather *g = ctx;
    struct arrival *a = malloc(sizeof *a);
    if (a != NULL)
        *a = (struct arrival){.reply = *reply}; /* views point into memory that moves along */
    (void)pthread_mutex_lock(&g->mutex);
    bool drop = g->abandoned || a == NULL;
    if (!drop) {
        *g->last = a;
        g->last = &a->next;
        (void)pthread_cond_signal(&g->arrived);
    }
    (void)pthread_mutex_unlock(&g->mutex);
    if (drop) {
        coord_reply_free(reply);
        free(a);
    }
    gather_unref(g);
}

void coord_gather_call(struct coord_gather *g, uint16_t node, struct qk_bytes bytes,
    unsigned timeout_ms, enum coord_travel how)
{
    (void)pthread_mutex_lock(&g->mutex);
    g->refs++;
    g->outstanding++;
    (void)pthread_mutex_unlock(&g->mutex);
    coord_node_call(g->nodes, node, bytes, timeout_ms, how, on_reply, g);
}

size_t coord_gather_outstanding(struct coord_gather *g)
{
    (void)pthread_mutex_lock(&g->mutex);
    size_t n = g->outstanding;
    (void)pthread_mutex_unlock(&g->mutex);
    return n;
}

static struct timespec after(uint64_t ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool coord_gather_next(struct coord_gather *g, uint64_t wait_ms, struct coord_reply *out)
{
    struct timespec until = after(wait_ms);
    (void)pthread_mutex_lock(&g->mutex);
    int rc = 0;
    while (g->first == NULL && g->outstanding > 0 && rc == 0)
        rc = pthread_cond_timedwait(&g->arrived, &g->mutex, &until);
    struct arrival *a = g->first;
    if (a != NULL) {
        g->first = a->next;
        if (g->first == NULL) g->last = &g->first;
        g->outstanding--;
    }
    (void)pthread_mutex_unlock(&g->mutex);
    if (a == NULL) return false;
    *out = a->reply;
    free(a);
    return true;
}
