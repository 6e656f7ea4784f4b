#include "mac/circuit.h"

#include "mac/sha2.h"
#include "mac/wave.h"
#include "mpc/mac.h"
#include "qk/secret.h"

enum { TEMPS = 32 }; /* a round with a secret block takes 27 */

struct mac_circuit {
    struct mac_job job;
    const struct mac_sha2 *sha;
    struct mac_wave wave;
    unsigned n_blocks, block, round; /* compressions in all, the current one, its round */
    bool secret_block;               /* the current block has words that are not known */
    struct mac_word init[8];         /* the state the current compression began with */
    struct mac_word state[8];
    struct mac_word *v[8]; /* a..h, rotating over state */
    struct mac_word w[16]; /* the schedule, a ring */
    struct mac_word temp[TEMPS];
    unsigned n_temps;
    mac_wire in[MAC_INPUTS_MAX];
    mac_wire out[MAC_OUTPUTS_MAX];
};

/* ---- shapes ---- */

unsigned mac_word_bits(unsigned alg)
{
    return mac_sha2(alg)->bits;
}

static unsigned digest_bits(const struct mac_job *job)
{
    return 8 * (unsigned)mpc_mac_digest_len(job->alg);
}

static unsigned state_bits(const struct mac_job *job)
{
    return 8 * mac_word_bits(job->alg);
}

unsigned mac_job_inputs(const struct mac_job *job)
{
    switch (job->fn) {
    case MAC_OUTER:
        return state_bits(job);
    case MAC_DERIVE:
        return digest_bits(job) + job->masked * state_bits(job);
    case MAC_STRICT:
        return 2 * state_bits(job);
    default:
        return 3 * state_bits(job);
    }
}

unsigned mac_job_outputs(const struct mac_job *job)
{
    switch (job->fn) {
    case MAC_DERIVE:
        return 2 * state_bits(job);
    case MAC_SECRET:
        return state_bits(job);
    default:
        return digest_bits(job);
    }
}

static unsigned blocks_of(const struct mac_job *job)
{
    switch (job->fn) {
    case MAC_DERIVE:
        return 2;
    case MAC_STRICT:
        return mac_sha2_blocks(job->alg, job->pub.len) + 1;
    default:
        return 1;
    }
}

static qk_err job_check(const struct mac_job *job)
{
    QK_ENSURE(mpc_mac_alg_known(job->alg), QK_E_STATE);
    QK_ENSURE(job->masked == 0 || job->fn == MAC_DERIVE, QK_E_STATE);
    QK_ENSURE(job->masked <= 2, QK_E_STATE);
    switch (job->fn) {
    case MAC_OUTER:
        return job->pub.len == mpc_mac_digest_len(job->alg) ? QK_OK : QK_E_STATE;
    case MAC_STRICT:
        return job->pub.len >= 1 && job->pub.len <= MPC_MAC_MESSAGE_MAX ? QK_OK : QK_E_STATE;
    case MAC_DERIVE:
    case MAC_SECRET:
        return job->pub.len == 0 ? QK_OK : QK_E_STATE;
    }
    return QK_E_STATE;
}

/* ---- what a compression begins with ---- */

static void set_wires(struct mac_circuit *c, struct mac_word *to, unsigned n, unsigned from)
{
    for (unsigned i = 0; i < n; i++)
        mac_word_wires(&c->wave, &to[i], c->in + from + i * c->sha->bits);
}

static void set_iv(struct mac_circuit *c)
{
    for (unsigned i = 0; i < 8; i++)
        mac_word_known(&c->wave, &c->init[i], mac_sha2_iv(c->job.alg, i));
}

static void set_block(struct mac_circuit *c, const uint8_t *block, unsigned first)
{
    for (unsigned i = first; i < 16; i++)
        mac_word_known(&c->wave, &c->w[i], mac_sha2_word(c->job.alg, block, i));
}

/* The padding of a digest behind one block, as words: block is all zero but for it. */
static unsigned digest_padding(const struct mac_circuit *c, uint8_t *block)
{
    size_t len = mpc_mac_digest_len(c->job.alg);
    static const uint8_t zero[MPC_MAC_DIGEST_MAX];
    mac_sha2_block(c->job.alg, qk_bytes(zero, len), 0, block);
    return (unsigned)(8 * len) / c->sha->bits;
}

static void begin_outer(struct mac_circuit *c)
{
    uint8_t block[MPC_MAC_BLOCK_MAX];
    mac_sha2_block(c->job.alg, c->job.pub, 0, block);
    set_wires(c, c->init, 8, 0);
    set_block(c, block, 0);
    c->secret_block = false;
}

