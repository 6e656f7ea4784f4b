/* A Disable that a node learns during the rounds of a signature stops its part. */
#include "qktest/qktest.h"
#include "nodedriver.h"

static const uint16_t pair[] = {1, 2, 0}, signers[] = {2, 3, 0};

/* Node 1 alone: it waits in its session for node 2. */
static void start_one(struct nd *d, struct nd_op *op, struct nb_answer *out)
{
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    wire_call_encode(&bytes, &op->call);
    qk_assert_ok(bytes.err);
    nb_start(d->box->client[1], qk_buf_view(&bytes), ND_CALL_MS, out);
}

QK_TEST(disabled_meanwhile, a_part_is_not_released_under_a_record_that_is_no_longer_the_newest)
{
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1];
    NB_AUTO_ANSWER first = {.done = false};
    NB_AUTO_ANSWER second = {.done = false};
    QK_AUTO_BUF disabled = QK_BUF(KMS_CERTIFIED_MAX);
    nodebox_up(&box, "seccomp = off\nsession_timeout_ms = 20000\npresign_per_key = 0\n");
    nd_init(&d, &box);
    nd_create_key(&d, "ECC_NIST_P256", key);
    qk_assert_ok(nd_sign(&d, key, "warm", pair, NULL, NULL)); /* nobody needs a record any more */
    struct kms_record r = nd_find(&d, KMS_KIND_KEY, key)->stored->r;
    memcpy(r.prev, r.hash, sizeof r.prev);
    r.version++;
    r.key.state = KMS_STATE_DISABLED;
    nd_certify(&d, &r, signers, &disabled);

    ND_AUTO_OP *op = nd_op(&d, "TrentService.Sign", nd_sign_body(key, "m"), pair);
    start_one(&d, op, &first);
    nodebox_sleep_ms(500); /* it has decided, and waits */
    cr_assert_eq(nd_publish(&d, 1, qk_buf_view(&disabled)), WIRE_ANSWER_OK);
    nd_call(&d, 2, &op->call, &second);
    nb_wait(&first);
    qk_assert_ok(first.err);
    cr_assert_eq(second.a.status, WIRE_ANSWER_OK, "node 2 was not told: the session ran");
    cr_assert_eq(first.a.status, WIRE_ANSWER_RETRY);
    cr_assert(nd_empty(&first));
    nd_free(&d);
    nodebox_end(&box);
}
