#include "mail/dsn.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "mail/dsn_private.h"
#include "mail/field.h"
#include "mail/header.h"
#include "mail/received.h"

enum { BOUNDARY_OCTETS = 40, PATH_FACTOR = 24, RECIPIENT_OCTETS = 4096, FRAME_OCTETS = 8192 };

/* How the message comes back. */
struct returned {
    struct span content;
    bool full, eight_bit, utf8;
};

static bool has_8bit(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] > 127) return true;
    return false;
}

/* Text as RFC 5322 allows it: no NUL, no bare CR or LF, no line above 998 octets. Anything else cannot be quoted whole. */
static bool is_text(struct span s)
{
    size_t line = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == 0) return false;
        if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) return false;
        if (s.p[i] == '\r' && (i + 1 == s.n || s.p[i + 1] != '\n')) return false;
        line = s.p[i] == '\n' ? 0 : line + 1;
        if (line > LIMIT_TEXT_LINE_OCTETS + 1) return false;
    }
    return true;
}

static struct returned what_returns(const struct dsn *d)
{
    bool whole;
    struct span section = header_section(d->content, LIMIT_DSN_HEADER_OCTETS, &whole);
    struct returned r = {.full = d->full && d->content_whole && d->content.n <= LIMIT_DSN_CONTENT_OCTETS &&
                                 is_text(d->content)};
    r.content = r.full ? d->content : section;
    r.eight_bit = has_8bit(r.content);
    /* RFC 6532: an internationalized header is UTF-8; one that is not goes back as plain octets */
    r.utf8 = d->utf8 && utf8_valid(section);
    return r;
}

static bool contains(struct span s, struct span part)
{
    return s.n && memmem(s.p, s.n, part.p, part.n);
}

/* "=_" cannot occur in quoted-printable or base64 (RFC 2045 6.7); the rest is random, and looked for all the same. */
static void make_boundary(char *to, const struct dsn *d)
{
    for (uint64_t seed = d->seed;; seed++) {
        struct buf b = buf_on(to, BOUNDARY_OCTETS - 1);
        buf_str(&b, "=_sallyport_");
        buf_hex64(&b, seed);
        to[b.n] = '\0';
        bool found = contains(d->content, buf_span(&b));
        for (size_t i = 0; i < d->n && !found; i++)
            found = contains(d->recipients[i].diagnostic, buf_span(&b));
        if (!found) return;
    }
}

static void put_message_id(struct buf *b, const struct dsn *d)
{
    buf_str(b, "Message-ID: <");
    buf_hex64(b, d->now_seconds);
    buf_byte(b, '.');
    buf_hex64(b, d->seed ^ 0x5a5a5a5a5a5a5a5au); /* not the boundary again */
    buf_byte(b, '@');
    field_put_clean(b, d->host, false);
    buf_str(b, ">\r\n");
}

/* RFC 3834 3.1.5: the answer names what it answers. Only an id that is one plain token. */
static void put_in_reply_to(struct buf *b, struct span section)
{
    struct span value = header_find(section, SPAN("Message-ID"));
    size_t from = span_find(value, '<');
    size_t to = from == SPAN_NPOS ? SPAN_NPOS : span_find(value, '>');
    if (to == SPAN_NPOS || to < from || to - from > 250) return;
    struct span id = span_head(span_skip(value, from), to - from + 1);
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] <= 32 || id.p[i] > 126) return;
    buf_str(b, "In-Reply-To: ");
    buf_put(b, id);
    buf_str(b, "\r\nReferences: ");
    buf_put(b, id);
    buf_str(b, "\r\n");
}

static const char *const subjects[DSN_ACTION_COUNT] = {
    [DSN_FAILED] = "Undelivered mail returned to sender",
    [DSN_DELAYED] = "Delayed mail, still being tried",
    [DSN_DELIVERED] = "Delivery report: delivered",
    [DSN_RELAYED] = "Delivery report: passed on",
    [DSN_EXPANDED] = "Delivery report: passed on to a list",
};

