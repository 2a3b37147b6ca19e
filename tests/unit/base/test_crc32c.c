#include "../span_check.h"

#include "base/crc32c.h"

static uint8_t octets[9000], copy[9000];

static int fill(void **state)
{
    (void)state;
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof octets; i++) {
        x = x * 1664525 + 1013904223;
        octets[i] = (uint8_t)(x >> 24);
    }
    return 0;
}

static void known_values(void **state) /* RFC 3720 B.4 */
{
    (void)state;
    uint8_t b[32];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
    memset(b, 0, 32);
    assert_int_equal(crc32c(0, b, 32), 0x8a9136aa);
    memset(b, 0xff, 32);
    assert_int_equal(crc32c(0, b, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = i;
    assert_int_equal(crc32c(0, b, 32), 0x46dd794e);
}

/* The lanes of the fast way begin at 2016 octets: every length around one, two and four rounds of it, unaligned. */
static void fast_is_portable(void **state)
{
    (void)state;
    for (size_t n = 0; n<sizeof octets - 8; n += n % 2016> 24 && n % 2016 < 1990 ? 13 : 1) {
        const uint8_t *p = octets + n % 8;
        uint32_t want = crc32c_portable((uint32_t)n, p, n);
        assert_int_equal(crc32c((uint32_t)n, p, n), want);
        memset(copy, 0, sizeof copy);
        assert_int_equal(crc32c_copy((uint32_t)n, copy, p, n), want);
        assert_memory_equal(copy, p, n);
        assert_int_equal(copy[n], 0);
    }
}

static void any_cut_is_the_same(void **state)
{
    (void)state;
    uint32_t want = crc32c(0, octets, 5000);
    for (size_t cut = 0; cut <= 5000; cut += 37)
        assert_int_equal(crc32c(crc32c(0, octets, cut), octets + cut, 5000 - cut), want);
}

static void any_bit_matters(void **state)
{
    (void)state;
    uint32_t want = crc32c(0, octets, 2100);
    for (size_t bit = 0; bit < 2100 * 8; bit++) {
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(crc32c(0, octets, 2100), want);
        octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values),
        cmocka_unit_test(fast_is_portable),
        cmocka_unit_test(any_cut_is_the_same),
        cmocka_unit_test(any_bit_matters),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
