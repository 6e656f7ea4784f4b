/* Which modes a cluster can serve, and what its users are told if it cannot. */
#include "core/symgen.h"
#include "qktest/qktest.h"

static bool possible(size_t n, uint16_t t, uint8_t modes, struct kms_fault *fault)
{
    struct wire_cluster cluster = {.n = n, .t = t};
    struct node node = {.cluster = &cluster};
    return node_sym_possible(&node, modes, fault);
}

QK_TEST(symgen, replicated_keys_need_nodes_enough_to_be_checked)
{
    struct kms_fault fault = {0};
    cr_assert(possible(3, 2, MPC_SYM_FV, &fault));
    cr_assert(possible(5, 3, MPC_SYM_F, &fault));
    cr_assert(possible(4, 3, MPC_SYM_V, &fault));
    cr_assert_null(fault.type);
    cr_assert_not(possible(4, 3, MPC_SYM_FV, &fault), "n < 2t-1");
    cr_assert_str_eq(fault.type, "UnsupportedOperationException");
    cr_assert_not_null(strstr(fault.message, "qkms:modes = V"), "it says what to do");
    cr_assert_not(possible(4, 3, MPC_SYM_F, &fault));
    cr_assert_not(possible(12, 6, MPC_SYM_FV, &fault), "792 sets");
}
