/* The relay process: what becomes of jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "relay_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define HELLO ">220 hi\nEHLO me.example\n>250 x\n"
#define MAIL  "MAIL FROM:<a@b>\n>250 ok\n"
#define TO(n) "RCPT TO:<u" n "@d>\n>250 ok\n"
#define BODY  "DATA\n>354 go\nSubject: hi\n\n..body\n.\n"
#define TAKEN ">250 2.6.0 yours\n"

static void expect(uint64_t job, enum relay_scope scope, enum job_status status, unsigned code,
                   const char *enhanced)
{
    struct relay_result r = result();
    assert_int_equal(r.job, job);
    assert_int_equal(r.scope, scope);
    assert_int_equal(r.status, status);
    assert_int_equal(r.last, scope != RELAY_RECIPIENT);
    assert_int_equal(r.code, code);
    assert_string_equal(r.enhanced, enhanced);
}

static void one(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    give_simple(7, 1);
    struct connect_question q = asked();
    assert_int_equal(q.n_tried, 0);
    assert_int_equal(q.hop.kind, NEXT_HOP_MX);
    assert_true(span_eq(q.hop.name, SPAN("d.example")));
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL TO("0") BODY TAKEN);
    struct relay_result r = result();
    assert_int_equal(r.job, 7);
    assert_int_equal(r.status, JOB_DELIVERED);
    assert_int_equal(r.scope, RELAY_MESSAGE);
    assert_true(r.last && !r.relayed_dsn);
    assert_string_equal(r.enhanced, "2.6.0");
    assert_true(span_eq(r.text, SPAN("yours")));
    assert_true(span_eq(r.host, SPAN("mx.d.example[192.0.2.1]:25")));
    assert_true(span_eq(r.tls, SPAN("none: not wanted")));
    assert_int_equal(r.dns_ms, 3);
    assert_int_equal(r.connect_ms, 4);
    expect_quit(fd); /* after a moment without another job */
    relay_end();
}

