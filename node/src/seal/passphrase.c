#include "seal/keysource.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <sodium.h>
#include "qk/file.h"

#define FORMAT "qkms-passphrase-v1"

enum {
    PARAMS_MAX = 256,
    KIB_MIN = 8,
    KIB_MAX = 4 * 1024 * 1024,
    OPS_MAX = 1000,
};

struct params {
    uint64_t kib;
    uint64_t ops;
    uint8_t salt[crypto_pwhash_SALTBYTES]; /* 16 */
};

struct passphrase_source {
    struct node_keysource base;
    char *secret_path; /* NULL: read fd */
    char *params_path;
    int fd;
};

static bool in_bounds(uint64_t kib, uint64_t ops)
{
    return kib >= KIB_MIN && kib <= KIB_MAX && ops >= 1 && ops <= OPS_MAX;
}

qk_err node_passphrase_params_create(
    const char *params_path, uint64_t kib, uint64_t ops, struct qk_rng *rng)
{
    struct params p = {kib ? kib : NODE_PASSPHRASE_KIB, ops ? ops : NODE_PASSPHRASE_OPS, {0}};
    QK_ENSURE(in_bounds(p.kib, p.ops), QK_E_STATE);
    struct stat st;
    QK_ENSURE(lstat(params_path, &st) != 0 && errno == ENOENT, QK_E_CONFLICT);
    QK_TRY(qk_rng_fill(rng, p.salt, sizeof p.salt));
    char hex[2 * sizeof p.salt + 1];
    qk_hex(p.salt, sizeof p.salt, hex);
    QK_AUTO_BUF text = QK_BUF(PARAMS_MAX);
    qk_buf_printf(&text, FORMAT " ops=%" PRIu64 " kib=%" PRIu64 " salt=%s\n", p.ops, p.kib, hex);
    QK_ENSURE(text.err == QK_OK, text.err);
    return qk_file_write(params_path, qk_buf_view(&text), 0644);
}

/* Reads what node_passphrase_params_create writes, and nothing else: the line is written again
 * from the values read and must come out the same. */
static qk_err params_read(const char *path, struct params *p)
{
    QK_AUTO_BUF text = QK_BUF(PARAMS_MAX);
    qk_err err = qk_file_read(path, &text);
    if (err == QK_E_TOO_LARGE) err = QK_E_CORRUPT;
    QK_TRY(err);
    const char *line = qk_buf_cstr(&text);
    QK_ENSURE(line != NULL, QK_E_CORRUPT);
    char hex[2 * sizeof p->salt + 1];
    QK_ENSURE(sscanf(line, FORMAT " ops=%" SCNu64 " kib=%" SCNu64 " salt=%32[0-9a-f]", &p->ops,
                  &p->kib, hex) == 3,
        QK_E_CORRUPT);
    char again[PARAMS_MAX];
    (void)snprintf(again, sizeof again, FORMAT " ops=%" PRIu64 " kib=%" PRIu64 " salt=%s\n", p->ops,
        p->kib, hex);
    QK_ENSURE(strcmp(again, line) == 0, QK_E_CORRUPT);
    QK_ENSURE(in_bounds(p->kib, p->ops), QK_E_CORRUPT);
    return qk_unhex(qk_str(hex), p->salt, sizeof p->salt) == QK_OK ? QK_OK : QK_E_CORRUPT;
}

/* One byte a read, so that nothing behind the line is swallowed. */
static qk_err read_line(int fd, struct qk_buf *out)
{
    for (;;) {
        uint8_t c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR) continue;
        QK_ENSURE(n >= 0, QK_E_IO);
        if (n == 0 || c == '\n') return out->err;
        qk_buf_add_u8(out, c);
        qk_wipe(&c, 1);
        if (out->err != QK_OK) return out->err;
    }
}

static qk_err read_prompt(int fd, struct qk_buf *out)
{
    struct termios old, quiet;
    bool tty = tcgetattr(fd, &old) == 0;
    if (tty) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)fputs("passphrase of the node key: ", stderr);
        QK_ENSURE(tcsetattr(fd, TCSAFLUSH, &quiet) == 0, QK_E_IO);
    }
    qk_err err = read_line(fd, out);
    if (tty) {
        (void)tcsetattr(fd, TCSAFLUSH, &old);
        (void)fputs("\n", stderr);
    }
    return err;
}

static qk_err read_passphrase(const struct passphrase_source *s, struct qk_buf *out)
{
    qk_err err =
        s->secret_path != NULL ? qk_file_read_secret(s->secret_path, out) : read_prompt(s->fd, out);
    if (err == QK_E_TOO_LARGE) err = QK_E_MALFORMED;
    QK_TRY(err);
    if (out->len > 0 && out->p[out->len - 1] == '\n') out->len--;
    if (out->len > 0 && out->p[out->len - 1] == '\r') out->len--;
    QK_ENSURE(out->len >= NODE_PASSPHRASE_MIN && out->len <= NODE_PASSPHRASE_MAX, QK_E_MALFORMED);
    return QK_OK;
}

static qk_err passphrase_unlock(struct node_keysource *self, struct qk_sec32 *key)
{
    const struct passphrase_source *s = (const struct passphrase_source *)self;
    struct params p;
    QK_ENSURE(sodium_init() >= 0, QK_E_RNG);
    QK_TRY(params_read(s->params_path, &p));
    QK_AUTO_BUF phrase = QK_BUF_SECRET(NODE_PASSPHRASE_MAX + 2);
    QK_TRY(read_passphrase(s, &phrase));
    int failed = crypto_pwhash(key->b, sizeof key->b, (const char *)phrase.p, phrase.len, p.salt,
        p.ops, (size_t)p.kib * 1024, crypto_pwhash_ALG_ARGON2ID13);
    if (failed) qk_wipe(key->b, sizeof key->b);
    return failed ? QK_E_NOMEM : QK_OK;
}

static void passphrase_free(struct node_keysource *self)
{
    struct passphrase_source *s = (struct passphrase_source *)self;
    free(s->secret_path);
    free(s->params_path);
    free(s);
}

qk_err node_keysource_passphrase(
    struct node_keysource **out, const char *secret_path, int fd, const char *params_path)
{
    struct passphrase_source *s = calloc(1, sizeof *s);
    QK_ENSURE(s != NULL, QK_E_NOMEM);
    s->base = (struct node_keysource){passphrase_unlock, passphrase_free};
    s->fd = fd;
    s->secret_path = secret_path == NULL ? NULL : strdup(secret_path);
    s->params_path = strdup(params_path);
    if ((secret_path != NULL && s->secret_path == NULL) || s->params_path == NULL) {
        passphrase_free(&s->base);
        return QK_E_NOMEM;
    }
    *out = &s->base;
    return QK_OK;
}
