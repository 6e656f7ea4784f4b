#include "address.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>

#define SCHEME  "tls+tcp://"
#define BACKLOG 128

/* Shared by its owner and the thread that looks up; the last one out frees it. */
struct wire_lookup {
    atomic_uint refs;
    atomic_bool done;
    struct wire_address address;
    struct addrinfo *found;
};

qk_err wire_address_parse(struct wire_address *out, const char *url)
{
    QK_ENSURE(strncmp(url, SCHEME, strlen(SCHEME)) == 0, QK_E_STATE);
    const char *host = url + strlen(SCHEME), *colon = strrchr(host, ':');
    QK_ENSURE(colon != NULL && colon > host, QK_E_STATE);
    size_t len = (size_t)(colon - host), port_len = strlen(colon + 1);
    if (host[0] == '[') {
        QK_ENSURE(len > 2 && host[len - 1] == ']', QK_E_STATE);
        host++;
        len -= 2;
    }
    QK_ENSURE(len < sizeof out->host && port_len >= 1 && port_len < sizeof out->port, QK_E_STATE);
    memcpy(out->host, host, len);
    out->host[len] = 0;
    memcpy(out->port, colon + 1, port_len + 1);
    return QK_OK;
}

static struct addrinfo *look_up(const struct wire_address *a, int flags)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *found = NULL;
    return getaddrinfo(a->host, a->port, &hints, &found) == 0 ? found : NULL;
}

/* ---- listening ---- */

static int listen_on(const struct addrinfo *ai)
{
    int one = 1;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

qk_err wire_address_listen(int *fd, const struct wire_address *address)
{
    struct addrinfo *found = look_up(address, AI_PASSIVE);
    int made = -1;
    for (const struct addrinfo *ai = found; ai != NULL && made < 0; ai = ai->ai_next)
        made = listen_on(ai);
    if (found != NULL) freeaddrinfo(found);
    QK_ENSURE(made >= 0, QK_E_IO);
    *fd = made;
    return QK_OK;
}

/* ---- looking up ---- */

void wire_lookup_free(struct wire_lookup *l)
{
    if (l == NULL || atomic_fetch_sub(&l->refs, 1) != 1) return;
    if (l->found != NULL) freeaddrinfo(l->found);
    free(l);
}

static void *run(void *arg)
{
    struct wire_lookup *l = arg;
    l->found = look_up(&l->address, 0);
    atomic_store(&l->done, true);
    wire_lookup_free(l);
    return NULL;
}

/* Nobody joins it: it ends when the resolver does. */
static qk_err look_up_aside(struct wire_lookup *l)
{
    pthread_t thread;
    sigset_t all, old;
    atomic_store(&l->refs, 2);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&thread, NULL, run, l) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ok)
        (void)pthread_detach(thread);
    else
        atomic_store(&l->refs, 1);
    return ok ? QK_OK : QK_E_NOMEM;
}

qk_err wire_lookup_start(struct wire_lookup **out, const struct wire_address *address)
{
    struct wire_lookup *l = calloc(1, sizeof *l);
    QK_ENSURE(l != NULL, QK_E_NOMEM);
    atomic_init(&l->refs, 1);
    l->address = *address;
    l->found = look_up(address, AI_NUMERICHOST);
    atomic_init(&l->done, l->found != NULL);
    if (l->found == NULL && look_up_aside(l) != QK_OK) {
        wire_lookup_free(l);
        return QK_E_NOMEM;
    }
    *out = l;
    return QK_OK;
}

bool wire_lookup_done(struct wire_lookup *lookup)
{
    return atomic_load(&lookup->done);
}

static const struct addrinfo *choose(const struct addrinfo *found, unsigned turn)
{
    unsigned n = 0;
    for (const struct addrinfo *ai = found; ai != NULL; ai = ai->ai_next) n++;
    if (n == 0) return NULL;
    for (turn %= n; turn > 0; turn--) found = found->ai_next;
    return found;
}

qk_err wire_lookup_connect(int *fd, struct wire_lookup *lookup, unsigned turn)
{
    const struct addrinfo *ai = choose(lookup->found, turn);
    QK_ENSURE(ai != NULL, QK_E_IO);
    int made = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    QK_ENSURE(made >= 0, QK_E_IO);
    if (connect(made, ai->ai_addr, ai->ai_addrlen) != 0 && errno != EINPROGRESS) {
        (void)close(made);
        return QK_E_IO;
    }
    *fd = made;
    return QK_OK;
}
