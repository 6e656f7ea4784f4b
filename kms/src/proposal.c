#include "kms/decide.h"
#include "qk/pack.h"

static const uint8_t no_key[16];

/* Which names an operation takes from the coordinator. */
static bool takes_key(enum kms_op op)
{
    return op == KMS_OP_CREATE_KEY;
}

static bool takes_user(enum kms_op op)
{
    return op == KMS_OP_CREATE_USER || op == KMS_OP_INITIALIZE;
}

static bool takes_credential(enum kms_op op)
{
    return op == KMS_OP_CREATE_ACCESS_KEY || op == KMS_OP_INITIALIZE;
}

void kms_proposal_encode(const struct kms_proposal *p, struct qk_buf *out)
{
    qk_pack_map(out, 4);
    qk_pack_key_uint(out, "now", p->now_ms);
    qk_pack_key_bin(out, "key_id", QK_BYTES(p->key_id));
    qk_pack_key_str(out, "user_id", qk_str(p->user_id));
    qk_pack_key_str(out, "access_key_id", qk_str(p->access_key_id));
}

qk_err kms_proposal_decode(struct qk_bytes in, struct kms_proposal *p)
{
    struct qk_unpack u = qk_unpack(in);
    struct kms_proposal got = {0};
    struct qk_bytes user, akid;
    QK_TRY(qk_unpack_map(&u, 4));
    QK_TRY(qk_unpack_key_uint(&u, "now", INT64_MAX, &got.now_ms));
    QK_TRY(qk_unpack_key_fixed(&u, "key_id", got.key_id, sizeof got.key_id));
    QK_TRY(qk_unpack_key_str(&u, "user_id", 0, KMS_USER_ID_LEN, &user));
    QK_TRY(qk_unpack_key_str(&u, "access_key_id", 0, KMS_AKID_LEN, &akid));
    QK_TRY(qk_unpack_end(&u));
    QK_ENSURE(user.len == 0 || kms_user_id_valid(user), QK_E_MALFORMED);
    QK_ENSURE(akid.len == 0 || kms_akid_valid(akid), QK_E_MALFORMED);
    if (user.len) memcpy(got.user_id, user.p, user.len);
    if (akid.len) memcpy(got.access_key_id, akid.p, akid.len);
    *p = got;
    return QK_OK;
}

qk_err kms_proposal_new(enum kms_op op, uint64_t now_ms, struct qk_rng *rng, struct kms_proposal *p)
{
    struct kms_proposal made = {.now_ms = now_ms};
    if (takes_key(op)) {
        QK_TRY(qk_rng_fill(rng, made.key_id, sizeof made.key_id));
        kms_uuid_make_v4(made.key_id);
    }
    if (takes_user(op)) QK_TRY(kms_user_id_new(rng, made.user_id));
    if (takes_credential(op)) QK_TRY(kms_akid_new(rng, made.access_key_id));
    *p = made;
    return QK_OK;
}

qk_err kms_proposal_check(
    const struct kms_context *ctx, enum kms_op op, const struct kms_proposal *p)
{
    uint64_t apart = p->now_ms > ctx->now_ms ? p->now_ms - ctx->now_ms : ctx->now_ms - p->now_ms;
    QK_ENSURE(apart <= KMS_SKEW_MS, QK_E_DENIED);

    bool no_id = memcmp(p->key_id, no_key, sizeof no_key) == 0;
    QK_ENSURE(takes_key(op) ? kms_uuid_is_v4(p->key_id) : no_id, QK_E_DENIED);
    struct qk_bytes user = qk_bytes(p->user_id, strnlen(p->user_id, sizeof p->user_id));
    QK_ENSURE(takes_user(op) ? kms_user_id_valid(user) : user.len == 0, QK_E_DENIED);
    struct qk_bytes akid =
        qk_bytes(p->access_key_id, strnlen(p->access_key_id, sizeof p->access_key_id));
    QK_ENSURE(takes_credential(op) ? kms_akid_valid(akid) : akid.len == 0, QK_E_DENIED);
    return QK_OK;
}
