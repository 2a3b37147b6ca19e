/* I8: what the recipient map takes is what expansion brings to somebody, for files made by chance; and what is said of the rest. */
#include "service/names.h"

#include "../mailbox_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { ROUNDS = 4000, LISTS = 3, TEXT_OCTETS = 8192 };

static const char *const configs[] = {
    "server mx { listen 127.0.0.1:2525 recipients b.test a.test }\nrecipients any.test any\n",
    "server mx { listen 127.0.0.1:2525 recipients a.test }\n",
    "recipients any.test any\nserver mx { listen 127.0.0.1:2525 }\n",
    "server mx { listen 127.0.0.1:2525 recipients c.test b.test a.test any.test any}\n"};
static const char *const locals[] = {"a",   "b",   "c",          "d",           "e",     "f",
                                     "a+x", "b+x", "postmaster", "owner-a",     "abuse", "\"q q\"",
                                     "a/b", "d+y", "a+x+y",      "postmaster+z"};
static const char *const domains[] = {"a.test", "b.test", "c.test", "any.test", "else.test"};
enum { LOCALS = sizeof locals / sizeof locals[0], DOMAINS = sizeof domains / sizeof domains[0] };

static int lists[LISTS]; /* files of memory, opened by their names in /proc */

static uint64_t seed;
static unsigned chance(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void put_target(struct buf *b)
{
    unsigned kind = chance(40);
    if (kind < 20 || kind == 39) {
        buf_str(b, kind < 3 ? "\\" : "");
        buf_str(b, locals[chance(LOCALS)]);
    } else if (kind < 29) {
        buf_str(b, locals[chance(LOCALS)]);
        buf_byte(b, '@');
        buf_str(b, domains[chance(chance(4) ? DOMAINS - 1 : DOMAINS)]);
    } else if (kind < 34) {
        buf_str(b, ":include:/proc/self/fd/");
        buf_u64(b, chance(16) ? (uint64_t)lists[chance(LISTS)] : 99999); /* that one is not there */
    } else if (kind < 38) {
        buf_str(b, "nobody");
        buf_u64(b, chance(3));
    } else {
        buf_str(b, chance(4) ? "void" : "|evil");
    }
}

static void put_targets(struct buf *b, const char *between)
{
    for (unsigned i = chance(3) ? 1 : 1 + chance(3); i > 0; i--) {
        put_target(b);
        buf_str(b, i > 1 ? between : "\n");
    }
}

static void write_list(unsigned which)
{
    char memory[TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (chance(6)) put_targets(&b, "\n");
    assert_int_equal(ftruncate(lists[which], 0), 0);
    assert_int_equal(pwrite(lists[which], memory, b.n, 0), b.n);
}

static void put_aliases(struct buf *b)
{
    for (unsigned i = chance(14); i > 0; i--) {
        buf_str(b, locals[chance(LOCALS)]);
        if (chance(4) == 0) {
            buf_byte(b, '@');
            buf_str(b, domains[chance(DOMAINS)]);
        }
        buf_str(b, ": ");
        put_targets(b, ", ");
    }
    unsigned chain = chance(5) ? 0 : 8 + chance(5);
    for (unsigned i = 0; i < chain; i++) {
        char line[64];
        snprintf(line, sizeof line, "chain%u: %s%u\n", i, i + 1 < chain ? "chain" : locals[chance(6)], i + 1);
        buf_str(b, i + 1 < chain || chance(3) ? line : "");
    }
    if (chain && chance(2)) buf_str(b, "f: chain0\nchain9: a\n");
}

static void put_users(struct buf *b)
{
    for (unsigned i = chance(6); i > 0; i--) {
        const char *local = locals[chance(LOCALS)];
        if (local[0] == '"' || strchr(local, '/')) continue;
        buf_str(b, local);
        buf_byte(b, '@');
        buf_str(b, domains[chance(DOMAINS)]);
        buf_byte(b, '\n');
    }
}

/* Does mail for it reach somebody, or wait? By expansion alone. */
static bool arrives(const struct names *n, struct span key)
{
    struct arena *a = arena_create(1 << 22);
    struct expansion e;
    enum expand_status status = expansion_of(&n->world, key, a, &e);
    bool somebody = status == EXPAND_LATER || status == EXPAND_TOO_MANY;
    for (uint32_t i = 0; status == EXPAND_OK && i < e.count; i++)
        somebody |= e.targets[i].kind != EXPAND_NOBODY;
    arena_destroy(&a);
    return somebody;
}

static unsigned agree(const struct names *n, const char *local, const char *aliases, const char *users)
{
    unsigned known = 0;
    for (unsigned d = 0; d < DOMAINS; d++) {
        char key[128];
        snprintf(key, sizeof key, "%s@%s", local, domains[d]);
        enum recipients_answer answer = recipients_find(&n->map, span_str(key));
        if (answer == RECIPIENTS_NOT_SERVED) continue;
        if ((answer == RECIPIENTS_KNOWN) != arrives(n, span_str(key)))
            fail_msg("%s is %s\n%s\n%s", key, answer == RECIPIENTS_KNOWN ? "taken" : "refused", aliases,
                     users);
        known += answer == RECIPIENTS_KNOWN;
    }
    return known;
}

static struct config *config_of(struct arena *a, const char *text)
{
    struct config_source s = {.name = SPAN("/x/sallyport.conf"), .text = span_str(text)};
    struct config_problem *problems = NULL;
    struct span missing;
    struct config *c = config_parse(a, &s, 1, &problems, &missing);
    assert_non_null(c);
    return c;
}

static void i8_what_is_taken_reaches_somebody(void **state)
{
    (void)state;
    unsigned taken = 0, dead = 0;
    struct arena *a = arena_create(LIMIT_CONFIG_MEMORY_OCTETS);
    const struct config *config[4];
    for (unsigned i = 0; i < 4; i++)
        config[i] = config_of(a, configs[i]);
    for (unsigned round = 0; round < ROUNDS; round++) {
        char aliases[TEXT_OCTETS] = "", users[TEXT_OCTETS] = "";
        struct buf alias_text = buf_on(aliases, sizeof aliases - 1),
                   user_text = buf_on(users, sizeof users - 1);
        struct names n;
        seed = round;
        chance(2);
        for (unsigned i = 0; i < LISTS; i++)
            write_list(i);
        put_aliases(&alias_text);
        put_users(&user_text);
        assert_false(alias_text.over || user_text.over);
        assert_true(names_load(&n, config[chance(4)], mailbox_list(a, users), buf_span(&alias_text)));
        for (unsigned i = 0; i < LOCALS; i++)
            taken += agree(&n, locals[i], aliases, users);
        for (unsigned i = 0; i < 3; i++)
            taken += agree(&n, (const char *const[]){"void", "c+z", "f+z"}[i], aliases, users);
        for (unsigned i = 0; i < 14; i++) {
            char chain[16];
            snprintf(chain, sizeof chain, "chain%u", i);
            taken += agree(&n, chain, aliases, users);
        }
        for (const struct problem *p = n.problems.first; p; p = p->next)
            dead += span_starts_nocase(span_str(p->text), SPAN("reaches nobody"));
        names_free(&n);
    }
    assert_true(taken > ROUNDS && dead > ROUNDS); /* both kinds were there */
    arena_destroy(&a);
}

/* More aliases and domains than are looked at: nobody's mail is refused for that, and check says so. */
static void too_many_count_as_alive(void **state)
{
    (void)state;
    enum { MANY = 4500, OCTETS = 200000 };
    static char domain_text[OCTETS], alias_text[OCTETS];
    struct buf d = buf_on(domain_text, OCTETS - 1), b = buf_on(alias_text, OCTETS);
    struct names n;
    buf_str(&d, "server mx { listen 127.0.0.1:2525 }\nrecipients");
    for (unsigned i = 0; i < MANY; i++) {
        buf_str(&d, " d");
        buf_u64(&d, i);
        buf_str(&d, ".test");
        buf_str(&b, "alias");
        buf_u64(&b, i);
        buf_str(&b, i ? ": x@else.test\n" : ": gone\n");
    }
    assert_false(d.over || b.over);
    struct arena *a = arena_create(LIMIT_CONFIG_MEMORY_OCTETS);
    const struct config *c = config_of(a, domain_text);
    assert_true(names_load(&n, c, mailbox_list(a, ""), buf_span(&b)));
    assert_int_equal(recipients_find(&n.map, SPAN("alias0@d7.test")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("alias9@d7.test")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("bob@d7.test")), RECIPIENTS_UNKNOWN);
    assert_int_equal(n.problems.count, 1);
    assert_true(span_starts_nocase(span_str(n.problems.first->text), SPAN("has too many aliases")));
    names_free(&n);
    assert_true(names_load(&n, c, mailbox_list(a, ""), SPAN("alias0: gone\nalias1: x@else.test\n")));
    assert_int_equal(recipients_find(&n.map, SPAN("alias0@d7.test")), RECIPIENTS_UNKNOWN);
    assert_int_equal(recipients_find(&n.map, SPAN("alias1@d7.test")), RECIPIENTS_KNOWN);
    names_free(&n);
    arena_destroy(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(i8_what_is_taken_reaches_somebody),
                                       cmocka_unit_test(too_many_count_as_alive)};
    for (unsigned i = 0; i < LISTS; i++) {
        lists[i] = memfd_create("list", MFD_CLOEXEC);
        if (lists[i] < 0) return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
