/* value_network: an address with or without a prefix length, and what is said of one that is none. */
#include "base/buf.h"
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

static struct span network_text(struct reader *r, const struct network *n)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);

    network_put(&b, n);
    return PROBLEM_TEXT(r, buf_span(&b));
}

/* The bits of a netmask like 255.255.240.0; false: it is none. */
static bool netmask_bits(struct span s, unsigned *ret)
{
    struct address a;

    if (!address_parse(s, &a) || !address_is_v4(&a)) return false;
    uint32_t mask = (uint32_t)a.octets[12] << 24 | (uint32_t)a.octets[13] << 16 |
                    (uint32_t)a.octets[14] << 8 | a.octets[15];
    *ret = mask ? 32u - (unsigned)__builtin_ctz(mask) : 0;
    return mask == (*ret ? UINT32_MAX << (32 - *ret) : 0);
}

static struct span suggestion(struct reader *r, struct span s)
{
    size_t slash = span_find(s, '/');
    struct span base = span_head(s, slash), bits = slash == SPAN_NPOS ? SPAN("") : span_skip(s, slash);
    uint8_t memory[160];
    struct buf mended = buf_on(memory, sizeof memory);
    struct network n;
    unsigned mask;

    if (base.n > 2 && base.p[0] == '[' && base.p[base.n - 1] == ']') base = span_of(base.p + 1, base.n - 2);
    buf_put(&mended, base);
    if (bits.n > 1 && netmask_bits(span_skip(bits, 1), &mask)) {
        buf_byte(&mended, '/');
        buf_u64(&mended, mask);
    } else
        buf_put(&mended, bits);
    if (mended.over || !network_parse_around(buf_span(&mended), &n))
        return SPAN("write ADDRESS/BITS, like 192.0.2.0/24 or 2001:db8::/32, or a lone address");
    if (network_parse_around(s, &n))
        return PROBLEM_TEXT(r, SPAN("write "), network_text(r, &n), SPAN(", or "), base,
                            SPAN(" for that host alone"));
    return PROBLEM_TEXT(r, SPAN("write "), network_text(r, &n));
}

bool value_network(struct reader *r, const struct token *t, struct network *ret)
{
    struct network around;
    struct address a;

    if (network_parse(t->text, ret)) return true;
    bool host_bits = network_parse_around(t->text, &around),
         address = address_parse(span_head(t->text, span_find(t->text, '/')), &a);
    config_problem_at(r, t,
                      PROBLEM_TEXT(r, QUOTED(t->text),
                                   host_bits ? SPAN(" has bits set behind its prefix")
                                   : address ? SPAN(" has a prefix that is no number of bits, or too many")
                                             : SPAN(" is no network")),
                      suggestion(r, t->text));
    return false;
}
