#include "amzdate.h"

#include <stdio.h>
#include <time.h>

/* The fields are digits already; timegm normalizes 31 February, so the round trip must be exact. */
static qk_err to_ms(struct tm tm, uint64_t *ms)
{
    struct tm back;
    time_t t = timegm(&(struct tm){.tm_year = tm.tm_year,
        .tm_mon = tm.tm_mon,
        .tm_mday = tm.tm_mday,
        .tm_hour = tm.tm_hour,
        .tm_min = tm.tm_min,
        .tm_sec = tm.tm_sec});
    QK_ENSURE(t >= 0 && gmtime_r(&t, &back) != NULL, QK_E_MALFORMED);
    QK_ENSURE(back.tm_year == tm.tm_year && back.tm_mon == tm.tm_mon &&
                  back.tm_mday == tm.tm_mday && back.tm_hour == tm.tm_hour &&
                  back.tm_min == tm.tm_min && back.tm_sec == tm.tm_sec,
        QK_E_MALFORMED);
    *ms = (uint64_t)t * 1000;
    return QK_OK;
}

/* n decimal digits at p. */
static bool digits(const uint8_t *p, size_t n, int *out)
{
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        *out = *out * 10 + (p[i] - '0');
    }
    return true;
}

qk_err kms_date_basic(struct qk_bytes text, uint64_t *ms)
{
    struct tm tm = {0};
    const uint8_t *p = text.p;
    QK_ENSURE(text.len == 16 && p[8] == 'T' && p[15] == 'Z', QK_E_MALFORMED);
    QK_ENSURE(digits(p, 4, &tm.tm_year) && digits(p + 4, 2, &tm.tm_mon) &&
                  digits(p + 6, 2, &tm.tm_mday) && digits(p + 9, 2, &tm.tm_hour) &&
                  digits(p + 11, 2, &tm.tm_min) && digits(p + 13, 2, &tm.tm_sec),
        QK_E_MALFORMED);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return to_ms(tm, ms);
}

qk_err kms_date_http(struct qk_bytes text, uint64_t *ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = {0};
    const uint8_t *p = text.p;
    QK_ENSURE(text.len == 29, QK_E_MALFORMED);
    QK_ENSURE(memcmp(p + 3, ", ", 2) == 0 && p[7] == ' ' && p[11] == ' ' && p[16] == ' ' &&
                  p[19] == ':' && p[22] == ':' && memcmp(p + 25, " GMT", 4) == 0,
        QK_E_MALFORMED);
    QK_ENSURE(digits(p + 5, 2, &tm.tm_mday) && digits(p + 12, 4, &tm.tm_year) &&
                  digits(p + 17, 2, &tm.tm_hour) && digits(p + 20, 2, &tm.tm_min) &&
                  digits(p + 23, 2, &tm.tm_sec),
        QK_E_MALFORMED);
    tm.tm_mon = -1;
    for (int m = 0; m < 12; m++)
        if (memcmp(p + 8, months + 3 * m, 3) == 0) tm.tm_mon = m;
    QK_ENSURE(tm.tm_mon >= 0, QK_E_MALFORMED);
    tm.tm_year -= 1900;
    return to_ms(tm, ms);
}
