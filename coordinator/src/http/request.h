/** A request on its way through the owner and back to its loop. Private to http/. */
#ifndef COORD_HTTP_REQUEST_H
#define COORD_HTTP_REQUEST_H

#include <pthread.h>
#include <stdatomic.h>
#include "http/http.h"
#include "http/parser.h"

struct coord_http_conn;

struct coord_http_job {
    struct coord_http_request pub; /* first: the owner holds a pointer to it */
    struct coord_http_message msg;
    struct coord_http_mailbox *box;
    struct coord_http_conn *conn; /* of the loop thread; NULL once the connection is gone */
    struct coord_http_job *next;
    size_t max_reply;
    bool keep_alive; /* after the reply; decided when it is written */
    struct qk_buf out;
    struct coord_http_header headers[];
};

/** Where replies wait for their loop. It outlives the loop while requests are out. */
struct coord_http_mailbox {
    pthread_mutex_t lock;
    struct coord_http_job *first, *last;
    int event_fd;
    bool closed;
    atomic_bool draining; /* replies say "Connection: close" */
    atomic_uint refs;
};

QK_MUST_USE qk_err coord_http_mailbox_new(struct coord_http_mailbox **out);
void coord_http_mailbox_unref(struct coord_http_mailbox *box);
/** Wake the loop without a reply. */
void coord_http_mailbox_wake(struct coord_http_mailbox *box);
/** Take all replies that wait, in order. */
struct coord_http_job *coord_http_mailbox_take(struct coord_http_mailbox *box);
/** Drop the replies that wait, and each later one when it comes. */
void coord_http_mailbox_close(struct coord_http_mailbox *box);

/** Make a request of a complete message, which moves in. On error the message stays the caller's.
 */
QK_MUST_USE qk_err coord_http_job_new(
    struct coord_http_job **out, struct coord_http_message *msg, struct coord_http_mailbox *box);
void coord_http_job_free(struct coord_http_job *req);

/** Write a reply's head and body to out. */
void coord_http_reply_write(struct qk_buf *out, unsigned status,
    const struct coord_http_header *headers, size_t n_headers, struct qk_bytes body,
    bool keep_alive, bool is_head);
/** Write the module's own short answer to a protocol error. */
void coord_http_reply_refuse(struct qk_buf *out, unsigned status);

#endif
