/** Options of qkms-node: one table feeds the parser, the sample file and docs (qk/conf.h). */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include "qk/conf.h"
#include "qk/log.h"
#include "audit/audit.h"
#include "harden/harden.h"

struct node_config {
    /* who we are */
    char *cluster;       /* path of cluster.conf */
    uint64_t node_id;    /* 1..255 */
    char *identity_cert; /* certificate of our identity */
    char *identity_key;  /* its private key file */
    char *listen;        /* mesh listener URL; "": our address in cluster.conf */
    char *call_listen;   /* call listener URL; "": our call_address in cluster.conf */
    /* what we keep */
    char *vault; /* SQLite file */
    char *
        node_key_source; /* "file", "passphrase", "credential", "credential-passphrase", "prompt" */
    char *node_key;      /* path or credential name */
    char *node_key_params;     /* Argon2id parameter file; for passphrases */
    char *audit;               /* audit log */
    char *audit_sync;          /* "changes" or "all" */
    uint64_t audit_rotate_mib; /* 0: never */
    /* how we run */
    char *log_level;
    char *user;        /* account to become when started as root; "": none */
    char *seccomp;     /* "off", "log", "refuse", "kill" */
    uint64_t threads;  /* workers */
    uint64_t max_jobs; /* jobs that may wait */
    /* sessions */
    uint64_t max_sessions;
    uint64_t max_sessions_per_peer;
    uint64_t session_timeout_ms;
    uint64_t promise_hold_ms;
    /* presignature pool */
    uint64_t presign_per_key; /* 0: no pool */
    uint64_t presign_total;
    uint64_t presign_age_ms;
    /* what stays in memory */
    uint64_t known_records;
    uint64_t open_keys;
    /* symmetric keys */
    uint64_t sym_keys;
    uint64_t rand_kib; /* a second and coordinator */
    bool allow_plain;  /* tcp:// and ipc:// listeners: tests on one machine only */

    /* parsed from the texts above by node_config_read */
    enum qk_level level;
    enum node_seccomp_mode seccomp_mode;
    enum node_audit_sync audit_sync_mode;
};

extern const struct qk_opt node_config_table[];
extern const size_t node_config_n;

/** Read and cross-check. why: one line for people. QK_E_NOT_FOUND, QK_E_MALFORMED, QK_E_NOMEM. */
QK_MUST_USE qk_err node_config_read(
    const char *path, struct node_config *out, char *why, size_t why_len);
void node_config_free(struct node_config *config);

#endif
