#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "process/relay_private.h"
#include "relay_fixture.h"
#include "service/outbound_private.h"
#include "system/log.h"
#include "system/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define CAGED false /* sanitizers do not work inside a cage; the plain build runs the same test in it */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CAGED false
#endif
#endif
#ifndef CAGED
#define CAGED true
#endif

struct channel spooler, connector, directory, next_directory;
static pid_t pid;
static int spare = -1; /* the relay's end of next_directory */
static struct timer moment;

/* ---- what the relay needs of the skeleton */

void child_exit(struct child *c, int status)
{
    (void)status;
    loop_stop(c->loop);
}

static struct child *relay_child;

static void introduce(struct timer *timer)
{
    (void)timer;
    relay_hooks.peer(relay_child, PROC_DIRECTORY, 0, 1, spare);
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)index, (void)reason;
    if (role == PROC_SPOOLER) loop_stop(c->loop);
    if (role == PROC_DIRECTORY)
        loop_timer_set(c->loop, &moment, loop_now_ms(c->loop) + FIXTURE_MOMENT_MS, introduce);
}

unsigned fixture_transaction_ms, fixture_job_ms;

/* The clock goes faster for one of them. */
static void hurry(struct relay_link *l)
{
    uint64_t now = loop_now_ms(relay_child->loop), whole = LIMIT_JOB_SECONDS * 1000;
    struct outbound_session *s = l->session;
    if (fixture_transaction_ms && s && s->message && s->until_ms > s->begun_ms + fixture_transaction_ms) {
        s->until_ms = s->begun_ms + fixture_transaction_ms;
        outbound_arm(s);
    }
    uint64_t *begun = &l->job->begun_ms;
    if (fixture_job_ms && now - *begun >= fixture_job_ms && now - *begun < whole) *begun -= whole;
}

static void turn(void *context)
{
    struct relay *r = relay_child->state;
    for (unsigned i = 0; (fixture_transaction_ms || fixture_job_ms) && i < RELAY_LINKS; i++)
        if (r->links[i].job) hurry(&r->links[i]);
    relay_hooks.after_turn(context);
    log_flush();
}

static _Noreturn void relay_run(const int fds[4])
{
    static struct child c;
    static struct config config = {.hostname = SPAN("me.example"), .drain_seconds = 5};
    static const enum role roles[] = {PROC_SPOOLER, PROC_CONNECTOR, PROC_DIRECTORY};
    const char *error = "";
    struct sandbox s = {.process = "relay",
                        .abilities = SANDBOX_RECEIVE_FDS | SANDBOX_MEMORY /* as roles.c has it */,
                        .max_fds = 1024,
                        .debug = true};
    signal(SIGPIPE, SIG_IGN);
    c = (struct child){.role = PROC_RELAY, .name = "relay", .loop = loop_create(64), .config = &config};
    log_open(open("/dev/null", O_WRONLY), "relay", LOG_LEVEL_DEBUG);
    relay_child = &c;
    for (unsigned i = 0; i < 3; i++)
        relay_hooks.peer(&c, roles[i], 0, 1, fds[i]);
    spare = fds[3];
    if (!relay_hooks.prepare(&c, &error) || (CAGED && sandbox_enter(&s, &error) == SANDBOX_FAILED)) {
        fprintf(stderr, "%s\n", error);
        _exit(9);
    }
    if (!relay_hooks.start(&c, &error)) _exit(8);
    loop_run(c.loop, turn, &c);
    _exit(0);
}

void relay_begin(void)
{
    struct channel *channels[] = {&spooler, &connector, &directory, &next_directory};
    int far[4];
    for (unsigned i = 0; i < 4; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        *channels[i] = (struct channel){.fd = pair[0]};
        far[i] = pair[1];
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        for (unsigned i = 0; i < 4; i++)
            close(channels[i]->fd);
        relay_run(far);
    }
    for (unsigned i = 0; i < 4; i++)
        close(far[i]);
}

void relay_end(void)
{
    int status;
    close(spooler.fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) fail_msg("status %x", (unsigned)status);
    close(connector.fd);
    close(directory.fd);
    close(next_directory.fd);
}

/* ---- packets */

void say(struct channel *c, uint16_t type, struct span payload, int fd)
{
    uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    union {
        struct cmsghdr header;
        uint8_t octets[CMSG_SPACE(sizeof(int))];
    } control = {.octets = {0}};
    wire_put_u16(&b, type);
    wire_put_span(&b, payload);
    assert_false(b.over);
    struct iovec v = {b.p, b.n};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(sizeof fd);
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    assert_int_equal(sendmsg(c->fd, &m, MSG_NOSIGNAL), b.n);
}

uint16_t hear(struct channel *c, struct span *payload)
{
    if (c->rest.rest.n == 0) {
        struct pollfd p = {c->fd, POLLIN, 0};
        assert_int_equal(poll(&p, 1, 60000), 1);
        ssize_t n = recv(c->fd, c->packet, sizeof c->packet, 0);
        if (n <= 0) return 0;
        c->rest = wire_on(span_of(c->packet, (size_t)n));
    }
    uint16_t type = wire_u16(&c->rest);
    *payload = wire_span(&c->rest, UINT16_MAX);
    assert_false(c->rest.bad);
    return type;
}

/* ---- the spooler */

