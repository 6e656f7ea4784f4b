#include "coordworld.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <time.h>
#include "mpc/session.h"
#include "qk/clock.h"
#include "qk/log.h"
#include "coordfake.h"
#include "coordmac.h"
#include "coordsym.h"

void cw_must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "coordworld: %s failed\n", what);
    abort();
}

/* Below the range from which the kernel takes ports for outgoing connections, at random: tests that
 * run side by side must not get in each other's way between this look and the listening. */
/* cluster.conf takes no address twice. One thread at a time makes a world. */
static bool drawn_before(uint16_t port)
{
    static uint16_t drawn[64];
    static size_t n;
    for (size_t i = 0; i < QK_COUNT(drawn); i++)
        if (drawn[i] == port) return true;
    drawn[n++ % QK_COUNT(drawn)] = port;
    return false;
}

static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 1000; i++) {
        uint8_t r[2];
        CW_MUST(qk_rng_fill(qk_rng_system(), r, sizeof r) == QK_OK);
        uint16_t port = (uint16_t)(10000 + qk_get_u16(r) % 8000);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        a.sin_port = htons(port);
        bool free_now = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
        if (fd >= 0) (void)close(fd);
        if (free_now && !drawn_before(port)) return port;
    }
    CW_MUST(!"a free port");
    return 0;
}

/* ---- records ---- */

struct cw_record *cw_find(struct cw_world *w, enum kms_kind kind, const char *id)
{
    for (size_t i = 0; i < w->n_records; i++)
        if (w->records[i].r.kind == kind && strcmp(w->records[i].r.id, id) == 0)
            return &w->records[i];
    return NULL;
}

static void sign_record(struct cw_world *w, struct kms_record *r, const uint16_t *set, size_t n_set,
    struct kms_cert *cert, uint8_t sigs[][WIRE_SIG_LEN])
{
    uint8_t msg[KMS_CERT_MSG_LEN];
    CW_MUST(kms_cert_message(r, msg) == QK_OK);
    *cert = (struct kms_cert){.n = 0};
    for (size_t i = 0; i < n_set; i++) {
        struct wire_identity *id = w->fakes[set[i] - 1].identity;
        CW_MUST(wire_identity_sign(id, QK_BYTES(msg), sigs[i]) == QK_OK);
        CW_MUST(kms_cert_add(cert, set[i], qk_bytes(sigs[i], WIRE_SIG_LEN)) == QK_OK);
    }
}

void cw_certified(
    struct cw_world *w, struct kms_record *r, const uint16_t *set, size_t n_set, struct qk_buf *out)
{
    struct kms_cert cert;
    uint8_t sigs[CW_NODES_MAX][WIRE_SIG_LEN];
    QK_AUTO_BUF encoded = QK_BUF(KMS_RECORD_ENCODED_MAX);
    CW_MUST(kms_record_encode(r, &encoded) == QK_OK);
    sign_record(w, r, set, n_set, &cert, sigs);
    CW_MUST(kms_certified_encode(qk_buf_view(&encoded), &cert, out) == QK_OK);
}

struct cw_record *cw_certify(
    struct cw_world *w, struct kms_record *r, const uint16_t *set, size_t n_set)
{
    struct qk_buf encoded = QK_BUF(KMS_RECORD_ENCODED_MAX), certified = QK_BUF(KMS_CERTIFIED_MAX);
    CW_MUST(kms_record_encode(r, &encoded) == QK_OK);
    cw_certified(w, r, set, n_set, &certified);
    struct cw_record *at = cw_find(w, r->kind, r->id);
    if (at == NULL) {
        CW_MUST(w->n_records < CW_RECORDS);
        at = &w->records[w->n_records++];
    }
    qk_buf_free(&at->encoded); /* after encoding: r may point into it */
    qk_buf_free(&at->certified);
    at->encoded = encoded;
    at->certified = certified;
    CW_MUST(kms_record_decode(qk_buf_view(&at->encoded), &at->r) == QK_OK);
    return at;
}

