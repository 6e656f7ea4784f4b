#include "mac/task.h"

#include <openssl/evp.h>
#include "mpc/transcript.h"
#include "session/engine.h"

void mac_task_run_wipe(struct mac_task_run *t)
{
    qk_wipe(t, sizeof *t);
}

/* ---- the statement (check M-8) ---- */

/* Check M-9: three distinct nodes of the record, this node among them. */
static qk_err check_roles(const struct mpc_mac_task *task)
{
    const struct mpc_mac_roles *r = &task->roles;
    uint16_t self = task->share->self;
    QK_ENSURE(r->g1 != r->g2 && r->g1 != r->e && r->g2 != r->e, QK_E_STATE);
    QK_ENSURE(mpc_mac_record_index(task->rec, r->g1) >= 0, QK_E_STATE);
    QK_ENSURE(mpc_mac_record_index(task->rec, r->g2) >= 0, QK_E_STATE);
    QK_ENSURE(mpc_mac_record_index(task->rec, r->e) >= 0, QK_E_STATE);
    QK_ENSURE(self == r->g1 || self == r->g2 || self == r->e, QK_E_STATE);
    return QK_OK;
}

static qk_err check_task(const struct mpc_mac_task *task)
{
    const struct mpc_mac_record *rec = task->rec;
    QK_ENSURE(mpc_mac_alg_known(rec->alg) && mpc_mac_profile_known(rec->profile), QK_E_STATE);
    QK_ENSURE(task->share->alg == rec->alg && task->share->profile == rec->profile, QK_E_STATE);
    if (task->digest != NULL)
        QK_ENSURE(task->message.len == 0 && rec->profile == MPC_MAC_N, QK_E_STATE);
    else
        QK_ENSURE(task->message.len >= 1 && task->message.len <= MPC_MAC_MESSAGE_MAX, QK_E_STATE);
    return check_roles(task);
}

static qk_err hash_statement(uint8_t out[static 32], const struct mpc_mac_task *task,
    const char *label, struct qk_bytes last)
{
    const struct mpc_mac_record *rec = task->rec;
    const struct mpc_mac_roles *r = &task->roles;
    uint8_t full[64];
    MPC_HASHER(h);
    QK_TRY(mpc_hasher_begin(&h, label, 9u + rec->n));
    mpc_hasher_field(&h, QK_BYTES(rec->key_id));
    mpc_hasher_field(&h, MPC_U32(rec->ver));
    mpc_hasher_field(&h, MPC_U32(rec->e_net));
    for (size_t j = 0; j < rec->n; j++) mpc_hasher_field(&h, QK_BYTES(rec->pk[j]));
    mpc_hasher_field(&h, MPC_U8(rec->alg));
    mpc_hasher_field(&h, QK_BYTES(task->mid));
    mpc_hasher_field(&h, MPC_U16(r->g1));
    mpc_hasher_field(&h, MPC_U16(r->g2));
    mpc_hasher_field(&h, MPC_U16(r->e));
    mpc_hasher_field(&h, last);
    QK_TRY(mpc_hasher_end(&h, full));
    memcpy(out, full, 32);
    return QK_OK;
}

/* h of profile N, by this node itself (check M-10); then the circuit and the name of the run. */
static qk_err open_n(struct mac_task_run *out, const struct mpc_mac_task *task)
{
    uint8_t alg = task->rec->alg;
    struct qk_bytes h = qk_bytes(out->h, mpc_mac_digest_len(alg));
    if (task->digest != NULL)
        memcpy(out->h, task->digest, h.len);
    else
        QK_TRY(mpc_mac_inner(out->h, alg, task->share->ist, task->message));
    struct mac_job job = {.fn = MAC_OUTER, .alg = alg, .pub = h};
    QK_TRY(mac_layout_of(&out->run.layout, &job, false));
    return hash_statement(out->run.run, task, MPC_L_MAC3, h);
}

static qk_err open_s(struct mac_task_run *out, const struct mpc_mac_task *task)
{
    struct mac_job job = {.fn = MAC_STRICT, .alg = task->rec->alg, .pub = task->message};
    QK_TRY(mac_layout_of(&out->run.layout, &job, false));
    return hash_statement(out->run.run, task, MPC_L_MAC3_S, task->message);
}

static qk_err open_checked(struct mac_task_run *out, const struct mpc_mac_task *task)
{
    memset(out, 0, sizeof *out);
    QK_TRY(check_task(task));
    out->run.roles = task->roles;
    return task->rec->profile == MPC_MAC_S ? open_s(out, task) : open_n(out, task);
}

