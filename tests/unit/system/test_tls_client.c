/* Who is taken for whom: each policy against each kind of certificate, in TLS 1.2 and 1.3, and what is said about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_issue.h"

#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX 6

enum who {
    ROOT,
    INTER,
    STRANGER,
    GOOD,
    WILD,
    PARTIAL,
    TWO,
    OTHER,
    EXPIRED,
    FUTURE,
    SELF,
    UNKNOWN,
    COMMON,
    COMMON_NAMES,
    BARE,
    KIND
};
static struct issued all[KIND];
static struct tls_client_context *context;

static const struct {
    struct issue what;
    int by; /* -1: itself */
} issues[KIND] = {
    [ROOT] = {{"Test Root", NULL, -400, 400, true, false}, -1},
    [INTER] = {{"Test Intermediate", NULL, -400, 400, true, true}, ROOT},
    [STRANGER] = {{"Stranger", NULL, -400, 400, true, false}, -1},
    [GOOD] = {{"mx", "DNS:mx.example.org", -10, 10, false, false}, INTER},
    [WILD] = {{"wild", "DNS:*.example.org", -10, 10, false, true}, INTER},
    [PARTIAL] = {{"partial", "DNS:m*.example.org", -10, 10, false, false}, INTER},
    [TWO] = {{"address", "IP:192.0.2.7,DNS:two.example.org", -10, 10, false, false}, INTER},
    [OTHER] = {{"other", "DNS:mx.example.net", -10, 10, false, false}, INTER},
    [EXPIRED] = {{"expired", "DNS:mx.example.org", -10, -2, false, false}, INTER},
    [FUTURE] = {{"future", "DNS:mx.example.org", 2, 10, false, false}, INTER},
    [SELF] = {{"mx.example.org", "DNS:mx.example.org", -10, 10, false, false}, -1},
    [UNKNOWN] = {{"mx", "DNS:mx.example.org", -10, 10, false, false}, STRANGER},
    [COMMON] = {{"mx.example.org", NULL, -10, 10, false, false}, INTER},
    [COMMON_NAMES] = {{"mx.example.org", "DNS:mx.example.net", -10, 10, false, false}, INTER},
    [BARE] = {{"bare", "DNS:mx.example.org", -10, 10, false, false}, INTER}, /* shown without INTER */
};

static int group_setup(void **state)
{
    (void)state;
    for (int i = 0; i < KIND; i++)
        all[i] = issue(&issues[i].what, issues[i].by < 0 ? NULL : &all[issues[i].by]);
    char pem[4096];
    const char *error;
    struct buf b = buf_on(pem, sizeof pem);
    buf_str(&b, "A comment, as some bundles have it\n");
    issued_put(&all[ROOT], &b);
    context = tls_client_context_create(buf_span(&b), &error);
    return context && tls_client_authorities(context) == 1 && tls_client_warm_up(context, &error) ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_client_context_free(&context);
    for (int i = 0; i < KIND; i++)
        issued_free(&all[i]);
    return 0;
}

static SSL_CTX *server_of(enum who leaf, int version)
{
    const struct issued *chain[3] = {&all[leaf]};
    unsigned n = 1;
    if (issues[leaf].by == STRANGER) chain[n++] = &all[STRANGER];
    if (issues[leaf].by == INTER && leaf != BARE) chain[n++] = &all[INTER];
    return issued_server(chain, n, version);
}

/* "3 1 1 L; 2 0 1 I": usage, selector, matching type; of the leaf, intermediate, root, stranger, self-signed one; in small letters: one
 * octet of the association is wrong. */
