/** Calls to the QkmsAdmin and KMS operations, as a user (SigV4) or, for Initialize, as an operator.
 */
#ifndef QKMS_API_H
#define QKMS_API_H

#include <jansson.h>
#include "env.h"
#include "wire/cluster.h"

/** An operator, for Initialize: no access key exists before it. */
struct qkms_operator {
    const char *name;                     /* as in cluster.conf */
    const struct wire_identity *identity; /* the operator's key */
    const struct wire_cluster *cluster;
};

/** One signed request, one JSON answer.
 *
 *  target   "QkmsAdmin.GetStatus"
 *  args     a JSON object; borrowed
 *  answer   an object on QK_OK ({} for an empty body); json_decref it
 *
 *  Returns  QK_OK
 *           QK_E_DENIED      the service refused; why is "SomeException: its text"
 *           QK_E_BUSY        5xx or throttled: try again later; why as above
 *           QK_E_CORRUPT     an answer that is not the service's
 *           QK_E_TIMEOUT, QK_E_IO, QK_E_MALFORMED (endpoint), 5xx
 */
QK_MUST_USE qk_err qkms_call(const struct qkms_env *env, const char *target, const json_t *args,
    json_t **answer, char *why, size_t why_len);
QK_MUST_USE qk_err qkms_call_operator(const struct qkms_env *env, const struct qkms_operator *op,
    const char *target, const json_t *args, json_t **answer, char *why, size_t why_len);

#endif
