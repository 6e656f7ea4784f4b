/** What the wire carried, to be looked at or sent again. */
#ifndef QKT_TAPE_H
#define QKT_TAPE_H

#include "driver.h"

struct qkt_tape {
    struct qk_buf frame[512];
    uint16_t from[512], to[512];
    unsigned round[512];
    size_t n;
};

struct qkt_tape *qkt_tape_new(void);
void qkt_tape_free(struct qkt_tape *tape);
/** As net->tap, with the tape as tap_ctx. */
void qkt_tape_record(const struct qkt_frame *frame, void *tape);

#endif
