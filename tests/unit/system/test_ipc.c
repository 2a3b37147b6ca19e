#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "system/ipc.h"
#include "system/ipc_private.h"

enum { PLAIN = 7, WITH_FD = 8, EMPTY = 9, BIG = 10 };
static const struct ipc_allowed allowed[] = {
    {PLAIN, 4, 16, 0},
    {WITH_FD, 0, 8, 1},
    {EMPTY, 0, 0, 0},
    {BIG, 0, LIMIT_IPC_MESSAGE_OCTETS - IPC_HEADER_OCTETS, 0},
};
enum { N_ALLOWED = sizeof allowed / sizeof allowed[0] };

static struct {
    struct loop *loop;
    int raw; /* the hostile end */
    struct ipc *channel;
    unsigned messages, descriptors, closings;
    uint64_t sum;
    uint16_t last_type;
    const char *reason;
    bool close_on_message, stop_at_end;
    unsigned stop_after; /* messages */
} t;

static void on_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    assert_ptr_equal(context, &t);
    t.messages++;
    t.last_type = type;
    for (size_t i = 0; i < payload.n; i++)
        t.sum += payload.p[i];
    for (unsigned i = 0; i < n_fds; i++) {
        assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
        close(fds[i]);
        t.descriptors++;
    }
    if (t.close_on_message) ipc_close(&t.channel);
    if (t.stop_after && t.messages == t.stop_after) loop_stop(t.loop);
}

static void on_closed(void *context, const char *reason)
{
    assert_ptr_equal(context, &t);
    t.closings++;
    t.reason = reason;
    ipc_close(&t.channel);
    loop_stop(t.loop);
}

static unsigned open_fds(void)
{
    unsigned n = 0;
    for (int i = 0; i < 256; i++)
        n += fcntl(i, F_GETFD) >= 0;
    return n;
}

static void on_tick(struct timer *timer)
{
    (void)timer;
    loop_stop(t.loop);
}

static void run_for(unsigned ms)
{
    static struct timer timer;
    loop_timer_set(t.loop, &timer, loop_now_ms(t.loop) + ms, on_tick);
    loop_run(t.loop, NULL, NULL);
    loop_timer_stop(t.loop, &timer);
}

static void open_pair(unsigned max_queued)
{
    int s[2];
    memset(&t, 0, sizeof t);
    t.loop = loop_create(16);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
    t.raw = s[0];
    t.channel = ipc_open(t.loop, s[1], allowed, N_ALLOWED, max_queued, on_message, on_closed, &t);
    assert_non_null(t.channel);
}

static void close_pair(void)
{
    ipc_close(&t.channel);
    close(t.raw);
    loop_destroy(&t.loop);
}

