/* Invariant I2, proof is not permission: a mechanism that succeeds for anybody. This program has a mechanism of its own where the daemon has
 * CRAM-MD5: it proves whatever the test wants, and claims rights besides. All that follows is the daemon's: service/login finds rights,
 * service/inbound believes the answer, policy/decide permits. In 2002 (MS02-011) such a client could relay. */
#include "inbound_fixture.h"

#include "../identity/identity_fixture.h"

#include "directory/sender_message.h"
#include "sasl/mechanism.h"
#include "service/login_private.h"

#define ALL_RIGHTS UINT32_MAX
#define LISTENERS                                                                                            \
    " listen 127.0.0.1:2525\n listen 127.0.0.1:2526 proxy from 127.0.0.0/8\n"                                \
    " allow-cleartext-auth 127.0.0.0/8\n limits { sessions 64 sessions-per-source 4 }\n"
/* Lines that would permit much to those names and that group, if who has logged in were them. */
#define GRANTS                                                                                               \
    " right submit to group staff\n right relay to group staff\n"                                            \
    " right submit to user alice@dest.example\n right relay to user alice@dest.example\n"                    \
    " right submit to domain granted.example\n right relay to domain granted.example\n"
#define CONFIG(access)                                                                                       \
    "hostname mx.test.example\nserver mx {\n access " access "\n" LISTENERS GRANTS "}\n"                     \
    "recipients dest.example any\n"

enum { NOBODYS_NUMBER = 4711 };

static struct login_world world;
static struct login_thread *thread;
static struct login *login;
static uint8_t answer[LOGIN_ANSWER_OCTETS];
static struct buf answered;
static bool answer_is_of_a_login;
static uint32_t alice, stranger, locked, removed;

/* --- the mechanism */

static struct identity_principal claims; /* what it says of who is there */
static bool proves, stamps = true;
static uint64_t ends = UINT64_MAX; /* unix seconds: its proof does */
static const char *vouched_for;    /* by an outside authority; null: no such one is asked */
static bool cannot_say;            /* and tells nobody why */

enum login_kind login_cram(struct login *l, struct login_thread *thread_of_it, struct span response,
                           bool initial)
{
    (void)response, (void)initial;
    if (cannot_say) return LOGIN_LATER;
    if (vouched_for) {
        enum login_kind kind = login_outside(l, thread_of_it, span_str(vouched_for), NULL, 0);
        if (kind != LOGIN_SUCCESS) return kind;
        l->who.grants = claims.grants;
        l->who.n_grants = claims.n_grants;
        return LOGIN_SUCCESS;
    }
    login_claim(l, claims.name);
    login_ends(l, ends);
    l->who = claims;
    if (proves && stamps) (void)!login_stamp(l, thread_of_it, IDENTITY_BY_OUTSIDE, 0);
    l->proven = proves;
    return LOGIN_SUCCESS;
}

/* --- the directory, without its process */

static bool ask(void *context, enum inbound_question kind, struct span payload)
{
    struct login_begin begin;
    struct login_answer a;
    struct sender_question question;
    struct sender_answer verdict;
    (void)context;
    answered = buf_on(answer, sizeof answer);
    answer_is_of_a_login = kind == INBOUND_LOGIN_BEGIN;
    if (kind == INBOUND_SENDER) {
        assert_true(sender_question_read(payload, &question));
        login_sender(thread, &question, &verdict);
        sender_answer_put(&answered, &verdict);
        return true;
    }
    assert_int_equal(kind, INBOUND_LOGIN_BEGIN);
    assert_true(login_begin_read(payload, &begin));
    login = login_create(&world, &begin);
    assert_non_null(login);
    login_step(login, thread, SPAN(""), 2000, &a);
    login_answer_put(&answered, &a);
    return true;
}

