/** cluster.conf: who belongs to a cluster. Public, the same file on every machine.
 *
 *      [cluster]
 *      name = example
 *      id = 00112233445566778899aabbccddeeff      32 hexadecimal digits
 *      account = 123456789012                     12 digits
 *      region = eu-central-1
 *      threshold = 2                              t; 2 <= t <= n
 *
 *      [node 1]                                   1..255, ascending, 2..32 of them
 *      address = tls+tcp://node1.example:7701     where the node listens for the other nodes
 *      call_address = tls+tcp://node1.example:7702    where it listens for coordinators
 *      certificate = MIIB...                      DER in base64, one line
 *
 *      [coordinator alpha]                        0..16
 *      certificate = MIIB...
 *
 *      [operator alice]                           0..16
 *      key = MFkw...                              P-256 SPKI DER in base64
 *
 *  Sections stand in this order. Every name is required, once; nothing else may appear. No two
 *  parties share a key, no two listeners an address. Strict because the hash of this file is
 *  bound into every session: two readings of one file must not exist.
 *
 *  Hash: SHA-256 over the fields, each as u32 length || bytes, in this order:
 *      "qkms-cluster-v1", name, id (16 bytes), account, region, u8 t,
 *      u8 number of nodes, and for each: u8 id, address, call_address, certificate (DER),
 *      u8 number of coordinators, and for each: name, certificate (DER),
 *      u8 number of operators, and for each: name, key (SPKI DER).
 *  Comments and spacing do not count; everything else does.
 */
#ifndef WIRE_CLUSTER_H
#define WIRE_CLUSTER_H

#include "wire/seen.h"

enum {
    WIRE_NODES_MAX = 32,
    WIRE_MEMBERS_MAX = 16, /* coordinators; operators */
    WIRE_ADDRESS_MAX = 120,
    WIRE_REGION_MAX = 32,
    WIRE_CLUSTER_FILE_MAX = 256 * 1024, /* bytes of the file */
    WIRE_CLUSTER_SEEN = 4096,           /* signatures of nodes that are kept (wire/seen.h) */
};

struct wire_node {
    uint16_t id;                             /* 1..255 */
    char address[WIRE_ADDRESS_MAX + 1];      /* mesh listener (wire/mesh.h) */
    char call_address[WIRE_ADDRESS_MAX + 1]; /* call listener (wire/call.h) */
    struct qk_bytes cert;                    /* DER; owned by the cluster */
    struct wire_key *key; /* owned by the cluster; wire_key_spki gives idh's input */
};

struct wire_coordinator {
    char name[WIRE_NAME_MAX + 1];
    struct qk_bytes cert;
    struct wire_key *key;
};

struct wire_operator {
    char name[WIRE_NAME_MAX + 1];
    struct wire_key *key;
};

/** Read-only after parsing: share it between threads, free it last. */
struct wire_cluster {
    char name[WIRE_NAME_MAX + 1];
    uint8_t id[16];
    char account[13];
    char region[WIRE_REGION_MAX + 1];
    uint16_t t;
    size_t n;
    struct wire_node nodes[WIRE_NODES_MAX]; /* ascending by id */
    size_t n_coordinators;
    struct wire_coordinator coordinators[WIRE_MEMBERS_MAX];
    size_t n_operators;
    struct wire_operator operators[WIRE_MEMBERS_MAX];
    uint8_t hash[32];
    struct wire_seen *seen; /* of nodes' signatures on records */
};

/** Parse the text of a cluster.conf. QK_E_MALFORMED with a message for people in why (line number
 *  first where there is one). why_len >= 1; 256 is plenty. */
QK_MUST_USE qk_err wire_cluster_parse(
    struct wire_cluster **out, struct qk_bytes text, char *why, size_t why_len);
/** The same from a file; also QK_E_NOT_FOUND, QK_E_IO, QK_E_TOO_LARGE. */
QK_MUST_USE qk_err wire_cluster_read(
    struct wire_cluster **out, const char *path, char *why, size_t why_len);
/** NULL is allowed. */
void wire_cluster_free(struct wire_cluster *cluster);

/** NULL when there is none. */
const struct wire_node *wire_cluster_node(const struct wire_cluster *cluster, uint16_t id);
const struct wire_coordinator *wire_cluster_coordinator(
    const struct wire_cluster *cluster, const char *name);
const struct wire_operator *wire_cluster_operator(
    const struct wire_cluster *cluster, const char *name);
/** A framed signature of that node over msg, as wire_seen_verify. Also QK_E_NOT_FOUND: no such
 * node.
 */
QK_MUST_USE qk_err wire_cluster_verify(
    const struct wire_cluster *cluster, uint16_t node, struct qk_bytes msg, struct qk_bytes sig);
/** q: how many nodes must sign a record to make it true. t shares use a key; q signatures decide.
 *
 *      q = max(t, n - t + 1)        2 of 3: 2    2 of 4: 3    3 of 5: 3    2 of 5: 4
 *
 *  q + t > n: whoever acts with t nodes meets one that signed the newest version of every record.
 *  2q > n:    no two sets of q honest nodes, so no two certified versions of one record.
 *  docs/architecture.md, "What needs t, what needs q". */
size_t wire_cluster_quorum(const struct wire_cluster *cluster);
/** The node whose certificate is exactly cert, or NULL. */
const struct wire_node *wire_cluster_node_by_cert(
    const struct wire_cluster *cluster, struct qk_bytes cert);

/** Append one section of the file each, for tools that make one: first wire_cluster_put, then
 *  nodes ascending, coordinators, operators. Errors collect in out->err; the rules above are
 *  checked by wire_cluster_parse, so parse what was written before using it. */
void wire_cluster_put(struct qk_buf *out, const char *name, const uint8_t id[static 16],
    const char *account, const char *region, uint16_t t);
void wire_cluster_put_node(struct qk_buf *out, uint16_t id, const char *address,
    const char *call_address, struct qk_bytes cert);
void wire_cluster_put_coordinator(struct qk_buf *out, const char *name, struct qk_bytes cert);
void wire_cluster_put_operator(struct qk_buf *out, const char *name, struct qk_bytes spki);
/** A whole cluster as text; parsing it gives the same hash. */
void wire_cluster_print(struct qk_buf *out, const struct wire_cluster *cluster);

#endif
