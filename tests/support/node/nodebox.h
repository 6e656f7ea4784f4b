/** A cluster of real qkms-node processes on this machine, for tests that play its coordinator.
 *
 *  Every node has a folder of its own with identity, node key, vault, audit log and a log of its
 *  standard error. Nodes die with the test that started them. Page: nodedriver.h for the calls.
 */
#ifndef NODEBOX_H
#define NODEBOX_H

#include <sys/types.h>
#include "vault/vault.h"
#include "wire/call.h"
#include "wire/calls.h"
#include "wire/cluster.h"

/* NB_NODES: of a cluster as tests mostly want it; nodebox_up_of makes others, t is 2 in each. */
enum { NB_NODES = 3, NB_NODES_MAX = 5, NB_WAIT_MS = 120000, NB_STOP_MS = 30000 };

#define NB_ACCOUNT  "123456789012"
#define NB_REGION   "us-east-1"
#define NB_OPERATOR "alice"

/** An `extra` line: the system call filter, deadly; sanitizers need calls of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NB_FILTER      "seccomp = off\n"
#define NB_FILTER_MODE "Seccomp:\t0"
#else
#define NB_FILTER      "seccomp = kill\n"
#define NB_FILTER_MODE "Seccomp:\t2"
#endif

struct nodebox {
    char dir[64];
    struct wire_identity *nodes[NB_NODES_MAX + 1]; /* by id, from 1 */
    struct wire_identity *coordinator, *operator_, *rogue;
    struct wire_cluster *cluster;
    uint16_t n;                                   /* nodes 1..n */
    pid_t pid[NB_NODES_MAX + 1];                  /* 0: not running */
    struct wire_client *client[NB_NODES_MAX + 1]; /* the coordinator's links */
};

/** Folder, identities, cluster.conf, configurations (with `extra` lines, NULL for none), vaults;
 *  nothing runs yet. Aborts the process when the machine will not play along. */
void nodebox_make(struct nodebox *box, const char *extra);
/** nodebox_make, all nodes started, ready. */
void nodebox_up(struct nodebox *box, const char *extra);
/** The same with n nodes, t = 2. */
void nodebox_up_of(struct nodebox *box, uint16_t n, const char *extra);
/** Start one node and the coordinator's link to it; does not wait. */
void nodebox_start(struct nodebox *box, uint16_t id);
/** Until every running node says that it is ready and sees all running peers with their roots. */
void nodebox_wait_ready(struct nodebox *box);
/** Send the signal and wait for the end: what waitpid says. */
int nodebox_stop(struct nodebox *box, uint16_t id, int sig);
/** Stop what runs (each must end with status 0, which leak checkers use), remove the folder. */
void nodebox_end(struct nodebox *box);

/** Run qkms-node with these arguments to its end; what it says on standard error goes to out. */
int nodebox_run(const char *const *argv, struct qk_buf *out);
/** dir/node-ID/NAME. */
void nodebox_path(const struct nodebox *box, uint16_t id, const char *name, char out[static 128]);
/** Replace a node's configuration: the standard lines and `extra`. */
void nodebox_configure(const struct nodebox *box, uint16_t id, const char *extra);

/** How many lines of the audit log hold both texts (NULL: any). */
size_t nodebox_audit(const struct nodebox *box, uint16_t id, const char *a, const char *b);
/** The vault of a stopped node; close it with node_vault_close and node_seal_free. */
struct node_vault *nodebox_vault(const struct nodebox *box, uint16_t id, struct node_seal **seal);
/** The link of another identity to a node. */
struct wire_client *nodebox_client(
    const struct nodebox *box, const struct wire_identity *identity, uint16_t id);
/** Wait until the link is up; false after NB_WAIT_MS. */
bool nodebox_client_up(struct wire_client *client);
void nodebox_sleep_ms(unsigned ms);

/** One call and its answer; bytes any. */
struct nb_answer {
    qk_err err; /* of the link; QK_OK: a is decoded */
    struct qk_buf bytes;
    struct wire_answer a;
    bool done; /* private */
};
void nb_answer_free(struct nb_answer *answer);
#define NB_AUTO_ANSWER __attribute__((cleanup(nb_answer_free))) struct nb_answer

/** Start a call; answer must stay in place until nb_wait has returned. */
void nb_start(
    struct wire_client *client, struct qk_bytes bytes, unsigned timeout_ms, struct nb_answer *out);
void nb_wait(struct nb_answer *answer);
/** Send the items as one bundle; abort unless each answer has the status wanted. */
void nb_bundle(struct wire_client *link, const struct qk_bytes *items, const int *want, size_t n);

#endif
