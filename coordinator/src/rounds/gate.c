#include "rounds/gate.h"

#include <time.h>

void coord_gate_init(struct coord_gate *g, unsigned most)
{
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&g->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&g->left, &attr);
    (void)pthread_condattr_destroy(&attr);
    g->most = most;
    g->inside = 0;
}

bool coord_gate_enter(struct coord_gate *g, uint64_t until_ms)
{
    struct timespec until = {
        .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int rc = 0;
    (void)pthread_mutex_lock(&g->mutex);
    while (g->inside >= g->most && rc == 0)
        rc = pthread_cond_timedwait(&g->left, &g->mutex, &until);
    bool room = g->inside < g->most;
    g->inside += room;
    (void)pthread_mutex_unlock(&g->mutex);
    return room;
}

void coord_gate_leave(struct coord_gate *g)
{
    (void)pthread_mutex_lock(&g->mutex);
    g->inside--;
    (void)pthread_cond_signal(&g->left);
    (void)pthread_mutex_unlock(&g->mutex);
}
