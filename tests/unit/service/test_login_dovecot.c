/* A conversation whose proof Dovecot gives: the test is Dovecot, at the other end of a pair of sockets, and the process that hands it over. What it says
 * is said before it is asked. */
#include "../identity/identity_fixture.h"

#include "sasl/mechanism.h"
#include "service/connect_message.h"
#include "service/login_private.h"

#include <sys/socket.h>

#define HELLO                                                                                                \
    "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tSCRAM-SHA-256\tmutual-"                                    \
    "auth\nSPID\t1\nCUID\t1\nCOOKIE\t0\nDONE\n"
#define JOE SPAN("\0joe@example.org\0secret")

enum {
    ALL = MECHANISM_PASSWORDS | MECHANISM_BIT(MECHANISM_SCRAM_SHA_256) | MECHANISM_BIT(MECHANISM_CRAM_MD5)
};

static struct config_grant grants[] = {
    {.right = RIGHT_SUBMIT, .to = GRANT_TO_DOMAIN, .name = SPAN("example.org")}};
static struct config_server server = {
    .name = SPAN("s"), .login = CONFIG_LOGIN_DOVECOT, .mechanisms = ALL, .grants = grants, .n_grants = 1};
static struct config config = {.servers = &server, .n_servers = 1};
static struct login_world world;
static struct login_thread *thread;
static struct login *login;
static struct login_answer answer;

/* --- whoever hands over sockets */

static int dovecot = -1; /* its end of the last one */
static const char *says; /* what is said there at once; null: there is nobody */
static unsigned waited;  /* in vain */
static enum connect_status status;

static bool ask(void *context, enum login_ask_whom whom, struct span question, struct buf *ret, int *fd)
{
    struct connect_service_question q;
    int pair[2];
    (void)context;
    assert_int_equal(whom, LOGIN_ASK_CONNECTOR);
    assert_true(connect_service_question_read(question, &q));
    assert_int_equal(q.service, CONNECT_SERVICE_DOVECOT);
    *fd = -1;
    if (!says) return false;
    struct connect_answer a = {.status = (uint8_t)status};
    if (status == CONNECT_DEFER) a.text = SPAN("gone"), memcpy(a.enhanced, "4.4.1", 6);
    connect_answer_put(ret, &a);
    if (status == CONNECT_DEFER) return true;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(write(pair[1], says, strlen(says)), strlen(says));
    if (dovecot >= 0) close(dovecot);
    dovecot = pair[1];
    *fd = pair[0];
    return true;
}

static bool wait_in_vain(void *context, int fd, uint64_t ms)
{
    (void)context, (void)fd;
    assert_true(ms > 0 && ms <= LIMIT_DOVECOT_SECONDS * 1000);
    waited++;
    return false;
}

