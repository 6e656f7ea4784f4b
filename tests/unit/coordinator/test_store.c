/* The record store: what gets in, what comes out, and what survives. */
#include "qktest/qktest.h"
#include "coordfake.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint16_t both[] = {1, 2}, one[] = {2};

static struct coord_store *open_store(struct cw_world *w)
{
    struct coord_store *s = NULL;
    char why[256] = "";
    qk_err err = coord_store_open(&s, w->store_path, w->cluster, why, sizeof why);
    cr_assert_eq(err, QK_OK, "%s: %s", qk_err_name(err), why);
    return s;
}

static struct kms_ref key_ref(const struct cw_world *w)
{
    struct kms_ref ref;
    kms_ref_key(w->key_id, &ref);
    return ref;
}

static uint64_t stored_version(struct coord_store *s, const struct kms_ref *ref)
{
    struct coord_entry e;
    qk_err err = coord_store_get(s, ref, &e);
    uint64_t version = err == QK_OK ? e.r.version : 0;
    cr_assert(err == QK_OK || err == QK_E_NOT_FOUND);
    coord_entry_free(&e);
    return version;
}

static qk_err put(struct coord_store *s, const struct qk_buf *certified)
{
    struct qk_bytes view = qk_buf_view(certified);
    return coord_store_put(s, &view, 1);
}

QK_TEST(store, gives_back_what_was_put)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    struct cw_record *key = cw_find(&w, KMS_KIND_KEY, w.key_text);
    struct kms_ref ref = key_ref(&w);
    struct coord_entry e;
    qk_assert_err(coord_store_get(s, &ref, &e), QK_E_NOT_FOUND);
    coord_entry_free(&e);
    qk_assert_ok(put(s, &key->certified));
    qk_assert_ok(coord_store_get(s, &ref, &e));
    cr_assert(qk_bytes_eq(e.certified, qk_buf_view(&key->certified)));
    cr_assert_eq(memcmp(e.r.hash, key->r.hash, 32), 0);
    coord_entry_free(&e);
    coord_store_close(s);
    cw_free(&w);
}

/* What is read again from the file is the same as what was kept. */
QK_TEST(store, gives_back_what_there_is_no_room_to_keep)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    for (size_t i = 0; i < w.n_records; i++) qk_assert_ok(put(s, &w.records[i].certified));
    qk_assert_ok(coord_store_keep(s, 1));
    for (size_t i = 0; i < 3 * w.n_records; i++) {
        const struct cw_record *r = &w.records[i % w.n_records];
        struct kms_ref ref = {.kind = r->r.kind};
        struct coord_entry e;
        memcpy(ref.id, r->r.id, sizeof ref.id);
        qk_assert_ok(coord_store_get(s, &ref, &e));
        cr_assert(qk_bytes_eq(e.certified, qk_buf_view(&r->certified)));
        coord_entry_free(&e);
    }
    coord_store_close(s);
    cw_free(&w);
}

QK_TEST(store, compare_and_set_takes_only_the_next_version)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    struct cw_record *key = cw_find(&w, KMS_KIND_KEY, w.key_text);
    struct kms_ref ref = key_ref(&w);
    qk_assert_ok(put(s, &key->certified));
    qk_assert_err(put(s, &key->certified), QK_E_CONFLICT); /* the same again */

    QK_AUTO_BUF wrong = QK_BUF(KMS_CERTIFIED_MAX);
    struct kms_record r = cw_next(key);
    r.prev[0] ^= 1;
    cw_certified(&w, &r, both, 2, &wrong);
    qk_assert_err(put(s, &wrong), QK_E_CONFLICT); /* follows another version 1 */

    qk_buf_clear(&wrong);
    r = cw_next(key);
    r.version = 3;
    cw_certified(&w, &r, both, 2, &wrong);
    qk_assert_err(put(s, &wrong), QK_E_CONFLICT); /* leaves one out */

    qk_buf_clear(&wrong);
    r = cw_next(key);
    cw_certified(&w, &r, both, 2, &wrong);
    qk_assert_ok(put(s, &wrong));
    cr_assert_eq(stored_version(s, &ref), 2);
    coord_store_close(s);
    cw_free(&w);
}

