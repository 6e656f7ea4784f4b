/** Honest runs of the protocols, recorded for fuzz_party: real keys, real setups, fixed random
 *  bytes. */
#ifndef FUZZ_SCENE_H
#define FUZZ_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include "mac/gen.h"
#include "mpc/dkg.h"
#include "mpc/ecdsa.h"
#include "mpc/otsetup.h"

enum { FUZZ_PARTIES_MAX = 4, FUZZ_FRAMES_MAX = 128 };

/* splitmix64 (Steele, Lea, Flood 2014). */
struct fuzz_rng {
    struct qk_rng rng;
    uint64_t state;
};

static qk_err fuzz_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    struct fuzz_rng *r = (struct fuzz_rng *)(void *)rng;
    for (size_t i = 0; i < len; i++) {
        uint64_t z = (r->state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        out[i] = (uint8_t)(z ^ (z >> 31));
    }
    return QK_OK;
}

struct fuzz_frame {
    uint16_t from;
    struct qk_buf data;
};

enum fuzz_kind {
    FUZZ_DKG,
    FUZZ_SETUP,
    FUZZ_DERIVE,
    FUZZ_MACGEN,
    FUZZ_MACIMP,
    FUZZ_MACST,
    FUZZ_SIGN,
    FUZZ_PRESIGN
};

struct fuzz_scene {
    enum fuzz_kind kind;
    unsigned curve;
    struct mpc_mac_roles roles; /* FUZZ_MACGEN */
    size_t n;                   /* parties: ids 1..n; party 1 is the victim */
    struct mpc_session session;
    struct fuzz_rng rngs[FUZZ_PARTIES_MAX];
    struct fuzz_frame frames[FUZZ_FRAMES_MAX]; /* to the victim */
    size_t n_frames;
};

/* What the later protocols need, made by the earlier ones. */
struct fuzz_key {
    struct mpc_key_record rec;
    struct mpc_key_share shares[FUZZ_PARTIES_MAX];
    struct mpc_ot_setup *setups[FUZZ_PARTIES_MAX][FUZZ_PARTIES_MAX];
};
static struct fuzz_key fuzz_keys[2];       /* P-256 with t = 2, secp256k1 with t = 3 */
static struct mpc_ot_setup *fuzz_roots[2]; /* of nodes 1 and 2: what each of them holds */

static inline void must(qk_err err, int line)
{
    if (err == QK_OK) return;
    fprintf(stderr, "%s:%d: %s\n", __FILE__, line, qk_err_name(err));
    abort();
}
#define MUST(expr) must((expr), __LINE__)

static inline const struct fuzz_key *key_of(const struct fuzz_scene *s)
{
    return &fuzz_keys[s->curve == MPC_SECP256K1];
}

static inline qk_err start_sign(const struct fuzz_scene *s, size_t i,
    const struct mpc_session *session, struct qk_rng *rng, struct mpc_party **out)
{
    static const uint8_t digest[32] = {0xd1, 0x6e, 0x57};
    const struct fuzz_key *k = key_of(s);
    struct mpc_ot_setup *setups[FUZZ_PARTIES_MAX];
    size_t n = 0;
    for (size_t j = 0; j < s->n; j++)
        if (j != i) setups[n++] = k->setups[i][j];
    struct mpc_ecdsa_params p = {.session = session,
        .rec = &k->rec,
        .share = &k->shares[i].x,
        .setups = setups,
        .n_setups = n,
        .digest = qk_bytes(digest, s->kind == FUZZ_SIGN ? sizeof digest : 0),
        .rng = rng};
    return mpc_ecdsa_start(out, &p);
}

/* ---- sessions of an HMAC key: what came before them is made up ---- */

enum { FUZZ_MAC_STATE = 32 }; /* HMAC_256 */

