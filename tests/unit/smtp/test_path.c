#include "../span_check.h"

#include "base/limits.h"
#include "smtp/path.h"

enum { ANY = PATH_ALLOW_NULL | PATH_ALLOW_POSTMASTER, UTF8 = ANY | PATH_ALLOW_UTF8 };

static void accepted(void **state)
{
    (void)state;
    static const struct {
        struct span in;
        unsigned flags;
        const char *local, *domain, *rest;
    } t[] = {
        {SPAN("<a@b>"), 0, "a", "b", ""},
        {SPAN("<user@example.org> SIZE=1"), 0, "user", "example.org", " SIZE=1"},
        {SPAN("<a@b>junk"), 0, "a", "b", "junk"}, /* params refuses what sticks to '>' */
        {SPAN("<a@b><c@d>"), 0, "a", "b", "<c@d>"},
        {SPAN("<!#$%&'*+-/=?^_`{|}~x@sender.example>"), 0, "!#$%&'*+-/=?^_`{|}~x", "sender.example", ""},
        {SPAN("<user%other.example@b>"), 0, "user%other.example", "b", ""}, /* legal; policy decides */
        {SPAN("<other.example!user@b>"), 0, "other.example!user", "b", ""},
        {SPAN("<\"user@other.example\"@b>"), 0, "\"user@other.example\"", "b", ""},
        {SPAN("<\"a\\\"b\"@b>"), 0, "\"a\\\"b\"", "b", ""},
        {SPAN("<\"a\\\\b\"@b>"), 0, "\"a\\\\b\"", "b", ""},
        {SPAN("<\"a\\bc\"@b>"), 0, "\"a\\bc\"", "b", ""},
        {SPAN("<\".a..b.\"@b>"), 0, "\".a..b.\"", "b", ""},
        {SPAN("<\"a b>@c\"@b>"), 0, "\"a b>@c\"", "b", ""}, /* '>' and '@' inside quotes end nothing */
        {SPAN("<\"\"@b>"), 0, "\"\"", "b", ""},
        {SPAN("<a.b.c@a-b.1.example>"), 0, "a.b.c", "a-b.1.example", ""},
        {SPAN("<a@[192.0.2.1]>"), 0, "a", "[192.0.2.1]", ""},
        {SPAN("<a@[IPv6:2001:db8::1]>"), 0, "a", "[IPv6:2001:db8::1]", ""},
        {SPAN("<a@[IPv6:::ffff:192.0.2.1]>"), 0, "a", "[IPv6:::ffff:192.0.2.1]", ""},
        {SPAN("<\xc3\xbc@b>"), UTF8, "\xc3\xbc", "b", ""},
        {SPAN("<a@b\xc3\xbc"
              "cher.example>"),
         UTF8, "a",
         "b\xc3\xbc"
         "cher.example",
         ""},
        {SPAN("<\"\xc3\xbc \"@b>"), UTF8, "\"\xc3\xbc \"", "b", ""},
        {SPAN("<postmaster@b>"), 0, "postmaster", "b", ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct path p;
        struct span rest;
        assert_int_equal(path_parse(t[i].in, t[i].flags, &p, &rest), PATH_OK);
        assert_span(p.local, t[i].local);
        assert_span(p.domain, t[i].domain);
        assert_span(rest, t[i].rest);
        assert_int_equal(p.literal, t[i].domain[0] == '[');
        assert_int_equal(p.utf8, memchr(t[i].in.p, 0xc3, t[i].in.n) != NULL);
        assert_false(p.null || p.postmaster);
    }
}

static const struct {
    struct span in;
    enum path_error error;
} faulty[] = {
    {SPAN(""), PATH_NO_BRACKETS},
    {SPAN("SIZE=10"), PATH_NO_BRACKETS},
    {SPAN("a@b"), PATH_NO_BRACKETS},
    {SPAN("a@b>"), PATH_NO_BRACKETS},
    {SPAN(">"), PATH_NO_BRACKETS},
    {SPAN(" <a@b>"), PATH_NO_BRACKETS},
    {SPAN("\t<a@b>"), PATH_NO_BRACKETS},
    {SPAN("<"), PATH_SYNTAX},
    {SPAN("<a"), PATH_SYNTAX},
    {SPAN("<a@b"), PATH_SYNTAX},
    {SPAN("<a>"), PATH_SYNTAX},
    {SPAN("<@>"), PATH_SYNTAX},
    {SPAN("<a@>"), PATH_SYNTAX},
    {SPAN("<@b>"), PATH_SYNTAX},
    {SPAN("<\"a\"@>"), PATH_SYNTAX},
    {SPAN("<a@b@c>"), PATH_SYNTAX},
    {SPAN("<a@@c>"), PATH_SYNTAX},
    {SPAN("<.a@b>"), PATH_SYNTAX},
    {SPAN("<a.@b>"), PATH_SYNTAX},
    {SPAN("<a..b@c>"), PATH_SYNTAX},
    {SPAN("<.@b>"), PATH_SYNTAX},
    {SPAN("<a@.b>"), PATH_SYNTAX},
    {SPAN("<a@b..c>"), PATH_SYNTAX},
    {SPAN("<a@b.>"), PATH_SYNTAX},
    {SPAN("<a@-b>"), PATH_SYNTAX},
    {SPAN("<a@b->"), PATH_SYNTAX},
    {SPAN("<a@b-.c>"), PATH_SYNTAX},
    {SPAN("<a@b_c>"), PATH_SYNTAX},
    {SPAN("<a@b c>"), PATH_SYNTAX},
    {SPAN("<a@b!.c>"), PATH_SYNTAX},
    {SPAN("<a@b(c)>"), PATH_SYNTAX},
    {SPAN("<a@\"b\".c>"), PATH_SYNTAX},
    {SPAN("<a@b/x>"), PATH_SYNTAX},
    {SPAN("<a b@c>"), PATH_SYNTAX},
    {SPAN("<a\tb@c>"), PATH_SYNTAX},
    {SPAN("< a@c>"), PATH_SYNTAX},
    {SPAN("<a@c >"), PATH_SYNTAX},
    {SPAN("<a @c>"), PATH_SYNTAX},
    {SPAN("<\"a@b>"), PATH_SYNTAX},
    {SPAN("<a\"@b>"), PATH_SYNTAX},
    {SPAN("<\"a\\\"@b>"), PATH_SYNTAX},
    {SPAN("<\"a\"b@c>"), PATH_SYNTAX},
    {SPAN("<\"a\".b@c>"), PATH_SYNTAX}, /* obsolete local part */
    {SPAN("<a\\@b@c>"), PATH_SYNTAX},
    {SPAN("<a\\b@c>"), PATH_SYNTAX},
    {SPAN("<(a)b@c>"), PATH_SYNTAX},
    {SPAN("<a,b@c>"), PATH_SYNTAX},
    {SPAN("<a\0b@c>"), PATH_SYNTAX},
    {SPAN("<a@b\0c>"), PATH_SYNTAX},
    {SPAN("<a\1b@c>"), PATH_SYNTAX},
    {SPAN("<a\x7f"
          "b@c>"),
     PATH_SYNTAX},
    {SPAN("<\"a\ab\"@c>"), PATH_SYNTAX},
    {SPAN("<\"a\r\nb\"@c>"), PATH_SYNTAX},
    {SPAN("<\"a\\\nb\"@c>"), PATH_SYNTAX},
    {SPAN("<\"a\x7f\"@c>"), PATH_SYNTAX},
    {SPAN("<\"a\tb\"@c>"), PATH_SYNTAX},
    {SPAN("<a@[1.2.3.4]x>"), PATH_SYNTAX},
    {SPAN("<a@[1.2.3.4].example>"), PATH_SYNTAX},
    {SPAN("<a@[1.2.3.4>"), PATH_SYNTAX},
    {SPAN("<a@ [1.2.3.4]>"), PATH_SYNTAX},
    {SPAN("<a@1.2.3.4]>"), PATH_SYNTAX},
    {SPAN("<<a@b>>"), PATH_SYNTAX},
    {SPAN("<@a,@b:c@d>"), PATH_ROUTE},
    {SPAN("<@a.example:c@[1.2.3.4]>"), PATH_ROUTE},
    {SPAN("<@:a@b>"), PATH_SYNTAX},
    {SPAN("<@a,:u@b>"), PATH_SYNTAX},
    {SPAN("<@a,b:u@c>"), PATH_SYNTAX},
    {SPAN("<@a>"), PATH_SYNTAX},
    {SPAN("<@a:>"), PATH_SYNTAX},
    {SPAN("<@a:c@d"), PATH_SYNTAX},
    {SPAN("<\xc3\xbc@b>"), PATH_UTF8},
    {SPAN("<a@b\xc3\xbc>"), PATH_UTF8},
    {SPAN("<\"\xc3\xbc\"@b>"), PATH_UTF8},
    {SPAN("<a\xff@b>"), PATH_UTF8},
};

static void refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
        struct path p;
        struct span rest;
        assert_int_equal(path_parse(faulty[i].in, ANY, &p, &rest), faulty[i].error);
    }
}

