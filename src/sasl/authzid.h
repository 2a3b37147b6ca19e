/* authzid: authorization identity strings and authentication names, as SASL messages carry them (RFC 4422 3.4.1): UTF-8 without NUL. Whether
 * an account may act as another one is the caller's to say; an empty authorization identity means the account itself. */
#ifndef SASL_AUTHZID_H
#define SASL_AUTHZID_H

#include "base/limits.h"
#include "base/span.h"

/* Not empty, well-formed, no control character (none is in a name, and names go to lookups and logs), not too long. */
bool authzid_is_name(struct span s);

static inline bool authzid_is_valid(struct span s) /* a name, or empty */
{
    return s.n == 0 || authzid_is_name(s);
}

#endif
