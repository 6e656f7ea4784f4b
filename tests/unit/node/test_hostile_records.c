/* A hostile coordinator shows old, forged and forked records, and proposes what it may not. Three
 * real nodes refuse and write it down (DESIGN section 5; docs/threat-model.md). */
#include <signal.h>
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "qk/clock.h"

static const uint16_t all[] = {1, 2, 3, 0}, pair[] = {1, 2, 0};

struct scene {
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1], body[256];
};

static void set_up(struct scene *s)
{
    nodebox_up(&s->box, "seccomp = off\nsession_timeout_ms = 3000\n");
    nd_init(&s->d, &s->box);
    nd_create_key(&s->d, "ECC_NIST_P256", s->key);
    (void)snprintf(s->body, sizeof s->body, "{\"KeyId\":\"%s\"}", s->key);
}

static void tear_down(struct scene *s)
{
    nd_free(&s->d);
    nodebox_end(&s->box);
}

static struct wire_ref *ref_of(struct nd_op *op, enum kms_kind kind)
{
    for (uint32_t i = 0; i < op->call.n_refs; i++)
        if (op->call.refs[i].kind == (uint8_t)kind) return &op->call.refs[i];
    cr_assert_fail("no such ref");
    return NULL;
}

static struct nd_op *sign_op(struct scene *s)
{
    return nd_op(&s->d, "TrentService.Sign", nd_sign_body(s->key, "x"), all);
}

static void copy_certified(struct scene *s, enum kms_kind kind, const char *id, struct qk_buf *out)
{
    struct nd_record *r = nd_find(&s->d, kind, id);
    qk_buf_add(out, r->certified.p, r->certified.len);
    qk_assert_ok(out->err);
}

/* ---- older records ---- */

QK_TEST(hostile_records, a_disabled_key_stays_disabled_whatever_record_the_coordinator_shows)
{
    struct scene s;
    QK_AUTO_BUF enabled = QK_BUF(KMS_CERTIFIED_MAX);
    set_up(&s);
    copy_certified(&s, KMS_KIND_KEY, s.key, &enabled);
    ND_AUTO_OP *old = sign_op(&s); /* rests on version 1 */
    nd_do(&s.d, "TrentService.DisableKey", s.body);

    cr_assert(nd_refused(&s.d, old, WIRE_ANSWER_STALE, NULL));
    cr_assert_eq(old->answer[1].a.n_records, 1, "the newer record comes with the answer");
    old->call.records[0] = qk_buf_view(&enabled);
    old->call.n_records = 1;
    cr_assert(nd_refused(&s.d, old, WIRE_ANSWER_STALE, NULL), "with the old one attached");
    for (uint16_t id = 1; id <= NB_NODES; id++) {
        cr_assert_eq(nd_publish(&s.d, id, qk_buf_view(&enabled)), WIRE_ANSWER_OK, "no news");
        cr_assert_geq(nodebox_audit(&s.box, id, "record.older", s.key), 2u);
    }
    /* version 1's bytes named as version 2: the hash gives it away */
    ND_AUTO_OP *renamed = sign_op(&s);
    memcpy(ref_of(renamed, KMS_KIND_KEY)->hash, ref_of(old, KMS_KIND_KEY)->hash, 32);
    cr_assert(nd_refused(&s.d, renamed, WIRE_ANSWER_REFUSED, "a record does not hold"));
    /* the record named as one that does not exist */
    ND_AUTO_OP *none = sign_op(&s);
    ref_of(none, KMS_KIND_KEY)->version = 0;
    memset(ref_of(none, KMS_KIND_KEY)->hash, 0, 32);
    cr_assert(nd_refused(&s.d, none, WIRE_ANSWER_STALE, NULL));
    ND_AUTO_OP *honest = sign_op(&s);
    cr_assert(nd_refused(&s.d, honest, WIRE_ANSWER_FAULT, "DisabledException"));

    /* and after a restart: the watermark is on disk */
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_eq(nodebox_stop(&s.box, id, SIGKILL), SIGKILL);
    for (uint16_t id = 1; id <= NB_NODES; id++) nodebox_start(&s.box, id);
    nodebox_wait_ready(&s.box);
    old->call.n_records = 0;
    cr_assert(nd_refused(&s.d, old, WIRE_ANSWER_STALE, NULL));
    tear_down(&s);
}

/* ---- forged ones ---- */

/* The next version of the key's record, Disabled -> Enabled, as a forger would want it. */
static struct kms_record next_version(struct scene *s, const char *description)
{
    struct kms_record r = nd_find(&s->d, KMS_KIND_KEY, s->key)->stored->r;
    memcpy(r.prev, r.hash, 32);
    r.version++;
    r.key.description = qk_str(description);
    return r;
}

/* Attach certified to a Sign call that rests on it: refused everywhere, with an audit entry; the
 * same by PUBLISH. */
