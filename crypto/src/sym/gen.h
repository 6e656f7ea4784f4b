/** The states of CNFGEN and of import; private, open to the hostile tests. */
#ifndef MPC_SYM_GEN_STATE_H
#define MPC_SYM_GEN_STATE_H

#include "mpc/sym_gen.h"
#include "session/engine.h"
#include "sym/version.h"

enum sym_gen_row { GEN_COM, GEN_ECHO, GEN_OPEN, GEN_KCV, GEN_RESULT };
enum { GEN_KCV_ECHO, GEN_KCV_LIST };
enum sym_import_row { IMP_TELL, IMP_RESULT };
enum { IMP_TELL_C, IMP_TELL_KCV };
enum { IMP_RESULT_ECHO, IMP_RESULT_V };

/** What both kinds of run have: the beginning of either state. */
struct sym_made {
    struct mpc_sym_sets sets;      /* zeros without mode F */
    uint8_t own[MPC_SYM_SETS_MAX]; /* numbers of my sets */
    struct mpc_sym_share share;    /* the result; secret */
    struct mpc_sym_record record;
    uint8_t v[32]; /* V: the record's hash */
    bool taken;
};

struct sym_gen {
    struct sym_made made; /* first */
    size_t common;        /* sets that any two nodes share */
    /* r_{A,i} and rho of my sets; secret, wiped after round 2 */
    uint8_t r[MPC_SYM_SETS_MAX][32];
    uint8_t rho[MPC_SYM_SETS_MAX][32];
};

struct sym_import {
    struct sym_made made; /* first */
    struct mpc_sym_part part;
    struct mpc_sym_record old;
    bool again; /* a re-import: old is set */
};

size_t sym_len_kcv(const struct mpc_party *party);

/** Fill made from spec and session and check that they fit: version id, nodes, modes, structure. */
QK_MUST_USE qk_err sym_made_init(
    struct sym_made *made, const struct mpc_session *s, const struct mpc_sym_spec *spec);
/** The kcv of set a in the list of node number ix. */
const uint8_t *sym_kcv_of(const struct sym_made *made, struct qk_bytes list, size_t ix, size_t a);
/** Check S-1: all holders announce the same kcv, which goes into the record. Lists are the field
 *  (round, MPC_TO_ALL, k). With blame a wrong kcv for a set of mine is P(sender), else all is N. */
QK_MUST_USE qk_err sym_made_kcv(
    struct mpc_party *party, unsigned round, size_t k, const char *check, bool blame);
/** V of everybody equals mine: DONE. */
QK_MUST_USE qk_err sym_made_agree(
    struct mpc_party *party, unsigned round, size_t k, const char *check);
/** Move share and record out, once. */
QK_MUST_USE qk_err sym_made_take(
    struct sym_made *made, struct mpc_sym_share *share, struct mpc_sym_record *record);

/** k_A = H32("cnf-key"; sid, u16 a, r of the members ascending). */
QK_MUST_USE qk_err sym_gen_key(uint8_t out[static 32], const uint8_t sid[static 32], size_t a,
    const uint8_t *const *r, size_t n);

#endif
