/* sasl_client: the client's half of SASL exchanges (RFC 4422, 4954): which mechanism of those offered, and what it says in each step.
 * Pure. A mechanism is a row of one table in sasl_client.c, the strongest first. */
#ifndef DIRECTORY_SASL_CLIENT_H
#define DIRECTORY_SASL_CLIENT_H

#include "directory/credential.h"
#include "directory/scram_client.h"

struct sasl_client { /* one exchange; not to be copied */
    const struct credential *credential;
    const struct sasl_crypto *crypto;
    const char *mechanism; /* constant; null: none was chosen yet */
    bool
        last; /* RESPONSE: success may follow what was said; else the server has not shown what it must show */
    char text[LIMIT_RESULT_TEXT_OCTETS]; /* printable: see why */
    struct buf
        why; /* on text. Not RESPONSE: the reason; RESPONSE: what to tell, too, when it is refused; may be empty, and the caller may begin it */
    bool said;         /* our first message */
    bool proven;       /* SCRAM: our proof was said */
    bool acknowledged; /* the server said in a challenge what is wrong with the token */
    size_t row;
    struct span exporter; /* empty: no channel binding */
    uint8_t exporter_memory[LIMIT_EXPORTER_OCTETS], nonce[SCRAM_NONCE_OCTETS];
    struct scram_client scram;
};

/* credential, crypto: borrowed, credential->token is needed until it was said. exporter: of the TLS session (RFC 9266), LIMIT_EXPORTER_OCTETS,
 * or empty. chance: SASL_CLIENT_CHANCE fresh random octets. */
#define SASL_CLIENT_CHANCE 18
void sasl_client_begin(struct sasl_client *x, const struct credential *credential,
                       const struct sasl_crypto *crypto, struct span exporter, const uint8_t *chance);

struct sasl_client_step {
    struct span mechanisms; /* offered, blank-separated, any case; looked at in step 0 */
    unsigned step;          /* 0: the AUTH command */
    struct span challenge;  /* base64; hostile */
};

/* The steps in their order, each once. RESPONSE: x->mechanism is the one, and its response was appended to *response as base64: a secret, which
 * the caller wipes. In step 0 nothing may be appended: no initial response, because there is none or because the command line would be longer than
 * RFC 4954 4 allows; it follows in step 1. *response is at least LIMIT_AUTH_LINE_OCTETS large. Else nothing was appended, and x->why has the
 * reason. May be slow: PBKDF2 with as many iterations as the server wants, at most LIMIT_SCRAM_ITERATIONS_ASKED. */
enum credential_status sasl_client_respond(struct sasl_client *x, const struct sasl_client_step *s,
                                           struct buf *response);

/* The names of the table, one after the other, best first; null: that was the last. *token: it shows a token, else a password. */
const char *sasl_client_mechanism(size_t i, bool *token);

#endif
