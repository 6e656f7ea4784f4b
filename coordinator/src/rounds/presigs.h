/** Presignatures that nodes said they have ready: names only, a few per key and set of signers.
 *
 *  A name is handed out once; names that were handed out are remembered for a while, because an
 *  answer that was on its way may still list them. In memory only: after a restart signing is
 *  online until nodes offer again.
 *
 *  Threads    any
 */
#ifndef COORD_PRESIGS_H
#define COORD_PRESIGS_H

#include "rounds/attempt.h"

struct coord_presigs;
QK_MUST_USE qk_err coord_presigs_new(struct coord_presigs **out);
void coord_presigs_free(struct coord_presigs *p);

/** How many names a call to set should ask for (wire_call.want_presigs). */
uint32_t coord_presigs_want(
    struct coord_presigs *p, const uint8_t key_id[static 16], const uint16_t *set, size_t n_set);
/** Take the names that every answer of the attempt (all_ok) lists, if we are short of them. */
void coord_presigs_learn(struct coord_presigs *p, const uint8_t key_id[static 16],
    const uint16_t *set, size_t n_set, const struct coord_attempt *attempt);
/** A set with a presignature ready whose members are all healthy: fills set and sid and consumes
 *  the name. false: there is none. */
bool coord_presigs_take(struct coord_presigs *p, struct coord_nodes *nodes,
    const uint8_t key_id[static 16], size_t n_set, uint16_t *set, uint8_t sid[static 32]);

#endif
