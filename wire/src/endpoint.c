#include "endpoint.h"

#include <stdio.h>
#include <nng/supplemental/util/platform.h>
#include "qk/clock.h"
#include "qk/log.h"

#define STUCK_MS  1000  /* a pipe reaches the socket within microseconds of being through */
#define LASTED_MS 10000 /* a connection that lived so long was a good one */

static qk_err set_up(char *url_out, const char *url, nng_tls_config **cfg,
    struct wire_tls_stats **stats, struct wire_tls_setup *setup)
{
    QK_ENSURE((size_t)snprintf(url_out, WIRE_URL_MAX, "%s", url) < WIRE_URL_MAX, QK_E_STATE);
    QK_TRY(wire_tls_stats_new(stats));
    setup->stats = *stats;
    return wire_tls_config_new(cfg, setup);
}

static void tear_down(nng_tls_config **cfg, struct wire_tls_stats **stats)
{
    if (*cfg != NULL) nng_tls_config_free(*cfg);
    *cfg = NULL;
    wire_tls_stats_wait(*stats);
    wire_tls_stats_release(*stats);
    *stats = NULL;
}

/* ---- listener ---- */

static qk_err listener_start(struct wire_listener *l)
{
    int rv = nng_listener_create(&l->listener, l->sock, l->url);
    QK_ENSURE(rv == 0, wire_nng_err(rv));
    rv = nng_listener_set_ptr(l->listener, NNG_OPT_TLS_CONFIG, l->cfg);
    if (rv == 0) rv = nng_listener_start(l->listener, 0);
    if (rv != 0) {
        (void)nng_listener_close(l->listener);
        return wire_nng_err(rv);
    }
    l->open = true;
    return QK_OK;
}

qk_err wire_listener_open(
    struct wire_listener *l, nng_socket sock, const char *url, struct wire_tls_setup *setup)
{
    l->sock = sock;
    QK_TRY(set_up(l->url, url, &l->cfg, &l->stats, setup));
    qk_err err = listener_start(l);
    return err == QK_E_STATE ? QK_E_IO : err; /* an address NNG does not take */
}

void wire_listener_added(struct wire_listener *l)
{
    atomic_fetch_add(&l->added, 1);
}

static void listener_replace(struct wire_listener *l)
{
    if (l->open) (void)nng_listener_close(l->listener);
    l->open = l->cut = false;
    if (listener_start(l) != QK_OK) return; /* again at the next check */
    qk_log(QK_WARN, "wire.listener.replaced", QK_F_STR("url", l->url));
    l->forgiven = atomic_load(&l->stats->through) - atomic_load(&l->added);
    l->stuck_since_ms = 0;
}

static bool is_stuck(struct wire_listener *l, uint64_t now_ms)
{
    uint64_t owed = atomic_load(&l->stats->through) - atomic_load(&l->added);
    if (owed <= l->forgiven || owed != l->owed_at_check) {
        l->owed_at_check = owed; /* nothing owed, or things still move */
        l->stuck_since_ms = 0;
        return false;
    }
    if (l->stuck_since_ms == 0) l->stuck_since_ms = now_ms;
    return wire_ms_since(l->stuck_since_ms, now_ms) >= STUCK_MS;
}

/* What hangs on a listener goes with it, so it is cut first, a check earlier. */
void wire_listener_check(struct wire_listener *l, uint64_t now_ms)
{
    wire_tls_expire(l->stats, now_ms);
    if (!l->open || l->cut) {
        listener_replace(l);
    } else if (is_stuck(l, now_ms)) {
        wire_tls_cut_now(l->stats);
        l->cut = true;
    }
}

void wire_listener_free(struct wire_listener *l)
{
    tear_down(&l->cfg, &l->stats);
}

/* ---- dialer ---- */

static qk_err dialer_start(struct wire_dialer *d)
{
    int rv = nng_dialer_create(&d->dialer, d->sock, d->url);
    QK_ENSURE(rv == 0, wire_nng_err(rv));
    if ((rv = nng_dialer_set_ptr(d->dialer, NNG_OPT_TLS_CONFIG, d->cfg)) == 0 &&
        (rv = nng_dialer_set_ms(d->dialer, NNG_OPT_RECONNMINT, (nng_duration)d->min_ms)) == 0 &&
        (rv = nng_dialer_set_ms(d->dialer, NNG_OPT_RECONNMAXT, (nng_duration)d->max_ms)) == 0)
        rv = nng_dialer_start(d->dialer, NNG_FLAG_NONBLOCK);
    if (rv != 0) {
        (void)nng_dialer_close(d->dialer);
        return wire_nng_err(rv);
    }
    d->open = true;
    return QK_OK;
}

