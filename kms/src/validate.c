#include "kms/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include "model.h"
#include "pattern.h"

/* Enough for any honest mistake; the message is cut at KMS_FAULT_TEXT_MAX anyway. */
#define VALUE_SHOWN_MAX 1024
#define VIOLATIONS_MAX  (64 * 1024)

/* Violations collect in text; a wrong JSON type ends the walk with the fault set. */
struct walk {
    struct qk_buf text;
    size_t n;
    struct kms_fault *fault;
};

struct place {
    char path[128];
    bool sensitive;
};

/* ---- messages ---- */

/* One part. value is NULL where none may be shown. */
static void violation(
    struct walk *w, const char *path, const struct qk_bytes *value, const char *rule)
{
    if (w->n++ > 0) qk_buf_add_str(&w->text, "; ");
    if (value == NULL)
        qk_buf_printf(&w->text, "Value at '%s'", path);
    else {
        size_t len = value->len < VALUE_SHOWN_MAX ? value->len : VALUE_SHOWN_MAX;
        while (len < value->len && len > 0 && (value->p[len] & 0xc0) == 0x80) len--;
        qk_buf_add_str(&w->text, "Value '");
        qk_buf_add(&w->text, value->p, len);
        qk_buf_printf(&w->text, "' at '%s'", path);
    }
    qk_buf_printf(&w->text, " failed to satisfy constraint: %s", rule);
}

static void violation_absent(struct walk *w, const char *path)
{
    if (w->n++ > 0) qk_buf_add_str(&w->text, "; ");
    qk_buf_printf(
        &w->text, "Value null at '%s' failed to satisfy constraint: Member must not be null", path);
}

static qk_err wrong_type(const struct walk *w, const json_t *v, const char *want)
{
    static const char *const got[] = {
        [JSON_OBJECT] = NULL,
        [JSON_ARRAY] = NULL,
        [JSON_STRING] = "STRING_VALUE",
        [JSON_INTEGER] = "NUMBER_VALUE",
        [JSON_REAL] = "DECIMAL_VALUE",
        [JSON_TRUE] = "TRUE_VALUE",
        [JSON_FALSE] = "FALSE_VALUE",
        [JSON_NULL] = "NULL_VALUE",
    };
    if (json_is_object(v))
        return kms_fault_set(w->fault, "SerializationException",
            "Start of structure or map found where not expected.");
    if (json_is_array(v))
        return kms_fault_set(
            w->fault, "SerializationException", "Start of list found where not expected.");
    return kms_fault_set(w->fault, "SerializationException", "%s can not be converted to %s",
        got[json_typeof(v)], want);
}

/* ---- single constraints ---- */

/* Lengths count UTF-16 units, as the service's own language does. */
static int64_t utf16_len(struct qk_bytes v)
{
    int64_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        if ((v.p[i] & 0xc0) == 0x80) continue;
        n += v.p[i] >= 0xf0 ? 2 : 1;
    }
    return n;
}

static void check_length(struct walk *w, const char *path, const struct qk_bytes *shown,
    int64_t len, int64_t min, int64_t max)
{
    char rule[96];
    if (len < min) {
        snprintf(
            rule, sizeof rule, "Member must have length greater than or equal to %" PRId64, min);
        violation(w, path, shown, rule);
    }
    if (len > max) {
        snprintf(rule, sizeof rule, "Member must have length less than or equal to %" PRId64, max);
        violation(w, path, shown, rule);
    }
}

static qk_err check_pattern(struct walk *w, const char *path, const struct qk_bytes *shown,
    struct qk_bytes value, const char *pattern)
{
    bool ok = false;
    char rule[256];
    if (pattern == NULL) return QK_OK;
    qk_err err = kms_pattern_full(pattern, value, &ok);
    if (err != QK_OK && err != QK_E_TOO_LARGE) return kms_fault_internal(w->fault, err);
    if (ok) return QK_OK;
    snprintf(rule, sizeof rule, "Member must satisfy regular expression pattern: %s", pattern);
    violation(w, path, shown, rule);
    return QK_OK;
}

static qk_err check_enum(struct walk *w, const char *path, const struct qk_bytes *shown,
    struct qk_bytes value, const struct model_enum *values)
{
    QK_AUTO_BUF rule = QK_BUF(4096);
    if (values == NULL) return QK_OK;
    for (size_t i = 0; i < values->n; i++)
        if (qk_bytes_is(value, values->values[i])) return QK_OK;
    qk_buf_add_str(&rule, "Member must satisfy enum value set: [");
    for (size_t i = 0; i < values->n; i++)
        qk_buf_printf(&rule, "%s%s", i ? ", " : "", values->values[i]);
    qk_buf_add_str(&rule, "]");
    const char *text = qk_buf_cstr(&rule);
    if (text == NULL) return kms_fault_internal(w->fault, QK_E_NOMEM);
    violation(w, path, shown, text);
    return QK_OK;
}

/* ---- values ---- */

static struct qk_bytes string_of(const json_t *v)
{
    return qk_bytes(json_string_value(v), json_string_length(v));
}

static qk_err check_string(struct walk *w, const struct place *at, const json_t *v, int64_t min,
    int64_t max, const char *pattern, const struct model_enum *values)
{
    if (!json_is_string(v)) return wrong_type(w, v, "a String");
    struct qk_bytes value = string_of(v);
    const struct qk_bytes *shown = at->sensitive ? NULL : &value;
    check_length(w, at->path, shown, utf16_len(value), min, max);
    QK_TRY(check_pattern(w, at->path, shown, value, pattern));
    return check_enum(w, at->path, shown, value, values);
}

