/* What nodes do when they start, stop, die and come back; when keys end, setups are poisoned and
 * the disk is full. Real processes. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "mpc/otsetup.h"
#include "qk/clock.h"
#include "qk/file.h"
#include "seal/seal.h"
#include "vault/setups.h"
#include "vault/shares.h"

static const uint16_t all[] = {1, 2, 3, 0}, p12[] = {1, 2, 0}, p13[] = {1, 3, 0}, p23[] = {2, 3, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1];
};

static void set_up(struct scene *s, const char *extra)
{
    nodebox_up(&s->box, extra);
    nd_init(&s->d, &s->box);
    nd_create_key(&s->d, "ECC_NIST_P256", s->key);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static void signs(struct scene *s, const uint16_t *peers)
{
    qk_assert_ok(nd_sign(&s->d, s->key, "hello", peers, NULL, NULL));
}

/* Until a signature of these peers comes: setups may have to be made again first. */
static void signs_soon(struct scene *s, const char *key, const uint16_t *peers)
{
    qk_err err = QK_E_STATE;
    for (uint64_t until = qk_mono_ms() + 60000; err != QK_OK && qk_mono_ms() < until;) {
        err = nd_sign(&s->d, key, "soon", peers, NULL, NULL);
        if (err != QK_OK) nodebox_sleep_ms(300);
    }
    qk_assert_ok(err);
}

QK_TEST(node_life, shares_survive_restarts_and_two_nodes_suffice)
{
    struct scene s;
    set_up(&s, "seccomp = off\nsession_timeout_ms = 3000\n");
    cr_assert_eq(nodebox_stop(&s.box, 3, SIGTERM), 0, "SIGTERM is a clean end");
    signs(&s, p12);
    for (uint16_t id = 1; id <= 2; id++) cr_assert_eq(nodebox_stop(&s.box, id, SIGKILL), SIGKILL);
    for (uint16_t id = 1; id <= NB_NODES; id++) nodebox_start(&s.box, id);
    nodebox_wait_ready(&s.box);
    signs(&s, p12);
    signs(&s, p13);
    signs(&s, p23);
    /* killed in the middle: the signer that is left says RETRY in time and is well */
    ND_AUTO_OP *op = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key, "x"), p12);
    cr_assert_eq(nodebox_stop(&s.box, 2, SIGKILL), SIGKILL);
    cr_assert(nd_refused_by(&s.d, 1, op, WIRE_ANSWER_RETRY, NULL));
    signs(&s, p13);
    nodebox_start(&s.box, 2);
    nodebox_wait_ready(&s.box);
    signs(&s, p12);
    tear_down(&s);
}

/* ---- starts that must fail ---- */

static void start_fails(const struct nodebox *box, uint16_t id, const char *text)
{
    char conf[128];
    QK_AUTO_BUF said = QK_BUF(65536);
    nodebox_path(box, id, "node.conf", conf);
    int status = nodebox_run((const char *const[]){"-c", conf, NULL}, &said);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1, "%s: %d", text, status);
    cr_assert_not_null(memmem(said.p, said.len, text, strlen(text)), "%s not in: %.*s", text,
        (int)said.len, (const char *)said.p);
}

QK_TEST(node_life, wrong_keys_identities_and_second_daemons_do_not_start)
{
    struct nodebox box;
    char from[128], to[128];
    QK_AUTO_BUF bytes = QK_BUF(65536);
    nodebox_make(&box, NULL);
    nodebox_start(&box, 1);
    cr_assert(nodebox_client_up(box.client[1]));
    start_fails(&box, 1, "vault");

    nodebox_path(&box, 3, "node.key", from);
    nodebox_path(&box, 2, "node.key", to);
    qk_assert_ok(qk_file_read(from, &bytes));
    qk_assert_ok(qk_file_write(to, qk_buf_view(&bytes), 0600));
    start_fails(&box, 2, "key");
    qk_assert_ok(qk_file_write(to, qk_buf_view(&bytes), 0644));
    start_fails(&box, 2, "private");

    nodebox_path(&box, 3, "identity.key", from);
    nodebox_path(&box, 3, "identity.crt", to);
    qk_assert_ok(wire_identity_save(box.rogue, from, to));
    start_fails(&box, 3, "is not the certificate of node 3");
    cr_assert_eq(nodebox_stop(&box, 1, SIGTERM), 0);
    start_fails(&box, 3, "is not the certificate of node 3");
    nodebox_end(&box);
}

/* ---- what is not logged does not happen ---- */

