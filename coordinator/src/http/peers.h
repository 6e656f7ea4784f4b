/** How many connections each client address has. Thread-safe.
 *
 *  An IPv6 client is its /64: it can pick any address within.
 */
#ifndef COORD_HTTP_PEERS_H
#define COORD_HTTP_PEERS_H

#include <sys/socket.h>
#include "qk/err.h"

struct coord_http_peers;
struct coord_http_peer; /* one address with at least one connection */

QK_MUST_USE qk_err coord_http_peers_new(struct coord_http_peers **out, size_t max_each);
void coord_http_peers_free(struct coord_http_peers *peers);
/** One connection more. NULL: over the cap, or out of memory. */
struct coord_http_peer *coord_http_peers_enter(
    struct coord_http_peers *peers, const struct sockaddr_storage *from);
/** One less. Both arguments may be NULL. */
void coord_http_peers_leave(struct coord_http_peers *peers, struct coord_http_peer *peer);

#endif
