#include "rounds/importing.h"

#include <stdlib.h>
#include "mpc/sym_gen.h"
#include "qk/clock.h"
#include "rounds/imports.h"

void coord_importing_free(struct coord_importing *i)
{
    if (i == NULL) return;
    for (size_t k = 0; k < WIRE_NODES_MAX; k++) qk_buf_free(&i->parts[k]);
    free(i);
}

/* One part for each node of the cluster: keys of its sets and a share, under the key id. */
static qk_err deal(struct coord_op *op, struct coord_importing *i, const struct qk_sec32 *k)
{
    const struct wire_cluster *c = op->engine->cluster;
    uint16_t ids[WIRE_NODES_MAX];
    struct mpc_sym_part *parts = OPENSSL_zalloc(c->n * sizeof *parts);
    QK_ENSURE(parts != NULL, QK_E_NOMEM);
    for (size_t n = 0; n < c->n; n++) ids[n] = c->nodes[n].id;
    qk_err err = mpc_sym_import_deal(parts, op->decision.key->key.key_id, op->decision.modes,
        (unsigned)c->t, ids, c->n, k, qk_rng_system());
    for (size_t n = 0; n < c->n && err == QK_OK; n++) {
        i->parts[n] = (struct qk_buf)QK_BUF_SECRET(MPC_SYM_PART_MAX);
        err = mpc_sym_part_encode(&parts[n], &i->parts[n]);
    }
    OPENSSL_clear_free(parts, c->n * sizeof *parts);
    return err;
}

static qk_err deal_material(
    struct coord_op *op, struct coord_importing *i, struct qk_bytes material)
{
    QK_SEC32(k);
    QK_ENSURE(material.len == sizeof k.b, QK_E_STATE);
    memcpy(k.b, material.p, sizeof k.b);
    return deal(op, i, &k);
}

qk_err coord_importing_begin(struct coord_op *op)
{
    static const struct coord_material_len symmetric = {32, 32};
    QK_AUTO_BUF material = QK_BUF_SECRET(COORD_MATERIAL_MAX);
    if (op->importing != NULL) return QK_OK;
    struct coord_importing *i = calloc(1, sizeof *i);
    QK_ENSURE(i != NULL, QK_E_NOMEM);
    op->importing = i;
    qk_err err = coord_imports_unwrap(op->engine->imports, op->decision.key->key.key_id,
        op->req.import_token, op->req.encrypted_material, qk_now_ms(), &symmetric, &material,
        &i->fault);
    i->refused = err == QK_E_DENIED;
    if (err == QK_OK) return deal_material(op, i, qk_buf_view(&material));
    return i->refused ? QK_OK : err;
}

void coord_importing_parts(struct coord_op *op, struct qk_bytes out[static WIRE_NODES_MAX])
{
    const struct wire_cluster *c = op->engine->cluster;
    for (size_t n = 0; n < op->n_set; n++)
        for (size_t k = 0; k < c->n; k++)
            if (c->nodes[k].id == op->set[n]) out[n] = qk_buf_view(&op->importing->parts[k]);
}

bool coord_importing_refuses(
    const struct coord_op *op, const struct coord_attempt *a, struct kms_fault *fault)
{
    size_t know = 0;
    if (op->importing == NULL || !op->importing->refused) return false;
    for (size_t i = 0; i < a->n; i++)
        know += a->got[i] && a->replies[i].err == QK_OK &&
                a->replies[i].answer.status == WIRE_ANSWER_RETRY;
    if (know < op->engine->cluster->t) return false;
    *fault = op->importing->fault;
    return true;
}
