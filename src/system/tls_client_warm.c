/* The first handshakes of a relay, in memory, before its cage: each way of verifying, one that succeeds and one that fails, in
 * both versions, with a throw-away server in the same process. */
/* Macros of OpenSSL that only read a text cast its constness away. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#include "system/tls_client_private.h"
#include "system/tls_selfsigned.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WARM_NAME     "localhost"
#define RECORD_OCTETS 35 /* TLSA: three octets and a SHA-256 */

struct stage {
    SSL_CTX *server;
    X509 *certificate;
    struct tls_client_context *trusting; /* knows the throw-away certificate as an authority */
};

static bool server_make(struct stage *s, struct span key_pem, struct span chain_pem)
{
    BIO *k = BIO_new_mem_buf(key_pem.p, (int)key_pem.n), *x = BIO_new_mem_buf(chain_pem.p, (int)chain_pem.n);
    EVP_PKEY *key = k ? PEM_read_bio_PrivateKey(k, NULL, NULL, NULL) : NULL;
    s->certificate = x ? PEM_read_bio_X509(x, NULL, NULL, NULL) : NULL;
    s->server = SSL_CTX_new(TLS_server_method());
    bool good = key && s->certificate && s->server && tls_rules(s->server) &&
                SSL_CTX_use_cert_and_key(s->server, s->certificate, key, NULL, 1) == 1;
    EVP_PKEY_free(key);
    BIO_free(k);
    BIO_free(x);
    return good;
}

static bool stage_make(struct stage *s)
{
    char key[2048], chain[2048];
    const char *error;
    struct buf k = buf_on(key, sizeof key), x = buf_on(chain, sizeof chain);
    bool good = tls_selfsigned(SPAN(WARM_NAME), (uint64_t)time(NULL), &k, &x) &&
                server_make(s, buf_span(&k), buf_span(&x));
    if (good) s->trusting = tls_client_context_create(buf_span(&x), &error);
    explicit_bzero(key, sizeof key);
    return good && s->trusting;
}

static bool connection(const struct stage *s, struct tls_client_context *c, const struct tls_client_peer *p,
                       int version, const char *group, const char *ciphers_13, bool completes)
{
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0) return false;
    struct tls *client = tls_client_create(c, fd[0], p, NULL);
    SSL *server = SSL_new(s->server);
    bool good = client && server && SSL_set_fd(server, fd[1]) == 1 &&
                SSL_set_min_proto_version(server, version) == 1 &&
                SSL_set_max_proto_version(server, version) == 1 && SSL_set1_groups_list(server, group) == 1 &&
                SSL_set_ciphersuites(server, ciphers_13) == 1;
    if (good) {
        SSL_set_accept_state(server);
        good = tls_warm_shake(client, server, completes);
    }
    SSL_free(server);
    tls_free(&client);
    close(fd[0]);
    close(fd[1]);
    ERR_clear_error();
    return good;
}

static bool all_ways(const struct stage *s, struct tls_client_context *real, int version)
{
    static const char *const groups[] = {"P-256", "X25519:P-256", "P-384:P-256", "P-521:P-256"};
    static const char *const ciphers[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                          "TLS_CHACHA20_POLY1305_SHA256"};
    uint8_t ee[RECORD_OCTETS] = {3, 0, 1}, ta[RECORD_OCTETS] = {2, 0, 1};
    if (X509_digest(s->certificate, EVP_sha256(), ee + RECORD_OCTETS - 32, NULL) != 1) return false;
    const struct span right = span_of(ee, sizeof ee), wrong = span_of(ta, sizeof ta);
    const struct {
        struct tls_client_peer peer;
        bool trusting, completes;
    } ways[] = {
        {{.verify = TLS_CLIENT_ANYBODY, .name = SPAN("other.invalid")}, false, true},
        {{.verify = TLS_CLIENT_AUTHORITY, .name = SPAN(WARM_NAME)}, true, true},
        {{.verify = TLS_CLIENT_DANE, .name = SPAN(WARM_NAME), .tlsa = &right, .n_tlsa = 1}, false, true},
        {{.verify = TLS_CLIENT_ANYBODY, .name = SPAN("127.0.0.1")}, true, true},
        {{.verify = TLS_CLIENT_AUTHORITY, .name = SPAN(WARM_NAME)}, false, false},
        {{.verify = TLS_CLIENT_AUTHORITY, .name = SPAN("other.invalid")}, true, false},
        {{.verify = TLS_CLIENT_DANE, .name = SPAN(WARM_NAME), .tlsa = &wrong, .n_tlsa = 1}, false, false},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (!connection(s, ways[i].trusting ? s->trusting : real, &ways[i].peer, version, groups[i % 4],
                        ciphers[i % 3], ways[i].completes))
            return false;
    return true;
}

bool tls_client_warm_up(struct tls_client_context *c, const char **error)
{
    struct stage s = {0};
    uint8_t octet;
    bool good = RAND_bytes(&octet, 1) == 1 && RAND_priv_bytes(&octet, 1) == 1 && stage_make(&s);
    *error = "TLS cannot be initialised";
    if (good) {
        good = all_ways(&s, c, TLS1_2_VERSION) && all_ways(&s, c, TLS1_3_VERSION);
        *error = "TLS warm-up: a handshake in memory did not end as it must";
    }
    tls_client_context_free(&s.trusting);
    SSL_CTX_free(s.server);
    X509_free(s.certificate);
    ERR_clear_error();
    if (good) *error = NULL;
    return good;
}
