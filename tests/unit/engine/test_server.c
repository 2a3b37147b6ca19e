/* What scripts cannot say: the caller's side of the engine. The wire is tested by tests/script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "../../tools/peer.h"

static void fresh(struct peer *p)
{
    *p = (struct peer){.now_ms = 1000};
    peer_conf(&p->conf);
    peer_connect(p, false);
}

static void feed(struct peer *p, const char *text)
{
    p->replies.n = 0;
    peer_feed(p, span_str(text));
}

static void expect(const struct peer *p, const char *pattern)
{
    if (!peer_matches(span_str(pattern), octets_span(&p->replies)))
        fail_msg("want %s, got %.*s", pattern, SPAN_ARG(octets_span(&p->replies)));
}

static void expect_events(const struct peer *p, const char *letters)
{
    if (!span_eq(span_str(letters), octets_span(&p->events)))
        fail_msg("want %s, got %.*s", letters, SPAN_ARG(octets_span(&p->events)));
}

static const char envelope[] = "EHLO a.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\n";

static void test_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct server) <= 512);
}

static void test_events_of_a_message(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    feed(&p, "DATA\r\nx\r\n.\r\nQUIT\r\n");
    expect_events(&p, "MRBEC");
    expect(&p, "354 *250 2.0.0 Queued as TEST\r\n221 *");
    assert_int_equal(p.n_messages, 1);
    peer_free(&p);
}

/* Everything that ends a transaction says so exactly once. */
static void test_abort(void **state)
{
    (void)state;
    static const struct {
        const char *input, *events;
    } rows[] = {
        {"RSET\r\nRSET\r\n", "MRA"},       {"EHLO b.example\r\n", "MRA"},
        {"HELO b.example\r\n", "MRA"},     {"QUIT\r\n", "MRAC"},
        {"GET / HTTP/1.1\r\n", "MRAC"},    {"RCPT TO:<drop@dest.example>\r\n", "MRRAC"},
        {"DATA\r\na\nb\r\n.\r\n", "MRBA"}, {"DATA\r\na\nb\r\nc\rd\r\n.\r\nRSET\r\n", "MRBA"},
        {"BDAT 1\r\nxRSET\r\n", "MRBA"},   {"BDAT 1\r\n\nBDAT 1 LAST\r\nxRSET\r\n", "MRBA"},
        {"BDAT 3 LAST\r\n\n\r\n", "MRBA"}, {"BDAT x\r\n", "MRAC"},
        {"BDAT 99999999999\r\n", "MR"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct peer p;
        fresh(&p);
        feed(&p, envelope);
        feed(&p, rows[i].input);
        expect_events(&p, rows[i].events);
        assert_int_equal(p.n_messages, 0);
        peer_free(&p);
    }
}

static void test_begin_refused(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    p.refuse_begin = 452;
    feed(&p, "DATA\r\n");
    expect(&p, "452 4.3.1 No room\r\n");
    feed(&p, "DATA\r\nx\r\n.\r\n"); /* the transaction is still there */
    expect(&p, "354 *250 2.0.0 *");
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\n");
    p.refuse_begin = 452;
    /* the octets go all the same; what was sent without waiting must not look refused for good */
    feed(&p, "BDAT 6\r\nNOOP\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n");
    expect(&p, "452 4.3.1 No room\r\n451 4.5.1 *\r\n250 2.0.0 Ok\r\n");
    assert_int_equal(p.n_messages, 1);
    peer_free(&p);
}

static void test_end_refused(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    p.refuse_end = 451;
    feed(&p, "DATA\r\nx\r\n.\r\nRCPT TO:<user@dest.example>\r\n");
    expect(&p, "354 *451 4.3.0 Not stored\r\n503 *");
    expect_events(&p, "MRBE"); /* no ABORT: the caller knows */
    p.refuse_end = 554;
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nBDAT 3 LAST\r\nx\r\n");
    expect(&p, "*554 5.3.0 Not stored\r\n");
    feed(&p, "MAIL FROM:<a@b.example>\r\n");
    expect(&p, "250 *");
    peer_free(&p);
}

static void test_content_not_kept(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    p.fail_after = 1;
    feed(&p, "DATA\r\nsome\r\n");
    expect_events(&p, "MRBA");
    assert_false(server_in_content(&p.s));
    feed(&p, "more\r\n.\r\nNOOP\r\n");
    expect(&p, "452 4.3.1 No space for this message\r\n250 *");
    /* what is wrong with the content itself is said first: it will be wrong tomorrow too */
    p.fail_after = 1;
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nDATA\r\nsome\r\n");
    feed(&p, "a\nb\r\n.\r\n");
    expect(&p, "550 5.6.11 *");
    /* between chunks as well as in one */
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nBDAT 3\r\nx\r\n");
    server_fail_content(&p.s, 452, "4.3.1", "Later");
    feed(&p, "BDAT 3\r\nx\r\nBDAT 3 LAST\r\ny\r\n");
    expect(&p, "452 4.3.1 Later\r\n451 4.5.1 *");
    assert_int_equal(p.n_messages, 0);
    server_fail_content(&p.s, 452, "4.3.1", "Later"); /* no content: nothing happens */
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nDATA\r\nx\r\n.\r\n");
    expect(&p, "*354 *250 2.0.0 *");
    peer_free(&p);
}

static void test_in_content(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    assert_false(server_in_content(&p.s));
    feed(&p, "DATA\r\n");
    assert_true(server_in_content(&p.s));
    feed(&p, "x\r\n.\r\n");
    assert_false(server_in_content(&p.s));
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nBDAT 2\r\n");
    assert_true(server_in_content(&p.s));
    feed(&p, "ab");
    assert_false(server_in_content(&p.s));
    feed(&p, "BDAT 99999999999\r\n"); /* too large: swallowed, not kept */
    assert_false(server_in_content(&p.s));
    peer_free(&p);
}

static const char *mail_of(struct peer *p, const char *size)
{
    static char reply[256];
    p->replies.n = 0;
    feed(p, "MAIL FROM:<a@b.example> SIZE=");
    feed(p, size);
    feed(p, "\r\n");
    snprintf(reply, sizeof reply, "%.*s", SPAN_ARG(octets_span(&p->replies)));
    feed(p, "RSET\r\n");
    return reply;
}

/* Whoever may is not bound by the size of a message: in what is offered, in MAIL, DATA and BDAT; and no longer than TLS knows who it is. */
static void test_bypass_size(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    p.conf.max_message_octets = 10;
    feed(&p, "EHLO a.example\r\n");
    assert_non_null(strstr(mail_of(&p, "11"), "552 5.3.4 "));
    server_permit_size(&p.s);
    assert_non_null(strstr(mail_of(&p, "11"), "250 "));
    assert_non_null(strstr(mail_of(&p, "2147483647"), "250 ")); /* as offered */
    assert_non_null(strstr(mail_of(&p, "2147483648"), "552 5.3.4 "));
    p.replies.n = 0;
    feed(&p, "EHLO a.example\r\n");
    expect(&p, "*SIZE 2147483647\r\n*");
    p.replies.n = 0;
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nDATA\r\n");
    feed(&p, "0123456789\r\n.\r\n");
    expect(&p, "*250 2.0.0 *");
    p.replies.n = 0;
    feed(&p, "MAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nBDAT 11 LAST\r\n0123456789a");
    expect(&p, "*250 2.0.0 *");
    feed(&p, "STARTTLS\r\n");
    peer_tls(&p);
    feed(&p, "EHLO a.example\r\n");
    assert_non_null(strstr(mail_of(&p, "11"), "552 5.3.4 "));
    peer_free(&p);
}

static void test_refuse_and_early(void **state)
{
    (void)state;
    uint8_t memory[SERVER_REPLY_ROOM];
    struct buf out = buf_on(memory, sizeof memory);
    struct span in = SPAN("EHLO a\r\n");
    struct server_detail d;
    struct server_conf conf;
    struct server s;
    peer_conf(&conf);
    server_refuse(&s, &conf, 421, "4.7.0", SPAN("Too many sessions"), &out);
    assert_int_equal(server_next(&s, 0, &in, &out, &d), SERVER_CLOSE);
    assert_int_equal(server_next(&s, 0, &in, &out, &d), SERVER_CLOSE);
    assert_int_equal(in.n, 8);
    assert_true(span_eq(buf_span(&out), SPAN("421 4.7.0 Too many sessions\r\n")));
    out.n = 0;
    server_begin(&s, &conf, 0, false, &out);
    assert_true(span_eq(buf_span(&out), SPAN("220 mx.dest.example ESMTP ready\r\n")));
    struct server_conf named = conf;
    named.banner = SPAN("Mail of ours");
    out.n = 0;
    server_begin(&s, &named, 0, false, &out);
    assert_true(span_eq(buf_span(&out), SPAN("220 mx.dest.example Mail of ours\r\n")));
    out.n = 0;
    server_begin(&s, &conf, 0, false, &out);
    out.n = 0;
    server_early_talker(&s, &out);
    assert_int_equal(server_next(&s, 0, &in, &out, &d), SERVER_CLOSE);
    assert_true(peer_matches(SPAN("554 5.5.1 *"), buf_span(&out)));
}

/* I9: what came behind STARTTLS is gone, and so is what the session knew. */
static void test_starttls_discards(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, "EHLO before.example\r\nSTARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<evil@b.example>\r\nRCPT "
             "TO:<us");
    expect(&p, "250-*250 *220 2.0.0 *");
    assert_int_equal(p.input.n, 0);
    assert_true(p.handshake);
    p.replies.n = 0;
    peer_tls(&p);
    assert_int_equal(server_helo(&p.s).n, 0);
    assert_int_equal(server_extensions(&p.s) & EXT_STARTTLS, 0);
    feed(&p, "er@dest.example>\r\nMAIL FROM:<a@b.example>\r\n");
    expect(&p, "500 5.5.1 *503 5.5.1 *");
    feed(&p, "EHLO after.example\r\n");
    assert_true(span_eq(server_helo(&p.s), SPAN("after.example")));
    if (peer_matches(SPAN("*STARTTLS*"), octets_span(&p.replies))) fail();
    peer_free(&p);
}

