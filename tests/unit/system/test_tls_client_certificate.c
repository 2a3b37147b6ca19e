/* Certificates that clients show: who is asked, what is accepted as a key, and that the small stack of a paused handshake is enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_peer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdlib.h>

static struct tls_material server, ec, rsa, expired, other;
static struct tls_keyring_here keyring;
static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static struct tls_context *context(bool asks)
{
    char text[512];
    struct buf problem = buf_on(text, sizeof text);
    struct tls_context *c = tls_context_create(SPAN("server"));
    assert_non_null(c);
    assert_true(tls_context_add(c, server.chain_pem, "chain.pem", (struct tls_key_id){0, 0}, &problem));
    if (asks) tls_context_ask(c);
    return c;
}

static X509 *read_certificate(const struct tls_material *m)
{
    BIO *b = BIO_new_mem_buf(m->chain, (int)m->chain_pem.n);
    X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
    BIO_free(b);
    assert_non_null(x);
    return x;
}

/* A client that shows shown (null: nothing), whatever its key is. */
static SSL_CTX *client(int version, const struct tls_material *shown, const struct tls_material *key)
{
    SSL_CTX *c = tls_client_context(version);
    if (!shown) return c;
    X509 *x = read_certificate(shown);
    BIO *b = BIO_new_mem_buf(key->key, (int)key->key_pem.n);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
    assert_int_equal(SSL_CTX_use_certificate(c, x), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(c, k), 1);
    EVP_PKEY_free(k);
    BIO_free(b);
    X509_free(x);
    return c;
}

static bool is_of(struct span der, const struct tls_material *m)
{
    const uint8_t *p = der.p;
    X509 *theirs = d2i_X509(NULL, &p, (long)der.n), *x = read_certificate(m);
    bool same = theirs && X509_cmp(theirs, x) == 0;
    X509_free(theirs);
    X509_free(x);
    return same;
}

static void certificates_are_seen(void **state)
{
    const struct tls_material *const shown[] = {NULL, &ec, &rsa, &expired};
    (void)state;
    for (unsigned asks = 0; asks < 2; asks++) {
        struct tls_context *c = context(asks);
        for (size_t i = 0; i < 2 * sizeof shown / sizeof shown[0]; i++) {
            const struct tls_material *m = shown[i / 2];
            uint8_t der[LIMIT_CLIENT_CERTIFICATE_OCTETS];
            struct buf b = buf_on(der, sizeof der), little = buf_on(der, 100);
            SSL_CTX *x = client(versions[i % 2], m, m);
            struct tls_pair p;
            assert_true(tls_pair_open(&p, c, x, span_of(NULL, 0)));
            assert_false(tls_client_certificate(p.server, &b)); /* nothing before its end */
            assert_true(tls_pair_shake(&p, &keyring));
            assert_int_equal(tls_client_certificate(p.server, &b), asks && m);
            assert_true(asks && m ? is_of(buf_span(&b), m) : b.n == 0);
            assert_false(tls_client_certificate(p.server, &little) || little.n);
            tls_pair_close(&p);
            SSL_CTX_free(x);
        }
        tls_context_free(&c);
    }
}

/* Nobody shows a certificate whose key he does not have: what is signed with another key fails the handshake. */
static void the_key_is_proven(void **state)
{
    struct tls_context *c = context(true);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        SSL_CTX *x = client(versions[i], &ec, &ec);
        struct tls_pair p;
        assert_true(tls_pair_open(&p, c, x, span_of(NULL, 0)));
        X509 *others = read_certificate(&other);
        /* the public key of the certificate is exchanged under the library: it checks pairs only when they are set */
        X509 *shown = SSL_get_certificate(p.client);
        assert_int_equal(X509_set_pubkey(shown, X509_get0_pubkey(others)), 1);
        assert_true(i2d_re_X509_tbs(shown, NULL) > 0); /* its octets, too */
        assert_false(tls_pair_shake(&p, &keyring) && p.result == TLS_DONE);
        assert_int_equal(p.result, TLS_FAILED);
        X509_free(others);
        tls_pair_close(&p);
        SSL_CTX_free(x);
    }
    tls_context_free(&c);
}

/* --- stacks of paused handshakes: OpenSSL takes 32 KiB for each from the arena, without a guard page */

enum { STACK_OCTETS = 32768, STACKS = 8, PAINT = 0xa5, LEAST_LEFT = 8192 };
static uint8_t *stacks[STACKS];
static unsigned n_stacks;

static void *take(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    uint8_t *p = malloc(n);
    if (p && n == STACK_OCTETS && n_stacks < STACKS) {
        memset(p, PAINT, n);
        stacks[n_stacks++] = p;
    }
    return p;
}

static void *resize(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return realloc(p, n);
}

static void give(void *p, const char *file, int line)
{
    (void)file, (void)line;
    for (unsigned i = 0; i < n_stacks; i++)
        if (stacks[i] == p) stacks[i--] = stacks[--n_stacks];
    free(p);
}

static void the_stack_is_enough(void **state)
{
    unsigned used = 0;
    (void)state;
    for (unsigned i = 0; i < n_stacks; i++) {
        size_t left = 0;
        while (left < STACK_OCTETS && stacks[i][left] == PAINT)
            left++;
        used += left < STACK_OCTETS;
        assert_true(left >= LEAST_LEFT); /* 25 KiB here */
    }
    assert_true(used > 0);
}

static int group_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    tls_material_make(&server, false, "DNS:a.example", 90);
    tls_material_make(&ec, false, "DNS:client.example", 90);
    tls_material_make(&other, false, "DNS:client.example", 90);
    tls_material_make(&rsa, true, "DNS:client.example", 90);
    tls_material_make(&expired, false, "DNS:client.example", -30);
    tls_keyring_here_add(&keyring, 0, &server);
    keyring.mood = KEYRING_DEFERRED;
    tls_keyring_here(&keyring);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_keyring_here_free(&keyring);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_are_seen),
        cmocka_unit_test(the_key_is_proven),
        cmocka_unit_test(the_stack_is_enough),
    };
    if (CRYPTO_set_mem_functions(take, resize, give) != 1) return 1;
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
