/* Macros of OpenSSL that only read a text cast its constness away. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#include "system/tls_client.h"

#include "system/tls_client_private.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

/* Whoever must be known shows it with forward secrecy. Whoever need not is better than a session in clear (RFC 7435): key
 * exchanges without forward secrecy and shorter keys are taken, though never below TLS 1.2, and never without a certificate. */
#define CIPHERS_KNOWN                                                                                        \
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:!aNULL:!eNULL:!PSK:!SRP:!DSS:"    \
    "!AESCCM8:@SECLEVEL=2"
#define CIPHERS_ANYBODY                                                                                      \
    "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:ECDHE+AES:DHE+AES:kRSA+AESGCM:kRSA+AES:"            \
    "!aNULL:!eNULL:!PSK:!SRP:!DSS:!AESCCM8:@SECLEVEL=1"
#define NAME_OCTETS_SHOWN 64

enum { USAGE_TA = 2, USAGE_EE = 3, RECORD_HEAD_OCTETS = 3 };

static SSL_CTX *rules_make(X509_STORE *store, const char *ciphers, int verify)
{
    SSL_CTX *x = SSL_CTX_new(TLS_client_method());
    if (!x) return NULL;
    SSL_CTX_set1_cert_store(x, store);
    SSL_CTX_set_options(x, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(x, verify, NULL);
    SSL_CTX_set_verify_depth(x, LIMIT_TLS_CHAIN_DEPTH);
    SSL_CTX_set_max_cert_list(x, LIMIT_TLS_PEER_CHAIN_OCTETS);
    if (tls_rules(x) && SSL_CTX_set_cipher_list(x, ciphers) == 1 && SSL_CTX_dane_enable(x) == 1) {
        SSL_CTX_dane_set_flags(x, DANE_FLAG_NO_DANE_EE_NAMECHECKS); /* RFC 7672 3.1.1 */
        return x;
    }
    SSL_CTX_free(x);
    return NULL;
}

static bool blank(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n') return false;
    return true;
}

/* Null: all are in the store. */
static const char *authorities_add(struct tls_client_context *c, X509_STORE *store, struct span pem)
{
    if (blank(pem)) return NULL;
    if (pem.n > LIMIT_AUTHORITIES_OCTETS) return "too long for a file of certificate authorities";
    const char *error = NULL;
    BIO *b = BIO_new_mem_buf(pem.p, (int)pem.n);
    STACK_OF(X509) *all = sk_X509_new_null();
    if (!b || !all)
        error = "no memory";
    else if (!tls_certificates_read(b, all))
        error = "a certificate of the authorities is broken";
    else if (sk_X509_num(all) == 0)
        error = "no certificate in the file of authorities";
    for (int i = 0; !error && i < sk_X509_num(all); i++, c->authorities++)
        if (X509_STORE_add_cert(store, sk_X509_value(all, i)) != 1) error = "no memory";
    sk_X509_pop_free(all, X509_free);
    BIO_free(b);
    return error;
}

struct tls_client_context *tls_client_context_create(struct span authorities, const char **error)
{
    *error = "TLS cannot be initialised";
    if (!tls_library()) return NULL;
    ERR_clear_error();
    struct tls_client_context *c = OPENSSL_zalloc(sizeof *c);
    X509_STORE *store = X509_STORE_new();
    const char *problem = *error;
    if (c && store) problem = authorities_add(c, store, authorities);
    if (!problem) {
        c->anybody = rules_make(store, CIPHERS_ANYBODY, SSL_VERIFY_NONE);
        c->known = rules_make(store, CIPHERS_KNOWN, SSL_VERIFY_PEER);
        if (!c->anybody || !c->known) problem = *error;
    }
    X509_STORE_free(store);
    if (problem) tls_client_context_free(&c);
    ERR_clear_error();
    *error = problem;
    return c;
}

size_t tls_client_authorities(const struct tls_client_context *c)
{
    return c->authorities;
}

void tls_client_context_free(struct tls_client_context **c)
{
    if (*c) {
        SSL_CTX_free((*c)->anybody);
        SSL_CTX_free((*c)->known);
        OPENSSL_free(*c);
    }
    *c = NULL;
}

/* A name as the library wants it. False: none (octets that no name has, too long). */
static bool name_take(struct span s, char to[LIMIT_DOMAIN_OCTETS + 1])
{
    if (s.n > 1 && s.p[s.n - 1] == '.') s.n--;
    if (s.n == 0 || s.n > LIMIT_DOMAIN_OCTETS) return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 127) return false;
    memcpy(to, s.p, s.n);
    to[s.n] = '\0';
    return s.p[0] != '.'; /* to the library a first dot would mean every name below */
}

static bool is_address(const char *name)
{
    uint8_t octets[16];
    return inet_pton(AF_INET, name, octets) == 1 || inet_pton(AF_INET6, name, octets) == 1;
}

/* How many were taken; -1: no memory. */
static int records_add(SSL *ssl, const struct span *tlsa, uint32_t n)
{
    int usable = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct span r = tlsa[i];
        /* RFC 7672 3.1.3: PKIX-TA(0) and PKIX-EE(1) are not for SMTP; the library would take them. */
        if (r.n <= RECORD_HEAD_OCTETS || (r.p[0] != USAGE_TA && r.p[0] != USAGE_EE)) continue;
        int added = SSL_dane_tlsa_add(ssl, r.p[0], r.p[1], r.p[2], r.p + RECORD_HEAD_OCTETS,
                                      r.n - RECORD_HEAD_OCTETS);
        if (added < 0) usable = -1;
        if (added < 0) break;
        usable += added;
    }
    ERR_clear_error();
    return usable;
}

