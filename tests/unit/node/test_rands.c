/* RAND: contributions of random bytes, who gets them, how many, and what a failing generator does.
 * Document 65 section 4. */
#include "qktest/qktest.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "core/rands.h"
#include "core/status.h"
#include "nodedriver.h"

/* ---- a node with a generator of the test's ---- */

static bool broken;
static uint8_t next;

static qk_err test_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    if (broken) return QK_E_RNG;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)(i + next);
    next++;
    return QK_OK;
}

static qk_err stuck_fill(struct qk_rng *rng, uint8_t *out, size_t len)
{
    (void)rng;
    memset(out, 0x5a, len);
    return QK_OK;
}

struct bench {
    struct node *node;
    char dir[64], path[80];
};

static void make(struct bench *b, struct qk_rng *rng, uint64_t kib)
{
    b->node = calloc(1, sizeof *b->node);
    cr_assert_not_null(b->node);
    b->node->conf.node_id = 2;
    b->node->conf.rand_kib = kib;
    (void)snprintf(b->dir, sizeof b->dir, "/tmp/qkms-rands-XXXXXX");
    cr_assert_not_null(mkdtemp(b->dir));
    (void)snprintf(b->path, sizeof b->path, "%s/log", b->dir);
    struct node_audit_options audit = {.path = b->path, .sync = NODE_AUDIT_SYNC_CHANGES};
    char why[256];
    qk_assert_ok(node_audit_open(&b->node->audit, &audit, why, sizeof why));
    qk_assert_ok(node_rands_new(&b->node->rands, b->node, rng));
}

static void end(struct bench *b)
{
    node_rands_free(b->node->rands);
    node_audit_close(b->node->audit);
    free(b->node);
    char head[96];
    (void)snprintf(head, sizeof head, "%s.head", b->path);
    (void)unlink(head);
    (void)unlink(b->path);
    (void)rmdir(b->dir);
}

static qk_err contribute(struct bench *b, size_t coordinator, size_t len, struct qk_buf *out)
{
    static const uint8_t rid[32] = {7};
    qk_buf_clear(out);
    return node_rand_contribute(b->node, coordinator, rid, len, out);
}

QK_TEST(rands, a_contribution_is_rid_and_exactly_the_bytes_of_the_generator)
{
    struct qk_rng rng = {test_fill};
    struct bench b;
    QK_AUTO_BUF out = QK_BUF_SECRET(2048);
    broken = false;
    next = 100;
    make(&b, &rng, 8192);
    qk_assert_ok(contribute(&b, 0, 1024, &out));
    cr_assert_eq(out.len, 32u + 1024u);
    cr_assert_eq(out.p[0], 7);
    for (size_t i = 0; i < 1024; i++) cr_assert_eq(out.p[32 + i], (uint8_t)(i + 100));
    qk_assert_err(contribute(&b, 0, 0, &out), QK_E_MALFORMED);
    qk_assert_err(contribute(&b, 0, 31, &out), QK_E_MALFORMED);
    qk_assert_err(contribute(&b, 0, 1025, &out), QK_E_MALFORMED);
    qk_assert_err(contribute(&b, WIRE_MEMBERS_MAX, 32, &out), QK_E_STATE);
    cr_assert_eq(out.len, 0u);
    end(&b);
}

static void is_unwell(struct bench *b, struct qk_buf *out, const char *what)
{
    qk_assert_err(contribute(b, 0, 64, out), QK_E_RNG);
    cr_assert_eq(out->len, 0u, "G-7: %s: no bytes", what);
    cr_assert_not(node_rands_healthy(b->node), "G-7: %s", what);
    cr_assert_not(node_ready(b->node), "G-7: %s: not ready", what);
    broken = false; /* it does not become well by itself */
    qk_assert_err(contribute(b, 0, 64, out), QK_E_RNG);
}

QK_TEST(rands, G_7_a_generator_that_fails_or_repeats_itself_is_told_and_not_used_again)
{
    struct qk_rng rng = {test_fill}, stuck = {stuck_fill};
    struct bench b;
    QK_AUTO_BUF out = QK_BUF_SECRET(2048);
    broken = false;
    make(&b, &rng, 8192);
    qk_assert_ok(contribute(&b, 0, 64, &out));
    cr_assert(node_rands_healthy(b.node));
    broken = true;
    is_unwell(&b, &out, "an error");
    end(&b);
    make(&b, &rng, 8192);
    qk_assert_ok(contribute(&b, 0, 64, &out));
    next--;
    is_unwell(&b, &out, "the same bytes again");
    end(&b);
    make(&b, &stuck, 8192);
    is_unwell(&b, &out, "all bytes equal");
    end(&b);
}

