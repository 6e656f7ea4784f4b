/* What callers are answered: shapes and bounds of the answers, faults in both protocols, audit. */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>
#include "api/api.h"
#include "qk/file.h"
#include "service/audit.h"

struct run {
    struct cw_world w;
    struct cw_request request;
    struct coord_op op;
    struct kms_fault fault;
    struct coord_answer answer;
};

static struct run *run_new(void)
{
    struct run *r = calloc(1, sizeof *r);
    cr_assert(r != NULL);
    cw_init(&r->w);
    return r;
}

static void run_free(struct run *r)
{
    cw_free(&r->w);
    free(r);
}

/* From request to answer, as a worker does it. */
static void serve(struct run *r)
{
    struct coord_about about = {.queued = 3, .running = 1};
    if (cw_run(&r->w, &r->op, &r->request, &r->fault) == QK_OK)
        coord_api_answer(&r->op, &about, &r->answer);
    else
        coord_api_fault(&r->request.raw, &r->fault, r->op.request_id, &r->answer);
}

static json_t *body(struct run *r)
{
    json_error_t e;
    json_t *v = json_loadb((const char *)r->answer.body.p, r->answer.body.len, 0, &e);
    cr_assert(v != NULL, "%.*s", (int)r->answer.body.len, (const char *)r->answer.body.p);
    return v;
}

static void done(struct run *r)
{
    coord_answer_free(&r->answer);
    coord_op_end(&r->op);
}

QK_TEST(api, describes_a_key_by_its_full_name)
{
    struct run *r = run_new();
    cw_request(&r->request, "TrentService.DescribeKey", "{\"KeyId\":\"%s\"}", r->w.key_text);
    serve(r);
    cr_assert_eq(r->answer.status, 200);
    cr_assert_eq(strcmp(r->answer.content_type, "application/x-amz-json-1.1"), 0);
    json_t *v = body(r), *meta = json_object_get(v, "KeyMetadata");
    char arn[KMS_ARN_MAX];
    kms_key_arn(CW_REGION, CW_ACCOUNT, r->w.key_id, arn);
    cr_assert_eq(strcmp(json_string_value(json_object_get(meta, "Arn")), arn), 0);
    cr_assert_eq(strcmp(json_string_value(json_object_get(meta, "KeyState")), "Enabled"), 0);
    json_decref(v);
    done(r);
    run_free(r);
}

static void verify_with(struct run *r, const char *signature)
{
    cw_request(&r->request, "TrentService.Verify",
        "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"SigningAlgorithm\":\"ECDSA_SHA_256\","
        "\"Signature\":\"%s\"}",
        r->w.key_text, signature);
    serve(r);
}

QK_TEST(api, its_own_signature_verifies_and_a_bent_one_is_a_bare_fault)
{
    struct run *r = run_new();
    char text[256];
    cw_request(&r->request, "TrentService.Sign",
        "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
        r->w.key_text);
    serve(r);
    cr_assert_eq(r->answer.status, 200);
    json_t *v = body(r);
    (void)snprintf(text, sizeof text, "%s", json_string_value(json_object_get(v, "Signature")));
    json_decref(v);
    done(r);

    verify_with(r, text);
    cr_assert_eq(r->answer.status, 200);
    v = body(r);
    cr_assert(json_is_true(json_object_get(v, "SignatureValid")));
    json_decref(v);
    done(r);

    text[20] = text[20] == 'A' ? 'B' : 'A';
    verify_with(r, text);
    cr_assert_eq(r->answer.status, 400);
    cr_assert_eq(strcmp(r->answer.error_type, "KMSInvalidSignatureException"), 0);
    v = body(r);
    cr_assert(json_object_get(v, "message") == NULL, "no message: it would be an oracle");
    json_decref(v);
    done(r);
    run_free(r);
}

QK_TEST(api, lists_are_cut_into_pages_and_leave_deleted_keys_out)
{
    static const uint16_t both[] = {1, 2};
    struct run *r = run_new();
    struct cw_record *key = cw_find(&r->w, KMS_KIND_KEY, r->w.key_text);
    for (int i = 0; i < 5; i++) {
        QK_AUTO_BUF bytes = QK_BUF(KMS_CERTIFIED_MAX);
        struct kms_record rec = key->r;
        memset(rec.key.key_id, 0x20 + i, 16);
        kms_uuid_make_v4(rec.key.key_id);
        kms_uuid_text(rec.key.key_id, rec.id);
        if (i == 2) rec.key.state = KMS_STATE_DELETED;
        rec.key.deletion_ms = i == 2 ? 5 : 0;
        rec.key.pending_days = i == 2 ? 7 : 0;
        cw_certified(&r->w, &rec, both, 2, &bytes);
        qk_assert_ok(coord_store_adopt(r->w.engine.store, qk_buf_view(&bytes), NULL));
    }
    size_t seen = 0;
    char marker[256] = "";
    for (int page = 0; page < 10; page++) {
        cw_request(&r->request, "TrentService.ListKeys", "{\"Limit\":2%s%s%s}",
            marker[0] ? ",\"Marker\":\"" : "", marker, marker[0] ? "\"" : "");
        serve(r);
        cr_assert_eq(r->answer.status, 200);
        json_t *v = body(r);
        seen += json_array_size(json_object_get(v, "Keys"));
        bool more = json_is_true(json_object_get(v, "Truncated"));
        if (more)
            (void)snprintf(
                marker, sizeof marker, "%s", json_string_value(json_object_get(v, "NextMarker")));
        json_decref(v);
        done(r);
        if (!more) break;
    }
    cr_assert_eq(seen, 5); /* the world's own key and four of these */
    run_free(r);
}

