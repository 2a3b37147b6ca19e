/* What a dialogue cannot say: time, floods, texts, envelopes that nobody may put on the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client_fixture.h"

static void hear(struct caller *p, const char *text)
{
    caller_hear(p, span_str(text));
}

/* A caller whose transaction has come as far as the text brings it. */
static void fresh(struct caller *p, struct client_transaction *todo, unsigned how, const char *text)
{
    client_fixture(p, how, 2, todo);
    hear(p, text);
}

static void expect(const struct caller *p, const char *events)
{
    if (!span_eq(octets_span(&p->events), span_str(events)))
        fail_msg("want <%s> got <%.*s>", events, SPAN_ARG(octets_span(&p->events)));
}

static void test_text(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    client_fixture(&p, 0, 2, todo);
    uint8_t memory[CLIENT_COMMAND_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    struct client_detail d;
    static const uint8_t greeting[] = "554-5.7.1 a\xc3\xa4\0b\rc\\\r\n554-5.7.1 two\r\n554-\r\n554 5.7.1\r\n";
    struct span in = span_of(greeting, sizeof greeting - 1);
    assert_int_equal(client_next(p.c, p.now_ms, &in, &out, &d), CLIENT_CLOSE);
    assert_true(span_eq(d.reply.text, SPAN("a\\xc3\\xa4\\x00b\\x0dc\\ two")));
    assert_int_equal(d.reply.enhanced.subject, 7);
    assert_true(d.next_hop_failed);
    caller_free(&p);
}

/* Lines that end with LF only: it waits for our answer, and is not waited for. */
static void test_bare_lf(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    client_fixture(&p, 0, 2, todo);
    uint8_t memory[CLIENT_COMMAND_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    struct client_detail d;
    struct span in = SPAN("220 hi\n");
    assert_int_equal(client_next(p.c, p.now_ms, &in, &out, &d), CLIENT_CLOSE);
    assert_true(span_eq(d.reply.text, SPAN("the server ends lines with a bare LF")));
    caller_free(&p);
}

/* The clock at every place where a server can fall silent (RFC 5321 4.5.3.2). */
static void test_timeouts(void **state)
{
    (void)state;
    static const struct {
        unsigned how, seconds;
        const char *text, *events;
    } places[] = {
        {0, 300, "", "CLOSE! "},
        {0, 300, "220 hi\r\n", "CLOSE! "},
        {0, 299, "220 hi\r\n|250-x\r\n250 ", "CLOSE! "},
        {MAY, 300, "220 hi\r\n|250-x\r\n250 STARTTLS\r\n", "CLOSE! "},
        {MAY, 30, "220 hi\r\n|250-x\r\n250 STARTTLS\r\n|220 go\r\n", "TLS CLOSE! "},
        {AUTH | TLS_ACTIVE, 300, "220 hi\r\n|250-x\r\n250 AUTH PLAIN\r\n", "AUTH CLOSE! "},
        {0, 300, "220 hi\r\n|250 x\r\n", "READY UNTOUCHED=0/4.4.2 CLOSE! "},
        {0, 300, "220 hi\r\n|250 x\r\n|250 ok\r\n", "READY DONE=0/4.4.2 CLOSE! "},
        {0, 120, "220 hi\r\n|250 x\r\n|250 ok\r\n|250 ok\r\n|250 ok\r\n", "READY DONE=0/4.4.2 CLOSE! "},
        {HOLD, 180, "220 hi\r\n|250 x\r\n|250 ok\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n",
         "READY DATA DONE=0/4.4.2 CLOSE! "},
        {0, 600, "220 hi\r\n|250 x\r\n|250 ok\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n",
         "READY DATA DONE=0/4.4.2 CLOSE! "},
        {LMTP, 600, "220 hi\r\n|250 x\r\n|250 ok\r\n|250 ok\r\n|250 ok\r\n|354 go\r\n|250 ok\r\n",
         "READY DATA RCPT0=250/2.0.0 DONE=0/4.4.2 CLOSE! "},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct client_transaction todo[2];
        struct caller p;
        fresh(&p, todo, places[i].how, "");
        for (const char *at = places[i].text; *at;) { /* '|': the clock moves, but not enough */
            size_t n = strcspn(at, "|");
            caller_hear(&p, span_of(at, n));
            at += at[n] ? n + 1 : n;
            if (!p.handshake) p.now_ms += *at ? 1000 : 0;
        }
        assert_int_equal(client_deadline(p.c), p.now_ms + places[i].seconds * 1000);
        caller_wait(&p);
        expect(&p, places[i].events);
        caller_free(&p);
    }
}

/* However slowly it goes on, it ends. */
static void test_total_time(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    fresh(&p, todo, HOLD, "220 hi\r\n");
    hear(&p, "250 x\r\n");
    hear(&p, "250 ok\r\n");
    hear(&p, "250 ok\r\n");
    hear(&p, "250 ok\r\n");
    hear(&p, "354 go\r\n");
    uint64_t end = 1000 + LIMIT_OUTBOUND_SESSION_SECONDS * 1000;
    for (unsigned i = 0; client_deadline(p.c) < end; i++) {
        p.now_ms += 100000;
        client_content_moves(p.c, p.now_ms);
        assert_true(i < 100);
    }
    assert_int_equal(client_deadline(p.c), end);
    caller_wait(&p);
    expect(&p, "READY DATA DONE=0/4.4.2 CLOSE! ");
    caller_free(&p);
}

static void test_endless_replies(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        size_t bound;
    } floods[] = {{"250-x\r\n", LIMIT_REPLY_OCTETS},
                  {"250-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
                   LIMIT_REPLY_OCTETS},
                  {"250-no end of this line ", LIMIT_REPLY_OCTETS}};
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        struct client_transaction todo[2];
        struct caller p;
        size_t heard = 0;
        fresh(&p, todo, 0, "220 hi\r\n");
        while (!p.closed) {
            hear(&p, floods[i].unit);
            heard += strlen(floods[i].unit);
            assert_true(heard <= floods[i].bound + 2 * CLIENT_INPUT_ROOM);
        }
        expect(&p, "CLOSE! ");
        caller_free(&p);
    }
}

