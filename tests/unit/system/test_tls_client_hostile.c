/* What a server may do to us: rubbish, half a handshake, silence, floods, chains without end, renegotiation. Each costs its own session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_issue.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARENA_OCTETS (48u << 20)

static struct issued root, leaf;
static struct tls_client_context *context;

static int group_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (!tls_memory_init(ARENA_OCTETS)) return -1;
    root = issue(&(struct issue){"Root", NULL, -400, 400, true, false}, NULL);
    leaf = issue(&(struct issue){"mx", "DNS:mx.example.org", -1, 9, false, false}, &root);
    char pem[4096];
    const char *error;
    struct buf b = buf_on(pem, sizeof pem);
    issued_put(&root, &b);
    context = tls_client_context_create(buf_span(&b), &error);
    return context && tls_client_warm_up(context, &error) ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_client_context_free(&context);
    issued_free(&root);
    issued_free(&leaf);
    return 0;
}

static const struct tls_client_peer anybody = {.verify = TLS_CLIENT_ANYBODY,
                                               .name = {(const uint8_t *)"mx.example.org", 14}},
                                    known = {.verify = TLS_CLIENT_AUTHORITY,
                                             .name = {(const uint8_t *)"mx.example.org", 14}};

static SSL_CTX *server_at(int version)
{
    return issued_server((const struct issued *const[]){&leaf}, 1, version);
}

/* The session is over, says why, and stays over. */
static void is_over(struct tls *t)
{
    uint8_t got[64];
    size_t n;
    assert_true(strlen(tls_reason(t)) > 5);
    assert_int_equal(tls_handshake(t), TLS_FAILED);
    assert_int_equal(tls_read(t, got, sizeof got, &n), TLS_FAILED);
    assert_int_equal(tls_write(t, SPAN("x"), &n), TLS_FAILED);
    assert_int_equal(tls_client_known(t), TLS_CLIENT_ANONYMOUS);
}

static void answers(const char *octets, size_t n, bool closes, enum tls_result result)
{
    struct client_pair p;
    assert_true(client_pair_open(&p, context, &anybody, NULL));
    assert_int_equal(tls_handshake(p.client), TLS_WANT_READ);
    assert_int_equal(write(p.server_fd, octets, n), (ssize_t)n);
    if (closes) shutdown(p.server_fd, SHUT_RDWR);
    assert_int_equal(tls_handshake(p.client), result);
    if (result == TLS_FAILED) is_over(p.client);
    client_pair_close(&p);
}

static void test_rubbish(void **state)
{
    (void)state;
    answers("454 4.7.0 TLS not available\r\n", 29, false, TLS_FAILED);
    answers("250-mx.example.org\r\n250 PIPELINING\r\n", 36, false, TLS_FAILED); /* injected behind the 220 */
    answers("HTTP/1.1 400 Bad Request\r\n\r\n", 28, true, TLS_FAILED);
    answers("\x15\x03\x03\x00\x02\x02\x28", 7, false, TLS_FAILED); /* alert: handshake_failure */
    answers("\x15\x03\x03\x00\x02\x02\x46", 7, false, TLS_FAILED); /* protocol_version */
    answers("\x15\x03\x03\x00\x02\x01\x00", 7, false, TLS_FAILED); /* close_notify */
    answers("\x16\x03\x03\xff\xff\x02\x00\xff\xff", 9, false, TLS_FAILED);
    answers("\x16\x03\x03\x00\x04\x02\xff\xff\xff", 9, false, TLS_FAILED); /* a ServerHello of 16 MiB */
    answers("\x16\x03\x03\x00\x04\x0b\x00\x00\x00", 9, false, TLS_FAILED); /* a certificate first */
    answers("\x17\x03\x03\x00\x05hello", 10, false, TLS_FAILED);           /* data first */
    answers("\x16\x03\x03\x40", 4, false, TLS_WANT_READ);
    answers("\x16\x03\x03\x00\x40\x02\x00", 7, true, TLS_FAILED); /* cut inside of a record */
    answers("", 0, true, TLS_FAILED);
}

/* What a real server says first to this client. Returns its octets. */
static size_t flight_get(SSL_CTX *ctx, const struct client_pair *p, uint8_t flight[8192])
{
    uint8_t hello[2048];
    ssize_t n = read(p->server_fd, hello, sizeof hello);
    assert_true(n > 0);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new_mem_buf(hello, (int)n), *out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in, -1); /* the server waits for more, and says nothing */
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    SSL_do_handshake(ssl);
    int octets = BIO_read(out, flight, 8192);
    assert_true(octets > 500);
    SSL_free(ssl);
    return (size_t)octets;
}

