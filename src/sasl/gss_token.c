#include "sasl/gss_token.h"

#include "base/limits.h"

enum { APPLICATION_0 = 0x60, OBJECT_IDENTIFIER = 0x06, LONG_FORM = 0x80 };

static const struct {
    struct span oid;
    enum gss_token token;
} known[] = {
    {{(const uint8_t *)"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 9}, GSS_TOKEN_KERBEROS}, /* RFC 4121 4.1 */
    {{(const uint8_t *)"\x2b\x06\x01\x05\x05\x02", 6}, GSS_TOKEN_SPNEGO},               /* RFC 4178 3 */
};

/* A definite length in its shortest form, at most two octets of it (X.690 10.1). */
static bool take_length(struct span *rest, size_t *ret)
{
    if (rest->n == 0) return false;
    uint8_t first = rest->p[0];
    *rest = span_skip(*rest, 1);
    *ret = first;
    if (first < LONG_FORM) return true;
    size_t octets = first & 0x7f;
    if (octets == 0 || octets > 2 || rest->n < octets || rest->p[0] == 0) return false;
    *ret = 0;
    for (size_t i = 0; i < octets; i++)
        *ret = *ret << 8 | rest->p[i];
    *rest = span_skip(*rest, octets);
    return *ret >= (octets == 1 ? LONG_FORM : 0x100);
}

enum gss_token gss_token_of(struct span token)
{
    struct span rest = token;
    size_t n;
    if (span_eq(span_head(token, 8), SPAN("NTLMSSP\0"))) return GSS_TOKEN_NTLM;
    if (token.n == 0 || token.n > LIMIT_SASL_RESPONSE_OCTETS || token.p[0] != APPLICATION_0)
        return GSS_TOKEN_MALFORMED;
    rest = span_skip(rest, 1);
    if (!take_length(&rest, &n) || n != rest.n || n == 0 || rest.p[0] != OBJECT_IDENTIFIER)
        return GSS_TOKEN_MALFORMED;
    rest = span_skip(rest, 1);
    if (!take_length(&rest, &n) || n == 0 || n > rest.n) return GSS_TOKEN_MALFORMED;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (span_eq(span_head(rest, n), known[i].oid)) return known[i].token;
    return GSS_TOKEN_OTHER;
}
