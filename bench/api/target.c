#include "api/target.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <stdio.h>
#include "common/stream.h"
#include "common/tell.h"
#include "qk/file.h"

enum { ENV_FILE_MAX = 16384 };

/* Copy a setting into its field. */
static qk_err put(char *field, size_t size, const char *name, struct qk_bytes v)
{
    if (v.len == 0 || v.len >= size || memchr(v.p, 0, v.len)) {
        bench_error("%s is empty or longer than %zu characters", name, size - 1);
        return QK_E_MALFORMED;
    }
    memcpy(field, v.p, v.len);
    field[v.len] = '\0';
    return QK_OK;
}

/* ---- the env file ---- */

/* The value of `export NAME=value` (or NAME=value) in one line. */
static bool line_value(struct qk_bytes line, const char *name, struct qk_bytes *out)
{
    static const char export[] = "export ";
    size_t skip = sizeof export - 1, name_len = strlen(name);
    if (line.len > skip && memcmp(line.p, export, skip) == 0)
        line = qk_bytes(line.p + skip, line.len - skip);
    if (line.len <= name_len || memcmp(line.p, name, name_len) != 0 || line.p[name_len] != '=')
        return false;
    struct qk_bytes v = qk_bytes(line.p + name_len + 1, line.len - name_len - 1);
    if (v.len >= 2 && (v.p[0] == '"' || v.p[0] == '\'') && v.p[v.len - 1] == v.p[0])
        v = qk_bytes(v.p + 1, v.len - 2);
    *out = v;
    return true;
}

/* The last assignment counts, as in a shell. */
static bool file_value(struct qk_bytes file, const char *name, struct qk_bytes *out)
{
    bool found = false;
    for (size_t at = 0; at < file.len;) {
        const uint8_t *nl = memchr(file.p + at, '\n', file.len - at);
        size_t end = nl ? (size_t)(nl - file.p) : file.len;
        found |= line_value(qk_bytes(file.p + at, end - at), name, out);
        at = end + 1;
    }
    return found;
}

/* From the file, else from the environment; the first of the names that is set. */
static bool setting(struct qk_bytes file, const char *const names[2], struct qk_bytes *out)
{
    for (size_t i = 0; i < 2; i++)
        if (names[i] && file_value(file, names[i], out) && out->len > 0) return true;
    for (size_t i = 0; i < 2; i++) {
        const char *v = names[i] ? getenv(names[i]) : NULL;
        if (!v || !*v) continue;
        *out = qk_str(v);
        return true;
    }
    return false;
}

static qk_err need(
    struct qk_bytes file, const char *first, const char *second, char *field, size_t size)
{
    struct qk_bytes v;
    const char *const names[2] = {first, second};
    if (!setting(file, names, &v)) {
        bench_error("%s is not set; give --env-file build/local/client.env", first);
        return QK_E_NOT_FOUND;
    }
    return put(field, size, first, v);
}

/* ---- the endpoint ---- */

static qk_err bad_url(const char *url)
{
    bench_error("endpoint \"%s\" is not http(s)://host[:port]", url);
    return QK_E_MALFORMED;
}

/* "host", "host:port", "[v6]:port" into host and port. */
static qk_err split_authority(struct bench_target *t, const char *url)
{
    const char *a = t->authority, *colon, *end;
    bool v6 = a[0] == '[';
    end = v6 ? strchr(a, ']') : a + strcspn(a, ":");
    if (!end || end == a + v6) return bad_url(url);
    QK_TRY(put(t->host, sizeof t->host, "host", qk_bytes(a + v6, (size_t)(end - a) - v6)));
    colon = end + v6;
    if (*colon == '\0') {
        strcpy(t->port, t->tls ? "443" : "80");
        return QK_OK;
    }
    if (*colon != ':' || strspn(colon + 1, "0123456789") != strlen(colon + 1)) return bad_url(url);
    return put(t->port, sizeof t->port, "port", qk_str(colon + 1));
}

static qk_err parse_url(struct bench_target *t, const char *url)
{
    t->tls = strncmp(url, "https://", 8) == 0;
    if (!t->tls && strncmp(url, "http://", 7) != 0) return bad_url(url);
    const char *a = url + (t->tls ? 8 : 7);
    size_t len = strcspn(a, "/");
    if (a[len] == '/' && a[len + 1] != '\0') return bad_url(url);
    if (memchr(a, '@', len) || memchr(a, '?', len)) return bad_url(url);
    QK_TRY(put(t->authority, sizeof t->authority, "endpoint", qk_bytes(a, len)));
    return split_authority(t, url);
}

static bool is_loopback(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
        return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
    return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static qk_err resolve(struct bench_target *t, bool allow_remote)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int bad = getaddrinfo(t->host, t->port, &hints, &list);
    if (bad) {
        bench_error("cannot resolve %s: %s", t->host, gai_strerror(bad));
        return QK_E_NOT_FOUND;
    }
    bool local = true;
    for (struct addrinfo *a = list; a; a = a->ai_next) local &= is_loopback(a->ai_addr);
    memcpy(&t->addr, list->ai_addr, list->ai_addrlen);
    t->addr_len = list->ai_addrlen;
    freeaddrinfo(list);
    if (local || allow_remote) return QK_OK;
    bench_error("%s is not on loopback; --allow-remote if you may load it", t->host);
    return QK_E_DENIED;
}

qk_err bench_target_client_tls(SSL_CTX **out)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    QK_ENSURE(ctx != NULL, QK_E_CRYPTO);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    bench_stream_tune(ctx);
    *out = ctx;
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 ? QK_OK : QK_E_CRYPTO;
}

static qk_err make_tls(struct bench_target *t)
{
    QK_TRY(bench_target_client_tls(&t->ctx));
    if (SSL_CTX_load_verify_file(t->ctx, t->ca) == 1) return QK_OK;
    bench_error("AWS_CA_BUNDLE: no certificate can be read from %s", t->ca);
    return QK_E_IO;
}

static qk_err read_settings(struct bench_target *t, struct qk_bytes file)
{
    char url[512];
    QK_TRY(need(file, "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL", url, sizeof url));
    QK_TRY(parse_url(t, url));
    QK_TRY(need(file, "AWS_REGION", "AWS_DEFAULT_REGION", t->region, sizeof t->region));
    QK_TRY(need(file, "AWS_ACCESS_KEY_ID", NULL, t->access_key_id, sizeof t->access_key_id));
    QK_TRY(need(file, "AWS_SECRET_ACCESS_KEY", NULL, t->secret, sizeof t->secret));
    return t->tls ? need(file, "AWS_CA_BUNDLE", NULL, t->ca, sizeof t->ca) : QK_OK;
}

qk_err bench_target_init(struct bench_target *t, const char *env_file, bool allow_remote)
{
    QK_AUTO_BUF file = QK_BUF_SECRET(ENV_FILE_MAX);
    memset(t, 0, sizeof *t);
    if (env_file) {
        qk_err err = qk_file_read_secret(env_file, &file);
        if (err != QK_OK) bench_error("cannot read %s: %s", env_file, qk_err_name(err));
        QK_TRY(err);
    }
    QK_TRY(read_settings(t, qk_buf_view(&file)));
    QK_TRY(resolve(t, allow_remote));
    return t->tls ? make_tls(t) : QK_OK;
}

void bench_target_wipe(struct bench_target *t)
{
    SSL_CTX_free(t->ctx);
    t->ctx = NULL;
    qk_wipe(t->secret, sizeof t->secret);
}
