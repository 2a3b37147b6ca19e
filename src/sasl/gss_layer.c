#include "sasl/gss_layer.h"

void gss_layer_put(struct buf *b)
{
    buf_put(b, SPAN("\1\0\0\0"));
}

bool gss_layer_read(struct span message, struct span *authzid)
{
    if (message.n < GSS_LAYER_OCTETS || message.p[0] != GSS_LAYER_NONE) return false;
    *authzid = span_skip(message, GSS_LAYER_OCTETS);
    return authzid_is_valid(*authzid);
}
