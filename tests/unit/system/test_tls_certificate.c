#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_peer.h"

#include "system/tls_certificate_private.h"
#include "system/tls_selfsigned.h"
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <time.h>

static char text[2048];
static struct buf problem;

static const char *said(void)
{
    text[problem.n] = '\0';
    return text;
}

static enum tls_certificate_result check(struct span chain, struct span key)
{
    problem = buf_on(text, sizeof text - 1);
    return tls_certificate_check(chain, "/etc/x/chain.pem", key, "/etc/x/key.pem", (uint64_t)time(NULL),
                                 &problem);
}

static void bad(struct span chain, struct span key, const char *phrase)
{
    assert_int_equal(check(chain, key), TLS_CERTIFICATE_BAD);
    if (!strstr(said(), phrase)) fail_msg("\"%s\" does not say \"%s\"", said(), phrase);
}

static void test_good(void **state)
{
    (void)state;
    static struct tls_material ec, rsa;
    tls_material_make(&ec, false, "DNS:a.example", 90);
    tls_material_make(&rsa, true, "DNS:a.example", 90);
    assert_int_equal(check(ec.chain_pem, ec.key_pem), TLS_CERTIFICATE_GOOD);
    assert_int_equal(check(rsa.chain_pem, rsa.key_pem), TLS_CERTIFICATE_GOOD);
    assert_int_equal(check(rsa.chain_pem, span_of(NULL, 0)), TLS_CERTIFICATE_GOOD);
    assert_int_equal(problem.n, 0);
    bad(ec.chain_pem, rsa.key_pem,
        "/etc/x/key.pem: this private key does not belong to the certificate in /etc/x/chain.pem");
    static struct tls_material other;
    tls_material_make(&other, false, "DNS:a.example", 90);
    bad(ec.chain_pem, other.key_pem, "does not belong");
}

static void test_dates_and_names(void **state)
{
    (void)state;
    static struct tls_material m;
    tls_material_make(&m, false, "DNS:a.example", -1);
    assert_int_equal(check(m.chain_pem, m.key_pem), TLS_CERTIFICATE_WARNING);
    assert_non_null(strstr(said(), "/etc/x/chain.pem: the certificate expired on 20"));
    tls_material_make(&m, false, "DNS:a.example", 3);
    assert_int_equal(check(m.chain_pem, m.key_pem), TLS_CERTIFICATE_WARNING);
    assert_non_null(strstr(said(), "expires on 20"));
    tls_material_make(&m, false, "IP:127.0.0.1", 90);
    assert_int_equal(check(m.chain_pem, m.key_pem), TLS_CERTIFICATE_WARNING);
    assert_non_null(strstr(said(), "names no host"));
    tls_material_make(&m, false, NULL, 90);
    problem = buf_on(text, sizeof text - 1);
    assert_int_equal(tls_certificate_check(m.chain_pem, "c", m.key_pem, "k", 1000000, &problem),
                     TLS_CERTIFICATE_WARNING);
    assert_non_null(strstr(said(), "c: the certificate is not valid before 20"));
}

static struct span pem_of(EVP_PKEY *key, const EVP_CIPHER *cipher, char *to, size_t max)
{
    BIO *b = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(b, key, cipher, cipher ? "secret" : NULL, cipher ? 6 : 0, NULL, NULL),
        1);
    int n = BIO_read(b, to, (int)max);
    assert_true(n > 0);
    BIO_free(b);
    EVP_PKEY_free(key);
    return span_of(to, (size_t)n);
}

static void test_broken(void **state)
{
    (void)state;
    static struct tls_material m, second;
    static char pem[20000], both[20000];
    tls_material_make(&m, false, "DNS:a.example", 90);
    tls_material_make(&second, false, "DNS:ca.example", 90);
    bad(span_of(NULL, 0), m.key_pem, "/etc/x/chain.pem: empty");
    bad(SPAN("hello"), m.key_pem, "no certificate in PEM form");
    bad(m.key_pem, m.key_pem, "no certificate in PEM form");
    bad(m.chain_pem, m.chain_pem, "/etc/x/key.pem: no private key in PEM form");
    bad(span_head(m.chain_pem, m.chain_pem.n / 2), m.key_pem, "/etc/x/chain.pem");
    bad(m.chain_pem, span_head(m.key_pem, m.key_pem.n / 2), "/etc/x/key.pem");
    static uint8_t much[LIMIT_CHAIN_OCTETS + 1];
    bad(span_of(much, sizeof much), m.key_pem, "too long");
    bad(m.chain_pem, span_of(much, LIMIT_KEY_OCTETS + 1), "too long");
    /* a good leaf, a broken second certificate */
    struct buf b = buf_on(both, sizeof both);
    buf_put(&b, m.chain_pem);
    buf_put(&b, second.chain_pem);
    assert_int_equal(check(buf_span(&b), m.key_pem), TLS_CERTIFICATE_GOOD);
    both[m.chain_pem.n + 100] = '!';
    bad(buf_span(&b), m.key_pem, "behind the first one");

    bad(m.chain_pem, pem_of(EVP_EC_gen("P-256"), EVP_aes_128_cbc(), pem, sizeof pem),
        "protected by a passphrase");
    bad(m.chain_pem, pem_of(EVP_EC_gen("P-521"), NULL, pem, sizeof pem), "unsupported kind of key");
    bad(m.chain_pem, pem_of(EVP_RSA_gen(1024), NULL, pem, sizeof pem), "unsupported kind of key");
    bad(m.chain_pem, pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, pem, sizeof pem),
        "unsupported kind of key");
}

