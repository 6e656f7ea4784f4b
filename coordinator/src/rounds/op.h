/** One caller's request, from its bytes to a verified result or a fault that t nodes agree on.
 *
 *      struct coord_op op;
 *      qk_err err = coord_op_begin(&op, engine, &raw, request_id, &fault);
 *      if (err == QK_OK) err = coord_op_run(&op, &fault);
 *      if (err == QK_OK) ... answer from op.decision, op.recs, op.made, op.der (kms/response.h)
 *      coord_op_end(&op);
 *
 *  The coordinator cannot verify a caller's SigV4 signature; the nodes do. What it answers on its
 *  own is public and needs no secret: a missing or malformed Authorization header, a wrong scope or
 *  time, an operator's bad signature. Everything else is told by t nodes that agree.
 *
 *  What is released
 *      READ, VERIFY    from certified records, after t nodes accepted the request
 *      RANDOM          the same, and bytes that no single machine chose
 *      ENCRYPT, ...    ciphertexts and plaintexts under the rules of mpc/sym_combine.h
 *      SIGN            a signature that verifies under the key's public key
 *      GENERATE_MAC    a tag that two garblers and their evaluator agree on (rounds/mac.h)
 *      changes         records that equal our own transition, certified by q nodes (new keys and
 *                      Initialize: all n) and stored
 */
#ifndef COORD_OP_H
#define COORD_OP_H

#include "kms/decide.h"
#include "rounds/certify.h"
#include "rounds/votes.h"

struct coord_importing;

struct coord_op {
    struct coord_engine *engine;
    const struct kms_raw *raw; /* borrowed */
    char request_id[37];
    struct kms_context ctx;

    /* the request */
    enum kms_op op; /* KMS_OP_COUNT: unknown */
    bool parsed;    /* req is valid; else the nodes are asked who calls and why it is wrong */
    struct kms_request req;
    bool by_operator;
    struct kms_operator oper;
    struct kms_sigv4 auth;

    /* what it rests on, loaded anew at every start over */
    struct coord_entry entries[KMS_SLOT_COUNT];
    struct coord_entry system;
    struct kms_records recs;
    bool has_prop;
    struct kms_proposal prop;
    bool decided; /* our own kms_decide agreed */
    struct kms_decision decision;

    /* result */
    struct coord_certified made; /* new versions, stored; decoded in made_records */
    struct kms_record *made_records;
    size_t n_made;
    struct qk_buf der; /* SIGN */
    struct {
        uint16_t node;
        struct qk_buf bytes;
    } sealed[WIRE_NODES_MAX]; /* ACCESS_KEY, INITIALIZE */
    size_t n_sealed;
    struct qk_buf plain; /* evaluations: SECRET, what was encrypted or decrypted; GenerateRandom */
    struct qk_buf blob;  /* Encrypt and its kin: the ciphertext */
    struct coord_importing *importing; /* ImportKeyMaterial */
    struct qk_buf pair_public;         /* GenerateDataKeyPair*: SPKI, the private key is plain */
    struct {
        struct wire_mac item;        /* the last run */
        unsigned tried;              /* permutations of the set that had a run, as bits */
        uint8_t tag[KMS_DIGEST_MAX]; /* GenerateMac: SECRET */
        size_t tag_len;              /* 0: there is none */
        bool valid;                  /* VerifyMac */
    } mac;

    /* for logs and the next choice of nodes */
    struct coord_votes votes;
    struct coord_doubts doubts;
    unsigned attempts, restarts;
    uint16_t set[WIRE_NODES_MAX]; /* of the last attempt */
    size_t n_set;
    uint8_t rnd[32];
    bool presig_tried;
    bool timed_out, too_few, crowded;
    bool may_wait; /* coord_op_run runs: this thread may block */
};

/** Parse what needs no secret. raw must live until coord_op_end. fault is filled on error. op is
 *  valid for coord_op_end (and for logs) in every case. */
QK_MUST_USE qk_err coord_op_begin(struct coord_op *op, struct coord_engine *engine,
    const struct kms_raw *raw, const char *request_id, struct kms_fault *fault);
/** Blocks up to the engine's times. fault is filled on error. */
QK_MUST_USE qk_err coord_op_run(struct coord_op *op, struct kms_fault *fault);
void coord_op_end(struct coord_op *op);

/** The caller's ARN, "operator:NAME", or "" while unknown. out: KMS_ARN_MAX. */
void coord_op_principal(const struct coord_op *op, char *out);
/** The key the operation is about: the new version if one was made. NULL: none. */
const struct kms_record *coord_op_key(const struct coord_op *op);

/** Is the operation of a kind that all n nodes must take part in? After coord_op_load. */
bool coord_op_needs_all(const struct coord_op *op);
/** Does it take a proposal (kms/decide.h)? */
bool coord_op_needs_proposal(enum kms_op op);

#endif
