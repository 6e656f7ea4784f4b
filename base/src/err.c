#include "qk/err.h"

const char *qk_err_name(qk_err err)
{
    switch (err) {
    case QK_OK:
        return "QK_OK";
    case QK_E_STATE:
        return "QK_E_STATE";
    case QK_E_MALFORMED:
        return "QK_E_MALFORMED";
    case QK_E_UNEXPECTED:
        return "QK_E_UNEXPECTED";
    case QK_E_EARLY:
        return "QK_E_EARLY";
    case QK_E_FOREIGN:
        return "QK_E_FOREIGN";
    case QK_E_TOO_LARGE:
        return "QK_E_TOO_LARGE";
    case QK_E_PROOF:
        return "QK_E_PROOF";
    case QK_E_MISMATCH:
        return "QK_E_MISMATCH";
    case QK_E_DENIED:
        return "QK_E_DENIED";
    case QK_E_NOT_FOUND:
        return "QK_E_NOT_FOUND";
    case QK_E_CONFLICT:
        return "QK_E_CONFLICT";
    case QK_E_BUSY:
        return "QK_E_BUSY";
    case QK_E_RNG:
        return "QK_E_RNG";
    case QK_E_NOMEM:
        return "QK_E_NOMEM";
    case QK_E_IO:
        return "QK_E_IO";
    case QK_E_TIMEOUT:
        return "QK_E_TIMEOUT";
    case QK_E_CRYPTO:
        return "QK_E_CRYPTO";
    case QK_E_CORRUPT:
        return "QK_E_CORRUPT";
    }
    return "QK_E_?";
}
