/* mpc_mac_gen: what follows what. */
#include "mac/flow.h"

#include "mpc/group.h"
#include "mpc/session.h"
#include "mpc/sym_gen.h"
#include "mpc/transcript.h"

enum { MAC_T = 2 };

/* ---- start ---- */

static qk_err check_session(const struct mpc_session *s, const struct mpc_mac_spec *spec)
{
    uint8_t id[16];
    QK_TRY(mpc_session_check(s));
    QK_ENSURE(s->curve == MPC_P256 && s->access == 0 && s->e_del == 0, QK_E_STATE);
    QK_ENSURE(s->t == MAC_T, QK_E_STATE);
    QK_ENSURE(s->n_peers >= MPC_MAC_NODES_MIN && s->n_peers <= MPC_NODES_MAX, QK_E_STATE);
    QK_ENSURE(mpc_mac_alg_known(spec->alg) && mpc_mac_profile_known(spec->profile), QK_E_STATE);
    QK_ENSURE(spec->ver >= 1, QK_E_STATE);
    QK_TRY(mpc_sym_version_id(id, spec->key_id, spec->ver));
    return memcmp(id, s->key_id, sizeof id) == 0 ? QK_OK : QK_E_STATE;
}

static void fill(struct mpc_mac_gen *gen)
{
    const struct mpc_session *s = &gen->base;
    struct mpc_mac_record *rec = &gen->made.record;
    struct mpc_mac_share *share = &gen->made.share;
    *rec = (struct mpc_mac_record){.alg = gen->spec.alg,
        .profile = gen->spec.profile,
        .ver = gen->spec.ver,
        .n = s->n_peers,
        .e_net = s->e_net + 1};
    memcpy(rec->key_id, gen->spec.key_id, sizeof rec->key_id);
    memcpy(rec->nodes, s->peers, s->n_peers * sizeof *s->peers);
    *share = (struct mpc_mac_share){.self = s->self,
        .alg = rec->alg,
        .profile = rec->profile,
        .n = rec->n,
        .self_ix = (uint16_t)mpc_mac_record_index(rec, s->self)};
}

static qk_err new_gen(struct mpc_mac_gen **out, const struct mpc_session *session,
    const struct mpc_mac_spec *spec, const struct mpc_mac_links *links, struct qk_rng *rng)
{
    QK_TRY(check_session(session, spec));
    struct mpc_mac_gen *gen = OPENSSL_zalloc(sizeof *gen);
    QK_ENSURE(gen != NULL, QK_E_NOMEM);
    gen->spec = *spec;
    gen->base = *session;
    gen->links = links;
    gen->rng = rng;
    fill(gen);
    *out = gen;
    return QK_OK;
}

qk_err mpc_mac_gen_start(struct mpc_mac_gen **out, const struct mpc_session *session,
    const struct mpc_mac_spec *spec, const struct mpc_mac_links *links, struct qk_rng *rng)
{
    static const uint8_t none[32];
    QK_ENSURE(session->e_net == 0 && memcmp(session->rec, none, 32) == 0, QK_E_STATE);
    QK_TRY(new_gen(out, session, spec, links, rng));
    (*out)->phase = PHASE_CNFGEN;
    return QK_OK;
}

/* ---- start of an import ---- */

static qk_err check_old(
    const struct mpc_mac_record *old, const struct mpc_session *s, const struct mpc_mac_spec *spec)
{
    uint8_t hash[32];
    QK_TRY(mpc_mac_record_hash(old, hash));
    QK_ENSURE(memcmp(hash, s->rec, 32) == 0 && old->e_net == s->e_net, QK_E_STATE);
    QK_ENSURE(memcmp(old->key_id, spec->key_id, 16) == 0 && old->ver == spec->ver, QK_E_STATE);
    QK_ENSURE(old->alg == spec->alg && old->profile == spec->profile, QK_E_STATE);
    QK_ENSURE(old->n == s->n_peers, QK_E_STATE);
    for (size_t i = 0; i < old->n; i++) QK_ENSURE(old->nodes[i].id == s->peers[i].id, QK_E_STATE);
    return QK_OK;
}

/* What the part says of itself is what the session is about. */
static qk_err take_part(struct mpc_mac_gen *gen, const struct mpc_mac_part *part)
{
    struct mpc_mac_share *share = &gen->made.share;
    QK_ENSURE(part->share.self == share->self && part->share.self_ix == share->self_ix, QK_E_STATE);
    QK_ENSURE(part->share.alg == share->alg && part->share.n == share->n, QK_E_STATE);
    QK_ENSURE(part->share.profile == share->profile, QK_E_STATE);
    *share = part->share;
    memcpy(gen->want, part->st, sizeof gen->want);
    gen->known = true;
    return QK_OK;
}

