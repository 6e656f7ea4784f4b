#include "qk/secret.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sodium.h>

void *qk_locked_alloc(size_t len)
{
    if (sodium_init() < 0) return NULL;
    void *p = sodium_malloc(len);
    if (p != NULL) memset(p, 0, len);
    return p;
}

void qk_locked_free(void *p)
{
    sodium_free(p);
}

qk_err qk_harden_process(void)
{
    QK_ENSURE(sodium_init() >= 0, QK_E_RNG);
    const struct rlimit none = {0, 0};
    QK_ENSURE(setrlimit(RLIMIT_CORE, &none) == 0, QK_E_IO);
    QK_ENSURE(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, QK_E_IO);
    return QK_OK;
}
