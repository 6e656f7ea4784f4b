/* Which tickets of one link were used (check S-6). */
#include <pthread.h>
#include "mpc/sym_node.h"
#include "qk/secret.h"

enum { WORD = 64, WORDS = MPC_SYM_WINDOW / WORD };

struct mpc_sym_window {
    pthread_mutex_t lock;
    uint8_t chan[MPC_SYM_CHAN_LEN];
    uint64_t top;         /* the highest counter used */
    uint64_t used[WORDS]; /* bit ctr % 4096, for top-4095 .. top */
};

qk_err mpc_sym_window_new(struct mpc_sym_window **out, struct qk_rng *rng)
{
    uint8_t chan[MPC_SYM_CHAN_LEN];
    QK_TRY(qk_rng_fill(rng, chan, sizeof chan));
    struct mpc_sym_window *w = OPENSSL_zalloc(sizeof *w);
    QK_ENSURE(w != NULL, QK_E_NOMEM);
    pthread_mutex_init(&w->lock, NULL);
    memcpy(w->chan, chan, sizeof w->chan);
    *out = w;
    return QK_OK;
}

void mpc_sym_window_free(struct mpc_sym_window *w)
{
    if (w == NULL) return;
    pthread_mutex_destroy(&w->lock);
    OPENSSL_free(w);
}

void mpc_sym_window_chan(const struct mpc_sym_window *w, uint8_t chan[static MPC_SYM_CHAN_LEN])
{
    memcpy(chan, w->chan, MPC_SYM_CHAN_LEN);
}

static uint64_t bit_of(uint64_t ctr)
{
    return UINT64_C(1) << (ctr % WORD);
}

static uint64_t *word_of(struct mpc_sym_window *w, uint64_t ctr)
{
    return &w->used[ctr % MPC_SYM_WINDOW / WORD];
}

/* Move the window so that ctr is its top; places that come into it are unused. */
static void advance(struct mpc_sym_window *w, uint64_t ctr)
{
    if (ctr - w->top >= MPC_SYM_WINDOW)
        memset(w->used, 0, sizeof w->used);
    else
        for (uint64_t c = w->top + 1; c <= ctr && c != 0; c++) *word_of(w, c) &= ~bit_of(c);
    w->top = ctr;
}

static bool take(struct mpc_sym_window *w, uint64_t ctr)
{
    if (ctr == 0) return false;
    if (ctr > w->top) advance(w, ctr);
    if (w->top - ctr >= MPC_SYM_WINDOW) return false;
    if (*word_of(w, ctr) & bit_of(ctr)) return false;
    *word_of(w, ctr) |= bit_of(ctr);
    return true;
}

bool mpc_sym_window_take(struct mpc_sym_window *w, uint64_t ctr)
{
    pthread_mutex_lock(&w->lock);
    bool fresh = take(w, ctr);
    pthread_mutex_unlock(&w->lock);
    return fresh;
}
