#include "qktest/qktest.h"

#include <openssl/evp.h>
#include "kms/credential.h"

QK_TEST(credential, the_secret_is_base64_of_30_bytes)
{
    struct qk_sec32 prf;
    KMS_SECRET_TEXT(got);
    for (unsigned seed = 0; seed < 256; seed++) {
        char want[64];
        for (unsigned i = 0; i < 32; i++) prf.b[i] = (uint8_t)(seed * 7 + i * 37);
        kms_secret_from_prf(&prf, &got);
        EVP_EncodeBlock((unsigned char *)want, prf.b, 30);
        cr_assert_str_eq(got.text, want);
    }
}

QK_TEST(credential, the_input_binds_purpose_name_and_version)
{
    uint8_t a[KMS_CREDENTIAL_INPUT_LEN], b[KMS_CREDENTIAL_INPUT_LEN];
    static const char want[] = "0000000a63726564656e7469616c00000014"
                               "414b4941414c494345414c494345414c4943454100000004"
                               "00000102";
    char hex[2 * sizeof a + 1];
    qk_assert_ok(kms_credential_input(qk_str("AKIAALICEALICEALICEA"), 0x102, a));
    qk_hex(a, sizeof a, hex);
    cr_assert_str_eq(hex, want);
    qk_assert_ok(kms_credential_input(qk_str("AKIAALICEALICEALICEA"), 0x103, b));
    cr_assert(memcmp(a, b, sizeof a) != 0);
    qk_assert_err(kms_credential_input(qk_str("AKIAALICEALICEALICEA"), 0, b), QK_E_STATE);
    qk_assert_err(kms_credential_input(qk_str("AKIA"), 1, b), QK_E_STATE);
}

QK_TEST(credential, names_are_well_formed_and_differ)
{
    char a[KMS_AKID_LEN + 1], b[KMS_AKID_LEN + 1], u[KMS_USER_ID_LEN + 1];
    qk_assert_ok(kms_akid_new(qk_rng_system(), a));
    qk_assert_ok(kms_akid_new(qk_rng_system(), b));
    qk_assert_ok(kms_user_id_new(qk_rng_system(), u));
    cr_assert(kms_akid_valid(qk_str(a)) && kms_akid_valid(qk_str(b)));
    cr_assert(kms_user_id_valid(qk_str(u)));
    cr_assert_str_neq(a, b);
    static const char *const bad[] = {"", "AKIA", "AKIAALICEALICEALICE1", "ASIAALICEALICEALICEA",
        "AKIAaLICEALICEALICEA", "AKIAALICEALICEALICEAA"};
    for (size_t i = 0; i < QK_COUNT(bad); i++)
        cr_expect_not(kms_akid_valid(qk_str(bad[i])), "%s", bad[i]);
}
