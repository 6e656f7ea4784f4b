/** One connection: bytes in, requests out, replies back. Private to http/.
 *
 *      handshake -> idle -> head -> body -> work -> write -> idle ...
 *                                                         -> linger -> closed
 *
 *  Each state but `work` has an absolute deadline. Used on its loop's thread
 *  only. conn.c reads, conn_out.c writes.
 */
#ifndef COORD_HTTP_CONN_H
#define COORD_HTTP_CONN_H

#include "http/loop.h"
#include "http/stream.h"

enum coord_http_conn_state {
    CONN_HANDSHAKE,
    CONN_IDLE, /* no byte of a request yet */
    CONN_HEAD,
    CONN_BODY,
    CONN_WORK, /* the request is with the owner; nothing is read meanwhile */
    CONN_WRITE,
    CONN_LINGER, /* all said: read and forget until the client closes */
    CONN_CLOSED,
};

struct coord_http_conn {
    struct coord_http_source src; /* first */
    struct coord_http_timer timer;
    struct coord_http_loop *loop;
    struct coord_http_conn *prev, *next;
    struct coord_http_stream stream;
    enum coord_http_conn_state state;
    uint32_t armed; /* events epoll watches for */
    bool fresh;     /* no request was read yet: the head's deadline runs from connecting */
    bool keep_alive;
    struct coord_http_parser parser;
    size_t held;           /* bytes of the unfinished body counted against max_bodies */
    struct qk_buf pending; /* read behind the request in work; at most one scratch buffer */
    size_t pending_off;
    struct qk_buf out;
    size_t out_off;
    struct coord_http_job *req; /* in work */
    struct coord_http_peer *peer;
    struct sockaddr_storage from;
};

/** Take over fd. On error fd and peer stay the caller's. */
QK_MUST_USE qk_err coord_http_conn_open(struct coord_http_loop *loop, int fd, bool tls,
    const struct sockaddr_storage *from, struct coord_http_peer *peer);
/** Close now; freed at the end of the loop's turn. */
void coord_http_conn_close(struct coord_http_conn *c);
/** The deadline of its state has passed. */
void coord_http_conn_expired(struct coord_http_conn *c);
/** The reply of its request: goes out. req is consumed. */
void coord_http_conn_reply(struct coord_http_conn *c, struct coord_http_job *req);
/** Draining begins: close unless a request is under way. */
void coord_http_conn_drain(struct coord_http_conn *c);

/* Between conn.c and conn_out.c. */
void coord_http_conn_arm(struct coord_http_conn *c, uint32_t events);
void coord_http_conn_deadline(struct coord_http_conn *c, uint32_t ms);
void coord_http_conn_read(struct coord_http_conn *c);
void coord_http_conn_flush(struct coord_http_conn *c);
void coord_http_conn_discard(struct coord_http_conn *c);
void coord_http_conn_refuse(
    struct coord_http_conn *c, unsigned status, enum coord_http_refusal why);
/** Queue "100 Continue" and write what can be written. */
void coord_http_conn_continue(struct coord_http_conn *c);
void coord_http_conn_release_body(struct coord_http_conn *c);

#endif
