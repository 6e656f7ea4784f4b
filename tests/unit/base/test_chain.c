/* Hash-chained logs: every way of tampering with one, and what the verifier says. */
#include "qktest/qktest.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "qk/chain.h"
#include "qk/file.h"

enum { LINES = 6 };

struct log {
    char path[64];
    struct qk_buf text;
    size_t start[LINES + 1]; /* where line i begins */
    struct qk_chain_head head[LINES + 1];
};

static void make(struct log *l)
{
    memset(l, 0, sizeof *l);
    l->text = (struct qk_buf)QK_BUF(1 << 20);
    (void)snprintf(l->path, sizeof l->path, "/tmp/qkms-chain-XXXXXX");
    int fd = mkstemp(l->path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    for (int i = 0; i < LINES; i++) {
        char members[64];
        (void)snprintf(members, sizeof members, "\"event\":\"number %d\"", i);
        l->head[i + 1] = l->head[i];
        qk_assert_ok(
            qk_chain_append(&l->text, &l->head[i + 1], 1000u * (unsigned)i, qk_str(members)));
        l->start[i + 1] = l->text.len;
    }
}

static struct qk_bytes line(const struct log *l, int i)
{
    return qk_bytes(l->text.p + l->start[i], l->start[i + 1] - l->start[i]);
}

static qk_err verify(struct log *l, struct qk_bytes text, const struct qk_chain_head *expect,
    struct qk_chain_report *report)
{
    static const struct qk_chain_head zero;
    qk_assert_ok(qk_file_write(l->path, text, 0600));
    return qk_chain_verify_file(l->path, &zero, expect, report);
}

static void end(struct log *l)
{
    (void)unlink(l->path);
    qk_buf_free(&l->text);
}

QK_TEST(chain, a_line_is_the_documented_bytes)
{
    QK_AUTO_BUF out = QK_BUF(1000);
    struct qk_chain_head head = {0};
    qk_assert_ok(qk_chain_append(&out, &head, 0, qk_str("\"a\":1")));
    static const char want[] =
        "{\"seq\":1,\"time\":\"1970-01-01T00:00:00.000Z\",\"prev\":\""
        "0000000000000000000000000000000000000000000000000000000000000000\",\"a\":1,\"hash\":\"";
    cr_assert_eq(memcmp(out.p, want, sizeof want - 1), 0, "%.*s", (int)out.len, (char *)out.p);
    /* printf '%s' 'qkms-chain-v1{"seq":1,...,"a":1' | sha256sum */
    cr_assert(qk_bytes_is(qk_bytes(out.p + sizeof want - 1, out.len - sizeof want + 1),
                  "1d5e8bea229123e42afaa415014b3fe33a097635cd4c6178438aeeddf807a132\"}\n"),
        "%.*s", (int)out.len, (char *)out.p);
}

QK_TEST(chain, an_honest_log_verifies)
{
    struct log l;
    struct qk_chain_report r;
    make(&l);
    qk_assert_ok(verify(&l, qk_buf_view(&l.text), &l.head[LINES], &r));
    cr_assert_eq(r.n_lines, LINES);
    cr_assert_eq(r.good_bytes, l.text.len);
    cr_assert_eq(r.bad_line, 0);
    cr_assert(!r.torn && r.saw_expected);
    cr_assert_eq(r.last.seq, LINES);
    qk_assert_ok(verify(&l, qk_buf_view(&l.text), &l.head[3], &r));
    qk_assert_ok(verify(&l, qk_buf_view(&l.text), NULL, &r));
    qk_assert_err(qk_chain_verify_file("/nonexistent", NULL, NULL, &r), QK_E_NOT_FOUND);
    end(&l);
}

QK_TEST(chain, a_rotated_part_verifies_by_itself_and_after_its_predecessor)
{
    struct log l;
    struct qk_chain_report r;
    make(&l);
    struct qk_bytes tail = qk_bytes(l.text.p + l.start[3], l.text.len - l.start[3]);
    qk_assert_ok(qk_file_write(l.path, tail, 0600));
    qk_assert_ok(qk_chain_verify_file(l.path, NULL, &l.head[LINES], &r));
    cr_assert_eq(r.first.seq, 3);
    qk_assert_ok(qk_chain_verify_file(l.path, NULL, &l.head[3], &r));
    qk_assert_ok(qk_chain_verify_file(l.path, &l.head[3], NULL, &r));
    qk_assert_err(qk_chain_verify_file(l.path, &l.head[2], NULL, &r), QK_E_CORRUPT);
    cr_assert_eq(r.bad_line, 1);
    end(&l);
}

/* Each trick writes a bent text and says on which line the verifier must stop; 0: at the end. */
typedef unsigned trick(const struct log *l, struct qk_buf *out);

static void add(struct qk_buf *out, const struct log *l, int from, int to)
{
    for (int i = from; i < to; i++) qk_buf_add(out, line(l, i).p, line(l, i).len);
}

static unsigned edited(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, LINES);
    out->p[l->start[2] + 120] ^= 1;
    return 3;
}
static unsigned edited_with_a_new_hash(const struct log *l, struct qk_buf *out)
{
    struct qk_chain_head h = l->head[2];
    add(out, l, 0, 2);
    qk_assert_ok(qk_chain_append(out, &h, 2000, qk_str("\"event\":\"number 9\"")));
    add(out, l, 3, LINES);
    return 4;
}
static unsigned removed(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 2);
    add(out, l, 3, LINES);
    return 3;
}
static unsigned first_removed(const struct log *l, struct qk_buf *out)
{
    add(out, l, 1, LINES);
    return 1;
}
static unsigned swapped(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 2);
    add(out, l, 3, 4);
    add(out, l, 2, 3);
    add(out, l, 4, LINES);
    return 3;
}
static unsigned repeated(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 3);
    add(out, l, 2, LINES);
    return 4;
}
static unsigned end_cut_off(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, LINES - 1);
    return 0;
}
static unsigned last_replaced(const struct log *l, struct qk_buf *out)
{
    struct qk_chain_head h = l->head[LINES - 1];
    add(out, l, 0, LINES - 1);
    qk_assert_ok(qk_chain_append(out, &h, 9, qk_str("\"event\":\"forged\"")));
    return 0;
}
static unsigned all_gone(const struct log *l, struct qk_buf *out)
{
    (void)l;
    (void)out;
    return 0;
}
static unsigned line_cut_in_the_middle(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 2);
    qk_buf_add(out, line(l, 2).p, line(l, 2).len - 40);
    qk_buf_add_u8(out, '\n');
    add(out, l, 3, LINES);
    return 3;
}
static unsigned line_end_removed(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 2);
    qk_buf_add(out, line(l, 2).p, line(l, 2).len - 1);
    add(out, l, 3, LINES);
    return 3;
}
static unsigned blank_line(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 2);
    qk_buf_add_u8(out, '\n');
    add(out, l, 2, LINES);
    return 3;
}
static unsigned space_added(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 2);
    qk_buf_add_u8(out, ' ');
    add(out, l, 2, LINES);
    return 3;
}
static unsigned upper_case_hash(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 3);
    for (size_t i = l->start[3] - 67; i < l->start[3] - 3; i++)
        if (out->p[i] >= 'a') out->p[i] = (uint8_t)(out->p[i] - 32);
    add(out, l, 3, LINES);
    return 3;
}
static unsigned endless_line(const struct log *l, struct qk_buf *out)
{
    add(out, l, 0, 2);
    memset(qk_buf_extend(out, 3 * QK_CHAIN_LINE_MAX), 'x', 3 * QK_CHAIN_LINE_MAX);
    return 3;
}

