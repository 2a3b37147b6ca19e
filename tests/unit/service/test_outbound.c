/* Outbound sessions: what leaves, and how they end. */
#include "outbound_fixture.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint32_t sets[] = {0, EXT_PIPELINING, EXT_CHUNKING, EXT_PIPELINING | EXT_CHUNKING | EXT_SIZE};

/* Lines of many lengths, dots first, over every border of pieces and extents. */
static struct span long_content(void)
{
    static uint8_t memory[700000];
    struct buf b = buf_on(memory, sizeof memory);
    while (buf_room(&b) > 1000) {
        buf_str(&b, b.n % 3 ? "." : "");
        for (size_t i = 0; i < b.n % 89; i++)
            buf_byte(&b, '.');
        buf_str(&b, "\r\n");
    }
    return buf_span(&b);
}

static void expect_message(unsigned i, struct span content)
{
    assert_true(t.end.peer.n_messages > i);
    assert_true(span_eq(octets_span(&t.end.peer.messages[i].content), content));
    assert_true(span_eq(octets_span(&t.end.peer.messages[i].recipients),
                        SPAN("user@dest.example other@dest.example ")));
}

static void test_messages(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        struct outbound_peer peer = anybody(TLS_POLICY_NONE);
        begin(SPAN("A: b\r\n\r\n.\r\n..x\r\n"), k % 2 ? 1 : 3, sets[k]);
        t.to_send = 3;
        connect_pair(&peer);
        run();
        for (unsigned i = 0; i < 3; i++)
            expect_message(i, SPAN("A: b\r\n\r\n.\r\n..x\r\n"));
        assert_int_equal(t.ready, 4);
        assert_int_equal(t.done, 3);
        assert_int_equal(t.results[5], 3);
        assert_int_equal(t.verdicts[2], 3);
        assert_int_equal(t.damaged, 0);
        assert_string_equal(t.tls, "none: not wanted");
        assert_true(t.last.was_ready && !t.last.next_hop_failed);
        end();
    }
}

static void test_long_message(void **state)
{
    (void)state;
    struct span content = long_content();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (unsigned extents = 1; extents <= EXTENTS; extents += 7) {
            struct outbound_peer peer = anybody(TLS_POLICY_MAY);
            begin(content, extents, sets[k]);
            connect_pair(&peer);
            run();
            expect_message(0, content);
            assert_int_equal(t.verdicts[2], 1);
            assert_string_equal(t.tls, "none: not offered");
            end();
        }
}

/* Whatever is wrong with what is stored: the server never has it as a whole message. */
static void test_damaged(void **state)
{
    (void)state;
    struct span content = long_content();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (unsigned how = 0; how < 7; how++) {
            struct outbound_peer peer = anybody(TLS_POLICY_NONE);
            static const char *const broken[] = {"a\nb\r\n", "a\rb\r\n", "a\r\n.\n\r\n", "no end"};
            begin(how < 4 ? span_str(broken[how]) : content, how < 4 ? 1 : 4, sets[k]);
            if (how == 4) t.extents[3].crc ^= 1;
            if (how == 5) t.extents[3].length++;
            if (how == 6) t.message.n_extents = 3;
            t.to_send = 2;
            connect_pair(&peer);
            run();
            assert_int_equal(t.end.peer.n_messages, 0);
            assert_int_equal(t.damaged, 1);
            assert_int_equal(t.untouched, 0);
            assert_int_equal(t.verdicts[4], 1);
            assert_int_equal(t.closed, 1);
            end();
        }
}

static void test_no_segment(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, 0);
    t.extents[0].segment = 8;
    connect_pair(&peer);
    run();
    assert_int_equal(t.end.peer.n_messages, 0);
    assert_int_equal(t.verdicts[4], 1);
    assert_int_equal(t.damaged, 0);
    end();
}

/* The server goes away at every point of the dialogue. */
static void test_hang_up(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (size_t after = 1; after < 200; after += 13) {
            struct outbound_peer peer = anybody(TLS_POLICY_NONE);
            begin(SPAN("A: b\r\n\r\n.\r\n..x\r\n"), 1, sets[k]);
            t.end.hang_up_after = after;
            connect_pair(&peer);
            run();
            assert_int_equal(t.closed, 1);
            assert_int_equal(t.done, t.ready ? 1 : 0);
            assert_int_equal(t.end.peer.n_messages, t.verdicts[2]);
            end();
        }
}