QK_TEST(store, a_transaction_is_all_or_nothing)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    struct cw_record *key = cw_find(&w, KMS_KIND_KEY, w.key_text);
    struct cw_record *account = cw_find(&w, KMS_KIND_ACCOUNT, CW_ACCOUNT);
    qk_assert_ok(put(s, &key->certified));
    struct qk_bytes views[] = {qk_buf_view(&account->certified), qk_buf_view(&key->certified)};
    qk_assert_err(coord_store_put(s, views, 2), QK_E_CONFLICT);
    struct kms_ref ref;
    kms_ref_account(CW_ACCOUNT, &ref);
    cr_assert_eq(stored_version(s, &ref), 0);
    coord_store_close(s);
    cw_free(&w);
}

/* ---- forged certificates ---- */

struct forgery {
    const char *what;
    qk_err want;
    void (*make)(struct cw_world *w, struct kms_record *r, struct qk_buf *out);
};

static void too_few(struct cw_world *w, struct kms_record *r, struct qk_buf *out)
{
    cw_certified(w, r, one, 1, out);
}

/* Signatures of version 1 under version 2. */
static void other_record(struct cw_world *w, struct kms_record *r, struct qk_buf *out)
{
    struct cw_record *key = cw_find(w, KMS_KIND_KEY, w->key_text);
    struct qk_bytes old;
    struct kms_cert cert;
    QK_AUTO_BUF encoded = QK_BUF(KMS_RECORD_ENCODED_MAX);
    qk_assert_ok(kms_certified_decode(qk_buf_view(&key->certified), &old, &cert));
    qk_assert_ok(kms_record_encode(r, &encoded));
    qk_assert_ok(kms_certified_encode(qk_buf_view(&encoded), &cert, out));
}

static void with_cert(struct cw_world *w, struct kms_record *r, struct qk_buf *out, bool as_other)
{
    QK_AUTO_BUF good = QK_BUF(KMS_CERTIFIED_MAX);
    struct qk_bytes record;
    struct kms_cert cert;
    cw_certified(w, r, both, 2, &good);
    qk_assert_ok(kms_certified_decode(qk_buf_view(&good), &record, &cert));
    uint8_t sig[WIRE_SIG_LEN];
    memcpy(sig, cert.sigs[1].signature.p, sizeof sig);
    if (as_other)
        cert.sigs[1].node = 3; /* node 2's signature under another name */
    else
        sig[40] ^= 4;
    cert.sigs[1].signature = QK_BYTES(sig);
    qk_assert_ok(kms_certified_encode(record, &cert, out));
}

static void bent_signature(struct cw_world *w, struct kms_record *r, struct qk_buf *out)
{
    with_cert(w, r, out, false);
}

static void wrong_name(struct cw_world *w, struct kms_record *r, struct qk_buf *out)
{
    with_cert(w, r, out, true);
}

static void unknown_node(struct cw_world *w, struct kms_record *r, struct qk_buf *out)
{
    QK_AUTO_BUF good = QK_BUF(KMS_CERTIFIED_MAX);
    struct qk_bytes record;
    struct kms_cert cert;
    cw_certified(w, r, both, 2, &good);
    qk_assert_ok(kms_certified_decode(qk_buf_view(&good), &record, &cert));
    cert.sigs[1].node = 200;
    qk_assert_ok(kms_certified_encode(record, &cert, out));
}

static void trailing_byte(struct cw_world *w, struct kms_record *r, struct qk_buf *out)
{
    cw_certified(w, r, both, 2, out);
    qk_buf_add_u8(out, 0);
}

QK_TEST(store, forged_certificates_never_get_in)
{
    static const struct forgery forgeries[] = {
        {"one signature of two", QK_E_MISMATCH, too_few},
        {"signatures of another version", QK_E_PROOF, other_record},
        {"a bent signature", QK_E_PROOF, bent_signature},
        {"one node's signature under another's name", QK_E_PROOF, wrong_name},
        {"a node that is not of the cluster", QK_E_PROOF, unknown_node},
        {"a byte too many", QK_E_MALFORMED, trailing_byte},
    };
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    struct cw_record *key = cw_find(&w, KMS_KIND_KEY, w.key_text);
    struct kms_ref ref = key_ref(&w);
    qk_assert_ok(put(s, &key->certified));
    for (size_t i = 0; i < QK_COUNT(forgeries); i++) {
        QK_AUTO_BUF bytes = QK_BUF(KMS_CERTIFIED_MAX);
        struct kms_record r = cw_next(key);
        forgeries[i].make(&w, &r, &bytes);
        qk_err got = put(s, &bytes);
        cr_expect_eq(got, forgeries[i].want, "put, %s: %s", forgeries[i].what, qk_err_name(got));
        got = coord_store_adopt(s, qk_buf_view(&bytes), NULL);
        cr_expect_eq(got, forgeries[i].want, "adopt, %s: %s", forgeries[i].what, qk_err_name(got));
        cr_expect_eq(stored_version(s, &ref), 1, "%s", forgeries[i].what);
    }
    coord_store_close(s);
    cw_free(&w);
}

