/** A wire of a circuit: sixteen bytes, whatever the sink makes of them.
 *
 *  Garbling and evaluating: a label (colour = bit 0 of byte 0). Plain evaluation: 0 or 1. XOR of
 *  wires is XOR of the sixteen bytes in every sink, and NOT is XOR with the sink's `one`.
 */
#ifndef MPC_MAC_WIRE_H
#define MPC_MAC_WIRE_H

#include <stdint.h>
#include <string.h>

typedef uint64_t mac_wire __attribute__((vector_size(16)));

static inline mac_wire mac_wire_load(const uint8_t *p)
{
    mac_wire w;
    memcpy(&w, p, sizeof w);
    return w;
}

static inline void mac_wire_store(uint8_t *p, mac_wire w)
{
    memcpy(p, &w, sizeof w);
}

/** w if bit is 1, zero if it is 0; no branch. */
static inline mac_wire mac_wire_if(mac_wire w, unsigned bit)
{
    uint64_t m = -(uint64_t)(bit & 1);
    return w & (mac_wire){m, m};
}

/** Bit j of a SHA-2 state given as bytes: bit j % n of word j / n, words big-endian of n bits.
 *  Reads one byte at an address that depends on j only. */
static inline unsigned mac_bit(const uint8_t *state, unsigned n, unsigned j)
{
    unsigned size = n / 8, w = j / n, b = j % n;
    return (state[w * size + size - 1 - b / 8] >> (b % 8)) & 1;
}

/** Set the same bit, which must be 0, to bit 0 of v. */
static inline void mac_bit_put(uint8_t *state, unsigned n, unsigned j, unsigned v)
{
    unsigned size = n / 8, w = j / n, b = j % n;
    state[w * size + size - 1 - b / 8] |= (uint8_t)((v & 1) << (b % 8));
}

#endif
