#include "mac/stream.h"
#include "qk/secret.h"

enum { INPUTS = MAC_STREAM_INPUTS_MAX };

/* Labels of one kind, and the bits they must stand for. */
struct side {
    enum mac_digest_kind kind;
    unsigned n;
    bool have, bad;
    uint8_t bit[INPUTS];
    mac_wire label[INPUTS];
};

struct mac_evaluator {
    struct mac_layout layout;
    struct mac_circuit *circuit;
    struct mac_pi pi;
    struct mac_eval_sink sink;
    struct side a, b;
    bool started, planned, finished, passed;
    unsigned n_gates;   /* of the planned wave */
    uint64_t got;       /* bytes of M1 taken */
    struct qk_buf hold; /* bytes behind the head that no wave has used yet */
    mac_wire out[MAC_OUTPUTS_MAX];
    uint8_t head[MAC_HEAD_MAX];
};

static void side_init(struct side *s, enum mac_digest_kind kind, const struct mac_layout *l,
    unsigned n_wires, const uint8_t *bits)
{
    unsigned n = mac_word_bits(l->job.alg);
    s->kind = kind;
    s->n = n_wires;
    for (unsigned j = 0; j < n_wires; j++) s->bit[j] = (uint8_t)mac_bit(bits, n, j);
}

qk_err mac_evaluator_new(
    struct mac_evaluator **out, const struct mac_layout *layout, const uint8_t *a, const uint8_t *b)
{
    struct mac_evaluator *e = OPENSSL_zalloc(sizeof *e);
    QK_ENSURE(e != NULL, QK_E_NOMEM);
    e->layout = *layout;
    e->hold.max = MAC_HOLD_MAX;
    side_init(&e->a, MAC_KIND_A, layout, layout->n_a, a);
    side_init(&e->b, MAC_KIND_B, layout, layout->n_b, b);
    qk_err err = mac_circuit_new(&e->circuit, &layout->job);
    if (err != QK_OK) {
        mac_evaluator_free(e);
        return err;
    }
    *out = e;
    return QK_OK;
}

void mac_evaluator_free(struct mac_evaluator *e)
{
    if (e == NULL) return;
    mac_circuit_free(e->circuit);
    mac_pi_clear(&e->pi);
    qk_buf_free(&e->hold);
    OPENSSL_clear_free(e, sizeof *e);
}

/* ---- the head, and what follows from it ---- */

static const uint8_t *digests_of(const struct mac_evaluator *e, const struct side *s)
{
    return e->head + 16 + (s->kind == MAC_KIND_B ? 2 * MAC_DIGEST * (size_t)e->a.n : 0);
}

/* Check M-5: each label against the digest at the bit that E itself knows. Every wire is looked at,
 * and only whether all are right is told, so nothing depends on which bits they are. */
static void check_side(struct mac_evaluator *e, struct side *s)
{
    uint8_t mine[MAC_DIGEST * INPUTS];
    const uint8_t *d = digests_of(e, s);
    mac_wire wrong = {0, 0};
    mac_active_digests(&e->pi, mine, s->kind, s->label, s->bit, s->n);
    for (unsigned j = 0; j < s->n; j++) {
        mac_wire d0 = mac_wire_load(d + 2 * MAC_DIGEST * (size_t)j);
        mac_wire d1 = mac_wire_load(d + 2 * MAC_DIGEST * (size_t)j + MAC_DIGEST);
        wrong |=
            mac_wire_load(mine + MAC_DIGEST * (size_t)j) ^ d0 ^ mac_wire_if(d0 ^ d1, s->bit[j]);
    }
    s->bad = CRYPTO_memcmp(&wrong, &(mac_wire){0, 0}, sizeof wrong) != 0; /* public from here on */
    qk_wipe(mine, sizeof mine);
}

static qk_err start(struct mac_evaluator *e)
{
    mac_wire in[INPUTS];
    QK_TRY(mac_pi_init(&e->pi, e->head, MAC_ENGINE_BEST));
    mac_eval_sink_init(&e->sink, &e->pi);
    check_side(e, &e->a);
    check_side(e, &e->b);
    for (unsigned j = 0; j < e->a.n; j++) {
        in[j] = e->a.label[j];
        if (j < e->b.n) in[j] ^= e->b.label[j];
    }
    mac_circuit_input(e->circuit, in, e->sink.sink.one);
    qk_wipe(in, sizeof in);
    e->started = true;
    return e->pi.err;
}

/* ---- tables ---- */

/* How many bytes the next step takes: the tables of a wave, or the decoding bits. */
static size_t next_len(struct mac_evaluator *e)
{
    if (!e->planned) e->planned = mac_circuit_plan(e->circuit, &e->n_gates);
    if (e->planned) return MAC_TABLE * (size_t)e->n_gates;
    return e->layout.decode ? e->layout.n_out / 8 : 0;
}

