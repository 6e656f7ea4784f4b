#include "core/channels.h"

#include <stdlib.h>

struct node_channel {
    struct mpc_sym_window *window;
    uint8_t chan[MPC_SYM_CHAN_LEN];
    unsigned refs; /* the table's and its users' */
};

/* Newest first. */
struct kept {
    struct node_channel *channel[NODE_CHANNELS_KEPT];
};

struct node_channels {
    pthread_mutex_t lock;
    struct kept of[WIRE_MEMBERS_MAX];
};

qk_err node_channels_new(struct node_channels **out)
{
    struct node_channels *c = calloc(1, sizeof *c);
    QK_ENSURE(c != NULL, QK_E_NOMEM);
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return QK_OK;
}

static void release(struct node_channel *channel)
{
    if (channel == NULL || --channel->refs > 0) return;
    mpc_sym_window_free(channel->window);
    free(channel);
}

void node_channels_free(struct node_channels *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < WIRE_MEMBERS_MAX; i++)
        for (size_t k = 0; k < NODE_CHANNELS_KEPT; k++) release(c->of[i].channel[k]);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static qk_err make(struct node_channel **out)
{
    struct node_channel *channel = calloc(1, sizeof *channel);
    QK_ENSURE(channel != NULL, QK_E_NOMEM);
    qk_err err = mpc_sym_window_new(&channel->window, qk_rng_system());
    if (err != QK_OK) {
        free(channel);
        return err;
    }
    mpc_sym_window_chan(channel->window, channel->chan);
    channel->refs = 1;
    *out = channel;
    return QK_OK;
}

/* With the lock. */
static qk_err draw(struct kept *kept)
{
    struct node_channel *channel;
    QK_TRY(make(&channel));
    release(kept->channel[NODE_CHANNELS_KEPT - 1]);
    for (size_t i = NODE_CHANNELS_KEPT - 1; i > 0; i--) kept->channel[i] = kept->channel[i - 1];
    kept->channel[0] = channel;
    return QK_OK;
}

static qk_err tell(struct node *node, size_t coordinator, bool fresh, uint8_t *chan)
{
    struct node_channels *c = node->channels;
    QK_ENSURE(coordinator < WIRE_MEMBERS_MAX, QK_E_STATE);
    struct kept *kept = &c->of[coordinator];
    pthread_mutex_lock(&c->lock);
    qk_err err = fresh || kept->channel[0] == NULL ? draw(kept) : QK_OK;
    if (err == QK_OK) memcpy(chan, kept->channel[0]->chan, MPC_SYM_CHAN_LEN);
    pthread_mutex_unlock(&c->lock);
    return err;
}

qk_err node_channel_draw(
    struct node *node, size_t coordinator, uint8_t chan[static MPC_SYM_CHAN_LEN])
{
    return tell(node, coordinator, true, chan);
}

qk_err node_channel_newest(
    struct node *node, size_t coordinator, uint8_t chan[static MPC_SYM_CHAN_LEN])
{
    return tell(node, coordinator, false, chan);
}

struct node_channel *node_channel_get(
    struct node *node, size_t coordinator, const uint8_t chan[static MPC_SYM_CHAN_LEN])
{
    struct node_channels *c = node->channels;
    struct node_channel *found = NULL;
    if (coordinator >= WIRE_MEMBERS_MAX) return NULL;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < NODE_CHANNELS_KEPT && found == NULL; i++) {
        struct node_channel *x = c->of[coordinator].channel[i];
        if (x != NULL && memcmp(x->chan, chan, sizeof x->chan) == 0) found = x;
    }
    if (found != NULL) found->refs++;
    pthread_mutex_unlock(&c->lock);
    return found;
}

struct mpc_sym_window *node_channel_window(struct node_channel *channel)
{
    return channel->window;
}

void node_channel_put(struct node *node, struct node_channel *channel)
{
    pthread_mutex_lock(&node->channels->lock);
    release(channel);
    pthread_mutex_unlock(&node->channels->lock);
}
