#include "metrics/registry.h"

#include <inttypes.h>

static void add_escaped(struct qk_buf *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            qk_buf_add_str(out, "\\n");
        else if (*text == '\\')
            qk_buf_add_str(out, "\\\\");
        else if (*text == '"' && quotes)
            qk_buf_add_str(out, "\\\"");
        else
            qk_buf_add(out, text, 1);
    }
}

/* name suffix { labels [, le] } */
static void add_series_name(struct qk_buf *out, const struct coord_family *f,
    const struct coord_series *s, const char *suffix, const char *le)
{
    qk_buf_printf(out, "%s%s", f->def.name, suffix);
    const char *between = "{";
    for (size_t i = 0; i < f->n_labels; i++) {
        qk_buf_printf(out, "%s%s=\"", between, f->def.labels[i]);
        add_escaped(out, s->values[i], true);
        qk_buf_add_str(out, "\"");
        between = ",";
    }
    if (le != NULL) {
        qk_buf_printf(out, "%sle=\"%s\"", between, le);
        between = ",";
    }
    qk_buf_add_str(out, *between == ',' ? "} " : " ");
}

/* The count is the last bucket, so that the two agree while others observe. */
static void add_histogram(
    struct qk_buf *out, const struct coord_family *f, const struct coord_series *s)
{
    uint64_t sum_us = atomic_load(&s->histogram->sum_us), count = 0;
    for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
        count += atomic_load(&s->histogram->bucket[i]);
        add_series_name(
            out, f, s, "_bucket", i < METRICS_BUCKETS ? coord_metrics_bound_text[i] : "+Inf");
        qk_buf_printf(out, "%" PRIu64 "\n", count);
    }
    add_series_name(out, f, s, "_sum", NULL);
    qk_buf_printf(out, "%" PRIu64 ".%06" PRIu64 "\n", sum_us / 1000000, sum_us % 1000000);
    add_series_name(out, f, s, "_count", NULL);
    qk_buf_printf(out, "%" PRIu64 "\n", count);
}

static void add_series(struct qk_buf *out, const struct coord_family *f, struct coord_series *s)
{
    if (s->histogram != NULL) {
        add_histogram(out, f, s);
        return;
    }
    add_series_name(out, f, s, "", NULL);
    qk_buf_printf(out, "%lld\n", atomic_load(&s->value));
}

static bool was_used(struct coord_series *s)
{
    bool used = atomic_load(&s->value) != 0;
    for (size_t i = 0; s->histogram != NULL && i <= METRICS_BUCKETS; i++)
        used = used || atomic_load(&s->histogram->bucket[i]) != 0;
    return used;
}

static void add_family(struct qk_buf *out, struct coord_family *f)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};
    qk_buf_printf(out, "# HELP %s ", f->def.name);
    add_escaped(out, f->def.help, false);
    qk_buf_printf(out, "\n# TYPE %s %s\n", f->def.name, kinds[f->def.kind]);
    pthread_mutex_lock(&f->lock);
    for (struct coord_series *s = f->first; s != NULL; s = s->next) add_series(out, f, s);
    pthread_mutex_unlock(&f->lock);
    if (was_used(f->other)) add_series(out, f, f->other);
}

void coord_metrics_write(struct coord_metrics *metrics, struct qk_buf *out)
{
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->n_hooks; i++) metrics->hooks[i].fn(metrics->hooks[i].ctx);
    for (struct coord_family *f = metrics->first; f != NULL; f = f->next) add_family(out, f);
    pthread_mutex_unlock(&metrics->lock);
}
