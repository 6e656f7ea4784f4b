/* The life of symmetric keys at real nodes: rotation, by request and by date; deletion,
 * interrupted; the count of evaluations; a creation that is interrupted at any moment. */
#include <signal.h>
#include "mpc/sym_node.h"
#include "qktest/qktest.h"
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

static void set_up(struct scene *s, const char *modes)
{
    nodebox_up(&s->box, "seccomp = off\n");
    nd_init(&s->d, &s->box);
    ns_init(&s->s, &s->d);
    ns_create_key(&s->s, modes, s->key);
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static const struct kms_key *key_of(struct scene *s)
{
    return &nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r.key;
}

static void restart(struct scene *s, uint16_t id, int sig)
{
    int end = nodebox_stop(&s->box, id, sig);
    cr_assert_eq(end, sig == SIGKILL ? SIGKILL : 0);
    nodebox_start(&s->box, id);
    nodebox_wait_ready(&s->box);
    cr_assert(ns_channel(&s->s, id));
}

/* ---- rotation ---- */

static void opens(struct scene *s, const struct qk_buf *blob)
{
    QK_AUTO_BUF plain = QK_BUF_SECRET(MPC_SYM_PLAIN_MAX);
    cr_assert_eq(ns_decrypt(&s->s, context, qk_buf_view(blob), all, &plain), MPC_SYM_DONE);
    cr_assert(qk_bytes_is(qk_buf_view(&plain), "old text"));
}

/* A certified KEY record with this change, as if time had passed. */
static void put_key(struct scene *s, void (*change)(struct kms_key *key))
{
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    struct kms_record r = nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r;
    memcpy(r.prev, r.hash, sizeof r.prev);
    r.version++;
    change(&r.key);
    nd_certify(&s->d, &r, all, &certified);
    nd_put(&s->d, qk_buf_view(&certified));
}

static void rotation_is_due(struct kms_key *key)
{
    key->sym.next_rotation_ms = qk_now_ms() - 1000;
}

/* The coordinator reminds; the refs are those that a DUE rests on. */
static struct nd_op *due_op(struct scene *s, uint32_t version)
{
    struct nd_op *op = nd_op(&s->d, "TrentService.RotateKeyOnDemand", s->body, all);
    struct kms_ref *ids = op->ids;
    op->call.kind = WIRE_CALL_DUE;
    op->call.raw = qk_bytes(NULL, 0);
    op->call.n_refs = version > 0 ? 2 : 1;
    kms_ref_key(key_of(s)->key_id, &ids[0]);
    if (version > 0) kms_ref_version(key_of(s)->key_id, version, &ids[1]);
    for (uint32_t i = 0; i < op->call.n_refs; i++) {
        struct nd_record *r = nd_find(&s->d, ids[i].kind, ids[i].id);
        op->call.refs[i] = (struct wire_ref){.kind = (uint8_t)ids[i].kind, .id = qk_str(ids[i].id)};
        if (r == NULL) continue;
        op->call.refs[i].version = r->stored->r.version;
        memcpy(op->call.refs[i].hash, r->stored->r.hash, 32);
    }
    return op;
}

static void rotate_by_date(struct scene *s)
{
    nd_do(&s->d, "TrentService.EnableKeyRotation", s->body);
    ND_AUTO_OP *early = due_op(s, ns_current(&s->s, s->key) + 1);
    cr_assert(nd_refused(&s->d, early, WIRE_ANSWER_REFUSED, "not due"));
    put_key(s, rotation_is_due);
    ND_AUTO_OP *skewed = due_op(s, ns_current(&s->s, s->key) + 1);
    skewed->proposal.now_ms += KMS_SKEW_MS + 60000;
    nd_op_repropose(skewed);
    (void)nd_send(&s->d, skewed); /* takes the record in */
    cr_assert(nd_refused(&s->d, skewed, WIRE_ANSWER_REFUSED, "proposal is not acceptable"));
    ND_AUTO_OP *op = due_op(s, ns_current(&s->s, s->key) + 1);
    bool ok = nd_send(&s->d, op);
    if (!ok) nd_show(op);
    cr_assert(ok);
    nd_keep(&s->d, op);
    cr_assert_gt(key_of(s)->sym.next_rotation_ms, qk_now_ms());
}

QK_TEST(sym_life, a_rotated_key_encrypts_with_the_new_version_and_decrypts_with_all)
{
    struct scene s;
    set_up(&s, "FV");
    QK_AUTO_BUF first = QK_BUF(MPC_SYM_BLOB_MAX);
    QK_AUTO_BUF second = QK_BUF(MPC_SYM_BLOB_MAX);
    cr_assert_eq(ns_encrypt(&s.s, s.key, context, "old text", all, false, &first), MPC_SYM_DONE);
    nd_do(&s.d, "TrentService.RotateKeyOnDemand", s.body);
    cr_assert_eq(ns_current(&s.s, s.key), 2u);
    cr_assert_eq(ns_encrypt(&s.s, s.key, context, "old text", all, true, &second), MPC_SYM_DONE);
    rotate_by_date(&s);
    cr_assert_eq(ns_current(&s.s, s.key), 3u);
    cr_assert(ns_round_trip(&s.s, s.key, context, false));
    restart(&s, NODE, SIGTERM);
    opens(&s, &first);
    opens(&s, &second);
    /* an Encrypt with a version that is no longer current */
    ND_AUTO_OP *op = ns_enc_op(&s.s, s.key, context, NULL, all);
    ns_op_enc(&s.s, op, s.key, MPC_SYM_F, 1);
    op->call.eval.ver = 2;
    cr_assert(nd_refused(&s.d, op, WIRE_ANSWER_REFUSED, "not the current version"));
    tear_down(&s);
}

/* ---- a version that was made and not announced ---- */

QK_TEST(sym_life, S_20_a_version_that_was_made_is_used_by_the_next_attempt)
{
    struct scene s;
    set_up(&s, "FV");
    ND_AUTO_OP *lost = nd_op(&s.d, "TrentService.RotateKeyOnDemand", s.body, all);
    cr_assert(nd_send(&s.d, lost)); /* its signatures are lost; the promise is held for a while */
    nd_do(&s.d, "TrentService.DescribeKey", s.body);
    for (uint16_t id = 1; id <= NB_NODES; id++) restart(&s, id, SIGKILL);
    ND_AUTO_OP *again = nd_op(&s.d, "TrentService.RotateKeyOnDemand", s.body, all);
    again->proposal = lost->proposal; /* the same records: no conflict with the promise */
    nd_op_repropose(again);
    bool ok = nd_send(&s.d, again);
    if (!ok) nd_show(again);
    cr_assert(ok);
    for (uint16_t id = 1; id <= NB_NODES; id++)
        for (uint32_t i = 0; i < again->answer[id].a.n_signed; i++)
            cr_assert(qk_bytes_eq(again->answer[id].a.signed_records[i].record,
                          lost->answer[id].a.signed_records[i].record),
                "S-20: the same version");
    nd_keep(&s.d, again);
    cr_assert_eq(ns_current(&s.s, s.key), 2u);
    cr_assert(ns_round_trip(&s.s, s.key, context, false));
    tear_down(&s);
}

/* ---- S-20 ---- */

/* CreateKey, with node 2 killed after a while; then the same again until it works. */
static void create_interrupted(struct scene *s, unsigned after_ms)
{
    char id[KMS_UUID_LEN + 1];
    static const char body[] = "{\"Tags\":[{\"TagKey\":\"qkms:modes\",\"TagValue\":\"FV\"}]}";
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.CreateKey", body, all);
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&bytes, &op->call);
    for (uint16_t n = 1; n <= NB_NODES; n++)
        nb_start(s->box.client[n], qk_buf_view(&bytes), ND_CALL_MS, &op->answer[n]);
    nodebox_sleep_ms(after_ms);
    cr_assert_eq(nodebox_stop(&s->box, NODE, SIGKILL), SIGKILL);
    for (uint16_t n = 1; n <= NB_NODES; n++) nb_wait(&op->answer[n]);
    nodebox_start(&s->box, NODE);
    nodebox_wait_ready(&s->box);
    cr_assert(ns_channel(&s->s, NODE));
    ND_AUTO_OP *again = nd_op(&s->d, "TrentService.CreateKey", body, all);
    again->proposal = op->proposal;
    nd_op_repropose(again);
    nd_op_rest_on(&s->d, again);
    bool ok = false; /* an undecided run is given up after 30 s */
    for (int tries = 0; tries < 40 && !ok; tries++) {
        if (tries > 0) nodebox_sleep_ms(1000);
        ok = nd_send(&s->d, again);
    }
    if (!ok) nd_show(again);
    cr_assert(ok, "S-20: killed after %u ms", after_ms);
    kms_uuid_text(again->proposal.key_id, id);
    nd_keep(&s->d, again);
    cr_assert(ns_round_trip(&s->s, id, context, false), "S-20: killed after %u ms", after_ms);
    cr_assert(ns_round_trip(&s->s, id, context, true), "S-20: killed after %u ms", after_ms);
}

