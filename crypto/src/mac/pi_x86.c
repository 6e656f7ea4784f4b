/* The AES instructions of x86-64: one block at a time (AES-NI), eight side by side, or four in one
 * register (VAES with AVX-512), eight registers side by side. */
#include "mac/pi.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <stdatomic.h>

#define NI     __attribute__((target("aes,sse2")))
#define VAES   __attribute__((target("vaes,avx512f")))
#define ALWAYS inline __attribute__((always_inline))

enum { ROUNDS = 10 };

static enum mac_engine detect(void)
{
    unsigned a, b, c, d;
    if (!__builtin_cpu_supports("aes")) return MAC_ENGINE_EVP;
    /* avx512f of the builtin says that the system saves the registers too */
    if (__builtin_cpu_supports("avx512f") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
        (c & bit_VAES))
        return MAC_ENGINE_VAES;
    return MAC_ENGINE_NI;
}

/* In a virtual machine every CPUID instruction is a trip to its host: asked once. Threads that ask
 * at the same time write the same answer. */
enum mac_engine mac_pi_best(void)
{
    static atomic_int known; /* the engine; 0, which is MAC_ENGINE_BEST: not asked yet */
    int engine = atomic_load_explicit(&known, memory_order_relaxed);
    if (engine != MAC_ENGINE_BEST) return (enum mac_engine)engine;
    engine = (int)detect();
    atomic_store_explicit(&known, engine, memory_order_relaxed);
    return (enum mac_engine)engine;
}

/* ---- key schedule (FIPS 197 figure 11) ---- */

NI static ALWAYS __m128i next_key(__m128i k, __m128i assist)
{
    k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
    k = _mm_xor_si128(k, _mm_slli_si128(k, 8));
    return _mm_xor_si128(k, _mm_shuffle_epi32(assist, 0xff));
}

#define EXPAND(i, rcon)                                                                            \
    do {                                                                                           \
        k = next_key(k, _mm_aeskeygenassist_si128(k, (rcon)));                                     \
        _mm_storeu_si128((void *)pi->round_key[i], k);                                             \
    } while (0)

NI void mac_pi_key_ni(struct mac_pi *pi, const uint8_t kh[static 16])
{
    __m128i k = _mm_loadu_si128((const void *)kh);
    _mm_storeu_si128((void *)pi->round_key[0], k);
    EXPAND(1, 0x01);
    EXPAND(2, 0x02);
    EXPAND(3, 0x04);
    EXPAND(4, 0x08);
    EXPAND(5, 0x10);
    EXPAND(6, 0x20);
    EXPAND(7, 0x40);
    EXPAND(8, 0x80);
    EXPAND(9, 0x1b);
    EXPAND(10, 0x36);
}

/* ---- AES-NI ---- */

enum { NI_LANES = 8 };

NI static ALWAYS void encrypt_ni(const struct mac_pi *pi, __m128i *b, const unsigned lanes)
{
    __m128i k = _mm_loadu_si128((const void *)pi->round_key[0]);
    for (unsigned l = 0; l < lanes; l++) b[l] = _mm_xor_si128(b[l], k);
    for (unsigned r = 1; r < ROUNDS; r++) {
        k = _mm_loadu_si128((const void *)pi->round_key[r]);
        for (unsigned l = 0; l < lanes; l++) b[l] = _mm_aesenc_si128(b[l], k);
    }
    k = _mm_loadu_si128((const void *)pi->round_key[ROUNDS]);
    for (unsigned l = 0; l < lanes; l++) b[l] = _mm_aesenclast_si128(b[l], k);
}

