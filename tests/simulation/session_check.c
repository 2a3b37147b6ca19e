#include "session_check.h"

#include "spool/envelope.h"
#include "spool/message_id.h"

#include <stdlib.h>

void check_flush(struct scene *s)
{
    bool durable = store_flush(s->store, s->unix_ms);
    scene_note(s, "flush", durable, 0);
    for (uint32_t i = 0; durable && i < s->n_letters; i++) {
        struct letter *l = &s->letters[i];
        if (l->fate == FATE_WAITING && s->sabotage == SABOTAGE_NONE)
            scene_wrong(s, "letter %u still waits after a flush", i);
        memcpy(l->durable, l->now, sizeof l->durable);
        memset(l->deferred, 0, sizeof l->deferred);
        l->gone_durably = l->gone;
    }
}

void check_forget_volatile(struct scene *s)
{
    for (uint32_t i = 0; i < s->n_letters; i++)
        if (s->letters[i].fate == FATE_WAITING) s->letters[i].fate = FATE_MAYBE;
}

/* The end of our Received field: the first line end that no folding follows (RFC 5322 2.2.3). */
static size_t field_end(struct span content)
{
    for (size_t i = 0; i + 2 < content.n; i++)
        if (content.p[i] == '\r' && content.p[i + 1] == '\n' && content.p[i + 2] != ' ' &&
            content.p[i + 2] != '\t')
            return i + 2;
    return content.n;
}

static bool holds(struct span where, struct span what)
{
    return memmem(where.p, where.n, what.p, what.n) != NULL;
}

/* I6: exactly the octets that the client sent, behind one Received field of ours. */
static void check_content(struct scene *s, const struct letter *l, const struct message *m)
{
    static uint8_t content[LETTER_MAX_OCTETS * 2];
    uint8_t memory[MESSAGE_ID_TEXT];
    struct buf id = buf_on(memory, sizeof memory);
    message_id_put(&id, m->id);
    if (sim_disk_stopped(s->dice)) return; /* nothing can be read any more */
    if (m->content_octets > sizeof content ||
        store_read_content(s->store, m, content, sizeof content) != (int64_t)m->content_octets) {
        scene_wrong(s, "letter %u cannot be read", l->serial);
        return;
    }
    struct span all = span_of(content, (size_t)m->content_octets), received = span_head(all, field_end(all));
    if (!holds(received, SPAN("Received: from client.example ([192.0.2.7])")) ||
        !holds(received, SPAN("by mx.dest.example")) || !holds(received, buf_span(&id)))
        scene_wrong(s, "letter %u: Received is wrong", l->serial);
    if (!span_eq(span_skip(all, received.n), span_of(l->octets, l->n)))
        scene_wrong(s, "letter %u has other octets: %zu, not %zu", l->serial, all.n - received.n, l->n);
}

static void check_recipients(struct scene *s, struct letter *l, const struct message *m)
{
    if (m->n_recipients != letter_good(l)) {
        scene_wrong(s, "letter %u has %u recipients, not %u", l->serial, m->n_recipients, letter_good(l));
        return;
    }
    for (uint32_t i = 0; i < m->n_recipients; i++) {
        const struct recipient *r = &message_recipients(m)[i];
        uint8_t memory[128];
        struct buf path = buf_on(memory, sizeof memory);
        letter_put_good(&path, l, i);
        if (!span_eq(message_path(m, r), buf_span(&path)))
            scene_wrong(s, "letter %u/%u has another's path", l->serial, i);
        bool between = r->state == RECIPIENT_DEFERRED && l->deferred[i];
        if (r->state != l->now[i] && r->state != l->durable[i] && !between)
            scene_wrong(s, "letter %u/%u is %s, not %s or %s", l->serial, i, recipient_state_name(r->state),
                        recipient_state_name(l->durable[i]), recipient_state_name(l->now[i]));
        l->now[i] = l->durable[i] = r->state;
        l->deferred[i] = false;
    }
}

static struct letter *letter_of(struct scene *s, const struct message *m)
{
    uint64_t serial = 0;
    struct letter *l = NULL;
    if (letter_serial(message_reverse_path(m), &serial)) l = scene_letter(s, serial);
    if (!l) scene_wrong(s, "%llx was sent by nobody", (unsigned long long)m->id);
    return l;
}

/* May it be there at all? What the client sent and read is asked, and what the store said. */
static void check_right(struct scene *s, struct letter *l, const struct message *m)
{
    if (l->copies++) scene_wrong(s, "letter %u is there twice", l->serial);
    if (!l->complete) scene_wrong(s, "letter %u is there and was never completely sent", l->serial);
    if (l->bad) scene_wrong(s, "letter %u is there and may not be accepted", l->serial);
    if (l->fate == FATE_NONE || l->fate == FATE_REFUSED)
        scene_wrong(s, "letter %u was refused or never committed, and is there", l->serial);
    if (l->gone_durably) scene_wrong(s, "letter %u was finished and is back", l->serial);
    if (m->id != l->id || (l->read_250 && m->id != l->read_id))
        scene_wrong(s, "letter %u has another id", l->serial);
}

