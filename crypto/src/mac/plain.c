/* The circuit on bits: the sink that shows what a circuit computes. */
#include "mac/circuit.h"

static void plain_and(struct mac_sink *sink, struct mac_batch *b)
{
    (void)sink;
    for (unsigned i = 0; i < b->n; i++) b->out[i] = b->x[i] & b->y[i];
}

qk_err mac_circuit_plain(const struct mac_job *job, const mac_wire *in, mac_wire *out)
{
    struct mac_sink sink = {.one = {UINT64_MAX, UINT64_MAX}, .and = plain_and};
    struct mac_circuit *c;
    unsigned n_gates;
    QK_TRY(mac_circuit_new(&c, job));
    mac_circuit_input(c, in, sink.one);
    while (mac_circuit_plan(c, &n_gates)) mac_circuit_run(c, &sink);
    mac_circuit_output(c, out);
    mac_circuit_free(c);
    return QK_OK;
}
