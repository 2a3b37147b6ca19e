#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_peer.h"

#include "system/tls_certificate.h"
#include <openssl/err.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct tls_material ec, rsa, ec_mail, ec_wild, rsa_mail;
static struct tls_keyring_here keyring;
static struct tls_context *both, *only_rsa, *named;

static struct tls_context *context_of(const char *name, unsigned n, const struct tls_material *const *m,
                                      const unsigned *keys)
{
    char text[512];
    struct buf problem = buf_on(text, sizeof text);
    struct tls_context *c = tls_context_create(span_str(name));
    assert_non_null(c);
    for (unsigned i = 0; i < n; i++)
        assert_true(tls_context_add(c, m[i]->chain_pem, "chain.pem",
                                    (struct tls_key_id){0, (uint16_t)keys[i]}, &problem));
    return c;
}

static int group_setup(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    tls_material_make(&ec, false, "DNS:a.example", 90);
    tls_material_make(&rsa, true, "DNS:a.example", 90);
    tls_material_make(&ec_mail, false, "DNS:mail.b.example", 90);
    tls_material_make(&ec_wild, false, "DNS:*.b.example,DNS:b.example", 90);
    tls_material_make(&rsa_mail, true, "DNS:mail.b.example", 90);
    const struct tls_material *all[] = {&ec, &rsa, &ec_wild, &ec_mail, &rsa_mail};
    for (unsigned i = 0; i < 5; i++)
        tls_keyring_here_add(&keyring, i, all[i]);
    both = context_of("both", 2, all, (const unsigned[]){0, 1});
    only_rsa = context_of("rsa", 1, (const struct tls_material *const[]){&rsa}, (const unsigned[]){1});
    named = context_of("named", 5, all, (const unsigned[]){0, 1, 2, 3, 4});
    struct tls_ticket_keys k = {0};
    assert_true(tls_ticket_rotate(&k));
    int fd = tls_ticket_memfd(&k);
    assert_true(fd >= 0);
    assert_true(tls_ticket_load(fd));
    close(fd);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    tls_context_free(&both);
    tls_context_free(&only_rsa);
    tls_context_free(&named);
    tls_keyring_here_free(&keyring);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    keyring.mood = KEYRING_DEFERRED;
    keyring.waiting = keyring.asked = 0;
    tls_keyring_here(&keyring);
    return 0;
}

static void pair_good(struct tls_pair *p, struct tls_context *c, SSL_CTX *client)
{
    assert_true(tls_pair_open(p, c, client, span_of(NULL, 0)));
    assert_true(tls_pair_shake(p, &keyring));
}

