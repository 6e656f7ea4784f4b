/** Form bodies of the query protocols, as far as their names and values need no unescaping. */
#ifndef KMS_FORM_H
#define KMS_FORM_H

#include "qk/bytes.h"

/** The value of the one field called name, a view into body. QK_E_NOT_FOUND if there is none;
 * QK_E_MALFORMED if there are several or the value holds an escape ('%' or '+'). */
QK_MUST_USE qk_err kms_form_plain(struct qk_bytes body, const char *name, struct qk_bytes *value);

#endif
