#include "sasl/upper_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void known(void **state)
{
    (void)state;
    static const uint16_t pairs[][2] = {
        {'a', 'A'},       {'z', 'Z'},       {'A', 'A'},       {'1', '1'},       {'`', '`'},
        {'{', '{'},       {0xE4, 0xC4},     {0xF7, 0xF7},     {0xFE, 0xDE},     {0xFF, 0x178},
        {0xDF, 0xDF},     {0x101, 0x100},   {0x100, 0x100},   {0x102, 0x102},   {0x17E, 0x17D},
        {0x15B, 0x15A},   {0x3C2, 0x3A3},   {0x3C3, 0x3A3},   {0x3CC, 0x38C},   {0x430, 0x410},
        {0x44F, 0x42F},   {0x451, 0x401},   {0x561, 0x531},   {0x1E01, 0x1E00}, {0x2170, 0x2160},
        {0xFF41, 0xFF21}, {0x4E00, 0x4E00}, {0xFFFF, 0xFFFF}, {0, 0},           {0xB5, 0xB5}, /* not U+039C */
        {0x131, 0x131}, /* not I: that would make two names one */
        {0x17F, 0x17F}, /* not S */
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_int_equal(upper_case(pairs[i][0]), pairs[i][1]);
}

static void all(void **state)
{
    (void)state;
    unsigned changed = 0;
    for (uint32_t c = 0; c < 0x10000; c++) {
        uint16_t upper = upper_case((uint16_t)c);
        assert_int_equal(upper_case(upper), upper);
        if (c >= 0xD800 && c <= 0xDFFF) assert_int_equal(upper, c);
        changed += upper != c;
    }
    assert_int_equal(changed, 676);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known), cmocka_unit_test(all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
