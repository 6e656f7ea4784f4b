#include "config.h"

#include <stddef.h>
#include <stdlib.h>

#define AT(field) offsetof(struct node_config, field)
#define TEXT(n, preset, effect, danger)                                                            \
    {                                                                                              \
#n, QK_OPT_TEXT, "", preset, 0, 0, effect, danger, AT(n)                                   \
    }
#define FILE_PATH(n, preset, effect, danger)                                                       \
    {                                                                                              \
#n, QK_OPT_PATH, "", preset, 0, 0, effect, danger, AT(n)                                   \
    }
#define NUMBER(n, unit, preset, min, max, effect, danger)                                          \
    {                                                                                              \
#n, QK_OPT_NUMBER, unit, preset, min, max, effect, danger, AT(n)                           \
    }
#define BOOL(n, preset, effect, danger)                                                            \
    {                                                                                              \
#n, QK_OPT_BOOL, "", preset, 0, 0, effect, danger, AT(n)                                   \
    }

const struct qk_opt node_config_table[] = {
    FILE_PATH(cluster, NULL, "The cluster file, the same on every machine.", ""),
    NUMBER(node_id, "", NULL, 1, 255, "Which node of the cluster file this is.", ""),
    FILE_PATH(identity_cert, "identity.crt", "Certificate of this node's identity.", ""),
    FILE_PATH(identity_key, "identity.key",
        "Private key of this node's identity; readable by its user only.", ""),
    TEXT(listen, "", "URL to listen on for other nodes; empty: the address in the cluster file.",
        ""),
    TEXT(call_listen, "",
        "URL to listen on for coordinators; empty: the call_address in the cluster file.", ""),

    FILE_PATH(vault, "vault.db", "SQLite file with the sealed shares. Made by `qkms-node --init`.",
        "losing it loses this node's share of every key; copying an older one back brings "
        "destroyed "
        "shares back to life"),
    TEXT(node_key_source, "file",
        "Where the key that seals the vault comes from: file (32 raw bytes), passphrase (a private "
        "file that holds one), credential or credential-passphrase (the same from systemd's "
        "$CREDENTIALS_DIRECTORY), prompt (passphrase on standard input).",
        ""),
    TEXT(node_key, "node.key", "Path of the file, or name of the credential.",
        "whoever reads this and the vault has this node's shares: keep them on different media"),
    FILE_PATH(node_key_params, "node.params",
        "Public salt and Argon2id parameters, for the passphrase sources.",
        "without its salt a vault under a passphrase cannot be opened"),
    FILE_PATH(audit, "audit.log", "Hash-chained log of every decision.", ""),
    TEXT(audit_sync, "changes",
        "When the audit log is synced to disk: changes (before a change of state is acknowledged; "
        "the rest within a second) or all (before every answer).",
        "with changes, a power cut may lose the entries of the last second"),
    NUMBER(audit_rotate_mib, "MiB", "64", 0, 64,
        "Start a new audit file above this size; 0 never does.", ""),

    TEXT(log_level, "info", "Least level that is logged: debug, info, warn, error.", ""),
    TEXT(user, "", "Account to become when started as root; empty when started unprivileged.", ""),
    TEXT(seccomp, "kill",
        "What happens on a system call that is not on the daemon's list: kill, refuse, log, off.",
        "log and off leave a taken-over daemon every system call"),
    NUMBER(threads, "threads", "2", 1, 256, "Worker threads for cryptography.", ""),
    NUMBER(max_jobs, "jobs", "4096", 16, 1000000, "Jobs that may wait for a worker.", ""),

    NUMBER(max_sessions, "sessions", "1024", 1, 1024, "Protocol sessions open at once.", ""),
    NUMBER(max_sessions_per_peer, "sessions", "64", 1, 1024,
        "Of these, at most so many opened by one peer.", ""),
    NUMBER(session_timeout_ms, "ms", "3000", 100, 600000,
        "A session that uses a key ends after this time.", ""),
    NUMBER(promise_hold_ms, "ms", "30000", 1000, 3600000,
        "How long a promised record version stays reserved for the change it was promised to.",
        "too short, and two changes that race may both fail or the slower one be forked"),

    NUMBER(presign_per_key, "presignatures", "64", 0, 64,
        "ECDSA presignatures held in memory for each key and signer set; 0: none, sign in full.",
        ""),
    NUMBER(presign_total, "presignatures", "4096", 0, 1000000,
        "Presignatures held in memory for all keys.", ""),
    NUMBER(presign_age_ms, "ms", "900000", 1000, 900000,
        "A presignature older than this is wiped unused.", ""),
    NUMBER(known_records, "records", "0", 0, 100000000,
        "Certified records held in memory, of about 2 KiB; the others are read when used. 0: as "
        "many as an eighth of the machine's memory has room for.",
        ""),
    NUMBER(open_keys, "keys", "256", 16, 65536,
        "Signing keys held open in memory, with their pair setups; the others are opened when "
        "used.",
        ""),
    NUMBER(sym_keys, "versions", "0", 0, 10000000,
        "Versions of symmetric keys held open in memory, of about 4 KiB; the others are opened "
        "when "
        "used. 0: as many as an eighth of the machine's memory has room for.",
        ""),
    NUMBER(rand_kib, "KiB/s", "8192", 16, 1048576,
        "Random bytes contributed to one coordinator's pool.", ""),
    BOOL(allow_plain, "no",
        "Accept listeners without TLS (tcp://, ipc://). For tests on one machine only.",
        "anyone on the network can pose as a node or a coordinator"),
};
const size_t node_config_n = QK_COUNT(node_config_table);

