/* First uses of several access keys, which come to two nodes in bundles of opposite order: each
 * needs of the other a partial for a caller that the other comes to later. */
#include <pthread.h>
#include <stdio.h>
#include "nodedriver.h"
#include "qktest/qktest.h"

enum { USERS = 4 };

static const uint16_t pair[] = {1, 2, 0};

struct sending {
    struct wire_client *link;
    struct qk_bytes items[USERS];
};

static void *send(void *arg)
{
    static const int ok[USERS] = {WIRE_ANSWER_OK, WIRE_ANSWER_OK, WIRE_ANSWER_OK, WIRE_ANSWER_OK};
    struct sending *s = arg;
    nb_bundle(s->link, s->items, ok, USERS);
    return NULL;
}

static void make_user(struct nd *d, int i, struct nd_user *user)
{
    char name[16], body[96];
    (void)snprintf(name, sizeof name, "user-%d", i);
    (void)snprintf(body, sizeof body, "{\"UserName\":\"%s\",\"Allow\":[\"kms:ListKeys\"]}", name);
    nd_do(d, "QkmsAdmin.CreateUser", body);
    nd_access_key(d, name, user);
}

QK_TEST(crossed_bundles, nodes_that_meet_callers_in_opposite_order_do_not_wait_for_each_other)
{
    struct nodebox box;
    struct nd d;
    struct nd_user user[USERS];
    struct nd_op *op[USERS];
    struct qk_buf bytes[USERS];
    struct sending to[2];
    pthread_t thread[2];
    nodebox_up(&box, "seccomp = off\n");
    nd_init(&d, &box);
    for (int i = 0; i < USERS; i++) make_user(&d, i, &user[i]);
    for (int i = 0; i < USERS; i++) {
        const struct nd_signing by = {.user = &user[i]};
        op[i] = nd_op_by(&d, &by, "TrentService.ListKeys", "{}", pair);
        bytes[i] = (struct qk_buf)QK_BUF(WIRE_CALL_MAX);
        wire_call_encode(&bytes[i], &op[i]->call);
        to[0].items[i] = to[1].items[USERS - 1 - i] = qk_buf_view(&bytes[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        to[i].link = box.client[i + 1];
        cr_assert_eq(pthread_create(&thread[i], NULL, send, &to[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) (void)pthread_join(thread[i], NULL);
    for (int i = 0; i < USERS; i++) {
        qk_buf_free(&bytes[i]);
        nd_op_free(op[i]);
    }
    nd_free(&d);
    nodebox_end(&box);
}
