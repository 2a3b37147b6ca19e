/* Content of a message, whether it comes by DATA or by BDAT: slices pass through uncopied, counted and looked at. When
 * something in it cannot be accepted the caller is told at once to drop what it stored; the rest is read and dropped,
 * and the one reply comes at the true end. */
#include "engine/server_private.h"
#include "smtp/reply.h"

void server_body_begin(struct server *s, uint64_t now_ms)
{
    s->body_ms = s->block_ms = s->activity_ms = now_ms;
    s->body_octets = 0;
    s->block_octets = 0;
    s->body_open = true;
    s->content_code = 0;
    s->bdat_completed = false;
    header_scan_begin(&s->header);
    chunk_begin(&s->chunk, s->conf->max_line_octets);
}

static unsigned found(const struct server *s)
{
    if (s->verb != VERB_BDAT) {
        unsigned mended = s->conf->normalize_bare_lf ? DOT_BARE_LF : 0;
        return s->dot.found & ~mended;
    }
    return s->chunk.found;
}

struct span server_body_refusal(const struct server *s)
{
    unsigned f = found(s);
    /* RFC 5321 2.3.8: a CR or LF alone MUST NOT be sent; what it could mean to the next server is its danger (I7) */
    if (f & DOT_BARE_LF) return REPLY("550 5.6.11 Bare LF in the message");
    if (f & DOT_BARE_CR) return REPLY("550 5.6.11 Bare CR in the message");
    if (f & DOT_NUL) return REPLY("550 5.6.0 NUL in the message needs BODY=BINARYMIME");
    if (f & DOT_LONG_LINE) return REPLY("550 5.6.0 Line too long in the message");
    if (s->body_octets > server_max_octets(s)) return REPLY("552 5.3.4 Message too large"); /* RFC 1870 6.3 */
    if (s->header.received > s->conf->max_received)
        return REPLY("554 5.4.6 Too many hops, this is a mail loop"); /* RFC 5321 6.3 */
    return (struct span){NULL, 0};
}

bool server_body_refused(const struct server *s, struct body_refusal *ret)
{
    *ret = (struct body_refusal){.line = server_body_refusal(s)};
    ret->verdict.code = s->content_code;
    ret->verdict.enhanced = s->content_enhanced;
    ret->verdict.text = span_str(s->content_text);
    return ret->line.n > 0 || ret->verdict.code > 0;
}

void server_body_tell(struct server *s, struct step *t, const struct body_refusal *r)
{
    /* what will not do tomorrow either goes first */
    if (r->line.n > 0)
        server_fail(s, t, r->line);
    else
        server_fail_verdict(s, t->out, &r->verdict);
}

void server_body_drop(struct server *s)
{
    if (s->in_transaction) s->abort_due = true;
    s->in_transaction = false;
    s->body_open = false;
}

bool server_in_content(const struct server *s)
{
    return s->body_open && (s->phase == PHASE_DATA || (s->phase == PHASE_CHUNK && s->chunk_left > 0));
}

void server_fail_content(struct server *s, unsigned code, const char *enhanced, const char *constant_text)
{
    if (!s->body_open || s->ask != ASK_NONE) return;
    s->content_code = (uint16_t)code;
    s->content_enhanced = enhanced;
    s->content_text = constant_text;
    server_body_drop(s);
}

enum server_event server_body_slice(struct server *s, struct step *t, struct span slice)
{
    s->body_octets += slice.n;
    s->session_octets += slice.n;
    header_scan_feed(&s->header, slice);
    if (!s->body_open) return SERVER_AGAIN;
    if (server_body_refusal(s).n > 0) {
        server_body_drop(s);
        return SERVER_AGAIN; /* SERVER_ABORT is next */
    }
    t->d->body = slice;
    return SERVER_BODY;
}

enum server_event server_body_end(struct server *s)
{
    s->ask = ASK_BODY_END;
    return SERVER_BODY_END;
}

void server_body_end_answer(struct server *s, struct buf *out, const struct server_verdict *v)
{
    s->in_transaction = false; /* the caller knows what becomes of it */
    server_reset(s);
    if (!server_accepts(v)) {
        server_fail_verdict(s, out, v);
        return;
    }
    s->junk = 0;
    if (v->code)
        reply_put(out, v->code, v->enhanced, v->text);
    else
        buf_put(out, REPLY("250 2.0.0 Message accepted"));
}

bool server_body_8bit(const struct server *s)
{
    return found(s) & DOT_8BIT;
}