QK_TEST(store, adopts_newer_versions_only_and_reports_forks)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    struct cw_record *key = cw_find(&w, KMS_KIND_KEY, w.key_text);
    struct kms_ref ref = key_ref(&w);
    QK_AUTO_BUF first = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF fifth = QK_BUF(KMS_CERTIFIED_MAX);
    QK_AUTO_BUF fork = QK_BUF(KMS_CERTIFIED_MAX);
    qk_buf_add(&first, key->certified.p, key->certified.len);
    struct kms_record r = cw_next(key);
    r.version = 5; /* whatever lies between: t nodes signed this one */
    cw_certified(&w, &r, both, 2, &fifth);
    r.key.description = qk_str("another fifth version");
    cw_certified(&w, &r, both, 2, &fork);
    bool taken = false;
    qk_assert_ok(coord_store_adopt(s, qk_buf_view(&fifth), &taken));
    cr_assert(taken);
    qk_assert_ok(coord_store_adopt(s, qk_buf_view(&first), &taken));
    cr_assert(!taken);
    qk_assert_ok(coord_store_adopt(s, qk_buf_view(&fifth), &taken));
    cr_assert(!taken);
    qk_assert_err(coord_store_adopt(s, qk_buf_view(&fork), &taken), QK_E_CONFLICT);
    cr_assert_eq(stored_version(s, &ref), 5);
    coord_store_close(s);
    cw_free(&w);
}

/* ---- lists ---- */

static void add_keys(struct cw_world *w, struct coord_store *s, size_t n)
{
    struct cw_record *key = cw_find(w, KMS_KIND_KEY, w->key_text);
    for (size_t i = 0; i < n; i++) {
        QK_AUTO_BUF bytes = QK_BUF(KMS_CERTIFIED_MAX);
        struct kms_record r = key->r;
        memset(r.key.key_id, (int)(0x10 + i), 16);
        kms_uuid_make_v4(r.key.key_id);
        kms_uuid_text(r.key.key_id, r.id);
        if (i % 3 == 1) r.key.state = KMS_STATE_DELETED;
        if (i % 3 == 2) r.key.state = KMS_STATE_PENDING_DELETION;
        r.key.deletion_ms = i % 3 == 0 ? 0 : 1000 * i;
        r.key.pending_days = i % 3 == 0 ? 0 : 7;
        cw_certified(w, &r, both, 2, &bytes);
        qk_assert_ok(put(s, &bytes));
    }
}

QK_TEST(store, pages_cover_every_live_key_once_and_in_order)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    add_keys(&w, s, 12); /* of which 4 are deleted */
    char last[KMS_RECORD_ID_MAX + 1] = "";
    size_t seen = 0;
    bool more = true;
    while (more) {
        struct coord_list_query q = {
            .kind = KMS_KIND_KEY, .after = qk_str(last), .live = true, .limit = 3};
        struct coord_page page;
        qk_assert_ok(coord_store_list(s, &q, &page));
        cr_assert(page.n <= 3 && (page.n > 0 || !page.more));
        for (size_t i = 0; i < page.n; i++) {
            cr_assert(strcmp(page.entries[i].r.id, last) > 0);
            cr_assert_neq(page.entries[i].r.key.state, KMS_STATE_DELETED);
            memcpy(last, page.entries[i].r.id, sizeof last);
            seen++;
        }
        more = page.more;
        coord_page_free(&page);
    }
    cr_assert_eq(seen, 8);
    coord_store_close(s);
    cw_free(&w);
}

