/** Session ids and request hashes.
 *
 *  Source: protocols/00-common.md section 4. Used by the engine, by nodes
 *  that check an OPEN, and by the coordinator that makes one.
 */
#ifndef MPC_SESSION_H
#define MPC_SESSION_H

#include "mpc/party.h"

/** idh = H32("id-key"; der): names a long-term identity public key, DER as in its certificate
 *  (SubjectPublicKeyInfo). der of 1..1024 bytes, else QK_E_STATE. */
QK_MUST_USE qk_err mpc_idh(uint8_t out[static 32], struct qk_bytes der);

/** What a requester asks for; req binds all of it to a session. Public. */
struct mpc_req {
    struct qk_bytes operation; /* "Sign", "CreateKey", ... */
    struct qk_bytes principal; /* canonical id of the caller */
    struct qk_bytes algorithm; /* "ECDSA_SHA_256", ... or empty */
    struct qk_bytes digest;    /* digest or message hash, or hash of the raw request */
    uint8_t fresh[32];         /* random bytes of the requester */
};
/** req = H32("req"; operation, principal, algorithm, digest, fresh). */
QK_MUST_USE qk_err mpc_req_hash(uint8_t out[static 32], const struct mpc_req *req);

/** Check C-1 and the ranges of a session's fields:
 *  1..33 peers with strictly ascending ids, each 1..255, or D last and only with access 1; at least
 *  one node, at most 32; self among them; known curve; 1 <= t <= 32; access 0 or 1. QK_E_STATE. */
QK_MUST_USE qk_err mpc_session_check(const struct mpc_session *s);

/** H32("open"; the fields of sid without the nonces): routes frames of round 0.
 *  proto_name  as inside sid: "dkg", "ecdsa", ... */
QK_MUST_USE qk_err mpc_open_id(
    uint8_t out[static 32], const char *proto_name, const struct mpc_session *s);
/** sid: the same fields and the nonces, 32 bytes each, one per peer in order. */
QK_MUST_USE qk_err mpc_sid(uint8_t out[static 32], const char *proto_name,
    const struct mpc_session *s, const uint8_t (*nonces)[32]);

#endif
