#include "qk/rng.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static qk_err system_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    size_t done = 0;
    while (done < len) {
        ssize_t n = getrandom(out + done, len - done, 0);
        if (n < 0 && errno == EINTR) continue;
        QK_ENSURE(n > 0, QK_E_RNG);
        done += (size_t)n;
    }
    return QK_OK;
}

struct qk_rng *qk_rng_system(void)
{
    static struct qk_rng rng = {system_fill};
    return &rng;
}

qk_err qk_rng_fill(struct qk_rng *rng, void *out, size_t len)
{
    qk_err err = rng->fill(rng, out, len);
    if (err != QK_OK) memset(out, 0, len);
    return err;
}