static uint32_t records_read(const char *text, enum who leaf, struct span records[RECORDS_MAX])
{
    static uint8_t octets[RECORDS_MAX][2048];
    uint32_t n = 0;
    while (*text) {
        unsigned usage, selector, matching;
        char whose;
        int used;
        assert_int_equal(sscanf(text, "%u %u %u %c%n", &usage, &selector, &matching, &whose, &used), 4);
        enum who who = whose == 'I' || whose == 'i'   ? INTER
                       : whose == 'R' || whose == 'r' ? ROOT
                       : whose == 'S' || whose == 's' ? STRANGER
                                                      : leaf;
        assert_true(n < RECORDS_MAX);
        records[n] = issued_tlsa(&all[who], usage, selector, matching, octets[n]);
        if (whose >= 'a') octets[n][records[n].n - 1] ^= 1;
        n++;
        text += used;
        while (*text == ';' || *text == ' ')
            text++;
    }
    return n;
}

#define ANYBODY   TLS_CLIENT_ANYBODY
#define AUTHORITY TLS_CLIENT_AUTHORITY
#define DANE      TLS_CLIENT_DANE

static const struct row {
    enum who leaf;
    enum tls_client_verify verify;
    const char *name, *also, *records;
    const char *text;  /* behind version and cipher; null: the handshake fails */
    const char *wrong; /* then: why */
} rows[] = {
    /* RFC 7435: whoever it is */
    {GOOD, ANYBODY, "mx.example.org", "", "", "verified by Test Root", NULL},
    {OTHER, ANYBODY, "mx.example.org", "", "", "anonymous (hostname mismatch)", NULL},
    {EXPIRED, ANYBODY, "mx.example.org", "", "", "anonymous (certificate has expired)", NULL},
    {SELF, ANYBODY, "mx.example.org", "", "", "anonymous (self-signed certificate)", NULL},
    {UNKNOWN, ANYBODY, "mx.example.org", "", "", "anonymous (self-signed certificate in certificate chain)",
     NULL},
    {BARE, ANYBODY, "mx.example.org", "", "", "anonymous (unable to get local issuer certificate)", NULL},
    {GOOD, ANYBODY, "", "", "", "anonymous", NULL}, /* no name was looked for: nobody was verified */

    /* an authority and a name */
    {GOOD, AUTHORITY, "mx.example.org", "", "", "verified by Test Root", NULL},
    {GOOD, AUTHORITY, "MX.Example.ORG.", "", "", "verified by Test Root", NULL},
    {GOOD, AUTHORITY, "example.org", "mx.example.org", "", "verified by Test Root", NULL},
    {WILD, AUTHORITY, "mx.example.org", "", "", "verified by Test Root", NULL},
    {WILD, AUTHORITY, "a.mx.example.org", "", "", NULL, "hostname mismatch"},
    {WILD, AUTHORITY, "example.org", "", "", NULL, "hostname mismatch"},
    {PARTIAL, AUTHORITY, "mx.example.org", "", "", NULL, "hostname mismatch"},
    {OTHER, AUTHORITY, "mx.example.org", "example.org", "", NULL, "hostname mismatch"},
    {EXPIRED, AUTHORITY, "mx.example.org", "", "", NULL, "certificate has expired"},
    {FUTURE, AUTHORITY, "mx.example.org", "", "", NULL, "certificate is not yet valid"},
    {SELF, AUTHORITY, "mx.example.org", "", "", NULL, "self-signed certificate"},
    {UNKNOWN, AUTHORITY, "mx.example.org", "", "", NULL, "self-signed certificate in certificate chain"},
    {BARE, AUTHORITY, "mx.example.org", "", "", NULL, "unable to get local issuer certificate"},
    {COMMON, AUTHORITY, "mx.example.org", "", "", "verified by Test Root", NULL},
    {COMMON_NAMES, AUTHORITY, "mx.example.org", "", "", NULL, "hostname mismatch"},
    {TWO, AUTHORITY, "192.0.2.7", "", "", "verified by Test Root", NULL},
    {TWO, AUTHORITY, "192.0.2.8", "", "", NULL, "IP address mismatch"},
    {GOOD, AUTHORITY, "192.0.2.7", "", "", NULL, "IP address mismatch"},

    /* DANE-EE(3): the certificate itself, whatever stands in it (RFC 7672 3.1.1) */
    {GOOD, DANE, "mx.example.org", "", "3 1 1 L", "dane-ee", NULL},
    {SELF, DANE, "mx.example.org", "", "3 1 2 L", "dane-ee", NULL},
    {SELF, DANE, "mx.example.org", "", "3 1 0 L", "dane-ee", NULL},
    {UNKNOWN, DANE, "mx.example.org", "", "3 0 1 L", "dane-ee", NULL},
    {OTHER, DANE, "mx.example.org", "", "3 0 2 L", "dane-ee", NULL},
    {BARE, DANE, "mx.example.org", "", "3 0 0 L", "dane-ee", NULL},
    {EXPIRED, DANE, "mx.example.org", "", "3 1 1 L", "dane-ee", NULL},
    {FUTURE, DANE, "mx.example.org", "", "3 1 1 L", "dane-ee", NULL},
    {GOOD, DANE, "mx.example.org", "", "3 1 1 l", NULL, "no matching DANE TLSA records"},
    {GOOD, DANE, "mx.example.org", "", "3 1 2 l", NULL, "no matching DANE TLSA records"},
    {GOOD, DANE, "mx.example.org", "", "3 0 1 I", NULL,
     "no matching DANE TLSA records"}, /* not of the leaf */

    /* DANE-TA(2): an authority of its own, name and date count (RFC 7672 3.1.2) */
    {GOOD, DANE, "mx.example.org", "", "2 0 1 I", "dane-ta", NULL},
    {GOOD, DANE, "mx.example.org", "", "2 1 1 I", "dane-ta", NULL},
    {GOOD, DANE, "mx.example.org", "", "2 1 2 I", "dane-ta", NULL},
    {GOOD, DANE, "mx.example.org", "", "2 0 0 I", "dane-ta", NULL},
    {GOOD, DANE, "mx.example.org", "", "2 1 0 I", "dane-ta", NULL},
    {BARE, DANE, "mx.example.org", "", "2 0 0 I", "dane-ta",
     NULL}, /* the record itself is the missing link */
    {BARE, DANE, "mx.example.org", "", "2 1 0 I", "dane-ta", NULL},
    {BARE, DANE, "mx.example.org", "", "2 0 1 I", NULL, "*"}, /* a digest cannot be */
    {GOOD, DANE, "mx.example.org", "", "2 0 1 R", NULL, "*"}, /* the root was not shown (RFC 7672 3.2.1) */
    {UNKNOWN, DANE, "mx.example.org", "", "2 0 1 S", "dane-ta", NULL},
    {UNKNOWN, DANE, "mx.example.org", "", "2 0 1 s", NULL, "no matching DANE TLSA records"},
    {OTHER, DANE, "mx.example.org", "", "2 0 1 I", NULL, "hostname mismatch"},
    {GOOD, DANE, "a.example.net", "mx.example.org", "2 0 1 I", "dane-ta", NULL}, /* next-hop domain */
    {WILD, DANE, "mx.example.org", "", "2 1 1 I", "dane-ta", NULL},
    {EXPIRED, DANE, "mx.example.org", "", "2 0 1 I", NULL, "certificate has expired"},

    /* several */
    {GOOD, DANE, "mx.example.org", "", "3 1 1 l; 3 1 1 L", "dane-ee", NULL}, /* a key is being changed */
    {GOOD, DANE, "mx.example.org", "", "3 1 1 l; 2 0 1 I", "dane-ta", NULL},
    {GOOD, DANE, "mx.example.org", "", "2 1 1 s; 3 0 1 L", "dane-ee", NULL},
    {GOOD, DANE, "mx.example.org", "", "1 0 1 L; 3 1 1 L", "dane-ee", NULL},
    {GOOD, DANE, "mx.example.org", "", "0 0 1 R; 1 0 1 L; 3 1 1 l", NULL, "no matching DANE TLSA records"},
    {GOOD, DANE, "mx.example.org", "", "3 1 2 l; 3 1 1 L", NULL,
     "no matching DANE TLSA records"}, /* RFC 7671 9 */
    {GOOD, DANE, "mx.example.org", "", "3 1 2 L; 3 1 1 l", "dane-ee", NULL},
};

