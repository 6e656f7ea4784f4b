/** Parties of one protocol run in one process, with an account of what each of them costs.
 *
 *  Frames are delivered in the order they were sent. CPU is this thread's time inside the party's
 *  own calls (start, receive, effects); copying frames between parties is not counted. Every
 *  durable effect is answered with success at once: disks are not what is measured here.
 */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include "mpc/party.h"

struct bench_party {
    uint16_t id;
    struct mpc_party *party; /* owned */
    uint64_t cpu_ns;
    uint64_t sent, received; /* bytes of frames */
};

struct bench_frame {
    uint16_t from, to;
    struct qk_buf data;
    struct bench_frame *next;
};

/** Zeroed is empty. */
struct bench_net {
    struct bench_party p[MPC_PARTIES_MAX];
    size_t n;
    struct bench_frame *head, **tail;
    unsigned rounds; /* exchanges: one more than the highest round number sent */
};

/** Take a started party over. cpu_ns: what its start took. */
void bench_net_add(struct bench_net *net, uint16_t id, struct mpc_party *party, uint64_t cpu_ns);
/** Run to the end. QK_E_STATE, after telling who blames whom, unless every party is DONE. */
QK_MUST_USE qk_err bench_net_run(struct bench_net *net);
/** Free all parties and frames. */
void bench_net_free(struct bench_net *net);

#endif
