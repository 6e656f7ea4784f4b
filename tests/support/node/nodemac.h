/** HMAC keys for the test's coordinator: runs, combining. As in nodedriver.h everything can be bent
 *  before it is sent.
 */
#ifndef NODEMAC_H
#define NODEMAC_H

#include "mpc/mac.h"
#include "mpc/mac_gen.h"
#include "nodedriver.h"

/** Bytes of a long message: the longest there is. Under ThreadSanitizer a run of it in profile S
 *  would take longer than a run may. */
#ifdef QKMS_TSAN
enum { NM_LONG_MESSAGE = 700 };
#else
enum { NM_LONG_MESSAGE = MPC_MAC_MESSAGE_MAX };
#endif

/** A request with its item; the peers are the three of roles. target: "TrentService.GenerateMac" or
 *  VerifyMac (with a MAC of zeros). */
struct nd_op *nm_op(struct nd *d, const char *target, const char *key_id, struct qk_bytes message,
    const struct mpc_mac_roles *roles);
/** Another random mid. */
void nm_op_mid(struct nd_op *op);

/** CreateKey of this spec, "HMAC_256", with tag qkms:mac-profile = strict or none. */
void nm_create_key(struct nd *d, const char *spec, bool strict, char id[static KMS_UUID_LEN + 1]);
/** Create a key of origin EXTERNAL and import this material; QK_OK, or QK_E_STATE if a node did not
 *  say OK: the answers are printed. */
qk_err nm_import_key(struct nd *d, const char *spec, bool strict, struct qk_bytes material,
    char id[static KMS_UUID_LEN + 1]);
/** Import (again). */
qk_err nm_import(struct nd *d, const char *key_id, struct qk_bytes material);

/** ImportKeyMaterial, sent and answered; node odd (0: none) gets its part of other material. */
struct nd_op *nm_import_op(struct nd *d, const char *key_id, struct qk_bytes material, uint16_t odd,
    struct qk_bytes odd_material);

/** The key's public record by the stored VERSION record. */
void nm_record(struct nd *d, const char *key_id, struct mpc_mac_record *out);
/** Send op to the three at once and wait, again while one of them does not say OK, a few times. */
void nm_send(struct nd *d, struct nd_op *op);
/** What the combiner makes of op's answers. QK_E_STATE: one of them is not OK. tag: 64 bytes. */
qk_err nm_combine(struct nd *d, const char *key_id, struct nd_op *op,
    uint8_t tag[static MPC_MAC_DIGEST_MAX], struct mpc_mac_suspects *why);
/** nm_op, nm_send, nm_combine. Prints the answers if it did not work. */
qk_err nm_generate(struct nd *d, const char *key_id, struct qk_bytes message,
    const struct mpc_mac_roles *roles, uint8_t tag[static MPC_MAC_DIGEST_MAX]);
/** HMAC by OpenSSL. */
void nm_hmac(unsigned alg, struct qk_bytes key, struct qk_bytes message,
    uint8_t tag[static MPC_MAC_DIGEST_MAX]);

#endif
