#include "directory/expansion.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../mailbox_list.h"
#include "canonical.h"

static struct arena *arena;
static struct world world;
static struct recipients map;

/* example.org and example.net with names, any.test with every name; alice bob carol @example.org, alice @example.net */
static void setup(const char *text, const struct aliases_source *lists, size_t n_lists)
{
    struct aliases_source s[8] = {{SPAN("aliases"), span_str(text), NULL}};
    struct problems problems = {.count = 0};
    for (size_t i = 0; i < n_lists; i++)
        s[i + 1] = lists[i];
    arena_destroy(&arena);
    arena = arena_create(1 << 26);
    struct users *u = mailbox_list(arena, "alice@example.org bob@example.org carol@example.org "
                                          "alice@example.net a+b@example.org");
    struct recipients_builder b;
    void *memory = NULL;
    size_t octets = 0;
    for (int pass = 0; pass < 2; pass++) {
        recipients_begin(&b, memory, octets);
        recipients_add_domain(&b, SPAN("example.org"), false);
        recipients_add_domain(&b, SPAN("example.net"), false);
        recipients_add_domain(&b, SPAN("empty.test"), false);
        recipients_add_domain(&b, SPAN("any.test"), true);
        for (uint32_t i = 0; i < u->count; i++)
            recipients_add_mailbox(&b, u->keys[i]);
        octets = recipients_needed(&b);
        if (!memory) memory = arena_take(arena, octets);
    }
    assert_true(recipients_finish(&b));
    assert_true(recipients_open(&map, memory, octets));
    world = (struct world){aliases_parse(arena, s, n_lists + 1, canonical, &problems), &map, u,
                           SPAN("example.org")};
    assert_non_null(world.aliases);
}

static const char *expand(const char *key)
{
    static char memory[4096];
    static const char *const names[] = {"OK", "UNKNOWN", "LOOP", "TOO_MANY", "LATER"};
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct expansion e;
    enum expand_status status = expansion_of(&world, span_str(key), arena, &e);
    if (status != EXPAND_OK) return names[status];
    for (uint32_t i = 0; i < e.count; i++) {
        if (i) buf_byte(&b, ' ');
        if (e.targets[i].kind == EXPAND_REMOTE) buf_byte(&b, '>');
        if (e.targets[i].kind == EXPAND_NOBODY) buf_byte(&b, '?');
        buf_put(&b, e.targets[i].path);
    }
    if (e.owner.n) {
        buf_str(&b, " from ");
        buf_put(&b, e.owner);
    }
    assert_false(b.over);
    memory[b.n] = 0;
    return memory;
}

static void mailboxes(void **state)
{
    (void)state;
    setup("", NULL, 0);
    assert_string_equal(expand("alice@example.org"), "alice@example.org");
    assert_string_equal(expand("alice+x@example.org"), "alice@example.org");
    assert_string_equal(expand("a+b@example.org"), "a+b@example.org");
    assert_string_equal(expand("nobody@example.org"), "UNKNOWN");
    assert_string_equal(expand("bob@example.net"), "UNKNOWN");
    assert_string_equal(expand("x@any.test"), "x@any.test");
    assert_string_equal(expand("x+y@any.test"), "x@any.test");
    assert_string_equal(expand("a/b@any.test"), "UNKNOWN"); /* no folder can be called so */
    assert_string_equal(expand("..@any.test"), "UNKNOWN");
    assert_string_equal(expand("x@elsewhere.test"), ">x@elsewhere.test");
    assert_string_equal(expand("nonsense"), "UNKNOWN");
    assert_string_equal(expand(""), "UNKNOWN");
}