static qk_err complain(char *why, size_t why_len, const char *path, const char *name,
    const char *value, const char *must)
{
    (void)snprintf(why, why_len, "%s: %s must be %s, not '%s'", path, name, must, value);
    return QK_E_MALFORMED;
}

static bool one_of(const char *value, const char *const *list, size_t n, size_t *index)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(value, list[i]) == 0) {
            *index = i;
            return true;
        }
    return false;
}

static qk_err parse_texts(const char *path, struct node_config *c, char *why, size_t why_len)
{
    static const char *const sources[] = {
        "file", "passphrase", "credential", "credential-passphrase", "prompt"};
    static const char *const syncs[] = {"changes", "all"};
    size_t i;
    if (qk_log_level_parse(c->log_level, &c->level) != QK_OK)
        return complain(
            why, why_len, path, "log_level", c->log_level, "debug, info, warn or error");
    if (node_seccomp_parse(c->seccomp, &c->seccomp_mode) != QK_OK)
        return complain(why, why_len, path, "seccomp", c->seccomp, "kill, refuse, log or off");
    if (!one_of(c->node_key_source, sources, QK_COUNT(sources), &i))
        return complain(why, why_len, path, "node_key_source", c->node_key_source,
            "file, passphrase, credential, credential-passphrase or prompt");
    if (!one_of(c->audit_sync, syncs, QK_COUNT(syncs), &i))
        return complain(why, why_len, path, "audit_sync", c->audit_sync, "changes or all");
    c->audit_sync_mode = i == 0 ? NODE_AUDIT_SYNC_CHANGES : NODE_AUDIT_SYNC_ALL;
    return QK_OK;
}

/* node_key is a path or a credential's name, so the table cannot resolve it. */
static qk_err resolve_node_key(const char *path, struct node_config *c)
{
    bool is_path =
        strcmp(c->node_key_source, "file") == 0 || strcmp(c->node_key_source, "passphrase") == 0;
    const char *slash = strrchr(path, '/');
    if (!is_path || c->node_key[0] == '/' || slash == NULL) return QK_OK;
    char *full = NULL;
    if (asprintf(&full, "%.*s/%s", (int)(slash - path), path, c->node_key) < 0) return QK_E_NOMEM;
    free(c->node_key);
    c->node_key = full;
    return QK_OK;
}

static bool is_plain(const char *url)
{
    return url[0] != 0 && strncmp(url, "tls+tcp://", 10) != 0;
}

static qk_err cross_check(const char *path, const struct node_config *c, char *why, size_t why_len)
{
    if (!c->allow_plain && is_plain(c->listen))
        return complain(why, why_len, path, "listen", c->listen, "a tls+tcp:// URL");
    if (!c->allow_plain && is_plain(c->call_listen))
        return complain(why, why_len, path, "call_listen", c->call_listen, "a tls+tcp:// URL");
    if (c->max_sessions_per_peer > c->max_sessions) {
        (void)snprintf(why, why_len, "%s: max_sessions_per_peer is above max_sessions", path);
        return QK_E_MALFORMED;
    }
    if (strcmp(c->vault, c->audit) == 0) {
        (void)snprintf(why, why_len, "%s: vault and audit name the same file", path);
        return QK_E_MALFORMED;
    }
    return QK_OK;
}

qk_err node_config_read(const char *path, struct node_config *out, char *why, size_t why_len)
{
    memset(out, 0, sizeof *out);
    QK_TRY(qk_conf_read(path, node_config_table, node_config_n, out, why, why_len));
    qk_err err = parse_texts(path, out, why, why_len);
    if (err == QK_OK) err = resolve_node_key(path, out);
    if (err == QK_OK) err = cross_check(path, out, why, why_len);
    if (err != QK_OK) node_config_free(out);
    if (out->known_records == 0) out->known_records = qk_conf_room(2048);
    if (out->sym_keys == 0) out->sym_keys = qk_conf_room(4096);
    return err;
}

void node_config_free(struct node_config *config)
{
    qk_conf_free(node_config_table, node_config_n, config);
}
