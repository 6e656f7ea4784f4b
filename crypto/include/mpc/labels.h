/** Every label that separates one hash of the protocols from another.
 *
 *  Source: protocols/00-common.md section 3: all labels live in one place, and
 *  every field of a label has a fixed position and meaning. The comment behind
 *  a label lists its fields; a second formula under the same label is a
 *  protocol bug. Roles of proofs are labels of the same kind.
 *
 *  Fields are written as in the documents: sid is 32 bytes, u8/u16/u32 are
 *  big-endian, enc() is the canonical encoding of mpc/group.h.
 */
#ifndef MPC_LABELS_H
#define MPC_LABELS_H

/* The prefix of every transcript. Changes with any change of any formula. */
#define MPC_TRANSCRIPT_VERSION "TKMS-v1"

/* ---- 00-common section 4: identities, records, sessions ---- */
#define MPC_L_ID_KEY "id-key" /* DER of the identity public key */
#define MPC_L_KEYREC "keyrec" /* canonical msgpack of the public key record */
#define MPC_L_REQ    "req"    /* operation, caller, algorithm, digest or message hash, 32 random */
/* sid: proto name, u16 version, u8 curve, key_id, u32 e_net, u32 e_del, rec, plist, u16 t, u8
 * access, req, nonce_1 .. nonce_m */
#define MPC_L_SID  "sid"
#define MPC_L_OPEN "open" /* the fields of sid without the nonces */

/* ---- 00-common sections 5, 7, 9: commitments, proofs, echo, nonces ---- */
#define MPC_L_COM   "com"   /* sid, u16 i, label, m, rho */
#define MPC_L_POK   "pok"   /* sid, u8 curve, u16 i, role, enc X, enc A */
#define MPC_L_DLEQ  "dleq"  /* sid, u8 curve, u16 i, role, enc X, enc P, enc D, enc A1, enc A2 */
#define MPC_L_NONCE "nonce" /* 64 random bytes, enc(secret), sid, u16 i, role */
#define MPC_L_ECHO  "echo"  /* sid, u8 r, for each party ascending: u16 id, H32("bc"; body) */
#define MPC_L_BC    "bc"    /* body */

/* ---- 10-dkg ---- */
#define MPC_L_DKG_OUT     "dkg-out"     /* sid, rec, echo2 */
#define MPC_L_ACK         "ack"         /* sid, V */
#define MPC_L_RESHARE_OUT "reshare-out" /* sid, new rec, echo2 */
/* Labels of commitments and roles of proofs. */
#define MPC_L_DKG           "dkg"           /* Com over data_i; PoK of a_{i,0} */
#define MPC_L_DKG_DEL       "dkg-del"       /* Com over enc X || enc A || enc z; PoK of x_D */
#define MPC_L_RESHARE       "reshare"       /* Com */
#define MPC_L_RESHARE_DELTA "reshare-delta" /* PoK of delta_i */

/* ---- 20-ecdsa section 2: pair setup ---- */
#define MPC_L_OT_SETUP       "ot-setup"   /* sid, u16 A, u16 B */
#define MPC_L_PVW_H0         "pvw-h0"     /* psid; a point (H2P) */
#define MPC_L_PVW_G1         "pvw-g1"     /* psid; a point (H2P) */
#define MPC_L_PVW_H1         "pvw-h1"     /* psid; a point (H2P) */
#define MPC_L_PVW_SEED       "pvw-seed"   /* psid, u16 k, u8 b, enc U, enc W, enc E, enc V */
#define MPC_L_OT_CONFIRM     "ot-confirm" /* sid, u16 lo, u16 hi, H32 of both R1, H32 of both R2 */
#define MPC_L_OT_R           "ot-r"       /* the bodies of both parties, lo first */
#define MPC_L_ZS             "zs"         /* sid, u16 a, u16 b, zs_ab, zs_ba */
#define MPC_L_OT_DERIVE      "ot-derive"  /* sid, u16 A, u16 B */
#define MPC_L_OT_DERIVE_SEED "ot-derive-seed" /* psid, u16 j, row */

/* ---- 20-ecdsa sections 3 and 4: OT extension, multiplication ---- */
#define MPC_L_MUL          "mul"          /* sid, u16 A, u16 B */
#define MPC_L_OT_CHI       "ot-chi"       /* pm, u_0 || .. || u_{kappa-1} */
#define MPC_L_OT_PAD       "ot-pad"       /* pm, u16 j, row of 32 bytes */
#define MPC_L_RVOLE_GADGET "rvole-gadget" /* psid, u8 curve, u16 j */
#define MPC_L_RVOLE_THETA  "rvole-theta"  /* pm, u8 i, H("rvole-a") */
#define MPC_L_RVOLE_A      "rvole-a"      /* pm, u, xhat, that, atilde */
#define MPC_L_RVOLE_MU     "rvole-mu"     /* pm, the encoded scalars in one field */

