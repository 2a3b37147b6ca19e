/* The socket: as few system calls as there can be; what it does not take is kept. */
#include <stdlib.h>

#include "service/outbound_private.h"
#include "system/stream.h"

/* ---- out */

/* Sends what it can; what is left. A connection that takes nothing more may still hold a reply. */
static struct span send_some(struct outbound_session *s, struct span octets)
{
    while (octets.n) {
        size_t n = 0;
        enum stream_moved m = stream_write(s->watch.fd, s->tls, octets, false, &n);
        if (m == STREAM_SOME) {
            octets = span_skip(octets, n);
            continue;
        }
        if (m == STREAM_LATER) outbound_later(s);
        if (m == STREAM_BLOCKED || m == STREAM_LATER) return octets;
        s->write_broken = s->readable = true;
        outbound_later(s);
        return (struct span){NULL, 0};
    }
    return octets;
}

/* Behind what is kept. What can come is bounded: the commands of one transaction and one piece of content. */
static void keep(struct outbound_session *s, struct span octets)
{
    if (s->kept_at > 0) {
        memmove(s->kept, s->kept + s->kept_at, s->kept_n);
        s->kept_at = 0;
    }
    size_t need = s->kept_n + octets.n;
    if (need > s->kept_max) {
        uint8_t *p = realloc(s->kept, need);
        if (!p) {
            s->write_broken = s->readable = true;
            outbound_later(s);
            return;
        }
        s->kept = p;
        s->kept_max = need;
    }
    memcpy(s->kept + s->kept_n, octets.p, octets.n);
    s->kept_n = need;
}

void outbound_emit(struct outbound_session *s, struct buf *out)
{
    struct span octets = buf_span(out);
    out->n = 0;
    if (s->write_broken || octets.n == 0) return;
    if (s->kept_n == 0) octets = send_some(s, octets);
    if (octets.n) keep(s, octets);
}

static void send_kept(struct outbound_session *s)
{
    if (s->kept_n == 0) return;
    struct span left = send_some(s, span_of(s->kept + s->kept_at, s->kept_n));
    if (left.n < s->kept_n) client_content_moves(s->engine, loop_now_ms(s->all->setup.loop));
    s->kept_at += s->kept_n - left.n;
    s->kept_n = left.n;
    if (left.n) return;
    explicit_bzero(s->kept, s->kept_max); /* it may have been an AUTH command (I10) */
    free(s->kept);
    s->kept = NULL;
    s->kept_at = s->kept_max = 0;
}

/* ---- the handshake */

static void fail(struct outbound_session *s, struct enhanced e, const char *why)
{
    struct client_reply r = {0, e, span_head(span_str(why), LIMIT_RESULT_TEXT_OCTETS)};
    outbound_end(s, &r, true);
}

/* What OpenSSL says alone does not tell what it speaks of. */
static void handshake_failed(struct outbound_session *s, const char *why)
{
    char text[LIMIT_RESULT_TEXT_OCTETS];
    struct buf b = buf_on(text, sizeof text - 1);
    bool certificate = s->tls && tls_client_refused(s->tls);
    buf_str(&b, certificate ? "the certificate of " : "TLS handshake with ");
    if (s->peer.name.n)
        buf_escaped(&b, s->peer.name, LIMIT_DOMAIN_OCTETS);
    else
        buf_str(&b, "the next hop");
    if (certificate && s->peer.also.n) {
        buf_str(&b, " (or ");
        buf_escaped(&b, s->peer.also, LIMIT_DOMAIN_OCTETS);
        buf_byte(&b, ')');
    }
    buf_str(&b, certificate ? " is not accepted: " : ": ");
    size_t room = buf_room(&b);
    buf_put(&b, span_head(span_str(why), room));
    text[b.n] = '\0';
    s->tls_failed = outbound_tls_wish(&s->peer) == CLIENT_TLS_MAY && !s->peer.implicit_tls;
    fail(s, (struct enhanced){4, 7, 5}, text);
}

/* True: done, go on. */
static bool shake_hands(struct outbound_session *s)
{
    uint64_t now = loop_now_ms(s->all->setup.loop);
    bool over = now >= s->since_ms + LIMIT_TLS_HANDSHAKE_SECONDS * 1000;
    if (!s->tls && !over && !tls_can_start())
        return false; /* others' handshakes end soon: the timer looks again */
    if (!s->tls &&
        !outbound_tls_begin(s)) { /* for want of something here: that is no reason to do without TLS */
        fail(s, (struct enhanced){4, 3, 2}, "too many TLS handshakes at once");
        return false;
    }
    s->wants_write = false;
    enum tls_result r = tls_handshake(s->tls);
    if (r == TLS_DONE) {
        s->state = OUTBOUND_TALKING;
        s->readable = true; /* the first octets may have come with the end of the handshake */
        client_tls_started(s->engine, now);
        return true;
    }
    if (r == TLS_AGAIN) outbound_later(s);
    if (r == TLS_FAILED)
        handshake_failed(s, tls_reason(s->tls));
    else if (over)
        handshake_failed(s, "it took too long");
    return false;
}