struct kms_record cw_next(const struct cw_record *c)
{
    struct kms_record r = c->r;
    r.version++;
    memcpy(r.prev, c->r.hash, 32);
    return r;
}

static struct kms_record record(enum kms_kind kind, const char *id)
{
    struct kms_record r = {.kind = kind, .version = 1};
    (void)snprintf(r.id, sizeof r.id, "%s", id);
    return r;
}

static const uint16_t all_nodes[CW_NODES_MAX] = {1, 2, 3, 4, 5};

static void make_callers(struct cw_world *w)
{
    struct kms_record r = record(KMS_KIND_ACCOUNT, CW_ACCOUNT);
    r.account = (struct kms_account){qk_str(CW_ACCOUNT), qk_str("test"), 1};
    (void)cw_certify(w, &r, all_nodes, w->n);
    r = record(KMS_KIND_USER, CW_ACCOUNT "/admin");
    r.user = (struct kms_user){.account = qk_str(CW_ACCOUNT),
        .name = qk_str("admin"),
        .user_id = qk_str("AIDAABCDEFGHIJKLMNOPQ"),
        .admin = true,
        .allow = {qk_str("*")},
        .n_allow = 1,
        .created_ms = 1};
    (void)cw_certify(w, &r, all_nodes, w->n);
    r = record(KMS_KIND_CREDENTIAL, CW_AKID);
    r.credential =
        (struct kms_credential){qk_str(CW_AKID), qk_str(CW_ACCOUNT), qk_str("admin"), 1, true, 1};
    (void)cw_certify(w, &r, all_nodes, w->n);
    r = record(KMS_KIND_SYSTEM, "system");
    r.system = (struct kms_system){qk_str("public record of the system key"), 1};
    (void)cw_certify(w, &r, all_nodes, w->n);
}

static void public_of(const struct mpc_curve *c, const struct mpc_scalar *x, uint8_t *out)
{
    MPC_POINT(p);
    CW_MUST(mpc_point_init(&p, c) == QK_OK);
    CW_MUST(mpc_point_mul_base(&p, x) == QK_OK);
    CW_MUST(mpc_point_encode(out, &p) == QK_OK);
}

/* Shares on a line through the secret, as a key generation would leave them. */
static void make_keyrec(struct cw_world *w, struct qk_buf *pkrec, struct qk_buf *spki)
{
    const struct mpc_curve *c = mpc_curve_get(MPC_P256);
    struct mpc_scalar coeffs[2], x;
    struct mpc_key_record *rec = &w->keyrec;
    CW_MUST(mpc_scalar_random_nonzero(c, &w->secret, qk_rng_system()) == QK_OK);
    CW_MUST(mpc_scalar_random_nonzero(c, &coeffs[1], qk_rng_system()) == QK_OK);
    coeffs[0] = w->secret;
    *rec = (struct mpc_key_record){.curve = MPC_P256, .t = 2, .n = w->n, .e_net = 1};
    memcpy(rec->key_id, w->key_id, 16);
    for (uint16_t i = 0; i < w->n; i++) {
        rec->nodes[i].id = (uint16_t)(i + 1);
        CW_MUST(mpc_idh(rec->nodes[i].idh, wire_key_spki(w->cluster->nodes[i].key)) == QK_OK);
        mpc_poly_eval(c, &x, coeffs, 2, rec->nodes[i].id);
        public_of(c, &x, rec->big_x[i]);
    }
    public_of(c, &w->secret, rec->pk);
    CW_MUST(mpc_record_encode(rec, pkrec) == QK_OK);
    MPC_POINT(p);
    CW_MUST(mpc_point_init(&p, c) == QK_OK);
    CW_MUST(mpc_point_mul_base(&p, &w->secret) == QK_OK);
    CW_MUST(mpc_point_spki(spki, &p) == QK_OK);
}

