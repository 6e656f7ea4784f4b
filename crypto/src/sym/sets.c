/* Which nodes hold which replicated key (document 50 section 2). */
#include "mpc/sym_record.h"

/* C(n, k), or MPC_SYM_SETS_MAX + 1 if it is more than that. */
static unsigned choose(unsigned n, unsigned k)
{
    uint64_t c = 1;
    for (unsigned i = 0; i < k; i++) {
        c = c * (n - i) / (i + 1); /* exact: a product of i+1 consecutive numbers */
        if (c > MPC_SYM_SETS_MAX && i + 1 <= n - k) return MPC_SYM_SETS_MAX + 1;
    }
    return c > MPC_SYM_SETS_MAX ? MPC_SYM_SETS_MAX + 1 : (unsigned)c;
}

static uint32_t mask_of(const unsigned *pick, unsigned k)
{
    uint32_t m = 0;
    for (unsigned i = 0; i < k; i++) m |= UINT32_C(1) << pick[i];
    return m;
}

/* The next k of 0..n-1 in lexicographic order of ascending numbers. */
static bool next_pick(unsigned *pick, unsigned n, unsigned k)
{
    unsigned i = k;
    while (i > 0 && pick[i - 1] == n - k + i - 1) i--;
    if (i == 0) return false;
    pick[i - 1]++;
    for (; i < k; i++) pick[i] = pick[i - 1] + 1;
    return true;
}

qk_err mpc_sym_sets_make(struct mpc_sym_sets *out, unsigned n, unsigned t)
{
    QK_ENSURE(t >= 2 && n <= MPC_NODES_MAX && 2 * t <= n + 1, QK_E_STATE);
    unsigned k = n - t + 1, pick[MPC_NODES_MAX];
    QK_ENSURE(choose(n, t - 1) <= MPC_SYM_SETS_MAX, QK_E_STATE);
    struct mpc_sym_sets s = {.t = (uint16_t)t, .n = (uint16_t)n, .holders = (uint16_t)k};
    for (unsigned i = 0; i < k; i++) pick[i] = i;
    do {
        s.per_node += pick[0] == 0;
        s.members[s.d++] = mask_of(pick, k);
    } while (next_pick(pick, n, k));
    *out = s;
    return QK_OK;
}
