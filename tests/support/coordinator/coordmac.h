/** An HMAC key in the test world of coordworld.h: real pieces at every scripted node, so that their
 *  honest answers are those of a real run of MAC3, and the key itself, to compare with OpenSSL.
 */
#ifndef COORDMAC_H
#define COORDMAC_H

#include "coordfake.h"
#include "mpc/mac_gen.h"
#include "wire/calls.h"

enum { CW_RUNS = 64 };

struct cw_mac {
    uint8_t key[MPC_MAC_BLOCK_MAX]; /* that no node and no coordinator has */
    size_t key_len;
    uint8_t key_id[16];
    char key_text[KMS_UUID_LEN + 1];
    enum kms_spec_id spec;
    struct mpc_mac_record rec;
    struct mpc_mac_part part[CW_NODES_MAX];
    /* runs, in the order in which they were first asked for */
    struct wire_mac run[CW_RUNS];
    size_t n_runs;
    /* of the last of them, what each role has for the combiner */
    struct qk_buf g1, g2, y;
    struct qk_buf old_y;                 /* of the run before */
    atomic_bool lacks_key[CW_NODES_MAX]; /* asks for the KEY record first */
};

/** cw_init_of(w, n), and a key of this spec and profile (KMS_MODES_MAC_N, _S), of random bytes as
 *  long as its digest, in the nodes' truth and in the store. */
void cw_init_mac(struct cw_world *w, uint16_t n, enum kms_spec_id spec, uint8_t profile);
void cw_mac_free(struct cw_world *w);

/** The tag that any library gives; digest_len bytes. */
void cw_mac_expect(struct cw_world *w, struct qk_bytes message, uint8_t out[static 64]);
/** The role of a node in a call: 1 G1, 2 G2, 3 E, 0 none. */
int cw_mac_role(const struct cw_fake *f, const struct wire_call *call);

/* For coordfake.c. */
void cw_answer_mac(struct cw_fake *f, const struct wire_call *call, const struct kms_request *req,
    struct wire_answer *a, struct qk_buf *scratch);

/** GenerateMac of message through coord_op_run; members: more JSON, "" for none. op must be ended.
 */
qk_err cw_generate_mac(struct cw_world *w, struct coord_op *op, struct cw_request *request,
    struct qk_bytes message, const char *members, struct kms_fault *fault);
/** VerifyMac, the same way. */
qk_err cw_verify_mac(struct cw_world *w, struct coord_op *op, struct cw_request *request,
    struct qk_bytes message, struct qk_bytes mac, struct kms_fault *fault);

#endif