/* The session serves the next job for the same next hop, and no other. */
static void reuse(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    give_simple(7, 1);
    struct connect_question q = asked();
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL TO("0") BODY TAKEN);
    expect(7, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
    give_simple(8, 1);
    dialogue(fd, MAIL TO("0") BODY TAKEN);
    struct relay_result r = result();
    assert_int_equal(r.job, 8);
    assert_int_equal(r.connect_ms, 0);
    struct relay_head h = job_head(9, 1);
    struct extent e = {5, FIXTURE_OCTETS, 0, crc32c(0, FIXTURE_CONTENT, FIXTURE_OCTETS)};
    h.hop.name = SPAN("other.example");
    give_job(&h, &e, 1);
    q = asked();
    assert_true(span_eq(q.hop.name, SPAN("other.example")));
    answer_no(&q, CONNECT_DEFER, "4.4.3", "no DNS");
    expect(9, RELAY_NEXT_HOP, JOB_DEFERRED, 0, "4.4.3");
    /* many at once: each has a session of its own */
    give_simple(10, 1);
    give_simple(11, 1);
    dialogue(fd, MAIL TO("0") BODY TAKEN);
    expect(10, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
    q = asked();
    int second = answer_open(&q, "192.0.2.2");
    dialogue(second, HELLO MAIL "RCPT TO:<u0@d>\n>550 5.1.1 who\n");
    expect(11, RELAY_RECIPIENT, JOB_FAILED, 550, "5.1.1");
    assert_true(result().last);
    expect_quit(fd);
    expect_quit(second);
    relay_end();
}

/* A session that waited is gone when it is wanted: that costs a connection and nothing else. */
static void stale(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    give_simple(7, 1);
    struct connect_question q = asked();
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL TO("0") BODY TAKEN);
    expect(7, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
    give_simple(8, 1);
    dialogue(fd, "MAIL FROM:<a@b>\n>421 4.3.2 bye\n");
    close(fd);
    q = asked();
    assert_int_equal(q.n_tried, 0);
    fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL TO("0") BODY TAKEN);
    expect(8, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
    close(fd); /* while it waits */
    usleep(100000);
    give_simple(9, 1);
    q = asked();
    answer_no(&q, CONNECT_FAIL, "5.1.10", "null MX");
    expect(9, RELAY_MESSAGE, JOB_FAILED, 0, "5.1.10");
    relay_end();
}

/* One candidate after the other; what the last one said is told when there is no further one. */
static void candidates(void **state)
{
    (void)state;
    static const char *const says[] = {">554 5.7.1 not you\nQUIT\n", ">421 4.3.2 busy\n", ">rubbish\n",
                                       ">220 hi\nEHLO me.example\n>451 4.3.0 later\nQUIT\n",
                                       HELLO "MAIL FROM:<a@b>\n>421 4.7.0 slow down\n"};
    relay_begin();
    lend(5);
    give_simple(7, 2);
    struct connect_question q;
    char address[32];
    for (unsigned i = 0; i < 5; i++) {
        q = asked();
        assert_int_equal(q.n_tried, i);
        if (i > 0) {
            struct address before;
            snprintf(address, sizeof address, "192.0.2.%u", i);
            assert_true(address_parse(span_str(address), &before));
            assert_memory_equal(&q.tried[i - 1], &before, sizeof before);
        }
        snprintf(address, sizeof address, "192.0.2.%u", i + 1);
        int fd = answer_open(&q, address);
        dialogue(fd, says[i]);
        close(fd);
    }
    q = asked();
    answer_no(&q, CONNECT_DEFER, "4.4.1", "no further host");
    struct relay_result r = result();
    assert_int_equal(r.scope, RELAY_NEXT_HOP);
    assert_int_equal(r.status, JOB_DEFERRED);
    assert_int_equal(r.code, 421);
    assert_string_equal(r.enhanced, "4.7.0");
    assert_true(span_eq(r.text, SPAN("slow down")));
    assert_true(span_eq(r.host, SPAN("mx.d.example[192.0.2.5]:25")));
    relay_end();
}

static void refusals(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    give_simple(7, 3);
    struct connect_question q = asked();
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL "RCPT TO:<u0@d>\n>550 5.1.1 who\n" TO(
                     "1") "RCPT TO:<u2@d>\n>450 4.2.0 later\n" BODY ">554 5.7.1 spam\n");
    struct relay_result r = result();
    assert_int_equal(r.recipient, 10);
    assert_int_equal(r.status, JOB_FAILED);
    r = result();
    assert_int_equal(r.recipient, 12);
    assert_int_equal(r.status, JOB_DEFERRED);
    expect(7, RELAY_MESSAGE, JOB_FAILED, 554, "5.7.1");
    expect_quit(fd);
    /* what a hop cannot take */
    struct relay_head h = job_head(8, 1);
    struct extent e = {5, FIXTURE_OCTETS, 0, crc32c(0, FIXTURE_CONTENT, FIXTURE_OCTETS)};
    h.flags = ENVELOPE_8BITMIME;
    give_job(&h, &e, 1);
    q = asked();
    fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO);
    expect(8, RELAY_MESSAGE, JOB_FAILED, 0, "5.6.3");
    expect_quit(fd);
    relay_end();
}

/* A server that takes few recipients and few messages at once. */
static void few_at_once(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    give_simple(7, 3);
    struct connect_question q = asked();
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd,
             ">220 hi\nEHLO me.example\n>250-x\n>250 LIMITS RCPTMAX=1 MAILMAX=2\n" MAIL TO("0") BODY TAKEN);
    expect(7, RELAY_RECIPIENT, JOB_DELIVERED, 250, "2.6.0");
    dialogue(fd, MAIL TO("1") BODY ">451 4.3.0 not now\n");
    expect(7, RELAY_RECIPIENT, JOB_DEFERRED, 451, "4.3.0");
    expect_quit(fd);
    q = asked();
    assert_int_equal(q.n_tried, 0);
    fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL TO("2") BODY TAKEN);
    expect(7, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
    expect_quit(fd);
    relay_end();
}

static void lost_after_the_dot(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    give_simple(7, 1);
    struct connect_question q = asked();
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL TO("0") BODY);
    close(fd);
    expect(7, RELAY_MESSAGE, JOB_DEFERRED, 0, "4.4.2");
    relay_end();
}

/* Damaged content, a segment that was not lent: the server never sees a whole message. */
static void damaged(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    for (unsigned i = 0; i < 2; i++) {
        struct relay_head h = job_head(7 + i, 1);
        struct extent e = {5 + i, FIXTURE_OCTETS, 0, crc32c(0, FIXTURE_CONTENT, FIXTURE_OCTETS) + 1};
        give_job(&h, &e, 1);
        struct connect_question q = asked();
        int fd = answer_open(&q, "192.0.2.1");
        dialogue(fd, HELLO MAIL TO("0") "DATA\n>354 go\n");
        expect(7 + i, RELAY_MESSAGE, JOB_DEFERRED, 0, "4.3.0");
        char octet;
        assert_int_equal(read(fd, &octet, 1), 0);
        close(fd);
    }
    relay_end();
}