static void row_play(const struct row *r, int version)
{
    struct span records[RECORDS_MAX];
    struct tls_client_peer peer = {r->verify, span_str(r->name), span_str(r->also), records, 0};
    peer.n_tlsa = records_read(r->records, r->leaf, records);
    SSL_CTX *server = server_of(r->leaf, version);
    struct client_pair p;
    char text[256] = {0};
    struct buf b = buf_on(text, sizeof text - 1);
    if (!client_pair_open(&p, context, &peer, server)) fail_msg("%s [%s]: not created", r->name, r->records);
    tls_client_put_text(p.client, &b);
    assert_int_equal(b.n, 0); /* nothing is known yet */
    bool good = client_pair_shake(&p);
    tls_client_put_text(p.client, &b);
    if (good != (r->text != NULL))
        fail_msg("certificate %d, verify %d, %s [%s]: \"%s\" %s", r->leaf, r->verify, r->name, r->records,
                 text, tls_reason(p.client));
    if (good) {
        char wanted[256];
        snprintf(wanted, sizeof wanted, "%s %s %s", SSL_get_version(p.server), SSL_get_cipher(p.server),
                 r->text);
        assert_string_equal(text, wanted);
        size_t n;
        assert_int_equal(tls_write(p.client, SPAN("EHLO a\r\n"), &n), TLS_DONE);
        assert_int_equal(SSL_read(p.server, text, sizeof text), 8);
    } else {
        assert_int_equal(b.n, 0);
        assert_int_equal(tls_client_known(p.client), TLS_CLIENT_ANONYMOUS);
        if (strcmp(r->wrong, "*") == 0)
            assert_true(strlen(tls_reason(p.client)) > 10);
        else
            assert_string_equal(tls_reason(p.client), r->wrong);
    }
    client_pair_close(&p);
    SSL_CTX_free(server);
}