static void check_absent(struct scene *s, struct letter *l)
{
    if (l->copies) return;
    if ((l->read_250 || l->fate == FATE_STORED) && !l->gone)
        scene_wrong(s, "letter %u was %s and is lost", l->serial,
                    l->read_250 ? "acknowledged to its client" : "called durable");
    if (l->fate == FATE_MAYBE) l->fate = FATE_REFUSED;
    l->gone = l->gone_durably = l->fate == FATE_STORED;
}

static void no_problem(void *context, uint32_t segment, uint64_t offset, uint64_t id, const char *text)
{
    (void)id;
    scene_wrong(context, "verify: segment %u offset %llu: %s", segment, (unsigned long long)offset, text);
}

void check_all(struct scene *s)
{
    const struct message *m;
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < s->n_letters; i++)
        s->letters[i].copies = 0;
    while (!s->error[0] && (m = store_after(s->store, cursor))) {
        struct letter *l = letter_of(s, m);
        cursor = m->id;
        if (!l) return;
        check_right(s, l, m);
        check_recipients(s, l, m);
        check_content(s, l, m);
        if (l->fate == FATE_MAYBE && !l->read_250) s->numbers.appeared++;
        l->fate = FATE_STORED;
        l->gone = l->gone_durably = false;
    }
    for (uint32_t i = 0; i < s->n_letters && !s->error[0]; i++)
        check_absent(s, &s->letters[i]);
    struct verify_report report = {.problem = no_problem, .context = s};
    cursor = 0;
    while (!s->error[0] && store_verify(s->store, &cursor, &report)) {
    }
}

static void attempt(struct scene *s, struct letter *l, const struct message *m, uint32_t i)
{
    static const uint8_t outcomes[] = {RECIPIENT_DELIVERED, RECIPIENT_DELIVERED, RECIPIENT_DELIVERED,
                                       RECIPIENT_DEFERRED, RECIPIENT_BOUNCED};
    struct attempt a = {.state = outcomes[roll(s->dice, sizeof outcomes)],
                        .enhanced = SPAN("2.0.0"),
                        .text = SPAN("as it was decided by the dice")};
    uint64_t id = m->id;
    if (s->unix_ms >= store_expires_ms(s->store, m)) a.state = RECIPIENT_EXPIRED;
    if (a.state == RECIPIENT_DELIVERED) check_content(s, l, m);
    if (!store_attempt(s->store, id, i, &a, s->unix_ms)) {
        store_put_back(s->store, id, i, s->unix_ms + 1000);
        return;
    }
    scene_note(s, recipient_state_name(a.state), id, i);
    l->now[i] = a.state;
    if (a.state == RECIPIENT_DEFERRED) l->deferred[i] = true;
    s->numbers.delivered += a.state == RECIPIENT_DELIVERED;
    s->numbers.bounced += a.state == RECIPIENT_BOUNCED || a.state == RECIPIENT_EXPIRED;
    l->gone = true;
    for (uint32_t k = 0; k < letter_good(l); k++)
        if (!recipient_final(l->now[k])) l->gone = false;
    if ((store_find(s->store, id) == NULL) != l->gone)
        scene_wrong(s, "letter %u: finished or not?", l->serial);
}

void check_deliver(struct scene *s)
{
    uint64_t id;
    uint32_t i;
    enum store_due why;
    for (uint64_t k = roll(s->dice, 6); k > 0 && store_due(s->store, STORE_ANY, s->unix_ms, &id, &i, &why);
         k--) {
        const struct message *m = store_find(s->store, id);
        struct letter *l = m ? letter_of(s, m) : NULL;
        if (!l || i >= letter_good(l) || recipient_final(l->now[i]) || l->fate != FATE_STORED ||
            id != l->id) {
            scene_wrong(s, "%llx/%u is due and should not be", (unsigned long long)id, i);
            return;
        }
        if (why == DUE_DELAY)
            (void)store_delay_told(s->store, id, i, s->unix_ms);
        else
            attempt(s, l, m, i);
    }
}

void check_end(struct scene *s)
{
    if (store_after(s->store, 0)) scene_wrong(s, "the queue does not become empty");
    for (uint32_t i = 0; i < s->n_letters; i++) {
        const struct letter *l = &s->letters[i];
        if ((l->read_250 || l->fate == FATE_STORED) && !l->gone_durably)
            scene_wrong(s, "letter %u was acknowledged and never went out", i);
        if (l->fate == FATE_STORED && !l->read_250) s->numbers.lost_250++;
        if (l->read_refusal && l->fate == FATE_STORED) s->numbers.late++;
    }
}
