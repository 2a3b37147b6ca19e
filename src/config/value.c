#include "base/buf.h"
#include "config/reader_private.h"
#include "smtp/path.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

struct unit {
    uint8_t letter;
    uint64_t factor;
};
static const struct unit size_units[] = {{'k', 1024}, {'m', 1048576}, {'g', 1073741824}};
static const struct unit time_units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};

static struct span amount_text(struct reader *r, unsigned type, uint64_t v)
{
    uint8_t memory[32];
    struct buf b = buf_on(memory, sizeof memory);

    schema_amount(&b, type, v);
    return arena_copy(r->arena, buf_span(&b));
}

static struct span range_text(struct reader *r, const struct schema_row *row)
{
    return PROBLEM_TEXT(r, SPAN("from "), amount_text(r, row->type, row->min), SPAN(" to "),
                        amount_text(r, row->type, row->max), SPAN(" is allowed"));
}

static bool no_number(struct reader *r, const struct schema_row *row, const struct token *t)
{
    config_problem_at(
        r, t, PROBLEM_TEXT(r, span_str(row->name), SPAN(" wants a whole number, not "), QUOTED(t->text)),
        range_text(r, row));
    return false;
}

static bool letter_in(struct span unit, const char *letters, uint8_t *ret)
{
    if (unit.n) *ret = octet_lower(unit.p[0]);
    return unit.n && span_find(span_str(letters), *ret) != SPAN_NPOS;
}

/* A unit that stands apart from its number: 50 M, 5 min. */
static struct span unit_apart(const struct reader *r, const struct schema_row *row, const struct token *t)
{
    static const char *const words[] = {"s",   "sec",  "seconds", "m", "min", "minutes", "h", "hours",
                                        "day", "days", "d",       "k", "kb",  "mb",      "g", "gb"};
    size_t first = row->type == SCHEMA_DURATION ? 0 : 11, last = row->type == SCHEMA_DURATION ? 11 : 16;
    const struct token *next = &r->token;

    if (next->kind != TOKEN_WORD || next->line != t->line || row->type == SCHEMA_NUMBER) return SPAN("");
    if (row->type != SCHEMA_DURATION && span_eq_nocase(next->text, SPAN("m"))) return next->text;
    for (size_t i = first; i < last; i++)
        if (span_eq_nocase(next->text, span_str(words[i]))) return next->text;
    return SPAN("");
}

/* What was meant: the number with that unit, if this makes an amount that is allowed; else empty. */
static struct span meant(struct reader *r, const struct schema_row *row, struct span digits, struct span unit)
{
    bool time = row->type == SCHEMA_DURATION;
    const struct unit *units = time ? time_units : size_units;
    uint8_t letter = 0;
    uint64_t v;

    if (!letter_in(unit, time ? "smhd" : "kmg", &letter)) letter = time ? 's' : 'm';
    while (units->letter != letter)
        units++;
    bool good = span_u64(digits, &v) && !__builtin_mul_overflow(v, units->factor, &v) && v >= row->min &&
                v <= row->max;
    if (!time) letter = (uint8_t)(letter - 'a' + 'A');
    return good ? PROBLEM_TEXT(r, digits, span_of(&letter, 1)) : SPAN("");
}

static bool out_of_range(struct reader *r, const struct schema_row *row, const struct token *t)
{
    struct span unit = unit_apart(r, row, t), better = unit.n ? meant(r, row, t->text, unit) : unit;

    config_problem_at(
        r, t, PROBLEM_TEXT(r, span_str(row->name), SPAN(" is "), t->text, SPAN(", outside its range")),
        better.n ? PROBLEM_TEXT(r, SPAN("no blank before the unit: "), better) : range_text(r, row));
    return false;
}

static bool wrong_unit(struct reader *r, const struct schema_row *row, const struct token *t,
                       struct span digits)
{
    const char *units = row->type == SCHEMA_DURATION ? "s, m, h or d (seconds, minutes, hours, days)"
                                                     : "K, M or G (powers of 1024), or none for octets";
    struct span unit = span_skip(t->text, digits.n);

    if (unit.n && (unit.p[0] == '.' || unit.p[0] == ',')) return no_number(r, row, t);
    if (row->type == SCHEMA_NUMBER) {
        config_problem_at(
            r, t, PROBLEM_TEXT(r, span_str(row->name), SPAN(" counts and has no unit: "), QUOTED(t->text)),
            PROBLEM_TEXT(r, SPAN("write "), digits));
        return false;
    }
    struct span better = meant(r, row, digits, unit.n ? unit : unit_apart(r, row, t));
    config_problem_at(r, t,
                      unit.n
                          ? PROBLEM_TEXT(r, span_str(row->name), SPAN(" has an unknown unit: "), QUOTED(unit))
                          : PROBLEM_TEXT(r, span_str(row->name), SPAN(" needs a unit behind "), digits),
                      PROBLEM_TEXT(r, SPAN("units are "), span_str(units), better.n ? SPAN(": ") : SPAN("; "),
                                   better.n ? better : range_text(r, row)));
    return false;
}

