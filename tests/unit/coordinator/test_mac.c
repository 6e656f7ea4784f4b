/* GenerateMac and VerifyMac through the coordinator: tags are those of any library, and what
 * nodes say that cannot be right makes no tag (M-7). */
#include "qktest/qktest.h"
#include "coordmac.h"

#include <stdlib.h>

static const uint8_t text[] = "what do ya want for nothing?";
#define MESSAGE qk_bytes(text, sizeof text - 1)

struct bench {
    struct cw_world w;
    struct coord_op op;
    struct cw_request request;
    struct kms_fault fault;
};

static struct bench *bench_new(uint16_t n, enum kms_spec_id spec, uint8_t profile)
{
    struct bench *b = calloc(1, sizeof *b);
    cr_assert(b != NULL);
    cw_init_mac(&b->w, n, spec, profile);
    return b;
}

static void bench_free(struct bench *b)
{
    cw_free(&b->w);
    free(b);
}

/* True: a tag came, and it is the right one. A wrong one fails the test. */
static bool generate(struct bench *b, struct qk_bytes message)
{
    uint8_t want[64];
    size_t len = kms_keyspec_by_id(b->w.mac->spec)->digest_len;
    qk_err err = cw_generate_mac(&b->w, &b->op, &b->request, message, "", &b->fault);
    cr_assert_eq(err == QK_OK, b->op.mac.tag_len == len);
    cr_assert(err == QK_OK || b->op.mac.tag_len == 0);
    cw_mac_expect(&b->w, message, want);
    if (err == QK_OK) cr_assert_eq(memcmp(b->op.mac.tag, want, len), 0, "a wrong tag was released");
    coord_op_end(&b->op);
    return err == QK_OK;
}

static unsigned long long count(atomic_ullong *n)
{
    return atomic_load(n);
}

static void bend_all(struct bench *b, cw_bend_fn bend, void *arg)
{
    for (size_t i = 0; i < b->w.n; i++) {
        b->w.fakes[i].bend_arg = arg;
        b->w.fakes[i].bend = bend;
    }
}

/* ---- honest nodes ---- */

QK_TEST(mac, tags_of_every_spec_are_those_of_OpenSSL)
{
    for (enum kms_spec_id s = KMS_SPEC_HMAC_224; s <= KMS_SPEC_HMAC_512; s++) {
        struct bench *b = bench_new(3, s, KMS_MODES_MAC_N);
        cr_expect(generate(b, qk_bytes(text, 1)));
        cr_expect(generate(b, MESSAGE));
        cr_expect_eq(count(&b->w.engine.counts.mac_made), 2);
        cr_expect_eq(count(&b->w.engine.counts.mac_suspects), 0);
        bench_free(b);
    }
}

QK_TEST(mac, so_are_those_of_the_strict_profile)
{
    struct bench *b = bench_new(3, KMS_SPEC_HMAC_256, KMS_MODES_MAC_S);
    cr_expect(generate(b, MESSAGE));
    bench_free(b);
    b = bench_new(3, KMS_SPEC_HMAC_384, KMS_MODES_MAC_S);
    cr_expect(generate(b, MESSAGE));
    bench_free(b);
}

QK_TEST(mac, the_longest_message_of_the_API_has_one)
{
    static uint8_t longest[MPC_MAC_MESSAGE_MAX];
    struct bench *b = bench_new(4, KMS_SPEC_HMAC_256, KMS_MODES_MAC_N);
    memset(longest, 'm', sizeof longest);
    cr_expect(generate(b, QK_BYTES(longest)));
    bench_free(b);
}

/* ---- M-7: answers that do not go together ---- */

enum lie {
    OT_SWAPPED, /* G1: both digests of one output bit change places */
    OT_BIT,     /* G1: one bit of one digest */
    KH_BIT,     /* G1 */
    RUN_BIT,    /* G1 */
    G1_SHORT,
    G1_LONG,
    G2_BIT,
    G2_SHORT,
    G2_OF_ANOTHER, /* G2 sends what G1 should have */
    Y_RANDOM,
    Y_STALE,    /* E: labels of the run before */
    Y_FOREIGN,  /* E: one label of another bit */
    Y_PERMUTED, /* E: two labels change places */
    Y_SHORT,
    Y_LONG,
    EMPTY_1,
    EMPTY_2,
    EMPTY_3,
    LIES
};

static int liar_of(enum lie lie)
{
    if (lie >= EMPTY_1) return (int)(lie - EMPTY_1) + 1;
    return lie <= G1_LONG ? 1 : lie <= G2_OF_ANOTHER ? 2 : 3;
}

static void swap16(uint8_t *a, uint8_t *b)
{
    uint8_t t[16];
    memcpy(t, a, 16);
    memcpy(a, b, 16);
    memcpy(b, t, 16);
}

static void lie_in(uint8_t *p, struct qk_bytes *part, enum lie lie, const struct cw_mac *m)
{
    switch (lie) {
    case OT_SWAPPED:
        swap16(p + 48, p + 64);
        break;
    case OT_BIT:
        p[48 + 32 * 7 + 3] ^= 4;
        break;
    case KH_BIT:
        p[40] ^= 1;
        break;
    case RUN_BIT:
        p[31] ^= 1;
        break;
    case G2_BIT:
        p[0] ^= 0x80;
        break;
    case G2_OF_ANOTHER:
        *part = qk_bytes(m->g1.p, m->g1.len);
        break;
    case Y_RANDOM:
        cr_assert(qk_rng_fill(qk_rng_system(), p, 16) == QK_OK);
        break;
    case Y_STALE:
        if (m->old_y.len == part->len) memcpy(p, m->old_y.p, part->len);
        if (m->old_y.len == 0) p[0] ^= 1; /* there was none before */
        break;
    case Y_FOREIGN:
        memcpy(p, p + 16, 16);
        break;
    case Y_PERMUTED:
        swap16(p, p + 16);
        break;
    default:
        break;
    }
}

