#include "policy/barred.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "policy/guess.h"

static struct barred *b;

static int begin(void **state)
{
    (void)state;
    b = barred_on(calloc(1, barred_octets()));
    return b ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    free(b);
    return 0;
}

static struct barred_entry entry(const char *network, uint64_t until, bool by_hand)
{
    struct barred_entry e = {.until = until, .by_hand = by_hand};
    assert_true(network_parse(span_str(network), &e.network));
    return e;
}

static bool take(const struct barred_entry *entries, uint32_t n, bool first, bool last)
{
    static uint8_t memory[BARRED_PART_OCTETS];
    struct buf part = buf_on(memory, sizeof memory);
    barred_part_put(&part, entries, n, first, last);
    assert_false(part.over);
    return barred_take(b, buf_span(&part));
}

static struct barred_entry *find(const char *client, bool logins, uint64_t now)
{
    struct address a;
    assert_true(address_parse(span_str(client), &a));
    return barred_find(b, &a, logins, now);
}

static void who_is_on_the_list(void **state)
{
    struct barred_entry e[] = {entry("2001:db8:7::/48", 200, true), entry("198.51.100.0/24", 100, true),
                               entry("192.0.2.2", 100, false), entry("192.0.2.3", 50, false),
                               entry("2001:db8::/64", 100, false)};
    (void)state;
    qsort(e, 5, sizeof *e, barred_order);
    assert_null(find("192.0.2.2", true, 10)); /* nothing was told */
    assert_true(take(e, 5, true, true));
    assert_int_equal(barred_count(b), 5);
    assert_non_null(find("192.0.2.2", true, 99));
    assert_null(find("192.0.2.2", true, 100)); /* it is over */
    assert_null(find("192.0.2.2", false, 10)); /* nobody logs in there */
    assert_null(find("192.0.2.1", true, 10));
    assert_null(find("192.0.2.4", true, 10));
    assert_null(find("192.0.2.3", true, 60));
    assert_non_null(find("2001:db8::1:2", true, 10)); /* an IPv6 /64 is one source */
    assert_null(find("2001:db8:0:1::1", true, 10));
    assert_non_null(find("198.51.100.77", false, 10)); /* by hand: everywhere */
    assert_non_null(find("2001:db8:7:ffff::1", false, 199));
    assert_null(find("198.51.100.77", false, 100)); /* that one ends, too */
    assert_null(find("2001:db8:7:ffff::1", false, 200));
    assert_null(find("2001:db8:8::1", true, 10));
    e[0] = entry("192.0.2.9", 100 + LIMIT_BAN_SECONDS_MAX, false); /* made by a clock that was ahead */
    assert_true(take(e, 1, true, true));
    assert_null(find("192.0.2.9", true, 99));
    assert_non_null(find("192.0.2.9", true, 100));
}

static void a_list_counts_when_it_is_whole(void **state)
{
    const struct barred_entry one = entry("192.0.2.1", 100, false), two = entry("192.0.2.2", 100, false);
    (void)state;
    assert_true(take(&one, 1, true, true));
    assert_true(take(&two, 1, true, false));
    assert_non_null(find("192.0.2.1", true, 10));
    assert_null(find("192.0.2.2", true, 10));
    assert_true(take(NULL, 0, false, true));
    assert_null(find("192.0.2.1", true, 10)); /* it was lifted */
    assert_non_null(find("192.0.2.2", true, 10));
    assert_false(take(&one, 1, false, true)); /* the end of nothing */
    assert_true(take(&one, 1, true, false));
    assert_true(take(&two, 1, true, true)); /* begun anew */
    assert_int_equal(barred_count(b), 1);
    assert_true(take(NULL, 0, true, true));
    assert_int_equal(barred_count(b), 0);
}

static void the_log_is_told_once_of_each(void **state)
{
    struct barred_entry e[] = {entry("198.51.100.0/24", 100, true), entry("192.0.2.2", 100, false)};
    (void)state;
    assert_true(take(e, 2, true, true));
    find("192.0.2.2", true, 10)->told = true;
    find("198.51.100.1", true, 10)->told = true;
    assert_true(take(e, 2, true, true));
    assert_true(find("192.0.2.2", true, 10)->told && find("198.51.100.1", true, 10)->told);
    e[0].until = e[1].until = 101; /* others of the same networks */
    assert_true(take(e, 2, true, true));
    assert_false(find("192.0.2.2", true, 10)->told || find("198.51.100.1", true, 10)->told);
}

