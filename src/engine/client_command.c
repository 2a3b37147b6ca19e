/* MAIL and RCPT as this server understands them (RFC 5321 4.1.1.2-3, 1870, 6152, 3030, 6531, 3461). */
#include "base/idn.h"
#include "engine/client_private.h"
#include "smtp/xtext.h"

enum { DSN_NOTIFY_ALL = 15 };

/* Nothing that ends a line or a command, wherever it came from. */
static bool sayable(struct span s, bool utf8)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 32 || s.p[i] == 127 || (s.p[i] > 127 && !utf8)) return false;
    return true;
}

static bool parameter(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 32 || s.p[i] > 126) return false;
    return true;
}

static bool envelope_sayable(const struct client_transaction *t)
{
    if (t->n == 0 || t->n > LIMIT_RELAY_RECIPIENTS) return false;
    if (t->reverse_path.n > LIMIT_PATH_OCTETS || !sayable(t->reverse_path, t->utf8)) return false;
    if (t->envid.n > LIMIT_ENVID_OCTETS || !parameter(t->envid)) return false;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct client_recipient *r = &t->recipients[i];
        if (r->path.n == 0 || r->path.n > LIMIT_PATH_OCTETS || !sayable(r->path, t->utf8)) return false;
        if (r->orcpt.n > LIMIT_ORCPT_OCTETS || !parameter(r->orcpt) || r->notify > DSN_NOTIFY_ALL)
            return false;
    }
    return true;
}

/* The path, or with a_labels the same address with its domain in ASCII: true when it can be said so. */
static bool put_path(struct span path, bool a_labels, struct buf *out)
{
    uint8_t memory[LIMIT_PATH_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    size_t at = span_rfind(path, '@');
    size_t local = at == SPAN_NPOS ? path.n : at + 1;
    if (!a_labels || !idn_is_needed(path)) {
        buf_put(out, path);
        return true;
    }
    buf_put(&b, span_head(path, local));
    if (idn_is_needed(buf_span(&b)) || !idn_put_ascii(&b, span_skip(path, local)) || b.over) return false;
    buf_put(out, buf_span(&b));
    return true;
}

/* RFC 6531 3.2: what has ASCII content, and U-labels as the only thing beyond ASCII in its addresses, may be sent with A-labels to a
 * server without SMTPUTF8. */
static bool a_labels_do(const struct client_transaction *t)
{
    uint8_t memory[LIMIT_PATH_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (t->body_8bit || t->body_binary || !put_path(t->reverse_path, true, &b)) return false;
    for (uint32_t i = 0; i < t->n; i++) {
        b.n = 0;
        if (!put_path(t->recipients[i].path, true, &b)) return false;
    }
    return true;
}

/* The envelope goes out with A-labels: client_command_refusal has seen that they do. */
static bool with_a_labels(const struct client *c)
{
    return c->t->utf8 && !(c->ehlo.extensions & EXT_SMTPUTF8);
}

const char *client_command_refusal(const struct client *c, const struct client_transaction *t,
                                   struct enhanced *e)
{
    uint32_t offered = c->ehlo.extensions;
    *e = (struct enhanced){5, 5, 4};
    if (!envelope_sayable(t)) return "the envelope cannot be said in SMTP";
    *e = (struct enhanced){5, 6, 7}; /* RFC 6531 3.5 */
    if (t->utf8 && !(offered & EXT_SMTPUTF8) && !a_labels_do(t))
        return "the message needs SMTPUTF8, and the next hop does not offer it";
    /* RFC 6152 3, RFC 3030 3: without the extension the content must be converted or returned; it is never converted here */
    *e = (struct enhanced){5, 6, 3};
    if (t->body_binary && (offered & (EXT_BINARYMIME | EXT_CHUNKING)) != (EXT_BINARYMIME | EXT_CHUNKING))
        return "the message is binary, and the next hop does not offer BINARYMIME";
    if (t->body_8bit && !t->body_binary && !(offered & EXT_8BITMIME))
        return "the message is 8-bit, and the next hop does not offer 8BITMIME";
    *e = (struct enhanced){5, 3, 4}; /* RFC 1870 6.1 */
    if ((offered & EXT_SIZE) && c->ehlo.size > 0 && t->content_octets > c->ehlo.size)
        return "the message is larger than the next hop takes";
    return NULL;
}

void client_command_put_mail(const struct client *c, struct buf *out)
{
    const struct client_transaction *t = c->t;
    uint32_t offered = c->ehlo.extensions;
    buf_put(out, SPAN("MAIL FROM:<"));
    (void)put_path(t->reverse_path, with_a_labels(c), out);
    buf_put(out, SPAN(">"));
    if (offered & EXT_SIZE) {
        buf_put(out, SPAN(" SIZE="));
        buf_u64(out, t->content_octets);
    }
    if (t->body_binary)
        buf_put(out, SPAN(" BODY=BINARYMIME"));
    else if (t->body_8bit)
        buf_put(out, SPAN(" BODY=8BITMIME"));
    if (t->utf8 && !with_a_labels(c)) buf_put(out, SPAN(" SMTPUTF8"));
    if (offered & EXT_DSN) {
        if (t->ret == DSN_RET_FULL) buf_put(out, SPAN(" RET=FULL"));
        if (t->ret == DSN_RET_HDRS) buf_put(out, SPAN(" RET=HDRS"));
        if (t->envid.n) {
            buf_put(out, SPAN(" ENVID="));
            buf_put(out, t->envid);
        }
    }
    buf_put(out, SPAN("\r\n"));
}

static void put_notify(uint8_t notify, struct buf *out)
{
    static const struct {
        uint8_t bit;
        struct span word;
    } rows[] = {{DSN_NOTIFY_SUCCESS, SPAN("SUCCESS")},
                {DSN_NOTIFY_FAILURE, SPAN("FAILURE")},
                {DSN_NOTIFY_DELAY, SPAN("DELAY")}};
    bool first = true;
    if (notify == 0) return;
    buf_put(out, SPAN(" NOTIFY="));
    if (notify & DSN_NOTIFY_NEVER) { /* RFC 3461 4.1: NEVER stands alone */
        buf_put(out, SPAN("NEVER"));
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!(notify & rows[i].bit)) continue;
        if (!first) buf_byte(out, ',');
        buf_put(out, rows[i].word);
        first = false;
    }
}

/* RFC 3461 4.2: at most 500 octets of ORCPT; an address beyond ASCII would need the type utf-8 (RFC 6533 3) and its encoding. */
static void put_orcpt(const struct client_recipient *r, struct buf *out)
{
    uint8_t memory[LIMIT_ORCPT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    if (r->orcpt.n) {
        buf_put(&b, r->orcpt);
    } else {
        if (!sayable(r->path, false)) return;
        buf_put(&b, SPAN("rfc822;"));
        xtext_encode(r->path, &b);
    }
    if (b.over) return;
    buf_put(out, SPAN(" ORCPT="));
    buf_put(out, buf_span(&b));
}

void client_command_put_rcpt(const struct client *c, const struct client_recipient *r, struct buf *out)
{
    buf_put(out, SPAN("RCPT TO:<"));
    (void)put_path(r->path, with_a_labels(c), out);
    buf_put(out, SPAN(">"));
    if (c->ehlo.extensions & EXT_DSN) {
        put_notify(r->notify, out);
        put_orcpt(r, out);
    }
    buf_put(out, SPAN("\r\n"));
}
