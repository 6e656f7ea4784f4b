/* The coordinator picks the names of new access keys. A hostile one picks a name twice. */
#include "qktest/qktest.h"
#include "nodedriver.h"

enum { HOLD_MS = 1000 };

static const uint16_t pair[] = {1, 2, 0}, others[] = {2, 3, 0};

/* CreateAccessKey with a response key of the caller's own: any 32 bytes will do here. */
static struct nd_op *access_key_op(struct nd *d, const char *user, const uint16_t *peers)
{
    char body[160];
    (void)snprintf(body, sizeof body,
        "{\"UserName\":\"%s\",\"ResponseKey\":\"CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
        user);
    return nd_op(d, "QkmsAdmin.CreateAccessKey", body, peers);
}

static void name_it(struct nd *d, struct nd_op *op, const char *access_key_id)
{
    (void)snprintf(
        op->proposal.access_key_id, sizeof op->proposal.access_key_id, "%s", access_key_id);
    nd_op_repropose(op);
    nd_op_rest_on(d, op);
}

/* The first key is certified and kept from the nodes; when every promise that may run out has run
 * out, the admin makes a key for mallory under the same name. Were that sealed to mallory, it would
 * be alice's secret, and alice's record could be published then. */
QK_TEST(hostile_names, an_access_key_id_serves_one_user_ever)
{
    struct nodebox box;
    struct nd d;
    char extra[64];
    (void)snprintf(extra, sizeof extra, "seccomp = off\npromise_hold_ms = %d\n", HOLD_MS);
    nodebox_up(&box, extra);
    nd_init(&d, &box);
    nd_do(&d, "QkmsAdmin.CreateUser", "{\"UserName\":\"alice\",\"Admin\":true}");
    nd_do(&d, "QkmsAdmin.CreateUser", "{\"UserName\":\"mallory\",\"Allow\":[]}");
    {
        ND_AUTO_OP *hers = access_key_op(&d, "alice", pair);
        cr_assert(nd_send(&d, hers));
        nodebox_sleep_ms(HOLD_MS + 500);
        ND_AUTO_OP *his = access_key_op(&d, "mallory", pair);
        name_it(&d, his, hers->proposal.access_key_id);
        cr_assert(nd_refused(&d, his, WIRE_ANSWER_RETRY, "another change"));
        ND_AUTO_OP *too = access_key_op(&d, "mallory", others);
        name_it(&d, too, hers->proposal.access_key_id);
        cr_assert(nd_refused_by(&d, 2, too, WIRE_ANSWER_RETRY, "another change"));
        /* the same promise again is no new one: the first change can still be finished */
        cr_assert(nd_send(&d, hers));
        nd_keep(&d, hers);
    }
    struct nd_user mallory; /* under a name of his own he gets his key */
    nd_access_key(&d, "mallory", &mallory);
    nd_free(&d);
    nodebox_end(&box);
}
