/* The first handshakes of a process happen here, before its cage: whatever OpenSSL fetches, allocates or opens at first use
 * (algorithms, error texts, random generator, stacks of paused jobs) is there when a stranger comes. */
/* Macros of OpenSSL that only read a text cast its constness away. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#include "system/signer.h"
#include "system/tls_private.h"
#include "system/tls_selfsigned.h"
#include "system/tls_ticket.h"

#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STEPS_MAX 200 /* of one handshake; a handful are needed */

static struct {
    struct signer *signer; /* null: answers are wrong signatures of this many octets */
    size_t wrong_octets;
    uint8_t question[SIGN_QUESTION_OCTETS_MAX];
    size_t question_n;
} warm;

struct way { /* one way through a handshake */
    int version;
    const char *group, *cipher_13, *signatures;
    const char *ciphers; /* before TLS 1.3; null: those of the library */
    const char *server_name;
    bool completes;
};

/* Keeps the question: it is answered later, so that the job has paused as it does with a real keyring. */
static bool warm_ask(void *context, struct span question)
{
    (void)context;
    memcpy(warm.question, question.p, question.n);
    warm.question_n = question.n;
    return true;
}

static bool warm_answer(void)
{
    struct sign_question q;
    if (!sign_question_read(span_of(warm.question, warm.question_n), &q)) return false;
    uint8_t signature[SIGN_SIGNATURE_OCTETS_MAX], octets[SIGN_ANSWER_OCTETS_MAX];
    size_t n = warm.wrong_octets;
    memset(signature, 0x55, sizeof signature);
    struct sign_answer a = {.id = q.id, .status = SIGN_OK};
    if (warm.signer) a.status = signer_sign(warm.signer, q.scheme, q.digest, signature, &n);
    a.signature = span_of(signature, a.status == SIGN_OK ? n : 0);
    struct buf b = buf_on(octets, sizeof octets);
    sign_answer_put(&b, &a);
    bool bad;
    return tls_key_answer(buf_span(&b), &bad) != NULL;
}

static SSL *client_create(SSL_CTX *ctx, const struct way *w, SSL_SESSION *resume, int fd)
{
    SSL *ssl = SSL_new(ctx);
    if (!ssl) return NULL;
    bool good = SSL_set_fd(ssl, fd) == 1 && SSL_set_min_proto_version(ssl, w->version) == 1 &&
                SSL_set_max_proto_version(ssl, w->version) == 1 && SSL_set1_groups_list(ssl, w->group) == 1 &&
                SSL_set_ciphersuites(ssl, w->cipher_13) == 1 &&
                SSL_set1_sigalgs_list(ssl, w->signatures) == 1;
    if (good && w->ciphers) good = SSL_set_cipher_list(ssl, w->ciphers) == 1;
    if (good && w->server_name) good = SSL_set_tlsext_host_name(ssl, w->server_name) == 1;
    if (good && resume) good = SSL_set_session(ssl, resume) == 1;
    SSL_set_connect_state(ssl);
    if (good) return ssl;
    SSL_free(ssl);
    return NULL;
}