void lend(uint32_t segment)
{
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    int fd = memfd_create("segment", MFD_CLOEXEC);
    assert_int_equal(write(fd, FIXTURE_CONTENT, FIXTURE_OCTETS), FIXTURE_OCTETS);
    job_segment_put(&b, &(struct job_segment){segment});
    say(&spooler, MSG_JOB_SEGMENT, buf_span(&b), fd);
    close(fd);
}

struct relay_head job_head(uint64_t job, uint32_t recipients)
{
    return (struct relay_head){
        .job = job,
        .id = UINT64_C(1) << 40,
        .content_octets = FIXTURE_OCTETS,
        .recipients = recipients,
        .hop = {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_NONE, .name = SPAN("d.example")},
        .reverse_path = SPAN("a@b")};
}

void give_job(const struct relay_head *h, const struct extent *extents, uint32_t n)
{
    static struct relay_extents x;
    uint8_t memory[16384];
    struct buf b = buf_on(memory, sizeof memory);
    relay_head_put(&b, h);
    say(&spooler, MSG_RELAY_HEAD, buf_span(&b), -1);
    for (uint32_t i = 0; i < h->recipients; i++) {
        char path[16];
        snprintf(path, sizeof path, "u%u@d", i);
        b.n = 0;
        relay_recipient_put(
            &b, &(struct relay_recipient){.job = h->job, .recipient = 10 + i, .path = span_str(path)});
        say(&spooler, MSG_RELAY_RECIPIENT, buf_span(&b), -1);
    }
    x = (struct relay_extents){.job = h->job, .last = 1, .count = n};
    memcpy(x.extents, extents, n * sizeof *extents);
    b.n = 0;
    relay_extents_put(&b, &x);
    assert_false(b.over);
    say(&spooler, MSG_RELAY_EXTENTS, buf_span(&b), -1);
}

void give_simple(uint64_t job, uint32_t recipients)
{
    struct relay_head h = job_head(job, recipients);
    struct extent e = {5, FIXTURE_OCTETS, 0, crc32c(0, FIXTURE_CONTENT, FIXTURE_OCTETS)};
    give_job(&h, &e, 1);
}

struct relay_result result(void)
{
    struct relay_result r;
    struct span payload;
    assert_int_equal(hear(&spooler, &payload), MSG_RELAY_RESULT);
    assert_true(relay_result_read(payload, &r));
    return r;
}

/* ---- the connector */

struct connect_question asked(void)
{
    struct connect_question q;
    struct span payload;
    assert_int_equal(hear(&connector, &payload), MSG_CONNECT_QUESTION);
    assert_true(connect_question_read(payload, &q));
    return q;
}

int answer_open(const struct connect_question *q, const char *address)
{
    uint8_t memory[4096];
    struct buf b = buf_on(memory, sizeof memory);
    struct connect_answer a = {.tag = q->tag,
                               .status = CONNECT_OPEN,
                               .host = SPAN("mx.d.example"),
                               .also = SPAN("d.example"),
                               .port = 25,
                               .dns_ms = 3,
                               .connect_ms = 4};
    int pair[2];
    assert_true(address_parse(span_str(address), &a.address));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    connect_answer_put(&b, &a);
    say(&connector, MSG_CONNECT_OPEN, buf_span(&b), pair[0]);
    close(pair[0]);
    return pair[1];
}

void answer_no(const struct connect_question *q, enum connect_status status, const char *enhanced,
               const char *text)
{
    uint8_t memory[4096];
    struct buf b = buf_on(memory, sizeof memory);
    struct connect_answer a = {.tag = q->tag, .status = (uint8_t)status, .text = span_str(text)};
    snprintf(a.enhanced, sizeof a.enhanced, "%s", enhanced);
    connect_answer_put(&b, &a);
    say(&connector, MSG_CONNECT_ANSWER, buf_span(&b), -1);
}

/* ---- servers */

static void expect_line(int fd, struct span want)
{
    uint8_t line[1024];
    size_t n = 0;
    while (n < want.n + 2) {
        struct pollfd p = {fd, POLLIN, 0};
        if (poll(&p, 1, 60000) != 1)
            fail_msg("want <%.*s>, got <%.*s>", SPAN_ARG(want), (int)n, (char *)line);
        ssize_t r = read(fd, line + n, want.n + 2 - n);
        if (r <= 0) fail_msg("want <%.*s>, it is closed behind <%.*s>", SPAN_ARG(want), (int)n, (char *)line);
        n += (size_t)r;
    }
    if (memcmp(line, want.p, want.n) != 0 || line[n - 1] != '\n')
        fail_msg("want <%.*s>, got <%.*s>", SPAN_ARG(want), (int)n, (char *)line);
}

void dialogue(int fd, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        char line[512];
        if (*text == '>') {
            int octets = snprintf(line, sizeof line, "%.*s\r\n", (int)n - 1, text + 1);
            assert_int_equal(send(fd, line, (size_t)octets, MSG_NOSIGNAL), octets);
        } else {
            expect_line(fd, span_of(text, n));
        }
        text += n + (text[n] == '\n');
    }
}

void expect_quit(int fd)
{
    char octet;
    dialogue(fd, "QUIT\n");
    assert_int_equal(read(fd, &octet, 1), 0);
    close(fd);
}
