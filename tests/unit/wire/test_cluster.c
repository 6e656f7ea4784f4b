/* cluster.conf: one reading, or none. */
#include "qktest/qktest.h"
#include "wiretest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/evp.h>
#include "qk/file.h"

QK_TEST(cluster, reads_what_was_written)
{
    struct wt_world w;
    wt_world_init(&w);
    const struct wire_cluster *c = w.cluster;
    cr_assert_str_eq(c->name, "test");
    cr_assert_str_eq(c->account, "123456789012");
    cr_assert_str_eq(c->region, "eu-test-1");
    cr_assert_eq(c->id[2], 3);
    cr_assert_eq(c->t, 2);
    cr_assert_eq(c->n, WT_NODES);
    cr_assert_eq(wire_cluster_node(c, 2), &c->nodes[1]);
    cr_assert_null(wire_cluster_node(c, 4));
    cr_assert_eq(wire_cluster_node_by_cert(c, wire_identity_cert(w.nodes[2]))->id, 3);
    cr_assert_null(wire_cluster_node_by_cert(c, wire_identity_cert(w.rogue)));
    cr_assert_not_null(wire_cluster_coordinator(c, "alpha"));
    cr_assert_null(wire_cluster_coordinator(c, "alice"));
    cr_assert_not_null(wire_cluster_operator(c, "alice"));
    cr_assert(
        qk_bytes_eq(wire_key_spki(c->nodes[0].key), wire_key_spki(wire_identity_key(w.nodes[0]))));
    wt_world_free(&w);
}

QK_TEST(cluster, printing_and_comments_keep_the_hash_and_every_field_changes_it)
{
    struct wt_world w;
    wt_world_init(&w);
    char why[256];
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    qk_buf_add_str(&text, "# a comment\n\n  ; another\n");
    wire_cluster_print(&text, w.cluster);
    struct wire_cluster *again;
    qk_assert_ok(wire_cluster_parse(&again, qk_buf_view(&text), why, sizeof why));
    cr_assert_eq(memcmp(again->hash, w.cluster->hash, 32), 0);
    wire_cluster_free(again);
    struct wire_cluster *other[] = {wt_other_cluster(&w), wt_moved(&w, 1, 1), wt_moved(&w, 3, 1)};
    for (size_t i = 0; i < QK_COUNT(other); i++) {
        cr_assert_neq(memcmp(other[i]->hash, w.cluster->hash, 32), 0);
        wire_cluster_free(other[i]);
    }
    wt_world_free(&w);
}

/* The hash, written out a second time from the header's words. */
static void framed(struct qk_buf *b, const void *p, size_t len)
{
    qk_buf_add_u32(b, (uint32_t)len);
    qk_buf_add(b, p, len);
}

QK_TEST(cluster, hash_is_the_documented_one)
{
    struct wt_world w;
    wt_world_init(&w);
    const struct wire_cluster *c = w.cluster;
    QK_AUTO_BUF b = QK_BUF(1 << 16);
    framed(&b, "qkms-cluster-v1", 15);
    framed(&b, "test", 4);
    framed(&b, c->id, 16);
    framed(&b, "123456789012", 12);
    framed(&b, "eu-test-1", 9);
    framed(&b, "\x02", 1);
    framed(&b, "\x03", 1);
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t id = (uint8_t)(i + 1);
        framed(&b, &id, 1);
        framed(&b, c->nodes[i].address, strlen(c->nodes[i].address));
        framed(&b, c->nodes[i].call_address, strlen(c->nodes[i].call_address));
        framed(&b, c->nodes[i].cert.p, c->nodes[i].cert.len);
    }
    framed(&b, "\x01", 1);
    framed(&b, "alpha", 5);
    framed(&b, c->coordinators[0].cert.p, c->coordinators[0].cert.len);
    framed(&b, "\x01", 1);
    framed(&b, "alice", 5);
    framed(&b, wire_key_spki(c->operators[0].key).p, WIRE_SPKI_LEN);
    uint8_t hash[32];
    cr_assert_eq(EVP_Digest(b.p, b.len, hash, NULL, EVP_sha256(), NULL), 1);
    cr_assert_eq(memcmp(hash, c->hash, 32), 0);
    wt_world_free(&w);
}

/* Replace the first `from` in text by `to`. */
static struct qk_bytes replace(
    struct qk_buf *out, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    cr_assert_not_null(at, "no '%s' in the file", from);
    qk_buf_clear(out);
    qk_buf_add(out, text, (size_t)(at - text));
    qk_buf_add_str(out, to);
    qk_buf_add_str(out, at + strlen(from));
    return qk_buf_view(out);
}

