/* The keyring as a process of its own, and an edge as another: real channels, real cages, clients over socketpairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../system/tls_peer.h"

#include "process/messages.h"
#include "process/skeleton.h"
#include "system/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/err.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

#define SESSIONS    16
#define HEAP_OCTETS (8 << 20)

/* What the keyring needs of the skeleton. */
void child_exit(struct child *c, int status)
{
    (void)status;
    loop_stop(c->loop);
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c, (void)role, (void)index, (void)reason;
}

static struct tls_material ec, rsa;

static void cage(const char *process, unsigned abilities)
{
    struct sandbox s = {.process = process, .abilities = abilities, .max_fds = 1024, .debug = true};
    const char *error = "";
    mallopt(M_MMAP_MAX, 0); /* as the skeleton does: one heap that is large enough and never shrinks */
    mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    void *volatile heap = malloc(HEAP_OCTETS); /* volatile: a compiler leaves out what nobody looks at */
    free(heap);
    if (CAGED && sandbox_enter(&s, &error) == SANDBOX_FAILED) {
        fprintf(stderr, "%s: %s\n", process, error);
        _exit(9);
    }
}

/* --- the keyring's process --- */

static int key_fd(const struct tls_material *m)
{
    int fd = memfd_create("key", MFD_CLOEXEC);
    if (write(fd, m->key_pem.p, m->key_pem.n) != (ssize_t)m->key_pem.n) abort();
    return fd; /* its position is at the end: the keyring must not mind */
}

struct keyring_process {
    struct child child;
    struct watch drain;
};

static void on_drain(struct watch *w, uint32_t events)
{
    (void)events;
    struct keyring_process *k =
        (struct keyring_process *)((char *)w - offsetof(struct keyring_process, drain));
    loop_forget(k->child.loop, w);
    keyring_hooks.drain(&k->child, true);
}

static void keyring_turn(void *context)
{
    struct keyring_process *k = context;
    keyring_hooks.after_turn(&k->child);
}

static _Noreturn void keyring_run(const int *edges, unsigned n_edges, int drain_fd)
{
    static struct keyring_process k;
    const char *error = "";
    signal(SIGPIPE, SIG_IGN);
    k.child = (struct child){.role = PROC_KEYRING, .name = "keyring", .loop = loop_create(64)};
    keyring_hooks.grant(&k.child, GRANT_KEY, 0, 0, key_fd(&ec));
    keyring_hooks.grant(&k.child, GRANT_KEY, 0, 1, key_fd(&rsa));
    for (unsigned i = 0; i < n_edges; i++)
        keyring_hooks.peer(&k.child, PROC_EDGE, i, 1, edges[i]);
    if (!keyring_hooks.prepare(&k.child, &error)) {
        fprintf(stderr, "keyring: %s\n", error);
        _exit(8);
    }
    if (prctl(PR_GET_DUMPABLE) != 0) _exit(7);
    if (!loop_watch(k.child.loop, &k.drain, drain_fd, LOOP_READ, on_drain)) _exit(6);
    cage("keyring", SANDBOX_RECEIVE_FDS);
    if (!keyring_hooks.start(&k.child, &error)) _exit(5);
    loop_run(k.child.loop, keyring_turn, &k);
    _exit(0);
}

/* --- an edge's process: echoes --- */

struct session {
    struct watch watch;
    struct tls *tls;
};

static struct {
    struct loop *loop;
    struct ipc *keyring;
    struct session sessions[SESSIONS];
    unsigned open;
} edge;

static bool edge_ask(void *context, struct span question)
{
    (void)context;
    return ipc_send(edge.keyring, MSG_SIGN_QUESTION, question);
}

static void session_end(struct session *s)
{
    loop_forget(edge.loop, &s->watch);
    tls_free(&s->tls);
    close(s->watch.fd);
    if (--edge.open == 0) loop_stop(edge.loop);
}

