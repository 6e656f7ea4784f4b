/* M-3, M-12: what garblers make is fixed to the byte, on every engine, and what evaluators make of
 * it is the function. */
#include "mac_bits.h"
#include "mac/pi.h"
#include "mac/stream.h"

static const enum mac_engine engines[] = {MAC_ENGINE_EVP, MAC_ENGINE_NI, MAC_ENGINE_VAES};

static struct mac_layout layout_of(struct mac_job job, bool decode)
{
    struct mac_layout l;
    qk_assert_ok(mac_layout_of(&l, &job, decode));
    return l;
}

/* ---- known answers ---- */

static void kat(const char *name, char *out)
{
    char line[256];
    FILE *f = fopen(QK_VECTORS "/kat-mac3.txt", "r");
    cr_assert(f != NULL);
    *out = 0;
    while (fgets(line, sizeof line, f)) {
        char key[64], value[128];
        if (sscanf(line, "%63s %127s", key, value) == 2 && strcmp(key, name) == 0)
            strcpy(out, value);
    }
    fclose(f);
    cr_assert_neq(*out, 0, "%s is not there", name);
}

static void expect_kat(const char *name, const uint8_t *p, size_t len)
{
    char want[128], got[129];
    kat(name, want);
    cr_assert_leq(len, 64);
    qk_hex(p, len, got);
    cr_assert_str_eq(got, want, "M-3: %s", name);
}

static void expect_sha(const char *name, const uint8_t *p, size_t len)
{
    uint8_t digest[32];
    SHA256(p, len, digest);
    expect_kat(name, digest, sizeof digest);
}

/* All of M1, read in pieces of the given size. */
static uint8_t *read_all(struct mac_garbler *g, size_t piece, size_t *len)
{
    size_t cap = 1 << 22, n;
    uint8_t *m1 = malloc(cap);
    cr_assert(m1 != NULL);
    *len = 0;
    do {
        cr_assert_leq(*len + piece, cap);
        qk_assert_ok(mac_garbler_read(g, m1 + *len, piece, &n));
        *len += n;
    } while (n > 0);
    return m1;
}

static struct mac_garbler *kat_garbler(
    unsigned alg, const uint8_t *h, struct mac_layout *l, enum mac_engine engine)
{
    struct mac_garbler *g;
    uint8_t seed[32], c[MPC_MAC_STATE_MAX] = {0};
    memset(seed, 0x5a, sizeof seed);
    *l = layout_of(
        (struct mac_job){
            .fn = MAC_OUTER, .alg = (uint8_t)alg, .pub = qk_bytes(h, mpc_mac_digest_len(alg))},
        false);
    qk_assert_ok(mac_garbler_new_on(&g, l, seed, c, engine));
    return g;
}

static void counting(uint8_t *h, size_t len)
{
    for (size_t i = 0; i < len; i++) h[i] = (uint8_t)i;
}

QK_TEST(mac_garble, M_3_known_answers_of_the_specification)
{
    struct mac_layout l;
    char want[128];
    uint8_t h[MPC_MAC_DIGEST_MAX], ot[32 * 256];
    size_t len;
    counting(h, sizeof h);
    struct mac_garbler *g = kat_garbler(MPC_MAC_256, h, &l, MAC_ENGINE_BEST);
    kat("256.gates", want);
    cr_assert_eq(l.n_gates, strtoull(want, NULL, 10), "M-3");
    uint8_t *m1 = read_all(g, 100000, &len);
    cr_assert_eq(len, l.m1_len);
    expect_kat("256.kh", m1, 16);
    expect_sha("256.digests", m1 + 16, l.head_len - 16);
    expect_kat("256.first", m1 + l.head_len, 32);
    expect_sha("256.tables", m1 + l.head_len, len - l.head_len);
    qk_assert_ok(mac_garbler_ot(g, ot));
    expect_sha("256.ot", ot, sizeof ot);
    mac_garbler_free(g);
    free(m1);
    g = kat_garbler(MPC_MAC_512, h, &l, MAC_ENGINE_BEST);
    kat("512.gates", want);
    cr_assert_eq(l.n_gates, strtoull(want, NULL, 10), "M-3");
    m1 = read_all(g, 4096, &len);
    expect_sha("512.tables", m1 + l.head_len, len - l.head_len);
    mac_garbler_free(g);
    free(m1);
}