static qk_err check_blob(
    struct walk *w, const struct place *at, const json_t *v, const struct model_member *m)
{
    if (!json_is_string(v)) return wrong_type(w, v, "a Blob");
    QK_AUTO_BUF raw = QK_BUF_SECRET(KMS_RAW_BODY_MAX); /* may be a plaintext */
    qk_err err = qk_unbase64(string_of(v), &raw);
    if (err >= 500) return kms_fault_internal(w->fault, err);
    if (err != QK_OK)
        return kms_fault_set(
            w->fault, "SerializationException", "Value at '%s' is not valid base64.", at->path);
    check_length(w, at->path, NULL, (int64_t)raw.len, m->min, m->max);
    return QK_OK;
}

static qk_err check_integer(
    struct walk *w, const struct place *at, const json_t *v, const struct model_member *m)
{
    if (!json_is_integer(v)) return wrong_type(w, v, "an Integer");
    int64_t n = json_integer_value(v);
    char shown[24], rule[96];
    if (n < INT32_MIN || n > INT32_MAX) return wrong_type(w, v, "an Integer");
    struct qk_bytes view = qk_bytes(shown, (size_t)snprintf(shown, sizeof shown, "%" PRId64, n));
    if (n < m->min) {
        snprintf(
            rule, sizeof rule, "Member must have value greater than or equal to %" PRId64, m->min);
        violation(w, at->path, &view, rule);
    }
    if (n > m->max) {
        snprintf(
            rule, sizeof rule, "Member must have value less than or equal to %" PRId64, m->max);
        violation(w, at->path, &view, rule);
    }
    return QK_OK;
}

static qk_err check_map(struct walk *w, const json_t *v)
{
    const char *key;
    json_t *value;
    if (!json_is_object(v)) return wrong_type(w, v, "a Map");
    json_object_foreach((json_t *)(uintptr_t)v, key,
        value) if (!json_is_string(value)) return wrong_type(w, value, "a String");
    return QK_OK;
}

static qk_err check_struct(struct walk *w, const char *prefix, const json_t *object,
    const struct model_struct *s, bool sensitive);

static qk_err check_list(
    struct walk *w, const struct place *at, const json_t *v, const struct model_member *m)
{
    if (!json_is_array(v)) return wrong_type(w, v, "a List");
    size_t n = json_array_size(v);
    check_length(w, at->path, NULL, (int64_t)n, m->min, m->max);
    for (size_t i = 0; i < n && w->n < 100; i++) {
        struct place item = {.sensitive = at->sensitive};
        const json_t *value = json_array_get(v, i);
        snprintf(item.path, sizeof item.path, "%.80s.%zu.member", at->path, i + 1);
        if (m->inner != NULL)
            QK_TRY(check_struct(w, item.path, value, m->inner, at->sensitive));
        else
            QK_TRY(check_string(
                w, &item, value, m->item_min, m->item_max, m->item_pattern, m->values));
    }
    return QK_OK;
}

static qk_err check_member(
    struct walk *w, const struct place *at, const json_t *v, const struct model_member *m)
{
    switch (m->type) {
    case MODEL_STRING:
        return check_string(w, at, v, m->min, m->max, m->pattern, m->values);
    case MODEL_BLOB:
        return check_blob(w, at, v, m);
    case MODEL_INTEGER:
        return check_integer(w, at, v, m);
    case MODEL_BOOLEAN:
        return json_is_boolean(v) ? QK_OK : wrong_type(w, v, "a Boolean");
    case MODEL_TIMESTAMP:
        return json_is_number(v) ? QK_OK : wrong_type(w, v, "a Timestamp");
    case MODEL_LIST:
        return check_list(w, at, v, m);
    case MODEL_MAP:
        return check_map(w, v);
    case MODEL_STRUCTURE:
        return check_struct(w, at->path, v, m->inner, at->sensitive);
    }
    return kms_fault_internal(w->fault, QK_E_STATE);
}

/* Goes no deeper than the model does (three levels), whatever the input is. */
static qk_err check_struct(struct walk *w, const char *prefix, const json_t *object,
    const struct model_struct *s, bool sensitive)
{
    if (!json_is_object(object)) return wrong_type(w, object, "a Structure");
    for (size_t i = 0; i < s->n; i++) {
        const struct model_member *m = &s->members[i];
        struct place at = {.sensitive = sensitive || m->sensitive};
        snprintf(at.path, sizeof at.path, "%.80s%s%.40s", prefix, *prefix ? "." : "", m->path);
        const json_t *v = json_object_get(object, m->name);
        if (v != NULL && !json_is_null(v))
            QK_TRY(check_member(w, &at, v, m));
        else if (m->required)
            violation_absent(w, at.path);
    }
    return QK_OK;
}

static qk_err verdict(const struct walk *w, const char *text)
{
    if (w->n == 0) return QK_OK;
    if (text == NULL) return kms_fault_internal(w->fault, QK_E_NOMEM);
    return kms_fault_set(w->fault, "ValidationException", "%zu validation error%s detected: %s",
        w->n, w->n == 1 ? "" : "s", text);
}

qk_err kms_validate(enum kms_op op, const json_t *input, struct kms_fault *fault)
{
    const struct model_struct *s = op < KMS_OP_COUNT ? kms_model_inputs[op] : NULL;
    if (s == NULL) return kms_fault_internal(fault, QK_E_STATE);
    struct walk w = {.text = QK_BUF(VIOLATIONS_MAX), .fault = fault};
    qk_err err = check_struct(&w, "", input, s, false);
    if (err == QK_OK) {
        /* Text over the bound is cut: what is there says enough. */
        if (w.text.err == QK_E_TOO_LARGE) w.text.err = QK_OK;
        err = verdict(&w, w.n ? qk_buf_cstr(&w.text) : NULL);
    }
    qk_buf_free(&w.text);
    return err;
}
