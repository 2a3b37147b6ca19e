/* oauth: bearer tokens: OAUTHBEARER (RFC 7628) and XOAUTH2, which Google made before it. The messages; whether a token is good is somebody
 * else's question. */
#ifndef SASL_OAUTH_H
#define SASL_OAUTH_H

#include "sasl/gs2.h"

struct oauth_message {
    /* OAUTHBEARER: whom to act as, empty: whom the token names. XOAUTH2: the user, never empty */
    struct span authzid;
    struct span host; /* as the client knows the server; empty: it does not say */
    uint16_t port;    /* 0: it does not say */
    /* b64token of RFC 6750 2.1; empty: the client has none and asks where to get one (RFC 7628 4.3) */
    struct span token;
    struct gs2_header header; /* of OAUTHBEARER; so a message is not to be copied */
};

/* client-resp (RFC 7628 3.1): GS2 header, then ^A, pairs of key and value each ended by ^A, ^A. False: no such message; a channel binding,
 * which this mechanism has not; no "auth", one that is no bearer token, or one of host, port, auth twice. Other keys are passed over. After
* false *ret is not to be used. */
MUST_USE bool oauth_bearer_read(struct span message, struct oauth_message *ret);
/* "user=" name ^A "auth=Bearer " token ^A ^A. */
MUST_USE bool oauth_x2_read(struct span message, struct oauth_message *ret);

/* The challenge that tells a client why (RFC 7628 3.2.2), JSON; before it answers, nothing is refused. status: "invalid_token",
 * "insufficient_scope", or for XOAUTH2 "401". scope and configuration (the URL of an OpenID provider's configuration): empty:
 * not told; over when they are too long. */
void oauth_put_error(struct buf *b, const char *status, struct span scope, struct span configuration);
/* Is that the answer to it: ^A (RFC 7628 3.2.3), or nothing, as clients of XOAUTH2 send? */
bool oauth_is_acknowledgement(struct span message);

#endif
