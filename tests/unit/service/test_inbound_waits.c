/* inbound: whatever a session waits for comes or ends, and nothing is lost meanwhile. */
#include "inbound_fixture.h"

/* Its client leaves while the spooler takes nothing: what the spooler holds of the message must not stay there. */
static void test_abort_is_said_later(void **state)
{
    (void)state;
    static char body[300000];
    memset(body, 'x', sizeof body);
    int fd = client(PLAIN_PORT);
    greeted(fd);
    line(fd, ENVELOPE "BDAT 900000\r\n");
    say(fd, body, sizeof body);
    assert_true(t.n_content > 0);
    t.deaf = true;
    close(fd);
    turns(8);
    assert_int_equal(t.aborts, 0);
    assert_int_equal(t.pool.free_large_n, t.large);
    t.deaf = false;
    turns(2);
    assert_int_equal(t.aborts, 1);
    assert_at_rest();
    assert_int_equal(t.aborts, 1);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

/* The spooler answers while earlier replies wait for a client that does not read: the 250 stands behind them, none is lost. */
static void test_result_while_replies_wait(void **state)
{
    (void)state;
    static char text[65536];
    int server, fd = narrow_client(&server);
    greeted(fd);
    size_t n = (size_t)snprintf(text, sizeof text, ENVELOPE);
    for (unsigned i = 0; i < 450; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "RCPT TO:<u%u@dest.example>\r\n", i);
    n += (size_t)snprintf(text + n, sizeof text - n, "BDAT 3 LAST\r\nx\r\nNOOP\r\n");
    t.hold = true;
    for (size_t sent = 0; sent < n || t.commits == 0;) {
        ssize_t w = send(fd, text + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (w > 0) sent += (size_t)w;
        turns(1);
    }
    turns(5);
    t.hold = false;
    answer_all();
    const char *r = line(fd, "");
    assert_int_equal(count(r, "250 2.1.5 "), 451);
    assert_int_equal(count(r, "queued as"), 1);
    assert_int_equal(count(r, "250 2.0.0 Ok"), 1);
    assert_true(strstr(r, "queued as") > strstr(r, "250 2.1.5 "));
    line(fd, "QUIT\r\n");
    close(fd);
    assert_at_rest();
}

/* Its last words do not fit into the socket of a client that does not read: the session ends all the same. */
static void test_deadline_without_room(void **state)
{
    (void)state;
    static const char junk[1024];
    int server, fd = narrow_client(&server);
    greeted(fd);
    while (send(server, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        continue;
    later_seconds += LIMIT_COMMAND_SECONDS_DEFAULT + 1;
    turns(5);
    later_seconds += 60;
    turns(5);
    assert_int_equal(inbound_sessions(t.in), 0);
    close(fd);
    assert_at_rest();
}

/* No block to read into: the session waits, but not longer than it may. */
static void test_wait_for_a_buffer_ends(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    uint32_t taken[256], n = 0;
    while (t.pool.free_large_n > 1)
        taken[n++] = pool_take(&t.pool, true);
    assert_string_equal(line(fd, "NOOP\r\n"), "");
    for (unsigned i = 0; i < LIMIT_POOL_WAIT_SECONDS - 8; i++) {
        later_seconds++;
        turns(30);
    }
    assert_int_equal(inbound_sessions(t.in), 1);
    later_seconds += 12;
    turns(30);
    assert_int_equal(inbound_sessions(t.in), 0);
    while (n)
        pool_give(&t.pool, taken[--n]);
    close(fd);
    assert_at_rest();
}

/* The line end that is added to the last chunk finds the last block full and the window too: it waits like any content. */
static void test_completion_in_a_full_window(void **state)
{
    (void)state;
    static char body[14 * LIMIT_BLOCK_LARGE_OCTETS];
    memset(body, 'x', sizeof body);
    int fd = client(PLAIN_PORT);
    greeted(fd);
    line(fd, ENVELOPE "BDAT 3 LAST\r\nx\r\n");
    size_t added = t.n_content - 3; /* our Received field */
    size_t n = 4 * LIMIT_BLOCK_SMALL_OCTETS + 13 * LIMIT_BLOCK_LARGE_OCTETS - added;
    char command[160];
    snprintf(command, sizeof command, ENVELOPE "BDAT %zu LAST\r\n", n);
    line(fd, command);
    t.hold = true;
    assert_string_equal(say(fd, body, n), "");
    t.hold = false;
    answer_all();
    assert_non_null(strstr(line(fd, ""), "queued as"));
    assert_int_equal(t.n_content, n + added + 2);
    close(fd);
    assert_at_rest();
}

/* The service ends while a proxy has not said yet who its client is: nothing is said to that client. */
static void test_stop_before_the_proxy_header(void **state)
{
    (void)state;
    int fd = client(PROXY_PORT);
    inbound_drain(t.in, true);
    assert_string_equal(line(fd, "PROXY TCP4 192.0.2.9 192.0.2.1 999 25\r\n"), "");
    assert_true(inbound_sessions(t.in) == 0);
    close(fd);
    assert_at_rest();
}

static int client_of(const char *source)
{
    char header[80];
    int fd = client(PROXY_PORT);
    snprintf(header, sizeof header, "PROXY TCP4 %s 192.0.2.1 999 25\r\n", source);
    const char *said = line(fd, header);
    if (!strstr(said, "220 ")) fail_msg("%s: %s; %u large blocks free", source, said, t.pool.free_large_n);
    assert_non_null(strstr(line(fd, "EHLO c.example\r\n"), "250 "));
    return fd;
}

static size_t free_octets(void)
{
    return (size_t)t.pool.free_small_n * LIMIT_BLOCK_SMALL_OCTETS +
           (size_t)t.pool.free_large_n * LIMIT_BLOCK_LARGE_OCTETS;
}

/* A source that begins much and finishes nothing leaves room for others: when half of the pool is gone, it has its share. */
static void test_one_source_cannot_have_the_pool(void **state)
{
    (void)state;
    static char body[300000];
    int greedy[4];
    size_t all = free_octets();
    memset(body, 'x', sizeof body);
    t.hold = true; /* the spooler gives nothing back */
    for (unsigned i = 0; i < 4; i++) {
        greedy[i] = client_of("198.51.100.7");
        line(greedy[i], ENVELOPE "BDAT 3000000\r\n");
        say(greedy[i], body, sizeof body);
    }
    assert_true(free_octets() <= all / 2);
    assert_true(free_octets() >=
                all / 2 - (size_t)LIMIT_BLOCK_LARGE_OCTETS * 5); /* what was read and waits is not counted */
    t.hold = false;
    int fd = client_of("198.51.100.8");
    line(fd, ENVELOPE "BDAT 60000 LAST\r\n");
    assert_non_null(strstr(say(fd, body, 60000), "queued as"));
    close(fd);
    for (unsigned i = 0; i < 4; i++)
        close(greedy[i]);
    turns(3);
    answer_all();
    assert_at_rest();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one_source_cannot_have_the_pool, set_up_small),
        cmocka_unit_test_setup(test_abort_is_said_later, set_up),
        cmocka_unit_test_setup(test_result_while_replies_wait, set_up),
        cmocka_unit_test_setup(test_deadline_without_room, set_up),
        cmocka_unit_test_setup(test_wait_for_a_buffer_ends, set_up),
        cmocka_unit_test_setup(test_completion_in_a_full_window, set_up),
        cmocka_unit_test_setup(test_stop_before_the_proxy_header, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
