/** What epochs.c and attempts.c share. */
#ifndef NODE_CORE_EPOCHS_PRIV_H
#define NODE_CORE_EPOCHS_PRIV_H

#include "core/epochs.h"
#include "mpc/epoch.h"

struct node_epoch_run {
    struct mpc_epoch *epoch;
    uint64_t started_ms, asked_ms, ended_ms; /* ended_ms 0: open */
    bool told;                               /* the double signer is in the audit log */
    struct node_epoch_run *next;
};

struct node_epochs {
    pthread_mutex_t lock; /* of the list and of every run's machine */
    pthread_cond_t moved;
    struct node_epoch_run *list;
    struct mpc_signer signer;
    _Atomic bool ask_all; /* a peer came back */
    bool review;          /* a run ended or was given up: others of its name may go on */
    uint64_t reviewed_ms;
};

/* The caller of each of these holds the lock. */

/** Carry out what the machine wants, and what follows from its state. */
void node_epochs_settle(struct node *node, struct node_epoch_run *r);
struct node_epoch_run *node_epochs_find(struct node_epochs *e, const uint8_t sid[static 32]);
/** A run that memory does not hold (any more) but the vault does; NULL. */
struct node_epoch_run *node_epochs_take_up(struct node *node, const uint8_t sid[static 32]);

#endif
