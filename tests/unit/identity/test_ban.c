#include "identity_fixture.h"

#include <sqlite3.h>

#include "identity/ban.h"
#include "identity/folder.h"

static struct network network(const char *text)
{
    struct network n;
    assert_true(network_parse(span_str(text), &n));
    return n;
}

static struct guess_ban ban_of(const char *text, uint64_t until)
{
    struct guess_ban ban = {
        .network = network(text), .since = 5, .until = until, .strikes = 2, .failures = 7};
    ban.accounts = 3;
    ban.reason = GUESS_BY_SPRAY;
    strcpy(ban.text, "a@x,b@x");
    return ban;
}

static void put(const char *text, uint64_t until, uint64_t now)
{
    struct guess_ban ban = ban_of(text, until);
    assert_true(change_begin(fixture));
    assert_true(ban_put(fixture, &ban));
    assert_true(ban_commit(fixture, now));
}

static void bans_come_back_as_they_went(void **state)
{
    struct guess_ban list[4], ban = ban_of("192.0.2.0/24", 2000000);
    (void)state;
    put("192.0.2.0/24", 2000000, 1000000);
    put("2001:db8::/64", BAN_FOREVER, 1000000);
    put("192.0.2.0/24", 2000000, 1000000); /* once */
    assert_int_equal(ban_list(fixture, list, 4), 2);
    assert_int_equal(list[0].until, BAN_FOREVER);
    assert_memory_equal(&list[1], &ban, sizeof ban);
    assert_int_equal(ban_list(fixture, list, 1), 1);

    assert_true(change_begin(fixture));
    assert_int_equal(ban_remove(fixture, &ban.network), CHANGE_DONE);
    assert_int_equal(ban_remove(fixture, &ban.network), CHANGE_NONE);
    assert_true(ban_commit(fixture, 1000000));
    assert_int_equal(ban_list(fixture, list, 4), 1);
}

static void what_is_old_goes(void **state)
{
    struct guess_ban list[4];
    const uint64_t later = 2000000 + LIMIT_BAN_FORGET_SECONDS;
    (void)state;
    put("192.0.2.1", 2000000, 1000000);
    put("192.0.2.2", later, later); /* the first is over and not forgotten: it makes the next one longer */
    assert_int_equal(ban_list(fixture, list, 4), 2);
    put("192.0.2.2", later, later + 1);
    assert_int_equal(ban_list(fixture, list, 4), 1);
}

static void what_another_program_wrote_is_looked_at(void **state)
{
    struct guess_ban list[4];
    (void)state;
    put("192.0.2.1", BAN_FOREVER + 1, 1000000);
    put("192.0.2.2", UINT64_MAX, 1000000); /* negative in the table */
    put("192.0.2.3", 2000000, 1000000);
    assert_int_equal(ban_list(fixture, list, 4), 1);
    assert_int_equal(list[0].until, 2000000);
}

static void a_change_of_another_is_seen(void **state)
{
    int64_t version = 0;
    const char *why;
    struct guess_ban list[4];
    struct identity *other = identity_open(fixture_folder, true, &why);
    (void)state;
    assert_non_null(other);
    assert_true(ban_changed(other, &version));
    assert_false(ban_changed(other, &version));
    put("192.0.2.1", 2000000, 1000000);
    assert_true(ban_changed(other, &version));
    assert_int_equal(ban_list(other, list, 4), 1);
    assert_false(ban_changed(other, &version));
    identity_close(&other);
}

struct seen {
    unsigned n;
    struct ban_known last;
};

static void see(void *context, const struct ban_known *k)
{
    struct seen *seen = context;
    seen->n++;
    seen->last = *k;
}

static void know(uint32_t principal, unsigned where, uint64_t when)
{
    char text[32];
    snprintf(text, sizeof text, "192.0.2.%u", where);
    const struct ban_known k = {principal, network(text), when};
    assert_true(change_begin(fixture));
    assert_true(ban_know(fixture, &k));
    assert_true(ban_commit(fixture, when));
}

static void known_networks_are_few_and_go_with_their_principal(void **state)
{
    struct seen seen = {.n = 0};
    uint32_t joe = fixture_user("joe@example.org", "x"), ann = fixture_user("ann@example.org", "x");
    const uint64_t now = 2 * LIMIT_GUESS_KNOWN_SECONDS;
    (void)state;
    for (unsigned i = 1; i <= 2 * LIMIT_GUESS_KNOWN_NETWORKS; i++)
        know(joe, i, now + i);
    know(ann, 200, now);
    know(ann + 1, 201, now); /* there is none */
    assert_true(ban_each_known(fixture, see, &seen));
    assert_int_equal(seen.n, LIMIT_GUESS_KNOWN_NETWORKS + 1);
    assert_int_equal(seen.last.principal, joe);
    assert_int_equal(seen.last.source.base.octets[15], 2 * LIMIT_GUESS_KNOWN_NETWORKS);
    assert_true(change_begin(fixture));
    assert_int_equal(change_remove(fixture, joe), CHANGE_DONE);
    fixture_commit("user remove");
    seen.n = 0;
    assert_true(ban_each_known(fixture, see, &seen));
    assert_int_equal(seen.n, 1);
    know(ann, 7, now + LIMIT_GUESS_KNOWN_SECONDS + 1);
    seen.n = 0;
    assert_true(ban_each_known(fixture, see, &seen));
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.source.base.octets[15], 7);
}

/* What SQLite itself makes of the fixture's file; with a version of before: as it was then. */
static void by_sqlite(const char *sql)
{
    sqlite3 *db;
    char name[FOLDER_NAME_OCTETS];
    folder_name(fixture_folder, name);
    assert_int_equal(sqlite3_open_v2(name, &db, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

#define INDEXES_OF_VERSION_3                                                                                 \
    "DROP INDEX principal_locked; DROP INDEX app_expires; DROP INDEX app_network_network; "                  \
    "DROP INDEX sender_pattern; "

/* A database of the first version gets what is new when it is opened to be written. */
static void an_older_database_is_brought_up_to_date(void **state)
{
    const char *why;
    struct guess_ban list[4];
    (void)state;
    identity_close(&fixture);
    by_sqlite("DROP TABLE ban; DROP TABLE known; " INDEXES_OF_VERSION_3 "PRAGMA user_version=1");
    assert_null(identity_open(fixture_folder, false, &why));
    fixture = identity_open(fixture_folder, true, &why);
    assert_non_null(fixture);
    assert_int_equal(ban_list(fixture, list, 4), 0);
}

/* Indexes that are missing keep nobody from reading: `sallyport check` says nothing of it after an upgrade of the program. */
static void who_reads_takes_an_older_one(void **state)
{
    const char *why;
    (void)state;
    identity_close(&fixture);
    by_sqlite(INDEXES_OF_VERSION_3 "PRAGMA user_version=2");
    fixture = identity_open(fixture_folder, false, &why);
    assert_true(fixture && identity_check(fixture, &why));
    identity_close(&fixture);
    fixture = identity_open(fixture_folder, true, &why); /* and brings it up to date */
    assert_non_null(fixture);
    identity_close(&fixture);
    by_sqlite("DROP INDEX sender_pattern");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_begin, fixture_end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bans_come_back_as_they_went),
        TEST(what_is_old_goes),
        TEST(what_another_program_wrote_is_looked_at),
        TEST(a_change_of_another_is_seen),
        TEST(known_networks_are_few_and_go_with_their_principal),
        TEST(an_older_database_is_brought_up_to_date),
        TEST(who_reads_takes_an_older_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
