/** Hash-chained line logs: append-only files in which no line can be changed, moved or dropped
 *  from the middle unnoticed. The node writes its audit log with it, the CLI verifies it.
 *
 *  One entry is one line of JSON, these very bytes:
 *
 *      {"seq":12,"time":"2026-11-25T07:28:59.123Z","prev":"64 hex",MEMBERS,"hash":"64 hex"}\n
 *
 *  hash = SHA-256("qkms-chain-v1" || the line up to and without `,"hash"`). seq counts from 1
 *  without gaps, prev is the hash of the entry before (zeros for seq 1); both go on over file
 *  rotation. MEMBERS is one or more members of the object, without raw line ends, and is
 *  not interpreted here.
 *
 *  What it does not stop: whoever can rewrite the whole file can make another valid one. Keep the
 *  head elsewhere (the node keeps it in a side file and may print it), or ship the lines away.
 */
#ifndef QK_CHAIN_H
#define QK_CHAIN_H

#include "qk/bytes.h"

enum { QK_CHAIN_LINE_MAX = 32768 }; /* bytes of one line, line end included */

/** Where a chain stands; all zero before the first entry. */
struct qk_chain_head {
    uint64_t seq;
    uint8_t hash[32];
};

/** Append the line of the next entry to out and move head on. QK_E_TOO_LARGE, QK_E_NOMEM; members
 *  empty or with a line end: QK_E_STATE. On failure head and out->len are unchanged. */
QK_MUST_USE qk_err qk_chain_append(
    struct qk_buf *out, struct qk_chain_head *head, uint64_t time_ms, struct qk_bytes members);

/** Check one line (without its line end) and what comes before it.
 *
 *  head   in: where the chain stood; out: where it stands after this line
 *  any    take whatever seq and prev the line claims (the first line of a rotated file)
 *  Returns QK_E_MALFORMED  not an entry
 *          QK_E_MISMATCH   seq or prev do not follow head: lines removed, moved or repeated
 *          QK_E_CORRUPT    its hash is wrong: the line was changed
 */
QK_MUST_USE qk_err qk_chain_check(struct qk_bytes line, bool any, struct qk_chain_head *head);

struct qk_chain_report {
    uint64_t n_lines;           /* good lines, from the first on */
    uint64_t good_bytes;        /* of the file, up to the end of the last good line */
    uint64_t bad_line;          /* 1-based number of the first broken line, 0: none */
    bool torn;                  /* the last line has no line end: a write was interrupted */
    struct qk_chain_head first; /* seq and prev-hash that the first line claims to follow */
    struct qk_chain_head last;
    bool saw_expected; /* the entry `expect` of qk_chain_verify_file is in the file */
    char why[160];     /* for people; empty when all is good */
};

/** Verify a file from its first line to its last.
 *
 *  start   where the chain stands before the file; NULL: take the first line's word
 *  expect  an entry that must be in the file (a remembered head); NULL: none. seq 0 is always seen
 *
 *  Returns  QK_OK          every line good; torn may still be set (bytes after good_bytes)
 *           QK_E_CORRUPT   report->bad_line and why say where and what; or expect is missing
 *           QK_E_NOT_FOUND, QK_E_IO
 */
QK_MUST_USE qk_err qk_chain_verify_file(const char *path, const struct qk_chain_head *start,
    const struct qk_chain_head *expect, struct qk_chain_report *report);

#endif
