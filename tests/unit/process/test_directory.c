/* The directory process with the test as supervisor and spooler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "directory/credential.h"
#include "directory/expand.h"
#include "directory/recipients.h"
#include "identity/change.h"
#include "process/messages.h"
#include "process/skeleton.h"
#include "system/log.h"
#include "system/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../mailbox_list.h"

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

static int map_channel = -1; /* where the process sends its map */

/* What the directory needs of the skeleton. */
void child_exit(struct child *c, int status)
{
    (void)status;
    loop_stop(c->loop);
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)role, (void)index, (void)reason;
    loop_stop(c->loop);
}

static bool send_fd(int to, int fd)
{
    union {
        struct cmsghdr header;
        uint8_t octets[CMSG_SPACE(sizeof(int))];
    } control = {.octets = {0}};
    char byte = 1;
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof fd)};
    control.header =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return sendmsg(to, &m, MSG_NOSIGNAL) == 1;
}

bool child_publish_map(struct child *c, int memfd)
{
    (void)c;
    return send_fd(map_channel, memfd);
}

static struct config_domain domains[] = {{.name = SPAN("example.org"), .place = {.line = 1}},
                                         {.name = SPAN("any.test"), .any = true}};
static struct config_server server = {.domains = domains, .n_domains = 2};
static struct config_route routes[] = {
    {.pattern = SPAN("a.test"), .hop = {.kind = NEXT_HOP_HOST, .user = SPAN("/c/joe")}},
    {.pattern = SPAN("b.test"), .hop = {.kind = NEXT_HOP_MX}},
    {.pattern = SPAN("c.test"), .hop = {.kind = NEXT_HOP_HOST, .user = SPAN("/c/broken")}},
    {.pattern = SPAN("d.test"), .hop = {.kind = NEXT_HOP_HOST, .user = SPAN("/c/joe")}},
    {.pattern = SPAN("e.test"), .hop = {.kind = NEXT_HOP_HOST, .user = SPAN("/c/ann")}},
    {.pattern = SPAN("f.test"), .secret = {.token = true, .user = SPAN("joe@example.net")}}, /* token_path */
};
static const struct config config = {.hostname = SPAN("mail.example.org"),
                                     .servers = &server,
                                     .n_servers = 1,
                                     .routes = routes,
                                     .n_routes = 6,
                                     .users_folder = SPAN("users"),
                                     .aliases_file = SPAN("aliases")};
static pid_t pid;
static int channel, relay_channel, map_fd, users_at = -1;
static char folder_path[64], token_folder[] = "/tmp/sallyport-token-XXXXXX", token_path[64];

static void turn(void *context)
{
    directory_hooks.after_turn(context);
    log_flush();
}

static int file_of(const char *text)
{
    int fd = memfd_create("text", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)),
                     strlen(text)); /* the position is at the end: that must not matter */
    return fd;
}

