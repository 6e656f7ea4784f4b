#include "mac/pi.h"

#include <openssl/evp.h>
#include "qk/secret.h"

/* ---- OpenSSL ---- */

static qk_err init_evp(struct mac_pi *pi, const uint8_t *kh)
{
    pi->evp = EVP_CIPHER_CTX_new();
    QK_ENSURE(pi->evp, QK_E_NOMEM);
    QK_ENSURE(EVP_EncryptInit_ex(pi->evp, EVP_aes_128_ecb(), NULL, kh, NULL) == 1, QK_E_CRYPTO);
    return EVP_CIPHER_CTX_set_padding(pi->evp, 0) == 1 ? QK_OK : QK_E_CRYPTO;
}

static void encrypt_evp(struct mac_pi *pi, mac_wire *out, const mac_wire *in, unsigned n)
{
    int len = 0;
    int ok = EVP_EncryptUpdate(pi->evp, (void *)out, &len, (const void *)in, (int)(16 * n));
    if (ok != 1 || (unsigned)len != 16 * n) pi->err = QK_E_CRYPTO;
}

static void hs_evp(
    struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n)
{
    mac_wire first[MAC_BLOCKS_MAX], second[MAC_BLOCKS_MAX];
    encrypt_evp(pi, first, x, n);
    for (unsigned i = 0; i < n; i++) second[i] = first[i] ^ tau[i];
    encrypt_evp(pi, out, second, n);
    for (unsigned i = 0; i < n; i++) out[i] ^= first[i];
    qk_wipe(first, sizeof first);
    qk_wipe(second, sizeof second);
}

/* ---- any engine ---- */

qk_err mac_pi_init(struct mac_pi *pi, const uint8_t kh[static 16], enum mac_engine engine)
{
    enum mac_engine best = mac_pi_best();
    QK_ENSURE(engine <= best || engine == MAC_ENGINE_BEST, QK_E_STATE);
    *pi = (struct mac_pi){.engine = engine == MAC_ENGINE_BEST ? best : engine};
    if (pi->engine == MAC_ENGINE_EVP) return init_evp(pi, kh);
    mac_pi_key_ni(pi, kh);
    return QK_OK;
}

void mac_pi_clear(struct mac_pi *pi)
{
    EVP_CIPHER_CTX_free(pi->evp);
    qk_wipe(pi, sizeof *pi);
}

void mac_hs(struct mac_pi *pi, mac_wire *out, const mac_wire *x, const mac_wire *tau, unsigned n)
{
    n = (n + 3) & ~3u;
    if (pi->engine == MAC_ENGINE_VAES)
        mac_hs_vaes(pi, out, x, tau, n);
    else if (pi->engine == MAC_ENGINE_NI)
        mac_hs_ni(pi, out, x, tau, n);
    else
        hs_evp(pi, out, x, tau, n);
}

/* ---- digests of labels ---- */

static mac_wire digest_tweak(enum mac_digest_kind kind, unsigned j, unsigned b)
{
    return (mac_wire){((uint64_t)kind << 32) + 2 * (uint64_t)j + b, 0};
}

void mac_digests(struct mac_pi *pi, uint8_t *out, enum mac_digest_kind kind, const mac_wire *falses,
    mac_wire delta, unsigned n)
{
    enum { STEP = MAC_BLOCKS_MAX / 2 };
    struct mac_blocks w = {0};
    for (unsigned from = 0; from < n; from += STEP) {
        unsigned m = n - from < STEP ? n - from : STEP;
        for (unsigned i = 0; i < 2 * m; i++) {
            w.x[i] = falses[from + i / 2] ^ mac_wire_if(delta, i);
            w.tau[i] = digest_tweak(kind, from + i / 2, i & 1);
        }
        mac_hs(pi, w.h, w.x, w.tau, 2 * m);
        memcpy(out + (size_t)from * 2 * MAC_DIGEST, w.h, (size_t)m * 2 * MAC_DIGEST);
    }
    qk_wipe(&w, sizeof w);
}

void mac_active_digests(struct mac_pi *pi, uint8_t *out, enum mac_digest_kind kind,
    const mac_wire *active, const uint8_t *bits, unsigned n)
{
    struct mac_blocks w = {0};
    for (unsigned from = 0; from < n; from += MAC_BLOCKS_MAX) {
        unsigned m = n - from < MAC_BLOCKS_MAX ? n - from : MAC_BLOCKS_MAX;
        for (unsigned i = 0; i < m; i++) {
            w.x[i] = active[from + i];
            w.tau[i] = digest_tweak(kind, from + i, bits[from + i]);
        }
        mac_hs(pi, w.h, w.x, w.tau, m);
        memcpy(out + (size_t)from * MAC_DIGEST, w.h, (size_t)m * MAC_DIGEST);
    }
    qk_wipe(&w, sizeof w);
}