static bool peer_waits(SSL *peer, int r)
{
    int error = SSL_get_error(peer, r);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* True if both sides are done, or, when it must not complete, ours failed. */
static bool shake(struct tls *t, SSL *peer, bool completes)
{
    enum tls_result s = TLS_WANT_READ;
    bool done = false, failed = false;
    for (unsigned step = 0; step < STEPS_MAX; step++) {
        ERR_clear_error();
        if (!done && !failed) {
            int r = SSL_do_handshake(peer);
            done = r == 1;
            failed = !done && !peer_waits(peer, r);
        }
        if (s != TLS_DONE && s != TLS_FAILED) s = tls_handshake(t);
        if (s == TLS_WANT_KEY && !warm_answer()) return false;
        if (s == TLS_DONE && done) return completes;
        if (s == TLS_FAILED) return !done && !completes;
    }
    return false;
}

static bool octets_cross(struct tls *t, SSL *peer)
{
    uint8_t octets[2048] = {0}, got[sizeof octets];
    size_t n;
    if (SSL_write_ex(peer, octets, sizeof octets, &n) != 1 ||
        tls_read(t, got, sizeof got, &n) != TLS_DONE) /* a client takes the ticket, too */
        return false;
    if (tls_write(t, span_of(octets, sizeof octets), &n) != TLS_DONE) return false;
    if (SSL_read_ex(peer, got, sizeof got, &n) != 1) return false;
    if (tls_shutdown(t) != TLS_DONE || SSL_shutdown(peer) < 0) return false;
    return tls_read(t, got, sizeof got, &n) == TLS_EOF_CLEAN;
}

bool tls_warm_shake(struct tls *t, SSL *peer, bool completes)
{
    return shake(t, peer, completes) && (!completes || octets_cross(t, peer));
}

/* One connection. *session: tried for resumption, then replaced by the new one. */
static bool connection(struct tls_context *c, SSL_CTX *client_ctx, const struct way *w, SSL_SESSION **session)
{
    int fd[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0) return false;
    struct tls *server = tls_create(c, fd[0], span_of(NULL, 0), NULL);
    SSL *client = client_create(client_ctx, w, session ? *session : NULL, fd[1]);
    bool good = server && client && tls_warm_shake(server, client, w->completes);
    if (good && session) {
        SSL_SESSION_free(*session);
        *session = SSL_get1_session(client);
    }
    SSL_free(client);
    tls_free(&server);
    close(fd[0]);
    close(fd[1]);
    ERR_clear_error();
    return good;
}

static bool complete_ways(struct tls_context *c, SSL_CTX *client, bool resumes)
{
    static const char *const groups[] = {"X25519", "P-256", "P-384", "P-521"};
    /* In TLS 1.2 the group of an ECDSA certificate must be among the client's. */
    static const char *const groups_12[] = {"X25519:P-256", "P-256", "P-256:P-384", "P-256:P-521"};
    static const char *const ciphers[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                          "TLS_CHACHA20_POLY1305_SHA256"};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (unsigned v = 0; v < 2; v++) {
        SSL_SESSION *session = NULL;
        bool good = true;
        for (unsigned i = 0; i < 8 && good; i++) {
            struct way w = {.version = versions[v],
                            .group = v ? groups[i % 4] : groups_12[i % 4],
                            .cipher_13 = ciphers[i % 3],
                            .signatures = "ECDSA+SHA256",
                            .completes = true};
            good = connection(c, client, &w, resumes && i % 2 ? &session : NULL);
        }
        SSL_SESSION_free(session);
        if (!good) return false;
    }
    return true;
}

/* As devices of long ago do it. */
static bool old_ways(struct tls_context *c, SSL_CTX *client)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_2_VERSION};
    static const char *const ciphers[] = {
        "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0", "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0",
        "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0", "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"};
    for (unsigned i = 0; i < 4; i++) {
        struct way w = {.version = versions[i],
                        .group = "P-256",
                        .cipher_13 = "TLS_AES_128_GCM_SHA256",
                        .signatures = "ECDSA+SHA1",
                        .ciphers = ciphers[i],
                        .completes = true};
        if (!connection(c, client, &w, NULL)) return false;
    }
    return true;
}

static bool throw_away_context(struct tls_context *c, struct signer **signer)
{
    char key[2048], chain[2048], text[256];
    struct buf k = buf_on(key, sizeof key), x = buf_on(chain, sizeof chain),
               problem = buf_on(text, sizeof text);
    bool good = tls_selfsigned(SPAN("localhost"), (uint64_t)time(NULL), &k, &x);
    if (good) *signer = signer_load(buf_span(&k), "warm-up", &problem);
    explicit_bzero(key, sizeof key);
    return good && *signer &&
           tls_context_add(c, buf_span(&x), "warm-up", (struct tls_key_id){0, 0}, &problem);
}

