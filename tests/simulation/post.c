#include "post.h"

#include "smtp/params.h"
#include "spool/envelope.h"

#include <stdlib.h>

#define LLX(value) (unsigned long long)(value)

/* --- letters --- */

static const char *const traps[] = {
    ".\r\n",
    "..\r\n",
    ".\r\n.\r\n",
    "QUIT\r\n",
    "RSET\r\nMAIL FROM:<x@y>\r\n",
    "BDAT 5 LAST\r\n",
    "\r\n.\r\n\r\n.\r\n",
    ". \r\n",
    "...\r\n",
    "\r\n",
};

static void add(struct post_letter *l, struct span s)
{
    memcpy(l->octets + l->n, s.p, s.n);
    l->n += s.n;
}

static void add_line(struct post_letter *l, struct sim_disk *dice)
{
    uint8_t line[200];
    size_t n = (size_t)roll(dice, roll(dice, 4) ? 70 : 190);
    if (roll(dice, 5) == 0) {
        add(l, span_str(traps[roll(dice, sizeof traps / sizeof traps[0])]));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)(sim_random(dice) >> 8);
        if (!(l->flags & ENVELOPE_BINARYMIME)) {
            if (!(l->flags & ENVELOPE_8BITMIME)) c &= 0x7f;
            if (c == 0 || c == '\r' || c == '\n') c = '.';
        }
        line[i] = c;
    }
    line[n] = '\r';
    line[n + 1] = '\n';
    add(l, span_of(line, n + 2));
}

static void fill(struct post_letter *l, struct sim_disk *dice)
{
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    uint64_t kind = roll(dice, 24);
    size_t want = kind == 0   ? roll(dice, 200000)
                  : kind == 1 ? 65500 + roll(dice, 80)
                  : kind == 2 ? 0
                              : roll(dice, kind < 6 ? 20000 : 2000);
    l->octets = malloc(want + 1024);
    if (!l->octets) abort();
    buf_str(&b, "Subject: letter ");
    buf_u64(&b, l->serial);
    buf_str(&b, "\r\n\r\n");
    add(l, buf_span(&b));
    while (l->n < want)
        add_line(l, dice);
    if (!l->dirty) return;
    size_t at = (size_t)roll(dice, l->n);
    l->octets[at] = roll(dice, 2) ? '\r' : '\n';
    if (l->octets[at] == '\r' && at + 1 < l->n && l->octets[at + 1] == '\n') l->octets[at] = '\n';
    if (l->octets[at] == '\n' && at > 0 && l->octets[at - 1] == '\r') l->octets[at - 1] = 'x';
}

struct post_letter *post_write(struct post *p, unsigned hops)
{
    static const uint8_t notify[] = {
        0, 0, 0, DSN_NOTIFY_NEVER, DSN_NOTIFY_FAILURE, DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY};
    struct sim_disk *dice = p->scene->dice;
    if (p->n == POST_LETTERS) return NULL;
    struct post_letter *l = &p->letters[p->n];
    *l = (struct post_letter){.serial = p->n++,
                              .answer = POST_WAITING,
                              .dirty = roll(dice, 20) == 0,
                              .from_nobody = roll(dice, 12) == 0,
                              .notify = notify[roll(dice, sizeof notify)],
                              .n_to = (uint32_t)(roll(dice, 3) ? 1 : 1 + roll(dice, POST_RECIPIENTS))};
    if (roll(dice, 8) == 0) l->flags |= ENVELOPE_8BITMIME;
    if (roll(dice, 16) == 0 && !l->dirty) l->flags |= ENVELOPE_8BITMIME | ENVELOPE_BINARYMIME;
    unsigned first = (unsigned)roll(dice, hops);
    for (uint32_t i = 0; i < l->n_to; i++)
        l->to[i] = (struct post_recipient){.hop = (uint8_t)(roll(dice, 3) ? first : roll(dice, hops)),
                                           .state = RECIPIENT_QUEUED,
                                           .durable = RECIPIENT_QUEUED};
    fill(l, dice);
    return l;
}

void post_free(struct post *p)
{
    for (uint32_t i = 0; i < p->n; i++)
        free(p->letters[i].octets);
    for (uint32_t i = 0; i < p->n_notices; i++)
        free(p->notices[i].octets);
}

void post_put_sender(struct buf *b, const struct post_letter *l)
{
    buf_str(b, "s0-");
    buf_u64(b, l->serial);
    buf_str(b, "@client.example");
}

void post_put_recipient(struct buf *b, const struct post_letter *l, uint32_t i)
{
    buf_str(b, "r");
    buf_u64(b, i);
    buf_str(b, "-");
    buf_u64(b, l->serial);
    buf_str(b, "@h");
    buf_u64(b, l->to[i].hop);
    buf_str(b, ".example");
}

