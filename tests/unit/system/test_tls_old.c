/* TLS as old devices speak it, in a context of its own; and that no other context does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_peer.h"

#include <signal.h>
#include <stdio.h>

static struct tls_material ec, rsa, ec_strict, rsa_strict;
static struct tls_keyring_here keyring;
static struct tls_context *old, *strict,
    *others; /* others: old devices, with keys that sign nothing for them */

static struct tls_context *context_of(bool is_old, unsigned first)
{
    const struct tls_material *all[] = {&ec, &rsa, &ec_strict, &rsa_strict};
    char text[512];
    struct buf problem = buf_on(text, sizeof text);
    struct tls_context *c = tls_context_create(is_old ? SPAN("old") : SPAN("strict"));
    assert_non_null(c);
    if (is_old) assert_true(tls_context_old(c));
    for (unsigned i = first; i < first + 2; i++)
        assert_true(tls_context_add(c, all[i]->chain_pem, "chain.pem", (struct tls_key_id){0, (uint16_t)i},
                                    &problem));
    return c;
}

static int group_setup(void **state)
{
    (void)state;
    struct tls_material *all[] = {&ec, &rsa, &ec_strict, &rsa_strict};
    signal(SIGPIPE, SIG_IGN);
    keyring.mood = KEYRING_DEFERRED;
    for (unsigned i = 0; i < 4; i++) {
        tls_material_make(all[i], i % 2 == 1, "DNS:a.example", 90);
        tls_keyring_here_add(&keyring, i, all[i]);
    }
    tls_keyring_here(&keyring);
    struct tls_ticket_keys k = {0};
    int fd = tls_ticket_rotate(&k) ? tls_ticket_memfd(&k) : -1;
    if (!signer_permit_old(keyring.signers[0]) || !signer_permit_old(keyring.signers[1]) ||
        !tls_ticket_load(fd))
        return -1;
    old = context_of(true, 0);
    strict = context_of(false, 0);
    others = context_of(true, 2);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_context_free(&old);
    tls_context_free(&strict);
    tls_context_free(&others);
    tls_keyring_here_free(&keyring);
    return 0;
}

