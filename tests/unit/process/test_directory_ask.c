/* Threads that ask: the test is the loop's thread, the skeleton and whoever is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/wire.h"
#include "process/directory_ask.h"
#include "process/messages.h"
#include "service/connect_message.h"

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4 };

static unsigned lost;

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c, (void)index, (void)reason;
    assert_int_equal(role, PROC_CONNECTOR);
    lost++;
}

static struct child child;
static struct asks *asks;
static int far = -1; /* the connector's end */

struct asker {
    pthread_t id;
    uint64_t ms; /* that it took */
    bool good;
    int fd;
    uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf answer;
};
static struct asker askers[THREADS];

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void *run(void *argument)
{
    struct asker *a = argument;
    uint8_t memory[CONNECT_SERVICE_QUESTION_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    uint64_t began = now_ms();
    connect_service_question_put(&b, &(struct connect_service_question){99, CONNECT_SERVICE_DOVECOT});
    const struct login_ask *face = asks_of(asks);
    a->good = face->ask(face->context, LOGIN_ASK_CONNECTOR, buf_span(&b), &a->answer, &a->fd);
    a->ms = now_ms() - began;
    return NULL;
}

static void *wait_for_nothing(void *argument)
{
    struct asker *a = argument;
    const struct login_ask *face = asks_of(asks);
    uint64_t began = now_ms();
    a->good = face->wait(face->context, a->fd, 60000);
    a->ms = now_ms() - began;
    return NULL;
}

static void asker_start(unsigned i, void *(*fn)(void *), int fd)
{
    struct asker *a = &askers[i];
    a->good = true;
    a->fd = fd;
    a->answer = buf_on(a->memory, sizeof a->memory);
    assert_int_equal(pthread_create(&a->id, NULL, fn, a), 0);
}

static const struct asker *asker_end(unsigned i)
{
    assert_int_equal(pthread_join(askers[i].id, NULL), 0);
    return &askers[i];
}

/* --- the loop */

static struct timer stopper;
static void stop(struct timer *t)
{
    (void)t;
    loop_stop(child.loop);
}

static void flush(void *context)
{
    (void)context;
    asks_flush(asks);
}

static void turn(unsigned ms)
{
    loop_timer_set(child.loop, &stopper, loop_now_ms(child.loop) + ms, stop);
    loop_run(child.loop, flush, NULL);
}

static int connector(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    asks_peer(asks, PROC_CONNECTOR, pair[0]);
    return pair[1];
}

static int begin(void **state)
{
    (void)state;
    lost = 0;
    child = (struct child){.loop = loop_create(16)};
    asks = asks_create(&child);
    far = connector();
    asks_start(asks);
    return child.loop && asks ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    asks_stop(asks);
    asks_free(&asks);
    assert_null(asks);
    loop_destroy(&child.loop);
    close(far);
    return 0;
}

/* --- whoever is asked */

/* Reads packets until n questions came; their tags. */
static void hear(uint64_t *tags, unsigned n)
{
    uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS + 8];
    for (unsigned i = 0, tries = 0; i < n; tries++) {
        assert_true(tries < 5000);
        turn(10);
        ssize_t got = recv(far, packet, sizeof packet, 0);
        struct wire w = wire_on(span_of(packet, got > 0 ? (size_t)got : 0));
        while (w.rest.n && i < n) {
            struct connect_service_question q;
            assert_int_equal(wire_u16(&w), MSG_SERVICE_QUESTION);
            assert_true(connect_service_question_read(wire_span(&w, UINT16_MAX), &q));
            assert_int_equal(q.service, CONNECT_SERVICE_DOVECOT);
            tags[i++] = q.tag;
        }
    }
}

static void say(uint64_t tag, const char *host, int fd)
{
    uint8_t memory[1000], payload[900];
    struct buf b = buf_on(memory, sizeof memory), p = buf_on(payload, sizeof payload);
    struct connect_answer a = {
        .tag = tag, .status = fd >= 0 ? CONNECT_OPEN : CONNECT_DEFER, .host = span_str(host)};
    if (fd < 0) a.text = SPAN("nobody"), memcpy(a.enhanced, "4.4.1", 6);
    connect_answer_put(&p, &a);
    wire_put_u16(&b, fd >= 0 ? MSG_CONNECT_OPEN : MSG_CONNECT_ANSWER);
    wire_put_span(&b, buf_span(&p));
    union {
        struct cmsghdr header;
        uint8_t octets[CMSG_SPACE(sizeof(int))];
    } control = {.octets = {0}};
    struct iovec v = {b.p, b.n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof fd);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    assert_int_equal(sendmsg(far, &m, MSG_NOSIGNAL), b.n);
    turn(20);
}

/* --- cases */

