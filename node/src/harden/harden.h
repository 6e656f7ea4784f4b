/** What the daemon gives up before it touches the network.
 *
 *  Order in main(): node_harden_early, open files that only root can read, node_harden_user,
 *  node_harden_memory, unlock the node key, start threads, node_harden_syscalls (which reaches all
 *  threads). Each step can be used alone.
 */
#ifndef NODE_HARDEN_HARDEN_H
#define NODE_HARDEN_HARDEN_H

#include "qk/err.h"

/** qk_harden_process (no core dumps, not dumpable), no_new_privs, umask 077, no ambient
 *  capabilities. Idempotent. */
QK_MUST_USE qk_err node_harden_early(void);

/** If started as root, become user (its groups included) for good and check that there is no way
 *  back. Started otherwise: QK_OK if user is "" or names us, else QK_E_DENIED. As root with user ""
 *  QK_E_DENIED: the daemon does not run as root. QK_E_NOT_FOUND: no such user. */
QK_MUST_USE qk_err node_harden_user(const char *user, char *why, size_t why_len);

enum node_lock_result { NODE_LOCK_ALL, NODE_LOCK_SECRETS_ONLY };

/** Lock memory: everything (mlockall) where the limit allows it, otherwise secrets only
 *  (qk_locked_alloc), with a warning in the log that says what limit is needed.
 *  QK_E_DENIED: RLIMIT_MEMLOCK is below need_bytes, what locked secrets take at least. */
QK_MUST_USE qk_err node_harden_memory(
    uint64_t need_bytes, enum node_lock_result *result, char *why, size_t why_len);

enum node_seccomp_mode {
    NODE_SECCOMP_OFF,    /* nothing is filtered */
    NODE_SECCOMP_LOG,    /* the kernel logs what would be refused; for diagnosis */
    NODE_SECCOMP_REFUSE, /* EPERM, and a line in the kernel's log where it logs errno actions */
    NODE_SECCOMP_KILL,   /* SIGSYS ends the process: a missed call is seen at once */
};

/** "off", "log", "refuse", "kill". */
QK_MUST_USE qk_err node_seccomp_parse(const char *text, enum node_seccomp_mode *out);

/** Allow what NNG, SQLite, OpenSSL and threads need, in every thread of the process; the rest is
 *  handled by mode: starting programs, forking, tracing, mounting, changing identity, loading
 *  modules. A few harmless calls that libraries try and do without, and making memory executable,
 *  are refused with an error under KILL too. Needs no_new_privs (node_harden_early).
 *  QK_E_IO: the kernel refused the filter. */
QK_MUST_USE qk_err node_harden_syscalls(enum node_seccomp_mode mode);

#endif