/* It takes nothing more, and has said why: that is heard. */
static void test_refusal_in_the_midst(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(long_content(), 1, 0);
    connect_pair(&peer);
    static const char said[] = "220 hi\r\n";
    t.end.hung = true;
    assert_int_equal(send(t.end.fd, said, sizeof said - 1, 0), sizeof said - 1);
    static const char *const replies[] = {"250 x\r\n",  "250 ok\r\n", "250 ok\r\n",
                                          "250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
    for (unsigned i = 0; i < 6; i++) {
        uint8_t memory[1000];
        for (unsigned k = 0; k < 100 && read(t.end.fd, memory, sizeof memory) <= 0; k++)
            one_turn();
        assert_int_equal(send(t.end.fd, replies[i], strlen(replies[i]), 0), strlen(replies[i]));
    }
    static const char no[] = "552 5.3.4 too large\r\n";
    assert_int_equal(send(t.end.fd, no, sizeof no - 1, 0), sizeof no - 1);
    shutdown(t.end.fd, SHUT_RDWR);
    run();
    assert_int_equal(t.verdicts[5], 1);
    end();
}

static void test_idle(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, EXT_PIPELINING);
    t.stay = true;
    connect_pair(&peer);
    uint64_t from = loop_now_ms(t.loop);
    run();
    assert_int_equal(t.end.peer.n_messages, 1);
    assert_true(loop_now_ms(t.loop) - from >= 2000 && loop_now_ms(t.loop) - from < 60000);
    assert_true(t.end.peer.closed); /* QUIT */
    assert_false(t.last.next_hop_failed);
    end();
}

/* All steps in time, all together not: a session that does not become ready, a transaction that does not end. */
static void test_late(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, 0);
    t.end.hung = true;
    struct outbound_session *s = connect_pair(&peer);
    s->begun_ms -= LIMIT_TRANSACTION_SECONDS * 1000 - 20;
    s->until_ms -= LIMIT_TRANSACTION_SECONDS * 1000 - 20;
    run();
    assert_string_equal(t.text, "the next hop took longer than 900 seconds to be ready for a message");
    assert_true(t.last.next_hop_failed);
    end();

    begin(SPAN("hi\r\n"), 1, 0);
    t.patience = NO_REPLY; /* to MAIL */
    t.message.transaction.content_octets = 4;
    connect_pair(&peer);
    run();
    assert_int_equal(t.done, 1);
    assert_int_equal(t.overdue, 1);
    assert_int_equal(t.verdicts[4], 1);
    assert_string_equal(t.said, "the next hop took longer than 900 seconds for one transaction");
    assert_int_equal(t.end.peer.n_messages, 0);
    end();
}

/* RFC 5321 4.5.3.2.6: whatever came before, the reply to the end of the content is waited for. */
static void test_late_before_the_end(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, EXT_PIPELINING | EXT_CHUNKING);
    t.patience = NO_LAST_REPLY;
    connect_pair(&peer);
    run();
    assert_int_equal(t.verdicts[2], 1);
    assert_int_equal(t.overdue, 0);
    expect_message(0, SPAN("hi\r\n"));
    end();
}

/* What is large may take longer. */
static void test_large_has_time(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, 0);
    t.stay = true;
    t.to_send = 0;
    struct outbound_session *s = connect_pair(&peer);
    t.message.transaction.content_octets = 20000000;
    run_until_ready();
    assert_true(s->until_ms == UINT64_MAX); /* nothing goes on */
    outbound_send(s, &t.message);
    assert_int_equal(s->until_ms - loop_now_ms(t.loop), (LIMIT_TRANSACTION_SECONDS + 10000) * 1000);
    end();
}

static void test_tls(void **state)
{
    (void)state;
    struct span content = long_content();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (unsigned policy = TLS_POLICY_MAY; policy <= TLS_POLICY_ENCRYPT; policy++) {
            struct outbound_peer peer = anybody((enum tls_policy)policy);
            begin(content, 3, sets[k] | EXT_STARTTLS);
            connect_pair(&peer);
            run();
            expect_message(0, content);
            assert_true(strncmp(t.tls, "TLSv1.3 ", 8) == 0);
            end();
        }
}

