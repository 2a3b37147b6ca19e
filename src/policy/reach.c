#include "policy/reach.h"

struct row {
    uint8_t octets[16];
    uint8_t bits; /* IPv4: of four octets; IPv6: of sixteen */
    bool site;    /* an administrator may mean it */
    const char *what;
};

/* RFC 6890 and its registry of special-purpose addresses. */
static const struct row v4_rows[] = {
    {{0}, 8, false, "unspecified"},
    {{10}, 8, true, "private network"},      /* RFC 1918 */
    {{100, 64}, 10, true, "shared network"}, /* RFC 6598 */
    {{127}, 8, false, "loopback"},
    {{169, 254}, 16, false, "link-local"},
    {{172, 16}, 12, true, "private network"},
    {{192, 0, 0}, 24, false, "protocol assignments"},
    {{192, 168}, 16, true, "private network"},
    {{198, 18}, 15, true, "benchmarking network"}, /* RFC 2544 */
    {{224}, 4, false, "multicast"},
    {{240}, 4, false, "reserved"},
};
static const struct row v6_rows[] = {
    {{[15] = 1}, 128, false, "loopback"},
    {{0}, 96, false, "unspecified"},                            /* ::, and IPv4-compatible addresses */
    {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, false, "local NAT64"}, /* RFC 8215: what is inside cannot be known */
    {{0x01}, 64, false, "discard-only"},                        /* RFC 6666 */
    {{0xfc}, 7, true, "private network"},                       /* RFC 4193 */
    {{0xfe, 0x80}, 10, false, "link-local"},
    {{0xfe, 0xc0}, 10, false, "site-local"}, /* RFC 3879 */
    {{0xff}, 8, false, "multicast"},
};

static bool within(const uint8_t *octets, const struct row *row)
{
    unsigned whole = row->bits / 8, rest = row->bits % 8;
    if (memcmp(octets, row->octets, whole) != 0) return false;
    uint8_t mask = (uint8_t)(0xff00 >> rest);
    return rest == 0 || (octets[whole] & mask) == (row->octets[whole] & mask);
}

static const char *look(const struct row *rows, size_t n, const uint8_t *octets, enum reach_scope scope)
{
    for (size_t i = 0; i < n; i++)
        if (within(octets, &rows[i])) return rows[i].site && scope == REACH_SITE ? NULL : rows[i].what;
    return NULL;
}

static const char *refused_v4(const uint8_t *octets, enum reach_scope scope)
{
    return look(v4_rows, sizeof v4_rows / sizeof v4_rows[0], octets, scope);
}

const char *reach_refused(const struct address *a, enum reach_scope scope)
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b}, teredo[4] = {0x20, 1};
    const uint8_t *o = a->octets;
    if (address_is_v4(a)) return refused_v4(o + 12, scope);
    if (memcmp(o, nat64, sizeof nat64) == 0) return refused_v4(o + 12, scope); /* RFC 6052 */
    if (o[0] == 0x20 && o[1] == 0x02) return refused_v4(o + 2, scope);         /* RFC 3056 */
    if (memcmp(o, teredo, sizeof teredo) == 0) {                               /* RFC 4380 4 */
        const uint8_t inside[4] = {o[12] ^ 0xff, o[13] ^ 0xff, o[14] ^ 0xff, o[15] ^ 0xff};
        const char *what = refused_v4(inside, scope);
        return what ? what : refused_v4(o + 4, scope);
    }
    return look(v6_rows, sizeof v6_rows / sizeof v6_rows[0], o, scope);
}
