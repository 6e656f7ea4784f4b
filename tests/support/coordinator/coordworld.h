/** A coordinator's surroundings for tests: a cluster of nodes (three, t = 2) whose call servers are
 *  scripts, a store in a folder of its own, records that t nodes signed, one P-256 key.
 *
 *  The scripts answer as honest nodes would (same parsing, same decision, same transition; the one
 *  thing left out is the caller's secret), unless a test bends the answer of one of them.
 */
#ifndef COORDWORLD_H
#define COORDWORLD_H

#include <pthread.h>
#include "kms/decide.h"
#include "mpc/ecdsa.h"
#include "rounds/keeper.h"
#include "rounds/publisher.h"
#include "rounds/op.h"
#include "rounds/presigs.h"
#include "wire/call.h"

/* CW_NODES: of a cluster as tests mostly want it; cw_init_of makes others, t is 2 in each. */
enum { CW_NODES = 3, CW_NODES_MAX = 5, CW_RECORDS = 32 };

#define CW_ACCOUNT "123456789012"
#define CW_REGION  "eu-test-1"
#define CW_AKID    "AKIAABCDEFGHIJKLMNOP"

enum cw_fate { CW_SEND, CW_SILENT, CW_DROP, CW_GARBAGE, CW_LATER /* cw_send_late */ };

struct cw_world;
struct cw_mac;
struct cw_sym;
struct cw_fake;
typedef enum cw_fate (*cw_bend_fn)(struct cw_fake *f, const struct wire_call *call,
    struct wire_answer *answer, struct qk_buf *scratch);
struct cw_fake {
    struct cw_world *world;
    uint16_t id;
    struct wire_identity *identity;
    struct wire_server *server;
    uint16_t port;
    /* Bend an honest answer; views may point into scratch. NULL: honest. */
    _Atomic(cw_bend_fn) bend;
    void *_Atomic bend_arg;
    struct wire_reply *held[64]; /* silent ones: given back at the end */
    size_t n_held;
    struct {
        struct wire_reply *reply;
        struct qk_buf bytes;
    } late[16];
    size_t n_late;
    unsigned calls[16]; /* by kind */
    bool answered_need;
};

/** A certified record of the nodes' truth. */
struct cw_record {
    struct qk_buf encoded, certified;
    struct kms_record r;
};

struct cw_world {
    char dir[64];
    char store_path[96];
    struct wire_identity *coordinator;
    struct wire_cluster *cluster;
    uint16_t n;                         /* nodes 1..n */
    struct cw_fake fakes[CW_NODES_MAX]; /* ids 1..n */
    pthread_mutex_t lock;
    struct cw_record records[CW_RECORDS];
    size_t n_records;
    uint8_t key_id[16];
    char key_text[KMS_UUID_LEN + 1];
    struct mpc_scalar secret;
    struct mpc_key_record keyrec;
    struct coord_engine engine;
    struct coord_keeper *keeper;
    struct cw_sym *sym; /* coordsym.h; NULL: no symmetric key */
    struct cw_mac *mac; /* coordmac.h; NULL: no HMAC key */
    /* Every call that any node gets, before it is answered. NULL: nobody looks */
    void (*witness)(struct cw_world *w, struct qk_bytes call);
    void *witness_arg;
};

/** Everything running, the store holding the records. Aborts when the machine will not play along.
 */
void cw_init(struct cw_world *w);
/** The same with n nodes. */
void cw_init_of(struct cw_world *w, uint16_t n);
/** Only identities, cluster of CW_NODES and records: no servers, no store, no links. */
void cw_init_quiet(struct cw_world *w);
void cw_free(struct cw_world *w);

/** The newest version of a record; NULL if there is none. With the lock held, or before start. */
struct cw_record *cw_find(struct cw_world *w, enum kms_kind kind, const char *id);
/** Encode r, sign it by the nodes of set, put it into the truth (replacing an older version). The
 *  body's views are copied by encoding. */
struct cw_record *cw_certify(
    struct cw_world *w, struct kms_record *r, const uint16_t *set, size_t n_set);
/** A certificate over r's encoding by set, appended to out, kept nowhere. */
void cw_certified(struct cw_world *w, struct kms_record *r, const uint16_t *set, size_t n_set,
    struct qk_buf *out);
/** The next version of record id, to be changed and certified. */
struct kms_record cw_next(const struct cw_record *c);

/** A signed request of the test's caller. The texts live in out. */
struct cw_request {
    struct kms_raw raw;
    struct kms_sigv4_headers headers;
    char target[64];
    char body[8192];
};
void cw_request(struct cw_request *out, const char *op, const char *fmt, ...) QK_PRINTF(3, 4);
/** begin and run; the op must be ended by the caller. */
qk_err cw_run(
    struct cw_world *w, struct coord_op *op, struct cw_request *request, struct kms_fault *fault);

#endif
