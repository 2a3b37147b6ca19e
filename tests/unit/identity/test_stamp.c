/* Who may go on: a session carries the stamp of its login, and what is changed of what that rests on or permits ends it. */
#include "identity_fixture.h"

static uint32_t joe;
static const struct span name = {(const uint8_t *)"joe@example.org", 15};
static uint8_t stamp[LIMIT_STAMP_OCTETS];

static enum identity_found stands(void)
{
    return identity_stands(fixture, joe, name, stamp);
}

static void stamped(enum identity_by by, uint64_t credential)
{
    assert_int_equal(identity_stamp(fixture, joe, (uint8_t)by, credential, stamp), IDENTITY_FOUND);
    assert_int_equal(stands(), IDENTITY_FOUND);
}

static void changed(enum change c)
{
    assert_int_equal(c, CHANGE_DONE);
    fixture_commit("changed");
}
#define CHANGE(call)                                                                                         \
    do {                                                                                                     \
        assert_true(change_begin(fixture));                                                                  \
        changed(call);                                                                                       \
    } while (0)

static void another_password(void)
{
    struct change_secrets s = {.verifier = ""};
    assert_true(secret_scram(SPAN("eraser"), SECRET_SHA_256, &s.scram_256));
    CHANGE(change_secrets(fixture, joe, &s));
}

static uint32_t app(const char *label)
{
    struct change_app a = {.label = span_str(label)};
    struct identity_principal p;
    char login[64];
    memset(a.digest, label[0], sizeof a.digest);
    CHANGE(change_app_add(fixture, joe, &a, 1000));
    snprintf(login, sizeof login, "joe@example.org/%s", label);
    assert_int_equal(identity_find(fixture, span_str(login), SPAN(""), NULL, 1, fixture_arena, &p),
                     IDENTITY_FOUND);
    return p.app_password;
}

static struct span label_of(enum identity_by by, uint64_t credential)
{
    struct span label;
    assert_int_equal(identity_label(fixture, joe, (uint8_t)by, credential, fixture_arena, &label),
                     IDENTITY_FOUND);
    return label;
}

static void who_is_locked_or_gone_stands_no_more(void **state)
{
    (void)state;
    joe = fixture_user("joe@example.org", "pencil");
    stamped(IDENTITY_BY_OUTSIDE, 0);
    CHANGE(change_lock(fixture, joe, true));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    CHANGE(change_lock(fixture, joe, false));
    assert_int_equal(stands(), IDENTITY_FOUND);
    CHANGE(change_remove(fixture, joe));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    assert_int_equal(identity_stands(fixture, 0, name, stamp), IDENTITY_UNKNOWN);
}

static void outsiders_have_no_stamp(void **state)
{
    static const uint8_t none[LIMIT_STAMP_OCTETS];
    (void)state;
    joe = fixture_user("joe@example.org", "pencil");
    assert_int_equal(identity_stands(fixture, IDENTITY_OUTSIDE | joe, SPAN("eve@example.org"), none),
                     IDENTITY_FOUND);
    assert_int_equal(identity_stands(fixture, IDENTITY_OUTSIDE | joe, name, none), IDENTITY_UNKNOWN);
    assert_int_equal(identity_stands(fixture, joe, name, none), IDENTITY_UNKNOWN); /* it has one */
}

static void what_it_permits(void **state)
{
    uint32_t staff, other;
    struct change_subject to = {false, 0}, team = {true, 0};
    (void)state;
    to.number = joe = fixture_user("joe@example.org", "pencil");
    uint32_t ann = fixture_user("ann@example.org", "pencil");
    CHANGE(change_grant(fixture, to, RIGHT_SUBMIT, true));
    CHANGE(change_team(fixture, SPAN("staff"), true, &staff));
    CHANGE(change_team(fixture, SPAN("other"), true, &other));
    team.number = staff;
    stamped(IDENTITY_BY_OUTSIDE, 0);
    CHANGE(change_grant(fixture, (struct change_subject){true, other}, RIGHT_RELAY, true));
    CHANGE(change_member(fixture, staff, ann, true));
    CHANGE(change_grant(fixture, (struct change_subject){false, ann}, RIGHT_RELAY, true));
    CHANGE(change_sender(fixture, joe, SPAN("*"), true));
    CHANGE(change_mailbox(fixture, joe, false));
    assert_int_equal(stands(), IDENTITY_FOUND); /* nothing of its own, or asked for each time */
    CHANGE(change_grant(fixture, to, RIGHT_SUBMIT, false));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    CHANGE(change_grant(fixture, to, RIGHT_SUBMIT, true));
    assert_int_equal(stands(), IDENTITY_FOUND);
    CHANGE(change_member(fixture, staff, joe, true)); /* `right` lines may go by it */
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    stamped(IDENTITY_BY_OUTSIDE, 0);
    CHANGE(change_grant(fixture, team, RIGHT_RELAY, true));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    stamped(IDENTITY_BY_OUTSIDE, 0);
    CHANGE(change_grant(fixture, team, RIGHT_RELAY, false));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    stamped(IDENTITY_BY_OUTSIDE, 0);
    CHANGE(change_team(fixture, SPAN("staff"), false, &staff));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
}

