/* JSON answers for people: members as "Name: value", lists of objects as tables. */
#include "cli.h"
#include "plain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLUMNS_MAX = 24, CELL_MAX = 256, DEPTH_MAX = 4 };

static bool is_time(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && (strcmp(name + len - 4, "Date") == 0 || strcmp(name + len - 4, "Time") == 0);
}

static void cell_text(const char *name, const json_t *value, char out[static CELL_MAX])
{
    out[0] = 0;
    if (json_is_number(value) && is_time(name)) {
        time_t t = (time_t)json_number_value(value);
        struct tm tm;
        if (gmtime_r(&t, &tm) != NULL && strftime(out, CELL_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
            return;
    }
    if (json_is_string(value)) {
        (void)snprintf(out, CELL_MAX, "%s", json_string_value(value));
        return;
    }
    if (json_is_real(value)) {
        (void)snprintf(out, CELL_MAX, "%.1f", json_real_value(value));
        return;
    }
    if (json_is_boolean(value)) {
        (void)snprintf(out, CELL_MAX, "%s", json_is_true(value) ? "yes" : "no");
        return;
    }
    if (value == NULL) return;
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    (void)snprintf(out, CELL_MAX, "%s", text != NULL ? text : "?");
    free(text);
}

static void cell_of(const char *name, const json_t *value, char out[static CELL_MAX])
{
    cell_text(name, value, out);
    qkms_plain(out);
}

/* The names of members come from the service as well. */
static const char *plain_name(const char *name, char out[static CELL_MAX])
{
    (void)snprintf(out, CELL_MAX, "%s", name);
    qkms_plain(out);
    return out;
}

static bool is_table(const json_t *value)
{
    return json_is_array(value) && json_is_object(json_array_get(value, 0));
}

/* Rows may lack members: a node that is away says nothing of itself. */
static json_t *fullest(const json_t *rows)
{
    json_t *most = json_array_get(rows, 0);
    for (size_t i = 1; i < json_array_size(rows); i++)
        if (json_object_size(json_array_get(rows, i)) > json_object_size(most))
            most = json_array_get(rows, i);
    return most;
}

static size_t columns_of(const json_t *rows, const char *names[static COLUMNS_MAX])
{
    size_t n = 0;
    const char *name;
    json_t *value;
    json_t *row = fullest(rows);
    json_object_foreach(row, name, value) if (n < COLUMNS_MAX) names[n++] = name;
    return n;
}

static void widths_of(
    const json_t *rows, const char *const *names, size_t n, int width[static COLUMNS_MAX])
{
    char cell[CELL_MAX];
    for (size_t c = 0; c < n; c++) {
        width[c] = (int)strlen(names[c]);
        for (size_t r = 0; r < json_array_size(rows); r++) {
            cell_of(names[c], json_object_get(json_array_get(rows, r), names[c]), cell);
            if ((int)strlen(cell) > width[c]) width[c] = (int)strlen(cell);
        }
    }
}

static void print_table(const json_t *rows)
{
    const char *names[COLUMNS_MAX];
    int width[COLUMNS_MAX];
    char cell[CELL_MAX];
    size_t n = columns_of(rows, names);
    widths_of(rows, names, n, width);
    for (size_t c = 0; c < n; c++)
        (void)printf("%-*s%s", c + 1 < n ? width[c] : 0, plain_name(names[c], cell),
            c + 1 < n ? "  " : "\n");
    for (size_t r = 0; r < json_array_size(rows); r++)
        for (size_t c = 0; c < n; c++) {
            cell_of(names[c], json_object_get(json_array_get(rows, r), names[c]), cell);
            (void)printf("%-*s%s", c + 1 < n ? width[c] : 0, cell, c + 1 < n ? "  " : "\n");
        }
}

static void print_members(const json_t *object, int depth)
{
    const char *name;
    json_t *value;
    char cell[CELL_MAX], plain[CELL_MAX];
    json_object_foreach((json_t *)(uintptr_t)(const void *)object, name, value)
    {
        if (json_is_object(value) || is_table(value)) continue;
        cell_of(name, value, cell);
        (void)printf("%*s%s: %s\n", 2 * depth, "", plain_name(name, plain), cell);
    }
    json_object_foreach((json_t *)(uintptr_t)(const void *)object, name, value)
    {
        if (is_table(value)) {
            (void)printf("%*s%s:\n", 2 * depth, "", plain_name(name, plain));
            print_table(value);
        } else if (json_is_object(value) && depth < DEPTH_MAX) {
            (void)printf("%*s%s:\n", 2 * depth, "", plain_name(name, plain));
            print_members(value, depth + 1);
        }
    }
}

void cli_print(const json_t *value, bool json)
{
    if (json) {
        char *text = json_dumps(value, JSON_COMPACT);
        if (text != NULL) (void)puts(text);
        free(text);
        return;
    }
    print_members(value, 0);
}
