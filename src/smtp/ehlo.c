#include "smtp/ehlo.h"

#include "base/limits.h"
#include "smtp/reply.h"

static const struct keyword {
    uint32_t extension;
    struct span name;
    struct span fixed; /* parameters that never vary, for writing */
} keywords[] = {
    {EXT_PIPELINING, SPAN("PIPELINING"), SPAN("")},
    {EXT_SIZE, SPAN("SIZE"), SPAN("")},
    {EXT_8BITMIME, SPAN("8BITMIME"), SPAN("")},
    {EXT_BINARYMIME, SPAN("BINARYMIME"), SPAN("")},
    {EXT_CHUNKING, SPAN("CHUNKING"), SPAN("")},
    {EXT_SMTPUTF8, SPAN("SMTPUTF8"), SPAN("")},
    {EXT_DSN, SPAN("DSN"), SPAN("")},
    {EXT_ENHANCEDSTATUSCODES, SPAN("ENHANCEDSTATUSCODES"), SPAN("")},
    {EXT_LIMITS, SPAN("LIMITS"), SPAN("")},
    {EXT_STARTTLS, SPAN("STARTTLS"), SPAN("")},
    {EXT_AUTH, SPAN("AUTH"), SPAN("")},
    {EXT_VRFY, SPAN("VRFY"), SPAN("")},
    {EXT_HELP, SPAN("HELP"), SPAN("")},
    {EXT_XCLIENT, SPAN("XCLIENT"), SPAN(" NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT")},
    {EXT_XFORWARD, SPAN("XFORWARD"), SPAN(" NAME ADDR PORT PROTO HELO IDENT SOURCE")},
    {EXT_REQUIRETLS, SPAN("REQUIRETLS"), SPAN("")},
};
enum { KEYWORDS = sizeof keywords / sizeof *keywords };

static void put_limit(struct buf *line, struct span name, uint32_t v)
{
    if (v == 0) return;
    buf_put(line, name);
    buf_u64(line, v);
}

static void put_parameters(struct buf *line, const struct keyword *k, const struct ehlo *e)
{
    buf_put(line, k->fixed);
    if (k->extension == EXT_SIZE && e->size) {
        buf_byte(line, ' ');
        buf_u64(line, e->size);
    } else if (k->extension == EXT_AUTH && e->auth.n) {
        buf_byte(line, ' ');
        buf_put(line, e->auth);
    } else if (k->extension == EXT_LIMITS) {
        put_limit(line, SPAN(" RCPTMAX="), e->limit_rcptmax);
        put_limit(line, SPAN(" MAILMAX="), e->limit_mailmax);
    }
}

void ehlo_put(struct buf *out, struct span first, const struct ehlo *e)
{
    size_t last = out->n;
    reply_put_line(out, 250, first, false);
    for (size_t i = 0; i < KEYWORDS; i++) {
        if (!(e->extensions & keywords[i].extension)) continue;
        uint8_t memory[LIMIT_REPLY_LINE_OCTETS];
        struct buf line = buf_on(memory, sizeof memory);
        buf_put(&line, keywords[i].name);
        put_parameters(&line, &keywords[i], e);
        last = out->n;
        reply_put_line(out, 250, buf_span(&line), false);
    }
    if (!out->over) out->p[last + 3] = ' '; /* RFC 5321 4.2.1: the last line has SP behind its code */
}

/* The next blank-separated word of *rest; empty at the end. */
static struct span next_word(struct span *rest)
{
    while (rest->n && rest->p[0] == ' ')
        *rest = span_skip(*rest, 1);
    struct span word = span_head(*rest, span_find(*rest, ' '));
    *rest = span_skip(*rest, word.n);
    return word;
}

/* RFC 9422 2: limit-value = %x31-39 *5DIGIT */
static void read_limit(struct span word, struct span name, uint32_t *ret)
{
    uint64_t v;
    if (!span_starts_nocase(word, name)) return;
    struct span digits = span_skip(word, name.n);
    if (digits.n <= 6 && span_u64(digits, &v) && v > 0) *ret = (uint32_t)v;
}

static void read_parameters(uint32_t extension, struct span rest, struct ehlo *e)
{
    struct span all = rest, word = next_word(&rest);
    if (extension == EXT_SIZE) {
        uint64_t size;
        if (span_u64(word, &size)) e->size = size;
    } else if (extension == EXT_AUTH && word.n && e->auth.n == 0) {
        while (all.p[0] == ' ')
            all = span_skip(all, 1);
        e->auth = all;
    } else if (extension == EXT_LIMITS) {
        for (; word.n; word = next_word(&rest)) {
            read_limit(word, SPAN("RCPTMAX="), &e->limit_rcptmax);
            read_limit(word, SPAN("MAILMAX="), &e->limit_mailmax);
        }
    }
}

void ehlo_read_line(struct span text, struct ehlo *e)
{
    struct span name = next_word(&text);
    for (size_t i = 0; i < KEYWORDS; i++) {
        if (!span_eq_nocase(name, keywords[i].name)) continue;
        e->extensions |= keywords[i].extension;
        read_parameters(keywords[i].extension, text, e);
        return;
    }
}
