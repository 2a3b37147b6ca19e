#include "sasl/kerberos_name.h"

enum kerberos_name_kind kerberos_name_read(struct span principal, struct kerberos_name *ret)
{
    *ret = (struct kerberos_name){{NULL, 0}, {NULL, 0}};
    size_t at = span_rfind(principal, '@');
    if (at == SPAN_NPOS || !authzid_is_name(principal)) return KERBEROS_NAME_ODD;
    struct span local = span_head(principal, at), realm = span_skip(principal, at + 1);
    if (span_eq(local, SPAN("WELLKNOWN/ANONYMOUS")) || span_eq(realm, SPAN("WELLKNOWN:ANONYMOUS")))
        return KERBEROS_NAME_ANONYMOUS;
    /* "\@" and "\/" are part of a name; what stands behind the last "@" is not sure to be a realm then. As an address a quoted name is the
     * same as one without quotation marks, and here it is another principal. */
    if (span_find(principal, '\\') != SPAN_NPOS || span_find(principal, '"') != SPAN_NPOS ||
        span_find(local, '@') != SPAN_NPOS || local.n == 0 || realm.n == 0)
        return KERBEROS_NAME_ODD;
    if (span_find(local, '/') != SPAN_NPOS || local.p[local.n - 1] == '$') return KERBEROS_NAME_SERVICE;
    if (span_find(realm, '/') != SPAN_NPOS) return KERBEROS_NAME_ODD;
    *ret = (struct kerberos_name){local, realm};
    return KERBEROS_NAME_USER;
}
