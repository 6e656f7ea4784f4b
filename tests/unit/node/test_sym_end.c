/* What certified records end is destroyed at real nodes: all versions of a deleted key, imported
 * material that was deleted or has expired. Imported material comes back only as what it was. */
#include <signal.h>
#include "mpc/sym_gen.h"
#include "qktest/qktest.h"
#include "nodeleft.h"
#include "nodesym.h"
#include "qk/clock.h"
#include "vault/records.h"
#include "vault/shares.h"

enum { NODE = 2, DAY_MS = 86400000 };

static const uint16_t all[] = {1, 2, 3, 0};
static const char *const context[] = {"who", "alice", NULL};

struct scene {
    struct nodebox box;
    struct nd d;
    struct ns s;
    char key[KMS_UUID_LEN + 1], body[160];
};

static void name_body(struct scene *s)
{
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
}

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\n");
    nd_init(&s->d, &s->box);
    ns_init(&s->s, &s->d);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static const struct kms_record *key_record(struct scene *s)
{
    return &nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r;
}

/* ---- vaults ---- */

struct vault {
    struct node_vault *v;
    struct node_seal *seal;
};

static struct vault open_vault(struct scene *s, int sig)
{
    struct vault v;
    (void)nodebox_stop(&s->box, NODE, sig);
    v.v = nodebox_vault(&s->box, NODE, &v.seal);
    return v;
}

static void close_vault(struct scene *s, struct vault *v)
{
    node_vault_close(v->v);
    node_seal_free(v->seal);
    nodebox_start(&s->box, NODE);
    nodebox_wait_ready(&s->box);
    cr_assert(ns_channel(&s->s, NODE));
}

static bool holds(struct scene *s, const struct vault *v, uint32_t ver)
{
    uint8_t id[16];
    QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
    qk_assert_ok(mpc_sym_version_id(id, key_record(s)->key.key_id, ver));
    qk_err err = node_vault_share_load(v->v, id, NULL, &secret, NULL);
    cr_assert(err == QK_OK || err == QK_E_NOT_FOUND);
    return err == QK_OK;
}

/* ---- deletion ---- */

static void deleted_version(struct scene *s, struct qk_buf *certified)
{
    struct kms_record r = *key_record(s);
    memcpy(r.prev, r.hash, sizeof r.prev);
    r.version++;
    r.key.state = KMS_STATE_DELETED;
    r.key.deletion_ms = qk_now_ms() - DAY_MS;
    r.key.pending_days = 7;
    nd_certify(&s->d, &r, all, certified);
}

static void three_versions(struct scene *s)
{
    ns_create_key(&s->s, "FV", s->key);
    name_body(s);
    nd_do(&s->d, "TrentService.RotateKeyOnDemand", s->body);
    nd_do(&s->d, "TrentService.RotateKeyOnDemand", s->body);
    cr_assert(ns_round_trip(&s->s, s->key, context, false));
}

QK_TEST(sym_end, a_deleted_key_takes_all_its_versions_along)
{
    struct scene s;
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    set_up(&s);
    three_versions(&s);
    /* a fourth was made and its records were never certified */
    ND_AUTO_OP *lost = nd_op(&s.d, "TrentService.RotateKeyOnDemand", s.body, all);
    cr_assert(nd_send(&s.d, lost));
    struct vault v = open_vault(&s, SIGTERM);
    for (uint32_t ver = 1; ver <= 4; ver++) cr_assert(holds(&s, &v, ver), "version %u", ver);
    close_vault(&s, &v);
    deleted_version(&s, &certified);
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_eq(nd_publish(&s.d, id, qk_buf_view(&certified)), WIRE_ANSWER_OK);
    nd_put(&s.d, qk_buf_view(&certified));
    ND_AUTO_OP *op = ns_enc_op(&s.s, s.key, context, NULL, all);
    cr_assert(nd_refused(&s.d, op, WIRE_ANSWER_FAULT, "NotFoundException"));
    v = open_vault(&s, SIGKILL);
    for (uint32_t ver = 1; ver <= 4; ver++) cr_assert_not(holds(&s, &v, ver), "version %u", ver);
    close_vault(&s, &v);
    cr_assert_eq(nodebox_audit(&s.box, NODE, "key.destroyed", s.key), 1u);
    tear_down(&s);
}

