/* Calls, their answers and bundles: whatever decodes must encode to the same bytes. */
#include <stdlib.h>
#include "wire/bundle.h"
#include "wire/calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct qk_buf *again, struct qk_bytes in)
{
    if (again->err != QK_OK || !qk_bytes_eq(in, qk_buf_view(again))) abort();
}

static void as_call(struct qk_bytes in)
{
    struct wire_call call;
    QK_AUTO_BUF again = QK_BUF(WIRE_CALL_MAX);
    if (wire_call_decode(in, &call) != QK_OK) return;
    wire_call_encode(&again, &call);
    same(&again, in);
}

static void as_answer(struct qk_bytes in)
{
    struct wire_answer answer;
    QK_AUTO_BUF again = QK_BUF(WIRE_CALL_MAX);
    if (wire_answer_decode(in, &answer) != QK_OK) return;
    wire_answer_encode(&again, &answer);
    same(&again, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qk_bytes in = qk_bytes(data, size), items[WIRE_BUNDLE_MAX];
    size_t n = 0;
    as_call(in);
    as_answer(in);
    if (!wire_bundle_is(in) || wire_bundle_decode(in, items, &n) != QK_OK) return 0;
    for (size_t i = 0; i < n; i++) as_call(items[i]);
    QK_AUTO_BUF again = QK_BUF(WIRE_CALL_MAX);
    wire_bundle_encode(&again, items, n);
    same(&again, in);
    return 0;
}
