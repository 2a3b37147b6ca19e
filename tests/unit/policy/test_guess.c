#include "policy/guess.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define DAY 86400u
enum { OWNER = 7, OTHER = 8 };
static const uint64_t BEGIN = 1800000000;

static struct guess *fresh(void)
{
    void *memory = calloc(1, guess_octets());
    assert_non_null(memory);
    return guess_on(memory, 0x5eed);
}

static struct address at(const char *text)
{
    struct address a;
    assert_true(address_parse(span_str(text), &a));
    return a;
}

/* 10.n.n.n */
static struct address v4(uint32_t n)
{
    char text[32];
    snprintf(text, sizeof text, "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
    return at(text);
}

static struct guess_news attempt(struct guess *g, struct address a, enum guess_failure kind, uint32_t number,
                                 const char *name, uint64_t seconds)
{
    const struct guess_account who = {number, span_str(name)};
    struct guess_news news;
    guess_failed(g, &a, kind, &who, seconds * 1000, &news);
    return news;
}

static uint64_t succeed(struct guess *g, struct address a, uint32_t number, uint64_t seconds)
{
    uint64_t wait;
    (void)guess_succeeded(g, &a, number, seconds * 1000, &wait);
    return wait;
}

static bool banned(const struct guess *g, struct address a, uint64_t seconds)
{
    return guess_banned(g, &a, seconds * 1000);
}

static enum guess_answer begin(struct guess *g, struct address a, uint64_t seconds)
{
    uint64_t wait;
    return guess_begin(g, &a, seconds * 1000, &wait);
}

static void a_source_is_slowed_then_banned_then_free(void **state)
{
    struct guess *g = fresh();
    struct address a = at("192.0.2.1");
    struct guess_news news = {.n_bans = 0};
    uint64_t wait;
    (void)state;
    for (unsigned i = 1; i < 4; i++)
        attempt(g, a, GUESS_WRONG_SECRET, OWNER, "a@x", BEGIN);
    assert_int_equal(begin(g, a, BEGIN), GUESS_LET);
    for (unsigned i = 4; i < 10; i++)
        assert_int_equal(attempt(g, a, GUESS_WRONG_SECRET, OWNER, "a@x", BEGIN).n_bans, 0);
    assert_int_equal(guess_begin(g, &a, BEGIN * 1000, &wait), GUESS_WAIT);
    assert_in_range(wait, LIMIT_GUESS_WAIT_MS_FIRST, LIMIT_GUESS_WAIT_MS_MAX);
    news = attempt(g, a, GUESS_WRONG_SECRET, OWNER, "a@x", BEGIN);
    assert_int_equal(news.n_bans, 1);
    assert_int_equal(news.bans[0].network.bits, 128);
    assert_int_equal(news.bans[0].failures, 10);
    assert_int_equal(news.bans[0].accounts, 1);
    assert_string_equal(news.bans[0].text, "a@x");
    assert_int_equal(news.bans[0].until, BEGIN + LIMIT_BAN_SECONDS_FIRST);
    assert_int_equal(attempt(g, a, GUESS_WRONG_SECRET, OWNER, "a@x", BEGIN + 1).n_bans,
                     0); /* under way: once */
    assert_int_equal(begin(g, a, BEGIN + LIMIT_BAN_SECONDS_FIRST - 1), GUESS_BANNED);
    assert_int_equal(guess_count(g, BEGIN * 1000), 1);
    assert_false(banned(g, at("192.0.2.2"), BEGIN));
    assert_false(banned(g, a, BEGIN + LIMIT_BAN_SECONDS_FIRST));
    free(g);
}

static uint64_t until_banned(struct guess *g, struct address a, uint64_t seconds)
{
    for (unsigned i = 0; i < 100; i++) {
        struct guess_news news = attempt(g, a, GUESS_UNKNOWN_USER, 0, "nobody", seconds);
        if (news.n_bans) return news.bans[0].until - seconds;
    }
    fail_msg("never banned");
    return 0;
}

static void bans_grow_and_are_forgotten(void **state)
{
    struct guess *g = fresh();
    struct address a = at("2001:db8::1");
    uint64_t now = BEGIN, expected = LIMIT_BAN_SECONDS_FIRST;
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        uint64_t seconds = until_banned(g, a, now);
        assert_int_equal(seconds, expected);
        expected = expected * 4 < LIMIT_BAN_SECONDS_MAX ? expected * 4 : LIMIT_BAN_SECONDS_MAX;
        now += seconds;
    }
    assert_int_equal(until_banned(g, a, now + LIMIT_BAN_FORGET_SECONDS + 1), LIMIT_BAN_SECONDS_FIRST);
    assert_true(banned(g, at("2001:db8::ffff:1"), now + LIMIT_BAN_FORGET_SECONDS + 1)); /* the /64 */
    assert_false(banned(g, at("2001:db8:0:1::1"), now + LIMIT_BAN_FORGET_SECONDS + 1));
    free(g);
}