/* What it has heard since. */
static const char *heard(void)
{
    static char text[4096];
    ssize_t n = read(dovecot, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static bool hung_up(void)
{
    char c;
    return read(dovecot, &c, 1) == 0;
}

/* --- the client */

static enum login_tls speaks = LOGIN_TLS_1_3;

static enum login_kind begin(enum mechanism m, bool initial, struct span response)
{
    struct login_begin b = {
        .mechanism = (uint8_t)m, .tls = (uint8_t)speaks, .initial = initial, .response = response};
    b.client[10] = b.client[11] = 0xff;
    b.client[12] = 127;
    login_free(&login);
    login = login_create(&world, &b);
    assert_non_null(login);
    login_step(login, thread, SPAN(""), 2000, &answer);
    return (enum login_kind)answer.kind;
}

static enum login_kind go_on(struct span response)
{
    login_step(login, thread, response, 2000, &answer);
    return (enum login_kind)answer.kind;
}

static void expect_event(const char *event)
{
    const struct login_report *r = login_report_of(login);
    assert_int_not_equal(r->reason, LOGIN_REASON_NONE);
    assert_string_equal(login_reason_table[r->reason].name, event);
}

static int set_up(void **state)
{
    static const struct login_ask face = {NULL, ask, wait_in_vain};
    const char *why;
    if (fixture_begin(state) != 0) return -1;
    world = (struct login_world){
        .config = &config, .identity = fixture_folder, .home = SPAN("example.org"), .ask = &face};
    thread = login_thread_create(&world, &why);
    says = NULL;
    status = CONNECT_OPEN;
    waited = 0;
    return thread ? 0 : -1;
}

static int tear_down(void **state)
{
    login_free(&login);
    login_thread_free(&thread);
    if (dovecot >= 0) close(dovecot);
    dovecot = -1;
    return fixture_end(state);
}

/* --- cases */

static void passwords(void **state)
{
    (void)state;
    says = HELLO "OK\t1\tuser=joe@example.org\n";
    assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_SUCCESS);
    assert_span(answer.name, "joe@example.org");
    assert_int_equal(answer.rights, RIGHT_SUBMIT);
    assert_non_null(strstr(heard(),
                           "\nAUTH\t1\tPLAIN\tservice=smtp\tnologin\tno-penalty\trip=127.0.0.0\tsecured=tls\t"
                           "resp=AGpvZUBleGFtcGxlLm9yZwBzZWNyZXQ=\n"));
    assert_true(hung_up()); /* at once: not when the client's session ends */
    speaks = LOGIN_CLEAR;   /* Dovecot may have a rule of its own for those */
    assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_SUCCESS);
    assert_null(strstr(heard(), "secured"));
    speaks = LOGIN_TLS_1_3;
    assert_int_equal(begin(MECHANISM_LOGIN, false, SPAN("")), LOGIN_CHALLENGE);
    assert_int_equal(login_queue(login), LOGIN_OUTSIDE);
    assert_int_equal(go_on(SPAN("joe@example.org")), LOGIN_CHALLENGE);
    assert_int_equal(go_on(SPAN("secret")), LOGIN_SUCCESS);
    assert_non_null(strstr(heard(), "AUTH\t1\tPLAIN\t")); /* whatever the client speaks */
    says = HELLO "FAIL\t1\tuser=joe@example.org\n";
    assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_REFUSED);
    expect_event("wrong-secret");
    struct identity_principal joe; /* whom the right one would have found */
    identity_outsider(SPAN("joe@example.org"), &joe);
    assert_int_equal(login_report_of(login)->principal, joe.number);
    assert_int_equal(login_refusal_ms(login), LIMIT_DOVECOT_REFUSAL_MS);
    assert_int_equal(begin(MECHANISM_PLAIN, true, SPAN("joe")), LOGIN_MALFORMED);
    assert_int_equal(begin(MECHANISM_PLAIN, true, SPAN("ann\0joe@example.org\0secret")), LOGIN_REFUSED);
    expect_event("authzid");
}

/* Which threads a step is for is known before it: a step that cannot wait is not for those that do. */
static void queues(void **state)
{
    (void)state;
    const struct {
        enum mechanism m;
        bool initial, outside;
    } t[] = {{MECHANISM_PLAIN, true, true},           {MECHANISM_PLAIN, false, false},
             {MECHANISM_LOGIN, false, false},         {MECHANISM_SCRAM_SHA_256, true, true},
             {MECHANISM_SCRAM_SHA_256, false, false}, {MECHANISM_CRAM_MD5, false, true}};
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct login_begin b = {.mechanism = (uint8_t)t[i].m, .initial = t[i].initial};
        login_free(&login);
        login = login_create(&world, &b);
        assert_int_equal(login_queue(login) == LOGIN_OUTSIDE, t[i].outside);
    }
    says = HELLO;
    assert_int_equal(begin(MECHANISM_SCRAM_SHA_256, false, SPAN("")), LOGIN_CHALLENGE);
    assert_int_equal(dovecot, -1); /* nobody was asked yet */
    assert_int_equal(login_queue(login), LOGIN_OUTSIDE);
}