QK_TEST(sym_life, S_20_a_creation_that_is_interrupted_leaves_a_whole_version_or_none)
{
    struct scene s;
    set_up(&s, "FV");
    uint64_t from = qk_mono_ms();
    char id[KMS_UUID_LEN + 1];
    ns_create_key(&s.s, "FV", id);
    unsigned whole = (unsigned)(qk_mono_ms() - from);
    for (unsigned i = 1; i <= 6; i++) create_interrupted(&s, whole * i / 6);
    tear_down(&s);
}

/* ---- S-24 ---- */

static uint64_t counted(struct scene *s, uint64_t raise_to)
{
    struct node_seal *seal;
    uint8_t id[16];
    char name[NODE_COUNTER_NAME_MAX], hex[33];
    uint64_t value;
    qk_assert_ok(mpc_sym_version_id(id, key_of(s)->key_id, 1));
    qk_hex(id, sizeof id, hex);
    (void)snprintf(name, sizeof name, "sym-evaluations/%s", hex);
    cr_assert_eq(nodebox_stop(&s->box, NODE, SIGKILL), SIGKILL);
    struct node_vault *v = nodebox_vault(&s->box, NODE, &seal);
    qk_assert_ok(node_vault_counter_get(v, name, &value));
    if (raise_to > 0) qk_assert_ok(node_vault_counter_raise(v, name, raise_to));
    node_vault_close(v);
    node_seal_free(seal);
    nodebox_start(&s->box, NODE);
    nodebox_wait_ready(&s->box);
    cr_assert(ns_channel(&s->s, NODE));
    return value;
}

