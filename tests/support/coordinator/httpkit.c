#include "httpkit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "qk/log.h"

static void need(bool ok, const char *what)
{
    if (ok) return;
    perror(what);
    abort();
}

/* ---- certificate ---- */

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *x = X509_new();
    need(x != NULL, "X509_new");
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(
        name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    need(X509_sign(x, key, EVP_sha256()) > 0, "X509_sign");
    return x;
}

void kit_certificate(const char *cert_file, const char *key_file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    need(key != NULL, "EVP_EC_gen");
    X509 *x = self_signed(key);
    FILE *f = fopen(cert_file, "w");
    need(f != NULL && PEM_write_X509(f, x) == 1 && fclose(f) == 0, cert_file);
    mode_t old = umask(077);
    f = fopen(key_file, "w");
    umask(old);
    need(f != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, key_file);
    need(fclose(f) == 0, key_file);
    X509_free(x);
    EVP_PKEY_free(key);
}

/* ---- the owner side ---- */

static void answer(struct kit *k, struct coord_http_request *req)
{
    (void)k;
    if (qk_bytes_is(req->path, "/echo")) {
        coord_http_reply(req, 200, NULL, 0, req->body);
    } else if (qk_bytes_is(req->path, "/big")) {
        uint8_t *big = calloc(1, 4 << 20);
        need(big != NULL, "calloc");
        coord_http_reply(req, 200, NULL, 0, qk_bytes(big, 4 << 20));
        free(big);
    } else if (qk_bytes_is(req->path, "/split")) {
        struct coord_http_header h = COORD_HTTP_HEADER("X-Evil", "a\r\nSet-Cookie: b");
        coord_http_reply(req, 200, &h, 1, qk_str("ok"));
    } else if (qk_bytes_is(req->path, "/nothing")) {
        coord_http_reply(req, 204, NULL, 0, qk_str("never sent"));
    } else {
        struct coord_http_header h = COORD_HTTP_HEADER("Content-Type", "text/plain");
        coord_http_reply(req, 200, &h, 1, qk_str("ok"));
    }
}

static struct coord_http_request *next_ready(struct kit *k)
{
    for (size_t i = 0; i < k->n_queue; i++) {
        if (qk_bytes_is(k->queue[i]->path, "/hold") && !k->release && !k->stop) continue;
        struct coord_http_request *req = k->queue[i];
        memmove(&k->queue[i], &k->queue[i + 1], (--k->n_queue - i) * sizeof k->queue[0]);
        if (qk_bytes_is(req->path, "/hold")) k->n_held--;
        return req;
    }
    return NULL;
}

static void *work(void *arg)
{
    struct kit *k = arg;
    pthread_mutex_lock(&k->lock);
    for (;;) {
        struct coord_http_request *req = next_ready(k);
        if (req != NULL) {
            pthread_mutex_unlock(&k->lock);
            answer(k, req);
            pthread_mutex_lock(&k->lock);
        } else if (k->stop) {
            break;
        } else {
            pthread_cond_wait(&k->cond, &k->lock);
        }
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

static void on_request(void *ctx, struct coord_http_request *req)
{
    struct kit *k = ctx;
    if (qk_bytes_is(req->path, "/inline")) {
        coord_http_reply(req, 200, NULL, 0, qk_str("inline"));
        return;
    }
    pthread_mutex_lock(&k->lock);
    need(k->n_queue < QK_COUNT(k->queue), "queue");
    k->last_number = req->number;
    k->queue[k->n_queue++] = req;
    if (qk_bytes_is(req->path, "/hold")) k->n_held++;
    pthread_cond_broadcast(&k->cond);
    pthread_mutex_unlock(&k->lock);
}

void kit_init(struct kit *k, bool tls)
{
    qk_log_setup(-1, QK_ERROR, "test");
    signal(SIGPIPE, SIG_IGN); /* the clients' writes; the front does without */
    memset(k, 0, sizeof *k);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->cond, NULL);
    coord_http_config_init(&k->cfg);
    k->at[0] = (struct coord_http_listen){.host = "127.0.0.1", .plain = !tls};
    k->cfg.listen = k->at;
    k->cfg.n_listen = 1;
    k->cfg.linger_ms = 150;
    if (!tls) return;
    (void)strcpy(k->dir, "/tmp/httpkit.XXXXXX");
    need(mkdtemp(k->dir) != NULL, k->dir);
    (void)snprintf(k->cert, sizeof k->cert, "%s/cert.pem", k->dir);
    (void)snprintf(k->key, sizeof k->key, "%s/key.pem", k->dir);
    kit_certificate(k->cert, k->key);
    k->cfg.cert_file = k->cert;
    k->cfg.key_file = k->key;
}

void kit_start(struct kit *k)
{
    qk_err err = coord_http_start(&k->http, &k->cfg, on_request, k);
    need(err == QK_OK, qk_err_name(err));
    k->port = coord_http_port(k->http, 0);
    need(pthread_create(&k->worker, NULL, work, k) == 0, "pthread_create");
}

void kit_release(struct kit *k)
{
    pthread_mutex_lock(&k->lock);
    k->release = true;
    pthread_cond_broadcast(&k->cond);
    pthread_mutex_unlock(&k->lock);
}

void kit_await_held(struct kit *k, size_t n)
{
    pthread_mutex_lock(&k->lock);
    while (k->n_held < n) pthread_cond_wait(&k->cond, &k->lock);
    pthread_mutex_unlock(&k->lock);
}

void kit_end(struct kit *k)
{
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_broadcast(&k->cond);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->worker, NULL);
    coord_http_free(k->http);
    for (size_t i = 0; i < k->n_queue; i++) /* came between the worker's end and the front's */
        coord_http_reply(k->queue[i], 503, NULL, 0, qk_bytes(NULL, 0));
    if (k->dir[0] == '\0') return;
    (void)unlink(k->cert);
    (void)unlink(k->key);
    (void)rmdir(k->dir);
}