/* Says it, has the directory answer, returns all that was heard. */
static const char *dialogue(int fd, const char *text)
{
    static char heard[4096];
    answered = buf_on(NULL, 0);
    snprintf(heard, sizeof heard, "%s", line(fd, text));
    if (answered.n == 0) return heard;
    assert_true(
        (answer_is_of_a_login ? inbound_login_answer : inbound_sender_answer)(t.in, buf_span(&answered)));
    login_free(&login);
    strncat(heard, line(fd, ""), sizeof heard - strlen(heard) - 1);
    return heard;
}

/* --- who there is */

static void grant(uint32_t number)
{
    assert_true(change_begin(fixture));
    assert_int_equal(
        change_grant(fixture, (struct change_subject){false, number}, RIGHT_SUBMIT | RIGHT_RELAY, true),
        CHANGE_DONE);
    fixture_commit("grant");
}

static void people(void)
{
    alice = fixture_user("alice@dest.example", "secret");
    stranger = fixture_user("stranger@dest.example", "secret");
    locked = fixture_user("locked@dest.example", "secret");
    removed = fixture_user("removed@dest.example", "secret");
    grant(locked);
    grant(removed);
    assert_true(change_begin(fixture));
    assert_int_equal(change_lock(fixture, locked, true), CHANGE_DONE);
    assert_int_equal(change_remove(fixture, removed), CHANGE_DONE);
    fixture_commit("lock, remove");
}

static int begin(const char *config)
{
    const char *why;
    if (set_up_config(config, ask) != 0) return -1;
    /* the row of the mechanism, without what a configuration would ask for it */
    ((struct config_server *)(uintptr_t)t.config->servers)->mechanisms = MECHANISM_BIT(MECHANISM_CRAM_MD5);
    world =
        (struct login_world){.config = t.config, .identity = fixture_folder, .home = SPAN("dest.example")};
    thread = login_thread_create(&world, &why);
    return thread ? 0 : -1;
}

static int begin_both(void **state)
{
    if (fixture_begin(state) != 0) return -1;
    people();
    return begin(CONFIG("both"));
}

static int begin_authenticated(void **state)
{
    if (fixture_begin(state) != 0) return -1;
    people();
    return begin(CONFIG("authenticated"));
}

static int end(void **state)
{
    login_thread_free(&thread);
    return fixture_end(state);
}

/* --- whoever it is */

static struct span staff[] = {{(const uint8_t *)"staff", 5}};
static struct right_grant everything[] = {{ALL_RIGHTS, {(const uint8_t *)"", 0}}};