static void roles(void **state)
{
    (void)state;
    setup("", NULL, 0);
    assert_string_equal(expand("postmaster"), "alice@example.org");
    assert_string_equal(expand("postmaster@example.net"), "alice@example.net");
    assert_string_equal(expand("abuse@example.net"), "alice@example.net");
    assert_string_equal(expand("postmaster@empty.test"), "alice@example.org");
    assert_string_equal(expand("postmaster@any.test"), "postmaster@any.test");
    setup("postmaster: bob\nabuse@example.net: carol", NULL, 0);
    assert_string_equal(expand("postmaster"), "bob@example.org");
    assert_string_equal(expand("postmaster@example.net"), "bob@example.org"); /* no bob there: home */
    assert_string_equal(expand("abuse@example.org"), "bob@example.org");
    assert_string_equal(expand("abuse@example.net"), "carol@example.org");
    assert_string_equal(expand("postmaster+x@example.org"), "bob@example.org");
    setup("postmaster: root\nroot: postmaster\nabuse@example.net: gone, void\nvoid: gone", NULL, 0);
    assert_string_equal(expand("postmaster"), "alice@example.org"); /* an alias that reaches nobody is none */
    assert_string_equal(expand("root@example.net"), "alice@example.net");
    assert_string_equal(expand("abuse@example.net"), "alice@example.net");
    setup("", NULL, 0);
    world.users = &(struct users){NULL, 0, 0};
    assert_string_equal(expand("postmaster@empty.test"), "postmaster@empty.test");
}

static void names(void **state)
{
    (void)state;
    setup("all: alice, bob, x@elsewhere.test, Alice\n"
          "bob: bob, carol\n"
          "me: \\bob\n"
          "gone: nobody, alice\n"
          "void: nobody\n"
          "deep@example.net: all@example.org\n"
          "ext: Joe@Elsewhere.TEST\n"
          "team: alice\nowner-team: bob\n"
          "team2: alice\nowner-team2@example.net: x@y.z\n",
          NULL, 0);
    assert_string_equal(expand("all@example.org"),
                        "alice@example.org >x@elsewhere.test bob@example.org carol@example.org");
    assert_string_equal(expand("all@example.net"),
                        "alice@example.net >x@elsewhere.test carol@example.org bob@example.org");
    assert_string_equal(expand("me@example.org"), "bob@example.org");
    assert_string_equal(expand("bob+tag@example.org"), "bob@example.org carol@example.org");
    assert_string_equal(expand("gone@example.org"), "?nobody@example.org alice@example.org");
    assert_string_equal(expand("void@example.org"), "?nobody@example.org");
    assert_string_equal(expand("deep@example.net"),
                        "alice@example.org >x@elsewhere.test bob@example.org carol@example.org");
    assert_string_equal(expand("deep@example.org"), "UNKNOWN");
    assert_string_equal(expand("ext@example.org"), ">Joe@Elsewhere.TEST");
    assert_string_equal(expand("team@example.org"), "alice@example.org from owner-team@example.org");
    assert_string_equal(expand("team2@example.org"), "alice@example.org");
    assert_string_equal(expand("team2@example.net"), "alice@example.net from owner-team2@example.net");
}

/* The whole name counts first, alias or mailbox; a subaddress of an alias is that alias. */
static void subaddresses(void **state)
{
    (void)state;
    setup("a: bob\nc: c+x\nbob: bob+x, carol\nbob+y: alice\nalice+z: alice", NULL, 0);
    assert_string_equal(expand("a@example.org"), "bob@example.org carol@example.org");
    assert_string_equal(expand("a+b@example.org"), "a+b@example.org");
    assert_string_equal(expand("a+b+c@example.org"), "bob@example.org carol@example.org");
    assert_string_equal(expand("bob+x@example.org"), "bob@example.org carol@example.org");
    assert_string_equal(expand("bob+y@example.org"), "alice@example.org");
    assert_string_equal(expand("alice+z@example.net"), "alice@example.net");
    assert_string_equal(expand("c@example.org"), "?c+x@example.org");
    assert_string_equal(expand("c+x@example.org"), "?c+x@example.org");
}

static void loops(void **state)
{
    (void)state;
    setup("a: b\nb: a\nself: self\nc: d, alice\nd: c\n"
          "l0: l1\nl1: l2\nl2: l3\nl3: l4\nl4: l5\nl5: l6\nl6: l7\nl7: l8\nl8: l9\nl9: l10\nl10: l11\nl11: "
          "alice\n"
          "x@example.org: x@example.net\nx@example.net: x@example.org\n",
          NULL, 0);
    assert_string_equal(expand("a@example.org"), "LOOP");
    assert_string_equal(expand("x@example.org"), "LOOP");
    assert_string_equal(expand("self@example.org"), "?self@example.org");
    assert_string_equal(expand("c@example.org"), "alice@example.org");
    assert_string_equal(expand("l0@example.org"), "LOOP"); /* deeper than allowed */
    assert_string_equal(expand("l2@example.org"), "alice@example.org");
}

