/* Where mail goes: which line decides, and what the next hop is then. */
#include "config_check.h"

static const char *const kinds[] = {"mailbox", "hop", "hold", "discard", "none"};

struct row {
    const char *from, *to;
    bool local;
    const char *way; /* "KIND RULE PATTERN [NEXT HOP tls POLICY]" */
};

static void put_way(struct buf *b, const struct config_way *w)
{
    buf_str(b, kinds[w->kind]);
    buf_byte(b, ' ');
    buf_str(b, w->rule);
    buf_byte(b, ' ');
    buf_put(b, w->place ? w->pattern : SPAN("-"));
    if (w->kind != WAY_NEXT_HOP) return;
    buf_byte(b, ' ');
    next_hop_put_text(b, &w->hop);
    buf_str(b, w->hop.implicit_tls ? " tls implicit " : " tls ");
    buf_str(b, tls_policy_name(w->hop.tls));
    if (w->hop.user.n) buf_str(b, " as ");
    buf_put(b, w->hop.user);
    assert_true(next_hop_valid(&w->hop));
}

static void check_rows(const char *text, const struct row *rows, size_t n)
{
    struct parsed p;

    parse(&p, text);
    if (!p.config) print_message("%s", p.problems);
    assert_non_null(p.config);
    for (size_t i = 0; i < n; i++) {
        char memory[2000];
        struct buf b = buf_on(memory, sizeof memory - 1);
        struct config_way way;
        enum config_way_kind kind =
            config_next_hop(p.config, span_str(rows[i].from), span_str(rows[i].to), rows[i].local, &way);
        assert_int_equal(kind, way.kind);
        put_way(&b, &way);
        memory[b.n] = 0;
        if (strcmp(memory, rows[i].way) != 0) print_message("from %s to %s\n", rows[i].from, rows[i].to);
        assert_string_equal(memory, rows[i].way);
    }
    parsed_free(&p);
}
#define CHECK(text, ...)                                                                                     \
    check_rows(text, (const struct row[]){__VA_ARGS__},                                                      \
               sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row))

static void nothing_said(void **state)
{
    (void)state;
    CHECK("", {"a@b.example", "u@Example.ORG", false, "hop default - mx example.org tls dane"},
          {"", "u@[192.0.2.1]", false, "hop default - mx [192.0.2.1] tls dane"},
          {"", "u@[IPv6:2001:db8::1]", false, "hop default - mx [ipv6:2001:db8::1] tls dane"},
          {"", "u@[300.0.2.1]", false, "none none -"}, {"", "u@a..b", false, "none none -"},
          {"", "postmaster", true, "none none -"}, {"", "", false, "none none -"},
          {"", "u@example.org", true, "none none -"},
          {"", "example.org", false, "hop default - mx example.org tls dane"});
}

static void the_nearest_line(void **state)
{
    (void)state;
    CHECK("relay * via smarthost all.example:25\n"
          "relay a.example via mx\n"
          "relay .a.example via smarthost below:25\n"
          "relay *.c.a.example b.example via smarthost Far.example:587 [2001:DB8:0::1]:25\n"
          "relay \"Boss@A.example\" via smarthost boss.example:25\n",
          {"", "u@A.example", false, "hop relay a.example mx a.example tls dane"},
          {"", "bOSS@a.Example", false, "hop relay boss@a.example smtp boss.example:25 tls may"},
          {"", "u@b.a.example", false, "hop relay .a.example smtp below:25 tls may"},
          {"", "u@d.e.a.example", false, "hop relay .a.example smtp below:25 tls may"},
          {"", "u@c.a.example", false, "hop relay .a.example smtp below:25 tls may"},
          {"", "u@x.c.a.example", false,
           "hop relay .c.a.example smtp far.example:587 [2001:db8::1]:25 tls may"},
          {"", "u@b.example", false, "hop relay b.example smtp far.example:587 [2001:db8::1]:25 tls may"},
          {"", "u@xa.example", false, "hop relay * smtp all.example:25 tls may"},
          {"", "u@example", false, "hop relay * smtp all.example:25 tls may"},
          {"", "u@[192.0.2.1]", false, "hop relay * smtp all.example:25 tls may"});
}

#define U_LABEL "b\u00fccher.example"
#define A_LABEL "xn--bcher-kva.example"

