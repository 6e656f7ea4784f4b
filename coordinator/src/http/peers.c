#include "http/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define N_BUCKETS 4096

struct coord_http_peer {
    struct coord_http_peer *next;
    uint8_t key[16];
    size_t n;
    size_t bucket;
};

struct coord_http_peers {
    pthread_mutex_t lock;
    size_t max_each;
    uint64_t seed; /* so that nobody outside can aim at one bucket */
    struct coord_http_peer *buckets[N_BUCKETS];
};

qk_err coord_http_peers_new(struct coord_http_peers **out, size_t max_each)
{
    struct coord_http_peers *peers = calloc(1, sizeof *peers);
    QK_ENSURE(peers != NULL, QK_E_NOMEM);
    if (getrandom(&peers->seed, sizeof peers->seed, 0) != sizeof peers->seed) {
        free(peers);
        return QK_E_RNG;
    }
    pthread_mutex_init(&peers->lock, NULL);
    peers->max_each = max_each;
    *out = peers;
    return QK_OK;
}

void coord_http_peers_free(struct coord_http_peers *peers)
{
    if (peers == NULL) return;
    for (size_t i = 0; i < N_BUCKETS; i++)
        while (peers->buckets[i] != NULL) {
            struct coord_http_peer *gone = peers->buckets[i];
            peers->buckets[i] = gone->next;
            free(gone);
        }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

static void key_of(const struct sockaddr_storage *from, uint8_t key[16])
{
    memset(key, 0, 16);
    if (from->ss_family == AF_INET) {
        key[10] = key[11] = 0xff;
        memcpy(key + 12, &((const struct sockaddr_in *)from)->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        memcpy(key, &((const struct sockaddr_in6 *)from)->sin6_addr, 8);
    }
}

static size_t bucket_of(const struct coord_http_peers *peers, const uint8_t key[16])
{
    uint64_t h = peers->seed;
    for (size_t i = 0; i < 16; i++) {
        h = (h ^ key[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h % N_BUCKETS;
}

static struct coord_http_peer *find_or_add(struct coord_http_peers *peers, const uint8_t key[16])
{
    size_t bucket = bucket_of(peers, key);
    for (struct coord_http_peer *p = peers->buckets[bucket]; p != NULL; p = p->next)
        if (memcmp(p->key, key, 16) == 0) return p;
    struct coord_http_peer *p = calloc(1, sizeof *p);
    if (p == NULL) return NULL;
    memcpy(p->key, key, 16);
    p->bucket = bucket;
    p->next = peers->buckets[bucket];
    peers->buckets[bucket] = p;
    return p;
}

struct coord_http_peer *coord_http_peers_enter(
    struct coord_http_peers *peers, const struct sockaddr_storage *from)
{
    uint8_t key[16];
    key_of(from, key);
    pthread_mutex_lock(&peers->lock);
    struct coord_http_peer *p = find_or_add(peers, key);
    if (p != NULL && p->n >= peers->max_each) p = NULL;
    if (p != NULL) p->n++;
    pthread_mutex_unlock(&peers->lock);
    return p;
}

static void unlink_peer(struct coord_http_peers *peers, struct coord_http_peer *peer)
{
    struct coord_http_peer **at = &peers->buckets[peer->bucket];
    while (*at != peer) at = &(*at)->next;
    *at = peer->next;
    free(peer);
}

void coord_http_peers_leave(struct coord_http_peers *peers, struct coord_http_peer *peer)
{
    if (peers == NULL || peer == NULL) return;
    pthread_mutex_lock(&peers->lock);
    if (--peer->n == 0) unlink_peer(peers, peer);
    pthread_mutex_unlock(&peers->lock);
}