static qk_err check_import(
    struct mpc_mac_gen *gen, const struct mpc_mac_record *old, const struct mpc_mac_part *part)
{
    static const uint8_t none[32];
    QK_TRY(take_part(gen, part));
    if (old != NULL) {
        QK_TRY(check_old(old, &gen->base, &gen->spec));
        return mpc_mac_import_matches(part, old);
    }
    bool first = gen->base.e_net == 0 && memcmp(gen->base.rec, none, 32) == 0;
    return first ? QK_OK : QK_E_STATE;
}

qk_err mpc_mac_import_start(struct mpc_mac_gen **out, const struct mpc_session *session,
    const struct mpc_mac_spec *spec, const struct mpc_mac_record *old,
    const struct mpc_mac_part *part, const struct mpc_mac_links *links, struct qk_rng *rng)
{
    struct mpc_mac_gen *gen;
    QK_TRY(new_gen(&gen, session, spec, links, rng));
    gen->phase = PHASE_PIECES;
    qk_err err = check_import(gen, old, part);
    if (err != QK_OK) {
        mpc_mac_gen_free(gen);
        return err;
    }
    *out = gen;
    return QK_OK;
}

/* ---- end ---- */

void mac_flow_drop(struct mpc_mac_gen *gen)
{
    mpc_party_free(gen->party);
    mpc_mac_g1_free(gen->g1);
    mpc_mac_g2_free(gen->g2);
    mpc_mac_e_free(gen->e);
    gen->party = NULL;
    gen->g1 = NULL;
    gen->g2 = NULL;
    gen->e = NULL;
}

static void drop_outputs(struct mpc_mac_gen *gen)
{
    if (gen->run != NULL) OPENSSL_clear_free(gen->run, sizeof *gen->run);
    if (gen->outputs != NULL) OPENSSL_clear_free(gen->outputs, sizeof *gen->outputs);
    gen->run = NULL;
    gen->outputs = NULL;
}

void mpc_mac_gen_free(struct mpc_mac_gen *gen)
{
    if (gen == NULL) return;
    mac_flow_drop(gen);
    drop_outputs(gen);
    OPENSSL_clear_free(gen, sizeof *gen);
}

/* ---- roles ---- */

static qk_err role_g1(
    struct mpc_mac_gen *gen, const struct mpc_mac_task *task, const struct mac_run *run)
{
    QK_SEC32(kappa);
    QK_TRY(gen->links->kappa(gen->links->ctx, gen->roles.g2, kappa.b));
    return run != NULL ? mac_g1_from(&gen->g1, run, kappa.b)
                       : mpc_mac_g1_new(&gen->g1, task, kappa.b);
}

static qk_err role_g2(
    struct mpc_mac_gen *gen, const struct mpc_mac_task *task, const struct mac_run *run)
{
    QK_SEC32(seed);
    QK_SEC32(gmac);
    QK_TRY(gen->links->kappa(gen->links->ctx, gen->roles.g1, seed.b));
    QK_TRY(gen->links->kappa(gen->links->ctx, gen->roles.e, gmac.b));
    return run != NULL ? mac_g2_from(&gen->g2, run, seed.b, gmac.b)
                       : mpc_mac_g2_new(&gen->g2, task, seed.b, gmac.b);
}

static qk_err role_e(
    struct mpc_mac_gen *gen, const struct mpc_mac_task *task, const struct mac_run *run)
{
    QK_SEC32(kappa);
    QK_TRY(gen->links->kappa(gen->links->ctx, gen->roles.g2, kappa.b));
    return run != NULL ? mac_e_from(&gen->e, run, kappa.b) : mpc_mac_e_new(&gen->e, task, kappa.b);
}

qk_err mac_flow_role(
    struct mpc_mac_gen *gen, const struct mpc_mac_task *task, const struct mac_run *run)
{
    uint16_t self = gen->base.self;
    if (self == gen->roles.g1) return role_g1(gen, task, run);
    if (self == gen->roles.g2) return role_g2(gen, task, run);
    return self == gen->roles.e ? role_e(gen, task, run) : QK_OK;
}

/* ---- sessions ---- */

static qk_err begin_cnfgen(struct mpc_mac_gen *gen)
{
    struct mpc_sym_spec spec = {.ver = gen->spec.ver, .modes = MPC_SYM_F};
    memcpy(spec.key_id, gen->spec.key_id, sizeof spec.key_id);
    gen->session = gen->base;
    return mpc_cnfgen_start(&gen->party, &gen->session, &spec, gen->rng);
}