QK_TEST(api, a_description_update_answers_nothing_at_all)
{
    struct run *r = run_new();
    cw_request(&r->request, "TrentService.UpdateKeyDescription",
        "{\"KeyId\":\"%s\",\"Description\":\"x\"}", r->w.key_text);
    serve(r);
    cr_assert_eq(r->answer.status, 200);
    cr_assert_eq(r->answer.body.len, 0);
    done(r);
    run_free(r);
}

QK_TEST(api, status_tells_of_every_node_also_of_one_that_is_away)
{
    struct run *r = run_new();
    cw_fake_stop(&r->w.fakes[1]);
    cw_request(&r->request, "QkmsAdmin.GetStatus", "{}");
    serve(r);
    cr_assert_eq(r->answer.status, 200, "%s", r->answer.error_type);
    json_t *v = body(r), *nodes = json_object_get(v, "Nodes");
    cr_assert_eq(json_array_size(nodes), CW_NODES);
    for (size_t i = 0; i < CW_NODES; i++) {
        json_t *n = json_array_get(nodes, i);
        cr_assert_eq(json_integer_value(json_object_get(n, "NodeId")), (json_int_t)i + 1);
        cr_assert_eq(json_is_true(json_object_get(n, "Reachable")), i != 1);
    }
    cr_assert(json_object_get(v, "Coordinator") != NULL && json_object_get(v, "Cluster") != NULL);
    json_decref(v);
    done(r);
    run_free(r);
}

QK_TEST(api, content_faults_are_told_by_the_nodes_in_our_words)
{
    struct run *r = run_new();
    cw_request(&r->request, "TrentService.NoSuchThing", "{}");
    serve(r);
    cr_assert_eq(r->answer.status, 400);
    cr_assert_eq(strcmp(r->answer.error_type, "UnknownOperationException"), 0);
    done(r);
    cw_request(&r->request, "TrentService.Sign", "{\"KeyId\":5}");
    serve(r);
    cr_assert_eq(strcmp(r->answer.error_type, "SerializationException"), 0);
    done(r);
    for (size_t i = 0; i < CW_NODES; i++) cr_assert(r->w.fakes[i].calls[WIRE_CALL_OP] > 0);
    run_free(r);
}

QK_TEST(api, sts_faults_are_xml)
{
    struct kms_fault fault;
    struct coord_answer a;
    struct kms_raw raw = {.method = qk_str("POST"), .path = qk_str("/"), .query = qk_str("")};
    qk_assert_ok(kms_raw_add_header(
        &raw, qk_str("Content-Type"), qk_str("application/x-www-form-urlencoded")));
    qk_assert_err(kms_fault_unknown_client(&fault), QK_E_DENIED);
    coord_api_fault(&raw, &fault, "6d3a7e0e-6a3c-4d8e-9b1f-0123456789ab", &a);
    cr_assert_eq(a.status, 403);
    cr_assert_eq(strcmp(a.content_type, "text/xml"), 0);
    qk_buf_add_u8(&a.body, 0);
    cr_assert(strstr((const char *)a.body.p, "<Code>InvalidClientTokenId</Code>") != NULL);
    coord_answer_free(&a);
}

/* ---- audit ---- */

QK_TEST(api, audit_events_name_who_and_what_but_never_the_message)
{
    struct run *r = run_new();
    char path[128];
    struct coord_audit *audit;
    struct coord_http_header agent = COORD_HTTP_HEADER("User-Agent", "evil\"}\n{\"x\":1");
    struct coord_http_request http = {
        .headers = &agent, .n_headers = 1, .peer = "192.0.2.7", .peer_port = 4};
    (void)snprintf(path, sizeof path, "%s/audit.json", r->w.dir);
    qk_assert_ok(coord_audit_open(&audit, path));
    cw_request(&r->request, "TrentService.Sign",
        "{\"KeyId\":\"%s\",\"Message\":\"c2VjcmV0IG1lc3NhZ2U=\","
        "\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
        r->w.key_text);
    serve(r);
    coord_audit_write(audit, &r->op, &http, &r->answer);
    done(r);
    coord_audit_close(audit);

    QK_AUTO_BUF text = QK_BUF(65536);
    qk_assert_ok(qk_file_read(path, &text));
    cr_assert_eq(text.p[text.len - 1], '\n');
    cr_assert(memchr(text.p, '\n', text.len - 1) == NULL, "one line, whatever the agent says");
    cr_assert(memmem(text.p, text.len, "c2VjcmV0", 8) == NULL);
    cr_assert(memmem(text.p, text.len, "secret message", 14) == NULL);
    json_error_t e;
    json_t *v = json_loadb((const char *)text.p, text.len, 0, &e);
    json_t *who = json_object_get(v, "userIdentity");
    cr_assert_eq(strcmp(json_string_value(json_object_get(v, "eventName")), "Sign"), 0);
    cr_assert_eq(strcmp(json_string_value(json_object_get(v, "sourceIPAddress")), "192.0.2.7"), 0);
    cr_assert_eq(strcmp(json_string_value(json_object_get(who, "userName")), "admin"), 0);
    cr_assert(json_is_true(json_object_get(v, "readOnly")));
    cr_assert_eq(json_array_size(json_object_get(v, "resources")), 1);
    json_decref(v);
    (void)unlink(path);
    run_free(r);
}