QK_TEST(node_life, a_full_disk_under_the_audit_log_stops_answers)
{
    struct scene s;
    struct rlimit full = {1, RLIM_INFINITY}, room = {RLIM_INFINITY, RLIM_INFINITY};
    char body[128];
    set_up(&s, "seccomp = off\nsession_timeout_ms = 3000\n");
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", s.key);
    cr_assert_eq(prlimit(s.box.pid[1], RLIMIT_FSIZE, &full, NULL), 0);
    for (int i = 0; i < 3; i++) {
        ND_AUTO_OP *read = nd_op(&s.d, "TrentService.DescribeKey", body, p12);
        nd_call(&s.d, 1, &read->call, &read->answer[1]);
        cr_assert_eq(read->answer[1].a.status, WIRE_ANSWER_RETRY);
        cr_assert(nd_empty(&read->answer[1]));
        ND_AUTO_OP *sign = nd_op(&s.d, "TrentService.Sign", nd_sign_body(s.key, "x"), p12);
        cr_assert_not(nd_send(&s.d, sign));
        cr_assert(nd_empty(&sign->answer[1]), "no part of a signature that is not logged");
    }
    signs(&s, p23);
    cr_assert_eq(prlimit(s.box.pid[1], RLIMIT_FSIZE, &room, NULL), 0);
    cr_assert_eq(nodebox_stop(&s.box, 1, SIGTERM), 0);
    nodebox_start(&s.box, 1);
    nodebox_wait_ready(&s.box);
    signs_soon(&s, s.key, p12);
    tear_down(&s);
}

/* ---- the end of a key ---- */

/* The key's record as if ScheduleKeyDeletion had been asked for a week ago. */
static void let_the_date_come(struct scene *s, const char *id)
{
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    struct kms_record r = nd_find(&s->d, KMS_KIND_KEY, id)->stored->r;
    memcpy(r.prev, r.hash, 32);
    r.version++;
    r.key.state = KMS_STATE_PENDING_DELETION;
    r.key.pending_days = 7;
    r.key.deletion_ms = qk_now_ms() - 1000;
    nd_certify(&s->d, &r, p12, &certified);
    nd_put(&s->d, qk_buf_view(&certified));
    for (uint16_t n = 1; n <= NB_NODES; n++)
        cr_assert_eq(nd_publish(&s->d, n, qk_buf_view(&certified)), WIRE_ANSWER_OK);
}

static void due(struct scene *s, const char *id)
{
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.Sign", nd_sign_body(id, "x"), all);
    struct nd_record *r = nd_find(&s->d, KMS_KIND_KEY, id);
    op->call.kind = WIRE_CALL_DUE;
    op->call.n_refs = 1;
    op->call.refs[0] =
        (struct wire_ref){.kind = KMS_KIND_KEY, .id = qk_str(id), .version = r->stored->r.version};
    memcpy(op->call.refs[0].hash, r->stored->r.hash, 32);
    cr_assert(nd_send(&s->d, op));
    nd_keep(&s->d, op);
}

QK_TEST(node_life, B_6_a_deleted_keys_shares_are_gone_and_other_keys_go_on)
{
    struct scene s;
    char doomed[KMS_UUID_LEN + 1];
    uint8_t id[16];
    set_up(&s, NULL);
    nd_create_key(&s.d, "ECC_NIST_P256", doomed);
    qk_assert_ok(nd_sign(&s.d, doomed, "last", p12, NULL, NULL));
    let_the_date_come(&s, doomed);
    due(&s, doomed);
    ND_AUTO_OP *op = nd_op(&s.d, "TrentService.Sign", nd_sign_body(doomed, "x"), all);
    cr_assert(nd_refused(&s.d, op, WIRE_ANSWER_FAULT, "NotFoundException"));
    signs(&s, p12);
    qk_assert_ok(kms_uuid_parse(qk_str(doomed), id));
    for (uint16_t n = 1; n <= NB_NODES; n++) {
        cr_assert_eq(nodebox_audit(&s.box, n, "key.destroyed", doomed), 1u);
        cr_assert_eq(nodebox_stop(&s.box, n, SIGTERM), 0);
        struct node_seal *seal;
        struct node_vault *v = nodebox_vault(&s.box, n, &seal);
        QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
        struct node_setup info;
        qk_assert_err(node_vault_share_load(v, id, NULL, &secret, NULL), QK_E_NOT_FOUND);
        for (uint16_t peer = 1; peer <= NB_NODES; peer++)
            qk_assert_err(node_vault_setup_find(v, id, 1, peer, MPC_OT_L1, &info), QK_E_NOT_FOUND);
        node_vault_close(v);
        node_seal_free(seal);
        nodebox_start(&s.box, n);
    }
    nodebox_wait_ready(&s.box);
    signs(&s, p23);
    tear_down(&s);
}

/* ---- E-7: a poisoned setup ---- */