static void logins_side_by_side_are_one_after_the_other(void **state)
{
    struct guess *g = fresh();
    struct address a = at("192.0.2.1");
    uint64_t wait, before = 0;
    unsigned waiting = 0;
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        attempt(g, a, GUESS_WRONG_SECRET, OWNER, "a@x", BEGIN);
    while (guess_begin(g, &a, BEGIN * 1000, &wait) == GUESS_WAIT) {
        assert_true(wait >= before + LIMIT_GUESS_WAIT_MS_FIRST);
        before = wait;
        waiting++;
    }
    assert_in_range(waiting, 1, 8);
    assert_int_equal(begin(g, a, BEGIN), GUESS_LATER);
    assert_int_equal(begin(g, a, BEGIN - 1000), GUESS_LET); /* a clock that goes back locks nobody out */
    free(g);
}

/* Years, as when a machine starts with a wrong clock: nothing of then counts, neither in memory nor from the store. */
static void a_clock_that_was_ahead_leaves_nothing(void **state)
{
    const uint64_t ahead = BEGIN + 315360000;
    struct guess *g = fresh(), *other = fresh();
    struct address a = at("192.0.2.1"), b = at("192.0.2.2");
    struct guess_ban kept;
    (void)state;
    (void)until_banned(g, a, ahead);
    for (unsigned i = 0; i < LIMIT_GUESS_SPRAY_ACCOUNTS - 1; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", i);
        attempt(g, b, GUESS_WRONG_SECRET, 100 + i, name, ahead);
    }
    assert_true(banned(g, a, ahead + 1) && !banned(g, b, ahead + 1));
    assert_true(banned(g, a, ahead - 3600)); /* an hour is nothing */
    assert_false(banned(g, a, BEGIN));
    assert_true(begin(g, a, BEGIN) == GUESS_LET &&
                begin(g, a, BEGIN) == GUESS_LET); /* no pause between them */
    assert_int_equal(guess_count(g, BEGIN * 1000), 0);
    assert_true(guess_take(g, &kept));
    guess_load(other, &kept, 1, BEGIN * 1000);
    assert_true(begin(other, a, BEGIN) == GUESS_LET && begin(other, a, BEGIN) == GUESS_LET);
    assert_int_equal(guess_count(other, BEGIN * 1000), 0);
    struct guess_news news = attempt(g, b, GUESS_WRONG_SECRET, 200, "n9", BEGIN);
    assert_false(news.spray);
    for (unsigned i = 0; i < 8; i++) /* seldom enough to be forgiven each time */
        attempt(g, b, GUESS_WRONG_SECRET, 200, "n9", BEGIN + 86400 * (i + 1));
    assert_false(banned(g, b, BEGIN + 86400 * 8));
    assert_true(until_banned(g, a, BEGIN + 86400 * 9) > 0); /* and who guesses now is banned now */
    free(g);
    free(other);
}

static void a_slow_guesser_is_forgiven_by_the_clock_alone(void **state)
{
    struct guess *g = fresh();
    struct address a = at("192.0.2.1");
    (void)state;
    for (unsigned i = 0; i < 500; i++) /* a telephone with an old password, where its owner is known */
        succeed(g, a, OWNER, BEGIN), attempt(g, a, GUESS_WRONG_SECRET, OWNER, "a@x", BEGIN + i * 300);
    assert_int_equal(begin(g, a, BEGIN + 500 * 300), GUESS_LET);
    free(g);
}