/* RFC 5890 2.3.2.4: whichever form stands in the line, and whichever in the address */
static void both_forms_of_a_domain(void **state)
{
    (void)state;
    static const char *const forms[] = {U_LABEL, "B\u00dcCHER.Example", A_LABEL, "XN--BCHER-kva.example"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char text[2000];
        snprintf(
            text, sizeof text,
            "recipients %1$s\ndeliver %1$s to maildir m\nrelay .%1$s via smarthost %1$s:25\n"
            "relay boss@sub.%1$s via smarthost boss:25\nhold h.%1$s\ndiscard d.%1$s accept-and-lose-mail\n"
            "relay from s.%1$s via smarthost from:25\ndestination mx.%1$s { tls encrypt }",
            forms[i]);
        CHECK(text, {"", "u@" U_LABEL, true, "mailbox deliver " A_LABEL},
              {"", "u@" A_LABEL, true, "mailbox deliver " A_LABEL},
              {"", "u@x." U_LABEL, false, "hop relay ." A_LABEL " smtp " A_LABEL ":25 tls may"},
              {"", "Boss@sub." U_LABEL, false, "hop relay boss@sub." A_LABEL " smtp boss:25 tls may"},
              {"", "u@h." U_LABEL, false, "hold hold h." A_LABEL},
              {"", "u@d.XN--bcher-kva.example", false, "discard discard d." A_LABEL},
              {"x@s." U_LABEL, "u@far.example", false, "hop relay from s." A_LABEL " smtp from:25 tls may"},
              {"x@s." A_LABEL, "u@far.example", false, "hop relay from s." A_LABEL " smtp from:25 tls may"},
              {"", "u@far.b\u00fccher.example", false, "hop relay ." A_LABEL " smtp " A_LABEL ":25 tls may"});
        CHECK("", {"", "u@B\u00fccher.example", false, "hop default - mx " A_LABEL " tls dane"},
              {"", "u@ab--\u00fc.example", false, "none none -"});
        struct parsed p;
        parse(&p, text);
        assert_true(config_domain_served(&p.config->servers[0], span_str(U_LABEL)));
        assert_true(config_domain_served(&p.config->servers[0], span_str("xn--BCHER-kva.example")));
        const struct next_hop mx = {.kind = NEXT_HOP_MX, .name = SPAN("mx." A_LABEL)};
        assert_true(config_destination_of(p.config, &mx)->tls_given);
        parsed_free(&p);
    }
}

static void of_two_the_later(void **state)
{
    (void)state;
    CHECK("recipients a.example b.example c.example\n"
          "relay a.example via mx\nrelay a.example via smarthost 127.0.0.1:2526\n"
          "deliver a.example to maildir m\n"
          "deliver b.example to maildir m\nrelay b.example via smarthost 127.0.0.1:2526\n"
          "deliver * to maildir n\nrelay * via smarthost h:25\nrelay .example via mx\n"
          "relay x@a.example via smarthost x:25\nrelay .d.example via smarthost d:25\n"
          "deliver e.d.example to maildir m",
          {"", "u@a.example", true, "mailbox deliver a.example"},
          {"", "u@a.example", false, "hop relay a.example smtp 127.0.0.1:2526 tls may"},
          {"", "x@a.example", true, "hop relay x@a.example smtp x:25 tls may"},
          {"", "u@b.example", true, "hop relay b.example smtp 127.0.0.1:2526 tls may"},
          {"", "u@c.example", true, "hop relay .example mx c.example tls dane"},
          {"", "u@e.d.example", true, "mailbox deliver e.d.example"},
          {"", "u@f.example.org", true, "mailbox deliver *"},
          {"", "u@f.example.org", false, "hop relay * smtp h:25 tls may"});
    CHECK("relay * via smarthost h:25\n", {"", "u@a.example", true, "hop relay * smtp h:25 tls may"});
}

static void by_sender(void **state)
{
    (void)state;
    CHECK("relay from a.example via smarthost a:25\n"
          "relay from .a.example u@a.example via smarthost b:25\n"
          "relay from <> via smarthost null:25\n"
          "relay near.example via mx\n"
          "relay * via smarthost all:25\n",
          {"x@A.example", "u@far.example", false, "hop relay from a.example smtp a:25 tls may"},
          {"U@A.example", "u@far.example", false, "hop relay from u@a.example smtp b:25 tls may"},
          {"x@b.a.example", "u@far.example", false, "hop relay from .a.example smtp b:25 tls may"},
          {"", "u@far.example", false, "hop relay from <> smtp null:25 tls may"},
          {"x@a.example", "u@near.example", false, "hop relay near.example mx near.example tls dane"},
          {"x@c.example", "u@far.example", false, "hop relay * smtp all:25 tls may"},
          {"x@a.example", "u@far.example", true, "hop relay * smtp all:25 tls may"});
}

static void held_and_discarded(void **state)
{
    (void)state;
    CHECK("hold a.example .b.example u@c.example\n"
          "discard a.example x@c.example d.example accept-and-lose-mail\n"
          "deliver * to maildir m\n",
          {"", "u@a.example", true, "hold hold a.example"},
          {"", "u@x.b.example", false, "hold hold .b.example"},
          {"", "u@b.example", true, "mailbox deliver *"}, {"", "U@C.example", false, "hold hold u@c.example"},
          {"", "x@c.example", true, "discard discard x@c.example"},
          {"", "v@c.example", true, "mailbox deliver *"},
          {"", "u@d.example", false, "discard discard d.example"});
    CHECK("hold *\ndiscard a.example accept-and-lose-mail\n", {"", "u@a.example", true, "hold hold *"},
          {"", "postmaster", true, "hold hold *"});
}

