/* Next hops: what is valid, what comes back from the encoding, and what does not. */
#include "../span_check.h"
#include "policy/next_hop.h"

#define MX(z)                                                                                                \
    {                                                                                                        \
        .kind = NEXT_HOP_MX, .tls = TLS_POLICY_DANE, .name = SPAN(z)                                         \
    }
#define HOST(z)                                                                                              \
    {                                                                                                        \
        .kind = NEXT_HOP_HOST, .tls = TLS_POLICY_VERIFY, .name = SPAN(z)                                     \
    }
#define UNIX(z)                                                                                              \
    {                                                                                                        \
        .kind = NEXT_HOP_UNIX, .protocol = NEXT_HOP_LMTP, .name = SPAN(z)                                    \
    }

static const struct {
    struct next_hop hop;
    const char *text;
} good[] = {
    {MX("example.org"), "mx example.org"},
    {MX("b\xc3\xbc"
        "cher.example"),
     "mx b\xc3\xbc"
     "cher.example"},
    {MX("[192.0.2.1]"), "mx [192.0.2.1]"},
    {MX("[ipv6:2001:db8::1]"), "mx [ipv6:2001:db8::1]"},
    {HOST("smtp.example.net:587"), "smtp smtp.example.net:587"},
    {HOST("192.0.2.1:25 [2001:db8::1]:65535 a_b.example:1"),
     "smtp 192.0.2.1:25 [2001:db8::1]:65535 a_b.example:1"},
    {{.kind = NEXT_HOP_HOST,
      .tls = TLS_POLICY_VERIFY,
      .implicit_tls = true,
      .name = SPAN("h:465"),
      .user = SPAN("/etc/user file")},
     "smtp h:465"},
    {{.kind = NEXT_HOP_HOST, .protocol = NEXT_HOP_LMTP, .name = SPAN("127.0.0.1:24")}, "lmtp 127.0.0.1:24"},
    {UNIX("/run/dovecot/lmtp"), "lmtp unix:/run/dovecot/lmtp"},
};

static const struct next_hop bad[] = {
    MX(""),
    MX("Example.org"),
    MX(".example.org"),
    MX("example.org."),
    MX("a..b"),
    MX("a b"),
    MX("a\nb"),
    MX("a/b"),
    MX("example.org:25"),
    MX("\xff.example"),
    MX("a\xe2\x80\xae.example"), /* turns the line around */
    MX("[192.0.2.256]"),
    MX("[IPv6:2001:db8::1]"),
    MX("[2001:db8::1]"),
    MX("[ipv6:192.0.2.1]"),
    MX("[]"),
    MX("["),
    {.kind = NEXT_HOP_MX, .protocol = NEXT_HOP_LMTP, .name = SPAN("example.org")},
    {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_VERIFY, .implicit_tls = true, .name = SPAN("example.org")},
    {.kind = NEXT_HOP_MX, .name = SPAN("example.org"), .user = SPAN("/x")},
    {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_COUNT, .name = SPAN("example.org")},
    {.kind = NEXT_HOP_HOST, .protocol = NEXT_HOP_PROTOCOL_COUNT, .name = SPAN("a:25")},
    {.kind = NEXT_HOP_KIND_COUNT, .name = SPAN("example.org")},
    HOST(""),
    HOST("a"),
    HOST("a:"),
    HOST(":25"),
    HOST("a:0"),
    HOST("a:025"),
    HOST("a:65536"),
    HOST("a:+5"),
    HOST("A:25"),
    HOST("a:25 "),
    HOST(" a:25"),
    HOST("a:25  b:25"),
    HOST("a:25\tb:25"),
    HOST("2001:db8::1:25"),
    HOST("[2001:db8::1]"),
    HOST("[192.0.2.1]:25"),
    HOST("[2001:db8::1%eth0]:25"),
    {.kind = NEXT_HOP_HOST, .tls = TLS_POLICY_NONE, .implicit_tls = true, .name = SPAN("a:465")},
    {.kind = NEXT_HOP_HOST, .name = SPAN("a:25"), .user = SPAN("relative")},
    {.kind = NEXT_HOP_HOST, .name = SPAN("a:25"), .user = SPAN("/a\nb")},
    UNIX(""),
    UNIX("/"),
    UNIX("run/lmtp"),
    UNIX("/run/\x7f"),
    {.kind = NEXT_HOP_UNIX, .tls = TLS_POLICY_MAY, .name = SPAN("/run/lmtp")},
    {.kind = NEXT_HOP_UNIX, .name = SPAN("/run/lmtp"), .user = SPAN("/x")},
};

