#include <openssl/evp.h>
#include "mac/stream.h"
#include "qk/secret.h"

enum { PEND_MAX = MAC_HEAD_MAX }; /* 64 KiB and a little: the head, or the tables of one wave */
_Static_assert(PEND_MAX >= MAC_WAVE_GATES_MAX * MAC_TABLE, "a wave must fit");

enum phase { PH_HEAD, PH_WAVES, PH_DECODE, PH_END };

struct mac_garbler {
    struct mac_layout layout;
    enum phase phase;
    struct mac_circuit *circuit;
    struct mac_pi pi;
    struct mac_garble_sink sink;
    bool planned; /* the next wave, of n_gates ANDs */
    unsigned n_gates;
    uint8_t kh[16];
    mac_wire delta;
    mac_wire a[MAC_STREAM_INPUTS_MAX], b[MAC_STREAM_INPUTS_MAX]; /* false labels */
    mac_wire out[MAC_OUTPUTS_MAX];
    uint64_t given; /* bytes of M1 */
    size_t pend_off, pend_len;
    uint8_t pend[PEND_MAX];
};

/* ---- all randomness from the seed ---- */

static qk_err key_stream(const uint8_t *seed, uint8_t *out, size_t len)
{
    static const uint8_t zero[16];
    int n = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    QK_ENSURE(ctx != NULL, QK_E_NOMEM);
    memset(out, 0, len);
    bool ok = EVP_EncryptInit_ex(ctx, EVP_aes_256_ctr(), NULL, seed, zero) == 1 &&
              EVP_EncryptUpdate(ctx, out, &n, out, (int)len) == 1 && (size_t)n == len;
    EVP_CIPHER_CTX_free(ctx);
    return ok ? QK_OK : QK_E_CRYPTO;
}

static void take_labels(struct mac_garbler *g, const uint8_t *stream)
{
    const uint8_t *p = stream + 32;
    memcpy(g->kh, stream, 16);
    g->delta = mac_wire_load(stream + 16) | (mac_wire){1, 0};
    memcpy(g->a, p, 16 * (size_t)g->layout.n_a);
    memcpy(g->b, p + 16 * (size_t)g->layout.n_a, 16 * (size_t)g->layout.n_b);
}

static qk_err draw(struct mac_garbler *g, const uint8_t *seed)
{
    size_t len = 32 + 16 * (size_t)(g->layout.n_a + g->layout.n_b);
    uint8_t *stream = OPENSSL_malloc(len);
    QK_ENSURE(stream != NULL, QK_E_NOMEM);
    qk_err err = key_stream(seed, stream, len);
    if (err == QK_OK) take_labels(g, stream);
    OPENSSL_clear_free(stream, len);
    return err;
}

static void set_inputs(struct mac_garbler *g, const uint8_t *c)
{
    mac_wire in[MAC_STREAM_INPUTS_MAX];
    unsigned n = mac_word_bits(g->layout.job.alg);
    for (unsigned j = 0; j < g->layout.n_a; j++) {
        in[j] = g->a[j] ^ mac_wire_if(g->delta, mac_bit(c, n, j));
        if (j < g->layout.n_b) in[j] ^= g->b[j];
    }
    mac_circuit_input(g->circuit, in, g->delta);
    qk_wipe(in, sizeof in);
}

static qk_err start(
    struct mac_garbler *g, const uint8_t *seed, const uint8_t *c, enum mac_engine engine)
{
    QK_TRY(mac_circuit_new(&g->circuit, &g->layout.job));
    QK_TRY(draw(g, seed));
    QK_TRY(mac_pi_init(&g->pi, g->kh, engine));
    set_inputs(g, c);
    mac_garble_sink_init(&g->sink, &g->pi, g->delta);
    return QK_OK;
}

qk_err mac_garbler_new_on(struct mac_garbler **out, const struct mac_layout *layout,
    const uint8_t seed[static 32], const uint8_t *c, enum mac_engine engine)
{
    struct mac_garbler *g = OPENSSL_zalloc(sizeof *g);
    QK_ENSURE(g != NULL, QK_E_NOMEM);
    g->layout = *layout;
    qk_err err = start(g, seed, c, engine);
    if (err != QK_OK) {
        mac_garbler_free(g);
        return err;
    }
    *out = g;
    return QK_OK;
}

qk_err mac_garbler_new(struct mac_garbler **out, const struct mac_layout *layout,
    const uint8_t seed[static 32], const uint8_t *c)
{
    return mac_garbler_new_on(out, layout, seed, c, MAC_ENGINE_BEST);
}

void mac_garbler_free(struct mac_garbler *g)
{
    if (g == NULL) return;
    mac_circuit_free(g->circuit);
    mac_pi_clear(&g->pi);
    OPENSSL_clear_free(g, sizeof *g);
}