/* K xor pad: a NOT where the pad has a one. */
static void begin_derive(struct mac_circuit *c)
{
    uint8_t pad[MPC_MAC_BLOCK_MAX];
    unsigned n = c->sha->bits, words = digest_bits(&c->job) / n;
    memset(pad, c->block == 0 ? 0x36 : 0x5c, sizeof pad);
    set_iv(c);
    set_wires(c, c->w, words, 0);
    set_block(c, pad, words);
    for (unsigned i = 0; !c->wave.dry && i < words * n; i++)
        c->w[i / n].w[i % n] ^= mac_wire_if(c->wave.one, mac_bit(pad, n, i));
    c->secret_block = true;
}

/* The inner blocks, chained; then the outer one, whose block is what they gave. */
static void begin_strict(struct mac_circuit *c)
{
    uint8_t block[MPC_MAC_BLOCK_MAX];
    unsigned words;
    c->secret_block = c->block + 1 == c->n_blocks;
    if (c->block == 0) set_wires(c, c->init, 8, 0);
    if (!c->secret_block) {
        if (c->block > 0) memcpy(c->init, c->state, sizeof c->init);
        mac_sha2_block(c->job.alg, c->job.pub, c->block, block);
        set_block(c, block, 0);
        return;
    }
    words = digest_padding(c, block);
    memcpy(c->w, c->state, words * sizeof *c->w);
    set_block(c, block, words);
    set_wires(c, c->init, 8, state_bits(&c->job));
}

static void begin_secret(struct mac_circuit *c)
{
    set_wires(c, c->init, 8, 0);
    set_wires(c, c->w, 16, state_bits(&c->job));
    c->secret_block = true;
}

static void begin(struct mac_circuit *c)
{
    switch (c->job.fn) {
    case MAC_OUTER:
        begin_outer(c);
        break;
    case MAC_DERIVE:
        begin_derive(c);
        break;
    case MAC_STRICT:
        begin_strict(c);
        break;
    case MAC_SECRET:
        begin_secret(c);
        break;
    }
    memcpy(c->state, c->init, sizeof c->state);
    for (unsigned i = 0; i < 8; i++) c->v[i] = &c->state[i];
}

/* ---- one round ---- */

static struct mac_word *temp(struct mac_circuit *c)
{
    return &c->temp[c->n_temps++];
}

/* out = the sum of n terms. What is known is added up in the clear and put onto the first of the
 * others, which follow in their order. */
static void sum(
    struct mac_circuit *c, struct mac_word *out, const struct mac_word *const *term, unsigned n)
{
    const struct mac_word *open[8], *acc;
    unsigned n_open = 0;
    uint64_t k = 0;
    for (unsigned i = 0; i < n; i++) {
        if (mac_word_is_known(&c->wave, term[i]))
            k += term[i]->value;
        else
            open[n_open++] = term[i];
    }
    if (c->sha->bits == 32) k &= UINT32_MAX;
    if (n_open == 0) {
        mac_word_known(&c->wave, out, k);
        return;
    }
    acc = open[0];
    if (k != 0 || n_open == 1) {
        struct mac_word *known = temp(c), *to = n_open == 1 ? out : temp(c);
        mac_word_known(&c->wave, known, k);
        mac_wave_add(&c->wave, to, acc, known);
        acc = to;
    }
    for (unsigned i = 1; i < n_open; i++) {
        struct mac_word *to = i + 1 == n_open ? out : temp(c);
        mac_wave_add(&c->wave, to, acc, open[i]);
        acc = to;
    }
}

#define SUM(c, out, ...)                                                                           \
    sum(c, out, (const struct mac_word *const[]){__VA_ARGS__},                                     \
        sizeof((const struct mac_word *const[]){__VA_ARGS__}) / sizeof(const struct mac_word *))

static const struct mac_word *sigma(
    struct mac_circuit *c, const struct mac_word *x, const uint8_t r[3], bool shift)
{
    struct mac_word *out = temp(c);
    mac_word_sigma(&c->wave, out, x, r, shift);
    return out;
}

/* W_r, in its place in the ring. */
static const struct mac_word *schedule(struct mac_circuit *c)
{
    unsigned r = c->round;
    struct mac_word *w = &c->w[r % 16];
    if (r < 16) return w;
    const struct mac_word *w2 = &c->w[(r - 2) % 16], *w15 = &c->w[(r - 15) % 16];
    if (!c->secret_block) { /* in the clear: spares the wires */
        uint64_t v = mac_sha2_sigma(c->sha, c->sha->sigma1, true, w2->value) +
                     c->w[(r - 7) % 16].value +
                     mac_sha2_sigma(c->sha, c->sha->sigma0, true, w15->value) + w->value;
        mac_word_known(&c->wave, w, c->sha->bits == 32 ? v & UINT32_MAX : v);
        return w;
    }
    SUM(c, w, sigma(c, w2, c->sha->sigma1, true), &c->w[(r - 7) % 16],
        sigma(c, w15, c->sha->sigma0, true), w);
    return w;
}

static void turn(struct mac_circuit *c)
{
    struct mac_word *h = c->v[7];
    memmove(c->v + 1, c->v, 7 * sizeof *c->v);
    c->v[0] = h;
}

