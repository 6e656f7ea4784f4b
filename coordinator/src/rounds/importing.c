#include "rounds/importing.h"

#include <stdlib.h>
#include "mpc/mac_gen.h"
#include "mpc/sym_gen.h"
#include "qk/clock.h"
#include "rounds/combine.h"
#include "rounds/imports.h"

void coord_importing_free(struct coord_importing *i)
{
    if (i == NULL) return;
    for (size_t k = 0; k < WIRE_NODES_MAX; k++) qk_buf_free(&i->parts[k]);
    free(i);
}

static void node_ids(const struct coord_op *op, uint16_t ids[static WIRE_NODES_MAX])
{
    const struct wire_cluster *c = op->engine->cluster;
    for (size_t n = 0; n < c->n; n++) ids[n] = c->nodes[n].id;
}

/* One part for each node of the cluster: keys of its sets and a share, under the key id. */
static qk_err deal_symmetric(
    struct coord_op *op, struct coord_importing *i, const struct qk_sec32 *k)
{
    const struct wire_cluster *c = op->engine->cluster;
    uint16_t ids[WIRE_NODES_MAX];
    struct mpc_sym_part *parts = OPENSSL_zalloc(c->n * sizeof *parts);
    QK_ENSURE(parts != NULL, QK_E_NOMEM);
    node_ids(op, ids);
    qk_err err = mpc_sym_import_deal(parts, op->decision.key->key.key_id, op->decision.modes,
        (unsigned)c->t, ids, c->n, k, qk_rng_system());
    for (size_t n = 0; n < c->n && err == QK_OK; n++) {
        i->parts[n] = (struct qk_buf)QK_BUF_SECRET(MPC_SYM_PART_MAX);
        err = mpc_sym_part_encode(&parts[n], &i->parts[n]);
    }
    OPENSSL_clear_free(parts, c->n * sizeof *parts);
    return err;
}

/* The same of an HMAC key: the hash states that come of it, in pieces. */
static qk_err deal_mac(struct coord_op *op, struct coord_importing *i, struct qk_bytes key)
{
    const struct wire_cluster *c = op->engine->cluster;
    const struct kms_decision *d = &op->decision;
    uint16_t ids[WIRE_NODES_MAX];
    struct mpc_mac_spec spec = {
        .ver = d->ver, .alg = (uint8_t)coord_mac_alg(d->spec), .profile = d->modes};
    struct mpc_mac_part *parts = OPENSSL_zalloc(c->n * sizeof *parts);
    QK_ENSURE(parts != NULL, QK_E_NOMEM);
    memcpy(spec.key_id, d->key->key.key_id, sizeof spec.key_id);
    node_ids(op, ids);
    qk_err err = mpc_mac_import_deal(parts, &spec, ids, c->n, key, qk_rng_system());
    for (size_t n = 0; n < c->n && err == QK_OK; n++) {
        i->parts[n] = (struct qk_buf)QK_BUF_SECRET(MPC_MAC_PART_MAX);
        err = mpc_mac_part_encode(&parts[n], &i->parts[n]);
    }
    OPENSSL_clear_free(parts, c->n * sizeof *parts);
    return err;
}

static bool is_mac(const struct coord_op *op)
{
    return op->decision.spec != NULL && kms_keyspec_is_mac(op->decision.spec);
}

static qk_err deal(struct coord_op *op, struct coord_importing *i, struct qk_bytes material)
{
    QK_SEC32(k);
    if (is_mac(op)) return deal_mac(op, i, material);
    QK_ENSURE(material.len == sizeof k.b, QK_E_STATE);
    memcpy(k.b, material.p, sizeof k.b);
    return deal_symmetric(op, i, &k);
}

/* kms-api.md section 8: 256 bits; HMAC keys from the length of their digest to 1024 bits. */
static struct coord_material_len material_len(const struct coord_op *op)
{
    if (!is_mac(op)) return (struct coord_material_len){32, 32};
    return (struct coord_material_len){op->decision.spec->digest_len, MPC_MAC_BLOCK_MAX};
}

qk_err coord_importing_begin(struct coord_op *op)
{
    struct coord_material_len len = material_len(op);
    QK_AUTO_BUF material = QK_BUF_SECRET(COORD_MATERIAL_MAX);
    if (op->importing != NULL) return QK_OK;
    struct coord_importing *i = calloc(1, sizeof *i);
    QK_ENSURE(i != NULL, QK_E_NOMEM);
    op->importing = i;
    qk_err err = coord_imports_unwrap(op->engine->imports, op->decision.key->key.key_id,
        op->req.import_token, op->req.encrypted_material, qk_now_ms(), &len, &material, &i->fault);
    i->refused = err == QK_E_DENIED;
    if (err == QK_OK) return deal(op, i, qk_buf_view(&material));
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