NI static ALWAYS void hs_some_ni(const struct mac_pi *pi, mac_wire *out, const mac_wire *x,
    const mac_wire *tau, const unsigned lanes)
{
    __m128i b[NI_LANES];
    for (unsigned l = 0; l < lanes; l++) b[l] = _mm_loadu_si128((const void *)(x + l));
    encrypt_ni(pi, b, lanes);
    for (unsigned l = 0; l < lanes; l++) {
        _mm_storeu_si128((void *)(out + l), b[l]);
        b[l] = _mm_xor_si128(b[l], _mm_loadu_si128((const void *)(tau + l)));
    }
    encrypt_ni(pi, b, lanes);
    for (unsigned l = 0; l < lanes; l++) {
        __m128i first = _mm_loadu_si128((const void *)(out + l));
        _mm_storeu_si128((void *)(out + l), _mm_xor_si128(b[l], first));
    }
}

NI void mac_hs_ni(
    const struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n)
{
    unsigned i = 0;
    for (; i + NI_LANES <= n; i += NI_LANES) hs_some_ni(pi, out + i, x + i, tau + i, NI_LANES);
    if (i < n) hs_some_ni(pi, out + i, x + i, tau + i, 4);
}

/* ---- VAES ---- */

enum { VAES_REGS = 8 };

VAES static ALWAYS void encrypt_vaes(const struct mac_pi *pi, __m512i *b, const unsigned regs)
{
    __m512i k = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)pi->round_key[0]));
    for (unsigned l = 0; l < regs; l++) b[l] = _mm512_xor_si512(b[l], k);
#pragma GCC unroll 9
    for (unsigned r = 1; r < ROUNDS; r++) {
        k = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)pi->round_key[r]));
        for (unsigned l = 0; l < regs; l++) b[l] = _mm512_aesenc_epi128(b[l], k);
    }
    k = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)pi->round_key[ROUNDS]));
    for (unsigned l = 0; l < regs; l++) b[l] = _mm512_aesenclast_epi128(b[l], k);
}

VAES static ALWAYS void hs_some_vaes(const struct mac_pi *pi, mac_wire *out, const mac_wire *x,
    const mac_wire *tau, const unsigned regs)
{
    __m512i b[VAES_REGS], first[VAES_REGS];
    for (unsigned l = 0; l < regs; l++) b[l] = _mm512_loadu_si512(x + 4 * l);
    encrypt_vaes(pi, b, regs);
    for (unsigned l = 0; l < regs; l++) {
        first[l] = b[l];
        b[l] = _mm512_xor_si512(b[l], _mm512_loadu_si512(tau + 4 * l));
    }
    encrypt_vaes(pi, b, regs);
    for (unsigned l = 0; l < regs; l++)
        _mm512_storeu_si512(out + 4 * l, _mm512_xor_si512(b[l], first[l]));
}

VAES void mac_hs_vaes(
    const struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n)
{
    unsigned i = 0;
    for (; i + 32 <= n; i += 32) hs_some_vaes(pi, out + i, x + i, tau + i, 8);
    out += i, x += i, tau += i;
    switch ((n - i) / 4) { /* each its own code: the number of registers is a constant in it */
    case 7:
        hs_some_vaes(pi, out, x, tau, 7);
        break;
    case 6:
        hs_some_vaes(pi, out, x, tau, 6);
        break;
    case 5:
        hs_some_vaes(pi, out, x, tau, 5);
        break;
    case 4:
        hs_some_vaes(pi, out, x, tau, 4);
        break;
    case 3:
        hs_some_vaes(pi, out, x, tau, 3);
        break;
    case 2:
        hs_some_vaes(pi, out, x, tau, 2);
        break;
    case 1:
        hs_some_vaes(pi, out, x, tau, 1);
        break;
    default:
        break;
    }
}

#else

enum mac_engine mac_pi_best(void)
{
    return MAC_ENGINE_EVP;
}

/* Never called: the best engine of this processor is OpenSSL. */
void mac_pi_key_ni(struct mac_pi *pi, const uint8_t kh[static 16])
{
    (void)kh;
    pi->err = QK_E_STATE;
}

void mac_hs_ni(
    const struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n)
{
    (void)pi, (void)out, (void)x, (void)tau, (void)n;
}

void mac_hs_vaes(
    const struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n)
{
    (void)pi, (void)out, (void)x, (void)tau, (void)n;
}

#endif
