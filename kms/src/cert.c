#include "kms/cert.h"

#include <openssl/evp.h>
#include "digest.h"
#include "qk/pack.h"

/* T(label; f1..fm) of protocols/00 section 3: crypto/ has it too, but that is not ours to include.
 */
static void transcript_start(struct qk_buf *b, const char *label, uint32_t n_fields)
{
    kms_frame(b, qk_str("TKMS-v1"));
    kms_frame(b, qk_str(label));
    qk_buf_add_u32(b, n_fields);
}

qk_err kms_cert_message(const struct kms_record *r, uint8_t out[static KMS_CERT_MSG_LEN])
{
    QK_AUTO_BUF t = QK_BUF(512);
    uint8_t kind = (uint8_t)r->kind, version[8];
    qk_put_u64(version, r->version);
    transcript_start(&t, "cert", 5);
    kms_frame(&t, qk_bytes(&kind, 1));
    kms_frame(&t, qk_str(r->id));
    kms_frame(&t, QK_BYTES(version));
    kms_frame(&t, QK_BYTES(r->hash));
    kms_frame(&t, QK_BYTES(r->prev));
    QK_TRY(t.err);
    return kms_digest(EVP_sha512(), qk_buf_view(&t), out);
}

static bool sig_ok(uint16_t node, struct qk_bytes signature)
{
    return node >= 1 && node <= 255 && signature.len >= 1 && signature.len <= KMS_CERT_SIG_MAX;
}

qk_err kms_cert_add(struct kms_cert *cert, uint16_t node, struct qk_bytes signature)
{
    size_t at = 0;
    QK_ENSURE(sig_ok(node, signature), QK_E_STATE);
    while (at < cert->n && cert->sigs[at].node < node) at++;
    QK_ENSURE(at == cert->n || cert->sigs[at].node != node, QK_E_CONFLICT);
    QK_ENSURE(cert->n < KMS_CERT_SIGS_MAX, QK_E_TOO_LARGE);
    memmove(&cert->sigs[at + 1], &cert->sigs[at], (cert->n - at) * sizeof *cert->sigs);
    cert->sigs[at] = (struct kms_cert_sig){node, signature};
    cert->n++;
    return QK_OK;
}

/* Bounds, and ascending, hence distinct, signers. */
static qk_err check_shape(const struct kms_cert *cert)
{
    QK_ENSURE(cert->n <= KMS_CERT_SIGS_MAX, QK_E_MALFORMED);
    for (size_t i = 0; i < cert->n; i++) {
        QK_ENSURE(sig_ok(cert->sigs[i].node, cert->sigs[i].signature), QK_E_MALFORMED);
        QK_ENSURE(i == 0 || cert->sigs[i - 1].node < cert->sigs[i].node, QK_E_MALFORMED);
    }
    return QK_OK;
}

qk_err kms_cert_verify(const struct kms_record *r, const struct kms_cert *cert,
    kms_cert_verify_fn verify, void *arg, size_t q)
{
    uint8_t msg[KMS_CERT_MSG_LEN];
    QK_ENSURE(q >= 1, QK_E_STATE);
    QK_TRY(check_shape(cert));
    QK_ENSURE(cert->n >= q, QK_E_MISMATCH);
    QK_TRY(kms_cert_message(r, msg));
    for (size_t i = 0; i < cert->n; i++) {
        qk_err err = verify(arg, cert->sigs[i].node, msg, cert->sigs[i].signature);
        if (err >= 500) return err;
        QK_ENSURE(err == QK_OK, QK_E_PROOF);
    }
    return QK_OK;
}

qk_err kms_certified_encode(struct qk_bytes record, const struct kms_cert *cert, struct qk_buf *out)
{
    QK_ENSURE(record.len >= 1 && record.len <= KMS_RECORD_ENCODED_MAX, QK_E_STATE);
    QK_ENSURE(check_shape(cert) == QK_OK, QK_E_STATE);
    qk_pack_map(out, 2);
    qk_pack_key_bin(out, "record", record);
    qk_pack_key(out, "cert");
    qk_pack_array(out, (uint32_t)cert->n);
    for (size_t i = 0; i < cert->n; i++) {
        qk_pack_array(out, 2);
        qk_pack_uint(out, cert->sigs[i].node);
        qk_pack_bin(out, cert->sigs[i].signature);
    }
    return out->err;
}

qk_err kms_certified_decode(struct qk_bytes in, struct qk_bytes *record, struct kms_cert *cert)
{
    struct qk_unpack u = qk_unpack(in);
    struct kms_cert got = {.n = 0};
    struct qk_bytes bytes;
    uint32_t n, two;
    QK_TRY(qk_unpack_map(&u, 2));
    QK_TRY(qk_unpack_key_bin(&u, "record", 1, KMS_RECORD_ENCODED_MAX, &bytes));
    QK_TRY(qk_unpack_key(&u, "cert"));
    QK_TRY(qk_unpack_array(&u, 0, KMS_CERT_SIGS_MAX, &n));
    for (got.n = 0; got.n < n; got.n++) {
        uint64_t node;
        QK_TRY(qk_unpack_array(&u, 2, 2, &two));
        QK_TRY(qk_unpack_uint(&u, 255, &node));
        got.sigs[got.n].node = (uint16_t)node;
        QK_TRY(qk_unpack_bin(&u, 1, KMS_CERT_SIG_MAX, &got.sigs[got.n].signature));
    }
    QK_TRY(qk_unpack_end(&u));
    QK_TRY(check_shape(&got));
    *record = bytes;
    *cert = got;
    return QK_OK;
}
