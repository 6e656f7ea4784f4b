#include "service/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>
#include "qk/clock.h"
#include "qk/log.h"
#include "rounds/chores.h"

enum { AGENT_MAX = 256, TEXT_MAX = 4096, LINE_MAX_BYTES = 1024 * 1024, WAITING_BYTES = 256 * 1024 };

struct coord_audit {
    char *path;
    pthread_mutex_t mutex;
    int fd;
    struct qk_buf waiting; /* whole lines for the next write */
    size_t n_waiting;
    atomic_ullong lost;
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

qk_err coord_audit_open(struct coord_audit **out, const char *path)
{
    struct coord_audit *a = calloc(1, sizeof *a);
    QK_ENSURE(a != NULL, QK_E_NOMEM);
    a->waiting = (struct qk_buf)QK_BUF(WAITING_BYTES + LINE_MAX_BYTES);
    a->path = strdup(path);
    a->fd = a->path == NULL ? -1 : open_file(path);
    (void)pthread_mutex_init(&a->mutex, NULL);
    if (a->fd < 0) {
        coord_audit_close(a);
        return QK_E_IO;
    }
    *out = a;
    return QK_OK;
}

/* With the mutex held. */
static void flush_held(struct coord_audit *a)
{
    size_t done = 0;
    while (done < a->waiting.len) {
        ssize_t n = write(a->fd, a->waiting.p + done, a->waiting.len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += (size_t)n;
    }
    if (done < a->waiting.len) {
        atomic_fetch_add(&a->lost, a->n_waiting);
        qk_log(QK_ERROR, "audit.lost", QK_F_INT("lines", a->n_waiting));
    }
    qk_buf_clear(&a->waiting);
    a->n_waiting = 0;
}

void coord_audit_close(struct coord_audit *a)
{
    if (a == NULL) return;
    if (a->fd >= 0) {
        flush_held(a);
        (void)close(a->fd);
    }
    qk_buf_free(&a->waiting);
    (void)pthread_mutex_destroy(&a->mutex);
    free(a->path);
    free(a);
}

void coord_audit_reopen(struct coord_audit *a)
{
    int fd = open_file(a->path);
    if (fd < 0) {
        qk_log(QK_ERROR, "audit.reopen", QK_F_STR("why", strerror(errno)));
        return;
    }
    (void)pthread_mutex_lock(&a->mutex);
    flush_held(a);
    (void)close(a->fd);
    a->fd = fd;
    (void)pthread_mutex_unlock(&a->mutex);
}

uint64_t coord_audit_lost(struct coord_audit *a)
{
    return atomic_load(&a->lost);
}

/* ---- one event, written member by member: this runs for every request ---- */

/* Starts a member of the object or array being written. */
static void member(struct qk_buf *o, const char *name)
{
    bool first = o->len > 0 && (o->p[o->len - 1] == '{' || o->p[o->len - 1] == '[');
    if (!first) qk_buf_add_str(o, ",");
    qk_buf_add_str(o, "\"");
    qk_buf_add_str(o, name);
    qk_buf_add_str(o, "\":");
}

static void put(struct qk_buf *o, const char *name, const char *json)
{
    member(o, name);
    qk_buf_add_str(o, json);
}

static void put_str(struct qk_buf *o, const char *name, const char *value)
{
    member(o, name);
    qk_json_string(o, qk_str(value), TEXT_MAX);
}

/* Text of a caller: left out when empty. */
static void put_text(struct qk_buf *o, const char *name, struct qk_bytes v)
{
    if (v.len == 0) return;
    member(o, name);
    qk_json_string(o, v, TEXT_MAX);
}

/* An encryption context is no secret: it is there to be found again in the logs. */
static void put_context(struct qk_buf *o, const char *name, const struct kms_context_map *map)
{
    if (map->n == 0) return;
    put(o, name, "{");
    for (size_t i = 0; i < map->n; i++) {
        if (i > 0) qk_buf_add_str(o, ",");
        qk_json_string(o, map->pairs[i].key, TEXT_MAX);
        qk_buf_add_str(o, ":");
        qk_json_string(o, map->pairs[i].value, TEXT_MAX);
    }
    qk_buf_add_str(o, "}");
}

static void put_number(struct qk_buf *o, const char *name, uint64_t value)
{
    member(o, name);
    qk_buf_printf(o, "%llu", (unsigned long long)value);
}

/* Of symmetric keys: never plaintext, ciphertext, tokens or wrapped material. */
static void symmetric_parameters(struct qk_buf *o, const struct kms_request *r)
{
    bool two = r->op == KMS_OP_RE_ENCRYPT;
    put_context(o, two ? "sourceEncryptionContext" : "encryptionContext", &r->context);
    put_context(o, "destinationEncryptionContext", &r->dest_context);
    put_text(o, two ? "sourceEncryptionAlgorithm" : "encryptionAlgorithm", r->enc_algorithm);
    put_text(o, "destinationEncryptionAlgorithm", r->dest_algorithm);
    put_text(o, "destinationKeyId", r->dest_key_id);
    put_text(o, "keyPairSpec", r->pair_spec);
    if (r->n_bytes > 0 && r->n_bytes != UINT32_MAX) put_number(o, "numberOfBytes", r->n_bytes);
    if (r->op == KMS_OP_ENABLE_KEY_ROTATION) put_number(o, "rotationPeriodInDays", r->period_days);
    put_text(o, "wrappingAlgorithm", r->wrapping_algorithm);
    put_text(o, "wrappingKeySpec", r->wrapping_spec);
    if (r->op == KMS_OP_IMPORT_KEY_MATERIAL)
        put_str(o, "expirationModel",
            r->expires ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE");
    put_text(o, "keyMaterialId", r->material_id);
}

static void parameters(struct qk_buf *o, const struct coord_op *op)
{
    const struct kms_request *r = &op->req;
    if (!op->parsed) {
        put(o, "requestParameters", "null");
        return;
    }
    put(o, "requestParameters", "{");
    put_text(o, "keyId", r->key_id);
    put_text(o, "keySpec", r->spec_name);
    put_text(o, "keyUsage", r->usage);
    put_text(o, "description", r->description);
    bool mac = r->op == KMS_OP_GENERATE_MAC || r->op == KMS_OP_VERIFY_MAC;
    put_text(o, mac ? "macAlgorithm" : "signingAlgorithm", r->algorithm);
    symmetric_parameters(o, r);
    put_text(o, "userName", r->user_name);
    put_text(o, "accountName", r->account_name);
    put_text(o, "accessKeyId", r->access_key_id);
    if (r->op == KMS_OP_SIGN || r->op == KMS_OP_VERIFY)
        put_str(o, "messageType", r->message_type == KMS_MESSAGE_DIGEST ? "DIGEST" : "RAW");
    if (r->op == KMS_OP_SCHEDULE_KEY_DELETION) {
        member(o, "pendingWindowInDays");
        qk_buf_printf(o, "%u", r->pending_days);
    }
    if (r->op == KMS_OP_UPDATE_ACCESS_KEY) put_str(o, "status", r->active ? "Active" : "Inactive");
    if (r->op == KMS_OP_CREATE_USER) put(o, "admin", r->admin ? "true" : "false");
    if (r->dry_run) put(o, "dryRun", "true");
    qk_buf_add_str(o, "}");
}

/* What was made, in the words of the answer; not for access keys, whose answers hold sealed parts.
 */
static void elements(struct qk_buf *o, const struct coord_op *op, const struct coord_answer *answer)
{
    struct qk_bytes body = qk_buf_view(&answer->body);
    bool made = answer->error_type == NULL && op->n_made > 0;
    bool secret = op->req.op == KMS_OP_CREATE_ACCESS_KEY || op->req.op == KMS_OP_INITIALIZE;
    member(o, "responseElements");
    if (made && !secret && body.len > 0) {
        qk_buf_add(o, body.p, body.len); /* a JSON object of our own making, on one line */
        return;
    }
    for (size_t i = 0; made && secret && i < op->n_made; i++) {
        const struct kms_record *r = &op->made_records[i];
        if (r->kind != KMS_KIND_CREDENTIAL) continue;
        qk_buf_add_str(o, "{");
        put_str(o, "accessKeyId", r->id);
        qk_buf_add_str(o, "}");
        return;
    }
    qk_buf_add_str(o, "null");
}

static void identity(struct qk_buf *o, const struct coord_op *op)
{
    char arn[KMS_ARN_MAX];
    coord_op_principal(op, arn);
    const struct kms_record *user = op->recs.slot[KMS_SLOT_USER];
    put(o, "userIdentity", "{");
    put_str(o, "type", op->by_operator ? "Operator" : user != NULL ? "IAMUser" : "Unknown");
    put_str(o, "accountId", op->ctx.account);
    if (arn[0] != 0) put_str(o, "arn", arn);
    if (user != NULL) {
        put_text(o, "userName", user->user.name);
        put_text(o, "principalId", user->user.user_id);
    }
    put_text(o, "accessKeyId", op->auth.access_key_id);
    qk_buf_add_str(o, "}");
}

static void resources(struct qk_buf *o, const struct coord_op *op)
{
    const struct kms_record *key = coord_op_key(op);
    put(o, "resources", "[");
    if (key != NULL) {
        char arn[KMS_ARN_MAX];
        kms_key_arn(op->ctx.region, op->ctx.account, key->key.key_id, arn);
        qk_buf_add_str(o, "{");
        put_str(o, "ARN", arn);
        put_str(o, "accountId", op->ctx.account);
        put_str(o, "type", "AWS::KMS::Key");
        qk_buf_add_str(o, "}");
    }
    qk_buf_add_str(o, "]");
}

/* errorCode and errorMessage as the caller got them, unless the text repeats what is not for logs.
 */
static void put_error(struct qk_buf *o, const struct coord_answer *answer)
{
    if (answer->error_type == NULL) return;
    put_str(o, "errorCode", answer->error_type);
    json_error_t e;
    struct qk_bytes b = qk_buf_view(&answer->body);
    json_t *body = json_loadb((const char *)b.p, b.len, 0, &e);
    json_t *message = json_object_get(body, "message");
    if (json_is_string(message))
        put_text(o, "errorMessage",
            kms_fault_log_text(qk_str(answer->error_type), qk_str(json_string_value(message))));
    json_decref(body);
}

static void event(struct qk_buf *o, const struct coord_op *op,
    const struct coord_http_request *http, const struct coord_answer *answer)
{
    char when[25], id[37] = "";
    struct qk_bytes agent = {0};
    qk_time_iso(qk_now_ms(), when);
    if (coord_request_id(id) != QK_OK) id[0] = 0;
    (void)coord_http_find(http, "user-agent", &agent);
    if (agent.len > AGENT_MAX) agent.len = AGENT_MAX;
    bool known = op->op < KMS_OP_COUNT;
    const struct kms_op_info *info = known ? kms_op_info(op->op) : NULL;
    bool sts = known && info->service == KMS_SERVICE_STS;
    qk_buf_add_str(o, "{");
    put_str(o, "eventVersion", "1.11");
    identity(o, op);
    put_str(o, "eventTime", when);
    put_str(o, "eventSource", sts ? "sts.amazonaws.com" : "kms.amazonaws.com");
    put_str(o, "eventName", known ? info->name : "Unknown");
    put_str(o, "awsRegion", op->ctx.region);
    put_str(o, "sourceIPAddress", http->peer);
    put_text(o, "userAgent", agent);
    parameters(o, op);
    elements(o, op, answer);
    put_str(o, "requestID", op->request_id);
    put_str(o, "eventID", id);
    put(o, "readOnly", known && coord_op_needs_proposal(op->op) ? "false" : "true");
    resources(o, op);
    put_str(o, "eventType", "AwsApiCall");
    put(o, "managementEvent", "true");
    put_str(o, "recipientAccountId", op->ctx.account);
    put_error(o, answer);
    qk_buf_add_str(o, "}\n");
}

void coord_audit_flush(struct coord_audit *a)
{
    (void)pthread_mutex_lock(&a->mutex);
    flush_held(a);
    (void)pthread_mutex_unlock(&a->mutex);
}

static bool put_line(struct coord_audit *a, struct qk_bytes line)
{
    (void)pthread_mutex_lock(&a->mutex);
    if (a->waiting.len + line.len > WAITING_BYTES) flush_held(a);
    qk_buf_add(&a->waiting, line.p, line.len);
    bool ok = a->waiting.err == QK_OK;
    if (ok)
        a->n_waiting++;
    else
        a->waiting.err = QK_OK; /* this line only */
    (void)pthread_mutex_unlock(&a->mutex);
    return ok;
}

void coord_audit_write(struct coord_audit *a, const struct coord_op *op,
    const struct coord_http_request *http, const struct coord_answer *answer)
{
    QK_AUTO_BUF line = QK_BUF(LINE_MAX_BYTES);
    event(&line, op, http, answer);
    if (line.err == QK_OK && put_line(a, qk_buf_view(&line))) return;
    atomic_fetch_add(&a->lost, 1);
    qk_log(QK_ERROR, "audit.lost", QK_F_STR("request_id", op->request_id));
}