static void make_key(struct cw_world *w)
{
    QK_AUTO_BUF pkrec = QK_BUF(KMS_PKREC_MAX);
    QK_AUTO_BUF spki = QK_BUF(KMS_SPKI_MAX);
    QK_AUTO_BUF policy = QK_BUF(KMS_POLICY_MAX);
    CW_MUST(qk_rng_fill(qk_rng_system(), w->key_id, 16) == QK_OK);
    kms_uuid_make_v4(w->key_id);
    kms_uuid_text(w->key_id, w->key_text);
    make_keyrec(w, &pkrec, &spki);
    kms_policy_default(CW_ACCOUNT, &policy);
    struct kms_record r = record(KMS_KIND_KEY, w->key_text);
    r.key = (struct kms_key){.account = qk_str(CW_ACCOUNT),
        .region = qk_str(CW_REGION),
        .spec = kms_keyspec_by_id(KMS_SPEC_ECC_NIST_P256),
        .origin = KMS_ORIGIN_AWS_KMS,
        .state = KMS_STATE_ENABLED,
        .policy = qk_buf_view(&policy),
        .created_ms = 1,
        .pkrec = qk_buf_view(&pkrec),
        .spki = qk_buf_view(&spki)};
    memcpy(r.key.key_id, w->key_id, 16);
    (void)cw_certify(w, &r, all_nodes, w->n);
}

/* ---- the world ---- */

static void make_cluster(struct cw_world *w)
{
    static const uint8_t id[16] = {7, 7, 7};
    char why[256] = "", mesh[64], call[64];
    QK_AUTO_BUF text = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    wire_cluster_put(&text, "test", id, CW_ACCOUNT, CW_REGION, 2);
    for (uint16_t i = 0; i < w->n; i++) {
        w->fakes[i].world = w;
        w->fakes[i].id = (uint16_t)(i + 1);
        w->fakes[i].port = free_port();
        CW_MUST(wire_identity_generate(&w->fakes[i].identity, "node") == QK_OK);
        (void)snprintf(mesh, sizeof mesh, "tls+tcp://127.0.0.1:%u", free_port());
        (void)snprintf(call, sizeof call, "tls+tcp://127.0.0.1:%u", w->fakes[i].port);
        wire_cluster_put_node(
            &text, (uint16_t)(i + 1), mesh, call, wire_identity_cert(w->fakes[i].identity));
    }
    CW_MUST(wire_identity_generate(&w->coordinator, "alpha") == QK_OK);
    wire_cluster_put_coordinator(&text, "alpha", wire_identity_cert(w->coordinator));
    CW_MUST(wire_cluster_parse(&w->cluster, qk_buf_view(&text), why, sizeof why) == QK_OK);
}

static void init_quiet(struct cw_world *w, uint16_t n)
{
    memset(w, 0, sizeof *w);
    w->n = n;
    qk_log_setup(getenv("CW_LOG") != NULL ? 2 : -1, QK_DEBUG, "test");
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)snprintf(w->dir, sizeof w->dir, "/tmp/qkms-coord-XXXXXX");
    CW_MUST(mkdtemp(w->dir) != NULL);
    (void)snprintf(w->store_path, sizeof w->store_path, "%s/store.db", w->dir);
    make_cluster(w);
    make_callers(w);
    make_key(w);
}

void cw_init_quiet(struct cw_world *w)
{
    init_quiet(w, CW_NODES);
}

static void fill_store(struct cw_world *w)
{
    for (size_t i = 0; i < w->n_records; i++) {
        struct qk_bytes view = qk_buf_view(&w->records[i].certified);
        CW_MUST(coord_store_put(w->engine.store, &view, 1) == QK_OK);
    }
}

static void wait_for_links(struct cw_world *w)
{
    for (int i = 0; i < 3000 && coord_nodes_n_up(w->engine.nodes) < w->n; i++) {
        struct timespec t = {.tv_nsec = 10000000};
        (void)nanosleep(&t, NULL);
    }
    CW_MUST(coord_nodes_n_up(w->engine.nodes) == w->n);
}

