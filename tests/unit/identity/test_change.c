#include "identity_fixture.h"

#include <sqlite3.h>
#include <sys/wait.h>

#include "identity/list.h"

static void a_change_that_is_given_up_is_none(void **state)
{
    uint32_t number;
    (void)state;
    assert_true(change_begin(fixture));
    assert_int_equal(change_add(fixture, PRINCIPAL_USER, SPAN("joe@example.org"), true, 1, &number),
                     CHANGE_DONE);
    change_undo(fixture);
    assert_int_equal(change_find(fixture, SPAN("joe@example.org"), &number), IDENTITY_UNKNOWN);
}

static void a_name_is_taken_once_and_a_number_never_again(void **state)
{
    uint32_t other = 0;
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    assert_true(change_begin(fixture));
    assert_int_equal(change_add(fixture, PRINCIPAL_USER, SPAN("joe@example.org"), true, 1, &other),
                     CHANGE_NONE);
    assert_int_equal(change_remove(fixture, joe), CHANGE_DONE);
    assert_int_equal(change_remove(fixture, joe), CHANGE_NONE);
    assert_int_equal(change_add(fixture, PRINCIPAL_USER, SPAN("joe@example.org"), true, 1, &other),
                     CHANGE_DONE);
    fixture_commit("anew");
    assert_true(other > joe);
}

/* What two principals have alike is taken from one of them: the other one keeps it. */
static void a_change_is_of_one_principal(void **state)
{
    const struct change_app app = {.label = SPAN("phone")};
    const struct change_secrets none = {.verifier = ""};
    struct identity_principal p;
    uint8_t keys[2][32] = {{1}, {2}};
    uint32_t team, number[2];
    (void)state;
    number[0] = fixture_user("joe@example.org", "pencil");
    number[1] = fixture_user("ann@example.org", "pencil");
    assert_true(change_begin(fixture));
    assert_int_equal(change_team(fixture, SPAN("staff"), true, &team), CHANGE_DONE);
    for (unsigned i = 0; i < 2; i++) {
        const struct change_subject one = {.number = number[i]};
        assert_int_equal(change_member(fixture, team, number[i], true), CHANGE_DONE);
        assert_int_equal(change_grant(fixture, one, RIGHT_SUBMIT, true), CHANGE_DONE);
        assert_int_equal(change_grant(fixture, one, RIGHT_RELAY, true), CHANGE_DONE);
        assert_int_equal(change_sender(fixture, number[i], SPAN("x@example.net"), true), CHANGE_DONE);
        assert_int_equal(change_app_add(fixture, number[i], &app, 1), CHANGE_DONE);
        assert_int_equal(change_pin(fixture, number[i], keys[i], SPAN(""), 1), CHANGE_DONE);
    }
    assert_int_equal(change_pin(fixture, number[0], keys[1], SPAN(""), 1), CHANGE_NONE); /* it is hers */
    assert_int_equal(change_unpin(fixture, number[0], keys[1]), CHANGE_NONE);
    assert_int_equal(change_unpin(fixture, number[0], keys[0]), CHANGE_DONE);
    assert_int_equal(change_app_remove(fixture, number[0], SPAN("phone")), CHANGE_DONE);
    assert_int_equal(change_sender(fixture, number[0], SPAN("x@example.net"), false), CHANGE_DONE);
    assert_int_equal(change_grant(fixture, (struct change_subject){.number = number[0]}, RIGHT_RELAY, false),
                     CHANGE_DONE);
    assert_int_equal(change_member(fixture, team, number[0], false), CHANGE_DONE);
    assert_int_equal(change_secrets(fixture, number[0], &none), CHANGE_DONE);
    assert_int_equal(change_mailbox(fixture, number[0], false), CHANGE_DONE);
    assert_int_equal(change_lock(fixture, number[0], true), CHANGE_DONE);
    fixture_commit("all of joe's");
    assert_int_equal(identity_by_number(fixture, number[0], fixture_arena, &p), IDENTITY_FOUND);
    assert_true(p.locked && p.n_groups == 0 && p.n_grants == 1 && p.grants[0].rights == RIGHT_SUBMIT);
    assert_int_equal(identity_by_key(fixture, keys[1], fixture_arena, &p), IDENTITY_FOUND);
    assert_int_equal(p.number, number[1]);
    assert_false(p.locked);
    assert_true(p.n_groups == 1 && p.n_grants == 1);
    assert_int_equal(p.grants[0].rights, RIGHT_SUBMIT | RIGHT_RELAY);
    assert_int_equal(identity_sender(fixture, number[1], SPAN("x@example.net"), NULL), IDENTITY_FOUND);
    assert_int_equal(
        identity_find(fixture, SPAN("ann@example.org/phone"), SPAN(""), NULL, 1, fixture_arena, &p),
        IDENTITY_FOUND);
    assert_int_equal(identity_find(fixture, SPAN("ann@example.org"), SPAN(""), NULL, 1, fixture_arena, &p),
                     IDENTITY_FOUND);
    assert_true(p.scram_256.iterations > 0);
    uint32_t after = 0;
    const char *why;
    struct span name;
    assert_true(identity_next_mailbox(fixture, &after, fixture_arena, &name, &why));
    assert_span(name, "ann@example.org");
}

