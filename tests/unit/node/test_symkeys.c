/* Opened versions of symmetric keys: found, bounded, dropped; and their evaluations counted (S-24).
 * On the vault of a node that has taken part in making a real key. */
#include <signal.h>
#include <stdlib.h>
#include "core/symkeys.h"
#include "qktest/qktest.h"
#include "nodesym.h"
#include "qk/clock.h"
#include "vault/shares.h"

enum { NODE = 1, CAP = 16, VERSIONS = 120 };

struct bench {
    struct nodebox box;
    struct nd d;
    struct ns s;
    struct node_seal *seal;
    struct node *node;
    struct mpc_sym_record rec;
    struct qk_buf secret; /* encoded share of rec */
    struct qk_buf pkrec;  /* of the version named last */
};

static const struct qk_buf *pkrec(struct bench *b, uint32_t ver)
{
    b->rec.ver = ver;
    qk_buf_clear(&b->pkrec);
    qk_assert_ok(mpc_sym_record_encode(&b->rec, &b->pkrec));
    return &b->pkrec;
}

/* The same share under other version numbers: nothing in it names them. */
static void copy_version(struct bench *b, uint32_t ver)
{
    uint8_t id[16];
    qk_assert_ok(mpc_sym_version_id(id, b->rec.key_id, ver));
    qk_assert_ok(node_vault_share_put_pending(b->node->vault, id, b->rec.e_net, b->rec.sid,
        qk_buf_view(&b->secret), qk_buf_view(pkrec(b, ver)), qk_now_ms()));
    qk_assert_ok(node_vault_share_activate(b->node->vault, id, b->rec.e_net, b->rec.sid));
}

static void set_up(struct bench *b)
{
    char key[KMS_UUID_LEN + 1];
    uint8_t id[16];
    nodebox_up(&b->box, "seccomp = off\n");
    nd_init(&b->d, &b->box);
    ns_init(&b->s, &b->d);
    ns_create_key(&b->s, "FV", key);
    ns_record(&b->s, key, 1, &b->rec);
    cr_assert_eq(nodebox_stop(&b->box, NODE, SIGTERM), 0);
    b->node = calloc(1, sizeof *b->node);
    cr_assert_not_null(b->node);
    b->node->conf.node_id = NODE;
    b->node->conf.sym_keys = CAP;
    b->node->vault = nodebox_vault(&b->box, NODE, &b->seal);
    qk_assert_ok(node_symkeys_new(&b->node->symkeys, b->node));
    b->secret = (struct qk_buf)QK_BUF_SECRET(MPC_SYM_SHARE_MAX);
    b->pkrec = (struct qk_buf)QK_BUF(MPC_SYM_RECORD_MAX);
    qk_assert_ok(mpc_sym_version_id(id, b->rec.key_id, 1));
    qk_assert_ok(node_vault_share_load(b->node->vault, id, NULL, &b->secret, NULL));
}

static void tear_down(struct bench *b)
{
    node_symkeys_free(b->node->symkeys);
    node_vault_close(b->node->vault);
    node_seal_free(b->seal);
    free(b->node);
    qk_buf_free(&b->secret);
    qk_buf_free(&b->pkrec);
    nd_free(&b->d);
    nodebox_end(&b->box);
}

static qk_err get(struct bench *b, uint32_t ver, struct node_symkey **out)
{
    return node_symkey_get(b->node, b->rec.key_id, ver, qk_buf_view(pkrec(b, ver)), out);
}

static struct node_symkey *opened(struct bench *b, uint32_t ver)
{
    struct node_symkey *key;
    qk_assert_ok(get(b, ver, &key));
    cr_assert_eq(key->ver, ver);
    return key;
}

/* ENC in mode F, n times, as evals.c does it. */
static void evaluate(struct bench *b, struct node_symkey *key, uint64_t n)
{
    struct mpc_sym_window *window;
    qk_assert_ok(mpc_sym_window_new(&window, qk_rng_system()));
    for (uint64_t i = 1; i <= n; i++) {
        QK_AUTO_BUF tk = QK_BUF(64);
        QK_AUTO_BUF ec = QK_BUF(64);
        QK_AUTO_BUF out = QK_BUF_SECRET(4096);
        struct mpc_sym_ticket ticket = {.node = NODE, .ctr = i};
        mpc_sym_window_chan(window, ticket.chan);
        mpc_sym_tickets_encode(&ticket, 1, &tk);
        qk_assert_ok(mpc_sym_ec_encode(NULL, 0, &ec));
        struct mpc_sym_item item = {.ver = key->ver,
            .mode = MPC_SYM_F,
            .flags = MPC_SYM_FLAG_TAGS,
            .tk = qk_buf_view(&tk),
            .ec = qk_buf_view(&ec)};
        memcpy(item.key_id, key->key_id, 16);
        struct mpc_sym_work work = {.item = &item, .key = key->key};
        qk_assert_ok(node_symkey_reserve(b->node, key));
        qk_assert_ok(mpc_sym_eval(MPC_SYM_ENC, false, window, &work, 1, qk_rng_system(), &out));
        cr_assert_eq(work.status, MPC_SYM_OK);
    }
    mpc_sym_window_free(window);
}

