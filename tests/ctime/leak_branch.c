/* Must be reported: a branch on a secret, the classic early exit. */
#include "ctime.h"

static __attribute__((noinline)) int leaky_compare(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (a[i] != b[i]) return 0;
        __asm__ volatile(""); /* keeps the compiler from merging the comparisons */
    }
    return 1;
}

CT_MAIN
{
    uint8_t a[16], b[16] = {0};
    ct_secret_random(a, sizeof a);
    volatile int equal = leaky_compare(a, b, sizeof a);
    (void)equal;
}
