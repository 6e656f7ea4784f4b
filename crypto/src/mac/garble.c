#include "mac/garble.h"

static inline unsigned colour(mac_wire w)
{
    return w[0] & 1;
}

static inline mac_wire tweak(uint64_t v)
{
    return (mac_wire){v, 0};
}

/* ---- garbling: four hashes for a gate ---- */

static inline void ask_garble(
    struct mac_blocks *b, unsigned i, mac_wire x, mac_wire y, mac_wire delta, uint64_t gate)
{
    b->x[4 * i] = x;
    b->x[4 * i + 1] = x ^ delta;
    b->x[4 * i + 2] = y;
    b->x[4 * i + 3] = y ^ delta;
    b->tau[4 * i] = b->tau[4 * i + 1] = tweak(2 * gate);
    b->tau[4 * i + 2] = b->tau[4 * i + 3] = tweak(2 * gate + 1);
}

static inline mac_wire table(
    uint8_t *out, const mac_wire *h, mac_wire x, mac_wire y, mac_wire delta)
{
    mac_wire tg = h[0] ^ h[1] ^ mac_wire_if(delta, colour(y));
    mac_wire wg = h[0] ^ mac_wire_if(tg, colour(x));
    mac_wire te = h[2] ^ h[3] ^ x;
    mac_wire we = h[2] ^ mac_wire_if(te ^ x, colour(y));
    mac_wire_store(out, tg);
    mac_wire_store(out + 16, te);
    return wg ^ we;
}

static void garble_and(struct mac_sink *sink, struct mac_batch *batch)
{
    struct mac_garble_sink *s = (struct mac_garble_sink *)sink;
    mac_wire delta = sink->one;
    for (unsigned i = 0; i < batch->n; i++)
        ask_garble(&s->b, i, batch->x[i], batch->y[i], delta, s->first + batch->at[i]);
    mac_hs(s->pi, s->b.h, s->b.x, s->b.tau, 4 * batch->n);
    for (unsigned i = 0; i < batch->n; i++)
        batch->out[i] = table(s->tables + (size_t)MAC_TABLE * batch->at[i], s->b.h + 4 * i,
            batch->x[i], batch->y[i], delta);
}

void mac_garble_sink_init(struct mac_garble_sink *s, struct mac_pi *pi, mac_wire delta)
{
    memset(s, 0, sizeof *s);
    s->sink = (struct mac_sink){.one = delta, .and = garble_and};
    s->pi = pi;
}

/* ---- evaluating: two ---- */

static inline mac_wire use_table(const uint8_t *t, const mac_wire *h, mac_wire x, mac_wire y)
{
    mac_wire tg = mac_wire_load(t), te = mac_wire_load(t + 16);
    return h[0] ^ mac_wire_if(tg, colour(x)) ^ h[1] ^ mac_wire_if(te ^ x, colour(y));
}

static void eval_and(struct mac_sink *sink, struct mac_batch *batch)
{
    struct mac_eval_sink *s = (struct mac_eval_sink *)sink;
    for (unsigned i = 0; i < batch->n; i++) {
        uint64_t gate = s->first + batch->at[i];
        s->b.x[2 * i] = batch->x[i];
        s->b.x[2 * i + 1] = batch->y[i];
        s->b.tau[2 * i] = tweak(2 * gate);
        s->b.tau[2 * i + 1] = tweak(2 * gate + 1);
    }
    mac_hs(s->pi, s->b.h, s->b.x, s->b.tau, 2 * batch->n);
    for (unsigned i = 0; i < batch->n; i++)
        batch->out[i] = use_table(
            s->tables + (size_t)MAC_TABLE * batch->at[i], s->b.h + 2 * i, batch->x[i], batch->y[i]);
}

void mac_eval_sink_init(struct mac_eval_sink *s, struct mac_pi *pi)
{
    memset(s, 0, sizeof *s);
    s->sink = (struct mac_sink){.one = {0, 0}, .and = eval_and};
    s->pi = pi;
}
