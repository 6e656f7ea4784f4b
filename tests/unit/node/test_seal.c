#include "qktest/qktest.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "qk/file.h"
#include "vaultbox.h"

static struct node_seal_scope scope_of(void)
{
    return (struct node_seal_scope){.purpose = NODE_SEAL_SHARE,
        .key_id = {1},
        .epoch = 7,
        .party = 1,
        .peer = 2,
        .cls = 1,
        .id = {3},
        .record = {4}};
}

QK_TEST(seal, opens_what_it_closed)
{
    struct vaultbox box;
    struct node_seal_scope scope = scope_of();
    vaultbox_make(&box);
    static const size_t lens[] = {0, 1, 32, 33, 4096, 1 << 20};
    for (size_t i = 0; i < QK_COUNT(lens); i++) {
        QK_AUTO_BUF plain = QK_BUF(NODE_SEAL_PLAIN_MAX);
        QK_AUTO_BUF blob = QK_BUF(NODE_SEAL_PLAIN_MAX + NODE_SEAL_OVERHEAD);
        QK_AUTO_BUF out = QK_BUF_SECRET(NODE_SEAL_PLAIN_MAX);
        if (lens[i] > 0) memset(qk_buf_extend(&plain, lens[i]), 0xab, lens[i]);
        qk_assert_ok(node_seal_close(box.seal, &scope, qk_buf_view(&plain), &blob));
        cr_assert_eq(blob.len, lens[i] + NODE_SEAL_OVERHEAD);
        qk_assert_ok(node_seal_open(box.seal, &scope, qk_buf_view(&blob), &out));
        cr_assert(qk_bytes_eq(qk_buf_view(&out), qk_buf_view(&plain)));
    }
    vaultbox_end(&box);
}

QK_TEST(seal, never_makes_the_same_blob_twice)
{
    struct vaultbox box;
    struct node_seal_scope scope = scope_of();
    vaultbox_make(&box);
    QK_AUTO_BUF a = QK_BUF(200);
    QK_AUTO_BUF b = QK_BUF(200);
    qk_assert_ok(node_seal_close(box.seal, &scope, qk_str("the same text"), &a));
    qk_assert_ok(node_seal_close(box.seal, &scope, qk_str("the same text"), &b));
    cr_assert(memcmp(a.p + 1, b.p + 1, 32) != 0, "the salt repeats");
    cr_assert(memcmp(a.p + 33, b.p + 33, 13) != 0, "the ciphertext repeats");
    vaultbox_end(&box);
}

static void bend_purpose(struct node_seal_scope *s)
{
    s->purpose = NODE_SEAL_SETUP;
}
static void bend_key(struct node_seal_scope *s)
{
    s->key_id[15] = 1;
}
static void bend_epoch(struct node_seal_scope *s)
{
    s->epoch++;
}
static void bend_party(struct node_seal_scope *s)
{
    s->party++;
}
static void bend_peer(struct node_seal_scope *s)
{
    s->peer++;
}
static void bend_class(struct node_seal_scope *s)
{
    s->cls++;
}
static void bend_id(struct node_seal_scope *s)
{
    s->id[31] = 1;
}
static void bend_record(struct node_seal_scope *s)
{
    s->record[0] = 0;
}

QK_TEST(seal, E_3_opens_for_its_own_scope_only)
{
    static const struct {
        const char *what;
        void (*bend)(struct node_seal_scope *);
    } bent[] = {{"purpose", bend_purpose}, {"key", bend_key}, {"epoch", bend_epoch},
        {"party", bend_party}, {"peer", bend_peer}, {"class", bend_class}, {"id", bend_id},
        {"record", bend_record}};
    struct vaultbox box;
    struct node_seal_scope scope = scope_of();
    vaultbox_make(&box);
    QK_AUTO_BUF blob = QK_BUF(200);
    QK_AUTO_BUF out = QK_BUF_SECRET(200);
    qk_assert_ok(node_seal_close(box.seal, &scope, qk_str("secret"), &blob));
    for (size_t i = 0; i < QK_COUNT(bent); i++) {
        struct node_seal_scope other = scope;
        bent[i].bend(&other);
        qk_err err = node_seal_open(box.seal, &other, qk_buf_view(&blob), &out);
        cr_expect_eq(err, QK_E_CORRUPT, "E-3: opens for another %s", bent[i].what);
        cr_expect_eq(out.len, 0);
    }
    struct node_seal *node2 = vaultbox_seal(&box, 0x42, 2);
    struct node_seal *key2 = vaultbox_seal(&box, 0x41, 1);
    qk_assert_err(node_seal_open(node2, &scope, qk_buf_view(&blob), &out), QK_E_CORRUPT);
    qk_assert_err(node_seal_open(key2, &scope, qk_buf_view(&blob), &out), QK_E_CORRUPT);
    node_seal_free(node2);
    node_seal_free(key2);
    vaultbox_end(&box);
}

