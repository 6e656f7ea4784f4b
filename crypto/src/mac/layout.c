#include "mac/stream.h"

qk_err mac_layout_of(struct mac_layout *out, const struct mac_job *job, bool decode)
{
    struct mac_layout l = {.job = *job, .decode = decode};
    QK_ENSURE(job->fn != MAC_SECRET, QK_E_STATE);
    QK_TRY(mac_job_gates(job, &l.n_gates));
    l.n_a = mac_job_inputs(job);
    l.n_b = l.n_a - job->masked * 8 * (unsigned)mpc_mac_state_len(job->alg);
    l.n_out = mac_job_outputs(job);
    l.head_len = 16 + 2 * MAC_DIGEST * (size_t)(l.n_a + l.n_b);
    l.m1_len = l.head_len + MAC_TABLE * l.n_gates + (decode ? l.n_out / 8 : 0);
    *out = l;
    return QK_OK;
}