static void put_header(struct buf *b, const struct dsn *d, const struct returned *r, const char *boundary)
{
    buf_str(b, "Date: ");
    date_put(b, d->now_seconds);
    buf_str(b, "\r\nFrom: Mail Delivery System <MAILER-DAEMON@");
    field_put_clean(b, d->host, false);
    buf_str(b, ">\r\nTo: <");
    field_put_clean(b, d->to, d->utf8);
    buf_str(b, ">\r\nSubject: ");
    buf_str(b, subjects[d->recipients[0].action]);
    buf_str(b, "\r\n");
    put_message_id(b, d);
    put_in_reply_to(b, r->content);
    buf_str(b, "Auto-Submitted: auto-replied\r\n" /* RFC 3834 5 */
               "MIME-Version: 1.0\r\n"
               "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
    buf_str(b, boundary);
    buf_str(b, "\"\r\n");
    if (r->eight_bit || d->utf8) buf_str(b, "Content-Transfer-Encoding: 8bit\r\n");
    buf_str(b, "\r\nThis is a report about a message, in MIME format (RFC 3464).\r\n");
}

static void put_part(struct buf *b, const char *boundary, const char *description, const char *type,
                     bool eight_bit)
{
    buf_str(b, "\r\n--");
    buf_str(b, boundary);
    buf_str(b, "\r\nContent-Description: ");
    buf_str(b, description);
    buf_str(b, "\r\nContent-Type: ");
    buf_str(b, type);
    buf_str(b, "\r\n");
    if (eight_bit) buf_str(b, "Content-Transfer-Encoding: 8bit\r\n");
    buf_str(b, "\r\n");
}

/* The header section in a form that any reader can take: controls are '?', a line that is too long goes on as a fold. */
static void put_section(struct buf *b, struct span s)
{
    size_t column = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
            buf_str(b, "\r\n");
            column = 0;
            i++;
            continue;
        }
        if (column >= LIMIT_TEXT_LINE_OCTETS - 8 &&
            ((c & 0xC0) != 0x80 || column == LIMIT_TEXT_LINE_OCTETS - 2)) { /* not within a character */
            buf_str(b, "\r\n ");
            column = 1;
        }
        buf_byte(b, (c < 32 && c != '\t') || c == 127 ? '?' : c);
        column++;
    }
    if (column) buf_str(b, "\r\n");
}

static void put_returned(struct buf *b, const struct returned *r, const char *boundary)
{
    if (r->full) {
        put_part(b, boundary, "The message", r->utf8 ? "message/global" : "message/rfc822", r->eight_bit);
        buf_put(b, r->content);
        if (r->content.n < 2 || r->content.p[r->content.n - 1] != '\n') buf_str(b, "\r\n");
        return;
    }
    put_part(b, boundary, "The header of the message",
             r->utf8 ? "message/global-headers" : "text/rfc822-headers", r->eight_bit);
    put_section(b, r->content);
}

size_t dsn_octets(const struct dsn *d)
{
    size_t n = FRAME_OCTETS + 8 * (d->to.n + d->host.n + d->id.n + d->envid.n);
    for (size_t i = 0; i < d->n; i++) {
        const struct dsn_recipient *r = &d->recipients[i];
        n += RECIPIENT_OCTETS + PATH_FACTOR * (r->final.n + r->expanded_from.n + r->orcpt.n) +
             4 * (span_head(r->diagnostic, 1000).n + r->remote.n);
    }
    return n + d->content.n + d->content.n / 64;
}

unsigned dsn_put(struct buf *b, const struct dsn *d)
{
    char boundary[BOUNDARY_OCTETS];
    if (d->n == 0 || d->to.n == 0) { /* I8: a null reverse-path gets no answer */
        b->over = true;
        return 0;
    }
    struct returned r = what_returns(d);
    make_boundary(boundary, d);
    put_header(b, d, &r, boundary);
    put_part(b, boundary, "Notification",
             d->utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", d->utf8);
    dsn_put_text(b, d);
    put_part(b, boundary, "Delivery report",
             d->utf8 ? "message/global-delivery-status" : "message/delivery-status", d->utf8);
    dsn_put_status(b, d, d->utf8);
    put_returned(b, &r, boundary);
    buf_str(b, "\r\n--");
    buf_str(b, boundary);
    buf_str(b, "--\r\n");
    return (r.eight_bit || d->utf8 ? DSN_IS_8BIT : 0u) | (d->utf8 ? DSN_IS_UTF8 : 0u);
}