static const struct somebody {
    const char *name;
    const uint32_t *number; /* null: 0 */
    uint8_t kind;
    bool is_locked, not_proven;
    const char *vouched_for;
} nobodies[] = {
    {"", NULL, PRINCIPAL_ANONYMOUS, false, false, NULL},
    {"ANONYMOUS", NULL, PRINCIPAL_ANONYMOUS, false, false, NULL},
    {"anonymous", NULL, PRINCIPAL_USER, false, false, NULL},
    {"anonymous@dest.example", NULL, PRINCIPAL_USER, false, false, NULL},
    {"NT AUTHORITY\\ANONYMOUS LOGON", NULL, PRINCIPAL_USER, false, false, NULL},
    {"GUEST", NULL, PRINCIPAL_USER, false, false, NULL},
    {"guest@dest.example", NULL, PRINCIPAL_USER, false, false, NULL},
    {"WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", NULL, PRINCIPAL_USER, false, false, NULL}, /* RFC 8062 3 */
    {"WELLKNOWN/ANONYMOUS@DEST.EXAMPLE", NULL, PRINCIPAL_ANONYMOUS, false, false, NULL},
    {"alice@ELSEWHERE.EXAMPLE", NULL, PRINCIPAL_USER, false, false, NULL}, /* of another realm */
    {"alice@dest.example", NULL, PRINCIPAL_USER, false, false, NULL},
    {"CN=mail.elsewhere.example", NULL, PRINCIPAL_HOST, false, false,
     NULL}, /* a certificate, and a valid one */
    {"alice@dest.example", NULL, PRINCIPAL_HOST, false, false, NULL},
    /* a number that nobody has, or that somebody had */
    {"alice@dest.example", &(const uint32_t){NOBODYS_NUMBER}, PRINCIPAL_USER, false, false, NULL},
    {"alice@dest.example", &(const uint32_t){UINT32_MAX}, PRINCIPAL_USER, false, false, NULL},
    /* an outsider's number, and nobody outside vouched for it */
    {"joe@granted.example", &(const uint32_t){IDENTITY_OUTSIDE | 1}, PRINCIPAL_USER, false, false, NULL},
    /* somebody vouched for these, and no line grants them anything */
    {"ann@dest.example", NULL, PRINCIPAL_USER, false, false, "ann@dest.example"},
    {"ANONYMOUS", NULL, PRINCIPAL_USER, false, false, "ANONYMOUS"},
    {"joe@granted.example.org", NULL, PRINCIPAL_USER, false, false, "joe@granted.example.org"},
    {"joe@notgranted.example", NULL, PRINCIPAL_USER, false, false, "joe@notgranted.example"},
    {"\"x@granted.example\"", NULL, PRINCIPAL_USER, false, false, "\"x@granted.example\""},
    {"x y@granted.example", NULL, PRINCIPAL_USER, false, false, "x y@granted.example"},
    {"@granted.example", NULL, PRINCIPAL_USER, false, false, "@granted.example"},
    {"locked@dest.example", NULL, PRINCIPAL_USER, false, false, "locked@dest.example"},
    {"stranger@dest.example", NULL, PRINCIPAL_USER, false, false, "stranger@dest.example"},
    {"removed@dest.example", &removed, PRINCIPAL_USER, false, false, NULL},
    /* the number of somebody without a right, under any name */
    {"stranger@dest.example", &stranger, PRINCIPAL_USER, false, false, NULL},
    {"alice@dest.example", &stranger, PRINCIPAL_USER, false, false, NULL},
    {"alice@dest.example", &stranger, PRINCIPAL_HOST, false, false, NULL},
    /* of somebody who is locked, whether it knows or not */
    {"locked@dest.example", &locked, PRINCIPAL_USER, true, false, NULL},
    {"locked@dest.example", &locked, PRINCIPAL_USER, false, false, NULL},
    /* of somebody with rights, but anonymous, or without proof */
    {"alice@dest.example", &alice, PRINCIPAL_ANONYMOUS, false, false, NULL},
    {"alice@dest.example", &alice, PRINCIPAL_USER, false, true, NULL},
};

static void become(const struct somebody *b)
{
    claims = (struct identity_principal){.number = b->number ? *b->number : 0,
                                         .kind = b->kind,
                                         .name = span_str(b->name),
                                         .locked = b->is_locked,
                                         .grants = everything,
                                         .n_grants = 1,
                                         .groups = staff,
                                         .n_groups = 1};
    proves = !b->not_proven;
    vouched_for = b->vouched_for;
}

static void refused(const char *heard, const char *reply, const char *who)
{
    if (!strstr(heard, reply)) print_error("%s: %s\n", who, heard);
    assert_non_null(strstr(heard, reply));
}

static int logged_in_as(const struct somebody *b)
{
    int fd = client(PLAIN_PORT);
    become(b);
    assert_non_null(strstr(line(fd, "EHLO client.example\r\n"), "AUTH CRAM-MD5\r\n"));
    refused(dialogue(fd, "AUTH CRAM-MD5\r\n"), "535 5.7.8 ", b->name);
    return fd;
}

/* On a server that takes mail from anybody it is anybody. */
static void test_no_right_to_relay(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nobodies / sizeof nobodies[0]; i++) {
        int fd = logged_in_as(&nobodies[i]);
        assert_non_null(strstr(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "250 "));
        refused(dialogue(fd, "RCPT TO:<x@elsewhere.example>\r\n"), "550 5.7.1 ", nobodies[i].name);
        assert_non_null(strstr(dialogue(fd, "RCPT TO:<u@dest.example>\r\n"), "250 "));
        close(fd);
        turns(4);
    }
    assert_at_rest();
}