static void data_crosses(struct tls_pair *p)
{
    uint8_t got[64];
    size_t n;
    assert_int_equal(SSL_write(p->client, "EHLO x\r\n", 8), 8);
    assert_int_equal(tls_read(p->server, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, 8);
    assert_memory_equal(got, "EHLO x\r\n", 8);
    assert_int_equal(tls_read(p->server, got, sizeof got, &n), TLS_WANT_READ);
    assert_int_equal(tls_write(p->server, SPAN("250 ok\r\n"), &n), TLS_DONE);
    assert_int_equal(n, 8);
    assert_int_equal(SSL_read(p->client, got, sizeof got), 8);
    assert_memory_equal(got, "250 ok\r\n", 8);
}

static void handshake_of(struct tls_context *c, int version, const char *signatures, bool want_rsa)
{
    SSL_CTX *client = tls_client_context(version);
    assert_int_equal(SSL_CTX_set1_sigalgs_list(client, signatures), 1);
    struct tls_pair p;
    keyring.asked = 0;
    pair_good(&p, c, client);
    assert_int_equal(keyring.asked, 1);
    assert_string_equal(tls_version(p.server), version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
    assert_true(tls_cipher(p.server)[0] != '\0');
    assert_ptr_equal(tls_owner(p.server), &p);
    X509 *x = SSL_get1_peer_certificate(p.client);
    assert_int_equal(EVP_PKEY_is_a(X509_get0_pubkey(x), "RSA"), want_rsa);
    X509_free(x);
    data_crosses(&p);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_versions_and_keys(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        handshake_of(both, versions[v], "ECDSA+SHA256", false);
        handshake_of(both, versions[v], "rsa_pss_rsae_sha256", true);
        handshake_of(both, versions[v], "rsa_pss_rsae_sha384", true);
        handshake_of(only_rsa, versions[v], "rsa_pss_rsae_sha512:ECDSA+SHA256", true);
    }
    handshake_of(both, TLS1_2_VERSION, "ECDSA+SHA384:RSA+SHA256", false);
    handshake_of(only_rsa, TLS1_2_VERSION, "RSA+SHA256", true);
    handshake_of(both, TLS1_2_VERSION, "RSA+SHA512", true);
    handshake_of(both, TLS1_2_VERSION, "ECDSA+SHA512", false);
}

static void sni(const char *name, const char *signatures, const struct tls_material *want)
{
    SSL_CTX *client = tls_client_context(0);
    assert_int_equal(SSL_CTX_set1_sigalgs_list(client, signatures), 1);
    struct tls_pair p;
    assert_true(tls_pair_open(&p, named, client, span_of(NULL, 0)));
    if (name) SSL_set_tlsext_host_name(p.client, name);
    assert_true(tls_pair_shake(&p, &keyring));
    X509 *x = SSL_get1_peer_certificate(p.client);
    BIO *b = BIO_new_mem_buf(want->chain_pem.p, (int)want->chain_pem.n);
    X509 *y = PEM_read_bio_X509(b, NULL, NULL, NULL);
    assert_int_equal(X509_cmp(x, y), 0);
    struct span asked = tls_server_name(p.server);
    assert_true(span_eq(asked, span_str(name)));
    X509_free(x);
    X509_free(y);
    BIO_free(b);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_server_names(void **state)
{
    (void)state;
    const char *either = "ECDSA+SHA256:rsa_pss_rsae_sha256", *rsa_only = "rsa_pss_rsae_sha256";
    sni(NULL, either, &ec);
    sni(NULL, rsa_only, &rsa);
    sni("other.example", either, &ec);
    sni("a.example", rsa_only, &rsa);
    sni("mail.b.example", either, &ec_mail);
    sni("MAIL.B.EXAMPLE", either, &ec_mail);
    sni("mail.b.example", rsa_only, &rsa_mail);
    sni("smtp.b.example", either, &ec_wild);
    sni("b.example", either, &ec_wild);
    sni("x.y.b.example", either, &ec); /* a wildcard is one label */
}

static void test_no_certificate_for_the_clients_abilities(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(TLS1_3_VERSION);
    SSL_CTX_set1_sigalgs_list(client, "ECDSA+SHA256");
    struct tls_pair p;
    assert_true(tls_pair_open(&p, only_rsa, client, span_of(NULL, 0)));
    assert_false(tls_pair_shake(&p, &keyring));
    assert_int_equal(p.result, TLS_FAILED);
    assert_true(strlen(tls_reason(p.server)) > 5);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void version_refused(int version)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(client, version);
    SSL_CTX_set_max_proto_version(client, version);
    SSL_CTX_set_cipher_list(client, "ALL:@SECLEVEL=0");
    struct tls_pair p;
    assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
    assert_false(tls_pair_shake(&p, &keyring));
    assert_int_equal(p.result, TLS_FAILED);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_old_versions_and_static_rsa_refused(void **state)
{
    (void)state;
    version_refused(TLS1_VERSION);
    version_refused(TLS1_1_VERSION);
    SSL_CTX *client = tls_client_context(TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(client, "kRSA:@SECLEVEL=0"), 1);
    struct tls_pair p;
    assert_true(tls_pair_open(&p, only_rsa, client, span_of(NULL, 0)));
    assert_false(tls_pair_shake(&p, &keyring));
    assert_int_equal(p.result, TLS_FAILED);
    assert_int_equal(keyring.asked, 0);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

/* A client connects, sends nothing that matters, and keeps its session. */
static SSL_SESSION *session_of(struct tls_context *c, SSL_CTX *client, SSL_SESSION *resume, bool want_resumed)
{
    struct tls_pair p;
    assert_true(tls_pair_open(&p, c, client, span_of(NULL, 0)));
    if (resume) assert_int_equal(SSL_set_session(p.client, resume), 1);
    assert_true(tls_pair_shake(&p, &keyring));
    data_crosses(&p);
    assert_int_equal(tls_resumed(p.server), want_resumed);
    assert_int_equal(SSL_session_reused(p.client), want_resumed);
    SSL_SESSION *s = SSL_get1_session(p.client);
    SSL_shutdown(p.client);
    tls_pair_close(&p);
    return s;
}

static void resumption(int version)
{
    const struct tls_material *m[] = {&ec};
    const unsigned keys[] = {0};
    struct tls_context *edge_1 = context_of("mx", 1, m, keys), *edge_2 = context_of("mx", 1, m, keys);
    struct tls_context *other = context_of("submission", 1, m, keys);
    SSL_CTX *client = tls_client_context(version);
    struct tls_ticket_keys k = {0};
    assert_true(tls_ticket_rotate(&k));
    int fd = tls_ticket_memfd(&k);
    assert_true(tls_ticket_load(fd));
    close(fd);

    SSL_SESSION *first = session_of(edge_1, client, NULL, false);
    keyring.asked = 0;
    SSL_SESSION *second = session_of(edge_2, client, first, true);
    assert_int_equal(keyring.asked, 0);
    SSL_SESSION_free(session_of(other, client, second, false)); /* another virtual server does not take it */

    assert_true(tls_ticket_rotate(&k)); /* one hour later: still good, and renewed */
    fd = tls_ticket_memfd(&k);
    assert_true(tls_ticket_load(fd));
    close(fd);
    SSL_SESSION *third = session_of(edge_1, client, first, true);
    for (unsigned i = 0; i < 2; i++) /* and two hours later the key is gone */
        assert_true(tls_ticket_rotate(&k));
    fd = tls_ticket_memfd(&k);
    assert_true(tls_ticket_load(fd));
    close(fd);
    SSL_SESSION_free(session_of(edge_1, client, third, false));
    SSL_SESSION_free(first);
    SSL_SESSION_free(second);
    SSL_SESSION_free(third);
    SSL_CTX_free(client);
    tls_context_free(&edge_1);
    tls_context_free(&edge_2);
    tls_context_free(&other);
}

static void test_resumption_across_edges(void **state)
{
    (void)state;
    resumption(TLS1_2_VERSION);
    resumption(TLS1_3_VERSION);
}

static void test_ticket_file(void **state)
{
    (void)state;
    int fd = memfd_create("x", 0);
    const struct tls_ticket_keys before = *tls_ticket_current();
    assert_false(tls_ticket_load(fd));
    assert_int_equal(ftruncate(fd, 168), 0);
    assert_false(tls_ticket_load(fd));
    assert_false(tls_ticket_load(-1));
    assert_memory_equal(tls_ticket_current(), &before, sizeof before);
    close(fd);
    struct tls_ticket_keys k = {0};
    assert_true(tls_ticket_rotate(&k));
    assert_memory_not_equal(&k.key[0], &k.key[1], sizeof k.key[0]);
    fd = tls_ticket_memfd(&k);
    assert_int_equal(write(fd, "x", 1), -1); /* sealed */
    assert_int_equal(ftruncate(fd, 1), -1);
    close(fd);
}

static void test_preread_octets_begin_the_handshake(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair p;
    assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
    SSL_do_handshake(p.client);
    uint8_t hello[2048];
    ssize_t n = read(p.server_fd, hello, sizeof hello);
    assert_true(n > 100);
    tls_free(&p.server);
    p.server = tls_create(both, p.server_fd, span_of(hello, (size_t)n), &p);
    assert_true(tls_pair_shake(&p, &keyring));
    data_crosses(&p);
    tls_pair_close(&p);
    static uint8_t much[LIMIT_TLS_PREREAD_OCTETS + 1];
    assert_null(tls_create(both, 0, span_of(much, sizeof much), NULL));
    SSL_CTX_free(client);
}

static void test_keyring_refuses_or_is_gone(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    static const enum keyring_mood moods[] = {KEYRING_REFUSES, KEYRING_GONE};
    for (unsigned i = 0; i < 2; i++) {
        keyring.mood = moods[i];
        struct tls_pair p;
        assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
        assert_false(tls_pair_shake(&p, &keyring));
        assert_int_equal(p.result, TLS_FAILED);
        assert_non_null(strstr(tls_reason(p.server), "keyring"));
        tls_pair_close(&p);
    }
    SSL_CTX_free(client);
}

static void test_keyring_dies_while_asked(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair p[3];
    for (unsigned i = 0; i < 3; i++) {
        assert_true(tls_pair_open(&p[i], both, client, span_of(NULL, 0)));
        SSL_do_handshake(p[i].client);
        assert_int_equal(tls_handshake(p[i].server), TLS_WANT_KEY);
        assert_int_equal(tls_handshake(p[i].server), TLS_WANT_KEY);
    }
    tls_free(&p[1].server); /* a session that ends while it is asked for, too */
    unsigned lost = 0;
    for (struct tls *t; (t = tls_key_lost());) {
        lost++;
        assert_int_equal(tls_handshake(t), TLS_FAILED);
    }
    assert_int_equal(lost, 2);
    while (keyring.waiting)
        assert_null(tls_keyring_here_answer(&keyring)); /* late answers find nobody */
    for (unsigned i = 0; i < 3; i++)
        tls_pair_close(&p[i]);
    SSL_CTX_free(client);
}

static void test_session_freed_between_answer_and_handshake(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair p;
    assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
    SSL_do_handshake(p.client);
    assert_int_equal(tls_handshake(p.server), TLS_WANT_KEY);
    assert_ptr_equal(tls_keyring_here_answer(&keyring), p.server);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_answers_out_of_order_and_wrong(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair a, b;
    assert_true(tls_pair_open(&a, both, client, span_of(NULL, 0)));
    assert_true(tls_pair_open(&b, both, client, span_of(NULL, 0)));
    SSL_do_handshake(a.client);
    SSL_do_handshake(b.client);
    assert_int_equal(tls_handshake(a.server), TLS_WANT_KEY);
    assert_int_equal(tls_handshake(b.server), TLS_WANT_KEY);
    bool bad;
    uint8_t octets[16] = {0};
    assert_null(tls_key_answer(span_of(octets, sizeof octets), &bad));
    assert_true(bad);
    struct buf out = buf_on(octets, sizeof octets);
    struct sign_answer stranger = {.id = 0xffffffffffffffffu, .status = SIGN_ERROR};
    sign_answer_put(&out, &stranger);
    assert_null(tls_key_answer(buf_span(&out), &bad));
    assert_false(bad);
    /* b first */
    uint8_t swap[SIGN_QUESTION_OCTETS_MAX];
    memcpy(swap, keyring.question[0], sizeof swap);
    memcpy(keyring.question[0], keyring.question[1], sizeof swap);
    memcpy(keyring.question[1], swap, sizeof swap);
    size_t n = keyring.question_n[0];
    keyring.question_n[0] = keyring.question_n[1];
    keyring.question_n[1] = n;
    assert_ptr_equal(tls_keyring_here_answer(&keyring), b.server);
    assert_ptr_equal(tls_keyring_here_answer(&keyring), a.server);
    assert_true(tls_pair_shake(&b, &keyring));
    assert_true(tls_pair_shake(&a, &keyring));
    data_crosses(&a);
    data_crosses(&b);
    tls_pair_close(&a);
    tls_pair_close(&b);
    SSL_CTX_free(client);
}

/* A keyring that answers with the wrong key's signature: the client notices, the server fails. */
static void test_wrong_signature(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    struct signer *right = keyring.signers[0];
    keyring.signers[0] = keyring.signers[3];
    struct tls_pair p;
    assert_true(tls_pair_open(&p, both, client, span_of(NULL, 0)));
    assert_false(tls_pair_shake(&p, &keyring));
    assert_true(p.client_failed);
    assert_int_equal(tls_handshake(p.server), TLS_FAILED);
    keyring.signers[0] = right;
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_handshakes_are_capped(void **state)
{
    (void)state;
    SSL_CTX *client = tls_client_context(0);
    tls_handshakes_limit(2);
    struct tls_pair a, b, c;
    assert_true(tls_pair_open(&a, both, client, span_of(NULL, 0)));
    assert_true(tls_can_start());
    assert_true(tls_pair_open(&b, both, client, span_of(NULL, 0)));
    assert_false(tls_can_start());
    assert_false(tls_pair_open(&c, both, client, span_of(NULL, 0)));
    tls_pair_close(&c);
    assert_true(tls_pair_shake(&a, &keyring)); /* done: its place is free */
    assert_true(tls_can_start());
    assert_true(tls_pair_open(&c, both, client, span_of(NULL, 0)));
    assert_false(tls_can_start());
    tls_free(&b.server);
    assert_true(tls_can_start());
    tls_pair_close(&a);
    tls_pair_close(&b);
    tls_pair_close(&c);
    tls_handshakes_limit(LIMIT_TLS_HANDSHAKES_DEFAULT);
    SSL_CTX_free(client);
}

static void test_context_outlived_by_session(void **state)
{
    (void)state;
    const struct tls_material *m[] = {&ec};
    struct tls_context *c = context_of("short", 1, m, (const unsigned[]){0});
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair p;
    assert_true(tls_pair_open(&p, c, client, span_of(NULL, 0)));
    tls_context_free(&c);
    assert_null(c);
    assert_true(tls_pair_shake(&p, &keyring));
    data_crosses(&p);
    tls_pair_close(&p);
    SSL_CTX_free(client);
}

static void test_mismatched_key_takes_certificate_out(void **state)
{
    (void)state;
    char text[512];
    struct buf problem = buf_on(text, sizeof text);
    const struct tls_material *m[] = {&ec, &rsa};
    struct tls_context *c = context_of("mismatch", 2, m, (const unsigned[]){0, 1});
    struct tls_key_id first = {0, 0}, second = {0, 1}, third = {0, 2};
    assert_true(tls_context_key_fits(c, first, signer_fingerprint(keyring.signers[0]), &problem));
    assert_true(tls_context_key_fits(c, second, signer_fingerprint(keyring.signers[1]), &problem));
    assert_false(tls_context_key_fits(c, third, signer_fingerprint(keyring.signers[1]), &problem));
    assert_int_equal(problem.n, 0);
    assert_false(tls_context_key_fits(c, first, signer_fingerprint(keyring.signers[3]), &problem));
    buf_byte(&problem, 0);
    assert_non_null(strstr(text, "chain.pem: the private key does not belong"));
    assert_true(tls_context_remove(c, first));
    assert_int_equal(tls_context_certificates(c), 1);
    handshake_of(c, TLS1_3_VERSION, "ECDSA+SHA256:rsa_pss_rsae_sha256", true);
    assert_false(tls_context_remove(c, second));
    SSL_CTX *client = tls_client_context(0);
    struct tls_pair p;
    assert_true(tls_pair_open(&p, c, client, span_of(NULL, 0)));
    assert_false(tls_pair_shake(&p, &keyring)); /* none left */
    assert_int_equal(p.result, TLS_FAILED);
    tls_pair_close(&p);
    SSL_CTX_free(client);
    tls_context_free(&c);
}

static void test_warm_up(void **state)
{
    (void)state;
    const char *error = "";
    struct tls_context *contexts[] = {both, only_rsa, named};
    keyring.asked = 0;
    bool warmed = tls_warm_up(contexts, 3, &error);
    assert_string_equal(error ? error : "", "");
    assert_true(warmed);
    assert_int_equal(keyring.asked, 0); /* the real keyring is not needed */
    handshake_of(both, TLS1_3_VERSION, "ECDSA+SHA256", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_versions_and_keys, setup),
        cmocka_unit_test_setup(test_server_names, setup),
        cmocka_unit_test_setup(test_no_certificate_for_the_clients_abilities, setup),
        cmocka_unit_test_setup(test_old_versions_and_static_rsa_refused, setup),
        cmocka_unit_test_setup(test_resumption_across_edges, setup),
        cmocka_unit_test_setup(test_ticket_file, setup),
        cmocka_unit_test_setup(test_preread_octets_begin_the_handshake, setup),
        cmocka_unit_test_setup(test_keyring_refuses_or_is_gone, setup),
        cmocka_unit_test_setup(test_keyring_dies_while_asked, setup),
        cmocka_unit_test_setup(test_session_freed_between_answer_and_handshake, setup),
        cmocka_unit_test_setup(test_answers_out_of_order_and_wrong, setup),
        cmocka_unit_test_setup(test_wrong_signature, setup),
        cmocka_unit_test_setup(test_handshakes_are_capped, setup),
        cmocka_unit_test_setup(test_context_outlived_by_session, setup),
        cmocka_unit_test_setup(test_mismatched_key_takes_certificate_out, setup),
        cmocka_unit_test_setup(test_warm_up, setup),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
