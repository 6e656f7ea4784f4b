/** The test's coordinator: keeps certified records, signs requests, runs operations honestly; every
 *  part of a call can be bent before it is sent.
 */
#ifndef NODEDRIVER_H
#define NODEDRIVER_H

#include "kms/decide.h"
#include "kms/sigv4.h"
#include "nodebox.h"
#include "wire/calls.h"

enum { ND_RECORDS = 64, ND_CALL_MS = 60000 };

/** A certified record as the store holds it. */
struct nd_record {
    struct kms_stored *stored;
    struct qk_buf certified;
};

/** Who signs requests. */
struct nd_user {
    char akid[KMS_AKID_LEN + 1];
    char secret[KMS_SECRET_TEXT_LEN + 1];
};

struct nd {
    struct nodebox *box;
    uint16_t all[NB_NODES_MAX + 1]; /* every node, 0-terminated */
    struct kms_context ctx;
    struct nd_record records[ND_RECORDS];
    size_t n;
    struct nd_user root;
};

/** One operation: the request as signed, the call that carries it. Change call at will: its views
 *  point into this struct or into the store. */
struct nd_op {
    char target[64];
    struct kms_raw raw;
    struct kms_sigv4_headers headers;
    char amz_date[17], authorization[512];
    struct qk_buf body, encoded, proposal_bytes;
    struct kms_proposal proposal;
    bool has_proposal;
    struct kms_ref ids[WIRE_CALL_RECORDS_MAX];
    struct wire_call call;
    struct nb_answer answer[NB_NODES_MAX + 1]; /* by node */
    /* symmetric keys (nodesym.h) */
    struct qk_buf claim;
    uint8_t body_hash[32], tk[WIRE_CALL_TICKETS_MAX];
};

struct nd_signing {
    const struct nd_user *user;
    int64_t skew_ms;    /* added to now */
    const char *region; /* NULL: the right one */
    bool unsigned_;
};

/** Take the cluster into service: Initialize, and the secret of root, through the sealed parts. */
void nd_init(struct nd *d, struct nodebox *box);
void nd_free(struct nd *d);

/** A signed request of the root user as a call to `peers` (0-terminated), resting on what the store
 *  holds; a fresh proposal where the operation takes one. Free with nd_op_free. */
struct nd_op *nd_op(struct nd *d, const char *target, const char *body, const uint16_t *peers);
struct nd_op *nd_op_by(struct nd *d, const struct nd_signing *s, const char *target,
    const char *body, const uint16_t *peers);
/** The operator's request. */
struct nd_op *nd_op_operator(struct nd *d, const char *target, const char *body);
void nd_op_free(struct nd_op *op);
#define ND_AUTO_OP __attribute__((cleanup(nd_op_done))) struct nd_op
static inline void nd_op_done(struct nd_op **op)
{
    nd_op_free(*op);
}
/** Encode raw again into the call, after a change of it. */
void nd_op_reencode(struct nd_op *op);
/** Encode the proposal again. */
void nd_op_repropose(struct nd_op *op);
/** Set the refs and peers again from the store. */
void nd_op_rest_on(struct nd *d, struct nd_op *op);

/** Send a call to one node and wait. */
void nd_call(struct nd *d, uint16_t id, const struct wire_call *call, struct nb_answer *out);
/** Attach the records that the node asked for; false if there are none. */
bool nd_attach(struct nd *d, const struct nb_answer *need, struct wire_call *call);
/** Send op to all of its peers (each gets call as it stands), attach records where a node asks for
 *  them, wait. True iff all said OK. */
bool nd_send(struct nd *d, struct nd_op *op);
/** After nd_send: certify the signed records, keep and publish them to the running nodes. */
void nd_keep(struct nd *d, struct nd_op *op);
/** nd_op, nd_send, nd_keep, free; aborts with the answers when it did not work. */
void nd_do(struct nd *d, const char *target, const char *body);
/** As a user. */
void nd_do_by(struct nd *d, const struct nd_user *user, const char *target, const char *body);
/** CreateAccessKey for a user that exists. */
void nd_access_key(struct nd *d, const char *user_name, struct nd_user *out);

/** CreateKey; text of the key id to id. */
void nd_create_key(struct nd *d, const char *spec, char id[static KMS_UUID_LEN + 1]);
/** The signature of these two nodes, verified; presig NULL or 32 bytes. QK_OK, or what combining
 *  said; QK_E_ABORTED-like failures of the nodes are QK_E_STATE. op: the answers, for the caller.
 */
qk_err nd_sign(struct nd *d, const char *key_id, const char *message, const uint16_t *peers,
    const uint8_t *presig, struct nd_op **op);
/** Combine the parts of op's answers for this digest. */
qk_err nd_combine(struct nd *d, struct nd_op *op, const char *key_id, struct qk_bytes digest,
    const uint8_t *presig);
/** Body of a Sign request. Static storage. */
const char *nd_sign_body(const char *key_id, const char *message);

/** Records. */
struct nd_record *nd_find(struct nd *d, enum kms_kind kind, const char *id);
/** Take a certified record into the store. */
void nd_put(struct nd *d, struct qk_bytes certified);
/** A certificate for r by these nodes (0-terminated), with their real keys; r is encoded. */
void nd_certify(struct nd *d, struct kms_record *r, const uint16_t *signers, struct qk_buf *out);
/** Publish one certified record to one node: its status. */
enum wire_answer_status nd_publish(struct nd *d, uint16_t id, struct qk_bytes certified);

/** Send op to all of its peers: does every one refuse with this status and fault type (FAULT) or
 *  reason (REFUSED, RETRY; NULL: any), hand out nothing, and leave an audit entry that denies it?
 *  (STALE: the entry is "record.older".) Prints what is wrong. */
bool nd_refused(struct nd *d, struct nd_op *op, enum wire_answer_status status, const char *text);
/** The same for one node. */
bool nd_refused_by(
    struct nd *d, uint16_t id, struct nd_op *op, enum wire_answer_status status, const char *text);
/** Does this answer to op carry nothing that a signature or record could be made of? */
bool nd_empty(const struct nb_answer *answer);
/** Print what the nodes answered. */
void nd_show(const struct nd_op *op);
const char *nd_fault(const struct nb_answer *answer);

#endif
