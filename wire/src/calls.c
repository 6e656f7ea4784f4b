#include "wire/calls.h"

#include "qk/pack.h"

enum { VERSION = 2, TEXT_MAX = 8192, SEALED_MAX = 1024, STATUS_MAX = 65536 };

/* ---- pieces shared by calls and answers ---- */

static void add_refs(struct qk_buf *out, const struct wire_ref *refs, uint32_t n)
{
    qk_pack_key(out, "refs");
    qk_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++) {
        qk_pack_array(out, 4);
        qk_pack_uint(out, refs[i].kind);
        qk_pack_bin(out, refs[i].id);
        qk_pack_uint(out, refs[i].version);
        qk_pack_bin(out, QK_BYTES(refs[i].hash));
    }
}

static qk_err get_refs(struct qk_unpack *u, struct wire_ref *refs, uint32_t *n)
{
    QK_TRY(qk_unpack_key(u, "refs"));
    QK_TRY(qk_unpack_array(u, 0, WIRE_CALL_RECORDS_MAX, n));
    for (uint32_t i = 0; i < *n; i++) {
        uint32_t four;
        uint64_t kind;
        QK_TRY(qk_unpack_array(u, 4, 4, &four));
        QK_TRY(qk_unpack_uint(u, 255, &kind));
        QK_TRY(qk_unpack_bin(u, 0, WIRE_CALL_ID_MAX, &refs[i].id));
        QK_TRY(qk_unpack_uint(u, UINT64_MAX, &refs[i].version));
        QK_TRY(qk_unpack_fixed(u, refs[i].hash, sizeof refs[i].hash));
        refs[i].kind = (uint8_t)kind;
    }
    return QK_OK;
}

static void add_records(struct qk_buf *out, const struct qk_bytes *records, uint32_t n)
{
    qk_pack_key(out, "recs");
    qk_pack_array(out, n);
    for (uint32_t i = 0; i < n; i++) qk_pack_bin(out, records[i]);
}

static qk_err get_records(struct qk_unpack *u, struct qk_bytes *records, uint32_t *n)
{
    QK_TRY(qk_unpack_key(u, "recs"));
    QK_TRY(qk_unpack_array(u, 0, WIRE_CALL_RECORDS_MAX, n));
    for (uint32_t i = 0; i < *n; i++)
        QK_TRY(qk_unpack_bin(u, 1, WIRE_CALL_RECORD_BYTES, &records[i]));
    return QK_OK;
}

static qk_err get_peers(struct qk_unpack *u, struct wire_call *call)
{
    QK_TRY(qk_unpack_key(u, "peers"));
    QK_TRY(qk_unpack_array(u, 0, WIRE_CALL_PEERS_MAX, &call->n_peers));
    for (uint32_t i = 0; i < call->n_peers; i++) {
        uint64_t id;
        QK_TRY(qk_unpack_uint(u, UINT16_MAX, &id));
        call->peers[i] = (uint16_t)id;
    }
    return QK_OK;
}

/* ---- evaluations ---- */

static void add_eval(struct qk_buf *out, const struct wire_eval *e)
{
    qk_pack_key(out, "eval");
    if (e->op == 0) {
        qk_pack_array(out, 0);
        return;
    }
    qk_pack_array(out, 6);
    qk_pack_uint(out, e->op);
    qk_pack_uint(out, e->prove);
    qk_pack_uint(out, e->mode);
    qk_pack_uint(out, e->ver);
    qk_pack_bin(out, QK_BYTES(e->alpha));
    qk_pack_bin(out, e->tk);
}

/* ENC has everything, DEC takes everything from the blob in the request. */
static bool eval_fits(const struct wire_eval *e)
{
    static const uint8_t zeros[32];
    if (e->op == WIRE_EVAL_ENC)
        return !e->prove && (e->mode == 1 || e->mode == 2) && e->ver > 0 && e->tk.len > 0 &&
               e->tk.len % WIRE_CALL_TICKET_LEN == 0;
    return e->mode == 0 && e->ver == 0 && e->tk.len == 0 && memcmp(e->alpha, zeros, 32) == 0;
}

