#include "core/commit.h"

#include <stdlib.h>
#include "core/changes.h"
#include "core/guard.h"
#include "core/pending.h"

_Static_assert(NODE_COMMIT_OPS_MAX *(NODE_LEARNT_MAX + KMS_CHANGE_MAX) <= NODE_WRITES_MAX,
    "one write takes all");

struct commit {
    size_t n;
    struct node_record rows[NODE_COMMIT_OPS_MAX * NODE_LEARNT_MAX];
    size_t n_rows;
    struct node_write writes[NODE_WRITES_MAX];
};

bool node_commit_wanted(const struct node_op *op)
{
    return op->later.n_learnt + op->later.n_promises > 0;
}

void node_later_clear(struct node *node, struct node_later *later)
{
    for (size_t i = 0; i < later->n_learnt; i++) node_known_put(node, later->learnt[i]);
    later->n_learnt = later->n_promises = 0;
}

/* A record before the promise that rests on it: the vault compares. */
static void collect(struct commit *c, struct node_op *op)
{
    struct node_later *l = &op->later;
    for (size_t i = 0; i < l->n_learnt; i++) {
        struct node_record *row = &c->rows[c->n_rows++];
        node_known_row(l->learnt[i], row);
        c->writes[c->n++] = (struct node_write){.record = row};
    }
    for (size_t i = 0; i < l->n_promises; i++) {
        struct node_later_promise *p = &l->promises[i];
        p->p.id = qk_str(p->id);
        p->p.record = qk_bytes(op->out.p + p->record_at, p->record_len);
        p->p.sig = QK_BYTES(p->sig);
        c->writes[c->n++] = (struct node_write){.promise = &p->p};
    }
}

/* How it went; writes NULL: nothing was written, because of all. */
static void conclude(struct node_op *op, const struct node_write *writes, qk_err all)
{
    struct node_later *l = &op->later;
    qk_err first = QK_OK;
    for (size_t i = 0; i < l->n_learnt + l->n_promises; i++) {
        qk_err err = writes == NULL ? all : writes[i].err;
        if (i < l->n_learnt)
            err = node_known_written(op->node, l->learnt[i], err);
        else if (err != QK_OK && l->promises[i - l->n_learnt].added)
            node_pending_withdraw(op->node, l->promises[i - l->n_learnt].p.hash);
        if (first == QK_OK) first = err;
    }
    if (first != QK_OK) node_change_failed(op, first);
    node_later_clear(op->node, l);
}

void node_commit(struct node_op *const *ops, size_t n)
{
    uint64_t audit_seq = 0;
    size_t at = 0;
    struct commit *c = calloc(1, sizeof *c);
    for (size_t i = 0; i < n; i++) {
        if (ops[i]->audit_seq > audit_seq) audit_seq = ops[i]->audit_seq;
        if (c != NULL) collect(c, ops[i]);
    }
    if (audit_seq > 0) node_audit_hurry(ops[0]->node->audit, audit_seq); /* side by side */
    if (c != NULL) node_vault_write(ops[0]->node->vault, c->writes, c->n, 0);
    for (size_t i = 0; i < n; i++) {
        size_t own = ops[i]->later.n_learnt + ops[i]->later.n_promises;
        conclude(ops[i], c == NULL ? NULL : &c->writes[at], QK_E_NOMEM);
        at += own;
    }
    free(c);
}