static qk_err begin_pieces(struct mpc_mac_gen *gen)
{
    gen->session = gen->base;
    if (gen->outputs == NULL)
        return mac_imp_start(&gen->party, &gen->session, &gen->made, gen->rng);
    QK_TRY(mpc_h32(gen->session.rec, MPC_L_MAC_STEP,
        MPC_FIELDS(QK_BYTES(gen->sid), QK_BYTES(gen->outputs->run))));
    return mac_gen_start(&gen->party, &gen->session, &gen->made, gen->outputs, gen->rng);
}

/* The record is final but for st: its hash is what this session is about. */
static qk_err begin_st(struct mpc_mac_gen *gen)
{
    uint8_t st[32];
    gen->session = gen->base;
    QK_TRY(mpc_mac_record_hash(&gen->made.record, gen->session.rec));
    QK_TRY(mac_test_result(st, gen));
    qk_wipe(gen->values, sizeof gen->values);
    gen->made.roles = gen->roles; /* of the last run: an import has had none yet */
    return mac_st_start(
        &gen->party, &gen->session, &gen->made, st, gen->known ? gen->want : NULL, gen->rng);
}

/* ---- from step to step ---- */

static qk_err begin(struct mpc_mac_gen *gen)
{
    switch (gen->phase) {
    case PHASE_CNFGEN:
        return begin_cnfgen(gen);
    case PHASE_DERIVE:
        return mac_flow_role(gen, NULL, gen->run);
    case PHASE_PIECES:
        return begin_pieces(gen);
    case PHASE_TEST:
        return mac_test_begin(gen);
    case PHASE_ST:
        return begin_st(gen);
    case PHASE_END:
        return QK_OK;
    }
    return QK_E_STATE;
}

static qk_err end_test(struct mpc_mac_gen *gen)
{
    QK_TRY(mac_test_end(gen));
    if (++gen->test == mac_tests(gen)) gen->phase = PHASE_ST;
    return QK_OK;
}

static qk_err end_pieces(struct mpc_mac_gen *gen)
{
    QK_TRY(mac_made_take(gen->party, &gen->made));
    drop_outputs(gen);
    gen->phase = PHASE_TEST;
    return QK_OK;
}

/* Take the result of the step under way and name the next phase. */
static qk_err end(struct mpc_mac_gen *gen)
{
    switch (gen->phase) {
    case PHASE_CNFGEN:
        QK_TRY(mac_derive_prepare(gen));
        gen->phase = PHASE_DERIVE;
        return QK_OK;
    case PHASE_DERIVE:
        QK_TRY(mac_derive_end(gen));
        gen->phase = PHASE_PIECES;
        return QK_OK;
    case PHASE_PIECES:
        return end_pieces(gen);
    case PHASE_TEST:
        return end_test(gen);
    case PHASE_ST:
        QK_TRY(mac_made_take(gen->party, &gen->made));
        gen->phase = PHASE_END;
        return QK_OK;
    case PHASE_END:
        return QK_OK;
    }
    return QK_E_STATE;
}

static qk_err advance(struct mpc_mac_gen *gen)
{
    if (gen->begun) QK_TRY(end(gen));
    mac_flow_drop(gen);
    gen->begun = true;
    return begin(gen);
}

static void describe(const struct mpc_mac_gen *gen, struct mpc_mac_gen_step *step)
{
    static const char *const what[] = {
        "cnfgen", "mac-derive", "mac-pieces", "mac-selftest", "mac-st", "end"};
    bool run = gen->phase == PHASE_DERIVE || gen->phase == PHASE_TEST;
    *step = (struct mpc_mac_gen_step){.kind = MPC_MAC_GEN_SESSION,
        .what = what[gen->phase],
        .party = gen->party,
        .session = &gen->session,
        .roles = gen->roles,
        .g1 = gen->g1,
        .g2 = gen->g2,
        .e = gen->e,
        .test = gen->phase == PHASE_TEST};
    if (run) step->kind = MPC_MAC_GEN_RUN;
    if (gen->phase == PHASE_END) step->kind = MPC_MAC_GEN_END;
}

qk_err mpc_mac_gen_next(struct mpc_mac_gen *gen, struct mpc_mac_gen_step *step)
{
    QK_ENSURE(!gen->failed, QK_E_STATE);
    qk_err err = advance(gen);
    if (err != QK_OK) {
        gen->failed = true;
        mac_flow_drop(gen);
        return err;
    }
    describe(gen, step);
    return QK_OK;
}

qk_err mpc_mac_gen_take(
    struct mpc_mac_gen *gen, struct mpc_mac_share *share, struct mpc_mac_record *record)
{
    QK_ENSURE(!gen->failed && gen->phase == PHASE_END && !gen->taken, QK_E_STATE);
    QK_TRY(mpc_mac_share_check(&gen->made.share, &gen->made.record));
    *share = gen->made.share;
    *record = gen->made.record;
    mpc_mac_share_wipe(&gen->made.share);
    gen->taken = true;
    return QK_OK;
}
