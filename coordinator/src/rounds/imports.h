/** Wrapping keys for imported key material (GetParametersForImport), and unwrapping under them.
 *
 *  A wrapping pair is made for one key and one algorithm. Its private half exists in this process
 *  only, in locked memory, for at most 24 hours, and is gone when the process ends: who comes with
 * a token from before is told that it has expired. The token is a random id with a MAC that binds
 * it to the KMS key, the algorithm and the date; it is no secret by itself.
 *
 *  What is unwrapped here is the key material itself, for the moment that it takes to share it out
 * among the nodes (docs/threat-model.md, "Importing").
 *
 *  Threads    any
 */
#ifndef COORD_IMPORTS_H
#define COORD_IMPORTS_H

#include "kms/fault.h"
#include "qk/secret.h"
#include "rounds/randpool.h"

enum {
    COORD_IMPORT_MS = 86400000, /* ParametersValidTo */
    COORD_IMPORTS_MAX = 64,     /* pairs at one time; then the oldest makes room */
    COORD_IMPORTS_OF_KEY = 4,   /* of these for one key; the oldest makes room */
    COORD_IMPORT_TOKEN_LEN = 1 + 16 + 16 + 8 + 32,
    COORD_MATERIAL_MAX = 1024,
};

struct coord_imports;
/** max: pairs at one time, 1..COORD_IMPORTS_MAX. */
QK_MUST_USE qk_err coord_imports_new(struct coord_imports **out, size_t max);
void coord_imports_free(struct coord_imports *s); /* wipes; NULL is allowed */

/** A new wrapping pair. Takes long (RSA): never on a quick thread.
 *
 *  algorithm, spec  as the request has them: RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256,
 *                   RSA_AES_KEY_WRAP_SHA_1, RSA_AES_KEY_WRAP_SHA_256; RSA_2048, RSA_3072, RSA_4096
 *  token, spki      appended
 *
 *  QK_E_BUSY: no random bytes now; QK_E_NOMEM (the lock limit), 5xx.
 */
QK_MUST_USE qk_err coord_imports_offer(struct coord_imports *s, struct coord_randpool *random,
    const uint8_t key_id[static 16], struct qk_bytes algorithm, struct qk_bytes spec,
    uint64_t now_ms, struct qk_buf *token, struct qk_buf *spki, uint64_t *valid_to_ms);

/** How long the material of a key may be, in bytes. */
struct coord_material_len {
    size_t least, most; /* 1..COORD_MATERIAL_MAX */
};

/** Append the material that was wrapped. The pair stays: an import may be tried again.
 *
 *  out      SECRET
 *  Faults: InvalidImportToken, ExpiredImportToken, InvalidCiphertext, IncorrectKeyMaterial (not of
 * a length that fits). */
QK_MUST_USE qk_err coord_imports_unwrap(struct coord_imports *s, const uint8_t key_id[static 16],
    struct qk_bytes token, struct qk_bytes wrapped, uint64_t now_ms,
    const struct coord_material_len *len, struct qk_buf *out, struct kms_fault *fault);

#endif
