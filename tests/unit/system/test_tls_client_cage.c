/* A relay's cage is no place for OpenSSL to fetch, open or map anything: after the warm-up, with the ability to receive descriptors only
 * and no new memory, sessions with all kinds of peers end as they do outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "system/sandbox.h"
#include "tls_issue.h"

#include <malloc.h>
#include <openssl/err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARENA_OCTETS (32u << 20)
#define TURNS_MAX    2000
#define TURN_MS      10

static const struct {
    bool rsa, anybodys; /* kind of key; of a stranger: not by our authority */
    int version;
    const char *ciphers, *groups;
    enum tls_client_verify verify;
    unsigned usage; /* of the record */
    const char *name;
    const char *end; /* end of the text or of the reason */
} cases[] = {
    {false, false, TLS1_3_VERSION, "", "X25519", TLS_CLIENT_AUTHORITY, 3, "mx.example.org",
     "verified by Root"},
    {true, false, TLS1_3_VERSION, "", "P-256", TLS_CLIENT_AUTHORITY, 3, "mx.example.org", "verified by Root"},
    {true, false, TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", "P-384", TLS_CLIENT_AUTHORITY, 3,
     "mx.example.org", "verified by Root"},
    {false, false, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", "P-256:P-521", TLS_CLIENT_DANE, 3,
     "mx.example.org", "dane-ee"},
    {true, true, TLS1_3_VERSION, "", "P-521", TLS_CLIENT_DANE, 3, "mx.example.org", "dane-ee"},
    {true, false, TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", "P-256", TLS_CLIENT_DANE, 2, "mx.example.org",
     "dane-ta"},
    {false, true, TLS1_3_VERSION, "", "X25519", TLS_CLIENT_DANE, 2, "mx.example.org",
     "no matching DANE TLSA records"},
    {true, true, TLS1_2_VERSION, "AES128-SHA", "P-256", TLS_CLIENT_ANYBODY, 3, "mx.example.org",
     "anonymous (unable to get local issuer certificate)"},
    {true, true, TLS1_2_VERSION, "AES256-SHA256", "P-256", TLS_CLIENT_ANYBODY, 3, "192.0.2.7", ")"},
    {true, false, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", "P-256", TLS_CLIENT_ANYBODY, 3, "other.example",
     "anonymous (hostname mismatch)"},
    {false, true, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", "P-256", TLS_CLIENT_AUTHORITY, 3,
     "mx.example.org", "unable to get local issuer certificate"},
    {false, false, TLS1_3_VERSION, "", "P-384", TLS_CLIENT_AUTHORITY, 3, "other.example",
     "hostname mismatch"},
    {false, false, 0, NULL, NULL, TLS_CLIENT_ANYBODY, 3, "mx.example.org",
     "wrong version number"},                                                    /* rubbish */
    {false, false, 0, NULL, NULL, TLS_CLIENT_ANYBODY, 3, "mx.example.org", "*"}, /* closes */
};
enum { CASES = sizeof cases / sizeof cases[0] };

static int fds[CASES][2];

struct told { /* by the tests to the caged process, before its cage */
    size_t authorities_n;
    char authorities[4096];
    size_t record_n[CASES];
    uint8_t record[CASES][2048];
};

struct heard {
    char text[160];
};

/* ---- the caged process */

static void session(struct tls_client_context *c, unsigned i, const struct told *told, struct heard *ret)
{
    struct span record = span_of(told->record[i], told->record_n[i]);
    struct tls_client_peer peer = {cases[i].verify, span_str(cases[i].name), SPAN(""), &record, 1};
    struct tls *t = tls_client_create(c, fds[i][0], &peer, NULL);
    struct buf b = buf_on(ret->text, sizeof ret->text - 1);
    enum tls_result r = t ? TLS_AGAIN : TLS_FAILED;
    for (unsigned turn = 0; turn < TURNS_MAX && r != TLS_DONE && r != TLS_FAILED; turn++) {
        r = tls_handshake(t);
        struct pollfd p = {fds[i][0], POLLIN, 0};
        if (r == TLS_WANT_READ) poll(&p, 1, TURN_MS);
    }
    uint8_t got[4096];
    size_t n;
    for (unsigned turn = 0; r == TLS_DONE && turn < TURNS_MAX; turn++) {
        enum tls_result read = tls_read(t, got, sizeof got, &n);
        if (read == TLS_DONE || read == TLS_EOF_CLEAN) break;
        struct pollfd p = {fds[i][0], POLLIN, 0};
        if (read == TLS_WANT_READ) poll(&p, 1, TURN_MS);
    }
    if (r == TLS_DONE && (tls_write(t, SPAN("EHLO a\r\n"), &n) != TLS_DONE || tls_shutdown(t) != TLS_DONE))
        buf_str(&b, "cannot write: ");
    if (r == TLS_DONE)
        tls_client_put_text(t, &b);
    else
        buf_str(&b, t ? tls_reason(t) : "not created");
    tls_free(&t);
    close(fds[i][0]);
}

