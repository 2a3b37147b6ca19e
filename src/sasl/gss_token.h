/* gss_token: whose a first token of GSS-API is (RFC 2743 3.1). Looked at before a library sees it: a library asked for a mechanism
 * that it does not know goes to look for it in files. */
#ifndef SASL_GSS_TOKEN_H
#define SASL_GSS_TOKEN_H

#include "base/span.h"

enum gss_token {
    GSS_TOKEN_KERBEROS, /* RFC 4121 */
    GSS_TOKEN_SPNEGO,   /* RFC 4178: another mechanism lies inside */
    GSS_TOKEN_NTLM,     /* without any frame, as some clients of Windows fall back to */
    GSS_TOKEN_OTHER,    /* a mechanism that is not spoken here */
    GSS_TOKEN_MALFORMED, /* no such frame, or its length is not that of the token (DER, definite and shortest) */
};

enum gss_token gss_token_of(struct span token);

#endif
