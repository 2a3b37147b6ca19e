/* What comes after the handshake, and what is none: ends (invariant I9), rubbish, renegotiation, floods, slow readers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_peer.h"

#include <openssl/err.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tls_keyring_here keyring = {.mood = KEYRING_DEFERRED};
static struct tls_context *both;

static int group_setup(void **state)
{
    static struct tls_material m[2];
    char text[256];
    struct buf problem = buf_on(text, sizeof text);
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    both = tls_context_create(SPAN("both"));
    for (unsigned i = 0; i < 2; i++) {
        tls_material_make(&m[i], i == 1, "DNS:a.example", 90);
        tls_keyring_here_add(&keyring, i, &m[i]);
        if (!tls_context_add(both, m[i].chain_pem, "chain", (struct tls_key_id){0, (uint16_t)i}, &problem))
            return -1;
    }
    tls_keyring_here(&keyring);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_context_free(&both);
    tls_keyring_here_free(&keyring);
    return 0;
}

static void pair_good(struct tls_pair *p, struct tls_context *c, SSL_CTX *client)
{
    assert_true(tls_pair_open(p, c, client, span_of(NULL, 0)));
    assert_true(tls_pair_shake(p, &keyring));
}

static void test_clean_and_truncated(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        SSL_CTX *client = tls_client_context(versions[v]);
        struct tls_pair p;
        uint8_t got[64];
        size_t n;
        pair_good(&p, both, client);
        assert_int_equal(SSL_write(p.client, "last", 4), 4);
        SSL_shutdown(p.client);
        assert_int_equal(write(p.client_fd, "MAIL FROM:<x@y>\r\n", 17), 17); /* behind close_notify */
        assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_DONE);
        assert_int_equal(n, 4);
        assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_EOF_CLEAN);
        assert_int_equal(n, 0);
        assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_EOF_CLEAN);
        assert_int_equal(tls_write(p.server, SPAN("221 bye\r\n"), &n), TLS_DONE);
        assert_int_equal(tls_shutdown(p.server), TLS_DONE);
        tls_pair_close(&p);

        pair_good(&p, both, client);
        assert_int_equal(SSL_write(p.client, "half", 4), 4);
        shutdown(p.client_fd, SHUT_WR);
        assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_DONE);
        assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_EOF_TRUNCATED);
        assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_EOF_TRUNCATED);
        assert_int_equal(tls_write(p.server, SPAN("x"), &n), TLS_FAILED);
        tls_pair_close(&p);
        SSL_CTX_free(client);
    }
}

static void test_record_cut_in_the_middle(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(TLS1_3_VERSION);
    struct tls_pair p;
    pair_good(&p, both, client);
    assert_int_equal(write(p.client_fd, "\x17\x03\x03\x00\x40half of a record", 21), 21);
    uint8_t got[64];
    size_t n;
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_WANT_READ);
    shutdown(p.client_fd, SHUT_RDWR);
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_EOF_TRUNCATED);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void garbage(const void *octets, size_t n, bool after_handshake)
{
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair p;
    uint8_t got[64];
    size_t m;
    assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
    if (after_handshake) assert_true(tls_pair_shake(&p, &keyring));
    assert_int_equal(write(p.client_fd, octets, n), (ssize_t)n);
    if (after_handshake) {
        assert_int_equal(tls_read(p.server, got, sizeof got, &m), TLS_FAILED);
        assert_int_equal(tls_read(p.server, got, sizeof got, &m), TLS_FAILED);
    } else {
        assert_int_equal(tls_handshake(p.server), TLS_FAILED);
        assert_int_equal(tls_handshake(p.server), TLS_FAILED);
        assert_int_equal(tls_read(p.server, got, sizeof got, &m), TLS_FAILED);
    }
    assert_true(strlen(tls_reason(p.server)) > 5);
    assert_int_equal(tls_write(p.server, SPAN("x"), &m), TLS_FAILED);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_garbage(void **state)
{
    (void)state;
    /* plaintext that was pipelined behind STARTTLS and not yet read by anyone: never a command */
    garbage("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", 32, false);
    garbage("GET / HTTP/1.1\r\n\r\n", 18, false);
    garbage("\x15\x03\x01\x00\x02\x02\x28", 7, false); /* an alert first */
    garbage("\x16\x03\x01\xff\xff\x01\x00\xff\xff", 9, false);
    garbage("\x15\x03\x03\x00\x02\x02\x28", 7, true);
    garbage("\x17\x03\x03\x00\x20"
            "01234567890123456789012345678901",
            37, true);
    garbage("QUIT\r\n...", 9, true);
}

static void test_renegotiation_refused(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(TLS1_2_VERSION);
    struct tls_pair p;
    pair_good(&p, both, client);
    keyring.asked = 0;
    assert_int_equal(SSL_renegotiate(p.client), 1);
    SSL_do_handshake(p.client);
    uint8_t got[64];
    size_t n;
    for (unsigned i = 0; i < 5; i++) {
        enum tls_result r = tls_read(p.server, got, sizeof got, &n);
        assert_true(r == TLS_WANT_READ || r == TLS_FAILED);
        SSL_do_handshake(p.client);
    }
    assert_int_equal(keyring.asked, 0); /* no second handshake took place */
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

/* Key updates without data are a record each: they are worked off in shares, and data behind them is not lost. */
static void test_key_updates_take_turns(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(TLS1_3_VERSION);
    struct tls_pair p;
    pair_good(&p, both, client);
    uint8_t got[64];
    size_t n;
    BIO *gather = BIO_new(BIO_s_mem());
    BIO_up_ref(SSL_get_wbio(p.client));
    BIO *socket_bio = SSL_get_wbio(p.client);
    SSL_set0_wbio(p.client, gather);
    for (unsigned i = 0; i < 4000; i++) {
        assert_int_equal(SSL_key_update(p.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(p.client), 1);
    }
    assert_int_equal(SSL_write(p.client, "NOOP\r\n", 6), 6);
    char *updates;
    long length = BIO_get_mem_data(gather, &updates);
    assert_int_equal(write(p.client_fd, updates, (size_t)length), length);
    SSL_set0_wbio(p.client, socket_bio);
    unsigned again = 0;
    enum tls_result r;
    while ((r = tls_read(p.server, got, sizeof got, &n)) == TLS_AGAIN)
        again++;
    assert_int_equal(r, TLS_DONE);
    assert_int_equal(n, 6);
    assert_true(again >= 1 && again < 100);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_large_writes_meet_a_slow_reader(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair p;
    pair_good(&p, both, client);
    static uint8_t out[1 << 20], in[1 << 20];
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (uint8_t)(i * 31 >> 3);
    size_t put = 0, got = 0, blocked = 0;
    while (got < sizeof in) {
        size_t n;
        enum tls_result r = tls_write(p.server, span_skip(span_of(out, sizeof out), put), &n);
        assert_true(r == TLS_DONE || r == TLS_WANT_WRITE);
        put += n;
        blocked += r == TLS_WANT_WRITE;
        if (r == TLS_DONE && put < sizeof out) continue;
        int m;
        while (got < sizeof in && (m = SSL_read(p.client, in + got, 65536)) > 0)
            got += (size_t)m;
    }
    assert_true(blocked > 0);
    assert_memory_equal(in, out, sizeof in);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_and_truncated),
        cmocka_unit_test(test_record_cut_in_the_middle),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_renegotiation_refused),
        cmocka_unit_test(test_key_updates_take_turns),
        cmocka_unit_test(test_large_writes_meet_a_slow_reader),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