static inline void mac_made_of(struct mac_made *made, const struct fuzz_scene *s, size_t i)
{
    struct fuzz_rng r = {{fuzz_fill}, 77};
    *made = (struct mac_made){.roles = s->roles,
        .record =
            {.alg = MPC_MAC_256, .profile = MPC_MAC_N, .ver = 1, .n = (uint16_t)s->n, .e_net = 1},
        .share = {.alg = MPC_MAC_256,
            .profile = MPC_MAC_N,
            .self = (uint16_t)(i + 1),
            .self_ix = (uint16_t)i,
            .n = (uint16_t)s->n}};
    memcpy(made->record.nodes, s->session.peers, s->n * sizeof *s->session.peers);
    MUST(fuzz_fill(&r.rng, made->share.ist, FUZZ_MAC_STATE));
    for (size_t j = 0; j < s->n; j++) MUST(fuzz_fill(&r.rng, made->share.piece[j], FUZZ_MAC_STATE));
    memset(made->share.piece[i], 0, FUZZ_MAC_STATE);
}

/* A garbler has both labels of ist || y, E those of its values. */
static inline void mac_outputs_of(struct mac_outputs *o, const struct mac_made *made)
{
    struct fuzz_rng r = {{fuzz_fill}, 78};
    MUST(fuzz_fill(&r.rng, (uint8_t *)o, sizeof *o));
    if (made->share.self != made->roles.e) return;
    for (unsigned j = 0; j < 2 * 8 * FUZZ_MAC_STATE; j++)
        o->label[j] ^= mac_wire_if(o->delta, mac_bit(o->value, 32, j));
    memset(&o->delta, 0, sizeof o->delta);
}

static inline qk_err start_mac(const struct fuzz_scene *s, size_t i,
    const struct mpc_session *session, struct qk_rng *rng, struct mpc_party **out)
{
    static const uint8_t st[32] = {0x57};
    static struct mac_outputs outputs;
    struct mac_made made;
    mac_made_of(&made, s, i);
    if (s->kind == FUZZ_MACIMP) return mac_imp_start(out, session, &made, rng);
    if (s->kind == FUZZ_MACST) return mac_st_start(out, session, &made, st, NULL, rng);
    mac_outputs_of(&outputs, &made);
    return mac_gen_start(out, session, &made, &outputs, rng);
}

/* Party number i of the scene, with the same random bytes each time. */
static inline struct mpc_party *fuzz_start(const struct fuzz_scene *s, size_t i)
{
    static struct fuzz_rng rngs[FUZZ_PARTIES_MAX];
    struct mpc_session session = s->session;
    struct mpc_party *party = NULL;
    rngs[i] = (struct fuzz_rng){{fuzz_fill}, 1000 * (uint64_t)s->kind + 10 * s->curve + i};
    struct qk_rng *rng = &rngs[i].rng;
    session.self = session.peers[i].id;
    if (s->kind == FUZZ_DKG) MUST(mpc_dkg_start(&party, &session, rng));
    if (s->kind == FUZZ_SETUP) MUST(mpc_otsetup_start(&party, &session, rng));
    if (s->kind == FUZZ_DERIVE) MUST(mpc_otderive_start(&party, &session, fuzz_roots[i], rng));
    if (s->kind >= FUZZ_MACGEN && s->kind <= FUZZ_MACST)
        MUST(start_mac(s, i, &session, rng, &party));
    if (s->kind >= FUZZ_SIGN) MUST(start_sign(s, i, &session, rng, &party));
    return party;
}

/* ---- the honest run ---- */

struct fuzz_mail {
    size_t to;
    struct fuzz_frame f;
};

