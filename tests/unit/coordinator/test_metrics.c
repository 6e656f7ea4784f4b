#include "qktest/qktest.h"

#include <pthread.h>
#include <stdio.h>
#include "httpkit.h"
#include "metrics/http_metrics.h"
#include "metrics/metrics.h"

static struct coord_metrics *fresh(void)
{
    struct coord_metrics *m;
    qk_assert_ok(coord_metrics_new(&m));
    return m;
}

static struct coord_family *add(struct coord_metrics *m, struct coord_family_def def)
{
    struct coord_family *f;
    qk_assert_ok(coord_metrics_add(m, &def, &f));
    return f;
}

static void expect_text(struct coord_metrics *m, const char *want)
{
    QK_AUTO_BUF out = QK_BUF(1 << 20);
    coord_metrics_write(m, &out);
    cr_assert_str_eq(qk_buf_cstr(&out), want);
}

QK_TEST(metrics, writes_counters_and_gauges)
{
    struct coord_metrics *m = fresh();
    struct coord_family *c = add(m,
        (struct coord_family_def){"a_total", "A \\ thing.", COORD_COUNTER, {"op", "result"}, 10});
    struct coord_family *g = add(m, (struct coord_family_def){"b", "B.", COORD_GAUGE, {NULL}, 1});
    coord_metric_add(coord_metric(c, "Sign", "ok"), 2);
    coord_metric_add(coord_metric(c, "Sign", "ok"), 1);
    coord_metric_add(coord_metric(c, "Sign", "denied"), 1);
    coord_metric_set(coord_metric(g, NULL), -7);
    expect_text(m, "# HELP a_total A \\\\ thing.\n# TYPE a_total counter\n"
                   "a_total{op=\"Sign\",result=\"ok\"} 3\n"
                   "a_total{op=\"Sign\",result=\"denied\"} 1\n"
                   "# HELP b B.\n# TYPE b gauge\nb -7\n");
    coord_metrics_free(m);
}

QK_TEST(metrics, writes_a_histogram_cumulatively_in_seconds)
{
    struct coord_metrics *m = fresh();
    struct coord_series *s = coord_metric(
        add(m, (struct coord_family_def){"t_seconds", "T.", COORD_HISTOGRAM, {"op"}, 4}), "x");
    coord_metric_observe_us(s, 250); /* a bound belongs to its bucket */
    coord_metric_observe_us(s, 251);
    coord_metric_observe_us(s, 1500000);
    coord_metric_observe_us(s, 31000000);
    QK_AUTO_BUF out = QK_BUF(1 << 20);
    coord_metrics_write(m, &out);
    const char *text = qk_buf_cstr(&out);
    static const char *const lines[] = {"t_seconds_bucket{op=\"x\",le=\"0.00025\"} 1\n",
        "t_seconds_bucket{op=\"x\",le=\"0.0005\"} 2\n", "t_seconds_bucket{op=\"x\",le=\"1\"} 2\n",
        "t_seconds_bucket{op=\"x\",le=\"2.5\"} 3\n", "t_seconds_bucket{op=\"x\",le=\"30\"} 3\n",
        "t_seconds_bucket{op=\"x\",le=\"+Inf\"} 4\n", "t_seconds_sum{op=\"x\"} 32.500501\n",
        "t_seconds_count{op=\"x\"} 4\n"};
    for (size_t i = 0; i < QK_COUNT(lines); i++)
        cr_expect(strstr(text, lines[i]) != NULL, "%s", lines[i]);
    coord_metrics_free(m);
}

QK_TEST(metrics, escapes_label_values)
{
    struct coord_metrics *m = fresh();
    struct coord_family *f = add(m, (struct coord_family_def){"a", "A.", COORD_COUNTER, {"v"}, 4});
    coord_metric_add(coord_metric(f, "a\"b\\c\nd"), 1);
    expect_text(m, "# HELP a A.\n# TYPE a counter\na{v=\"a\\\"b\\\\c\\nd\"} 1\n");
    coord_metrics_free(m);
}

QK_TEST(metrics, counts_values_beyond_the_bound_as_other)
{
    struct coord_metrics *m = fresh();
    struct coord_family *f = add(m, (struct coord_family_def){"a", "A.", COORD_COUNTER, {"v"}, 2});
    for (int i = 0; i < 1000; i++) {
        char value[16];
        (void)snprintf(value, sizeof value, "v%d", i);
        coord_metric_add(coord_metric(f, value), 1);
    }
    coord_metric_add(coord_metric(f, NULL), 1);
    expect_text(m, "# HELP a A.\n# TYPE a counter\n"
                   "a{v=\"v0\"} 1\na{v=\"v1\"} 1\na{v=\"other\"} 999\n");
    coord_metrics_free(m);
}