static void store_record(const struct vault *v, struct qk_bytes certified)
{
    struct qk_bytes bytes;
    struct kms_cert cert;
    struct kms_stored stored;
    qk_assert_ok(kms_certified_decode(certified, &bytes, &cert));
    qk_assert_ok(kms_stored_load(bytes, &stored));
    struct node_record row = {.kind = (uint8_t)stored.r.kind,
        .id = qk_str(stored.r.id),
        .version = stored.r.version,
        .record = bytes,
        .cert = certified};
    memcpy(row.hash, stored.r.hash, sizeof row.hash);
    qk_assert_ok(node_vault_record_put(v->v, &row, 0));
    kms_stored_free(&stored);
}

/* The power fails when the record is stored and one version is destroyed, or none. */
QK_TEST(sym_end, an_interrupted_destruction_is_finished_at_the_next_start)
{
    struct scene s;
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    uint8_t id[16];
    set_up(&s);
    three_versions(&s);
    deleted_version(&s, &certified);
    struct vault v = open_vault(&s, SIGTERM);
    store_record(&v, qk_buf_view(&certified));
    qk_assert_ok(mpc_sym_version_id(id, key_record(&s)->key.key_id, 1));
    qk_assert_ok(node_vault_share_destroy_all(v.v, id));
    cr_assert(holds(&s, &v, 2) && holds(&s, &v, 3));
    close_vault(&s, &v);
    cr_assert_eq(nodebox_audit(&s.box, NODE, "key.destroyed", s.key), 1u);
    v = open_vault(&s, SIGTERM);
    for (uint32_t ver = 1; ver <= 3; ver++) cr_assert_not(holds(&s, &v, ver), "version %u", ver);
    close_vault(&s, &v);
    tear_down(&s);
}

/* ---- import ---- */

static void create_external(struct scene *s)
{
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.CreateKey", "{\"Origin\":\"EXTERNAL\"}", all);
    bool ok = nd_send(&s->d, op);
    if (!ok) nd_show(op);
    cr_assert(ok);
    kms_uuid_text(op->proposal.key_id, s->key);
    nd_keep(&s->d, op);
    name_body(s);
}

static void deal(struct scene *s, uint8_t k, struct qk_buf parts[static NB_NODES])
{
    struct mpc_sym_part part[NB_NODES];
    QK_SEC32(secret);
    memset(secret.b, k, sizeof secret.b);
    qk_assert_ok(mpc_sym_import_deal(part, key_record(s)->key.key_id, MPC_SYM_FV, s->box.cluster->t,
        all, NB_NODES, &secret, qk_rng_system()));
    for (size_t i = 0; i < NB_NODES; i++) {
        parts[i] = (struct qk_buf)QK_BUF_SECRET(MPC_SYM_PART_MAX);
        qk_assert_ok(mpc_sym_part_encode(&part[i], &parts[i]));
        mpc_sym_part_wipe(&part[i]);
    }
}

/* ImportKeyMaterial; every node gets its part of 32 bytes k (node `odd` that of odd_k). */
static struct nd_op *import(
    struct scene *s, uint8_t k, uint16_t odd, uint8_t odd_k, const char *more)
{
    char body[512];
    struct qk_buf parts[NB_NODES], odd_parts[NB_NODES];
    (void)snprintf(body, sizeof body,
        "{\"KeyId\":\"%s\",\"ImportToken\":\"AAAA\",\"EncryptedKeyMaterial\":\"AAAA\"%s}", s->key,
        more);
    struct nd_op *op = nd_op(&s->d, "TrentService.ImportKeyMaterial", body, all);
    deal(s, k, parts);
    deal(s, odd_k, odd_parts);
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
        op->call.parts = qk_buf_view(id == odd ? &odd_parts[id - 1] : &parts[id - 1]);
        wire_call_encode(&bytes, &op->call);
        nb_start(s->box.client[id], qk_buf_view(&bytes), ND_CALL_MS, &op->answer[id]);
    }
    for (uint16_t id = 1; id <= NB_NODES; id++) nb_wait(&op->answer[id]);
    for (size_t i = 0; i < NB_NODES; i++) {
        qk_buf_free(&parts[i]);
        qk_buf_free(&odd_parts[i]);
    }
    op->call.parts = qk_bytes(NULL, 0);
    return op;
}