static void broken_utf8(void **state)
{
    (void)state;
    static const struct span t[] = {
        SPAN("<\xc3@b>"),          SPAN("<\xc0\xaf@b>"), SPAN("<\"\xed\xa0\x80\"@b>"),
        SPAN("<a@b\xfc.example>"), SPAN("<a@\x80>"),     SPAN("<a\xc3"),
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct path p;
        struct span rest;
        assert_int_equal(path_parse(t[i], UTF8, &p, &rest), PATH_UTF8_BROKEN);
    }
    struct path p;
    struct span rest;
    /* no U-label: a C1 control, a right-to-left override, and a full stop of another script that mappings make a dot */
    assert_int_equal(path_parse(SPAN("<a@b\xc2\x9b.example>"), UTF8, &p, &rest), PATH_SYNTAX);
    assert_int_equal(path_parse(SPAN("<a@b\xe2\x80\xae.example>"), UTF8, &p, &rest), PATH_SYNTAX);
    assert_int_equal(path_parse(SPAN("<a@b\xe3\x80\x82"
                                     "example>"),
                                UTF8, &p, &rest),
                     PATH_SYNTAX);
}

static void null_and_postmaster(void **state)
{
    (void)state;
    struct path p;
    struct span rest;
    assert_int_equal(path_parse(SPAN("<> X"), PATH_ALLOW_NULL, &p, &rest), PATH_OK);
    assert_true(p.null && !p.postmaster && p.local.n == 0 && p.domain.n == 0);
    assert_span(rest, " X");
    assert_int_equal(path_parse(SPAN("<>"), PATH_ALLOW_POSTMASTER, &p, &rest), PATH_SYNTAX);
    assert_int_equal(path_parse(SPAN("<PostMaster>"), PATH_ALLOW_POSTMASTER, &p, &rest), PATH_OK);
    assert_true(p.postmaster && !p.null && p.local.n == 0 && p.domain.n == 0);
    assert_int_equal(path_parse(SPAN("<postmaster>"), PATH_ALLOW_NULL, &p, &rest), PATH_SYNTAX);
    assert_int_equal(path_parse(SPAN("<postmasters>"), ANY, &p, &rest), PATH_SYNTAX);
    assert_int_equal(path_parse(SPAN("<\"postmaster\">"), ANY, &p, &rest), PATH_SYNTAX);
    assert_int_equal(path_parse(SPAN("<postmaster@>"), ANY, &p, &rest), PATH_SYNTAX);
}