static qk_err get_eval(struct qk_unpack *u, struct wire_eval *e)
{
    uint32_t six;
    uint64_t op, prove, mode, ver;
    QK_TRY(qk_unpack_key(u, "eval"));
    QK_TRY(qk_unpack_array(u, 0, 6, &six));
    if (six == 0) return QK_OK;
    QK_ENSURE(six == 6, QK_E_MALFORMED);
    QK_TRY(qk_unpack_uint(u, WIRE_EVAL_DEC, &op));
    QK_TRY(qk_unpack_uint(u, 1, &prove));
    QK_TRY(qk_unpack_uint(u, 2, &mode));
    QK_TRY(qk_unpack_uint(u, UINT32_MAX, &ver));
    QK_TRY(qk_unpack_fixed(u, e->alpha, sizeof e->alpha));
    QK_TRY(qk_unpack_bin(u, 0, WIRE_CALL_TICKETS_MAX, &e->tk));
    e->op = (uint8_t)op;
    e->prove = prove == 1;
    e->mode = (uint8_t)mode;
    e->ver = (uint32_t)ver;
    QK_ENSURE(e->op != 0 && eval_fits(e), QK_E_MALFORMED);
    return QK_OK;
}

/* ---- MACs ---- */

static void add_mac(struct qk_buf *out, const struct wire_mac *m)
{
    qk_pack_key(out, "mac");
    if (!m->set) {
        qk_pack_array(out, 0);
        return;
    }
    qk_pack_array(out, 4);
    qk_pack_bin(out, QK_BYTES(m->mid));
    qk_pack_uint(out, m->g1);
    qk_pack_uint(out, m->g2);
    qk_pack_uint(out, m->e);
}

static qk_err get_node(struct qk_unpack *u, uint16_t *id)
{
    uint64_t x;
    QK_TRY(qk_unpack_uint(u, UINT16_MAX, &x));
    QK_ENSURE(x > 0, QK_E_MALFORMED);
    *id = (uint16_t)x;
    return QK_OK;
}

static qk_err get_mac(struct qk_unpack *u, struct wire_mac *m)
{
    uint32_t four;
    QK_TRY(qk_unpack_key(u, "mac"));
    QK_TRY(qk_unpack_array(u, 0, 4, &four));
    if (four == 0) return QK_OK;
    QK_ENSURE(four == 4, QK_E_MALFORMED);
    QK_TRY(qk_unpack_fixed(u, m->mid, sizeof m->mid));
    QK_TRY(get_node(u, &m->g1));
    QK_TRY(get_node(u, &m->g2));
    QK_TRY(get_node(u, &m->e));
    m->set = true;
    return QK_OK;
}

/* ---- calls ---- */

void wire_call_encode(struct qk_buf *out, const struct wire_call *call)
{
    qk_pack_map(out, 18);
    qk_pack_key_uint(out, "v", VERSION);
    qk_pack_key_uint(out, "k", (uint64_t)call->kind);
    qk_pack_key_bin(out, "c", QK_BYTES(call->cluster));
    qk_pack_key_str(out, "rid", qk_str(call->request_id));
    qk_pack_key_bin(out, "raw", call->raw);
    qk_pack_key_bin(out, "prop", call->proposal);
    qk_pack_key(out, "peers");
    qk_pack_array(out, call->n_peers);
    for (uint32_t i = 0; i < call->n_peers; i++) qk_pack_uint(out, call->peers[i]);
    qk_pack_key_bin(out, "rnd", QK_BYTES(call->rnd));
    qk_pack_key_bin(out, "presig", call->presig);
    qk_pack_key_uint(out, "want", call->want_presigs);
    add_eval(out, &call->eval);
    add_mac(out, &call->mac);
    qk_pack_key_bin(out, "claim", call->claim);
    qk_pack_key_bin(out, "parts", call->parts);
    qk_pack_key_uint(out, "len", call->rand_len);
    add_refs(out, call->refs, call->n_refs);
    add_records(out, call->records, call->n_records);
    qk_pack_key(out, "fetch");
    qk_pack_array(out, 2);
    qk_pack_uint(out, call->fetch_kind);
    qk_pack_bin(out, call->fetch_after);
}