static void test_handshake_time(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, "EHLO a.example\r\nSTARTTLS\r\n");
    p.replies.n = 0;
    peer_wait(&p, LIMIT_TLS_HANDSHAKE_SECONDS * 1000);
    assert_true(p.closed);
    assert_int_equal(p.replies.n, 0); /* not one octet in the clear */
    peer_free(&p);
}

static void test_never_offers_auth(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    assert_int_equal(server_extensions(&p.s) & (EXT_AUTH | EXT_XCLIENT | EXT_XFORWARD | EXT_REQUIRETLS), 0);
    peer_free(&p);
}

static void test_binarymime_needs_chunking(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    p.conf.extensions &= ~(uint32_t)EXT_CHUNKING;
    feed(&p, envelope);
    if (peer_matches(SPAN("*BINARYMIME*"), octets_span(&p.replies))) fail();
    feed(&p, "BDAT 6 LAST\r\nXYZZ\r\nDATA\r\nx\r\n.\r\n"); /* swallowed, and the transaction is as it was */
    expect(&p, "502 5.5.1 *\r\n354 *250 2.0.0 *");
    feed(&p, "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n");
    expect(&p, "5*");
    peer_free(&p);
}

static void test_session_total(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    for (int i = 0; i < 71 && !p.closed; i++) {
        feed(&p, "EHLO a.example\r\n");
        expect(&p, "250-*");
        p.replies.n = 0;
        peer_wait(&p, 100000);
    }
    assert_false(p.closed);
    peer_wait(&p, 99999);
    assert_false(p.closed);
    peer_wait(&p, 1);
    assert_true(p.closed);
    expect(&p, "421 4.4.2 *");
    peer_free(&p);
}