static unsigned tries_until_banned(struct guess *g, struct address a, enum guess_failure kind, uint32_t n)
{
    for (unsigned i = 1;; i++)
        if (attempt(g, a, kind, n, "a@x", BEGIN).n_bans) return i;
}

static void what_weighs_more(void **state)
{
    struct guess *g = fresh();
    (void)state;
    succeed(g, at("192.0.2.3"), OWNER, BEGIN);
    unsigned unknown = tries_until_banned(g, at("192.0.2.1"), GUESS_UNKNOWN_USER, 0);
    unsigned wrong = tries_until_banned(g, at("198.51.100.2"), GUESS_WRONG_SECRET, OWNER);
    unsigned typo = tries_until_banned(g, at("192.0.2.3"), GUESS_WRONG_SECRET, OWNER);
    assert_true(unknown < wrong && wrong < typo);
    free(g);
}

static void spray_is_recognised_once_a_period(void **state)
{
    struct guess *g = fresh();
    struct address a = at("192.0.2.1");
    unsigned raised = 0;
    (void)state;
    for (uint32_t i = 1; i <= 3 * LIMIT_GUESS_SPRAY_ACCOUNTS;
         i++) { /* slowly: no points are left each time */
        struct guess_news news = attempt(g, a, GUESS_WRONG_SECRET, 100 + i, "a@x", BEGIN + i * 700);
        if (news.spray) {
            raised++;
            assert_int_equal(i, LIMIT_GUESS_SPRAY_ACCOUNTS);
            assert_int_equal(news.spray_accounts, LIMIT_GUESS_SPRAY_ACCOUNTS);
            assert_int_equal(news.bans[0].reason, GUESS_BY_SPRAY);
        }
    }
    assert_int_equal(raised, 1);
    free(g);
}

static void typos_of_those_who_are_known_are_no_spray(void **state)
{
    struct guess *g = fresh();
    struct address office = at("192.0.2.1");
    (void)state;
    for (uint32_t i = 1; i < 60; i++) {
        succeed(g, office, i, BEGIN);
        struct guess_news news = attempt(g, office, GUESS_WRONG_SECRET, i, "a@x", BEGIN + i * 400);
        assert_false(news.spray);
        assert_int_equal(news.n_bans, 0);
    }
    free(g);
}

static void distributed_guessing_is_recognised_and_bans_no_account(void **state)
{
    struct guess *g = fresh();
    struct address home = at("192.0.2.1"), abroad = at("198.51.100.9");
    unsigned raised = 0;
    (void)state;
    succeed(g, home, OWNER, BEGIN);
    for (uint32_t i = 0; i < 40; i++) {
        struct guess_news news = attempt(g, v4(i << 8), GUESS_WRONG_SECRET, OWNER, "a@x", BEGIN + i);
        raised += news.distributed;
        if (news.distributed) assert_int_equal(news.distributed_networks, LIMIT_GUESS_DISTRIBUTED_NETWORKS);
        assert_int_equal(news.wait_ms > 0, i >= LIMIT_GUESS_DISTRIBUTED_NETWORKS);
    }
    assert_int_equal(raised, 1);
    assert_int_equal(begin(g, home, BEGIN + 50), GUESS_LET);
    assert_int_equal(succeed(g, home, OWNER, BEGIN + 50), 0);
    assert_int_equal(begin(g, abroad, BEGIN + 50), GUESS_LET); /* he may travel; it takes longer */
    /* what was proven and permits nothing is told as late as what was not */
    assert_int_equal(guess_wait_ms(g, &home, OWNER, (BEGIN + 50) * 1000), 0);
    assert_int_equal(guess_wait_ms(g, &abroad, OWNER, (BEGIN + 50) * 1000), LIMIT_GUESS_ATTACKED_WAIT_MS);
    assert_int_equal(guess_wait_ms(g, &abroad, OTHER, (BEGIN + 50) * 1000), 0);
    assert_int_equal(succeed(g, abroad, OWNER, BEGIN + 50), LIMIT_GUESS_ATTACKED_WAIT_MS);
    assert_int_equal(succeed(g, abroad, OWNER, BEGIN + 51), 0);
    assert_true(tries_until_banned(g, at("203.0.113.1"), GUESS_WRONG_SECRET, OWNER) <
                tries_until_banned(g, at("203.0.113.2"), GUESS_WRONG_SECRET, OTHER));
    free(g);
}

