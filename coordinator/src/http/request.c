#include "http/request.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

qk_err http_mailbox_new(struct http_mailbox **out)
{
    struct http_mailbox *box = calloc(1, sizeof *box);
    QK_ENSURE(box != NULL, QK_E_NOMEM);
    box->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (box->event_fd < 0) {
        free(box);
        return QK_E_IO;
    }
    pthread_mutex_init(&box->lock, NULL);
    atomic_init(&box->refs, 1);
    *out = box;
    return QK_OK;
}

void http_mailbox_unref(struct http_mailbox *box)
{
    if (atomic_fetch_sub(&box->refs, 1) != 1) return;
    (void)close(box->event_fd);
    pthread_mutex_destroy(&box->lock);
    free(box);
}

void http_mailbox_wake(struct http_mailbox *box)
{
    static const uint64_t one = 1;
    /* EAGAIN means that the counter is full: the loop will wake anyway. */
    if (write(box->event_fd, &one, sizeof one) < 0) return;
}

static bool post(struct http_mailbox *box, struct http_request *req)
{
    pthread_mutex_lock(&box->lock);
    bool open = !box->closed;
    if (open) {
        if (box->first == NULL) {
            box->first = req;
            http_mailbox_wake(box);
        } else {
            box->last->next = req;
        }
        box->last = req;
    }
    pthread_mutex_unlock(&box->lock);
    return open;
}

struct http_request *http_mailbox_take(struct http_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    struct http_request *first = box->first;
    box->first = box->last = NULL;
    pthread_mutex_unlock(&box->lock);
    return first;
}

void http_mailbox_close(struct http_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->closed = true;
    pthread_mutex_unlock(&box->lock);
    for (struct http_request *req = http_mailbox_take(box), *next; req != NULL; req = next) {
        next = req->next;
        http_request_free(req);
    }
}

static void fill(struct http_request *req)
{
    struct coord_http_request *pub = &req->pub;
    pub->method = http_text(&req->msg, req->msg.method);
    pub->target = http_text(&req->msg, req->msg.target);
    pub->path = pub->target;
    const uint8_t *mark = memchr(pub->target.p, '?', pub->target.len);
    if (mark != NULL) {
        pub->path.len = (size_t)(mark - pub->target.p);
        pub->query = qk_bytes(mark + 1, pub->target.len - pub->path.len - 1);
    }
    for (size_t i = 0; i < req->msg.n_fields; i++) {
        req->headers[i].name = http_text(&req->msg, req->msg.fields[i].name);
        req->headers[i].value = http_text(&req->msg, req->msg.fields[i].value);
    }
    pub->headers = req->headers;
    pub->n_headers = req->msg.n_fields;
    pub->body = qk_buf_view(&req->msg.body);
}

qk_err http_request_new(
    struct http_request **out, struct http_message *msg, struct http_mailbox *box)
{
    struct http_request *req = calloc(1, sizeof *req + msg->n_fields * sizeof req->headers[0]);
    QK_ENSURE(req != NULL, QK_E_NOMEM);
    req->msg = *msg;
    req->box = box;
    atomic_fetch_add(&box->refs, 1);
    fill(req);
    free(req->msg.fields); /* room for max_headers: not needed while in work */
    req->msg.fields = NULL;
    *out = req;
    return QK_OK;
}

void http_request_free(struct http_request *req)
{
    http_mailbox_unref(req->box);
    http_message_free(&req->msg);
    qk_buf_free(&req->out);
    free(req);
}

size_t coord_http_find(
    const struct coord_http_request *req, const char *name, struct qk_bytes *value)
{
    size_t n = 0;
    for (size_t i = 0; i < req->n_headers; i++) {
        if (!http_same_word(req->headers[i].name, name)) continue;
        if (n++ == 0) *value = req->headers[i].value;
    }
    return n;
}

void coord_http_reply(struct coord_http_request *pub, unsigned status,
    const struct coord_http_header *headers, size_t n_headers, struct qk_bytes body)
{
    struct http_request *req = (struct http_request *)pub;
    if (atomic_load(&req->box->draining)) req->keep_alive = false;
    req->out = (struct qk_buf)QK_BUF_SECRET(req->max_reply + 65536);
    bool is_head = qk_bytes_is(pub->method, "HEAD");
    http_reply_write(&req->out, status, headers, n_headers, body, req->keep_alive, is_head);
    if (!post(req->box, req)) http_request_free(req);
}
