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

enum { AGENT_MAX = 256 };

struct coord_audit {
    char *path;
    pthread_mutex_t mutex;
    int fd;
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

void coord_audit_close(struct coord_audit *a)
{
    if (a == NULL) return;
    if (a->fd >= 0) (void)close(a->fd);
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
    (void)close(a->fd);
    a->fd = fd;
    (void)pthread_mutex_unlock(&a->mutex);
}

uint64_t coord_audit_lost(struct coord_audit *a)
{
    return atomic_load(&a->lost);
}

/* ---- one event ---- */

/* Text of a caller: kept only if it is UTF-8, cut to max bytes. */
static json_t *text(struct qk_bytes v, size_t max)
{
    size_t len = v.len < max ? v.len : max;
    json_t *s = json_stringn((const char *)v.p, len);
    for (size_t cut = 0; s == NULL && cut < 3 && len > 0; cut++)
        s = json_stringn((const char *)v.p, --len);
    return s != NULL ? s : json_string("");
}

static void put_text(json_t *o, const char *name, struct qk_bytes v)
{
    if (v.len > 0) (void)json_object_set_new(o, name, text(v, 2048));
}

static json_t *parameters(const struct coord_op *op)
{
    if (!op->parsed) return json_null();
    const struct kms_request *r = &op->req;
    json_t *o = json_object();
    put_text(o, "keyId", r->key_id);
    put_text(o, "keySpec", r->spec_name);
    put_text(o, "keyUsage", r->usage);
    put_text(o, "description", r->description);
    put_text(o, "signingAlgorithm", r->algorithm);
    put_text(o, "userName", r->user_name);
    put_text(o, "accountName", r->account_name);
    put_text(o, "accessKeyId", r->access_key_id);
    if (r->op == KMS_OP_SIGN || r->op == KMS_OP_VERIFY)
        (void)json_object_set_new(o, "messageType",
            json_string(r->message_type == KMS_MESSAGE_DIGEST ? "DIGEST" : "RAW"));
    if (r->op == KMS_OP_SCHEDULE_KEY_DELETION)
        (void)json_object_set_new(
            o, "pendingWindowInDays", json_integer((json_int_t)r->pending_days));
    if (r->op == KMS_OP_UPDATE_ACCESS_KEY)
        (void)json_object_set_new(o, "status", json_string(r->active ? "Active" : "Inactive"));
    if (r->op == KMS_OP_CREATE_USER) (void)json_object_set_new(o, "admin", json_boolean(r->admin));
    if (r->dry_run) (void)json_object_set_new(o, "dryRun", json_true());
    return o;
}

/* What was made, in the words of the answer; not for access keys, whose answers hold sealed parts.
 */
static json_t *elements(const struct coord_op *op, const struct coord_answer *answer)
{
    if (answer->error_type != NULL || op->n_made == 0) return json_null();
    if (op->req.op == KMS_OP_CREATE_ACCESS_KEY || op->req.op == KMS_OP_INITIALIZE) {
        for (size_t i = 0; i < op->n_made; i++) {
            const struct kms_record *r = &op->made_records[i];
            if (r->kind != KMS_KIND_CREDENTIAL) continue;
            return json_pack("{s:s}", "accessKeyId", r->id);
        }
        return json_null();
    }
    json_error_t e;
    struct qk_bytes b = qk_buf_view(&answer->body);
    json_t *v = b.len == 0 ? NULL : json_loadb((const char *)b.p, b.len, 0, &e);
    return v != NULL ? v : json_null();
}

static json_t *identity(const struct coord_op *op)
{
    char arn[KMS_ARN_MAX];
    coord_op_principal(op, arn);
    const struct kms_record *user = op->recs.slot[KMS_SLOT_USER];
    json_t *o = json_pack("{s:s,s:s}", "type",
        op->by_operator ? "Operator"
        : user != NULL  ? "IAMUser"
                        : "Unknown",
        "accountId", op->ctx.account);
    if (arn[0] != 0) (void)json_object_set_new(o, "arn", json_string(arn));
    if (user != NULL) {
        put_text(o, "userName", user->user.name);
        put_text(o, "principalId", user->user.user_id);
    }
    put_text(o, "accessKeyId", op->auth.access_key_id);
    return o;
}

static json_t *resources(const struct coord_op *op)
{
    const struct kms_record *key = coord_op_key(op);
    json_t *list = json_array();
    if (key == NULL) return list;
    char arn[KMS_ARN_MAX];
    kms_key_arn(op->ctx.region, op->ctx.account, key->key.key_id, arn);
    (void)json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "ARN", arn, "accountId",
                                          op->ctx.account, "type", "AWS::KMS::Key"));
    return list;
}