static void neighbours_are_banned_together_but_for_who_logged_in(void **state)
{
    struct guess *g = fresh();
    (void)state;
    succeed(g, v4(200), OWNER, BEGIN);
    for (uint32_t i = 1; i < 20; i++)
        until_banned(g, v4(i), BEGIN);
    assert_int_equal(begin(g, v4(100), BEGIN), GUESS_BANNED); /* did nothing itself */
    assert_int_equal(begin(g, v4(200), BEGIN), GUESS_LET);
    assert_int_equal(begin(g, v4(256), BEGIN), GUESS_LET);
    free(g);
}

/* Who logged in from there long ago is a stranger: to the ban of its neighbours, and in what a failure weighs. */
static void a_source_is_known_for_so_long(void **state)
{
    const uint64_t late = BEGIN + LIMIT_GUESS_KNOWN_SECONDS;
    struct address lately = at("192.0.2.1"), once = at("198.51.100.1");
    struct guess *g = fresh();
    unsigned bans[2] = {0, 0};
    (void)state;
    succeed(g, v4(200), OWNER, BEGIN);
    for (uint32_t i = 1; i < 20; i++)
        until_banned(g, v4(i), late - 60);
    assert_int_equal(begin(g, v4(200), late - 1), GUESS_LET);
    assert_int_equal(begin(g, v4(200), late), GUESS_BANNED);
    succeed(g, once, OWNER, BEGIN);
    succeed(g, lately, OWNER, BEGIN + 1);
    for (uint32_t i = 0; i < 12; i++) {
        bans[0] += attempt(g, lately, GUESS_WRONG_SECRET, OWNER, "a@x", late).n_bans;
        bans[1] += attempt(g, once, GUESS_WRONG_SECRET, OWNER, "a@x", late).n_bans;
    }
    assert_int_equal(bans[0], 0);
    assert_int_equal(bans[1], 1);
    free(g);
}

/* Whatever an attacker without the password does from other networks: any mix of failures, of addresses near and far, with an account of
 * his own, and with time going on, the owner is let from where he logged in lately, at once. */
static void the_owner_is_always_let(void **state)
{
    uint64_t chance = 42;
    (void)state;
    for (unsigned round = 0; round < 8; round++) {
        struct guess *g = fresh();
        struct address home = v4(0x010203);
        uint64_t now = BEGIN, logged_in = BEGIN;
        succeed(g, home, OWNER, now);
        for (unsigned i = 0; i < 60000; i++) {
            chance = chance * 6364136223846793005u + 1442695040888963407u;
            uint32_t r = (uint32_t)(chance >> 32);
            uint32_t where = r & 1 ? 0x010200 | (r >> 1 & 255) : round & 1 ? r >> 1 & 0xffff00 : r >> 1;
            if ((where & 0xffffff) == 0x010203) continue;
            char name[16];
            snprintf(name, sizeof name, "n%u", r >> 9 & 1023);
            if (r % 50 == 0 && !banned(g, v4(where), now))
                succeed(g, v4(where), OTHER, now);
            else if (r % 3)
                attempt(g, v4(where), GUESS_WRONG_SECRET, OWNER, "owner@x", now);
            else
                attempt(g, v4(where), r & 64 ? GUESS_UNKNOWN_USER : GUESS_MALFORMED, 0, name, now);
            now += r >> 28;
            if (i % 16) continue;
            assert_int_equal(begin(g, home, now), GUESS_LET);
            if (now - logged_in > LIMIT_GUESS_KNOWN_SECONDS / 2) {
                assert_int_equal(succeed(g, home, OWNER, now), 0);
                logged_in = now;
            }
        }
        assert_true(banned(g, v4(0x010204), now)); /* the attack was one */
        free(g);
    }
}