static inline void collect(struct fuzz_scene *s, struct mpc_party **parties, size_t from,
    struct fuzz_mail *mail, size_t *n)
{
    struct mpc_effect e;
    while (mpc_party_next_effect(parties[from], &e)) {
        if (e.kind != MPC_EFFECT_SEND) continue;
        for (size_t to = 0; to < s->n; to++) {
            uint16_t id = s->session.peers[to].id;
            if (to == from || (e.to != 0 && e.to != id)) continue;
            if (*n == FUZZ_FRAMES_MAX) abort();
            mail[*n] = (struct fuzz_mail){
                to, {.from = s->session.peers[from].id, .data = QK_BUF(MPC_FRAME_MAX)}};
            qk_buf_add(&mail[(*n)++].f.data, e.data.p, e.data.len);
        }
    }
}

/* Run to the end; what the victim gets stays in the scene. The parties are given back. */
static inline void fuzz_record(struct fuzz_scene *s, struct mpc_party **parties)
{
    static struct fuzz_mail mail[FUZZ_FRAMES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        parties[i] = fuzz_start(s, i);
        collect(s, parties, i, mail, &n);
    }
    for (size_t k = 0; k < n; k++) {
        struct fuzz_mail *m = &mail[k];
        MUST(mpc_party_receive(parties[m->to], m->f.from, qk_buf_view(&m->f.data)));
        collect(s, parties, m->to, mail, &n);
        if (m->to == 0)
            s->frames[s->n_frames++] = m->f;
        else
            qk_buf_free(&m->f.data);
    }
    for (size_t i = 0; i < s->n; i++)
        if (mpc_party_state(parties[i]) != MPC_DONE) abort();
}

static inline void free_all(struct mpc_party **parties, size_t n)
{
    for (size_t i = 0; i < n; i++) mpc_party_free(parties[i]);
}

/* ---- the scenes, in the order in which they need each other ---- */

static inline void open_session(struct fuzz_scene *s, unsigned t)
{
    s->session = (struct mpc_session){.curve = (uint8_t)s->curve, .t = (uint16_t)t, .self = 1};
    memset(s->session.key_id, 0x4b, 16);
    for (size_t i = 0; i < s->n; i++) {
        s->session.peers[i].id = (uint16_t)(i + 1);
        memset(s->session.peers[i].idh, (int)(0xa0 + i), 32);
    }
    s->session.n_peers = (uint16_t)s->n;
}

static inline void make_key(struct fuzz_scene *s, struct fuzz_key *k)
{
    struct mpc_party *p[FUZZ_PARTIES_MAX];
    s->n = 3;
    open_session(s, s->curve == MPC_P256 ? 2 : 3);
    fuzz_record(s, p);
    for (size_t i = 0; i < 3; i++) MUST(mpc_dkg_take(p[i], &k->shares[i], &k->rec));
    free_all(p, 3);
}

/* A direct setup of two parties; kept in two places. */
static inline void make_setup(
    struct fuzz_scene *s, struct mpc_ot_setup **a, struct mpc_ot_setup **b)
{
    struct mpc_party *p[FUZZ_PARTIES_MAX];
    fuzz_record(s, p);
    MUST(mpc_otsetup_take(p[0], a));
    MUST(mpc_otsetup_take(p[1], b));
    free_all(p, 2);
}

static inline void make_pairs(struct fuzz_key *k)
{
    static const uint8_t req[32];
    for (uint16_t i = 0; i < 3; i++)
        for (uint16_t j = (uint16_t)(i + 1); j < 3; j++) {
            struct fuzz_scene *s = calloc(1, sizeof *s);
            if (s == NULL) abort();
            *s = (struct fuzz_scene){.kind = FUZZ_SETUP, .curve = k->rec.curve, .n = 2};
            MUST(mpc_otsetup_key_session(&s->session, &k->rec, (uint16_t)(i + 1), (uint16_t)(j + 1),
                (uint16_t)(i + 1), req));
            make_setup(s, &k->setups[i][j], &k->setups[j][i]);
            for (size_t f = 0; f < s->n_frames; f++) qk_buf_free(&s->frames[f].data);
            free(s);
        }
}

