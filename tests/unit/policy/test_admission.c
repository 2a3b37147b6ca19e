#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/admission.h"

struct list {
    struct admission_rule rules[8];
    struct admission a;
};

/* "+10.0.0.0/8 -10.5.0.0/16": allowed, denied */
static bool list(struct list *l, const char *text, struct network *both)
{
    struct span rest = span_str(text);
    *l = (struct list){.a.n = 0};
    while (rest.n) {
        size_t end = span_find(rest, ' ');
        struct span word = span_head(rest, end);
        rest = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1);
        l->rules[l->a.n].allow = word.p[0] == '+';
        assert_true(network_parse(span_skip(word, 1), &l->rules[l->a.n++].network));
    }
    l->a.rules = l->rules;
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
            struct network both;
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
    struct network both;
    (void)state;
    assert_false(list(&l, "-192.0.2.0/24 +10.0.0.1 +192.0.2.0/24", &both));
    assert_int_equal(both.bits, 120);
    assert_true(list(&l, "-192.0.2.0/24 +192.0.2.0/25", &both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides),
        cmocka_unit_test(says_one_thing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
