/** Requests of the load: SigV4 with all that stays the same for a day computed once.
 *
 *  Every request has a signature of its own: its invocation id is random and its date is now. The
 *  signature is what kms_sigv4_sign would make of the same headers; bench_signer_new tries that
 *  once, so the two cannot drift apart.
 */
#ifndef BENCH_SIGN_H
#define BENCH_SIGN_H

#include "api/target.h"

struct bench_signer; /* of one thread */

/** target must outlive it. QK_E_NOMEM, QK_E_CRYPTO, QK_E_RNG. */
QK_MUST_USE qk_err bench_signer_new(struct bench_signer **out, const struct bench_target *target);
/** A whole HTTP request into out, which is cleared before.
 *  action  for example "Sign"; body is its JSON. QK_E_CRYPTO, QK_E_NOMEM, QK_E_RNG. */
QK_MUST_USE qk_err bench_signer_request(
    struct bench_signer *s, const char *action, struct qk_bytes body, struct qk_buf *out);
/** Random bytes, drawn from the kernel in bulk: for digests and plaintexts that must differ, not
 * for secrets. len is at most 4096. */
QK_MUST_USE qk_err bench_signer_random(struct bench_signer *s, uint8_t *out, size_t len);
/** NULL is allowed. */
void bench_signer_free(struct bench_signer *s);

#endif