/* Each thread gets the answer to its own question, in whatever order they come; a descriptor is handed on. */
static void answers(void **state)
{
    (void)state;
    uint64_t tags[THREADS];
    char hosts[THREADS][8];
    struct connect_answer a;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (unsigned i = 0; i < THREADS; i++)
        asker_start(i, run, -1);
    hear(tags, THREADS);
    for (unsigned i = THREADS; i-- > 0;) {
        hosts[i][0] = (char)('a' + i);
        hosts[i][1] = 0;
        say(tags[i], hosts[i], i == 2 ? pair[0] : -1);
    }
    unsigned seen = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        const struct asker *k = asker_end(i);
        assert_true(k->good);
        assert_true(connect_answer_read(buf_span(&k->answer), &a));
        assert_int_equal(a.host.n, 1);
        seen |= 1U << (a.host.p[0] - 'a');
        assert_int_equal(a.tag, tags[a.host.p[0] - 'a']);
        assert_int_equal(a.status == CONNECT_OPEN, k->fd >= 0);
        if (k->fd < 0) continue;
        assert_int_equal(write(k->fd, "x", 1), 1);
        char c = 0;
        assert_int_equal(read(pair[1], &c, 1), 1);
        assert_int_equal(c, 'x');
        close(k->fd);
    }
    assert_int_equal(seen, (1U << THREADS) - 1);
    close(pair[0]);
    close(pair[1]);
}

/* An answer that nobody waits for is dropped, and its descriptor closed. */
static void strangers(void **state)
{
    (void)state;
    uint64_t tag;
    int pair[2];
    char c;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    asker_start(0, run, -1);
    hear(&tag, 1);
    say(tag + 7, "x", pair[0]);
    close(pair[0]);
    assert_int_equal(read(pair[1], &c, 1), 0); /* nobody has its other end */
    close(pair[1]);
    say(tag, "y", -1);
    assert_true(asker_end(0)->good);
    assert_int_equal(lost, 0);
}

/* Who waits fails at once when the one asked goes away, is replaced, or talks nonsense; whoever comes after it is asked. */
static void losses(void **state)
{
    (void)state;
    uint64_t tag;
    for (unsigned how = 0; how < 3; how++) {
        asker_start(0, run, -1);
        hear(&tag, 1);
        int before = far;
        if (how == 0) {
            close(far);
            turn(20);
            asker_start(1, run, -1); /* nobody is there */
            turn(50);
            assert_false(asker_end(1)->good);
            far = connector();
        } else if (how == 1) {
            far = connector();
            close(before);
        } else {
            assert_int_equal(send(far, "nonsense", 8, MSG_NOSIGNAL), 8);
            turn(20);
            close(far);
            far = connector();
        }
        const struct asker *k = asker_end(0);
        assert_false(k->good);
        assert_int_equal(k->fd, -1);
        assert_true(k->ms < 5000);
        assert_int_equal(lost, how + 1);
        asker_start(0, run, -1);
        hear(&tag, 1);
        say(tag, "x", -1);
        assert_true(asker_end(0)->good);
    }
}

/* At the end nobody hangs: neither who asks, nor who waits for a descriptor, nor who asks afterwards. */
static void the_end(void **state)
{
    (void)state;
    uint64_t tag;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    asker_start(0, run, -1);
    hear(&tag, 1);
    asker_start(1, wait_for_nothing, pair[0]);
    turn(20);
    asks_stop(asks);
    asker_start(2, run, -1);
    asker_start(3, wait_for_nothing, pair[0]);
    for (unsigned i = 0; i < THREADS; i++) {
        const struct asker *k = asker_end(i);
        assert_false(k->good);
        assert_true(k->ms < 5000);
    }
    close(pair[0]);
    close(pair[1]);
}

static void waiting(void **state)
{
    (void)state;
    int pair[2];
    const struct login_ask *face = asks_of(asks);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(face->wait(face->context, pair[0], 20));
    assert_int_equal(write(pair[1], "x", 1), 1);
    assert_true(face->wait(face->context, pair[0], 60000));
    close(pair[1]);
    close(pair[0]);
}

/* Nobody answers: the thread goes on after LIMIT_ASK_SECONDS, and the late answer is nobody's. */
static void silence(void **state)
{
    (void)state;
    uint64_t tag;
    asker_start(0, run, -1);
    hear(&tag, 1);
    const struct asker *k = asker_end(0);
    assert_false(k->good);
    assert_in_range(k->ms, LIMIT_ASK_SECONDS * 1000 - 100, LIMIT_ASK_SECONDS * 1000 + 20000);
    say(tag, "x", -1);
    assert_int_equal(lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, begin, end),
        cmocka_unit_test_setup_teardown(strangers, begin, end),
        cmocka_unit_test_setup_teardown(losses, begin, end),
        cmocka_unit_test_setup_teardown(the_end, begin, end),
        cmocka_unit_test_setup_teardown(waiting, begin, end),
        cmocka_unit_test_setup_teardown(silence, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
