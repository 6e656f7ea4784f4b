/** A running front and raw-socket clients, for tests of coordinator/src/http.
 *
 *  The owner side answers on a thread of its own:
 *      /echo   200 with the request's body
 *      /hold   waits until kit_release
 *      /inline 200, answered from within the callback
 *      /big    200 with 4 MiB
 *      /split  a reply whose header value holds CR LF
 *      else    200 "ok"
 */
#ifndef HTTPKIT_H
#define HTTPKIT_H

#include <openssl/ssl.h>
#include <pthread.h>
#include "http/http.h"

struct kit {
    struct coord_http_config cfg;
    struct coord_http_listen at[2];
    struct coord_http *http;
    uint16_t port;
    char dir[64]; /* certificate and key, if TLS */
    char cert[96], key[96];
    pthread_t worker;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct coord_http_request *queue[512];
    size_t n_queue;
    size_t n_held; /* /hold requests that wait */
    bool release, stop;
    uint64_t last_number;
};

/** Defaults with short deadlines (200 ms; 150 ms to linger); change cfg, then kit_start. */
void kit_init(struct kit *k, bool tls);
void kit_start(struct kit *k);
/** Let every /hold request be answered. */
void kit_release(struct kit *k);
/** Wait until n /hold requests wait. */
void kit_await_held(struct kit *k, size_t n);
/** Stop the worker (answers all), free the front, remove files. */
void kit_end(struct kit *k);
uint64_t kit_refused(struct kit *k, enum coord_http_refusal why);

/** Write a fresh self-signed P-256 certificate and its key (mode 0600). */
void kit_certificate(const char *cert_file, const char *key_file);

/** One client connection; ssl is NULL on plain ones. */
struct client {
    int fd;
    SSL *ssl;
};

struct client kit_connect(struct kit *k); /* plain */
struct client kit_tls(struct kit *k);     /* TLS, handshake done */
void client_close(struct client *c);
/** Send all; errors are ignored (the other end may have closed). */
void client_send(struct client *c, const char *text);
void client_send_bytes(struct client *c, const void *p, size_t len);
/** Read one reply (head, and body by Content-Length unless is_head) as text; "" if closed. Static
 *  buffer, overwritten by the next call. */
const char *client_reply(struct client *c, bool is_head);
bool text_ends(const char *text, const char *with);
/** The status of the next reply; 0 if the connection is closed instead. */
int client_status(struct client *c);
/** Read and drop until the other end closes or resets; fails the test after 20 s. */
void client_await_close(struct client *c);
/** Send, then the status of the one reply. */
int kit_ask(struct kit *k, const char *text);

#endif
