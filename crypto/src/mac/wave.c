#include "mac/wave.h"

#include "qk/secret.h"

static uint64_t mask(unsigned n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static unsigned bit(uint64_t m, unsigned i)
{
    return (m >> i) & 1;
}

/* ---- words ---- */

void mac_word_known(const struct mac_wave *wave, struct mac_word *out, uint64_t value)
{
    out->known = mask(wave->n_bits);
    out->value = value;
    out->wave = 0;
    for (unsigned i = 0; !wave->dry && i < wave->n_bits; i++)
        out->w[i] = mac_wire_if(wave->one, bit(value, i));
}

void mac_word_wires(const struct mac_wave *wave, struct mac_word *out, const mac_wire *w)
{
    out->known = out->value = 0;
    out->wave = 0;
    if (!wave->dry) memcpy(out->w, w, wave->n_bits * sizeof *w);
}

bool mac_word_is_known(const struct mac_wave *wave, const struct mac_word *x)
{
    return x->known == mask(wave->n_bits);
}

static void word_xor(const struct mac_wave *wave, struct mac_word *out, const struct mac_word *x,
    const struct mac_word *y)
{
    out->known = x->known & y->known;
    out->value = (x->value ^ y->value) & out->known;
    out->wave = 0;
    for (unsigned i = 0; !wave->dry && i < wave->n_bits; i++) out->w[i] = x->w[i] ^ y->w[i];
}

static uint64_t rotate(unsigned n, uint64_t x, unsigned by)
{
    return (x >> by | x << (n - by)) & mask(n);
}

void mac_word_sigma(const struct mac_wave *wave, struct mac_word *out, const struct mac_word *x,
    const uint8_t r[3], bool shift)
{
    unsigned n = wave->n_bits;
    uint64_t in = shift ? ~mask(n - r[2]) & mask(n) : 0; /* zeros shifted in: known */
    uint64_t last_known = shift ? x->known >> r[2] | in : rotate(n, x->known, r[2]);
    uint64_t last = shift ? x->value >> r[2] : rotate(n, x->value, r[2]);
    out->known = rotate(n, x->known, r[0]) & rotate(n, x->known, r[1]) & last_known;
    out->value = (rotate(n, x->value, r[0]) ^ rotate(n, x->value, r[1]) ^ last) & out->known;
    out->wave = 0;
    for (unsigned i = 0; !wave->dry && i < n; i++) {
        mac_wire v = x->w[(i + r[0]) % n] ^ x->w[(i + r[1]) % n];
        if (!shift || i + r[2] < n) v ^= x->w[(i + r[2]) % n];
        out->w[i] = v;
    }
}

/* ---- putting operations ---- */

void mac_wave_begin(struct mac_wave *wave)
{
    wave->number++;
    wave->n_ops = wave->n_gates = wave->steps = 0;
}

static unsigned ready(const struct mac_wave *wave, const struct mac_word *x)
{
    return x->wave == wave->number ? x->ready : 0;
}

static struct mac_op *put(struct mac_wave *wave, struct mac_word *out, const struct mac_word *x,
    const struct mac_word *y, const struct mac_word *z)
{
    struct mac_op *op = &wave->op[wave->n_ops++];
    unsigned rx = ready(wave, x), ry = ready(wave, y);
    *op = (struct mac_op){.out = out, .x = x, .y = y, .z = z, .next = wave->n_gates};
    op->delay = rx > ry ? rx : ry;
    if (wave->steps < op->delay + wave->n_bits) wave->steps = op->delay + wave->n_bits;
    return op;
}

/* The masks of op are complete: count its gates, say when and with what its result is there. */
static void seal(struct mac_wave *wave, struct mac_op *op, uint64_t known, uint64_t value)
{
    wave->n_gates += (unsigned)__builtin_popcountll(op->gate);
    op->out->known = known;
    op->out->value = value & known;
    op->out->wave = wave->number;
    op->out->ready = op->delay + 1;
}

struct carry {
    bool known, value;
};

/* Bit i of an adder: what it costs, and what is known of the next carry. kx.. say what is known of
 * the operands, v is the known value if exactly one is known. */
static struct carry plan_carry(struct mac_op *op, unsigned i, struct carry c)
{
    uint64_t m = UINT64_C(1) << i;
    bool kx = op->x->known & m, ky = op->y->known & m;
    bool v = (kx ? op->x->value : op->y->value) & m;
    if (kx && ky && !(op->x->value & m) == !(op->y->value & m)) c = (struct carry){true, v};
    if (kx && ky) {
        if (c.known && c.value) op->one |= m;
        if (!c.known) op->keep |= m;
        return c;
    }
    if (c.known && (kx || ky)) {
        if (v != c.value) *(kx ? &op->take_y : &op->take_x) |= m;
        if (v == c.value && v) op->one |= m;
        return (struct carry){v == c.value, v};
    }
    op->gate |= m;
    if (kx || ky) op->half |= m;
    if (kx) op->half_x |= m;
    if ((kx || ky) && v) op->half_one |= m;
    return (struct carry){false, false};
}

/* The general case, bit by bit. Returns which bits of the sum are known. */
static uint64_t plan_bits(const struct mac_wave *wave, struct mac_op *op, uint64_t *value)
{
    uint64_t known = 0;
    struct carry c = {true, false};
    *value = 0;
    for (unsigned i = 0; i < wave->n_bits; i++) {
        uint64_t m = UINT64_C(1) << i;
        if (c.known && (op->x->known & op->y->known & m)) {
            known |= m;
            *value |= (op->x->value ^ op->y->value ^ (c.value ? m : 0)) & m;
        }
        if (i + 1 < wave->n_bits) c = plan_carry(op, i, c);
    }
    return known;
}

void mac_wave_add(
    struct mac_wave *wave, struct mac_word *out, const struct mac_word *x, const struct mac_word *y)
{
    struct mac_op *op = put(wave, out, x, y, NULL);
    uint64_t known = 0, value = 0, all = mask(wave->n_bits - 1);
    op->add = true;
    if ((x->known | y->known) == 0) {
        op->gate = all;
    } else if (x->known == 0 && mac_word_is_known(wave, y) && y->value != 0) {
        uint64_t low = y->value & -y->value; /* the lowest one: below it no carry */
        op->take_x = low & all;
        op->gate = op->half = all & ~(low | (low - 1));
        op->half_one = op->half & y->value;
    } else {
        known = plan_bits(wave, op, &value);
    }
    seal(wave, op, known, value);
}

/* same, other: bits where x equals y, or is its opposite, although neither is known. */
static void put_and(struct mac_wave *wave, struct mac_word *out, const struct mac_word *x,
    const struct mac_word *y, const struct mac_word *z, uint64_t same, uint64_t other)
{
    struct mac_op *op = put(wave, out, x, y, z);
    uint64_t kx = x->known, vx = x->value, ky = y->known, vy = y->value;
    uint64_t zero = (kx & ~vx) | (ky & ~vy) | other;
    op->gate = mask(wave->n_bits) & ~(kx | ky | same | other);
    op->take_y = kx & ~zero;
    op->take_x = (ky | same) & ~zero & ~op->take_y;
    seal(wave, op, z->known & (zero | (kx & ky)), z->value ^ (vx & vy));
}

void mac_wave_ch(struct mac_wave *wave, struct mac_word *out, struct mac_word *fg,
    const struct mac_word *e, const struct mac_word *f, const struct mac_word *g)
{
    word_xor(wave, fg, f, g);
    put_and(wave, out, e, fg, g, 0, 0);
}

void mac_wave_maj(struct mac_wave *wave, struct mac_word *out, struct mac_word *ab,
    struct mac_word *ac, const struct mac_word *a, const struct mac_word *b,
    const struct mac_word *c)
{
    uint64_t both = b->known & c->known & ~a->known, differ = (b->value ^ c->value) & both;
    word_xor(wave, ab, a, b);
    word_xor(wave, ac, a, c);
    put_and(wave, out, ab, ac, a, both & ~differ, differ);
    out->known |= both & ~differ; /* two equal ones of three decide */
    out->value |= b->value & both & ~differ;
}

/* ---- running ---- */

struct lanes {
    struct mac_batch batch;
    struct mac_op *op[MAC_LANES];
    unsigned bit[MAC_LANES];
};

static inline void lane(struct lanes *l, struct mac_op *op, unsigned i, mac_wire x, mac_wire y)
{
    unsigned n = l->batch.n++;
    l->batch.x[n] = x;
    l->batch.y[n] = y;
    l->batch.at[n] = op->next++; /* bits come in order */
    l->op[n] = op;
    l->bit[n] = i;
}

static inline void add_bit(struct lanes *l, struct mac_op *op, unsigned i, mac_wire one)
{
    mac_wire x = op->x->w[i], y = op->y->w[i], c = op->carry;
    op->out->w[i] = x ^ y ^ c;
    if (!bit(op->gate, i)) {
        if (bit(op->keep, i)) return;
        op->carry = mac_wire_if(x, bit(op->take_x, i)) ^ mac_wire_if(y, bit(op->take_y, i)) ^
                    mac_wire_if(one, bit(op->one, i));
    } else if (bit(op->half, i)) {
        mac_wire flip = mac_wire_if(one, bit(op->half_one, i));
        lane(l, op, i, (bit(op->half_x, i) ? y : x) ^ flip, c ^ flip);
    } else {
        lane(l, op, i, x ^ c, y ^ c);
    }
}

static inline void and_bit(struct lanes *l, struct mac_op *op, unsigned i)
{
    mac_wire x = op->x->w[i], y = op->y->w[i];
    if (bit(op->gate, i))
        lane(l, op, i, x, y);
    else
        op->out->w[i] =
            op->z->w[i] ^ mac_wire_if(x, bit(op->take_x, i)) ^ mac_wire_if(y, bit(op->take_y, i));
}

static inline void finish(struct mac_op *op, unsigned i, mac_wire product, mac_wire one)
{
    if (!op->add)
        op->out->w[i] = op->z->w[i] ^ product;
    else if (bit(op->half, i))
        op->carry = product ^ mac_wire_if(one, bit(op->half_one, i));
    else
        op->carry ^= product;
}

void mac_wave_run(struct mac_wave *wave, struct mac_sink *sink)
{
    struct lanes l;
    for (unsigned step = 0; step < wave->steps; step++) {
        l.batch.n = 0;
        for (struct mac_op *op = wave->op; op < wave->op + wave->n_ops; op++) {
            unsigned i = step - op->delay; /* wraps before its time */
            if (i >= wave->n_bits) continue;
            if (op->add)
                add_bit(&l, op, i, wave->one);
            else
                and_bit(&l, op, i);
        }
        if (l.batch.n > 0) sink->and (sink, &l.batch);
        for (unsigned n = 0; n < l.batch.n; n++)
            finish(l.op[n], l.bit[n], l.batch.out[n], wave->one);
    }
    qk_wipe(&l, sizeof l);
}