bool post_find(struct post *p, struct span path, struct post_letter **l, uint32_t *i, bool *sender)
{
    size_t dash = span_find(path, '-'), at = span_find(path, '@');
    uint64_t index, serial;
    if (path.n == 0 || dash == SPAN_NPOS || at == SPAN_NPOS || dash > at || dash == 0) return false;
    if (!span_u64(span_of(path.p + 1, dash - 1), &index) ||
        !span_u64(span_of(path.p + dash + 1, at - dash - 1), &serial))
        return false;
    if (serial >= p->n || index >= p->letters[serial].n_to) return false;
    *l = &p->letters[serial];
    *i = (uint32_t)index;
    *sender = path.p[0] == 's';
    return true;
}

/* --- next hops --- */

static bool liar(const struct post *p, const struct post_recipient *r)
{
    return p->liars >> r->hop & 1;
}

/* A hop has it, and its client has had the reply that says so. */
static bool heard_by_client(const struct post_recipient *r)
{
    for (unsigned k = 0; k < r->n_takes; k++)
        if (!r->takes[k].excused && r->takes[k].closed) return true;
    return false;
}

void post_taken(struct post *p, struct post_letter *l, uint32_t i, unsigned hop, struct span content,
                const struct post_take *take)
{
    struct post_recipient *r = &l->to[i];
    p->numbers.taken++;
    scene_note(p->scene, "taken", l->serial << 8 | i, hop);
    if (l->answer != POST_ACCEPTED && l->answer != POST_MAYBE)
        scene_wrong(p->scene, "letter %u left before it was accepted", l->serial);
    if (l->dirty) scene_wrong(p->scene, "letter %u with line ends that are none was sent", l->serial);
    if (!span_eq(content, span_of(l->octets, l->n)))
        scene_wrong(p->scene, "letter %u/%u: a hop took other octets for the whole: %zu, not %zu", l->serial,
                    i, content.n, l->n);
    if (!take->late && !liar(p, r) && recipient_final(r->durable))
        scene_wrong(p->scene, "letter %u/%u (%llx) was finished, durably (%s), and is sent again by hop %u",
                    l->serial, i, LLX(l->id), recipient_state_name(r->durable), hop);
    if (r->n_takes) p->numbers.duplicates++;
    if (!take->late && !liar(p, r) && heard_by_client(r))
        scene_wrong(p->scene, "letter %u/%u was taken and its client was told so, and it is sent again",
                    l->serial, i);
    if (r->n_takes == POST_TAKES) {
        memmove(r->takes, r->takes + 1, sizeof r->takes - sizeof r->takes[0]);
        r->n_takes--;
    }
    r->takes[r->n_takes++] = *take;
}

void post_notice_taken(struct post *p, const struct post_letter *l, struct span content)
{
    for (uint32_t k = 0; k < p->n_notices; k++)
        if (p->notices[k].letter == l->serial &&
            span_eq(span_of(p->notices[k].octets, p->notices[k].n), content)) {
            p->numbers.notified++;
            return;
        }
    scene_wrong(p->scene, "a notification for the sender of letter %u has octets that nobody wrote",
                l->serial);
}

static void heard(struct post *p, struct post_take *take, uint64_t read, uint64_t read_ms, bool over)
{
    bool had = take->told && read >= take->reply_end;
    if (!had && !over) return;
    /* a reply that comes minutes late finds nobody who waits for it (RFC 1047) */
    take->excused = !had || read_ms >= take->ms + 60000;
    take->closed = true;
    take->connection = NULL;
    p->numbers.excused_by_connection += take->excused;
}

void post_heard(struct post *p, const void *connection, uint64_t read, uint64_t read_ms, bool over)
{
    for (uint32_t k = 0; k < p->n; k++)
        for (uint32_t i = 0; i < p->letters[k].n_to; i++) {
            struct post_recipient *r = &p->letters[k].to[i];
            for (unsigned t = 0; t < r->n_takes; t++)
                if (r->takes[t].connection == connection && !r->takes[t].closed)
                    heard(p, &r->takes[t], read, read_ms, over);
        }
}

/* --- the spooler --- */

static struct post_letter *letter_of(struct post *p, uint64_t id)
{
    for (uint32_t i = 0; i < p->n; i++)
        if (p->letters[i].id == id) return &p->letters[i];
    return NULL;
}

void post_answered(struct post *p, uint64_t id, enum store_status status)
{
    struct post_letter *l = letter_of(p, id);
    if (!l || l->answer != POST_WAITING) {
        scene_wrong(p->scene, "an answer for %llx, which does not wait", LLX(id));
        return;
    }
    l->answer = status == STORE_DURABLE ? POST_ACCEPTED : POST_REFUSED;
    scene_note(p->scene, "answered", l->serial, status);
    if (status == STORE_DURABLE)
        p->numbers.accepted++;
    else
        p->numbers.refused++;
}

