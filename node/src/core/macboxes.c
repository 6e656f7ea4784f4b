#include "core/macruns_priv.h"

#include <stdlib.h>
#include "qk/clock.h"
#include "qk/secret.h"

enum {
    EARLY_MS = 5000,          /* how long frames wait for a run that nobody has begun */
    EARLY_OF_PEER = 8u << 20, /* bytes */
    EARLY_BYTES = 16u << 20,  /* of all peers */
};

void node_mac_item_free(struct node_mac_item *item)
{
    if (item == NULL) return;
    qk_wipe(item->bytes, item->len);
    free(item);
}

static void empty(struct node_macruns *m, struct node_mac_box *b)
{
    while (b->first != NULL) {
        struct node_mac_item *item = b->first;
        b->first = item->next;
        node_mac_item_free(item);
    }
    b->last = NULL;
    m->bytes -= b->bytes;
    b->bytes = 0;
}

static void remove_box(struct node_macruns *m, struct node_mac_box **at)
{
    struct node_mac_box *b = *at;
    *at = b->next;
    empty(m, b);
    free(b);
}

static struct node_mac_box *find_box(
    struct node_macruns *m, const uint8_t run[static 32], uint16_t from)
{
    for (struct node_mac_box *b = m->boxes; b != NULL; b = b->next)
        if (b->from == from && memcmp(b->run, run, 32) == 0) return b;
    return NULL;
}

static struct node_mac_box *add_box(
    struct node_macruns *m, const uint8_t run[static 32], uint16_t from)
{
    struct node_mac_box *b = calloc(1, sizeof *b);
    if (b == NULL) return NULL;
    memcpy(b->run, run, 32);
    b->from = from;
    b->until_ms = qk_mono_ms() + EARLY_MS;
    b->next = m->boxes;
    m->boxes = b;
    return b;
}

/* What waits without an owner: boxes and bytes of one peer, bytes of all. */
struct early {
    size_t boxes, bytes, all;
};

static struct early count_early(const struct node_macruns *m, uint16_t from)
{
    struct early e = {.boxes = 0};
    for (const struct node_mac_box *b = m->boxes; b != NULL; b = b->next) {
        if (b->owner != NULL) continue;
        e.all += b->bytes;
        if (b->from != from) continue;
        e.boxes++;
        e.bytes += b->bytes;
    }
    return e;
}

static void spoil(struct node_macruns *m, struct node_mac_box *b, const char *why)
{
    qk_log(QK_WARN, "mac.frame", QK_F_INT("peer", b->from), QK_F_HEX("run", b->run, 32),
        QK_F_STR("why", why));
    empty(m, b);
    b->bad = true;
    if (b->owner == NULL) return;
    b->owner->culprit = b->from;
    pthread_cond_signal(&b->owner->moved);
}

/* What this sender may send to the owner of the box. */
static unsigned allowed(const struct node_mac_box *b)
{
    const struct node_macrun *run = b->owner;
    unsigned bits = run->combine ? node_mac_bit(NODE_FRAME_MAC_OUT) : 0;
    if (b->from == run->roles.g1) return bits | node_mac_bit(NODE_FRAME_MAC_TABLES);
    return bits | node_mac_bit(NODE_FRAME_MAC_LABELS) | node_mac_bit(NODE_FRAME_MAC_GMAC);
}

/* NULL: the frame may stay. */
static const char *objection(
    const struct node_macruns *m, const struct node_mac_box *b, const struct node_mac_item *item)
{
    enum node_frame type = item->type;
    if (b->owner != NULL && !(allowed(b) & node_mac_bit(type))) return "not for this node to send";
    if (type != NODE_FRAME_MAC_TABLES && (b->seen & node_mac_bit(type))) return "twice";
    if (type == NODE_FRAME_MAC_TABLES && item->number != b->next_number) return "out of order";
    if (type == NODE_FRAME_MAC_TABLES && b->waiting >= NODE_MAC_WINDOW) return "too many";
    if (b->owner != NULL) return NULL;
    struct early e = count_early(m, b->from);
    bool fits = e.bytes + item->len <= EARLY_OF_PEER && e.all + item->len <= EARLY_BYTES;
    return fits ? NULL : "too many bytes wait for calls";
}

/* Takes the item. */
static void put(struct node_macruns *m, struct node_mac_box *b, struct node_mac_item *item)
{
    const char *why = objection(m, b, item);
    if (why != NULL) {
        spoil(m, b, why);
        node_mac_item_free(item);
        return;
    }
    b->seen |= node_mac_bit(item->type);
    if (item->type == NODE_FRAME_MAC_TABLES) {
        b->next_number++;
        b->waiting++;
    }
    if (b->last != NULL)
        b->last->next = item;
    else
        b->first = item;
    b->last = item;
    b->bytes += item->len;
    m->bytes += item->len;
    if (b->owner != NULL) pthread_cond_signal(&b->owner->moved);
}

void node_mac_box_deliver(
    struct node_macruns *m, const uint8_t run[static 32], struct node_mac_item *item)
{
    struct node_mac_box *b = find_box(m, run, item->from);
    if (b == NULL && count_early(m, item->from).boxes < NODE_MAC_EARLY)
        b = add_box(m, run, item->from);
    if (b != NULL && !b->bad) {
        put(m, b, item);
        return;
    }
    if (b == NULL)
        qk_log(
            QK_WARN, "mac.frame", QK_F_INT("peer", item->from), QK_F_STR("why", "too many runs"));
    node_mac_item_free(item);
}

/* ---- owners ---- */

/* Take over what has come from a garbler. */
qk_err node_mac_box_adopt(struct node_macruns *m, struct node_macrun *r, int i)
{
    uint16_t from = i == 0 ? r->roles.g1 : r->roles.g2;
    struct node_mac_box *b = find_box(m, r->run, from);
    if (b == NULL) b = add_box(m, r->run, from);
    QK_ENSURE(b != NULL, QK_E_NOMEM);
    b->owner = r;
    r->box[i] = b;
    if (b->bad) r->culprit = from;
    if (b->seen & ~allowed(b)) spoil(m, b, "not for this node to send");
    return QK_OK;
}

void node_mac_box_drop_all(struct node_macruns *m, const struct node_macrun *r)
{
    for (struct node_mac_box **at = &m->boxes; *at != NULL;) {
        if ((*at)->owner == r)
            remove_box(m, at);
        else
            at = &(*at)->next;
    }
}

struct node_mac_item *node_mac_box_take(struct node_mac_box *b)
{
    struct node_mac_item *item = b->first;
    if (item == NULL) return NULL;
    b->first = item->next;
    if (b->first == NULL) b->last = NULL;
    return item;
}

void node_mac_box_expire(struct node_macruns *m, uint64_t now)
{
    for (struct node_mac_box **at = &m->boxes; *at != NULL;) {
        if ((*at)->owner == NULL && (*at)->until_ms <= now)
            remove_box(m, at);
        else
            at = &(*at)->next;
    }
}
