/** Addresses of cluster.conf, tls+tcp://host:port, and sockets made of them.
 *
 *  A name is looked up anew at every attempt to connect, on a thread of its own: the resolver can
 *  take as long as it likes and nobody waits for it.
 */
#ifndef WIRE_ADDRESS_H
#define WIRE_ADDRESS_H

#include <netdb.h>
#include <stdbool.h>
#include "qk/err.h"

enum { WIRE_HOST_MAX = 160 };

struct wire_address {
    char host[WIRE_HOST_MAX]; /* without the brackets of an IPv6 address */
    char port[6];
};

/** QK_E_STATE: not tls+tcp://host:port. */
QK_MUST_USE qk_err wire_address_parse(struct wire_address *out, const char *url);

/** A listening socket, non-blocking. Looks a name up and waits for it. QK_E_IO. */
QK_MUST_USE qk_err wire_address_listen(int *fd, const struct wire_address *address);

struct wire_lookup;

/** Begin to look up; a numeric address is there at once. QK_E_NOMEM. */
QK_MUST_USE qk_err wire_lookup_start(struct wire_lookup **out, const struct wire_address *address);
/** Is it over, well or badly? */
bool wire_lookup_done(struct wire_lookup *lookup);
/** When it is over: begin to connect to one of the addresses found, a different one for each
 * `turn`; *fd is non-blocking. QK_E_IO: nothing found, or refused at once. */
QK_MUST_USE qk_err wire_lookup_connect(int *fd, struct wire_lookup *lookup, unsigned turn);
/** Also before it is over. NULL is allowed. */
void wire_lookup_free(struct wire_lookup *lookup);

#endif
