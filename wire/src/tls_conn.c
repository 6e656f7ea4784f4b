#include "tls_priv.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <nng/supplemental/util/platform.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "tls_out.h"
#include "tls_tap.h"

enum { CUT_WAIT_MS = 5000 }; /* it takes milliseconds, unless the machine is busy */

/* NNG calls handshake, recv, send, verified and close of a connection under that connection's lock;
 * init and fini without it. Others (the deadline, those who cut) set a flag and abort the receive
 * below (tls_tap.h); NNG then asks here, and is told. */

enum { WAITING, THROUGH, EXPIRED };

struct nng_tls_engine_conn {
    struct nng_tls_engine_conn *prev, *next; /* in stats->conns */
    bool listed;
    void *stream; /* NNG's handle for nng_tls_engine_send and _recv */
    SSL *ssl;
    uint64_t deadline_ms; /* by which it has to be THROUGH */
    struct wire_tls_stats *stats;
    bool server;
    bool counted; /* in stats->pending */
    uint8_t head[8];
    size_t head_len;   /* of the SP header seen so far */
    atomic_bool cut;   /* nothing is received any more */
    uint64_t heard_ms; /* under NNG's lock of the connection, as recv and verified are */
    struct tls_tap tap;
    struct tls_out out;
    atomic_int state;
};

_Thread_local struct wire_tls_answer wire_tls_answer;
_Thread_local bool wire_tls_cutting;

/* ---- the bytes below TLS ---- */

static BIO_METHOD *bio_method;

static int bio_result(BIO *bio, int rv, size_t len, int retry)
{
    BIO_clear_retry_flags(bio);
    if (rv == 0) return (int)len;
    if (rv == NNG_EAGAIN) BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    return -1;
}