static void steps(void **state)
{
    (void)state;
    says = HELLO "CONT\t1\tb25l\n";
    assert_int_equal(begin(MECHANISM_SCRAM_SHA_256, true, SPAN("n,,")), LOGIN_CHALLENGE);
    assert_span(answer.challenge, "one");
    (void)heard();
    assert_int_equal(write(dovecot, "CONT\t1\t\nOK\t1\tuser=Joe\n", 22), 22);
    assert_int_equal(go_on(SPAN("two")), LOGIN_CHALLENGE);
    assert_int_equal(answer.challenge.n, 0);
    assert_int_equal(go_on(SPAN("")), LOGIN_SUCCESS);
    assert_span(answer.name, "joe@example.org");
    assert_string_equal(heard(), "CONT\t1\tdHdv\nCONT\t1\t\n");
    /* the client goes away in the middle */
    assert_int_equal(begin(MECHANISM_SCRAM_SHA_256, true, SPAN("n,,")), LOGIN_CHALLENGE);
    (void)heard();
    login_free(&login);
    assert_string_equal(heard(), "CANCEL\t1\n");
    assert_true(hung_up());
    /* Dovecot does */
    assert_int_equal(begin(MECHANISM_SCRAM_SHA_256, true, SPAN("n,,")), LOGIN_CHALLENGE);
    close(dovecot);
    dovecot = -1;
    assert_int_equal(go_on(SPAN("two")), LOGIN_LATER);
    expect_event("dovecot-away");
}

static void not_now(void **state)
{
    (void)state;
    assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_LATER); /* nobody hands over sockets */
    expect_event("dovecot-away");
    says = HELLO;
    status = CONNECT_DEFER;
    assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_LATER);
    expect_event("dovecot-away");
    status = CONNECT_OPEN;
    for (unsigned i = 0; i < 2; i++) { /* before and behind its greeting */
        says = i ? HELLO : "VERSION\t1\t2\nMECH\tPLAIN\n";
        assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_LATER);
        expect_event("dovecot-silent");
        assert_int_equal(waited, i + 1);
    }
    says = HELLO "FAIL\t1\tcode=temp_fail\n";
    assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_LATER);
    expect_event("dovecot-failed");
    assert_int_equal(begin(MECHANISM_CRAM_MD5, false, SPAN("")), LOGIN_LATER);
    expect_event("dovecot-mechanism");
    says = "VERSION\t2\t0\nDONE\n";
    assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_LATER);
    expect_event("dovecot-nonsense");
}

/* OK, and yet nobody is let in: alike for what is proven here and there. */
static void not_he(void **state)
{
    (void)state;
    static const struct {
        const char *ok, *event;
    } t[] = {{"user=anonymous", "anonymous"},
             {"user=joe@example.org\tanonymous", "anonymous"},
             {"user=joe@example.org\tnologin", "locked"},
             {"user=joe@example.org\tproxy\thost=x", "locked"},
             {"user=joe@example.org\tauth_user=root", "authzid"},
             {"user=joe@elsewhere.example\tright=submit", "no-right"},
             {"user=joe@@example.org", "unknown-user"},
             {"user=joe@", "unknown-user"},
             {"user=@example.org", "unknown-user"},
             {"user=ann", "locked"}};
    uint32_t ann = fixture_user("ann@example.org", "x");
    assert_true(change_begin(fixture));
    assert_int_equal(change_lock(fixture, ann, true), CHANGE_DONE);
    fixture_commit("lock");
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char text[512];
        snprintf(text, sizeof text, HELLO "OK\t1\t%s\n", t[i].ok);
        says = text;
        if (begin(MECHANISM_PLAIN, true, JOE) != LOGIN_REFUSED) fail_msg("%s", t[i].ok);
        expect_event(t[i].event);
    }
}

/* Those that are open are counted, and given back. A password is one step, and always has room. */
static void too_many(void **state)
{
    (void)state;
    enum { MOST = LIMIT_DOVECOT_CONNECTIONS - LIMIT_LOGIN_OUTSIDE_THREADS };
    static struct login *open[MOST];
    for (unsigned round = 0; round < 2; round++) {
        says = HELLO "CONT\t1\t\n";
        for (unsigned i = 0; i < MOST; i++) {
            assert_int_equal(begin(MECHANISM_SCRAM_SHA_256, true, SPAN("n,,")), LOGIN_CHALLENGE);
            open[i] = login;
            login = NULL;
        }
        assert_int_equal(begin(MECHANISM_SCRAM_SHA_256, true, SPAN("n,,")), LOGIN_LATER);
        expect_event("dovecot-busy");
        says = HELLO "OK\t1\tuser=joe@example.org\n";
        assert_int_equal(begin(MECHANISM_PLAIN, true, JOE), LOGIN_SUCCESS);
        for (unsigned i = 0; i < MOST; i++)
            login_free(&open[i]);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {CASE(passwords), CASE(queues), CASE(steps),
                                       CASE(not_now),   CASE(not_he), CASE(too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
