#include "tls_priv.h"

#include <pthread.h>
#include <stdlib.h>
#include <nng/supplemental/util/platform.h>
#include "qk/log.h"

enum { STATS_WAIT_MS = 2000 }; /* it takes milliseconds, unless NNG has lost a connection */

/* What nng_tls_config_alloc, called by us, is to be filled with. The engine's init runs inside that
 * call on this thread, so the key never has to pass through NNG as PEM text. */
static _Thread_local const struct wire_tls_setup *setup_now;

static void stats_hold(struct wire_tls_stats *stats)
{
    atomic_fetch_add(&stats->refs, 1);
}

qk_err wire_tls_stats_new(struct wire_tls_stats **out)
{
    struct wire_tls_stats *stats = calloc(1, sizeof *stats);
    QK_ENSURE(stats != NULL, QK_E_NOMEM);
    atomic_init(&stats->refs, 1);
    (void)pthread_mutex_init(&stats->lock, NULL);
    *out = stats;
    return QK_OK;
}

void wire_tls_stats_release(struct wire_tls_stats *stats)
{
    if (stats == NULL || atomic_fetch_sub(&stats->refs, 1) != 1) return;
    (void)pthread_mutex_destroy(&stats->lock);
    free(stats);
}

void wire_tls_stats_wait(struct wire_tls_stats *stats)
{
    if (stats == NULL) return;
    for (unsigned ms = 0; ms < STATS_WAIT_MS && atomic_load(&stats->refs) > 1; ms++) nng_msleep(1);
}

/* ---- configurations ---- */

static int config_init(nng_tls_engine_config *cfg, nng_tls_mode mode)
{
    const struct wire_tls_setup *s = setup_now;
    if (s == NULL) return 0;
    if (tls_pins_copy(&cfg->pins, s->pins, s->n_pins) != QK_OK) return NNG_ECRYPTO;
    SSL_CTX *ctx = tls_ctx_new(&cfg->pins, s->identity);
    if (ctx == NULL) return NNG_ECRYPTO;
    cfg->ctx = ctx;
    cfg->server = mode == NNG_TLS_MODE_SERVER;
    cfg->handshake_ms = s->handshake_ms;
    cfg->stats = s->stats;
    stats_hold(s->stats);
    return 0;
}

static void config_fini(nng_tls_engine_config *cfg)
{
    SSL_CTX_free(cfg->ctx);
    wire_tls_stats_release(cfg->stats);
}

/* NNG sets names and modes on its own account; none of them can loosen what config_init fixed. */
static int config_server(nng_tls_engine_config *cfg, const char *name)
{
    (void)cfg;
    (void)name;
    return 0;
}
static int config_auth(nng_tls_engine_config *cfg, nng_tls_auth_mode mode)
{
    (void)cfg;
    (void)mode;
    return 0;
}
static int config_ca_chain(nng_tls_engine_config *cfg, const char *chain, const char *crl)
{
    (void)cfg;
    (void)chain;
    (void)crl;
    return NNG_ENOTSUP;
}
static int config_own_cert(
    nng_tls_engine_config *cfg, const char *cert, const char *key, const char *pass)
{
    (void)cfg;
    (void)cert;
    (void)key;
    (void)pass;
    return NNG_ENOTSUP;
}
static int config_version(nng_tls_engine_config *cfg, nng_tls_version min, nng_tls_version max)
{
    (void)cfg;
    (void)min;
    (void)max;
    return NNG_ENOTSUP;
}

static nng_tls_engine_config_ops config_ops = {
    .size = sizeof(struct nng_tls_engine_config),
    .init = config_init,
    .fini = config_fini,
    .server = config_server,
    .auth = config_auth,
    .ca_chain = config_ca_chain,
    .own_cert = config_own_cert,
    .version = config_version,
};

static const nng_tls_engine engine = {
    .version = NNG_TLS_ENGINE_VERSION,
    .config_ops = &config_ops,
    .conn_ops = &wire_tls_conn_ops,
    .name = "qkms-openssl",
    .description = "OpenSSL, TLS 1.3, pinned peers",
    .fips_mode = false,
};

static pthread_mutex_t engine_lock = PTHREAD_MUTEX_INITIALIZER;

static qk_err engine_register(void)
{
    /* The deadline passes the engine's context to nng_stream_get: true of this version only. */
    if (strcmp(nng_version(), "1.5.2") != 0) {
        qk_log(QK_ERROR, "wire.nng.version", QK_F_STR("found", nng_version()));
        return QK_E_STATE;
    }
    /* Asking forces NNG's own start, which would otherwise put its engine over ours later. It also
     * tells whether ours is still in place after an nng_fini. */
    if (strcmp(nng_tls_engine_name(), engine.name) == 0) return QK_OK;
    QK_TRY(wire_tls_conn_setup());
    return nng_tls_engine_register(&engine) == 0 ? QK_OK : QK_E_CRYPTO;
}

qk_err wire_tls_config_new(nng_tls_config **out, const struct wire_tls_setup *setup)
{
    QK_ENSURE(setup->n_pins >= 1 && setup->n_pins <= WIRE_TLS_PINS_MAX, QK_E_STATE);
    (void)pthread_mutex_lock(&engine_lock);
    qk_err err = engine_register();
    (void)pthread_mutex_unlock(&engine_lock);
    QK_TRY(err);
    setup_now = setup;
    int rv = nng_tls_config_alloc(out, setup->server ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT);
    setup_now = NULL;
    return rv == 0 ? QK_OK : wire_nng_err(rv);
}

qk_err wire_tls_peer(nng_pipe pipe, uint16_t *tag)
{
    bool verified = false;
    wire_tls_answer = (struct wire_tls_answer){false, 0, 0};
    /* calls the engine's `verified` on this thread before it returns */
    int rv = nng_pipe_get_bool(pipe, NNG_OPT_TLS_VERIFIED, &verified);
    QK_ENSURE(rv == 0 && verified && wire_tls_answer.verified, QK_E_DENIED);
    *tag = wire_tls_answer.tag;
    return QK_OK;
}

uint64_t wire_tls_heard_ms(nng_pipe pipe)
{
    uint16_t tag;
    return wire_tls_peer(pipe, &tag) == QK_OK ? wire_tls_answer.heard_ms : 0;
}

void wire_tls_cut(nng_pipe pipe)
{
    bool ignored;
    wire_tls_cutting = true;
    (void)nng_pipe_get_bool(pipe, NNG_OPT_TLS_VERIFIED, &ignored);
    wire_tls_cutting = false;
}

qk_err wire_nng_err(int rv)
{
    switch (rv) {
    case 0:
        return QK_OK;
    case NNG_ENOMEM:
        return QK_E_NOMEM;
    case NNG_ETIMEDOUT:
        return QK_E_TIMEOUT;
    case NNG_ECRYPTO:
        return QK_E_CRYPTO;
    case NNG_EINVAL:
    case NNG_ESTATE:
        return QK_E_STATE;
    default:
        return QK_E_IO;
    }
}