uint32_t tls_client_usable(struct tls_client_context *c, const struct span *tlsa, uint32_t n)
{
    SSL *ssl = SSL_new(c->known);
    int usable = ssl && SSL_dane_enable(ssl, "none.invalid") == 1 ? records_add(ssl, tlsa, n) : 0;
    SSL_free(ssl);
    ERR_clear_error();
    return usable > 0 ? (uint32_t)usable : 0;
}

/* The names that a certificate may have, and the one that we ask for (RFC 6066 3: never an address). */
static bool peer_name(struct tls *t, const struct tls_client_peer *p)
{
    char name[LIMIT_DOMAIN_OCTETS + 1];
    if (p->name.n == 0) return p->verify == TLS_CLIENT_ANYBODY;
    if (!name_take(p->name, name)) return false;
    bool address = is_address(name), dane = p->verify == TLS_CLIENT_DANE;
    if (dane && address) return false;
    SSL_set_hostflags(t->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (!address && SSL_set_tlsext_host_name(t->ssl, name) != 1) return false;
    if (dane ? SSL_dane_enable(t->ssl, name) != 1 : SSL_set1_host(t->ssl, name) != 1) return false;
    if (p->also.n > 0 && (!name_take(p->also, name) || is_address(name) || SSL_add1_host(t->ssl, name) != 1))
        return false;
    t->named = true;
    return true;
}

struct tls *tls_client_create(struct tls_client_context *c, int fd, const struct tls_client_peer *p,
                              void *owner)
{
    bool anybody = p->verify == TLS_CLIENT_ANYBODY;
    struct tls *t = tls_open(anybody ? c->anybody : c->known, fd, owner);
    if (!t) return NULL;
    SSL_set_connect_state(t->ssl);
    if (!peer_name(t, p) || (p->verify == TLS_CLIENT_DANE && records_add(t->ssl, p->tlsa, p->n_tlsa) <= 0))
        tls_free(&t);
    ERR_clear_error();
    return t;
}

enum tls_client_known tls_client_known(const struct tls *t)
{
    uint8_t usage;
    if (!SSL_is_init_finished(t->ssl) || SSL_get_verify_result(t->ssl) != X509_V_OK)
        return TLS_CLIENT_ANONYMOUS;
    if (SSL_get0_dane_tlsa(t->ssl, &usage, NULL, NULL, NULL, NULL) >= 0)
        return usage == USAGE_EE ? TLS_CLIENT_DANE_EE : TLS_CLIENT_DANE_TA;
    return t->named ? TLS_CLIENT_VERIFIED : TLS_CLIENT_ANONYMOUS;
}

bool tls_client_refused(const struct tls *t)
{
    return !SSL_is_init_finished(t->ssl) && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE &&
           SSL_get_verify_result(t->ssl) != X509_V_OK;
}

/* Common name of the authority at the end of the chain, else its organisation: text of a stranger whom an authority trusted. */
static void authority_put(const struct tls *t, struct buf *b)
{
    const STACK_OF(X509) *chain = SSL_get0_verified_chain(t->ssl);
    int n = chain ? sk_X509_num(chain) : 0;
    const X509_NAME *name = n > 0 ? X509_get_subject_name(sk_X509_value(chain, n - 1)) : NULL;
    int at = name ? X509_NAME_get_index_by_NID(name, NID_commonName, -1) : -1;
    if (name && at < 0) at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
    unsigned char *utf8 = NULL;
    int octets =
        at < 0 ? -1 : ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    char memory[NAME_OCTETS_SHOWN + 8];
    struct buf shown = buf_on(memory, sizeof memory);
    if (octets > 0) buf_escaped(&shown, span_of(utf8, (size_t)octets), NAME_OCTETS_SHOWN);
    if (octets > 0 && !shown.over)
        buf_put(b, buf_span(&shown));
    else
        buf_str(b, octets > 0 ? "an authority with an odd name" : "an authority without a name");
    OPENSSL_free(utf8);
    ERR_clear_error();
}

void tls_client_put_text(const struct tls *t, struct buf *b)
{
    if (!SSL_is_init_finished(t->ssl)) return;
    buf_str(b, tls_version(t));
    buf_byte(b, ' ');
    buf_str(b, tls_cipher(t));
    switch (tls_client_known(t)) {
    case TLS_CLIENT_DANE_EE: buf_str(b, " dane-ee"); return;
    case TLS_CLIENT_DANE_TA: buf_str(b, " dane-ta"); return;
    case TLS_CLIENT_VERIFIED:
        buf_str(b, " verified by ");
        authority_put(t, b);
        return;
    case TLS_CLIENT_ANONYMOUS: break;
    }
    buf_str(b, " anonymous");
    long wrong = SSL_get_verify_result(t->ssl);
    if (wrong == X509_V_OK) return;
    buf_str(b, " (");
    buf_str(b, X509_verify_cert_error_string(wrong));
    buf_byte(b, ')');
}
