#include "mail/received.h"

#include "mail/field.h"

#define LAST_SECOND 253402300799u /* 9999-12-31T23:59:59Z: beyond it dates are not expressible */

/* What may stand in a domain, an address literal or a cipher name. Anything else a client chose must not reach the field
 * as syntax: parentheses, semicolons, quotes, controls. */
static bool is_plain(uint8_t c)
{
    return (c >= '0' && c <= '9') || (octet_lower(c) >= 'a' && octet_lower(c) <= 'z') || c == '.' ||
           c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

/* s with foreign octets as =HH (atext, so the result is one token). utf8: octets above 127 stay (RFC 6531 3.7.3). */
static struct span plain(uint8_t *memory, size_t max, struct span s, bool utf8)
{
    static const char hex[] = "0123456789ABCDEF";
    struct buf b = buf_on(memory, max);
    for (size_t i = 0; i < s.n && buf_room(&b) >= 3; i++) {
        uint8_t c = s.p[i];
        if (is_plain(c) || (utf8 && c >= 128)) {
            buf_byte(&b, c);
            continue;
        }
        buf_byte(&b, '=');
        buf_byte(&b, (uint8_t)hex[c >> 4]);
        buf_byte(&b, (uint8_t)hex[c & 15]);
    }
    return buf_span(&b);
}

/* RFC 3848 and RFC 6531 9: "with" protocol types. */
static struct span protocol(const struct received *r, uint8_t *memory, size_t max)
{
    struct buf b = buf_on(memory, max);
    if (r->utf8) buf_put(&b, SPAN("UTF8"));
    if (r->lmtp)
        buf_put(&b, SPAN("LMTP"));
    else if (r->utf8)
        buf_put(&b, SPAN("SMTP"));
    else
        buf_str(&b, r->esmtp ? "ESMTP" : "SMTP");
    if (r->esmtp || r->lmtp || r->utf8) {
        if (r->tls) buf_byte(&b, 'S');
        if (r->auth) buf_byte(&b, 'A');
    }
    return buf_span(&b);
}

/* "(name [192.0.2.1])": RFC 5321 4.4 TCP-info: what we know, beside what the client said. */
static void put_client(struct field *f, const struct received *r)
{
    uint8_t memory[3 * 256 + 64];
    uint8_t part[3 * 256];
    struct buf b = buf_on(memory, sizeof memory);
    buf_byte(&b, '(');
    if (r->client_name.n) {
        buf_put(&b, plain(part, sizeof part, span_head(r->client_name, 255), false));
        field_word(f, buf_span(&b));
        b.n = 0;
    }
    buf_put(&b, plain(part, 60, span_head(r->address, 60), false));
    buf_byte(&b, ')');
    field_word(f, buf_span(&b));
}

static void put_recipient(struct field *f, const struct received *r)
{
    uint8_t memory[512];
    struct buf b = buf_on(memory, sizeof memory);
    if (r->recipient.n == 0 || r->recipient.n > sizeof memory - 2) return;
    buf_byte(&b, '<');
    for (size_t i = 0; i < r->recipient.n; i++) {
        uint8_t c = r->recipient.p[i];
        if (c >= 128 && !r->utf8)
            return; /* RFC 6531 3.7.3: not expressible outside an internationalized message */
        buf_byte(&b, (c < 32 || c == 127) ? '?' : c);
    }
    buf_byte(&b, '>');
    field_word(f, SPAN("for"));
    field_word(f, buf_span(&b));
}

static void put_tls(struct field *f, const struct received *r)
{
    uint8_t part[192], memory[200];
    if (!r->tls || r->tls_cipher.n == 0) return;
    field_word(f, SPAN("tls")); /* RFC 8314 4.3: the cipher suite as a registered clause */
    field_word(f, plain(part, sizeof part, span_head(r->tls_cipher, 64), false));
    if (r->tls_version.n == 0) return;
    struct buf b = buf_on(memory, sizeof memory);
    buf_byte(&b, '(');
    buf_put(&b, plain(part, sizeof part, span_head(r->tls_version, 32), false));
    buf_byte(&b, ')');
    field_word(f, buf_span(&b));
}

void received_put(struct buf *b, const struct received *r)
{
    uint8_t part[3 * 256], date[40];
    struct field f;
    field_begin(&f, b, "Received", r->utf8);
    field_word(&f, SPAN("from"));
    /* Without HELO there is still a from clause: RFC 5321 4.4 wants the source of the environment. */
    field_word(&f, r->helo.n ? plain(part, sizeof part, span_head(r->helo, 255), r->utf8) : SPAN("unknown"));
    put_client(&f, r);
    field_word(&f, SPAN("by"));
    field_word(&f, plain(part, sizeof part, span_head(r->by, 255), r->utf8));
    field_word(&f, SPAN("with"));
    field_word(&f, protocol(r, part, sizeof part));
    if (r->id.n) {
        field_word(&f, SPAN("id"));
        field_word(&f, plain(part, sizeof part, span_head(r->id, 64), false));
    }
    put_recipient(&f, r);
    put_tls(&f, r);
    buf_byte(b, ';');
    f.column++;
    struct buf d = buf_on(date, sizeof date);
    date_put(&d, r->unix_seconds);
    field_word(&f, buf_span(&d));
    field_end(&f);
}

struct civil {
    uint32_t year, month, day, hour, minute, second, weekday; /* month 1..12, weekday 0 = Sunday */
};

/* Days since 1970-01-01 to the Gregorian calendar, in eras of 400 years that begin in March, so the leap day is last. */
static struct civil civil_of(uint64_t unix_seconds)
{
    uint64_t t = unix_seconds > LAST_SECOND ? LAST_SECOND : unix_seconds;
    uint32_t days = (uint32_t)(t / 86400), rest = (uint32_t)(t % 86400);
    uint32_t z = days + 719468;
    uint32_t era = z / 146097, doe = z % 146097;
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint32_t mp = (5 * doy + 2) / 153;
    uint32_t month = mp < 10 ? mp + 3 : mp - 9;
    return (struct civil){
        .year = yoe + era * 400 + (month <= 2),
        .month = month,
        .day = doy - (153 * mp + 2) / 5 + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
        .weekday = (days + 4) % 7,
    };
}

static void put_time(struct buf *b, const struct civil *c)
{
    buf_u64_pad(b, c->hour, 2);
    buf_byte(b, ':');
    buf_u64_pad(b, c->minute, 2);
    buf_byte(b, ':');
    buf_u64_pad(b, c->second, 2);
}

void date_put(struct buf *b, uint64_t unix_seconds)
{
    struct civil c = civil_of(unix_seconds);
    buf_put(b, span_of(&"SunMonTueWedThuFriSat"[3 * c.weekday], 3));
    buf_put(b, SPAN(", "));
    buf_u64(b, c.day);
    buf_byte(b, ' ');
    buf_put(b, span_of(&"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * (c.month - 1)], 3));
    buf_byte(b, ' ');
    buf_u64_pad(b, c.year, 4);
    buf_byte(b, ' ');
    put_time(b, &c);
    buf_put(b, SPAN(" +0000"));
}

void date_put_rfc3339(struct buf *b, uint64_t unix_milliseconds)
{
    struct civil c = civil_of(unix_milliseconds / 1000);
    buf_u64_pad(b, c.year, 4);
    buf_byte(b, '-');
    buf_u64_pad(b, c.month, 2);
    buf_byte(b, '-');
    buf_u64_pad(b, c.day, 2);
    buf_byte(b, 'T');
    put_time(b, &c);
    buf_byte(b, '.');
    buf_u64_pad(b, unix_milliseconds % 1000, 3);
    buf_byte(b, 'Z');
}
