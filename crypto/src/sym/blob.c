/* The ciphertext blob, version 1 (document 50 section 7). All of it is public. */
#include "sym/version.h"

enum {
    AT_MODE = 1,
    AT_FLAGS = 2,
    AT_KEY_ID = 3,
    AT_VER = 19,
    AT_ALPHA = 23,
    AT_T = 55,
    AT_TAGS_LEN = 87,
    E_MIN = 33,
    E_MAX = 32 + MPC_SYM_PLAIN_MAX,
};

/* What must hold of any blob: mode, flags, version, lengths of tags and e. */
static bool sound(const struct mpc_sym_blob *b)
{
    bool f = b->mode == MPC_SYM_F;
    if (!f && b->mode != MPC_SYM_V) return false;
    if ((b->flags & ~MPC_SYM_FLAG_DELEGATE) != (f ? MPC_SYM_FLAG_TAGS : 0)) return false;
    if (b->ver == 0) return false;
    if (b->tags.len % MPC_SYM_TAG_LEN != 0) return false;
    if (b->tags.len > MPC_SYM_TAG_LEN * MPC_SYM_SETS_MAX || f == (b->tags.len == 0)) return false;
    return b->e.len >= E_MIN && b->e.len <= E_MAX;
}

qk_err mpc_sym_blob_parse(struct qk_bytes in, struct mpc_sym_blob *out)
{
    QK_ENSURE(in.len >= MPC_SYM_BLOB_MIN && in.len <= MPC_SYM_BLOB_MAX, QK_E_MALFORMED);
    QK_ENSURE(in.p[0] == 1, QK_E_MALFORMED);
    size_t tags = qk_get_u16(in.p + AT_TAGS_LEN);
    QK_ENSURE(in.len - MPC_SYM_BLOB_HEAD >= tags, QK_E_MALFORMED);
    struct mpc_sym_blob b = {.mode = in.p[AT_MODE],
        .flags = in.p[AT_FLAGS],
        .ver = qk_get_u32(in.p + AT_VER),
        .tags = qk_bytes(in.p + MPC_SYM_BLOB_HEAD, tags),
        .e = qk_bytes(in.p + MPC_SYM_BLOB_HEAD + tags, in.len - MPC_SYM_BLOB_HEAD - tags)};
    memcpy(b.key_id, in.p + AT_KEY_ID, sizeof b.key_id);
    memcpy(b.alpha, in.p + AT_ALPHA, sizeof b.alpha);
    memcpy(b.t, in.p + AT_T, sizeof b.t);
    QK_ENSURE(sound(&b), QK_E_MALFORMED);
    *out = b;
    return QK_OK;
}

qk_err mpc_sym_blob_build(const struct mpc_sym_blob *b, struct qk_buf *out)
{
    QK_ENSURE(sound(b), QK_E_STATE);
    qk_buf_add_u8(out, 1);
    qk_buf_add_u8(out, b->mode);
    qk_buf_add_u8(out, b->flags);
    qk_buf_add(out, b->key_id, sizeof b->key_id);
    qk_buf_add_u32(out, b->ver);
    qk_buf_add(out, b->alpha, sizeof b->alpha);
    qk_buf_add(out, b->t, sizeof b->t);
    qk_buf_add_u16(out, (uint16_t)b->tags.len);
    qk_buf_add(out, b->tags.p, b->tags.len);
    qk_buf_add(out, b->e.p, b->e.len);
    return out->err;
}

qk_err mpc_sym_blob_check(const struct mpc_sym_blob *b, const struct mpc_sym_version *version)
{
    const struct mpc_sym_terms *terms = &version->terms;
    QK_ENSURE(memcmp(b->key_id, terms->key_id, sizeof b->key_id) == 0, QK_E_MALFORMED);
    QK_ENSURE(b->ver == terms->ver, QK_E_MALFORMED);
    QK_ENSURE(sym_flags(version, b->mode) == b->flags, QK_E_MALFORMED);
    size_t d = b->mode == MPC_SYM_F ? version->sets.d : 0;
    QK_ENSURE(b->tags.len == d * MPC_SYM_TAG_LEN, QK_E_MALFORMED);
    return QK_OK;
}