static void session_serve(struct session *s)
{
    uint8_t octets[512];
    size_t n, put;
    enum tls_result r = tls_handshake(s->tls);
    if (r == TLS_FAILED) session_end(s);
    if (r != TLS_DONE) return;
    while ((r = tls_read(s->tls, octets, sizeof octets, &n)) == TLS_DONE)
        if (tls_write(s->tls, span_of(octets, n), &put) != TLS_DONE || put != n) _exit(20);
    if (r == TLS_WANT_READ) return;
    if (r == TLS_EOF_CLEAN) tls_shutdown(s->tls);
    session_end(s);
}

static void session_event(struct watch *w, uint32_t events)
{
    (void)events;
    session_serve((struct session *)w);
}

static void edge_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    (void)context, (void)type, (void)fds, (void)n_fds;
    bool bad;
    struct tls *t = tls_key_answer(payload, &bad);
    if (bad) _exit(21);
    if (t) session_serve(tls_owner(t));
}

static void edge_keyring_closed(void *context, const char *reason)
{
    (void)context, (void)reason;
    _exit(22);
}

static void edge_turn(void *context)
{
    (void)context;
    ipc_flush(edge.keyring);
}

/* Only what the header of TLS says a session calls, and what loop and ipc need; memory calls are fatal, not refused. */
static void strict_cage(void)
{
    static const int calls[] = {SCMP_SYS(read),           SCMP_SYS(write),   SCMP_SYS(close),
                                SCMP_SYS(getrandom),      SCMP_SYS(getpid),  SCMP_SYS(epoll_wait),
                                SCMP_SYS(epoll_ctl),      SCMP_SYS(sendmsg), SCMP_SYS(recvmmsg),
                                SCMP_SYS(rt_sigprocmask), SCMP_SYS(futex),   SCMP_SYS(exit_group),
                                SCMP_SYS(clock_gettime)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter) _exit(23);
    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0) _exit(24);
    if (seccomp_load(filter) != 0) _exit(25);
}

static const struct ipc_allowed edge_allowed[] = {{MSG_SIGN_ANSWER, 11, SIGN_ANSWER_OCTETS_MAX, 0}};

static _Noreturn void edge_run(int keyring_fd, const int *clients, unsigned n, bool strict)
{
    char text[256];
    const char *error = "";
    struct buf problem = buf_on(text, sizeof text);
    signal(SIGPIPE, SIG_IGN);
    if (!tls_memory_init(32 << 20)) _exit(10);
    struct tls_context *c = tls_context_create(SPAN("mx"));
    if (!c || !tls_context_add(c, ec.chain_pem, "ec", (struct tls_key_id){0, 0}, &problem) ||
        !tls_context_add(c, rsa.chain_pem, "rsa", (struct tls_key_id){0, 1}, &problem))
        _exit(11);
    struct tls_ticket_keys keys = {0};
    int ticket_fd = tls_ticket_rotate(&keys) ? tls_ticket_memfd(&keys) : -1;
    if (!tls_ticket_load(ticket_fd)) _exit(12);
    tls_keyring(edge_ask, NULL);
    if (!tls_warm_up(&c, 1, &error)) {
        fprintf(stderr, "edge: %s\n", error);
        _exit(13);
    }
    edge.loop = loop_create(64);
    edge.keyring =
        ipc_open(edge.loop, keyring_fd, edge_allowed, 1, 16, edge_message, edge_keyring_closed, NULL);
    if (!edge.keyring) _exit(14);
    if (CAGED && strict)
        strict_cage();
    else
        cage("edge", SANDBOX_ACCEPT | SANDBOX_RECEIVE_FDS);
    for (unsigned i = 0; i < n; i++) {
        struct session *s = &edge.sessions[edge.open++];
        s->tls = tls_create(c, clients[i], span_of(NULL, 0), s);
        if (!s->tls || !loop_watch(edge.loop, &s->watch, clients[i], LOOP_READ | LOOP_WRITE, session_event))
            _exit(15);
    }
    loop_run(edge.loop, edge_turn, NULL);
    _exit(0);
}

/* --- the test: parent of both, and all the clients --- */

static int material_fd; /* both, as the parent made them */

static int group_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    tls_material_make(&ec, false, "DNS:a.example", 90);
    tls_material_make(&rsa, true, "DNS:a.example", 90);
    material_fd = memfd_create("material", 0);
    return write(material_fd, &ec, sizeof ec) == sizeof ec &&
                   write(material_fd, &rsa, sizeof rsa) == sizeof rsa
               ? 0
               : -1;
}