static qk_err get_fetch(struct qk_unpack *u, struct wire_call *call)
{
    uint32_t two;
    uint64_t kind;
    QK_TRY(qk_unpack_key(u, "fetch"));
    QK_TRY(qk_unpack_array(u, 2, 2, &two));
    QK_TRY(qk_unpack_uint(u, 255, &kind));
    call->fetch_kind = (uint8_t)kind;
    return qk_unpack_bin(u, 0, WIRE_CALL_ID_MAX, &call->fetch_after);
}

static qk_err get_call_head(struct qk_unpack *u, struct wire_call *call)
{
    uint64_t version, kind;
    struct qk_bytes rid;
    QK_TRY(qk_unpack_map(u, 18));
    QK_TRY(qk_unpack_key_uint(u, "v", VERSION, &version));
    QK_TRY(qk_unpack_key_uint(u, "k", WIRE_CALL_RAND, &kind));
    QK_ENSURE(version == VERSION && kind >= WIRE_CALL_OP, QK_E_MALFORMED);
    call->kind = (enum wire_call_kind)kind;
    QK_TRY(qk_unpack_key_fixed(u, "c", call->cluster, sizeof call->cluster));
    QK_TRY(qk_unpack_key_str(u, "rid", 0, sizeof call->request_id - 1, &rid));
    QK_ENSURE(memchr(rid.p, 0, rid.len) == NULL, QK_E_MALFORMED);
    memcpy(call->request_id, rid.p, rid.len);
    return QK_OK;
}

qk_err wire_call_decode(struct qk_bytes in, struct wire_call *out)
{
    QK_ENSURE(in.len <= WIRE_CALL_MAX, QK_E_MALFORMED);
    memset(out, 0, sizeof *out);
    uint64_t want, rand_len;
    struct qk_unpack u = qk_unpack(in);
    QK_TRY(get_call_head(&u, out));
    QK_TRY(qk_unpack_key_bin(&u, "raw", 0, WIRE_CALL_RAW_BYTES, &out->raw));
    QK_TRY(qk_unpack_key_bin(&u, "prop", 0, TEXT_MAX, &out->proposal));
    QK_TRY(get_peers(&u, out));
    QK_TRY(qk_unpack_key_fixed(&u, "rnd", out->rnd, sizeof out->rnd));
    QK_TRY(qk_unpack_key_bin(&u, "presig", 0, 32, &out->presig));
    QK_ENSURE(out->presig.len == 0 || out->presig.len == 32, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_uint(&u, "want", WIRE_CALL_PRESIGS_MAX, &want));
    out->want_presigs = (uint32_t)want;
    QK_TRY(get_eval(&u, &out->eval));
    QK_TRY(get_mac(&u, &out->mac));
    QK_TRY(qk_unpack_key_bin(&u, "claim", 0, WIRE_CALL_CLAIM_MAX, &out->claim));
    QK_TRY(qk_unpack_key_bin(&u, "parts", 0, WIRE_CALL_PARTS_MAX, &out->parts));
    QK_TRY(qk_unpack_key_uint(&u, "len", WIRE_CALL_RAND_MAX, &rand_len));
    out->rand_len = (uint32_t)rand_len;
    QK_TRY(get_refs(&u, out->refs, &out->n_refs));
    QK_TRY(get_records(&u, out->records, &out->n_records));
    QK_TRY(get_fetch(&u, out));
    return qk_unpack_end(&u);
}

/* ---- answers ---- */

static void add_signed(struct qk_buf *out, const struct wire_answer *a)
{
    qk_pack_key(out, "signed");
    qk_pack_array(out, a->n_signed);
    for (uint32_t i = 0; i < a->n_signed; i++) {
        qk_pack_array(out, 2);
        qk_pack_bin(out, a->signed_records[i].record);
        qk_pack_bin(out, a->signed_records[i].signature);
    }
}

