/* M-29: garblers, evaluator and combiner of MAC3 with everything secret undefined: pieces, ist,
 * link secrets, labels, delta.
 *
 * Public: the message, h (every node computes it, and it shapes the circuit: document 60 section 1
 * hides ost only), run, kh, M1 as E sees it (garbled tables and digests of labels: sent), GMAC
 * (sent), whether E's checks passed, OT. OpenSSL's AES-256-CTR and GCM are let through without
 * reports: they use AES instructions. */
#include "ctime.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <string.h>
#include "mac/task.h"

#define DOOR(name, params, args)                                                                   \
    int name params                                                                                \
    {                                                                                              \
        static int(*real) params;                                                                  \
        VALGRIND_DISABLE_ERROR_REPORTING;                                                          \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name);                                      \
        int ret = real args;                                                                       \
        ct_public(&ret, sizeof ret);                                                               \
        VALGRIND_ENABLE_ERROR_REPORTING;                                                           \
        return ret;                                                                                \
    }

DOOR(EVP_EncryptInit_ex,
    (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *c, ENGINE *e, const unsigned char *key,
        const unsigned char *iv),
    (ctx, c, e, key, iv))
DOOR(EVP_EncryptUpdate,
    (EVP_CIPHER_CTX * ctx, unsigned char *out, int *n, const unsigned char *in, int len),
    (ctx, out, n, in, len))
DOOR(EVP_EncryptFinal_ex, (EVP_CIPHER_CTX * ctx, unsigned char *out, int *n), (ctx, out, n))

/* The verdicts of checks M-4, M-5 and M-7 come out of here: they are public. */
int CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
    unsigned any = 0;
    for (size_t i = 0; i < len; i++) any |= ((const uint8_t *)a)[i] ^ ((const uint8_t *)b)[i];
    ct_public(&any, sizeof any);
    return any != 0;
}

enum { ALG = MPC_MAC_256, STATE = 32 };

struct scene {
    struct mpc_mac_record rec;
    struct mpc_mac_share share[3];
    uint8_t kappa[32], kappa2[32], digest[32];
    struct mpc_mac_task task;
};

static void deal(struct scene *s, unsigned profile)
{
    uint8_t piece[3][MPC_MAC_SECRET_MAX];
    memset(s, 0, sizeof *s);
    s->rec = (struct mpc_mac_record){
        .alg = ALG, .profile = (uint8_t)profile, .ver = 1, .n = 3, .e_net = 1};
    ct_secret_random(piece, sizeof piece);
    ct_secret_random(s->kappa, 32);
    ct_secret_random(s->kappa2, 32);
    for (uint16_t i = 0; i < 3; i++) {
        s->rec.nodes[i].id = (uint16_t)(i + 1);
        s->share[i] = (struct mpc_mac_share){.self = (uint16_t)(i + 1),
            .alg = ALG,
            .profile = (uint8_t)profile,
            .n = 3,
            .self_ix = i};
        for (unsigned j = 0; j < 3; j++)
            if (j != i) memcpy(s->share[i].piece[j], piece[j], MPC_MAC_SECRET_MAX);
    }
    s->task = (struct mpc_mac_task){.rec = &s->rec, .roles = {1, 2, 3}};
    if (profile == MPC_MAC_S)
        s->task.message = qk_str("message");
    else
        s->task.digest = s->digest;
}

static const struct mpc_mac_task *of(struct scene *s, unsigned i)
{
    s->task.share = &s->share[i];
    return &s->task;
}

static void garble_2(struct scene *s, struct qk_buf *lb, uint8_t *gmac, struct qk_buf *out)
{
    struct mpc_mac_g2 *g;
    bool done = false;
    CT_OK(mpc_mac_g2_new(&g, of(s, 1), s->kappa, s->kappa2));
    CT_OK(mpc_mac_g2_labels(g, lb));
    while (!done) CT_OK(mpc_mac_g2_work(g, &done));
    CT_OK(mpc_mac_g2_gmac(g, gmac));
    CT_OK(mpc_mac_g2_take(g, out));
    mpc_mac_g2_free(g);
    ct_public(gmac, 16); /* sent */
    ct_public(out->p, out->len);
}

/* G1, and E as the chunks come. */
static void stream(struct scene *s, struct mpc_mac_e *e, struct qk_buf *out)
{
    static uint8_t chunk[MPC_MAC_CHUNK];
    struct mpc_mac_g1 *g;
    size_t len;
    CT_OK(mpc_mac_g1_new(&g, of(s, 0), s->kappa));
    for (uint32_t i = 0;; i++) {
        CT_OK(mpc_mac_g1_chunk(g, chunk, &len));
        if (len == 0) break;
        size_t la = i == 0 ? 16u * 8 * STATE * (s->rec.profile == MPC_MAC_S ? 2 : 1) : 0;
        ct_public(chunk + la, len - la); /* M1 is sent; LA stays secret */
        CT_OK(mpc_mac_e_chunk(e, i, qk_bytes(chunk, len)));
    }
    CT_OK(mpc_mac_g1_take(g, out));
    mpc_mac_g1_free(g);
    ct_public(out->p, out->len); /* sent, in both entries of every bit */
}

/* One run; what E compares is declared public by the sink of its checks: the wrongness of labels.
 */
static void run(unsigned profile)
{
    QK_AUTO_BUF lb = QK_BUF(MPC_MAC_LABELS_MAX);
    QK_AUTO_BUF out1 = QK_BUF(MPC_MAC_G1_MAX);
    QK_AUTO_BUF out2 = QK_BUF(MPC_MAC_G2_LEN);
    QK_AUTO_BUF y = QK_BUF(MPC_MAC_Y_MAX);
    struct mpc_mac_suspects why;
    struct mpc_mac_e *e;
    struct scene s;
    uint8_t gmac[16], tag[MPC_MAC_DIGEST_MAX];
    deal(&s, profile);
    garble_2(&s, &lb, gmac, &out2);
    CT_OK(mpc_mac_e_new(&e, of(&s, 2), s.kappa2));
    CT_OK(mpc_mac_e_labels(e, qk_buf_view(&lb)));
    stream(&s, e, &out1);
    CT_OK(mpc_mac_e_gmac(e, QK_BYTES(gmac)));
    CT_OK(mpc_mac_e_take(e, &y));
    mpc_mac_e_free(e);
    CT_OK(mpc_mac_combine(
        tag, ALG, &s.task.roles, qk_buf_view(&out1), qk_buf_view(&out2), qk_buf_view(&y), &why));
}

/* h from a secret ist: OpenSSL's compression function. */
static void inner(void)
{
    uint8_t ist[64], h[64];
    ct_secret_random(ist, sizeof ist);
    CT_OK(mpc_mac_inner(h, MPC_MAC_256, ist, qk_str("message")));
    CT_OK(mpc_mac_inner(h, MPC_MAC_512, ist, qk_str("message")));
}

CT_MAIN
{
    run(MPC_MAC_N);
    run(MPC_MAC_S);
    inner();
}