static int bio_read(BIO *bio, char *buf, int size)
{
    size_t len = (size_t)size;
    int rv = nng_tls_engine_recv(BIO_get_data(bio), (uint8_t *)buf, &len);
    return bio_result(bio, rv, len, BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *buf, int size)
{
    size_t len = (size_t)size;
    int rv = nng_tls_engine_send(BIO_get_data(bio), (const uint8_t *)buf, &len);
    return bio_result(bio, rv, len, BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
    (void)bio;
    (void)num;
    (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

qk_err wire_tls_conn_setup(void)
{
    if (bio_method != NULL) return QK_OK;
    int type = BIO_get_new_index();
    BIO_METHOD *m = BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "nng stream");
    if (m == NULL || type == -1 || BIO_meth_set_read(m, bio_read) != 1 ||
        BIO_meth_set_write(m, bio_write) != 1 || BIO_meth_set_ctrl(m, bio_ctrl) != 1 ||
        BIO_meth_set_create(m, bio_create) != 1) {
        BIO_meth_free(m);
        return QK_E_CRYPTO;
    }
    bio_method = m;
    return QK_OK;
}

/* ---- cutting ---- */

static void uncount(struct nng_tls_engine_conn *c)
{
    if (!c->counted) return;
    c->counted = false;
    atomic_fetch_sub(&c->stats->pending, 1);
}

static void list(nng_tls_engine_conn *c)
{
    (void)pthread_mutex_lock(&c->stats->lock);
    c->next = c->stats->conns;
    if (c->next != NULL) c->next->prev = c;
    c->stats->conns = c;
    c->listed = true;
    (void)pthread_mutex_unlock(&c->stats->lock);
}

static void unlist(nng_tls_engine_conn *c)
{
    if (!c->listed) return;
    (void)pthread_mutex_lock(&c->stats->lock);
    if (c->next != NULL) c->next->prev = c->prev;
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        c->stats->conns = c->next;
    (void)pthread_mutex_unlock(&c->stats->lock);
}

static void cut(nng_tls_engine_conn *c)
{
    atomic_store(&c->cut, true);
    tls_tap_cut(&c->tap, NNG_ECONNABORTED);
}

void wire_tls_expire(struct wire_tls_stats *stats, uint64_t now_ms)
{
    if (atomic_load(&stats->pending) == 0) return;
    (void)pthread_mutex_lock(&stats->lock);
    for (nng_tls_engine_conn *c = stats->conns; c != NULL; c = c->next) {
        int waiting = WAITING;
        if (now_ms < c->deadline_ms) continue;
        if (!atomic_compare_exchange_strong(&c->state, &waiting, EXPIRED)) continue;
        atomic_fetch_add(&stats->timeouts, 1);
        tls_tap_cut(&c->tap, NNG_ETIMEDOUT);
    }
    (void)pthread_mutex_unlock(&stats->lock);
}

void wire_tls_cut_now(struct wire_tls_stats *stats)
{
    (void)pthread_mutex_lock(&stats->lock);
    for (nng_tls_engine_conn *c = stats->conns; c != NULL; c = c->next) cut(c);
    (void)pthread_mutex_unlock(&stats->lock);
}

static bool has_conns(struct wire_tls_stats *stats)
{
    (void)pthread_mutex_lock(&stats->lock);
    bool any = stats->conns != NULL;
    (void)pthread_mutex_unlock(&stats->lock);
    return any;
}

void wire_tls_cut_all(struct wire_tls_stats *stats)
{
    if (stats == NULL) return;
    atomic_store(&stats->closing, true);
    wire_tls_cut_now(stats);
    for (unsigned ms = 0; ms < CUT_WAIT_MS && has_conns(stats); ms += 2) nng_msleep(2);
}

/* ---- what NNG calls ---- */

static int conn_init(nng_tls_engine_conn *c, void *stream, nng_tls_engine_config *cfg)
{
    if (cfg->ctx == NULL) return NNG_EPEERAUTH;
    c->stream = stream;
    c->server = cfg->server;
    c->stats = cfg->stats;
    atomic_fetch_add(&c->stats->refs, 1);
    if (atomic_load(&c->stats->closing)) return NNG_ECONNABORTED;
    c->counted = true;
    if (atomic_fetch_add(&c->stats->pending, 1) >= WIRE_TLS_PENDING_MAX) {
        atomic_fetch_add(&c->stats->crowded, 1);
        return NNG_ECONNABORTED; /* the one refusal after which NNG accepts on at once */
    }
    atomic_init(&c->state, WAITING);
    c->ssl = SSL_new(cfg->ctx);
    BIO *bio = BIO_new(bio_method);
    if (c->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return NNG_ENOMEM;
    }
    BIO_set_data(bio, stream);
    SSL_set_bio(c->ssl, bio, bio);
    if (cfg->server)
        SSL_set_accept_state(c->ssl);
    else
        SSL_set_connect_state(c->ssl);
    if (!tls_tap_open(&c->tap, stream)) {
        qk_log(QK_ERROR, "wire.nng.layout", QK_F_STR("found", nng_version()));
        return NNG_ENOTSUP;
    }
    c->deadline_ms = qk_mono_ms() + cfg->handshake_ms;
    list(c);
    return 0;
}

/* Also runs for a connection whose init failed or never ran: everything may be NULL. */
static void conn_fini(nng_tls_engine_conn *c)
{
    SSL_free(c->ssl);
    tls_out_free(&c->out);
    unlist(c); /* until here it may be cut */
    if (c->stats != NULL) uncount(c);
    wire_tls_stats_release(c->stats);
}

static void conn_close(nng_tls_engine_conn *c)
{
    if (c->ssl == NULL || !SSL_is_init_finished(c->ssl)) return;
    ERR_clear_error();
    (void)SSL_shutdown(c->ssl);
    ERR_clear_error();
}

/* Never NNG_ECLOSED or NNG_ECANCELED: during negotiation NNG passes the error to the listener or
 * dialer, which takes these two for its own end. */
static int conn_error(const struct nng_tls_engine_conn *c, int ret)
{
    int why = SSL_get_error(c->ssl, ret);
    ERR_clear_error();
    switch (why) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return tls_tap_dead(&c->tap) ? NNG_ECONNABORTED : NNG_EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return NNG_ECONNSHUT;
    case SSL_ERROR_SSL:
        return NNG_ECRYPTO;
    default:
        return NNG_ECONNABORTED;
    }
}

static int conn_handshake(nng_tls_engine_conn *c)
{
    if (atomic_load(&c->state) == EXPIRED) return NNG_ETIMEDOUT;
    if (atomic_load(&c->cut)) return NNG_ECONNABORTED;
    ERR_clear_error();
    int ret = SSL_do_handshake(c->ssl);
    if (ret == 1) return 0;
    int rv = conn_error(c, ret);
    if (rv == NNG_EAGAIN) return rv;
    atomic_fetch_add(&c->stats->refused, 1);
    return NNG_EPEERAUTH; /* NNG's listener accepts on at once after this one */
}

/* NNG sends and receives before it has asked for the handshake. */
static int conn_ready(nng_tls_engine_conn *c)
{
    if (SSL_is_init_finished(c->ssl) && atomic_load(&c->state) != EXPIRED) return 0;
    return conn_handshake(c);
}

/* The first eight bytes of a peer are the SP header: 00 'S' 'P' 00, u16 protocol, 00 00. Whoever
 * does not get that out in time is cut, too; whoever does is about to appear on the socket. */
static void look_for_header(nng_tls_engine_conn *c, const uint8_t *buf, size_t len)
{
    static const uint8_t start[4] = {0, 'S', 'P', 0};
    if (c->head_len == sizeof c->head) return;
    for (size_t i = 0; i < len && c->head_len < sizeof c->head; i++)
        c->head[c->head_len++] = buf[i];
    if (c->head_len < sizeof c->head) return;
    if (memcmp(c->head, start, 4) != 0 || c->head[6] != 0 || c->head[7] != 0) return;
    int waiting = WAITING;
    if (!atomic_compare_exchange_strong(&c->state, &waiting, THROUGH)) return;
    uncount(c);
    atomic_fetch_add(&c->stats->through, 1);
}

/* 0: nothing waits any more. */
static int flush(nng_tls_engine_conn *c)
{
    ERR_clear_error();
    while (c->out.bytes != NULL) {
        int n = SSL_write(c->ssl, c->out.bytes + c->out.off, (int)(c->out.len - c->out.off));
        if (n <= 0) return conn_error(c, n);
        c->out.off += (size_t)n;
        if (c->out.off == c->out.len) tls_out_free(&c->out);
    }
    return 0;
}

/* Also writes on: after every write to the network NNG asks here again, in any case where an error
 * would have to be noticed. */
static int conn_recv(nng_tls_engine_conn *c, uint8_t *buf, size_t *len)
{
    int rv = conn_ready(c);
    if (rv != 0) return rv;
    if (atomic_load(&c->cut)) return NNG_ECONNABORTED;
    rv = flush(c);
    if (rv != 0 && rv != NNG_EAGAIN) return rv;
    ERR_clear_error();
    int n = SSL_read(c->ssl, buf, *len > INT_MAX ? INT_MAX : (int)*len);
    if (n <= 0) return conn_error(c, n);
    c->heard_ms = qk_mono_ms();
    look_for_header(c, buf, (size_t)n);
    *len = (size_t)n;
    return 0;
}

static int conn_send(nng_tls_engine_conn *c, const uint8_t *buf, size_t *len)
{
    int rv = conn_ready(c);
    if (rv == 0) rv = flush(c);
    if (rv != 0) return rv;
    size_t whole = tls_out_take(&c->out, buf, *len);
    if (whole > 0) {
        *len = whole;
        rv = flush(c);
        return rv == NNG_EAGAIN ? 0 : rv;
    }
    ERR_clear_error();
    int n = SSL_write(c->ssl, buf, *len > INT_MAX ? INT_MAX : (int)*len);
    if (n <= 0) return conn_error(c, n);
    c->out.head_len += (size_t)n;
    *len = (size_t)n;
    return 0;
}

static bool conn_verified(nng_tls_engine_conn *c)
{
    if (wire_tls_cutting) {
        cut(c);
        return false;
    }
    const struct tls_pin *pin = tls_peer_pin(c->ssl);
    if (pin == NULL || !SSL_is_init_finished(c->ssl)) return false;
    wire_tls_answer = (struct wire_tls_answer){true, pin->tag, c->heard_ms};
    return true;
}

nng_tls_engine_conn_ops wire_tls_conn_ops = {
    .size = sizeof(struct nng_tls_engine_conn),
    .init = conn_init,
    .fini = conn_fini,
    .close = conn_close,
    .handshake = conn_handshake,
    .recv = conn_recv,
    .send = conn_send,
    .verified = conn_verified,
};