static void test_time_ends_a_transaction(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    feed(&p, "DATA\r\nhalf");
    peer_wait(&p, 180000);
    expect_events(&p, "MRBAC");
    assert_true(p.closed);
    peer_free(&p);
}

/* No reply fits any more, because the client takes none: it is cut off without words. */
static void test_tick_without_room(void **state)
{
    (void)state;
    uint8_t memory[8];
    struct buf out = buf_on(memory, sizeof memory);
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    p.now_ms += 300000;
    assert_int_equal(server_tick(&p.s, p.now_ms, &out), SERVER_ABORT);
    assert_int_equal(server_tick(&p.s, p.now_ms, &out), SERVER_CLOSE);
    assert_int_equal(out.n, 0);
    assert_false(out.over);
    peer_free(&p);
}

/* A clock that stands near its end, limits at their maximum: no sum may wrap into the past. */
static void test_deadline_does_not_wrap(void **state)
{
    (void)state;
    struct peer p = {.now_ms = UINT64_MAX - 1000};
    peer_conf(&p.conf);
    p.conf.command_seconds = p.conf.session_seconds = p.conf.data_block_seconds = UINT32_MAX;
    p.conf.message_seconds = UINT32_MAX;
    p.conf.minimum_rate = 0;
    peer_connect(&p, false);
    assert_true(server_deadline(&p.s) == UINT64_MAX);
    feed(&p, envelope);
    feed(&p, "DATA\r\n");
    assert_true(server_deadline(&p.s) == UINT64_MAX);
    peer_free(&p);
}

