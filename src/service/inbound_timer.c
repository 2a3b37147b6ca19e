#include "service/inbound_private.h"

/* Content waited too long for a block, or a command for a buffer: I4, at the cap new work gets 452 with a reason. */
static void paused_too_long(struct session *s)
{
    s->paused_ms = 0;
    s->wait &= (uint8_t) ~(WAIT_BLOCK | WAIT_WINDOW);
    s->rerun = true;
    s->in->counters.deferred++;
    if (server_in_content(&s->engine)) {
        inbound_transaction_drop(s);
        server_fail_content(&s->engine, 452, "4.3.1", "No buffer for this message now, try again later");
        inbound_deadline(s);
        inbound_ready(s);
        return;
    }
    inbound_session_close(s, "no buffer for input");
}

static void deadline_passed(struct session *s, uint64_t now)
{
    struct buf out = buf_on(s->in->output, INBOUND_OUT_OCTETS);
    enum server_event e = server_tick(&s->engine, now, &out);
    if (e == SERVER_ABORT) {
        inbound_transaction_drop(s);
        e = server_tick(&s->engine, now, &out);
    }
    if (e != SERVER_CLOSE) {
        inbound_deadline(s);
        return;
    }
    if (s->wait & WAIT_WRITE) { /* it does not read: it would not read the 421 either */
        inbound_session_close(s, "deadline passed, replies not taken");
        return;
    }
    s->wait = 0;
    s->closing = true;
    if (!inbound_send(s, buf_span(&out))) return;
    /* for the 421 that does not fit into the socket: it comes back here, and ends in the branch above */
    loop_timer_set(s->in->setup.loop, &s->timer, now + INBOUND_LINGER_MS, inbound_on_timer);
    inbound_ready(s);
}

void inbound_on_timer(struct timer *t)
{
    struct session *s = (struct session *)(void *)((char *)t - offsetof(struct session, timer));
    uint64_t now = loop_now_ms(s->in->setup.loop);
    if (!s->open) return;
    if (s->lingering)
        inbound_session_close(s, "closed by us");
    else if (s->wait & WAIT_PROXY)
        inbound_session_close(s, "no PROXY header in time");
    else if (s->wait & WAIT_NAME)
        inbound_name_late(s);
    else if (s->wait & WAIT_HANDSHAKE)
        inbound_session_close(s, "TLS handshake took too long");
    else if (s->paused_ms && now - s->paused_ms >= LIMIT_POOL_WAIT_SECONDS * 1000)
        paused_too_long(s);
    else if ((s->wait & WAIT_DIRECTORY) && now - s->asked_ms >= LIMIT_DIRECTORY_SECONDS * 1000) {
        inbound_directory_silent(s);
        if (s->open) inbound_deadline(s);
    } else if ((s->wait & WAIT_RESULT) && now - s->transaction->commit_ms >= LIMIT_COMMIT_SECONDS * 1000) {
        inbound_committed(s, SUBMIT_STATUS_COUNT);
        if (s->open) inbound_deadline(s);
    } else if (now >= server_deadline(&s->engine))
        deadline_passed(s, now);
    else
        inbound_deadline(s); /* deadlines move with every command; the timer follows only when it has fired */
}
