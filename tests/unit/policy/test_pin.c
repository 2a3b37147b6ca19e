#include "policy/pin.h"

#include "../span_check.h"

static const char *const senders[] = {"a@x.example", "b@x.example", "a@x.example"};
static const char *const networks[] = {"192.0.2.0/28", "192.0.2.3", "2001:db8::/64"};

static struct pin pins[3];

static struct address address(const char *text)
{
    struct address a;
    assert_true(address_parse(span_str(text), &a));
    return a;
}

static bool permits(const char *client, const char *sender)
{
    struct address a = address(client);
    return pin_permits(pins, 3, &a, span_str(sender));
}

static void who_may_send(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        pins[i].sender = span_str(senders[i]);
        assert_true(network_parse(span_str(networks[i]), &pins[i].from));
    }
    assert_true(permits("192.0.2.3", "a@x.example") && permits("192.0.2.3", "b@x.example"));
    assert_true(permits("192.0.2.4", "a@x.example") && permits("2001:db8::9", "a@x.example"));
    assert_false(permits("192.0.2.4", "b@x.example")); /* another device's */
    assert_false(permits("192.0.2.16", "a@x.example"));
    assert_false(permits("192.0.2.3", "") || permits("192.0.2.3", "a@x.exampl") ||
                 permits("192.0.2.3", "a@x.example2"));
    struct address in = address("192.0.2.15"), out = address("192.0.2.16");
    assert_true(pin_holds(pins, 3, &in));
    assert_false(pin_holds(pins, 3, &out) || pin_holds(pins, 0, &in) ||
                 pin_permits(pins, 0, &in, SPAN("a@x.example")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_may_send)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