/* One octet of the flight is changed, or nothing comes from there on. False: the flight is shorter than that. */
static bool flight_play(SSL_CTX *ctx, size_t at, bool change, bool may_complete)
{
    struct client_pair p;
    uint8_t flight[8192];
    assert_true(client_pair_open(&p, context, &known, NULL));
    assert_int_equal(tls_handshake(p.client), TLS_WANT_READ);
    size_t n = flight_get(ctx, &p, flight);
    bool inside = at < n;
    if (inside) {
        if (change)
            flight[at] ^= 0x21;
        else
            n = at;
        assert_int_equal(write(p.server_fd, flight, n), (ssize_t)n);
        shutdown(p.server_fd, SHUT_WR);
        enum tls_result r = TLS_AGAIN;
        for (unsigned i = 0; i < 50 && r == TLS_AGAIN; i++)
            r = tls_handshake(p.client);
        if (r == TLS_FAILED)
            is_over(p.client);
        else
            assert_true(r == TLS_DONE && may_complete);
    }
    client_pair_close(&p);
    return inside;
}

/* A real server's flight, cut at many places, and with one octet changed there: never done, never a crash. (A changed record version is
 * nobody's business, RFC 8446 5.1; then the client's part of TLS 1.3 is complete.) */
static void test_cut_and_changed_flights(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *ctx = server_at(version);
        size_t at = 0;
        while (flight_play(ctx, at, false, false)) {
            flight_play(ctx, at, true, version == TLS1_3_VERSION);
            at += 7;
        }
        assert_true(at > 500);
        SSL_CTX_free(ctx);
    }
}

/* More certificates than anybody needs: refused by size, whoever is wanted. */
static void test_chain_without_end(void **state)
{
    (void)state;
    static const struct issued *chain[400];
    int each = i2d_X509(root.x, NULL); /* a bit more than the limit, less than the library's own */
    unsigned n = (LIMIT_TLS_PEER_CHAIN_OCTETS + 8192) / (unsigned)each;
    assert_true(n < 400);
    chain[0] = &leaf;
    for (unsigned i = 1; i < n; i++)
        chain[i] = &root;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (unsigned k = 0; k < 2; k++) {
            SSL_CTX *ctx = issued_server(chain, n, version);
            struct client_pair p;
            size_t peak_before = tls_memory().used;
            assert_true(client_pair_open(&p, context, k ? &known : &anybody, ctx));
            assert_false(client_pair_shake(&p));
            assert_string_equal(tls_reason(p.client), "excessive message size");
            is_over(p.client);
            client_pair_close(&p);
            SSL_CTX_free(ctx);
            assert_true(tls_memory().peak < peak_before + (8u << 20));
        }
}

/* A chain of issuers that is deeper than we look. */
static void test_deep_chain(void **state)
{
    (void)state;
    enum { DEEP = LIMIT_TLS_CHAIN_DEPTH + 4 };
    static struct issued made[DEEP + 1];
    static const struct issued *chain[DEEP + 1];
    char name[16] = "step A";
    for (unsigned i = 0; i < DEEP; i++, name[5]++)
        made[i] = issue(&(struct issue){name, NULL, -1, 9, true, false}, i ? &made[i - 1] : &root);
    made[DEEP] = issue(&(struct issue){"mx", "DNS:mx.example.org", -1, 9, false, false}, &made[DEEP - 1]);
    for (unsigned i = 0; i <= DEEP; i++)
        chain[i] = &made[DEEP - i];
    for (unsigned k = 0; k < 2; k++) {
        SSL_CTX *ctx = issued_server(chain, DEEP + 1, 0);
        struct client_pair p;
        assert_true(client_pair_open(&p, context, k ? &known : &anybody, ctx));
        assert_int_equal(client_pair_shake(&p), !k);
        assert_int_equal(tls_client_known(p.client), TLS_CLIENT_ANONYMOUS);
        if (k) assert_string_equal(tls_reason(p.client), "certificate chain too long");
        client_pair_close(&p);
        SSL_CTX_free(ctx);
    }
    for (unsigned i = 0; i <= DEEP; i++)
        issued_free(&made[i]);
}

static enum tls_result read_some(struct client_pair *p, size_t *n)
{
    uint8_t got[256];
    enum tls_result r = TLS_AGAIN;
    for (unsigned i = 0; i < 1000 && r == TLS_AGAIN; i++)
        r = tls_read(p->client, got, sizeof got, n);
    return r;
}

static void test_renegotiation_refused(void **state)
{
    (void)state;
    SSL_CTX *ctx = server_at(TLS1_2_VERSION);
    struct client_pair p;
    size_t n;
    assert_true(client_pair_open(&p, context, &known, ctx));
    assert_true(client_pair_shake(&p));
    assert_int_equal(SSL_renegotiate(p.server), 1);
    SSL_do_handshake(p.server); /* HelloRequest */
    assert_int_equal(read_some(&p, &n), TLS_WANT_READ);
    uint8_t got[64];
    assert_int_equal(SSL_read(p.server, got, sizeof got), -1); /* our answer: no_renegotiation */
    assert_int_equal(tls_client_known(p.client), TLS_CLIENT_VERIFIED);
    client_pair_close(&p);
    SSL_CTX_free(ctx);
}

