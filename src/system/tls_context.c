/* Macros of OpenSSL that only read a text cast its constness away. */
#pragma GCC diagnostic ignored "-Wcast-qual"

#include "system/tls_private.h"
#include "system/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>

/* TLS 1.2: forward secrecy and authenticated encryption only; no static RSA, so the keyring never decrypts. */
#define CIPHERS_12                                                                                           \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"               \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:@SECLEVEL=2"
#define CIPHERS_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS     "X25519:P-256:P-384:P-521"
#define SIGNATURES                                                                                           \
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:"    \
    "RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* For old devices, behind all that is better. OpenSSL 0.9.8, of which many are made, offers DHE and no ECDHE by itself. Security level 0: MD5 and
 * SHA-1 together are what TLS 1.0 and 1.1 sign with. */
#define CIPHERS_OLD                                                                                          \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"               \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                 \
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:" \
    "ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"         \
    "ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:DHE-RSA-AES128-SHA256:DHE-RSA-AES256-SHA256:"               \
    "DHE-RSA-AES128-SHA:DHE-RSA-AES256-SHA:@SECLEVEL=0"
#define GROUPS_OLD "P-256:X25519:P-384:P-521" /* the first is taken by clients that name none */

static EVP_CIPHER *ticket_cipher; /* fetched once: the cage is no place for a fetch */

static const struct tls_ticket_key *ticket_key_find(const struct tls_ticket_keys *keys, const uint8_t *name)
{
    for (unsigned i = 0; i < TLS_TICKET_KEYS; i++)
        if (CRYPTO_memcmp(keys->key[i].name, name, sizeof keys->key[i].name) == 0) return &keys->key[i];
    return NULL;
}

/* Encrypts and opens tickets with the shared keys. 0: no ticket (a full handshake follows); 2: renew it. */
static int ticket_crypt(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
                        EVP_MAC_CTX *mac, int encrypt)
{
    const struct tls_ticket_keys *keys = tls_ticket_current();
    struct tls *t = SSL_get_app_data(ssl);
    if (!keys || !t) return 0;
    const struct tls_ticket_key *key = encrypt ? &keys->key[0] : ticket_key_find(keys, name);
    if (!key) return 0;
    if (encrypt) {
        memcpy(name, key->name, sizeof key->name);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher)) != 1) return -1;
    }
    /* The interface of OpenSSL wants octets it may write; it only reads them. */
    struct tls_ticket_key copy = *key;
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, copy.mac, sizeof copy.mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
    bool good = EVP_CipherInit_ex(cipher, ticket_cipher, NULL, copy.cipher, iv, encrypt) == 1 &&
                EVP_MAC_CTX_set_params(mac, parameters) == 1;
    OPENSSL_cleanse(&copy, sizeof copy);
    if (!good) return -1;
    return encrypt || key == &keys->key[0] ? 1 : 2;
}

