#include "qk/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static qk_err read_fd(int fd, struct qk_buf *out)
{
    for (;;) {
        uint8_t chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        QK_ENSURE(n >= 0, QK_E_IO);
        if (n > 0) qk_buf_add(out, chunk, (size_t)n);
        explicit_bzero(chunk, sizeof chunk); /* the file may hold a secret */
        if (n == 0 || out->err != QK_OK) return out->err;
    }
}

static qk_err open_read(const char *path, int *fd)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*fd >= 0) return QK_OK;
    return errno == ENOENT ? QK_E_NOT_FOUND : QK_E_IO;
}

qk_err qk_file_read(const char *path, struct qk_buf *out)
{
    int fd;
    QK_TRY(open_read(path, &fd));
    qk_err err = read_fd(fd, out);
    (void)close(fd);
    return err;
}

static bool is_private(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return false;
    return (st.st_uid == geteuid() || st.st_uid == 0) && (st.st_mode & 077) == 0;
}

qk_err qk_file_read_secret(const char *path, struct qk_buf *out)
{
    int fd;
    QK_TRY(open_read(path, &fd));
    qk_err err = is_private(fd) ? read_fd(fd, out) : QK_E_DENIED;
    (void)close(fd);
    return err;
}

static qk_err write_all(int fd, struct qk_bytes data)
{
    for (size_t done = 0; done < data.len;) {
        ssize_t n = write(fd, data.p + done, data.len - done);
        if (n < 0 && errno == EINTR) continue;
        QK_ENSURE(n > 0, QK_E_IO);
        done += (size_t)n;
    }
    return fsync(fd) == 0 ? QK_OK : QK_E_IO;
}

static qk_err sync_directory_of(const char *path)
{
    char copy[PATH_MAX];
    QK_ENSURE((size_t)snprintf(copy, sizeof copy, "%s", path) < sizeof copy, QK_E_STATE);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    QK_ENSURE(fd >= 0, QK_E_IO);
    qk_err err = fsync(fd) == 0 ? QK_OK : QK_E_IO;
    (void)close(fd);
    return err;
}

qk_err qk_file_write(const char *path, struct qk_bytes data, unsigned mode)
{
    char tmp[PATH_MAX];
    QK_ENSURE((size_t)snprintf(tmp, sizeof tmp, "%s.tmp", path) < sizeof tmp, QK_E_STATE);
    (void)unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    QK_ENSURE(fd >= 0, QK_E_IO);
    qk_err err = write_all(fd, data);
    if (close(fd) != 0 && err == QK_OK) err = QK_E_IO;
    if (err == QK_OK && rename(tmp, path) != 0) err = QK_E_IO;
    if (err != QK_OK) {
        (void)unlink(tmp);
        return err;
    }
    return sync_directory_of(path);
}
