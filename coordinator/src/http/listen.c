#include "http/loop.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

static bool is_loopback(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

static uint16_t bound_port(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0) return 0;
    if (at.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&at)->sin_port);
    return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
}

/* Accepted sockets inherit TCP_NODELAY: without it a reply of two records waits 40 ms. */
static bool bind_and_listen(int fd, const struct addrinfo *ai)
{
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) return false;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) return false;
    if (ai->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return false;
    return bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0;
}

static qk_err open_listener(struct coord_http_listener *l, const struct addrinfo *ai)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    QK_ENSURE(fd >= 0, QK_E_IO);
    if (!bind_and_listen(fd, ai)) {
        (void)close(fd);
        return QK_E_IO;
    }
    l->fd = fd;
    l->port = bound_port(fd);
    return QK_OK;
}

qk_err coord_http_listen(struct coord_http_listener *l, const struct coord_http_listen *at)
{
    QK_ENSURE(at->host != NULL, QK_E_STATE);
    char port[8];
    (void)snprintf(port, sizeof port, "%u", at->port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *ai = NULL;
    QK_ENSURE(getaddrinfo(at->host, port, &hints, &ai) == 0, QK_E_STATE);
    qk_err err = QK_E_DENIED;
    if (!at->plain || is_loopback(ai->ai_addr)) err = open_listener(l, ai);
    freeaddrinfo(ai);
    l->tls = !at->plain;
    return err;
}
