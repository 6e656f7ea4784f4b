/* Presignatures: used once, in memory only, bound to what they were made for.
 * Source: protocols/20-ecdsa.md section 6. */
#include "ecdsa/presig.h"

#include "ecdsa/part.h"

struct presig_secret {
    struct mpc_scalar phi, u, v;
};
_Static_assert(sizeof(struct presig_secret) <= QK_LOCKED_SMALL_MAX, "a slot");

enum { PRESIG_FREE, PRESIG_USED };

struct mpc_presig {
    atomic_int state;
    struct presig_secret *secret; /* locked memory; zeros once used */
    uint8_t curve;
    uint8_t sid[32];
    uint8_t rec_hash[32]; /* the record holds key_id, epochs, t and pk */
    uint16_t signers[MPC_PARTIES_MAX];
    size_t n_signers;
    uint8_t setup_ids[MPC_PARTIES_MAX][32];
    size_t n_setup_ids;
    uint8_t big_r[MPC_POINT_MAX];
};

qk_err presig_new(struct mpc_presig **out, const struct mpc_party *party, const struct sign *s)
{
    struct mpc_presig *p = OPENSSL_zalloc(sizeof *p);
    QK_ENSURE(p, QK_E_NOMEM);
    p->secret = qk_locked_small_alloc(sizeof *p->secret);
    if (!p->secret) {
        OPENSSL_free(p);
        return QK_E_NOMEM;
    }
    atomic_init(&p->state, PRESIG_FREE);
    *p->secret = (struct presig_secret){s->phi, s->u, s->v};
    p->curve = party->s.curve;
    memcpy(p->sid, party->sid, 32);
    memcpy(p->rec_hash, s->rec_hash, 32);
    p->n_signers = party->s.n_peers;
    for (size_t i = 0; i < p->n_signers; i++) p->signers[i] = party->s.peers[i].id;
    p->n_setup_ids = s->n_setup_ids;
    memcpy(p->setup_ids, s->setup_ids, sizeof p->setup_ids);
    memcpy(p->big_r, s->out_r, sizeof p->big_r);
    *out = p;
    return QK_OK;
}

const uint8_t *mpc_presig_sid(const struct mpc_presig *presig)
{
    return presig->sid;
}

bool mpc_presig_uses_setup(const struct mpc_presig *presig, const uint8_t setup_id[static 32])
{
    for (size_t i = 0; i < presig->n_setup_ids; i++)
        if (memcmp(presig->setup_ids[i], setup_id, 32) == 0) return true;
    return false;
}

/* FREE to USED, for one caller only; the entry is empty afterwards. */
static bool take(struct mpc_presig *p, struct presig_secret *out)
{
    int expected = PRESIG_FREE;
    if (!atomic_compare_exchange_strong(&p->state, &expected, PRESIG_USED)) return false;
    *out = *p->secret;
    qk_wipe(p->secret, sizeof *p->secret);
    return true;
}

/* E-18 */
static qk_err check_binding(const struct mpc_presig *p, const struct mpc_key_record *rec,
    const uint16_t *signers, size_t n_signers)
{
    uint8_t hash[32];
    QK_TRY(mpc_record_hash(rec, hash));
    QK_ENSURE(memcmp(hash, p->rec_hash, 32) == 0, QK_E_STATE);
    QK_ENSURE(n_signers == p->n_signers, QK_E_STATE);
    for (size_t i = 0; i < n_signers; i++) QK_ENSURE(signers[i] == p->signers[i], QK_E_STATE);
    return QK_OK;
}

/* u' = u + delta*phi;  w' = h*phi + r'*v */
static qk_err use(const struct mpc_presig *p, const struct presig_secret *secret,
    const struct mpc_key_record *rec, struct qk_bytes digest, const uint8_t *req,
    struct mpc_ecdsa_part *out)
{
    const struct mpc_curve *c = mpc_curve_get(p->curve);
    struct mpc_ecdsa_offset offset = {p->sid, req};
    struct mpc_scalar delta, r, h;
    MPC_SCALAR(u);
    QK_TRY(ecdsa_hash_scalar(c, digest, &h));
    QK_TRY(ecdsa_offset_var(c, &offset, rec->pk, p->big_r, digest, &delta, &r));
    mpc_scalar_mul(c, &u, &delta, &secret->phi);
    mpc_scalar_add(c, &u, &u, &secret->u);
    return ecdsa_make_part(c, p->big_r, digest, &r, &secret->phi, &u, &secret->v, out);
}

qk_err mpc_presig_use(struct mpc_presig *presig, const struct mpc_key_record *rec,
    const uint16_t *signers, size_t n_signers, struct qk_bytes digest, const uint8_t req[static 32],
    struct mpc_ecdsa_part *out)
{
    struct presig_secret secret;
    QK_ENSURE(take(presig, &secret), QK_E_STATE); /* E-17: burn first */
    qk_err err = check_binding(presig, rec, signers, n_signers);
    if (err == QK_OK) err = use(presig, &secret, rec, digest, req, out);
    qk_wipe(&secret, sizeof secret);
    return err;
}

void mpc_presig_burn(struct mpc_presig *presig)
{
    struct presig_secret secret;
    if (take(presig, &secret)) qk_wipe(&secret, sizeof secret);
}

void mpc_presig_free(struct mpc_presig *presig)
{
    if (!presig) return;
    mpc_presig_burn(presig);
    qk_locked_small_free(presig->secret);
    OPENSSL_clear_free(presig, sizeof *presig);
}