qk_err mac_task_open(struct mac_task_run *out, const struct mpc_mac_task *task, uint16_t me)
{
    MPC_MAC_INPUTS(in);
    QK_ENSURE(task->share->self == me, QK_E_STATE);
    QK_TRY(open_checked(out, task));
    QK_TRY(mpc_mac_inputs_of(&in, task->rec, task->share, &task->roles));
    memcpy(out->run.a, in.a, sizeof in.a);
    memcpy(out->run.b, in.b, sizeof in.b);
    memcpy(out->run.c, in.c, sizeof in.c);
    return QK_OK;
}

qk_err mpc_mac_run_id(uint8_t out[static 32], const struct mpc_mac_task *task)
{
    MAC_TASK_RUN(t);
    QK_TRY(open_checked(&t, task));
    memcpy(out, t.run.run, 32);
    return QK_OK;
}

qk_err mpc_mac_sizes(struct mpc_mac_sizes *out, const struct mpc_mac_task *task)
{
    MAC_TASK_RUN(t);
    QK_TRY(open_checked(&t, task));
    const struct mac_layout *l = &t.run.layout;
    *out = (struct mpc_mac_sizes){.stream = 16 * (uint64_t)l->n_a + l->m1_len,
        .labels_b = 16 * (size_t)l->n_b,
        .g1 = 48 + 2 * MAC_DIGEST * (size_t)l->n_out,
        .y = 16 * (size_t)l->n_out};
    return QK_OK;
}

/* ---- common to the roles ---- */

qk_err mac_seed(
    uint8_t out[static 32], const uint8_t kappa[static 32], const uint8_t run[static 32])
{
    return mpc_h32(out, MPC_L_MAC3_SEED, MPC_FIELDS({kappa, 32}, {run, 32}));
}

qk_err mac_out_digest(uint8_t out[static 32], struct qk_bytes g1)
{
    QK_ENSURE(g1.len >= 48, QK_E_STATE);
    return mpc_h32(
        out, MPC_L_MAC3_OUT, MPC_FIELDS({g1.p, 32}, {g1.p + 32, 16}, {g1.p + 48, g1.len - 48}));
}

void mac_layout_own(
    struct mac_layout *out, uint8_t keep[static MPC_MAC_DIGEST_MAX], const struct mac_layout *in)
{
    *out = *in;
    if (in->job.fn != MAC_OUTER) return;
    memcpy(keep, in->job.pub.p, in->job.pub.len);
    out->job.pub.p = keep;
}

/* ---- GMAC ---- */

static qk_err gmac_start(EVP_CIPHER_CTX *ctx, const uint8_t *key)
{
    static const uint8_t iv[12]; /* one key, one message: the key is bound to run and kh */
    QK_ENSURE(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, iv) == 1, QK_E_CRYPTO);
    return QK_OK;
}

qk_err mac_gmac_init(struct mac_gmac *m, const uint8_t kappa[static 32],
    const uint8_t run[static 32], const uint8_t kh[static 16])
{
    QK_SEC32(key);
    QK_TRY(mpc_h32(key.b, MPC_L_MAC3_GMAC, MPC_FIELDS({kappa, 32}, {run, 32}, {kh, 16})));
    m->ctx = EVP_CIPHER_CTX_new();
    QK_ENSURE(m->ctx != NULL, QK_E_NOMEM);
    return gmac_start(m->ctx, key.b);
}

qk_err mac_gmac_add(struct mac_gmac *m, struct qk_bytes part)
{
    int n;
    if (part.len == 0) return QK_OK;
    QK_ENSURE(part.len <= MPC_MAC_CHUNK, QK_E_STATE);
    int ok = EVP_EncryptUpdate(m->ctx, NULL, &n, part.p, (int)part.len);
    return ok == 1 ? QK_OK : QK_E_CRYPTO;
}

qk_err mac_gmac_end(struct mac_gmac *m, uint8_t out[static MPC_MAC_GMAC_LEN])
{
    uint8_t none[16];
    int n;
    QK_ENSURE(EVP_EncryptFinal_ex(m->ctx, none, &n) == 1, QK_E_CRYPTO);
    int ok = EVP_CIPHER_CTX_ctrl(m->ctx, EVP_CTRL_GCM_GET_TAG, MPC_MAC_GMAC_LEN, out);
    return ok == 1 ? QK_OK : QK_E_CRYPTO;
}

void mac_gmac_clear(struct mac_gmac *m)
{
    EVP_CIPHER_CTX_free(m->ctx);
    m->ctx = NULL;
}
