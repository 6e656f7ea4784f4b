/* Imported key material (document 60 section 6): dealing parts, parts as bytes, is it the same? */
#include "mac/keystate.h"
#include "mac/pieces.h"
#include "mpc/group.h"
#include "mpc/mac_gen.h"

void mpc_mac_part_wipe(struct mpc_mac_part *part)
{
    qk_wipe(part, sizeof *part);
}

/* ---- the part as bytes ---- */

qk_err mpc_mac_part_encode(const struct mpc_mac_part *part, struct qk_buf *out)
{
    qk_buf_add(out, part->st, sizeof part->st);
    return mpc_mac_share_encode(&part->share, out);
}

qk_err mpc_mac_part_decode(struct qk_bytes in, struct mpc_mac_part *out)
{
    MPC_MAC_PART(part);
    QK_ENSURE(in.len > sizeof part.st, QK_E_MALFORMED);
    memcpy(part.st, in.p, sizeof part.st);
    struct qk_bytes rest = qk_bytes(in.p + sizeof part.st, in.len - sizeof part.st);
    qk_err err = mpc_mac_share_decode(rest, &part.share);
    QK_ENSURE(err != QK_E_CORRUPT, QK_E_MALFORMED);
    QK_TRY(err);
    *out = part;
    return QK_OK;
}

/* ---- dealing ---- */

struct dealt {
    uint8_t ist[MPC_MAC_STATE_MAX];
    uint8_t secret[MPC_MAC_SECRET_MAX]; /* ost, or ist || ost; then what is left for a piece */
    uint8_t piece[MPC_MAC_SECRET_MAX];
    uint8_t st[32];
};

static void dealt_wipe(struct dealt *d)
{
    qk_wipe(d, sizeof *d);
}

static qk_err states(struct dealt *d, const struct mpc_mac_spec *spec, struct qk_bytes key)
{
    size_t len = mpc_mac_state_len(spec->alg);
    bool strict = spec->profile == MPC_MAC_S;
    QK_TRY(mac_key_states(d->ist, d->secret + (strict ? len : 0), spec->alg, key));
    if (strict) memcpy(d->secret, d->ist, len);
    return mac_test_clear(
        d->st, spec->key_id, spec->alg, d->secret, mpc_mac_secret_len(spec->alg, spec->profile));
}

/* Piece j to everybody but node j. */
static void give(struct mpc_mac_part *parts, size_t n, size_t j, const uint8_t *piece, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (i != j) memcpy(parts[i].share.piece[j], piece, len);
}

/* All pieces but the last are random; the last is what they leave of the secret. */
static qk_err deal(struct mpc_mac_part *parts, const struct mpc_mac_spec *spec, size_t n,
    struct dealt *d, struct qk_rng *rng)
{
    size_t len = mpc_mac_secret_len(spec->alg, spec->profile);
    for (size_t j = 0; j + 1 < n; j++) {
        QK_TRY(qk_rng_fill(rng, d->piece, len));
        for (size_t i = 0; i < len; i++) d->secret[i] ^= d->piece[i];
        give(parts, n, j, d->piece, len);
    }
    give(parts, n, n - 1, d->secret, len);
    return QK_OK;
}

static void address(struct mpc_mac_part *part, const struct mpc_mac_spec *spec, const uint16_t *ids,
    size_t n, size_t i, const struct dealt *d)
{
    memset(part, 0, sizeof *part);
    part->share.self = ids[i];
    part->share.self_ix = (uint16_t)i;
    part->share.alg = spec->alg;
    part->share.profile = spec->profile;
    part->share.n = (uint16_t)n;
    memcpy(part->st, d->st, sizeof part->st);
    if (spec->profile == MPC_MAC_N) memcpy(part->share.ist, d->ist, mpc_mac_state_len(spec->alg));
}

qk_err mpc_mac_import_deal(struct mpc_mac_part *parts, const struct mpc_mac_spec *spec,
    const uint16_t *ids, size_t n, struct qk_bytes key, struct qk_rng *rng)
{
    __attribute__((cleanup(dealt_wipe))) struct dealt d = {.st = {0}};
    QK_ENSURE(mpc_mac_alg_known(spec->alg), QK_E_STATE);
    QK_ENSURE(mpc_mac_profile_known(spec->profile), QK_E_STATE);
    QK_ENSURE(n >= MPC_MAC_NODES_MIN && n <= MPC_NODES_MAX, QK_E_STATE);
    QK_ENSURE(mpc_ids_check(ids, n) == QK_OK, QK_E_STATE);
    QK_TRY(states(&d, spec, key));
    for (size_t i = 0; i < n; i++) address(&parts[i], spec, ids, n, i, &d);
    qk_err err = deal(parts, spec, n, &d, rng);
    for (size_t i = 0; i < n; i++)
        if (err != QK_OK) mpc_mac_part_wipe(&parts[i]);
    return err;
}

/* ---- re-import: is it the same key? ---- */

qk_err mpc_mac_import_matches(const struct mpc_mac_part *part, const struct mpc_mac_record *old)
{
    uint8_t hash[32];
    const struct mpc_mac_share *share = &part->share;
    int ix = mpc_mac_record_index(old, share->self);
    QK_ENSURE(ix >= 0 && (size_t)ix == share->self_ix && share->n == old->n, QK_E_MISMATCH);
    QK_ENSURE(share->alg == old->alg && share->profile == old->profile, QK_E_MISMATCH);
    QK_ENSURE(memcmp(part->st, old->st, sizeof part->st) == 0, QK_E_MISMATCH);
    if (old->profile != MPC_MAC_N) return QK_OK;
    QK_TRY(mac_ist_hash(hash, old, share->ist));
    return memcmp(hash, old->ist, sizeof hash) == 0 ? QK_OK : QK_E_MISMATCH;
}
