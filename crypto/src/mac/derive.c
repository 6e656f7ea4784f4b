/* The garbled derivation (document 60 section 6): K -> ist, ost under masks, K known to nobody. */
#include "mac/flow.h"

#include "mpc/sym_gen.h"
#include "mpc/transcript.h"

/* ---- set keys and pieces ---- */

/* The set that only node number j is not in. */
static size_t set_without(const struct mpc_sym_sets *sets, size_t j)
{
    size_t a = 0;
    while (a < sets->d && (sets->members[a] >> j & 1)) a++;
    return a;
}

/* Where set a stands among the sets of node number ix. */
static size_t own_place(const struct mpc_sym_sets *sets, size_t ix, size_t a)
{
    size_t at = 0;
    for (size_t b = 0; b < a; b++) at += sets->members[b] >> ix & 1;
    return at;
}

struct pieces {
    uint8_t k[MPC_NODES_MAX][MPC_MAC_DIGEST_MAX];
};

static void pieces_wipe(struct pieces *p)
{
    qk_wipe(p, sizeof *p);
}

/* Piece j of K and of the masks, for every j but this node. */
static qk_err expand_sets(
    struct mpc_mac_gen *gen, struct pieces *out, const struct mpc_sym_share *keys)
{
    struct mpc_sym_sets sets;
    struct mpc_mac_share *share = &gen->made.share;
    size_t k_len = mpc_mac_digest_len(gen->spec.alg);
    size_t s_len = mpc_mac_secret_len(gen->spec.alg, gen->spec.profile);
    QK_TRY(mpc_sym_sets_make(&sets, share->n, 2));
    for (size_t j = 0; j < share->n; j++) {
        if (j == share->self_ix) continue;
        const uint8_t *key = keys->k[own_place(&sets, share->self_ix, set_without(&sets, j))];
        QK_TRY(mpc_expand(out->k[j], k_len, MPC_L_MAC_KEY, MPC_FIELDS({key, 32})));
        QK_TRY(mpc_expand(share->piece[j], s_len, MPC_L_MAC_PIECE, MPC_FIELDS({key, 32})));
    }
    return QK_OK;
}

/* ---- the run ---- */

static size_t index_of(const struct mpc_mac_gen *gen, uint16_t id)
{
    return (size_t)mpc_mac_record_index(&gen->made.record, id);
}

/* An algorithm is another circuit: two of them must never share a seed, so it is in the hash. */
static qk_err statement(uint8_t out[static 32], const struct mpc_mac_gen *gen)
{
    const struct mpc_mac_roles *r = &gen->roles;
    return mpc_h32(out, MPC_L_MACGEN,
        MPC_FIELDS(QK_BYTES(gen->sid), MPC_U8(gen->spec.alg), MPC_U8(gen->spec.profile),
            MPC_U16(r->g1), MPC_U16(r->g2), MPC_U16(r->e)));
}

static void mix(uint8_t *sum, const uint8_t *piece, size_t len)
{
    for (size_t i = 0; i < len; i++) sum[i] ^= piece[i];
}

/* K and the mask side by side. What this node does not know is zeros in its pieces, and what it
 * knows of c alone (E: the pieces of nodes outside) is no use to it and goes nowhere. */
static void fill_inputs(struct mac_run *run, const struct mpc_mac_gen *gen, const struct pieces *p)
{
    const struct mpc_mac_share *share = &gen->made.share;
    size_t k_len = mpc_mac_digest_len(gen->spec.alg);
    size_t s_len = mpc_mac_secret_len(gen->spec.alg, gen->spec.profile);
    size_t g1 = index_of(gen, gen->roles.g1), g2 = index_of(gen, gen->roles.g2);
    mix(run->a, p->k[g2], k_len);
    mix(run->a + k_len, share->piece[g2], s_len);
    mix(run->b, p->k[g1], k_len);
    if (share->self == gen->roles.e) return;
    for (size_t j = 0; j < share->n; j++) {
        if (j == g1 || j == g2) continue;
        mix(run->c, p->k[j], k_len);
        mix(run->c + k_len, share->piece[j], s_len);
    }
}

static qk_err make_run(struct mpc_mac_gen *gen, const struct pieces *p)
{
    struct mac_job job = {
        .fn = MAC_DERIVE, .alg = gen->spec.alg, .masked = gen->spec.profile == MPC_MAC_S ? 2 : 1};
    gen->run = OPENSSL_zalloc(sizeof *gen->run);
    QK_ENSURE(gen->run != NULL, QK_E_NOMEM);
    QK_TRY(mac_layout_of(&gen->run->layout, &job, true));
    gen->run->roles = gen->roles;
    memcpy(gen->run->run, gen->outputs->run, 32);
    fill_inputs(gen->run, gen, p);
    /* y takes its place. G1 never has it, and the others got it from nowhere yet. */
    qk_wipe(gen->made.share.piece[index_of(gen, gen->roles.g1)], MPC_MAC_SECRET_MAX);
    return QK_OK;
}

static qk_err derive(struct mpc_mac_gen *gen, const struct mpc_sym_share *keys)
{
    __attribute__((cleanup(pieces_wipe))) struct pieces p = {{{0}}};
    uint16_t abc[3];
    for (size_t i = 0; i < 3; i++) abc[i] = gen->made.record.nodes[i].id;
    gen->roles = mpc_mac_roles_permute(abc, gen->sid[0]);
    gen->made.roles = gen->roles;
    gen->outputs = OPENSSL_zalloc(sizeof *gen->outputs);
    QK_ENSURE(gen->outputs != NULL, QK_E_NOMEM);
    QK_TRY(statement(gen->outputs->run, gen));
    QK_TRY(expand_sets(gen, &p, keys));
    return make_run(gen, &p);
}

qk_err mac_derive_prepare(struct mpc_mac_gen *gen)
{
    MPC_SYM_SHARE(keys);
    struct mpc_sym_record rec;
    QK_TRY(mpc_cnfgen_take(gen->party, NULL, &keys, &rec));
    memcpy(gen->sid, rec.sid, 32);
    return derive(gen, &keys);
}

qk_err mac_derive_end(struct mpc_mac_gen *gen)
{
    struct mac_outputs *o = gen->outputs;
    if (gen->g1 != NULL) QK_TRY(mac_g1_outputs(gen->g1, o->label, &o->delta));
    if (gen->g2 != NULL) QK_TRY(mac_g2_outputs(gen->g2, o->label, &o->delta));
    if (gen->e != NULL) QK_TRY(mac_e_outputs(gen->e, o->label, o->value));
    OPENSSL_clear_free(gen->run, sizeof *gen->run);
    gen->run = NULL;
    return QK_OK;
}