static void test_context_refuses_with_the_files_name(void **state)
{
    (void)state;
    struct tls_context *c = tls_context_create(SPAN("x"));
    problem = buf_on(text, sizeof text - 1);
    assert_false(
        tls_context_add(c, SPAN("rubbish"), "/etc/x/chain.pem", (struct tls_key_id){0, 0}, &problem));
    assert_non_null(strstr(said(), "/etc/x/chain.pem: no certificate"));
    assert_int_equal(tls_context_certificates(c), 0);
    tls_context_free(&c);
}

/* Hostile names: a common name with a NUL in it is not the name before the NUL. */
static void test_names(void **state)
{
    (void)state;
    static struct tls_material m;
    tls_material_make(&m, false, "DNS:Mail.Example.ORG,DNS:*.example.net,DNS:*.org,DNS:*,DNS:x*.example.com",
                      90);
    struct tls_chain c;
    problem = buf_on(text, sizeof text - 1);
    assert_true(tls_chain_load(&c, m.chain_pem, "c", &problem));
    assert_int_equal(tls_chain_covers(&c, SPAN("mail.example.org")), 2);
    assert_int_equal(tls_chain_covers(&c, SPAN("MAIL.example.org")), 2);
    assert_int_equal(tls_chain_covers(&c, SPAN("a.example.net")), 1);
    assert_int_equal(tls_chain_covers(&c, SPAN("a.b.example.net")), 0);
    assert_int_equal(tls_chain_covers(&c, SPAN("example.net")), 0);
    assert_int_equal(tls_chain_covers(&c, SPAN(".example.net")), 0);
    assert_int_equal(tls_chain_covers(&c, SPAN("example.org")), 0); /* a whole top level domain: never */
    assert_int_equal(tls_chain_covers(&c, SPAN("localhost")), 0);
    assert_int_equal(tls_chain_covers(&c, SPAN("xy.example.com")), 0); /* part of a label: no */
    assert_int_equal(tls_chain_covers(&c, SPAN("")), 0);
    tls_chain_free(&c);
}

static void selfsigned_good(struct span domain, const char *other_name)
{
    char key[2048], chain[2048];
    struct buf k = buf_on(key, sizeof key), x = buf_on(chain, sizeof chain);
    assert_true(tls_selfsigned(domain, (uint64_t)time(NULL), &k, &x));
    assert_int_equal(check(buf_span(&x), buf_span(&k)), TLS_CERTIFICATE_GOOD);
    struct tls_chain c;
    assert_true(tls_chain_load(&c, buf_span(&x), "c", &problem));
    assert_int_equal(tls_chain_covers(&c, domain), 2);
    assert_int_equal(tls_chain_covers(&c, span_str(other_name)), 2);
    assert_int_equal(X509_verify(c.leaf, X509_get0_pubkey(c.leaf)), 1);
    int days, seconds;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(c.leaf), X509_get0_notAfter(c.leaf)),
                     1);
    assert_int_equal(days, TLS_SELFSIGNED_DAYS);
    tls_chain_free(&c);
}

static void test_selfsigned(void **state)
{
    (void)state;
    selfsigned_good(SPAN("mail.example.org"), "localhost");
    selfsigned_good(SPAN("localhost"), "localhost");
    selfsigned_good(
        SPAN("a23456789012345678901234567890123456789012345678901234567890.b23456789012345678901234567890."
             "example.org"),
        "localhost");
    char key[2048], chain[2048];
    static const char *const wrong[] = {
        "",       ".a",   "a.",           "-a",    "a b", "a,DNS:evil.example",
        "a\nb.c", "a..b", "caf\xc3\xa9.", "a_b.c", "a/b", "*.example.org"};
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf k = buf_on(key, sizeof key), x = buf_on(chain, sizeof chain);
        assert_false(tls_selfsigned(span_str(wrong[i]), 1, &k, &x));
    }
    struct buf k = buf_on(key, 10), x = buf_on(chain, sizeof chain);
    assert_false(tls_selfsigned(SPAN("a.example"), 1764000000, &k, &x));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),   cmocka_unit_test(test_dates_and_names),
        cmocka_unit_test(test_broken), cmocka_unit_test(test_context_refuses_with_the_files_name),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_selfsigned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
