/* One node that says "records have moved on" and shows none keeps nobody from using a key: the use
 * of keys is stopped by n-t+1 nodes only (docs/threat-model.md). */
#include "qktest/qktest.h"
#include "coordsym.h"

#include <stdlib.h>

/* bend_arg NULL: shows nothing; else the KEY record that everybody has, which is no news. */
static enum cw_fate says_stale(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch)
{
    (void)scratch;
    if (call->kind != WIRE_CALL_OP) return CW_SEND;
    *a = (struct wire_answer){.status = WIRE_ANSWER_STALE};
    struct cw_record *old = cw_find(f->world, KMS_KIND_KEY, f->world->sym->key_text);
    if (f->bend_arg == NULL || old == NULL) return CW_SEND;
    a->records[0] = qk_buf_view(&old->certified);
    a->n_records = 1;
    return CW_SEND;
}

static void uses(struct cw_world *w)
{
    struct kms_fault fault;
    QK_AUTO_BUF blob = QK_BUF(8192);
    QK_AUTO_BUF plain = QK_BUF_SECRET(8192);
    QK_AUTO_BUF opened = QK_BUF_SECRET(8192);
    cw_data_key(w, &blob, &plain);
    for (int i = 0; i < 4; i++) {
        qk_buf_clear(&opened);
        qk_assert_ok(cw_decrypt(w, qk_buf_view(&blob), "", &opened, &fault));
        cr_assert(qk_bytes_eq(qk_buf_view(&plain), qk_buf_view(&opened)));
    }
}

static void signs(struct cw_world *w)
{
    for (int i = 0; i < 4; i++) {
        struct cw_request request;
        struct coord_op op;
        struct kms_fault fault;
        cw_request(&request, "TrentService.Sign",
            "{\"KeyId\":\"%s\",\"Message\":\"aGVsbG8=\",\"SigningAlgorithm\":\"ECDSA_SHA_256\"}",
            w->key_text);
        qk_assert_ok(cw_run(w, &op, &request, &fault));
        cr_assert_gt(op.der.len, 0);
        coord_op_end(&op);
    }
}

QK_TEST(stale_lies, one_node_alone_does_not_keep_a_key_from_being_used)
{
    struct cw_world *w = calloc(1, sizeof *w);
    cr_assert(w != NULL);
    cw_init_sym(w, MPC_SYM_FV);
    for (size_t liar = 0; liar < CW_NODES; liar++) {
        w->fakes[liar].bend = says_stale;
        w->fakes[liar].bend_arg = liar == 1 ? w : NULL;
        uses(w);
        signs(w);
        w->fakes[liar].bend = NULL;
    }
    cw_free(w);
    free(w);
}