void wire_answer_encode(struct qk_buf *out, const struct wire_answer *a)
{
    qk_pack_map(out, 15);
    qk_pack_key_uint(out, "v", VERSION);
    qk_pack_key_uint(out, "s", (uint64_t)a->status);
    add_signed(out, a);
    qk_pack_key_bin(out, "part", a->part);
    qk_pack_key_uint(out, "es", a->eval_status);
    qk_pack_key_bin(out, "chan", a->chan);
    qk_pack_key_bin(out, "sealed", a->sealed);
    qk_pack_key_bin(out, "presigs", a->presigs);
    qk_pack_key_str(out, "type", a->fault_type);
    qk_pack_key_str(out, "msg", a->fault_message);
    qk_pack_key_bool(out, "hasmsg", a->fault_has_message);
    add_refs(out, a->refs, a->n_refs);
    add_records(out, a->records, a->n_records);
    qk_pack_key_uint(out, "culprit", a->culprit);
    qk_pack_key_bin(out, "status", a->status_json);
}

static qk_err get_signed(struct qk_unpack *u, struct wire_answer *a)
{
    QK_TRY(qk_unpack_key(u, "signed"));
    QK_TRY(qk_unpack_array(u, 0, WIRE_CALL_RECORDS_MAX, &a->n_signed));
    for (uint32_t i = 0; i < a->n_signed; i++) {
        uint32_t two;
        QK_TRY(qk_unpack_array(u, 2, 2, &two));
        QK_TRY(qk_unpack_bin(u, 1, WIRE_CALL_RECORD_BYTES, &a->signed_records[i].record));
        QK_TRY(qk_unpack_bin(u, 1, 128, &a->signed_records[i].signature));
    }
    return QK_OK;
}

qk_err wire_answer_decode(struct qk_bytes in, struct wire_answer *out)
{
    QK_ENSURE(in.len <= WIRE_CALL_MAX, QK_E_MALFORMED);
    memset(out, 0, sizeof *out);
    uint64_t version, status, culprit, eval_status;
    struct qk_unpack u = qk_unpack(in);
    QK_TRY(qk_unpack_map(&u, 15));
    QK_TRY(qk_unpack_key_uint(&u, "v", VERSION, &version));
    QK_TRY(qk_unpack_key_uint(&u, "s", WIRE_ANSWER_REFUSED, &status));
    QK_ENSURE(version == VERSION, QK_E_MALFORMED);
    out->status = (enum wire_answer_status)status;
    QK_TRY(get_signed(&u, out));
    QK_TRY(qk_unpack_key_bin(&u, "part", 0, WIRE_ANSWER_PART_MAX, &out->part));
    QK_TRY(qk_unpack_key_uint(&u, "es", UINT8_MAX, &eval_status));
    out->eval_status = (uint8_t)eval_status;
    QK_TRY(qk_unpack_key_bin(&u, "chan", 0, WIRE_CALL_CHAN_LEN, &out->chan));
    QK_ENSURE(out->chan.len == 0 || out->chan.len == WIRE_CALL_CHAN_LEN, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_bin(&u, "sealed", 0, SEALED_MAX, &out->sealed));
    QK_TRY(qk_unpack_key_bin(&u, "presigs", 0, WIRE_CALL_PRESIGS_MAX * 32, &out->presigs));
    QK_ENSURE(out->presigs.len % 32 == 0, QK_E_MALFORMED);
    QK_TRY(qk_unpack_key_str(&u, "type", 0, 64, &out->fault_type));
    QK_TRY(qk_unpack_key_str(&u, "msg", 0, TEXT_MAX, &out->fault_message));
    QK_TRY(qk_unpack_key_bool(&u, "hasmsg", &out->fault_has_message));
    QK_TRY(get_refs(&u, out->refs, &out->n_refs));
    QK_TRY(get_records(&u, out->records, &out->n_records));
    QK_TRY(qk_unpack_key_uint(&u, "culprit", UINT16_MAX, &culprit));
    out->culprit = (uint16_t)culprit;
    QK_TRY(qk_unpack_key_bin(&u, "status", 0, STATUS_MAX, &out->status_json));
    return qk_unpack_end(&u);
}
