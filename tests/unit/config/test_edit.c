/* A directive changed in the text of a configuration: what it says then, and that nothing else is touched. */
#include "config/edit.h"
#include "config_check.h"

#define NAME "/d/sallyport.conf"
enum { OCTETS = 16384 };

static char memory[OCTETS];

/* access of that server becomes `access`, as `sallyport server set` does it. */
static struct span set_access(const struct config *c, uint32_t server, struct span text, const char *access)
{
    struct buf out = buf_on(memory, sizeof memory);
    bool own;
    struct config_place at = config_server_said(c, &c->servers[server], "access", false, &own);
    struct span all, first;
    char statement[128] = "access ";
    strcat(statement, access);

    if (own) {
        assert_true(config_edit_arguments(text, &at, &all, &first));
        config_edit_replace(&out, text, all, span_str(access));
    } else {
        assert_true(config_edit_inside(&out, text, &c->servers[server].place, span_str(statement)));
    }
    assert_false(out.over);
    return buf_span(&out);
}

static const struct change {
    const char *before, *after;
} changes[] = {
    {"server a { listen 127.0.0.1:25 access both }", "server a { listen 127.0.0.1:25 access authenticated }"},
    {"server a {\n\tlisten 127.0.0.1:25\n\taccess anonymous # as ever\n}\n",
     "server a {\n\tlisten 127.0.0.1:25\n\taccess authenticated # as ever\n}\n"},
    {"server a { access both mechanisms PLAIN \"LOGIN\" listen 127.0.0.1:25 }",
     "server a { access authenticated listen 127.0.0.1:25 }"},
    {"server a { access \"both\"; listen 127.0.0.1:25; }",
     "server a { access authenticated; listen 127.0.0.1:25; }"},
    /* none is there: a line more */
    {"server a {\n    listen 127.0.0.1:25\n}\n",
     "server a {\n    access authenticated\n    listen 127.0.0.1:25\n}\n"},
    {"server a { # access both\r\n\t# one more\r\n\tlisten 127.0.0.1:25\r\n}\r\n",
     "server a { # access both\r\n\taccess authenticated\r\n\t# one more\r\n\tlisten 127.0.0.1:25\r\n}\r\n"},
    {"server a\n{\n\n  listen 127.0.0.1:25 }",
     "server a\n{\n  access authenticated\n\n  listen 127.0.0.1:25 }"},
    {"server a {listen 127.0.0.1:25 banner \"access both }\"}",
     "server a { access authenticated;listen 127.0.0.1:25 banner \"access both }\"}"},
    {"\xef\xbb\xbf"
     "server a { listen 127.0.0.1:25 limits { errors 4 } }",
     "\xef\xbb\xbf"
     "server a { access authenticated; listen 127.0.0.1:25 limits { errors 4 } }"},
};

static void says_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct parsed p;
        parse(&p, changes[i].before);
        assert_span(set_access(p.config, 0, span_str(changes[i].before), "authenticated"), changes[i].after);
        parsed_free(&p);
    }
}