static void forged(struct scene *s, const struct kms_record *r, struct qk_bytes certified)
{
    ND_AUTO_OP *op = sign_op(s);
    struct wire_ref *ref = ref_of(op, (enum kms_kind)r->kind);
    ref->version = r->version;
    memcpy(ref->hash, r->hash, 32);
    op->call.records[0] = certified;
    op->call.n_records = 1;
    size_t before = nodebox_audit(&s->box, 2, "record.refused", NULL);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_REFUSED, "a record does not hold"));
    cr_assert_eq(nodebox_audit(&s->box, 2, "record.refused", NULL), before + 1);
    for (uint16_t id = 1; id <= NB_NODES; id++)
        cr_assert_eq(nd_publish(&s->d, id, certified), WIRE_ANSWER_REFUSED);
}

static void wrong_signers(
    struct scene *s, const uint16_t *names, const struct wire_identity *const *keys, size_t n)
{
    struct kms_record r = next_version(s, "forged");
    QK_AUTO_BUF bytes = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    struct kms_cert cert = {.n = 0};
    uint8_t msg[KMS_CERT_MSG_LEN], sig[4][WIRE_SIG_LEN];
    qk_assert_ok(kms_record_encode(&r, &bytes));
    qk_assert_ok(kms_cert_message(&r, msg));
    for (size_t i = 0; i < n; i++) {
        qk_assert_ok(wire_identity_sign(keys[i], QK_BYTES(msg), sig[i]));
        qk_assert_ok(kms_cert_add(&cert, names[i], QK_BYTES(sig[i])));
    }
    qk_assert_ok(kms_certified_encode(qk_buf_view(&bytes), &cert, &certified));
    forged(s, &r, qk_buf_view(&certified));
}

/* Twice the same signer: the second signature's node number is patched in the bytes. */
static void duplicate_signer(struct scene *s)
{
    struct kms_record r = next_version(s, "twice");
    QK_AUTO_BUF bytes = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    struct kms_cert cert = {.n = 0};
    uint8_t msg[KMS_CERT_MSG_LEN], sig[WIRE_SIG_LEN];
    qk_assert_ok(kms_record_encode(&r, &bytes));
    qk_assert_ok(kms_cert_message(&r, msg));
    qk_assert_ok(wire_identity_sign(s->box.nodes[1], QK_BYTES(msg), sig));
    qk_assert_ok(kms_cert_add(&cert, 1, QK_BYTES(sig)));
    qk_assert_ok(kms_cert_add(&cert, 3, QK_BYTES(sig)));
    qk_assert_ok(kms_certified_encode(qk_buf_view(&bytes), &cert, &certified));
    /* ... 93 03|01 c4 40 sig: a pair [node, bin of 64] is 92 NODE c4 40 */
    size_t patched = 0;
    for (size_t i = 0; i + 4 < certified.len; i++)
        if (certified.p[i] == 0x92 && certified.p[i + 1] == 3 && certified.p[i + 2] == 0xc4) {
            certified.p[i + 1] = 1;
            patched++;
        }
    cr_assert_eq(patched, 1u);
    forged(s, &r, qk_buf_view(&certified));
}

/* A certified record whose bytes were changed afterwards. */
static void altered_record(struct scene *s)
{
    struct kms_record r = next_version(s, "original");
    QK_AUTO_BUF certified = QK_BUF(KMS_CERTIFIED_MAX);
    nd_certify(&s->d, &r, pair, &certified);
    uint8_t *at = memmem(certified.p, certified.len, "original", 8);
    cr_assert_not_null(at);
    memcpy(at, "criminal", 8);
    forged(s, &r, qk_buf_view(&certified));
}

QK_TEST(hostile_records, records_without_the_signatures_of_t_nodes_are_refused)
{
    struct scene s;
    set_up(&s);
    const struct nodebox *b = &s.box;
    const struct wire_identity *const k1[] = {b->rogue, b->nodes[2]};
    const struct wire_identity *const k2[] = {b->nodes[1]};
    const struct wire_identity *const k3[] = {b->nodes[1], b->nodes[2]};
    const struct wire_identity *const k4[] = {b->nodes[1], b->rogue};
    const struct wire_identity *const k5[] = {b->nodes[1], b->coordinator};
    const struct wire_identity *const k6[] = {b->nodes[1], b->nodes[2], b->rogue};
    wrong_signers(&s, (const uint16_t[]){1, 2}, k1, 2); /* forged signature of node 1 */
    wrong_signers(&s, (const uint16_t[]){1}, k2, 1);    /* one is fewer than t */
    wrong_signers(&s, (const uint16_t[]){1, 3}, k3, 2); /* node 2's under node 3's name */
    wrong_signers(&s, (const uint16_t[]){1, 9}, k4, 2); /* a node that is not in cluster.conf */
    wrong_signers(&s, (const uint16_t[]){1, 2}, k5, 2); /* the coordinator's own key */
    wrong_signers(
        &s, (const uint16_t[]){1, 2, 3}, k6, 3); /* two good ones do not excuse a bad one */
    duplicate_signer(&s);
    altered_record(&s);
    qk_assert_ok(nd_sign(&s.d, s.key, "still here", pair, NULL, NULL));
    tear_down(&s);
}

