#include "mail/header.h"

/* Where we are in a line. Only CRLF ends one: a lone CR or LF is an octet like others here; whether it is allowed at all
 * is decided by smtp/dot. */
enum { LINE_START, IN_NAME, BEFORE_COLON, IN_REST, CR_IN_REST, CR_AT_START };

static const char name[] = "received";

void header_scan_begin(struct header_scan *h)
{
    *h = (struct header_scan){.state = LINE_START};
}

/* One octet of a line that may still be a Received field. */
static uint8_t match(struct header_scan *h, uint8_t c)
{
    /* RFC 5322 4.5.3: obsolete syntax has blanks before the colon; they must not hide a hop from the loop check. */
    if (h->matched == sizeof name - 1) {
        if (c == ':') {
            h->received += h->received < UINT32_MAX;
            return IN_REST;
        }
        return (c == ' ' || c == '\t') ? BEFORE_COLON : IN_REST;
    }
    if (octet_lower(c) != (uint8_t)name[h->matched]) return IN_REST;
    h->matched++;
    return IN_NAME;
}

static void step(struct header_scan *h, uint8_t c)
{
    switch (h->state) {
    case CR_AT_START:
        if (c == '\n') {
            h->done = true;
            return;
        }
        h->state = c == '\r' ? CR_IN_REST : IN_REST;
        return;
    case CR_IN_REST:
        if (c == '\n') {
            h->state = LINE_START;
            h->matched = 0;
        } else if (c != '\r') {
            h->state = IN_REST;
        }
        return;
    case LINE_START:
    case IN_NAME:
    case BEFORE_COLON:
        if (c == '\r')
            h->state = h->state == LINE_START ? CR_AT_START : CR_IN_REST;
        else
            h->state = match(h, c);
        return;
    default:
        if (c == '\r') h->state = CR_IN_REST;
        return;
    }
}

void header_scan_feed(struct header_scan *h, struct span content)
{
    size_t i = 0;
    while (i < content.n && !h->done) {
        if (h->state == IN_REST) {
            size_t cr = span_find(span_skip(content, i), '\r');
            if (cr == SPAN_NPOS) {
                h->octets += content.n - i;
                return;
            }
            h->octets += cr;
            i += cr;
        }
        step(h, content.p[i++]);
        h->octets++;
    }
}

/* Octets of the first line with its CRLF; all of s when there is none. */
static size_t line_octets(struct span s)
{
    size_t at = 0;
    while (at < s.n) {
        size_t lf = span_find(span_skip(s, at), '\n');
        if (lf == SPAN_NPOS) return s.n;
        at += lf + 1;
        if (at >= 2 && s.p[at - 2] == '\r') return at;
    }
    return s.n;
}

static bool ends_in_crlf(struct span line)
{
    return line.n >= 2 && line.p[line.n - 2] == '\r' && line.p[line.n - 1] == '\n';
}

struct span header_section(struct span content, size_t max, bool *whole)
{
    size_t used = 0;
    *whole = true;
    while (used < content.n) {
        struct span rest = span_skip(content, used);
        struct span line = span_head(rest, line_octets(rest));
        if (line.n == 2 && ends_in_crlf(line)) break;
        if (used + line.n > max) {
            *whole = false;
            break;
        }
        used += line.n;
    }
    return span_head(content, used);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* A line with those that continue it. */
static struct span unfolded(struct span section)
{
    size_t n = line_octets(section);
    while (n < section.n && is_blank(section.p[n]))
        n += line_octets(span_skip(section, n));
    return span_head(section, n);
}

static bool has_stray(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == 0) return true;
        if (s.p[i] == '\n') return true;
        if (s.p[i] == '\r' && (++i == s.n || s.p[i] != '\n')) return true;
    }
    return false;
}

enum header_answer header_next(struct span *section, struct header_field *ret)
{
    struct span lines = unfolded(*section);
    size_t name_n = 0;
    if (!section->n) return HEADER_END;
    *section = span_skip(*section, lines.n);
    if (has_stray(lines)) return HEADER_STRAY;
    while (name_n < lines.n && lines.p[name_n] > ' ' && lines.p[name_n] <= '~' && lines.p[name_n] != ':')
        name_n++;
    size_t colon = name_n;
    while (colon < lines.n && is_blank(lines.p[colon]))
        colon++;
    if (name_n && colon < lines.n && lines.p[colon] == ':') {
        *ret = (struct header_field){span_head(lines, name_n), span_skip(lines, colon + 1)};
        return HEADER_FIELD;
    }
    struct span line = span_head(lines, line_octets(lines));
    return span_find(line, ':') == SPAN_NPOS ? HEADER_NO_COLON : HEADER_NAME;
}

struct span header_find(struct span section, struct span field_name)
{
    struct header_field f;
    enum header_answer a;
    while ((a = header_next(&section, &f)) != HEADER_END)
        if (a == HEADER_FIELD && span_eq_nocase(f.name, field_name)) return f.value;
    return (struct span){NULL, 0};
}