QK_TEST(mac_garble, M_3_every_engine_and_every_reading_gives_the_same_bytes)
{
    static const size_t pieces[] = {1 << 20, 131072, 65536, 10007, 997};
    uint8_t h[MPC_MAC_DIGEST_MAX], *first = NULL;
    size_t first_len = 0, n = 0;
    counting(h, sizeof h);
    for (size_t i = 0; i < QK_COUNT(engines); i++) {
        if (engines[i] > mac_pi_best()) continue; /* this processor has it not */
        for (size_t k = 0; k < QK_COUNT(pieces); k++) {
            struct mac_layout l;
            size_t len;
            struct mac_garbler *g = kat_garbler(MPC_MAC_384, h, &l, engines[i]);
            uint8_t *m1 = read_all(g, pieces[k], &len);
            mac_garbler_free(g);
            if (first == NULL) {
                first = m1, first_len = len;
                continue;
            }
            cr_assert(len == first_len && memcmp(m1, first, len) == 0,
                "M-3: engine %d, pieces of %zu", (int)engines[i], pieces[k]);
            free(m1);
            n++;
        }
    }
    cr_assert_geq(n, QK_COUNT(pieces) - 1);
    free(first);
}

QK_TEST(mac_garble, M_3_Hs_is_its_formula_on_every_engine)
{
    uint8_t kh[16], x[16], y[16], z[16];
    struct qkt_rng rng;
    qkt_rng_init(&rng, 7, 0);
    qk_assert_ok(qk_rng_fill(&rng.rng, kh, 16));
    qk_assert_ok(qk_rng_fill(&rng.rng, x, 16));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, kh, NULL);
    int len;
    EVP_EncryptUpdate(ctx, y, &len, x, 16);
    for (size_t i = 0; i < 16; i++) z[i] = y[i] ^ (i == 0 ? 0x2a : i == 4 ? 3 : 0);
    EVP_EncryptUpdate(ctx, z, &len, z, 16);
    for (size_t i = 0; i < 16; i++) z[i] ^= y[i];
    EVP_CIPHER_CTX_free(ctx);
    for (size_t i = 0; i < QK_COUNT(engines); i++) {
        struct mac_pi pi = {.evp = NULL};
        mac_wire in[4] = {mac_wire_load(x)}, tau[4] = {{(UINT64_C(3) << 32) + 42, 0}}, out[4];
        if (engines[i] > mac_pi_best()) {
            qk_assert_err(mac_pi_init(&pi, kh, engines[i]), QK_E_STATE);
            continue;
        }
        qk_assert_ok(mac_pi_init(&pi, kh, engines[i]));
        mac_hs(&pi, out, in, tau, 1);
        cr_assert_eq(memcmp(&out[0], z, 16), 0, "M-3: engine %d", (int)engines[i]);
        mac_pi_clear(&pi);
    }
}

/* ---- evaluating ---- */

struct duo {
    struct mac_layout l;
    struct mac_garbler *g;
    struct mac_evaluator *e;
    uint8_t a[256], b[256], c[256], secret[256];
    uint8_t la[16 * MAC_STREAM_INPUTS_MAX], lb[16 * MAC_STREAM_INPUTS_MAX];
    mac_wire active[MAC_OUTPUTS_MAX], falses[MAC_OUTPUTS_MAX], delta;
    uint8_t bits[2 * MPC_MAC_STATE_MAX];
};

static void duo_start(struct duo *d, struct mac_job job, bool decode, uint64_t stream)
{
    struct qkt_rng rng;
    uint8_t seed[32];
    memset(d, 0, sizeof *d);
    qkt_rng_init(&rng, 8, stream);
    qk_assert_ok(qk_rng_fill(&rng.rng, seed, sizeof seed));
    qk_assert_ok(qk_rng_fill(&rng.rng, d->a, sizeof d->a));
    qk_assert_ok(qk_rng_fill(&rng.rng, d->c, sizeof d->c));
    d->l = layout_of(job, decode);
    qk_assert_ok(qk_rng_fill(&rng.rng, d->b, d->l.n_b / 8));
    for (size_t i = 0; i < sizeof d->a; i++) d->secret[i] = d->a[i] ^ d->b[i] ^ d->c[i];
    qk_assert_ok(mac_garbler_new(&d->g, &d->l, seed, d->c));
    qk_assert_ok(mac_evaluator_new(&d->e, &d->l, d->a, d->b));
    mac_garbler_labels_a(d->g, d->a, d->la);
    mac_garbler_labels_b(d->g, d->b, d->lb);
}

