/** A symmetric key in the test world of coordworld.h: real shares at every scripted node, so that
 * its honest answers evaluate, and channels and random bytes as a node gives them.
 */
#ifndef COORDSYM_H
#define COORDSYM_H

#include "coordfake.h"
#include "mpc/sym_node.h"
#include "rounds/channels.h"
#include "rounds/randpool.h"
#include "rounds/timers.h"

/** One version of the key, at every node. */
struct cw_symver {
    struct mpc_sym_record rec;
    struct mpc_sym_key *key[CW_NODES];
};

enum { CW_VERSIONS = 16 };

struct cw_sym {
    uint8_t key_id[16];
    char key_text[KMS_UUID_LEN + 1];
    struct cw_symver version[CW_VERSIONS];
    uint32_t n_versions;
    struct mpc_sym_window *window[CW_NODES];  /* NULL: no CHANNEL call yet */
    atomic_uint channels[CW_NODES];           /* CHANNEL calls answered */
    atomic_bool lacks_key[CW_NODES];          /* asks for the KEY record before it evaluates */
    atomic_uint enc[CW_NODES], dec[CW_NODES]; /* evaluations made */
};

/** cw_init, a key of these modes, and the engine's channels, random bytes and timers, all ready. */
void cw_init_sym(struct cw_world *w, uint8_t modes);
/** A next version of the key, current from now on, in the nodes' truth and in the store. */
void cw_rotate(struct cw_world *w);
/** The key record with a date of automatic rotation, in the nodes' truth and in the store. */
void cw_schedule_rotation(struct cw_world *w, uint64_t next_rotation_ms);
/** The node forgets its channels, as a restarted one does. With the lock, or before start. */
void cw_forget_channels(struct cw_fake *f);
void cw_sym_free(struct cw_world *w);

/* For coordfake.c. */
void cw_answer_channel(struct cw_fake *f, struct wire_answer *a, struct qk_buf *scratch);
/** The public outcome of making version ver, the same for every node; made by the first who asks.
 */
void cw_generated(struct cw_world *w, uint32_t ver, struct kms_created *out, struct qk_buf *pkrec);
void cw_answer_rand(
    struct cw_fake *f, const struct wire_call *call, struct wire_answer *a, struct qk_buf *scratch);
void cw_answer_eval(struct cw_fake *f, const struct wire_call *call, const struct kms_request *req,
    const struct kms_decision *d, struct wire_answer *a, struct qk_buf *scratch);

/** Run an operation through first.h as the service does, then coord_op_run if that is left. */
qk_err cw_serve(
    struct cw_world *w, struct coord_op *op, struct cw_request *request, struct kms_fault *fault);
/** GenerateDataKey of the key through cw_serve, which must work: its blob and plaintext. */
void cw_data_key(struct cw_world *w, struct qk_buf *blob, struct qk_buf *plain);
/** Decrypt: QK_OK and the plaintext, or the fault's error. context: JSON members, "" for none. */
qk_err cw_decrypt(struct cw_world *w, struct qk_bytes blob, const char *context,
    struct qk_buf *plain, struct kms_fault *fault);

#endif
