/** Dates in requests: ISO 8601 basic form and the HTTP date. */
#ifndef KMS_AMZDATE_H
#define KMS_AMZDATE_H

#include "qk/bytes.h"

/** `YYYYMMDDTHHMMSSZ`, a real moment from 1970 on. QK_E_MALFORMED. */
QK_MUST_USE qk_err kms_date_basic(struct qk_bytes text, uint64_t *ms);
/** `Wed, 25 Nov 2026 07:52:35 GMT`. QK_E_MALFORMED. */
QK_MUST_USE qk_err kms_date_http(struct qk_bytes text, uint64_t *ms);

#endif
