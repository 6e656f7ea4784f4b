/* A node whose vault is older than what it has signed takes part in nothing any more (K17, B-12).
 */
#include <signal.h>
#include "mpc/epoch.h"
#include "mpc/share.h"
#include "qk/clock.h"
#include "qktest/qktest.h"
#include "nodedriver.h"
#include "vault/shares.h"

enum { NODE = 1 };

static const uint16_t without[] = {2, 3, 0}, with[] = {1, 2, 0};

static qk_err sign(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len)
{
    *len = WIRE_SIG_LEN;
    return wire_identity_sign(ctx, qk_bytes(msg, 64), sig);
}

/* The state of the key's run as this node's disk held it before it voted. */
static void put_back(struct nodebox *box, struct nd *d, const char *key)
{
    struct mpc_key_record rec;
    const struct kms_key *k = &nd_find(d, KMS_KIND_KEY, key)->stored->r.key;
    qk_assert_ok(mpc_record_decode(k->pkrec, &rec));
    struct mpc_epoch_run run = {.base = rec.e_net - 1, .t = rec.t, .n = rec.n, .self = NODE};
    memcpy(run.sid, rec.sid, sizeof run.sid);
    memcpy(run.key_id, rec.key_id, sizeof run.key_id);
    qk_assert_ok(mpc_record_hash(&rec, run.rec));
    for (size_t i = 0; i < rec.n; i++) run.ids[i] = rec.nodes[i].id;
    const struct mpc_signer signer = {.ctx = box->nodes[NODE], .sign = sign};
    struct mpc_epoch *epoch;
    struct mpc_effect e;
    struct node_seal *seal;
    struct node_vault *v = nodebox_vault(box, NODE, &seal);
    qk_assert_ok(mpc_epoch_start(&epoch, &run, &signer, qk_str("share")));
    while (mpc_epoch_next_effect(epoch, &e))
        if (e.kind == MPC_EFFECT_PERSIST && strcmp(e.name, "state") == 0)
            qk_assert_ok(node_vault_run_put(v, run.sid, e.data, qk_now_ms()));
    mpc_epoch_free(epoch);
    node_vault_close(v);
    node_seal_free(seal);
}

static bool says_quarantine(struct nd *d)
{
    NB_AUTO_ANSWER a = {.done = false};
    struct wire_call call = {.kind = WIRE_CALL_STATUS};
    static const char want[] = "\"Ready\":false,\"Quarantine\":true";
    memcpy(call.cluster, d->box->cluster->hash, 32);
    memcpy(call.request_id, "11111111-2222-4333-8444-555555555555", 37);
    nd_call(d, NODE, &call, &a);
    return a.err == QK_OK &&
           memmem(a.a.status_json.p, a.a.status_json.len, want, strlen(want)) != NULL;
}

static void wait_for_quarantine(struct nd *d)
{
    cr_assert(nodebox_client_up(d->box->client[NODE]));
    for (int i = 0; i < 600 && !says_quarantine(d); i++) nodebox_sleep_ms(50);
    cr_assert(says_quarantine(d), "B-12: the node goes on with a vault that was put back");
}

/* Whatever uses a share, a promise or the vault's records. */
static void expect_refused(struct nd *d, const char *key)
{
    static const char why[] = "this node is in quarantine";
    ND_AUTO_OP *sign_op = nd_op(d, "TrentService.Sign", nd_sign_body(key, "m"), with);
    cr_assert(nd_refused_by(d, NODE, sign_op, WIRE_ANSWER_REFUSED, why));
    char body[128];
    (void)snprintf(body, sizeof body, "{\"KeyId\":\"%s\"}", key);
    ND_AUTO_OP *change = nd_op(d, "TrentService.DisableKey", body, with);
    cr_assert(nd_refused_by(d, NODE, change, WIRE_ANSWER_REFUSED, why));
    NB_AUTO_ANSWER a = {.done = false};
    struct wire_call fetch = change->call;
    fetch = (struct wire_call){.kind = WIRE_CALL_FETCH, .fetch_kind = KMS_KIND_KEY};
    memcpy(fetch.cluster, change->call.cluster, 32);
    memcpy(fetch.request_id, change->call.request_id, sizeof fetch.request_id);
    nd_call(d, NODE, &fetch, &a);
    qk_assert_ok(a.err);
    cr_assert_eq(a.a.status, WIRE_ANSWER_REFUSED);
}

QK_TEST(quarantine, B_12_a_node_with_an_older_vault_never_serves)
{
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1];
    nodebox_up(&box, "seccomp = off\n");
    nd_init(&d, &box);
    nd_create_key(&d, "ECC_NIST_P256", key);
    ND_AUTO_OP *before = NULL, *after = NULL;
    qk_assert_ok(nd_sign(&d, key, "m", with, NULL, &before));

    (void)nodebox_stop(&box, NODE, SIGKILL);
    put_back(&box, &d, key);
    nodebox_start(&box, NODE);
    wait_for_quarantine(&d);
    cr_assert_eq(nodebox_audit(&box, NODE, "\"quarantine\"", "B-12"), 1u);
    expect_refused(&d, key);
    qk_assert_ok(nd_sign(&d, key, "m", without, NULL, &after)); /* the others go on */

    (void)nodebox_stop(&box, NODE, SIGTERM);
    nodebox_start(&box, NODE);
    wait_for_quarantine(&d); /* a restart does not end it */
    expect_refused(&d, key);
    nd_free(&d);
    nodebox_end(&box);
}