/* On one that takes mail from those who may submit, it may not. */
static void test_no_right_to_submit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof nobodies / sizeof nobodies[0]; i++) {
        int fd = logged_in_as(&nobodies[i]);
        refused(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "530 5.7.0 ", nobodies[i].name);
        refused(dialogue(fd, "RCPT TO:<u@dest.example>\r\n"), "503 ", nobodies[i].name);
        close(fd);
        turns(4);
    }
    assert_at_rest();
}

/* The same mechanism, for somebody who has rights: it is the rights that count, and its own words do not. */
static void test_rights_are_found(void **state)
{
    static const struct somebody her = {"stranger@dest.example", &alice, PRINCIPAL_USER, false, false, NULL};
    int fd = client(PLAIN_PORT);
    (void)state;
    become(&her);
    greeted(fd);
    assert_non_null(strstr(dialogue(fd, "AUTH CRAM-MD5\r\n"), "235 2.7.0 "));
    refused(dialogue(fd, "MAIL FROM:<stranger@dest.example>\r\n"), "553 5.7.1 ", "any-sender was claimed");
    assert_non_null(strstr(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "250 "));
    assert_non_null(strstr(dialogue(fd, "RCPT TO:<x@elsewhere.example>\r\n"), "250 "));
    close(fd);
    assert_at_rest();
}

/* A mechanism that says nothing of what its proof rests on opens no session that could send. */
static void test_without_a_stamp(void **state)
{
    static const struct somebody her = {"", &alice, PRINCIPAL_USER, false, false, NULL};
    int fd = client(PLAIN_PORT);
    (void)state;
    become(&her);
    stamps = false;
    greeted(fd);
    assert_non_null(strstr(dialogue(fd, "AUTH CRAM-MD5\r\n"), "235 2.7.0 "));
    assert_non_null(
        strstr(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "421 4.7.0 Your login has ended"));
    stamps = true;
    close(fd);
    turns(4);
    assert_at_rest();
}

/* Whom an outside authority knows and our database does not: lines of the server grant, and it sends from its own address. */
static void test_outsiders(void **state)
{
    static const struct somebody joe = {"", NULL, PRINCIPAL_USER, false, false, "Joe@Granted.Example"};
    int fd = client(PLAIN_PORT);
    (void)state;
    become(&joe);
    greeted(fd);
    assert_non_null(strstr(dialogue(fd, "AUTH CRAM-MD5\r\n"), "235 2.7.0 "));
    refused(dialogue(fd, "MAIL FROM:<ann@granted.example>\r\n"), "553 5.7.1 ", "any-sender was claimed");
    assert_non_null(strstr(dialogue(fd, "MAIL FROM:<joe+list@granted.example>\r\n"), "250 "));
    assert_non_null(strstr(dialogue(fd, "RCPT TO:<x@elsewhere.example>\r\n"), "250 "));
    close(fd);
    assert_at_rest();
}

/* An account of that name is that account, however it was proven. */
static void test_outside_finds_the_account(void **state)
{
    static const struct somebody her = {"", NULL, PRINCIPAL_USER, false, false, "alice@dest.example"};
    int fd = client(PLAIN_PORT);
    (void)state;
    become(&her);
    greeted(fd);
    assert_non_null(strstr(dialogue(fd, "AUTH CRAM-MD5\r\n"), "235 2.7.0 "));
    assert_non_null(strstr(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "250 "));
    assert_non_null(strstr(dialogue(fd, "RCPT TO:<x@elsewhere.example>\r\n"), "250 "));
    close(fd);
    assert_at_rest();
}

static int log_in_alice(void)
{
    static const struct somebody her = {"alice@dest.example", &alice, PRINCIPAL_USER, false, false, NULL};
    int fd = client(PLAIN_PORT);
    become(&her);
    greeted(fd);
    assert_non_null(strstr(dialogue(fd, "AUTH CRAM-MD5\r\n"), "235 2.7.0 "));
    assert_non_null(strstr(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "250 "));
    dialogue(fd, "RSET\r\n");
    return fd;
}

