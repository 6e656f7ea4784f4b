#include "ecdsa/setup.h"

#include "mpc/labels.h"
#include "mpc/transcript.h"
#include "session/engine.h"

bool ot_setup_is_root(const struct mpc_ot_setup *s)
{
    static const uint8_t zero[32];
    return memcmp(s->bind.rec, zero, 32) == 0;
}

qk_err ot_setup_new(struct mpc_ot_setup **out, const struct mpc_ot_binding *bind)
{
    uint16_t kappa = ot_kappa(mpc_ot_class_of(bind->curve));
    QK_ENSURE(kappa != 0, QK_E_STATE);
    struct mpc_ot_setup *s = OPENSSL_zalloc(sizeof *s);
    QK_ENSURE(s, QK_E_NOMEM);
    s->secret_len = 64 + 96u * kappa;
    s->secret = qk_locked_alloc(s->secret_len);
    if (!s->secret) {
        OPENSSL_free(s);
        return QK_E_NOMEM;
    }
    atomic_init(&s->refs, 1);
    s->bind = *bind;
    s->kappa = kappa;
    s->delta = s->secret;
    s->k = s->secret + 32;
    s->seeds = s->secret + 64;
    s->pairs = s->seeds + 32u * kappa;
    *out = s;
    return QK_OK;
}

qk_err ot_setup_finish(struct mpc_ot_setup *s)
{
    if (ot_setup_is_root(s)) return QK_OK;
    const struct mpc_curve *c = mpc_curve_get(s->bind.curve);
    size_t xi = ot_dims_sign(c).xi;
    s->gadget_alice = OPENSSL_zalloc(xi * sizeof *s->gadget_alice);
    s->gadget_bob = OPENSSL_zalloc(xi * sizeof *s->gadget_bob);
    QK_ENSURE(s->gadget_alice && s->gadget_bob, QK_E_NOMEM);
    QK_TRY(rvole_gadget(c, s->psid_alice, s->gadget_alice));
    return rvole_gadget(c, s->psid_bob, s->gadget_bob);
}

struct mpc_ot_setup *mpc_ot_setup_ref(struct mpc_ot_setup *setup)
{
    atomic_fetch_add_explicit(&setup->refs, 1, memory_order_relaxed);
    return setup;
}

void mpc_ot_setup_free(struct mpc_ot_setup *setup)
{
    if (!setup || atomic_fetch_sub_explicit(&setup->refs, 1, memory_order_acq_rel) != 1) return;
    qk_locked_free(setup->secret);
    OPENSSL_free(setup->gadget_alice);
    OPENSSL_free(setup->gadget_bob);
    OPENSSL_clear_free(setup, sizeof *setup);
}

const uint8_t *mpc_ot_setup_id(const struct mpc_ot_setup *setup)
{
    return setup->id;
}

const uint8_t *mpc_ot_setup_root_id(const struct mpc_ot_setup *setup)
{
    return setup->derived ? setup->root_id : NULL;
}

const struct mpc_ot_binding *mpc_ot_setup_binding(const struct mpc_ot_setup *setup)
{
    return &setup->bind;
}

enum mpc_ot_class mpc_ot_setup_class(const struct mpc_ot_setup *setup)
{
    return (enum mpc_ot_class)mpc_ot_class_of(setup->bind.curve);
}

qk_err ot_binding_of_session(struct mpc_ot_binding *out, const struct mpc_session *s)
{
    QK_ENSURE(s->n_peers == 2, QK_E_STATE);
    size_t self = s->peers[0].id == s->self ? 0 : 1;
    QK_ENSURE(s->peers[self].id == s->self, QK_E_STATE);
    struct mpc_ot_binding b = {.curve = s->curve,
        .e_net = s->e_net,
        .e_del = s->e_del,
        .self = s->peers[self],
        .peer = s->peers[1 - self]};
    memcpy(b.key_id, s->key_id, sizeof b.key_id);
    memcpy(b.rec, s->rec, sizeof b.rec);
    *out = b;
    return QK_OK;
}

static bool peer_eq(const struct mpc_peer *a, const struct mpc_peer *b)
{
    return a->id == b->id && memcmp(a->idh, b->idh, sizeof a->idh) == 0;
}

bool ot_binding_eq(const struct mpc_ot_binding *a, const struct mpc_ot_binding *b)
{
    return a->curve == b->curve && memcmp(a->key_id, b->key_id, sizeof a->key_id) == 0 &&
           memcmp(a->rec, b->rec, sizeof a->rec) == 0 && a->e_net == b->e_net &&
           a->e_del == b->e_del && peer_eq(&a->self, &b->self) && peer_eq(&a->peer, &b->peer);
}

qk_err mpc_otsetup_root_session(struct mpc_session *out, enum mpc_ot_class cls,
    const struct mpc_peer *a, const struct mpc_peer *b, uint16_t self, const uint8_t req[static 32])
{
    QK_ENSURE(cls == MPC_OT_L1 || cls == MPC_OT_L2, QK_E_STATE);
    QK_ENSURE(a->id != b->id && (self == a->id || self == b->id), QK_E_STATE);
    QK_ENSURE(a->id >= 1 && a->id <= 255 && b->id >= 1 && b->id <= 255, QK_E_STATE);
    struct mpc_session s = {.curve = ot_group(cls)->id, .t = 2, .n_peers = 2, .self = self};
    s.peers[0] = a->id < b->id ? *a : *b;
    s.peers[1] = a->id < b->id ? *b : *a;
    memcpy(s.req, req, sizeof s.req);
    *out = s;
    return QK_OK;
}

static const struct mpc_peer *holder(const struct mpc_key_record *rec, uint16_t id)
{
    if (id == MPC_DELEGATE) return rec->access == 1 ? &rec->delegate : NULL;
    int ix = mpc_record_index(rec, id);
    return ix >= 0 ? &rec->nodes[ix] : NULL;
}

qk_err mpc_otsetup_key_session(struct mpc_session *out, const struct mpc_key_record *rec,
    uint16_t a, uint16_t b, uint16_t self, const uint8_t req[static 32])
{
    QK_ENSURE(a != b && (self == a || self == b), QK_E_STATE);
    const struct mpc_peer *lo = holder(rec, a < b ? a : b), *hi = holder(rec, a < b ? b : a);
    QK_ENSURE(lo && hi, QK_E_NOT_FOUND);
    struct mpc_session s = {.curve = rec->curve,
        .e_net = rec->e_net,
        .e_del = rec->e_del,
        .t = rec->t,
        .access = rec->access,
        .n_peers = 2,
        .peers = {*lo, *hi},
        .self = self};
    memcpy(s.key_id, rec->key_id, sizeof s.key_id);
    memcpy(s.req, req, sizeof s.req);
    QK_TRY(mpc_record_hash(rec, s.rec));
    *out = s;
    return QK_OK;
}

qk_err ot_zero_share(const struct mpc_curve *c, const uint8_t sid[static 32], uint16_t self,
    uint16_t peer, const uint8_t k[static 32], struct mpc_scalar *acc)
{
    uint16_t a = self < peer ? self : peer;
    uint16_t b = self < peer ? peer : self;
    MPC_SCALAR(z);
    QK_TRY(mpc_h2s(c, &z, MPC_L_ZERO, MPC_FIELDS({sid, 32}, MPC_U16(a), MPC_U16(b), {k, 32})));
    if (self < peer)
        mpc_scalar_add(c, acc, acc, &z);
    else
        mpc_scalar_sub(c, acc, acc, &z);
    return QK_OK;
}
