/* Link frames: every byte is hostile. C-7: lengths are exact and checked before anything is used;
 * nothing is allocated here at all. */
#include "qktest/qktest.h"
#include "frame.h"

#include <stdlib.h>

QK_TEST(frame, hello_and_heartbeat_come_back)
{
    struct wire_hello h = {1, {1, 2, 3}, 7, 255};
    uint8_t bytes[WIRE_HELLO_LEN];
    struct wire_frame f;
    wire_hello_encode(&h, bytes);
    qk_assert_ok(wire_frame_decode(QK_BYTES(bytes), &f));
    cr_assert_eq(f.type, WIRE_FRAME_HELLO);
    cr_assert_eq(f.hello.version, 1);
    cr_assert_eq(memcmp(f.hello.cluster, h.cluster, 32), 0);
    cr_assert_eq(f.hello.from, 7);
    cr_assert_eq(f.hello.to, 255);
    uint8_t beat[2] = {WIRE_FRAME_HEARTBEAT, 1};
    qk_assert_ok(wire_frame_decode(QK_BYTES(beat), &f));
    cr_assert(f.hears);
}

QK_TEST(frame, batch_yields_its_messages)
{
    static const uint8_t in[] = {3, 0, 0, 0, 1, 'a', 0, 0, 0, 3, 'b', 'c', 'd'};
    struct wire_frame f;
    struct qk_bytes m;
    qk_assert_ok(wire_frame_decode(QK_BYTES(in), &f));
    cr_assert_eq(f.n_messages, 2);
    cr_assert(wire_batch_next(&f.batch, &m) && qk_bytes_is(m, "a"));
    cr_assert(wire_batch_next(&f.batch, &m) && qk_bytes_is(m, "bcd"));
    cr_assert_not(wire_batch_next(&f.batch, &m));
}

QK_TEST(frame, C_7_exact_lengths_or_nothing)
{
    static const struct {
        const char *what;
        uint8_t bytes[16];
        size_t len;
    } bad[] = {
        {"C-7 empty", {0}, 0},
        {"C-7 type 0", {0, 0}, 2},
        {"C-7 unknown type", {4, 0}, 2},
        {"C-7 type 255", {255}, 1},
        {"C-7 heartbeat without its byte", {2}, 1},
        {"C-7 heartbeat with trailing byte", {2, 1, 0}, 3},
        {"C-7 heartbeat flag 2", {2, 2}, 2},
        {"C-7 batch of nothing", {3}, 1},
        {"C-7 batch with half a length", {3, 0, 0, 0}, 4},
        {"C-7 empty message", {3, 0, 0, 0, 0}, 5},
        {"C-7 message cut short", {3, 0, 0, 0, 2, 'a'}, 6},
        {"C-7 trailing byte", {3, 0, 0, 0, 1, 'a', 0}, 7},
        {"C-7 4 GiB length", {3, 0xff, 0xff, 0xff, 0xff, 'a'}, 6},
        {"C-7 length that wraps", {3, 0xff, 0xff, 0xff, 0xfc, 'a'}, 6},
        {"C-7 second message cut", {3, 0, 0, 0, 1, 'a', 0, 0, 0, 9, 'b'}, 11},
        {"C-7 hello cut short", {1, 'Q', 'K', 'M', 'S', 0, 1}, 7},
    };
    for (size_t i = 0; i < QK_COUNT(bad); i++) {
        struct wire_frame f;
        qk_err got = wire_frame_decode(qk_bytes(bad[i].bytes, bad[i].len), &f);
        cr_expect_eq(got, QK_E_MALFORMED, "%s", bad[i].what);
    }
}

QK_TEST(frame, C_7_hello_is_exact_and_bounds_hold)
{
    struct wire_hello h = {1, {0}, 1, 2};
    uint8_t bytes[WIRE_HELLO_LEN + 1] = {0};
    struct wire_frame f;
    wire_hello_encode(&h, bytes);
    qk_assert_err(wire_frame_decode(qk_bytes(bytes, WIRE_HELLO_LEN + 1), &f), QK_E_MALFORMED);
    qk_assert_err(wire_frame_decode(qk_bytes(bytes, WIRE_HELLO_LEN - 1), &f), QK_E_MALFORMED);
    bytes[1] ^= 1;
    qk_assert_err(wire_frame_decode(qk_bytes(bytes, WIRE_HELLO_LEN), &f), QK_E_MALFORMED);

    size_t len = 1 + 4 + WIRE_MSG_MAX + 1;
    uint8_t *big = calloc(1, WIRE_FRAME_MAX + 1);
    cr_assert_not_null(big);
    big[0] = WIRE_FRAME_BATCH;
    qk_put_u32(big + 1, WIRE_MSG_MAX + 1); /* C-7: one byte over the largest message */
    qk_assert_err(wire_frame_decode(qk_bytes(big, len), &f), QK_E_MALFORMED);
    qk_put_u32(big + 1, WIRE_MSG_MAX);
    qk_assert_ok(wire_frame_decode(qk_bytes(big, len - 1), &f));
    qk_assert_err(wire_frame_decode(qk_bytes(big, WIRE_FRAME_MAX + 1), &f), QK_E_MALFORMED);
    free(big);
}

/* C-7: no input, however made, reads outside itself (ASan watches) or yields bytes it has not. */
QK_TEST(frame, C_7_random_frames_never_read_outside)
{
    uint64_t seed = 0x5eed0001, x = seed;
    for (unsigned round = 0; round < 200000; round++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        size_t len = (size_t)(x >> 59);
        uint8_t *exact = malloc(len + 1); /* + 1: never malloc(0); the view is len long */
        cr_assert_not_null(exact);
        for (size_t i = 0; i < len; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            exact[i] = (uint8_t)((x >> 61) == 0 ? x >> 40 : (x >> 62) & 3);
        }
        struct wire_frame f;
        if (wire_frame_decode(qk_bytes(exact, len), &f) == QK_OK && f.type == WIRE_FRAME_BATCH) {
            struct qk_bytes m;
            size_t n = 0, total = 1;
            for (; wire_batch_next(&f.batch, &m); n++) total += 4 + m.len;
            cr_assert_eq(n, f.n_messages, "seed %llx", (unsigned long long)seed);
            cr_assert_eq(total, len);
        }
        free(exact);
    }
}
