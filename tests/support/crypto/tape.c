#include "tape.h"

#include <stdlib.h>
#include "qktest/qktest.h"

struct qkt_tape *qkt_tape_new(void)
{
    struct qkt_tape *t = calloc(1, sizeof *t);
    cr_assert_not_null(t);
    return t;
}

void qkt_tape_free(struct qkt_tape *t)
{
    for (size_t i = 0; i < t->n; i++) qk_buf_free(&t->frame[i]);
    free(t);
}

void qkt_tape_record(const struct qkt_frame *f, void *tape)
{
    struct qkt_tape *t = tape;
    cr_assert_lt(t->n, QK_COUNT(t->frame));
    t->frame[t->n] = (struct qk_buf)QK_BUF(1 << 20);
    qk_buf_add(&t->frame[t->n], f->data.p, f->data.len);
    t->from[t->n] = f->from;
    t->to[t->n] = f->to;
    t->round[t->n++] = f->round;
}