static void leases(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    lend(5); /* anew */
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    struct span payload;
    job_segment_put(&b, &(struct job_segment){5});
    say(&spooler, MSG_JOB_RECALL, buf_span(&b), -1);
    assert_int_equal(hear(&spooler, &payload), MSG_JOB_RETURN);
    assert_true(span_eq(payload, buf_span(&b)));
    relay_end();
}

static void give_login(uint64_t job)
{
    struct relay_head h = job_head(job, 1);
    struct extent e = {5, FIXTURE_OCTETS, 0, crc32c(0, FIXTURE_CONTENT, FIXTURE_OCTETS)};
    h.hop = (struct next_hop){.kind = NEXT_HOP_HOST,
                              .tls = TLS_POLICY_NONE,
                              .name = SPAN("s.example:587"),
                              .user = SPAN("/etc/secret")};
    give_job(&h, &e, 1);
}

static struct credential_question credential_asked(struct channel *c)
{
    struct credential_question q;
    struct span payload;
    assert_int_equal(hear(c, &payload), MSG_CREDENTIAL_QUESTION);
    assert_true(credential_question_read(payload, &q));
    return q;
}

static void respond(struct channel *c, uint64_t tag, const char *mechanism, const char *response)
{
    uint8_t memory[1024];
    struct buf b = buf_on(memory, sizeof memory);
    credential_answer_put(&b, &(struct credential_answer){.tag = tag,
                                                          .status = CREDENTIAL_RESPONSE,
                                                          .mechanism = span_str(mechanism),
                                                          .response = span_str(response),
                                                          .last = true});
    say(c, MSG_CREDENTIAL_ANSWER, buf_span(&b), -1);
}

#define LOGIN ">220 hi\nEHLO me.example\n>250-x\n>250 AUTH LOGIN PLAIN\n"

static void credentials(void **state)
{
    (void)state;
    relay_begin();
    lend(5);
    give_login(7);
    struct connect_question q = asked();
    assert_true(span_eq(q.hop.user, SPAN("/etc/secret")));
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, LOGIN);
    static const struct {
        const char *mechanism, *response, *said;
    } steps[] = {{"LOGIN", "", "AUTH LOGIN\n>334 VXNlcg==\n"}, {"LOGIN", "dQ==", "dQ==\n>235 2.7.0 in\n"}};
    for (uint8_t i = 0; i < 2; i++) {
        struct credential_question c = credential_asked(&directory);
        assert_int_equal(c.step, i);
        assert_true(span_eq(c.user, SPAN("/etc/secret")));
        assert_true(span_eq(c.mechanisms, SPAN("LOGIN PLAIN")));
        assert_true(span_eq(c.challenge, i ? SPAN("VXNlcg==") : SPAN("")));
        respond(&directory, c.tag, steps[i].mechanism, steps[i].response);
        dialogue(fd, steps[i].said);
    }
    dialogue(fd, MAIL TO("0") BODY TAKEN);
    expect(7, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
    expect_quit(fd);
    relay_end();
}

/* A next hop that takes too long has failed as a whole, also one that took a message before in the same session. */
static void too_slow(void **state)
{
    (void)state;
    fixture_transaction_ms = 500;
    relay_begin();
    fixture_transaction_ms = 0;
    lend(5);
    give_simple(7, 1);
    struct connect_question q = asked();
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, HELLO MAIL TO("0") BODY TAKEN);
    expect(7, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
    give_simple(8, 1);
    dialogue(fd, MAIL "RCPT TO:<u0@d>\n");
    expect(8, RELAY_NEXT_HOP, JOB_DEFERRED, 0, "4.4.2");
    char octet;
    assert_int_equal(read(fd, &octet, 1), 0);
    close(fd);
    relay_end();
}