static void lists_and_broken(void **state)
{
    (void)state;
    static const struct aliases_source lists[] = {
        {SPAN("/l/a"), SPAN("alice\n:include:/l/b\n"), NULL},
        {SPAN("/l/b"), SPAN(":include:/l/a\nbob\nx@elsewhere.test\n"), NULL},
        {SPAN("/l/c"), SPAN("|evil\nalice\n"), NULL}};
    setup("list: :include:/l/a\nbroken: alice, |x\nviabroken: broken, bob\nvialist: :include:/l/c\nlost: "
          ":include:/l/none\n"
          "alice: :include:/l/a",
          lists, 3);
    assert_string_equal(expand("list@example.org"), "bob@example.org >x@elsewhere.test alice@example.org");
    assert_string_equal(expand("alice@example.org"), "alice@example.org bob@example.org >x@elsewhere.test");
    assert_string_equal(expand("broken@example.org"), "LATER");
    assert_string_equal(expand("viabroken@example.org"),
                        "LATER"); /* all or nothing: nobody gets it twice later */
    assert_string_equal(expand("vialist@example.org"), "LATER");
    assert_string_equal(expand("lost@example.org"), "LATER");
    /* bob names himself by a list that another alias includes too */
    setup("all: bob, carol, :include:/l/b\ncarol: carol\nbob: :include:/l/b", lists, 2);
    assert_string_equal(expand("all@example.org"),
                        "carol@example.org >x@elsewhere.test bob@example.org alice@example.org");
    setup("all: bob, :include:/l/bob\nbob: :include:/l/bob",
          &(struct aliases_source){SPAN("/l/bob"), SPAN("bob"), NULL}, 1);
    assert_string_equal(expand("all@example.org"), "bob@example.org");
}

/* Every alias names all of the next level twice over: without memory of what was seen this would be 2^n steps. */
static void bombs(void **state)
{
    (void)state;
    size_t n = 0, max = 1 << 20;
    char *text = malloc(max);
    assert_non_null(text);
    for (unsigned i = 0; i < 10; i++)
        for (unsigned k = 0; k < 20; k++) {
            n += (size_t)snprintf(text + n, max - n, "l%u-%u: ", i, k);
            for (unsigned m = 0; m < 20; m++)
                n += (size_t)snprintf(text + n, max - n, "l%u-%u, ", i + 1, m);
            n += (size_t)snprintf(text + n, max - n, "r%u@elsewhere.test\n", k);
        }
    setup(text, NULL, 0);
    assert_int_not_equal(strcmp(expand("l0-0@example.org"), "LATER"), 0);
    n = (size_t)snprintf(text, max, "big: :include:/l\n");
    char *list = malloc(max);
    assert_non_null(list);
    size_t m = 0;
    for (unsigned i = 0; i <= LIMIT_ALIAS_EXPANSION; i++)
        m += (size_t)snprintf(list + m, max - m, "u%u@elsewhere.test\n", i);
    struct aliases_source s = {SPAN("/l"), span_str(list), NULL};
    setup(text, &s, 1);
    assert_string_equal(expand("big@example.org"), "TOO_MANY");
    struct arena *small = arena_create(3000);
    struct expansion e;
    assert_int_equal(expansion_of(&world, SPAN("big@example.org"), small, &e), EXPAND_LATER);
    arena_destroy(&small);
    free(list);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mailboxes),    cmocka_unit_test(roles),
                                       cmocka_unit_test(names),        cmocka_unit_test(loops),
                                       cmocka_unit_test(subaddresses), cmocka_unit_test(lists_and_broken),
                                       cmocka_unit_test(bombs)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_destroy(&arena);
    return failed;
}