QK_TEST(seal, E_3_notices_every_flipped_bit_and_every_cut)
{
    struct vaultbox box;
    struct node_seal_scope scope = scope_of();
    vaultbox_make(&box);
    QK_AUTO_BUF blob = QK_BUF(200);
    QK_AUTO_BUF out = QK_BUF_SECRET(200);
    qk_assert_ok(node_seal_close(box.seal, &scope, qk_str("a short secret"), &blob));
    for (size_t bit = 0; bit < blob.len * 8; bit++) {
        blob.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        qk_err err = node_seal_open(box.seal, &scope, qk_buf_view(&blob), &out);
        blob.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_expect_eq(err, QK_E_CORRUPT, "E-3: bit %zu", bit);
    }
    for (size_t len = 0; len < blob.len; len++)
        cr_expect_eq(node_seal_open(box.seal, &scope, qk_bytes(blob.p, len), &out), QK_E_CORRUPT);
    cr_assert_eq(out.len, 0);
    QK_AUTO_BUF plain_buffer = QK_BUF(200);
    qk_assert_err(node_seal_open(box.seal, &scope, qk_buf_view(&blob), &plain_buffer), QK_E_STATE);
    vaultbox_end(&box);
}

/* ---- where the key comes from ---- */

static qk_err unlock(struct node_keysource *source, struct qk_sec32 *key)
{
    qk_err err = source->unlock(source, key);
    node_keysource_free(source);
    return err;
}

static void path_in(const struct vaultbox *box, const char *name, char out[static 128])
{
    (void)snprintf(out, 128, "%s/%s", box->dir, name);
}

QK_TEST(keysource, takes_a_private_file_of_exactly_32_bytes)
{
    struct vaultbox box;
    struct node_keysource *s;
    char path[128];
    uint8_t raw[33] = {9};
    QK_SEC32(key);
    vaultbox_make(&box);
    path_in(&box, "k", path);
    qk_assert_ok(node_keysource_file(&s, path));
    qk_assert_err(unlock(s, &key), QK_E_NOT_FOUND);
    for (size_t len = 31; len <= 33; len++) {
        qk_assert_ok(qk_file_write(path, qk_bytes(raw, len), 0600));
        qk_assert_ok(node_keysource_file(&s, path));
        qk_assert_err(unlock(s, &key), len == 32 ? QK_OK : QK_E_MALFORMED);
    }
    qk_assert_ok(qk_file_write(path, qk_bytes(raw, 32), 0640));
    (void)chmod(path, 0640);
    qk_assert_ok(node_keysource_file(&s, path));
    qk_assert_err(unlock(s, &key), QK_E_DENIED);
    (void)unlink(path);
    qk_assert_ok(node_keyfile_create(path, qk_rng_system()));
    qk_assert_err(node_keyfile_create(path, qk_rng_system()), QK_E_CONFLICT);
    qk_assert_ok(node_keysource_file(&s, path));
    qk_assert_ok(unlock(s, &key));
    vaultbox_end(&box);
}

