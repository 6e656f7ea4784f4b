/** The messages of coordinator-to-node calls.
 *
 *  One call is one request frame and one answer frame, canonical msgpack
 *  (qk/pack.h), bounded by WIRE_CALL_MAX. Page: docs/wire.md, "Calls".
 *
 *  Decoding borrows: views and arrays point into the frame or into the
 *  decoded struct, which must not be moved. Encoding appends to a buffer.
 */
#ifndef WIRE_CALLS_H
#define WIRE_CALLS_H

#include "qk/bytes.h"

enum {
    WIRE_CALL_MAX = 2 * 1024 * 1024, /* bytes of a request or answer frame */
    WIRE_CALL_RECORDS_MAX = 16,      /* records, references or signatures in one message */
    WIRE_CALL_RECORD_BYTES = 262144, /* one record with its certificate */
    WIRE_CALL_RAW_BYTES = 1250000,   /* the caller's request, kms/raw.h encoding */
    WIRE_CALL_PEERS_MAX = 33,
    WIRE_CALL_PRESIGS_MAX = 64,
    WIRE_CALL_ID_MAX = 64, /* bytes of a record id */
    WIRE_CALL_TICKET_LEN = 26,
    WIRE_CALL_TICKETS_MAX = 26 * 32,
    WIRE_CALL_PARTS_MAX = 8192,
    WIRE_CALL_CLAIM_MAX = 65536,
    WIRE_CALL_RAND_MAX = 1024,
    WIRE_CALL_CHAN_LEN = 16,
    WIRE_CALL_MID_LEN = 32,
    /* bytes of an answer's part; the longest is G1's of an HMAC of 512 bits: run, kh, OT */
    WIRE_ANSWER_PART_MAX = 32 + 16 + 512 * 2 * 16,
};

enum wire_call_kind {
    WIRE_CALL_OP = 1,       /* act on a caller's signed request */
    WIRE_CALL_PUBLISH = 2,  /* here are certified records: remember them */
    WIRE_CALL_STATUS = 3,   /* describe yourself (no caller's data, no secrets) */
    WIRE_CALL_DUE = 4,      /* sign the end of a key whose deletion date has come */
    WIRE_CALL_FETCH = 5,    /* give me the certified records you hold of one kind */
    WIRE_CALL_PROMISED = 6, /* and those you signed without having seen them certified */
    WIRE_CALL_CHANNEL = 7,  /* draw a fresh channel for tickets (docs/encryption.md) */
    WIRE_CALL_RAND = 8,     /* contribute random bytes to my pool */
};

/** One evaluation asked for beside an OP (docs/encryption.md). Nothing that the node can take from
 *  the request itself is here. */
enum { WIRE_EVAL_ENC = 1, WIRE_EVAL_DEC = 2 };
struct wire_eval {
    uint8_t op; /* WIRE_EVAL_ENC, _DEC; 0: none */
    bool prove; /* DEC in mode V with a proof */
    /* ENC; zeros and empty for DEC, whose input is the blob in the request */
    uint8_t mode; /* 1 F, 2 V */
    uint32_t ver; /* the version that alpha commits to: must be the current one */
    uint8_t alpha[32];
    struct qk_bytes tk; /* ticket list, 26 bytes per node, 26..WIRE_CALL_TICKETS_MAX */
};

/** One MAC asked for beside an OP (docs/hmac.md): which run, and who does what in it. Key and
 *  message are the request's. */
struct wire_mac {
    bool set;
    uint8_t mid[WIRE_CALL_MID_LEN]; /* the coordinator's random name for this run */
    uint16_t g1, g2, e;             /* node ids, three different ones */
};

/** Which version of which record a call rests on. */
struct wire_ref {
    uint8_t kind;
    struct qk_bytes id;
    uint64_t version; /* 0: the store has no such record */
    uint8_t hash[32]; /* zeros when version is 0 */
};

struct wire_call {
    enum wire_call_kind kind;
    uint8_t cluster[32]; /* hash of cluster.conf; another one is refused */
    char request_id[37]; /* uuid text, for logs on both sides */

