/** Between line.c, line_in.c and line_out.c. */
#ifndef WIRE_LINE_PRIV_H
#define WIRE_LINE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include "line.h"
#include "qk/secret.h"

struct wire_line {
    struct wire_source source;
    struct wire_line_owner owner;
    bool server;
    atomic_uint refs;

    /* the loop's thread */
    bool connecting; /* TCP is not there yet */
    bool over;       /* closed */
    uint64_t heard_ms;
    bool refused;
    uint8_t *in; /* decrypted, up to in_cap; whole frames and the beginning of one */
    size_t in_len, in_cap;

    pthread_mutex_t lock; /* everything below */
    int fd;               /* -1: closed */
    uint32_t armed;       /* events watched for */
    bool ready;           /* the handshake is over */
    bool closed, broken;
    SSL *ssl;
    const uint8_t *net; /* received and not yet taken by TLS; set only within a call */
    size_t net_len;
    enum {
        LINE_IDLE,   /* nothing waits */
        LINE_AT_IT,  /* a thread encrypts and sends */
        LINE_BLOCKED /* the loop goes on when the kernel has room */
    } state;
    struct qk_buf queue; /* frames as they were queued */
    struct qk_buf going; /* of them, those that are being encrypted, from going_off */
    size_t going_off;
    struct qk_buf cipher; /* encrypted, not yet being sent */
    struct qk_buf out;    /* being sent, from out_off; whoever is at it owns it */
    size_t out_off;
    /* bytes of frames since the beginning: queued; encrypted; up to the end of out; that left */
    uint64_t queued, encrypted, out_end, gone;
    uint64_t pieces;                     /* that out has held */
    uint64_t mark, mark_pieces, mark_ms; /* wire_line_stuck; mark_ms 0: no mark */
};

/** With the lock held. What the state, the queue and connecting ask for. */
void line_arm(struct wire_line *l);
/** With the lock held, which is let go of meanwhile: encrypt and send until nothing waits or the
 *  kernel has no room. Only when state is LINE_IDLE or the loop calls for LINE_BLOCKED. */
void line_pump(struct wire_line *l);
/** With the lock held: after closed was set and nobody is at it. */
void line_bury(struct wire_line *l);
/** With the lock held: bytes that wait. */
size_t line_waiting(const struct wire_line *l);

/** Events of a socket that is there: false when the line is to be closed. */
bool line_read(struct wire_line *l);
/** Begin the handshake; with the lock held. */
bool line_greet(struct wire_line *l);

#endif