/* ---- in */

static void lost(struct outbound_session *s, const char *why, struct buf *out)
{
    struct span none = {NULL, 0};
    client_lost(s->engine, why);
    out->n = 0;
    (void)outbound_run(s, &none, out); /* it ends there */
}

/* All steps were in time, and all together are not. */
static void late(struct outbound_session *s, struct buf *out)
{
    struct buf b = buf_on((uint8_t *)s->late, sizeof s->late - 1);
    buf_str(&b, "the next hop took longer than ");
    buf_u64(&b, (s->until_ms - s->begun_ms) / 1000);
    buf_str(&b, s->message ? " seconds for one transaction" : " seconds to be ready for a message");
    s->late[b.n] = '\0';
    s->overdue = true;
    lost(s, s->late, out);
}

/* Input, commands, content. False: the session is over, or shakes hands now. */
static bool digest(struct outbound_session *s, struct span in, struct buf *out)
{
    for (;;) {
        if (!outbound_run(s, &in, out)) return false;
        bool had_content = s->at.open || s->at.draining;
        if (s->state == OUTBOUND_TALKING) outbound_content(s, out);
        /* the content failed: its result is due. Else all is said until the next octets come */
        if (!had_content || s->at.open || s->at.draining) break;
    }
    s->input_n = in.n < sizeof s->input ? in.n : sizeof s->input;
    if (s->input_n) memcpy(s->input, in.p, s->input_n);
    return s->state == OUTBOUND_TALKING;
}

/* Octets behind those that are left over. */
static enum stream_moved take_input(struct outbound_session *s, struct span *in)
{
    struct outbound *o = s->all;
    size_t n = 0, had = s->input_n;
    memcpy(o->in, s->input, had);
    enum stream_moved m =
        stream_read(s->watch.fd, s->tls, o->in + had, sizeof o->in - had, &n, &s->wants_write);
    if (m == STREAM_BLOCKED || (m == STREAM_SOME && !s->tls && !s->fin && n < sizeof o->in - had))
        s->readable = false; /* a short read of a stream socket: the rest comes with a new edge */
    *in = span_of(o->in, had + n);
    return m;
}

static void talk(struct outbound_session *s, struct buf *out)
{
    memcpy(s->all->in, s->input, s->input_n);
    if (!digest(s, span_of(s->all->in, s->input_n), out))
        return; /* a transaction, a deadline, room for more content */
    for (unsigned reads = 0; s->readable; reads++) {
        struct span in;
        if (reads == OUTBOUND_TURN_READS) {
            outbound_later(s);
            return;
        }
        switch (take_input(s, &in)) {
        case STREAM_SOME: break;
        case STREAM_BLOCKED:
            if (s->write_broken) lost(s, "the connection was lost", out);
            return;
        case STREAM_LATER: outbound_later(s); return;
        default: lost(s, "the connection was lost", out); return;
        }
        if (!digest(s, in, out)) return;
    }
}

void outbound_serve(struct outbound_session *s)
{
    struct outbound *o = s->all;
    struct buf out = buf_on(o->out, sizeof o->out);
    const char *refusal = s->was_served ? NULL : outbound_tls_refusal(s);
    s->was_served = true;
    if (refusal) {
        fail(s, (struct enhanced){4, 7, 4}, refusal);
        return;
    }
    bool over = loop_now_ms(o->setup.loop) >= s->until_ms;
    if (over && s->state == OUTBOUND_TALKING) s->readable = true; /* the last word may be there already */
    for (;;) {
        if (s->state == OUTBOUND_SHAKING && !shake_hands(s)) break;
        send_kept(s);
        talk(s, &out);
        if (s->state != OUTBOUND_SHAKING) break;
        out.n = 0;
    }
    if (s->state != OUTBOUND_CLOSED && loop_now_ms(o->setup.loop) >= s->until_ms) late(s, &out);
    if (s->state != OUTBOUND_CLOSED) outbound_arm(s);
}

void outbound_on_socket(struct watch *w, uint32_t events)
{
    struct outbound_session *s = (struct outbound_session *)(void *)w;
    if (s->state == OUTBOUND_FREE || s->state == OUTBOUND_CLOSED)
        return; /* never served, whoever tells of it */
    if (events & (LOOP_READ | LOOP_HUP | LOOP_FIN)) s->readable = true;
    if (events & (LOOP_FIN | LOOP_HUP)) s->fin = true;
    bool writable = (events & LOOP_WRITE) && (s->kept_n || s->wants_write || s->at.open);
    if (s->readable || writable || s->state == OUTBOUND_SHAKING) outbound_serve(s);
}
