/** What every round needs: the store, the nodes, and how long to wait.
 *
 *  Reading order: engine.h, op.h (one caller's request from parsing to a verified result),
 *  attempt.h (one set of nodes asked once), votes.h (what t nodes agree on), certify.h (records
 *  and their certificates), combine.h (signatures), presigs.h, publisher.h (telling
 *  the nodes), keeper.h (other background work), promised.h. Symmetric keys: eval.h (Encrypt and
 *  Decrypt across the nodes), channels.h (tickets), randpool.h, watch.h, timers.h;
 *  imports.h (wrapping keys), due.h (rotation). HMAC keys: mac.h.
 */
#ifndef COORD_ENGINE_H
#define COORD_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include "nodes/nodes.h"
#include "rounds/gate.h"
#include "rounds/watch.h"
#include "store/store.h"

struct coord_channels;
struct coord_imports;
struct coord_presigs;
struct coord_publisher;
struct coord_randpool;
struct coord_timers;
struct qk_pool;

/** Milliseconds. */
struct coord_timing {
    unsigned attempt_ms; /* one set, one operation */
    unsigned total_ms;   /* all attempts of an operation */
    unsigned create_ms;  /* all attempts of a key generation */
    unsigned grace_ms;   /* once an attempt has failed: what the others still get to say why */
    unsigned link_ms;    /* wait for links when too few nodes are up */
    unsigned avoid_ms;   /* prefer others to nodes without which it went well after a failure */
    unsigned mac_ms, mac_strict_ms; /* one run of a MAC, by profile (docs/hmac.md) */
};
#define COORD_TIMING_DEFAULT                                                                       \
    ((struct coord_timing){.attempt_ms = 4000,                                                     \
        .total_ms = 10000,                                                                         \
        .create_ms = 9000,                                                                         \
        .grace_ms = 400,                                                                           \
        .link_ms = 1500,                                                                           \
        .avoid_ms = 30000,                                                                         \
        .mac_ms = 2000,                                                                            \
        .mac_strict_ms = 8000})

/** Counted since start, for metrics. */
struct coord_counts {
    atomic_ullong attempts, attempts_failed;
    atomic_ullong combine_failed;   /* parts that did not make a valid signature */
    atomic_ullong bad_certificates; /* signatures or records of nodes that did not hold */
    atomic_ullong lone_faults;      /* faults that others contradicted */
    atomic_ullong adopted;          /* newer records taken over from nodes */
    atomic_ullong conflicts;        /* compare-and-set lost */
    atomic_ullong refused;          /* nodes that did not take a call of ours */
    atomic_ullong presig_used, presig_failed;
    /* symmetric keys */
    atomic_ullong sym_f, sym_v, sym_dec; /* evaluations that gave a result */
    atomic_ullong sym_fell;              /* Encrypts that went from mode F to mode V */
    atomic_ullong sym_suspects;          /* nodes named by an evaluation */
    atomic_ullong sym_invalid;           /* ciphertexts that nothing opens */
    /* HMAC keys */
    atomic_ullong mac_made;        /* tags */
    atomic_ullong mac_failed;      /* runs that gave none */
    atomic_ullong mac_unavailable; /* requests without a result */
    atomic_ullong mac_suspects;    /* nodes named by a run that failed */
    atomic_ullong mac_alarms;      /* nodes named by three of them */
    atomic_ullong rand_alarms;     /* contributions that failed the continuous test (G-5) */
    atomic_ullong rand_failed;     /* runs with fewer than t contributions */
};

/* Runs of MACs at a time: enough to keep three nodes busy, and no more than they hold frames for.
 */
enum { COORD_MAC_AT_ONCE = 16, COORD_MAC_STRICT_AT_ONCE = 4 };

enum { COORD_SUBJECTS = 1024 }; /* many, so that changes of different things seldom meet */

/** Filled by its owner; coord_engine_init prepares the locks. */
struct coord_engine {
    const struct wire_cluster *cluster;
    struct coord_store *store;
    struct coord_nodes *nodes;
    struct coord_presigs *presigs;
    struct coord_publisher *publisher; /* NULL: nothing is published (tests) */
    struct coord_channels *channels;
    struct coord_randpool *random;
    struct coord_imports *imports;
    struct coord_timers *timers;
    struct qk_pool *quick; /* where answers of evaluations are worked on; NULL: where they arrive */
    struct coord_watch watch;
    struct coord_gate macs, strict_macs; /* by profile */
    struct coord_timing timing;
    struct coord_counts counts;
    pthread_mutex_t subjects[COORD_SUBJECTS]; /* changes of one thing go one after the other */
};

static inline void coord_engine_init(struct coord_engine *e)
{
    for (size_t i = 0; i < COORD_SUBJECTS; i++) (void)pthread_mutex_init(&e->subjects[i], NULL);
    coord_watch_init(&e->watch);
    coord_gate_init(&e->macs, COORD_MAC_AT_ONCE);
    coord_gate_init(&e->strict_macs, COORD_MAC_STRICT_AT_ONCE);
}

/** Points against a node within one operation. Every member of a set that failed gets one, whatever
 *  it says of itself or of others: a node that sabotages a session can look innocent and let honest
 *  ones time out, but it stands in every failed set. More only for what no other node can bring
 *  about. Blame that nodes report is hearsay: it is logged and gives no points. */
enum {
    COORD_DOUBT_FAILED = 1, /* member of a set that failed */
    COORD_DOUBT_FAULT = 1,  /* refuses the caller; perhaps rightly */
    COORD_DOUBT_LOST = 3,   /* link lost, call dropped or refused, not an answer */
    COORD_DOUBT_LIAR = 8,   /* an answer that does not hold */
};

#endif
