/** The pads of the multiplication: three scalars for each row of the OT extension.
 *
 *  Source: protocols/20-ecdsa.md section 3 with "ot-pad" replaced by AES, as
 *  docs/protocols/ecdsa.md section 8 says (definition and security argument).
 *
 *      128-bit rows  block i of e_j = H(row, 16 j + i),
 *                    H(x, tau) = pi(pi(x) + tau) + pi(x), pi = AES-256 under the key pm
 *      256-bit rows  block i of e_j = AES-256(K_j, i),
 *                    K_j = Expand("ot-pad"; pm, u16 j, row; 32)
 *
 *  e_j is cut in three big-endian integers of Lh bytes, each mod q.
 *
 *  Timing: constant in rows. Threads: reentrant; a pads object belongs to one thread.
 */
#ifndef MPC_ECDSA_PAD_H
#define MPC_ECDSA_PAD_H

#include "ecdsa/aes256.h"
#include "ecdsa/params.h"
#include "ecdsa/xof.h"

enum { PAD_ROWS = 16 }; /* computed at once; divides every xi */

typedef struct mpc_scalar pad_t[3];

struct pads {
    const struct mpc_curve *c;
    size_t row_len, n_blocks; /* bytes of a row, blocks of its e_j */
    struct aes256 aes;
    struct xof row_key; /* 256-bit rows only */
};

/** For one multiplication on c. 5xx. */
QK_MUST_USE qk_err pads_init(
    struct pads *p, const struct mpc_curve *c, const uint8_t pm[static 32]);
void pads_clear(struct pads *p);

#define PADS(name) __attribute__((cleanup(pads_clear))) struct pads name = {.c = NULL}

/** The pads of rows first .. first + PAD_ROWS - 1.
 *
 *  rows  those rows, one after the other; secret
 *  flip  one row, xored onto each of them; secret
 *  out   secret; written also on failure
 */
QK_MUST_USE qk_err pads_of_rows(
    struct pads *p, uint16_t first, const uint8_t *rows, const uint8_t *flip, pad_t out[PAD_ROWS]);

#endif
