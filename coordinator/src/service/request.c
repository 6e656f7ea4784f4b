#include "service/internal.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/chores.h"
#include "rounds/first.h"
#include "rounds/timers.h"

enum { EVEN_US = 10000 };

/* One request on its way:
 *
 *     accept, begin (loop thread) -> the nodes -> end_first (quick pool) -> respond
 *                |                                   |
 *                +---------------> run_slowly <------+  (a worker, which may wait)
 */
enum { BEGIN_HERE_MAX = 16384 }; /* a larger body is parsed by the quick pool */

struct job {
    struct coord_service *service;
    struct coord_http_request *http;
    struct kms_raw raw; /* views into http */
    char request_id[37];
    struct coord_op op;
    bool begun; /* op is valid */
    struct coord_first *first;
    struct kms_fault fault;
    struct coord_answer answer; /* that waits for its time */
    struct coord_timer timer;
};

static void reply(struct job *j, const struct coord_answer *a)
{
    struct coord_http_header h[4];
    size_t n = 0;
    h[n++] = COORD_HTTP_HEADER("x-amzn-RequestId", j->request_id);
    h[n++] = COORD_HTTP_HEADER("Content-Type", a->content_type);
    h[n++] = COORD_HTTP_HEADER("Cache-Control", "no-store");
    if (a->error_type != NULL) h[n++] = COORD_HTTP_HEADER("x-amzn-ErrorType", a->error_type);
    coord_http_reply(j->http, a->status, h, n, qk_buf_view(&a->body));
}

static void log_request(const struct coord_op *op, const struct coord_http_request *http,
    const struct coord_answer *a, uint64_t took_us)
{
    char arn[KMS_ARN_MAX], set[WIRE_NODES_MAX * 4 + 1] = "";
    size_t len = 0;
    coord_op_principal(op, arn);
    const struct kms_record *key = coord_op_key(op);
    for (size_t i = 0; i < op->n_set && len + 5 < sizeof set; i++) {
        int n = snprintf(set + len, sizeof set - len, i == 0 ? "%u" : ",%u", op->set[i]);
        len += n > 0 ? (size_t)n : 0;
    }
    qk_log(a->status >= 500 ? QK_WARN : QK_INFO, "request", QK_F_STR("request_id", op->request_id),
        QK_F_STR("op", op->op < KMS_OP_COUNT ? kms_op_info(op->op)->name : "unknown"),
        QK_F_STR("caller", arn), QK_F_STR("key", key == NULL ? "" : key->id),
        QK_F_STR("outcome", a->error_type == NULL ? "ok" : "fault"),
        QK_F_STR("error", a->error_type == NULL ? "" : a->error_type),
        QK_F_INT("status", a->status), QK_F_INT("attempts", op->attempts),
        QK_F_INT("restarts", op->restarts), QK_F_STR("set", set), QK_F_STR("peer", http->peer),
        QK_F_INT("latency_us", took_us));
}

/* The views of http become those of raw. QK_E_TOO_LARGE, QK_E_MALFORMED: not a request of ours. */
static qk_err to_raw(const struct coord_http_request *http, struct kms_raw *raw)
{
    *raw = (struct kms_raw){.method = http->method,
        .path = http->path,
        .query = http->query.p == NULL ? (struct qk_bytes){(const uint8_t *)"", 0} : http->query,
        .body = http->body};
    for (size_t i = 0; i < http->n_headers; i++)
        QK_TRY(kms_raw_add_header(raw, http->headers[i].name, http->headers[i].value));
    return kms_raw_check(raw);
}

/* Answer without doing anything: overload, or a request that is none. */
static void turn_away(struct job *j, const struct kms_fault *fault)
{
    struct coord_answer a;
    coord_api_fault(&j->raw, fault, j->request_id, &a);
    uint64_t took_us = qk_mono_us() - j->http->received_us;
    coord_numbers_request(j->service->numbers, KMS_OP_COUNT, a.status, fault->type, took_us);
    reply(j, &a);
    coord_answer_free(&a);
}

static void turn_away_busy(struct job *j)
{
    struct kms_fault fault;
    if (kms_fault_throttled(&fault) != QK_OK) turn_away(j, &fault);
}

static void job_free(struct job *j)
{
    struct coord_service *s = j->service;
    if (j->begun) coord_op_end(&j->op);
    free(j);
    atomic_fetch_sub(&s->running, 1);
}

/* A ciphertext that does not open may be found out early or late: cut, of another key, altered,
 * with another context. All are answered at full multiples of 10 ms after the request came, so that
 * the time does not tell which. */
static bool is_even(const struct coord_answer *a)
{
    return a->error_type != NULL && strcmp(a->error_type, "InvalidCiphertextException") == 0;
}

