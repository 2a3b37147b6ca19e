#include "sasl/authzid.h"

#include "base/utf8.h"

bool authzid_is_name(struct span s)
{
    if (s.n == 0 || s.n > LIMIT_PRINCIPAL_NAME_OCTETS) return false;
    while (s.n > 0) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n == 0 || utf8_is_control(code)) return false;
        s = span_skip(s, n);
    }
    return true;
}