static void test_matrix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        row_play(&rows[i], TLS1_2_VERSION);
        row_play(&rows[i], TLS1_3_VERSION);
    }
}

static void test_usable(void **state)
{
    (void)state;
    static const struct {
        const char *records;
        uint32_t usable;
    } sets[] = {{"3 1 1 L", 1},
                {"3 0 0 L; 2 0 0 I; 2 1 0 I; 3 1 2 L", 4},
                {"0 0 1 L; 1 1 1 L", 0},
                {"", 0},
                {"1 0 1 L; 3 1 1 L", 1}};
    struct span records[RECORDS_MAX];
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        uint32_t n = records_read(sets[i].records, GOOD, records);
        assert_int_equal(tls_client_usable(context, records, n), sets[i].usable);
    }
    static const uint8_t digest[64] = {0};
    static const struct span bad[] = {
        {NULL, 0},
        {(const uint8_t *)"\3", 1},
        {(const uint8_t *)"\3\1\1", 3}, /* no association */
        {(const uint8_t *)"\3\1\1"
                          "0123456789012345678901234567890",
         34}, /* too short a digest */
        {(const uint8_t *)"\3\1\1"
                          "012345678901234567890123456789012",
         36}, /* too long */
        {(const uint8_t *)"\3\2\1"
                          "01234567890123456789012345678901",
         35}, /* selector */
        {(const uint8_t *)"\3\1\3"
                          "01234567890123456789012345678901",
         35}, /* matching type */
        {(const uint8_t *)"\4\1\1"
                          "01234567890123456789012345678901",
         35}, /* usage */
        {(const uint8_t *)"\377\1\1"
                          "01234567890123456789012345678901",
         35},
        {(const uint8_t *)"\3\0\0"
                          "rubbish",
         10},
        {(const uint8_t *)"\2\1\0"
                          "rubbish",
         10},
        {digest, sizeof digest},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct client_pair p;
        assert_int_equal(tls_client_usable(context, &bad[i], 1), 0);
        assert_false(client_pair_open(
            &p, context, &(struct tls_client_peer){DANE, SPAN("mx.example.org"), SPAN(""), &bad[i], 1},
            NULL));
        client_pair_close(&p);
    }
}