static void policies(void **state)
{
    (void)state;
    CHECK("relay a via smarthost h:25 tls verify\n"
          "relay b via smarthost h:465\n"
          "relay c via smarthost h:587 user-file secret\n"
          "relay d via smarthost h:1000 tls implicit encrypt user-file /s\n"
          "relay e via smarthost h:587 user-file /s tls none\n"
          "relay f via lmtp unix:/Run/l\n"
          "relay g via lmtp 127.0.0.1:24 [::1]:24 localhost:24\n"
          "relay h via lmtp 192.0.2.1:24\n"
          "relay i via mx tls dane-only\n"
          "relay j via smarthost h:25 tls implicit\n",
          {"", "a", false, "hop relay a smtp h:25 tls verify"},
          {"", "b", false, "hop relay b smtp h:465 tls implicit verify"},
          {"", "c", false, "hop relay c smtp h:587 tls verify as /d/secret"},
          {"", "d", false, "hop relay d smtp h:1000 tls implicit encrypt as /s"},
          {"", "e", false, "hop relay e smtp h:587 tls none as /s"},
          {"", "f", false, "hop relay f lmtp unix:/Run/l tls none"},
          {"", "g", false, "hop relay g lmtp 127.0.0.1:24 [::1]:24 localhost:24 tls none"},
          {"", "h", false, "hop relay h lmtp 192.0.2.1:24 tls may"},
          {"", "i", false, "hop relay i mx i tls dane-only"},
          {"", "j", false, "hop relay j smtp h:25 tls implicit verify"});
    CHECK("deliver a.example to lmtp unix:/run/dovecot/lmtp\n"
          "deliver b.example to lmtp 192.0.2.1:24 tls verify\n",
          {"", "u@a.example", true, "hop deliver a.example lmtp unix:/run/dovecot/lmtp tls none"},
          {"", "u@b.example", true, "hop deliver b.example lmtp 192.0.2.1:24 tls verify"},
          {"", "u@a.example", false, "hop default - mx a.example tls dane"});
}

static void released(void **state)
{
    struct config_way way;
    struct parsed p;

    (void)state;
    parse(&p, "hold *\ndiscard b.example accept-and-lose-mail\n");
    assert_non_null(p.config);
    assert_int_equal(config_next_hop(p.config, SPAN(""), SPAN("u@a.example"), false, &way), WAY_HOLD);
    assert_int_equal(config_next_hop_released(p.config, SPAN(""), SPAN("u@a.example"), false, &way),
                     WAY_NEXT_HOP);
    assert_span(way.hop.name, "a.example");
    assert_int_equal(config_next_hop_released(p.config, SPAN(""), SPAN("u@b.example"), false, &way),
                     WAY_DISCARD);
    parsed_free(&p);
}

/* As long as addresses get, and longer; labels without end; patterns in the place of names. */
static void hostile_addresses(void **state)
{
    static char longest[1000];
    struct config_way way;
    struct parsed p;

    (void)state;
    parse(&p, "relay .a via mx\nhold x@a\n");
    assert_non_null(p.config);
    for (size_t n = 0; n < sizeof longest; n++) {
        longest[n] = n % 2 ? '.' : 'a';
        enum config_way_kind kind = config_next_hop(p.config, SPAN(""), span_of(longest, n + 1), false, &way);
        assert_int_equal(kind, n < LIMIT_DOMAIN_OCTETS && n % 2 == 0 ? WAY_NEXT_HOP : WAY_NONE);
    }
    assert_int_equal(config_next_hop(p.config, SPAN(""), SPAN("@"), false, &way), WAY_NONE);
    assert_int_equal(config_next_hop(p.config, SPAN(""), SPAN("u@*"), false, &way), WAY_NONE);
    assert_int_equal(config_next_hop(p.config, SPAN(""), SPAN("u@.a"), false, &way), WAY_NONE);
    assert_int_equal(config_next_hop(p.config, SPAN(""), SPAN("u@b\n.a"), false, &way), WAY_NONE);
    parsed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said),
        cmocka_unit_test(the_nearest_line),
        cmocka_unit_test(both_forms_of_a_domain),
        cmocka_unit_test(of_two_the_later),
        cmocka_unit_test(by_sender),
        cmocka_unit_test(held_and_discarded),
        cmocka_unit_test(released),
        cmocka_unit_test(policies),
        cmocka_unit_test(hostile_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
