/* tls_private: what the files of TLS share: a session, a context, the stub keys. */
#ifndef SYSTEM_TLS_PRIVATE_H
#define SYSTEM_TLS_PRIVATE_H

#include "base/limits.h"
#include "system/tls.h"
#include "system/tls_certificate_private.h"
#include <openssl/ssl.h>

struct tls_certificate {
    struct tls_chain chain;
    EVP_PKEY *stub; /* the public key, and a signature method that asks the keyring */
    struct tls_key_id key;
    char *file;
    bool removed;
};

struct tls_context {
    SSL_CTX *ssl;
    struct tls_certificate *certificates;
    size_t n, in_use;
    unsigned references; /* the owner's and one a session */
    bool old;            /* tls_context_old */
};

enum tls_state {
    TLS_STATE_HANDSHAKE,
    TLS_STATE_OPEN,
    TLS_STATE_EOF_CLEAN,
    TLS_STATE_EOF_TRUNCATED,
    TLS_STATE_FAILED
};
enum key_state { KEY_IDLE, KEY_ASKED, KEY_ANSWERED, KEY_REFUSED };

struct tls {
    SSL *ssl;
    struct tls_context *context; /* server side; null on the client side */
    void *owner;
    const char *reason;
    X509 *shown;        /* server side: our certificate, of the context; null when it is not known */
    uint8_t *preread;   /* what waits of it; null when none */
    uint8_t *signature; /* answer of the keyring while the handshake takes it up */
    uint32_t preread_at, preread_n;
    int fd;
    uint16_t signature_n;
    uint16_t slot;      /* during the handshake: place among those in progress */
    uint8_t state, key; /* enum tls_state, enum key_state */
    uint8_t reads;      /* of this call, see LIMIT_TLS_TURN_READS */
    bool eof;           /* the socket ended */
    bool blocked;       /* the socket had nothing more in this call: an event will announce the next octets */
    bool paused;        /* the handshake's job waits on its own stack for the keyring */
    bool silent;        /* nothing is sent any more */
    bool named;         /* client side: the certificate was looked at for a name */
};

/* tls.c: a session of either side, before it knows which. Null: too many handshakes or no memory. */
struct tls *tls_open(SSL_CTX *rules, int fd, void *owner);

/* The BIO of a session: its descriptor, read and written directly. */
bool tls_bio_attach(struct tls *t);

/* tls_key.c: a private key that is none. Null: no memory. */
EVP_PKEY *tls_key_stub(EVP_PKEY *public, enum key_kind kind, struct tls_key_id id);
/* tls.c: called by a stub: asks for a signature and pauses until it is there. 0: no signature. */
size_t tls_key_ask(struct tls_key_id id, enum sign_scheme scheme, struct span digest, uint8_t *signature,
                   size_t max);

/* tls.c: another one carries the questions for a while (warm-up). The old one is stored if asked for. */
void tls_keyring_swap(tls_ask_fn *ask, void *context, tls_ask_fn **old, void **old_context);
/* tls.c: stacks for as many paused handshakes as may be in progress. */
bool tls_async_prepare(void);

/* tls_warm.c: drives both ends, which are connected, and sends octets across. True if it ended as it should: both done (octets crossed,
 * clean end), or, if it must not complete, failed. */
bool tls_warm_shake(struct tls *t, SSL *peer, bool completes);

/* tls_context.c: makes the library ready, without its configuration file. */
bool tls_library(void);
/* tls_context.c: what is the same for both sides: versions, modes, no renegotiation, no cache. */
bool tls_rules(SSL_CTX *x);

/* tls_context.c: chooses the certificates of a session by the server name the client asked for. */
int tls_context_choose(SSL *ssl, void *context);
void tls_context_release(struct tls_context *c);
/* Both certificates of a name; [KEY_KIND_EC] and [KEY_KIND_RSA], null where there is none. */
void tls_context_select(const struct tls_context *c, struct span name,
                        const struct tls_certificate *ret[KEY_KIND_COUNT]);

#endif
