/* inbound: sessions, messages, and what the spooler says to them. */
#include "inbound_fixture.h"

static void test_message(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    const char *r = line(fd, ENVELOPE "DATA\r\n");
    assert_non_null(strstr(r, "354 "));
    r = line(fd, "Subject: x\r\n\r\n..dot\r\n.\r\n");
    assert_non_null(strstr(r, "250 2.0.0 queued as "));
    assert_non_null(memmem(t.content, t.n_content, "Received: from client.example", 29));
    assert_non_null(memmem(t.content, t.n_content, "for <u@dest.example>", 20));
    assert_memory_equal(t.content + t.n_content - 20, "Subject: x\r\n\r\n.dot\r\n", 20);
    line(fd, "QUIT\r\n");
    assert_true(closed(fd));
    close(fd);
    assert_at_rest();
}

static void test_pipelined_behind_the_dot(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    t.hold = true;
    const char *r = line(fd, ENVELOPE "BDAT 3 LAST\r\nx\r\n" ENVELOPE "BDAT 3 LAST\r\ny\r\nQUIT\r\n");
    assert_null(strstr(r, "queued")); /* not before it is durable: I5 */
    t.hold = false;
    answer_all();
    r = line(fd, "");
    assert_non_null(strstr(r, "queued"));
    assert_int_equal(t.commits, 2);
    assert_non_null(strstr(r, "221 "));
    close(fd);
    assert_at_rest();
}

/* A client that leaves before its reply: its blocks must not be used again while the spooler may still read them. */
static void test_client_gone_before_the_result(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    line(fd, ENVELOPE "DATA\r\n");
    t.hold = true;
    line(fd, "x\r\n.\r\n");
    reset(fd);
    turns(8);
    assert_int_equal(inbound_sessions(t.in), 0);
    assert_true(t.pool.free_small_n < t.small);
    t.hold = false;
    answer_all();
    assert_at_rest();
}

static void test_spooler_says_no(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    t.status = SUBMIT_FULL;
    line(fd, ENVELOPE "DATA\r\n");
    assert_non_null(strstr(line(fd, "x\r\n.\r\n"), "452 4.3.1 "));
    t.status = SUBMIT_FAILED;
    line(fd, ENVELOPE "DATA\r\n");
    assert_non_null(strstr(line(fd, "x\r\n.\r\n"), "451 4.3.0 "));
    t.deaf = true;
    line(fd, ENVELOPE "DATA\r\n");
    assert_non_null(strstr(line(fd, "x\r\n.\r\n"), "451 4.3.0 "));
    t.deaf = false;
    t.status = SUBMIT_DURABLE;
    line(fd, ENVELOPE "DATA\r\n");
    assert_non_null(strstr(line(fd, "x\r\n.\r\n"), "250 2.0.0 "));
    close(fd);
    assert_at_rest();
}

static void test_spooler_lost(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT), idle = client(PLAIN_PORT);
    greeted(fd);
    greeted(idle);
    line(fd, ENVELOPE "DATA\r\n");
    t.hold = true;
    assert_string_equal(line(fd, "x\r\n.\r\n"), "");
    t.n_queue = 0;
    inbound_spooler_lost(t.in);
    assert_non_null(strstr(line(fd, ""), "451 4.3.0 "));
    t.hold = false;
    assert_non_null(strstr(line(idle, "NOOP\r\n"), "250 ")); /* I3: the others do not notice */
    assert_non_null(strstr(line(fd, "NOOP\r\n"), "250 "));
    close(fd);
    close(idle);
    assert_at_rest();
}

/* A large message streams in chunks, in order and whole, with few blocks at a time. */
static void test_large_message(void **state)
{
    (void)state;
    static char body[3 << 20];
    size_t n = 0;
    for (unsigned i = 0; n < sizeof body - 100; i++)
        n += (size_t)snprintf(body + n, sizeof body - n, "%08u abcdefghijklmnopqrstuvwxyz\r\n", i);
    int fd = client(PLAIN_PORT);
    greeted(fd);
    line(fd, ENVELOPE "DATA\r\n");
    say(fd, body, n);
    assert_true(t.pool.free_large_n + 20 >= t.large);
    assert_non_null(strstr(line(fd, ".\r\n"), "250 2.0.0 queued"));
    assert_true(t.n_content > n);
    assert_memory_equal(t.content + t.n_content - n, body, n);
    close(fd);
    assert_at_rest();
}

static void test_window(void **state)
{
    (void)state;
    static char body[3 << 20];
    memset(body, 'x', sizeof body);
    for (size_t i = 100; i < sizeof body; i += 100)
        memcpy(body + i - 2, "\r\n", 2);
    memcpy(body + sizeof body - 2, "\r\n", 2);
    int fd = client(PLAIN_PORT);
    greeted(fd);
    line(fd, ENVELOPE "DATA\r\n");
    t.hold = true; /* chunks are taken, blocks do not come back: reading stops at the window */
    say(fd, body, sizeof body);
    assert_true(t.n_content < 20 * LIMIT_BLOCK_LARGE_OCTETS);
    assert_true(t.large - t.pool.free_large_n <= 18);
    close(fd);
    t.hold = false;
    turns(200);
    assert_int_equal(t.aborts, 1);
    assert_int_equal(t.commits, 0);
    assert_at_rest();
}