/* Tickets and key updates without end move no octet: the loop has its turn again, and memory does not grow. */
static void test_floods(void **state)
{
    (void)state;
    SSL_CTX *ctx = server_at(TLS1_3_VERSION);
    struct client_pair p;
    size_t n, before = 0;
    assert_true(client_pair_open(&p, context, &known, ctx));
    assert_true(client_pair_shake(&p));
    for (unsigned i = 0; i < 2000; i++) {
        if (i % 2)
            SSL_new_session_ticket(p.server);
        else
            SSL_key_update(p.server, SSL_KEY_UPDATE_NOT_REQUESTED);
        SSL_do_handshake(p.server);
        enum tls_result r = read_some(&p, &n);
        assert_true(r == TLS_WANT_READ);
        if (i == 200) before = tls_memory().used;
    }
    assert_true(tls_memory().used <= before + 65536);
    assert_int_equal(SSL_write(p.server, "250 ok\r\n", 8), 8);
    assert_int_equal(read_some(&p, &n), TLS_DONE);
    assert_int_equal(n, 8);
    client_pair_close(&p);
    SSL_CTX_free(ctx);
}

/* The server asks who we are: nobody, and it may take that or leave it. */
static void test_server_asks_for_a_certificate(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_CTX *ctx = server_at(version);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        struct client_pair p;
        assert_true(client_pair_open(&p, context, &known, ctx));
        assert_true(client_pair_shake(&p));
        client_pair_close(&p);
        SSL_CTX_free(ctx);
    }
}

static void test_ends(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        for (unsigned clean = 0; clean < 2; clean++) {
            SSL_CTX *ctx = server_at(version);
            struct client_pair p;
            size_t n;
            assert_true(client_pair_open(&p, context, &known, ctx));
            assert_true(client_pair_shake(&p));
            assert_int_equal(SSL_write(p.server, "250 o", 5), 5);
            if (clean) SSL_shutdown(p.server);
            shutdown(p.server_fd, SHUT_WR);
            assert_int_equal(read_some(&p, &n), TLS_DONE);
            assert_int_equal(read_some(&p, &n), clean ? TLS_EOF_CLEAN : TLS_EOF_TRUNCATED);
            client_pair_close(&p);
            SSL_CTX_free(ctx);
        }
}

/* Ends at every stage, all policies: what was taken from the arena is given back. */
static void test_nothing_leaks(void **state)
{
    (void)state;
    uint8_t octets[2048];
    struct span record = issued_tlsa(&leaf, 3, 1, 1, octets);
    const struct tls_client_peer dane = {TLS_CLIENT_DANE, SPAN("mx.example.org"), SPAN("example.org"),
                                         &record, 1};
    const struct tls_client_peer *peers[] = {&anybody, &known, &dane};
    SSL_CTX *ctx = server_at(0);
    size_t before = 0;
    for (unsigned i = 0; i < 300; i++) {
        if (i == 30) before = tls_memory().used;
        struct client_pair p;
        assert_true(client_pair_open(&p, context, peers[i % 3], ctx));
        if (i % 5 == 1) assert_int_equal(tls_handshake(p.client), TLS_WANT_READ);
        if (i % 5 > 1) assert_true(client_pair_shake(&p));
        if (i % 5 == 3) assert_int_equal(tls_shutdown(p.client), TLS_DONE);
        client_pair_close(&p);
        assert_int_equal(tls_client_usable(context, &record, 1), 1);
    }
    assert_int_equal(tls_memory().used, before);
    SSL_CTX_free(ctx);
}

/* No room: a clean no, and room is room again. */
static void test_full_arena(void **state)
{
    (void)state;
    enum { MANY = 4000 };
    static struct client_pair pairs[MANY];
    SSL_CTX *ctx = server_at(0);
    unsigned n = 0;
    while (n < MANY && tls_can_start()) {
        if (!client_pair_open(&pairs[n], context, &known, ctx) || !client_pair_shake(&pairs[n])) break;
        SSL_free(pairs[n].server);
        pairs[n].server = NULL;
        close(pairs[n].server_fd);
        pairs[n++].server_fd = -1;
    }
    print_message("%u client sessions in an arena of %u octets\n", n, ARENA_OCTETS);
    assert_true(n > 500 && n < MANY);
    struct client_pair p;
    assert_false(client_pair_open(&p, context, &known, NULL));
    client_pair_close(&p);
    for (unsigned i = 0; i <= n; i++)
        client_pair_close(&pairs[i]);
    assert_true(client_pair_open(&p, context, &known, ctx));
    assert_true(client_pair_shake(&p));
    client_pair_close(&p);
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rubbish),
        cmocka_unit_test(test_cut_and_changed_flights),
        cmocka_unit_test(test_chain_without_end),
        cmocka_unit_test(test_deep_chain),
        cmocka_unit_test(test_renegotiation_refused),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_server_asks_for_a_certificate),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_nothing_leaks),
        cmocka_unit_test(test_full_arena),
    };
    return cmocka_run_group_tests_name("tls_client_hostile", tests, group_setup, group_teardown);
}