/* A line that is longer than any may be: its beginning counts. */
static void test_long_line(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 5000; piece = piece * 3 + 7) {
        struct client_transaction todo[2];
        struct caller p;
        struct octets line = {NULL, 0, 0};
        octets_add(&line, SPAN("250 "));
        for (unsigned i = 0; i < 4000; i++)
            octets_add(&line, SPAN("y"));
        octets_add(&line, SPAN("\r\n"));
        fresh(&p, todo, 0, "220 hi\r\n");
        for (struct span s = octets_span(&line); s.n; s = span_skip(s, piece))
            caller_hear(&p, span_head(s, piece));
        expect(&p, "READY ");
        hear(&p, "550 5.7.1 no\r\n");
        expect(&p, "READY DONE=550/5.7.1 READY CLOSE ");
        free(line.p);
        caller_free(&p);
    }
}

/* A large message waits for somebody who wants it; a small one does not. */
static void test_eager(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    fresh(&p, todo, 0, "220 hi\r\n");
    todo[0].content_octets = 1000000;
    p.said.n = 0;
    hear(&p, "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    assert_true(
        span_eq(octets_span(&p.said), SPAN("MAIL FROM:<a@b>\r\nRCPT TO:<u0@d>\r\nRCPT TO:<u1@d>\r\n")));
    hear(&p, "250 ok\r\n550 5.1.1 who\r\n550 5.1.1 who\r\n");
    expect(&p, "READY RCPT0=550/5.1.1 RCPT1=550/5.1.1 DONE=0/4.0.0 READY CLOSE ");
    caller_free(&p);
}