QK_TEST(metrics, cuts_long_values_to_one_series)
{
    struct coord_metrics *m = fresh();
    struct coord_family *f = add(m, (struct coord_family_def){"a", "A.", COORD_COUNTER, {"v"}, 2});
    char longer[COORD_LABEL_VALUE_MAX + 9];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct coord_series *s = coord_metric(f, longer);
    longer[sizeof longer - 2] = 'y'; /* differs behind the cut */
    cr_assert_eq(coord_metric(f, longer), s);
    coord_metrics_free(m);
}

QK_TEST(metrics, refuses_bad_names_and_doubles)
{
    static const struct coord_family_def bad[] = {
        {"1a", "A.", COORD_COUNTER, {NULL}, 1},
        {"", "A.", COORD_COUNTER, {NULL}, 1},
        {"a b", "A.", COORD_COUNTER, {NULL}, 1},
        {"a", "A.\nB.", COORD_COUNTER, {NULL}, 1},
        {"a", NULL, COORD_COUNTER, {NULL}, 1},
        {"a", "A.", COORD_HISTOGRAM, {"le"}, 1},
        {"a", "A.", COORD_COUNTER, {"x-y"}, 1},
        {"a", "A.", COORD_COUNTER, {NULL, "b"}, 1},
        {"a", "A.", COORD_COUNTER, {NULL}, 0},
        {"a", "A.", COORD_COUNTER, {NULL}, 10001},
    };
    struct coord_metrics *m = fresh();
    struct coord_family *f;
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        qk_assert_err(coord_metrics_add(m, &bad[i], &f), QK_E_STATE);
    const struct coord_family_def good = {"a", "A.", COORD_COUNTER, {NULL}, 1};
    qk_assert_ok(coord_metrics_add(m, &good, &f));
    qk_assert_err(coord_metrics_add(m, &good, &f), QK_E_CONFLICT);
    coord_metrics_free(m);
}

static void *hammer(void *arg)
{
    struct coord_family *const *f = arg;
    for (int i = 0; i < 5000; i++) {
        char value[8];
        (void)snprintf(value, sizeof value, "%d", i % 10);
        coord_metric_add(coord_metric(f[0], value), 1);
        coord_metric_observe_us(coord_metric(f[1], value), (uint64_t)i);
    }
    return NULL;
}

QK_TEST(metrics, loses_no_update_of_many_threads_and_can_be_written_meanwhile)
{
    struct coord_metrics *m = fresh();
    struct coord_family *f[2] = {
        add(m, (struct coord_family_def){"a", "A.", COORD_COUNTER, {"v"}, 5}),
        add(m, (struct coord_family_def){"b", "B.", COORD_HISTOGRAM, {"v"}, 20}),
    };
    pthread_t threads[4];
    for (size_t i = 0; i < QK_COUNT(threads); i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, hammer, f), 0);
    for (int i = 0; i < 20; i++) {
        QK_AUTO_BUF out = QK_BUF(1 << 20);
        coord_metrics_write(m, &out);
        qk_assert_ok(out.err);
    }
    for (size_t i = 0; i < QK_COUNT(threads); i++) pthread_join(threads[i], NULL);
    QK_AUTO_BUF out = QK_BUF(1 << 20);
    coord_metrics_write(m, &out);
    const char *text = qk_buf_cstr(&out);
    cr_assert_not_null(strstr(text, "a{v=\"0\"} 2000\n"));
    cr_assert_not_null(strstr(text, "a{v=\"other\"} 10000\n"));
    cr_assert_not_null(strstr(text, "b_count{v=\"9\"} 2000\n"));
    coord_metrics_free(m);
}

QK_TEST(metrics, mirrors_the_numbers_of_the_http_front)
{
    struct kit k;
    kit_init(&k, false);
    kit_start(&k);
    struct coord_metrics *m = fresh();
    struct coord_http_metrics *hm;
    qk_assert_ok(coord_http_metrics_new(&hm, m, k.http));
    cr_assert_eq(kit_ask(&k, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 200);
    cr_assert_eq(kit_ask(&k, "GET / HTTP/3.0\r\n"), 505);
    QK_AUTO_BUF out = QK_BUF(1 << 20);
    coord_metrics_write(m, &out);
    const char *text = qk_buf_cstr(&out);
    cr_expect(strstr(text, "\nqkms_http_requests_total 1\n") != NULL);
    cr_expect(strstr(text, "\nqkms_http_refused_total{reason=\"version\"} 1\n") != NULL);
    cr_expect(strstr(text, "\nqkms_http_refused_total{reason=\"malformed\"} 0\n") != NULL);
    coord_metrics_free(m);
    coord_http_metrics_free(hm);
    kit_end(&k);
}