/* <local@domain> with that many octets each; labels of 60. */
static enum path_error with_lengths(size_t local, size_t domain, bool quoted)
{
    static uint8_t memory[1024];
    struct buf b = buf_on(memory, sizeof memory);
    struct path p;
    struct span rest;
    buf_byte(&b, '<');
    for (size_t i = 0; i < local; i++)
        buf_byte(&b, quoted && (i == 0 || i == local - 1) ? '"' : 'a');
    buf_byte(&b, '@');
    for (size_t i = 0; i < domain; i++)
        buf_byte(&b, i % 61 == 60 && i + 1 < domain ? '.' : 'd');
    buf_byte(&b, '>');
    return path_parse(buf_span(&b), 0, &p, &rest);
}

static void lengths(void **state)
{
    (void)state;
    assert_int_equal(with_lengths(64, 20, false), PATH_OK);
    assert_int_equal(with_lengths(65, 20, false), PATH_LOCAL_LONG);
    assert_int_equal(with_lengths(64, 20, true), PATH_OK);
    assert_int_equal(with_lengths(65, 20, true), PATH_LOCAL_LONG);
    assert_int_equal(with_lengths(900, 20, false), PATH_LOCAL_LONG);
    assert_int_equal(with_lengths(1, LIMIT_PATH_OCTETS - 2, false), PATH_OK);
    assert_int_equal(with_lengths(1, LIMIT_PATH_OCTETS - 1, false), PATH_DOMAIN_LONG);
    assert_int_equal(with_lengths(64, LIMIT_PATH_OCTETS - 65, false), PATH_OK);
    assert_int_equal(with_lengths(64, LIMIT_PATH_OCTETS - 64, false), PATH_DOMAIN_LONG);
    assert_int_equal(with_lengths(1, 256, false), PATH_DOMAIN_LONG);
    assert_int_equal(with_lengths(1, 900, false), PATH_DOMAIN_LONG);
}

