#include "rounds/votes.h"

#include <stdlib.h>

void coord_votes_free(struct coord_votes *v)
{
    for (size_t i = 0; i < WIRE_NODES_MAX; i++) free(v->fault[i]);
    *v = (struct coord_votes){0};
}

static qk_err take_one(struct kms_fault **slot, const struct coord_reply *r)
{
    free(*slot);
    *slot = NULL;
    const struct wire_answer *a = &r->answer;
    if (r->err != QK_OK || a->status != WIRE_ANSWER_FAULT) return QK_OK;
    struct kms_fault *f = calloc(1, sizeof *f);
    QK_ENSURE(f != NULL, QK_E_NOMEM);
    if (kms_fault_from_parts(a->fault_type, a->fault_message, a->fault_has_message, f) == QK_OK)
        *slot = f;
    else
        free(f);
    return QK_OK;
}

qk_err coord_votes_note(
    struct coord_votes *v, const struct wire_cluster *cluster, const struct coord_reply *reply)
{
    for (size_t i = 0; i < cluster->n; i++)
        if (cluster->nodes[i].id == reply->node) return take_one(&v->fault[i], reply);
    return QK_OK;
}

qk_err coord_votes_take(
    struct coord_votes *v, const struct wire_cluster *cluster, const struct coord_attempt *attempt)
{
    for (size_t k = 0; k < attempt->n; k++)
        if (attempt->got[k]) QK_TRY(coord_votes_note(v, cluster, &attempt->replies[k]));
    return QK_OK;
}

static bool same(const struct kms_fault *a, const struct kms_fault *b, bool text)
{
    if (strcmp(a->type, b->type) != 0) return false;
    if (!text) return true;
    return a->has_message == b->has_message && strcmp(a->message, b->message) == 0;
}

static const struct kms_fault *majority(const struct coord_votes *v, size_t t, bool text)
{
    for (size_t i = 0; i < WIRE_NODES_MAX; i++) {
        size_t n = 0;
        for (size_t k = 0; k < WIRE_NODES_MAX && v->fault[i] != NULL; k++)
            n += v->fault[k] != NULL && same(v->fault[i], v->fault[k], text);
        if (n >= t) return v->fault[i];
    }
    return NULL;
}

bool coord_votes_agree(const struct coord_votes *v, size_t t, struct kms_fault *out)
{
    const struct kms_fault *f = majority(v, t, true);
    if (f != NULL) {
        *out = *f;
        return true;
    }
    f = majority(v, t, false);
    if (f == NULL) return false;
    return kms_fault_from_parts(qk_str(f->type), (struct qk_bytes){0}, false, out) == QK_OK;
}

size_t coord_votes_count(const struct coord_votes *v)
{
    size_t n = 0;
    for (size_t i = 0; i < WIRE_NODES_MAX; i++) n += v->fault[i] != NULL;
    return n;
}
