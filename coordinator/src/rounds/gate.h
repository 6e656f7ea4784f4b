/** How many of a kind go on at a time: the others wait, not for ever.
 *
 *  For what costs nodes much and is refused by them when too much of it comes at once: better wait
 * here than be refused there and come again.
 *
 *  Threads    any
 */
#ifndef COORD_GATE_H
#define COORD_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct coord_gate {
    pthread_mutex_t mutex;
    pthread_cond_t left;
    unsigned most, inside;
};

/** most: at least 1. */
void coord_gate_init(struct coord_gate *g, unsigned most);
/** Blocks until there is room. False: there was none by until_ms (qk_mono_ms). */
bool coord_gate_enter(struct coord_gate *g, uint64_t until_ms);
void coord_gate_leave(struct coord_gate *g);

#endif
