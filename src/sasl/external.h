/* external: EXTERNAL (RFC 4422 A): the proof lies outside of SASL (a client certificate); the message is the authorization identity alone. */
#ifndef SASL_EXTERNAL_H
#define SASL_EXTERNAL_H

#include "sasl/authzid.h"

/* extern-initial-resp (A.1). *authzid is empty: the identity that the certificate proves. False: no such message. An empty message is
 * one; where no initial response came (RFC 4954 4), the caller asks for it first. */
MUST_USE static inline bool external_read(struct span message, struct span *authzid)
{
    if (!authzid_is_valid(message)) return false;
    *authzid = message;
    return true;
}

#endif