static uint64_t on_disk(struct bench *b, uint32_t ver)
{
    uint8_t id[16];
    char name[NODE_COUNTER_NAME_MAX], hex[33];
    uint64_t value;
    qk_assert_ok(mpc_sym_version_id(id, b->rec.key_id, ver));
    qk_hex(id, sizeof id, hex);
    (void)snprintf(name, sizeof name, "sym-evaluations/%s", hex);
    qk_assert_ok(node_vault_counter_get(b->node->vault, name, &value));
    return value;
}

static uint64_t used(struct bench *b, uint32_t ver)
{
    struct node_symkey *key = opened(b, ver);
    uint64_t n = mpc_sym_key_evaluations(key->key);
    node_symkey_put(b->node, key);
    return n;
}

static void found_and_matched(struct bench *b)
{
    struct node_symkey *one = opened(b, 1), *two = opened(b, 1), *none;
    cr_assert_eq(one, two, "opened once");
    b->rec.sid[0] ^= 1;
    qk_assert_err(get(b, 1, &none), QK_E_MISMATCH);
    node_symkey_put(b->node, one);
    node_symkey_put(b->node, two);
    node_symkeys_drop(b->node, b->rec.key_id, 1);
    qk_assert_err(get(b, 1, &none), QK_E_MISMATCH);
    b->rec.sid[0] ^= 1;
    qk_assert_err(get(b, 2, &none), QK_E_NOT_FOUND);
    cr_assert_eq(node_symkeys_count(b->node), 0u);
}

/* What is decoded without its points is refused where these are used. */
static void points_are_looked_at_once(struct bench *b)
{
    struct mpc_sym_record known, whole;
    struct mpc_sym_version *version;
    struct qk_buf *bytes = &b->pkrec;
    (void)pkrec(b, 1);
    qk_assert_ok(mpc_sym_record_decode(qk_buf_view(bytes), &whole));
    qk_assert_ok(mpc_sym_record_decode_known(qk_buf_view(bytes), &known));
    cr_assert_eq(memcmp(&known, &whole, sizeof known), 0);
    uint8_t *last = memmem(bytes->p, bytes->len, b->rec.big_s[2], 32);
    cr_assert_not_null(last);
    memset(last + 1, 0xff, 32); /* no such x */
    qk_assert_err(mpc_sym_record_decode(qk_buf_view(bytes), &whole), QK_E_MALFORMED);
    qk_assert_ok(mpc_sym_record_decode_known(qk_buf_view(bytes), &known));
    cr_assert_neq(mpc_sym_version_new(&version, &known), QK_OK);
}

static void bounded(struct bench *b)
{
    for (uint32_t ver = 2; ver <= VERSIONS; ver++) copy_version(b, ver);
    for (int round = 0; round < 2; round++)
        for (uint32_t ver = 1; ver <= VERSIONS; ver++) {
            node_symkey_put(b->node, opened(b, ver));
            cr_assert_leq(node_symkeys_count(b->node), (size_t)CAP);
        }
    /* what is in use stays, and is the same for all its users */
    struct node_symkey *held[2 * CAP];
    for (uint32_t i = 0; i < 2 * CAP; i++) held[i] = opened(b, i + 1);
    for (uint32_t i = 0; i < 2 * CAP; i++) {
        struct node_symkey *again = opened(b, i + 1);
        cr_assert_eq(again, held[i]);
        node_symkey_put(b->node, again);
        node_symkey_put(b->node, held[i]);
    }
    node_symkey_put(b->node, opened(b, VERSIONS));
    cr_assert_leq(node_symkeys_count(b->node), (size_t)CAP);
}

static void close_all(struct bench *b)
{
    for (uint32_t ver = VERSIONS; ver > VERSIONS - CAP; ver--)
        node_symkey_put(b->node, opened(b, ver));
}