static void material_of(struct tls_material *m, size_t index)
{
    if (pread(material_fd, m, sizeof *m, (off_t)(index * sizeof *m)) != (ssize_t)sizeof *m) _exit(30);
    m->key_pem.p = (const uint8_t *)m->key;
    m->chain_pem.p = (const uint8_t *)m->chain;
}

/* A fresh program, as in earnest: its first use of OpenSSL is its own. Descriptors keep their numbers. */
static pid_t spawn(const char *role, const int *fds, unsigned n)
{
    pid_t pid = fork();
    if (pid != 0) return pid;
    static char numbers[SESSIONS + 2][12];
    char name[] = "test_keyring", what[16];
    char *arguments[SESSIONS + 5] = {name, what};
    snprintf(what, sizeof what, "%s", role);
    for (unsigned i = 0; i <= n; i++) {
        int fd = i ? fds[i - 1] : material_fd;
        fcntl(fd, F_SETFD, 0);
        snprintf(numbers[i], sizeof numbers[i], "%d", fd);
        arguments[2 + i] = numbers[i];
    }
    execv("/proc/self/exe", arguments);
    _exit(31);
}

struct keyring_handle {
    pid_t pid;
    int edges[2], drain;
};

static void keyring_spawn(struct keyring_handle *k)
{
    int a[2], b[2], d[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, a), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, b), 0);
    assert_int_equal(pipe2(d, O_CLOEXEC | O_NONBLOCK), 0);
    k->pid = spawn("keyring", (const int[]){d[0], a[1], b[1]}, 3);
    assert_true(k->pid > 0);
    close(a[1]);
    close(b[1]);
    close(d[0]);
    k->edges[0] = a[0];
    k->edges[1] = b[0];
    k->drain = d[1];
}

static void ends_well(pid_t pid, const char *who)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) fail_msg("%s: killed by signal %d", who, WTERMSIG(status));
    if (WEXITSTATUS(status)) fail_msg("%s: ended with %d", who, WEXITSTATUS(status));
}

static SSL *connect_tls(int fd, unsigned i, SSL_SESSION *resume)
{
    static const char *const signatures[] = {"ECDSA+SHA256", "rsa_pss_rsae_sha256:RSA+SHA256"};
    SSL_CTX *ctx = tls_client_context(i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set1_sigalgs_list(ctx, signatures[i / 2 % 2]);
    SSL *ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(ssl, fd);
    if (resume) SSL_set_session(ssl, resume);
    SSL_set_connect_state(ssl);
    return ssl;
}

static void echo(SSL *ssl)
{
    char got[16];
    assert_int_equal(SSL_write(ssl, "hello", 5), 5);
    assert_int_equal(SSL_read(ssl, got, sizeof got), 5);
    assert_memory_equal(got, "hello", 5);
}

static void handshakes_in_cages(bool strict)
{
    struct keyring_handle k;
    int fd[SESSIONS][2], given[SESSIONS + 1];
    keyring_spawn(&k);
    for (unsigned i = 0; i < SESSIONS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd[i]), 0);
        fcntl(fd[i][1], F_SETFL, O_NONBLOCK);
        given[1 + i] = fd[i][1];
    }
    given[0] = k.edges[0];
    pid_t pid = spawn(strict ? "edge-strict" : "edge", given, SESSIONS + 1);
    close(k.edges[0]);
    SSL_SESSION *session[2] = {NULL, NULL};
    for (unsigned i = 0; i < SESSIONS; i++) {
        close(fd[i][1]);
        if (i == SESSIONS - 1) { /* one that only sends rubbish: an alert is written in the cage, too */
            assert_int_equal(write(fd[i][0], "EHLO there\r\nMAIL FROM:<>\r\n", 26), 26);
            close(fd[i][0]);
            continue;
        }
        bool again = i == 8 || i == 9;
        SSL *ssl = connect_tls(fd[i][0], i, again ? session[i % 2] : NULL);
        assert_int_equal(SSL_do_handshake(ssl), 1);
        echo(ssl);
        if (SSL_session_reused(ssl) != again) fail_msg("connection %u: resumed %d", i, !again);
        if (i < 2) session[i % 2] = SSL_get1_session(ssl);
        if (i % 3 != 2) SSL_shutdown(ssl); /* the others are cut */
        SSL_free(ssl);
        close(fd[i][0]);
    }
    SSL_SESSION_free(session[0]);
    SSL_SESSION_free(session[1]);
    ends_well(pid, "edge");
    assert_int_equal(write(k.drain, "x", 1), 1);
    close(k.edges[1]);
    ends_well(k.pid, "keyring");
    close(k.drain);
}

