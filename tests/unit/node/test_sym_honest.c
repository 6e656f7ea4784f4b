/* Symmetric keys at real nodes, driven by an honest coordinator. */
#include "qktest/qktest.h"
#include "nodesym.h"

static const char *const context[] = {"who", "alice", "what", "payroll", NULL};

QK_TEST(sym_honest, keys_of_every_mode_encrypt_and_decrypt)
{
    struct nodebox box;
    struct nd d;
    struct ns s;
    char id[KMS_UUID_LEN + 1];
    nodebox_up(&box, "seccomp = off\n");
    nd_init(&d, &box);
    ns_init(&s, &d);
    ns_create_key(&s, "FV", id);
    cr_assert(ns_round_trip(&s, id, context, false), "mode F");
    cr_assert(ns_round_trip(&s, id, context, true), "mode V of the same key");
    cr_assert(ns_round_trip(&s, id, NULL, false), "no context");
    ns_create_key(&s, "F", id);
    cr_assert(ns_round_trip(&s, id, context, false));
    ns_create_key(&s, "V", id);
    cr_assert(ns_round_trip(&s, id, context, false));
    nd_free(&d);
    nodebox_end(&box);
}
