/* Domains of Active Directory. */
#include "config_check.h"

#define SERVER                                                                                               \
    "server s {\n listen 127.0.0.1:587; tls certificate c key k\n access authenticated mechanisms NTLM\n}\n"

static void whose_domain_it_is(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "winbind CORP corp.example.net as Example.ORG default\nwinbind \"as\" as example.net\n" SERVER);
    assert_string_equal(p.problems, "");
    const struct config *c = p.config;
    assert_int_equal(c->n_winbinds, 2);
    assert_span(c->winbinds[0].names[0], "CORP");
    assert_span(c->winbinds[0].domain, "example.org");
    assert_ptr_equal(config_winbind_of(c, SPAN("corp")), &c->winbinds[0]);
    assert_ptr_equal(config_winbind_of(c, SPAN("CORP.EXAMPLE.NET")), &c->winbinds[0]);
    assert_ptr_equal(config_winbind_of(c, SPAN("")), &c->winbinds[0]);
    assert_ptr_equal(config_winbind_of(c, SPAN("AS")), &c->winbinds[1]);
    assert_null(config_winbind_of(c, SPAN("example.org"))); /* that is what its users are called here */
    assert_null(config_winbind_of(c, SPAN("CORP2")));
    parsed_free(&p);
    parse(&p, "winbind CORP as example.org\n" SERVER);
    assert_null(config_winbind_of(p.config, SPAN(""))); /* an account of ours */
    parsed_free(&p);
    parse(&p, SERVER);
    assert_null(config_winbind_of(p.config, SPAN("")));
    parsed_free(&p);
}

#define TO_GROUP(name)                                                                                       \
    "server s {\n listen 127.0.0.1:587; tls certificate c key k\n access authenticated\n right submit to "   \
    "group " name "\n}\n"

static void groups_of_a_domain(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, TO_GROUP("\"Gr\xc3\xbc\xc3\x9f"
                       "e & Caf\xc3\xa9@example.org\""));
    assert_string_equal(p.problems, "");
    assert_span(p.config->servers[0].grants[0].name, "Gr\xc3\xbc\xc3\x9f"
                                                     "e & Caf\xc3\xa9@example.org");
    parsed_free(&p);
    parse(&p, TO_GROUP("S-1-5-21-1-2-3-513"));
    assert_span(p.config->servers[0].grants[0].name, "S-1-5-21-1-2-3-513");
    parsed_free(&p);
}

static void wrong(void **state)
{
    static const struct sample samples[] = {
        {"nothing", "winbind", "1:1 error: winbind needs NAME ... as DOMAIN [default]\n"},
        {"nowhere", "winbind CORP",
         "1:1 error: winbind needs the domain that its users have here | winbind CORP corp.example.org as "
         "example.org\n"},
        {"no name", "winbind CO*RP as example.org",
         "1:9 error: \"CO*RP\" is no name | 1 to 64 letters, digits, - _ .\n"},
        {"no domain", "winbind CORP as joe@example.org",
         "1:17 error: \"joe@example.org\" is no domain name | write example.org\n"},
        {"twice", "winbind CORP as example.org\nwinbind other corp as example.net\n" SERVER,
         "2:1 error: \"corp\" stands in another winbind line already\n"},
        {"two of them for all", "winbind A as example.org default\nwinbind B as example.net default\n" SERVER,
         "2:1 error: another winbind line is the default already\n"},
        {"a group without a domain", TO_GROUP("\"Mail Users\""),
         "4:24 error: \"Mail Users\" is no name | 1 to 64 letters, digits, - _ .\n"},
        {"no group", TO_GROUP("@example.org"),
         "4:24 error: \"@example.org\" is no group | right submit to group \"Mail Users@example.org\"\n"},
        {"no domain of a group", TO_GROUP("\"a@b c\""),
         "4:24 error: \"a@b c\" is no group | right submit to group \"Mail Users@example.org\"\n"},
        {"no UTF-8", TO_GROUP("\"\xff@example.org\""),
         "4:24 error: \"\\xff@example.org\" is no group | right submit to group \"Mail "
         "Users@example.org\"\n"},
    };
    struct parsed p;
    (void)state;
    check_samples(samples, sizeof samples / sizeof samples[0], false);
    parse(&p, "winbind CORP as example.org");
    assert_non_null(p.config);
    assert_string_equal(p.problems, "1:1 warning: no server offers NTLM: nobody logs in this way | access "
                                    "authenticated mechanisms NTLM\n");
    parsed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whose_domain_it_is),
                                       cmocka_unit_test(groups_of_a_domain), cmocka_unit_test(wrong)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