/* After some time with one job no other host is tried for it, and none of its parts begins. */
static void too_long_in_hand(void **state)
{
    (void)state;
    fixture_job_ms = 1;
    relay_begin();
    fixture_job_ms = 0;
    lend(5);
    give_simple(7, 1);
    struct connect_question q = asked();
    usleep(50000);
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, ">220 hi\nEHLO me.example\n");
    close(fd);
    expect(7, RELAY_NEXT_HOP, JOB_DEFERRED, 0, "4.4.2");
    give_simple(8, 3);
    q = asked();
    assert_int_equal(q.n_tried, 0);
    usleep(50000);
    fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, ">220 hi\nEHLO me.example\n>250-x\n>250 LIMITS RCPTMAX=1\n" MAIL TO("0") BODY TAKEN);
    expect(8, RELAY_RECIPIENT, JOB_DELIVERED, 250, "2.6.0");
    expect(8, RELAY_MESSAGE, JOB_DEFERRED, 0, "4.4.2");
    expect_quit(fd);
    relay_end();
}

/* The directory dies while a session logs in: the session ends at once; another one begins when there is another directory, and not
 * before. */
static void directory_dies(void **state)
{
    (void)state;
    char octet;
    relay_begin();
    lend(5);
    give_login(7);
    struct connect_question q = asked();
    int fd = answer_open(&q, "192.0.2.1");
    dialogue(fd, LOGIN);
    (void)credential_asked(&directory);
    close(directory.fd);
    directory.fd = -1;
    struct pollfd p[2] = {{fd, POLLIN, 0}, {connector.fd, POLLIN, 0}};
    assert_int_equal(poll(p, 1, 60000), 1);
    assert_int_equal(read(fd, &octet, 1), 0);
    close(fd);
    give_login(8); /* nor does a new one begin meanwhile */
    assert_int_equal(poll(p + 1, 1, FIXTURE_MOMENT_MS / 20), 0);
    for (unsigned i = 0; i < 2; i++) {
        q = asked();
        assert_int_equal(q.n_tried, 0); /* it is not the host's fault */
        fd = answer_open(&q, "192.0.2.1");
        dialogue(fd, LOGIN);
        struct credential_question c = credential_asked(&next_directory);
        assert_int_equal(c.step, 0);
        respond(&next_directory, c.tag, "PLAIN", "AHUAcA==");
        dialogue(fd, "AUTH PLAIN AHUAcA==\n>235 2.7.0 in\n" MAIL TO("0") BODY TAKEN);
        expect(7 + i, RELAY_MESSAGE, JOB_DELIVERED, 250, "2.6.0");
        expect_quit(fd);
    }
    relay_end();
}

/* A spooler that breaks the rules is not listened to any more. */
static void hostile_spooler(void **state)
{
    (void)state;
    for (unsigned how = 0; how < 5; how++) {
        uint8_t memory[4096];
        struct buf b = buf_on(memory, sizeof memory);
        struct relay_head h = job_head(7, 1);
        struct span payload;
        relay_begin();
        relay_head_put(&b, &h);
        if (how == 0) say(&spooler, MSG_RELAY_HEAD, span_head(buf_span(&b), b.n - 1), -1);
        if (how > 0 && how < 4) say(&spooler, MSG_RELAY_HEAD, buf_span(&b), -1);
        if (how == 1) say(&spooler, MSG_RELAY_HEAD, buf_span(&b), -1); /* the same job twice */
        b.n = 0;
        relay_recipient_put(&b, &(struct relay_recipient){.job = 7, .path = SPAN("u@d")});
        for (unsigned i = 0; how == 2 && i < 2; i++) /* more recipients than were said */
            say(&spooler, MSG_RELAY_RECIPIENT, buf_span(&b), -1);
        b.n = 0;
        relay_extents_put(&b, &(struct relay_extents){.job = 7, .last = 1});
        if (how >= 3) say(&spooler, MSG_RELAY_EXTENTS, buf_span(&b), -1); /* fewer; no such job */
        assert_int_equal(hear(&spooler, &payload), 0);
        relay_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one),
        cmocka_unit_test(reuse),
        cmocka_unit_test(stale),
        cmocka_unit_test(candidates),
        cmocka_unit_test(refusals),
        cmocka_unit_test(few_at_once),
        cmocka_unit_test(damaged),
        cmocka_unit_test(lost_after_the_dot),
        cmocka_unit_test(leases),
        cmocka_unit_test(credentials),
        cmocka_unit_test(directory_dies),
        cmocka_unit_test(too_slow),
        cmocka_unit_test(too_long_in_hand),
        cmocka_unit_test(hostile_spooler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
