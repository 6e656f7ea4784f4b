#include "harden/harden.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "qk/log.h"
#include "qk/secret.h"

qk_err node_harden_early(void)
{
    QK_TRY(qk_harden_process());
    (void)umask(077);
    QK_ENSURE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, QK_E_IO);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* absent before Linux 4.3 */
    return QK_OK;
}

static qk_err find_user(const char *user, uid_t *uid, gid_t *gid, char *why, size_t why_len)
{
    char strings[4096];
    struct passwd entry, *found = NULL;
    int rc = getpwnam_r(user, &entry, strings, sizeof strings, &found);
    if (rc != 0 || found == NULL) {
        (void)snprintf(why, why_len, "there is no user '%s'", user);
        return rc != 0 && rc != ENOENT ? QK_E_IO : QK_E_NOT_FOUND;
    }
    *uid = found->pw_uid;
    *gid = found->pw_gid;
    return QK_OK;
}

/* Groups first: without root there is no right to change them. */
static qk_err become(const char *user, uid_t uid, gid_t gid)
{
    QK_ENSURE(initgroups(user, gid) == 0, QK_E_DENIED);
    QK_ENSURE(setresgid(gid, gid, gid) == 0, QK_E_DENIED);
    QK_ENSURE(setresuid(uid, uid, uid) == 0, QK_E_DENIED);
    QK_ENSURE(setuid(0) != 0 && seteuid(0) != 0, QK_E_DENIED); /* no way back */
    /* A change of identity resets this. */
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? QK_OK : QK_E_IO;
}

qk_err node_harden_user(const char *user, char *why, size_t why_len)
{
    uid_t uid;
    gid_t gid;
    why[0] = 0;
    if (user[0] == 0) {
        if (geteuid() != 0) return QK_OK;
        (void)snprintf(why, why_len, "refusing to run as root: set the option user");
        return QK_E_DENIED;
    }
    QK_TRY(find_user(user, &uid, &gid, why, why_len));
    if (uid == 0) {
        (void)snprintf(why, why_len, "user '%s' is root", user);
        return QK_E_DENIED;
    }
    if (geteuid() == uid && getuid() == uid) return QK_OK;
    if (geteuid() != 0) {
        (void)snprintf(
            why, why_len, "started as uid %u, cannot become '%s'", (unsigned)geteuid(), user);
        return QK_E_DENIED;
    }
    qk_err err = become(user, uid, gid);
    if (err != QK_OK) (void)snprintf(why, why_len, "cannot become '%s'", user);
    return err;
}

qk_err node_harden_memory(
    uint64_t need_bytes, enum node_lock_result *result, char *why, size_t why_len)
{
    struct rlimit limit;
    why[0] = 0;
    QK_ENSURE(getrlimit(RLIMIT_MEMLOCK, &limit) == 0, QK_E_IO);
    if (limit.rlim_cur < limit.rlim_max) { /* take what may be had */
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_MEMLOCK, &limit);
        QK_ENSURE(getrlimit(RLIMIT_MEMLOCK, &limit) == 0, QK_E_IO);
    }
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < need_bytes) {
        (void)snprintf(why, why_len,
            "RLIMIT_MEMLOCK is %" PRIu64 " bytes, at least %" PRIu64
            " are needed (LimitMEMLOCK= in the unit, or ulimit -l)",
            (uint64_t)limit.rlim_cur, need_bytes);
        return QK_E_DENIED;
    }
    /* With a finite limit mlockall would succeed now and make a later mmap fail: a thread's stack,
     * say. All or secrets only. */
    *result = NODE_LOCK_SECRETS_ONLY;
    if (limit.rlim_cur == RLIM_INFINITY && mlockall(MCL_CURRENT | MCL_FUTURE) == 0) {
        *result = NODE_LOCK_ALL;
        return QK_OK;
    }
    qk_log(QK_WARN, "harden.memory-not-locked",
        QK_F_STR("effect", "stored secrets are locked, working copies may be swapped out"),
        QK_F_STR("remedy", "LimitMEMLOCK=infinity, or no swap"));
    return QK_OK;
}
