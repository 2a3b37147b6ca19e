/* Certificates of clients by authorities of the organisation: who made them, until when, what for, and which names in them count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_issue.h"

#include "system/tls_authorities.h"
#include "system/tls_revocations.h"
#include <openssl/pem.h>
#include <stdio.h>
#include <time.h>

enum { DAY = 86400 };

static struct issued root, between, other, bounded;
static struct tls_authorities *authorities;
static struct tls_vouched v;

static struct tls_authorities *created(const struct issued *const *all, unsigned n, const char **why)
{
    static uint8_t memory[65536];
    struct buf pem = buf_on(memory, sizeof memory);
    for (unsigned i = 0; i < n; i++)
        issued_put(all[i], &pem);
    return tls_authorities_create(buf_span(&pem), why);
}

static int begin(void **state)
{
    const char *why;
    (void)state;
    root = issue(&(struct issue){.common = "Root", .from = -9, .until = 9, .authority = true}, NULL);
    other = issue(&(struct issue){.common = "Root", .from = -9, .until = 9, .authority = true}, NULL);
    between = issue(
        &(struct issue){.common = "Between", .from = -9, .until = 5, .authority = true, .rsa = true}, &root);
    bounded = issue_more(
        &(struct issue){.common = "Bounded", .from = -9, .until = 9, .authority = true},
        &(struct issue_more){.constraints = "permitted;email:example.org,permitted;DNS:example.org"}, &root);
    const struct issued *const all[] = {&between, &root, &bounded};
    authorities = created(all, 3, &why);
    return authorities ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    tls_authorities_free(&authorities);
    issued_free(&root);
    issued_free(&other);
    issued_free(&between);
    issued_free(&bounded);
    return 0;
}

static enum tls_vouched_verdict vouch(const struct issued *c, long seconds)
{
    uint8_t *der = NULL;
    int n = i2d_X509(c->x, &der);
    assert_true(n > 0);
    memset(&v, 0xee, sizeof v);
    enum tls_vouched_verdict verdict =
        tls_authorities_vouch(authorities, span_of(der, (size_t)n), (uint64_t)(time(NULL) + seconds), &v);
    OPENSSL_free(der);
    if (verdict != TLS_VOUCHED) assert_int_equal(v.n, 0);
    return verdict;
}

static enum tls_vouched_verdict verdict_more(struct issue what, struct issue_more more,
                                             const struct issued *by)
{
    if (!what.common) what.common = "joe";
    if (!what.until) what.until = 3;
    struct issued c = issue_more(&what, &more, by);
    enum tls_vouched_verdict verdict = vouch(&c, 0);
    issued_free(&c);
    return verdict;
}

/* by: null: itself. */
static enum tls_vouched_verdict verdict_of(struct issue what, const struct issued *by)
{
    return verdict_more(what, (struct issue_more){.weak = false}, by);
}

static void is_named(unsigned i, bool host, const char *name)
{
    assert_true(i < v.n);
    assert_int_equal(v.names[i].host, host);
    assert_true(span_eq(v.names[i].name, span_str(name)));
}

static void test_names(void **state)
{
    static const char many[] = "email:joe@example.org,IP:192.0.2.1,DNS:*.example.org,DNS:fax.example.org,"
                               "URI:mailto:root@example.org,email:joe@xn--bcher-kva.example";
    (void)state;
    assert_int_equal(verdict_of((struct issue){.names = "email:joe@example.org"}, &root), TLS_VOUCHED);
    assert_int_equal(v.n, 1);
    is_named(0, false, "joe@example.org");
    assert_int_equal(verdict_of((struct issue){.names = "DNS:fax.example.org"}, &between), TLS_VOUCHED);
    assert_int_equal(v.n, 1);
    is_named(0, true, "fax.example.org");
    assert_int_equal(verdict_of((struct issue){.names = many}, &root), TLS_VOUCHED);
    assert_int_equal(v.n, 3);
    is_named(0, false, "joe@example.org");
    is_named(1, true, "fax.example.org");
    is_named(2, false, "joe@xn--bcher-kva.example");
    assert_null(v.detail);
}