uint64_t kit_refused(struct kit *k, enum coord_http_refusal why)
{
    struct coord_http_stats s;
    coord_http_stats(k->http, &s);
    return s.refused[why];
}

/* ---- clients ---- */

struct client kit_connect(struct kit *k)
{
    struct client c = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in to = {.sin_family = AF_INET,
        .sin_port = htons(k->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    need(c.fd >= 0, "socket");
    const struct timeval limit = {.tv_sec = 20};
    setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(c.fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(c.fd);
        c.fd = -1;
    }
    return c;
}

struct client kit_tls(struct kit *k)
{
    struct client c = kit_connect(k);
    need(c.fd >= 0, "connect");
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    c.ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(c.ssl, c.fd);
    need(SSL_connect(c.ssl) == 1, "SSL_connect");
    return c;
}

void client_close(struct client *c)
{
    SSL_free(c->ssl);
    if (c->fd >= 0) (void)close(c->fd);
    *c = (struct client){.fd = -1};
}

void client_send_bytes(struct client *c, const void *p, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = c->ssl != NULL ? SSL_write(c->ssl, (const char *)p + done, (int)(len - done))
                                   : send(c->fd, (const char *)p + done, len - done, MSG_NOSIGNAL);
        if (n <= 0) return;
        done += (size_t)n;
    }
}

void client_send(struct client *c, const char *text)
{
    client_send_bytes(c, text, strlen(text));
}

static ssize_t client_read(struct client *c, void *buf, size_t len)
{
    if (c->ssl != NULL) return SSL_read(c->ssl, buf, (int)len);
    return recv(c->fd, buf, len, 0);
}

const char *client_reply(struct client *c, bool is_head)
{
    static char text[8 << 20];
    size_t len = 0, want = SIZE_MAX;
    while (len < want && len + 1 < sizeof text) {
        size_t chunk = want == SIZE_MAX ? 1 : want - len; /* never into the next reply */
        ssize_t n = client_read(c, text + len, chunk);
        if (n <= 0) break;
        len += (size_t)n;
        text[len] = '\0';
        if (want != SIZE_MAX || len < 4 || strcmp(text + len - 4, "\r\n\r\n") != 0) continue;
        const char *cl = strstr(text, "\r\nContent-Length: ");
        want = len + (cl != NULL && !is_head ? strtoul(cl + 18, NULL, 10) : 0);
    }
    text[len] = '\0';
    return text;
}

bool text_ends(const char *text, const char *with)
{
    size_t n = strlen(text), m = strlen(with);
    return n >= m && strcmp(text + n - m, with) == 0;
}

int client_status(struct client *c)
{
    const char *text = client_reply(c, false);
    return strncmp(text, "HTTP/1.1 ", 9) == 0 ? atoi(text + 9) : 0;
}

void client_await_close(struct client *c)
{
    char buf[4096];
    ssize_t n;
    const struct timeval limit = {.tv_sec = 20};
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    while ((n = recv(c->fd, buf, sizeof buf, 0)) > 0) continue;
    need(n == 0 || errno == ECONNRESET || errno == EPIPE, "still open");
}

int kit_ask(struct kit *k, const char *text)
{
    struct client c = kit_connect(k);
    client_send(&c, text);
    int status = client_status(&c);
    client_close(&c);
    return status;
}
