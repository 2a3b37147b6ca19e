/* NTLM against Active Directory, the domain controller played: who is asked of it, what is handed on, and what becomes of every answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../tools/ntlm_client.h"
#include "../identity/identity_fixture.h"
#include "sasl/mechanism.h"
#include "sasl/utf16.h"
#include "service/login_domain.h"

#define CONFIG                                                                                               \
    "winbind CORP corp.example as example.org default\nwinbind OTHER as other.example\n"                     \
    "server s {\n listen 127.0.0.1:2525\n access authenticated mechanisms NTLM\n allow-cleartext-auth "      \
    "127.0.0.0/8\n right submit to user joe@example.org\n right submit to group \"Mail "                     \
    "Users@example.org\"\n right submit to group operators\n right submit to group S-1-5-21-1-2-3-513\n}\n"

enum { NOW = 1700000000 };

static struct config *config;
static struct login_world world;
static struct login_thread *thread;
static struct arena *arena;

static uint32_t account; /* that the last login counts for */

/* --- the domain controller */

static struct {
    bool silent, forged_key;
    struct domain_answer says; /* when the response is right; its key is made of it */
    unsigned asked;
    char user[256], domain[256];
    size_t response_octets;
} dc;

static void keep(char *to, struct span s)
{
    memcpy(to, s.p, s.n);
    to[s.n] = 0;
}

/* SessionBaseKey, as whoever has the hash computes it. */
static void session_key(const struct domain_question *q, uint8_t ret[16])
{
    uint8_t memory[2][1024], key[16];
    struct buf user = buf_on(memory[0], sizeof memory[0]), domain = buf_on(memory[1], sizeof memory[1]);
    for (size_t i = 0; i < q->user.n; i++)
        utf16_put_unit(&user,
                       q->user.p[i] >= 'a' && q->user.p[i] <= 'z' ? q->user.p[i] & 0xdf : q->user.p[i]);
    utf16_put_ascii(&domain, q->domain);
    assert_true(ntlm_proof_response_key(&ntlm_client_crypto, ntlm_client_hash, buf_span(&user),
                                        buf_span(&domain), key));
    assert_true(ntlm_proof_session_key(&ntlm_client_crypto, key, q->response.p, ret));
}

static bool ask(void *context, enum login_ask_whom whom, struct span question, struct buf *answer, int *fd)
{
    struct domain_question q;
    struct domain_answer a = dc.says;
    (void)context, (void)fd;
    assert_int_equal(whom, LOGIN_ASK_WINBIND);
    assert_true(domain_question_read(question, &q));
    dc.asked++;
    keep(dc.user, q.user);
    keep(dc.domain, q.domain);
    dc.response_octets = q.response.n;
    if (dc.silent) return false;
    session_key(&q, a.session_key);
    a.session_key[0] ^= dc.forged_key;
    domain_answer_put(answer, &a);
    return true;
}

/* --- a client */

struct client {
    const char *user, *domain;
    bool version_1, no_mic;
    struct span lm;
};

static struct ntlm seen_of(struct span negotiate, struct span challenge)
{
    struct ntlm n = {.n_negotiate = negotiate.n, .n_challenge = challenge.n};
    memcpy(n.negotiate, negotiate.p, negotiate.n);
    memcpy(n.challenge, challenge.p, challenge.n);
    memcpy(n.server_challenge, challenge.p + 24, 8);
    memcpy(&n.filetime, challenge.p + challenge.n - 12, 8); /* MsvAvTimestamp is the last pair but EOL */
    return n;
}

/* What becomes of it; *event: what the log says, or "". */
static struct login_answer login_of(struct client it, const char **event)
{
    static uint8_t memory[4096], first[64];
    static char said[64];
    struct buf negotiate = buf_on(first, sizeof first), message = buf_on(memory, sizeof memory);
    struct login_answer a;
    ntlm_client_negotiate(&negotiate, NTLM_CLIENT_FLAGS, 32);
    struct login_begin begin = {
        .mechanism = MECHANISM_NTLM, .initial = true, .response = buf_span(&negotiate)};
    struct login *l = login_create(&world, &begin);
    assert_non_null(l);
    assert_int_not_equal(login_queue(l), LOGIN_OUTSIDE);
    login_step(l, thread, SPAN(""), NOW, &a);
    assert_int_equal(a.kind, LOGIN_CHALLENGE);
    assert_int_equal(login_queue(l), LOGIN_OUTSIDE); /* nobody else waits behind it */
    struct ntlm n = seen_of(buf_span(&negotiate), a.challenge);
    struct ntlm_client c = ntlm_client_of(&n, it.user);
    c.domain = it.domain;
    c.mic = !it.no_mic;
    c.lm = it.lm;
    if (it.version_1) c.nt = SPAN("123456789012345678901234");
    ntlm_client_authenticate(&c, &n, &message);
    login_step(l, thread, buf_span(&message), NOW, &a);
    a.name = arena_copy(arena, a.name);
    const char *e = login_reason_table[login_report_of(l)->reason].name;
    snprintf(said, sizeof said, "%s", e ? e : "");
    *event = said;
    account = login_report_of(l)->principal;
    login_free(&l);
    return a;
}

