/** Access keys: how their names are made and how a secret is derived from the system key.
 *
 *  secret access key = text of DPRF(system key, purpose, fields). Nothing secret is stored
 * anywhere: t nodes evaluate the function (protocols/50 section 9, `X = H32("sys-x"; purpose,
 * fields)`).
 */
#ifndef KMS_CREDENTIAL_H
#define KMS_CREDENTIAL_H

#include "qk/rng.h"
#include "qk/secret.h"
#include "qk/bytes.h"

#define KMS_AKID_LEN        20 /* AKIA + 16 of [A-Z2-7] */
#define KMS_USER_ID_LEN     21 /* AIDA + 17 of [A-Z2-7] */
#define KMS_SECRET_TEXT_LEN 40

/** 40 characters of [A-Za-z0-9+/] and NUL; secret. */
struct kms_secret_text {
    char text[KMS_SECRET_TEXT_LEN + 1];
};
static inline void kms_secret_text_wipe(struct kms_secret_text *s)
{
    qk_wipe(s, sizeof *s);
}
#define KMS_SECRET_TEXT(name)                                                                      \
    __attribute__((cleanup(kms_secret_text_wipe))) struct kms_secret_text name = {{0}}

/** The text shown to the owner: standard base64 of the first 30 bytes of the 32-byte DPRF output
 * (240 bits). Timing: constant in out (table-free arithmetic). */
void kms_secret_from_prf(const struct qk_sec32 *prf, struct kms_secret_text *out);

/** The DPRF input of a credential: purpose "credential", fields (access key id, u32 big-endian
 * version). `fields` for one byte string: fr(purpose) || fr(access key id) || fr(u32 version),
 * fr(x) = u32(len x) || x. */
#define KMS_CREDENTIAL_PURPOSE   "credential"
#define KMS_CREDENTIAL_INPUT_LEN (4 + 10 + 4 + KMS_AKID_LEN + 4 + 4)
/** QK_E_STATE unless access_key_id is a well-formed AKIA id and version >= 1. */
QK_MUST_USE qk_err kms_credential_input(
    struct qk_bytes access_key_id, uint32_t version, uint8_t out[static KMS_CREDENTIAL_INPUT_LEN]);

bool kms_akid_valid(struct qk_bytes v);
bool kms_user_id_valid(struct qk_bytes v);
/** Fresh random names, NUL-terminated. QK_E_RNG. */
QK_MUST_USE qk_err kms_akid_new(struct qk_rng *rng, char out[static KMS_AKID_LEN + 1]);
QK_MUST_USE qk_err kms_user_id_new(struct qk_rng *rng, char out[static KMS_USER_ID_LEN + 1]);

#endif
