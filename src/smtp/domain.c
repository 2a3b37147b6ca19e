#include "smtp/domain.h"

#include "base/limits.h"
#include "base/utf8.h"

enum { LABEL_OCTETS = 63, U_LABEL_CHARACTERS = 59 };

/* Not in any U-label (RFC 5892), and dangerous: what steers a terminal, and the characters that IDNA mappings turn into
 * a dot, so that one reader sees one label and the next sees two. */
static bool never_in_label(uint32_t code)
{
    return utf8_is_control(code) || code == 0x3002 || code == 0xFF0E || code == 0xFF61;
}

/* One label at in.p[*i]; *i moves behind it.
 * RFC 5321 4.1.2: sub-domain = Let-dig [Ldh-str]; RFC 6531 3.3: sub-domain =/ U-label */
static enum domain_fault label(struct span in, size_t *i, bool allow_utf8, bool allow_underscore)
{
    size_t from = *i, characters = 0;
    bool ascii = true, hyphen = true;
    while (*i < in.n) {
        uint8_t c = in.p[*i];
        size_t octets = 1;
        if (c > 127) {
            uint32_t code;
            if (!allow_utf8) return DOMAIN_UTF8;
            octets = utf8_next(span_skip(in, *i), &code);
            if (octets == 0) return DOMAIN_UTF8_BROKEN;
            if (never_in_label(code)) return DOMAIN_SYNTAX;
            ascii = false;
        } else if (!octet_is_alnum(c) && !(c == '-' && *i > from) && !(c == '_' && allow_underscore)) {
            break;
        }
        hyphen = c == '-';
        *i += octets;
        characters++;
    }
    if (*i == from || hyphen) return DOMAIN_SYNTAX;
    if (ascii ? characters > LABEL_OCTETS : characters > U_LABEL_CHARACTERS) return DOMAIN_LONG;
    return DOMAIN_OK;
}

enum domain_fault domain_take(struct span in, bool allow_utf8, bool allow_underscore, size_t *octets)
{
    size_t i = 0;
    for (;;) { /* RFC 5321 4.1.2: Domain = sub-domain *("." sub-domain) */
        enum domain_fault fault = label(in, &i, allow_utf8, allow_underscore);
        if (fault) return fault;
        if (i == in.n || in.p[i] != '.') break;
        i++;
    }
    if (i > LIMIT_DOMAIN_OCTETS) return DOMAIN_LONG;
    *octets = i;
    return DOMAIN_OK;
}

bool domain_valid(struct span d, bool allow_utf8, bool allow_underscore)
{
    size_t n;
    return domain_take(d, allow_utf8, allow_underscore, &n) == DOMAIN_OK && n == d.n;
}
