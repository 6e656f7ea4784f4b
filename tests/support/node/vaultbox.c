#include "vaultbox.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "qk/file.h"

#define NEED(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct node_seal *vaultbox_seal(const struct vaultbox *box, uint8_t key_byte, uint16_t node_id)
{
    static const uint8_t cluster[16] = {0xc1};
    char path[96];
    uint8_t key[32];
    struct node_keysource *source;
    struct node_seal *seal;
    memset(key, key_byte, sizeof key);
    (void)snprintf(path, sizeof path, "%s/key-%02x", box->dir, key_byte);
    NEED(qk_file_write(path, QK_BYTES(key), 0600) == QK_OK);
    NEED(node_keysource_file(&source, path) == QK_OK);
    NEED(node_seal_new(&seal, source, cluster, node_id) == QK_OK);
    node_keysource_free(source);
    return seal;
}

void vaultbox_make(struct vaultbox *box)
{
    memset(box, 0, sizeof *box);
    (void)snprintf(box->dir, sizeof box->dir, "/tmp/qkms-vault-XXXXXX");
    NEED(mkdtemp(box->dir) != NULL);
    (void)snprintf(box->db, sizeof box->db, "%s/vault.db", box->dir);
    (void)snprintf(box->wal, sizeof box->wal, "%s/vault.db-wal", box->dir);
    box->node_id = 1;
    box->seal = vaultbox_seal(box, 0x42, 1);
}

qk_err vaultbox_open(struct vaultbox *box, bool create)
{
    struct node_vault_options o = {.path = box->db,
        .seal = box->seal,
        .cluster_id = {0xc1},
        .node_id = box->node_id,
        .create = create,
        .vfs = box->vfs,
        .max_bytes = box->max_bytes};
    return node_vault_open(&box->vault, &o, box->why, sizeof box->why);
}

void vaultbox_close(struct vaultbox *box)
{
    node_vault_close(box->vault);
    box->vault = NULL;
}

void vaultbox_end(struct vaultbox *box)
{
    vaultbox_close(box);
    node_seal_free(box->seal);
    DIR *d = opendir(box->dir);
    NEED(d != NULL);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", box->dir, e->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    (void)rmdir(box->dir);
}

bool vaultbox_file_has(const char *path, struct qk_bytes needle)
{
    QK_AUTO_BUF all = QK_BUF(64u << 20);
    if (qk_file_read(path, &all) != QK_OK || all.len < needle.len) return false;
    return memmem(all.p, all.len, needle.p, needle.len) != NULL;
}

bool vaultbox_has(const struct vaultbox *box, struct qk_bytes needle)
{
    return vaultbox_file_has(box->db, needle) || vaultbox_file_has(box->wal, needle);
}

void vaultbox_sql(const struct vaultbox *box, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;
    NEED(sqlite3_open(box->db, &db) == SQLITE_OK);
    int rc = sqlite3_exec(db, sql, NULL, NULL, &message);
    if (rc != SQLITE_OK) fprintf(stderr, "%s: %s\n", sql, message);
    NEED(rc == SQLITE_OK);
    NEED(sqlite3_close(db) == SQLITE_OK);
}

void vaultbox_blob(const struct vaultbox *box, const char *sql, struct qk_buf *out)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    NEED(sqlite3_open(box->db, &db) == SQLITE_OK);
    NEED(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK);
    NEED(sqlite3_step(st) == SQLITE_ROW);
    qk_buf_add(out, sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
    NEED(out->err == QK_OK && out->len > 0);
    (void)sqlite3_finalize(st);
    NEED(sqlite3_close(db) == SQLITE_OK);
}

static void flip_row(sqlite3 *db, const char *table, sqlite3_int64 row, int at)
{
    sqlite3_blob *blob;
    unsigned char c;
    NEED(sqlite3_blob_open(db, "main", table, "sealed", row, 1, &blob) == SQLITE_OK);
    NEED(sqlite3_blob_read(blob, &c, 1, at) == SQLITE_OK);
    c ^= 0x10;
    NEED(sqlite3_blob_write(blob, &c, 1, at) == SQLITE_OK);
    NEED(sqlite3_blob_close(blob) == SQLITE_OK);
}

void vaultbox_flip(const struct vaultbox *box, const char *table, int at)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    char sql[64];
    (void)snprintf(sql, sizeof sql, "SELECT rowid FROM %s", table);
    NEED(sqlite3_open(box->db, &db) == SQLITE_OK);
    NEED(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) flip_row(db, table, sqlite3_column_int64(st, 0), at);
    (void)sqlite3_finalize(st);
    NEED(sqlite3_close(db) == SQLITE_OK);
}

void vaultbox_copy(const char *from, const char *to)
{
    QK_AUTO_BUF all = QK_BUF(64u << 20);
    NEED(qk_file_read(from, &all) == QK_OK);
    NEED(qk_file_write(to, qk_buf_view(&all), 0600) == QK_OK);
}
