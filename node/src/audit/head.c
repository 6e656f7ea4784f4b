#include "audit/head.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <openssl/evp.h>
#include "qk/file.h"

enum { SLOT = 512, SIGNED = 56, SIZE = 88 };

static const char MAGIC[8] = {'q', 'k', 'm', 's', 'a', 'u', 'd', '1'};

static qk_err encode(const struct audit_head *head, uint8_t out[static SIZE])
{
    memcpy(out, MAGIC, sizeof MAGIC);
    qk_put_u64(out + 8, head->at.seq);
    qk_put_u64(out + 16, head->start);
    memcpy(out + 24, head->at.hash, 32);
    int good = EVP_Digest(out, SIGNED, out + SIGNED, NULL, EVP_sha256(), NULL);
    return good == 1 ? QK_OK : QK_E_CRYPTO;
}

static bool read_slot(int fd, int slot, struct audit_head *head)
{
    uint8_t raw[SIZE], again[SIZE];
    if (pread(fd, raw, SIZE, (off_t)slot * SLOT) != SIZE) return false;
    struct audit_head h = {.at.seq = qk_get_u64(raw + 8), .start = qk_get_u64(raw + 16)};
    memcpy(h.at.hash, raw + 24, 32);
    if (encode(&h, again) != QK_OK || memcmp(raw, again, SIZE) != 0) return false;
    *head = h;
    return true;
}

/* A rotation changes start alone. */
static bool is_older(const struct audit_head *a, const struct audit_head *b)
{
    return a->at.seq < b->at.seq || (a->at.seq == b->at.seq && a->start < b->start);
}

/* Which slot holds the newest whole head; -1: none. */
static int newest(int fd, struct audit_head *head)
{
    int at = -1;
    for (int slot = 0; slot < 2; slot++) {
        struct audit_head h;
        if (!read_slot(fd, slot, &h) || (at >= 0 && is_older(&h, head))) continue;
        *head = h;
        at = slot;
    }
    return at;
}

qk_err audit_head_put(int fd, int slot, const struct audit_head *head)
{
    uint8_t raw[SIZE];
    QK_TRY(encode(head, raw));
    return pwrite(fd, raw, SIZE, (off_t)slot * SLOT) == SIZE ? QK_OK : QK_E_IO;
}

qk_err audit_head_sync(int fd)
{
    return fdatasync(fd) == 0 ? QK_OK : QK_E_IO;
}

static qk_err make(const char *path)
{
    uint8_t raw[SLOT + SIZE] = {0};
    const struct audit_head zero = {0};
    QK_TRY(encode(&zero, raw));
    return qk_file_write(path, QK_BYTES(raw), 0600);
}

static qk_err lock_and_read(int fd, struct audit_head *head)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? QK_E_BUSY : QK_E_IO;
    return newest(fd, head) >= 0 ? QK_OK : QK_E_CORRUPT;
}

qk_err audit_head_open(const char *path, int *fd, struct audit_head *head)
{
    if (access(path, F_OK) != 0 && errno == ENOENT) QK_TRY(make(path));
    int got = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    QK_ENSURE(got >= 0, QK_E_IO);
    qk_err err = lock_and_read(got, head);
    if (err != QK_OK) {
        (void)close(got);
        return err;
    }
    *fd = got;
    return QK_OK;
}

int audit_head_slot(int fd)
{
    struct audit_head now;
    return newest(fd, &now) == 0 ? 0 : 1;
}
