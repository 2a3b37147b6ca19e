/* sasl_client: the client's half of SASL exchanges (RFC 4422, 4954): which mechanism of those offered, and what it says in each step.
 * Pure. A mechanism is a row of one table in sasl_client.c, best first; those here keep nothing between their steps. */
#ifndef DIRECTORY_SASL_CLIENT_H
#define DIRECTORY_SASL_CLIENT_H

#include "directory/credential.h"

struct sasl_client_step {
    struct span mechanisms; /* offered, blank-separated, any case */
    unsigned step;          /* 0: the AUTH command */
    struct span challenge;  /* base64; hostile */
};

/* RESPONSE: *mechanism (constant) is the one, the same in each step of one offer, and its response was appended to *response as base64: a
 * secret, which the caller wipes. In step 0 nothing may be appended: no initial response, because there is none or because the
 * command line would be longer than RFC 4954 4 allows; it follows in step 1. *response is at least LIMIT_AUTH_LINE_OCTETS large.
 * Else NO_MECHANISM or BROKEN, and nothing was appended. */
enum credential_status sasl_client_respond(const struct credential *c, const struct sasl_client_step *s,
                                           const char **mechanism, struct buf *response);

#endif
