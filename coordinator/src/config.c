#include "config.h"

#include <stddef.h>

#define AT(field) offsetof(struct coord_config, field)
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

const struct qk_opt coord_config_table[] = {
    FILE_PATH(cluster, NULL, "The cluster file, the same on every machine.", ""),
    FILE_PATH(identity_cert, "identity.crt",
        "Certificate of this coordinator's identity, one of the [coordinator] sections.", ""),
    FILE_PATH(identity_key, "identity.key",
        "Private key of this coordinator's identity; readable by its user only.",
        "whoever has it can make nodes work on requests, but cannot make up requests"),

    TEXT(listen, "127.0.0.1:7700",
        "Addresses for callers, numeric, separated by spaces: 0.0.0.0:443 [::]:443.", ""),
    FILE_PATH(tls_cert, "", "Certificate chain (PEM) of the HTTPS front, leaf first.", ""),
    FILE_PATH(tls_key, "", "Private key (PEM) of the HTTPS front; readable by its user only.", ""),
    BOOL(plain, "no", "Serve HTTP without TLS; loopback addresses only.",
        "requests and answers can be read by whoever can watch this machine's loopback"),
    BOOL(metrics_public, "no", "Answer /metrics to callers that are not on this machine.",
        "tells everyone which operations run how often"),

    FILE_PATH(store, "store.db",
        "SQLite file with the certified records. Can be rebuilt from the nodes.", ""),
    NUMBER(known_records, "records", "0", 0, 100000000,
        "Certified records held decoded in memory, of up to 4 KiB; the others are read when used. "
        "0: as many as an eighth of the machine's memory has room for.",
        ""),
    FILE_PATH(audit, "audit.json", "Audit events, one JSON object a line, appended.", ""),
    FILE_PATH(pid_file, "", "Write the process id here once ready; empty: nowhere.", ""),
    FILE_PATH(ports_file, "",
        "Write the bound ports here once ready, one a line; empty: nowhere. For port 0.", ""),

    TEXT(log_level, "info", "debug, info, warn or error.", ""),
    NUMBER(http_threads, "", "1", 1, 64, "Threads of the HTTP front.", ""),
    NUMBER(max_connections, "", "4096", 1, 1000000, "Open connections of callers.", ""),
    NUMBER(workers, "", "64", 1, 1024,
        "Threads for operations that wait: online signatures, changes, second attempts.", ""),
    NUMBER(queue, "", "256", 1, 65536,
        "Operations in the house beyond those; at more, callers are told to slow down.", ""),
    NUMBER(queue_ms, "ms", "5000", 100, 60000,
        "An operation that waited longer is turned away: its caller may have given up.", ""),
    NUMBER(node_calls, "", "64", 1, 1024, "Calls in flight to one node.", ""),
    NUMBER(drain_ms, "ms", "20000", 0, 600000, "Time for operations in work at shutdown.", ""),

    NUMBER(attempt_ms, "ms", "4000", 100, 60000, "Time for one set of nodes to answer.", ""),
    NUMBER(total_ms, "ms", "10000", 100, 120000, "Time for all attempts of an operation.", ""),
    NUMBER(create_ms, "ms", "9000", 1000, 600000,
        "Time for all attempts to make a key; six times that for the ceremony.", ""),
    NUMBER(due_ms, "ms", "10000", 100, 3600000,
        "Time between looks for what is due: deletions, rotations, expiries.", ""),
};
const size_t coord_config_n = QK_COUNT(coord_config_table);

static qk_err cross_check(struct coord_config *c, char *why, size_t why_len)
{
    if (qk_log_level_parse(c->log_level, &c->level) != QK_OK) {
        (void)snprintf(why, why_len, "log_level must be debug, info, warn or error");
        return QK_E_MALFORMED;
    }
    bool tls = c->tls_cert[0] != 0 && c->tls_key[0] != 0;
    if (!c->plain && !tls) {
        (void)snprintf(why, why_len, "tls_cert and tls_key are needed unless plain = yes");
        return QK_E_MALFORMED;
    }
    return QK_OK;
}

qk_err coord_config_read(const char *path, struct coord_config *out, char *why, size_t why_len)
{
    QK_TRY(qk_conf_read(path, coord_config_table, coord_config_n, out, why, why_len));
    qk_err err = cross_check(out, why, why_len);
    if (out->known_records == 0) out->known_records = qk_conf_room(4096);
    if (err != QK_OK) coord_config_free(out);
    return err;
}

void coord_config_free(struct coord_config *config)
{
    qk_conf_free(coord_config_table, coord_config_n, config);
}