/* rfc822Name ([1]) and dNSName ([2]) as octets. */
static void test_names_that_do_not_count(void **state)
{
    static const struct {
        const char *common, *names;
    } rows[] = {
        {"joe@example.org", NULL},
        {"joe@example.org", "IP:192.0.2.1"},
        {"fax.example.org", "DNS:*.example.org"},
        {"joe", "DNS:*"},
        {"joe", "URI:mailto:joe@example.org"},
        {"joe", "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:joe@example.org"},
        /* "a@b" NUL "c"; "a" NUL; an empty one; "a@b" CR LF; an octet above 127; a blank */
        {"joe", "DER:30:07:81:05:61:40:62:00:63"},
        {"joe", "DER:30:04:82:02:61:00"},
        {"joe", "DER:30:02:81:00"},
        {"joe", "DER:30:07:81:05:61:40:62:0d:0a"},
        {"joe", "DER:30:06:81:04:61:40:62:e9"},
        {"joe", "DER:30:06:81:04:61:20:40:62"},
        /* a good one beside a bad one */
        {"joe", "DER:30:0a:81:03:61:40:62:81:03:61:40:00"},
        {"joe", "DER:30:00"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct issue what = {.common = rows[i].common, .names = rows[i].names};
        if (verdict_of(what, &root) != TLS_VOUCHED_NAMES) fail_msg("row %zu", i);
    }
    assert_int_equal(verdict_of((struct issue){.names = "DER:30:05:81:03:61:40:62"}, &root), TLS_VOUCHED);
    is_named(0, false, "a@b");
}

static void test_many_names(void **state)
{
    char text[4096] = "";
    (void)state;
    for (unsigned i = 0; i <= LIMIT_CLIENT_CERTIFICATE_NAMES; i++) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%semail:n%u@example.org", i ? "," : "", i);
        if (i + 1 < LIMIT_CLIENT_CERTIFICATE_NAMES) continue;
        bool fit = i < LIMIT_CLIENT_CERTIFICATE_NAMES;
        assert_int_equal(verdict_of((struct issue){.names = text}, &root),
                         fit ? TLS_VOUCHED : TLS_VOUCHED_NAMES);
        assert_int_equal(v.n, fit ? LIMIT_CLIENT_CERTIFICATE_NAMES : 0);
    }
}

#define JOE .names = "email:joe@example.org"

static void test_who_made_it(void **state)
{
    (void)state;
    struct issued leaf = issue(&(struct issue){.common = "joe", JOE, .until = 3}, &root);
    assert_int_equal(verdict_of((struct issue){JOE}, NULL), TLS_VOUCHED_NOT); /* itself */
    assert_int_equal(verdict_of((struct issue){.common = "Root", JOE, .authority = true}, NULL),
                     TLS_VOUCHED_NOT);
    assert_int_equal(verdict_of((struct issue){JOE}, &other), TLS_VOUCHED_NOT); /* of the same name */
    assert_string_equal(v.detail, "certificate signature failure");
    assert_int_equal(verdict_of((struct issue){JOE}, &leaf), TLS_VOUCHED_NOT); /* no authority */
    assert_int_equal(vouch(&leaf, 0), TLS_VOUCHED);
    issued_free(&leaf);
    assert_int_equal(verdict_more((struct issue){JOE}, (struct issue_more){.weak = true}, &root),
                     TLS_VOUCHED_WEAK);
    assert_int_equal(tls_authorities_vouch(authorities, SPAN(""), 0, &v), TLS_VOUCHED_NOT);
    assert_int_equal(tls_authorities_vouch(authorities, SPAN("0\x80\x30"), 0, &v), TLS_VOUCHED_NOT);
}

/* An authority whose own authority has set bounds may not give every name. */
static void test_bounds_of_names(void **state)
{
    (void)state;
    assert_int_equal(verdict_of((struct issue){JOE}, &bounded), TLS_VOUCHED);
    assert_int_equal(verdict_of((struct issue){.names = "email:joe@example.net"}, &bounded),
                     TLS_VOUCHED_NAMES);
    assert_int_equal(verdict_of((struct issue){.names = "DNS:fax.example.net"}, &bounded), TLS_VOUCHED_NAMES);
}

static enum tls_vouched_verdict verdict_for(const char *purpose)
{
    return verdict_more((struct issue){JOE}, (struct issue_more){.purpose = purpose}, &root);
}

