/* Invariant I4 for TLS: the arena is all there is, an idle session costs at most 20 KiB of it, and a full arena fails a
 * handshake and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_peer.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_OCTETS     (48u << 20)
#define IDLE_OCTETS_MAX  20480
#define SESSIONS         200
#define SESSIONS_TO_FILL 4000

static struct tls_material ec, rsa;
static struct tls_keyring_here keyring = {.mood = KEYRING_DEFERRED};
static struct tls_context *both;

static int group_setup(void **state)
{
    (void)state;
    if (!tls_memory_init(ARENA_OCTETS)) return -1;
    tls_material_make(&ec, false, "DNS:a.example", 90);
    tls_material_make(&rsa, true, "DNS:a.example", 90);
    tls_keyring_here_add(&keyring, 0, &ec);
    tls_keyring_here_add(&keyring, 1, &rsa);
    char text[256];
    struct buf problem = buf_on(text, sizeof text);
    both = tls_context_create(SPAN("both"));
    if (!tls_context_add(both, ec.chain_pem, "ec", (struct tls_key_id){0, 0}, &problem) ||
        !tls_context_add(both, rsa.chain_pem, "rsa", (struct tls_key_id){0, 1}, &problem))
        return -1;
    struct tls_ticket_keys k = {0};
    int fd = tls_ticket_rotate(&k) ? tls_ticket_memfd(&k) : -1;
    if (!tls_ticket_load(fd)) return -1;
    tls_keyring_here(&keyring);
    const char *error;
    return tls_warm_up(&both, 1, &error) ? 0 : -1;
}

static void talk(struct tls_pair *p)
{
    uint8_t got[256];
    size_t n;
    assert_int_equal(SSL_write(p->client, "NOOP\r\n", 6), 6);
    assert_int_equal(tls_read(p->server, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(tls_read(p->server, got, sizeof got, &n), TLS_WANT_READ);
    assert_int_equal(tls_write(p->server, SPAN("250 ok\r\n"), &n), TLS_DONE);
    assert_int_equal(SSL_read(p->client, got, sizeof got), 8);
}

/* The client lives in the same arena: it is freed before anything is counted. */
static void keep_server_only(struct tls_pair *p)
{
    SSL_free(p->client);
    p->client = NULL;
}

static size_t idle_octets(int version, const char *signatures)
{
    static struct tls_pair pairs[SESSIONS];
    SSL_CTX *client = tls_client_context(version);
    SSL_CTX_set1_sigalgs_list(client, signatures);
    struct tls_pair first; /* what is needed once */
    assert_true(tls_pair_open(&first, both, client, span_of(NULL, 0)));
    assert_true(tls_pair_shake(&first, &keyring));
    tls_pair_close(&first);
    size_t before = tls_memory().used;
    for (unsigned i = 0; i < SESSIONS; i++) {
        assert_true(tls_pair_open(&pairs[i], both, client, span_of(NULL, 0)));
        assert_true(tls_pair_shake(&pairs[i], &keyring));
        talk(&pairs[i]);
        keep_server_only(&pairs[i]);
    }
    size_t each = (tls_memory().used - before) / SESSIONS;
    for (unsigned i = 0; i < SESSIONS; i++)
        tls_pair_close(&pairs[i]);
    SSL_CTX_free(client);
    return each;
}

static void test_idle_session(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const char *const signatures[] = {"ECDSA+SHA256", "rsa_pss_rsae_sha256"};
    for (unsigned i = 0; i < 4; i++) {
        size_t each = idle_octets(versions[i / 2], signatures[i % 2]);
        print_message("idle session, %s, %s: %zu octets\n", i / 2 ? "TLS 1.3" : "TLS 1.2", signatures[i % 2],
                      each);
        assert_true(each > 1000 && each <= IDLE_OCTETS_MAX);
    }
}

