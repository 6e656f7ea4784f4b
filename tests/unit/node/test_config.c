#include "qktest/qktest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "config.h"
#include "qk/file.h"

static char dir[64];
static char path[96];

static qk_err read_text(const char *text, struct node_config *out, char why[static 256])
{
    (void)snprintf(dir, sizeof dir, "/tmp/qkms-config-XXXXXX");
    cr_assert(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/node.conf", dir);
    qk_assert_ok(qk_file_write(path, qk_str(text), 0600));
    qk_err err = node_config_read(path, out, why, 256);
    (void)unlink(path);
    (void)rmdir(dir);
    return err;
}

QK_TEST(config, needs_two_options_and_has_sane_defaults)
{
    struct node_config c;
    char why[256], want[128];
    qk_err err = read_text("cluster = cluster.conf\nnode_id = 3\n", &c, why);
    cr_assert_eq(err, QK_OK, "%s", why);
    cr_assert_eq(c.node_id, 3);
    (void)snprintf(want, sizeof want, "%s/cluster.conf", dir);
    cr_assert_eq(strcmp(c.cluster, want), 0, "%s", c.cluster);
    (void)snprintf(want, sizeof want, "%s/node.key", dir);
    cr_assert_eq(strcmp(c.node_key, want), 0, "%s", c.node_key);
    cr_assert_eq(c.seccomp_mode, NODE_SECCOMP_KILL);
    cr_assert_eq(c.level, QK_INFO);
    cr_assert_eq(c.audit_sync_mode, NODE_AUDIT_SYNC_CHANGES);
    cr_assert_eq(c.max_sessions, 1024);
    cr_assert_eq(c.max_sessions_per_peer, 64);
    cr_assert(!c.allow_plain);
    node_config_free(&c);
}

QK_TEST(config, a_credential_is_a_name_and_not_a_path)
{
    struct node_config c;
    char why[256];
    qk_assert_ok(read_text("cluster = /c\nnode_id = 3\nnode_key_source = credential\n"
                           "node_key = nodekey\n",
        &c, why));
    cr_assert_eq(strcmp(c.node_key, "nodekey"), 0);
    node_config_free(&c);
}

QK_TEST(config, every_mistake_is_named)
{
    static const struct {
        const char *more, *says;
    } bad[] = {
        {"seccomp = maybe\n", "seccomp must be kill, refuse, log or off, not 'maybe'"},
        {"log_level = loud\n", "log_level must be debug, info, warn or error, not 'loud'"},
        {"node_key_source = tpm\n", "node_key_source must be file, passphrase, credential"},
        {"audit_sync = never\n", "audit_sync must be changes or all, not 'never'"},
        {"listen = tcp://0.0.0.0:1\n", "listen must be a tls+tcp:// URL"},
        {"call_listen = ipc:///x\n", "call_listen must be a tls+tcp:// URL"},
        {"max_sessions = 10\n", "max_sessions_per_peer is above max_sessions"},
        {"audit = vault.db\n", "vault and audit name the same file"},
        {"presign_per_key = 65\n", "presign_per_key must be a number from 0 to 64"},
        {"threads = 0\n", "threads must be a number from 1 to 256"},
        {"allow_plain = true\n", "allow_plain must be yes or no"},
        {"node_id = 4\n", "node_id is given twice"},
        {"nodeid = 4\n", "unknown option 'nodeid'"},
        {"[node]\n", ""},
        {"just words\n", "not a 'name = value' line"},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct node_config c;
        char text[256], why[256];
        (void)snprintf(text, sizeof text, "cluster = c\nnode_id = 3\n%s", bad[i].more);
        qk_err err = read_text(text, &c, why);
        if (bad[i].says[0] == 0) { /* an empty section alone has no effect */
            if (err == QK_OK) node_config_free(&c);
            continue;
        }
        cr_expect_eq(err, QK_E_MALFORMED, "%s: %s", bad[i].more, qk_err_name(err));
        cr_expect(strstr(why, bad[i].says) != NULL, "%s: '%s'", bad[i].more, why);
        cr_expect(strstr(why, path) == why, "'%s' does not name the file", why);
    }
}

QK_TEST(config, names_what_is_missing)
{
    struct node_config c;
    char why[256];
    qk_assert_err(read_text("node_id = 3\n", &c, why), QK_E_MALFORMED);
    cr_assert(strstr(why, "cluster is required") != NULL, "%s", why);
    qk_assert_err(read_text("cluster = c\nnode_id = 256\n", &c, why), QK_E_MALFORMED);
    cr_assert(strstr(why, "node_id must be a number from 1 to 255") != NULL, "%s", why);
    qk_assert_err(node_config_read("/nonexistent/x", &c, why, sizeof why), QK_E_NOT_FOUND);
}

QK_TEST(config, the_sample_file_with_its_blanks_filled_is_a_configuration)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    qk_conf_print_sample(node_config_table, node_config_n, f);
    (void)fclose(f);
    QK_AUTO_BUF conf = QK_BUF(1 << 16);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        size_t n = strlen(line);
        if (line[0] == '#' && line[1] != ' ') line++; /* use each default as it is printed */
        const char *value = strcmp(line, "cluster =") == 0   ? " c.conf"
                            : strcmp(line, "node_id =") == 0 ? " 1"
                                                             : "";
        cr_assert(n < 400);
        qk_buf_printf(&conf, "%s%s\n", line, value);
    }
    struct node_config c;
    char why[256];
    qk_err err = read_text(qk_buf_cstr(&conf), &c, why);
    cr_assert_eq(err, QK_OK, "%s", why);
    node_config_free(&c);
    free(text);
}