static void good(struct client c, const char *name)
{
    const char *event;
    struct login_answer a = login_of(c, &event);
    assert_string_equal(event, "");
    assert_int_equal(a.kind, LOGIN_SUCCESS);
    assert_span(a.name, name);
    assert_int_equal(a.rights, RIGHT_SUBMIT);
}

static void bad(struct client c, enum login_kind kind, const char *why)
{
    const char *event;
    struct login_answer a = login_of(c, &event);
    assert_string_equal(event, why);
    assert_int_equal(a.kind, kind);
    assert_true(a.rights == 0 && a.name.n == 0);
}

/* --- tests */

static void who_is_asked_and_what(void **state)
{
    (void)state;
    good((struct client){.user = "joe", .domain = "CORP"}, "joe@example.org");
    assert_string_equal(dc.user, "joe");
    assert_string_equal(dc.domain, "CORP");
    good((struct client){.user = "Joe", .domain = "corp.Example"}, "joe@example.org");
    assert_string_equal(dc.user, "Joe"); /* as written: the response was made of it */
    assert_string_equal(dc.domain, "corp.Example");
    good((struct client){.user = "joe@corp.example", .domain = "CORP"}, "joe@example.org");
    assert_string_equal(dc.user, "joe@corp.example");
    dc.asked = 0;
    bad((struct client){.user = "joe", .domain = "WORKGROUP"}, LOGIN_REFUSED, "unknown-user");
    bad((struct client){.user = "joe@example.org", .domain = "CORP"}, LOGIN_REFUSED, "unknown-user");
    bad((struct client){.user = "joe", .domain = "CORP", .version_1 = true}, LOGIN_REFUSED, "ntlmv1");
    bad((struct client){.user = "", .domain = "CORP"}, LOGIN_REFUSED, "anonymous");
    bad((struct client){.user = "Guest", .domain = "CORP"}, LOGIN_REFUSED, "guest");
    assert_int_equal(dc.asked, 0); /* accounts of ours, and what no domain controller gets to see */
}

/* A wrong password counts for the account that the right one would have found, however the name is written. */
static void whose_failure_it_is(void **state)
{
    (void)state;
    good((struct client){.user = "joe", .domain = "CORP"}, "joe@example.org");
    uint32_t joe = account;
    assert_true(joe & IDENTITY_OUTSIDE);
    dc.says.status = DOMAIN_WRONG_SECRET;
    bad((struct client){.user = "JOE", .domain = "CORP"}, LOGIN_REFUSED, "wrong-secret");
    assert_int_equal(account, joe);
    bad((struct client){.user = "joe@corp.example", .domain = "CORP"}, LOGIN_REFUSED, "wrong-secret");
    assert_int_equal(account, joe);
    uint32_t number = fixture_user("joe@example.org", "secret");
    bad((struct client){.user = "joe", .domain = "CORP"}, LOGIN_REFUSED, "wrong-secret");
    assert_int_equal(account, number);
}

static void who_says_no_domain(void **state)
{
    (void)state;
    dc.says.status = DOMAIN_WRONG_SECRET; /* the played one knows no response without a domain */
    bad((struct client){.user = "joe", .domain = ""}, LOGIN_REFUSED, "wrong-secret");
    assert_string_equal(dc.domain, "CORP");
    assert_int_equal(dc.asked, 1);
}

static void every_answer_has_its_word_in_the_log(void **state)
{
    static const char *const words[DOMAIN_STATUS_COUNT] = {
        [DOMAIN_WRONG_SECRET] = "wrong-secret", [DOMAIN_UNKNOWN_USER] = "unknown-user",
        [DOMAIN_LOCKED] = "domain-locked",      [DOMAIN_DISABLED] = "disabled",
        [DOMAIN_EXPIRED] = "expired",           [DOMAIN_MUST_CHANGE] = "must-change",
        [DOMAIN_RESTRICTED] = "restricted",     [DOMAIN_GUEST] = "guest",
        [DOMAIN_REFUSED] = "domain-refused",
    };
    const struct client joe = {.user = "joe", .domain = "CORP"};
    (void)state;
    for (uint8_t s = DOMAIN_PROVEN + 1; s < DOMAIN_UNAVAILABLE; s++) {
        dc.says.status = s;
        bad(joe, LOGIN_REFUSED, words[s]);
    }
    dc.says.status = DOMAIN_UNAVAILABLE;
    bad(joe, LOGIN_LATER, "unavailable");
    dc.silent = true;
    bad(joe, LOGIN_LATER, "unavailable");
}