static void test_nothing_leaks(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    size_t before = 0;
    for (unsigned i = 0; i < 300; i++) {
        struct tls_pair p;
        if (i == 20) before = tls_memory().used;
        assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
        switch (i % 4) { /* ends at every stage */
        case 0:
            assert_true(tls_pair_shake(&p, &keyring));
            talk(&p);
            break;
        case 1: SSL_do_handshake(p.client); break;
        case 2:
            SSL_do_handshake(p.client);
            assert_int_equal(tls_handshake(p.server), TLS_WANT_KEY);
            break;
        default: assert_true(tls_pair_shake(&p, &keyring)); break;
        }
        tls_pair_close(&p);
        while (keyring.waiting)
            assert_null(tls_keyring_here_answer(&keyring));
    }
    assert_int_equal(tls_memory().used, before);
    SSL_CTX_free(client);
}

/* Sessions are opened until no more will: the refusal is clean, those that are open still work, and room is room again. */
static void test_full_arena(void **state)
{
    (void)state;
    static struct tls_pair pairs[SESSIONS_TO_FILL];
    SSL_CTX *client = tls_client_context(0);
    unsigned n = 0;
    while (n < SESSIONS_TO_FILL && tls_can_start()) {
        if (!tls_pair_open(&pairs[n], both, client, span_of(NULL, 0))) break;
        if (!tls_pair_shake(&pairs[n], &keyring)) break;
        keep_server_only(&pairs[n++]);
    }
    print_message("%u idle sessions in an arena of %u octets\n", n, ARENA_OCTETS);
    assert_true(n > 1500 && n < SESSIONS_TO_FILL);
    assert_false(tls_can_start());
    assert_null(tls_create(both, pairs[0].server_fd, span_of(NULL, 0), NULL));
    /* those that are open go on: there is the last eighth for their buffers */
    size_t put;
    for (unsigned i = 0; i < n; i += 50)
        assert_int_equal(tls_write(pairs[i].server, SPAN("250 ok\r\n"), &put), TLS_DONE);
    for (unsigned i = 0; i < n; i++)
        tls_pair_close(&pairs[i]);
    struct tls_pair p;
    assert_true(tls_can_start());
    assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
    assert_true(tls_pair_shake(&p, &keyring));
    talk(&p);
    tls_pair_close(&p);
    SSL_CTX_free(client);
    assert_true(tls_memory_trim() > 10u << 20);
}

/* Not an octet to be had at any moment of a handshake: each fails cleanly wherever it was. */
static void test_no_memory_at_every_step(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    size_t before = tls_memory().used;
    unsigned failed = 0, done = 0;
    for (unsigned room = 0; room < 400; room++) {
        struct tls_pair p;
        assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
        SSL_do_handshake(p.client);
        /* everything but a few objects of small classes is taken */
        static void *taken[65536];
        unsigned n = 0;
        for (size_t size = 65536; size >= 16; size = size / 2)
            while (n < 65536 && (taken[n] = OPENSSL_malloc(size)))
                n++;
        unsigned chunks = room < 200 ? 0 : (room - 200) / 4; /* the first ones taken are whole chunks */
        for (unsigned i = 0; i < chunks; i++)
            OPENSSL_free(taken[i]);
        for (unsigned i = 0; i < room && n > chunks; i++)
            OPENSSL_free(taken[--n]);
        enum tls_result r = tls_handshake(p.server);
        if (r == TLS_WANT_KEY && tls_keyring_here_answer(&keyring)) r = tls_handshake(p.server);
        failed += r == TLS_FAILED;
        done += r != TLS_FAILED;
        if (r == TLS_FAILED) assert_true(tls_reason(p.server)[0] != '\0');
        while (n > chunks)
            OPENSSL_free(taken[--n]);
        tls_pair_close(&p);
        while (keyring.waiting)
            tls_keyring_here_answer(&keyring);
        ERR_clear_error();
    }
    print_message("without memory: %u failed, %u went on\n", failed, done);
    assert_true(failed >= 20 && done >= 20);
    struct tls_pair p;
    assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
    assert_true(tls_pair_shake(&p, &keyring));
    tls_pair_close(&p);
    SSL_CTX_free(client);
    assert_true(tls_memory().used < before + 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_session),
        cmocka_unit_test(test_nothing_leaks),
        cmocka_unit_test(test_full_arena),
        cmocka_unit_test(test_no_memory_at_every_step),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
