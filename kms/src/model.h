/** The API models as C tables (made at build time by kms/model/generate.py). */
#ifndef KMS_MODEL_H
#define KMS_MODEL_H

#include "kms/request.h"

enum model_type {
    MODEL_STRING,
    MODEL_BLOB,
    MODEL_INTEGER,
    MODEL_BOOLEAN,
    MODEL_TIMESTAMP,
    MODEL_LIST, /* of inner, or of strings */
    MODEL_MAP,  /* string to string */
    MODEL_STRUCTURE,
};

struct model_enum {
    const char *const *values;
    size_t n;
};

struct model_struct;

struct model_member {
    const char *name; /* "KeyId" */
    const char *path; /* "keyId", as messages say it */
    enum model_type type;
    bool required;
    bool sensitive;   /* messages do not show its value */
    int64_t min, max; /* length of string, blob (decoded), list; value of integer */
    int64_t item_min, item_max;
    const char *pattern, *item_pattern; /* the whole text must match; NULL: any */
    const struct model_enum *values;    /* of the string, or of a list's items */
    const struct model_struct *inner;
};

struct model_struct {
    const struct model_member *members;
    size_t n;
};

extern const struct model_struct *const kms_model_inputs[KMS_OP_COUNT]; /* NULL: no JSON input */
extern const struct kms_op_info kms_model_ops[KMS_OP_COUNT];

#endif
