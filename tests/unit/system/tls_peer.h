/* tls_peer: for the tests of TLS: certificates made on the spot, a keyring in the same process, a client over a socketpair. */
#ifndef TESTS_TLS_PEER_H
#define TESTS_TLS_PEER_H

#pragma GCC diagnostic ignored "-Wcast-qual" /* macros of OpenSSL */

#include "system/signer.h"
#include "system/tls.h"
#include "system/tls_ticket.h"
#include <openssl/ssl.h>

struct tls_material { /* one certificate and its key, as PEM */
    char key[8192], chain[8192];
    struct span key_pem, chain_pem;
};

/* names: for subjectAltName, "DNS:a.example,DNS:*.b.example". days may be negative: expired. */
void tls_material_make(struct tls_material *m, bool rsa, const char *names, int days);

/* A keyring in this process: answers at once, when asked (deferred), or never. */
enum keyring_mood { KEYRING_AT_ONCE, KEYRING_DEFERRED, KEYRING_REFUSES, KEYRING_GONE };
struct tls_keyring_here {
    struct signer *signers[8]; /* by certificate index */
    enum keyring_mood mood;
    uint8_t question[512][SIGN_QUESTION_OCTETS_MAX];
    size_t question_n[512];
    unsigned waiting, asked;
};
void tls_keyring_here(struct tls_keyring_here *k); /* tls_keyring with it */
void tls_keyring_here_add(struct tls_keyring_here *k, unsigned index, const struct tls_material *m);
/* Answers the oldest waiting question. Returns the session that goes on. */
struct tls *tls_keyring_here_answer(struct tls_keyring_here *k);
void tls_keyring_here_free(struct tls_keyring_here *k);

struct tls_pair {
    struct tls *server;
    SSL *client;
    int server_fd, client_fd;
    bool client_done, client_failed;
    enum tls_result result; /* of the server's handshake */
};

SSL_CTX *tls_client_context(int version); /* 0: any */
/* ssl of the client may be changed before tls_pair_shake. */
bool tls_pair_open(struct tls_pair *p, struct tls_context *c, SSL_CTX *client, struct span preread);
/* Until both are done or one failed. True: both done. */
bool tls_pair_shake(struct tls_pair *p, struct tls_keyring_here *k);
void tls_pair_close(struct tls_pair *p);

#endif
