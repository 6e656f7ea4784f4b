/** The yardstick: one party that holds the whole key, in the same run on the same machine. */
#ifndef BENCH_BASELINE_H
#define BENCH_BASELINE_H

#include "mpc/group.h"
#include "protocol/table.h"

/** Rows ROW_OSSL_SIGN and ROW_OSSL_VERIFY (EVP_PKEY_sign over a digest of full length), and
 *  ROW_K1_SIGN (secp256k1_ecdsa_sign, RFC 6979 nonce) on secp256k1; each for so many seconds, at
 *  least 10 runs. May be called again: the samples add up. QK_E_CRYPTO, QK_E_NOMEM. */
QK_MUST_USE qk_err bench_baseline(struct bench_table *t, const struct mpc_curve *c, double seconds);

#endif