/* ---- 20-ecdsa sections 5 and 6: signing ---- */
#define MPC_L_ZERO         "zero"         /* sid, u16 a, u16 b, K_ab */
#define MPC_L_ECDSA_R      "ecdsa-R"      /* label of Com over enc R_i */
#define MPC_L_DIGEST       "digest"       /* digest */
#define MPC_L_ECDSA_RERAND "ecdsa-rerand" /* sid, enc pk, enc R, digest, req */

/* ---- 40-ecdh, 50-symmetric: roles and hashes of the distributed PRF in mode V ---- */
#define MPC_L_ECDH        "ecdh"        /* role of DLEQ */
#define MPC_L_SYM         "sym"         /* role of DLEQ */
#define MPC_L_SYM_V       "sym-v"       /* role of the DKG of a mode-V key */
#define MPC_L_SYM_P       "sym-p"       /* X; a point (H2P) */
#define MPC_L_SYM_WV      "sym-wv"      /* X, enc W */
#define MPC_L_SYM_EC      "sym-ec"      /* EC */
#define MPC_L_SYM_COM     "sym-com"     /* key_id, u32 ver, d_ec, rho, m */
#define MPC_L_SYM_TICKETS "sym-tickets" /* ascending i: u16 i || chan_i || u64 ctr_i, one field */
#define MPC_L_SYM_X       "sym-x"       /* u8 mode, u8 flags, key_id, u32 ver, d_ec, alpha, T */
#define MPC_L_SYM_KS      "sym-ks"      /* X, w */
#define MPC_L_SYM_VER     "sym-ver"     /* key_id, u32 ver: the id of one backing version */
#define MPC_L_CNF         "cnf"         /* label of Com over u16 a || r */
#define MPC_L_CNF_KEY     "cnf-key"     /* sid, u16 a, r_{A,i} of the members ascending */
#define MPC_L_CNF_KCV     "cnf-kcv"     /* sid, u16 a, k_A */
#define MPC_L_CNF_ENC     "cnf-enc"     /* k_A */
#define MPC_L_CNF_TAG     "cnf-tag"     /* k_A */
#define MPC_L_IMP_CNF     "imp-cnf"     /* key_id, u16 a, K */
#define MPC_L_IMP_DDH     "imp-ddh"     /* key_id, K */
#define MPC_L_KMI         "kmi"         /* key_id, hash of the version record */
#define MPC_L_SYS_X       "sys-x"       /* purpose, fields */
#define MPC_L_SYS_W       "sys-w"       /* X, enc W */

/* ---- 60-hmac sections 4 and 6: pieces, generation, self-test ---- */
#define MPC_L_MAC_PC     "mac-pc"     /* key_id, u32 epoch, u16 j, s_j */
#define MPC_L_MAC_IST    "mac-ist"    /* key_id, ist */
#define MPC_L_MACGEN     "macgen"     /* sid, u8 alg, u8 profile, u16 G1, u16 G2, u16 E */
#define MPC_L_MAC_KEY    "mac-key"    /* set key of "all nodes but j" */
#define MPC_L_MAC_PIECE  "mac-piece"  /* the same */
#define MPC_L_MAC_OUT    "mac-out"    /* run, u8 part, active output labels */
#define MPC_L_MAC_STEP   "mac-step"   /* sid of CNFGEN, run */
#define MPC_L_MAC_ST_H   "mac-st-h"   /* key_id, u8 alg; h of the self-test */
#define MPC_L_MAC_ST_MID "mac-st-mid" /* sid, u8 rotation, u8 part of the secret */
#define MPC_L_MAC_ST     "mac-st"     /* the self-test's tag; profile S: value from ist || tag */
/* ---- 60-hmac section 5: MAC3. kappa is the secret of the link between two nodes ---- */
/* key_id, u32 ver, u32 epoch, pk_1 .. pk_n, u8 alg, mid, u16 G1, u16 G2, u16 E, h; in profile S
 * the message stands in place of h */
#define MPC_L_MAC3      "mac3"
#define MPC_L_MAC3_S    "mac3-s"
#define MPC_L_MAC3_SEED "mac3-seed" /* kappa of G1 and G2, run */
#define MPC_L_MAC3_GMAC "mac3-gmac" /* kappa of G2 and E, run, kh */
#define MPC_L_MAC3_OUT  "mac3-out"  /* run, kh, OT */
/* u16 i, u16 j, r_i, r_j; i < j. The second names a link secret: kappa */
#define MPC_L_MAC_LINK    "mac-link"
#define MPC_L_MAC_LINK_ID "mac-link-id"

/* ---- 90-refresh-backup section 3: what nodes sign at an epoch switch ---- */
#define MPC_L_EP_PREP  "ep-prep"  /* sid, key_id, base epoch, rec' */
#define MPC_L_EP_VOTE  "ep-vote"  /* sid, key_id, base epoch, rec' */
#define MPC_L_EP_ABORT "ep-abort" /* sid, key_id, base epoch */

#endif
