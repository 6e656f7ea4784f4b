#include "call_slots.h"

#include <stdlib.h>

qk_err call_slots_init(struct call_slots *t, size_t n)
{
    QK_ENSURE(n >= 1 && n <= UINT16_MAX, QK_E_STATE);
    t->slots = calloc(n, sizeof *t->slots);
    QK_ENSURE(t->slots != NULL, QK_E_NOMEM);
    t->n = n;
    for (size_t i = 0; i < n; i++) {
        t->slots[i].next_free = t->free_list;
        t->free_list = &t->slots[i];
    }
    return QK_OK;
}

void call_slots_wipe(struct call_slots *t)
{
    free(t->slots);
    *t = (struct call_slots){0};
}

static uint32_t number_of(const struct call_slots *t, const struct call_slot *slot)
{
    return slot->round * (uint32_t)t->n + (uint32_t)(slot - t->slots) + 1;
}

static void take_out(struct call_slots *t, struct call_slot *slot, struct call_end *end)
{
    *end = slot->end;
    slot->end.fn = NULL;
    slot->round = (slot->round + 1) % (UINT32_MAX / (uint32_t)t->n);
    slot->next_free = t->free_list;
    t->free_list = slot;
}

qk_err call_slots_put(struct call_slots *t, uint32_t *number, const struct call_end *end)
{
    struct call_slot *slot = t->free_list;
    QK_ENSURE(slot != NULL, QK_E_BUSY);
    t->free_list = slot->next_free;
    slot->end = *end;
    *number = number_of(t, slot);
    return QK_OK;
}

bool call_slots_take(struct call_slots *t, uint32_t number, struct call_end *end)
{
    struct call_slot *slot = &t->slots[(number - 1) % t->n];
    if (slot->end.fn == NULL || number_of(t, slot) != number) return false;
    take_out(t, slot, end);
    return true;
}

bool call_slots_take_due(
    struct call_slots *t, uint64_t by_ms, struct call_end *end, uint64_t *first_ms)
{
    struct call_slot *due = NULL;
    *first_ms = UINT64_MAX;
    for (size_t i = 0; i < t->n; i++) {
        struct call_slot *slot = &t->slots[i];
        if (slot->end.fn == NULL) continue;
        if (due == NULL && slot->end.deadline_ms <= by_ms)
            due = slot;
        else if (slot->end.deadline_ms < *first_ms)
            *first_ms = slot->end.deadline_ms;
    }
    if (due != NULL) take_out(t, due, end);
    return due != NULL;
}
