/** A garbled run as two ends of a stream: what MAC3 and key generation share.
 *
 *  Source: protocols/60-hmac.md sections 3 and 5. Every input wire j has an A label, and if
 *  j < n_b a B label too; the first n_b wires are a_j xor b_j xor c_j, the others a_j xor c_j:
 *
 *      a  known to G1 and E: G1 sends LA_j = A_j xor a_j * delta
 *      b  known to G2 and E: G2 sends LB_j = B_j xor b_j * delta
 *      c  known to G1 and G2: false label of wire j = A_j xor B_j xor c_j * delta
 *
 *      AES-256-CTR(seed, zero block) = kh || delta (bit 0 := 1) || A_0 .. || B_0 ..
 *      M1 = kh || D(A,j,0), D(A,j,1) for all j || D(B,..) || tables || decoding bits
 *
 *  Decoding bits (colours of the false output labels, 8 to a byte, output wire 8i+k is bit k of
 *  byte i) are there only when decode is set; else the outputs are for the coordinator.
 *
 *  The garblers call mac_garbler_read until it gives nothing: G1 sends what it gets, G2 puts it
 *  through GMAC. Bits a, b, c are bytes in the order of mac_bit: wire j of a run is bit j.
 */
#ifndef MPC_MAC_STREAM_H
#define MPC_MAC_STREAM_H

#include "mac/garble.h"

enum {
    MAC_STREAM_INPUTS_MAX = 1536, /* A labels: K and two masks of 512 bits */
    MAC_HEAD_MAX = 16 + 2 * MAC_DIGEST * 2048,
};

struct mac_layout {
    struct mac_job job;
    bool decode;
    unsigned n_a, n_b, n_out; /* wires */
    uint64_t n_gates;
    size_t head_len; /* bytes of M1 before the tables */
    uint64_t m1_len; /* bytes */
};
/** n_b = all inputs but those of a mask. QK_E_STATE: as mac_circuit_new; or MAC_SECRET, which is
 * not garbled. */
QK_MUST_USE qk_err mac_layout_of(struct mac_layout *out, const struct mac_job *job, bool decode);

/* ---- garbler ---- */

struct mac_garbler;
/** c: n_a bits. QK_E_STATE, QK_E_NOMEM, QK_E_CRYPTO. job.pub is borrowed as long as it lives. */
QK_MUST_USE qk_err mac_garbler_new(struct mac_garbler **out, const struct mac_layout *layout,
    const uint8_t seed[static 32], const uint8_t *c);
/** The same on a given engine; for tests and figures. */
QK_MUST_USE qk_err mac_garbler_new_on(struct mac_garbler **out, const struct mac_layout *layout,
    const uint8_t seed[static 32], const uint8_t *c, enum mac_engine engine);
void mac_garbler_free(struct mac_garbler *g);
const uint8_t *mac_garbler_kh(const struct mac_garbler *g); /* 16 bytes */
/** LA for n_a bits a, or LB for n_b bits b: 16 bytes per bit. Secret. */
void mac_garbler_labels_a(const struct mac_garbler *g, const uint8_t *a, uint8_t *out);
void mac_garbler_labels_b(const struct mac_garbler *g, const uint8_t *b, uint8_t *out);
/** The next bytes of M1: as many as fit in max; *len = 0 after the last. */
QK_MUST_USE qk_err mac_garbler_read(struct mac_garbler *g, uint8_t *out, size_t max, size_t *len);
/** After the last byte: false labels of the outputs (n_out) and delta. QK_E_STATE before it. */
QK_MUST_USE qk_err mac_garbler_outputs(
    const struct mac_garbler *g, mac_wire *falses, mac_wire *delta);
/** After the last byte: D(Y,j,0), D(Y,j,1) for every output: 32 n_out bytes. */
QK_MUST_USE qk_err mac_garbler_ot(struct mac_garbler *g, uint8_t *out);

/* ---- evaluator ---- */

struct mac_evaluator;
/** a: n_a bits, b: n_b bits; kept for the checks. */
QK_MUST_USE qk_err mac_evaluator_new(struct mac_evaluator **out, const struct mac_layout *layout,
    const uint8_t *a, const uint8_t *b);
void mac_evaluator_free(struct mac_evaluator *e);
/** The active labels, 16 bytes per bit, exactly n_a and n_b of them (QK_E_MALFORMED). Once each
 *  (QK_E_UNEXPECTED). */
QK_MUST_USE qk_err mac_evaluator_labels_a(struct mac_evaluator *e, struct qk_bytes la);
QK_MUST_USE qk_err mac_evaluator_labels_b(struct mac_evaluator *e, struct qk_bytes lb);
/** The next bytes of M1. Tables are used once both kinds of labels are there; until then at most
 *  MAC_HOLD_MAX bytes of tables are kept.
 *  QK_E_EARLY: labels must come first, nothing was taken. QK_E_MALFORMED: more than M1 has. */
enum { MAC_HOLD_MAX = 2 * 131072 };
QK_MUST_USE qk_err mac_evaluator_write(struct mac_evaluator *e, struct qk_bytes m1);
/** kh once its bytes are there, else NULL. */
const uint8_t *mac_evaluator_kh(const struct mac_evaluator *e);
/** All of M1 is there and evaluated. */
bool mac_evaluator_done(const struct mac_evaluator *e);
/** Check M-5, once done (QK_E_STATE before): *bad_a, *bad_b say whether labels of that kind are not
 *  those of E's own bits. QK_E_PROOF if either. Says nothing about M1 itself: compare its GMAC
 * first (check M-4). */
QK_MUST_USE qk_err mac_evaluator_check(struct mac_evaluator *e, bool *bad_a, bool *bad_b);
/** Active output labels, n_out of them, and if decode was set the output bits as bytes in the order
 *  of mac_bit (else bits may be NULL). Only after mac_evaluator_check succeeded (QK_E_STATE). */
QK_MUST_USE qk_err mac_evaluator_outputs(
    const struct mac_evaluator *e, mac_wire *active, uint8_t *bits);

#endif