/* bend_arg: the lie, told by whoever has its role. */
static enum cw_fate tell_lie(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    enum lie lie = *(enum lie *)f->bend_arg;
    uint8_t *p = (uint8_t *)(uintptr_t)a->part.p;
    (void)scratch;
    if (cw_mac_role(f, call) != liar_of(lie)) return CW_SEND;
    cr_assert(a->part.len >= 32);
    lie_in(p, &a->part, lie, f->world->mac);
    if (lie == G1_SHORT || lie == G2_SHORT || lie == Y_SHORT) a->part.len--;
    if (lie == Y_LONG || (lie == G1_LONG && a->part.len < WIRE_ANSWER_PART_MAX)) a->part.len++;
    if (lie >= EMPTY_1) a->part = (struct qk_bytes){0};
    return CW_SEND;
}

QK_TEST(mac, M_7_what_does_not_go_together_makes_no_tag)
{
    struct bench *b = bench_new(3, KMS_SPEC_HMAC_224, KMS_MODES_MAC_N);
    for (enum lie lie = 0; lie < LIES; lie++) {
        unsigned long long suspects = count(&b->w.engine.counts.mac_suspects);
        b->w.mac->n_runs = 0;
        bend_all(b, tell_lie, &lie);
        cr_expect(!generate(b, MESSAGE), "M-7: lie %d", lie);
        cr_expect_str_eq(b->fault.type, "KeyUnavailableException", "M-7: lie %d", lie);
        cr_expect_eq(b->fault.http_status, 500);
        cr_expect_eq(b->w.mac->n_runs, 3, "M-7: lie %d: two more tries", lie);
        cr_expect(count(&b->w.engine.counts.mac_suspects) > suspects, "M-7: lie %d", lie);
        bend_all(b, NULL, NULL);
        cr_expect(generate(b, MESSAGE), "and the next request is served");
    }
    cr_expect_eq(count(&b->w.engine.counts.mac_unavailable), LIES);
    cr_expect_eq(count(&b->w.engine.counts.mac_failed), 3 * LIES);
    bench_free(b);
}

QK_TEST(mac, M_7_no_lie_makes_VerifyMac_say_that_a_MAC_is_valid)
{
    struct bench *b = bench_new(3, KMS_SPEC_HMAC_256, KMS_MODES_MAC_N);
    static const enum lie lies[] = {OT_SWAPPED, G2_BIT, Y_FOREIGN, Y_STALE};
    uint8_t mac[64];
    cw_mac_expect(&b->w, MESSAGE, mac);
    mac[3] ^= 1; /* wrong in output bit 0, whose digests are swapped */
    for (size_t i = 0; i < QK_COUNT(lies); i++) {
        enum lie lie = lies[i];
        bend_all(b, tell_lie, &lie);
        qk_err err =
            cw_verify_mac(&b->w, &b->op, &b->request, MESSAGE, qk_bytes(mac, 32), &b->fault);
        cr_expect_neq(err, QK_OK, "M-7");
        cr_expect(!b->op.mac.valid, "M-7");
        coord_op_end(&b->op);
    }
    bench_free(b);
}

/* One node that lies in whatever role it has. */
static enum cw_fate lie_in_every_role(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (cw_mac_role(f, call) != 0) ((uint8_t *)(uintptr_t)a->part.p)[8] ^= 1;
    return CW_SEND;
}

QK_TEST(mac, with_four_nodes_one_that_lies_keeps_nobody_from_a_tag)
{
    struct bench *b = bench_new(4, KMS_SPEC_HMAC_224, KMS_MODES_MAC_N);
    for (size_t liar = 0; liar < 4; liar++) {
        b->w.fakes[liar].bend = lie_in_every_role;
        for (int i = 0; i < 4; i++) {
            b->w.mac->n_runs = 0;
            cr_expect(generate(b, MESSAGE), "liar %zu", liar + 1);
        }
        b->w.fakes[liar].bend = NULL;
    }
    bench_free(b);
}

QK_TEST(mac, three_runs_with_a_common_suspect_raise_an_alarm)
{
    struct bench *b = bench_new(3, KMS_SPEC_HMAC_224, KMS_MODES_MAC_N);
    enum lie lie = Y_RANDOM;
    b->w.fakes[1].bend = tell_lie;
    b->w.fakes[1].bend_arg = &lie;
    for (int i = 0; i < 40 && count(&b->w.engine.counts.mac_suspects) < 3; i++) {
        cr_expect_eq(count(&b->w.engine.counts.mac_alarms), 0);
        b->w.mac->n_runs = 0;
        cr_expect(generate(b, MESSAGE), "in another role it cannot spoil the run like this");
    }
    /* named alone, once for each run; it may have been E twice in the last request */
    cr_expect(count(&b->w.engine.counts.mac_suspects) <= 4);
    cr_expect_eq(count(&b->w.engine.counts.mac_alarms), 1);
    bench_free(b);
}
