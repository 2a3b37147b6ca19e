#include "mail/mailbox_list.h"

enum { COMMENT_DEPTH = 16 };

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One comment, with those inside it. False: it has no end, or is too deep. */
static bool skip_comment(struct span *s)
{
    unsigned depth = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint8_t c = s->p[i];
        if (c == '\\') {
            i++;
        } else if (c == '(') {
            if (++depth > COMMENT_DEPTH) return false;
        } else if (c == ')' && --depth == 0) {
            *s = span_skip(*s, i + 1);
            return true;
        }
    }
    return false;
}

/* Blanks, folds, comments. False: broken. */
static bool skip_cfws(struct span *s)
{
    while (s->n) {
        if (is_blank(s->p[0]))
            *s = span_skip(*s, 1);
        else if (s->p[0] != '(')
            return true;
        else if (!skip_comment(s))
            return false;
    }
    return true;
}

/* Octets of the quoted string that s begins with; 0: it has no end. */
static size_t quoted_octets(struct span s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Octets of the word that s begins with: a quoted string, or octets up to a special one. 0: neither. */
static size_t word_octets(struct span s)
{
    size_t i = 0;
    if (s.n && s.p[0] == '"') return quoted_octets(s);
    while (i < s.n && s.p[i] > ' ' && s.p[i] != 127 && !memchr("()<>,;:\"", s.p[i], 8))
        i++; /* controls are no part of anything */
    return i;
}

/* One piece: [word of quotes] up to a blank or special octet, with one '@' outside of quotes that has something on both sides. */
static size_t address_octets(struct span s)
{
    size_t local = 0, n;
    if (s.n && s.p[0] == '"') {
        local = quoted_octets(s);
        if (local == 0 || local == s.n || s.p[local] != '@') return 0;
    }
    n = local + word_octets(span_skip(s, local));
    struct span domain = span_skip(span_head(s, n), local);
    size_t at = span_find(domain, '@');
    if (at == SPAN_NPOS || local + at == 0 || at + 1 == domain.n) return 0;
    return span_find(span_skip(domain, at + 1), '@') == SPAN_NPOS ? n : 0;
}

/* "<address>", behind the name. */
static enum mailbox_list_answer angle(struct span *s, struct span *address)
{
    *s = span_skip(*s, 1);
    while (s->n && is_blank(s->p[0]))
        *s = span_skip(*s, 1);
    size_t n = address_octets(*s);
    if (n == 0) return MAILBOX_LIST_BROKEN;
    *address = span_head(*s, n);
    *s = span_skip(*s, n);
    while (s->n && is_blank(s->p[0]))
        *s = span_skip(*s, 1);
    if (s->n == 0 || s->p[0] != '>') return MAILBOX_LIST_BROKEN;
    *s = span_skip(*s, 1);
    return MAILBOX_LIST_ADDRESS;
}

/* What may stand behind an address. */
static bool ends_well(struct span *s)
{
    if (!skip_cfws(s)) return false;
    if (s->n == 0) return true;
    if (s->p[0] != ',' && s->p[0] != ';') return false;
    *s = span_skip(*s, 1);
    return true;
}

/* One mailbox, or the beginning of a group, which counts as nothing. */
static enum mailbox_list_answer mailbox(struct span *s, struct span *address, bool *group)
{
    bool named = false;
    *group = false;
    for (;;) {
        if (!skip_cfws(s)) return MAILBOX_LIST_BROKEN;
        if (s->n == 0) return MAILBOX_LIST_BROKEN; /* a name and nothing behind it */
        if (s->p[0] == '<') return angle(s, address);
        if (s->p[0] == ':' && named) {
            *s = span_skip(*s, 1);
            *group = true;
            return MAILBOX_LIST_END;
        }
        size_t n = named ? 0 : address_octets(*s);
        if (n > 0) {
            *address = span_head(*s, n);
            *s = span_skip(*s, n);
            return MAILBOX_LIST_ADDRESS;
        }
        n = word_octets(*s);
        if (n == 0 || (s->p[0] != '"' && span_find(span_head(*s, n), '@') != SPAN_NPOS))
            return MAILBOX_LIST_BROKEN;
        *s = span_skip(*s, n);
        named = true;
    }
}

enum mailbox_list_answer mailbox_list_next(struct span *rest, struct span *address)
{
    for (;;) {
        bool group;
        if (!skip_cfws(rest)) return MAILBOX_LIST_BROKEN;
        if (rest->n == 0) return MAILBOX_LIST_END;
        if (rest->p[0] == ',' || rest->p[0] == ';') { /* an empty one, the end of a group */
            *rest = span_skip(*rest, 1);
            continue;
        }
        enum mailbox_list_answer a = mailbox(rest, address, &group);
        if (group) continue;
        return a == MAILBOX_LIST_ADDRESS && !ends_well(rest) ? MAILBOX_LIST_BROKEN : a;
    }
}