static void poison(struct scene *s, uint16_t id, uint16_t peer)
{
    uint8_t key[16];
    struct node_setup info;
    struct node_seal *seal;
    cr_assert_eq(nodebox_stop(&s->box, id, SIGTERM), 0);
    struct node_vault *v = nodebox_vault(&s->box, id, &seal);
    qk_assert_ok(kms_uuid_parse(qk_str(s->key), key));
    qk_assert_ok(node_vault_setup_find(v, key, 1, peer, MPC_OT_L1, &info));
    qk_assert_ok(node_vault_setup_poison(v, info.id, qk_now_ms(), NULL));
    node_vault_close(v);
    node_seal_free(seal);
    nodebox_start(&s->box, id);
    nodebox_wait_ready(&s->box);
}

QK_TEST(node_life, E_7_a_poisoned_setup_is_replaced_once_a_day_and_others_go_on)
{
    struct scene s;
    set_up(&s, "seccomp = off\nsession_timeout_ms = 2000\npresign_per_key = 0\n");
    signs(&s, p12);
    poison(&s, 1, 2);
    cr_assert_neq(nd_sign(&s.d, s.key, "x", p12, NULL, NULL), QK_OK, "never used again");
    signs(&s, p13);
    signs_soon(&s, s.key, p12);
    cr_assert_eq(nodebox_audit(&s.box, 2, "setup.given-up", NULL), 1u);
    poison(&s, 1, 2); /* a second time within the day: no new one without an operator */
    for (int i = 0; i < 3; i++) {
        cr_assert_neq(nd_sign(&s.d, s.key, "x", p12, NULL, NULL), QK_OK);
        nodebox_sleep_ms(2500);
    }
    signs(&s, p13);
    signs(&s, p23);
    tear_down(&s);
}

/* ---- B-13: nothing is answered before it is stored ---- */

/* Node 3 dies `ms` into CreateKey. Then: either all is there, or no node knows the key. */
static void crash_in_create_key(struct scene *s, unsigned ms)
{
    char id[KMS_UUID_LEN + 1];
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.CreateKey",
        "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"}", all);
    kms_uuid_text(op->proposal.key_id, id);
    wire_call_encode(&bytes, &op->call);
    for (uint16_t n = 1; n <= NB_NODES; n++)
        nb_start(s->box.client[n], qk_buf_view(&bytes), ND_CALL_MS, &op->answer[n]);
    nodebox_sleep_ms(ms);
    cr_assert_eq(nodebox_stop(&s->box, 3, SIGKILL), SIGKILL);
    bool any = false;
    for (uint16_t n = 1; n <= NB_NODES; n++) {
        nb_wait(&op->answer[n]);
        any = any || (op->answer[n].err == QK_OK && op->answer[n].a.n_signed > 0);
    }
    nodebox_start(&s->box, 3);
    nodebox_wait_ready(&s->box);
    if (!any) {
        ND_AUTO_OP *sign = nd_op(&s->d, "TrentService.Sign", nd_sign_body(id, "x"), all);
        cr_assert(nd_refused(&s->d, sign, WIRE_ANSWER_FAULT, "NotFoundException"));
        return;
    }
    /* one node has answered: then every node has its share on disk, the dead one too */
    uint8_t key_id[16];
    qk_assert_ok(kms_uuid_parse(qk_str(id), key_id));
    for (uint16_t n = 1; n <= NB_NODES; n++) {
        cr_assert_eq(nodebox_stop(&s->box, n, SIGTERM), 0);
        struct node_seal *seal;
        struct node_vault *v = nodebox_vault(&s->box, n, &seal);
        QK_AUTO_BUF secret = QK_BUF_SECRET(NODE_SHARE_MAX);
        qk_assert_ok(node_vault_share_load_epoch(v, key_id, 1, NULL, &secret, NULL));
        node_vault_close(v);
        node_seal_free(seal);
        nodebox_start(&s->box, n);
    }
    nodebox_wait_ready(&s->box);
}

QK_TEST(node_life, B_13_a_node_killed_in_create_key_leaves_a_whole_key_or_none)
{
    static const unsigned points[] = {0, 8, 16, 25, 60};
    struct scene s;
    char id[KMS_UUID_LEN + 1];
    set_up(&s, "seccomp = off\nsession_timeout_ms = 3000\n");
    for (size_t i = 0; i < QK_COUNT(points); i++) {
        cr_log_info("killed after %u ms", points[i]);
        crash_in_create_key(&s, points[i]);
        signs_soon(&s, s.key, p13);
    }
    nd_create_key(&s.d, "ECC_NIST_P256", id);
    signs_soon(&s, id, p13);
    signs_soon(&s, id, p23);
    tear_down(&s);
}
