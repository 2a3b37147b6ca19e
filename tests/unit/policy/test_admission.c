#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/admission.h"

struct list {
    struct admission_rule rules[8];
    struct admission_name names[8];
    struct admission a;
};

/* "+10.0.0.0/8 -10.5.0.0/16": allowed, denied */
static bool list(struct list *l, const char *text, struct admission_clash *both)
{
    struct span rest = span_str(text);
    *l = (struct list){.a.n = 0};
    while (rest.n) {
        size_t end = span_find(rest, ' ');
        struct span word = span_head(rest, end);
        rest = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1);
        struct admission_rule rule = {.allow = word.p[0] == '+'};
        struct span what = span_skip(word, 1);
        if (network_parse(what, &rule.network)) {
            l->rules[l->a.n++] = rule;
            continue;
        }
        bool below = what.p[0] == '*';
        l->names[l->a.n_names++] = (struct admission_name){span_skip(what, below ? 2 : 0), below, rule.allow};
    }
    l->a.rules = l->rules;
    l->a.names = l->names;
    return admission_finish(&l->a, both);
}

static void decides(void **state)
{
    static const struct {
        const char *list, *in, *out; /* clients */
    } t[] = {
        {"", "192.0.2.1 2001:db8::1", ""},
        {"+192.0.2.0/24", "192.0.2.1 192.0.2.255", "192.0.3.1 2001:db8::1"}, /* only the list below */
        {"-192.0.2.0/24", "192.0.3.1 2001:db8::1", "192.0.2.1 192.0.2.255"}, /* all except */
        {"-192.0.2.0/24 +192.0.2.7", "192.0.2.7 198.51.100.1",
         "192.0.2.8"}, /* an exception from a denied one */
        {"+192.0.2.7 -192.0.2.0/24", "192.0.2.7 198.51.100.1", "192.0.2.8"}, /* in any order */
        {"+10.0.0.0/8 -10.5.0.0/16", "10.1.2.3", "10.5.0.1 192.0.2.1"},      /* and from an allowed one */
        {"+10.0.0.0/8 -10.5.0.0/16 +10.5.5.5", "10.5.5.5", "10.5.5.6 192.0.2.1"},
        {"+10.0.0.0/8 -192.0.2.0/24 +192.0.2.7", "10.0.0.1 192.0.2.7", "192.0.2.1 198.51.100.1"},
        {"-0.0.0.0/0", "2001:db8::1", "192.0.2.1"}, /* one family is not the other */
        {"-::/0", "192.0.2.1", "2001:db8::1 ::1"},
        {"+2001:db8::/32", "2001:db8:1::1", "2001:db9::1 192.0.2.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (unsigned out = 0; out < 2; out++) {
            struct list l;
            struct admission_clash both;
            assert_true(list(&l, t[i].list, &both));
            struct span rest = span_str(out ? t[i].out : t[i].in);
            while (rest.n) {
                size_t end = span_find(rest, ' ');
                struct address client;
                const struct admission_rule *rule;
                assert_true(address_parse(span_head(rest, end), &client));
                assert_int_equal(admission_permits(&l.a, &client, &rule), !out);
                assert_true(!rule || rule->allow == !out);
                rest = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1);
            }
        }
}

static void says_one_thing(void **state)
{
    struct list l;
    struct admission_clash both;
    (void)state;
    assert_false(list(&l, "-192.0.2.0/24 +10.0.0.1 +192.0.2.0/24", &both));
    assert_int_equal(both.network->network.bits, 120);
    assert_true(list(&l, "-192.0.2.0/24 +192.0.2.0/25", &both));
    assert_false(list(&l, "+*.example.org -*.Example.org", &both));
    assert_true(!both.network && both.name == &l.names[0]);
    assert_true(list(&l, "+*.example.org -example.org -*.a.example.org", &both));
}

static void a_name_decides_where_no_network_does(void **state)
{
    static const struct {
        const char *list, *in, *out; /* names; "-": it has none; "a,b": it has two */
    } t[] = {
        {"-*.dyn.example.net", "mail.example.org - dyn.example.net xdyn.example.net",
         "a.dyn.example.net A.B.DYN.example.NET"},
        {"+mail.example.org", "mail.example.org", "- x.mail.example.org mail.example.org.evil.example"},
        {"+*.example.org", "mail.example.org a.b.example.org", "- example.org badexample.org"},
        {"+*.example.org -guest.example.org", "mail.example.org", "guest.example.org - other.example"},
        {"-*.example.net +mail.example.net", "mail.example.net - other.example",
         "x.example.net example.net.x.example.net"},
        {"-*.example.net +*.ok.example.net", "a.ok.example.net -", "ok.example.net b.example.net"},
        {"+192.0.2.0/24", "", "- mail.example.org"},
        {"+192.0.2.0/24 -*.dyn.example.net", "- mail.example.org", "a.dyn.example.net"}, /* all except */
        {"-*.dyn.example.net +mail.example.org", "mail.example.org,a.dyn.example.net",
         "a.dyn.example.net,x.example.org"}, /* two names: the longest rule */
        {"+mail.example.org -info.example.net", "mail.example.org,x.example",
         "info.example.net,mail.example.org"}, /* as long: it is denied */
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        for (unsigned out = 0; out < 2; out++) {
            struct list l;
            struct admission_clash both;
            assert_true(list(&l, t[i].list, &both));
            struct span rest = span_str(out ? t[i].out : t[i].in);
            while (rest.n) {
                size_t end = span_find(rest, ' ');
                struct span word = span_head(rest, end), names[2];
                size_t comma = span_find(word, ',');
                names[0] = span_head(word, comma);
                names[1] = comma == SPAN_NPOS ? span_of(NULL, 0) : span_skip(word, comma + 1);
                unsigned n = span_eq(word, SPAN("-")) ? 0 : comma == SPAN_NPOS ? 1 : 2;
                const struct admission_name *rule;
                assert_int_equal(admission_permits_names(&l.a, names, n, &rule), !out);
                assert_true(!rule || rule->allow == !out);
                rest = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1);
            }
        }
}

static void names_are_asked_for_where_they_count(void **state)
{
    struct list l;
    struct admission_clash both;
    const struct admission_rule *rule;
    struct address inside, outside;
    (void)state;
    assert_true(address_parse(SPAN("192.0.2.1"), &inside) && address_parse(SPAN("192.0.3.1"), &outside));
    assert_true(list(&l, "-192.0.2.0/24", &both));
    (void)admission_permits(&l.a, &outside, &rule);
    assert_false(admission_asks(&l.a, rule));
    assert_true(list(&l, "-192.0.2.0/24 +mail.example.org", &both));
    assert_false(admission_permits(&l.a, &inside, &rule)); /* an address is the stronger of the two */
    assert_false(admission_asks(&l.a, rule));
    (void)admission_permits(&l.a, &outside, &rule);
    assert_true(admission_asks(&l.a, rule));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides),
        cmocka_unit_test(says_one_thing),
        cmocka_unit_test(a_name_decides_where_no_network_does),
        cmocka_unit_test(names_are_asked_for_where_they_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