static void test_no_error_verdicts(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    struct server_verdict v = {550, "5.1.1", SPAN("No such user"), true};
    uint8_t memory[SERVER_REPLY_ROOM];
    struct server_detail d;
    feed(&p, "EHLO a.example\r\nMAIL FROM:<a@b.example>\r\n");
    for (int i = 0; i < 100; i++) {
        struct buf out = buf_on(memory, sizeof memory);
        struct span in = SPAN("RCPT TO:<x@dest.example>\r\n");
        assert_int_equal(server_next(&p.s, p.now_ms, &in, &out, &d), SERVER_RCPT);
        server_answer(&p.s, p.now_ms, &v, &out);
        assert_true(span_eq(buf_span(&out), SPAN("550 5.1.1 No such user\r\n")));
    }
    peer_free(&p);
}

/* I11: an argument that is said back is short, printable, and cannot end the line. */
static void test_echo(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    uint8_t line[600];
    feed(&p, "EHLO a.example\r\n");
    for (unsigned c = 1; c < 256; c++) {
        if (c == '\r' || c == '\n' || c == ' ' || c == '=') continue;
        struct buf b = buf_on(line, sizeof line);
        buf_str(&b, "MAIL FROM:<a@b.example> X");
        for (int i = 0; i < 200; i++)
            buf_byte(&b, (uint8_t)c);
        buf_str(&b, "\r\nRSET\r\n");
        p.replies.n = 0;
        peer_connect(&p, false);
        feed(&p, "EHLO a.example\r\n");
        p.replies.n = 0;
        peer_feed(&p, buf_span(&b));
        struct span reply = peer_reply(octets_span(&p.replies));
        assert_true(reply.n > 10 && reply.n <= 10 + 26 + LIMIT_ECHO_OCTETS);
        assert_true(reply.p[0] == '5');
    }
    peer_free(&p);
}

/* More replies than the buffer holds: none is lost, none is cut. */
static void test_flush(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    p.out_octets = SERVER_REPLY_ROOM;
    feed(&p, "EHLO a.example\r\nMAIL FROM:<a@b.example>\r\n");
    struct octets many = {NULL, 0, 0};
    for (int i = 0; i < 900; i++)
        octets_add(&many, SPAN("RCPT TO:<user@dest.example>\r\n"));
    octets_add(&many, SPAN("DATA\r\nx\r\n.\r\n"));
    p.replies.n = 0;
    peer_feed(&p, octets_span(&many));
    struct span said = octets_span(&p.replies);
    size_t replies = 0;
    for (struct span one; (one = peer_reply(said)).n > 0; replies++)
        said = span_skip(said, one.n);
    assert_int_equal(replies, 902);
    assert_int_equal(p.n_messages, 1);
    free(many.p);
    peer_free(&p);
}

static void test_8bit_is_known(void **state)
{
    (void)state;
    struct peer p;
    fresh(&p);
    feed(&p, envelope);
    feed(&p, "DATA\r\nplain\r\n");
    assert_false(server_body_8bit(&p.s));
    feed(&p, "\xc3\xbc\r\n");
    assert_true(server_body_8bit(&p.s));
    feed(&p, ".\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<user@dest.example>\r\nBDAT 5\r\nplain");
    assert_false(server_body_8bit(&p.s));
    feed(&p, "BDAT 2\r\n\xc3\xbc");
    assert_true(server_body_8bit(&p.s));
    peer_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_events_of_a_message),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_begin_refused),
        cmocka_unit_test(test_end_refused),
        cmocka_unit_test(test_content_not_kept),
        cmocka_unit_test(test_in_content),
        cmocka_unit_test(test_bypass_size),
        cmocka_unit_test(test_refuse_and_early),
        cmocka_unit_test(test_starttls_discards),
        cmocka_unit_test(test_handshake_time),
        cmocka_unit_test(test_never_offers_auth),
        cmocka_unit_test(test_binarymime_needs_chunking),
        cmocka_unit_test(test_session_total),
        cmocka_unit_test(test_time_ends_a_transaction),
        cmocka_unit_test(test_tick_without_room),
        cmocka_unit_test(test_deadline_does_not_wrap),
        cmocka_unit_test(test_no_error_verdicts),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_flush),
        cmocka_unit_test(test_8bit_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
