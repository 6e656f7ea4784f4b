#include "rounds/watch.h"

#include <stdlib.h>
#include "mpc/party.h"
#include "qk/log.h"

enum { RECOMPUTE = 64 /* samples between two looks at the distribution */ };

void coord_watch_init(struct coord_watch *w)
{
    memset(w, 0, sizeof *w);
    (void)pthread_mutex_init(&w->mutex, NULL);
}

static int us_cmp(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void recompute(struct coord_pace *p, size_t n)
{
    uint32_t us[COORD_WATCH_SAMPLES];
    if (n > COORD_WATCH_SAMPLES) n = COORD_WATCH_SAMPLES;
    for (size_t i = 0; i < n; i++) us[i] = atomic_load_explicit(&p->us[i], memory_order_relaxed);
    qsort(us, n, sizeof *us, us_cmp);
    uint64_t d = 3 * (uint64_t)us[n * 95 / 100];
    if (d < COORD_WATCH_MIN_US) d = COORD_WATCH_MIN_US;
    if (d > COORD_WATCH_MAX_US) d = COORD_WATCH_MAX_US;
    atomic_store(&p->deadline_us, (uint32_t)d);
}

void coord_pace_note(struct coord_pace *p, uint64_t took_us)
{
    uint32_t us = took_us < UINT32_MAX ? (uint32_t)took_us : UINT32_MAX;
    unsigned n = atomic_fetch_add(&p->n, 1);
    atomic_store_explicit(&p->us[n % COORD_WATCH_SAMPLES], us, memory_order_relaxed);
    bool early = n < RECOMPUTE && (n & (n + 1)) == 0; /* after 1, 2, 4, 8, ... */
    if (early || (n + 1) % RECOMPUTE == 0) recompute(p, n < COORD_WATCH_SAMPLES ? n + 1 : SIZE_MAX);
}

uint64_t coord_pace_deadline_us(const struct coord_pace *p)
{
    uint32_t d = atomic_load(&p->deadline_us);
    return d == 0 ? COORD_WATCH_MIN_US : d;
}

/* ---- suspicion ---- */

/* With the lock: note the event; true when it is the third within the time. */
static bool third(struct coord_suspicion *s, size_t at, uint64_t now_ms)
{
    s->node[at].at_ms[s->node[at].next++ % COORD_WATCH_EVENTS] = now_ms;
    for (size_t i = 0; i < COORD_WATCH_EVENTS; i++) {
        uint64_t then = s->node[at].at_ms[i];
        if (then == 0 || then + COORD_WATCH_MS < now_ms) return false;
    }
    return true;
}

void coord_watch_event(struct coord_watch *w, const struct wire_cluster *cluster,
    const struct mpc_sym_suspect *suspects, size_t n, uint64_t now_ms)
{
    bool avoid = false;
    (void)pthread_mutex_lock(&w->mutex);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < cluster->n && suspects[k].cls == MPC_BLAME_N; i++)
            if (cluster->nodes[i].id == suspects[k].node) avoid |= third(&w->copies, i, now_ms);
    (void)pthread_mutex_unlock(&w->mutex);
    if (!avoid) return;
    atomic_store(&w->avoid_until_ms, now_ms + COORD_WATCH_MS);
    qk_log(QK_ERROR, "sym.avoid_f",
        QK_F_STR("why", "three disagreements with a common suspect within ten minutes"));
}

size_t coord_watch_mac(struct coord_watch *w, const struct wire_cluster *cluster,
    const uint16_t *suspects, size_t n, uint64_t now_ms, uint16_t *alarm)
{
    size_t n_alarm = 0;
    (void)pthread_mutex_lock(&w->mutex);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < cluster->n; i++) {
            if (cluster->nodes[i].id != suspects[k] || !third(&w->macs, i, now_ms)) continue;
            memset(&w->macs.node[i], 0, sizeof w->macs.node[i]);
            alarm[n_alarm++] = suspects[k];
        }
    (void)pthread_mutex_unlock(&w->mutex);
    return n_alarm;
}

bool coord_watch_avoid_f(const struct coord_watch *w, uint64_t now_ms)
{
    return now_ms < atomic_load(&w->avoid_until_ms);
}