/* A client with a certificate of its own. */
static SSL_CTX *client_with_certificate(void)
{
    char key[2048], chain[2048], text[256];
    struct buf k = buf_on(key, sizeof key), x = buf_on(chain, sizeof chain),
               problem = buf_on(text, sizeof text);
    struct tls_chain shown = {0};
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    EVP_PKEY *own = NULL;
    bool good = client && tls_selfsigned(SPAN("client"), (uint64_t)time(NULL), &k, &x) &&
                tls_chain_load(&shown, buf_span(&x), "warm-up", &problem) &&
                (own = tls_key_load(buf_span(&k), "warm-up", &problem)) != NULL &&
                SSL_CTX_use_certificate(client, shown.leaf) == 1 && SSL_CTX_use_PrivateKey(client, own) == 1;
    explicit_bzero(key, sizeof key);
    EVP_PKEY_free(own);
    if (shown.leaf) tls_chain_free(&shown);
    if (good) return client;
    SSL_CTX_free(client);
    return NULL;
}

static bool warm_asked(struct tls_context *c)
{
    SSL_CTX *client = client_with_certificate();
    tls_context_ask(c);
    bool good = client && complete_ways(c, client, false);
    SSL_CTX_free(client);
    return good;
}

static bool warm_complete(SSL_CTX *client, bool old)
{
    struct tls_context *c = tls_context_create(SPAN("warm-up"));
    bool good = c && (!old || tls_context_old(c)) && throw_away_context(c, &warm.signer) &&
                complete_ways(c, client, true) &&
                (!old || (signer_permit_old(warm.signer) && old_ways(c, client))) && warm_asked(c);
    signer_free(&warm.signer);
    tls_context_free(&c);
    return good;
}

/* With a real certificate, whose key is elsewhere: the client finds the signature wrong, both sides fail. */
static bool warm_interrupted(struct tls_context *c, SSL_CTX *client)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct tls_certificate *k = &c->certificates[i];
        if (k->removed) continue;
        warm.wrong_octets = (size_t)EVP_PKEY_get_size(k->chain.public);
        const char *name = k->chain.n_names ? k->chain.names[0] : NULL;
        struct way w = {
            .group = "X25519:P-256:P-384", .cipher_13 = "TLS_AES_128_GCM_SHA256", .server_name = name};
        w.signatures =
            k->chain.kind == KEY_KIND_RSA ? "rsa_pss_rsae_sha256:RSA+SHA256" : "ECDSA+SHA256:ECDSA+SHA384";
        w.version = TLS1_3_VERSION;
        if (!connection(c, client, &w, NULL)) return false;
        w.version = TLS1_2_VERSION;
        if (!connection(c, client, &w, NULL)) return false;
        w.version = TLS1_VERSION;
        w.ciphers = k->chain.kind == KEY_KIND_RSA ? "DHE-RSA-AES128-SHA:@SECLEVEL=0"
                                                  : "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0";
        if (c->old && !connection(c, client, &w, NULL)) return false;
    }
    return true;
}

static bool any_old(struct tls_context *const *contexts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (contexts[i]->old) return true;
    return false;
}

bool tls_warm_up(struct tls_context *const *contexts, size_t n, const char **error)
{
    tls_ask_fn *ask;
    void *ask_context;
    tls_keyring_swap(warm_ask, NULL, &ask, &ask_context);
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    uint8_t octet;
    bool good =
        client && RAND_bytes(&octet, 1) == 1 && RAND_priv_bytes(&octet, 1) == 1 && tls_async_prepare();
    *error = "TLS cannot be initialised";
    if (good && !warm_complete(client, false)) {
        good = false;
        *error = "TLS warm-up: a handshake in memory did not complete";
    }
    if (good && any_old(contexts, n) && !warm_complete(client, true)) {
        good = false;
        *error = "TLS warm-up: a handshake of TLS 1.0 in memory did not complete";
    }
    for (size_t i = 0; i < n && good; i++) {
        good = warm_interrupted(contexts[i], client);
        *error = "TLS warm-up: a certificate cannot be used in a handshake";
    }
    SSL_CTX_free(client);
    tls_keyring_swap(ask, ask_context, NULL, NULL);
    ERR_clear_error();
    if (good) *error = NULL;
    return good;
}