static struct buf encoded(uint8_t *memory, const struct next_hop *h)
{
    struct buf b = buf_on(memory, NEXT_HOP_KEY_OCTETS);

    next_hop_put(&b, h);
    assert_false(b.over);
    return b;
}

static void comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint8_t memory[NEXT_HOP_KEY_OCTETS], again[NEXT_HOP_KEY_OCTETS], text[200] = {0};
        struct next_hop h;
        struct buf b = encoded(memory, &good[i].hop), t = buf_on(text, sizeof text);
        struct wire w = wire_on(buf_span(&b));
        assert_true(next_hop_valid(&good[i].hop));
        assert_true(next_hop_read(&w, &h) && wire_done(&w));
        struct buf second = encoded(again, &h);
        assert_int_equal(second.n, b.n);
        assert_memory_equal(again, memory, b.n);
        next_hop_put_text(&t, &h);
        assert_span(buf_span(&t), good[i].text);
        for (size_t n = 0; n < b.n; n++) { /* cut short anywhere */
            w = wire_on(span_head(buf_span(&b), n));
            assert_false(next_hop_read(&w, &h));
            assert_true(w.bad);
        }
    }
}

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t memory[NEXT_HOP_KEY_OCTETS];
        struct next_hop h;
        struct buf b = encoded(memory, &bad[i]);
        struct wire w = wire_on(buf_span(&b));
        if (next_hop_valid(&bad[i]) || next_hop_read(&w, &h)) fail_msg("row %zu was taken", i);
        assert_true(w.bad);
    }
}

static void flags_are_one_bit(void **state)
{
    uint8_t memory[NEXT_HOP_KEY_OCTETS];
    struct next_hop h = HOST("a:465");
    struct buf b = encoded(memory, &h);

    (void)state;
    memory[3] = 2; /* neither true nor false: equal hops would have different encodings */
    struct wire w = wire_on(buf_span(&b));
    assert_false(next_hop_read(&w, &h));
}

static void longest(void **state)
{
    static uint8_t name[LIMIT_NEXT_HOP_OCTETS + 10], memory[NEXT_HOP_KEY_OCTETS + 10];
    struct next_hop h = HOST("");
    struct buf b = buf_on(name, sizeof name), w;

    (void)state;
    for (unsigned i = 0; i < 128; i++)
        buf_str(&b, "a.bc:25 ");
    b.n--; /* the last blank */
    h.name = buf_span(&b);
    assert_true(next_hop_valid(&h));
    b.n = 0;
    for (unsigned i = 0; i < 129; i++)
        buf_str(&b, "a.bc:25 ");
    b.n--;
    h.name = buf_span(&b);
    assert_false(next_hop_valid(&h));
    memset(name, 'a', sizeof name);
    name[0] = '/';
    h = (struct next_hop){.kind = NEXT_HOP_UNIX, .name = {name, LIMIT_SOCKET_PATH_OCTETS}};
    assert_true(next_hop_valid(&h));
    h.name.n++;
    assert_false(next_hop_valid(&h));
    h = (struct next_hop)MX("");
    h.name = span_of(name + 1, LIMIT_DOMAIN_OCTETS);
    assert_true(next_hop_valid(&h));
    h.name.n++;
    assert_false(next_hop_valid(&h));
    w = buf_on(memory, sizeof memory);
    h.name.n = UINT16_MAX + 1;
    next_hop_put(&w, &h);
    assert_true(w.over);
}

static void hosts_in_order(void **state)
{
    struct span names = SPAN("a.example:25 192.0.2.1:2525 [2001:db8::1]:587"), host;
    uint16_t port;

    (void)state;
    assert_true(next_hop_take_host(&names, &host, &port));
    assert_span(host, "a.example");
    assert_int_equal(port, 25);
    assert_true(next_hop_take_host(&names, &host, &port));
    assert_span(host, "192.0.2.1");
    assert_int_equal(port, 2525);
    assert_true(next_hop_take_host(&names, &host, &port));
    assert_span(host, "2001:db8::1");
    assert_int_equal(port, 587);
    assert_false(next_hop_take_host(&names, &host, &port));
}

static void words_of_the_policies(void **state)
{
    struct span words = SPAN(TLS_POLICY_WORDS);

    (void)state;
    for (unsigned i = 0; i < TLS_POLICY_COUNT; i++) {
        size_t end = span_find(words, ' ');
        assert_span(span_head(words, end), tls_policy_name(i));
        words = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(words, end + 1);
    }
    assert_int_equal(words.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),     cmocka_unit_test(refused),
        cmocka_unit_test(longest),        cmocka_unit_test(flags_are_one_bit),
        cmocka_unit_test(hosts_in_order), cmocka_unit_test(words_of_the_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
