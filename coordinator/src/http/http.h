/** The HTTP/1.1 front: epoll, OpenSSL, a strict parser, absolute deadlines.
 *
 *  Requests come in on loop threads and leave through one callback; replies
 *  may come from any thread. The module knows nothing of KMS. It answers
 *  every protocol error itself and then closes; what it lets through is
 *  unambiguous (docs/http.md lists what is refused and with which status).
 *
 *      struct coord_http_config cfg;
 *      coord_http_config_init(&cfg);
 *      cfg.listen = addresses; cfg.n_listen = 1; cfg.cert_file = ...; cfg.key_file = ...;
 *      QK_TRY(coord_http_start(&http, &cfg, on_request, ctx));
 *      ...
 *      coord_http_stop_accepting(http);
 *      (void)coord_http_wait_drained(http, 20000);
 *      coord_http_free(http);
 *
 *  Left to the caller: what a target or a header means, percent-decoding,
 *  a bound on the time a request may be in work, process-wide signals (loop
 *  threads block them all; SIGPIPE need not be ignored).
 */
#ifndef COORD_HTTP_H
#define COORD_HTTP_H

#include "qk/bytes.h"

struct coord_http; /* one running front */

/** One address to listen on. */
struct coord_http_listen {
    const char *host; /* numeric IPv4 or IPv6 address; names are not resolved */
    uint16_t port;    /* 0: the kernel chooses, see coord_http_port */
    bool plain;       /* no TLS; refused unless host is a loopback address */
};

#define COORD_HTTP_LISTEN_MAX 8
#define COORD_HTTP_LOOPS_MAX  64

struct coord_http_config {
    const struct coord_http_listen *listen;
    size_t n_listen;       /* 1..COORD_HTTP_LISTEN_MAX */
    const char *cert_file; /* PEM chain, leaf first; needed unless every address is plain */
    const char *key_file;  /* PEM private key, closed to group and others (qk_file_read_secret) */

    unsigned n_loops;            /* loop threads; default 1 */
    size_t max_connections;      /* all together; default 4096 */
    size_t max_connections_peer; /* one IPv4 address or IPv6 /64; 0 = no cap; default 1024 */
    size_t max_line;             /* bytes of a request line; default 8192 -> 414 */
    size_t max_head;             /* bytes of all header lines; default 16384 -> 431 */
    size_t max_headers;          /* header lines; default 64 -> 431 */
    size_t max_body;             /* bytes, chunked or not; default 1 MiB -> 413 */
    size_t max_bodies;           /* bytes of all bodies held at once; default 256 MiB -> 503 */
    size_t max_reply;            /* bytes of one reply's body; default 16 MiB */

    /* Called on a loop thread before it looks at what has come in, and when it has handed all of it
     * out: what many requests have in common can be done once. May be NULL. ctx is on_request's. */
    void (*on_turn)(void *ctx, bool begins);
    /* Called on a loop thread that has replies to send, before it sends them. May be NULL. */
    void (*on_replies)(void *ctx);

    /* Absolute deadlines, milliseconds. No byte that arrives prolongs one. */
    uint32_t handshake_ms; /* TLS handshake; default 5000: cut */
    uint32_t head_ms;      /* from connecting, or the head's first byte; default 10000: 408 */
    uint32_t body_ms;      /* from the end of the head; default 15000: 408 */
    uint32_t idle_ms;      /* between requests; default 60000: cut */
    uint32_t write_ms;     /* to take a whole reply; default 15000: cut */
    uint32_t linger_ms;    /* for the client to close after our last byte; default 2000 */
};

/** Defaults everywhere; no addresses, no certificate. */
void coord_http_config_init(struct coord_http_config *cfg);

/** One header line. In a request: as received, outer white space removed. */
struct coord_http_header {
    struct qk_bytes name;
    struct qk_bytes value;
};

#define COORD_HTTP_HEADER(n, v) ((struct coord_http_header){qk_str(n), qk_str(v)})
#define COORD_HTTP_PEER_LEN     46 /* text of an address and its NUL */

/** A whole request. The module owns it and all it points to; everything stays valid and unchanged
 *  until coord_http_reply. Text is checked for HTTP's character sets but not decoded. */
struct coord_http_request {
    struct qk_bytes method; /* 1..16 of A-Z */
    struct qk_bytes target; /* as received: '/' path [ '?' query ], never a fragment or authority */
    struct qk_bytes path;   /* target up to the '?' */
    struct qk_bytes query;  /* behind the '?'; p is NULL when there is no '?' */
    const struct coord_http_header *headers; /* in the order received */
    size_t n_headers;
    struct qk_bytes body;
    char peer[COORD_HTTP_PEER_LEN]; /* numeric address, NUL-terminated */
    uint16_t peer_port;
    bool tls;
    uint64_t number;      /* 1, 2, ... since start; also across connections */
    uint64_t received_us; /* qk_mono_us when the last byte had been read */
};

/** The first header called name (letter case ignored); *value is untouched if there is none.
 *  Returns how many there are: 2 or more is usually to be refused. */
size_t coord_http_find(
    const struct coord_http_request *req, const char *name, struct qk_bytes *value);

