/** The yardstick for changes: how many transactions SQLite makes durable in a second. */
#ifndef BENCH_DISK_H
#define BENCH_DISK_H

#include "qk/bytes.h"

/** One row of 300 bytes for each transaction, WAL, synchronous FULL, one thread, two seconds, in a
 * file made in folder and removed again. QK_E_IO, told on stderr. */
QK_MUST_USE qk_err bench_disk_rate(const char *folder, double *per_second);

#endif