static void caged(int from_tests, int to_tests)
{
    static struct told told;
    static struct heard heard[CASES];
    const char *error;
    signal(SIGPIPE, SIG_IGN);
    if (!tls_memory_init(ARENA_OCTETS)) _exit(11);
    if (recv(from_tests, &told, sizeof told, MSG_WAITALL) != (ssize_t)sizeof told) _exit(12);
    struct tls_client_context *c =
        tls_client_context_create(span_of(told.authorities, told.authorities_n), &error);
    if (!c || !tls_client_warm_up(c, &error)) _exit(13);
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    struct sandbox s = {.process = "test", .abilities = SANDBOX_RECEIVE_FDS, .max_fds = 256};
    if (sandbox_enter(&s, &error) == SANDBOX_FAILED) _exit(14);
    for (unsigned i = 0; i < CASES; i++)
        session(c, i, &told, &heard[i]);
    tls_client_context_free(&c);
    if (send(to_tests, heard, sizeof heard, 0) != (ssize_t)sizeof heard) _exit(15);
    _exit(0);
}

/* ---- the peers */

static struct issued root, stranger, leaves[2][2]; /* [a stranger's][RSA] */

static void serve(unsigned i)
{
    if (!cases[i].version) {
        if (cases[i].end[0] != '*') assert_int_equal(write(fds[i][1], "220 hello\r\n", 11), 11);
        shutdown(fds[i][1], SHUT_WR);
        return;
    }
    const struct issued *chain[] = {&leaves[cases[i].anybodys][cases[i].rsa], &root};
    SSL_CTX *x = issued_server(chain, cases[i].anybodys ? 1 : 2, cases[i].version);
    SSL_CTX_set_dh_auto(x, 1);
    if (cases[i].version == TLS1_2_VERSION) assert_int_equal(SSL_CTX_set_cipher_list(x, cases[i].ciphers), 1);
    assert_int_equal(SSL_CTX_set1_groups_list(x, cases[i].groups), 1);
    SSL *ssl = SSL_new(x);
    struct timeval patience = {20, 0};
    setsockopt(fds[i][1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL_set_fd(ssl, fds[i][1]);
    if (SSL_accept(ssl) == 1) {
        char got[64];
        SSL_write(ssl, "220 hello\r\n", 11);
        SSL_read(ssl, got, sizeof got);
    }
    ERR_clear_error();
    SSL_free(ssl);
    SSL_CTX_free(x);
}

static void test_in_the_cage(void **state)
{
    (void)state;
    static struct told told;
    static struct heard heard[CASES];
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (unsigned i = 0; i < CASES; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
    }
    pid_t child = fork(); /* before OpenSSL is used here: its memory must be the arena from the first */
    if (child == 0) {
        close(pair[1]);
        for (unsigned i = 0; i < CASES; i++)
            close(fds[i][1]);
        caged(pair[0], pair[0]);
    }
    close(pair[0]);
    for (unsigned i = 0; i < CASES; i++)
        close(fds[i][0]);
    root = issue(&(struct issue){"Root", NULL, -9, 9, true, true}, NULL);
    stranger = issue(&(struct issue){"Stranger", NULL, -9, 9, true, false}, NULL);
    for (unsigned k = 0; k < 4; k++)
        leaves[k / 2][k % 2] = issue(&(struct issue){"mx", "DNS:mx.example.org", -9, 9, false, k % 2},
                                     k / 2 ? &stranger : &root);
    struct buf b = buf_on(told.authorities, sizeof told.authorities);
    issued_put(&root, &b);
    told.authorities_n = b.n;
    for (unsigned i = 0; i < CASES; i++) {
        const struct issued *of = cases[i].usage == 3 ? &leaves[cases[i].anybodys][cases[i].rsa] : &root;
        told.record_n[i] = issued_tlsa(of, cases[i].usage, 1, 1, told.record[i]).n;
    }
    assert_int_equal(send(pair[1], &told, sizeof told, 0), sizeof told);
    for (unsigned i = 0; i < CASES; i++)
        serve(i);
    ssize_t n = recv(pair[1], heard, sizeof heard, MSG_WAITALL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0) fail_msg("the caged process ended with %x", status);
    assert_int_equal(n, sizeof heard);
    for (unsigned i = 0; i < CASES; i++) {
        size_t have = strlen(heard[i].text), want = strlen(cases[i].end);
        print_message("%2u  %s\n", i, heard[i].text);
        if (cases[i].end[0] == '*') continue;
        assert_true(have >= want);
        assert_string_equal(heard[i].text + have - want, cases[i].end);
    }
    for (unsigned k = 0; k < 4; k++)
        issued_free(&leaves[k / 2][k % 2]);
    issued_free(&root);
    issued_free(&stranger);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_the_cage)};
    return cmocka_run_group_tests_name("tls_client_cage", tests, NULL, NULL);
}