static void before_another(void **state)
{
    static const struct change t[] = {
        {"server a {\n\tlisten 127.0.0.1:25\n\taccess both\n}\n",
         "server a {\n\tlisten 127.0.0.1:25\n\trole mx\n\taccess both\n}\n"},
        {"server a {\r\n  access both\r\nlisten 127.0.0.1:25 }",
         "server a {\r\n  role mx\r\n  access both\r\nlisten 127.0.0.1:25 }"},
        {"server a { listen 127.0.0.1:25 access both }",
         "server a { listen 127.0.0.1:25 role mx; access both }"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct parsed p;
        struct buf out = buf_on(memory, sizeof memory);
        bool own;
        parse(&p, t[i].before);
        struct config_place at = config_server_said(p.config, p.config->servers, "access", false, &own);
        assert_true(own && config_edit_before(&out, span_str(t[i].before), &at, SPAN("role mx")));
        assert_span(buf_span(&out), t[i].after);
        parsed_free(&p);
    }
}

static void not_there(void **state)
{
    struct span text = SPAN("server a {\n listen 127.0.0.1:25\n}\nhold *\nhostname\n"), all, first;
    struct config_place nowhere = {.line = 2, .column = 3}, hold = {.line = 4, .column = 1},
                        bare = {.line = 5, .column = 1};
    struct buf out = buf_on(memory, sizeof memory);

    (void)state;
    assert_false(config_edit_arguments(text, &nowhere, &all, &first));
    assert_false(config_edit_arguments(text, &bare, &all, &first));
    assert_false(config_edit_before(&out, text, &nowhere, SPAN("x")));
    assert_false(config_edit_inside(&out, text, &nowhere, SPAN("x")));
    assert_false(config_edit_inside(&out, text, &hold, SPAN("x")));
    assert_int_equal(out.n, 0);
}

/* --- any text */

static uint32_t dice;
static uint32_t roll(uint32_t sides)
{
    dice = dice * 1664525 + 1013904223;
    return (dice >> 10) % sides;
}

static void put_pick(struct buf *b, const char *const *of, uint32_t n)
{
    buf_str(b, of[roll(n)]);
}
#define PICK(b, ...)                                                                                         \
    put_pick(b, (const char *const[]){__VA_ARGS__},                                                          \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void put_gap(struct buf *b)
{
    PICK(b, " ", " ; ", "\n", "\n\t", "\r\n  ", " # access both }\n", "\n# access { \"\n    ", ";", "\n\n ");
}

static void put_statement(struct buf *b, uint32_t server, uint32_t which)
{
    switch (which) {
    case 0:
        buf_str(b, "listen 127.0.0.1:");
        buf_u64(b, 1000 + server);
        break;
    case 1:
        PICK(b, "access both", "access anonymous", "access authenticated", "access\tboth mechanisms PLAIN",
             "access authenticated mechanisms  \"SCRAM-SHA-256\"\tLOGIN", "access \"both\"");
        break;
    case 2: PICK(b, "role mx", "role submission"); break;
    case 3: PICK(b, "banner \"access \\\"both { } #\"", "banner access"); break;
    case 4:
        PICK(b, "limits { errors 4 recipients 100 }", "limits {\n errors 5 # }\n }", "limits\n{ }");
        break;
    case 5: PICK(b, "relay-networks 192.0.2.0/24 198.51.100.1", "relay-networks 192.0.2.7"); break;
    default: PICK(b, "require-tls no", "hostname access.example", "from-lock no"); break;
    }
}

static void put_server(struct buf *b, uint32_t server)
{
    buf_str(b, "server s");
    buf_u64(b, server);
    PICK(b, " {", "\n{", " { # access both\n", "\r\n{\r\n\t", "{", " {\n    ");
    for (uint32_t which = 0, rotate = roll(7); which < 7; which++) {
        uint32_t statement = (which + rotate) % 7;
        if (statement && roll(2)) continue;
        put_statement(b, server, statement);
        put_gap(b);
    }
    PICK(b, "}", "\n}", " } ; ");
    PICK(b, "\n", "\r\n", "# access both\n", "\nhostname access.example\n");
}

static bool same_server(const struct config_server *a, const struct config_server *b)
{
    return span_eq(a->name, b->name) && a->n_listeners == b->n_listeners &&
           memcmp(&a->listeners->address, &b->listeners->address, sizeof a->listeners->address) == 0 &&
           a->listeners->port == b->listeners->port && a->n_relay_networks == b->n_relay_networks &&
           span_eq(a->banner, b->banner) && span_eq(a->hostname, b->hostname) &&
           memcmp(&a->limits, &b->limits, sizeof a->limits) == 0 && a->from_lock == b->from_lock;
}

/* What stands before and behind one place is what stood there. */
static void one_place_differs(struct span a, struct span b)
{
    size_t head = 0, tail = 0;
    while (head < a.n && head < b.n && a.p[head] == b.p[head])
        head++;
    while (tail < a.n - head && tail < b.n - head && a.p[a.n - 1 - tail] == b.p[b.n - 1 - tail])
        tail++;
    struct span changed = span_of(b.p + head, b.n - head - tail),
                cut = span_of(a.p + head, a.n - head - tail);
    if (cut.n > 60 || changed.n > 60) fail_msg("%.*s became %.*s", SPAN_ARG(cut), SPAN_ARG(changed));
}

static unsigned edited;
static void check_one(struct span text, const char *access)
{
    struct config_source before = {.name = SPAN(NAME), .text = text}, after = {.name = SPAN(NAME)};
    struct parsed p, q;

    parse_sources(&p, &before, 1);
    if (!p.config) { /* said twice: hostname */
        parsed_free(&p);
        return;
    }
    const struct config *c = p.config;
    uint32_t n = roll(c->n_servers);
    after.text = set_access(c, n, text, access);
    parse_sources(&q, &after, 1);
    if (!q.config) fail_msg("%s\n%.*s\n---\n%.*s", q.problems, SPAN_ARG(text), SPAN_ARG(after.text));
    assert_int_equal(q.config->n_servers, c->n_servers);
    assert_int_equal(q.config->servers[n].access, access[1] == 'u'   ? ACCESS_AUTHENTICATED
                                                  : access[0] == 'b' ? ACCESS_BOTH
                                                                     : ACCESS_ANONYMOUS);
    for (uint32_t i = 0; i < c->n_servers; i++) {
        const struct config_server *a = &c->servers[i], *b = &q.config->servers[i];
        assert_true(same_server(a, b));
        if (i != n)
            assert_true(a->access == b->access && a->role == b->role && a->mechanisms == b->mechanisms);
    }
    assert_true(span_eq(c->hostname, q.config->hostname));
    edited++;
    one_place_differs(text, after.text);
    parsed_free(&p);
    parsed_free(&q);
}

static void any_text(void **state)
{
    static const char *const accesses[] = {"anonymous", "authenticated", "both"};
    static char text[OCTETS / 2];

    (void)state;
    for (dice = 1; dice < 3000; dice++) {
        uint32_t seed = dice;
        struct buf b = buf_on(text, sizeof text);
        PICK(&b, "", "\xef\xbb\xbf", "# access both\r\n", "\n");
        for (uint32_t i = 0, n = 1 + roll(4); i < n; i++)
            put_server(&b, i);
        assert_false(b.over);
        check_one(buf_span(&b), accesses[roll(3)]);
        dice = seed;
    }
    assert_in_range(edited, 1500, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_it),
        cmocka_unit_test(before_another),
        cmocka_unit_test(not_there),
        cmocka_unit_test(any_text),
    };
    return cmocka_run_group_tests_name("edit", tests, NULL, NULL);
}
