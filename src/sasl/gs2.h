/* gs2: the header that messages of SCRAM and OAUTHBEARER begin with (RFC 5801 4, RFC 5802 7): what of the channel is bound, and whom
 * to act as. */
#ifndef SASL_GS2_H
#define SASL_GS2_H

#include "sasl/authzid.h"

#include "base/buf.h"

struct gs2_header {
    uint8_t flag; /* 'n': not bound, 'y': the client could and believes that the server cannot, 'p': bound */
    struct span binding;                         /* of 'p': the name of what is bound */
    struct span authzid;                         /* unescaped; empty: none */
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS]; /* of the authzid; so a header is not to be copied */
};

/* saslname: "," is "=2C" and "=" is "=3D", nothing else is escaped. False: it is none, or longer than *out. */
MUST_USE bool gs2_unescape(struct span saslname, struct buf *out);
/* The header, its second comma included; *rest is then what stands behind it. False: there is none, one with another flag than those, or an
 * authzid that is no name; *ret is not to be used. */
MUST_USE bool gs2_read(struct span *rest, struct gs2_header *ret);

#endif
