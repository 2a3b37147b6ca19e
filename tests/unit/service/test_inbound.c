/* inbound over real sockets on loopback, with a spooler played by the test: it answers when and what the test wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "service/inbound.h"
#include "spool/envelope.h"
#include "system/log.h"

/* An inbound lives as long as its process: nothing of it is ever freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

/* The clock of this process, which the tests move on: deadlines are minutes away. */
static time_t later_seconds;

int clock_gettime(clockid_t id, struct timespec *ret)
{
    long r = syscall(SYS_clock_gettime, id, ret);
    ret->tv_sec += later_seconds;
    return (int)r;
}

enum { PLAIN_PORT, PROXY_PORT, PORTS };

static struct {
    struct loop *loop;
    struct inbound *in;
    struct pool pool;
    struct timer tick;
    uint16_t port[PORTS];
    enum submit_status status; /* what commits are answered with */
    bool hold;                 /* answer nothing */
    bool deaf;                 /* take nothing */
    struct submit_result queue[256];
    unsigned n_queue, aborts, commits;
    uint64_t id;              /* of the message in content */
    uint8_t content[8 << 20]; /* content of the last message */
    size_t n_content;
    uint32_t small, large; /* free blocks at rest */
} t;

static void store(uint64_t id, const struct block_ref *refs, uint32_t n)
{
    if (id != t.id) t.n_content = 0;
    t.id = id;
    for (uint32_t i = 0; i < n; i++) {
        size_t offset = 0;
        uint32_t octets = 0;
        assert_true(pool_offset(t.pool.geometry, refs[i].block, &offset, &octets));
        assert_true(refs[i].length <= octets);
        assert_true(t.n_content + refs[i].length <= sizeof t.content);
        memcpy(t.content + t.n_content, t.pool.memory + offset, refs[i].length);
        t.n_content += refs[i].length;
    }
}

static bool submit(void *context, enum inbound_submit kind, struct span payload)
{
    static struct submit_commit commit;
    static struct submit_chunk chunk;
    (void)context;
    if (t.deaf || t.n_queue == 256) return false;
    if (kind == INBOUND_ABORT) {
        t.aborts++;
        return true;
    }
    if (kind == INBOUND_CHUNK) {
        assert_true(submit_chunk_read(payload, &chunk));
        store(chunk.id, chunk.blocks, chunk.count);
        t.queue[t.n_queue++] =
            (struct submit_result){.id = chunk.id, .status = SUBMIT_WRITTEN, .blocks = chunk.count};
        return true;
    }
    assert_true(submit_commit_read(payload, &commit));
    uint32_t recipients;
    uint8_t envelope[65536];
    struct buf e = buf_on(envelope, sizeof envelope);
    for (uint32_t i = 0; i < commit.envelope_count; i++) {
        size_t offset = 0;
        uint32_t octets = 0;
        assert_true(pool_offset(t.pool.geometry, commit.blocks[i].block, &offset, &octets));
        buf_put(&e, span_of(t.pool.memory + offset, commit.blocks[i].length));
    }

    assert_true(envelope_valid(buf_span(&e), 1000, &recipients));
    store(commit.id, commit.blocks + commit.envelope_count, commit.count - commit.envelope_count);
    assert_int_equal(t.n_content, commit.content_octets);
    t.commits++;
    t.queue[t.n_queue++] =
        (struct submit_result){.id = commit.id, .status = (uint8_t)t.status, .blocks = commit.count};
    return true;
}

static void answer_all(void)
{
    unsigned n = t.n_queue;
    t.n_queue = 0;
    for (unsigned i = 0; i < n; i++)
        inbound_result(t.in, &t.queue[i]);
}

static void tick(struct timer *timer)
{
    loop_timer_set(t.loop, timer, loop_now_ms(t.loop) + 1, tick);
}

static void after_turn(void *context)
{
    (void)context;
    inbound_after_turn(t.in);
    if (!t.hold) answer_all();
    loop_stop(t.loop);
}

static void turns(unsigned n)
{
    while (n--)
        loop_run(t.loop, after_turn, NULL);
}

static int listener(unsigned which)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 64), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    t.port[which] = ntohs(a.sin_port);
    return fd;
}

static const char config_text[] = "hostname mx.test.example\n"
                                  "server mx {\n"
                                  " listen 127.0.0.1:2525\n"
                                  " listen 127.0.0.1:2526 proxy from 127.0.0.0/8\n"
                                  " limits { sessions 64 sessions-per-source 4 message-size 4M }\n"
                                  " relay-networks 192.0.2.0/24\n"
                                  "}\n"
                                  "recipients dest.example any\n";

