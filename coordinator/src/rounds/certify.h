/** From the nodes' signed records to certified ones. */
#ifndef COORD_CERTIFY_H
#define COORD_CERTIFY_H

#include "kms/cert.h"
#include "kms/decide.h"
#include "rounds/attempt.h"

/** The records of a change as the coordinator makes them itself. */
struct coord_expected {
    struct qk_buf bytes[KMS_CHANGE_MAX];
    struct qk_bytes views[KMS_CHANGE_MAX]; /* of these */
    size_t n;
};
/** Encode them (which sets their hashes). out zeroed before; free it whatever comes back.
 * QK_E_NOMEM. */
QK_MUST_USE qk_err coord_expected_of(struct kms_change *change, struct coord_expected *out);
void coord_expected_free(struct coord_expected *e);

/** Certified records, ready for the store and for publishing. */
struct coord_certified {
    struct qk_buf bytes[WIRE_CALL_RECORDS_MAX]; /* kms_certified_encode */
    size_t n;
};
void coord_certified_free(struct coord_certified *c);

/** Every answer of the attempt (all_ok) must carry the same records in the same order, n of them,
 *  and a valid signature of that node on each.
 *
 *  expected  the records as we made them ourselves, n encodings; NULL: take those of the first
 *            answer, which the caller has checked
 *  Returns   QK_OK          out holds n records, each signed by every node of the attempt
 *            QK_E_MISMATCH  a node signed something else than the others or than expected
 *            QK_E_PROOF     a signature does not hold
 *            QK_E_MALFORMED a record does not decode
 *            *liar: the node at fault, or 0 when that cannot be told
 */
QK_MUST_USE qk_err coord_certify(const struct wire_cluster *cluster,
    const struct coord_attempt *attempt, const struct qk_bytes *expected, size_t n,
    struct coord_certified *out, uint16_t *liar);

#endif
