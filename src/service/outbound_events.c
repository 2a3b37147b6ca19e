/* What the engine wants. */
#include "service/outbound_private.h"

static void ready(struct outbound_session *s)
{
    s->was_ready = true;
    s->idle = true;
    s->until_ms = UINT64_MAX;
    s->since_ms = loop_now_ms(s->all->setup.loop);
    s->all->setup.hooks->ready(s, s->owner);
}

static void done(struct outbound_session *s, const struct client_detail *d)
{
    struct outbound_done r = {.reply = d->reply,
                              .next_hop_failed = d->next_hop_failed,
                              .untouched = d->untouched,
                              .overdue = s->overdue,
                              .damaged = s->damaged};
    s->message = NULL;
    s->at.open = s->at.draining = false;
    s->all->setup.hooks->done(s, s->owner, &r);
}

/* False: the session is over, or it is somebody else's turn. */
static bool act(struct outbound_session *s, enum client_event e, const struct client_detail *d,
                struct buf *out)
{
    const struct outbound_hooks *h = s->all->setup.hooks;
    switch (e) {
    case CLIENT_INPUT: return false;
    case CLIENT_FLUSH: outbound_emit(s, out); return true;
    case CLIENT_STARTTLS:
        outbound_emit(s, out);
        s->state = OUTBOUND_SHAKING;
        s->since_ms = loop_now_ms(s->all->setup.loop);
        return false;
    case CLIENT_AUTH:
        outbound_emit(s, out);
        h->auth(s, s->owner, d->mechanisms, d->challenge);
        return true;
    case CLIENT_READY: ready(s); return true;
    case CLIENT_RCPT: h->recipient(s, s->owner, d->recipient, &d->reply); return true;
    case CLIENT_CONTENT: outbound_content_begin(s, d->dot_stuffed); return true;
    case CLIENT_TRANSACTION_DONE: done(s, d); return true;
    case CLIENT_CLOSE:
        outbound_emit(s, out);
        outbound_end(s, &d->reply, d->next_hop_failed);
        return false;
    }
    return false;
}

bool outbound_run(struct outbound_session *s, struct span *in, struct buf *out)
{
    struct client_detail d;
    uint64_t now = loop_now_ms(s->all->setup.loop);
    enum client_event e;
    if (s->idle && (s->quitting || now >= s->since_ms + OUTBOUND_IDLE_MS)) client_quit(s->engine, out);
    uint64_t deadline = client_deadline(s->engine); /* 0: it ended already */
    if (s->message && deadline && now >= deadline) s->overdue = true;
    do
        e = client_next(s->engine, now, in, out, &d);
    while (act(s, e, &d, out) && s->state == OUTBOUND_TALKING);
    return s->state != OUTBOUND_CLOSED;
}