/* Whatever hangs on it goes with it. */
static void a_principal_takes_everything_along(void **state)
{
    const struct span networks[] = {SPAN("192.0.2.0/24")};
    struct change_app app = {.label = SPAN("phone"), .networks = networks, .n_networks = 1};
    const uint8_t key[32] = {1};
    uint32_t team, other;
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    app.secrets.scram_256 = (struct secret_scram){.iterations = 4096, .salt_octets = 16};
    assert_true(secret_scram_keys(SPAN("x"), SECRET_SHA_256, &app.secrets.scram_256));
    assert_true(change_begin(fixture));
    assert_int_equal(change_team(fixture, SPAN("staff"), true, &team), CHANGE_DONE);
    assert_int_equal(change_member(fixture, team, joe, true), CHANGE_DONE);
    assert_int_equal(change_grant(fixture, (struct change_subject){.number = joe}, RIGHT_RELAY, true),
                     CHANGE_DONE);
    assert_int_equal(change_sender(fixture, joe, SPAN("*"), true), CHANGE_DONE);
    assert_int_equal(change_app_add(fixture, joe, &app, 1), CHANGE_DONE);
    assert_int_equal(change_pin(fixture, joe, key, SPAN(""), 1), CHANGE_DONE);
    assert_int_equal(change_remove(fixture, joe), CHANGE_DONE);
    assert_int_equal(change_add(fixture, PRINCIPAL_USER, SPAN("ann@example.org"), true, 1, &other),
                     CHANGE_DONE);
    assert_int_equal(change_pin(fixture, other, key, SPAN(""), 1), CHANGE_DONE); /* it is free again */
    assert_int_equal(change_app_remove(fixture, joe, SPAN("phone")), CHANGE_NONE);
    assert_int_equal(change_sender(fixture, joe, SPAN("*"), false), CHANGE_NONE);
    fixture_commit("remove");
    const char *why;
    assert_true(identity_check(fixture, &why));
}

/* A new password leaves nothing of the old one, in the file either. */
static void old_secrets_are_gone(void **state)
{
    struct identity_principal p;
    struct change_secrets s = {.verifier = "$y$j9T$old-verifier-of-joe", .has_nt = true, .has_cram = true};
    const struct change_secrets none = {.verifier = ""};
    char command[160];
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    memcpy(s.cram, "0123456789abcdef0123456789abcdef", 32);
    assert_true(change_begin(fixture));
    assert_int_equal(change_secrets(fixture, joe, &s), CHANGE_DONE);
    fixture_commit("passwd");
    assert_int_equal(identity_find(fixture, SPAN("joe@example.org"), SPAN(""), NULL, 1, fixture_arena, &p),
                     IDENTITY_FOUND);
    assert_span(p.crypt, "$y$j9T$old-verifier-of-joe");
    assert_true(p.has_nt && p.has_cram);
    assert_memory_equal(p.cram, s.cram, 32);
    assert_int_equal(p.scram_256.iterations, 0);
    assert_true(change_begin(fixture));
    assert_int_equal(change_secrets(fixture, joe, &none), CHANGE_DONE);
    fixture_commit("passwd");
    assert_int_equal(identity_find(fixture, SPAN("joe@example.org"), SPAN(""), NULL, 1, fixture_arena, &p),
                     IDENTITY_FOUND);
    assert_false(p.has_nt || p.has_cram || p.crypt.n);
    identity_close(&fixture); /* the log goes into the file */
    snprintf(command, sizeof command, "grep -rq old-verifier %s", fixture_path);
    assert_int_equal(WEXITSTATUS(system(command)), 1);
}

