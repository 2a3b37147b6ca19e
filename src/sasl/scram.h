/* scram: what a client says in SCRAM (RFC 5802 7), looked at before the library that works it out (service/login_scram.c) hears it:
 * that takes a nonce of any octets, attributes twice, "m" behind the first message, and a binding that it does not check. */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "sasl/gs2.h"

/* client-first-message. *header is that in front of it. False: no such message; an attribute that must be understood ("m", 5.1), or one of
 * the protocol's own where an extension may be. */
MUST_USE bool scram_first_read(struct span message, struct gs2_header *header);
/* client-final-message: its form alone. */
MUST_USE bool scram_final_is_valid(struct span message);

#endif
