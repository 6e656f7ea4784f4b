/* M-29: making HMAC keys with everything secret undefined: an importer's key, pieces, ist, labels
 * of a derivation's outputs, and what they say.
 *
 * Public: st and pk_j (in the record), the digests of labels (sent). */
#include "ctime.h"

#include <string.h>
#include "mac/gen.h"
#include "mac/keystate.h"
#include "mpc/mac_gen.h"

/* Whether two secrets were equal is public where the code asks: a failed check ends the run. */
static void states_and_test(unsigned alg, size_t len)
{
    uint8_t key[MPC_MAC_BLOCK_MAX], ist[MPC_MAC_STATE_MAX], ost[MPC_MAC_STATE_MAX], st[32];
    static const uint8_t key_id[16] = {1};
    ct_secret_random(key, sizeof key);
    CT_OK(mac_key_states(ist, ost, alg, qk_bytes(key, len)));
    CT_OK(mac_test_clear(st, key_id, alg, ost, mpc_mac_state_len(alg)));
}

static void deal(unsigned alg, unsigned profile)
{
    static const uint16_t ids[] = {1, 2, 3, 4};
    struct mpc_mac_spec spec = {.ver = 1, .alg = (uint8_t)alg, .profile = (uint8_t)profile};
    struct mpc_mac_part parts[4];
    uint8_t key[32], hash[32];
    struct mpc_mac_record rec = {.alg = (uint8_t)alg, .profile = (uint8_t)profile, .e_net = 1};
    ct_secret_random(key, sizeof key);
    CT_OK(mpc_mac_import_deal(parts, &spec, ids, 4, QK_BYTES(key), qk_rng_system()));
    CT_OK(mac_piece_hash(hash, &rec, 2, parts[0].share.piece[3]));
    QK_AUTO_BUF buf = QK_BUF_SECRET(MPC_MAC_PART_MAX);
    CT_OK(mpc_mac_part_encode(&parts[2], &buf));
    ct_public(buf.p + 32, 8); /* head of the share: who and what, no secret */
    CT_OK(mpc_mac_part_decode(qk_buf_view(&buf), &parts[1]));
}

static void inputs(unsigned profile)
{
    struct mpc_mac_share share = {
        .self = 2, .alg = MPC_MAC_512, .profile = (uint8_t)profile, .n = 4, .self_ix = 1};
    struct mpc_mac_record rec = {.alg = MPC_MAC_512, .profile = (uint8_t)profile, .n = 4};
    struct mpc_mac_inputs in;
    for (uint16_t i = 0; i < 4; i++) rec.nodes[i].id = (uint16_t)(i + 1);
    ct_secret_random(share.piece, sizeof share.piece);
    const uint16_t abc[] = {1, 2, 4};
    for (unsigned k = 0; k < 6; k++) {
        struct mpc_mac_roles roles = mpc_mac_roles_permute(abc, k);
        CT_OK(mpc_mac_inputs_of(&in, &rec, &share, &roles));
    }
}

static void digests(void)
{
    static struct mac_outputs o;
    uint8_t bits[MPC_MAC_SECRET_MAX], digest[32];
    ct_secret_random(&o, sizeof o);
    ct_public(o.run, sizeof o.run);
    ct_secret_random(bits, sizeof bits);
    CT_OK(mac_outputs_digest(digest, &o, 0, bits, 32, 0, 256));
    CT_OK(mac_outputs_digest(digest, &o, 1, bits, 64, 512, 512));
}

CT_MAIN
{
    for (unsigned alg = MPC_MAC_224; alg <= MPC_MAC_512; alg++) {
        states_and_test(alg, 1);
        states_and_test(alg, MPC_MAC_BLOCK_MAX);
        deal(alg, MPC_MAC_N);
        deal(alg, MPC_MAC_S);
    }
    inputs(MPC_MAC_N);
    inputs(MPC_MAC_S);
    digests();
}
