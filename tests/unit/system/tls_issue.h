/* tls_issue: for the tests of the TLS client: authorities, certificates by them, TLSA records, and a server that shows what it is told. */
#ifndef TESTS_TLS_ISSUE_H
#define TESTS_TLS_ISSUE_H

#pragma GCC diagnostic ignored "-Wcast-qual" /* macros of OpenSSL */

#include "system/tls_client.h"
#include <openssl/ssl.h>

struct issued {
    EVP_PKEY *key;
    X509 *x;
};

struct issue {
    const char *common;  /* name */
    const char *names;   /* subjectAltName, or null */
    int from, until;     /* days from now */
    bool authority, rsa; /* may sign certificates; RSA 2048, else P-256 */
};

/* by: null: by itself. Ends the program when it cannot. */
struct issued issue(const struct issue *what, const struct issued *by);
struct issue_more {
    const char *purpose, *constraints; /* extendedKeyUsage, nameConstraints; null: none */
    bool weak;                         /* signed with SHA-1 */
};
struct issued issue_more(const struct issue *what, const struct issue_more *more, const struct issued *by);
void issued_free(struct issued *c);
/* PEM is appended. */
void issued_put(const struct issued *c, struct buf *b);

/* A TLSA record (usage, selector, matching type, association) of this certificate. Returns its octets in to. */
struct span issued_tlsa(const struct issued *c, unsigned usage, unsigned selector, unsigned matching,
                        uint8_t to[2048]);

struct client_pair {
    struct tls *client;
    SSL *server;
    int client_fd, server_fd;
    enum tls_result result; /* of the client's handshake */
    bool server_done, server_failed;
};

/* leaf first; further certificates of the chain follow. version 0: any. */
SSL_CTX *issued_server(const struct issued *const *chain, unsigned n, int version);
/* False: tls_client_create refused. server null: only the socket (server_fd) is there. */
bool client_pair_open(struct client_pair *p, struct tls_client_context *c, const struct tls_client_peer *peer,
                      SSL_CTX *server);
/* Until both are done or the client failed. True: both done. */
bool client_pair_shake(struct client_pair *p);
void client_pair_close(struct client_pair *p);

#endif
