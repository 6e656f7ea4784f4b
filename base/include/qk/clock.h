/** Clocks, for the daemons. Protocol and kms code take time as an argument. */
#ifndef QK_CLOCK_H
#define QK_CLOCK_H

#include <stdint.h>

/** Milliseconds since the Unix epoch. */
uint64_t qk_now_ms(void);
/** Milliseconds of a clock that never goes back; the origin means nothing. */
uint64_t qk_mono_ms(void);
/** Microseconds of the same clock. */
uint64_t qk_mono_us(void);
/** `2026-11-25T07:28:59.123Z` (24 characters and a NUL) for a time of qk_now_ms. */
void qk_time_iso(uint64_t ms, char out[static 25]);
/** `20261125T072859Z` (16 characters and a NUL), the form of X-Amz-Date. */
void qk_time_basic(uint64_t ms, char out[static 17]);

#endif