/* ---- forks: t node keys in the wrong hands can certify, but not unnoticed ---- */

QK_TEST(hostile_records, two_certified_records_of_one_version_are_a_fork_and_written_down)
{
    struct scene s;
    QK_AUTO_BUF one = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF two = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF three = QK_BUF(KMS_CERTIFIED_MAX);
    set_up(&s);
    struct kms_record a = next_version(&s, "one"), b = next_version(&s, "two");
    nd_certify(&s.d, &a, pair, &one);
    nd_certify(&s.d, &b, (const uint16_t[]){2, 3, 0}, &two);
    cr_assert_eq(nd_publish(&s.d, 3, qk_buf_view(&one)), WIRE_ANSWER_OK);
    cr_assert_eq(nd_publish(&s.d, 3, qk_buf_view(&two)), WIRE_ANSWER_REFUSED);
    cr_assert_eq(nodebox_audit(&s.box, 3, "record.fork", s.key), 1u);
    /* a successor of the other branch */
    struct kms_record c = b;
    memcpy(c.prev, b.hash, 32);
    c.version++;
    nd_certify(&s.d, &c, (const uint16_t[]){2, 3, 0}, &three);
    cr_assert_eq(nd_publish(&s.d, 3, qk_buf_view(&three)), WIRE_ANSWER_REFUSED);
    cr_assert_eq(nodebox_audit(&s.box, 3, "record.fork", s.key), 2u);
    /* the other branch by a call */
    ND_AUTO_OP *op = sign_op(&s);
    ref_of(op, KMS_KIND_KEY)->version = b.version;
    memcpy(ref_of(op, KMS_KIND_KEY)->hash, b.hash, 32);
    cr_assert(nd_refused_by(&s.d, 3, op, WIRE_ANSWER_REFUSED, "a record does not hold"));
    tear_down(&s);
}

/* ---- proposals ---- */

static void bad_proposal(struct scene *s, void (*bend)(struct kms_proposal *p))
{
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.CreateKey",
        "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"}", all);
    bend(&op->proposal);
    nd_op_repropose(op);
    nd_op_rest_on(&s->d, op);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_REFUSED, "the proposal is not acceptable"));
}

static void no_uuid(struct kms_proposal *p)
{
    p->key_id[6] = 0x10;
}
static void zero_uuid(struct kms_proposal *p)
{
    memset(p->key_id, 0, sizeof p->key_id);
}
static void past(struct kms_proposal *p)
{
    p->now_ms -= 360000;
}
static void future(struct kms_proposal *p)
{
    p->now_ms += 360000;
}
static void extra_name(struct kms_proposal *p)
{
    memcpy(p->access_key_id, "AKIAAAAAAAAAAAAAAAAA", KMS_AKID_LEN + 1);
}

static void taken_key_id(struct scene *s)
{
    ND_AUTO_OP *op = nd_op(&s->d, "TrentService.CreateKey",
        "{\"KeySpec\":\"ECC_NIST_P256\",\"KeyUsage\":\"SIGN_VERIFY\"}", all);
    qk_assert_ok(kms_uuid_parse(qk_str(s->key), op->proposal.key_id));
    nd_op_repropose(op);
    nd_op_rest_on(&s->d, op);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_FAULT, "KMSInternalException"));
    ref_of(op, KMS_KIND_KEY)->version = 0; /* "there is no such key" */
    memset(ref_of(op, KMS_KIND_KEY)->hash, 0, 32);
    cr_assert(nd_refused(&s->d, op, WIRE_ANSWER_STALE, NULL));
}

QK_TEST(hostile_records, proposals_are_checked_and_never_trusted)
{
    struct scene s;
    set_up(&s);
    bad_proposal(&s, no_uuid);
    bad_proposal(&s, zero_uuid);
    bad_proposal(&s, past);
    bad_proposal(&s, future);
    bad_proposal(&s, extra_name);
    taken_key_id(&s);
    ND_AUTO_OP *none = nd_op(&s.d, "TrentService.DisableKey", s.body, all);
    none->call.proposal = qk_bytes(NULL, 0);
    cr_assert(nd_refused(&s.d, none, WIRE_ANSWER_FAULT, "KMSInternalException"));
    ND_AUTO_OP *garbage = nd_op(&s.d, "TrentService.DisableKey", s.body, all);
    garbage->call.proposal = qk_str("garbage");
    cr_assert(nd_refused(&s.d, garbage, WIRE_ANSWER_REFUSED, "the proposal does not decode"));
    qk_assert_ok(nd_sign(&s.d, s.key, "still here", pair, NULL, NULL));
    tear_down(&s);
}