static uint8_t encrypt_at_node(struct scene *s, uint8_t mode)
{
    ND_AUTO_OP *op = ns_enc_op(&s->s, s->key, context, NULL, all);
    ns_op_enc(&s->s, op, s->key, mode, 9);
    (void)nd_send(&s->d, op);
    const struct wire_answer *a = &op->answer[NODE].a;
    cr_assert_eq(a->status, WIRE_ANSWER_OK);
    cr_assert_eq(a->part.len > 0, a->eval_status == MPC_SYM_OK);
    return a->eval_status;
}

QK_TEST(sym_life, S_24_evaluations_are_counted_ahead_and_end_at_the_limit)
{
    enum { BLOCK = 1 << 20 };
    struct scene s;
    set_up(&s, "FV");
    cr_assert_eq(counted(&s, 0), 0u, "none yet");
    cr_assert_eq(encrypt_at_node(&s, MPC_SYM_F), MPC_SYM_OK);
    cr_assert_eq(encrypt_at_node(&s, MPC_SYM_F), MPC_SYM_OK);
    cr_assert_eq(counted(&s, 0), (uint64_t)BLOCK, "S-24: on disk ahead of use");
    cr_assert_eq(encrypt_at_node(&s, MPC_SYM_F), MPC_SYM_OK);
    cr_assert_eq(
        counted(&s, MPC_SYM_EVALUATIONS_MAX - 1), 2u * BLOCK, "S-24: what a crash forgets");
    cr_assert_eq(encrypt_at_node(&s, MPC_SYM_F), MPC_SYM_OK, "the last one");
    cr_assert_eq(encrypt_at_node(&s, MPC_SYM_F), MPC_SYM_LIMIT, "S-24");
    cr_assert_eq(encrypt_at_node(&s, MPC_SYM_V), MPC_SYM_LIMIT, "S-24: rotate first");
    nd_do(&s.d, "TrentService.RotateKeyOnDemand", s.body);
    cr_assert(ns_round_trip(&s.s, s.key, context, false), "S-24: the next version");
    tear_down(&s);
}