static void refused(enum tls_client_verify verify, struct span name, struct span also)
{
    uint8_t octets[2048];
    struct span record = issued_tlsa(&all[GOOD], 3, 1, 1, octets);
    struct client_pair p;
    assert_false(
        client_pair_open(&p, context, &(struct tls_client_peer){verify, name, also, &record, 1}, NULL));
    client_pair_close(&p);
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'a', sizeof longest);
    refused(AUTHORITY, SPAN(""), SPAN("")); /* would verify nobody */
    refused(DANE, SPAN(""), SPAN(""));
    refused(DANE, SPAN("192.0.2.7"), SPAN(""));
    refused(AUTHORITY, SPAN("."), SPAN(""));
    for (enum tls_client_verify v = ANYBODY; v <= DANE; v++) {
        refused(v, SPAN(".example.org"), SPAN("")); /* every name below */
        refused(v, SPAN("mx.example.org\0.example.net"), SPAN(""));
        refused(v, SPAN("mx example"), SPAN(""));
        refused(v, SPAN("m\xc3\xbc.example"), SPAN(""));
        refused(v, span_of(longest, sizeof longest), SPAN(""));
        refused(v, SPAN("mx.example.org"), SPAN(".example.org"));
        refused(v, SPAN("mx.example.org"), SPAN("192.0.2.7"));
        refused(v, SPAN("mx.example.org"), SPAN("a\0b"));
    }
}

/* The name asked for is the host's; an address is never a server name (RFC 6066 3). */
static void test_server_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *asked;
    } names[] = {
        {"mx.example.org.", "mx.example.org"}, {"192.0.2.7", NULL}, {"2001:db8::1", NULL}, {"", NULL}};
    for (size_t i = 0; i < 4; i++) {
        SSL_CTX *server = server_of(GOOD, 0);
        struct client_pair p;
        struct tls_client_peer peer = {.verify = ANYBODY, .name = span_str(names[i].name)};
        assert_true(client_pair_open(&p, context, &peer, server));
        assert_true(client_pair_shake(&p));
        const char *asked = SSL_get_servername(p.server, TLSEXT_NAMETYPE_host_name);
        if (names[i].asked)
            assert_string_equal(asked, names[i].asked);
        else
            assert_null(asked);
        client_pair_close(&p);
        SSL_CTX_free(server);
    }
}

/* What an authority is called is a stranger's text. */
static void test_text_is_escaped(void **state)
{
    (void)state;
    struct issued odd = issue(&(struct issue){"evil\r\n250 \x1b[31m root", NULL, -1, 9, true, false}, NULL);
    struct issued leaf = issue(&(struct issue){"leaf", "DNS:mx.example.org", -1, 9, false, false}, &odd);
    char pem[4096], text[256] = {0};
    const char *error;
    struct buf b = buf_on(pem, sizeof pem), shown = buf_on(text, sizeof text - 1);
    issued_put(&odd, &b);
    struct tls_client_context *c = tls_client_context_create(buf_span(&b), &error);
    SSL_CTX *server = issued_server((const struct issued *const[]){&leaf}, 1, 0);
    struct client_pair p;
    assert_true(client_pair_open(
        &p, c, &(struct tls_client_peer){.verify = AUTHORITY, .name = SPAN("mx.example.org")}, server));
    tls_client_context_free(&c); /* the session lives on */
    assert_true(client_pair_shake(&p));
    tls_client_put_text(p.client, &shown);
    assert_non_null(strstr(text, "verified by evil\\x0d\\x0a250 \\x1b[31m root"));
    client_pair_close(&p);
    SSL_CTX_free(server);
    issued_free(&leaf);
    issued_free(&odd);
}