static void send_raw(const void *p, size_t n, const int *fds, unsigned n_fds)
{
    union {
        struct cmsghdr h;
        uint8_t octets[CMSG_SPACE(64 * sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)p, n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds) {
        control.h = (struct cmsghdr){CMSG_LEN(n_fds * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.h), fds, n_fds * sizeof(int));
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
    }
    assert_int_equal(sendmsg(t.raw, &m, 0), (ssize_t)n);
}

#define SEND_RAW(literal) send_raw("" literal, sizeof(literal) - 1, NULL, 0)

static void closed_for(const char *reason)
{
    run_for(1000);
    assert_int_equal(t.closings, 1);
    assert_string_equal(t.reason, reason);
    assert_null(t.channel);
}

static void messages_share_a_packet(void **state)
{
    (void)state;
    open_pair(4);
    SEND_RAW("\x07\0\x04\0abcd\x09\0\0\0\x07\0\x05\0abcde");
    run_for(20);
    assert_int_equal(t.messages, 3);
    assert_int_equal(t.closings, 0);
    close_pair();
}

static void malformed_packets_end_the_channel(void **state)
{
    (void)state;
    static const struct {
        const char *octets;
        size_t n;
        unsigned good; /* messages before the bad one */
    } cases[] = {
#define CASE(literal, good) {"" literal, sizeof(literal) - 1, good}
        CASE("\x07", 0),                          /* half a type */
        CASE("\x07\0\x04", 0),                    /* half a length */
        CASE("\x07\0\x04\0abc", 0),               /* short payload */
        CASE("\x07\0\x03\0abc", 0),               /* below min */
        CASE("\x07\0\x11\0abcdefghijklmnopq", 0), /* above max */
        CASE("\x07\0\x04\0abcd\x01", 1),          /* octets left over */
        CASE("\xff\xff\0\0", 0),                  /* unknown type */
        CASE("\x09\0\xff\xff", 0),                /* length that lies */
        CASE("\x08\0\0\0", 0),                    /* descriptor missing */
        CASE("\x07\0\x04\0abcd\x08\0\0\0", 1),
#undef CASE
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned before = open_fds();
        open_pair(4);
        send_raw(cases[i].octets, cases[i].n, NULL, 0);
        closed_for("malformed packet");
        assert_int_equal(t.messages, cases[i].good);
        close_pair();
        assert_int_equal(open_fds(), before);
    }
}

static void descriptors_are_counted_and_surplus_closed(void **state)
{
    (void)state;
    int fds[64];
    for (unsigned i = 0; i < 64; i++)
        fds[i] = 0;
    unsigned before = open_fds();
    open_pair(4);
    send_raw("\x08\0\x02\0ab", 6, fds, 1);
    run_for(20);
    assert_int_equal(t.descriptors, 1);
    send_raw("\x08\0\0\0", 4, fds, 2); /* one too many */
    closed_for("malformed packet");
    close_pair();
    assert_int_equal(open_fds(), before);

    open_pair(4);
    send_raw("\x09\0\0\0", 4, fds, 1); /* where none belongs */
    closed_for("malformed packet");
    close_pair();

    open_pair(4);
    send_raw("\x08\0\0\0\x09\0\0\0", 8, fds, 1); /* with company */
    closed_for("malformed packet");
    assert_int_equal(t.messages, 0);
    close_pair();

    open_pair(4);
    send_raw("\x08\0\0\0", 4, fds, 64); /* more than the buffer holds */
    closed_for("truncated descriptors");
    assert_int_equal(t.messages, 0);
    close_pair();
    assert_int_equal(open_fds(), before);
}

static void descriptors_behind_a_bad_packet_are_closed(void **state)
{
    (void)state;
    int fd = 0;
    unsigned before = open_fds();
    open_pair(4);
    SEND_RAW("\xff\xff\0\0");
    send_raw("\x08\0\0\0", 4, &fd, 1);
    closed_for("malformed packet");
    assert_int_equal(t.messages, 0);
    close_pair();
    assert_int_equal(open_fds(), before);
}

static void too_long_a_packet_is_refused(void **state)
{
    (void)state;
    static uint8_t octets[LIMIT_IPC_MESSAGE_OCTETS + 1];
    open_pair(4);
    send_raw(octets, sizeof octets, NULL, 0);
    closed_for("truncated packet");
    close_pair();
}

static void end_of_file_comes_after_the_last_message(void **state)
{
    (void)state;
    open_pair(4);
    for (unsigned i = 0; i < 40; i++)
        SEND_RAW("\x07\0\x04\0abcd");
    shutdown(t.raw, SHUT_RDWR);
    closed_for("end of file");
    assert_int_equal(t.messages, 40);
    close_pair();
}

/* The kernel says ECONNRESET before what the dead peer had sent; and a write error is no reason not to hear it. */
static void who_dies_with_unread_messages_is_heard(void **state)
{
    (void)state;
    for (int write_fails = 0; write_fails < 2; write_fails++) {
        open_pair(4);
        assert_true(ipc_send(t.channel, PLAIN, SPAN("unread")));
        ipc_flush(t.channel);
        for (unsigned i = 0; i < 40; i++)
            SEND_RAW("\x07\0\x04\0abcd");
        close(t.raw);
        t.raw = -1;
        assert_true(ipc_idle(t.channel));
        if (write_fails) {
            assert_true(ipc_send(t.channel, PLAIN, SPAN("unread")));
            ipc_flush(t.channel);
        }
        closed_for("end of file");
        assert_int_equal(t.messages, 40);
        close_pair();
    }
}

static void closing_inside_a_callback_is_safe(void **state)
{
    (void)state;
    int fd = 0;
    unsigned before = open_fds();
    open_pair(4);
    t.close_on_message = true;
    SEND_RAW("\x09\0\0\0\x09\0\0\0\x09\0\0\0");
    send_raw("\x08\0\0\0", 4, &fd, 1);
    run_for(20);
    assert_int_equal(t.messages, 1);
    assert_int_equal(t.closings, 0);
    assert_null(t.channel);
    close_pair();
    assert_int_equal(open_fds(), before);
}

static void nothing_is_lost_under_back_pressure(void **state)
{
    (void)state;
    int s[2];
    static uint8_t payload[3000];
    memset(payload, 1, sizeof payload);
    open_pair(4);
    struct ipc *receiver = t.channel;
    s[0] = t.raw;
    t.raw = fcntl(0, F_DUPFD_CLOEXEC, 3);
    struct ipc *sender = ipc_open(t.loop, s[0], allowed, N_ALLOWED, 4, on_message, on_closed, &t);
    assert_non_null(sender);
    unsigned sent = 0, refused = 0, with_fd = 0;
    while (refused == 0) { /* the loop does not run: nobody reads */
        if (sent % 50 == 49) {
            if (ipc_send_fd(sender, WITH_FD, SPAN("fd"), 0))
                with_fd++;
            else
                refused++;
        } else if (!ipc_send(sender, BIG, span_of(payload, sizeof payload))) {
            refused++;
        }
        sent += !refused;
        assert_true(sent < 100000);
    }
    assert_true(with_fd > 0 && sent > 4 * LIMIT_IPC_MESSAGE_OCTETS / 3004);
    ipc_flush(sender);
    t.stop_after = sent;
    run_for(60000);
    assert_int_equal(t.messages, sent);
    assert_int_equal(t.descriptors, with_fd);
    assert_int_equal(t.sum, (uint64_t)(sent - with_fd) * sizeof payload + with_fd * (uint64_t)('f' + 'd'));
    assert_true(ipc_can_send(sender));
    assert_ptr_equal(receiver, t.channel);
    ipc_close(&sender);
    close_pair();
}

static void a_dead_reader_is_reported_and_sends_fail(void **state)
{
    (void)state;
    open_pair(4);
    close(t.raw);
    assert_true(ipc_send(t.channel, EMPTY, (struct span){NULL, 0}));
    ipc_flush(t.channel); /* no SIGPIPE, no callback from within */
    assert_int_equal(t.closings, 0);
    assert_false(ipc_send(t.channel, EMPTY, (struct span){NULL, 0}));
    assert_false(ipc_send_fd(t.channel, WITH_FD, SPAN("x"), 0));
    assert_false(ipc_can_send(t.channel));
    closed_for("end of file");
    t.raw = -1;
    close_pair();
}

static void too_long_a_message_is_not_sent(void **state)
{
    (void)state;
    static uint8_t payload[LIMIT_IPC_MESSAGE_OCTETS];
    open_pair(4);
    assert_false(ipc_send(t.channel, BIG, span_of(payload, sizeof payload - IPC_HEADER_OCTETS + 1)));
    assert_true(ipc_send(t.channel, BIG, span_of(payload, sizeof payload - IPC_HEADER_OCTETS)));
    assert_true(ipc_send(t.channel, BIG, span_of(payload, sizeof payload - IPC_HEADER_OCTETS)));
    ipc_flush(t.channel);
    assert_int_equal(recv(t.raw, payload, sizeof payload, 0), sizeof payload);
    close_pair();
}

/* A flood on one channel does not keep the loop from timers. */
static void a_flood_leaves_the_loop_alive(void **state)
{
    (void)state;
    open_pair(4);
    pid_t pid = fork();
    if (pid == 0) {
        close(ipc_fd(t.channel));
        for (;;)
            if (send(t.raw, "\x07\0\x04\0abcd", 8, MSG_NOSIGNAL) < 0) _exit(0);
    }
    for (unsigned i = 0; i < 600 && !t.messages; i++)
        run_for(100);
    assert_true(t.messages > 0);
    assert_int_equal(t.closings, 0);
    close_pair();
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* ---- secrets */

enum { SECRET_OCTETS = 64, REGION_OCTETS_MAX = 256 << 20 };

static uint8_t secret_octet(unsigned kind, size_t i)
{
    return (uint8_t)((i * 37 + 11) ^ kind * 85); /* it stands nowhere as a whole */
}

__attribute__((no_sanitize("address"))) static bool secret_at(const uint8_t *p, unsigned kind)
{
    for (size_t i = 0; i < SECRET_OCTETS; i++)
        if (p[i] != secret_octet(kind, i)) return false;
    return true;
}

/* Looks at all memory that this process can write. (A sanitizer's shadow is left out by its size.) */
__attribute__((no_sanitize("address"))) static bool secret_in_memory(unsigned kind)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t from, to;
        char mode[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || strncmp(mode, "rw-p", 4) != 0) continue;
        if (to - from > REGION_OCTETS_MAX) continue;
        const uint8_t *p = (const uint8_t *)from; /* an address that the kernel told */
        for (size_t i = 0; i + SECRET_OCTETS <= to - from; i++)
            if (p[i] == secret_octet(kind, 0) && secret_at(p + i, kind)) found = true;
    }
    fclose(maps);
    return found;
}

