/* The combiner: two garblers agree what each output label means, E says which it has. */
#include "mac/task.h"

enum { BITS_MAX = 8 * MPC_MAC_DIGEST_MAX };

struct labels {
    mac_wire y[BITS_MAX];
    uint8_t bit[BITS_MAX];
    uint8_t digest[2][MAC_DIGEST * BITS_MAX]; /* of each label, as a 0 and as a 1 */
};

static void labels_wipe(struct labels *l)
{
    qk_wipe(l, sizeof *l);
}

static qk_err blame(struct mpc_mac_suspects *why, qk_err err, uint16_t a, uint16_t b)
{
    *why = (struct mpc_mac_suspects){.node = {a, b}, .n = b != 0 ? 2 : 1, .check = "M-7"};
    return err;
}

static qk_err check_lengths(unsigned bits, const struct mpc_mac_roles *roles, struct qk_bytes g1,
    struct qk_bytes g2, struct qk_bytes y, struct mpc_mac_suspects *why)
{
    if (g1.len != 48 + 2 * MAC_DIGEST * (size_t)bits)
        return blame(why, QK_E_MALFORMED, roles->g1, 0);
    if (g2.len != MPC_MAC_G2_LEN) return blame(why, QK_E_MALFORMED, roles->g2, 0);
    if (y.len != 16 * (size_t)bits) return blame(why, QK_E_MALFORMED, roles->e, 0);
    return QK_OK;
}

static qk_err hash_labels(struct labels *l, const uint8_t *kh, unsigned bits, struct qk_bytes y)
{
    MAC_PI(pi);
    QK_TRY(mac_pi_init(&pi, kh, MAC_ENGINE_BEST));
    memcpy(l->y, y.p, y.len);
    for (unsigned b = 0; b < 2; b++) {
        memset(l->bit, (int)b, bits);
        mac_active_digests(&pi, l->digest[b], MAC_KIND_Y, l->y, l->bit, bits);
    }
    return pi.err;
}

/* 1 iff label j hashes to the entry for b. */
static unsigned fits(const struct labels *l, const uint8_t *ot, unsigned j, unsigned b)
{
    mac_wire diff = mac_wire_load(l->digest[b] + MAC_DIGEST * (size_t)j) ^
                    mac_wire_load(ot + MAC_DIGEST * (2 * (size_t)j + b));
    uint64_t any = diff[0] | diff[1];
    return 1 ^ (unsigned)((any | -any) >> 63);
}

/* Every label must be exactly one of its two. */
static bool decode(
    uint8_t *tag, const struct labels *l, const uint8_t *ot, unsigned n, unsigned bits)
{
    static const unsigned none;
    unsigned bad = 0;
    memset(tag, 0, bits / 8);
    for (unsigned j = 0; j < bits; j++) {
        unsigned zero = fits(l, ot, j, 0), one = fits(l, ot, j, 1);
        bad |= 1 ^ zero ^ one;
        mac_bit_put(tag, n, j, one);
    }
    return CRYPTO_memcmp(&bad, &none, sizeof bad) == 0; /* that it failed is public, not where */
}

qk_err mpc_mac_combine(uint8_t *tag, unsigned alg, const struct mpc_mac_roles *roles,
    struct qk_bytes g1, struct qk_bytes g2, struct qk_bytes y, struct mpc_mac_suspects *why)
{
    __attribute__((cleanup(labels_wipe))) struct labels l;
    uint8_t digest[MPC_MAC_G2_LEN], out[MPC_MAC_DIGEST_MAX];
    unsigned bits = 8 * (unsigned)mpc_mac_digest_len(alg);
    *why = (struct mpc_mac_suspects){.n = 0};
    QK_ENSURE(bits != 0, QK_E_STATE);
    QK_TRY(check_lengths(bits, roles, g1, g2, y, why));
    QK_TRY(mac_out_digest(digest, g1));
    if (memcmp(digest, g2.p, sizeof digest) != 0)
        return blame(why, QK_E_PROOF, roles->g1, roles->g2);
    QK_TRY(hash_labels(&l, g1.p + 32, bits, y));
    if (!decode(out, &l, g1.p + 48, mac_word_bits(alg), bits)) {
        qk_wipe(out, sizeof out);
        return blame(why, QK_E_PROOF, roles->e, 0);
    }
    memcpy(tag, out, bits / 8);
    qk_wipe(out, sizeof out);
    return QK_OK;
}

bool mpc_mac_equal(unsigned alg, const uint8_t *tag, struct qk_bytes mac)
{
    size_t len = mpc_mac_digest_len(alg);
    return len != 0 && mac.len == len && CRYPTO_memcmp(tag, mac.p, len) == 0;
}
