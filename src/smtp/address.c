#include "smtp/address.h"

#include "base/hex.h"

/* IPv4-address-literal = Snum 3("." Snum); Snum = 1*3DIGIT, 0 to 255 */
static bool ipv4_valid(struct span s)
{
    size_t i = 0;
    for (int part = 0; part < 4; part++) {
        if (part > 0 && (i >= s.n || s.p[i++] != '.')) return false;
        size_t from = i;
        while (i < s.n && octet_is_digit(s.p[i]) && i - from < 4)
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
        while (i < s.n && hex_digit(s.p[i]) >= 0 && i - from < 5)
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