static void send_secret(unsigned kind, bool incoming)
{
    uint8_t octets[IPC_HEADER_OCTETS + SECRET_OCTETS] = {BIG, 0, SECRET_OCTETS, 0};
    for (size_t i = 0; i < SECRET_OCTETS; i++)
        octets[IPC_HEADER_OCTETS + i] = secret_octet(kind, i);
    if (incoming)
        assert_int_equal(send(t.raw, octets, sizeof octets, 0), sizeof octets);
    else
        assert_true(ipc_send(t.channel, BIG, span_of(octets + IPC_HEADER_OCTETS, SECRET_OCTETS)));
    explicit_bzero(octets, sizeof octets);
}

/* kind: another pattern each time, so that nothing is found which an earlier test left. */
static void secret_crosses(unsigned kind, bool secret, bool incoming)
{
    open_pair(4);
    if (secret) ipc_secret(t.channel);
    send_secret(kind, incoming);
    if (incoming) {
        run_for(20);
        assert_int_equal(t.messages, 1);
    } else {
        assert_true(secret_in_memory(kind)); /* not sent yet */
        ipc_flush(t.channel);
    }
    assert_int_equal(secret_in_memory(kind), !secret);
    close_pair();
}

static void secrets_are_wiped(void **state)
{
    (void)state;
    secret_crosses(1, false, false);
    secret_crosses(2, true, false);
    secret_crosses(3, false, true);
    secret_crosses(4, true, true);
}

