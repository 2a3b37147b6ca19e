#include "mail/mailbox_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

/* The addresses of a value with blanks between them, "!" at the end when it is broken. */
static void expect(const char *value, const char *addresses)
{
    char memory[512];
    struct buf b = buf_on((uint8_t *)memory, sizeof memory - 1);
    struct span rest = span_str(value), address;
    enum mailbox_list_answer a;
    while ((a = mailbox_list_next(&rest, &address)) == MAILBOX_LIST_ADDRESS) {
        if (b.n) buf_byte(&b, ' ');
        buf_put(&b, address);
    }
    if (a == MAILBOX_LIST_BROKEN) buf_byte(&b, '!');
    memory[b.n] = '\0';
    if (strcmp(memory, addresses) != 0) print_message("value: %s\n", value);
    assert_string_equal(memory, addresses);
}

static void understood(void **state)
{
    (void)state;
    expect("", "");
    expect("a@b.example", "a@b.example");
    expect(" <a@b.example>\r\n", "a@b.example");
    expect("Alice <a@b.example>", "a@b.example");
    expect("Alice Q. Public <a@b.example>", "a@b.example");
    expect("\"Public, Alice <x@y>\" <a@b.example>", "a@b.example");
    expect("\"a \\\" <x@y>\" <a@b.example>", "a@b.example");
    expect("=?utf-8?q?J=C3=BCrgen?= <a@b.example>", "a@b.example");
    expect("J\xc3\xbcrgen <j\xc3\xbcrgen@b\xc3\xbc.example>", "j\xc3\xbcrgen@b\xc3\xbc.example");
    expect("a@b.example (Alice <x@y>)", "a@b.example");
    expect("(one (two) \\) three) a@b.example", "a@b.example");
    expect("Alice\r\n <a@b.example>", "a@b.example");
    expect("\"a b\"@c.example", "\"a b\"@c.example");
    expect("\"a@b\" <\"x>y\"@c.example>", "\"x>y\"@c.example");
    expect("< a@b.example >", "a@b.example");
    expect("a@b.example, Bob <b@b.example>,, c@b.example", "a@b.example b@b.example c@b.example");
    expect("Undisclosed:;", "");
    expect("Team: a@b.example, Bob <b@b.example>; c@b.example", "a@b.example b@b.example c@b.example");
}

/* What a reader may take for another address than we do is not taken at all (CVE-2024-49040 and its kin). */
static void broken(void **state)
{
    static const char *const t[] = {
        "Alice",
        "a\x01@b.example",
        "\x1b a@b.example",
        "a@b\x7f.example",
        "<>",
        "a@b@c",
        "a@",
        "@b.example",
        "<a@b",
        "a@b> ",
        "<@x.example:a@b.example>",
        "\"a@b.example",
        "(a@b",
        "a @b.example",
        "a@ b.example",
        "a(x)@b.example",
        "<a@b><c@d>",
        "<a@b> c@d",
        "c@d <a@b>",
        "x@y:a@b;",
        ": a@b.example",
        "<<a@b>>",
        "a@b.example Alice",
        "\"a\"b@c.example",
        "<a@b,c@d>",
        "a;b <x",
        "(((((((((((((((((x)))))))))))))))))a@b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct span rest = span_str(t[i]), address;
        enum mailbox_list_answer a;
        while ((a = mailbox_list_next(&rest, &address)) == MAILBOX_LIST_ADDRESS) {
        }
        if (a != MAILBOX_LIST_BROKEN) print_message("taken: %s\n", t[i]);
        assert_int_equal(a, MAILBOX_LIST_BROKEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(understood), cmocka_unit_test(broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
