/** The keys that the load uses and the ciphertexts that it opens: made before, unmade after. */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include "api/ops.h"
#include "api/pass.h"

/** Everything here tells its failures on stderr and returns what bench_pass_run returns, or
 *  QK_E_MALFORMED for an answer that is not understood. */
struct bench_keys {
    struct bench_loop *loop;
    const atomic_bool *stop;
    struct bench_kms_key *key;
    size_t n;
    struct bench_blob *blob;
    size_t n_blobs;
};

/** One tag of the keys that are made; key NULL: none. Text goes into JSON as it is. */
struct bench_tag {
    const char *key, *value;
};

/** CreateKey, n times. */
QK_MUST_USE qk_err bench_keys_create(
    struct bench_keys *k, size_t n, const struct bench_spec *spec, const struct bench_tag *tag);
/** Learn the specs of existing keys. QK_E_MALFORMED also for a key spec that the load cannot use.
 */
QK_MUST_USE qk_err bench_keys_open(struct bench_keys *k, size_t n, const char *const *ids);
/** What the operation needs of its keys besides: public keys, signatures to verify, MACs of
 * messages of so many bytes. */
QK_MUST_USE qk_err bench_keys_prepare(
    struct bench_keys *k, enum bench_op op, size_t bytes, bool check);
/** Encrypt so many random plaintexts of so many bytes, rotating every key so many times meanwhile,
 *  so that every version of every key has its share. Ciphertexts of one key lie n keys apart.
 *  n_blobs is raised to one for each version of each key. */
QK_MUST_USE qk_err bench_keys_make_blobs(
    struct bench_keys *k, size_t n_blobs, size_t bytes, unsigned rotations);
/** RotateKeyOnDemand on every key, one after the other on one key. */
QK_MUST_USE qk_err bench_keys_rotate(struct bench_keys *k, unsigned times);
/** ScheduleKeyDeletion of those we made, after the shortest window the API has, 7 days. */
QK_MUST_USE qk_err bench_keys_drop(struct bench_keys *k);
void bench_keys_free(struct bench_keys *k);

/** Decrypt them all, by now known as ciphertexts of some of the keys, and count those that open to
 *  their plaintext; MACs: VerifyMac. */
QK_MUST_USE qk_err bench_blobs_check(
    struct bench_loop *loop, const struct bench_blob *blob, size_t n, uint64_t *good);
void bench_blob_wipe(struct bench_blob *blob);

#endif
