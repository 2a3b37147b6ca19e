#include "base/buf.h"
#include "config/reader_private.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

bool value_put_host(struct buf *b, struct span host, uint16_t port)
{
    static const struct address loopback = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
    bool near = span_eq_nocase(host, SPAN("localhost"));
    struct address a;

    if (address_parse(host, &a)) {
        bool v4 = address_is_v4(&a);
        near = v4 ? a.octets[12] == 127 : memcmp(&a, &loopback, sizeof a) == 0;
        if (!v4) buf_byte(b, '[');
        address_put(b, &a);
        if (!v4) buf_byte(b, ']');
    } else
        for (size_t i = 0; i < host.n; i++)
            buf_byte(b, octet_lower(host.p[i]));
    buf_byte(b, ':');
    buf_u64(b, port);
    return near;
}

static struct token part_of(const struct token *t, struct span part)
{
    return (struct token){TOKEN_WORD, part, t->line, t->column};
}

/* .example.org or *.example.org: written as the first */
static bool value_around(struct reader *r, const struct token *t, struct span domain, struct span *ret)
{
    const struct token inner = part_of(t, domain);
    uint8_t memory[LIMIT_DOMAIN_OCTETS + 1];
    struct buf b = buf_on(memory, sizeof memory);
    struct span lower;

    if (!value_domain(r, &inner, false, &lower)) return false;
    buf_byte(&b, '.');
    buf_put(&b, lower);
    *ret = arena_copy(r->arena, buf_span(&b));
    r->no_memory |= !ret->p;
    if (r->config->longest_suffix < b.n) r->config->longest_suffix = (uint32_t)b.n;
    return ret->p != NULL;
}

static bool value_address(struct reader *r, const struct token *t, struct span written, struct span *ret)
{
    uint8_t memory[LIMIT_PATH_OCTETS + 2], folded[LIMIT_PATH_OCTETS];
    struct buf b = buf_on(memory, sizeof memory), whole = buf_on(folded, sizeof folded);
    struct path path;
    struct span rest;

    buf_byte(&b, '<');
    buf_put(&b, written);
    buf_byte(&b, '>');
    if (b.over || path_parse(buf_span(&b), PATH_ALLOW_UTF8, &path, &rest) != PATH_OK || rest.n ||
        path.literal) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(written), SPAN(" is no address")),
                          SPAN("an address like user@example.org"));
        return false;
    }
    for (size_t i = 0; i < path.local.n; i++)
        buf_byte(&whole, octet_lower(path.local.p[i]));
    buf_byte(&whole, '@');
    if (!idn_put_ascii(&whole, path.domain) || whole.over)
        r->no_memory = true; /* path_parse saw that it can be */
    *ret = arena_copy(r->arena, buf_span(&whole));
    r->no_memory |= !ret->p;
    return ret->p != NULL;
}

bool value_pattern(struct reader *r, const struct token *t, unsigned flags, struct span *ret)
{
    struct span written = token_value(t, r->arena);

    if ((flags & PATTERN_NULL) && span_eq(written, SPAN("<>"))) {
        *ret = SPAN("<>");
        return true;
    }
    if (written.n > 2 && written.p[0] == '*' && written.p[1] == '.')
        return value_around(r, t, span_skip(written, 2), ret);
    if (written.n > 1 && written.p[0] == '.') return value_around(r, t, span_skip(written, 1), ret);
    if ((flags & PATTERN_ADDRESS) && span_find(written, '@') != SPAN_NPOS)
        return value_address(r, t, written, ret);
    return value_domain(r, t, flags & PATTERN_STAR, ret);
}
