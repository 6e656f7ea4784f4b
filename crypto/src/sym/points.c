/* Mode V at the combiner: partial values, their proofs, their sum. */
#include "mpc/labels.h"
#include "mpc/proof.h"
#include "sym/run.h"
#include "sym/values.h"

enum { PT = 33, LQ = 32 };

/* Check S-4: against the S_i of the record, bound to X and to the node that the link proved. */
static qk_err verify(
    const struct mpc_sym_run *run, const struct sym_seat *seat, const uint8_t *proof)
{
    return mpc_dleq_verify(run->p.c, run->x, seat->id, MPC_L_SYM, &run->version->big_s[seat->ix],
        &run->p, &seat->z, qk_bytes(proof, PT), qk_bytes(proof + PT, PT),
        qk_bytes(proof + 2 * PT, LQ));
}

qk_err sym_point_take(struct mpc_sym_run *run, struct sym_seat *seat, struct qk_bytes answer)
{
    QK_ENSURE(answer.len == mpc_sym_answer_len(MPC_SYM_V, (uint8_t)run->op, run->prove, 0),
        QK_E_MALFORMED);
    mpc_point_clear(&seat->z);
    QK_TRY(mpc_point_init(&seat->z, run->p.c));
    QK_TRY(mpc_point_decode_var(&seat->z, qk_bytes(answer.p, PT)));
    return answer.len > PT ? verify(run, seat, answer.p + PT) : QK_OK;
}

/* The first t OK seats, ids ascending, as mpc_lagrange_var wants them. */
static size_t pick(const struct mpc_sym_run *run, uint16_t *ids, const struct sym_seat **seats)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n && n < run->version->terms.t; i++) {
        const struct sym_seat *seat = &run->seat[i];
        if (seat->st != SEAT_OK) continue;
        size_t at = n++;
        for (; at > 0 && ids[at - 1] > seat->id; at--) {
            ids[at] = ids[at - 1];
            seats[at] = seats[at - 1];
        }
        ids[at] = seat->id;
        seats[at] = seat;
    }
    return n;
}

static qk_err add_up(
    struct mpc_point *w, const uint16_t *ids, const struct sym_seat *const *seats, size_t n)
{
    MPC_POINT(term);
    QK_TRY(mpc_point_init(&term, w->c));
    for (size_t i = 0; i < n; i++) {
        struct mpc_scalar l;
        QK_TRY(mpc_lagrange_var(w->c, &l, ids, n, ids[i]));
        QK_TRY(mpc_point_mul(&term, &l, &seats[i]->z));
        QK_TRY(mpc_point_add(w, w, &term));
    }
    return QK_OK;
}

qk_err sym_point_value(const struct mpc_sym_run *run, struct qk_sec32 *w)
{
    uint16_t ids[MPC_NODES_MAX];
    const struct sym_seat *seats[MPC_NODES_MAX];
    uint8_t enc[PT];
    size_t n = pick(run, ids, seats);
    MPC_POINT(sum);
    QK_ENSURE(n == run->version->terms.t, QK_E_STATE);
    QK_TRY(mpc_point_init(&sum, run->p.c));
    QK_TRY(add_up(&sum, ids, seats, n));
    QK_ENSURE(!mpc_point_is_infinity(&sum), QK_E_PROOF);
    QK_TRY(mpc_point_encode(enc, &sum));
    qk_err err = sym_v_value(w, run->x, enc);
    qk_wipe(enc, sizeof enc);
    return err;
}
