/** Nodes that make an HMAC key and use it, in one process; any of them may lie.
 *
 *      struct qkt_mac *w = qkt_mac_new(seed, ids, n, &spec);
 *      w->cheater = 2; w->bend = flip_something;         (or w->hook for frames of the sessions)
 *      if (qkt_mac_make(w)) ... w->share[i], w->record; qkt_mac_tag(w, roles, message, tag)
 *      qkt_mac_free(w);
 */
#ifndef QKT_MACWORLD_H
#define QKT_MACWORLD_H

#include "driver.h"
#include "mpc/mac_gen.h"

enum { QKT_MAC_NODES = 5 };

/** What one of the three sends in a run. */
enum qkt_mac_kind { QKT_MAC_CHUNK, QKT_MAC_LABELS, QKT_MAC_GMAC, QKT_MAC_OUT };
struct qkt_mac_frame {
    const char *what; /* of the step; NULL in qkt_mac_tag */
    unsigned run;     /* runs of this name so far, from 0 */
    uint16_t from, to;
    enum qkt_mac_kind kind;
    uint32_t number; /* of a chunk */
    struct qk_buf data;
};

struct qkt_mac {
    uint64_t seed;
    struct qkt_rng dice;
    size_t n;
    uint16_t ids[QKT_MAC_NODES];
    struct mpc_mac_spec spec;
    struct mpc_session session;
    uint8_t kappa[QKT_MAC_NODES][QKT_MAC_NODES][MPC_MAC_KAPPA_LEN];
    struct mpc_mac_gen *gen[QKT_MAC_NODES];
    struct qkt_rng rng[QKT_MAC_NODES];
    struct mpc_mac_links links[QKT_MAC_NODES];
    struct qkt_mac_link {
        struct qkt_mac *w;
        size_t self;
    } link[QKT_MAC_NODES];

    /* Lies. step: of sessions, the name of the one the hook is for. */
    uint16_t cheater;
    void (*bend)(struct qkt_mac *w, struct qkt_mac_frame *frame); /* any frame of a run */
    void (*hook)(struct qkt_net *net, struct qkt_frame *frame, void *w);
    const char *hook_step;
    void (*tap)(struct qkt_mac *w, const char *what, uint16_t from, uint16_t to,
        struct qk_bytes bytes); /* sees everything that is sent */
    void *ctx;
    /* Change a node's state between steps, by the private headers. */
    void (*meddle)(struct qkt_mac *w, const struct mpc_mac_gen_step *step, size_t ix);

    /* The outcome. */
    bool ok;
    char failed[32];                       /* the step that did not end well */
    qk_err err;                            /* of the first node that is not the cheater */
    struct mpc_blame blame[QKT_MAC_NODES]; /* after a failed session */
    struct mpc_mac_suspects why;           /* after a failed run */
    struct mpc_mac_share share[QKT_MAC_NODES];
    struct mpc_mac_record record;
};

struct qkt_mac *qkt_mac_new(
    uint64_t seed, const uint16_t *ids, size_t n, const struct mpc_mac_spec *spec);
void qkt_mac_free(struct qkt_mac *w);
/** Generate. True: every node is through, with equal records and shares that fit. */
bool qkt_mac_make(struct qkt_mac *w);
/** Import what was dealt; old as for mpc_mac_import_start. */
bool qkt_mac_import(
    struct qkt_mac *w, const struct mpc_mac_part *parts, const struct mpc_mac_record *old);
/** One MAC by these three; bend sees its frames. QK_OK, or the first error, with w->why. */
qk_err qkt_mac_tag(struct qkt_mac *w, const struct mpc_mac_roles *roles, struct qk_bytes message,
    uint8_t tag[static MPC_MAC_DIGEST_MAX]);
/** The secret that the pieces share (ost, or ist || ost). Asserts that all nodes hold the same. */
void qkt_mac_secret(const struct qkt_mac *w, uint8_t out[static MPC_MAC_SECRET_MAX]);
size_t qkt_mac_index(const struct qkt_mac *w, uint16_t id);

#endif
