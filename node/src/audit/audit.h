/** The audit log: every decision of this node, allowed or denied, in a hash-chained file.
 *
 *  Format and verification: qk/chain.h (`qkms audit verify` reads the same). Members of an entry,
 *  in this order, empty ones left out:
 *
 *      event, outcome, request, caller, operation, key, reason, peer, epoch, sid, detail
 *
 *  Files: PATH is written now; PATH.SEQ (20 digits, its last seq) are rotated ones; PATH.head
 *  holds where the chain stands, in two slots written in turn, so that cutting off whole entries
 *  is noticed at the next start. A last line torn by a crash is reported and cut off; nothing else
 *  is ever repaired.
 *
 *  Nothing secret goes in: no plaintext, no shares, no credentials, no message bodies. Texts are
 *  escaped and cut at NODE_AUDIT_TEXT_MAX bytes.
 *
 *  Threads: any. Durable entries that arrive together share one sync.
 */
#ifndef NODE_AUDIT_AUDIT_H
#define NODE_AUDIT_AUDIT_H

#include "qk/chain.h"

enum { NODE_AUDIT_TEXT_MAX = 512 };

enum node_audit_outcome { NODE_AUDIT_ALLOW, NODE_AUDIT_DENY, NODE_AUDIT_ABORT, NODE_AUDIT_INFO };

struct node_audit_entry {
    const char *event; /* required, for example "request", "session.end", "setup.poison" */
    enum node_audit_outcome outcome;
    struct qk_bytes request;   /* request id of the API */
    struct qk_bytes caller;    /* ARN */
    struct qk_bytes operation; /* "Sign" */
    struct qk_bytes key;       /* key id as text */
    const char *reason;        /* check id or error name; NULL: none */
    uint16_t peer;             /* 0: none */
    bool has_epoch;
    uint32_t epoch;
    const uint8_t *sid; /* 32 bytes or NULL */
    struct qk_bytes detail;
};

enum node_audit_sync {
    NODE_AUDIT_SYNC_CHANGES, /* write syncs when its `durable` argument says so */
    NODE_AUDIT_SYNC_ALL,     /* every entry is synced */
};

struct node_audit_options {
    const char *path;
    enum node_audit_sync sync;
    uint64_t rotate_bytes; /* start a new file above this size; 0: never */
};

struct node_audit;

/** Verify the present file against itself and PATH.head, repair a torn tail, go on.
 *  QK_E_CORRUPT: changed, cut or missing; why names file, line and reason. The daemon must not
 *  start then. QK_E_BUSY: another process writes it. QK_E_IO. */
QK_MUST_USE qk_err node_audit_open(
    struct node_audit **out, const struct node_audit_options *options, char *why, size_t why_len);
/** Sync and close. NULL is allowed. */
void node_audit_close(struct node_audit *audit);

/** Append one entry; with durable, return only after it is on disk. QK_E_IO: nothing was logged,
 *  so the operation that it is about must be refused. */
QK_MUST_USE qk_err node_audit_write(
    struct node_audit *audit, const struct node_audit_entry *entry, uint64_t now_ms, bool durable);
/** Append one entry; seq names it for the two below. For what must be on disk together with
 * something else that is slow: hurry, write the other, wait, and the two go side by side. */
QK_MUST_USE qk_err node_audit_append(
    struct node_audit *audit, const struct node_audit_entry *entry, uint64_t now_ms, uint64_t *seq);
/** Entries that are written together, with one call to the system: those of a bundle of calls. */
enum { NODE_AUDIT_BATCH_MAX = 64 };
struct node_audit_batch {
    struct qk_buf text; /* the entries' members, one behind the other */
    size_t end[NODE_AUDIT_BATCH_MAX];
    size_t n;
};
void node_audit_batch_init(struct node_audit_batch *batch);
void node_audit_batch_free(struct node_audit_batch *batch);
/** QK_E_BUSY: the batch is full. Nothing is logged before node_audit_write_batch. */
QK_MUST_USE qk_err node_audit_batch_add(
    struct node_audit_batch *batch, const struct node_audit_entry *entry);
/** Write all and empty the batch. QK_E_IO: none was logged. */
QK_MUST_USE qk_err node_audit_write_batch(
    struct node_audit *audit, struct node_audit_batch *batch, uint64_t now_ms);
/** Have the entries up to seq synced in the background. */
void node_audit_hurry(struct node_audit *audit, uint64_t seq);
/** Return once the entry seq is on disk. QK_E_IO: it may not be. */
QK_MUST_USE qk_err node_audit_wait(struct node_audit *audit, uint64_t seq);
/** Sync what was written; call from a timer about once a second. */
QK_MUST_USE qk_err node_audit_flush(struct node_audit *audit);
/** Where the chain stands. */
void node_audit_head(struct node_audit *audit, struct qk_chain_head *out);

#endif
