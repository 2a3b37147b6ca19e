#include "service/inbound_private.h"
#include "spool/message_id.h"

static void answer(struct session *s, const struct server_verdict *v, struct buf *out)
{
    server_answer(&s->engine, loop_now_ms(s->in->setup.loop), v, out);
}

static void begin_content(struct session *s, struct buf *out)
{
    struct server_verdict v = {0};
    if (!s->transaction || !inbound_content_begin(s))
        v = (struct server_verdict){.code = 452,
                                    .enhanced = "4.3.1",
                                    .text = SPAN("No buffer for this message now, try again later")};
    answer(s, &v, out);
}

/* RFC 5321 4.2.5 and invariant I5: the 250 is sent when the spooler says that the message is on disk, not before. */
void inbound_end_content(struct session *s, struct buf *out)
{
    struct server_verdict v = {
        .code = 451, .enhanced = "4.3.0", .text = SPAN("Message was not stored, try again later")};
    enum inbound_from from = s->transaction ? inbound_from_check(s) : INBOUND_FROM_LATER;
    if (from == INBOUND_FROM_ASKED) return;
    if (from == INBOUND_FROM_PERMITTED && inbound_transaction_commit(s)) {
        s->wait |= WAIT_RESULT;
        return;
    }
    if (from == INBOUND_FROM_REFUSED) {
        const char *rule;
        v = *inbound_from_refusal(s, &rule);
        inbound_log_sender(s, &v, rule);
    } else {
        s->in->counters.deferred++;
    }
    inbound_transaction_drop(s);
    answer(s, &v, out);
}

static void content(struct session *s, struct span octets)
{
    if (inbound_content_put(s, octets)) return;
    s->wait &= (uint8_t) ~(WAIT_BLOCK | WAIT_WINDOW);
    server_fail_content(&s->engine, 452, "4.3.1", "No buffer for this message now, try again later");
}

/* Serves one event. False: stop running the engine for now (it waits, or the session ends). */
static bool act(struct session *s, enum server_event event, const struct server_detail *d, struct buf *out)
{
    struct server_verdict v = {0};
    switch (event) {
    case SERVER_MAIL:
        if (!inbound_ask_mail(s, d, &v)) return false;
        answer(s, &v, out);
        return true;
    case SERVER_RCPT:
        inbound_ask_rcpt(s, d, &v);
        answer(s, &v, out);
        return true;
    case SERVER_BODY_BEGIN: begin_content(s, out); return true;
    case SERVER_BODY: content(s, d->body); return true;
    case SERVER_BODY_END: inbound_end_content(s, out); return !(s->wait & (WAIT_RESULT | WAIT_DIRECTORY));
    case SERVER_ABORT:
        s->in->counters.aborted += s->transaction != NULL;
        inbound_transaction_drop(s);
        return true;
    case SERVER_STARTTLS:
        s->starttls = s->in->setup.tls[s->server] && tls_can_start();
        if (!s->starttls)
            v = (struct server_verdict){.code = 454,
                                        .enhanced = "4.7.0",
                                        .text = SPAN("Too many TLS handshakes now, try again later")};
        answer(s, &v, out);
        return true; /* the engine discards what came behind it, then waits */
    case SERVER_AUTH:
    case SERVER_SASL:
        if (inbound_ask_login(s, event, d, &v)) return false;
        answer(s, &v, out);
        return true;
    case SERVER_AUTH_CANCEL: inbound_login_cancel(s); return true;
    case SERVER_CLOSE: s->closing = true; return false;
    case SERVER_WAIT: return false;
    case SERVER_INPUT:
    case SERVER_FLUSH: break; /* served by inbound_run */
    }
    return true;
}

/* Out of a content block, which may be given back or overwritten by what is done next. */
static void move_away(const struct inbound *in, struct span *input)
{
    if (input->n) memcpy(in->input, input->p, input->n);
    input->p = in->input;
}

bool inbound_run(struct session *s, struct span *input, struct buf *out)
{
    uint64_t now = loop_now_ms(s->in->setup.loop);
    bool in_block = input->p != s->in->input;
    for (;;) {
        struct span window = *input;
        bool narrowed = false;
        if (window.n && server_in_content(&s->engine)) {
            size_t room = inbound_content_room(s);
            if (room == 0) return true; /* s->wait says what for */
            narrowed = room < window.n;
            window = span_head(window, room);
        }
        size_t offered = window.n;
        struct server_detail d;
        enum server_event event = server_next(&s->engine, now, &window, out, &d);
        *input = span_skip(*input, offered - window.n);
        if (event == SERVER_INPUT) {
            if (narrowed && offered != window.n) continue;
            return true;
        }
        if (in_block && !(event == SERVER_BODY && inbound_content_in_place(s, d.body))) {
            move_away(s->in, input);
            in_block = false;
        }
        if (event == SERVER_FLUSH) {
            if (!inbound_send(s, buf_span(out))) return false;
            out->n = 0;
            if (s->wait & WAIT_WRITE) return true;
            continue;
        }
        if (!act(s, event, &d, out)) return true;
    }
}
