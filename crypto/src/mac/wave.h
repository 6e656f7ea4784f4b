/** Words of wires, and adders whose carry chains run side by side.
 *
 *  A wave is a list of word operations. Bit i of an operation may use bit i of the results of
 *  earlier ones, so the operations run as a wavefront: in each step every operation does one bit,
 *  those that wait for others a few bits behind. All ANDs of a step are independent.
 *
 *  Bits of words may be known (message, constants, padding); what follows from known bits costs no
 *  gate. What is known is decided when the operation is put, from public masks; running a wave only
 *  moves wires. Wires of known bits hold the sink's 0 or 1, so that XORs need not care.
 *
 *  Gates of an operation, for the bits that need one, LSB first (document 60 section 2):
 *      ADD   x, y unknown:       (x xor c) AND (y xor c),   c' = c xor that
 *            one known to be 0:  x AND c,                   c' = that
 *            one known to be 1:  NOT x AND NOT c,           c' = NOT that
 *      AND   x AND y,            out = z xor that
 */
#ifndef MPC_MAC_WAVE_H
#define MPC_MAC_WAVE_H

#include "mac/circuit.h"

struct mac_word {
    uint64_t known, value; /* value is 0 where not known */
    unsigned wave, ready;  /* made in that wave, bit i there after step i + ready - 1 */
    mac_wire w[64];
};

struct mac_op {
    bool add;
    unsigned delay;
    uint32_t next; /* number of its next gate */
    struct mac_word *out;
    const struct mac_word *x, *y, *z;
    mac_wire carry;
    uint64_t gate;           /* bits with an AND; for the others: */
    uint64_t take_x, take_y; /* what the carry (ADD) or the product (AND) becomes: x, y, */
    uint64_t keep, one;      /* the carry as it was, a one; else a zero */
    uint64_t half, half_x;   /* ADD: bits with one operand known; it is x, not y */
    uint64_t half_one;       /* and it is 1 */
};

struct mac_wave {
    unsigned n_bits;
    unsigned number; /* of this wave, from 1 */
    mac_wire one;
    bool dry; /* only count: wires are not touched */
    unsigned n_ops, n_gates, steps;
    struct mac_op op[MAC_LANES];
};

void mac_wave_begin(struct mac_wave *wave);
/** out = x + y mod 2^n. out may be x or y. */
void mac_wave_add(struct mac_wave *wave, struct mac_word *out, const struct mac_word *x,
    const struct mac_word *y);
/** out = g xor (e AND (f xor g)); fg is room for f xor g that lives as long as the wave. */
void mac_wave_ch(struct mac_wave *wave, struct mac_word *out, struct mac_word *fg,
    const struct mac_word *e, const struct mac_word *f, const struct mac_word *g);
/** out = a xor ((a xor b) AND (a xor c)). */
void mac_wave_maj(struct mac_wave *wave, struct mac_word *out, struct mac_word *ab,
    struct mac_word *ac, const struct mac_word *a, const struct mac_word *b,
    const struct mac_word *c);
void mac_wave_run(struct mac_wave *wave, struct mac_sink *sink);

/* ---- free and at once: operands are words of earlier waves ---- */

/** A word whose bits are all known. */
void mac_word_known(const struct mac_wave *wave, struct mac_word *out, uint64_t value);
/** A word whose bits are all unknown, from its wires. */
void mac_word_wires(const struct mac_wave *wave, struct mac_word *out, const mac_wire *w);
bool mac_word_is_known(const struct mac_wave *wave, const struct mac_word *x);
/** The XOR of x rotated right by r[0] and r[1], and rotated or shifted by r[2]. */
void mac_word_sigma(const struct mac_wave *wave, struct mac_word *out, const struct mac_word *x,
    const uint8_t r[3], bool shift);

#endif
