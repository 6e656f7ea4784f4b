/** A small world for epoch commits: nodes with disks that can crash at any effect and come back. */
#ifndef QKT_EPOCHWORLD_H
#define QKT_EPOCHWORLD_H

#include "driver.h"
#include "mpc/epoch.h"

enum { QKT_WORLD_MAX = 5 };

/** Signatures of the test: a hash under a secret of the id. */
struct qkt_ident {
    uint16_t self;
    int fail; /* 1: sign fails */
};
qk_err qkt_ident_sign(void *ctx, const uint8_t msg[64], uint8_t *sig, size_t *len);
qk_err qkt_ident_verify(void *ctx, uint16_t party, const uint8_t msg[64], struct qk_bytes sig);

enum qkt_restart { QKT_AT_ONCE, QKT_AFTER_REST, QKT_NEVER };

struct qkt_node {
    uint16_t id;
    struct qkt_ident ident;
    struct mpc_signer signer;
    struct mpc_epoch *epoch; /* NULL while down, or if nothing was on disk */
    bool share, base;        /* on disk */
    struct qk_buf state;     /* on disk; empty: none */
    unsigned n_effects;      /* carried out so far, over all lives */
    unsigned crash_at;       /* go down instead of effect number so and so; 0: never */
    enum qkt_restart restart;
    bool down, lost, fail_disk;
    bool said_prep, said_vote, said_abort; /* statements of its own that went out */
    unsigned n_wipes;
};

struct qkt_mail {
    uint16_t from, to;
    struct qk_buf data;
};

struct qkt_world {
    struct mpc_epoch_run run;
    struct qkt_node node[QKT_WORLD_MAX];
    size_t n;
    struct qkt_mail mail[4096];
    size_t head, tail;
    uint16_t mute; /* what this node sends is lost; 0: nobody */
    struct qkt_rng dice;
    bool shuffle;
};

struct qkt_world *qkt_world_new(unsigned n, unsigned t, uint32_t base);
void qkt_world_free(struct qkt_world *w);
/** The run as node number i sees it. */
struct mpc_epoch_run qkt_world_run_of(const struct qkt_world *w, size_t i);
/** Node i has its new share in memory and begins. */
void qkt_world_begin(struct qkt_world *w, size_t i);
/** Carry out what node i has queued (and crash where planned). */
void qkt_world_effects(struct qkt_world *w, size_t i);
/** Come back from disk, if down. */
void qkt_world_restart(struct qkt_world *w, size_t i);
void qkt_world_crash(struct qkt_world *w, size_t i);
/** Deliver until nothing is under way. */
void qkt_world_rest(struct qkt_world *w);
/** Everybody up asks everybody (rule 5), and the mail is delivered. */
void qkt_world_ask(struct qkt_world *w);

/** A statement list frame: kind 0 prep, 1 vote, 2 abort by `who`, sent by `from` to `to`; signed by
 *  who's true key over this run. */
void qkt_statement(struct qk_buf *out, const struct mpc_epoch_run *run, unsigned kind, uint16_t who,
    uint16_t from, uint16_t to);

#endif