QK_TEST(rands, G_8_a_coordinator_gets_so_many_bytes_a_second_and_takes_none_of_anothers)
{
    struct qk_rng rng = {test_fill};
    struct bench b;
    QK_AUTO_BUF out = QK_BUF_SECRET(2048);
    size_t given = 0;
    broken = false;
    make(&b, &rng, 16); /* KiB a second: a test that takes a second for 64 calls gets more */
    qk_err err = QK_OK;
    for (int i = 0; i < 100000 && err == QK_OK; i++) {
        err = contribute(&b, 0, 1024, &out);
        given += err == QK_OK;
    }
    qk_assert_err(err, QK_E_BUSY);
    cr_assert_geq(given, 16u);
    qk_assert_ok(contribute(&b, 1, 1024, &out));
    end(&b);
}

/* ---- real nodes ---- */

static void rand_call(struct wire_call *call, const struct nodebox *box, uint32_t len)
{
    *call = (struct wire_call){.kind = WIRE_CALL_RAND, .rand_len = len};
    memcpy(call->cluster, box->cluster->hash, 32);
    (void)snprintf(
        call->request_id, sizeof call->request_id, "33333333-3333-4333-8333-333333333333");
    memset(call->rnd, 0x17, sizeof call->rnd);
}

static void refused_from(struct nodebox *box, const struct wire_identity *who, const char *name)
{
    struct wire_client *link = nodebox_client(box, who, 1);
    struct wire_call call;
    QK_AUTO_BUF bytes = QK_BUF(WIRE_CALL_MAX);
    NB_AUTO_ANSWER a = {0};
    cr_assert(nodebox_client_up(link));
    rand_call(&call, box, 64);
    wire_call_encode(&bytes, &call);
    nb_start(link, qk_buf_view(&bytes), 20000, &a);
    nb_wait(&a);
    qk_assert_ok(a.err);
    cr_assert_eq(a.a.status, WIRE_ANSWER_REFUSED, "G-8: %s", name);
    cr_assert_eq(a.a.part.len, 0u);
    cr_assert_eq(nodebox_audit(box, 1, call.request_id, name), 1u, "G-8: %s", name);
    wire_client_free(link);
}

static bool file_holds(const char *path, struct qk_bytes bytes)
{
    QK_AUTO_BUF b = QK_BUF(64u << 20);
    char chunk[4096];
    FILE *f = fopen(path, "rb");
    if (f == NULL) return false;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) qk_buf_add(&b, chunk, n);
    (void)fclose(f);
    return memmem(b.p, b.len, bytes.p, bytes.len) != NULL;
}

static void G_3_written_nowhere(const struct nodebox *box, const uint8_t bytes[static 16])
{
    char folder[128], path[512], hex[33];
    qk_hex(bytes, 16, hex);
    nodebox_path(box, 1, "", folder);
    DIR *dir = opendir(folder);
    cr_assert_not_null(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] == '.') continue;
        cr_assert_not(file_holds(path, qk_bytes(bytes, 16)), "G-3: %s", path);
        cr_assert_not(file_holds(path, qk_str(hex)), "G-3: %s", path);
    }
    (void)closedir(dir);
}

QK_TEST(rands, G_3_G_8_contributions_go_to_coordinators_and_nowhere_else)
{
    struct nodebox box;
    struct nd d;
    struct wire_call call;
    nodebox_up(&box, "seccomp = off\nlog_level = debug\nrand_kib = 16\n");
    nd_init(&d, &box);
    refused_from(&box, box.operator_, "operator-link:" NB_OPERATOR);
    refused_from(&box, box.nodes[2], "node:2");
    NB_AUTO_ANSWER first = {0};
    rand_call(&call, &box, 64);
    nd_call(&d, 1, &call, &first);
    cr_assert_eq(first.a.status, WIRE_ANSWER_OK);
    cr_assert_eq(first.a.part.len, 96u);
    cr_assert_arr_eq(first.a.part.p, call.rnd, 32);
    G_3_written_nowhere(&box, first.a.part.p + 32);
    G_3_written_nowhere(&box, first.a.part.p + 80);
    NB_AUTO_ANSWER short_ = {0};
    rand_call(&call, &box, 8);
    nd_call(&d, 1, &call, &short_);
    cr_assert_eq(short_.a.status, WIRE_ANSWER_REFUSED);
    cr_assert(nd_empty(&short_));
    int said = WIRE_ANSWER_OK;
    for (int i = 0; i < 20000 && said == WIRE_ANSWER_OK; i++) {
        NB_AUTO_ANSWER a = {0};
        rand_call(&call, &box, 1024);
        nd_call(&d, 1, &call, &a);
        said = (int)a.a.status;
        if (said != WIRE_ANSWER_OK) cr_assert(nd_empty(&a), "G-8");
    }
    cr_assert_eq(said, (int)WIRE_ANSWER_RETRY, "G-8: rate limited");
    nd_free(&d);
    nodebox_end(&box);
}