void post_recorded(struct post *p, uint64_t id, uint32_t recipient, uint8_t state)
{
    struct post_letter *l = letter_of(p, id);
    scene_note(p->scene, recipient_state_name(state), id, recipient);
    if (!l) return; /* a notification */
    struct post_recipient *r = &l->to[recipient];
    if (recipient_final(r->state))
        scene_wrong(p->scene, "letter %u/%u: a result after the last", l->serial, recipient);
    r->state = state;
    p->numbers.delivered += state == RECIPIENT_DELIVERED;
    p->numbers.failed += state == RECIPIENT_BOUNCED;
    p->numbers.expired += state == RECIPIENT_EXPIRED;
    p->numbers.deferred += state == RECIPIENT_DEFERRED;
    if (state == RECIPIENT_DELIVERED && r->n_takes == 0 && liar(p, r)) p->numbers.believed++;
    if (liar(p, r)) return;
    if (state == RECIPIENT_DELIVERED && r->n_takes == 0)
        scene_wrong(p->scene, "letter %u/%u is recorded as delivered, and no hop has it", l->serial,
                    recipient);
    if ((state == RECIPIENT_BOUNCED || state == RECIPIENT_EXPIRED) && heard_by_client(r))
        scene_wrong(p->scene, "letter %u/%u is %s, and a hop took it and said so", l->serial, recipient,
                    recipient_state_name(state));
}

static bool holds(struct span where, struct span what)
{
    return memmem(where.p, where.n, what.p, what.n) != NULL;
}

/* The part that machines read, by its grammar (RFC 3464 2.3), not by our code. */
static uint32_t failed_of(const struct post_letter *l, struct span content)
{
    uint32_t about = 0;
    for (uint32_t i = 0; i < l->n_to; i++) {
        uint8_t memory[160];
        struct buf b = buf_on(memory, sizeof memory);
        buf_str(&b, "\r\nFinal-Recipient: rfc822; ");
        post_put_recipient(&b, l, i);
        buf_str(&b, "\r\nAction: failed\r\n");
        if (holds(content, buf_span(&b))) about |= 1u << i;
    }
    return about;
}

void post_notified(struct post *p, uint64_t id, struct span content)
{
    struct post_letter *l = NULL;
    uint32_t i;
    bool sender;
    size_t at = 0;
    uint8_t *to = memmem(content.p, content.n, "\r\nTo: <", 7);
    if (to) at = (size_t)(to - content.p) + 7;
    struct span path = span_skip(content, at);
    path = span_head(path, span_find(path, '>'));
    if (!to || p->n_notices == POST_NOTICES || !post_find(p, path, &l, &i, &sender) || !sender) {
        scene_wrong(p->scene, "a notification goes to nobody known: %.*s", SPAN_ARG(span_head(path, 60)));
        return;
    }
    struct post_notice *n = &p->notices[p->n_notices++];
    *n = (struct post_notice){.id = id, .letter = l->serial, .n = content.n, .about = failed_of(l, content)};
    n->octets = malloc(content.n + 1);
    if (!n->octets) abort();
    memcpy(n->octets, content.p, content.n);
    for (i = 0; i < l->n_to; i++)
        if (n->about >> i & 1) l->to[i].told++;
    if (l->from_nobody || l->notify & DSN_NOTIFY_NEVER)
        scene_wrong(p->scene, "letter %u: its sender wants no word, and gets one", l->serial);
}

static void notice_durable(struct post *p, struct post_notice *n)
{
    n->durable = true;
    for (uint32_t i = 0; i < p->letters[n->letter].n_to; i++)
        if (n->about >> i & 1) p->letters[n->letter].to[i].told_durably++;
}

void post_flushed(struct post *p, struct store *s)
{
    for (uint32_t k = 0; k < p->n; k++)
        for (uint32_t i = 0; i < p->letters[k].n_to; i++)
            p->letters[k].to[i].durable = p->letters[k].to[i].state;
    for (uint32_t k = 0; k < p->n_notices; k++)
        if (!p->notices[k].durable && p->notices[k].id && store_find(s, p->notices[k].id))
            notice_durable(p, &p->notices[k]);
}

static void excuse(struct post *p, struct post_recipient *r)
{
    for (unsigned k = 0; k < r->n_takes; k++) {
        struct post_take *t = &r->takes[k];
        if (t->excused) continue;
        t->closed = t->excused = true;
        t->connection = NULL;
        p->numbers.excused_by_crash++;
    }
}

void post_relay_died(struct post *p)
{
    for (uint32_t k = 0; k < p->n; k++)
        for (uint32_t i = 0; i < p->letters[k].n_to; i++)
            if (!recipient_final(p->letters[k].to[i].state)) excuse(p, &p->letters[k].to[i]);
}