static void test_text_is_short(void **state)
{
    (void)state;
    static const char *const names[] = {
        "Exactly sixty-four characters are the most that a CN may have!!!",
        "\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b\x1b"};
    for (unsigned i = 0; i < 2; i++) {
        struct issued self = issue(&(struct issue){names[i], "DNS:mx.example.org", -1, 9, true, true}, NULL);
        char pem[4096], text[LIMIT_RELAY_TLS_OCTETS + 1] = {0};
        const char *error;
        struct buf b = buf_on(pem, sizeof pem), shown = buf_on(text, sizeof text - 1);
        issued_put(&self, &b);
        struct tls_client_context *c = tls_client_context_create(buf_span(&b), &error);
        SSL_CTX *server = issued_server((const struct issued *const[]){&self}, 1, 0);
        SSL_CTX_set_ciphersuites(server, "TLS_CHACHA20_POLY1305_SHA256");
        struct client_pair p;
        assert_true(client_pair_open(
            &p, c, &(struct tls_client_peer){.verify = AUTHORITY, .name = SPAN("mx.example.org")}, server));
        assert_true(client_pair_shake(&p));
        tls_client_put_text(p.client, &shown);
        assert_false(shown.over);
        assert_non_null(strstr(text, i ? "an authority with an odd name" : names[0]));
        client_pair_close(&p);
        tls_client_context_free(&c);
        SSL_CTX_free(server);
        issued_free(&self);
    }
}

static void test_authorities(void **state)
{
    (void)state;
    const char *error;
    char pem[8192];
    struct tls_client_context *c = tls_client_context_create(SPAN(" \r\n"), &error);
    assert_non_null(c);
    assert_int_equal(tls_client_authorities(c), 0);
    tls_client_context_free(&c);
    assert_null(tls_client_context_create(SPAN("nothing in here\n"), &error));
    assert_string_equal(error, "no certificate in the file of authorities");
    struct buf b = buf_on(pem, sizeof pem);
    issued_put(&all[ROOT], &b);
    issued_put(&all[STRANGER], &b);
    issued_put(&all[ROOT], &b); /* twice does no harm */
    c = tls_client_context_create(buf_span(&b), &error);
    assert_int_equal(tls_client_authorities(c), 3);
    tls_client_context_free(&c);
    assert_null(tls_client_context_create(span_of(pem, b.n - 40), &error)); /* cut */
    assert_string_equal(error, "a certificate of the authorities is broken");
    static char large[LIMIT_AUTHORITIES_OCTETS + 1];
    memset(large, 'x', sizeof large);
    assert_null(tls_client_context_create(span_of(large, sizeof large), &error));
    assert_string_equal(error, "too long for a file of certificate authorities");
}

/* Whom we need not know may be old-fashioned (but not older than TLS 1.2); whom we must know may not. */
static void test_key_exchanges(void **state)
{
    (void)state;
    SSL_CTX *server = server_of(WILD, TLS1_2_VERSION); /* RSA */
    assert_int_equal(SSL_CTX_set_cipher_list(server, "AES128-SHA"), 1);
    for (unsigned known = 0; known < 2; known++) {
        struct tls_client_peer peer = {.verify = known ? AUTHORITY : ANYBODY, .name = SPAN("mx.example.org")};
        struct client_pair p;
        assert_true(client_pair_open(&p, context, &peer, server));
        assert_int_equal(client_pair_shake(&p), !known);
        client_pair_close(&p);
    }
    SSL_CTX_set_min_proto_version(server, 0);
    SSL_CTX_set_max_proto_version(server, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(server, "ALL:@SECLEVEL=0");
    struct client_pair p;
    assert_true(client_pair_open(&p, context, &(struct tls_client_peer){.verify = ANYBODY}, server));
    assert_false(client_pair_shake(&p));
    client_pair_close(&p);
    SSL_CTX_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_usable),
        cmocka_unit_test(test_names_that_are_none),
        cmocka_unit_test(test_server_name),
        cmocka_unit_test(test_text_is_escaped),
        cmocka_unit_test(test_text_is_short),
        cmocka_unit_test(test_authorities),
        cmocka_unit_test(test_key_exchanges),
    };
    return cmocka_run_group_tests_name("tls_client", tests, group_setup, group_teardown);
}
