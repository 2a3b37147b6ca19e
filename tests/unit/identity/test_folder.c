/* The file is what it should be, or says so: damaged, foreign, newer, a link, not there. */
#include "identity_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>

static void put_file(struct span content)
{
    int fd = openat(fixture_folder, IDENTITY_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content.p, content.n), content.n);
    close(fd);
}

static void refused(bool writable, const char *what)
{
    const char *why = NULL;
    struct identity *i = identity_open(fixture_folder, writable, &why);
    assert_null(i);
    assert_non_null(why);
    if (!strstr(why, what)) fail_msg("said: %s", why);
}

static void files_are_the_owners_alone(void **state)
{
    static const char *const names[] = {"", "-wal", "-shm"};
    (void)state;
    fixture_user("joe@example.org", "pencil");
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        char name[32];
        snprintf(name, sizeof name, "%s%s", IDENTITY_FILE, names[i]);
        assert_int_equal(fstatat(fixture_folder, name, &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
}

/* What root makes belongs to the owner of the folder. */
static void files_of_root_are_given_away(void **state)
{
    static const char *const names[] = {"", "-wal", "-shm"};
    const char *why;
    (void)state;
    if (geteuid() != 0) skip();
    identity_close(&fixture);
    assert_int_equal(unlinkat(fixture_folder, IDENTITY_FILE, 0), 0);
    assert_int_equal(chown(fixture_path, 60602, 60602), 0);
    fixture = identity_open(fixture_folder, true, &why);
    assert_non_null(fixture);
    fixture_user("joe@example.org", "pencil");
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        char name[32];
        snprintf(name, sizeof name, "%s%s", IDENTITY_FILE, names[i]);
        assert_int_equal(fstatat(fixture_folder, name, &st, 0), 0);
        assert_int_equal(st.st_uid, 60602);
        assert_int_equal(st.st_gid, 60602);
    }
}

static void what_is_no_database_is_refused(void **state)
{
    (void)state;
    identity_close(&fixture);
    put_file(SPAN("# mailbox <TAB> verifier <TAB> options\njoe@example.org\t!\t\n# and some more text, for a "
                  "header of SQLite has a "
                  "hundred octets ................................"));
    refused(false, "not a database");
    refused(true, "not a database");
    put_file(SPAN(""));
    refused(false, "no tables yet");
    assert_int_equal(unlinkat(fixture_folder, IDENTITY_FILE, 0), 0);
    refused(false, "No such file");
}

/* Every link, also one to a good database. */
static void a_link_or_a_fifo_is_refused(void **state)
{
    (void)state;
    identity_close(&fixture);
    assert_int_equal(renameat(fixture_folder, IDENTITY_FILE, fixture_folder, "other"), 0);
    assert_int_equal(symlinkat("other", fixture_folder, IDENTITY_FILE), 0);
    refused(false, "");
    refused(true, "");
    assert_int_equal(unlinkat(fixture_folder, IDENTITY_FILE, 0), 0);
    assert_int_equal(mkfifoat(fixture_folder, IDENTITY_FILE, 0600), 0);
    refused(false, "");
    refused(true, "");
    unlinkat(fixture_folder, "other", 0);
}

static void set_pragma(const char *sql)
{
    char path[96];
    sqlite3 *db;
    snprintf(path, sizeof path, "/%d/%s", fixture_folder, IDENTITY_FILE);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void other_versions_are_not_touched(void **state)
{
    (void)state;
    identity_close(&fixture);
    set_pragma("PRAGMA user_version=99");
    refused(true, "newer version");
    refused(false, "newer version");
    set_pragma("PRAGMA user_version=1; PRAGMA application_id=5");
    refused(true, "another program");
}

/* SQLite opens nothing else of the machine, whoever asks for it. */
static void no_other_file_can_be_reached(void **state)
{
    sqlite3 *db = NULL;
    (void)state;
    assert_int_not_equal(sqlite3_open_v2("/etc/passwd", &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_not_equal(
        sqlite3_open_v2("identity.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
    sqlite3_close(db);
    char path[96];
    snprintf(path, sizeof path, "/%d/../etc/passwd", fixture_folder);
    assert_int_not_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Each page in turn filled with nonsense, the whole file cut anywhere: an error, or an answer of what is left; never a crash. */
static void damage_is_said(void **state)
{
    static uint8_t whole[1 << 18], damaged[1 << 18];
    struct identity_principal p;
    unsigned unreadable = 0;
    (void)state;
    fixture_user("joe@example.org", "pencil");
    identity_close(&fixture);
    int fd = openat(fixture_folder, IDENTITY_FILE, O_RDONLY);
    ssize_t n = read(fd, whole, sizeof whole);
    close(fd);
    assert_true(n > 4096 && n < (ssize_t)sizeof whole);
    for (size_t at = 0; at < (size_t)n; at += 1024) {
        for (unsigned how = 0; how < 3; how++) {
            size_t left = how == 2 ? at : (size_t)n;
            memcpy(damaged, whole, (size_t)n);
            if (how < 2) memset(damaged + at, how ? 0xff : 0x5a, 512);
            put_file(span_of(damaged, left));
            const char *why;
            struct identity *i = identity_open(fixture_folder, false, &why);
            if (!i) {
                assert_non_null(why);
                unreadable++;
                continue;
            }
            enum identity_found found =
                identity_find(i, SPAN("joe@example.org"), SPAN(""), NULL, 1, fixture_arena, &p);
            unreadable += found == IDENTITY_UNREADABLE || !identity_check(i, &why);
            identity_close(&i);
        }
    }
    assert_true(unreadable > 10);
}

/* One octet of what permits something, in one of the two places where it stands: no page is out of shape, and yet it is found. */
static void a_changed_octet_is_found(void **state)
{
    static const struct {
        struct span where;
        uint8_t before, after; /* what its first octet becomes */
    } changes[] = {
        {SPAN("@given.example"), '@', 'x'},
        {SPAN("\x6b\x79\xa1\xc3"), 0x6b, 0x7b}, /* an end, in unix seconds */
        {SPAN("198.51.100.7"), '1', '9'},
        {SPAN("\x09\x09\x00"), 0x09, 0x08}, /* types of values of a principal: mailbox, locked; 9 is true */
    };
    static uint8_t whole[1 << 18];
    struct change_app app = {.label = SPAN("phone"), .expires = 0x6b79a1c3, .n_networks = 1};
    const struct span network = SPAN("198.51.100.7");
    const char *why;
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    app.networks = &network;
    assert_true(change_begin(fixture));
    assert_int_equal(change_sender(fixture, joe, SPAN("@given.example"), true), CHANGE_DONE);
    assert_int_equal(change_app_add(fixture, joe, &app, 1000), CHANGE_DONE);
    assert_int_equal(change_lock(fixture, joe, true), CHANGE_DONE);
    fixture_commit("given");
    identity_close(&fixture);
    int fd = openat(fixture_folder, IDENTITY_FILE, O_RDONLY);
    ssize_t n = read(fd, whole, sizeof whole);
    close(fd);
    assert_true(n > 4096 && n < (ssize_t)sizeof whole);
    for (size_t k = 0; k < sizeof changes / sizeof changes[0]; k++) {
        uint8_t *at = memmem(whole, (size_t)n, changes[k].where.p, changes[k].where.n);
        assert_non_null(at);
        at += k == 3; /* the lock stands behind the mailbox */
        assert_int_equal(*at, changes[k].before);
        *at = changes[k].after;
        put_file(span_of(whole, (size_t)n));
        *at = changes[k].before;
        struct identity *i = identity_open(fixture_folder, false, &why);
        if (!i) fail_msg("%zu: %s", k, why);
        if (identity_check(i, &why)) fail_msg("change %zu was not found", k);
        identity_close(&i);
    }
    put_file(span_of(whole, (size_t)n));
    struct identity *i = identity_open(fixture_folder, false, &why);
    assert_true(i && identity_check(i, &why));
    identity_close(&i);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)
    const struct CMUnitTest tests[] = {
        CASE(files_are_the_owners_alone),
        CASE(files_of_root_are_given_away),
        CASE(what_is_no_database_is_refused),
        CASE(a_link_or_a_fifo_is_refused),
        CASE(other_versions_are_not_touched),
        CASE(no_other_file_can_be_reached),
        CASE(damage_is_said),
        CASE(a_changed_octet_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