const uint8_t *mac_garbler_kh(const struct mac_garbler *g)
{
    return g->kh;
}

static void active(const struct mac_garbler *g, const mac_wire *falses, const uint8_t *bits,
    unsigned n_wires, uint8_t *out)
{
    unsigned n = mac_word_bits(g->layout.job.alg);
    for (unsigned j = 0; j < n_wires; j++)
        mac_wire_store(
            out + 16 * (size_t)j, falses[j] ^ mac_wire_if(g->delta, mac_bit(bits, n, j)));
}

void mac_garbler_labels_a(const struct mac_garbler *g, const uint8_t *a, uint8_t *out)
{
    active(g, g->a, a, g->layout.n_a, out);
}

void mac_garbler_labels_b(const struct mac_garbler *g, const uint8_t *b, uint8_t *out)
{
    active(g, g->b, b, g->layout.n_b, out);
}

/* ---- M1, piece by piece ---- */

static void put_head(struct mac_garbler *g)
{
    const struct mac_layout *l = &g->layout;
    uint8_t *a = g->pend + 16, *b = a + 2 * MAC_DIGEST * (size_t)l->n_a;
    memcpy(g->pend, g->kh, 16);
    mac_digests(&g->pi, a, MAC_KIND_A, g->a, g->delta, l->n_a);
    mac_digests(&g->pi, b, MAC_KIND_B, g->b, g->delta, l->n_b);
    g->pend_len = l->head_len;
    g->phase = PH_WAVES;
}

/* The colours of the false output labels: E's own colours, xored with them, are the bits. */
static void put_decode(struct mac_garbler *g)
{
    mac_circuit_output(g->circuit, g->out);
    g->phase = PH_END;
    if (!g->layout.decode) return;
    g->pend_len = g->layout.n_out / 8;
    memset(g->pend, 0, g->pend_len);
    for (unsigned i = 0; i < g->layout.n_out; i++)
        g->pend[i / 8] |= (uint8_t)((g->out[i][0] & 1) << (i % 8));
}

static void garble_wave(struct mac_garbler *g, uint8_t *tables)
{
    g->sink.tables = tables;
    mac_circuit_run(g->circuit, &g->sink.sink);
    g->sink.first += g->n_gates;
    g->planned = false;
}

/* The next wave: straight to out if it fits, else by way of pend. Returns the bytes put to out. */
static size_t put_wave(struct mac_garbler *g, uint8_t *out, size_t room)
{
    if (!g->planned) g->planned = mac_circuit_plan(g->circuit, &g->n_gates);
    if (!g->planned) {
        g->phase = PH_DECODE;
        return 0;
    }
    size_t len = MAC_TABLE * (size_t)g->n_gates;
    bool fits = len <= room;
    garble_wave(g, fits ? out : g->pend);
    if (!fits) g->pend_len = len;
    return fits ? len : 0;
}

static size_t drain(struct mac_garbler *g, uint8_t *out, size_t room)
{
    size_t len = g->pend_len < room ? g->pend_len : room;
    memcpy(out, g->pend + g->pend_off, len);
    g->pend_off += len;
    g->pend_len -= len;
    if (g->pend_len == 0) g->pend_off = 0;
    return len;
}

static size_t some(struct mac_garbler *g, uint8_t *out, size_t room)
{
    if (g->pend_len > 0) return drain(g, out, room);
    if (g->phase == PH_HEAD)
        put_head(g);
    else if (g->phase == PH_WAVES)
        return put_wave(g, out, room);
    else
        put_decode(g);
    return 0;
}

qk_err mac_garbler_read(struct mac_garbler *g, uint8_t *out, size_t max, size_t *len)
{
    uint64_t left = g->layout.m1_len - g->given;
    size_t want = left < max ? (size_t)left : max, n = 0;
    while (n < want) n += some(g, out + n, want - n);
    g->given += n;
    while (g->given == g->layout.m1_len && g->phase != PH_END) some(g, out + n, 0);
    *len = n;
    return g->pi.err;
}

/* ---- outputs ---- */

static bool over(const struct mac_garbler *g)
{
    return g->phase == PH_END && g->pend_len == 0;
}

qk_err mac_garbler_outputs(const struct mac_garbler *g, mac_wire *falses, mac_wire *delta)
{
    QK_ENSURE(over(g), QK_E_STATE);
    memcpy(falses, g->out, 16 * (size_t)g->layout.n_out);
    *delta = g->delta;
    return QK_OK;
}

qk_err mac_garbler_ot(struct mac_garbler *g, uint8_t *out)
{
    QK_ENSURE(over(g), QK_E_STATE);
    mac_digests(&g->pi, out, MAC_KIND_Y, g->out, g->delta, g->layout.n_out);
    return g->pi.err;
}