static void unsent_secrets_are_wiped(void **state)
{
    (void)state;
    open_pair(60);
    ipc_secret(t.channel);
    unsigned n = 0;
    while (ipc_can_send(t.channel)) {
        static const uint8_t filler[20000] = {1};
        send_secret(5, false);
        assert_true(ipc_send(t.channel, BIG, span_of(filler, sizeof filler)));
        n++;
    }
    assert_true(n > 10);
    assert_true(secret_in_memory(5));
    close_pair();
    assert_false(secret_in_memory(5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_share_a_packet),
        cmocka_unit_test(malformed_packets_end_the_channel),
        cmocka_unit_test(descriptors_are_counted_and_surplus_closed),
        cmocka_unit_test(descriptors_behind_a_bad_packet_are_closed),
        cmocka_unit_test(too_long_a_packet_is_refused),
        cmocka_unit_test(end_of_file_comes_after_the_last_message),
        cmocka_unit_test(who_dies_with_unread_messages_is_heard),
        cmocka_unit_test(closing_inside_a_callback_is_safe),
        cmocka_unit_test(nothing_is_lost_under_back_pressure),
        cmocka_unit_test(a_dead_reader_is_reported_and_sends_fail),
        cmocka_unit_test(too_long_a_message_is_not_sent),
        cmocka_unit_test(a_flood_leaves_the_loop_alive),
        cmocka_unit_test(secrets_are_wiped),
        cmocka_unit_test(unsent_secrets_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
