/* The mailbox process with the test as its spooler: a real channel, real folders, its own cage in the plain build. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "process/messages.h"
#include "process/skeleton.h"
#include "spool/job.h"
#include "spool/message_id.h"
#include "system/log.h"
#include "system/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
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

/* What the mailbox needs of the skeleton. */
void child_exit(struct child *c, int status)
{
    (void)status;
    loop_stop(c->loop);
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)role, (void)index;
    if (strcmp(reason, "end of file") != 0) fprintf(stderr, "lost: %s\n", reason);
    loop_stop(c->loop);
}

static char folder[64];
static int segment;                                          /* content lies at offset 0 */
static const char content[] = "Subject: hi\r\n\r\nbody\r\n"; /* 21 octets */

static void turn(void *context)
{
    mailbox_hooks.after_turn(context);
    log_flush();
}

static _Noreturn void mailbox_run(const struct config *config, int fd)
{
    static struct child c;
    const char *error = "";
    int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sandbox s = {.process = "mailbox",
                        .abilities =
                            SANDBOX_RECEIVE_FDS | SANDBOX_FILES_AT | SANDBOX_MEMORY /* as roles.c has it */,
                        .directories = &root,
                        .n_directories = 1,
                        .max_fds = 1024,
                        .debug = true};
    signal(SIGPIPE, SIG_IGN);
    c = (struct child){.role = PROC_MAILBOX, .name = "mailbox", .loop = loop_create(64), .config = config};
    log_open(open("/dev/null", O_WRONLY), "mailbox", LOG_LEVEL_DEBUG);
    mailbox_hooks.grant(&c, GRANT_MAIL, 0, 0, dup(root));
    mailbox_hooks.peer(&c, PROC_SPOOLER, 0, 1, fd);
    if (CAGED && sandbox_enter(&s, &error) == SANDBOX_FAILED) {
        fprintf(stderr, "%s\n", error);
        _exit(9);
    }
    if (!mailbox_hooks.start(&c, &error)) _exit(8);
    loop_run(c.loop, turn, &c);
    _exit(0);
}

/* --- the spooler's side: plain packets --- */

static struct config config;
static struct config_deliver rule;
static pid_t pid;
static int channel;

static void begin(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(pair[0]);
        mailbox_run(&config, pair[1]);
    }
    close(pair[1]);
    channel = pair[0];
}

/* The process ends by itself when its conversation does (see child_peer_lost above), and not by a signal. */
static void end(void)
{
    int status;
    close(channel);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) fail_msg("status %x", status);
}

static void say(uint16_t type, struct span payload, int fd)
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
    assert_int_equal(sendmsg(channel, &m, MSG_NOSIGNAL), b.n);
}

static void lease(uint32_t number)
{
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    job_segment_put(&b, &(struct job_segment){number});
    say(MSG_JOB_SEGMENT, buf_span(&b), segment);
}

static struct job_deliver job(uint64_t id, const char *local)
{
    struct job_deliver j = {.id = id,
                            .recipient = 1,
                            .last = 1,
                            .domain = SPAN("example.org"),
                            .local = span_str(local),
                            .delivered_to = SPAN("x@example.org"),
                            .reverse_path = SPAN("a@example.com"),
                            .count = 1};
    j.extents[0] = (struct extent){5, sizeof content - 1, 0, crc32c(0, content, sizeof content - 1)};
    return j;
}

static void ask(const struct job_deliver *j)
{
    uint8_t memory[16384];
    struct buf b = buf_on(memory, sizeof memory);
    job_deliver_put(&b, j);
    assert_false(b.over);
    say(MSG_JOB_DELIVER, buf_span(&b), -1);
}

/* Payloads of what was answered, one a call; type 0: the channel was closed. */
static uint16_t hear(struct span *payload)
{
    static uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    static struct wire rest;
    if (rest.rest.n == 0) {
        struct pollfd p = {channel, POLLIN, 0};
        assert_int_equal(poll(&p, 1, 60000), 1);
        ssize_t n = recv(channel, packet, sizeof packet, 0);
        if (n <= 0) return 0;
        rest = wire_on(span_of(packet, (size_t)n));
    }
    uint16_t type = wire_u16(&rest);
    *payload = wire_span(&rest, UINT16_MAX);
    assert_false(rest.bad);
    return type;
}

static struct job_result result(void)
{
    struct job_result r;
    struct span payload;
    assert_int_equal(hear(&payload), MSG_JOB_RESULT);
    assert_true(job_result_read(payload, &r));
    return r;
}