static const struct {
    const char *from, *to, *why;
} hostile[] = {
    {"[cluster]", "", "this name does not belong here"},
    {"[cluster]", "[cluster]\n[cluster]", "ends without 'name'"},
    {"[cluster]", "[cluster x]", "[cluster] stands once"},
    {"[cluster]", "[Cluster]", "unknown section"},
    {"[cluster]", "[cluster", "ends with ']'"},
    {"[cluster]", "[node 7]\n[cluster]", "[cluster] comes first"},
    {"name = test\n", "", "ends without 'name'"},
    {"name = test", "name = test\nname = test", "'name' is given twice"},
    {"name = test", "name = te st", "name must be"},
    {"name = test", "name =", "name must be"},
    {"name = test", "name test", "neither"},
    {"name = test", "nome = test", "does not belong"},
    {"name = test", "name : test", "neither"},
    {"name = test", "name = t\xc3\xa9st", "byte c3"},
    {"name = test", "name = test\r", "byte 0d"},
    {"name = test", "name = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "longer than 64"},
    {"id = 010203", "id = 01020", "id must be 32"},
    {"id = 010203", "id = 01020G", "id must be 32"},
    {"id = 010203", "id = 0102030", "id must be 32"},
    {"account = 123456789012", "account = 12345678901", "12 digits"},
    {"account = 123456789012", "account = 12345678901a", "12 digits"},
    {"region = eu-test-1", "region = EU", "region must be"},
    {"region = eu-test-1", "region =", "region must be"},
    {"threshold = 2", "threshold = 1", "threshold must be"},
    {"threshold = 2", "threshold = 0", "threshold must be"},
    {"threshold = 2", "threshold = 02", "threshold must be"},
    {"threshold = 2", "threshold = -2", "threshold must be"},
    {"threshold = 2", "threshold = 33", "threshold must be"},
    {"threshold = 2", "threshold = 99999999999999999999", "threshold must be"},
    {"threshold = 2", "threshold = 4", "threshold 4 is more than the 3 nodes"},
    {"[node 1]", "[node 0]", "from 1 to 255"},
    {"[node 1]", "[node]", "from 1 to 255"},
    {"[node 1]", "[node 256]", "from 1 to 255"},
    {"[node 3]", "[node 257]", "from 1 to 255"},
    {"[node 1]", "[node 01]", "from 1 to 255"},
    {"[node 1]", "[node 2]", "ascend"},
    {"[node 2]", "[node 1]", "ascend"},
    {"[node 3]", "[node 1]", "ascend"},
    {"tls+tcp://127.0.0.1:", "tcp://127.0.0.1:", "tls+tcp://host:port"},
    {"tls+tcp://127.0.0.1:", "tls+tcp://", "tls+tcp://host:port"},
    {"tls+tcp://127.0.0.1:", "tls+tcp://:", "tls+tcp://host:port"},
    {"tls+tcp://127.0.0.1:", "tls+tcp://127.0.0.1:0", "tls+tcp://host:port"},
    {"tls+tcp://127.0.0.1:", "tls+tcp://127.0.0.1:9", "tls+tcp://host:port"},
    {"tls+tcp://127.0.0.1:", "tls+tcp://a/b:", "tls+tcp://host:port"},
    {"tls+tcp://127.0.0.1:", "tls+tcp://[127.0.0.1:", "tls+tcp://host:port"},
    {"tls+tcp://127.0.0.1:", "tls+tcp://u@127.0.0.1:", "tls+tcp://host:port"},
    {"\ncertificate = ", "\ncertificate = AAAA\n#", "not one DER certificate"},
    {"\ncertificate = ", "\ncertificate =\n#", "base64"},
    {"\ncertificate = ", "\ncertificate = !", "base64"},
    {"\nkey = ", "\nkey = AAAA\n#", "SubjectPublicKeyInfo"},
    {"[coordinator alpha]", "[coordinator]", "a name is 1 to"},
    {"[coordinator alpha]", "[coordinator al pha]", "a name is 1 to"},
    {"[coordinator alpha]", "[node 9]", "'key'"},
    {"[operator alice]", "[coordinator beta]", "does not belong"},
    {"[operator alice]", "[delegate alice]", "unknown section"},
    {"[operator alice]", "[operator alice]\n[operator bob]", "ends without 'key'"},
};

QK_TEST(cluster, refuses_hostile_files_and_says_why)
{
    struct wt_world w;
    wt_world_init(&w);
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    QK_AUTO_BUF bent = QK_BUF(2 * WIRE_CLUSTER_FILE_MAX);
    wire_cluster_print(&text, w.cluster);
    for (size_t i = 0; i < QK_COUNT(hostile); i++) {
        char why[256];
        struct wire_cluster *c;
        struct qk_bytes in = replace(&bent, qk_buf_cstr(&text), hostile[i].from, hostile[i].to);
        qk_err got = wire_cluster_parse(&c, in, why, sizeof why);
        cr_expect_eq(got, QK_E_MALFORMED, "%s -> %s", hostile[i].from, hostile[i].to);
        if (strcmp(hostile[i].to, "[node 9]") == 0) continue; /* any reason will do */
        cr_expect(strstr(why, hostile[i].why) != NULL, "%s -> %s: says '%s'", hostile[i].from,
            hostile[i].to, why);
    }
    wt_world_free(&w);
}

static void expect_refused(struct qk_buf *text, const char *reason)
{
    char why[256];
    struct wire_cluster *c;
    qk_assert_err(wire_cluster_parse(&c, qk_buf_view(text), why, sizeof why), QK_E_MALFORMED);
    cr_assert(strstr(why, reason) != NULL, "says '%s', not '%s'", why, reason);
}

static void head(struct qk_buf *text)
{
    static const uint8_t id[16] = {0};
    qk_buf_clear(text);
    wire_cluster_put(text, "c", id, "123456789012", "r", 2);
}

QK_TEST(cluster, refuses_shared_keys_shared_addresses_and_bad_counts)
{
    struct wt_world w;
    wt_world_init(&w);
    struct qk_bytes cert[] = {wire_identity_cert(w.nodes[0]), wire_identity_cert(w.nodes[1])};
    const char *a = "tls+tcp://h:1", *b = "tls+tcp://h:2", *c = "tls+tcp://h:3",
               *d = "tls+tcp://[::1]:4";
    QK_AUTO_BUF t = QK_BUF(WIRE_CLUSTER_FILE_MAX + 10);
    head(&t);
    wire_cluster_put_node(&t, 1, a, b, cert[0]);
    expect_refused(&t, "at least 2 nodes");
    wire_cluster_put_node(&t, 2, c, d, cert[0]);
    expect_refused(&t, "another party's");
    head(&t);
    wire_cluster_put_node(&t, 1, a, b, cert[0]);
    wire_cluster_put_node(&t, 2, c, b, cert[1]);
    expect_refused(&t, "another listener's");
    head(&t);
    wire_cluster_put_node(&t, 1, a, a, cert[0]);
    expect_refused(&t, "another listener's");
    head(&t);
    wire_cluster_put_node(&t, 1, a, b, cert[0]);
    wire_cluster_put_node(&t, 255, c, d, cert[1]);
    size_t good = t.len;
    struct wire_cluster *cluster;
    char why[256];
    qk_assert_ok(wire_cluster_parse(&cluster, qk_buf_view(&t), why, sizeof why));
    wire_cluster_free(cluster);
    wire_cluster_put_coordinator(&t, "x", cert[1]);
    expect_refused(&t, "another party's");
    t.len = good;
    wire_cluster_put_operator(&t, "x", wire_key_spki(wire_identity_key(w.nodes[1])));
    expect_refused(&t, "another party's");
    t.len = good;
    wire_cluster_put_coordinator(&t, "x", wire_identity_cert(w.coordinator));
    wire_cluster_put_coordinator(&t, "x", wire_identity_cert(w.rogue));
    expect_refused(&t, "two coordinators named x");
    qk_buf_clear(&t);
    expect_refused(&t, "at least 2 nodes");
    (void)qk_buf_extend(&t, 3);
    expect_refused(&t, "byte 00");
    qk_buf_clear(&t);
    while (t.len < WIRE_CLUSTER_FILE_MAX) qk_buf_add_str(&t, "#");
    qk_buf_add_str(&t, "#");
    expect_refused(&t, "too large");
    wt_world_free(&w);
}

/* n nodes in text, t of which use a key. */
static void cluster_of(struct qk_buf *text, uint16_t n, uint16_t t)
{
    static const uint8_t id[16] = {1, 2, 3};
    char a[64], b[64];
    wire_cluster_put(text, "test", id, "123456789012", "eu-test-1", t);
    for (uint16_t i = 1; i <= n; i++) {
        struct wire_identity *node;
        qk_assert_ok(wire_identity_generate(&node, "n"));
        (void)snprintf(a, sizeof a, "tls+tcp://h:%u", 2u * i);
        (void)snprintf(b, sizeof b, "tls+tcp://h:%u", 2u * i + 1);
        wire_cluster_put_node(text, i, a, b, wire_identity_cert(node));
        wire_identity_free(node);
    }
}

/* Whoever acts with t nodes meets one of the quorum, and two quorums have a node in common. */
QK_TEST(cluster, a_quorum_meets_every_t_nodes_and_every_other_quorum)
{
    for (uint16_t n = 2; n <= WIRE_NODES_MAX; n++)
        for (uint16_t t = 2; t <= n; t++) {
            struct wire_cluster c = {.n = n, .t = t};
            size_t q = wire_cluster_quorum(&c);
            cr_assert(q >= t && q <= n, "%u of %u: %zu", t, n, q);
            cr_assert(q + t > n && 2 * q > n, "%u of %u: %zu", t, n, q);
        }
}

QK_TEST(cluster, the_quorum_is_not_the_threshold)
{
    static const struct {
        uint16_t n, t;
        size_t q;
    } known[] = {{2, 2, 2}, {3, 2, 2}, {4, 2, 3}, {4, 3, 3}, {5, 2, 4}, {5, 3, 3}, {7, 3, 5}};
    for (size_t i = 0; i < QK_COUNT(known); i++) {
        QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
        struct wire_cluster *c;
        char why[256] = "";
        cluster_of(&text, known[i].n, known[i].t);
        qk_assert_ok(wire_cluster_parse(&c, qk_buf_view(&text), why, sizeof why));
        cr_assert_eq(c->t, known[i].t);
        cr_assert_eq(wire_cluster_quorum(c), known[i].q, "%u of %u", known[i].t, known[i].n);
        wire_cluster_free(c);
    }
}

QK_TEST(cluster, a_threshold_above_the_number_of_nodes_is_refused)
{
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    cluster_of(&text, 3, 4);
    expect_refused(&text, "threshold 4 is more than the 3 nodes");
}

QK_TEST(cluster, too_many_parties_are_refused)
{
    struct wt_world w;
    wt_world_init(&w);
    QK_AUTO_BUF t = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    head(&t);
    for (uint16_t i = 1; i <= WIRE_NODES_MAX + 1; i++) {
        char a[40], b[40];
        struct wire_identity *id;
        qk_assert_ok(wire_identity_generate(&id, "n"));
        (void)snprintf(a, sizeof a, "tls+tcp://h:%u", i);
        (void)snprintf(b, sizeof b, "tls+tcp://h:%u", 1000 + i);
        wire_cluster_put_node(&t, i, a, b, wire_identity_cert(id));
        wire_identity_free(id);
    }
    expect_refused(&t, "more than 32 nodes");
    wt_world_free(&w);
}

QK_TEST(cluster, every_truncation_is_refused_or_a_whole_file)
{
    struct wt_world w;
    wt_world_init(&w);
    QK_AUTO_BUF t = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    wire_cluster_print(&t, w.cluster);
    unsigned whole = 0;
    for (size_t len = 0; len <= t.len; len++) {
        char why[8]; /* short on purpose: messages are cut, never overrun */
        struct wire_cluster *c;
        if (wire_cluster_parse(&c, qk_bytes(t.p, len), why, sizeof why) != QK_OK) continue;
        whole++; /* after node 2, after 3, after the coordinator, after the operator; LF or not */
        wire_cluster_free(c);
    }
    cr_assert_leq(whole, 12);
    cr_assert_geq(whole, 8);
    wt_world_free(&w);
}

QK_TEST(cluster, reads_from_a_file)
{
    struct wt_world w;
    wt_world_init(&w);
    char path[] = "/tmp/qkms-cluster-XXXXXX", why[256];
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    struct wire_cluster *c;
    qk_assert_ok(qk_file_write(path, qk_str("[cluster]\nname = \n"), 0644));
    qk_assert_err(wire_cluster_read(&c, path, why, sizeof why), QK_E_MALFORMED);
    cr_assert(strstr(why, path) != NULL && strstr(why, "line 2") != NULL, "says '%s'", why);
    QK_AUTO_BUF t = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    wire_cluster_print(&t, w.cluster);
    qk_assert_ok(qk_file_write(path, qk_buf_view(&t), 0644));
    qk_assert_ok(wire_cluster_read(&c, path, why, sizeof why));
    cr_assert_eq(memcmp(c->hash, w.cluster->hash, 32), 0);
    wire_cluster_free(c);
    (void)unlink(path);
    qk_assert_err(wire_cluster_read(&c, path, why, sizeof why), QK_E_NOT_FOUND);
    wt_world_free(&w);
}
