/** What eval.c, evalcall.c, evalrun.c and evalwait.c share. Private to rounds/. */
#ifndef COORD_EVALUATION_H
#define COORD_EVALUATION_H

#include "mpc/sym_combine.h"
#include "rounds/channels.h"
#include "rounds/eval.h"
#include "rounds/randpool.h"
#include "rounds/timers.h"

enum { COORD_EVAL_COOL_MS = 1000 /* a node that others outran by far */ };

enum coord_eval_outcome {
    EVAL_OPEN, /* not settled yet */
    EVAL_DONE,
    EVAL_VOTED,   /* t nodes told one fault */
    EVAL_INVALID, /* no such ciphertext */
    EVAL_LIMIT,   /* the version has been evaluated as often as it may */
    EVAL_RESTART, /* records have moved on */
    EVAL_AGAIN,
};

/** A call in flight, then its answer. */
struct coord_eval_call {
    struct coord_eval_call *next;
    struct coord_eval *eval;
    uint16_t node;
    uint32_t turn;
    struct coord_reply reply;
};

struct coord_eval {
    struct coord_engine *engine;
    coord_eval_fn fn;
    void *ctx;

    /* shared by links, timer and whoever works on it */
    pthread_mutex_t lock;
    unsigned refs;   /* the owner, each call in flight, an armed timer, a queued job */
    bool working;    /* somebody works on it, or is about to */
    bool ended;      /* the owner has been told: late answers are dropped */
    bool late;       /* the deadline has passed */
    bool urgent;     /* an answer came that may change what to do */
    unsigned wanted; /* so many answers are worth waking up for */
    unsigned n_in, n_open;
    struct coord_eval_call *in, **in_last; /* answers not worked on yet */

    /* of whoever works */
    struct coord_op *op; /* not after ended */
    enum coord_eval_outcome outcome;
    qk_err err; /* of ours, with EVAL_AGAIN: for the log */
    struct mpc_sym_run *run;
    enum mpc_sym_op phase;
    const struct mpc_sym_version *version;
    uint16_t nodes[WIRE_NODES_MAX]; /* that may be asked, preferred ones first */
    size_t n_nodes;
    uint8_t chan[WIRE_NODES_MAX][MPC_SYM_CHAN_LEN]; /* of our tickets; by index in the cluster */
    uint32_t turn;                                  /* counts the attempts of all runs */
    uint32_t attempt;                               /* of this run, as last called */
    uint64_t began_us;                              /* this attempt */
    bool heard[WIRE_NODES_MAX];                     /* in this attempt; by index in the cluster */
    bool fault[WIRE_NODES_MAX]; /* heard, and told a fault that the run does not know of yet */
    size_t n_heard;
    struct coord_attached *attached[WIRE_NODES_MAX]; /* the same; NULL: nothing asked for */
    struct coord_timer timer;
    bool timed; /* the timer was armed for this attempt */

    struct wire_call call;
    struct coord_texts texts;
    bool have_texts;
    struct coord_ask ask;
};

/* ---- eval.c: life and threads ---- */

/** An answer came, on a thread of the links; ctx: the struct coord_eval_call. */
void coord_eval_on_reply(void *ctx, struct coord_reply *reply);
bool coord_eval_says_ok(const struct coord_reply *r);
/** The records that nodes asked for belong to one attempt. */
void coord_eval_forget_attached(struct coord_eval *e);

/* ---- evalcall.c: by whoever works ---- */

/** Ask whatever the run wants to ask now; *n: how many nodes. */
QK_MUST_USE qk_err coord_eval_send(struct coord_eval *e, size_t *n);
/** Take over the channels that answers with status TICKET name: before the run hears of any of
 * them, for it draws new tickets of all nodes at once. */
void coord_eval_renew(struct coord_eval *e, const struct coord_eval_call *list);
/** Feed one answer. */
void coord_eval_take(struct coord_eval *e, const struct coord_eval_call *c);
/** Faults that fewer than t nodes tell are lost answers, once nobody is left to agree with them. */
void coord_eval_give_up_faults(struct coord_eval *e, bool late);

/* ---- evalrun.c: what is evaluated ---- */

/** Begin the operation's first evaluation. Errors as coord_eval_start. */
QK_MUST_USE qk_err coord_eval_begin(struct coord_eval *e);
/** Look at the run's state: outcome, or the next evaluation. */
void coord_eval_look(struct coord_eval *e);
/** Wipe and free the run. */
void coord_eval_drop_run(struct coord_eval *e);

/** Position of node in the cluster file; n if it is not there. */
size_t coord_eval_index(const struct coord_eval *e, uint16_t node);

#endif
