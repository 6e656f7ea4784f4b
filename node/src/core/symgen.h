/** Making the versions of symmetric keys. Page: docs/encryption.md, "Making a version".
 *
 *  All nodes: DKG in the role "sym-v" if the modes have V, CNFGEN if they have F, one epoch commit
 *  over share and record. A version id is used once: what an earlier attempt has made ACTIVE is the
 *  version, and the next attempt only signs its record.
 */
#ifndef NODE_CORE_SYMGEN_H
#define NODE_CORE_SYMGEN_H

#include "core/guard.h"
#include "mpc/sym_record.h"

/** What the records of a new version are made from. */
struct node_sym_made {
    struct qk_buf pkrec; /* free it */
    uint8_t material_id[32];
};
#define NODE_SYM_MADE(name)                                                                        \
    __attribute__((cleanup(node_sym_made_free))) struct node_sym_made name = {                     \
        .pkrec = QK_BUF(MPC_SYM_RECORD_MAX)}
void node_sym_made_free(struct node_sym_made *made);

/** Can this cluster serve these modes? If not: false, and a fault that says what to do. */
bool node_sym_possible(const struct node *node, uint8_t modes, struct kms_fault *fault);

/** Make version ver of a key, or find it made. Blocking.
 *  what  operation name, bound into the sessions
 *  QK_E_TIMEOUT, QK_E_IO, ...: no such version; nothing was announced. *culprit: who is blamed, or
 * 0. QK_E_MISMATCH: the version that is here was made by other nodes or for other modes.
 */
QK_MUST_USE qk_err node_sym_make(struct node_op *op, const uint8_t key_id[static 16], uint32_t ver,
    uint8_t modes, const char *what, struct node_sym_made *made, uint16_t *culprit);

/** Take material in that was imported: op->call.parts holds our part of it. Makes op->decision.ver
 * of the key, or makes it anew when it is not here (deleted, expired), or finds that it is.
 * Blocking. symimport.c. QK_E_DENIED: op->fault is set (IncorrectKeyMaterialException, check S-21).
 * QK_E_MALFORMED: the part is none. Others as above. */
QK_MUST_USE qk_err node_sym_import(
    struct node_op *op, struct node_sym_made *made, uint16_t *culprit);

/** Was rec made for this version, these modes and the nodes of this cluster? */
bool node_sym_is_ours(const struct node *node, const struct mpc_sym_record *rec,
    const uint8_t key_id[static 16], uint32_t ver, uint8_t modes);

#endif
