#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "qk/secret.h"

enum { SLOT = QK_LOCKED_SMALL_MAX, SLOTS = 256, WORDS = SLOTS / 64 };

/* One region of locked memory between guard pages. What is free in it is zero. */
struct region {
    uint8_t (*slots)[SLOT];
    uint64_t taken[WORDS]; /* one bit a slot */
    size_t n_taken;
    struct region *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct region *regions;

static struct region *with_room(void)
{
    struct region *r = regions;
    while (r != NULL && r->n_taken == SLOTS) r = r->next;
    if (r != NULL) return r;
    r = calloc(1, sizeof *r);
    if (r != NULL) r->slots = qk_locked_alloc((size_t)SLOTS * SLOT);
    if (r == NULL || r->slots == NULL) {
        free(r);
        return NULL;
    }
    r->next = regions;
    regions = r;
    return r;
}

static void *take(struct region *r)
{
    size_t word = 0;
    while (r->taken[word] == UINT64_MAX) word++;
    size_t bit = (size_t)__builtin_ctzll(~r->taken[word]);
    r->taken[word] |= UINT64_C(1) << bit;
    r->n_taken++;
    return r->slots[word * 64 + bit];
}

void *qk_locked_small_alloc(size_t len)
{
    if (len > SLOT) return NULL;
    (void)pthread_mutex_lock(&lock);
    struct region *r = with_room();
    void *p = r == NULL ? NULL : take(r);
    (void)pthread_mutex_unlock(&lock);
    return p;
}

static bool holds(const struct region *r, const void *p)
{
    uintptr_t from = (uintptr_t)r->slots, at = (uintptr_t)p;
    return at >= from && at - from < (size_t)SLOTS * SLOT && (at - from) % SLOT == 0;
}

/* With the lock held. An address that was never given out, or was given back already, means that
 * secrets are no longer where they belong: as libsodium does, stop. */
static void give_back(struct region **at, void *p)
{
    struct region *r = *at;
    if (r == NULL) abort();
    size_t i = ((uintptr_t)p - (uintptr_t)r->slots) / SLOT;
    uint64_t bit = UINT64_C(1) << (i % 64);
    if ((r->taken[i / 64] & bit) == 0) abort();
    qk_wipe(p, SLOT);
    r->taken[i / 64] &= ~bit;
    if (--r->n_taken > 0) return;
    *at = r->next;
    qk_locked_free(r->slots);
    free(r);
}

void qk_locked_small_free(void *p)
{
    if (p == NULL) return;
    (void)pthread_mutex_lock(&lock);
    struct region **at = &regions;
    while (*at != NULL && !holds(*at, p)) at = &(*at)->next;
    give_back(at, p);
    (void)pthread_mutex_unlock(&lock);
}
