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

enum http_conn_state {
    CONN_HANDSHAKE,
    CONN_IDLE, /* no byte of a request yet */
    CONN_HEAD,
    CONN_BODY,
    CONN_WORK, /* the request is with the owner; nothing is read meanwhile */
    CONN_WRITE,
    CONN_LINGER, /* all said: read and forget until the client closes */
    CONN_CLOSED,
};

struct http_conn {
    struct http_source src; /* first */
    struct http_timer timer;
    struct http_loop *loop;
    struct http_conn *prev, *next;
    struct http_stream stream;
    enum http_conn_state state;
    uint32_t armed; /* events epoll watches for */
    bool fresh;     /* no request was read yet: the head's deadline runs from connecting */
    bool keep_alive;
    struct http_parser parser;
    size_t held;           /* bytes of the unfinished body counted against max_bodies */
    struct qk_buf pending; /* read behind the request in work; at most one scratch buffer */
    size_t pending_off;
    struct qk_buf out;
    size_t out_off;
    struct http_request *req; /* in work */
    struct http_peer *peer;
    struct sockaddr_storage from;
};

/** Take over fd. On error fd and peer stay the caller's. */
QK_MUST_USE qk_err http_conn_open(struct http_loop *loop, int fd, bool tls,
    const struct sockaddr_storage *from, struct http_peer *peer);
/** Close now; freed at the end of the loop's turn. */
void http_conn_close(struct http_conn *c);
/** The deadline of its state has passed. */
void http_conn_expired(struct http_conn *c);
/** The reply of its request: goes out. req is consumed. */
void http_conn_reply(struct http_conn *c, struct http_request *req);
/** Draining begins: close unless a request is under way. */
void http_conn_drain(struct http_conn *c);

/* Between conn.c and conn_out.c. */
void http_conn_arm(struct http_conn *c, uint32_t events);
void http_conn_deadline(struct http_conn *c, uint32_t ms);
void http_conn_read(struct http_conn *c);
void http_conn_flush(struct http_conn *c);
void http_conn_discard(struct http_conn *c);
void http_conn_refuse(struct http_conn *c, unsigned status, enum coord_http_refusal why);
/** Queue "100 Continue" and write what can be written. */
void http_conn_continue(struct http_conn *c);
void http_conn_release_body(struct http_conn *c);

#endif
