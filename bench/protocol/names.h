/** Names of rows that the ratios look up again. */
#ifndef BENCH_NAMES_H
#define BENCH_NAMES_H

#define ROW_DKG          "dkg"
#define ROW_DIRECT       "ot-setup direct"
#define ROW_DERIVED      "ot-setup derived"
#define ROW_SIGN         "sign, full"
#define ROW_PRESIGN      "presign"
#define ROW_USE          "presign use"
#define ROW_COMBINE      "combine+verify"
#define ROW_ONLINE       "online, loopback"
#define ROW_DPRF_EVAL    "dprf eval"
#define ROW_DPRF_VERIFY  "dprf verify"
#define ROW_DPRF_COMBINE "dprf combine"
#define ROW_EVAL_ENC     "eval ENC, item"
#define ROW_EVAL_DEC     "eval DEC, item"
#define BENCH_MODE_F     "mode F"
#define BENCH_MODE_V     "mode V"
#define ROW_MAC_G1       "mac3 garble, send"
#define ROW_MAC_G2       "mac3 garble, gmac"
#define ROW_MAC_E        "mac3 evaluate"
#define ROW_MAC_COMBINE  "mac3 combine"
#define ROW_GARBLE       "garble, 1 M AND"
#define ROW_EVALUATE     "evaluate, 1 M AND"
#define BENCH_HMAC_256   "HMAC_256"
#define BENCH_HMAC_512   "HMAC_512"
#define BENCH_HMAC_256_S "HMAC_256 S"
#define ROW_OSSL_SIGN    "openssl sign"
#define ROW_OSSL_VERIFY  "openssl verify"
#define ROW_K1_SIGN      "libsecp256k1 sign"

#endif
