#include "directory/mailbox_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void locals(void **state)
{
    (void)state;
    static const char *const good[] = {"a",           "bob", "a.b",   "a+b", "o'neil",
                                       "j\xc3\xb6rg", "-x",  "~root", "=",   "A"};
    static const char *const bad[] = {"",
                                      ".",
                                      "..",
                                      ".a",
                                      "a.",
                                      "a..b",
                                      "a/b",
                                      "/",
                                      "../x",
                                      "a\\b",
                                      "a b",
                                      "\"a\"",
                                      "a\n",
                                      "a\x7f",
                                      "\xff",
                                      "\xc0\xaf",
                                      ("\xe2\x80\xae"
                                       "a"),
                                      "a@b",
                                      "a:b",
                                      "a,2",
                                      "a\xc2\x85"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!mailbox_name_local(span_str(good[i]))) fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (mailbox_name_local(span_str(bad[i]))) fail_msg("%s", bad[i]);
    assert_false(mailbox_name_local(span_of("a\0b", 3)));
    char huge[65];
    memset(huge, 'a', sizeof huge);
    assert_true(mailbox_name_local(span_of(huge, 64)));
    assert_false(mailbox_name_local(span_of(huge, 65)));
}

static void domains(void **state)
{
    (void)state;
    static const char *const good[] = {"localhost", "example.org", "a-b.c",
                                       ("b\xc3\xbc"
                                        "cher.example")};
    static const char *const bad[] = {"",    ".",           "..",  ".example.org", "example.org.", "a..b",
                                      "a/b", "[192.0.2.1]", "a_b", "a b",          "a\r"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (!mailbox_name_domain(span_str(good[i]))) fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (mailbox_name_domain(span_str(bad[i]))) fail_msg("%s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(locals), cmocka_unit_test(domains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
