#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "qk/conf.h"
#include "qk/file.h"
#include "qktest/qktest.h"

struct conf {
    char *name, *path;
    uint64_t number;
    bool flag;
};

static const struct qk_opt table[] = {
    {"name", QK_OPT_TEXT, "", NULL, 0, 0, "The name.", "", offsetof(struct conf, name)},
    {"path", QK_OPT_PATH, "", "data.db", 0, 0, "A file.", "", offsetof(struct conf, path)},
    {"number", QK_OPT_NUMBER, "ms", "10", 5, 20, "A time.", "", offsetof(struct conf, number)},
    {"flag", QK_OPT_BOOL, "", "no", 0, 0, "A switch.", "", offsetof(struct conf, flag)},
};

static qk_err parse(const char *text, struct conf *out, char why[256])
{
    char file[] = "/tmp/qkconfXXXXXX";
    int fd = mkstemp(file);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    qk_err err = qk_conf_read(file, table, QK_COUNT(table), out, why, 256);
    unlink(file);
    return err;
}

QK_TEST(conf, defaults_and_values)
{
    struct conf c;
    char why[256];
    qk_assert_ok(parse("# comment\nname = some text ; comment\nnumber=20\nflag = yes\n", &c, why));
    cr_assert_str_eq(c.name, "some text");
    cr_assert_str_eq(c.path, "/tmp/data.db");
    cr_assert_eq(c.number, 20);
    cr_assert(c.flag);
    qk_conf_free(table, QK_COUNT(table), &c);
}

QK_TEST(conf, every_fault_is_named)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"number = 7\n", "name is required"},
        {"name = a\nname = b\n", "name is given twice"},
        {"name = a\nnumber = 4\n", "must be a number from 5 to 20 ms, not '4'"},
        {"name = a\nnumber = -7\n", "must be a number"},
        {"name = a\nnumber = 7x\n", "must be a number"},
        {"name = a\nflag = true\n", "must be yes or no, not 'true'"},
        {"name = a\nother = 1\n", "unknown option 'other'"},
        {"[section]\nname = a\n", "sections are not used"},
        {"name a\n", "not a 'name = value' line"},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct conf c;
        char why[256];
        qk_assert_err(parse(bad[i].text, &c, why), QK_E_MALFORMED);
        cr_expect_not_null(strstr(why, bad[i].why), "%s gave: %s", bad[i].text, why);
    }
    struct conf c;
    char why[256];
    qk_assert_err(qk_conf_read("/nonexistent/x", table, QK_COUNT(table), &c, why, sizeof why),
        QK_E_NOT_FOUND);
}

QK_TEST(conf, the_sample_parses)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    qk_conf_print_sample(table, QK_COUNT(table), f);
    fclose(f);
    struct conf c;
    char why[256];
    qk_assert_ok(parse(text, &c, why));
    cr_assert_str_eq(c.name, "");
    qk_conf_free(table, QK_COUNT(table), &c);
    free(text);
}
