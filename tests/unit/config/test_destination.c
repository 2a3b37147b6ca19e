/* What is permitted towards whom: which block a next hop belongs to, what a block takes from others, whose TLS policy counts. */
#include "config_check.h"

static const struct config *good(struct parsed *p, const char *text)
{
    parse(p, text);
    assert_string_equal(p->problems, "");
    assert_non_null(p->config);
    return p->config;
}

static const struct config_destination *of(const struct config *c, enum next_hop_kind kind, const char *name)
{
    const struct next_hop hop = {.kind = (uint8_t)kind, .name = span_str(name)};

    return config_destination_of(c, &hop);
}

static void nothing_said(void **state)
{
    struct parsed p;
    const struct config *c = good(&p, "");
    const struct config_destination *d = of(c, NEXT_HOP_MX, "a.example");

    (void)state;
    assert_span(d->name, "*");
    assert_int_equal(d->sessions_first, 5);
    assert_int_equal(d->sessions_max, 20);
    assert_int_equal(d->recipients, 100);
    assert_false(d->messages.limited || d->connections.limited || d->tls_given);
    assert_null(config_mx_group_of(c, SPAN("mx.example")));
    assert_int_equal(c->relays, 1);
    assert_int_equal(c->delay_warning_seconds, 14400);
    assert_false(c->delay_warning_never);
    parsed_free(&p);
}

static void the_nearest_block(void **state)
{
    static const struct {
        enum next_hop_kind kind;
        const char *hop, *destination;
    } rows[] = {
        {NEXT_HOP_MX, "a.example", "a.example"},
        {NEXT_HOP_MX, "x.a.example", ".a.example"},
        {NEXT_HOP_MX, "b.example", "a.example"},
        {NEXT_HOP_MX, "c.example", "*"},
        {NEXT_HOP_MX, "[192.0.2.1]", "*"},
        {NEXT_HOP_HOST, "h:587", "h:587"},
        {NEXT_HOP_HOST, "h:25 h:587", "h"},
        {NEXT_HOP_HOST, "y.a.example:25", ".a.example"},
        {NEXT_HOP_HOST, "192.0.2.1:25", "192.0.2.1"},
        {NEXT_HOP_HOST, "[2001:db8::1]:25", "2001:db8::1"},
        {NEXT_HOP_HOST, "[2001:db8::1]:26", "[2001:db8::1]:26"},
        {NEXT_HOP_HOST, "i:25", "*"},
        {NEXT_HOP_UNIX, "/run/L", "unix:/run/L"},
        {NEXT_HOP_UNIX, "/run/l", "*"},
    };
    struct parsed p;
    const struct config *c =
        good(&p, "destination h { sessions 3 }\ndestination * { sessions 7 }\ndestination H:587 { }\n"
                 "destination a.example b.example { }\ndestination *.a.example { }\n"
                 "destination 192.0.2.1 { }\ndestination 2001:DB8:0::1 { }\n"
                 "destination [2001:db8::1]:26 { }\ndestination unix:/run/L { }\n"
                 "relay q via lmtp unix:/run/L\nrelay r via smarthost h:587\n"
                 "relay s via smarthost [2001:db8::1]:26\nrelay t via smarthost [2001:db8::1]:25\n");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_span(of(c, rows[i].kind, rows[i].hop)->name, rows[i].destination);
    parsed_free(&p);
}

static void what_is_not_said(void **state)
{
    struct parsed p;
    const struct config *c =
        good(&p, "destination a.example { messages 10 per 2m }\n"
                 "mx-group big .big.example mx.other.example { connections 3 per 1h }\n"
                 "destination * { sessions 2 9 recipients 50 connections 100 per 1d tls encrypt }\n"
                 "destination b.example { sessions 4 recipients 1 connections 7 per 1s }\n"
                 "relays 3\nqueue { delay-warning 2h }\n");
    const struct config_destination *a = of(c, NEXT_HOP_MX, "a.example"),
                                    *b = of(c, NEXT_HOP_MX, "b.example"),
                                    *group = config_mx_group_of(c, SPAN("MX1.Big.example"));

    (void)state;
    assert_int_equal(a->sessions_first, 2);
    assert_int_equal(a->sessions_max, 9);
    assert_int_equal(a->recipients, 50);
    assert_true(a->messages.limited && a->connections.limited);
    assert_int_equal(a->messages.count, 10);
    assert_int_equal(a->messages.seconds, 120);
    assert_int_equal(a->connections.count, 100);
    assert_int_equal(a->connections.seconds, 86400);
    assert_int_equal(b->sessions_first, 4);
    assert_int_equal(b->sessions_max, 4);
    assert_int_equal(b->recipients, 1);
    assert_false(b->messages.limited);
    assert_int_equal(b->connections.count, 7);
    assert_ptr_equal(of(c, NEXT_HOP_MX, "c.example"), &c->destination_default);
    assert_int_equal(c->destination_default.sessions_max, 9);
    assert_non_null(group);
    assert_span(group->name, "big");
    assert_true(group->group);
    assert_int_equal(group->sessions_max, 20); /* a group is no destination */
    assert_int_equal(group->connections.count, 3);
    assert_ptr_equal(config_mx_group_of(c, SPAN("mx.other.example")), group);
    assert_null(config_mx_group_of(c, SPAN("big.example")));
    assert_null(config_mx_group_of(c, SPAN("")));
    assert_null(config_mx_group_of(c, SPAN("*")));
    assert_int_equal(c->relays, 3);
    assert_int_equal(c->delay_warning_seconds, 7200);
    parsed_free(&p);
}

