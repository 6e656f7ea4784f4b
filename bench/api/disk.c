#include "api/disk.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>
#include "common/stats.h"
#include "common/tell.h"

static const char PREPARE[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                              "CREATE TABLE t(n INTEGER PRIMARY KEY, b BLOB NOT NULL)";
static const char COMMIT[] = "BEGIN IMMEDIATE; INSERT INTO t(b) VALUES(randomblob(300)); COMMIT";

static qk_err measure(sqlite3 *db, double *per_second)
{
    QK_ENSURE(sqlite3_exec(db, PREPARE, NULL, NULL, NULL) == SQLITE_OK, QK_E_IO);
    uint64_t from = bench_mono_ns(), now = from, n = 0;
    while (now < from + 2000000000ull) {
        QK_ENSURE(sqlite3_exec(db, COMMIT, NULL, NULL, NULL) == SQLITE_OK, QK_E_IO);
        now = bench_mono_ns();
        n++;
    }
    *per_second = (double)n / ((double)(now - from) / 1e9);
    return QK_OK;
}

qk_err bench_disk_rate(const char *folder, double *per_second)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[4096], name[4160];
    sqlite3 *db = NULL;
    int n = snprintf(path, sizeof path, "%s/qkms-bench-%d.db", folder, (int)getpid());
    QK_ENSURE(n > 0 && (size_t)n < sizeof path, QK_E_TOO_LARGE);
    qk_err err = sqlite3_open(path, &db) == SQLITE_OK ? measure(db, per_second) : QK_E_IO;
    if (err != QK_OK) bench_error("%s: %s", path, sqlite3_errmsg(db));
    (void)sqlite3_close(db);
    for (size_t i = 0; i < QK_COUNT(ends); i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
    return err;
}