static void tables_hold_what_counts(void **state)
{
    struct guess *g = fresh();
    struct address worst = at("192.0.2.1");
    uint64_t wait;
    (void)state;
    until_banned(g, worst, BEGIN);
    for (uint32_t i = 0; i < 4 * LIMIT_GUESS_SOURCES; i++) /* each fails once: more than there are rows */
        attempt(g, v4(i), GUESS_MALFORMED, 0, "", BEGIN + 1);
    assert_true(banned(g, worst, BEGIN + 2));
    assert_true(
        guess_succeeded(g, &worst, OWNER, BEGIN * 1000, &wait)); /* to be kept once a day, not each time */
    assert_false(guess_succeeded(g, &worst, OWNER, (BEGIN + 60) * 1000, &wait));
    assert_true(guess_succeeded(g, &worst, OWNER, (BEGIN + DAY) * 1000, &wait));
    free(g);
}

static void bans_are_kept_lifted_and_added(void **state)
{
    struct guess *g = fresh(), *next = fresh();
    struct guess_ban ban, other, hand = {.since = BEGIN, .until = BEGIN + DAY, .reason = GUESS_BY_HAND};
    struct address a = at("192.0.2.1"), b = at("203.0.113.77");
    (void)state;
    assert_true(network_parse(SPAN("203.0.113.64/26"), &hand.network));
    until_banned(g, a, BEGIN);
    assert_true(guess_take(g, &ban));
    assert_false(guess_take(g, &other));
    guess_give_back(g, &ban);
    assert_true(guess_take(g, &ban));

    guess_load(next, &ban, 1, BEGIN * 1000); /* a restart */
    assert_true(banned(next, a, BEGIN + 1));
    assert_false(guess_take(next, &other));
    assert_true(guess_ban_of(next, &a, BEGIN * 1000, &other));
    assert_int_equal(other.strikes, 1);

    until_banned(g, b, BEGIN); /* not taken yet: nobody can have lifted it */
    guess_load(g, &hand, 1, BEGIN * 1000);
    assert_false(banned(g, a, BEGIN + 1)); /* lifted */
    assert_true(banned(g, b, BEGIN + 1));
    assert_true(banned(g, at("203.0.113.65"), BEGIN + 1));
    assert_false(banned(g, at("203.0.113.65"), BEGIN + DAY));
    assert_int_equal(begin(g, a, BEGIN + 1), GUESS_LET); /* nothing is held against it */
    free(g);
    free(next);
}

static void a_text_is_printable_whatever_was_said(void **state)
{
    struct guess *g = fresh();
    struct guess_ban ban;
    struct address a = at("192.0.2.1");
    (void)state;
    attempt(g, a, GUESS_UNKNOWN_USER, 0,
            "a\"\n,\xff"
            "b",
            BEGIN);
    attempt(
        g, a, GUESS_UNKNOWN_USER, 0,
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890123456789",
        BEGIN);
    until_banned(g, a, BEGIN);
    assert_true(guess_ban_of(g, &a, BEGIN * 1000, &ban));
    assert_string_equal(ban.text, "a????b,nobody");
    free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_slowed_then_banned_then_free),
        cmocka_unit_test(bans_grow_and_are_forgotten),
        cmocka_unit_test(logins_side_by_side_are_one_after_the_other),
        cmocka_unit_test(a_slow_guesser_is_forgiven_by_the_clock_alone),
        cmocka_unit_test(a_clock_that_was_ahead_leaves_nothing),
        cmocka_unit_test(what_weighs_more),
        cmocka_unit_test(spray_is_recognised_once_a_period),
        cmocka_unit_test(typos_of_those_who_are_known_are_no_spray),
        cmocka_unit_test(distributed_guessing_is_recognised_and_bans_no_account),
        cmocka_unit_test(neighbours_are_banned_together_but_for_who_logged_in),
        cmocka_unit_test(a_source_is_known_for_so_long),
        cmocka_unit_test(the_owner_is_always_let),
        cmocka_unit_test(tables_hold_what_counts),
        cmocka_unit_test(bans_are_kept_lifted_and_added),
        cmocka_unit_test(a_text_is_printable_whatever_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
