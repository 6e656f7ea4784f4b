#include "pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_STEPS 1000000u
#define HEAP_KIB    4096u

/* The model's dialect is Java's: \uXXXX, `$` only at the very end, and the whole value must match.
 */
static pcre2_code *compile(const char *pattern)
{
    int code;
    PCRE2_SIZE at;
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
        PCRE2_UTF | PCRE2_ALT_BSUX | PCRE2_DOLLAR_ENDONLY | PCRE2_ANCHORED | PCRE2_ENDANCHORED,
        &code, &at, NULL);
}

static int run(const pcre2_code *code, struct qk_bytes text)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    int rc = PCRE2_ERROR_NOMEMORY;
    if (data != NULL && limits != NULL) {
        pcre2_set_match_limit(limits, MATCH_STEPS);
        pcre2_set_depth_limit(limits, MATCH_STEPS);
        pcre2_set_heap_limit(limits, HEAP_KIB);
        PCRE2_SPTR subject = text.len ? text.p : (PCRE2_SPTR) "";
        rc = pcre2_match(code, subject, text.len, 0, 0, data, limits);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return rc;
}

qk_err kms_pattern_full(const char *pattern, struct qk_bytes text, bool *matches)
{
    pcre2_code *code = compile(pattern);
    QK_ENSURE(code != NULL, QK_E_STATE);
    int rc = run(code, text);
    pcre2_code_free(code);
    QK_ENSURE(rc != PCRE2_ERROR_NOMEMORY, QK_E_NOMEM);
    QK_ENSURE(rc >= 0 || rc == PCRE2_ERROR_NOMATCH, QK_E_TOO_LARGE);
    *matches = rc >= 0;
    return QK_OK;
}
