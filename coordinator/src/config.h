/** Options of qkms-coordinator: one table feeds the parser, the sample file and docs (qk/conf.h).
 */
#ifndef COORD_CONFIG_H
#define COORD_CONFIG_H

#include "qk/conf.h"
#include "qk/log.h"

struct coord_config {
    /* who we are */
    char *cluster;       /* path of cluster.conf */
    char *identity_cert; /* a [coordinator] of the cluster */
    char *identity_key;
    /* where callers reach us */
    char *listen; /* "ADDRESS:PORT", several separated by spaces; "[v6]:port" */
    char *tls_cert;
    char *tls_key;
    bool plain;          /* HTTP without TLS on loopback addresses */
    bool metrics_public; /* /metrics for callers that are not on this machine */
    /* what we keep */
    char *store;
    uint64_t known_records; /* in memory */
    char *audit;
    char *pid_file;   /* "": none */
    char *ports_file; /* "": none; the bound ports, one a line: for port 0 in tests */
    /* how we run */
    char *log_level;
    uint64_t http_threads;
    uint64_t max_connections;
    uint64_t workers;
    uint64_t queue;
    uint64_t queue_ms;
    uint64_t node_calls;
    uint64_t drain_ms;
    /* rounds */
    uint64_t attempt_ms;
    uint64_t total_ms;
    uint64_t create_ms;
    uint64_t due_ms;

    enum qk_level level; /* of log_level */
};

extern const struct qk_opt coord_config_table[];
extern const size_t coord_config_n;

/** Read and cross-check. why: one line for people. QK_E_NOT_FOUND, QK_E_MALFORMED, QK_E_NOMEM. */
QK_MUST_USE qk_err coord_config_read(
    const char *path, struct coord_config *out, char *why, size_t why_len);
void coord_config_free(struct coord_config *config);

#endif
