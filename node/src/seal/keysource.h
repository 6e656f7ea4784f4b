/** Where the node key comes from.
 *
 *  The node key is 32 secret bytes under which everything in the vault is sealed (seal/seal.h).
 *  A source hands it out once, at start, into locked memory. A source that never lets its key out
 *  (PKCS#11, TPM) fits the same interface: it unwraps a stored 32-byte key, so what rests on disk
 *  opens only on this machine.
 *
 *  Sources that exist: a private file of 32 raw bytes; a passphrase read from a descriptor, a
 *  private file or a systemd credential, stretched with Argon2id.
 */
#ifndef NODE_SEAL_KEYSOURCE_H
#define NODE_SEAL_KEYSOURCE_H

#include "qk/bytes.h"
#include "qk/rng.h"
#include "qk/secret.h"

enum {
    NODE_PASSPHRASE_MIN = 12, /* bytes; a line end at the end does not count */
    NODE_PASSPHRASE_MAX = 1024,
    NODE_PASSPHRASE_KIB = 256 * 1024, /* Argon2id memory of a new parameter file, in KiB */
    NODE_PASSPHRASE_OPS = 3,          /* Argon2id passes of a new parameter file */
};

struct node_keysource {
    /** Write the node key into key, which is memory of qk_locked_alloc. On failure key stays
     *  zero. QK_E_NOT_FOUND, QK_E_DENIED (open to others), QK_E_MALFORMED (wrong length),
     *  QK_E_CORRUPT (parameter file), QK_E_NOMEM, QK_E_IO. */
    qk_err (*unlock)(struct node_keysource *self, struct qk_sec32 *key);
    /** Release what the source holds; never NULL. */
    void (*free)(struct node_keysource *self);
};

/** A file of exactly 32 raw bytes, private as qk_file_read_secret wants it. path is copied. */
QK_MUST_USE qk_err node_keysource_file(struct node_keysource **out, const char *path);

/** A passphrase: key = Argon2id13(passphrase, salt, ops, memory), 32 bytes.
 *
 *  secret_path  private file (also /run/credentials/UNIT/NAME) that holds the passphrase; NULL to
 *               read from fd, up to end of file or line end (a prompt on a terminal: echo is
 *               turned off while reading)
 *  fd           used iff secret_path is NULL; borrowed
 *  params_path  public file of salt and parameters (node_passphrase_params_create); copied
 */
QK_MUST_USE qk_err node_keysource_passphrase(
    struct node_keysource **out, const char *secret_path, int fd, const char *params_path);

/** Write a new parameter file: "qkms-passphrase-v1" ops KiB salt, one text line. Never replaces
 *  one that exists (QK_E_CONFLICT): without its salt the vault cannot be opened again.
 *  kib, ops  0 for the values above */
QK_MUST_USE qk_err node_passphrase_params_create(
    const char *params_path, uint64_t kib, uint64_t ops, struct qk_rng *rng);
/** Write a new random key file, mode 0600. QK_E_CONFLICT if path exists. */
QK_MUST_USE qk_err node_keyfile_create(const char *path, struct qk_rng *rng);

/** The source a configuration names.
 *
 *  kind  "file", "passphrase" (path = private passphrase file), "credential" (path = name of a
 *        32-byte key in $CREDENTIALS_DIRECTORY), "credential-passphrase", "prompt" (standard
 *        input; path unused)
 *  QK_E_MALFORMED: another kind, or a credential without $CREDENTIALS_DIRECTORY or with a '/'.
 */
QK_MUST_USE qk_err node_keysource_named(
    struct node_keysource **out, const char *kind, const char *path, const char *params_path);

/** NULL is allowed. */
void node_keysource_free(struct node_keysource *source);

#endif
