/** The randomness interface.
 *
 *  Protocol code takes a struct qk_rng as an argument and never draws by
 *  itself. The production source is getrandom(2) for every draw: no userland
 *  state, so fork and virtual-machine snapshots need no care here
 *  (protocols/00 section 9). A deterministic source exists only in tests/.
 */
#ifndef QK_RNG_H
#define QK_RNG_H

#include "qk/err.h"

struct qk_rng {
    qk_err (*fill)(struct qk_rng *rng, uint8_t *out, size_t len);
};

/** The kernel's generator. The returned object is static and needs no free. Thread-safe. */
struct qk_rng *qk_rng_system(void);

/** Fill out with len random bytes; QK_E_RNG leaves it zeroed. */
QK_MUST_USE qk_err qk_rng_fill(struct qk_rng *rng, void *out, size_t len);

#endif