static inline void make_root(struct fuzz_scene *s)
{
    static const uint8_t req[32];
    s->n = 2;
    MUST(mpc_otsetup_root_session(
        &s->session, MPC_OT_L1, &fuzz_keys[0].rec.nodes[0], &fuzz_keys[0].rec.nodes[1], 1, req));
    make_setup(s, &fuzz_roots[0], &fuzz_roots[1]);
}

static inline void make_derived(struct fuzz_scene *s)
{
    static const uint8_t req[32];
    struct mpc_party *p[FUZZ_PARTIES_MAX];
    s->n = 2;
    MUST(mpc_otsetup_key_session(&s->session, &fuzz_keys[0].rec, 1, 2, 1, req));
    fuzz_record(s, p);
    free_all(p, 2);
}

static inline void make_signing(struct fuzz_scene *s)
{
    static const uint8_t req[32];
    static const uint16_t ids[] = {1, 2, 3};
    struct mpc_party *p[FUZZ_PARTIES_MAX];
    const struct fuzz_key *k = key_of(s);
    s->n = k->rec.t;
    MUST(mpc_record_session(&k->rec, ids, s->n, 1, req, &s->session));
    fuzz_record(s, p);
    free_all(p, s->n);
}

/* Four nodes; the victim, node 1, has each role in turn. */
static inline void make_mac(struct fuzz_scene *s)
{
    struct mpc_party *p[FUZZ_PARTIES_MAX];
    s->n = 4;
    open_session(s, 2);
    fuzz_record(s, p);
    free_all(p, s->n);
}

enum { FUZZ_SCENES = 13 };
static struct fuzz_scene fuzz_scenes[FUZZ_SCENES] = {
    {.kind = FUZZ_DKG, .curve = MPC_P256},
    {.kind = FUZZ_DKG, .curve = MPC_SECP256K1},
    {.kind = FUZZ_SIGN, .curve = MPC_P256},
    {.kind = FUZZ_SIGN, .curve = MPC_SECP256K1},
    {.kind = FUZZ_PRESIGN, .curve = MPC_P256},
    {.kind = FUZZ_DERIVE, .curve = MPC_P256},
    {.kind = FUZZ_SETUP, .curve = MPC_P256},
    {.kind = FUZZ_MACGEN, .curve = MPC_P256, .roles = {.g1 = 1, .g2 = 2, .e = 3}},
    {.kind = FUZZ_MACGEN, .curve = MPC_P256, .roles = {.g1 = 2, .g2 = 1, .e = 3}},
    {.kind = FUZZ_MACGEN, .curve = MPC_P256, .roles = {.g1 = 2, .g2 = 3, .e = 1}},
    {.kind = FUZZ_MACGEN, .curve = MPC_P256, .roles = {.g1 = 2, .g2 = 3, .e = 4}},
    {.kind = FUZZ_MACIMP, .curve = MPC_P256},
    {.kind = FUZZ_MACST, .curve = MPC_P256, .roles = {.g1 = 2, .g2 = 3, .e = 4}},
};

static inline void make_scenes(void)
{
    make_key(&fuzz_scenes[0], &fuzz_keys[0]);
    make_key(&fuzz_scenes[1], &fuzz_keys[1]);
    make_pairs(&fuzz_keys[0]);
    make_pairs(&fuzz_keys[1]);
    make_root(&fuzz_scenes[6]);
    make_derived(&fuzz_scenes[5]);
    for (size_t i = 2; i < 5; i++) make_signing(&fuzz_scenes[i]);
    for (size_t i = 7; i < FUZZ_SCENES; i++) make_mac(&fuzz_scenes[i]);
}

/* The scene that a byte chooses; the slow direct setup is one in 32. */
static inline const struct fuzz_scene *fuzz_scene(uint8_t chosen)
{
    static bool made;
    if (!made) make_scenes();
    made = true;
    unsigned quick = chosen % 12;
    return &fuzz_scenes[chosen % 32 == 31 ? 6 : quick < 6 ? quick : quick + 1];
}

#endif