    /* OP */
    struct qk_bytes raw;                 /* the request as the caller signed it (kms_raw_request) */
    struct qk_bytes proposal;            /* what the coordinator picked (kms_proposal), or empty */
    uint16_t peers[WIRE_CALL_PEERS_MAX]; /* the nodes that take part, ascending */
    uint32_t n_peers;
    uint8_t rnd[32];        /* the requester's random bytes of protocols/00 section 4 */
    struct qk_bytes presig; /* 32 bytes: the presignature to spend; empty: sign online */
    uint32_t want_presigs;  /* how many names of others to list, 0..WIRE_CALL_PRESIGS_MAX */

    struct wire_eval eval; /* symmetric keys */
    struct wire_mac mac;   /* HMAC keys */
    struct qk_bytes claim; /* Encrypt: the body without its plaintext (kms/request.h) */
    struct qk_bytes parts; /* ImportKeyMaterial: this node's part; SECRET */

    /* RAND: rnd is rid */
    uint32_t rand_len; /* 1..WIRE_CALL_RAND_MAX */

    /* OP, DUE: what the call rests on */
    struct wire_ref refs[WIRE_CALL_RECORDS_MAX];
    uint32_t n_refs;

    /* OP, DUE, PUBLISH: records with certificates (kms/record.h), as the node asked for */
    struct qk_bytes records[WIRE_CALL_RECORDS_MAX];
    uint32_t n_records;

    /* FETCH, PROMISED */
    uint8_t fetch_kind;
    struct qk_bytes fetch_after; /* id to go on after; empty: from the first */
};

enum wire_answer_status {
    WIRE_ANSWER_OK = 0,
    WIRE_ANSWER_FAULT = 1, /* an answer for the caller: error type and message */
    WIRE_ANSWER_NEED = 2,  /* send again with these records attached */
    WIRE_ANSWER_STALE = 3, /* I hold newer certified records: here they are */
    WIRE_ANSWER_RETRY = 4, /* could not finish (session aborted, busy, timeout): try another set */
    WIRE_ANSWER_REFUSED = 5, /* this call is not one I answer (not a coordinator, other cluster) */
};

/** A record of the answer and this node's signature for its certificate. */
struct wire_signed {
    struct qk_bytes record;
    struct qk_bytes signature;
};

struct wire_answer {
    enum wire_answer_status status;

    /* OK of an OP, DUE or PROMISED */
    struct wire_signed signed_records[WIRE_CALL_RECORDS_MAX];
    uint32_t n_signed;
    struct qk_bytes part;   /* one signer's part of a signature (mpc/ecdsa.h); a node's part of an
                               evaluation (mpc/sym.h), of a MAC (mpc/mac.h); RAND: rid 32, then the
                               contribution; or empty. At most WIRE_ANSWER_PART_MAX */
    uint8_t eval_status;    /* enum mpc_sym_status, when an item was asked */
    struct qk_bytes chan;   /* CHANNEL, or with status TICKET: 16 bytes; else empty */
    struct qk_bytes sealed; /* a partial for the caller's eyes only (X25519 sealed box), or empty */
    struct qk_bytes presigs; /* ready for this key and these peers: names of 32 bytes */

    /* FAULT: texts of kms/fault.h. REFUSED, RETRY: a reason for the log */
    struct qk_bytes fault_type;
    struct qk_bytes fault_message;
    bool fault_has_message;

    /* NEED */
    struct wire_ref refs[WIRE_CALL_RECORDS_MAX];
    uint32_t n_refs;

    /* STALE, FETCH: records with certificates */
    struct qk_bytes records[WIRE_CALL_RECORDS_MAX];
    uint32_t n_records;

    /* RETRY: the node this one blames, or 0. Of a MAC: docs/hmac.md */
    uint16_t culprit;

    /* STATUS: one JSON object (docs/wire.md) */
    struct qk_bytes status_json;
};

/** Append the encoding; errors are in out->err. */
void wire_call_encode(struct qk_buf *out, const struct wire_call *call);
/** QK_E_MALFORMED for anything that is not the canonical encoding of a call within the bounds. */
QK_MUST_USE qk_err wire_call_decode(struct qk_bytes in, struct wire_call *out);
void wire_answer_encode(struct qk_buf *out, const struct wire_answer *answer);
QK_MUST_USE qk_err wire_answer_decode(struct qk_bytes in, struct wire_answer *out);

#endif
