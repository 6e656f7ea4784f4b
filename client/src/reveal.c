#include "reveal.h"

#include "kms/cert.h"
#include "mpc/dprf.h"

#include <sodium.h>
#include <stdio.h>

enum { PARTS_MAX = WIRE_NODES_MAX, SEALED_LEN = MPC_DPRF_PARTIAL_LEN + crypto_box_SEALBYTES };

void qkms_response_key_wipe(struct qkms_response_key *key)
{
    qk_wipe(key, sizeof *key);
}

qk_err qkms_response_key_new(struct qkms_response_key *out)
{
    QK_TRY(qk_rng_fill(qk_rng_system(), out->sk.b, sizeof out->sk.b));
    QK_ENSURE(crypto_scalarmult_base(out->pk, out->sk.b) == 0, QK_E_CRYPTO);
    return QK_OK;
}

json_t *qkms_response_key_json(const struct qkms_response_key *key)
{
    QK_AUTO_BUF text = QK_BUF(64);
    qk_base64_add(&text, QK_BYTES(key->pk));
    const char *c = qk_buf_cstr(&text);
    return c != NULL ? json_string(c) : NULL;
}

static qk_err complain(qk_err err, const char *text, char *why, size_t why_len)
{
    (void)snprintf(why, why_len, "%s", text);
    return err;
}

static qk_err get_base64(const json_t *object, const char *name, struct qk_buf *out)
{
    const char *text = json_string_value(json_object_get(object, name));
    QK_ENSURE(text != NULL, QK_E_MALFORMED);
    return qk_unbase64(qk_str(text), out);
}

/* The signer's key comes from cluster.conf, which the owner already trusts. */
static qk_err verify_node(
    void *arg, uint16_t node, const uint8_t msg[static KMS_CERT_MSG_LEN], struct qk_bytes signature)
{
    const struct wire_node *known = wire_cluster_node(arg, node);
    QK_ENSURE(known != NULL, QK_E_NOT_FOUND);
    return wire_key_verify(known->key, qk_bytes(msg, KMS_CERT_MSG_LEN), signature);
}

static qk_err check_system(struct qk_bytes certified, const struct wire_cluster *cluster,
    struct mpc_key_record *out, char *why, size_t why_len)
{
    struct qk_bytes bytes;
    struct kms_cert cert;
    struct kms_record record;
    qk_err err = kms_certified_decode(certified, &bytes, &cert);
    if (err == QK_OK) err = kms_record_decode(bytes, &record);
    if (err == QK_OK && record.kind != KMS_KIND_SYSTEM) err = QK_E_MALFORMED;
    if (err != QK_OK)
        return complain(QK_E_CORRUPT, "the answer's system record does not decode", why, why_len);
    /* verify_node only reads the cluster */
    err = kms_cert_verify(&record, &cert, verify_node, (void *)(uintptr_t)(const void *)cluster,
        wire_cluster_quorum(cluster));
    if (err != QK_OK)
        return complain(QK_E_PROOF,
            "the system record does not carry the signatures of enough nodes of cluster.conf: "
            "whoever answered is not this cluster",
            why, why_len);
    err = mpc_record_decode(record.system.pkrec, out);
    if (err == QK_OK && out->t != cluster->t) err = QK_E_MISMATCH;
    if (err != QK_OK)
        return complain(
            QK_E_CORRUPT, "the system key's public record does not decode", why, why_len);
    return QK_OK;
}

static qk_err system_of(const json_t *answer, const struct wire_cluster *cluster,
    struct mpc_key_record *out, char *why, size_t why_len)
{
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    if (get_base64(answer, "SystemKey", &certified) != QK_OK)
        return complain(QK_E_MALFORMED, "the answer carries no system record", why, why_len);
    return check_system(qk_buf_view(&certified), cluster, out, why, why_len);
}

static qk_err access_key_of(const json_t *answer, struct qkms_revealed *out)
{
    const json_t *key = json_object_get(answer, "AccessKey");
    const char *id = json_string_value(json_object_get(key, "AccessKeyId"));
    const json_t *serial = json_object_get(key, "Serial");
    QK_ENSURE(id != NULL && kms_akid_valid(qk_str(id)), QK_E_MALFORMED);
    memcpy(out->access_key_id, id, KMS_AKID_LEN);
    out->access_key_id[KMS_AKID_LEN] = 0;
    json_int_t value = serial == NULL ? 1 : json_integer_value(serial);
    QK_ENSURE(value >= 1 && value <= UINT32_MAX, QK_E_MALFORMED);
    out->serial = (uint32_t)value;
    return QK_OK;
}

