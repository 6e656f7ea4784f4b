#include <unistd.h>

#include "qk/log.h"
#include "qktest/qktest.h"

/* What one call writes. */
static void logged(char *line, size_t len, struct qk_bytes value)
{
    int fd[2];
    cr_assert_eq(pipe(fd), 0);
    qk_log_setup(fd[1], QK_INFO, "test");
    qk_log(QK_DEBUG, "too.quiet");
    qk_log(QK_INFO, "event", QK_F_TEXT("v", value), QK_F_INT("n", -3), QK_F_HEX("h", "\x01\xfe", 2),
        QK_F_ERR(QK_E_PROOF));
    qk_log_setup(-1, QK_ERROR, "test");
    close(fd[1]);
    ssize_t n = read(fd[0], line, len - 1);
    close(fd[0]);
    cr_assert_gt(n, 0);
    line[n] = 0;
}

QK_TEST(log, hostile_text_cannot_forge_a_line)
{
    char line[4096];
    logged(line, sizeof line, qk_str("a\"}\n{\"event\":\"forged\"\\ \x01\xff"));
    cr_assert_not_null(strstr(line, "\"event\":\"event\",\"v\":\"a\\\"}\\u000a{\\\"event\\\":"
                                    "\\\"forged\\\"\\\\ \\u0001\\ufffd\","
                                    "\"n\":-3,\"h\":\"01fe\",\"err\":\"QK_E_PROOF\"}\n"));
    cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line");
    cr_assert_null(strstr(line, "too.quiet"));
}

QK_TEST(log, long_values_are_cut)
{
    static uint8_t text[5000];
    char line[4096];
    memset(text, 'x', sizeof text);
    logged(line, sizeof line, QK_BYTES(text));
    cr_assert_lt(strlen(line), 900);
}
