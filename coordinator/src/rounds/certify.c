#include "rounds/certify.h"

qk_err coord_expected_of(struct kms_change *change, struct coord_expected *out)
{
    for (size_t i = 0; i < change->n; i++) {
        out->bytes[i] = (struct qk_buf)QK_BUF(KMS_RECORD_ENCODED_MAX);
        out->n = i + 1;
        QK_TRY(kms_record_encode(&change->records[i], &out->bytes[i]));
        QK_TRY(out->bytes[i].err);
        out->views[i] = qk_buf_view(&out->bytes[i]);
    }
    return QK_OK;
}

void coord_expected_free(struct coord_expected *e)
{
    for (size_t i = 0; i < e->n; i++) qk_buf_free(&e->bytes[i]);
    e->n = 0;
}

void coord_certified_free(struct coord_certified *c)
{
    for (size_t i = 0; i < c->n; i++) qk_buf_free(&c->bytes[i]);
    c->n = 0;
}

/* Add the signature of one answer on record i. */
static qk_err add_signature(const struct wire_cluster *cluster, const struct coord_reply *reply,
    size_t i, struct qk_bytes record, const uint8_t msg[static KMS_CERT_MSG_LEN],
    struct kms_cert *cert)
{
    const struct wire_signed *s = &reply->answer.signed_records[i];
    QK_ENSURE(qk_bytes_eq(s->record, record), QK_E_MISMATCH);
    QK_TRY(
        wire_cluster_verify(cluster, reply->node, qk_bytes(msg, KMS_CERT_MSG_LEN), s->signature));
    return kms_cert_add(cert, reply->node, s->signature);
}

static qk_err certify_one(const struct wire_cluster *cluster, const struct coord_attempt *a,
    size_t i, struct qk_bytes record, struct qk_buf *out, uint16_t *liar)
{
    struct kms_record r;
    uint8_t msg[KMS_CERT_MSG_LEN];
    struct kms_cert cert = {.n = 0};
    QK_TRY(kms_record_decode(record, &r));
    QK_TRY(kms_cert_message(&r, msg));
    for (size_t k = 0; k < a->n; k++) {
        qk_err err = add_signature(cluster, &a->replies[k], i, record, msg, &cert);
        if (err != QK_OK) *liar = a->replies[k].node;
        QK_TRY(err);
    }
    *out = (struct qk_buf)QK_BUF(KMS_CERTIFIED_MAX);
    qk_err err = kms_certified_encode(record, &cert, out);
    return err != QK_OK ? err : out->err;
}

qk_err coord_certify(const struct wire_cluster *cluster, const struct coord_attempt *attempt,
    const struct qk_bytes *expected, size_t n, struct coord_certified *out, uint16_t *liar)
{
    *liar = 0;
    *out = (struct coord_certified){.n = 0};
    QK_ENSURE(attempt->all_ok && attempt->n >= 1 && n <= WIRE_CALL_RECORDS_MAX, QK_E_STATE);
    for (size_t k = 0; k < attempt->n; k++) {
        if (attempt->replies[k].answer.n_signed == n) continue;
        *liar = attempt->replies[k].node;
        return QK_E_MISMATCH;
    }
    for (size_t i = 0; i < n; i++) {
        struct qk_bytes record =
            expected != NULL ? expected[i] : attempt->replies[0].answer.signed_records[i].record;
        qk_err err = certify_one(cluster, attempt, i, record, &out->bytes[i], liar);
        out->n = i + 1;
        if (err == QK_OK) continue;
        coord_certified_free(out);
        /* Without a record of our own, the first answer may be the odd one out. */
        if (expected == NULL && err == QK_E_MISMATCH) *liar = 0;
        return err;
    }
    return QK_OK;
}
