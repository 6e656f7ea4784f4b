/** A disk that fails on demand: SQLite's own file layer with a few knobs in front. */
#ifndef BADVFS_H
#define BADVFS_H

#include <stdbool.h>

struct badvfs {
    bool fail_sync;           /* xSync gives an I/O error */
    bool full;                /* xWrite gives "disk full" */
    bool drop_writes;         /* xWrite says yes and writes nothing: a disk that loses its cache */
    bool flip_writes;         /* one bit of each large write changes on its way */
    bool flip_reads;          /* one bit of each page-sized read changes on its way back */
    unsigned syncs;           /* counted */
    unsigned fail_sync_after; /* 0: never; else syncs above this number fail */
};

extern struct badvfs badvfs;

/** Register it as "bad"; once a process. */
void badvfs_register(void);

#endif