void cw_init_of(struct cw_world *w, uint16_t n)
{
    init_quiet(w, n);
    char why[256] = "";
    struct coord_engine *e = &w->engine;
    coord_engine_init(e);
    e->cluster = w->cluster;
    e->timing = COORD_TIMING_DEFAULT;
    e->timing.attempt_ms = 1000;
    CW_MUST(coord_store_open(&e->store, w->store_path, w->cluster, why, sizeof why) == QK_OK);
    fill_store(w);
    CW_MUST(coord_presigs_new(&e->presigs) == QK_OK);
    for (size_t i = 0; i < w->n; i++) cw_fake_start(&w->fakes[i]);
    struct coord_nodes_config nodes = {.cluster = w->cluster, .identity = w->coordinator};
    CW_MUST(coord_nodes_new(&e->nodes, &nodes) == QK_OK);
    wait_for_links(w);
}

void cw_init(struct cw_world *w)
{
    cw_init_of(w, CW_NODES);
}

void cw_free(struct cw_world *w)
{
    coord_publisher_stop(w->engine.publisher);
    coord_keeper_stop(w->keeper);
    coord_randpool_stop(w->engine.random);
    coord_timers_stop(w->engine.timers);
    coord_nodes_free(w->engine.nodes);
    coord_keeper_free(w->keeper);
    coord_publisher_free(w->engine.publisher);
    coord_randpool_free(w->engine.random);
    coord_channels_free(w->engine.channels);
    coord_timers_free(w->engine.timers);
    coord_presigs_free(w->engine.presigs);
    coord_store_close(w->engine.store);
    for (size_t i = 0; i < w->n; i++) {
        cw_fake_stop(&w->fakes[i]);
        wire_identity_free(w->fakes[i].identity);
    }
    cw_sym_free(w);
    cw_mac_free(w);
    for (size_t i = 0; i < w->n_records; i++) {
        qk_buf_free(&w->records[i].encoded);
        qk_buf_free(&w->records[i].certified);
    }
    wire_identity_free(w->coordinator);
    wire_cluster_free(w->cluster);
    char path[128];
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < QK_COUNT(ends); i++) {
        (void)snprintf(path, sizeof path, "%s%s", w->store_path, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(w->dir);
    (void)pthread_mutex_destroy(&w->lock);
}

/* ---- requests ---- */

void cw_request(struct cw_request *out, const char *op, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(out->body, sizeof out->body, fmt, args);
    va_end(args);
    (void)snprintf(out->target, sizeof out->target, "%s", op);
    struct kms_raw *raw = &out->raw;
    *raw = (struct kms_raw){.method = qk_str("POST"), .path = qk_str("/"), .query = qk_str("")};
    raw->body = qk_bytes(out->body, (size_t)n);
    CW_MUST(kms_raw_add_header(raw, qk_str("Host"), qk_str("kms.test")) == QK_OK);
    CW_MUST(kms_raw_add_header(raw, qk_str("Content-Type"), qk_str("application/x-amz-json-1.1")) ==
            QK_OK);
    CW_MUST(kms_raw_add_header(raw, qk_str("X-Amz-Target"), qk_str(out->target)) == QK_OK);
    struct kms_sigv4_signer signer = {.access_key_id = CW_AKID,
        .secret = qk_str("0123456789012345678901234567890123456789"),
        .region = CW_REGION,
        .service = "kms",
        .now_ms = qk_now_ms()};
    CW_MUST(kms_sigv4_sign(raw, &signer, &out->headers) == QK_OK);
}

qk_err cw_run(
    struct cw_world *w, struct coord_op *op, struct cw_request *request, struct kms_fault *fault)
{
    static const char id[] = "6d3a7e0e-6a3c-4d8e-9b1f-0123456789ab";
    qk_err err = coord_op_begin(op, &w->engine, &request->raw, id, fault);
    return err == QK_OK ? coord_op_run(op, fault) : err;
}
