#include "base/utf8.h"
#include "mail/dsn_private.h"
#include "mail/field.h"
#include "mail/received.h"

static const char *const action_names[DSN_ACTION_COUNT] = {"failed", "delayed", "delivered", "relayed",
                                                           "expanded"};

static bool is_ascii(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > 127) return false;
    return true;
}

static size_t digits(struct span s)
{
    size_t n = 0;
    while (n < s.n && n < 3 && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    return n;
}

/* RFC 3464 2.3.4: DIGIT "." 1*3DIGIT "." 1*3DIGIT */
static bool status_valid(struct span s)
{
    if (s.n < 5 || (s.p[0] != '2' && s.p[0] != '4' && s.p[0] != '5') || s.p[1] != '.') return false;
    size_t subject = digits(span_skip(s, 2));
    struct span rest = span_skip(s, 2 + subject);
    if (subject == 0 || rest.n < 2 || rest.p[0] != '.') return false;
    size_t detail = digits(span_skip(rest, 1));
    return detail > 0 && rest.n == 1 + detail;
}

struct span dsn_status(const struct dsn_recipient *r)
{
    if (status_valid(r->status)) return r->status;
    if (r->action == DSN_FAILED) return SPAN("5.0.0");
    return r->action == DSN_DELAYED ? SPAN("4.0.0") : SPAN("2.0.0");
}

/* RFC 6533 3: an address beyond ASCII in a report that must be ASCII: \x{HEX}. */
static void put_embedded(struct buf *b, struct span s)
{
    static const char hex[] = "0123456789ABCDEF";
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n > 1) {
            bool begun = false;
            buf_str(b, "\\x{");
            for (int shift = 20; shift >= 0; shift -= 4) {
                unsigned d = (code >> shift) & 15;
                if (d || begun || shift == 0) buf_byte(b, (uint8_t)hex[d]);
                begun = begun || d;
            }
            buf_byte(b, '}');
        } else {
            field_put_clean(b, span_head(s, 1), false);
        }
        s = span_skip(s, n ? n : 1);
    }
}

/* "type; address" with the type that fits the address. */
static void put_address(struct buf *b, const char *field, struct span type, struct span address, bool utf8)
{
    buf_str(b, field);
    buf_str(b, ": ");
    if (is_ascii(address)) {
        buf_put(b, type);
        buf_str(b, "; ");
        field_put_clean(b, address, false);
    } else {
        buf_str(b, "utf-8; "); /* RFC 6533 3 */
        if (utf8)
            field_put_clean(b, address, true);
        else
            put_embedded(b, address);
    }
    buf_str(b, "\r\n");
}

static bool is_atom(struct span s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!(octet_lower(c) >= 'a' && octet_lower(c) <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return false;
    }
    return s.n > 0;
}

/* RFC 3461 6.3 (d): Original-Recipient only from ORCPT. */
static void put_original_recipient(struct buf *b, const struct dsn_recipient *r, bool utf8)
{
    size_t semicolon = span_find(r->orcpt, ';');
    if (semicolon == SPAN_NPOS || semicolon + 1 == r->orcpt.n || !is_atom(span_head(r->orcpt, semicolon)))
        return;
    put_address(b, "Original-Recipient", span_head(r->orcpt, semicolon),
                span_head(span_skip(r->orcpt, semicolon + 1), 500), utf8);
}

static void put_date(struct buf *b, const char *field, uint64_t seconds)
{
    if (!seconds) return;
    buf_str(b, field);
    buf_str(b, ": ");
    date_put(b, seconds);
    buf_str(b, "\r\n");
}

static void put_recipient(struct buf *b, const struct dsn_recipient *r, bool utf8)
{
    struct field f;
    buf_str(b, "\r\n");
    put_original_recipient(b, r, utf8);
    put_address(b, "Final-Recipient", SPAN("rfc822"), r->final, utf8);
    buf_str(b, "Action: ");
    buf_str(b, action_names[r->action]);
    buf_str(b, "\r\nStatus: ");
    buf_put(b, dsn_status(r));
    buf_str(b, "\r\n");
    if (r->remote.n) {
        buf_str(b, "Remote-MTA: dns; ");
        field_put_clean(b, span_head(r->remote, 255), utf8);
        buf_str(b, "\r\n");
    }
    if (r->diagnostic
            .n) { /* RFC 3464 2.3.6: "smtp" is for what a server said; our own words have a type of their own */
        field_begin(&f, b, "Diagnostic-Code", utf8);
        field_word(&f, r->remote.n && !r->ours ? SPAN("smtp;") : SPAN("x-sallyport;"));
        field_text(&f, r->diagnostic, 1000);
        field_end(&f);
    }
    put_date(b, "Last-Attempt-Date", r->last_attempt_seconds);
    if (r->action == DSN_DELAYED) put_date(b, "Will-Retry-Until", r->retry_until_seconds);
}

void dsn_put_status(struct buf *b, const struct dsn *d, bool utf8)
{
    if (d->envid.n) { /* RFC 3461 6.3 (b) */
        buf_str(b, "Original-Envelope-Id: ");
        field_put_clean(b, span_head(d->envid, 100), utf8);
        buf_str(b, "\r\n");
    }
    buf_str(b, "Reporting-MTA: dns; ");
    field_put_clean(b, d->host, utf8);
    buf_str(b, "\r\n");
    put_date(b, "Arrival-Date", d->arrival_seconds);
    for (size_t i = 0; i < d->n; i++)
        put_recipient(b, &d->recipients[i], utf8);
}
