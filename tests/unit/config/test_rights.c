/* What somebody may do on a server, and why. */
#include "config/rights.h"
#include "config_check.h"

#define TEXT                                                                                                 \
    "server s {\n listen 127.0.0.1:587\n access authenticated\n"                                             \
    " right relay to user joe@example.org\n right submit to group staff\n right any-sender to group other\n" \
    " right submit to user ann@example.org\n}\n"

struct heard {
    unsigned n;
    struct rights_origin origins[8];
};

static void hear(void *context, const struct rights_origin *origin)
{
    struct heard *h = context;
    assert_true(h->n < 8);
    h->origins[h->n++] = *origin;
}

static void every_reason_is_told(void **state)
{
    static const struct span groups[] = {SPAN("STAFF"), SPAN("more")};
    static const struct right_grant grants[] = {{RIGHT_SUBMIT | RIGHT_BYPASS_SIZE, SPAN("")},
                                                {RIGHT_XCLIENT, SPAN("more")}};
    struct rights_subject joe = {SPAN("joe@example.org"), groups, 2, grants, 2};
    struct heard h = {0};
    struct parsed p;
    (void)state;
    parse(&p, TEXT);
    assert_non_null(p.config);
    const struct config_server *s = &p.config->servers[0];
    assert_int_equal(rights_of(s, &joe, hear, &h),
                     RIGHT_SUBMIT | RIGHT_BYPASS_SIZE | RIGHT_XCLIENT | RIGHT_RELAY);
    assert_int_equal(h.n, 4);
    assert_true(!h.origins[0].line && h.origins[0].group.n == 0);
    assert_true(!h.origins[1].line && span_eq(h.origins[1].group, SPAN("more")));
    assert_int_equal(h.origins[2].line->place.line, 4);
    assert_int_equal(h.origins[2].group.n, 0);
    assert_int_equal(h.origins[3].line->place.line, 5);
    assert_true(span_eq(h.origins[3].group, SPAN("staff")));
    parsed_free(&p);
}

struct named {
    const char *name;
    uint32_t rights;
};

/* What a server with that line permits to each of those names. */
static void one_line_permits(const char *line, const struct named *cases, size_t n)
{
    char text[256];
    struct parsed p;
    snprintf(text, sizeof text, "server s {\n listen 127.0.0.1:587\n access authenticated\n %s\n}\n", line);
    parse(&p, text);
    assert_non_null(p.config);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(rights_of(&p.config->servers[0],
                                   &(struct rights_subject){.name = span_str(cases[i].name)}, NULL, NULL),
                         cases[i].rights);
    parsed_free(&p);
}

static void a_domain_is_all_of_its_users_and_no_others(void **state)
{
    static const struct named cases[] = {
        {"joe@example.net", RIGHT_SUBMIT}, {"joe@example.org", 0}, {"joe@mail.example.net", 0},
        {"joe@badexample.net", 0},         {"example.net", 0},     {"\"joe@example.net\"@example.org", 0}};
    (void)state;
    one_line_permits("right submit to domain example.net", cases, sizeof cases / sizeof cases[0]);
}

static void a_host_is_no_user(void **state)
{
    static const struct named cases[] = {
        {"gw.example.net", RIGHT_RELAY}, {"gw@example.net", 0}, {"x.gw.example.net", 0}, {"example.net", 0}};
    (void)state;
    one_line_permits("right relay to host gw.Example.net", cases, sizeof cases / sizeof cases[0]);
}

/* Invariant I2: whoever it is, and however that was proven: without a reason there is no right. */
static void without_a_reason_there_is_none(void **state)
{
    static const char *const names[] = {
        "", "joe", "joe@example.net", "joe@example.org.", "ANN@example.org", "staff"};
    struct parsed p;
    (void)state;
    parse(&p, TEXT);
    assert_non_null(p.config);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(rights_of(&p.config->servers[0],
                                   &(struct rights_subject){.name = span_str(names[i])}, NULL, NULL),
                         0);
    parsed_free(&p);
}

static void which_rights_open_the_door(void **state)
{
    (void)state;
    assert_false(rights_open_door(0));
    assert_false(rights_open_door(RIGHT_RELAY | RIGHT_ANY_SENDER | RIGHT_BYPASS_SIZE | RIGHT_XCLIENT |
                                  RIGHT_XFORWARD));
    assert_true(rights_open_door(RIGHT_SUBMIT));
    assert_true(rights_open_door(RIGHT_ORG_PROPS));
    assert_true(rights_open_door(RIGHT_ORG_STATUS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_is_told),
        cmocka_unit_test(a_domain_is_all_of_its_users_and_no_others),
        cmocka_unit_test(a_host_is_no_user),
        cmocka_unit_test(without_a_reason_there_is_none),
        cmocka_unit_test(which_rights_open_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