QK_TEST(store, finds_the_keys_whose_deletion_is_due)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    add_keys(&w, s, 12); /* pending: 2, 5, 8, 11 at 2000, 5000, 8000, 11000 */
    struct coord_due_query q = {.now_ms = 8000, .limit = 2};
    static const uint64_t dates[] = {2000, 5000, 8000};
    struct coord_page page;
    qk_assert_ok(coord_store_due(s, &q, &page));
    cr_assert(page.n == 2 && page.more);
    for (size_t i = 0; i < 2; i++) cr_assert_eq(page.entries[i].r.key.deletion_ms, dates[i]);
    coord_page_free(&page);
    qk_assert_ok(coord_store_due(s, &q, &page));
    cr_assert(page.n == 1 && !page.more);
    cr_assert_eq(page.entries[0].r.key.deletion_ms, dates[2]);
    coord_page_free(&page);
    q = (struct coord_due_query){.now_ms = 1999, .limit = 2};
    qk_assert_ok(coord_store_due(s, &q, &page));
    cr_assert_eq(page.n, 0);
    coord_page_free(&page);
    coord_store_close(s);
    cw_free(&w);
}

QK_TEST(store, lists_access_keys_of_one_user)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct coord_store *s = open_store(&w);
    qk_assert_ok(put(s, &cw_find(&w, KMS_KIND_CREDENTIAL, CW_AKID)->certified));
    struct coord_list_query q = {
        .kind = KMS_KIND_CREDENTIAL, .owner = qk_str("admin"), .limit = 10};
    struct coord_page page;
    qk_assert_ok(coord_store_list(s, &q, &page));
    cr_assert_eq(page.n, 1);
    coord_page_free(&page);
    q.owner = qk_str("other");
    qk_assert_ok(coord_store_list(s, &q, &page));
    cr_assert_eq(page.n, 0);
    coord_page_free(&page);
    q.limit = 0;
    qk_assert_err(coord_store_list(s, &q, &page), QK_E_STATE);
    coord_store_close(s);
    cw_free(&w);
}

/* ---- files ---- */

/* Puts one version after the other and says so once each was acknowledged, until it is killed. */
static void put_forever(struct cw_world *w, int report)
{
    struct coord_store *s = open_store(w);
    struct cw_record *c = cw_find(w, KMS_KIND_ACCOUNT, CW_ACCOUNT);
    for (;;) {
        if (put(s, &c->certified) != QK_OK) _exit(3);
        if (write(report, &c->r.version, 8) != 8) _exit(4);
        struct kms_record r = cw_next(c);
        c = cw_certify(w, &r, both, 2);
    }
}

QK_TEST(store, what_was_acknowledged_survives_kill_9)
{
    struct cw_world w;
    cw_init_quiet(&w);
    struct kms_ref ref;
    kms_ref_account(CW_ACCOUNT, &ref);
    int pipe_fd[2];
    cr_assert_eq(pipe(pipe_fd), 0);
    pid_t child = fork();
    if (child == 0) put_forever(&w, pipe_fd[1]);
    (void)close(pipe_fd[1]);
    uint64_t acknowledged = 0, v;
    while (acknowledged < 40 && read(pipe_fd[0], &v, 8) == 8) acknowledged = v;
    cr_assert_eq(kill(child, SIGKILL), 0);
    while (read(pipe_fd[0], &v, 8) == 8) acknowledged = v;
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(acknowledged >= 40);
    struct coord_store *s = open_store(&w);
    cr_assert_geq(stored_version(s, &ref), acknowledged);
    coord_store_close(s);
    (void)close(pipe_fd[0]);
    cw_free(&w);
}

QK_TEST(store, one_file_serves_one_process_and_one_cluster)
{
    struct cw_world w, other;
    cw_init_quiet(&w);
    cw_init_quiet(&other);
    struct coord_store *s = open_store(&w), *second = NULL;
    char why[256];
    qk_assert_ok(put(s, &cw_find(&w, KMS_KIND_ACCOUNT, CW_ACCOUNT)->certified));
    qk_assert_err(coord_store_open(&second, w.store_path, w.cluster, why, sizeof why), QK_E_BUSY);
    coord_store_close(s);
    other.cluster->id[0] ^= 1;
    qk_assert_err(
        coord_store_open(&second, w.store_path, other.cluster, why, sizeof why), QK_E_DENIED);
    s = open_store(&w);
    coord_store_close(s);
    cw_free(&other);
    cw_free(&w);
}
