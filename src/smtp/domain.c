#include "smtp/domain.h"

#include "base/limits.h"
#include "base/utf8.h"

enum { LABEL_OCTETS = 63, U_LABEL_CHARACTERS = 59 };

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(uint8_t c)
{
    uint8_t l = octet_lower(c);
    return (l >= 'a' && l <= 'z') || is_digit(c);
}

static bool is_hex(uint8_t c)
{
    uint8_t l = octet_lower(c);
    return is_digit(c) || (l >= 'a' && l <= 'f');
}

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
        } else if (!is_alnum(c) && !(c == '-' && *i > from) && !(c == '_' && allow_underscore)) {
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

/* IPv4-address-literal = Snum 3("." Snum); Snum = 1*3DIGIT, 0 to 255 */
static bool ipv4_valid(struct span s)
{
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (i >= s.n || s.p[i++] != '.')) return false;
        size_t from = i;
        while (i < s.n && is_digit(s.p[i]) && i - from < 4)
            i++;
        uint64_t v;
        if (i - from > 3 || !span_u64(span_of(s.p + from, i - from), &v) || v > 255) return false;
        if (i - from > 1 && s.p[from] == '0') return false;
    }
    return i == s.n;
}

/* RFC 5321 4.1.3: IPv6-addr = IPv6-full / IPv6-comp / IPv6v4-full / IPv6v4-comp. "No more than 6 groups in addition to
 * the "::" may be present", 4 with an IPv4 tail. */
static bool ipv6_valid(struct span s)
{
    size_t i = 0, groups = 0;
    bool compressed = s.n >= 2 && s.p[0] == ':' && s.p[1] == ':';
    if (compressed) i = 2;
    if (compressed && i == s.n) return true;
    for (;;) {
        size_t from = i;
        while (i < s.n && is_hex(s.p[i]) && i - from < 5)
            i++;
        if (i < s.n && s.p[i] == '.')
            return ipv4_valid(span_skip(s, from)) && (compressed ? groups <= 4 : groups == 6);
        if (i == from || i - from > 4) return false;
        groups++;
        if (i == s.n) break;
        if (s.p[i++] != ':') return false;
        if (i == s.n) return false;
        if (s.p[i] == ':') {
            if (compressed) return false;
            compressed = true;
            if (++i == s.n) break;
        }
    }
    return compressed ? groups <= 6 : groups == 8;
}

bool address_literal_valid(struct span d)
{
    if (d.n < 2 || d.p[0] != '[' || d.p[d.n - 1] != ']') return false;
    struct span inside = {d.p + 1, d.n - 2};
    if (span_starts_nocase(inside, SPAN("IPv6:"))) return ipv6_valid(span_skip(inside, 5));
    return ipv4_valid(inside); /* General-address-literal: no other tag is registered */
}
