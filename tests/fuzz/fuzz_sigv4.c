/* An encoded request as a node receives it: decoded, its signature header parsed and recomputed. */
#include <stdlib.h>
#include "kms/operator.h"
#include "kms/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "Name: value" lines make the headers, an empty line ends them: mutations get deep that way. */
static void read_text(struct qk_bytes in, struct kms_raw *raw)
{
    size_t start = 0;
    *raw = (struct kms_raw){.method = qk_str("POST"), .path = qk_str("/")};
    for (size_t i = 0; i <= in.len; i++) {
        if (i < in.len && in.p[i] != '\n') continue;
        struct qk_bytes line = qk_bytes(in.p + start, i - start);
        start = i + 1;
        const uint8_t *colon = line.len ? memchr(line.p, ':', line.len) : NULL;
        if (colon == NULL) {
            if (start < in.len) raw->body = qk_bytes(in.p + start, in.len - start);
            return;
        }
        size_t n = (size_t)(colon - line.p);
        if (n == 0)
            raw->query = qk_bytes(colon + 1, line.len - 1);
        else if (kms_raw_add_header(
                     raw, qk_bytes(line.p, n), qk_bytes(colon + 1, line.len - n - 1)) != QK_OK)
            return;
    }
}

static qk_err refuse(
    void *arg, const char *name, const uint8_t digest[static 32], struct qk_bytes sig)
{
    (void)arg, (void)name, (void)digest, (void)sig;
    return QK_E_PROOF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct kms_fault fault;
    static const struct qk_sec32 signing_key;
    static const uint8_t cluster[32];
    struct kms_raw raw;
    struct kms_sigv4 auth;
    struct kms_operator op;
    if (size == 0) return 0;
    if (data[0] & 1) {
        if (kms_raw_decode(qk_bytes(data + 1, size - 1), &raw) != QK_OK) return 0;
    } else
        read_text(qk_bytes(data + 1, size - 1), &raw);
    if (kms_raw_check(&raw) != QK_OK) return 0;
    if (kms_sigv4_parse(&raw, 1440938160000, "us-east-1", "kms", &auth, &fault) == QK_OK &&
        kms_sigv4_verify(&raw, &auth, &signing_key, &fault) == QK_OK)
        abort(); /* nobody signs with this key */
    if (kms_operator_check(&raw, 1440938160000, cluster, refuse, NULL, &op, &fault) == QK_OK)
        abort();
    return 0;
}
