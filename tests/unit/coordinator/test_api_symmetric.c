/* What callers of symmetric keys are answered, and what is written down about it. */
#include "qktest/qktest.h"
#include "coordsym.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>
#include "api/api.h"
#include "kms/response.h"
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
    cw_init_sym(&r->w, MPC_SYM_FV);
    return r;
}

static void run_free(struct run *r)
{
    cw_free(&r->w);
    free(r);
}

static void serve(struct run *r, const char *target, const char *members)
{
    struct coord_about about = {.queued = 0};
    cw_request(&r->request, target, "{\"KeyId\":\"%s\"%s}", r->w.sym->key_text, members);
    if (cw_serve(&r->w, &r->op, &r->request, &r->fault) == QK_OK)
        coord_api_answer(&r->op, &about, &r->answer);
    else
        coord_api_fault(&r->request.raw, &r->fault, r->op.request_id, &r->answer);
}

static json_t *body(struct run *r)
{
    json_error_t e;
    struct qk_bytes b = qk_buf_view(&r->answer.body);
    json_t *v = json_loadb((const char *)b.p, b.len, 0, &e);
    cr_assert(v != NULL, "%.*s", (int)b.len, (const char *)b.p);
    return v;
}

static const char *text(json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s == NULL ? "" : s;
}

static void done(struct run *r)
{
    coord_answer_free(&r->answer);
    coord_op_end(&r->op);
}

/* ---- secrets ---- */

QK_TEST(api_symmetric, answers_with_plaintext_are_kept_in_memory_that_is_wiped)
{
    static const struct {
        const char *target, *members;
        bool secret;
    } rows[] = {
        {"TrentService.GenerateDataKey", ",\"NumberOfBytes\":20", true},
        {"TrentService.GenerateDataKeyPair", ",\"KeyPairSpec\":\"ECC_NIST_P256\"", true},
        {"TrentService.GenerateRandom", ",\"NumberOfBytes\":20", true},
        {"TrentService.GenerateDataKeyWithoutPlaintext", ",\"NumberOfBytes\":20", false},
        {"TrentService.GenerateDataKeyPairWithoutPlaintext", ",\"KeyPairSpec\":\"ECC_NIST_P256\"",
            false},
        {"TrentService.Encrypt", ",\"Plaintext\":\"AAAA\"", false},
    };
    struct run *r = run_new();
    for (size_t i = 0; i < QK_COUNT(rows); i++) {
        serve(r, rows[i].target, rows[i].members);
        json_t *v = body(r);
        cr_expect_eq(r->answer.status, 200, "%s", rows[i].target);
        cr_expect_eq(r->answer.body.secret, rows[i].secret, "%s", rows[i].target);
        bool shows = *text(v, "Plaintext") != 0 || *text(v, "PrivateKeyPlaintext") != 0;
        cr_expect_eq(shows, rows[i].secret, "%s", rows[i].target);
        json_decref(v);
        done(r);
    }
    run_free(r);
}

QK_TEST(api_symmetric, S_15_audit_events_hold_no_plaintext_and_no_ciphertext)
{
    struct run *r = run_new();
    struct coord_audit *audit;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/audit.log", r->w.dir);
    qk_assert_ok(coord_audit_open(&audit, path));
    struct coord_http_request http = {.peer = "127.0.0.1"};
    serve(r, "TrentService.Encrypt",
        ",\"Plaintext\":\"UzE1LU1BUktFUg==\",\"EncryptionContext\":{\"to\":\"logs\"}");
    coord_audit_write(audit, &r->op, &http, &r->answer);
    coord_audit_close(audit);
    json_t *v = body(r);
    QK_AUTO_BUF log = QK_BUF(65536);
    qk_assert_ok(qk_file_read(path, &log));
    const char *line = qk_buf_cstr(&log);
    cr_expect(strstr(line, "UzE1LU1BUktFU") == NULL && strstr(line, "S15-MARKER") == NULL, "S-15");
    cr_expect(strstr(line, text(v, "CiphertextBlob")) == NULL);
    cr_expect(strstr(line, "\"encryptionContext\":{\"to\":\"logs\"}") != NULL, "%s", line);
    cr_expect(strstr(line, "\"encryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"") != NULL);
    json_decref(v);
    done(r);
    (void)unlink(path);
    run_free(r);
}

/* ---- ListKeyRotations ---- */

/* The rotations of one page; the marker of the next, "" if there is none. */
static size_t page(struct run *r, const char *members, char marker[256])
{
    serve(r, "TrentService.ListKeyRotations", members);
    cr_assert_eq(r->answer.status, 200);
    json_t *v = body(r);
    size_t n = json_array_size(json_object_get(v, "Rotations"));
    (void)snprintf(marker, 256, "%s", text(v, "NextMarker"));
    cr_expect_eq(json_is_true(json_object_get(v, "Truncated")), *marker != 0);
    json_decref(v);
    done(r);
    return n;
}

QK_TEST(api_symmetric, rotations_are_listed_in_pages_by_number)
{
    struct run *r = run_new();
    char marker[256], members[512];
    cr_expect_eq(page(r, "", marker), 0, "nobody rotated to the first material");
    cr_expect_eq(page(r, ",\"IncludeKeyMaterial\":\"ALL_KEY_MATERIAL\"", marker), 1);
    for (int i = 0; i < 11; i++) cw_rotate(&r->w); /* 12 versions: "10" sorts before "2" */
    cr_expect_eq(page(r, "", marker), 11);
    size_t seen = 0;
    (void)snprintf(members, sizeof members, ",\"Limit\":4");
    for (int i = 0; i < 3; i++) {
        seen += page(r, members, marker);
        (void)snprintf(members, sizeof members, ",\"Limit\":4,\"Marker\":\"%s\"", marker);
    }
    cr_expect_eq(seen, 11);
    cr_expect_eq(*marker, 0);
    run_free(r);
}

QK_TEST(api_symmetric, a_marker_of_another_list_is_none)
{
    struct run *r = run_new();
    QK_AUTO_BUF marker = QK_BUF(256);
    char members[512];
    kms_marker_encode(qk_str("123456789012/bob"), &marker);
    (void)snprintf(members, sizeof members, ",\"Marker\":\"%s\"", qk_buf_cstr(&marker));
    serve(r, "TrentService.ListKeyRotations", members);
    cr_expect_str_eq(r->answer.error_type, "InvalidMarkerException");
    done(r);
    run_free(r);
}