#define NEVER ",\"ExpirationModel\":\"KEY_MATERIAL_DOES_NOT_EXPIRE\""

static void imported(struct scene *s, uint8_t k, const char *more)
{
    ND_AUTO_OP *op = import(s, k, 0, k, more);
    bool ok = true;
    for (uint16_t id = 1; id <= NB_NODES; id++)
        ok = ok && op->answer[id].err == QK_OK && op->answer[id].a.status == WIRE_ANSWER_OK;
    if (!ok) nd_show(op);
    cr_assert(ok);
    nd_keep(&s->d, op);
}

static void opens(struct scene *s, const struct qk_buf *blob, const char *when)
{
    QK_AUTO_BUF plain = QK_BUF_SECRET(MPC_SYM_PLAIN_MAX);
    cr_assert_eq(
        ns_decrypt(&s->s, context, qk_buf_view(blob), all, &plain), MPC_SYM_DONE, "%s", when);
    cr_assert(qk_bytes_is(qk_buf_view(&plain), "kept"), "%s", when);
}

static void is_gone(struct scene *s, const struct qk_buf *blob, const char *when)
{
    ND_AUTO_OP *op = ns_dec_op(&s->s, context, qk_buf_view(blob), all);
    ns_op_dec(op, false);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "KMSInvalidStateException"), "%s", when);
    struct vault v = open_vault(s, SIGTERM);
    cr_assert_not(holds(s, &v, 1), "%s", when);
    close_vault(s, &v);
}

static void S_21_other_material(struct scene *s, const char *when)
{
    ND_AUTO_OP *op = import(s, 0x77, 0, 0x77, NEVER);
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        cr_assert_eq(op->answer[id].a.status, WIRE_ANSWER_FAULT, "S-21: %s", when);
        cr_assert_str_eq(nd_fault(&op->answer[id]), "IncorrectKeyMaterialException", "%s", when);
        cr_assert(nd_empty(&op->answer[id]));
    }
}

static void S_21_parts_of_different_material(struct scene *s)
{
    ND_AUTO_OP *op = import(s, 0x11, NODE, 0x22, NEVER);
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        cr_assert_eq(
            op->answer[id].a.status, WIRE_ANSWER_RETRY, "S-21: one node's is of another K");
        cr_assert(nd_empty(&op->answer[id]));
    }
    struct vault v = open_vault(s, SIGTERM);
    cr_assert_not(holds(s, &v, 1));
    close_vault(s, &v);
}

QK_TEST(sym_end, S_21_imported_material_goes_and_comes_back_as_what_it_was)
{
    struct scene s;
    QK_AUTO_BUF f = QK_BUF(MPC_SYM_BLOB_MAX);
    QK_AUTO_BUF v = QK_BUF(MPC_SYM_BLOB_MAX);
    set_up(&s);
    create_external(&s);
    S_21_parts_of_different_material(&s);
    imported(&s, 0x11, NEVER);
    cr_assert_eq(ns_encrypt(&s.s, s.key, context, "kept", all, false, &f), MPC_SYM_DONE);
    cr_assert_eq(ns_encrypt(&s.s, s.key, context, "kept", all, true, &v), MPC_SYM_DONE);
    S_21_other_material(&s, "while the first is here");
    imported(&s, 0x11, NEVER);
    opens(&s, &f, "imported while it was here");

    nd_do(&s.d, "TrentService.DeleteImportedKeyMaterial", s.body);
    is_gone(&s, &f, "deleted");
    S_21_other_material(&s, "when it is gone");
    imported(&s, 0x11, NEVER);
    opens(&s, &f, "imported again");
    opens(&s, &v, "imported again, mode V");
    cr_assert(ns_round_trip(&s.s, s.key, context, false));
    cr_assert(ns_round_trip(&s.s, s.key, context, true));
    tear_down(&s);
}