QK_TEST(chain, every_tampering_is_found_where_it_is)
{
    static const struct {
        const char *what;
        trick *bend;
    } tricks[] = {{"edited", edited}, {"edited, hash made new", edited_with_a_new_hash},
        {"removed", removed}, {"first removed", first_removed}, {"swapped", swapped},
        {"repeated", repeated}, {"end cut off", end_cut_off}, {"last replaced", last_replaced},
        {"all gone", all_gone}, {"cut in the middle", line_cut_in_the_middle},
        {"line end removed", line_end_removed}, {"blank line", blank_line},
        {"space added", space_added}, {"upper case", upper_case_hash},
        {"endless line", endless_line}};
    struct log l;
    make(&l);
    for (size_t i = 0; i < QK_COUNT(tricks); i++) {
        struct qk_chain_report r;
        QK_AUTO_BUF bent = QK_BUF(1 << 20);
        unsigned where = tricks[i].bend(&l, &bent);
        qk_err err = verify(&l, qk_buf_view(&bent), &l.head[LINES], &r);
        cr_expect_eq(err, QK_E_CORRUPT, "%s: %s", tricks[i].what, qk_err_name(err));
        cr_expect_eq(r.bad_line, where, "%s: line %u", tricks[i].what, (unsigned)r.bad_line);
        cr_expect(r.why[0] != 0, "%s", tricks[i].what);
    }
    end(&l);
}

QK_TEST(chain, a_torn_last_line_is_told_from_tampering)
{
    struct log l;
    struct qk_chain_report r;
    make(&l);
    for (size_t cut = 1; cut < line(&l, LINES - 1).len; cut += 13) {
        struct qk_bytes text = qk_bytes(l.text.p, l.text.len - cut);
        qk_assert_ok(verify(&l, text, &l.head[LINES - 1], &r));
        cr_assert(r.torn);
        cr_assert_eq(r.n_lines, LINES - 1);
        cr_assert_eq(r.good_bytes, l.start[LINES - 1]);
    }
    end(&l);
}

QK_TEST(chain, refuses_members_that_would_break_a_line)
{
    QK_AUTO_BUF out = QK_BUF(1 << 20);
    struct qk_chain_head head = {0};
    static char big[QK_CHAIN_LINE_MAX];
    memset(big, ' ', sizeof big);
    qk_assert_err(qk_chain_append(&out, &head, 0, qk_str("")), QK_E_STATE);
    qk_assert_err(qk_chain_append(&out, &head, 0, qk_str("\"a\":\n1")), QK_E_STATE);
    qk_assert_err(qk_chain_append(&out, &head, 0, qk_bytes(big, sizeof big)), QK_E_TOO_LARGE);
    cr_assert_eq(out.len, 0);
    cr_assert_eq(head.seq, 0);
}