static void duo_run(struct duo *d, size_t piece, bool labels_late)
{
    size_t n, total = 0;
    bool given = !labels_late, bad_a, bad_b;
    uint8_t *buf = malloc(piece);
    struct qk_bytes la = {d->la, 16 * (size_t)d->l.n_a}, lb = {d->lb, 16 * (size_t)d->l.n_b};
    qk_assert_ok(mac_evaluator_labels_a(d->e, la));
    if (given) qk_assert_ok(mac_evaluator_labels_b(d->e, lb));
    for (;;) {
        qk_assert_ok(mac_garbler_read(d->g, buf, piece, &n));
        if (n == 0) break;
        if (!given && total + n > MAC_HOLD_MAX) {
            qk_assert_ok(mac_evaluator_labels_b(d->e, lb));
            given = true;
        }
        qk_assert_ok(mac_evaluator_write(d->e, qk_bytes(buf, n)));
        total += n;
    }
    if (!given) qk_assert_ok(mac_evaluator_labels_b(d->e, lb));
    free(buf);
    cr_assert(mac_evaluator_done(d->e));
    qk_assert_ok(mac_evaluator_check(d->e, &bad_a, &bad_b));
    qk_assert_ok(mac_evaluator_outputs(d->e, d->active, d->bits));
    qk_assert_ok(mac_garbler_outputs(d->g, d->falses, &d->delta));
}

static void duo_end(struct duo *d)
{
    mac_garbler_free(d->g);
    mac_evaluator_free(d->e);
}

/* Every active label is the one of the bit that plain evaluation gives. */
static void expect_plain(struct duo *d)
{
    mac_wire *in = calloc(MAC_INPUTS_MAX, sizeof *in), *out = calloc(MAC_OUTPUTS_MAX, sizeof *out);
    mac_bits_in(in, d->secret, mac_word_bits(d->l.job.alg), d->l.n_a, 0);
    qk_assert_ok(mac_circuit_plain(&d->l.job, in, out));
    for (unsigned i = 0; i < d->l.n_out; i++) {
        mac_wire want = d->falses[i] ^ mac_wire_if(d->delta, (unsigned)out[i][0]);
        cr_assert_eq(memcmp(&want, &d->active[i], 16), 0, "alg %u, output %u", d->l.job.alg, i);
        if (!d->l.decode) continue;
        cr_assert_eq(mac_bit(d->bits, mac_word_bits(d->l.job.alg), i), (unsigned)out[i][0] & 1);
    }
    free(in);
    free(out);
}

QK_TEST(mac_garble, garbled_evaluation_is_plain_evaluation)
{
    static const uint8_t pub[300] = {1, 2, 3};
    static const size_t pieces[] = {131072, 40000, 777};
    struct duo *d = malloc(sizeof *d);
    for (size_t i = 0; i < QK_COUNT(mac_algs) * QK_COUNT(pieces); i++) {
        uint8_t alg = mac_algs[i % 4];
        struct mac_job outer = {.fn = MAC_OUTER, .alg = alg, .pub = {pub, mpc_mac_digest_len(alg)}};
        struct mac_job strict = {
            .fn = MAC_STRICT, .alg = alg, .pub = {pub, 60 * (i + 1) % 300 + 1}};
        struct mac_job derive = {.fn = MAC_DERIVE, .alg = alg, .masked = (unsigned)(i / 4)};
        for (unsigned k = 0; k < 3; k++) {
            duo_start(d, k == 0 ? outer : k == 1 ? strict : derive, k == 2, 3 * i + k);
            duo_run(d, pieces[i / 4], i & 1);
            expect_plain(d);
            duo_end(d);
        }
    }
    free(d);
}