static void check_tls(const struct config *c, const char *to, bool local, const char *policy)
{
    struct config_way way;

    assert_int_equal(config_next_hop(c, SPAN(""), span_str(to), local, &way), WAY_NEXT_HOP);
    assert_span(span_str(tls_policy_name(way.hop.tls)), policy);
    assert_true(next_hop_valid(&way.hop));
}

/* A destination that names the next hop, the route, destination *, the default. */
static void whose_policy(void **state)
{
    static const char destinations[] = "destination a.example .h.example { tls verify }\n"
                                       "destination * { tls encrypt }\n"
                                       "destination b.example { }\n";
    char text[2000];
    struct parsed p;
    const struct config *c = good(&p, destinations);

    (void)state;
    check_tls(c, "u@a.example", false, "verify");
    check_tls(c, "u@b.example", false, "encrypt");
    check_tls(c, "u@c.example", false, "encrypt");
    parsed_free(&p);
    snprintf(text, sizeof text,
             "%srelay a.example b.example d.example via mx tls may\nrelay e.example via smarthost h:25\n"
             "relay f.example via smarthost h:25 user-file /x\nrelay g.example via smarthost x.h.example:25\n"
             "relay h.example via smarthost h:25 tls none\nrecipients i.example j.example\n"
             "deliver i.example to lmtp 192.0.2.1:24\ndeliver j.example to lmtp unix:/run/l\n",
             destinations);
    c = good(&p, text);
    check_tls(c, "u@a.example", false, "verify");
    check_tls(c, "u@b.example", false, "may");
    check_tls(c, "u@d.example", false, "may");
    check_tls(c, "u@e.example", false, "encrypt");
    check_tls(c, "u@f.example", false, "verify");
    check_tls(c, "u@g.example", false, "verify");
    check_tls(c, "u@h.example", false, "none");
    check_tls(c, "u@i.example", true, "encrypt");
    check_tls(c, "u@j.example", true, "none");
    parsed_free(&p);
}

static void never(void **state)
{
    struct parsed p;
    const struct config *c = good(&p, "queue { delay-warning never }");

    (void)state;
    assert_true(c->delay_warning_never);
    parsed_free(&p);
}

/* As many lines as there may be are looked up in no time, by whomever: this ends, and finds. */
static void many_routes(void **state)
{
    static char text[4000000];
    struct buf b = buf_on(text, sizeof text - 1);
    struct config_way way;
    struct parsed p;

    (void)state;
    for (unsigned i = 0; i < 50000; i++) {
        buf_str(&b, i % 2 ? "relay .d" : "relay d");
        buf_u64(&b, (uint64_t)i * 7919 % 50000);
        buf_str(&b, ".e via smarthost h");
        buf_u64(&b, i % 2);
        buf_str(&b, ":25\n");
    }
    assert_false(b.over);
    text[b.n] = 0;
    good(&p, text);
    for (unsigned i = 0; i < 200000; i++) {
        char to[40];
        unsigned n = i % 50000; /* 7919 is odd: even lines name even numbers */
        snprintf(to, sizeof to, n % 2 ? "u@x.y.d%u.e" : "u@d%u.e", n);
        assert_int_equal(config_next_hop(p.config, SPAN("a@b"), span_str(to), false, &way), WAY_NEXT_HOP);
        assert_span(way.hop.name, n % 2 ? "h1:25" : "h0:25");
    }
    parsed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said),
        cmocka_unit_test(the_nearest_block),
        cmocka_unit_test(what_is_not_said),
        cmocka_unit_test(whose_policy),
        cmocka_unit_test(never),
        cmocka_unit_test(many_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