static bool value_amount(struct reader *r, const struct schema_row *row, const struct token *t, uint64_t *ret)
{
    size_t n = 0;
    uint64_t v, factor = 1;

    while (n < t->text.n && t->text.p[n] >= '0' && t->text.p[n] <= '9')
        n++;
    if (!n) return no_number(r, row, t);
    struct span digits = span_head(t->text, n), unit = span_skip(t->text, n);
    bool time = row->type == SCHEMA_DURATION;
    if (unit.n > 1 || (unit.n && row->type == SCHEMA_NUMBER) || (!unit.n && time))
        return wrong_unit(r, row, t, digits);
    if (unit.n) {
        const struct unit *units = time ? time_units : size_units;
        size_t i = 0, count = time ? 4 : 3;
        while (i < count && units[i].letter != octet_lower(unit.p[0]))
            i++;
        if (i == count) return wrong_unit(r, row, t, digits);
        factor = units[i].factor;
    }
    if (!span_u64(digits, &v) || __builtin_mul_overflow(v, factor, &v) || v < row->min || v > row->max)
        return out_of_range(r, row, t);
    *ret = v;
    return true;
}

bool value_choice(struct reader *r, const struct token *t, const char *words, uint64_t *ret)
{
    struct span rest = span_str(words);

    for (uint64_t i = 0; rest.n; i++) {
        size_t end = span_find(rest, ' ');
        if (span_eq(span_head(rest, end), t->text)) {
            *ret = i;
            return true;
        }
        rest = end == SPAN_NPOS ? span_of(NULL, 0) : span_skip(rest, end + 1);
    }
    struct span near = suggest_word(t->text, words);
    config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(t->text), SPAN(" is none of: "), span_str(words)),
                      near.n ? PROBLEM_TEXT(r, SPAN("did you mean "), QUOTED(near), SPAN("?")) : SPAN(""));
    return false;
}

bool value_plain(struct reader *r, const struct schema_row *row, const struct token *t, uint64_t *ret)
{
    if (row->type != SCHEMA_CHOICE) return value_amount(r, row, t, ret);
    if (!value_choice(r, t, row->choices, ret)) return false;
    *ret += row->min;
    return true;
}

bool value_path(struct reader *r, const struct token *t, struct span *ret)
{
    struct span written = token_value(t, r->arena), file = reader_place(r, t).file, folder;
    size_t slash = span_rfind(file, '/');

    if (!written.n) {
        config_problem_at(r, t, SPAN("the path is empty"), SPAN(""));
        return false;
    }
    folder = written.p[0] == '/' || slash == SPAN_NPOS ? SPAN("") : span_head(file, slash + 1);
    while (span_eq(span_head(written, 2), SPAN("./")))
        written = span_skip(written, 2);
    if (folder.n + written.n > LIMIT_CONFIG_PATH_OCTETS) {
        config_problem_at(r, t, SPAN("the path is too long"), SPAN("at most 4095 octets"));
        return false;
    }
    uint8_t memory[LIMIT_CONFIG_PATH_OCTETS + 1];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, folder);
    buf_put(&b, written);
    *ret = arena_copy(r->arena, buf_span(&b));
    r->no_memory |= !ret->p;
    return ret->p != NULL;
}

/* The form in which domains are compared and asked for. */
static bool value_ascii(struct reader *r, const struct token *t, struct span domain, struct span *ret)
{
    uint8_t memory[LIMIT_DOMAIN_OCTETS];
    struct buf ascii = buf_on(memory, sizeof memory);

    if (!idn_put_ascii(&ascii, domain) || ascii.over) {
        config_problem_at(
            r, t,
            PROBLEM_TEXT(r, QUOTED(domain), SPAN(" is no valid internationalized domain name (IDNA 2008)")),
            SPAN("labels of letters and digits of a script, or the A-label, like xn--bcher-kva.example"));
        return false;
    }
    *ret = arena_copy(r->arena, buf_span(&ascii));
    r->no_memory |= !ret->p;
    return ret->p != NULL;
}

static bool is_number(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return s.n > 0;
}