struct opened {
    uint8_t bytes[PARTS_MAX][MPC_DPRF_PARTIAL_LEN];
    struct mpc_dprf_part parts[PARTS_MAX];
    size_t n;
};

static void opened_wipe(struct opened *o)
{
    qk_wipe(o, sizeof *o);
}

static bool heard(const struct opened *o, uint16_t node)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->parts[i].id == node) return true;
    return false;
}

/* A box that does not open is kept as an empty part, so that combining blames its node. */
static qk_err open_one(const json_t *item, const struct qkms_response_key *key, struct opened *o)
{
    json_int_t node = json_integer_value(json_object_get(item, "Node"));
    QK_AUTO_BUF sealed = QK_BUF(SEALED_LEN);
    QK_ENSURE(node >= 1 && node <= 255 && !heard(o, (uint16_t)node), QK_E_MALFORMED);
    qk_err err = get_base64(item, "Value", &sealed);
    QK_ENSURE(err == QK_OK || err == QK_E_TOO_LARGE, err);
    uint8_t *to = o->bytes[o->n];
    bool good = sealed.len == SEALED_LEN &&
                crypto_box_seal_open(to, sealed.p, sealed.len, key->pk, key->sk.b) == 0;
    o->parts[o->n++] = (struct mpc_dprf_part){
        .id = (uint16_t)node, .partial = qk_bytes(to, good ? MPC_DPRF_PARTIAL_LEN : 0)};
    return QK_OK;
}

static qk_err open_all(const json_t *answer, const struct qkms_response_key *key, struct opened *o)
{
    const json_t *list = json_object_get(answer, "Sealed");
    QK_ENSURE(json_is_array(list), QK_E_MALFORMED);
    QK_ENSURE(json_array_size(list) >= 1 && json_array_size(list) <= PARTS_MAX, QK_E_MALFORMED);
    for (size_t i = 0; i < json_array_size(list); i++)
        QK_TRY(open_one(json_array_get(list, i), key, o));
    return QK_OK;
}

static qk_err combine(const struct mpc_key_record *system, struct qkms_revealed *revealed,
    struct opened *o, struct kms_secret_text *secret)
{
    uint8_t x[32], serial[4];
    QK_SEC32(value);
    qk_put_u32(serial, revealed->serial);
    struct mpc_dprf_request input = {.purpose = qk_str(KMS_CREDENTIAL_PURPOSE),
        .fields = {qk_str(revealed->access_key_id), QK_BYTES(serial)},
        .n_fields = 2};
    QK_TRY(mpc_dprf_input(x, &input));
    QK_TRY(mpc_dprf_combine(system, x, o->parts, o->n, &value));
    for (size_t i = 0; i < o->n; i++)
        if (o->parts[i].verdict != QK_OK) revealed->bad_node = o->parts[i].id;
    kms_secret_from_prf(&value, secret);
    return QK_OK;
}

qk_err qkms_reveal(const json_t *answer, const struct wire_cluster *cluster,
    const struct qkms_response_key *key, struct kms_secret_text *secret,
    struct qkms_revealed *revealed, char *why, size_t why_len)
{
    struct mpc_key_record system;
    struct qkms_revealed found = {.serial = 0};
    __attribute__((cleanup(opened_wipe))) struct opened opened = {.n = 0};
    if (access_key_of(answer, &found) != QK_OK)
        return complain(QK_E_MALFORMED, "the answer names no access key", why, why_len);
    QK_TRY(system_of(answer, cluster, &system, why, why_len));
    if (open_all(answer, key, &opened) != QK_OK)
        return complain(QK_E_MALFORMED, "the answer's sealed parts are malformed", why, why_len);
    qk_err err = combine(&system, &found, &opened, secret);
    if (err != QK_OK)
        return complain(err,
            err == QK_E_PROOF ? "too few of the nodes' partial values are genuine"
                              : "the secret could not be put together",
            why, why_len);
    *revealed = found;
    return QK_OK;
}
