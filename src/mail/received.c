#include "mail/received.h"

#include "base/calendar.h"
#include "mail/field.h"

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

void date_put(struct buf *b, uint64_t unix_seconds)
{
    struct calendar c = calendar_of(unix_seconds);
    buf_put(b, span_of(&"SunMonTueWedThuFriSat"[3 * c.weekday], 3));
    buf_put(b, SPAN(", "));
    buf_u64(b, c.day);
    buf_byte(b, ' ');
    buf_put(b, span_of(&"JanFebMarAprMayJunJulAugSepOctNovDec"[3 * (c.month - 1)], 3));
    buf_byte(b, ' ');
    buf_u64_pad(b, c.year, 4);
    buf_byte(b, ' ');
    calendar_put_time(b, &c);
    buf_put(b, SPAN(" +0000"));
}

void date_put_rfc3339(struct buf *b, uint64_t unix_milliseconds)
{
    struct calendar c = calendar_of(unix_milliseconds / 1000);
    calendar_put(b, &c);
    buf_byte(b, '.');
    buf_u64_pad(b, unix_milliseconds % 1000, 3);
    buf_byte(b, 'Z');
}