/* a' takes h's place and e' d's: both are read, bit for bit, before they are overwritten. */
static void plan_round(struct mac_circuit *c)
{
    struct mac_word *a = c->v[0], *d = c->v[3], *e = c->v[4], *h = c->v[7];
    struct mac_word *ch = temp(c), *maj = temp(c), *t = temp(c), *u = temp(c), *k = temp(c);
    mac_word_known(&c->wave, k, mac_sha2_k(c->job.alg, c->round));
    const struct mac_word *sum1 = sigma(c, e, c->sha->sum1, false);
    const struct mac_word *sum0 = sigma(c, a, c->sha->sum0, false);
    mac_wave_ch(&c->wave, ch, temp(c), e, c->v[5], c->v[6]);
    mac_wave_maj(&c->wave, maj, temp(c), temp(c), a, c->v[1], c->v[2]);
    const struct mac_word *w = schedule(c);
    if (c->secret_block)
        SUM(c, t, h, ch, w, sum1, k); /* ch may be known in part, so it goes first */
    else
        SUM(c, t, h, sum1, ch, k, w);
    SUM(c, u, sum0, maj);
    SUM(c, d, d, t);
    SUM(c, h, t, u);
    turn(c);
}

/* The closing additions, for the words that are used. */
static void plan_closing(struct mac_circuit *c)
{
    bool last = c->block + 1 == c->n_blocks;
    unsigned words = 8;
    if (last && (c->job.fn == MAC_OUTER || c->job.fn == MAC_STRICT))
        words = digest_bits(&c->job) / c->sha->bits;
    if (c->job.fn == MAC_STRICT && c->block + 2 == c->n_blocks)
        words = digest_bits(&c->job) / c->sha->bits;
    for (unsigned i = 0; i < words; i++) SUM(c, &c->state[i], &c->init[i], &c->state[i]);
}

/* ---- the walk ---- */

static void keep_output(struct mac_circuit *c)
{
    unsigned n = c->sha->bits, from = 0, words = mac_job_outputs(&c->job) / n;
    if (c->job.fn == MAC_DERIVE) {
        words = 8;
        from = c->block * state_bits(&c->job);
    } else if (c->block + 1 != c->n_blocks) {
        return;
    }
    for (unsigned i = 0; i < words; i++) memcpy(c->out + from + i * n, c->state[i].w, n * 16);
    if (c->job.masked == 0 || c->block + c->job.masked < 2) return;
    unsigned mask = digest_bits(&c->job) + (c->block + c->job.masked - 2) * state_bits(&c->job);
    for (unsigned i = 0; i < 8 * n; i++) c->out[from + i] ^= c->in[mask + i];
}

/* A compression is over once its closing wave has run. */
static void next_block(struct mac_circuit *c)
{
    if (!c->wave.dry) keep_output(c);
    c->block++;
    c->round = 0;
}

bool mac_circuit_plan(struct mac_circuit *c, unsigned *n_gates)
{
    if (c->round > c->sha->rounds) next_block(c);
    if (c->block == c->n_blocks) return false;
    if (c->round == 0) begin(c);
    mac_wave_begin(&c->wave);
    c->n_temps = 0;
    if (c->round < c->sha->rounds)
        plan_round(c);
    else
        plan_closing(c);
    c->round++;
    *n_gates = c->wave.n_gates;
    return true;
}

void mac_circuit_run(struct mac_circuit *c, struct mac_sink *sink)
{
    mac_wave_run(&c->wave, sink);
}

void mac_circuit_input(struct mac_circuit *c, const mac_wire *in, mac_wire one)
{
    memcpy(c->in, in, mac_job_inputs(&c->job) * sizeof *in);
    c->wave.one = one;
}

void mac_circuit_output(const struct mac_circuit *c, mac_wire *out)
{
    memcpy(out, c->out, mac_job_outputs(&c->job) * sizeof *out);
}

qk_err mac_circuit_new(struct mac_circuit **out, const struct mac_job *job)
{
    QK_TRY(job_check(job));
    struct mac_circuit *c = OPENSSL_zalloc(sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    c->job = *job;
    c->sha = mac_sha2(job->alg);
    c->wave.n_bits = c->sha->bits;
    c->n_blocks = blocks_of(job);
    *out = c;
    return QK_OK;
}

void mac_circuit_free(struct mac_circuit *c)
{
    if (c != NULL) OPENSSL_clear_free(c, sizeof *c);
}

qk_err mac_job_gates(const struct mac_job *job, uint64_t *n_gates)
{
    struct mac_circuit *c;
    unsigned n;
    uint64_t total = 0;
    QK_TRY(mac_circuit_new(&c, job));
    c->wave.dry = true;
    while (mac_circuit_plan(c, &n)) total += n;
    mac_circuit_free(c);
    *n_gates = total;
    return QK_OK;
}
