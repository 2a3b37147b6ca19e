#include "cmd/password.h"

#include "../span_check.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool read_from(const char *octets, size_t n, char text[LIMIT_PASSWORD_OCTETS + 1], const char **why)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], octets, n), n);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(close(ends[0]), 0);
    return password_read(text, why);
}
#define READ(octets) read_from(octets, sizeof(octets) - 1, text, &why)

static void lines(void **state)
{
    char text[LIMIT_PASSWORD_OCTETS + 1], behind[8];
    const char *why;
    (void)state;

    assert_true(READ("correct horse\nnext"));
    assert_string_equal(text, "correct horse");
    assert_int_equal(read(STDIN_FILENO, behind, sizeof behind), 4); /* what follows is left for others */
    assert_true(READ("no line end"));
    assert_string_equal(text, "no line end");
    assert_true(READ("windows\r\n"));
    assert_string_equal(text, "windows");
    assert_true(READ("\xc3\xbc\n"));
    assert_string_equal(text, "\xc3\xbc");
}

static void refused(void **state)
{
    char text[LIMIT_PASSWORD_OCTETS + 1], big[LIMIT_PASSWORD_OCTETS + 2];
    const char *why;
    (void)state;

    assert_false(READ(""));
    assert_false(READ("\n"));
    assert_false(READ("a\tb\n"));
    assert_false(READ("a\0b\n"));
    memset(big, 'a', sizeof big);
    assert_true(read_from(big, LIMIT_PASSWORD_OCTETS, text, &why));
    assert_false(read_from(big, LIMIT_PASSWORD_OCTETS + 1, text, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