static void test_chunk_refused(void **state)
{
    (void)state;
    static char body[1 << 20];
    memset(body, 'x', sizeof body);
    for (size_t i = 100; i < sizeof body; i += 100)
        memcpy(body + i - 2, "\r\n", 2);
    memcpy(body + sizeof body - 2, "\r\n", 2);
    int fd = client(PLAIN_PORT);
    greeted(fd);
    line(fd, ENVELOPE "DATA\r\n");
    t.hold = true;
    say(fd, body, sizeof body / 2);
    assert_true(t.n_queue > 0);
    for (unsigned i = 0; i < t.n_queue; i++)
        t.queue[i].status = SUBMIT_FULL;
    t.hold = false;
    say(fd, body + sizeof body / 2, sizeof body / 2);
    assert_non_null(strstr(line(fd, ".\r\n"), "452 4.3.1 "));
    assert_non_null(strstr(line(fd, "NOOP\r\n"), "250 "));
    assert_int_equal(t.commits, 0);
    close(fd);
    assert_at_rest();
}

static void test_sources(void **state)
{
    (void)state;
    int fd[5];
    for (unsigned i = 0; i < 4; i++) {
        fd[i] = client(PLAIN_PORT);
        assert_non_null(strstr(line(fd[i], ""), "220 "));
    }
    fd[4] = client(PLAIN_PORT);
    assert_non_null(strstr(line(fd[4], ""), "421 4.7.0 "));
    assert_true(closed(fd[4]));
    close(fd[0]);
    turns(4);
    close(fd[4]);
    fd[0] = client(PLAIN_PORT);
    assert_non_null(strstr(line(fd[0], ""), "220 "));
    for (unsigned i = 0; i < 4; i++)
        close(fd[i]);
    assert_at_rest();
}

static void test_proxy(void **state)
{
    (void)state;
    int fd = client(PROXY_PORT);
    assert_string_equal(line(fd, ""), ""); /* no banner before the header */
    assert_non_null(strstr(line(fd, "PROXY TCP4 192.0.2.9 192.0.2.1 999 25\r\n"), "220 "));
    greeted(fd);
    const char *r = line(fd, "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@elsewhere.example>\r\n");
    assert_non_null(strstr(r, "250 2.1.5 ")); /* the client's own address is in a relay network */
    close(fd);
    fd = client(PROXY_PORT);
    line(fd, "PROXY UNKNOWN\r\n");
    greeted(fd);
    r = line(fd, "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@elsewhere.example>\r\n");
    assert_non_null(strstr(r, "550 5.7.1 "));
    close(fd);
    fd = client(PROXY_PORT);
    assert_string_equal(line(fd, "EHLO x\r\n"), "");
    assert_true(closed(fd));
    close(fd);
    fd = client(PLAIN_PORT); /* never detected: here a header is a bad command */
    assert_non_null(strstr(line(fd, "PROXY TCP4 192.0.2.9 192.0.2.1 999 25\r\n"), "500 "));
    close(fd);
    assert_at_rest();
}

/* FIN in the same segment as octets, at every place of a transaction: the session ends, nothing is kept. */
static void test_half_closed(void **state)
{
    (void)state;
    static const char *const said[] = {"",
                                       "NOOP\r\n",
                                       "MAIL FR",
                                       ENVELOPE,
                                       ENVELOPE "DATA\r\n",
                                       ENVELOPE "DATA\r\nx\r\n.",
                                       ENVELOPE "BDAT 10\r\nabc"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        int fd = client(PLAIN_PORT);
        greeted(fd);
        assert_true(send(fd, said[i], strlen(said[i]), MSG_NOSIGNAL) == (ssize_t)strlen(said[i]));
        shutdown(fd, SHUT_WR);
        line(fd, "");
        assert_int_equal(inbound_sessions(t.in), 0);
        close(fd);
    }
    assert_int_equal(t.commits, 0);
    assert_at_rest();
}

/* Everybody who can be asked for blocks at once gets 4xx or is served, and the pool is whole again afterwards. */
static void test_pool_runs_dry(void **state)
{
    (void)state;
    static char body[200000];
    memset(body, 'y', sizeof body);
    int fd[64];
    for (unsigned i = 0; i < 64; i++) {
        fd[i] = client(PROXY_PORT);
        char header[80];
        snprintf(header, sizeof header, "PROXY TCP4 198.51.100.%u 192.0.2.1 999 25\r\n", i);
        line(fd[i], header);
        greeted(fd[i]);
        line(fd[i], ENVELOPE "BDAT 900000\r\n");
    }
    t.hold = true;
    for (unsigned i = 0; i < 64; i++)
        say(fd[i], body, sizeof body);
    assert_true(t.pool.free_large_n >= 1); /* for the one that goes on */
    t.hold = false;
    turns(
        100); /* all wait for a block that none of them gives back: LIMIT_POOL_WAIT_SECONDS would end that */
    assert_true(inbound_sessions(t.in) == 64);
    for (unsigned i = 0; i < 64; i++)
        reset(fd[i]); /* whatever a session waits for, it ends */
    turns(20);
    t.n_queue = 0;
    assert_at_rest();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_message, set_up),
        cmocka_unit_test_setup(test_pipelined_behind_the_dot, set_up),
        cmocka_unit_test_setup(test_client_gone_before_the_result, set_up),
        cmocka_unit_test_setup(test_spooler_says_no, set_up),
        cmocka_unit_test_setup(test_spooler_lost, set_up),
        cmocka_unit_test_setup(test_large_message, set_up),
        cmocka_unit_test_setup(test_large_message, set_up_small),
        cmocka_unit_test_setup(test_window, set_up),
        cmocka_unit_test_setup(test_chunk_refused, set_up),
        cmocka_unit_test_setup(test_sources, set_up),
        cmocka_unit_test_setup(test_proxy, set_up),
        cmocka_unit_test_setup(test_half_closed, set_up),
        cmocka_unit_test_setup(test_pool_runs_dry, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