static void the_password_of_the_account(void **state)
{
    struct change_secrets none = {.verifier = ""};
    (void)state;
    joe = fixture_user("joe@example.org", "pencil");
    stamped(IDENTITY_BY_PASSWORD, 0);
    (void)app("phone");
    assert_int_equal(stands(), IDENTITY_FOUND);
    another_password();
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    stamped(IDENTITY_BY_PASSWORD, 0);
    another_password(); /* the same one anew is another one */
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    stamped(IDENTITY_BY_PASSWORD, 0);
    CHANGE(change_secrets(fixture, joe, &none));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    stamped(IDENTITY_BY_OUTSIDE, 0);
    another_password();
    assert_int_equal(stands(), IDENTITY_FOUND);
}

static void the_app_password_it_came_by(void **state)
{
    (void)state;
    joe = fixture_user("joe@example.org", "pencil");
    uint32_t phone = app("phone");
    struct span label;
    (void)app("laptop");
    stamped(IDENTITY_BY_APP, phone);
    assert_true(span_eq(label_of(IDENTITY_BY_APP, phone), SPAN("phone")));
    assert_int_equal(label_of(IDENTITY_BY_PASSWORD, phone).n, 0);
    another_password();
    CHANGE(change_app_remove(fixture, joe, SPAN("laptop")));
    assert_int_equal(stands(), IDENTITY_FOUND);
    CHANGE(change_app_remove(fixture, joe, SPAN("phone")));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    assert_true(app("phone") != phone);
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    assert_int_equal(identity_stamp(fixture, joe, IDENTITY_BY_APP, phone, stamp), IDENTITY_UNKNOWN);
    assert_int_equal(identity_label(fixture, joe, IDENTITY_BY_APP, phone, fixture_arena, &label),
                     IDENTITY_UNKNOWN);
}

static void the_key_it_came_by(void **state)
{
    uint8_t key[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, other[32] = {1, 2, 3, 4, 5, 6, 7, 9};
    uint64_t first;
    (void)state;
    memcpy(&first, key, sizeof first);
    joe = fixture_user("joe@example.org", "pencil");
    uint32_t ann = fixture_user("ann@example.org", "pencil");
    assert_int_equal(identity_stamp(fixture, joe, IDENTITY_BY_KEY, first, stamp), IDENTITY_UNKNOWN);
    CHANGE(change_pin(fixture, joe, key, SPAN(""), 1000));
    stamped(IDENTITY_BY_KEY, first);
    CHANGE(change_pin(fixture, joe, other, SPAN("printer"), 1000));
    assert_int_equal(label_of(IDENTITY_BY_KEY, first).n, 0);
    memcpy(&first, other, sizeof first);
    assert_true(span_eq(label_of(IDENTITY_BY_KEY, first), SPAN("printer")));
    assert_int_equal(stands(), IDENTITY_FOUND);
    CHANGE(change_unpin(fixture, joe, other));
    assert_int_equal(stands(), IDENTITY_FOUND);
    CHANGE(change_unpin(fixture, joe, key));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
    CHANGE(change_pin(fixture, ann, key, SPAN(""), 1000));
    assert_int_equal(stands(), IDENTITY_UNKNOWN);
}

/* Whoever asks may have made it up. */
static void a_stamp_that_was_made_up(void **state)
{
    (void)state;
    joe = fixture_user("joe@example.org", "pencil");
    for (size_t i = 0; i < sizeof stamp; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            stamped(IDENTITY_BY_PASSWORD, 0);
            stamp[i] ^= (uint8_t)(1U << bit);
            assert_int_equal(stands(), IDENTITY_UNKNOWN);
        }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fixture_begin, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(who_is_locked_or_gone_stands_no_more),
        CASE(outsiders_have_no_stamp),
        CASE(what_it_permits),
        CASE(the_password_of_the_account),
        CASE(the_app_password_it_came_by),
        CASE(the_key_it_came_by),
        CASE(a_stamp_that_was_made_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
