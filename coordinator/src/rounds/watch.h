/** What evaluations teach about the nodes: how long they take, and whom to suspect.
 *
 *  Source: protocols/50-symmetric.md sections 6 (deadlines) and 8 (blame), protocols/60-hmac.md
 * section 5 (suspects). Nobody is ever banned on what mode F (check S-22) or a MAC shows: there it
 * is always one of several. Three events with a common suspect within ten minutes send everybody's
 * Encrypt to mode V for ten minutes; of MACs they raise an alarm.
 *
 *  Threads    any
 */
#ifndef COORD_WATCH_H
#define COORD_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include "mpc/sym_combine.h"
#include "wire/cluster.h"

enum {
    COORD_WATCH_SAMPLES = 256,
    COORD_WATCH_EVENTS = 3,
    COORD_WATCH_MS = 600000,      /* ten minutes, of both kinds */
    COORD_WATCH_MIN_US = 20000,   /* no deadline is shorter */
    COORD_WATCH_MAX_US = 1000000, /* nor longer */
};

/** Times of recent successes of one kind of evaluation. */
struct coord_pace {
    atomic_uint n;
    _Atomic uint32_t us[COORD_WATCH_SAMPLES];
    _Atomic uint32_t deadline_us; /* 0: not computed yet */
};

/** When each node was last a suspect; by index in the cluster file. Under the watch's mutex. */
struct coord_suspicion {
    struct {
        uint64_t at_ms[COORD_WATCH_EVENTS]; /* of the newest events; 0: none */
        unsigned next;
    } node[WIRE_NODES_MAX];
};

struct coord_watch {
    struct coord_pace enc, dec, v; /* mode F, both ways; mode V */
    pthread_mutex_t mutex;
    struct coord_suspicion copies;   /* mode F */
    struct coord_suspicion macs;     /* HMAC keys */
    _Atomic uint64_t avoid_until_ms; /* qk_mono_ms */
};

void coord_watch_init(struct coord_watch *w);

void coord_pace_note(struct coord_pace *p, uint64_t took_us);
/** max(20 ms, 3 x recent p95), at most 1 s. */
uint64_t coord_pace_deadline_us(const struct coord_pace *p);

/** One event of mode F with these suspects (class N). now_ms: qk_mono_ms. */
void coord_watch_event(struct coord_watch *w, const struct wire_cluster *cluster,
    const struct mpc_sym_suspect *suspects, size_t n, uint64_t now_ms);
/** One run of a MAC that failed, with these suspects: appends to alarm those of them that now have
 *  three such events, and starts counting these anew. Returns how many; alarm takes n. */
size_t coord_watch_mac(struct coord_watch *w, const struct wire_cluster *cluster,
    const uint16_t *suspects, size_t n, uint64_t now_ms, uint16_t *alarm);
/** Should Encrypt go to mode V at once? */
bool coord_watch_avoid_f(const struct coord_watch *w, uint64_t now_ms);

#endif
