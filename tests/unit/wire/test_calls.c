/* Call messages: what is written is read again; nothing else is a call. */
#include "qktest/qktest.h"

#include "wire/calls.h"

static const uint16_t PEERS[] = {1, 2, 4};

static void sample(struct wire_call *c)
{
    *c = (struct wire_call){.kind = WIRE_CALL_OP,
        .request_id = "6f1c0c0e-0000-4000-8000-000000000001",
        .raw = qk_str("a signed request"),
        .proposal = qk_str("proposal"),
        .n_peers = QK_COUNT(PEERS),
        .claim = qk_str("{}"),
        .mac = {.set = true, .g1 = 4, .g2 = 1, .e = 2},
        .n_refs = 1};
    memcpy(c->peers, PEERS, sizeof PEERS);
    memset(c->cluster, 7, sizeof c->cluster);
    memset(c->mac.mid, 0xa5, sizeof c->mac.mid);
    c->refs[0] = (struct wire_ref){.kind = 5, .id = qk_str("id"), .version = 3};
}

static void encode(struct qk_buf *out, const struct wire_call *c)
{
    wire_call_encode(out, c);
    qk_assert_ok(out->err);
}

static void assert_same(const struct wire_call *a, const struct wire_call *b)
{
    cr_assert_eq(a->kind, b->kind);
    cr_assert(qk_bytes_eq(a->raw, b->raw));
    cr_assert(qk_bytes_eq(a->claim, b->claim));
    cr_assert_eq(a->n_peers, b->n_peers);
    cr_assert_eq(memcmp(a->peers, b->peers, sizeof a->peers), 0);
    cr_assert_eq(a->mac.set, b->mac.set);
    cr_assert_eq(memcmp(a->mac.mid, b->mac.mid, sizeof a->mac.mid), 0);
    cr_assert_eq(a->mac.g1, b->mac.g1);
    cr_assert_eq(a->mac.g2, b->mac.g2);
    cr_assert_eq(a->mac.e, b->mac.e);
    cr_assert_eq(a->n_refs, b->n_refs);
}

QK_TEST(calls, are_read_as_they_were_written)
{
    struct wire_call call, back;
    sample(&call);
    QK_AUTO_BUF b = QK_BUF(4096);
    encode(&b, &call);
    qk_assert_ok(wire_call_decode(qk_buf_view(&b), &back));
    assert_same(&call, &back);

    call.mac = (struct wire_mac){.set = false};
    QK_AUTO_BUF without = QK_BUF(4096);
    encode(&without, &call);
    qk_assert_ok(wire_call_decode(qk_buf_view(&without), &back));
    assert_same(&call, &back);
}

QK_TEST(calls, a_mac_without_a_node_is_none)
{
    for (int missing = 0; missing < 3; missing++) {
        struct wire_call call, back;
        sample(&call);
        *(missing == 0 ? &call.mac.g1 : missing == 1 ? &call.mac.g2 : &call.mac.e) = 0;
        QK_AUTO_BUF b = QK_BUF(4096);
        encode(&b, &call);
        qk_assert_err(wire_call_decode(qk_buf_view(&b), &back), QK_E_MALFORMED);
    }
}

/* What decodes after a byte was changed encodes to just these bytes: one encoding for each call. */
QK_TEST(calls, bent_and_cut_ones_never_pass_for_another_encoding)
{
    struct wire_call call, back;
    sample(&call);
    QK_AUTO_BUF b = QK_BUF(4096);
    encode(&b, &call);
    for (size_t len = 0; len < b.len; len++)
        qk_assert_err(wire_call_decode(qk_bytes(b.p, len), &back), QK_E_MALFORMED);
    for (size_t at = 0; at < b.len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            b.p[at] ^= (uint8_t)(1u << bit);
            if (wire_call_decode(qk_buf_view(&b), &back) == QK_OK) {
                QK_AUTO_BUF again = QK_BUF(4096);
                encode(&again, &back);
                cr_assert(qk_bytes_eq(qk_buf_view(&again), qk_buf_view(&b)), "byte %zu", at);
            }
            b.p[at] ^= (uint8_t)(1u << bit);
        }
    }
}

QK_TEST(calls, an_answer_holds_the_longest_part_and_no_longer_one)
{
    static uint8_t part[WIRE_ANSWER_PART_MAX + 1];
    struct wire_answer a = {.part = qk_bytes(part, WIRE_ANSWER_PART_MAX)}, back;
    QK_AUTO_BUF b = QK_BUF(65536);
    wire_answer_encode(&b, &a);
    qk_assert_ok(wire_answer_decode(qk_buf_view(&b), &back));
    cr_assert(qk_bytes_eq(a.part, back.part));
    a.part.len++;
    QK_AUTO_BUF over = QK_BUF(65536);
    wire_answer_encode(&over, &a);
    qk_assert_err(wire_answer_decode(qk_buf_view(&over), &back), QK_E_MALFORMED);
}
