#include "metrics/registry.h"

#include <stdlib.h>

const uint64_t coord_metrics_bound_us[METRICS_BUCKETS] = {250, 500, 1000, 2500, 5000, 10000, 25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000};
const char *const coord_metrics_bound_text[METRICS_BUCKETS] = {"0.00025", "0.0005", "0.001",
    "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30"};

static void series_free(struct coord_series *s)
{
    for (size_t i = 0; i < COORD_LABELS_MAX; i++) free(s->values[i]);
    free(s->histogram);
    free(s);
}

static struct coord_series *series_new(const struct coord_family *f, const char *const *values)
{
    struct coord_series *s = calloc(1, sizeof *s);
    if (s == NULL) return NULL;
    bool ok = true;
    for (size_t i = 0; i < f->n_labels; i++) {
        s->values[i] = strndup(values[i], COORD_LABEL_VALUE_MAX);
        ok = ok && s->values[i] != NULL;
    }
    if (f->def.kind == COORD_HISTOGRAM) {
        s->histogram = calloc(1, sizeof *s->histogram);
        ok = ok && s->histogram != NULL;
    }
    if (ok) return s;
    series_free(s);
    return NULL;
}

static void family_free(struct coord_family *f)
{
    for (struct coord_series *s = f->first, *next; s != NULL; s = next) {
        next = s->next;
        series_free(s);
    }
    if (f->other != NULL) series_free(f->other);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

qk_err coord_metrics_new(struct coord_metrics **out)
{
    struct coord_metrics *m = calloc(1, sizeof *m);
    QK_ENSURE(m != NULL, QK_E_NOMEM);
    pthread_mutex_init(&m->lock, NULL);
    m->last = &m->first;
    *out = m;
    return QK_OK;
}

void coord_metrics_free(struct coord_metrics *metrics)
{
    if (metrics == NULL) return;
    for (struct coord_family *f = metrics->first, *next; f != NULL; f = next) {
        next = f->next;
        family_free(f);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

static bool is_name(const char *s)
{
    if (s == NULL || *s == '\0' || (*s >= '0' && *s <= '9')) return false;
    for (; *s != '\0'; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= '0' && *s <= '9') || *s == '_')) return false;
    return true;
}

static bool def_ok(const struct coord_family_def *def, size_t n_labels)
{
    if (!is_name(def->name) || def->help == NULL || strchr(def->help, '\n') != NULL) return false;
    for (size_t i = 0; i < COORD_LABELS_MAX; i++) {
        if (i >= n_labels && def->labels[i] != NULL) return false;
        if (i < n_labels && (!is_name(def->labels[i]) || strcmp(def->labels[i], "le") == 0))
            return false;
    }
    return def->max_series >= 1 && def->max_series <= 10000;
}

static struct coord_family *family_new(const struct coord_family_def *def, size_t n_labels)
{
    static const char *const other[COORD_LABELS_MAX] = {"other", "other", "other"};
    struct coord_family *f = calloc(1, sizeof *f);
    if (f == NULL) return NULL;
    f->def = *def;
    f->n_labels = n_labels;
    f->last = &f->first;
    pthread_mutex_init(&f->lock, NULL);
    f->other = series_new(f, other);
    if (f->other != NULL) return f;
    family_free(f);
    return NULL;
}

static bool name_taken(const struct coord_metrics *m, const char *name)
{
    for (const struct coord_family *f = m->first; f != NULL; f = f->next)
        if (strcmp(f->def.name, name) == 0) return true;
    return false;
}

qk_err coord_metrics_add(
    struct coord_metrics *metrics, const struct coord_family_def *def, struct coord_family **out)
{
    size_t n_labels = 0;
    while (n_labels < COORD_LABELS_MAX && def->labels[n_labels] != NULL) n_labels++;
    QK_ENSURE(def_ok(def, n_labels), QK_E_STATE);
    struct coord_family *f = family_new(def, n_labels);
    QK_ENSURE(f != NULL, QK_E_NOMEM);
    if (n_labels == 0) (void)coord_metric(f, NULL);
    pthread_mutex_lock(&metrics->lock);
    bool taken = name_taken(metrics, def->name);
    if (!taken) {
        *metrics->last = f;
        metrics->last = &f->next;
    }
    pthread_mutex_unlock(&metrics->lock);
    if (taken) {
        family_free(f);
        return QK_E_CONFLICT;
    }
    *out = f;
    return QK_OK;
}

static size_t hash_of(const struct coord_family *f, const char *const *values)
{
    uint32_t h = 2166136261u; /* FNV-1a; a long chain is bounded by max_series */
    for (size_t i = 0; i < f->n_labels; i++) {
        for (size_t k = 0; k < COORD_LABEL_VALUE_MAX && values[i][k] != '\0'; k++)
            h = (h ^ (uint8_t)values[i][k]) * 16777619u;
        h = (h ^ 0xff) * 16777619u;
    }
    return h % METRICS_HASH;
}

static bool is_it(
    const struct coord_family *f, const struct coord_series *s, const char *const *values)
{
    for (size_t i = 0; i < f->n_labels; i++)
        if (strncmp(s->values[i], values[i], COORD_LABEL_VALUE_MAX) != 0) return false;
    return true;
}

/* With the lock held. */
static struct coord_series *find_or_make(struct coord_family *f, const char *const *values)
{
    struct coord_series **bucket = &f->hash[hash_of(f, values)];
    for (struct coord_series *s = *bucket; s != NULL; s = s->next_in_bucket)
        if (is_it(f, s, values)) return s;
    struct coord_series *s = f->n_series < f->def.max_series ? series_new(f, values) : NULL;
    if (s == NULL) return f->other;
    s->next_in_bucket = *bucket;
    *bucket = s;
    *f->last = s;
    f->last = &s->next;
    f->n_series++;
    return s;
}

struct coord_series *coord_metric_values(struct coord_family *family, const char *const *values)
{
    for (size_t i = 0; i < family->n_labels; i++)
        if (values[i] == NULL) return family->other;
    pthread_mutex_lock(&family->lock);
    struct coord_series *s = find_or_make(family, values);
    pthread_mutex_unlock(&family->lock);
    return s;
}

void coord_metric_add(struct coord_series *series, int64_t n)
{
    atomic_fetch_add_explicit(&series->value, n, memory_order_relaxed);
}

void coord_metric_set(struct coord_series *series, int64_t value)
{
    atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void coord_metric_observe_us(struct coord_series *series, uint64_t us)
{
    struct coord_histogram *h = series->histogram;
    if (h == NULL) return;
    size_t i = 0;
    while (i < METRICS_BUCKETS && us > coord_metrics_bound_us[i]) i++;
    atomic_fetch_add_explicit(&h->bucket[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
}

qk_err coord_metrics_on_write(struct coord_metrics *metrics, void (*fn)(void *ctx), void *ctx)
{
    qk_err err = QK_E_STATE;
    pthread_mutex_lock(&metrics->lock);
    if (metrics->n_hooks < QK_COUNT(metrics->hooks)) {
        metrics->hooks[metrics->n_hooks].fn = fn;
        metrics->hooks[metrics->n_hooks++].ctx = ctx;
        err = QK_OK;
    }
    pthread_mutex_unlock(&metrics->lock);
    return err;
}