static void keys(void **state)
{
    (void)state;
    static const struct {
        const char *in, *key, *unquoted, *put;
    } t[] = {
        {"<User.Name@EXAMPLE.org>", "user.name@example.org", "User.Name", "User.Name@EXAMPLE.org"},
        {"<\"User.Name\"@EXAMPLE.org>", "user.name@example.org", "User.Name", "\"User.Name\"@EXAMPLE.org"},
        {"<\"us\\er\"@b>", "user@b", "user", "\"us\\er\"@b"},
        {"<\"a b\"@c>", "\"a b\"@c", "a b", "\"a b\"@c"},
        {"<\"a\\ b\"@c>", "\"a b\"@c", "a b", "\"a\\ b\"@c"},
        {"<\"a\\\"\\\\\"@c>", "\"a\\\"\\\\\"@c", "a\"\\", "\"a\\\"\\\\\"@c"},
        {"<\".a\"@c>", "\".a\"@c", ".a", "\".a\"@c"}, /* no dot-string: stays apart from a@c */
        {"<\"a..b\"@c>", "\"a..b\"@c", "a..b", "\"a..b\"@c"},
        {"<\"a.\"@c>", "\"a.\"@c", "a.", "\"a.\"@c"},
        {"<\"\"@c>", "\"\"@c", "", "\"\"@c"},
        {"<\"x@y\"@c>", "\"x@y\"@c", "x@y", "\"x@y\"@c"},
        {"<User+Tag@c>", "user+tag@c", "User+Tag", "User+Tag@c"},
        {"<\xc3\x9c@B>", "\xc3\x9c@b", "\xc3\x9c", "\xc3\x9c@B"}, /* only ASCII is folded */
        {"<Ab@B\xc3\xbc"
         "cher.Example>",
         "ab@xn--bcher-kva.example", "Ab",
         "Ab@B\xc3\xbc"
         "cher.Example"},
        {"<a@XN--BCHER-KVA.example>", "a@xn--bcher-kva.example", "a", "a@XN--BCHER-KVA.example"},
        {"<a@[IPv6:2001:DB8::1]>", "a@[ipv6:2001:db8::1]", "a", "a@[IPv6:2001:DB8::1]"},
        {"<>", "", "", ""},
        {"<POSTMASTER>", "postmaster", "", "postmaster"},
    };
    uint8_t memory[300];
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct path p;
        struct span rest;
        assert_int_equal(path_parse(span_str(t[i].in), UTF8, &p, &rest), PATH_OK);
        struct buf b = buf_on(memory, sizeof memory);
        path_key(&p, &b);
        assert_span(buf_span(&b), t[i].key);
        b = buf_on(memory, sizeof memory);
        path_local_unquoted(&p, &b);
        assert_span(buf_span(&b), t[i].unquoted);
        b = buf_on(memory, sizeof memory);
        path_put(&p, &b);
        assert_span(buf_span(&b), t[i].put);
        for (size_t max = 0; max < strlen(t[i].key); max++) { /* what does not fit is said */
            b = buf_on(memory, max);
            path_key(&p, &b);
            assert_true(b.over);
        }
    }
}

