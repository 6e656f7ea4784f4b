/* Must be reported: a table indexed by a secret. */
#include "ctime.h"

static const volatile uint8_t table[256] = {1, 2, 3};

CT_MAIN
{
    uint8_t secret;
    ct_secret_random(&secret, 1);
    volatile uint8_t looked_up = table[secret];
    (void)looked_up;
}