static void test_handshakes_in_cages(void **state)
{
    (void)state;
    handshakes_in_cages(false);
    handshakes_in_cages(true);
}

/* --- what a compromised edge could try --- */

static void send_message(int fd, uint16_t type, struct span payload)
{
    uint8_t packet[1024];
    uint16_t length = (uint16_t)payload.n;
    memcpy(packet, &type, 2);
    memcpy(packet + 2, &length, 2);
    memcpy(packet + 4, payload.p, payload.n);
    assert_int_equal(send(fd, packet, 4 + payload.n, 0), (ssize_t)(4 + payload.n));
}

/* The payload of one answer; 0 octets: the channel was closed. */
static size_t receive_answer(int fd, uint16_t type, uint8_t *payload, size_t max)
{
    uint8_t packet[2048];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 60000), 1);
    ssize_t n = recv(fd, packet, sizeof packet, 0);
    if (n <= 0) return 0;
    uint16_t got;
    memcpy(&got, packet, 2);
    assert_int_equal(got, type);
    assert_true((size_t)n - 4 <= max);
    memcpy(payload, packet + 4, (size_t)n - 4);
    return (size_t)n - 4;
}

static enum sign_status ask_raw(int fd, struct tls_key_id key, enum sign_scheme scheme)
{
    uint8_t octets[SIGN_QUESTION_OCTETS_MAX], answer[SIGN_ANSWER_OCTETS_MAX], digest[64] = {0};
    struct buf b = buf_on(octets, sizeof octets);
    struct sign_question q = {42, key, scheme, span_of(digest, sign_digest_octets(scheme))};
    sign_question_put(&b, &q);
    send_message(fd, MSG_SIGN_QUESTION, buf_span(&b));
    struct sign_answer a;
    assert_true(
        sign_answer_read(span_of(answer, receive_answer(fd, MSG_SIGN_ANSWER, answer, sizeof answer)), &a));
    assert_true(a.id == 42);
    return a.status;
}

