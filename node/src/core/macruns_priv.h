/** What macruns.c and macboxes.c share. Private to them; everything is under node_macruns.lock
 * unless it says otherwise.
 */
#ifndef NODE_CORE_MACRUNS_PRIV_H
#define NODE_CORE_MACRUNS_PRIV_H

#include "core/macruns.h"

/* What one peer sent for one run. */
struct node_mac_box {
    uint8_t run[32];
    uint16_t from;
    struct node_macrun *owner; /* NULL: nobody has begun the run here */
    uint64_t until_ms;         /* without an owner */
    struct node_mac_item *first, *last;
    uint32_t next_number; /* of MAC_TABLES */
    uint32_t waiting;     /* MAC_TABLES not yet consumed, also one being worked on */
    unsigned seen;        /* bit per type */
    size_t bytes;
    bool bad; /* nothing of it is used any more */
    struct node_mac_box *next;
};

struct node_macrun {
    uint8_t run[32];
    struct mpc_mac_roles roles;
    uint16_t self;
    bool combine;
    uint64_t deadline_ms;
    pthread_cond_t moved;
    struct node_mac_box *box[2]; /* E: of G1 and of G2 */
    bool broken;                 /* a link went down */
    bool given_up;               /* G1: E says that it has */
    uint16_t culprit;
    uint32_t sent, credit; /* G1: chunks sent, chunks consumed by E */
    uint32_t consumed;     /* E */
    uint8_t *tables;       /* G1: the frame of the next chunk */
    struct node_macrun *next;
};

struct node_macruns {
    pthread_mutex_t lock;
    struct node_macrun *list;
    struct node_mac_box *boxes;
    size_t n, bytes; /* runs; bytes of all boxes */
};

/** Wipe and free; NULL is allowed. */
void node_mac_item_free(struct node_mac_item *item);
/** Take in a frame that came for a run: into its box, or a new one, or nowhere. Takes the item. */
void node_mac_box_deliver(
    struct node_macruns *m, const uint8_t run[static 32], struct node_mac_item *item);
/** The box of a garbler becomes the run's, or a new one does. QK_E_NOMEM. */
QK_MUST_USE qk_err node_mac_box_adopt(struct node_macruns *m, struct node_macrun *r, int i);
/** Of a run that ends. */
void node_mac_box_drop_all(struct node_macruns *m, const struct node_macrun *r);
/** Of runs that nobody has begun for too long (now: qk_mono_ms; UINT64_MAX: all). */
void node_mac_box_expire(struct node_macruns *m, uint64_t now);
/** The oldest item, now the caller's, who counts its bytes off when it is done; or NULL. */
struct node_mac_item *node_mac_box_take(struct node_mac_box *b);

static inline unsigned node_mac_bit(enum node_frame type)
{
    return 1u << (unsigned)type;
}

#endif
