#include "tls_tap.h"

#include <stdint.h>
#include <string.h>

enum {
    SEND_AT = 712,  /* nng_aio tcp_send, in tls_conn */
    RECV_AT = 1176, /* nng_aio tcp_recv */
};

/* The beginning of struct nng_aio. */
struct aio_head {
    size_t count;
    uint64_t expire;
    int32_t timeout;
    int result;
    uint8_t flags[8];
    void *task_node[2];
    void *task_arg;
    void (*task_cb)(void *);
};

static struct aio_head *head_of(nng_aio *aio)
{
    return (struct aio_head *)(void *)aio;
}

static void watch(struct tls_tap *tap, nng_aio *aio)
{
    struct aio_head *head = head_of(aio);
    if (head->result == 0) return;
    head->result = atomic_load(&tap->error);
    atomic_store(&tap->dead, true);
}

static void on_sent(void *arg)
{
    struct tls_tap *tap = arg;
    watch(tap, tap->send);
    tap->on_sent(tap->stream);
}

static void on_received(void *arg)
{
    struct tls_tap *tap = arg;
    watch(tap, tap->recv);
    tap->on_received(tap->stream);
}

/* Idle, without a time limit, and calling back for this very connection. */
static bool is_untouched(const struct aio_head *head, const void *stream)
{
    return head->count == 0 && head->result == 0 && head->timeout == NNG_DURATION_INFINITE &&
           head->task_arg == stream && head->task_cb != NULL && head->task_node[0] == NULL;
}

bool tls_tap_open(struct tls_tap *tap, void *stream)
{
    struct aio_head *send = (void *)((uint8_t *)stream + SEND_AT);
    struct aio_head *recv = (void *)((uint8_t *)stream + RECV_AT);
    if (!is_untouched(send, stream) || !is_untouched(recv, stream)) return false;
    if (send->task_cb == recv->task_cb) return false;
    tap->stream = stream;
    tap->send = (void *)send;
    tap->recv = (void *)recv;
    tap->on_sent = send->task_cb;
    tap->on_received = recv->task_cb;
    atomic_init(&tap->error, NNG_ECONNABORTED);
    send->task_arg = recv->task_arg = tap;
    send->task_cb = on_sent;
    recv->task_cb = on_received;
    return true;
}

void tls_tap_cut(struct tls_tap *tap, int error)
{
    if (tap->recv == NULL) return;
    atomic_store(&tap->error, error);
    nng_aio_abort(tap->recv, error);
}
