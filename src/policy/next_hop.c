#include "policy/next_hop.h"

#include "base/utf8.h"
#include "policy/network.h"

static bool lower_case(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != octet_lower(s.p[i])) return false;
    return true;
}

/* What may be looked up: labels that are not empty, of letters, digits, hyphens, underscores, or UTF-8. Which domains a peer may name is
 * said by smtp/domain; here the octets are made harmless. */
static bool domain_plain(struct span s)
{
    bool label = false;
    uint32_t code;

    if (!s.n || s.n > LIMIT_DOMAIN_OCTETS) return false;
    for (size_t n; s.n; s = span_skip(s, n)) {
        uint8_t c = s.p[0];
        n = utf8_next(s, &code);
        if (!n || utf8_is_control(code) || (c == '.' && !label)) return false;
        if (c != '.' && !octet_is_alnum(c) && c != '-' && c != '_' && c < 128) return false;
        label = c != '.';
    }
    return label;
}

/* [192.0.2.1], [ipv6:2001:db8::1] */
static bool literal_plain(struct span s)
{
    struct address a;

    if (s.n < 3 || s.p[0] != '[' || s.p[s.n - 1] != ']') return false;
    struct span inside = span_of(s.p + 1, s.n - 2);
    bool v6 = span_starts_nocase(inside, SPAN("ipv6:"));
    return address_parse(v6 ? span_skip(inside, 5) : inside, &a) && v6 == !address_is_v4(&a);
}

/* One spelling for one port: decimal, no leading zero. */
static bool take_port(struct span s, uint16_t *ret)
{
    uint64_t v;

    if (!span_u64(s, &v) || s.p[0] == '0' || v > UINT16_MAX) return false;
    *ret = (uint16_t)v;
    return true;
}

bool next_hop_take_host(struct span *names, struct span *host, uint16_t *port)
{
    size_t blank = span_find(*names, ' ');
    struct span one = span_head(*names, blank);
    size_t colon = span_rfind(one, ':');
    bool last = blank == SPAN_NPOS;
    struct address a;

    if (colon == SPAN_NPOS || (!last && blank + 1 == names->n)) return false;
    struct span name = span_head(one, colon);
    bool brackets = name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']';
    if (brackets) name = span_of(name.p + 1, name.n - 2);
    if (brackets ? !address_parse(name, &a) || address_is_v4(&a) : !domain_plain(name)) return false;
    if (!take_port(span_skip(one, colon + 1), port)) return false;
    *host = name;
    *names = last ? span_of(NULL, 0) : span_skip(*names, blank + 1);
    return true;
}

static bool hosts_valid(struct span names)
{
    struct span host;
    uint16_t port;

    if (!names.n || !lower_case(names)) return false;
    while (names.n)
        if (!next_hop_take_host(&names, &host, &port)) return false;
    return true;
}

static bool path_valid(struct span s, size_t max)
{
    return s.n > 1 && s.n <= max && s.p[0] == '/' && span_no_controls(s);
}

bool next_hop_valid(const struct next_hop *h)
{
    if (h->protocol >= NEXT_HOP_PROTOCOL_COUNT || h->tls >= TLS_POLICY_COUNT ||
        h->name.n > LIMIT_NEXT_HOP_OCTETS)
        return false;
    if (h->kind != NEXT_HOP_HOST && (h->implicit_tls || h->user.n)) return false;
    switch (h->kind) {
    case NEXT_HOP_MX:
        return h->protocol == NEXT_HOP_SMTP && lower_case(h->name) &&
               (domain_plain(h->name) || literal_plain(h->name));
    case NEXT_HOP_HOST:
        return hosts_valid(h->name) && !(h->implicit_tls && h->tls == TLS_POLICY_NONE) &&
               (!h->user.n || path_valid(h->user, LIMIT_CONFIG_PATH_OCTETS));
    case NEXT_HOP_UNIX: return h->tls == TLS_POLICY_NONE && path_valid(h->name, LIMIT_SOCKET_PATH_OCTETS);
    default: return false;
    }
}

void next_hop_put(struct buf *b, const struct next_hop *h)
{
    wire_put_u8(b, h->kind);
    wire_put_u8(b, h->protocol);
    wire_put_u8(b, h->tls);
    wire_put_u8(b, h->implicit_tls);
    wire_put_span(b, h->name);
    wire_put_span(b, h->user);
}

bool next_hop_read(struct wire *w, struct next_hop *ret)
{
    struct next_hop h = {.kind = wire_u8(w), .protocol = wire_u8(w), .tls = wire_u8(w)};
    uint8_t implicit = wire_u8(w);

    h.implicit_tls = implicit == 1;
    h.name = wire_span(w, LIMIT_NEXT_HOP_OCTETS);
    h.user = wire_span(w, LIMIT_CONFIG_PATH_OCTETS);
    if (w->bad || implicit > 1 || !next_hop_valid(&h)) {
        w->bad = true;
        return false;
    }
    *ret = h;
    return true;
}

void next_hop_put_text(struct buf *b, const struct next_hop *h)
{
    buf_str(b, h->kind == NEXT_HOP_MX ? "mx " : h->protocol == NEXT_HOP_LMTP ? "lmtp " : "smtp ");
    if (h->kind == NEXT_HOP_UNIX) buf_str(b, "unix:");
    buf_put(b, h->name);
}

const char *tls_policy_name(enum tls_policy p)
{
    static const char names[TLS_POLICY_COUNT][10] = {"none", "may", "dane", "encrypt", "verify", "dane-only"};

    return names[p < TLS_POLICY_COUNT ? p : TLS_POLICY_NONE];
}
