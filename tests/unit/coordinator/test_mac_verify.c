/* VerifyMac: only the whole right MAC is valid, and what was computed to find out is gone
 * afterwards (M-16). */
#include "qktest/qktest.h"
#include "coordmac.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "api/api.h"
#include "qk/log.h"

static const uint8_t text[] = "The quick brown fox";
#define MESSAGE qk_bytes(text, sizeof text - 1)

struct bench {
    struct cw_world w;
    struct coord_op op;
    struct cw_request request;
    struct kms_fault fault;
    struct coord_answer answer;
    uint8_t mac[64];
    size_t len;
};

static struct bench *bench_new(enum kms_spec_id spec)
{
    struct bench *b = calloc(1, sizeof *b);
    cr_assert(b != NULL);
    cw_init_mac(&b->w, 3, spec, KMS_MODES_MAC_N);
    b->len = kms_keyspec_by_id(spec)->digest_len;
    cw_mac_expect(&b->w, MESSAGE, b->mac);
    return b;
}

static void bench_free(struct bench *b)
{
    cw_free(&b->w);
    free(b);
}

static bool has(struct qk_bytes in, struct qk_bytes what)
{
    return memmem(in.p, in.len, what.p, what.len) != NULL;
}

/* Neither as bytes nor as text; of text a part is enough to tell. */
static bool tells(struct qk_bytes in, const uint8_t *mac, size_t len)
{
    QK_AUTO_BUF base64 = QK_BUF(128);
    QK_AUTO_BUF hex = QK_BUF(256);
    qk_base64_add(&base64, qk_bytes(mac, len));
    for (size_t i = 0; i < len; i++) qk_buf_printf(&hex, "%02x", mac[i]);
    return has(in, qk_bytes(mac, len)) || has(in, qk_bytes(base64.p, 20)) ||
           has(in, qk_bytes(hex.p, 20));
}

/* As the service does it: run, then the answer. */
static unsigned verify(struct bench *b, struct qk_bytes mac)
{
    static const uint8_t zeros[sizeof b->op.mac.tag];
    struct coord_about about = {.started_ms = 1};
    qk_err err = cw_verify_mac(&b->w, &b->op, &b->request, MESSAGE, mac, &b->fault);
    cr_expect_eq(memcmp(b->op.mac.tag, zeros, sizeof zeros), 0, "M-16: the tag is not kept");
    cr_expect_eq(b->op.mac.tag_len, 0, "M-16");
    if (err == QK_OK)
        coord_api_answer(&b->op, &about, &b->answer);
    else
        coord_api_fault(&b->request.raw, &b->fault, b->op.request_id, &b->answer);
    cr_expect(!tells(qk_buf_view(&b->answer.body), b->mac, b->len), "M-16: in the answer");
    return b->answer.status;
}

static void done(struct bench *b)
{
    coord_answer_free(&b->answer);
    coord_op_end(&b->op);
}

static void expect_invalid(struct bench *b, struct qk_bytes mac, const char *what)
{
    cr_expect_eq(verify(b, mac), 400, "M-16: %s", what);
    cr_expect_str_eq(b->answer.error_type, "KMSInvalidMacException", "M-16: %s", what);
    cr_expect(!has(qk_buf_view(&b->answer.body), qk_str("essage")), "no text: %s", what);
    done(b);
}

static void each_spec(enum kms_spec_id spec)
{
    struct bench *b = bench_new(spec);
    uint8_t bent[80] = {0};
    cr_expect_eq(verify(b, qk_bytes(b->mac, b->len)), 200, "the right one");
    cr_expect(has(qk_buf_view(&b->answer.body), qk_str("\"MacValid\":true")));
    done(b);
    for (size_t bit = 0; bit < 8 * b->len; bit += b->len == 28 ? 37 : 8 * b->len - 1) {
        memcpy(bent, b->mac, b->len);
        bent[bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect_invalid(b, qk_bytes(bent, b->len), "one bit");
    }
    memcpy(bent, b->mac, b->len);
    bent[b->len] = 0;
    expect_invalid(b, qk_bytes(bent, b->len - 1), "truncated");
    expect_invalid(b, qk_bytes(bent, b->len / 2), "half of it");
    expect_invalid(b, qk_bytes(bent, 1), "its first byte");
    expect_invalid(b, qk_bytes(bent, b->len + 1), "extended");
    memset(bent, 0, sizeof bent);
    expect_invalid(b, qk_bytes(bent, b->len), "zeros");
    bench_free(b);
}

QK_TEST(mac_verify, M_16_only_the_whole_MAC_is_valid)
{
    for (enum kms_spec_id s = KMS_SPEC_HMAC_224; s <= KMS_SPEC_HMAC_512; s++) each_spec(s);
}

QK_TEST(mac_verify, GenerateMac_answers_the_tag_in_memory_that_is_wiped)
{
    struct bench *b = bench_new(KMS_SPEC_HMAC_384);
    struct coord_about about = {.started_ms = 1};
    QK_AUTO_BUF want = QK_BUF(256);
    qk_assert_ok(cw_generate_mac(&b->w, &b->op, &b->request, MESSAGE, "", &b->fault));
    coord_api_answer(&b->op, &about, &b->answer);
    cr_expect_eq(b->answer.status, 200);
    qk_buf_add_str(&want, "\"Mac\":\"");
    qk_base64_add(&want, qk_bytes(b->mac, b->len));
    qk_buf_add_str(&want, "\"");
    cr_expect(has(qk_buf_view(&b->answer.body), qk_buf_view(&want)));
    cr_expect(has(qk_buf_view(&b->answer.body), qk_str("\"MacAlgorithm\":\"HMAC_SHA_384\"")));
    cr_expect(b->answer.body.secret);
    done(b);
    bench_free(b);
}

/* ---- logs ---- */

static enum cw_fate spoil(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (cw_mac_role(f, call) == 3) ((uint8_t *)(uintptr_t)a->part.p)[0] ^= 1;
    return CW_SEND;
}

QK_TEST(mac_verify, M_16_no_log_line_tells_a_tag_or_a_label)
{
    struct bench *b = bench_new(KMS_SPEC_HMAC_256);
    FILE *log = tmpfile();
    uint8_t wrong[32] = {0};
    cr_assert(log != NULL);
    qk_log_setup(fileno(log), QK_DEBUG, "test");
    (void)verify(b, qk_bytes(b->mac, b->len));
    done(b);
    (void)verify(b, QK_BYTES(wrong));
    done(b);
    qk_assert_ok(cw_generate_mac(&b->w, &b->op, &b->request, MESSAGE, "", &b->fault));
    coord_op_end(&b->op);
    for (size_t i = 0; i < 3; i++) b->w.fakes[i].bend = spoil;
    for (int i = 0; i < 3; i++) { /* nine suspects among three nodes: an alarm, too */
        cr_expect_eq(verify(b, qk_bytes(b->mac, b->len)), 500);
        done(b);
    }
    qk_log_setup(-1, QK_DEBUG, "test");
    static uint8_t lines[1 << 20];
    ssize_t n = pread(fileno(log), lines, sizeof lines, 0);
    cr_assert(n > 0 && (size_t)n < sizeof lines);
    struct qk_bytes all = qk_bytes(lines, (size_t)n);
    cr_expect(has(all, qk_str("mac.suspect")) && has(all, qk_str("mac.alarm")));
    cr_expect(!tells(all, b->mac, b->len), "M-16");
    cr_expect(!tells(all, b->w.mac->y.p, 32) && !tells(all, b->w.mac->old_y.p, 32), "labels");
    (void)fclose(log);
    bench_free(b);
}
