#include "policy/client_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct client_name c;

static void begin(const char *client)
{
    struct address a;
    assert_true(address_parse(span_str(client), &a));
    client_name_begin(&c, &a);
}

static void reverse_names(void **state)
{
    static const struct {
        const char *address, *name;
    } t[] = {
        {"192.0.2.1", "1.2.0.192.in-addr.arpa"},
        {"255.255.255.255", "255.255.255.255.in-addr.arpa"},
        {"2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"}};
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char memory[80];
        struct buf b = buf_on(memory, sizeof memory);
        begin(t[i].address);
        client_name_reverse(&c.client, &b);
        assert_true(!b.over && span_eq(buf_span(&b), span_str(t[i].name)));
    }
}

static void only_what_points_back_counts(void **state)
{
    struct span names[LIMIT_CLIENT_NAMES];
    (void)state;
    begin("192.0.2.1");
    client_name_found(&c, SPAN("b.example"));
    client_name_found(&c, SPAN("a.example"));
    client_name_found(&c, SPAN("b.example"));
    client_name_found(&c, SPAN("")); /* the root */
    assert_false(client_name_done(&c));
    client_name_answered(&c, 0, true); /* nobody asked yet */
    assert_int_equal(client_name_pointed(&c), 2);
    client_name_found(&c, SPAN("late.example"));
    assert_true(span_eq(client_name_at(&c, 0), SPAN("a.example")));
    client_name_answered(&c, 0, false);
    client_name_answered(&c, 0, true); /* a second answer */
    assert_false(client_name_done(&c));
    client_name_answered(&c, 7, true);
    client_name_answered(&c, 1, true);
    assert_true(client_name_done(&c));
    assert_int_equal(client_name_confirmed(&c, names), 1);
    assert_true(span_eq(names[0], SPAN("b.example")));
}

static void nobody_without_names(void **state)
{
    struct span names[LIMIT_CLIENT_NAMES];
    (void)state;
    begin("2001:db8::1");
    assert_false(client_name_done(&c));
    assert_int_equal(client_name_pointed(&c), 0);
    assert_true(client_name_done(&c));
    assert_int_equal(client_name_confirmed(&c, names), 0);
}

/* In whatever order they come, the same ones are kept. */
static void of_many_the_same_are_kept(void **state)
{
    (void)state;
    for (unsigned step = 1; step < 101; step += 2) {
        if (step == 101 || 101 % step == 0) continue;
        begin("192.0.2.1");
        for (unsigned i = 0; i < 101; i++) {
            char name[300];
            unsigned k = i * step % 101;
            memset(name, 'x', sizeof name);
            snprintf(name, sizeof name, "n%03u.%s", k, k % 2 ? "example" : "a-longer-example.org");
            client_name_found(&c, span_str(name));
        }
        assert_int_equal(client_name_pointed(&c), LIMIT_CLIENT_NAMES);
        assert_true(span_eq(client_name_at(&c, 0), SPAN("n000.a-longer-example.org")));
        assert_true(span_eq(client_name_at(&c, LIMIT_CLIENT_NAMES - 1), SPAN("n003.example")));
    }
    char longest[LIMIT_DOMAIN_OCTETS + 1];
    memset(longest, 'a', sizeof longest);
    begin("192.0.2.1");
    client_name_found(&c, span_of(longest, sizeof longest));
    assert_int_equal(c.n, 0);
    client_name_found(&c, span_of(longest, sizeof longest - 1));
    client_name_found(&c, SPAN("a"));
    assert_int_equal(client_name_pointed(&c), 2);
    assert_true(span_eq(client_name_at(&c, 0), SPAN("a")));
    assert_int_equal(client_name_at(&c, 1).n, LIMIT_DOMAIN_OCTETS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reverse_names),
        cmocka_unit_test(only_what_points_back_counts),
        cmocka_unit_test(nobody_without_names),
        cmocka_unit_test(of_many_the_same_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
