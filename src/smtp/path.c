#include "smtp/path.h"

#include "base/idn.h"
#include "base/limits.h"
#include "base/utf8.h"

/* RFC 5322 3.2.3 */
static bool is_atext(uint8_t c)
{
    return octet_is_alnum(c) || (c != 0 && memchr("!#$%&'*+-/=?^_`{|}~", c, 19) != NULL);
}

/* RFC 6531 3.3: atext and qtextSMTP =/ UTF8-non-ascii. *octets of one character above 127 at the start of s. */
static enum path_error non_ascii(struct span s, unsigned flags, size_t *octets)
{
    uint32_t code;
    if (!(flags & PATH_ALLOW_UTF8)) return PATH_UTF8;
    *octets = utf8_next(s, &code);
    return *octets ? PATH_OK : PATH_UTF8_BROKEN;
}

/* Dot-string = Atom *("." Atom). *n: its octets at the start of in. */
static enum path_error dot_string(struct span in, unsigned flags, size_t *n)
{
    size_t i = 0;
    bool want_atext = true;
    while (i < in.n) {
        size_t octets = 1;
        uint8_t c = in.p[i];
        if (c > 127) {
            enum path_error e = non_ascii(span_skip(in, i), flags, &octets);
            if (e) return e;
        } else if (c == '.') {
            if (want_atext) return PATH_SYNTAX;
        } else if (!is_atext(c)) {
            break;
        }
        want_atext = c == '.';
        i += octets;
    }
    *n = i;
    return want_atext ? PATH_SYNTAX : PATH_OK;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE; qtextSMTP = %d32-33 / %d35-91 / %d93-126; quoted-pairSMTP = %d92 %d32-126.
 * No control character is in the grammar. */
static enum path_error quoted_string(struct span in, unsigned flags, size_t *n)
{
    size_t i = 1;
    while (i < in.n) {
        size_t octets = 1;
        uint8_t c = in.p[i];
        if (c == '"') {
            *n = i + 1;
            return PATH_OK;
        }
        if (c > 127) {
            enum path_error e = non_ascii(span_skip(in, i), flags, &octets);
            if (e) return e;
        } else if (c == '\\') {
            if (i + 1 >= in.n || in.p[i + 1] < ' ' || in.p[i + 1] > '~') return PATH_SYNTAX;
            octets = 2;
        } else if (c < ' ' || c > '~') {
            return PATH_SYNTAX;
        }
        i += octets;
    }
    return PATH_SYNTAX;
}

static enum path_error domain_error(enum domain_fault f)
{
    switch (f) {
    case DOMAIN_OK: return PATH_OK;
    case DOMAIN_SYNTAX: return PATH_SYNTAX;
    case DOMAIN_LONG: return PATH_DOMAIN_LONG;
    case DOMAIN_UTF8: return PATH_UTF8;
    case DOMAIN_UTF8_BROKEN: return PATH_UTF8_BROKEN;
    }
    return PATH_SYNTAX;
}

/* ( Domain / address-literal ) at the start of in. */
static enum path_error domain_part(struct span in, unsigned flags, size_t *n, bool *literal)
{
    *literal = in.n && in.p[0] == '[';
    if (!*literal) return domain_error(domain_take(in, flags & PATH_ALLOW_UTF8, false, n));
    size_t end = span_find(in, ']');
    if (end == SPAN_NPOS || !address_literal_valid(span_head(in, end + 1))) return PATH_SYNTAX;
    *n = end + 1;
    return PATH_OK;
}

/* RFC 6531 3.3: a domain beyond ASCII is made of U-labels (RFC 5890 2.3.2.1), so each has an A-label, and the path a key. */
static enum path_error u_labels(const struct path *p)
{
    uint8_t memory[LIMIT_PATH_OCTETS];
    struct buf b = buf_on(memory, sizeof memory - 1 - p->local.n);
    if (!idn_put_ascii(&b, p->domain)) return PATH_IDN;
    return b.over ? PATH_DOMAIN_LONG : PATH_OK;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ), or <postmaster>. *in moves behind it. */
static enum path_error mailbox(struct span *in, unsigned flags, struct path *ret)
{
    size_t n = 0;
    struct path p = {0};
    enum path_error e = in->n && in->p[0] == '"' ? quoted_string(*in, flags, &n) : dot_string(*in, flags, &n);
    if (e) return e;
    if (n > LIMIT_LOCAL_PART_OCTETS) return PATH_LOCAL_LONG;
    p.local = span_head(*in, n);
    struct span rest = span_skip(*in, n);
    if (rest.n == 0 || rest.p[0] != '@') {
        /* RFC 5321 4.1.1.3: "Postmaster" without a domain is a forward-path of its own, in any case */
        if (!(flags & PATH_ALLOW_POSTMASTER) || !span_eq_nocase(p.local, SPAN("postmaster")))
            return PATH_SYNTAX;
        *ret = (struct path){.postmaster = true};
        *in = rest;
        return PATH_OK;
    }
    rest = span_skip(rest, 1);
    e = domain_part(rest, flags, &n, &p.literal);
    if (e) return e;
    p.domain = span_head(rest, n);
    bool idn = idn_is_needed(p.domain);
    p.utf8 = idn || idn_is_needed(p.local);
    /* RFC 5321 4.5.3.1.3: 256 octets "including the punctuation and element separators" */
    if (p.local.n + 1 + p.domain.n > LIMIT_PATH_OCTETS) return PATH_DOMAIN_LONG;
    if (idn && (e = u_labels(&p)) != PATH_OK) return e;
    *ret = p;
    *in = span_skip(rest, n);
    return PATH_OK;
}

/* A-d-l ":" with A-d-l = At-domain *( "," At-domain ). *in moves behind it. */
static enum path_error source_route(struct span *in, unsigned flags)
{
    for (;;) {
        size_t n = 0;
        if (in->n == 0 || in->p[0] != '@') return PATH_SYNTAX;
        enum path_error e = domain_error(domain_take(span_skip(*in, 1), flags & PATH_ALLOW_UTF8, false, &n));
        if (e) return e;
        *in = span_skip(*in, n + 1);
        uint8_t next = in->n ? in->p[0] : 0;
        *in = span_skip(*in, 1);
        if (next == ':') return PATH_OK;
        if (next != ',') return PATH_SYNTAX;
    }
}

enum path_error path_parse(struct span in, unsigned flags, struct path *ret, struct span *rest)
{
    if (in.n == 0 || in.p[0] != '<') return PATH_NO_BRACKETS;
    in = span_skip(in, 1);
    struct path p = {.null = true};
    bool routed = in.n && in.p[0] == '@';
    if (routed) {
        enum path_error e = source_route(&in, flags);
        if (e) return e;
    }
    if (in.n && in.p[0] == '>' && !routed) {
        if (!(flags & PATH_ALLOW_NULL)) return PATH_SYNTAX;
    } else {
        enum path_error e = mailbox(&in, flags, &p);
        if (e) return e;
        if (in.n == 0 || in.p[0] != '>') return PATH_SYNTAX;
    }
    if (routed)
        return PATH_ROUTE; /* told apart from mere nonsense: RFC 5321 F.2 lets us refuse it, and names it */
    *ret = p;
    *rest = span_skip(in, 1);
    return PATH_OK;
}

static bool is_quoted(struct span local)
{
    return local.n >= 2 && local.p[0] == '"';
}

/* The octet at *i of a quoted string's inside, its backslash undone; *i moves behind it. */
static uint8_t unquoted_at(struct span inside, size_t *i)
{
    if (inside.p[*i] == '\\' && *i + 1 < inside.n) ++*i;
    return inside.p[(*i)++];
}

/* "abc" and abc are one mailbox (RFC 5321 4.1.2: quoting is used only where it is needed). */
static bool inside_is_dot_string(struct span inside)
{
    bool want_atext = true;
    for (size_t i = 0; i < inside.n;) {
        uint8_t c = unquoted_at(inside, &i);
        if (c == '.' ? want_atext : !(c > 127 || is_atext(c))) return false;
        want_atext = c == '.';
    }
    return !want_atext;
}

static void put_lower(struct buf *b, struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        buf_byte(b, octet_lower(s.p[i]));
}

static void put_key_local(struct buf *b, struct span local)
{
    if (!is_quoted(local)) {
        put_lower(b, local);
        return;
    }
    struct span inside = {local.p + 1, local.n - 2};
    bool plain = inside_is_dot_string(inside);
    if (!plain) buf_byte(b, '"');
    for (size_t i = 0; i < inside.n;) {
        uint8_t c = unquoted_at(inside, &i);
        if (!plain && (c == '"' || c == '\\')) buf_byte(b, '\\');
        buf_byte(b, octet_lower(c));
    }
    if (!plain) buf_byte(b, '"');
}

void path_key(const struct path *p, struct buf *b)
{
    if (p->null) return;
    if (p->postmaster) {
        buf_put(b, SPAN("postmaster"));
        return;
    }
    put_key_local(b, p->local);
    buf_byte(b, '@');
    b->over |= !idn_put_ascii(b, p->domain);
}

bool path_canonical(struct span address, unsigned flags, struct buf *key)
{
    uint8_t memory[LIMIT_PATH_OCTETS + 2];
    struct buf b = buf_on(memory, sizeof memory);
    struct path path;
    struct span rest;
    buf_byte(&b, '<');
    buf_put(&b, address);
    buf_byte(&b, '>');
    if (b.over || path_parse(buf_span(&b), flags, &path, &rest) != PATH_OK || rest.n) return false;
    path_key(&path, key);
    return !key->over;
}

void path_local_unquoted(const struct path *p, struct buf *b)
{
    if (!is_quoted(p->local)) {
        buf_put(b, p->local);
        return;
    }
    struct span inside = {p->local.p + 1, p->local.n - 2};
    for (size_t i = 0; i < inside.n;)
        buf_byte(b, unquoted_at(inside, &i));
}

void path_put(const struct path *p, struct buf *b)
{
    if (p->null) return;
    if (p->postmaster) {
        buf_put(b, SPAN("postmaster"));
        return;
    }
    buf_put(b, p->local);
    buf_byte(b, '@');
    buf_put(b, p->domain);
}
