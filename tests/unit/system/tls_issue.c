#include "tls_issue.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void must(bool good)
{
    if (good) return;
    ERR_print_errors_fp(stderr);
    abort();
}

static void extension(X509 *x, X509 *by, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, by, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(e && X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

struct issued issue(const struct issue *what, const struct issued *by)
{
    return issue_more(what, &(struct issue_more){.weak = false}, by);
}

struct issued issue_more(const struct issue *what, const struct issue_more *more, const struct issued *by)
{
    static long serial = 1000;
    struct issued c = {what->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), X509_new()};
    must(c.key && c.x && X509_set_version(c.x, X509_VERSION_3) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x), ++serial);
    time_t now = time(NULL);
    X509_time_adj_ex(X509_getm_notBefore(c.x), what->from, 0, &now);
    X509_time_adj_ex(X509_getm_notAfter(c.x), what->until, 0, &now);
    X509_NAME *name = X509_get_subject_name(c.x);
    must(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const unsigned char *)what->common,
                                    -1, -1, 0) == 1);
    if (!by) by = &c;
    X509_set_issuer_name(c.x, X509_get_subject_name(by->x));
    X509_set_pubkey(c.x, c.key);
    extension(c.x, by->x, NID_basic_constraints, what->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extension(c.x, by->x, NID_subject_key_identifier, "hash");
    if (what->names) extension(c.x, by->x, NID_subject_alt_name, what->names);
    if (more->purpose) extension(c.x, by->x, NID_ext_key_usage, more->purpose);
    if (more->constraints) extension(c.x, by->x, NID_name_constraints, more->constraints);
    must(X509_sign(c.x, by->key, more->weak ? EVP_sha1() : EVP_sha256()) > 0);
    return c;
}

void issued_free(struct issued *c)
{
    X509_free(c->x);
    EVP_PKEY_free(c->key);
    *c = (struct issued){0};
}

void issued_put(const struct issued *c, struct buf *b)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *p;
    must(out && PEM_write_bio_X509(out, c->x) == 1);
    long n = BIO_get_mem_data(out, &p);
    buf_put(b, span_of(p, (size_t)n));
    must(!b->over);
    BIO_free(out);
}

struct span issued_tlsa(const struct issued *c, unsigned usage, unsigned selector, unsigned matching,
                        uint8_t to[2048])
{
    unsigned char *der = NULL;
    int n = selector == 1 ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &der) : i2d_X509(c->x, &der);
    must(n > 0 && n < 2000);
    to[0] = (uint8_t)usage;
    to[1] = (uint8_t)selector;
    to[2] = (uint8_t)matching;
    unsigned octets = (unsigned)n;
    if (matching == 0)
        memcpy(to + 3, der, octets);
    else
        must(EVP_Digest(der, octets, to + 3, &octets, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL) ==
             1);
    OPENSSL_free(der);
    return span_of(to, octets + 3);
}

SSL_CTX *issued_server(const struct issued *const *chain, unsigned n, int version)
{
    SSL_CTX *x = SSL_CTX_new(TLS_server_method());
    must(x && SSL_CTX_use_certificate(x, chain[0]->x) == 1 && SSL_CTX_use_PrivateKey(x, chain[0]->key) == 1);
    SSL_CTX_set_mode(x, SSL_MODE_NO_AUTO_CHAIN);
    for (unsigned i = 1; i < n; i++)
        must(SSL_CTX_add1_chain_cert(x, chain[i]->x) == 1);
    if (version)
        must(SSL_CTX_set_min_proto_version(x, version) == 1 &&
             SSL_CTX_set_max_proto_version(x, version) == 1);
    return x;
}

bool client_pair_open(struct client_pair *p, struct tls_client_context *c, const struct tls_client_peer *peer,
                      SSL_CTX *server)
{
    int fd[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    *p = (struct client_pair){.client_fd = fd[0], .server_fd = fd[1], .result = TLS_WANT_READ};
    p->client = tls_client_create(c, fd[0], peer, p);
    if (server) {
        p->server = SSL_new(server);
        must(p->server && SSL_set_fd(p->server, fd[1]) == 1);
        SSL_set_accept_state(p->server);
    }
    return p->client != NULL;
}

static void server_step(struct client_pair *p)
{
    if (!p->server || p->server_done || p->server_failed) return;
    ERR_clear_error();
    int r = SSL_do_handshake(p->server);
    int error = SSL_get_error(p->server, r);
    p->server_done = r == 1;
    p->server_failed = r != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
}

bool client_pair_shake(struct client_pair *p)
{
    for (unsigned i = 0; i < 100; i++) {
        if (p->result != TLS_DONE && p->result != TLS_FAILED) p->result = tls_handshake(p->client);
        server_step(p);
        if (p->result == TLS_FAILED) return false;
        if (p->result == TLS_DONE && p->server_done) return true;
    }
    return false;
}

void client_pair_close(struct client_pair *p)
{
    tls_free(&p->client);
    SSL_free(p->server);
    close(p->client_fd);
    close(p->server_fd);
    ERR_clear_error();
}
