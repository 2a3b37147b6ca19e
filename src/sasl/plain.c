#include "sasl/plain.h"

#include "base/utf8.h"

bool plain_is_password(struct span s)
{
    return s.n > 0 && s.n <= LIMIT_PASSWORD_OCTETS && span_find(s, 0) == SPAN_NPOS && utf8_valid(s);
}

bool plain_read(struct span message, struct plain_message *ret)
{
    size_t first = span_find(message, 0);
    if (first == SPAN_NPOS) return false;
    struct span rest = span_skip(message, first + 1);
    size_t second = span_find(rest, 0);
    if (second == SPAN_NPOS) return false;
    struct plain_message m = {span_head(message, first), span_head(rest, second),
                              span_skip(rest, second + 1)};
    if (!authzid_is_valid(m.authzid) || !authzid_is_name(m.authcid) || !plain_is_password(m.password))
        return false;
    *ret = m;
    return true;
}
