#include "cmd/json.h"

static struct span skip_blanks(struct span s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '\n' || s.p[0] == '\r'))
        s = span_skip(s, 1);
    return s;
}

/* Octets of the string at the start of s with both quotes; 0: none. */
static size_t string_octets(struct span s)
{
    if (s.n == 0 || s.p[0] != '"') return 0;
    for (size_t i = 1; i < s.n && s.p[i] >= 32; i++) {
        if (s.p[i] == '"') return i + 1;
        if (s.p[i] == '\\') i++;
    }
    return 0;
}

/* Octets up to the bracket that closes the one at the start of s; 0: none. Kinds of brackets need not be told apart to find where
 * text of our own making ends; text that mixes them is found bad further in. */
static size_t bracket_octets(struct span s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n;) {
        size_t n = 1;
        if (s.p[i] == '"') n = string_octets(span_skip(s, i));
        if (n == 0) return 0;
        if (s.p[i] == '{' || s.p[i] == '[') depth++;
        if (s.p[i] == '}' || s.p[i] == ']') depth--;
        i += n;
        if (depth == 0) return i;
    }
    return 0;
}

static size_t value_octets(struct span s)
{
    if (s.n == 0) return 0;
    if (s.p[0] == '"') return string_octets(s);
    if (s.p[0] == '{' || s.p[0] == '[') return bracket_octets(s);
    size_t i = 0;
    while (i < s.n && s.p[i] > 32 && !memchr(",]}:\"{[", s.p[i], 7))
        i++;
    return i;
}

struct json json_enter(struct span raw)
{
    raw = skip_blanks(raw);
    if (raw.n == 0 || (raw.p[0] != '{' && raw.p[0] != '[')) return (struct json){.bad = true};
    return (struct json){.rest = span_skip(raw, 1), .object = raw.p[0] == '{'};
}

/* The octets that size finds at the start of the rest; false sets bad. */
static bool take(struct json *j, size_t (*size)(struct span), struct span *ret)
{
    j->rest = skip_blanks(j->rest);
    size_t n = size(j->rest);
    if (n == 0) {
        j->bad = true;
        return false;
    }
    *ret = span_head(j->rest, n);
    j->rest = skip_blanks(span_skip(j->rest, n));
    return true;
}

static size_t one_octet(struct span s)
{
    return s.n > 0;
}

bool json_next(struct json *j, struct span *key, struct span *value)
{
    struct span mark, k, v;
    if (j->bad) return false;
    j->rest = skip_blanks(j->rest);
    if (j->rest.n > 0 && j->rest.p[0] == (j->object ? '}' : ']')) return false;
    if (j->later && (!take(j, one_octet, &mark) || mark.p[0] != ',')) j->bad = true;
    if (j->object && !j->bad) {
        if (!take(j, string_octets, &k) || !take(j, one_octet, &mark)) return false;
        if (mark.p[0] != ':') j->bad = true;
        if (key) *key = k;
    }
    if (j->bad || !take(j, value_octets, &v)) return false;
    *value = v;
    j->later = true;
    return true;
}

struct span json_member(struct span object, const char *name)
{
    struct json j = json_enter(object);
    struct span key, value;
    while (j.object && json_next(&j, &key, &value))
        if (span_eq((struct span){key.p + 1, key.n - 2}, span_str(name))) return value;
    return (struct span){NULL, 0};
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9'                             ? c - '0'
           : octet_lower(c) >= 'a' && octet_lower(c) <= 'f' ? octet_lower(c) - 'a' + 10
                                                            : -1;
}

/* \uHHHH: what the daemon writes that way are controls, what shows nothing, and the replacement character; all are shown as '?'. */
static size_t put_unicode(struct span s, struct buf *out)
{
    unsigned v = 0;
    if (s.n < 4) return 0;
    for (size_t i = 0; i < 4; i++) {
        if (hex(s.p[i]) < 0) return 0;
        v = v * 16 + (unsigned)hex(s.p[i]);
    }
    buf_byte(out, v >= 32 && v < 127 ? (uint8_t)v : '?');
    return 4;
}

bool json_string(struct span raw, struct buf *out)
{
    if (string_octets(raw) != raw.n || raw.n < 2) return false;
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/?????";
    for (struct span s = {raw.p + 1, raw.n - 2}; s.n > 0;) {
        uint8_t c = s.p[0];
        s = span_skip(s, 1);
        if (c != '\\') {
            buf_byte(out, c == 127 ? '?' : c);
            continue;
        }
        const char *e = s.n > 0 ? memchr(escapes, s.p[0], sizeof escapes - 1) : NULL;
        size_t n = s.n > 0 && s.p[0] == 'u' ? put_unicode(span_skip(s, 1), out) + 1 : 1;
        if (e)
            buf_byte(out, (uint8_t)meant[e - escapes]);
        else if (n != 5)
            return false;
        s = span_skip(s, n);
    }
    return !out->over;
}

void json_put_names(struct buf *b, struct span names, uint8_t between, size_t max_in)
{
    buf_byte(b, '[');
    for (bool later = false; names.n; later = true) {
        struct span name = span_head(names, span_find(names, between));
        names = span_skip(names, name.n + 1);
        buf_str(b, later ? ",\"" : "\"");
        buf_json(b, name, max_in);
        buf_byte(b, '"');
    }
    buf_byte(b, ']');
}