/* A database with these mailboxes, in a folder that end() removes. */
static int users_folder(const char *names)
{
    const char *why;
    struct arena *a = arena_create(1 << 16);
    const struct change_caller who = {.uid = 0, .name = SPAN("test"), .unix_seconds = 1};
    snprintf(folder_path, sizeof folder_path, "/tmp/sallyport-directory-XXXXXX");
    assert_non_null(mkdtemp(folder_path));
    int folder = open(folder_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct identity *i = identity_open(folder, true, &why);
    struct users *u = mailbox_list(a, names);
    assert_true(i && u && change_begin(i));
    for (uint32_t k = 0; k < u->count; k++) {
        uint32_t number;
        assert_int_equal(change_add(i, PRINCIPAL_USER, u->keys[k], true, 1, &number), CHANGE_DONE);
        struct change_secrets secrets = {.verifier = "$y$secret"};
        assert_int_equal(change_secrets(i, number, &secrets), CHANGE_DONE);
    }
    assert_true(change_commit(i, &who, SPAN("test")));
    identity_close(&i);
    arena_destroy(&a);
    return folder;
}

static _Noreturn void directory_run(int folder, const char *aliases, int fd, int relay_fd)
{
    static struct child c;
    const char *error = "";
    int tokens = open(token_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct sandbox s = {.process = "directory",
                        .abilities = SANDBOX_RECEIVE_FDS | SANDBOX_SEND_FDS | SANDBOX_FILES_AT |
                                     SANDBOX_MEMORY | SANDBOX_MEMFD | SANDBOX_THREADS /* as roles.c has it */,
                        .directories = &folder,
                        .n_directories = folder >= 0,
                        .read_only = &tokens,
                        .n_read_only = 1,
                        .max_fds = 256,
                        .debug = true};
    signal(SIGPIPE, SIG_IGN);
    c = (struct child){
        .role = PROC_DIRECTORY, .name = "directory", .loop = loop_create(64), .config = &config};
    log_open(open("/dev/null", O_WRONLY), "directory", LOG_LEVEL_DEBUG);
    if (folder >= 0) directory_hooks.grant(&c, GRANT_USERS, 0, 0, dup(folder));
    if (aliases) directory_hooks.grant(&c, GRANT_ALIASES, 0, 0, file_of(aliases));
    directory_hooks.grant(&c, GRANT_CREDENTIALS, 0, 0, file_of("joe\nto0 secret\n"));
    directory_hooks.grant(&c, GRANT_CREDENTIALS, 1, 0, file_of("only a name\n"));
    directory_hooks.grant(&c, GRANT_CREDENTIALS, 2, 0, file_of("ann\nword"));
    directory_hooks.grant(&c, GRANT_TOKEN_FOLDER, 3, 0, dup(tokens));
    directory_hooks.grant(&c, GRANT_CREDENTIALS, 4, 0, file_of("nobody\nasked\n"));
    directory_hooks.peer(&c, PROC_SPOOLER, 0, 1, fd);
    directory_hooks.peer(&c, PROC_RELAY, 1, 1, relay_fd);
    if (!directory_hooks.prepare(&c, &error)) {
        fprintf(stderr, "%s\n", error);
        _exit(8);
    }
    if (CAGED && sandbox_enter(&s, &error) == SANDBOX_FAILED) _exit(9);
    if (!directory_hooks.start(&c, &error)) _exit(7);
    loop_run(c.loop, turn, &c);
    _exit(0);
}

static int receive_fd(int from)
{
    union {
        struct cmsghdr header;
        uint8_t octets[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec v = {&byte, 1};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fd = -1;
    assert_int_equal(recvmsg(from, &m, 0), 1);
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

static void begin(const char *users, const char *aliases)
{
    int pair[2], relay[2], maps[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, relay), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, maps), 0);
    users_at = users ? users_folder(users) : -1;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(pair[0]);
        close(relay[0]);
        map_channel = maps[1];
        directory_run(users_at, aliases, pair[1], relay[1]);
    }
    close(pair[1]);
    close(maps[1]);
    close(relay[1]);
    channel = pair[0];
    relay_channel = relay[0];
    map_fd = receive_fd(maps[0]);
    close(maps[0]);
}

static void remove_users(void)
{
    static const char *const names[] = {IDENTITY_FILE, IDENTITY_FILE "-wal", IDENTITY_FILE "-shm"};
    if (users_at < 0) return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlinkat(users_at, names[i], 0);
    close(users_at);
    users_at = -1;
    assert_int_equal(rmdir(folder_path), 0);
}

static void end(void)
{
    int status;
    close(channel);
    close(relay_channel);
    close(map_fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    remove_users();
    if (!WIFEXITED(status) || WEXITSTATUS(status)) fail_msg("status %x", status);
}

static void ask(uint64_t id, const char *path)
{
    uint8_t memory[1000];
    struct buf b = buf_on(memory, sizeof memory), q = buf_on(memory + 500, 500);
    expand_question_put(&q, &(struct expand_question){id, 4, span_str(path)});
    wire_put_u16(&b, MSG_EXPAND_QUESTION);
    wire_put_span(&b, buf_span(&q));
    assert_int_equal(send(channel, b.p, b.n, MSG_NOSIGNAL), b.n);
}

/* The next part of an answer; false when the channel was closed. */
static bool hear(struct expand_answer *a)
{
    static uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    static struct wire rest;
    if (rest.rest.n == 0) {
        struct pollfd p = {channel, POLLIN, 0};
        assert_int_equal(poll(&p, 1, 60000), 1);
        ssize_t n = recv(channel, packet, sizeof packet, 0);
        if (n <= 0) return false;
        rest = wire_on(span_of(packet, (size_t)n));
    }
    assert_int_equal(wire_u16(&rest), MSG_EXPAND_ANSWER);
    struct span payload = wire_span(&rest, UINT16_MAX);
    assert_false(rest.bad);
    assert_true(expand_answer_read(payload, a));
    return true;
}

static const char *expand(const char *path)
{
    static char memory[500];
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct expand_answer a;
    struct expand_target t;
    ask(77, path);
    assert_true(hear(&a));
    assert_true(a.id == 77 && a.recipient == 4 && a.last);
    struct wire w = wire_on(a.targets);
    while (expand_target_read(&w, &t)) {
        buf_put(&b, t.path);
        buf_byte(&b, ' ');
    }
    if (a.status) buf_u64(&b, a.status);
    memory[b.n] = 0;
    return memory;
}

static void map_is_sealed(void **state)
{
    (void)state;
    begin("alice@example.org", "root: alice\n");
    int seals = fcntl(map_fd, F_GET_SEALS);
    assert_int_equal(seals & (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL),
                     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    assert_int_equal(pwrite(map_fd, "x", 1, 0), -1);
    assert_int_equal(ftruncate(map_fd, 0), -1);
    struct stat st;
    assert_int_equal(fstat(map_fd, &st), 0);
    const void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, map_fd, 0);
    assert_ptr_not_equal(p, MAP_FAILED);
    struct recipients r;
    assert_true(recipients_open(&r, p, (size_t)st.st_size));
    assert_int_equal(recipients_find(&r, SPAN("alice@example.org")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&r, SPAN("root@example.org")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&r, SPAN("bob@example.org")), RECIPIENTS_UNKNOWN);
    assert_int_equal(recipients_find(&r, SPAN("bob@any.test")), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&r, SPAN("bob@example.com")), RECIPIENTS_NOT_SERVED);
    /* I10: what edges map holds no verifier */
    assert_null(memmem(p, (size_t)st.st_size, "secret", 6));
    end();
}

static void questions(void **state)
{
    (void)state;
    begin("alice@example.org", "root: alice, x@elsewhere.test\nbad: |evil\n");
    assert_string_equal(expand("ROOT@example.org"), "alice@example.org x@elsewhere.test ");
    assert_string_equal(expand("Alice+x@Example.Org"), "alice@example.org ");
    assert_string_equal(expand("postmaster"), "alice@example.org ");
    assert_string_equal(expand("zoe@any.test"), "zoe@any.test ");
    assert_string_equal(expand("zoe@example.org"), "1");
    assert_string_equal(expand("bad@example.org"), "4");
    assert_string_equal(expand("no address"), "1");
    end();
    begin(NULL, NULL); /* no files at all */
    assert_string_equal(expand("postmaster"), "postmaster@example.org ");
    end();
}

/* Large answers come in parts, and many of them wait until they are read. */
static void large_answers(void **state)
{
    (void)state;
    size_t n = 0, max = 1 << 20;
    char *text = malloc(max);
    assert_non_null(text);
    n += (size_t)snprintf(text, max, "big: ");
    for (unsigned i = 0; i < 9000; i++)
        n += (size_t)snprintf(text + n, max - n, "a-rather-long-name-%u@elsewhere.example,%s", i,
                              i % 10 ? "" : "\n ");
    begin("alice@example.org", text);
    for (unsigned i = 0; i < 20; i++)
        ask(i, "big@example.org");
    usleep(200000); /* it runs into the full channel */
    for (unsigned i = 0; i < 20; i++) {
        struct expand_answer a;
        unsigned targets = 0, parts = 0;
        do {
            assert_true(hear(&a));
            assert_int_equal(a.id, i);
            assert_int_equal(a.status, EXPAND_OK);
            targets += a.count;
            parts++;
        } while (!a.last);
        assert_int_equal(targets, 9000);
        assert_true(parts > 5);
    }
    assert_string_equal(expand("alice@example.org"), "alice@example.org ");
    end();
    free(text);
}

static void malformed(void **state)
{
    (void)state;
    struct expand_answer a;
    uint8_t packet[40] = {MSG_EXPAND_QUESTION, 0, 20, 0};
    begin("", "");
    assert_int_equal(send(channel, packet, 24, MSG_NOSIGNAL), 24);
    assert_false(hear(&a));
    end();
}

/* ---- what a relay asks */

static void credential_ask(const struct credential_question *question)
{
    static uint8_t memory[CREDENTIAL_QUESTION_OCTETS + 4], payload[CREDENTIAL_QUESTION_OCTETS];
    struct buf b = buf_on(memory, sizeof memory), q = buf_on(payload, sizeof payload);
    credential_question_put(&q, question);
    wire_put_u16(&b, MSG_CREDENTIAL_QUESTION);
    wire_put_span(&b, buf_span(&q));
    assert_false(b.over);
    assert_int_equal(send(relay_channel, b.p, b.n, MSG_NOSIGNAL), b.n);
}

/* "STATUS MECHANISM RESPONSE" */
static const char *credential_hear(uint64_t tag)
{
    static uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    static char memory[500];
    struct buf b = buf_on(memory, sizeof memory - 1);
    struct pollfd p = {relay_channel, POLLIN, 0};
    struct credential_answer a;
    assert_int_equal(poll(&p, 1, 60000), 1);
    ssize_t n = recv(relay_channel, packet, sizeof packet, 0);
    if (n <= 0) return "closed";
    struct wire w = wire_on(span_of(packet, (size_t)n));
    assert_int_equal(wire_u16(&w), MSG_CREDENTIAL_ANSWER);
    assert_true(credential_answer_read(wire_span(&w, UINT16_MAX), &a));
    assert_true(wire_done(&w) && a.tag == tag);
    buf_u64(&b, a.status);
    buf_byte(&b, ' ');
    buf_put(&b, a.mechanism);
    buf_byte(&b, ' ');
    buf_put(&b, a.response);
    memory[b.n] = 0;
    return memory;
}

static const char *credential(const char *file, const char *mechanisms, uint8_t step, const char *challenge)
{
    static uint64_t tag;
    if (step == 0) tag++;
    credential_ask(&(struct credential_question){.tag = tag,
                                                 .user = span_str(file),
                                                 .mechanisms = span_str(mechanisms),
                                                 .step = step,
                                                 .challenge = span_str(challenge)});
    return credential_hear(tag);
}

static void credentials(void **state)
{
    (void)state;
    begin("alice@example.org", "");
    assert_string_equal(credential("/c/joe", "LOGIN PLAIN", 0, ""), "0 PLAIN AGpvZQB0bzAgc2VjcmV0");
    assert_string_equal(credential("/c/joe", "LOGIN", 0, ""), "0 LOGIN ");
    assert_string_equal(credential("/c/joe", "LOGIN", 1, "VXNlcm5hbWU6"), "0 LOGIN am9l");
    assert_string_equal(credential("/c/joe", "LOGIN", 2, "UGFzc3dvcmQ6"), "0 LOGIN dG8wIHNlY3JldA==");
    assert_string_equal(credential("/c/joe", "LOGIN", 3, "TW9yZT8="), "3  ");
    assert_string_equal(credential("/c/joe", "GSSAPI NTLM", 0, ""), "1  ");
    assert_string_equal(credential("/c/ann", "PLAIN", 0, ""), "0 PLAIN AGFubgB3b3Jk");
    assert_string_equal(credential("/c/broken", "PLAIN", 0, ""), "2  ");
    assert_string_equal(credential("/etc/shadow", "PLAIN", 0, ""), "2  ");
    assert_string_equal(credential("/c/jo", "PLAIN", 0, ""), "2  ");
    assert_string_equal(expand("alice@example.org"),
                        "alice@example.org "); /* the spooler is served beside it */
    end();
}

/* In the cage: the file that has the name now, and none elsewhere. */
static void tokens(void **state)
{
    char fresh[64];
    (void)state;
    begin("", "");
    assert_string_equal(credential(token_path, "PLAIN XOAUTH2", 0, ""), "2  ");
    snprintf(fresh, sizeof fresh, "%s/new", token_folder);
    for (unsigned i = 0; i < 2; i++) {
        FILE *f = fopen(fresh, "w");
        assert_non_null(f);
        fputs(i ? "two\n" : "one\n", f);
        fclose(f);
        assert_int_equal(rename(fresh, token_path), 0);
        /* user=joe@example.net ^A auth=Bearer one ^A ^A */
        assert_string_equal(credential(token_path, "PLAIN XOAUTH2", 0, ""),
                            i ? "0 XOAUTH2 dXNlcj1qb2VAZXhhbXBsZS5uZXQBYXV0aD1CZWFyZXIgdHdvAQE="
                              : "0 XOAUTH2 dXNlcj1qb2VAZXhhbXBsZS5uZXQBYXV0aD1CZWFyZXIgb25lAQE=");
        assert_string_equal(credential(token_path, "", 1, "e30="), "0 XOAUTH2 "); /* {} */
    }
    assert_string_equal(credential(token_path, "PLAIN LOGIN SCRAM-SHA-256", 0, ""), "1  ");
    assert_int_equal(unlink(token_path), 0);
    assert_string_equal(credential(token_path, "PLAIN XOAUTH2", 0, ""), "2  ");
    end();
}

/* What a relay hears of a password by SCRAM: a proof, and nothing that begins like it a second time. */
static void scram(void **state)
{
    uint8_t clear[400], text[400], encoded[600];
    char nonces[2][32];
    (void)state;
    begin("", "");
    for (unsigned i = 0; i < 2; i++) {
        struct buf b = buf_on(clear, sizeof clear - 1), first = buf_on(text, sizeof text),
                   c = buf_on(encoded, 599);
        const char *said = credential("/c/joe", "PLAIN SCRAM-SHA-256", 0, "");
        assert_int_equal(strncmp(said, "0 SCRAM-SHA-256 ", 16), 0);
        assert_true(base64_decode(span_str(said + 16), &b));
        clear[b.n] = 0;
        assert_int_equal(sscanf((char *)clear, "n,,n=joe,r=%30s", nonces[i]), 1);
        buf_str(&first, "r=");
        buf_str(&first, nonces[i]);
        buf_str(&first, "xyz,s=c2FsdA==,i=4096");
        base64_encode(buf_span(&first), &c);
        encoded[c.n] = 0;
        said = credential("/c/joe", "", 1, (const char *)encoded);
        assert_int_equal(strncmp(said, "0 SCRAM-SHA-256 ", 16), 0);
        b.n = 0;
        assert_true(base64_decode(span_str(said + 16), &b));
        assert_null(memmem(clear, b.n, "to0 secret", 10));
        assert_string_equal(credential("/c/joe", "", 2, "dj1BQUFB"), "3  "); /* v=AAAA */
        assert_string_equal(credential("/c/joe", "", 3, ""), "3  ");         /* it is forgotten */
    }
    assert_string_not_equal(nonces[0], nonces[1]);
    end();
}

static void malformed_relay(void **state)
{
    (void)state;
    begin("", "");
    credential_ask(
        &(struct credential_question){1, SPAN("/c/joe"), SPAN("PLAIN"), 0, SPAN("QQ=="), SPAN("")});
    assert_string_equal(credential_hear(1), "closed");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(map_is_sealed), cmocka_unit_test(questions),
                                       cmocka_unit_test(large_answers), cmocka_unit_test(malformed),
                                       cmocka_unit_test(credentials),   cmocka_unit_test(tokens),
                                       cmocka_unit_test(scram),         cmocka_unit_test(malformed_relay)};
    if (!mkdtemp(token_folder)) return 1;
    snprintf(token_path, sizeof token_path, "%s/t", token_folder);
    routes[5].hop = (struct next_hop){.kind = NEXT_HOP_HOST, .user = span_str(token_path)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(token_folder);
    return failed;
}