void post_crashed(struct post *p)
{
    for (uint32_t k = 0; k < p->n; k++) {
        struct post_letter *l = &p->letters[k];
        if (l->answer == POST_WAITING) l->answer = POST_MAYBE;
        for (uint32_t i = 0; i < l->n_to; i++)
            if (!recipient_final(l->to[i].durable)) excuse(p, &l->to[i]);
    }
}

/* --- after a crash, and at the end --- */

static void recovered_letter(struct post *p, struct post_letter *l, const struct message *m)
{
    if (m && l->answer == POST_MAYBE) l->answer = POST_ACCEPTED;
    if (!m && l->answer == POST_MAYBE) l->answer = POST_REFUSED;
    if (m && l->answer == POST_REFUSED)
        scene_wrong(p->scene, "letter %u was refused and is there", l->serial);
    if (l->answer != POST_ACCEPTED) return;
    bool finished = true, durably = true;
    for (uint32_t i = 0; i < l->n_to; i++) {
        finished = finished && recipient_final(l->to[i].state);
        durably = durably && recipient_final(l->to[i].durable);
    }
    if (!m && !finished) scene_wrong(p->scene, "letter %u was accepted and is lost", l->serial);
    if (m && durably) scene_wrong(p->scene, "letter %u was finished and is back", l->serial);
    for (uint32_t i = 0; i < l->n_to; i++) {
        struct post_recipient *r = &l->to[i];
        uint8_t there = m ? message_recipients(m)[i].state : r->state;
        bool early = there == RECIPIENT_QUEUED || there == RECIPIENT_DEFERRED;
        if (recipient_final(r->durable) && there != r->durable)
            scene_wrong(p->scene, "letter %u/%u was %s on disk, and is %s", l->serial, i,
                        recipient_state_name(r->durable), recipient_state_name(there));
        if (!early && there != r->state)
            scene_wrong(p->scene, "letter %u/%u is %s, which was never recorded", l->serial, i,
                        recipient_state_name(there));
        /* its sender was told, and the next notification is the second: a crash allows it */
        if (early && r->told_durably > r->told_excused) r->told_excused = r->told_durably;
        r->state = r->durable = there;
    }
}

void post_recovered(struct post *p, struct store *s)
{
    for (uint32_t k = 0; k < p->n_notices; k++) {
        struct post_notice *n = &p->notices[k];
        if (n->durable || !n->id) continue;
        if (store_find(s, n->id))
            notice_durable(p, n);
        else /* it never was */
            for (uint32_t i = 0; i < p->letters[n->letter].n_to; i++)
                if (n->about >> i & 1) p->letters[n->letter].to[i].told--;
        if (!n->durable) n->id = 0;
    }
    for (uint32_t k = 0; k < p->n; k++)
        recovered_letter(p, &p->letters[k], store_find(s, p->letters[k].id));
    const struct message *m;
    for (uint64_t cursor = 0; (m = store_after(s, cursor)); cursor = m->id) {
        bool known = letter_of(p, m->id) != NULL;
        for (uint32_t k = 0; k < p->n_notices && !known; k++)
            known = p->notices[k].id == m->id;
        if (!known) scene_wrong(p->scene, "%llx was never given to the spool", LLX(m->id));
    }
}

static void end_of(struct post *p, const struct post_letter *l, uint32_t i)
{
    const struct post_recipient *r = &l->to[i];
    if (!recipient_final(r->durable)) {
        scene_wrong(p->scene, "letter %u/%u was accepted and has no end: %s", l->serial, i,
                    recipient_state_name(r->durable));
        return;
    }
    bool failed = r->durable == RECIPIENT_BOUNCED || r->durable == RECIPIENT_EXPIRED;
    bool wanted = failed && !l->from_nobody && !(l->notify & DSN_NOTIFY_NEVER);
    if (wanted && r->told_durably == 0)
        scene_wrong(p->scene, "letter %u/%u failed and its sender was not told", l->serial, i);
    if (!failed && r->told_durably > r->told_excused)
        scene_wrong(p->scene, "letter %u/%u was delivered, and its sender was told that it failed", l->serial,
                    i);
    if (r->told_durably > 1 + r->told_excused)
        scene_wrong(p->scene, "letter %u/%u: its sender was told %u times", l->serial, i, r->told_durably);
}

void post_end(struct post *p, struct store *s)
{
    if (store_after(s, 0)) scene_wrong(p->scene, "the queue does not become empty");
    for (uint32_t k = 0; k < p->n && !p->scene->error[0]; k++)
        for (uint32_t i = 0; p->letters[k].answer == POST_ACCEPTED && i < p->letters[k].n_to; i++)
            end_of(p, &p->letters[k], i);
}
