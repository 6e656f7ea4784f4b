#include "http/request.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

qk_err coord_http_mailbox_new(struct coord_http_mailbox **out)
{
    struct coord_http_mailbox *box = calloc(1, sizeof *box);
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

void coord_http_mailbox_unref(struct coord_http_mailbox *box)
{
    if (atomic_fetch_sub(&box->refs, 1) != 1) return;
    (void)close(box->event_fd);
    pthread_mutex_destroy(&box->lock);
    free(box);
}

void coord_http_mailbox_wake(struct coord_http_mailbox *box)
{
    static const uint64_t one = 1;
    /* EAGAIN means that the counter is full: the loop will wake anyway. */
    if (write(box->event_fd, &one, sizeof one) < 0) return;
}

static bool post(struct coord_http_mailbox *box, struct coord_http_job *req)
{
    pthread_mutex_lock(&box->lock);
    bool open = !box->closed;
    if (open) {
        if (box->first == NULL) {
            box->first = req;
            coord_http_mailbox_wake(box);
        } else {
            box->last->next = req;
        }
        box->last = req;
    }
    pthread_mutex_unlock(&box->lock);
    return open;
}

struct coord_http_job *coord_http_mailbox_take(struct coord_http_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    struct coord_http_job *first = box->first;
    box->first = box->last = NULL;
    pthread_mutex_unlock(&box->lock);
    return first;
}

void coord_http_mailbox_close(struct coord_http_mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->closed = true;
    pthread_mutex_unlock(&box->lock);
    for (struct coord_http_job *req = coord_http_mailbox_take(box), *next; req != NULL;
         req = next) {
        next = req->next;
        coord_http_job_free(req);
    }
}

static void fill(struct coord_http_job *req)
{
    struct coord_http_request *pub = &req->pub;
    pub->method = coord_http_text(&req->msg, req->msg.method);
    pub->target = coord_http_text(&req->msg, req->msg.target);
    pub->path = pub->target;
    const uint8_t *mark = memchr(pub->target.p, '?', pub->target.len);
    if (mark != NULL) {
        pub->path.len = (size_t)(mark - pub->target.p);
        pub->query = qk_bytes(mark + 1, pub->target.len - pub->path.len - 1);
    }
    for (size_t i = 0; i < req->msg.n_fields; i++) {
        req->headers[i].name = coord_http_text(&req->msg, req->msg.fields[i].name);
        req->headers[i].value = coord_http_text(&req->msg, req->msg.fields[i].value);
    }
    pub->headers = req->headers;
    pub->n_headers = req->msg.n_fields;
    pub->body = qk_buf_view(&req->msg.body);
}

qk_err coord_http_job_new(
    struct coord_http_job **out, struct coord_http_message *msg, struct coord_http_mailbox *box)
{
    struct coord_http_job *req = calloc(1, sizeof *req + msg->n_fields * sizeof req->headers[0]);
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

void coord_http_job_free(struct coord_http_job *req)
{
    coord_http_mailbox_unref(req->box);
    coord_http_message_free(&req->msg);
    qk_buf_free(&req->out);
    free(req);
}

size_t coord_http_find(
    const struct coord_http_request *req, const char *name, struct qk_bytes *value)
{
    size_t n = 0;
    for (size_t i = 0; i < req->n_headers; i++) {
        if (!coord_http_same_word(req->headers[i].name, name)) continue;
        if (n++ == 0) *value = req->headers[i].value;
    }
    return n;
}

void coord_http_reply(struct coord_http_request *pub, unsigned status,
    const struct coord_http_header *headers, size_t n_headers, struct qk_bytes body)
{
    struct coord_http_job *req = (struct coord_http_job *)pub;
    if (atomic_load(&req->box->draining)) req->keep_alive = false;
    req->out = (struct qk_buf)QK_BUF_SECRET(req->max_reply + 65536);
    bool is_head = qk_bytes_is(pub->method, "HEAD");
    coord_http_reply_write(&req->out, status, headers, n_headers, body, req->keep_alive, is_head);
    if (!post(req->box, req)) coord_http_job_free(req);
}