/* Small parameters: the test is about the file, not about Argon2id's cost. */
QK_TEST(keysource, stretches_a_passphrase_with_stored_parameters)
{
    struct vaultbox box;
    struct node_keysource *s;
    char phrase[128], params[128];
    QK_SEC32(one);
    QK_SEC32(two);
    vaultbox_make(&box);
    path_in(&box, "phrase", phrase);
    path_in(&box, "params", params);
    qk_assert_ok(qk_file_write(phrase, qk_str("correct horse battery\n"), 0600));
    qk_assert_ok(node_passphrase_params_create(params, 64, 1, qk_rng_system()));
    qk_assert_err(node_passphrase_params_create(params, 64, 1, qk_rng_system()), QK_E_CONFLICT);
    qk_assert_ok(node_keysource_passphrase(&s, phrase, -1, params));
    qk_assert_ok(unlock(s, &one));

    int fds[2]; /* the same phrase from a descriptor gives the same key */
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(write(fds[1], "correct horse battery\nrest", 26), 26);
    (void)close(fds[1]);
    qk_assert_ok(node_keysource_passphrase(&s, NULL, fds[0], params));
    qk_assert_ok(unlock(s, &two));
    (void)close(fds[0]);
    cr_assert_eq(memcmp(one.b, two.b, 32), 0);

    (void)unlink(params); /* another salt gives another key */
    qk_assert_ok(node_passphrase_params_create(params, 64, 1, qk_rng_system()));
    qk_assert_ok(node_keysource_passphrase(&s, phrase, -1, params));
    qk_assert_ok(unlock(s, &two));
    cr_assert(memcmp(one.b, two.b, 32) != 0);

    qk_assert_ok(qk_file_write(phrase, qk_str("too short\n"), 0600));
    qk_assert_ok(node_keysource_passphrase(&s, phrase, -1, params));
    qk_assert_err(unlock(s, &two), QK_E_MALFORMED);
    vaultbox_end(&box);
}

QK_TEST(keysource, refuses_every_bent_parameter_file)
{
    static const char *const bent[] = {"", "qkms-passphrase-v1",
        "qkms-passphrase-v2 ops=1 kib=64 salt=00112233445566778899aabbccddeeff\n",
        "qkms-passphrase-v1 ops=0 kib=64 salt=00112233445566778899aabbccddeeff\n",
        "qkms-passphrase-v1 ops=1 kib=7 salt=00112233445566778899aabbccddeeff\n",
        "qkms-passphrase-v1 ops=1 kib=99999999999 salt=00112233445566778899aabbccddeeff\n",
        "qkms-passphrase-v1 ops=-1 kib=64 salt=00112233445566778899aabbccddeeff\n",
        "qkms-passphrase-v1 ops=1 kib=64 salt=00112233445566778899aabbccddeef\n",
        "qkms-passphrase-v1 ops=1 kib=64 salt=00112233445566778899aabbccddeeff00\n",
        "qkms-passphrase-v1  ops=1 kib=64 salt=00112233445566778899aabbccddeeff\n",
        "qkms-passphrase-v1 ops=1 kib=64 salt=00112233445566778899aabbccddeeff"};
    struct vaultbox box;
    struct node_keysource *s;
    char phrase[128], params[128];
    QK_SEC32(key);
    vaultbox_make(&box);
    path_in(&box, "phrase", phrase);
    path_in(&box, "params", params);
    qk_assert_ok(qk_file_write(phrase, qk_str("correct horse battery\n"), 0600));
    for (size_t i = 0; i < QK_COUNT(bent); i++) {
        qk_assert_ok(qk_file_write(params, qk_str(bent[i]), 0644));
        qk_assert_ok(node_keysource_passphrase(&s, phrase, -1, params));
        qk_err err = unlock(s, &key);
        cr_expect_eq(err, QK_E_CORRUPT, "'%s': %s", bent[i], qk_err_name(err));
    }
    vaultbox_end(&box);
}

QK_TEST(keysource, finds_systemd_credentials_by_name_only)
{
    struct vaultbox box;
    struct node_keysource *s;
    QK_SEC32(key);
    vaultbox_make(&box);
    (void)unsetenv("CREDENTIALS_DIRECTORY");
    qk_assert_err(node_keysource_named(&s, "credential", "key-42", "p"), QK_E_MALFORMED);
    (void)setenv("CREDENTIALS_DIRECTORY", box.dir, 1);
    qk_assert_err(node_keysource_named(&s, "credential", "../etc/passwd", "p"), QK_E_MALFORMED);
    qk_assert_err(node_keysource_named(&s, "credential", "..", "p"), QK_E_MALFORMED);
    qk_assert_err(node_keysource_named(&s, "tpm", "x", "p"), QK_E_MALFORMED);
    qk_assert_ok(node_keysource_named(&s, "credential", "key-42", "p"));
    qk_assert_ok(unlock(s, &key));
    cr_assert_eq(key.b[31], 0x42);
    vaultbox_end(&box);
}
