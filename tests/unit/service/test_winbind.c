/* What winbindd says, and what becomes of it; the library is played (fake_wbclient.c). */
#include "service/winbind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define CONFIG                                                                                               \
    "winbind CORP as example.org\nwinbind OTHER as other.example\n"                                          \
    "server s {\n listen 127.0.0.1:587\n access authenticated mechanisms NTLM\n"                             \
    " right submit to group \"mail users@example.org\"\n right relay to group \"Mail Users@example.org\"\n"  \
    " right submit to group S-1-5-32-545\n right submit to group staff\n"                                    \
    " right submit to group \"Mail Users@other.example\"\n right submit to group joe@example.org\n}\n"

static struct arena *arena;
static const struct config *config;
static struct winbind *winbind;
static struct domain_answer said;
static struct winbind_report report;

static uint8_t ask(const char *user)
{
    static uint8_t memory[DOMAIN_ANSWER_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    const struct domain_question q = {.tag = 5,
                                      .user = span_str(user),
                                      .domain = SPAN("CORP"),
                                      .challenge = {1, 2, 3, 4, 5, 6, 7, 8},
                                      .response = SPAN("1234567890123456789012345678")};
    winbind_ask(winbind, &q, &b, &report);
    assert_false(b.over);
    assert_true(domain_answer_read(buf_span(&b), &said));
    assert_int_equal(said.tag, 5);
    assert_int_equal(said.status, report.status);
    return said.status;
}

static void every_status(void **state)
{
    static const struct {
        const char *user;
        uint8_t status;
    } t[] = {
        {"wrong", DOMAIN_WRONG_SECRET},  {"failure", DOMAIN_WRONG_SECRET},
        {"nobody", DOMAIN_UNKNOWN_USER}, {"nodomain", DOMAIN_UNKNOWN_USER},
        {"locked", DOMAIN_LOCKED},       {"disabled", DOMAIN_DISABLED},
        {"expired", DOMAIN_EXPIRED},     {"old", DOMAIN_EXPIRED},
        {"change", DOMAIN_MUST_CHANGE},  {"night", DOMAIN_RESTRICTED},
        {"machine", DOMAIN_RESTRICTED},  {"noservers", DOMAIN_UNAVAILABLE},
        {"denied", DOMAIN_UNAVAILABLE},  {"odd", DOMAIN_UNAVAILABLE},
        {"down", DOMAIN_UNAVAILABLE},    {"joe", DOMAIN_PROVEN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        assert_int_equal(ask(t[i].user), t[i].status);
    assert_true(span_eq(said.account, SPAN("joe")) && span_eq(said.domain, SPAN("CORP")));
    assert_int_equal(said.session_key[15], 7);
}

/* MS02-011: who is let in without being known is nobody. */
static void who_is_let_in_and_is_nobody(void **state)
{
    static const char *const guests[] = {"guestflag", "anonymous",    "guests",
                                         "guest",     "domainguests", "nosid"};
    static const char *const doubtful[] = {"lm", "nokey", "noname"};
    (void)state;
    for (size_t i = 0; i < sizeof guests / sizeof guests[0]; i++)
        assert_int_equal(ask(guests[i]), DOMAIN_GUEST);
    for (size_t i = 0; i < sizeof doubtful / sizeof doubtful[0]; i++)
        assert_int_equal(ask(doubtful[i]), DOMAIN_REFUSED);
}

static void groups_that_are_named(void **state)
{
    (void)state;
    ask("joe"); /* its own name is no group's */
    assert_int_equal(said.n_groups, 0);
    ask("mail"); /* as each line has it */
    assert_int_equal(said.n_groups, 2);
    assert_true(span_eq(said.groups[0], SPAN("mail users@example.org")));
    assert_true(span_eq(said.groups[1], SPAN("Mail Users@example.org")));
    ask("users"); /* an alias of the host has no domain here: by its SID alone */
    assert_int_equal(said.n_groups, 1);
    assert_true(span_eq(said.groups[0], SPAN("S-1-5-32-545")));
    ask("other");
    assert_int_equal(said.n_groups, 1);
    assert_true(span_eq(said.groups[0], SPAN("Mail Users@other.example")));
    ask("abroad"); /* of that name, in a domain that nobody knows */
    assert_int_equal(said.n_groups, 0);
    assert_int_equal(ask("nolookup"), DOMAIN_PROVEN); /* no name is known: no right, but a login */
    assert_int_equal(said.n_groups, 0);
    assert_false(report.groups_cut);
}

static int begin(void **state)
{
    const struct config_source source = {.name = SPAN("/d/sallyport.conf"), .text = SPAN(CONFIG)};
    struct config_problem *problems = NULL;
    struct span missing;
    (void)state;
    arena = arena_create(1 << 20);
    config = config_parse(arena, &source, 1, &problems, &missing);
    if (!config || winbind_load()) return -1;
    winbind = winbind_create(config);
    return winbind ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    winbind_free(&winbind);
    arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status),
        cmocka_unit_test(who_is_let_in_and_is_nobody),
        cmocka_unit_test(groups_that_are_named),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