static void step(struct mac_evaluator *e, const uint8_t *p)
{
    if (e->planned) {
        e->sink.tables = p;
        mac_circuit_run(e->circuit, &e->sink.sink);
        e->sink.first += e->n_gates;
        e->planned = false;
        return;
    }
    mac_circuit_output(e->circuit, e->out);
    if (e->layout.decode) memcpy(e->head, p, e->layout.n_out / 8); /* digests are done with */
    e->finished = true;
}

/* Do every step whose bytes are all in in; returns how many bytes were used. */
static size_t steps(struct mac_evaluator *e, struct qk_bytes in)
{
    size_t used = 0;
    while (!e->finished) {
        size_t len = next_len(e);
        if (len > in.len - used) break;
        step(e, in.p == NULL ? NULL : in.p + used);
        used += len;
    }
    return used;
}

static void hold_drop(struct mac_evaluator *e, size_t len)
{
    if (len == 0) return;
    memmove(e->hold.p, e->hold.p + len, e->hold.len - len);
    e->hold.len -= len;
}

static qk_err advance(struct mac_evaluator *e)
{
    if (!e->a.have || !e->b.have || e->got < e->layout.head_len) return QK_OK;
    if (!e->started) QK_TRY(start(e));
    hold_drop(e, steps(e, qk_buf_view(&e->hold)));
    return e->pi.err;
}

/* Bytes behind the head. A step that began in hold is completed there, the others are done in
 * place; the rest waits in hold. */
static qk_err take_tables(struct mac_evaluator *e, struct qk_bytes in)
{
    if (e->started && e->hold.len > 0) {
        size_t lack = next_len(e) - e->hold.len, len = lack < in.len ? lack : in.len;
        qk_buf_add(&e->hold, in.p, len);
        QK_TRY(e->hold.err);
        in = qk_bytes(in.p + len, in.len - len);
        hold_drop(e, steps(e, qk_buf_view(&e->hold)));
    }
    if (e->started && e->hold.len == 0) {
        size_t used = steps(e, in);
        in = qk_bytes(in.p + used, in.len - used);
    }
    qk_buf_add(&e->hold, in.p, in.len);
    QK_TRY(e->hold.err);
    return e->pi.err;
}

static bool room_for(const struct mac_evaluator *e, size_t len)
{
    bool used_at_once = e->a.have && e->b.have; /* there are tables only once the head is whole */
    return used_at_once || e->hold.len + len <= MAC_HOLD_MAX;
}

qk_err mac_evaluator_write(struct mac_evaluator *e, struct qk_bytes m1)
{
    size_t head = 0;
    QK_ENSURE(m1.len <= e->layout.m1_len - e->got, QK_E_MALFORMED);
    if (e->got < e->layout.head_len) {
        size_t lack = e->layout.head_len - (size_t)e->got;
        head = lack < m1.len ? lack : m1.len;
    }
    QK_ENSURE(room_for(e, m1.len - head), QK_E_EARLY);
    if (head > 0) memcpy(e->head + e->got, m1.p, head);
    e->got += head;
    QK_TRY(advance(e));
    e->got += m1.len - head;
    return take_tables(e, qk_bytes(m1.p + head, m1.len - head));
}

/* ---- labels ---- */

static qk_err take_labels(struct mac_evaluator *e, struct side *s, struct qk_bytes in)
{
    QK_ENSURE(!s->have, QK_E_UNEXPECTED);
    QK_ENSURE(in.len == 16 * (size_t)s->n, QK_E_MALFORMED);
    memcpy(s->label, in.p, in.len);
    s->have = true;
    return advance(e);
}

qk_err mac_evaluator_labels_a(struct mac_evaluator *e, struct qk_bytes la)
{
    return take_labels(e, &e->a, la);
}

qk_err mac_evaluator_labels_b(struct mac_evaluator *e, struct qk_bytes lb)
{
    return take_labels(e, &e->b, lb);
}

/* ---- the end ---- */

const uint8_t *mac_evaluator_kh(const struct mac_evaluator *e)
{
    return e->got >= 16 ? e->head : NULL;
}

bool mac_evaluator_done(const struct mac_evaluator *e)
{
    return e->finished && e->got == e->layout.m1_len;
}

qk_err mac_evaluator_check(struct mac_evaluator *e, bool *bad_a, bool *bad_b)
{
    QK_ENSURE(mac_evaluator_done(e), QK_E_STATE);
    *bad_a = e->a.bad;
    *bad_b = e->b.bad;
    QK_ENSURE(!*bad_a && !*bad_b, QK_E_PROOF);
    e->passed = true;
    return QK_OK;
}

qk_err mac_evaluator_outputs(const struct mac_evaluator *e, mac_wire *active, uint8_t *bits)
{
    unsigned n = mac_word_bits(e->layout.job.alg);
    QK_ENSURE(e->passed, QK_E_STATE);
    memcpy(active, e->out, 16 * (size_t)e->layout.n_out);
    if (!e->layout.decode) return QK_OK;
    memset(bits, 0, e->layout.n_out / 8);
    for (unsigned i = 0; i < e->layout.n_out; i++)
        mac_bit_put(bits, n, i, ((unsigned)e->out[i][0] ^ (e->head[i / 8] >> (i % 8))) & 1);
    return QK_OK;
}