/* No top-level domain is a number (RFC 3696 2): 10.0.0.1 is an address. */
bool value_domain(struct reader *r, const struct token *t, bool star, struct span *ret)
{
    struct span written = token_value(t, r->arena);
    size_t at = span_rfind(written, '@');

    if (star && span_eq(written, SPAN("*"))) {
        *ret = SPAN("*");
        return true;
    }
    if (!written.n || written.n > LIMIT_DOMAIN_OCTETS || !domain_valid(written, true, false) ||
        is_number(span_skip(written, span_rfind(written, '.') + 1))) {
        struct span hint = star ? SPAN("a domain like example.org, or *") : SPAN("a domain like example.org");
        if (at != SPAN_NPOS && at + 1 < written.n)
            hint = PROBLEM_TEXT(r, SPAN("write "), span_skip(written, at + 1));
        if (written.n > 1 && written.p[written.n - 1] == '.')
            hint = PROBLEM_TEXT(r, SPAN("write "), span_head(written, written.n - 1));
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(written), SPAN(" is no domain name")), hint);
        return false;
    }
    return value_ascii(r, t, written, ret);
}

bool value_name(struct reader *r, const struct token *t, struct span *ret)
{
    struct span s = token_value(t, r->arena);
    bool good = s.n >= 1 && s.n <= 64;

    for (size_t i = 0; good && i < s.n; i++) {
        uint8_t c = octet_lower(s.p[i]);
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    }
    if (!good) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" is no name")),
                          SPAN("1 to 64 letters, digits, - _ ."));
        return false;
    }
    *ret = arena_copy(r->arena, s);
    r->no_memory |= !ret->p;
    return ret->p != NULL;
}

static bool port_parse(struct span s, uint16_t *ret)
{
    uint64_t v;

    if (!span_u64(s, &v) || v < 1 || v > 65535) return false;
    *ret = (uint16_t)v;
    return true;
}

/* 192.0.2.1:25 or [2001:db8::1]:25 */
bool value_endpoint(struct reader *r, const struct token *t, struct address *address, uint16_t *port)
{
    struct span s = t->text, host;
    size_t colon = span_rfind(s, ':');
    struct span hint = SPAN("write ADDRESS:PORT, like 192.0.2.1:25 or [2001:db8::1]:25");

    if (colon == SPAN_NPOS || (s.p[0] != '[' && span_find(s, ':') != colon) ||
        (s.p[0] == '[' && s.p[s.n - 1] == ']')) {
        config_problem_at(
            r, t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" has no port, or an IPv6 address without brackets")),
            hint);
        return false;
    }
    host = span_head(s, colon);
    if (span_eq(host, SPAN("*"))) {
        struct span p = span_skip(s, colon);
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" names no address")),
                          PROBLEM_TEXT(r, SPAN("for every address write: 0.0.0.0"), p, SPAN(" [::]"), p));
        return false;
    }
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') host = span_of(host.p + 1, host.n - 2);
    if (!address_parse(host, address)) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(host), SPAN(" is no IP address")), hint);
        return false;
    }
    if (!port_parse(span_skip(s, colon + 1), port)) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(span_skip(s, colon + 1)), SPAN(" is no port")),
                          SPAN("from 1 to 65535 is allowed"));
        return false;
    }
    return true;
}

bool value_host_port(struct reader *r, const struct token *t, struct span *host, uint16_t *port)
{
    struct span s = token_value(t, r->arena), name;
    struct address a;
    size_t colon = span_rfind(s, ':');
    struct span said = colon == SPAN_NPOS ? (struct span){0} : span_skip(s, colon + 1);
    bool bare = colon != SPAN_NPOS && s.p[0] != '[' && span_find(s, ':') != colon;

    if (bare && (address_parse(span_head(s, colon), &a) || address_parse(s, &a))) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" has an IPv6 address without brackets")),
                          SPAN("write [ADDRESS]:PORT, like [2001:db8::1]:25"));
        return false;
    }
    if (is_number(said) && !port_parse(said, port)) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(said), SPAN(" is no port")),
                          SPAN("from 1 to 65535 is allowed"));
        return false;
    }
    if (colon == SPAN_NPOS || !port_parse(said, port)) {
        config_problem_at(r, t, PROBLEM_TEXT(r, QUOTED(s), SPAN(" has no port")),
                          SPAN("write HOST:PORT, like smtp.example.org:587"));
        return false;
    }
    name = span_head(s, colon);
    if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']') name = span_of(name.p + 1, name.n - 2);
    if (!address_parse(name, &a) && (name.n > LIMIT_DOMAIN_OCTETS || !domain_valid(name, true, false))) {
        config_problem_at(
            r, t, PROBLEM_TEXT(r, QUOTED(name), SPAN(" is neither a host name nor an IP address")), SPAN(""));
        return false;
    }
    return value_ascii(r, t, name, host);
}

void value_not_yet(struct reader *r, const struct token *t, const char *what, const char *consequence)
{
    config_problem_add(r, CONFIG_WARNING, reader_place(r, t),
                       PROBLEM_TEXT(r, span_str(what), SPAN(" is not in this version")),
                       PROBLEM_TEXT(r, span_str(consequence)));
}
