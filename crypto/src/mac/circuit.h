/** The functions that are evaluated under MPC, written once over a sink of gates.
 *
 *  Source: protocols/60-hmac.md section 2. A circuit is a sequence of waves (one round of SHA-2
 *  each, or the closing additions), and no list of gates exists anywhere:
 *
 *      mac_circuit_init(c, job); load the inputs into mac_circuit_input(c)
 *      while (mac_circuit_plan(c, &n_gates))    -- the next wave; its number of ANDs is now known
 *          mac_circuit_run(c, sink)             -- its ANDs, in batches of independent gates
 *      outputs in mac_circuit_output(c)
 *
 *  Within a wave the carry chains of several adders advance side by side, so a sink sees up to
 *  MAC_LANES independent ANDs at once, out of order: each says which gate of the wave it is (`at`,
 *  in the order of the specification, from 0).
 *
 *  Everything but the wires is public: message, algorithm, constants. No branch depends on a wire.
 */
#ifndef MPC_MAC_CIRCUIT_H
#define MPC_MAC_CIRCUIT_H

#include "mac/wire.h"
#include "mpc/mac_alg.h"
#include "qk/bytes.h"

enum {
    MAC_LANES = 16,
    MAC_WAVE_GATES_MAX = MAC_LANES * 64,
    MAC_INPUTS_MAX = 1536,  /* wires: state and block of SECRET */
    MAC_OUTPUTS_MAX = 1024, /* wires: ist and ost of a derivation */
};

/** n independent ANDs, out[i] = x[i] AND y[i]. */
struct mac_batch {
    unsigned n;
    uint32_t at[MAC_LANES]; /* which gate of the wave */
    mac_wire x[MAC_LANES], y[MAC_LANES], out[MAC_LANES];
};

/** What ANDs are done with. Embedded first in the sink's own struct. */
struct mac_sink {
    mac_wire one; /* NOT x = x xor one; a known 1 is one, a known 0 is zero */
    void (*and)(struct mac_sink *sink, struct mac_batch *batch);
};

enum mac_function {
    MAC_OUTER,  /* ost -> first digest_len bytes of f(ost, h || padding), h public */
    MAC_DERIVE, /* K of digest length -> ist, ost (whole states) */
    MAC_STRICT, /* ist, ost -> HMAC of a public message: inner blocks, then a secret digest */
    MAC_SECRET, /* state, block -> f(state, block), all secret: for counting against the published
                 */
};

/** Which function of what. Public. */
struct mac_job {
    enum mac_function fn;
    uint8_t alg;
    struct qk_bytes pub; /* OUTER: h (digest_len bytes). STRICT: the message, 1..4096 bytes. Else
                            empty. Borrowed as long as the circuit lives */
    unsigned masked; /* DERIVE only, 0..2: behind K come the wires of so many masks, each as long
                        as a state: 1: of ost, 2: of ist, then of ost. The output is xored with
                        them */
};

/** Bits of a word: 32 or 64. */
unsigned mac_word_bits(unsigned alg);
unsigned mac_job_inputs(const struct mac_job *job);  /* wires, all of them */
unsigned mac_job_outputs(const struct mac_job *job); /* wires */
/** ANDs of the whole circuit. QK_E_STATE as for mac_circuit_new, QK_E_NOMEM. */
QK_MUST_USE qk_err mac_job_gates(const struct mac_job *job, uint64_t *n_gates);

struct mac_circuit;
/** QK_E_STATE: pub of the wrong length, or masked as it must not be. QK_E_NOMEM. */
QK_MUST_USE qk_err mac_circuit_new(struct mac_circuit **out, const struct mac_job *job);
/** Wipes; NULL is allowed. */
void mac_circuit_free(struct mac_circuit *c);
/** Where the wires of the inputs are to be put, in order, before the first plan.
 *  one  the sink's */
void mac_circuit_input(struct mac_circuit *c, const mac_wire *in, mac_wire one);
/** Prepare the next wave; false when there is none left. *n_gates may be 0. */
bool mac_circuit_plan(struct mac_circuit *c, unsigned *n_gates);
void mac_circuit_run(struct mac_circuit *c, struct mac_sink *sink);
/** The output wires, once plan said false. */
void mac_circuit_output(const struct mac_circuit *c, mac_wire *out);

/* ---- plain evaluation, for tests ---- */

/** 128 evaluations at once: bit i of the wires is the i-th of them. QK_E_STATE, QK_E_NOMEM. */
QK_MUST_USE qk_err mac_circuit_plain(const struct mac_job *job, const mac_wire *in, mac_wire *out);

#endif