static void test_purposes(void **state)
{
    (void)state;
    assert_int_equal(verdict_for("clientAuth"), TLS_VOUCHED);
    assert_int_equal(verdict_for("serverAuth,clientAuth"), TLS_VOUCHED);
    assert_int_equal(verdict_for("serverAuth"), TLS_VOUCHED_PURPOSE);
    assert_int_equal(verdict_for("emailProtection"), TLS_VOUCHED_PURPOSE);
    assert_int_equal(verdict_for("anyExtendedKeyUsage"), TLS_VOUCHED_PURPOSE);
}

static void test_times(void **state)
{
    (void)state;
    struct issued c = issue(&(struct issue){.common = "joe", JOE, .from = -1, .until = 3}, &root);
    assert_int_equal(vouch(&c, 0), TLS_VOUCHED);
    uint64_t until = (uint64_t)time(NULL) + 3 * DAY;
    assert_true(v.ends <= until && v.ends + 60 > until);
    assert_int_equal(vouch(&c, -2 * DAY), TLS_VOUCHED_EARLY);
    assert_int_equal(vouch(&c, 3 * DAY + 1), TLS_VOUCHED_EXPIRED);
    issued_free(&c);
    assert_int_equal(verdict_of((struct issue){JOE, .from = 1, .until = 2}, &root), TLS_VOUCHED_EARLY);
    assert_int_equal(verdict_of((struct issue){JOE, .from = -3, .until = -1}, &root), TLS_VOUCHED_EXPIRED);
    /* an authority that ends sooner ends it */
    c = issue(&(struct issue){.common = "joe", JOE, .until = 8}, &between);
    assert_int_equal(vouch(&c, 0), TLS_VOUCHED);
    until = (uint64_t)time(NULL) + 5 * DAY;
    assert_true(v.ends <= until && v.ends + 60 > until);
    assert_int_equal(vouch(&c, 6 * DAY), TLS_VOUCHED_EXPIRED);
    issued_free(&c);
}

static void test_files(void **state)
{
    const char *why;
    struct issued leaf = issue(&(struct issue){.common = "joe", JOE, .until = 3}, NULL);
    const struct issued *const no_root[] = {&between, &bounded}, *const with_leaf[] = {&root, &leaf};
    (void)state;
    assert_null(tls_authorities_create(SPAN(""), &why));
    assert_string_equal(why, "it holds no certificate");
    assert_null(
        tls_authorities_create(SPAN("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"), &why));
    assert_string_equal(why, "a certificate in it is broken");
    assert_null(created(no_root, 2, &why));
    assert_string_equal(why, "there is no root among its certificates");
    assert_null(created(with_leaf, 2, &why));
    assert_string_equal(why, "a certificate in it is not an authority's (basicConstraints)");
    issued_free(&leaf);
}

/* A list of that authority which holds nobody. */
static const char *add_list(struct tls_authorities *a, const struct issued *of)
{
    X509_CRL *list = X509_CRL_new();
    BIO *out = BIO_new(BIO_s_mem());
    char *text;
    X509_CRL_set_version(list, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(of->x));
    X509_CRL_set1_lastUpdate(list, X509_get0_notBefore(of->x));
    X509_CRL_set1_nextUpdate(list, X509_get0_notAfter(of->x));
    assert_true(X509_CRL_sign(list, of->key, EVP_sha256()) > 0 && PEM_write_bio_X509_CRL(out, list));
    long n = BIO_get_mem_data(out, &text);
    const char *why = tls_revocations_add(a, span_of((const uint8_t *)text, (size_t)n));
    BIO_free(out);
    X509_CRL_free(list);
    return why;
}

static void what_nobody_made_is_not_excused_by_a_missing_list(void **state)
{
    const char *why;
    struct issue mail = {.common = "anna", .names = "email:anna@example.org", .from = -1, .until = 1};
    struct issued good = issue(&mail, &root), forged = issue(&mail, &other);
    const struct issued *const all[] = {&between, &root};
    struct tls_authorities *kept = authorities;
    (void)state;
    authorities = created(all, 2, &why);
    assert_null(add_list(authorities, &between));
    assert_int_equal(vouch(&good, 0), TLS_VOUCHED_LIST);
    assert_int_equal(vouch(&forged, 0), TLS_VOUCHED_NOT);
    tls_authorities_free(&authorities);
    authorities = kept;
    issued_free(&good);
    issued_free(&forged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_that_do_not_count),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_who_made_it),
        cmocka_unit_test(test_bounds_of_names),
        cmocka_unit_test(test_purposes),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_files),
        cmocka_unit_test(what_nobody_made_is_not_excused_by_a_missing_list),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