/* B-8: a repeated import that one node alone has begun to commit, and then aborted: there will be
 * no certificate of abortion, and the share is an attempt at the same epoch as the next import's.
 */
QK_TEST(sym_end, B_8_material_is_imported_again_although_one_node_holds_an_attempt_it_gave_up)
{
    struct scene s;
    uint8_t id[16];
    struct node_share_info left[NL_SHARES_MAX];
    QK_AUTO_BUF f = QK_BUF(MPC_SYM_BLOB_MAX);
    set_up(&s);
    create_external(&s);
    imported(&s, 0x11, NEVER);
    cr_assert_eq(ns_encrypt(&s.s, s.key, context, "kept", all, false, &f), MPC_SYM_DONE);
    nd_do(&s.d, "TrentService.DeleteImportedKeyMaterial", s.body);
    qk_assert_ok(mpc_sym_version_id(id, key_record(&s)->key.key_id, 1));
    nl_leave(&s.box, id, 1, 9, (enum nl_left[]){[NODE] = NL_GIVEN_UP, [3] = NL_NOTHING});
    imported(&s, 0x11, NEVER);
    cr_assert(ns_channel(&s.s, NODE));
    opens(&s, &f, "B-8: imported again");
    cr_assert_eq(nodebox_stop(&s.box, NODE, SIGTERM), 0);
    cr_assert_eq(nl_shares(&s.box, NODE, id, left), 1, "B-8: what was given up is still here");
    cr_assert(left[0].epoch == 2 && left[0].state == NODE_SHARE_ACTIVE);
    tear_down(&s);
}

/* ---- expiry ---- */

static struct nd_op *due_op(struct scene *s)
{
    struct nd_op *op = nd_op(&s->d, "TrentService.DeleteImportedKeyMaterial", s->body, all);
    kms_ref_key(key_record(s)->key.key_id, &op->ids[0]);
    kms_ref_version(key_record(s)->key.key_id, 1, &op->ids[1]);
    op->call.kind = WIRE_CALL_DUE;
    op->call.n_refs = 2;
    for (uint32_t i = 0; i < 2; i++) {
        struct nd_record *r = nd_find(&s->d, op->ids[i].kind, op->ids[i].id);
        op->call.refs[i] = (struct wire_ref){.kind = (uint8_t)op->ids[i].kind,
            .id = qk_str(op->ids[i].id),
            .version = r->stored->r.version};
        memcpy(op->call.refs[i].hash, r->stored->r.hash, 32);
    }
    return op;
}

QK_TEST(sym_end, material_that_has_expired_is_destroyed_when_its_date_has_come)
{
    struct scene s;
    char more[96];
    QK_AUTO_BUF blob = QK_BUF(MPC_SYM_BLOB_MAX);
    set_up(&s);
    create_external(&s);
    uint64_t valid_to_s = qk_now_ms() / 1000 + 12;
    (void)snprintf(more, sizeof more,
        ",\"ExpirationModel\":\"KEY_MATERIAL_EXPIRES\",\"ValidTo\":%llu",
        (unsigned long long)valid_to_s);
    imported(&s, 0x33, more);
    cr_assert_eq(ns_encrypt(&s.s, s.key, context, "kept", all, false, &blob), MPC_SYM_DONE);
    ND_AUTO_OP *early = due_op(&s);
    cr_assert(nd_refused(&s.d, early, WIRE_ANSWER_REFUSED, "not due"));
    while (qk_now_ms() < (valid_to_s + 1) * 1000) nodebox_sleep_ms(100);
    ND_AUTO_OP *op = due_op(&s);
    bool ok = nd_send(&s.d, op);
    if (!ok) nd_show(op);
    cr_assert(ok);
    nd_keep(&s.d, op);
    is_gone(&s, &blob, "expired");
    imported(&s, 0x33, NEVER);
    opens(&s, &blob, "imported again");
    tear_down(&s);
}
