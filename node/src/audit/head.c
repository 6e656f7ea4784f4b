#include "audit/head.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <openssl/evp.h>
#include "qk/file.h"

enum { SLOT = 512, SIGNED = 48, SIZE = 80 };

static const char MAGIC[8] = {'q', 'k', 'm', 's', 'a', 'u', 'd', '1'};

static qk_err encode(const struct qk_chain_head *head, uint8_t out[static SIZE])
{
    memcpy(out, MAGIC, sizeof MAGIC);
    qk_put_u64(out + 8, head->seq);
    memcpy(out + 16, head->hash, 32);
    int good = EVP_Digest(out, SIGNED, out + SIGNED, NULL, EVP_sha256(), NULL);
    return good == 1 ? QK_OK : QK_E_CRYPTO;
}

static bool read_slot(int fd, int slot, struct qk_chain_head *head)
{
    uint8_t raw[SIZE], again[SIZE];
    if (pread(fd, raw, SIZE, (off_t)slot * SLOT) != SIZE) return false;
    struct qk_chain_head h = {.seq = qk_get_u64(raw + 8)};
    memcpy(h.hash, raw + 16, 32);
    if (encode(&h, again) != QK_OK || memcmp(raw, again, SIZE) != 0) return false;
    *head = h;
    return true;
}

/* Which slot holds the newest whole head; -1: none. */
static int newest(int fd, struct qk_chain_head *head)
{
    int at = -1;
    for (int slot = 0; slot < 2; slot++) {
        struct qk_chain_head h;
        if (!read_slot(fd, slot, &h) || (at >= 0 && h.seq <= head->seq)) continue;
        *head = h;
        at = slot;
    }
    return at;
}

static qk_err write_slot(int fd, int slot, const struct qk_chain_head *head)
{
    uint8_t raw[SIZE];
    QK_TRY(encode(head, raw));
    QK_ENSURE(pwrite(fd, raw, SIZE, (off_t)slot * SLOT) == SIZE, QK_E_IO);
    return fdatasync(fd) == 0 ? QK_OK : QK_E_IO;
}

static qk_err make(const char *path)
{
    uint8_t raw[SLOT + SIZE] = {0};
    const struct qk_chain_head zero = {0};
    QK_TRY(encode(&zero, raw));
    return qk_file_write(path, QK_BYTES(raw), 0600);
}

static qk_err lock_and_read(int fd, struct qk_chain_head *head)
{
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK ? QK_E_BUSY : QK_E_IO;
    return newest(fd, head) >= 0 ? QK_OK : QK_E_CORRUPT;
}

qk_err audit_head_open(const char *path, int *fd, bool *fresh, struct qk_chain_head *head)
{
    *fresh = access(path, F_OK) != 0 && errno == ENOENT;
    if (*fresh) QK_TRY(make(path));
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

qk_err audit_head_write(int fd, const struct qk_chain_head *head)
{
    struct qk_chain_head now;
    return write_slot(fd, newest(fd, &now) == 0 ? 1 : 0, head);
}
