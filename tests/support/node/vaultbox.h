/** A folder of its own for a test, a seal and a vault in it. */
#ifndef VAULTBOX_H
#define VAULTBOX_H

#include "vault/records.h"
#include "vault/setups.h"
#include "vault/shares.h"

struct vaultbox {
    char dir[64];
    char db[96];
    char wal[96];
    struct node_seal *seal;
    struct node_vault *vault;
    const char *vfs;
    uint64_t max_bytes;
    uint16_t node_id;
    char why[256]; /* of the last open */
};

/** Folder, node key of 32 bytes 0x42, node 1; no vault yet. Aborts the process on failure. */
void vaultbox_make(struct vaultbox *box);
qk_err vaultbox_open(struct vaultbox *box, bool create);
void vaultbox_close(struct vaultbox *box);
/** Close, remove the folder. */
void vaultbox_end(struct vaultbox *box);
/** A seal under another key byte. */
struct node_seal *vaultbox_seal(const struct vaultbox *box, uint8_t key_byte, uint16_t node_id);
/** Is needle in the file? False for a missing one. */
bool vaultbox_file_has(const char *path, struct qk_bytes needle);
/** The same for db and log. */
bool vaultbox_has(const struct vaultbox *box, struct qk_bytes needle);
/** Run SQL on the closed vault's file. */
void vaultbox_sql(const struct vaultbox *box, const char *sql);
/** Flip one bit of byte `at` of the column sealed in every row of the closed vault's table. */
void vaultbox_flip(const struct vaultbox *box, const char *table, int at);
/** Append the first column of the first row of a query on the closed vault's file. */
void vaultbox_blob(const struct vaultbox *box, const char *sql, struct qk_buf *out);
/** Copy a file. */
void vaultbox_copy(const char *from, const char *to);

#endif