QK_TEST(mac_garble, an_evaluator_holds_little_before_labels_and_takes_no_byte_too_many)
{
    static const uint8_t pub[300] = {1};
    struct duo *d = malloc(sizeof *d);
    uint8_t *buf = calloc(1, 131072);
    size_t n;
    bool bad_a, bad_b;
    duo_start(
        d, (struct mac_job){.fn = MAC_STRICT, .alg = MPC_MAC_256, .pub = QK_BYTES(pub)}, false, 99);
    for (unsigned i = 0; i < 2; i++) {
        qk_assert_ok(mac_garbler_read(d->g, buf, 131072, &n));
        qk_assert_ok(mac_evaluator_write(d->e, qk_bytes(buf, n)));
    }
    qk_assert_ok(mac_garbler_read(d->g, buf, 131072, &n));
    qk_assert_err(mac_evaluator_write(d->e, qk_bytes(buf, n)), QK_E_EARLY);
    struct qk_bytes la = {d->la, 16 * (size_t)d->l.n_a}, lb = {d->lb, 16 * (size_t)d->l.n_b};
    qk_assert_err(mac_evaluator_labels_a(d->e, qk_bytes(la.p, la.len - 1)), QK_E_MALFORMED);
    qk_assert_ok(mac_evaluator_labels_a(d->e, la));
    qk_assert_err(mac_evaluator_labels_a(d->e, la), QK_E_UNEXPECTED);
    qk_assert_ok(mac_evaluator_labels_b(d->e, lb));
    while (n > 0) {
        qk_assert_ok(mac_evaluator_write(d->e, qk_bytes(buf, n)));
        qk_assert_err(mac_evaluator_outputs(d->e, d->active, NULL), QK_E_STATE);
        qk_assert_ok(mac_garbler_read(d->g, buf, 131072, &n));
    }
    qk_assert_err(mac_evaluator_write(d->e, qk_bytes(buf, 1)), QK_E_MALFORMED);
    qk_assert_ok(mac_evaluator_check(d->e, &bad_a, &bad_b));
    duo_end(d);
    free(buf);
    free(d);
}

/* ---- M-12 ---- */

struct watch {
    struct mac_sink sink;
    uint8_t *seen;
    uint64_t first, n;
};

static void watch_and(struct mac_sink *sink, struct mac_batch *b)
{
    struct watch *w = (struct watch *)sink;
    for (unsigned i = 0; i < b->n; i++) {
        cr_assert_lt(w->first + b->at[i], w->n, "M-12");
        cr_assert_eq(w->seen[w->first + b->at[i]]++, 0, "M-12: a gate number twice");
        b->out[i] = b->x[i] & b->y[i];
    }
}

/* Tweaks of gates are 2g and 2g+1 below 2^32, those of digests begin there, one range per kind. */
QK_TEST(mac_garble, M_12_no_gate_number_and_so_no_tweak_comes_twice)
{
    static const uint8_t msg[4096];
    static const struct mac_job jobs[] = {
        {.fn = MAC_STRICT, .alg = MPC_MAC_256, .pub = {msg, 4096}},
        {.fn = MAC_STRICT, .alg = MPC_MAC_512, .pub = {msg, 300}},
        {.fn = MAC_OUTER, .alg = MPC_MAC_224, .pub = {msg, 28}},
        {.fn = MAC_DERIVE, .alg = MPC_MAC_384},
    };
    for (size_t i = 0; i < QK_COUNT(jobs); i++) {
        struct watch w = {.sink = {.and = watch_and}};
        struct mac_circuit *c;
        unsigned n;
        qk_assert_ok(mac_job_gates(&jobs[i], &w.n));
        cr_assert_lt(w.n, UINT32_MAX / 2);
        w.seen = calloc(1, w.n);
        qk_assert_ok(mac_circuit_new(&c, &jobs[i]));
        while (mac_circuit_plan(c, &n)) {
            mac_circuit_run(c, &w.sink);
            w.first += n;
        }
        cr_assert_eq(w.first, w.n);
        for (uint64_t g = 0; g < w.n; g++) cr_assert_eq(w.seen[g], 1, "M-12: a number left out");
        mac_circuit_free(c);
        free(w.seen);
    }
}