static void test_tls_not_the_one(void **state)
{
    (void)state;
    static const struct {
        enum tls_policy policy;
        bool dane;
        uint32_t offered;
    } rows[] = {{TLS_POLICY_VERIFY, false, EXT_STARTTLS},
                {TLS_POLICY_DANE_ONLY, false, EXT_STARTTLS},
                {TLS_POLICY_ENCRYPT, false, 0},
                {TLS_POLICY_DANE, true, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outbound_peer peer = anybody(rows[i].policy);
        peer.dane = rows[i].dane;
        begin(SPAN("hi\r\n"), 1, rows[i].offered);
        connect_pair(&peer);
        run();
        assert_int_equal(t.end.peer.n_messages, 0);
        assert_int_equal(t.ready, 0);
        assert_true(t.last.next_hop_failed);
        assert_false(t.last.tls_failed);
        assert_int_equal(t.last.reply.enhanced.class, 4);
        end();
    }
}

/* A server that says 220 and then speaks no TLS: whoever may goes on in clear, by a new connection. */
static void test_tls_fails(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_MAY);
    begin(SPAN("hi\r\n"), 1, EXT_STARTTLS);
    t.end.hang_up_after = 1000; /* instead of the handshake */
    connect_pair(&peer);
    run();
    assert_true(t.last.tls_failed);
    assert_false(t.last.was_ready);
    end();
    peer.in_clear = true;
    begin(SPAN("hi\r\n"), 1, EXT_STARTTLS);
    connect_pair(&peer);
    run();
    expect_message(0, SPAN("hi\r\n"));
    assert_string_equal(t.tls, "none: the handshake failed");
    end();
}

/* Others that never end their handshakes are no fault of this next hop. */
static void test_tls_waits_for_room(void **state)
{
    (void)state;
    int pair[2];
    struct outbound_peer peer = anybody(TLS_POLICY_MAY);
    begin(SPAN("hi\r\n"), 1, EXT_STARTTLS);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    t.crowd =
        tls_client_create(client_tls, pair[0], &(struct tls_client_peer){.name = SPAN("x.example")}, NULL);
    assert_non_null(t.crowd);
    assert_int_equal(tls_handshake(t.crowd), TLS_WANT_READ);
    tls_handshakes_limit(1);
    assert_false(tls_can_start());
    t.crowd_ms = loop_now_ms(t.loop) + 250;
    connect_pair(&peer);
    run();
    assert_null(t.crowd);
    expect_message(0, SPAN("hi\r\n"));
    assert_true(strncmp(t.tls, "TLSv1.3 ", 8) == 0);
    close(pair[0]);
    close(pair[1]);
    end();
}

static void test_slots(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, 0);
    for (unsigned round = 0; round < 3; round++) {
        struct outbound_session *s[SESSIONS];
        int pair[2];
        for (unsigned i = 0; i < SESSIONS; i++) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
            close(pair[1]);
            s[i] = outbound_open(t.o, pair[0], &peer, &t);
            assert_non_null(s[i]);
        }
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        close(pair[1]);
        assert_null(outbound_open(t.o, pair[0], &peer, &t));
        for (unsigned i = 0; i < SESSIONS; i++)
            outbound_drop(s[i]);
        outbound_after_turn(t.o);
    }
    assert_int_equal(t.closed, 0);
    t.end.gone = true;
    end();
}

/* The connector lets go of a socket a moment after it has passed it on: what still comes by it concerns nobody any more, and a slot is
 * free once. */
static void test_somebody_holds_the_socket(void **state)
{
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    struct outbound_session *s[SESSIONS];
    int pair[2], held;
    (void)state;
    begin(SPAN("A: b\r\n\r\n"), 1, 0);
    t.stay = true;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    held = dup(pair[0]);
    s[0] = outbound_open(t.o, pair[0], &peer, &t);
    assert_int_equal(write(pair[1], "554 no\r\n", 8), 8);
    run(); /* the session ends */
    assert_int_equal(t.closed, 1);
    one_turn();
    assert_int_equal(write(pair[1], "221 bye\r\n", 9), 9);
    close(pair[1]);
    for (unsigned i = 0; i < 3; i++)
        one_turn();
    close(held);
    for (unsigned i = 0; i < SESSIONS; i++) { /* all of them, each once */
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        close(pair[1]);
        s[i] = outbound_open(t.o, pair[0], &peer, &t);
        assert_non_null(s[i]);
        for (unsigned k = 0; k < i; k++)
            assert_ptr_not_equal(s[i], s[k]);
    }
    for (unsigned i = 0; i < SESSIONS; i++)
        outbound_drop(s[i]);
    outbound_after_turn(t.o);
    assert_int_equal(t.closed, 0);
    t.end.gone = true;
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_no_segment),
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_refusal_in_the_midst),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_late_before_the_end),
        cmocka_unit_test(test_large_has_time),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_not_the_one),
        cmocka_unit_test(test_tls_fails),
        cmocka_unit_test(test_tls_waits_for_room),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_somebody_holds_the_socket),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
