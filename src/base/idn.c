#include "base/idn.h"

#include <idn2.h>

enum {
    U_DOMAIN_OCTETS = 255
}; /* as long as any domain in ASCII may be, and U-labels are not longer than A-labels */

bool idn_is_needed(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > 127) return true;
    return false;
}

static size_t dots(struct span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '.';
    return n;
}

/* What every reader takes for the same labels. */
static bool is_plain(struct span s)
{
    bool label = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '.' ? !label : !octet_is_alnum(c) && c != '-') return false;
        label = c != '.';
    }
    return label;
}

bool idn_put_ascii(struct buf *b, struct span domain)
{
    if (!idn_is_needed(domain)) {
        for (size_t i = 0; i < domain.n; i++)
            buf_byte(b, octet_lower(domain.p[i]));
        return true;
    }
    uint8_t text[U_DOMAIN_OCTETS + 1], *ascii = NULL;
    if (domain.n > U_DOMAIN_OCTETS || span_find(domain, 0) != SPAN_NPOS) return false;
    memcpy(text, domain.p, domain.n);
    text[domain.n] = 0;
    /* Not IDN2_USE_STD3_ASCII_RULES: libidn2 2.3 leaves out what these rules forbid, instead of refusing it. is_plain refuses. */
    bool good = idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK && ascii;
    struct span a = good ? span_str((const char *)ascii) : SPAN("");
    good = good && is_plain(a) && dots(a) == dots(domain);
    for (size_t i = 0; good && i < a.n; i++)
        buf_byte(b, octet_lower(a.p[i]));
    idn2_free(ascii);
    return good;
}