/** Called on a loop thread for each whole request; must not block. Every request is answered with
 *  exactly one coord_http_reply, now or later, from any thread. One request of a connection is in
 *  work at a time; requests of other connections come meanwhile. */
typedef void coord_http_on_request(void *ctx, struct coord_http_request *req);

/** Load the certificate, bind the addresses, start the loops.
 *
 *  Returns    QK_OK
 *             QK_E_STATE      a number is out of range, an address does not parse, or a file name
 *                             is missing
 *             QK_E_DENIED     plain on an address that is not loopback; key file open to others
 *             QK_E_NOT_FOUND  certificate or key file does not exist
 *             QK_E_MALFORMED  certificate or key does not parse, or they do not match
 *             QK_E_IO         an address cannot be bound
 *             QK_E_NOMEM, QK_E_CRYPTO
 *  Ownership  cfg and its strings are borrowed for the call; ctx until coord_http_free returns
 */
QK_MUST_USE qk_err coord_http_start(struct coord_http **out, const struct coord_http_config *cfg,
    coord_http_on_request *on_request, void *ctx);

/** The port bound for cfg->listen[i]; 0 if there is no such i. */
uint16_t coord_http_port(const struct coord_http *http, size_t i);

/** Use another certificate and key for connections from now on. On error nothing changes.
 *  Errors as coord_http_start; QK_E_STATE if the front has no TLS address. Any thread. */
QK_MUST_USE qk_err coord_http_reload_tls(
    struct coord_http *http, const char *cert_file, const char *key_file);

/** Answer req and give it back; req is gone when this returns. Any thread, also from within
 *  on_request, also after the client went away or the front was freed (the reply is dropped).
 *
 *  status   200..599
 *  headers  without Content-Length, Transfer-Encoding, Connection, Date: the module sends those.
 *           A name that is no token or a value with control characters makes the answer a bare 500:
 *           response splitting is our bug, never the client's gain
 *  body     copied; not sent for HEAD (its length is), nor for 204 and 304
 */
void coord_http_reply(struct coord_http_request *req, unsigned status,
    const struct coord_http_header *headers, size_t n_headers, struct qk_bytes body);

/** Begin to drain: stop listening, close connections that are not in the middle of a request,
 *  answer those that are and close them. Returns at once; any thread; repeatable. */
void coord_http_stop_accepting(struct coord_http *http);

/** Wait until no connection is left. QK_E_TIMEOUT after timeout_ms, QK_E_STATE before
 *  coord_http_stop_accepting. */
QK_MUST_USE qk_err coord_http_wait_drained(struct coord_http *http, uint32_t timeout_ms);

/** Cut what is left, join the loops, free. Not from within on_request. Requests not yet answered
 *  stay valid and must still be answered. NULL is allowed. */
void coord_http_free(struct coord_http *http);

/** Why a connection was refused or cut. */
enum coord_http_refusal {
    COORD_HTTP_R_MALFORMED,   /* 400 */
    COORD_HTTP_R_HEAD_TIME,   /* 408 in the head */
    COORD_HTTP_R_BODY_TIME,   /* 408 in the body */
    COORD_HTTP_R_BODY_SIZE,   /* 413 */
    COORD_HTTP_R_LINE_SIZE,   /* 414 */
    COORD_HTTP_R_EXPECT,      /* 417 */
    COORD_HTTP_R_HEAD_SIZE,   /* 431 */
    COORD_HTTP_R_CODING,      /* 501 */
    COORD_HTTP_R_VERSION,     /* 505 */
    COORD_HTTP_R_MEMORY,      /* 503: max_bodies reached or out of memory */
    COORD_HTTP_R_CONNECTIONS, /* max_connections reached */
    COORD_HTTP_R_PEER,        /* max_connections_peer reached */
    COORD_HTTP_R_DESCRIPTORS, /* no file descriptor left */
    COORD_HTTP_R_HANDSHAKE,   /* TLS handshake failed */
    COORD_HTTP_R_HANDSHAKE_TIME,
    COORD_HTTP_R_SILENT,     /* connected, sent nothing until head_ms */
    COORD_HTTP_R_IDLE,       /* idle_ms between requests */
    COORD_HTTP_R_WRITE_TIME, /* did not take its reply */
    COORD_HTTP_R_CUT_SHORT,  /* the client went away within a request */
    COORD_HTTP_R_VANISHED,   /* the client went away before its reply was sent */
    COORD_HTTP_N_REFUSALS
};

/** A short stable name, for metrics: "malformed", "head_time", ... Never NULL. */
const char *coord_http_refusal_name(enum coord_http_refusal why);

struct coord_http_stats {
    uint64_t connections_open;
    uint64_t connections; /* accepted since start; refused ones are in refused[] */
    uint64_t requests;    /* handed to on_request */
    uint64_t replies;     /* sent whole, answers to protocol errors included */
    uint64_t bytes_in;    /* of HTTP, inside TLS */
    uint64_t bytes_out;
    uint64_t body_bytes_held; /* counted against max_bodies */
    uint64_t refused[COORD_HTTP_N_REFUSALS];
};

/** A snapshot; the numbers are each right, not of one instant. Any thread. */
void coord_http_stats(struct coord_http *http, struct coord_http_stats *out);

#endif