/* A lock counts at the next message of a session that lives, whoever it is from. */
static void test_a_lock_ends_the_login(void **state)
{
    static const char *const froms[] = {"MAIL FROM:<alice@dest.example>\r\n", "MAIL FROM:<>\r\n",
                                        "MAIL FROM:<other@dest.example>\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof froms / sizeof froms[0]; i++) {
        int fd = log_in_alice();
        assert_true(change_begin(fixture));
        assert_int_equal(change_lock(fixture, alice, true), CHANGE_DONE);
        fixture_commit("lock");
        refused(dialogue(fd, froms[i]), "421 4.7.0 ", froms[i]);
        assert_true(closed(fd));
        close(fd);
        assert_true(change_begin(fixture));
        assert_int_equal(change_lock(fixture, alice, false), CHANGE_DONE);
        fixture_commit("unlock");
    }
    assert_at_rest();
}

/* What it proved ends (a token, an app password, a ticket), and the session with it. */
static void test_a_login_ends_with_its_proof(void **state)
{
    (void)state;
    ends = (uint64_t)time(NULL) + 100;
    int fd = log_in_alice();
    ends = UINT64_MAX;
    int other = log_in_alice();
    later_seconds += 101;
    refused(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "421 4.7.0 ", "too late");
    assert_true(closed(fd));
    assert_non_null(strstr(dialogue(other, "MAIL FROM:<alice@dest.example>\r\n"), "250 "));
    close(fd);
    close(other);
    assert_at_rest();
    later_seconds = 0;
}

/* Whatever keeps a mechanism from an answer, the log says that nobody could say; and it is no guess. */
static void test_no_answer_has_a_reason(void **state)
{
    const struct login_begin begin = {.mechanism = MECHANISM_CRAM_MD5};
    struct login *l = login_create(&world, &begin);
    struct login_answer a;
    (void)state;
    assert_non_null(l);
    cannot_say = true;
    login_step(l, thread, SPAN(""), 2000, &a);
    cannot_say = false;
    assert_int_equal(a.kind, LOGIN_LATER);
    assert_int_equal(login_report_of(l)->reason, LOGIN_REASON_UNAVAILABLE);
    login_free(&l);
}

/* What a directory could say that was taken over by somebody: only who waits for an answer hears one, once, and never that it is nobody. */
static void test_unasked_answers(void **state)
{
    struct login_answer a = {.session = 1,
                             .kind = LOGIN_SUCCESS,
                             .principal = PRINCIPAL_USER,
                             .rights = ALL_RIGHTS,
                             .number = 1,
                             .valid_until = UINT64_MAX,
                             .name = SPAN("alice@dest.example")};
    int fd = client(PLAIN_PORT);
    (void)state;
    greeted(fd);
    for (a.session = 0; a.session < 8; a.session++) {
        answered = buf_on(answer, sizeof answer);
        login_answer_put(&answered, &a);
        assert_true(inbound_login_answer(t.in, buf_span(&answered)));
    }
    a.principal = PRINCIPAL_ANONYMOUS;
    answered = buf_on(answer, sizeof answer);
    login_answer_put(&answered, &a);
    assert_false(inbound_login_answer(t.in, buf_span(&answered)));
    assert_non_null(strstr(dialogue(fd, "MAIL FROM:<alice@dest.example>\r\n"), "250 "));
    refused(dialogue(fd, "RCPT TO:<x@elsewhere.example>\r\n"), "550 5.7.1 ", "unasked");
    close(fd);
    assert_at_rest();
}

