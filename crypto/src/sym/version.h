/** Inside of a version; private, open to tests. */
#ifndef MPC_SYM_VERSION_H
#define MPC_SYM_VERSION_H

#include "mpc/sym_record.h"

struct mpc_sym_version {
    struct mpc_sym_terms terms;
    struct mpc_sym_sets sets; /* zeros without mode F */
    struct mpc_point *big_s;  /* terms.n of them, decoded; without mode V NULL */
};

/** Check and decode a record that the caller filled or decoded. clear wipes what init made, also
 *  after it failed. */
QK_MUST_USE qk_err sym_version_init(struct mpc_sym_version *v, const struct mpc_sym_record *rec);
void sym_version_clear(struct mpc_sym_version *v);

/** The number of a node id in the record, or -1. */
int sym_node_index(const struct mpc_sym_record *rec, uint16_t id);
int sym_terms_index(const struct mpc_sym_terms *terms, uint16_t id);
/** The flags every item and blob of this mode has; -1 if the version does not allow the mode. */
int sym_flags(const struct mpc_sym_version *v, uint8_t mode);

/** kcv = H32("cnf-kcv"; sid, u16 a, k_A). */
QK_MUST_USE qk_err sym_kcv(
    uint8_t out[static 32], const uint8_t sid[static 32], size_t a, const uint8_t k[static 32]);
/** Ascending numbers a of the sets of node number ix. Returns how many: sets->per_node. */
size_t sym_own_sets(
    const struct mpc_sym_sets *sets, size_t ix, uint8_t own[static MPC_SYM_SETS_MAX]);

#endif
