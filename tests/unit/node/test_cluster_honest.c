/* Three real nodes under an honest coordinator: what the hostile ones are measured against. */
#include "qktest/qktest.h"
#include "nodedriver.h"

static const uint16_t pairs[][3] = {{1, 2, 0}, {1, 3, 0}, {2, 3, 0}};

QK_TEST(cluster_honest, initializes_creates_keys_and_signs_with_every_pair)
{
    struct nodebox box;
    struct nd d;
    char key[KMS_UUID_LEN + 1];
    nodebox_up(&box, NULL);
    nd_init(&d, &box);
    nd_create_key(&d, "ECC_NIST_P256", key);
    for (size_t i = 0; i < 3; i++) qk_assert_ok(nd_sign(&d, key, "hello", pairs[i], NULL, NULL));
    nd_free(&d);
    nodebox_end(&box);
}