/* Nor does an answer that is meant for whoever had the slot before. */
static void test_answers_to_somebody_else(void **state)
{
    struct login_answer real, other;
    int fd = client(PLAIN_PORT);
    (void)state;
    become(&nobodies[0]);
    greeted(fd);
    line(fd, "AUTH CRAM-MD5\r\n");
    login_free(&login);
    uint8_t copy[LOGIN_ANSWER_OCTETS];
    memcpy(copy, answer, answered.n);
    struct span waits = span_of(copy, answered.n);
    assert_true(login_answer_read(waits, &real));
    other = (struct login_answer){.session = real.session + 1,
                                  .slot = real.slot,
                                  .kind = LOGIN_SUCCESS,
                                  .principal = PRINCIPAL_USER,
                                  .rights = ALL_RIGHTS,
                                  .number = alice,
                                  .valid_until = UINT64_MAX,
                                  .name = SPAN("alice@dest.example")};
    for (unsigned i = 0; i < 2; i++) {
        answered = buf_on(answer, sizeof answer);
        login_answer_put(&answered, &other);
        assert_true(inbound_login_answer(t.in, buf_span(&answered)));
        assert_string_equal(line(fd, ""), "");
        other.session = real.session;
        other.slot++;
    }
    assert_true(inbound_login_answer(t.in, waits));
    assert_non_null(strstr(line(fd, ""), "535 5.7.8 "));
    close(fd);
    turns(4);
    assert_at_rest();
}

/* What an edge could ask that was taken over by somebody: a mechanism that its server does not offer is not begun. */
static void test_what_is_not_offered(void **state)
{
    struct login_begin m = {.session = 1};
    (void)state;
    for (unsigned i = 0; i < MECHANISM_COUNT; i++) {
        m.mechanism = (uint8_t)i;
        login = login_create(&world, &m);
        assert_int_equal(login != NULL, i == MECHANISM_CRAM_MD5);
        login_free(&login);
    }
    m.mechanism = MECHANISM_CRAM_MD5;
    m.server = (uint16_t)t.config->n_servers;
    assert_null(login_create(&world, &m));
}

/* Nor is a ticket taken in clear text, whatever the edge says that it offered. */
static void test_no_ticket_in_the_clear(void **state)
{
    struct config_server *server = (struct config_server *)(uintptr_t)t.config->servers;
    struct login_begin m = {
        .session = 1, .mechanism = MECHANISM_GSSAPI, .initial = true, .response = SPAN("x")};
    struct login_answer a;
    (void)state;
    server->mechanisms = MECHANISM_BIT(MECHANISM_GSSAPI);
    for (m.tls = LOGIN_CLEAR; m.tls <= LOGIN_TLS_1_3; m.tls++) {
        struct login *l = login_create(&world, &m);
        assert_non_null(l);
        login_step(l, thread, SPAN(""), 2000, &a); /* there is no keytab */
        assert_int_equal(login_report_of(l)->reason,
                         m.tls == LOGIN_CLEAR ? LOGIN_REASON_CLEAR : LOGIN_REASON_UNAVAILABLE);
        assert_int_equal(a.kind, m.tls == LOGIN_CLEAR ? LOGIN_REFUSED : LOGIN_LATER);
        login_free(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_right_to_relay, begin_both, end),
        cmocka_unit_test_setup_teardown(test_no_right_to_submit, begin_authenticated, end),
        cmocka_unit_test_setup_teardown(test_rights_are_found, begin_both, end),
        cmocka_unit_test_setup_teardown(test_without_a_stamp, begin_both, end),
        cmocka_unit_test_setup_teardown(test_outsiders, begin_both, end),
        cmocka_unit_test_setup_teardown(test_outside_finds_the_account, begin_both, end),
        cmocka_unit_test_setup_teardown(test_a_lock_ends_the_login, begin_both, end),
        cmocka_unit_test_setup_teardown(test_a_login_ends_with_its_proof, begin_both, end),
        cmocka_unit_test_setup_teardown(test_no_answer_has_a_reason, begin_both, end),
        cmocka_unit_test_setup_teardown(test_unasked_answers, begin_both, end),
        cmocka_unit_test_setup_teardown(test_answers_to_somebody_else, begin_both, end),
        cmocka_unit_test_setup_teardown(test_what_is_not_offered, begin_both, end),
        cmocka_unit_test_setup_teardown(test_no_ticket_in_the_clear, begin_both, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
