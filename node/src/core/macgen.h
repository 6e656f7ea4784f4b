/** Making HMAC keys and taking imported ones in (protocols/60-hmac.md section 6). Page:
 * docs/hmac.md, "Making a key", "Importing".
 *
 *  All nodes. The object of mpc/mac_gen.h goes from step to step; what is done here is to run its
 *  sessions, to carry its runs, and one epoch commit at the end. A key has one version; its id is
 *  used once: what an earlier attempt has made ACTIVE is the key, and the next attempt only signs.
 */
#ifndef NODE_CORE_MACGEN_H
#define NODE_CORE_MACGEN_H

#include "core/maclinks.h"
#include "core/symgen.h"
#include "mpc/mac_gen.h"

/** What the decision is about: algorithm, profile, version. */
void node_mac_spec_of(
    const struct kms_decision *decision, const uint8_t key_id[static 16], struct mpc_mac_spec *out);
/** Was rec made for this key and the nodes of this cluster? */
bool node_mac_is_ours(
    const struct node *node, const struct mpc_mac_record *rec, const struct mpc_mac_spec *spec);
/** Can this cluster serve HMAC keys? If not: false, and a fault that says so. */
bool node_mac_possible(const struct node *node, struct kms_fault *fault);

/** Make the key of op->prop.key_id, or find it made. Blocking. Errors as node_sym_make. */
QK_MUST_USE qk_err node_mac_make(struct node_op *op, struct node_sym_made *made, uint16_t *culprit);
/** Take material in that was imported. Blocking. Errors as node_sym_import. macimport.c */
QK_MUST_USE qk_err node_mac_import(
    struct node_op *op, struct node_sym_made *made, uint16_t *culprit);

/** The link secrets of this node as mpc/mac_gen.h asks for them; with the names of the last two
 * that it was given: those that the run of a step was made with. */
struct node_mac_links {
    struct mpc_mac_links links;
    struct node *node;
    struct node_mac_link_name {
        uint16_t peer;
        uint8_t id[NODE_MACLINK_ID_LEN];
    } given[2]; /* newest first */
};
void node_mac_links_init(struct node_mac_links *l, struct node *node);
/** Take a generation or an import, which was started with l, through all its steps. Blocking. */
QK_MUST_USE qk_err node_mac_steps(
    struct node_mac_links *l, struct mpc_mac_gen *gen, uint16_t *culprit);

#endif