static void test_keyring_says_no(void **state)
{
    (void)state;
    struct keyring_handle k;
    keyring_spawn(&k);
    int fd = k.edges[0];
    assert_int_equal(ask_raw(fd, (struct tls_key_id){0, 0}, SIGN_ECDSA_SHA256), SIGN_OK);
    assert_int_equal(ask_raw(fd, (struct tls_key_id){0, 1}, SIGN_RSA_PSS_SHA384), SIGN_OK);
    assert_int_equal(ask_raw(fd, (struct tls_key_id){0, 0}, SIGN_RSA_PSS_SHA256), SIGN_NOT_THIS);
    assert_int_equal(ask_raw(fd, (struct tls_key_id){0, 1}, SIGN_ECDSA_SHA256), SIGN_NOT_THIS);
    assert_int_equal(ask_raw(fd, (struct tls_key_id){0, 0}, SIGN_ECDSA_SHA1),
                     SIGN_NOT_THIS); /* not of an old device */
    assert_int_equal(ask_raw(fd, (struct tls_key_id){0, 1}, SIGN_RSA_PKCS1_MD5_SHA1), SIGN_NOT_THIS);
    assert_int_equal(ask_raw(fd, (struct tls_key_id){0, 2}, SIGN_ECDSA_SHA256), SIGN_NO_KEY);
    assert_int_equal(ask_raw(fd, (struct tls_key_id){1, 0}, SIGN_ECDSA_SHA256), SIGN_NO_KEY);

    uint8_t octets[KEY_QUESTION_OCTETS], answer[KEY_ANSWER_OCTETS];
    struct buf b = buf_on(octets, sizeof octets);
    key_question_put(&b, (struct tls_key_id){0, 1});
    send_message(fd, MSG_KEY_QUESTION, buf_span(&b));
    struct key_answer a;
    assert_true(
        key_answer_read(span_of(answer, receive_answer(fd, MSG_KEY_ANSWER, answer, sizeof answer)), &a));
    assert_int_equal(a.status, SIGN_OK);
    char text[256];
    struct buf problem = buf_on(text, sizeof text);
    struct signer *s = signer_load(rsa.key_pem, "rsa", &problem);
    assert_memory_equal(a.fingerprint, signer_fingerprint(s), SIGN_FINGERPRINT_OCTETS);
    signer_free(&s);

    /* a digest that is none, an unknown message, a short one: the conversation ends, the other edge's goes on */
    static const uint8_t raw[8 + 2 + 2 + 2 + 2 + 40] = {[12] = 0x04, [13] = 0x08, [14] = 40};
    send_message(fd, MSG_SIGN_QUESTION, span_of(raw, sizeof raw));
    assert_int_equal(receive_answer(fd, MSG_SIGN_ANSWER, answer, sizeof answer), 0);
    assert_int_equal(ask_raw(k.edges[1], (struct tls_key_id){0, 0}, SIGN_ECDSA_SHA384), SIGN_OK);
    send_message(k.edges[1], MSG_SIGN_ANSWER, span_of(raw, 20));
    assert_int_equal(receive_answer(k.edges[1], MSG_SIGN_ANSWER, answer, sizeof answer), 0);
    close(k.edges[0]);
    close(k.edges[1]);
    assert_int_equal(waitpid(k.pid, NULL, WNOHANG), 0); /* alone, and still there: the supervisor decides */
    assert_int_equal(write(k.drain, "x", 1), 1);
    ends_well(k.pid, "keyring");
    close(k.drain);
}

/* It waits for its edges when a newer generation took over. */
static void test_drain_waits_for_the_edges(void **state)
{
    (void)state;
    struct keyring_handle k;
    keyring_spawn(&k);
    assert_int_equal(ask_raw(k.edges[0], (struct tls_key_id){0, 0}, SIGN_ECDSA_SHA256), SIGN_OK);
    assert_int_equal(write(k.drain, "x", 1), 1);
    close(k.edges[1]);
    assert_int_equal(ask_raw(k.edges[0], (struct tls_key_id){0, 0}, SIGN_ECDSA_SHA256), SIGN_OK);
    assert_int_equal(waitpid(k.pid, NULL, WNOHANG), 0);
    close(k.edges[0]);
    ends_well(k.pid, "keyring");
    close(k.drain);
}

static void test_bad_key_file_is_named(void **state)
{
    (void)state;
    pid_t pid = spawn("keyring-empty", NULL, 0);
    ends_well(pid, "keyring with an empty key file");
}

static _Noreturn void keyring_empty_run(void)
{
    struct child c = {.role = PROC_KEYRING, .loop = loop_create(8)};
    const char *error = "";
    keyring_hooks.grant(&c, GRANT_KEY, 0, 0, memfd_create("empty", 0));
    if (keyring_hooks.prepare(&c, &error)) _exit(1);
    _exit(strcmp(error, "key: empty") == 0 ? 0 : 2);
}

static _Noreturn void role_main(int argc, char **argv)
{
    int fds[SESSIONS + 2];
    unsigned n = 0;
    for (int i = 2; i < argc && n < SESSIONS + 2; i++)
        fds[n++] = (int)strtol(argv[i], NULL, 10);
    material_fd = fds[0];
    material_of(&ec, 0);
    material_of(&rsa, 1);
    if (strcmp(argv[1], "keyring") == 0) keyring_run(fds + 2, n - 2, fds[1]);
    if (strcmp(argv[1], "keyring-empty") == 0) keyring_empty_run();
    edge_run(fds[1], fds + 2, n - 2, strcmp(argv[1], "edge-strict") == 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) role_main(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshakes_in_cages),
        cmocka_unit_test(test_keyring_says_no),
        cmocka_unit_test(test_drain_waits_for_the_edges),
        cmocka_unit_test(test_bad_key_file_is_named),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