static void groups_have_an_end(void **state)
{
    char name[16];
    uint32_t team = 0;
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    assert_true(change_begin(fixture));
    for (int i = 0; i <= LIMIT_IDENTITY_GROUPS; i++) {
        snprintf(name, sizeof name, "g%d", i);
        assert_int_equal(change_team(fixture, span_str(name), true, &team), CHANGE_DONE);
        assert_int_equal(change_member(fixture, team, joe, true),
                         i < LIMIT_IDENTITY_GROUPS ? CHANGE_DONE : CHANGE_FAILED);
    }
    change_undo(fixture);
}

static void count_row(void *context, const struct list_value *values, unsigned n)
{
    (void)values, (void)n;
    ++*(unsigned *)context;
}

static void the_audit_forgets_what_is_old(void **state)
{
    static const char jump[] =
        "UPDATE sqlite_sequence SET seq=seq+" /* as if as many changes had been made */;
    unsigned rows = 0;
    const char *why;
    char path[96], sql[128];
    sqlite3 *db;
    (void)state;
    fixture_user("joe@example.org", "pencil");
    fixture_user("ann@example.org", "pencil");
    snprintf(path, sizeof path, "/%d/%s", fixture_folder, IDENTITY_FILE);
    snprintf(sql, sizeof sql, "%s%d WHERE name='audit'", jump, LIMIT_IDENTITY_AUDIT_ROWS - 2);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(change_begin(fixture));
    fixture_commit("the last that leaves room for the first");
    assert_true(list_each(fixture, LIST_AUDIT, SPAN(""), count_row, &rows, &why));
    assert_int_equal(rows, 2); /* the first is gone */
}

/* What the tables refuse is said, and nothing of the command stays. */
static void nonsense_fails(void **state)
{
    struct change_app app = {.label = SPAN("")};
    (void)state;
    uint32_t joe = fixture_user("joe@example.org", "pencil");
    assert_true(change_begin(fixture));
    assert_int_equal(change_app_add(fixture, joe, &app, 1), CHANGE_FAILED);
    assert_non_null(strstr(change_why(fixture), "CHECK"));
    change_undo(fixture);
    assert_true(change_begin(fixture));
    assert_int_equal(change_sender(fixture, joe + 7, SPAN("*"), true), CHANGE_FAILED);
    assert_non_null(strstr(change_why(fixture), "FOREIGN KEY"));
    change_undo(fixture);
}

/* Two processes, many changes each: none is lost, nobody is refused. */
static void two_write_at_once(void **state)
{
    enum { EACH = 40 };
    pid_t children[2];
    (void)state;
    identity_close(&fixture); /* SQLite may not be carried through a fork */
    for (int c = 0; c < 2; c++) {
        children[c] = fork();
        if (children[c] != 0) continue;
        const char *why;
        struct identity *mine = identity_open(fixture_folder, true, &why);
        bool good = mine != NULL;
        for (int k = 0; good && k < EACH; k++) {
            char name[48];
            uint32_t number;
            snprintf(name, sizeof name, "u%d-%d@example.org", c, k);
            good = change_begin(mine) &&
                   change_add(mine, PRINCIPAL_USER, span_str(name), true, 1, &number) == CHANGE_DONE &&
                   change_commit(mine, &fixture_caller, SPAN("add"));
        }
        identity_close(&mine);
        _exit(good ? 0 : 1);
    }
    for (int c = 0; c < 2; c++) {
        int status;
        assert_int_equal(waitpid(children[c], &status, 0), children[c]);
        assert_int_equal(status, 0);
    }
    const char *why;
    uint32_t after = 0, count = 0;
    struct span name;
    struct identity *reader = identity_open(fixture_folder, false, &why);
    assert_non_null(reader);
    while (identity_next_mailbox(reader, &after, fixture_arena, &name, &why))
        count++;
    assert_null(why);
    assert_int_equal(count, 2 * EACH);
    identity_close(&reader);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)
    const struct CMUnitTest tests[] = {
        CASE(a_change_that_is_given_up_is_none),
        CASE(a_name_is_taken_once_and_a_number_never_again),
        CASE(a_change_is_of_one_principal),
        CASE(a_principal_takes_everything_along),
        CASE(old_secrets_are_gone),
        CASE(groups_have_an_end),
        CASE(the_audit_forgets_what_is_old),
        CASE(nonsense_fails),
        CASE(two_write_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
