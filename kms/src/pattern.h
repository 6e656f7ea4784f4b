/** Regular expressions of the API model. */
#ifndef KMS_PATTERN_H
#define KMS_PATTERN_H

#include "qk/bytes.h"

/** Does the whole of text (valid UTF-8) match? Bounded in steps and memory: QK_E_TOO_LARGE when a
 * limit is hit, QK_E_STATE when the pattern does not compile. */
QK_MUST_USE qk_err kms_pattern_full(const char *pattern, struct qk_bytes text, bool *matches);

#endif