/* Replies are heard while the content is on its way. */
static void test_replies_meanwhile(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    fresh(&p, todo, HOLD, "220 hi\r\n");
    hear(&p, "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    expect(&p, "READY BDAT ");
    hear(&p, "250 ok\r\n550 5.1.1 who\r\n250");
    expect(&p, "READY BDAT RCPT0=550/5.1.1 ");
    caller_content(&p);
    hear(&p, " ok\r\n250 2.0.0 yours\r\n");
    expect(&p, "READY BDAT RCPT0=550/5.1.1 DONE=250/2.0.0 READY CLOSE ");
    caller_free(&p);
}

/* Content that left without waiting may have been taken, though no reply came back: it must not be sent elsewhere at once. */
static void test_silence_after_eager_content(void **state)
{
    (void)state;
    static const struct {
        unsigned how;
        const char *reply, *events;
    } rows[] = {{0, "", "READY BDAT DONE=0/4.4.2 CLOSE! "},
                {0, "421 4.3.2 bye\r\n", "READY BDAT UNTOUCHED=421/4.3.2 CLOSE! "},
                {HOLD, "", "READY BDAT UNTOUCHED=0/4.4.2 CLOSE! "}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_transaction todo[2];
        struct caller p;
        fresh(&p, todo, rows[i].how, "220 hi\r\n");
        hear(&p, "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
        hear(&p, rows[i].reply);
        caller_lost(&p);
        expect(&p, rows[i].events);
        caller_free(&p);
    }
}

static void test_recipients_max(void **state)
{
    (void)state;
    static const struct {
        const char *ehlo;
        uint32_t max;
    } servers[] = {{"250 x\r\n", 100},
                   {"250-x\r\n250 LIMITS RCPTMAX=3\r\n", 3},
                   {"250-x\r\n250 LIMITS RCPTMAX=999\r\n", 100}};
    for (size_t i = 0; i < 3; i++) {
        struct client_transaction todo[2];
        struct caller p;
        fresh(&p, todo, 0, "220 hi\r\n");
        hear(&p, servers[i].ehlo);
        assert_int_equal(client_recipients_max(p.c), servers[i].max);
        caller_free(&p);
    }
}

/* Whatever the spool says: no envelope puts a line of its own on the wire. */
static void test_envelope_refused(void **state)
{
    (void)state;
    static const struct client_recipient bad[] = {{0, SPAN("u\r\nRSET@d"), 0, {NULL, 0}},
                                                  {0, SPAN("u@d"), 0, SPAN("rfc822;a b")},
                                                  {0, SPAN("u@d"), 16, {NULL, 0}},
                                                  {0, SPAN("\xc3\xa4@d"), 0, {NULL, 0}},
                                                  {0, SPAN(""), 0, {NULL, 0}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad + 2; i++) {
        struct client_transaction todo[2];
        struct caller p;
        fresh(&p, todo, 0, "220 hi\r\n");
        if (i < sizeof bad / sizeof *bad) {
            todo[0].recipients = &bad[i];
            todo[0].n = 1;
        } else if (i == sizeof bad / sizeof *bad) {
            todo[0].reverse_path = SPAN("a\n@b");
        } else {
            todo[0].envid = SPAN("a\x7f");
        }
        p.said.n = 0;
        hear(&p, "250 x\r\n");
        expect(&p, "READY DONE=0/5.5.4 READY CLOSE ");
        assert_true(span_eq(octets_span(&p.said), SPAN("QUIT\r\n")));
        caller_free(&p);
    }
}

static void test_no_credential(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    fresh(&p, todo, AUTH | TLS_ACTIVE, "220 hi\r\n");
    p.mechanism = NULL;
    p.said.n = 0;
    hear(&p, "250-x\r\n250 AUTH X-ODD\r\n");
    expect(&p, "AUTH CLOSE! ");
    assert_true(span_eq(octets_span(&p.said), SPAN("QUIT\r\n")));
    caller_free(&p);
}

/* Success before the mechanism is through is none: whoever says so has not proven anything (RFC 5802 5.1). */
static void test_success_too_early(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    fresh(&p, todo, AUTH | TLS_ACTIVE, "220 hi\r\n");
    p.unproven = true;
    hear(&p, "250-x\r\n250 AUTH PLAIN\r\n");
    p.said.n = 0;
    hear(&p, "235 2.7.0 come in\r\n");
    expect(&p, "AUTH CLOSE! ");
    assert_true(span_eq(octets_span(&p.said), SPAN("QUIT\r\n")));
    caller_free(&p);
}

/* What the credential's side knows stands behind the server's words, however long both are. */
static void test_refusal_tells_more(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    static char line[512], small[] = "535 5.7.8 no more\r\n";
    memset(line, 'x', sizeof line);
    memcpy(line, small, 10);
    memcpy(line + 490, "\r\n", 3);
    for (unsigned k = 0; k < 2; k++) {
        struct client_detail d;
        uint8_t octets[4096];
        struct buf out = buf_on(octets, sizeof octets);
        fresh(&p, todo, AUTH | TLS_ACTIVE, "220 hi\r\n");
        p.note = "the token in /t, written 3 days ago";
        hear(&p, "250-x\r\n250 AUTH PLAIN\r\n");
        struct span in = span_str(k ? line : small);
        assert_int_equal(client_next(p.c, p.now_ms, &in, &out, &d), CLIENT_CLOSE);
        if (k == 0)
            assert_true(span_eq(
                d.reply.text, SPAN("AUTH PLAIN was refused: no more (the token in /t, written 3 days ago)")));
        assert_true(d.reply.text.n <= LIMIT_RESULT_TEXT_OCTETS);
        struct span end = span_skip(d.reply.text, d.reply.text.n - 38);
        assert_true(span_eq(end, SPAN(" (the token in /t, written 3 days ago)")));
        caller_free(&p);
    }
    fresh(&p, todo, AUTH | TLS_ACTIVE, "220 hi\r\n"); /* and why there is no mechanism */
    p.mechanism = NULL;
    p.note = "the token in /t is empty";
    struct client_detail d;
    uint8_t octets[4096];
    struct buf out = buf_on(octets, sizeof octets);
    hear(&p, "250-x\r\n250 AUTH PLAIN\r\n");
    struct span none = SPAN("");
    assert_int_equal(client_next(p.c, p.now_ms, &none, &out, &d), CLIENT_CLOSE);
    assert_true(span_eq(d.reply.text, SPAN("the token in /t is empty")));
    assert_int_equal(d.reply.enhanced.class, 4);
    caller_free(&p);
}

/* Many mechanisms: the list is cut between two of them. */
static void test_mechanisms(void **state)
{
    (void)state;
    struct client_transaction todo[2];
    struct caller p;
    uint8_t memory[CLIENT_COMMAND_ROOM], reply[700];
    struct buf out = buf_on(memory, sizeof memory), b = buf_on(reply, sizeof reply);
    struct client_detail d;
    client_fixture(&p, AUTH | TLS_ACTIVE, 2, todo);
    hear(&p, "220 hi\r\n");
    buf_str(&b, "250-x\r\n250 AUTH");
    for (unsigned i = 0; i < 60; i++)
        buf_str(&b, " MECHANISM");
    buf_str(&b, "\r\n");
    struct span in = buf_span(&b);
    assert_int_equal(client_next(p.c, p.now_ms, &in, &out, &d), CLIENT_AUTH);
    assert_int_equal(d.mechanisms.n % 10, 9);
    assert_true(d.mechanisms.n > 480);
    caller_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_bare_lf),
        cmocka_unit_test(test_timeouts),
        cmocka_unit_test(test_total_time),
        cmocka_unit_test(test_endless_replies),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_eager),
        cmocka_unit_test(test_replies_meanwhile),
        cmocka_unit_test(test_silence_after_eager_content),
        cmocka_unit_test(test_recipients_max),
        cmocka_unit_test(test_envelope_refused),
        cmocka_unit_test(test_success_too_early),
        cmocka_unit_test(test_refusal_tells_more),
        cmocka_unit_test(test_no_credential),
        cmocka_unit_test(test_mechanisms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