static void what_is_malformed_changes_nothing(void **state)
{
    const struct barred_entry good = entry("192.0.2.9", 100, false);
    struct barred_entry wide = entry("192.0.2.0/24", 100, false), host = entry("2001:db8::/64", 100, false),
                        all = entry("0.0.0.0/0", 100, true), bits = good,
                        disorder[] = {entry("192.0.2.9", 1, false), entry("192.0.2.8", 1, false)},
                        twice[] = {good, good}, late[] = {good, entry("198.51.100.0/24", 100, true)};
    uint8_t memory[64];
    struct buf part = buf_on(memory, sizeof memory);
    (void)state;
    host.network.base.octets[15] = 1;
    bits.network.bits = 200;
    bits.by_hand = true;
    assert_true(take(&good, 1, true, true));
    assert_false(take(&wide, 1, true, true)); /* only by hand */
    assert_false(take(&host, 1, true, true));
    assert_false(take(&all, 1, true, true)); /* nobody closes the house */
    assert_false(take(&bits, 1, true, true));
    bits.network.bits = 120; /* beyond them there is more */
    assert_false(take(&bits, 1, true, true));
    assert_false(take(disorder, 2, true, true));
    assert_false(take(twice, 2, true, true));
    assert_false(take(late, 2, true, true));
    barred_part_put(&part, &good, 1, true, true);
    for (size_t n = 0; n < part.n; n++)
        if (n != 2) assert_false(barred_take(b, span_of(memory, n)));
    memory[1] = 1;
    assert_false(barred_take(b, buf_span(&part)));
    memory[1] = 0;
    memory[0] = 7;
    assert_false(barred_take(b, buf_span(&part)));
    memory[0] = 3;
    memory[2 + 17] = 2;
    assert_false(barred_take(b, buf_span(&part)));
    assert_non_null(find("192.0.2.9", true, 10));
    assert_int_equal(barred_count(b), 1);
}

static void it_has_a_bound(void **state)
{
    static struct barred_entry e[LIMIT_BARRED_PART];
    (void)state;
    for (uint32_t i = 0; i < LIMIT_BARRED_PART; i++)
        e[i] = entry("192.0.2.0/24", i, true);
    assert_true(take(e, LIMIT_GUESS_BANS_BY_HAND, true, true));
    assert_false(take(e, LIMIT_GUESS_BANS_BY_HAND + 1, true, true));
    uint32_t n = 0;
    for (bool first = true; n < LIMIT_GUESS_SOURCES; first = false) {
        uint32_t part = 0;
        for (; part < LIMIT_BARRED_PART && n < LIMIT_GUESS_SOURCES; part++, n++) {
            e[part] = entry("10.0.0.0", 100, false);
            for (unsigned k = 0; k < 3; k++)
                e[part].network.base.octets[15 - k] = (uint8_t)(n >> 8 * k);
        }
        assert_true(take(e, part, first, false));
    }
    assert_false(take(&(struct barred_entry){.network = {{{[0] = 0x20}}, 64}}, 1, false, true));
    assert_int_equal(barred_count(b), LIMIT_GUESS_BANS_BY_HAND); /* what was before */
}

/* What policy/guess says is what an edge takes. */
static void of_failed_logins(void **state)
{
    static struct barred_entry list[LIMIT_GUESS_SOURCES + LIMIT_GUESS_BANS_BY_HAND];
    struct guess *g = guess_on(calloc(1, guess_octets()), 5);
    struct guess_ban hand = {.until = 5000000, .since = 1, .reason = GUESS_BY_HAND};
    struct guess_news news;
    struct address a;
    uint64_t version = guess_version(g);
    (void)state;
    assert_true(network_parse(SPAN("203.0.113.0/24"), &hand.network));
    guess_load(g, &hand, 1, 1000);
    assert_true(guess_version(g) != version);
    for (unsigned net = 0; net < 40; net++)
        for (unsigned i = 0; i < 8; i++) {
            char text[32];
            snprintf(text, sizeof text, "192.0.2.%u", net);
            assert_true(address_parse(span_str(text), &a));
            version = guess_version(g);
            guess_failed(g, &a, GUESS_UNKNOWN_USER, &(struct guess_account){0, SPAN("x")}, 1000000, &news);
            assert_int_equal(guess_version(g) != version, news.n_bans > 0);
        }
    assert_true(address_parse(SPAN("192.0.2.200"), &a));
    assert_true(guess_banned(g, &a, 1000000)); /* its neighbours did it: that is not said at the door */
    uint32_t n = guess_barred(g, true, 1000000, list);
    qsort(list, n, sizeof *list, barred_order);
    assert_true(take(list, n, true, true));
    assert_non_null(find("192.0.2.3", true, 1001));
    assert_null(find("192.0.2.200", true, 1001));
    assert_int_equal(guess_barred(g, false, 1000000, list), 1); /* where nobody logs in: that by hand */
    assert_non_null(find("203.0.113.7", false, 1001));
    free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_on_the_list, begin, end),
        cmocka_unit_test_setup_teardown(a_list_counts_when_it_is_whole, begin, end),
        cmocka_unit_test_setup_teardown(the_log_is_told_once_of_each, begin, end),
        cmocka_unit_test_setup_teardown(what_is_malformed_changes_nothing, begin, end),
        cmocka_unit_test_setup_teardown(it_has_a_bound, begin, end),
        cmocka_unit_test_setup_teardown(of_failed_logins, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
