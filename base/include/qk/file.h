/** Whole files, read with a bound and written so that a crash leaves the old or the new one. */
#ifndef QK_FILE_H
#define QK_FILE_H

#include "qk/bytes.h"

/** Append the file to out. QK_E_NOT_FOUND, QK_E_TOO_LARGE (out->max), QK_E_IO. */
QK_MUST_USE qk_err qk_file_read(const char *path, struct qk_buf *out);
/** Like qk_file_read, for a file that holds a secret: refused with QK_E_DENIED unless it is a
 *  regular file, owned by this user or root, and closed to group and others. */
QK_MUST_USE qk_err qk_file_read_secret(const char *path, struct qk_buf *out);
/** Write path.tmp, sync, rename, sync the directory. mode as in open(2), for example 0600. */
QK_MUST_USE qk_err qk_file_write(const char *path, struct qk_bytes data, unsigned mode);

#endif