static void data_crosses(struct tls_pair *p)
{
    uint8_t got[64];
    size_t n;
    assert_int_equal(SSL_write(p->client, "EHLO x\r\n", 8), 8);
    assert_int_equal(tls_read(p->server, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, 8);
    assert_int_equal(tls_write(p->server, SPAN("250 ok\r\n"), &n), TLS_DONE);
    assert_int_equal(SSL_read(p->client, got, sizeof got), 8);
}

static const char *name_of(int version)
{
    static const char *const names[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    return names[version - TLS1_VERSION];
}

/* A client that takes anything. Null signatures: the library's. True: they agree on that version and cipher, and octets cross. *session: tried, then
 * that of this connection. */
static bool meets(struct tls_context *c, int version, const char *cipher, const char *signatures,
                  SSL_SESSION **session)
{
    char list[128];
    SSL_CTX *client = tls_client_context(version);
    struct tls_pair p;
    snprintf(list, sizeof list, "%s:@SECLEVEL=0", cipher);
    assert_int_equal(SSL_CTX_set_cipher_list(client, list), 1);
    if (signatures) assert_int_equal(SSL_CTX_set1_sigalgs_list(client, signatures), 1);
    assert_true(tls_pair_open(&p, c, client, span_of(NULL, 0)));
    if (session && *session) assert_int_equal(SSL_set_session(p.client, *session), 1);
    bool good = tls_pair_shake(&p, &keyring);
    if (good) {
        assert_string_equal(tls_version(p.server), name_of(version));
        if (version != TLS1_3_VERSION) assert_string_equal(tls_cipher(p.server), cipher);
        data_crosses(&p);
        if (session) {
            SSL_SESSION_free(*session);
            *session = SSL_get1_session(p.client);
        }
    }
    tls_pair_close(&p);
    SSL_CTX_free(client);
    return good;
}

static bool speaks(struct tls_context *c, int version, const char *cipher)
{
    return meets(c, version, cipher, NULL, NULL);
}

#define GOOD "ECDHE-ECDSA-AES128-GCM-SHA256"

static void what_is_spoken(void **state)
{
    static const char *const ciphers[] = {"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES256-SHA",
                                          "DHE-RSA-AES128-SHA", "DHE-RSA-AES256-SHA"};
    (void)state;
    for (unsigned i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
        for (int version = TLS1_VERSION; version <= TLS1_2_VERSION; version++) {
            assert_true(speaks(old, version, ciphers[i]));
            assert_false(speaks(strict, version, ciphers[i]));
        }
    assert_true(speaks(old, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384"));
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
        assert_true(speaks(old, version, GOOD) && speaks(strict, version, GOOD));
    assert_true(meets(old, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", "RSA+SHA1", NULL));
    assert_true(meets(old, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", "ECDSA+SHA1", NULL));
    assert_false(meets(strict, TLS1_2_VERSION, GOOD, "ECDSA+SHA1", NULL));
}

static void what_is_not(void **state)
{
    static const char *const ciphers[] = {"AES128-SHA",       "AECDH-AES128-SHA",   "ADH-AES128-SHA",
                                          "NULL-SHA",         "ECDHE-RSA-NULL-SHA", "DHE-RSA-CAMELLIA128-SHA",
                                          "AES128-GCM-SHA256"};
    (void)state;
    for (unsigned i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++)
        assert_false(speaks(old, i < 6 ? TLS1_VERSION : TLS1_2_VERSION, ciphers[i]));
}

/* A captured edge may ask for any signature: the keyring gives those of TLS 1.0 for keys of servers for old devices only. */
static void keys_of_others_do_not_sign(void **state)
{
    (void)state;
    assert_false(speaks(others, TLS1_VERSION, "ECDHE-ECDSA-AES128-SHA"));
    assert_false(speaks(others, TLS1_VERSION, "ECDHE-RSA-AES128-SHA"));
    assert_false(meets(others, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA", "RSA+SHA1", NULL));
    assert_true(speaks(others, TLS1_2_VERSION, GOOD));
}

/* The key of tickets is one for all servers. */
static void a_session_is_not_taken_elsewhere(void **state)
{
    SSL_SESSION *session = NULL;
    (void)state;
    for (int version = TLS1_VERSION; version <= TLS1_2_VERSION; version++)
        assert_true(meets(old, version, "ECDHE-ECDSA-AES128-SHA", NULL, &session));
    assert_false(meets(strict, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA", NULL, &session));
    SSL_SESSION_free(session);
}

static void the_oldest_version(void **state)
{
    (void)state;
    struct tls_context *c = context_of(true, 0), *s = context_of(false, 0);
    assert_true(tls_context_minimum(c, 2));
    assert_false(speaks(c, TLS1_VERSION, "ECDHE-ECDSA-AES128-SHA"));
    assert_true(speaks(c, TLS1_1_VERSION, "ECDHE-ECDSA-AES128-SHA"));
    assert_false(tls_context_minimum(s, 1) || tls_context_minimum(s, 2));
    assert_true(tls_context_minimum(s, 3));
    assert_true(speaks(s, TLS1_2_VERSION, GOOD));
    assert_true(tls_context_minimum(s, 4));
    assert_false(speaks(s, TLS1_2_VERSION, GOOD));
    assert_true(speaks(s, TLS1_3_VERSION, GOOD));
    const char *error = "";
    struct tls_context *all[] = {c, s, old, strict};
    keyring.asked = 0;
    assert_true(tls_warm_up(all, 4, &error));
    assert_null(error);
    assert_int_equal(keyring.asked, 0); /* the real keyring is not needed */
    tls_context_free(&c);
    tls_context_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_spoken),
        cmocka_unit_test(what_is_not),
        cmocka_unit_test(keys_of_others_do_not_sign),
        cmocka_unit_test(a_session_is_not_taken_elsewhere),
        cmocka_unit_test(the_oldest_version),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