static json_t *event(const struct coord_op *op, const struct coord_http_request *http,
    const struct coord_answer *answer)
{
    char when[25], id[37] = "";
    struct qk_bytes agent = {0};
    qk_time_iso(qk_now_ms(), when);
    if (coord_request_id(id) != QK_OK) id[0] = 0;
    (void)coord_http_find(http, "user-agent", &agent);
    bool known = op->op < KMS_OP_COUNT;
    const struct kms_op_info *info = known ? kms_op_info(op->op) : NULL;
    bool sts = known && info->service == KMS_SERVICE_STS;
    json_t *o = json_pack("{s:s,s:o,s:s,s:s,s:s,s:s,s:s,s:o}", "eventVersion", "1.11",
        "userIdentity", identity(op), "eventTime", when, "eventSource",
        sts ? "sts.amazonaws.com" : "kms.amazonaws.com", "eventName",
        known ? info->name : "Unknown", "awsRegion", op->ctx.region, "sourceIPAddress", http->peer,
        "userAgent", text(agent, AGENT_MAX));
    if (o == NULL) return NULL;
    (void)json_object_set_new(o, "requestParameters", parameters(op));
    (void)json_object_set_new(o, "responseElements", elements(op, answer));
    (void)json_object_set_new(o, "requestID", json_string(op->request_id));
    (void)json_object_set_new(o, "eventID", json_string(id));
    (void)json_object_set_new(
        o, "readOnly", json_boolean(!(known && coord_op_needs_proposal(op->op))));
    (void)json_object_set_new(o, "resources", resources(op));
    (void)json_object_set_new(o, "eventType", json_string("AwsApiCall"));
    (void)json_object_set_new(o, "managementEvent", json_true());
    (void)json_object_set_new(o, "recipientAccountId", json_string(op->ctx.account));
    return o;
}

/* errorCode and errorMessage as the caller got them, unless the text repeats what is not for logs.
 */
static void put_error(json_t *o, const struct coord_answer *answer)
{
    if (answer->error_type == NULL) return;
    (void)json_object_set_new(o, "errorCode", json_string(answer->error_type));
    json_error_t e;
    struct qk_bytes b = qk_buf_view(&answer->body);
    json_t *body = json_loadb((const char *)b.p, b.len, 0, &e);
    json_t *message = json_object_get(body, "message");
    if (json_is_string(message)) {
        struct qk_bytes kept =
            kms_fault_log_text(qk_str(answer->error_type), qk_str(json_string_value(message)));
        (void)json_object_set_new(o, "errorMessage", text(kept, KMS_FAULT_TEXT_MAX));
    }
    json_decref(body);
}

static bool write_line(struct coord_audit *a, const char *line, size_t len)
{
    (void)pthread_mutex_lock(&a->mutex);
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(a->fd, line + done, len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += (size_t)n;
    }
    (void)pthread_mutex_unlock(&a->mutex);
    return done == len;
}

void coord_audit_write(struct coord_audit *a, const struct coord_op *op,
    const struct coord_http_request *http, const struct coord_answer *answer)
{
    json_t *o = event(op, http, answer);
    if (o != NULL) put_error(o, answer);
    char *line = o == NULL ? NULL : json_dumps(o, JSON_COMPACT);
    json_decref(o);
    size_t len = line == NULL ? 0 : strlen(line);
    if (line != NULL) line[len] = '\n'; /* in place of the NUL */
    if (line == NULL || !write_line(a, line, len + 1)) {
        atomic_fetch_add(&a->lost, 1);
        qk_log(QK_ERROR, "audit.lost", QK_F_STR("request_id", op->request_id));
    }
    free(line);
}
