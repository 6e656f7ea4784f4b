#include "wire/cluster.h"

#include <stdlib.h>
#include <openssl/evp.h>
#include "cluster_priv.h"

void wire_cluster_free(struct wire_cluster *c)
{
    if (c == NULL) return;
    for (size_t i = 0; i < c->n; i++) {
        free((void *)(uintptr_t)c->nodes[i].cert.p);
        wire_key_free(c->nodes[i].key);
    }
    for (size_t i = 0; i < c->n_coordinators; i++) {
        free((void *)(uintptr_t)c->coordinators[i].cert.p);
        wire_key_free(c->coordinators[i].key);
    }
    for (size_t i = 0; i < c->n_operators; i++) wire_key_free(c->operators[i].key);
    wire_seen_free(c->seen);
    free(c);
}

const struct wire_node *wire_cluster_node(const struct wire_cluster *c, uint16_t id)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->nodes[i].id == id) return &c->nodes[i];
    return NULL;
}

qk_err wire_cluster_verify(
    const struct wire_cluster *c, uint16_t node, struct qk_bytes msg, struct qk_bytes sig)
{
    const struct wire_node *n = wire_cluster_node(c, node);
    QK_ENSURE(n != NULL, QK_E_NOT_FOUND);
    return wire_seen_verify(c->seen, n->key, msg, sig);
}

size_t wire_cluster_quorum(const struct wire_cluster *c)
{
    size_t t = c->t, rest = c->n - t + 1;
    return t > rest ? t : rest;
}

const struct wire_node *wire_cluster_node_by_cert(
    const struct wire_cluster *c, struct qk_bytes cert)
{
    for (size_t i = 0; i < c->n; i++)
        if (qk_bytes_eq(c->nodes[i].cert, cert)) return &c->nodes[i];
    return NULL;
}

const struct wire_coordinator *wire_cluster_coordinator(
    const struct wire_cluster *c, const char *name)
{
    for (size_t i = 0; i < c->n_coordinators; i++)
        if (strcmp(c->coordinators[i].name, name) == 0) return &c->coordinators[i];
    return NULL;
}

const struct wire_operator *wire_cluster_operator(const struct wire_cluster *c, const char *name)
{
    for (size_t i = 0; i < c->n_operators; i++)
        if (strcmp(c->operators[i].name, name) == 0) return &c->operators[i];
    return NULL;
}

/* ---- hash ---- */

static void add_framed(struct qk_buf *b, struct qk_bytes v)
{
    qk_buf_add_u32(b, (uint32_t)v.len);
    qk_buf_add(b, v.p, v.len);
}

static void add_framed_u8(struct qk_buf *b, size_t v)
{
    uint8_t byte = (uint8_t)v;
    add_framed(b, qk_bytes(&byte, 1));
}

qk_err wire_cluster_seal(struct wire_cluster *c)
{
    QK_AUTO_BUF b = QK_BUF(WIRE_CLUSTER_FILE_MAX);
    add_framed(&b, qk_str("qkms-cluster-v1"));
    add_framed(&b, qk_str(c->name));
    add_framed(&b, QK_BYTES(c->id));
    add_framed(&b, qk_str(c->account));
    add_framed(&b, qk_str(c->region));
    add_framed_u8(&b, c->t);
    add_framed_u8(&b, c->n);
    for (size_t i = 0; i < c->n; i++) {
        add_framed_u8(&b, c->nodes[i].id);
        add_framed(&b, qk_str(c->nodes[i].address));
        add_framed(&b, qk_str(c->nodes[i].call_address));
        add_framed(&b, c->nodes[i].cert);
    }
    add_framed_u8(&b, c->n_coordinators);
    for (size_t i = 0; i < c->n_coordinators; i++) {
        add_framed(&b, qk_str(c->coordinators[i].name));
        add_framed(&b, c->coordinators[i].cert);
    }
    add_framed_u8(&b, c->n_operators);
    for (size_t i = 0; i < c->n_operators; i++) {
        add_framed(&b, qk_str(c->operators[i].name));
        add_framed(&b, wire_key_spki(c->operators[i].key));
    }
    QK_TRY(b.err);
    QK_ENSURE(EVP_Digest(b.p, b.len, c->hash, NULL, EVP_sha256(), NULL) == 1, QK_E_CRYPTO);
    return QK_OK;
}

/* ---- writing ---- */

void wire_cluster_put(struct qk_buf *out, const char *name, const uint8_t id[static 16],
    const char *account, const char *region, uint16_t t)
{
    char hex[33];
    qk_hex(id, 16, hex);
    qk_buf_printf(out, "[cluster]\nname = %s\nid = %s\naccount = %s\nregion = %s\nthreshold = %u\n",
        name, hex, account, region, t);
}

static void put_base64(struct qk_buf *out, const char *field, struct qk_bytes v)
{
    qk_buf_printf(out, "%s = ", field);
    qk_base64_add(out, v);
    qk_buf_add_str(out, "\n");
}

void wire_cluster_put_node(struct qk_buf *out, uint16_t id, const char *address,
    const char *call_address, struct qk_bytes cert)
{
    qk_buf_printf(out, "\n[node %u]\naddress = %s\ncall_address = %s\n", id, address, call_address);
    put_base64(out, "certificate", cert);
}

void wire_cluster_put_coordinator(struct qk_buf *out, const char *name, struct qk_bytes cert)
{
    qk_buf_printf(out, "\n[coordinator %s]\n", name);
    put_base64(out, "certificate", cert);
}

void wire_cluster_put_operator(struct qk_buf *out, const char *name, struct qk_bytes spki)
{
    qk_buf_printf(out, "\n[operator %s]\n", name);
    put_base64(out, "key", spki);
}

void wire_cluster_print(struct qk_buf *out, const struct wire_cluster *c)
{
    wire_cluster_put(out, c->name, c->id, c->account, c->region, c->t);
    for (size_t i = 0; i < c->n; i++)
        wire_cluster_put_node(
            out, c->nodes[i].id, c->nodes[i].address, c->nodes[i].call_address, c->nodes[i].cert);
    for (size_t i = 0; i < c->n_coordinators; i++)
        wire_cluster_put_coordinator(out, c->coordinators[i].name, c->coordinators[i].cert);
    for (size_t i = 0; i < c->n_operators; i++)
        wire_cluster_put_operator(out, c->operators[i].name, wire_key_spki(c->operators[i].key));
}