bool tls_rules(SSL_CTX *x)
{
    SSL_CTX_set_options(x, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_clear_options(x, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION |
                                 SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_mode(x, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_clear_mode(x,
                       SSL_MODE_AUTO_RETRY); /* one record's work a call: KeyUpdates do not hold the loop */
    SSL_CTX_set_read_ahead(x, 1); /* one read() takes record header and body, and the records behind it */
    SSL_CTX_set_session_cache_mode(x, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(x, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(x, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_ciphersuites(x, CIPHERS_13) == 1 && SSL_CTX_set1_groups_list(x, GROUPS) == 1;
}

static bool context_rules(SSL_CTX *x)
{
    SSL_CTX_set_options(x, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_timeout(x, TLS_TICKET_SECONDS);
    SSL_CTX_set_max_early_data(x, 0);
    SSL_CTX_set_recv_max_early_data(x, 0);
    return tls_rules(x) && SSL_CTX_set_cipher_list(x, CIPHERS_12) == 1 &&
           SSL_CTX_set1_sigalgs_list(x, SIGNATURES) == 1 && SSL_CTX_set_num_tickets(x, 1) == 1 &&
           SSL_CTX_set_tlsext_ticket_key_evp_cb(x, ticket_crypt) == 1;
}

/* No configuration file, no engines from it: what TLS means here stands in these files. */
bool tls_library(void)
{
    return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS |
                                OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                            NULL) == 1;
}

struct tls_context *tls_context_create(struct span name)
{
    if (!tls_library()) return NULL;
    if (!ticket_cipher) ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    struct tls_context *c = OPENSSL_zalloc(sizeof *c);
    if (!c) return NULL;
    c->references = 1;
    c->certificates = OPENSSL_zalloc(LIMIT_TLS_CERTIFICATES * sizeof *c->certificates);
    c->ssl = SSL_CTX_new(TLS_server_method());
    uint8_t id[32];
    if (!ticket_cipher || !c->certificates || !c->ssl || !context_rules(c->ssl) ||
        EVP_Digest(name.p ? name.p : (const uint8_t *)"", name.n, id, NULL, EVP_sha256(), NULL) != 1 ||
        SSL_CTX_set_session_id_context(c->ssl, id, sizeof id) != 1)
        tls_context_free(&c);
    else
        SSL_CTX_set_cert_cb(c->ssl, tls_context_choose, c);
    ERR_clear_error();
    return c;
}

bool tls_context_minimum(struct tls_context *c, unsigned minor)
{
    return (minor >= 3 || c->old) && SSL_CTX_set_min_proto_version(c->ssl, SSL3_VERSION + (int)minor) == 1;
}

bool tls_context_old(struct tls_context *c)
{
    c->old = true;
    return SSL_CTX_set_cipher_list(c->ssl, CIPHERS_OLD) == 1 &&
           SSL_CTX_set1_sigalgs_list(c->ssl, SIGNATURES ":ECDSA+SHA1:RSA+SHA1") == 1 &&
           SSL_CTX_set1_groups_list(c->ssl, GROUPS_OLD) == 1 && SSL_CTX_set_dh_auto(c->ssl, 1) == 1 &&
           tls_context_minimum(c, 1);
}

/* Who the client is by this certificate is decided elsewhere, by its key alone. */
static int accept_any(X509_STORE_CTX *x, void *context)
{
    (void)context;
    X509_STORE_CTX_set_error(x, X509_V_OK);
    return 1;
}

void tls_context_ask(struct tls_context *c)
{
    SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(c->ssl, accept_any, NULL);
    SSL_CTX_set_max_cert_list(c->ssl, LIMIT_CLIENT_CHAIN_OCTETS);
    SSL_CTX_set_options(c->ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c->ssl, 0);
}

bool tls_context_name(struct tls_context *c, struct span pem)
{
    STACK_OF(X509_NAME) *names = tls_subjects(pem);
    if (names) SSL_CTX_set_client_CA_list(c->ssl, names);
    return names != NULL;
}

static void certificate_free(struct tls_certificate *k)
{
    tls_chain_free(&k->chain);
    EVP_PKEY_free(k->stub);
    OPENSSL_free(k->file);
}

void tls_context_release(struct tls_context *c)
{
    if (--c->references > 0) return;
    SSL_CTX_free(c->ssl);
    for (size_t i = 0; i < c->n; i++)
        certificate_free(&c->certificates[i]);
    OPENSSL_free(c->certificates);
    OPENSSL_free(c);
}

void tls_context_free(struct tls_context **c)
{
    if (*c) tls_context_release(*c);
    *c = NULL;
}

static bool certificate_use(SSL *ssl, const struct tls_certificate *k)
{
    return SSL_use_cert_and_key(ssl, k->chain.leaf, k->stub, k->chain.rest, 1) == 1;
}

/* Would a session take it? (The security level looks at key sizes and signature hashes.) */
static bool certificate_try(const struct tls_context *c, const struct tls_certificate *k)
{
    SSL *ssl = SSL_new(c->ssl);
    bool good = ssl && certificate_use(ssl, k);
    SSL_free(ssl);
    return good;
}

bool tls_context_add(struct tls_context *c, struct span chain, const char *file, struct tls_key_id key,
                     struct buf *problem)
{
    if (c->n == LIMIT_TLS_CERTIFICATES) {
        tls_problem(problem, file, "too many certificates", NULL);
        return false;
    }
    struct tls_certificate k = {.key = key};
    if (!tls_chain_load(&k.chain, chain, file, problem)) return false;
    ERR_clear_error();
    k.file = OPENSSL_strdup(file);
    k.stub = tls_key_stub(k.chain.public, k.chain.kind, key);
    if (k.file && k.stub && certificate_try(c, &k)) {
        c->certificates[c->n++] = k;
        c->in_use++;
        return true;
    }
    tls_problem(problem, file, "this certificate cannot be used", tls_error_text());
    certificate_free(&k);
    return false;
}

static struct tls_certificate *certificate_find(const struct tls_context *c, struct tls_key_id key)
{
    for (size_t i = 0; i < c->n; i++) {
        struct tls_certificate *k = &c->certificates[i];
        if (!k->removed && k->key.server == key.server && k->key.certificate == key.certificate) return k;
    }
    return NULL;
}

bool tls_context_key_fits(const struct tls_context *c, struct tls_key_id key, const uint8_t fingerprint[32],
                          struct buf *problem)
{
    const struct tls_certificate *k = certificate_find(c, key);
    if (!k) return false;
    uint8_t ours[32];
    if (tls_key_fingerprint(k->chain.public, ours) && CRYPTO_memcmp(ours, fingerprint, sizeof ours) == 0)
        return true;
    tls_problem(problem, k->file, "the private key does not belong to this certificate", NULL);
    return false;
}

bool tls_context_remove(struct tls_context *c, struct tls_key_id key)
{
    struct tls_certificate *k = certificate_find(c, key);
    if (k) {
        k->removed = true;
        c->in_use--;
    }
    return c->in_use > 0;
}

size_t tls_context_certificates(const struct tls_context *c)
{
    return c->in_use;
}

static bool select_named(const struct tls_context *c, struct span name,
                         const struct tls_certificate *ret[KEY_KIND_COUNT])
{
    unsigned best[KEY_KIND_COUNT] = {0};
    for (size_t i = 0; i < c->n; i++) {
        const struct tls_certificate *k = &c->certificates[i];
        unsigned rank = k->removed ? 0 : tls_chain_covers(&k->chain, name);
        if (rank <= best[k->chain.kind]) continue;
        best[k->chain.kind] = rank;
        ret[k->chain.kind] = k;
    }
    return ret[KEY_KIND_EC] || ret[KEY_KIND_RSA];
}

void tls_context_select(const struct tls_context *c, struct span name,
                        const struct tls_certificate *ret[KEY_KIND_COUNT])
{
    for (unsigned i = 0; i < KEY_KIND_COUNT; i++)
        ret[i] = NULL;
    if (name.n > 0 && select_named(c, name, ret)) return;
    const struct tls_certificate *first = NULL;
    for (size_t i = 0; i < c->n && !first; i++)
        if (!c->certificates[i].removed) first = &c->certificates[i];
    if (!first) return;
    if (first->chain.n_names > 0) select_named(c, span_str(first->chain.names[0]), ret);
    ret[first->chain.kind] = first;
}

int tls_context_choose(SSL *ssl, void *context)
{
    struct span name = span_str(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
    const struct tls_certificate *chosen[KEY_KIND_COUNT];
    tls_context_select(context, name, chosen);
    SSL_certs_clear(ssl);
    bool some = false;
    for (unsigned i = 0; i < KEY_KIND_COUNT; i++) {
        if (!chosen[i]) continue;
        if (!certificate_use(ssl, chosen[i])) return 0;
        some = true;
    }
    return some;
}
