#include "tls_peer.h"

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

static struct span pem_take(BIO *b, char *to, size_t max)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    must(n > 0 && (size_t)n <= max);
    memcpy(to, p, (size_t)n);
    BIO_free(b);
    return span_of(to, (size_t)n);
}

void tls_material_make(struct tls_material *m, bool rsa, const char *names, int days)
{
    EVP_PKEY *key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    X509 *x = X509_new();
    must(key && x && X509_set_version(x, X509_VERSION_3) == 1);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    time_t now = time(NULL);
    X509_time_adj_ex(X509_getm_notBefore(x), -400, 0, &now);
    X509_time_adj_ex(X509_getm_notAfter(x), days, 0, &now);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, key);
    if (names) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
        must(e && X509_add_ext(x, e, -1) == 1);
        X509_EXTENSION_free(e);
    }
    must(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *k = BIO_new(BIO_s_mem()), *c = BIO_new(BIO_s_mem());
    must(PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1 && PEM_write_bio_X509(c, x) == 1);
    m->key_pem = pem_take(k, m->key, sizeof m->key);
    m->chain_pem = pem_take(c, m->chain, sizeof m->chain);
    X509_free(x);
    EVP_PKEY_free(key);
}

static struct tls *answer(struct tls_keyring_here *k, struct span question)
{
    struct sign_question q;
    must(sign_question_read(question, &q));
    uint8_t signature[SIGN_SIGNATURE_OCTETS_MAX], octets[SIGN_ANSWER_OCTETS_MAX];
    size_t n = 0;
    struct sign_answer a = {.id = q.id, .status = SIGN_NO_KEY};
    struct signer *s = q.key.certificate < 8 ? k->signers[q.key.certificate] : NULL;
    if (s && k->mood != KEYRING_REFUSES) a.status = signer_sign(s, q.scheme, q.digest, signature, &n);
    a.signature = span_of(signature, n);
    struct buf b = buf_on(octets, sizeof octets);
    sign_answer_put(&b, &a);
    must(!b.over);
    bool bad;
    struct tls *t = tls_key_answer(buf_span(&b), &bad);
    must(!bad);
    return t;
}

static bool ask(void *context, struct span question)
{
    struct tls_keyring_here *k = context;
    k->asked++;
    if (k->mood == KEYRING_GONE) return false;
    if (k->mood == KEYRING_AT_ONCE) {
        answer(k, question);
        return true;
    }
    if (k->waiting == 512) return false;
    memcpy(k->question[k->waiting], question.p, question.n);
    k->question_n[k->waiting++] = question.n;
    return true;
}

void tls_keyring_here(struct tls_keyring_here *k)
{
    tls_keyring(ask, k);
}

void tls_keyring_here_add(struct tls_keyring_here *k, unsigned index, const struct tls_material *m)
{
    char text[512];
    struct buf problem = buf_on(text, sizeof text);
    k->signers[index] = signer_load(m->key_pem, "test-key", &problem);
    must(k->signers[index] != NULL);
}

struct tls *tls_keyring_here_answer(struct tls_keyring_here *k)
{
    if (k->waiting == 0) return NULL;
    uint8_t question[SIGN_QUESTION_OCTETS_MAX];
    size_t n = k->question_n[0];
    memcpy(question, k->question[0], n);
    k->waiting--;
    memmove(k->question, k->question + 1, sizeof k->question[0] * k->waiting);
    memmove(k->question_n, k->question_n + 1, sizeof k->question_n[0] * k->waiting);
    return answer(k, span_of(question, n));
}

void tls_keyring_here_free(struct tls_keyring_here *k)
{
    for (unsigned i = 0; i < 8; i++)
        signer_free(&k->signers[i]);
    tls_keyring(NULL, NULL);
}

SSL_CTX *tls_client_context(int version)
{
    SSL_CTX *x = SSL_CTX_new(TLS_client_method());
    must(x != NULL);
    if (version)
        must(SSL_CTX_set_min_proto_version(x, version) == 1 &&
             SSL_CTX_set_max_proto_version(x, version) == 1);
    return x;
}

bool tls_pair_open(struct tls_pair *p, struct tls_context *c, SSL_CTX *client, struct span preread)
{
    int fd[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
    *p = (struct tls_pair){.server_fd = fd[0], .client_fd = fd[1], .result = TLS_WANT_READ};
    p->server = tls_create(c, fd[0], preread, p);
    p->client = SSL_new(client);
    must(p->client && SSL_set_fd(p->client, fd[1]) == 1);
    SSL_set_connect_state(p->client);
    return p->server != NULL;
}

static void client_step(struct tls_pair *p)
{
    if (p->client_done || p->client_failed) return;
    ERR_clear_error();
    int r = SSL_do_handshake(p->client);
    p->client_done = r == 1;
    int error = SSL_get_error(p->client, r);
    p->client_failed = r != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
}

bool tls_pair_shake(struct tls_pair *p, struct tls_keyring_here *k)
{
    for (unsigned i = 0; i < 100; i++) {
        client_step(p);
        if (p->result != TLS_DONE && p->result != TLS_FAILED) p->result = tls_handshake(p->server);
        if (p->result == TLS_WANT_KEY && k) {
            struct tls *t = tls_keyring_here_answer(k);
            if (t && t != p->server) abort();
        }
        if (p->result == TLS_DONE && p->client_done) return true;
        if (p->result == TLS_FAILED && p->client_failed) return false;
        if (p->client_failed && p->result == TLS_WANT_READ && i > 50) return false;
    }
    return false;
}

void tls_pair_close(struct tls_pair *p)
{
    tls_free(&p->server);
    SSL_free(p->client);
    close(p->server_fd);
    close(p->client_fd);
    ERR_clear_error();
}