/* A domain beyond ASCII that has no A-labels, or whose A-labels make the path too long. */
static void idn(void **state)
{
    (void)state;
    static const struct span bad[] = {SPAN("<a@ab--\xc3\xbc.example>"), SPAN("<a@\xe2\x9d\xa4.example>"),
                                      SPAN("<a@\xcc\x88u.example>"),
                                      SPAN("<a@\xe2\x82\xac\xe2\x80\xa6.example>")};
    struct path p;
    struct span rest;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(path_parse(bad[i], UTF8, &p, &rest), PATH_IDN);
    /* each label of one character has two octets, its A-label seven */
    uint8_t memory[300];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, "<a@\xc3\xbc");
    for (unsigned i = 0; i < 30; i++)
        buf_str(&b, ".\xc3\xbc");
    buf_byte(&b, '>');
    assert_int_equal(path_parse(buf_span(&b), UTF8, &p, &rest), PATH_OK);
    b.n = 0;
    buf_str(&b, "<aaaaaaaaaa@\xc3\xbc");
    for (unsigned i = 0; i < 30; i++)
        buf_str(&b, ".\xc3\xbc");
    buf_byte(&b, '>');
    assert_int_equal(path_parse(buf_span(&b), UTF8, &p, &rest), PATH_DOMAIN_LONG);
}

static void canonical(void **state)
{
    static const struct {
        const char *written, *key; /* null: none */
    } t[] = {{"Joe@Example.ORG", "joe@example.org"},
             {"\"joe\"@example.org", "joe@example.org"},
             {"a@b\xc3\xbc"
              "cher.example",
              "a@xn--bcher-kva.example"},
             {"postmaster", NULL},
             {"joe", NULL},
             {"<joe@example.org>", NULL},
             {"joe@example.org>", NULL},
             {"joe@example.org> SIZE=1", NULL},
             {"@a:joe@example.org", NULL},
             {"", NULL}};
    char memory[64], long_one[400];
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        assert_int_equal(path_canonical(span_str(t[i].written), PATH_ALLOW_UTF8, &b), t[i].key != NULL);
        if (t[i].key) assert_true(span_eq(buf_span(&b), span_str(t[i].key)));
    }
    struct buf b = buf_on(memory, sizeof memory);
    assert_true(path_canonical(SPAN("PostMaster"), PATH_ALLOW_POSTMASTER, &b));
    b = buf_on(memory, 3);
    assert_false(path_canonical(SPAN("joe@example.org"), 0, &b)); /* no room for the key */
    memset(long_one, 'a', sizeof long_one);
    assert_false(path_canonical(span_of(long_one, sizeof long_one), 0, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),    cmocka_unit_test(refused),
        cmocka_unit_test(broken_utf8), cmocka_unit_test(null_and_postmaster),
        cmocka_unit_test(lengths),     cmocka_unit_test(keys),
        cmocka_unit_test(idn),         cmocka_unit_test(canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
