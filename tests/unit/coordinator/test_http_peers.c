#include "qktest/qktest.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include "http/peers.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage a = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        a.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        a.ss_family = AF_INET6;
    return a;
}

static struct coord_http_peer *enter(struct coord_http_peers *peers, const char *text)
{
    struct sockaddr_storage a = address(text);
    return coord_http_peers_enter(peers, &a);
}

QK_TEST(http_peers, counts_ipv4_by_address_and_ipv6_by_its_64)
{
    struct coord_http_peers *peers;
    qk_assert_ok(coord_http_peers_new(&peers, 2));
    cr_assert_not_null(enter(peers, "192.0.2.1"));
    cr_assert_not_null(enter(peers, "192.0.2.1"));
    cr_assert_null(enter(peers, "192.0.2.1"), "third of one address");
    cr_assert_not_null(enter(peers, "192.0.2.2"), "another address");
    cr_assert_not_null(enter(peers, "2001:db8::1"));
    cr_assert_not_null(enter(peers, "2001:db8::2"));
    cr_assert_null(enter(peers, "2001:db8::ffff:3"), "third of one /64");
    cr_assert_not_null(enter(peers, "2001:db8:0:1::1"), "another /64");
    coord_http_peers_free(peers);
}

QK_TEST(http_peers, gives_a_place_back)
{
    struct coord_http_peers *peers;
    qk_assert_ok(coord_http_peers_new(&peers, 1));
    for (int i = 0; i < 1000; i++) {
        struct coord_http_peer *p = enter(peers, "192.0.2.1");
        cr_assert_not_null(p);
        cr_assert_null(enter(peers, "192.0.2.1"));
        coord_http_peers_leave(peers, p);
    }
    coord_http_peers_leave(peers, NULL);
    coord_http_peers_leave(NULL, NULL);
    coord_http_peers_free(peers);
}
