#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qk/file.h"
#include "qktest/qktest.h"

QK_TEST(file, a_secret_file_must_be_private)
{
    char dir[] = "/tmp/qkfileXXXXXX", path[64];
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/secret", dir);
    QK_AUTO_BUF out = QK_BUF_SECRET(64);
    qk_assert_err(qk_file_read_secret(path, &out), QK_E_NOT_FOUND);
    qk_assert_ok(qk_file_write(path, qk_str("hush"), 0600));
    qk_assert_ok(qk_file_read_secret(path, &out));
    cr_assert(qk_bytes_is(qk_buf_view(&out), "hush"));
    cr_assert_eq(chmod(path, 0640), 0);
    qk_assert_err(qk_file_read_secret(path, &out), QK_E_DENIED);
    QK_AUTO_BUF small = QK_BUF(3);
    qk_assert_err(qk_file_read(path, &small), QK_E_TOO_LARGE);
    unlink(path);
    rmdir(dir);
}

QK_TEST(file, writing_replaces_whole_files_only)
{
    char dir[] = "/tmp/qkfileXXXXXX", path[64], tmp[80];
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/f", dir);
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", path);
    qk_assert_ok(qk_file_write(path, qk_str("one"), 0644));
    qk_assert_ok(qk_file_write(path, qk_str("two"), 0600));
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_neq(stat(tmp, &st), 0, "nothing is left behind");
    QK_AUTO_BUF out = QK_BUF(64);
    qk_assert_ok(qk_file_read(path, &out));
    cr_assert(qk_bytes_is(qk_buf_view(&out), "two"));
    unlink(path);
    rmdir(dir);
    qk_assert_err(qk_file_write(path, qk_str("x"), 0600), QK_E_IO);
}