static void S_24_counted(struct bench *b)
{
    struct node_symkey *key = opened(b, 1);
    cr_assert_eq(on_disk(b, 1), 0u);
    evaluate(b, key, 3);
    node_symkey_put(b->node, key);
    cr_assert_eq(on_disk(b, 1), (uint64_t)NODE_SYM_BLOCK, "S-24: ahead of use");
    close_all(b);
    cr_assert_eq(used(b, 1), 3u, "S-24: closed and opened again");
    /* destroyed in memory while in use: who goes on is covered by what the next one begins with */
    key = opened(b, 1);
    node_symkeys_drop(b->node, b->rec.key_id, 1);
    evaluate(b, key, 2);
    node_symkey_put(b->node, key);
    cr_assert_eq(used(b, 1), (uint64_t)NODE_SYM_BLOCK, "S-24");
    node_symkeys_free(b->node->symkeys); /* a restart */
    qk_assert_ok(node_symkeys_new(&b->node->symkeys, b->node));
    key = opened(b, 1);
    cr_assert_eq(mpc_sym_key_evaluations(key->key), (uint64_t)NODE_SYM_BLOCK, "S-24");
    evaluate(b, key, 1);
    node_symkey_put(b->node, key);
    cr_assert_eq(on_disk(b, 1), 2u * NODE_SYM_BLOCK, "S-24");
}

static void destroyed(struct bench *b)
{
    uint8_t ids[2][16];
    struct node_symkey *held = opened(b, 5), *none;
    for (uint32_t i = 0; i < 2; i++) qk_assert_ok(mpc_sym_version_id(ids[i], b->rec.key_id, 5 + i));
    qk_assert_ok(node_vault_share_destroy_keys(b->node->vault, (const uint8_t(*)[16])ids, 2));
    node_symkeys_drop_id(b->node, ids[0]);
    node_symkeys_drop(b->node, b->rec.key_id, 6);
    qk_assert_err(get(b, 5, &none), QK_E_NOT_FOUND);
    qk_assert_err(get(b, 6, &none), QK_E_NOT_FOUND);
    node_symkey_put(b->node, held);
    node_symkey_put(b->node, opened(b, 7));
}

QK_TEST(symkeys, versions_are_opened_once_bounded_counted_and_dropped)
{
    struct bench b = {0};
    set_up(&b);
    found_and_matched(&b);
    points_are_looked_at_once(&b);
    bounded(&b);
    S_24_counted(&b);
    destroyed(&b);
    tear_down(&b);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 15, SHARED = 2 * CAP };

struct worker {
    struct bench *b;
    unsigned number;
    struct qk_bytes pkrec[SHARED + 1];
    uint64_t evaluated[SHARED + 1];
};

/* Uses versions in an order of its own; one of the threads has them forgotten now and then. */
static void *work(void *arg)
{
    struct worker *w = arg;
    for (unsigned i = 0; i < ROUNDS * SHARED; i++) {
        uint32_t ver = 1 + (i * (2 * w->number + 1)) % SHARED;
        struct node_symkey *key;
        qk_err err = node_symkey_get(w->b->node, w->b->rec.key_id, ver, w->pkrec[ver], &key);
        if (err == QK_E_BUSY) continue;
        qk_assert_ok(err);
        if (i % 8 == 0) {
            evaluate(w->b, key, 1);
            w->evaluated[ver]++;
        }
        node_symkey_put(w->b->node, key);
        if (w->number == 0 && i % 50 == 0) node_symkeys_drop(w->b->node, w->b->rec.key_id, ver);
    }
    return NULL;
}

QK_TEST(symkeys, S_24_threads_share_versions_and_no_evaluation_goes_uncounted)
{
    static struct worker w[THREADS];
    struct bench b = {0};
    pthread_t thread[THREADS];
    struct qk_buf records[SHARED + 1];
    set_up(&b);
    for (uint32_t ver = 1; ver <= SHARED; ver++) {
        if (ver > 1) copy_version(&b, ver);
        records[ver] = (struct qk_buf)QK_BUF(MPC_SYM_RECORD_MAX);
        const struct qk_buf *record = pkrec(&b, ver);
        qk_buf_add(&records[ver], record->p, record->len);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        w[i] = (struct worker){.b = &b, .number = i};
        for (uint32_t ver = 1; ver <= SHARED; ver++) w[i].pkrec[ver] = qk_buf_view(&records[ver]);
        cr_assert_eq(pthread_create(&thread[i], NULL, work, &w[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) (void)pthread_join(thread[i], NULL);
    cr_assert_leq(node_symkeys_count(b.node), (size_t)CAP + THREADS);
    for (uint32_t ver = 1; ver <= SHARED; ver++) {
        uint64_t done = 0;
        for (unsigned i = 0; i < THREADS; i++) done += w[i].evaluated[ver];
        cr_assert_geq(used(&b, ver), done, "S-24: version %u", ver);
        qk_buf_free(&records[ver]);
    }
    tear_down(&b);
}
