#include "cmd/command.h"

#include "../span_check.h"

static const struct command row = {"try", "", "a test", "", NULL};

struct asked {
    const char *name, *flag, *other;
    int words;
    bool good;
};

static struct asked ask(int argc, char **argv)
{
    struct asked a = {.words = -1};
    const struct command_option options[] = {
        {"--name", &a.name, false, true},
        {"--flag", &a.flag, true, false},
        {"--other", &a.other, false, false},
    };
    struct command_call v = {.argc = argc, .argv = argv, .command = &row};

    a.good = command_options(&v, options, 3, &a.words);
    return a;
}
#define ASK(...) ask((int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[]){__VA_ARGS__, NULL})

static char try_[] = "try", name_x[] = "--name=x", name[] = "--name", x[] = "x", flag[] = "--flag",
            flag_1[] = "--flag=1", dashes[] = "--", names[] = "--names", empty[] = "--name=", dash[] = "-",
            short_option[] = "-v";

static void values(void **state)
{
    (void)state;
    struct asked a = ASK(try_, name_x, flag);
    assert_true(a.good);
    assert_string_equal(a.name, "x");
    assert_non_null(a.flag);
    assert_null(a.other);
    assert_int_equal(a.words, 0);
    a = ASK(try_, name, x);
    assert_true(a.good);
    assert_string_equal(a.name, "x");
    a = ASK(try_, empty);
    assert_true(a.good);
    assert_string_equal(a.name, "");
    a = ASK(try_, name, flag); /* a value is what comes next, whatever it looks like */
    assert_true(a.good);
    assert_string_equal(a.name, "--flag");
    assert_null(a.flag);
}

static void words(void **state)
{
    char *argv[] = {try_, x, name_x, dash, dashes, flag, NULL};
    (void)state;
    struct asked a = ask(6, argv);
    assert_true(a.good);
    assert_int_equal(a.words, 3);
    assert_string_equal(argv[1], "x");
    assert_string_equal(argv[2], "-");
    assert_string_equal(argv[3], "--flag");
    assert_null(a.flag);
}

static void wrong_usage(void **state)
{
    (void)state;
    assert_false(ASK(try_).good);                 /* --name is needed */
    assert_false(ASK(try_, name).good);           /* without its value */
    assert_false(ASK(try_, name_x, names).good);  /* a prefix is another word */
    assert_false(ASK(try_, name_x, flag_1).good); /* a flag takes no value */
    assert_false(ASK(try_, name_x, short_option).good);
    assert_false(ASK(try_, name_x, name, x).good); /* which of the two? */
    assert_true(ASK(try_, name_x, flag, flag).good);
}

static void every_row_can_be_found_and_explained(void **state)
{
    (void)state;
    for (const struct command *r = command_table; r->name; r++) {
        assert_ptr_equal(command_find(r->name), r);
        assert_true(r->run && r->summary[0] && r->arguments && r->help);
    }
    assert_null(command_find("nothing"));
    assert_int_equal(command_unknown("nothing"), EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(words),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(every_row_can_be_found_and_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
