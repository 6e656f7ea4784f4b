/** Where the service is and who we are to it: the AWS_* names every AWS client reads.
 *
 *  From the process environment, or from a file of `export NAME='value'` lines such as `qkms init`
 *  writes (which then counts alone, so that a stray variable never mixes two clusters). Secrets
 * never come from arguments.
 */
#ifndef QKMS_ENV_H
#define QKMS_ENV_H

#include "kms/sigv4.h"
#include "qk/bytes.h"

enum { QKMS_ENV_TEXT_MAX = 1024, QKMS_ENV_FILE_MAX = 65536 };

struct qkms_env {
    char endpoint[QKMS_ENV_TEXT_MAX];    /* AWS_ENDPOINT_URL_KMS, else AWS_ENDPOINT_URL */
    char ca_bundle[QKMS_ENV_TEXT_MAX];   /* AWS_CA_BUNDLE; "": the system's */
    char region[64];                     /* AWS_REGION, else AWS_DEFAULT_REGION */
    char cluster[QKMS_ENV_TEXT_MAX];     /* QKMS_CLUSTER: path of cluster.conf; may be "" */
    char access_key_id[129];             /* AWS_ACCESS_KEY_ID */
    char secret[KMS_SECRET_KEY_MAX + 1]; /* AWS_SECRET_ACCESS_KEY; secret */
};

void qkms_env_wipe(struct qkms_env *env);
#define QKMS_ENV(name)                                                                             \
    __attribute__((cleanup(qkms_env_wipe))) struct qkms_env name = {.endpoint = ""}

/** file: path, or NULL for the process environment. Endpoint, region, id and secret are required.
 *  The file must be closed to others. QK_E_NOT_FOUND (a name or the file is missing), QK_E_DENIED
 *  (the file is open to others), QK_E_MALFORMED, QK_E_TOO_LARGE, QK_E_IO; why says which. */
QK_MUST_USE qk_err qkms_env_load(const char *file, struct qkms_env *out, char *why, size_t why_len);

/** Append the text of such a file. Values are shell-quoted. QK_E_MALFORMED for a value with a quote
 *  or a control character in it, which no shell file can carry safely. */
QK_MUST_USE qk_err qkms_env_print(const struct qkms_env *env, struct qk_buf *out);

#endif
