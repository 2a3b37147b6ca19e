/* gss_layer: the last two messages of GSSAPI (RFC 4752 3.1, 3.2), as they are inside their wrapping: which security layers there
 * are, and which one is wanted. Here there is none: TLS protects the session. */
#ifndef SASL_GSS_LAYER_H
#define SASL_GSS_LAYER_H

#include "sasl/authzid.h"

#include "base/buf.h"

enum { GSS_LAYER_OCTETS = 4, GSS_LAYER_NONE = 1 };

/* The offer: no layer, and so a size of 0. */
void gss_layer_put(struct buf *b);
/* The choice: *authzid is empty where the client means itself. False: no such message, a layer that was not offered, or no name. A
 * size that comes with "no layer" means nothing (3.1 wants 0 of those clients only that have no layers), and is not looked at. */
MUST_USE bool gss_layer_read(struct span message, struct span *authzid);

#endif