static void reply_and_free(void *arg)
{
    struct job *j = arg;
    reply(j, &j->answer);
    coord_answer_free(&j->answer);
    job_free(j);
}

static void reply_in_time(struct job *j)
{
    struct coord_timers *timers = j->service->engine.timers;
    uint64_t took_us = qk_mono_us() - j->http->received_us;
    uint64_t at_us = j->http->received_us + (took_us / EVEN_US + 1) * EVEN_US;
    if (is_even(&j->answer) && coord_timer_arm(timers, &j->timer, at_us, reply_and_free, j)) return;
    reply_and_free(j);
}

/* The end of an operation, err and j->fault as coord_op_run gave them. */
static void respond(struct job *j, qk_err err)
{
    struct coord_service *s = j->service;
    struct coord_answer *answer = &j->answer;
    struct coord_about about = {.started_ms = s->started_ms,
        .queued = qk_pool_queued(s->workers),
        .running = atomic_load(&s->running)};
    if (err == QK_OK)
        coord_api_answer(&j->op, &about, answer);
    else
        coord_api_fault(&j->raw, &j->fault, j->request_id, answer);
    uint64_t took_us = qk_mono_us() - j->http->received_us;
    coord_numbers_request(s->numbers, j->op.op, answer->status, answer->error_type, took_us);
    coord_audit_write(s->audit, &j->op, j->http, answer);
    log_request(&j->op, j->http, answer, took_us);
    reply_in_time(j);
}

static bool waited_too_long(struct job *j)
{
    uint64_t waited_us = qk_mono_us() - j->http->received_us;
    if (waited_us <= j->service->config->queue_ms * 1000) return false;
    turn_away_busy(j);
    job_free(j);
    return true;
}

static void run_slowly(void *arg)
{
    struct job *j = arg;
    if (!waited_too_long(j)) respond(j, coord_op_run(&j->op, &j->fault));
}

static void to_worker(struct job *j)
{
    if (qk_pool_run(j->service->workers, run_slowly, j) == QK_OK) return;
    turn_away_busy(j);
    job_free(j);
}

static void end_first(void *arg)
{
    struct job *j = arg;
    qk_err err;
    if (coord_first_end(j->first, &err, &j->fault))
        respond(j, err);
    else
        to_worker(j);
}

/* On a thread of the links. When the service stops there is no pool any more. */
static void on_first(void *arg)
{
    struct job *j = arg;
    if (coord_first_quick(j->first) || qk_pool_run(j->service->quick, end_first, j) != QK_OK)
        end_first(j);
}

static void begin(void *arg)
{
    struct job *j = arg;
    if (waited_too_long(j)) return;
    j->begun = true;
    qk_err err = coord_op_begin(&j->op, &j->service->engine, &j->raw, j->request_id, &j->fault);
    if (err != QK_OK)
        respond(j, err);
    else if (!coord_first_start(&j->op, on_first, j, &j->first))
        to_worker(j);
}

static void refuse(struct coord_http_request *req, unsigned status)
{
    coord_http_reply(req, status, NULL, 0, (struct qk_bytes){0});
}

static bool admit(struct coord_service *s)
{
    size_t most = (size_t)s->config->workers + s->config->queue;
    if (atomic_fetch_add(&s->running, 1) < most) return true;
    atomic_fetch_sub(&s->running, 1);
    return false;
}

void coord_on_turn(void *service, bool begins)
{
    struct coord_service *s = service;
    if (begins)
        coord_nodes_gather();
    else
        coord_nodes_send(s->engine.nodes);
}

void coord_on_replies(void *service)
{
    struct coord_service *s = service;
    coord_audit_flush(s->audit);
}

void coord_accept(void *service, struct coord_http_request *req)
{
    struct coord_service *s = service;
    if (coord_local_answer(s, req)) return;
    struct job *j = calloc(1, sizeof *j);
    if (j == NULL || coord_request_id(j->request_id) != QK_OK) {
        free(j);
        refuse(req, 503);
        return;
    }
    j->service = s;
    j->http = req;
    struct kms_fault fault;
    bool ours = to_raw(req, &j->raw) == QK_OK && qk_bytes_is(req->method, "POST") &&
                qk_bytes_is(req->path, "/");
    if (!ours) {
        if (kms_fault_bare(&fault, "UnknownOperationException") != QK_OK) turn_away(j, &fault);
        free(j);
        return;
    }
    if (!admit(s)) {
        turn_away_busy(j);
        free(j);
        return;
    }
    if (req->body.len <= BEGIN_HERE_MAX)
        begin(j); /* microseconds; what it asks of nodes travels with the rest of this turn */
    else if (qk_pool_run(s->quick, begin, j) != QK_OK) {
        turn_away_busy(j);
        job_free(j);
    }
}
