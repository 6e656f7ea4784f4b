#include "qktest/qktest.h"

#include "kms/cert.h"
#include "kmskit.h"

/* Nodes 1..3 of a real scheme stand behind a callback: here a signature is the node id and the
 * message. */
static struct qk_bytes sign(uint16_t node, const struct kms_record *r, uint8_t out[65])
{
    out[0] = (uint8_t)node;
    qk_assert_ok(kms_cert_message(r, out + 1));
    return qk_bytes(out, 65);
}

static qk_err verify(
    void *arg, uint16_t node, const uint8_t msg[static KMS_CERT_MSG_LEN], struct qk_bytes sig)
{
    unsigned *calls = arg;
    if (calls) ++*calls;
    if (node > 3) return QK_E_NOT_FOUND;
    bool ok = sig.len == 65 && sig.p[0] == node && memcmp(sig.p + 1, msg, KMS_CERT_MSG_LEN) == 0;
    return ok ? QK_OK : QK_E_PROOF;
}

struct fixture {
    struct kit_world w;
    struct kms_record *r;
    struct kms_cert cert;
    uint8_t sig[4][65];
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.cert = {.n = 0}};
    kit_world_init(&f->w);
    f->r = kit_key(&f->w);
    qk_assert_ok(kms_cert_add(&f->cert, 3, sign(3, f->r, f->sig[1])));
    qk_assert_ok(kms_cert_add(&f->cert, 1, sign(1, f->r, f->sig[0])));
}

QK_TEST(cert, two_of_three_signatures_are_enough_for_t_2)
{
    struct fixture f;
    unsigned calls = 0;
    setup(&f);
    qk_assert_ok(kms_cert_verify(f.r, &f.cert, verify, &calls, 2));
    cr_assert_eq(calls, 2);
    kit_world_free(&f.w);
}

QK_TEST(cert, too_few_signatures_are_refused)
{
    struct fixture f;
    setup(&f);
    qk_assert_err(kms_cert_verify(f.r, &f.cert, verify, NULL, 3), QK_E_MISMATCH);
    f.cert.n = 0;
    qk_assert_err(kms_cert_verify(f.r, &f.cert, verify, NULL, 1), QK_E_MISMATCH);
    qk_assert_err(kms_cert_verify(f.r, &f.cert, verify, NULL, 0), QK_E_STATE);
    kit_world_free(&f.w);
}

QK_TEST(cert, one_signer_does_not_count_twice)
{
    struct fixture f;
    setup(&f);
    qk_assert_err(kms_cert_add(&f.cert, 1, qk_bytes(f.sig[0], 65)), QK_E_CONFLICT);
    f.cert.sigs[1] = f.cert.sigs[0];
    qk_assert_err(kms_cert_verify(f.r, &f.cert, verify, NULL, 2), QK_E_MALFORMED);
    struct kms_cert_sig one = f.cert.sigs[0];
    f.cert.sigs[0] = (struct kms_cert_sig){3, qk_bytes(f.sig[1], 65)};
    f.cert.sigs[1] = one;
    qk_assert_err(kms_cert_verify(f.r, &f.cert, verify, NULL, 2), QK_E_MALFORMED);
    kit_world_free(&f.w);
}

QK_TEST(cert, unknown_signers_and_bad_signatures_are_refused)
{
    struct fixture f;
    setup(&f);
    qk_assert_ok(kms_cert_add(&f.cert, 9, sign(9, f.r, f.sig[2])));
    qk_assert_err(kms_cert_verify(f.r, &f.cert, verify, NULL, 2), QK_E_PROOF);
    f.cert.n--;
    f.sig[0][7] ^= 1;
    qk_assert_err(kms_cert_verify(f.r, &f.cert, verify, NULL, 2), QK_E_PROOF);
    kit_world_free(&f.w);
}

static void bend_hash(struct kms_record *r)
{
    r->hash[31] ^= 1;
}
static void bend_prev(struct kms_record *r)
{
    r->prev[0] ^= 1;
}
static void bend_version(struct kms_record *r)
{
    r->version++;
}
static void bend_id(struct kms_record *r)
{
    r->id[3] = r->id[3] == '0' ? '1' : '0';
}
static void bend_kind(struct kms_record *r)
{
    r->kind = KMS_KIND_SYSTEM;
}

QK_TEST(cert, kind_id_version_hash_and_prev_are_all_signed)
{
    static void (*const bends[])(struct kms_record *) = {
        bend_hash, bend_prev, bend_version, bend_id, bend_kind};
    for (size_t i = 0; i < QK_COUNT(bends); i++) {
        struct fixture f;
        setup(&f);
        struct kms_record r = *f.r;
        bends[i](&r);
        qk_assert_err(kms_cert_verify(&r, &f.cert, verify, NULL, 2), QK_E_PROOF);
        kit_world_free(&f.w);
    }
}

QK_TEST(cert, the_message_is_the_framed_hash_of_the_protocols)
{
    /* H("cert"; 04, "id", u64 2, aa x 32, bb x 32), computed from the formulas of protocols/00
     * section 3 */
    struct kms_record r = {.kind = KMS_KIND_KEY, .id = "id", .version = 2};
    uint8_t msg[KMS_CERT_MSG_LEN];
    char hex[2 * KMS_CERT_MSG_LEN + 1];
    memset(r.hash, 0xaa, 32);
    memset(r.prev, 0xbb, 32);
    qk_assert_ok(kms_cert_message(&r, msg));
    qk_hex(msg, sizeof msg, hex);
    cr_assert_str_eq(hex, "016ecaa79fcc56e1fe213884111f932a962249ee82b0c507558e195b8c823414c84a536f"
                          "211d066167f07a79d7a93183ce9cef577783808f35fba2f667383d4d");
}

QK_TEST(cert, certified_records_round_trip_and_refuse_the_rest)
{
    struct fixture f;
    struct qk_bytes record;
    struct kms_cert cert;
    struct kms_record got;
    setup(&f);
    QK_AUTO_BUF bytes = QK_BUF(KMS_RECORD_ENCODED_MAX);
    QK_AUTO_BUF both = QK_BUF(KMS_CERTIFIED_MAX);
    qk_assert_ok(kms_record_encode(f.r, &bytes));
    qk_assert_ok(kms_certified_encode(qk_buf_view(&bytes), &f.cert, &both));
    qk_assert_ok(kms_certified_decode(qk_buf_view(&both), &record, &cert));
    qk_assert_ok(kms_record_decode(record, &got));
    qk_assert_ok(kms_cert_verify(&got, &cert, verify, NULL, 2));
    for (size_t n = 0; n < both.len; n++)
        cr_assert_neq(kms_certified_decode(qk_bytes(both.p, n), &record, &cert), QK_OK);
    qk_buf_add_u8(&both, 0);
    qk_assert_err(kms_certified_decode(qk_buf_view(&both), &record, &cert), QK_E_MALFORMED);
    kit_world_free(&f.w);
}