static int set_up_with(struct pool_geometry g)
{
    memset(&t, 0, sizeof t);
    struct arena *arena = arena_create(64 << 20);
    struct config_source source = {.name = SPAN("/t.conf"), .text = span_str(config_text)};
    struct config_problem *problems = NULL;
    struct span missing;
    const struct config *config = config_parse(arena, &source, 1, &problems, &missing);
    if (!config && problems) fprintf(stderr, "%.*s\n", SPAN_ARG(problems->text));
    assert_non_null(config);
    int fd = pool_create(g);
    assert_true(pool_map(&t.pool, fd, g));
    close(fd);
    static struct sources sources;
    static uint8_t table[1 << 20] __attribute__((aligned(64)));
    memset(table, 0, sizeof table);
    sources_init(table, 1024, 7);
    assert_true(sources_open(&sources, table, sources_octets(1024)));
    struct recipients_builder b = {0};
    recipients_begin(&b, NULL, 0);
    recipients_add_domain(&b, SPAN("dest.example"), true);
    size_t n = recipients_needed(&b);
    void *memory = calloc(1, n);
    recipients_begin(&b, memory, n);
    recipients_add_domain(&b, SPAN("dest.example"), true);
    assert_true(recipients_finish(&b));
    static struct tls_context *none[4];
    t.loop = loop_create(64);
    struct inbound_setup setup = {.loop = t.loop,
                                  .config = config,
                                  .pool = &t.pool,
                                  .sources = &sources,
                                  .tls = none,
                                  .submit = submit};
    assert_true(recipients_open(&setup.recipients, memory, n));
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "test", LOG_LEVEL_INFO);
    t.in = inbound_create(&setup);
    assert_non_null(t.in);
    for (unsigned i = 0; i < PORTS; i++)
        assert_true(inbound_listen(t.in, 0, i, listener(i), false));
    tick(&t.tick);
    t.small = t.pool.free_small_n;
    t.large = t.pool.free_large_n;
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with((struct pool_geometry){256, 96});
}

static int set_up_small(void **state)
{
    (void)state;
    return set_up_with((struct pool_geometry){64, 16}); /* as few as a configuration may say */
}

static int client(unsigned which)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(t.port[which]), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    turns(3);
    return fd;
}

/* A client whose connection holds few octets on their way: its receive buffer and the server's send buffer are small. */
static int narrow_client(int *server_side)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(t.port[PLAIN_PORT]), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in own = {0}, peer;
    socklen_t n = sizeof own;
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &n), 0);
    turns(3);
    *server_side = -1;
    for (int other = 0; other < 1024 && *server_side < 0; other++) {
        n = sizeof peer;
        if (getpeername(other, (struct sockaddr *)&peer, &n) == 0 && n == sizeof peer &&
            peer.sin_port == own.sin_port)
            *server_side = other;
    }
    assert_true(*server_side >= 0);
    int no_delay = 0;
    n = sizeof no_delay;
    assert_int_equal(getsockopt(*server_side, IPPROTO_TCP, TCP_NODELAY, &no_delay, &n), 0);
    assert_true(no_delay);
    assert_int_equal(setsockopt(*server_side, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    return fd;
}

/* Sends, lets the server work, returns what it said so far ("" when the connection is closed or silent). */
static const char *say(int fd, const char *octets, size_t n)
{
    static char reply[65536];
    size_t sent = 0, got = 0;
    for (unsigned idle = 0; idle < 30;) {
        ssize_t w = sent < n ? send(fd, octets + sent, n - sent, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (w > 0) sent += (size_t)w;
        turns(1);
        ssize_t r = recv(fd, reply + got, sizeof reply - 1 - got, MSG_DONTWAIT);
        if (r > 0) got += (size_t)r;
        idle = w > 0 || r > 0 ? 0 : idle + 1;
    }
    reply[got] = 0;
    return reply;
}

static const char *line(int fd, const char *text)
{
    return say(fd, text, strlen(text));
}

static bool closed(int fd)
{
    char c;
    turns(3);
    return recv(fd, &c, 1, MSG_DONTWAIT) == 0;
}

/* RST: both directions are dead at once. */
static void reset(int fd)
{
    struct linger now = {1, 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

static void greeted(int fd)
{
    assert_non_null(strstr(line(fd, "EHLO client.example\r\n"), "250 "));
}

#define ENVELOPE "MAIL FROM:<a@b.example>\r\nRCPT TO:<u@dest.example>\r\n"

static void assert_at_rest(void)
{
    turns(4);
    assert_int_equal(t.pool.free_small_n, t.small);
    assert_int_equal(t.pool.free_large_n, t.large);
    assert_int_equal(inbound_sessions(t.in), 0);
}

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
    for (unsigned i = 0; i < LIMIT_POOL_WAIT_SECONDS - 2; i++) {
        later_seconds++;
        turns(30);
    }
    assert_int_equal(inbound_sessions(t.in), 1);
    later_seconds += 5;
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
        cmocka_unit_test_setup(test_abort_is_said_later, set_up),
        cmocka_unit_test_setup(test_result_while_replies_wait, set_up),
        cmocka_unit_test_setup(test_deadline_without_room, set_up),
        cmocka_unit_test_setup(test_wait_for_a_buffer_ends, set_up),
        cmocka_unit_test_setup(test_completion_in_a_full_window, set_up),
        cmocka_unit_test_setup(test_stop_before_the_proxy_header, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
