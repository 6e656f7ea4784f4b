#include "badvfs.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct badvfs badvfs;

struct bad_file {
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs *below;

static sqlite3_file *real(sqlite3_file *f)
{
    return ((struct bad_file *)f)->real;
}

static int on_close(sqlite3_file *f)
{
    int rc = real(f)->pMethods->xClose(real(f));
    free(real(f));
    return rc;
}

static int on_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    int rc = real(f)->pMethods->xRead(real(f), p, n, at);
    if (badvfs.flip_reads && n >= 4096) ((unsigned char *)p)[n - 700] ^= 4;
    return rc;
}

static int on_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (badvfs.full) return SQLITE_FULL;
    if (badvfs.drop_writes) return SQLITE_OK;
    if (!badvfs.flip_writes || n < 4096) return real(f)->pMethods->xWrite(real(f), p, n, at);
    unsigned char *copy = malloc((size_t)n);
    memcpy(copy, p, (size_t)n);
    copy[n - 700] ^= 4;
    int rc = real(f)->pMethods->xWrite(real(f), copy, n, at);
    free(copy);
    return rc;
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return real(f)->pMethods->xTruncate(real(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
    badvfs.syncs++;
    bool late = badvfs.fail_sync_after != 0 && badvfs.syncs > badvfs.fail_sync_after;
    if (badvfs.fail_sync || late) return SQLITE_IOERR_FSYNC;
    return real(f)->pMethods->xSync(real(f), flags);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real(f)->pMethods->xFileSize(real(f), size);
}

static int on_lock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xLock(real(f), level);
}

static int on_unlock(sqlite3_file *f, int level)
{
    return real(f)->pMethods->xUnlock(real(f), level);
}

static int on_check_lock(sqlite3_file *f, int *out)
{
    return real(f)->pMethods->xCheckReservedLock(real(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
    return real(f)->pMethods->xFileControl(real(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
    return real(f)->pMethods->xSectorSize(real(f));
}

static int on_device(sqlite3_file *f)
{
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
}

static const sqlite3_io_methods methods = {1, on_close, on_read, on_write, on_truncate, on_sync,
    on_size, on_lock, on_unlock, on_check_lock, on_control, on_sector, on_device, NULL, NULL, NULL,
    NULL, NULL, NULL};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    (void)vfs;
    struct bad_file *bad = (struct bad_file *)f;
    bad->base.pMethods = NULL;
    bad->real = calloc(1, (size_t)below->szOsFile);
    int rc = below->xOpen(below, name, bad->real, flags, out);
    if (rc == SQLITE_OK)
        bad->base.pMethods = &methods;
    else
        free(bad->real);
    return rc;
}

void badvfs_register(void)
{
    static sqlite3_vfs vfs;
    below = sqlite3_vfs_find(NULL);
    vfs = *below;
    vfs.zName = "bad";
    vfs.szOsFile = sizeof(struct bad_file);
    vfs.xOpen = on_open;
    vfs.pNext = NULL;
    (void)sqlite3_vfs_register(&vfs, 0);
}
