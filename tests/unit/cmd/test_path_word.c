#include "cmd/path_word.h"

#include "../span_check.h"

static void addresses(void **state)
{
    static const struct {
        const char *word;
        unsigned flags;
        bool good;
    } rows[] = {
        {"a@b.example", 0, true},
        {"<a@b.example>", 0, true},
        {"\xc3\xbc@b.example", 0, true},
        {"<>", PATH_ALLOW_NULL, true},
        {"", PATH_ALLOW_NULL, true},
        {"<>", 0, false},
        {"postmaster", PATH_ALLOW_POSTMASTER, true},
        {"postmaster", 0, false},
        {"a", 0, false},
        {"a@b.example ", 0, false},
        {"a@b.example> x", 0, false},
        {"<a@b.example> x", 0, false},
        {"<a@b.example", 0, false},
        {"a@b\r\nRSET", 0, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char memory[PATH_WORD_OCTETS];
        struct path p;
        if (path_word(rows[i].word, rows[i].flags, memory, &p) != rows[i].good) fail_msg("row %zu", i);
    }
}

static void too_long(void **state)
{
    static char word[2 * PATH_WORD_OCTETS];
    char memory[PATH_WORD_OCTETS];
    struct path p;

    (void)state;
    memset(word, 'a', sizeof word - 1);
    assert_false(path_word(word, 0, memory, &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(too_long)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