static unsigned files(const char *local, const char *sub)
{
    char path[200];
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/example.org/%s/%s", folder, local, sub);
    DIR *d = opendir(path);
    if (!d) return 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static uint64_t now_id(unsigned n)
{
    return ((uint64_t)time(NULL) * 1000 << 20) + n;
}

static void many_jobs(void **state)
{
    (void)state;
    begin();
    lease(5);
    for (unsigned i = 0; i < 300; i++) {
        struct job_deliver j = job(now_id(1000 + i), i % 2 ? "alice" : "bob");
        ask(&j);
    }
    for (unsigned i = 0; i < 300; i++) {
        struct job_result r = result();
        assert_int_equal(r.status, JOB_DELIVERED);
        assert_string_equal(r.enhanced, "2.0.0");
    }
    assert_int_equal(files("alice", "new"), 150);
    assert_int_equal(files("bob", "new"), 150);
    assert_int_equal(files("bob", "tmp"), 0);
    end();
}

/* The spooler lost the answer and asks again, in the same conversation, and after both were started anew. */
static void asked_again(void **state)
{
    (void)state;
    struct job_deliver j = job(now_id(1), "again");
    begin();
    lease(5);
    ask(&j);
    ask(&j);
    assert_int_equal(result().status, JOB_DELIVERED);
    assert_int_equal(result().status, JOB_DELIVERED);
    end();
    begin();
    lease(5);
    ask(&j);
    assert_int_equal(result().status, JOB_DELIVERED);
    end();
    assert_int_equal(files("again", "new"), 1);
}

static void parts(void **state)
{
    (void)state;
    struct job_deliver j = job(now_id(2), "parts"), other = job(now_id(3), "other");
    begin();
    lease(5);
    j.last = 0;
    for (unsigned i = 0; i < 5; i++) {
        ask(&j);
        if (i == 2) ask(&other); /* in between */
    }
    assert_true(result().id == other.id);
    assert_int_equal(files("parts", "new"), 0);
    j.last = 1;
    j.count = 0;
    ask(&j);
    assert_true(result().id == j.id);
    assert_int_equal(files("parts", "new"), 1);
    /* one that never ends leaves nothing behind */
    j = job(now_id(4), "open");
    j.last = 0;
    ask(&j);
    end();
    assert_int_equal(files("open", "new") + files("open", "tmp"), 0);
}

static void refusals(void **state)
{
    (void)state;
    begin();
    lease(5);
    struct job_deliver j = job(now_id(5), "../x");
    ask(&j);
    struct job_result r = result();
    assert_int_equal(r.status, JOB_FAILED);
    assert_string_equal(r.enhanced, "5.1.1");
    j = job(now_id(6), "bob");
    j.domain = SPAN("unknown.example");
    ask(&j);
    r = result();
    assert_int_equal(r.status, JOB_DEFERRED);
    assert_string_equal(r.enhanced, "4.3.5");
    j = job(now_id(7), "bad");
    j.extents[0].crc++;
    ask(&j);
    assert_int_equal(result().status, JOB_DEFERRED);
    j = job(now_id(8), "bad");
    j.extents[0].segment = 6; /* never lent */
    ask(&j);
    assert_int_equal(result().status, JOB_DEFERRED);
    assert_int_equal(files("bad", "new") + files("bad", "tmp"), 0);
    end();
}

static void leases(void **state)
{
    (void)state;
    struct span payload;
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    begin();
    lease(5);
    lease(5); /* again: the older descriptor goes */
    struct job_deliver j = job(now_id(9), "lease");
    ask(&j);
    job_segment_put(&b, &(struct job_segment){5});
    say(MSG_JOB_RECALL, buf_span(&b), -1); /* right behind the job: the job is not hurt */
    unsigned returned = 0, delivered = 0;
    for (int i = 0; i < 2; i++) {
        uint16_t type = hear(&payload);
        struct job_segment s;
        struct job_result r;
        if (type == MSG_JOB_RETURN) returned += job_segment_read(payload, &s) && s.segment == 5;
        if (type == MSG_JOB_RESULT) delivered += job_result_read(payload, &r) && r.status == JOB_DELIVERED;
    }
    assert_int_equal(returned, 1);
    assert_int_equal(delivered, 1);
    char path[64], target[100];
    unsigned held = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    for (int fd = 3; fd < 64; fd++) { /* the descriptor is closed indeed */
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n <= 0) continue;
        target[n] = 0;
        held += strstr(target, "deleted") != NULL && strstr(target, folder) != NULL;
    }
    assert_true(held <= 1); /* this test's own copy, inherited by fork */
    ask(&j);
    assert_int_equal(result().status, JOB_DELIVERED); /* present already: no content is needed */
    end();
}

static void malformed(void **state)
{
    (void)state;
    struct span payload;
    static const uint8_t junk[64] = {1, 2, 3};
    for (size_t n = 0; n < sizeof junk; n += 7) {
        begin();
        say(MSG_JOB_DELIVER, span_of(junk, n), -1);
        assert_int_equal(hear(&payload), 0);
        end();
    }
    begin();
    say(999, span_of(junk, 4), -1);
    assert_int_equal(hear(&payload), 0);
    end();
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/mailbox-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    segment = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    rule = (struct config_deliver){
        .domain = SPAN("example.org"), .how = DELIVER_MAILDIR, .target = span_str(folder)};
    config = (struct config){.hostname = SPAN("mail.example.org"), .deliver = &rule, .n_deliver = 1};
    return pwrite(segment, content, sizeof content - 1, 0) == sizeof content - 1 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_jobs), cmocka_unit_test(asked_again), cmocka_unit_test(parts),
        cmocka_unit_test(refusals),  cmocka_unit_test(leases),      cmocka_unit_test(malformed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