qk_err wire_dialer_open(struct wire_dialer *d, pthread_mutex_t *lock, nng_socket sock,
    const char *url, struct wire_tls_setup *setup, unsigned min_ms, unsigned max_ms)
{
    d->lock = lock;
    d->sock = sock;
    d->min_ms = d->backoff_ms = min_ms;
    d->max_ms = max_ms;
    d->patience_ms = 2 * max_ms + setup->handshake_ms;
    d->fresh_since_ms = qk_mono_ms();
    QK_TRY(set_up(d->url, url, &d->cfg, &d->stats, setup));
    return dialer_start(d);
}

/* NNG starts over from the shortest delay after every connection, however brief: a peer that takes
 * us in only to throw us out would be dialled ten times a second. */
static void back_off(struct wire_dialer *d, uint64_t lasted_ms)
{
    d->backoff_ms = lasted_ms >= LASTED_MS ? d->min_ms : d->backoff_ms * 2;
    if (d->backoff_ms > d->max_ms) d->backoff_ms = d->max_ms;
}

void wire_dialer_removed(struct wire_dialer *d, uint64_t lasted_ms, uint64_t now_ms)
{
    back_off(d, lasted_ms);
    (void)nng_dialer_set_ms(d->dialer, NNG_OPT_RECONNMINT, (nng_duration)d->backoff_ms);
    d->fresh_since_ms = now_ms;
}

unsigned wire_dialer_retire(
    struct wire_dialer *d, uint64_t lasted_ms, uint64_t now_ms, nng_dialer *old)
{
    unsigned delay = nng_random() % (d->backoff_ms + 1);
    back_off(d, lasted_ms);
    *old = d->dialer;
    d->open = false;
    d->fresh_since_ms = now_ms;
    return delay;
}

void wire_dialer_renew(struct wire_dialer *d, nng_socket sock, uint64_t now_ms)
{
    d->sock = sock;
    d->fresh_since_ms = now_ms;
    (void)dialer_start(d); /* if not: wire_dialer_check does it */
}

/* Without the lock; `open` was true iff close. */
static void dialer_replace(struct wire_dialer *d, bool close, nng_dialer old, uint64_t now_ms)
{
    if (close) (void)nng_dialer_close(old); /* waits for callbacks that take the lock */
    (void)pthread_mutex_lock(d->lock);
    d->fresh_since_ms = now_ms;
    bool started = dialer_start(d) == QK_OK; /* if not: again at the next check */
    (void)pthread_mutex_unlock(d->lock);
    if (started) qk_log(QK_DEBUG, "wire.dialer.replaced", QK_F_STR("url", d->url));
}

void wire_dialer_check(struct wire_dialer *d, bool connected, uint64_t now_ms)
{
    wire_tls_expire(d->stats, now_ms);
    if (connected) return;
    (void)pthread_mutex_lock(d->lock);
    bool due = !d->open || wire_ms_since(d->fresh_since_ms, now_ms) >= d->patience_ms;
    bool close = due && d->open;
    nng_dialer old = d->dialer;
    if (due) d->open = false;
    (void)pthread_mutex_unlock(d->lock);
    if (due) dialer_replace(d, close, old, now_ms);
}

/* A connection that is under negotiation, or through and not yet gone, is left alone: it is what is
 * wanted, and NNG does not take well to a dialer that is closed then. */
void wire_dialer_hurry(struct wire_dialer *d, uint64_t n_gone, uint64_t now_ms)
{
    (void)pthread_mutex_lock(d->lock);
    bool sleeps = d->open && atomic_load(&d->stats->pending) == 0 &&
                  atomic_load(&d->stats->through) == n_gone;
    nng_dialer old = d->dialer;
    if (sleeps) d->open = false;
    (void)pthread_mutex_unlock(d->lock);
    if (sleeps) dialer_replace(d, true, old, now_ms);
}

void wire_dialer_free(struct wire_dialer *d)
{
    tear_down(&d->cfg, &d->stats);
}