/* Proven is not permitted: a right line names it, or its group, or an account of that name is granted something. */
static void what_it_permits(void **state)
{
    (void)state;
    dc.says.account = SPAN("Ann");
    bad((struct client){.user = "ann", .domain = "CORP"}, LOGIN_REFUSED, "no-right");
    dc.says.n_groups = 1;
    dc.says.groups[0] = SPAN("Mail Users@example.org");
    good((struct client){.user = "ann", .domain = "CORP"}, "ann@example.org");
    dc.says.groups[0] = SPAN("Mail Users@other.example");
    bad((struct client){.user = "ann", .domain = "CORP"}, LOGIN_REFUSED, "no-right");
    dc.says.groups[0] = SPAN("operators"); /* a group of ours, which no domain has members of */
    bad((struct client){.user = "ann", .domain = "CORP"}, LOGIN_REFUSED, "no-right");
    dc.says.n_groups = 2;
    dc.says.groups[1] = SPAN("S-1-5-21-1-2-3-513");
    good((struct client){.user = "ann", .domain = "CORP"}, "ann@example.org");
    dc.says.n_groups = 0;
    uint32_t number = fixture_user("ann@example.org", "secret");
    assert_true(change_begin(fixture));
    assert_int_equal(change_grant(fixture, (struct change_subject){false, number}, RIGHT_SUBMIT, true),
                     CHANGE_DONE);
    fixture_commit("grant");
    good((struct client){.user = "ann", .domain = "CORP"}, "ann@example.org");
    assert_true(change_begin(fixture));
    assert_int_equal(change_lock(fixture, number, true), CHANGE_DONE);
    fixture_commit("lock");
    bad((struct client){.user = "ann", .domain = "CORP"}, LOGIN_REFUSED, "locked");
}

/* winbindd tries what it likes: an account of this host, of a trusted domain, of a machine. */
static void another_account_than_was_asked_for(void **state)
{
    static const struct span accounts[] = {SPAN("joe@example.org"), SPAN("joe@"), SPAN("@"), SPAN("JOE$")};
    (void)state;
    dc.says.domain = SPAN("MAILHOST");
    bad((struct client){.user = "joe", .domain = "CORP"}, LOGIN_REFUSED, "foreign-account");
    dc.says.domain = SPAN("OTHER"); /* known, and not the one that was asked for */
    bad((struct client){.user = "joe", .domain = "CORP"}, LOGIN_REFUSED, "foreign-account");
    dc.says.domain = SPAN("CORP");
    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        dc.says.account = accounts[i];
        bad((struct client){.user = "joe", .domain = "CORP"}, LOGIN_REFUSED, "foreign-account");
    }
    dc.says.account = SPAN("joe doe"); /* no address */
    bad((struct client){.user = "joe", .domain = "CORP"}, LOGIN_REFUSED, "unknown-user");
}

static void what_the_front_checks_itself(void **state)
{
    (void)state;
    dc.forged_key = true;
    bad((struct client){.user = "joe", .domain = "CORP"}, LOGIN_REFUSED, "mic");
    good((struct client){.user = "joe", .domain = "CORP", .no_mic = true}, "joe@example.org");
    ((struct config_server *)(uintptr_t)config->servers)->ntlm_bindings = NTLM_BINDINGS_REQUIRED;
    bad((struct client){.user = "joe", .domain = "CORP", .no_mic = true}, LOGIN_REFUSED, "no-binding");
}

/* LMv2 proves the password and nothing of the pairs: who relays a login could change them. */
static void an_lm_response_is_not_handed_on(void **state)
{
    (void)state;
    good((struct client){.user = "joe", .domain = "CORP", .lm = SPAN("123456789012345678901234")},
         "joe@example.org");
    assert_int_equal(dc.asked, 1); /* struct domain_question has no room for one */
}

static int begin(void **state)
{
    const struct config_source source = {.name = SPAN("/d/sallyport.conf"), .text = SPAN(CONFIG)};
    struct config_problem *problems = NULL;
    struct span missing;
    const char *why;
    if (fixture_begin(state) != 0) return -1;
    arena = arena_create(1 << 20);
    config = config_parse(arena, &source, 1, &problems, &missing);
    if (!config) return -1;
    static struct login_ask asked;
    asked = (struct login_ask){.ask = ask};
    world = (struct login_world){
        .config = config, .identity = fixture_folder, .home = SPAN("example.org"), .ask = &asked};
    thread = login_thread_create(&world, &why);
    memset(&dc, 0, sizeof dc);
    dc.says = (struct domain_answer){.status = DOMAIN_PROVEN, .account = SPAN("Joe"), .domain = SPAN("CORP")};
    return thread ? 0 : -1;
}

static int end(void **state)
{
    login_thread_free(&thread);
    arena_destroy(&arena);
    return fixture_end(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_asked_and_what),
        TEST(whose_failure_it_is),
        TEST(who_says_no_domain),
        TEST(every_answer_has_its_word_in_the_log),
        TEST(what_it_permits),
        TEST(another_account_than_was_asked_for),
        TEST(what_the_front_checks_itself),
        TEST(an_lm_response_is_not_handed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
