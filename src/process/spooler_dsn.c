/* spooler_dsn: the sender is told what became of a recipient: RFC 3461, 3464. Never for a message that came with the null
 * reverse-path (invariant I8); the notification has one itself. */
#include <stdlib.h>

#include "process/spooler_private.h"
#include "smtp/params.h"
#include "smtp/xtext.h"
#include "spool/message_id.h"
#include "system/log.h"

#define CONTENT_OCTETS 262144 /* of the original, at most */

static bool served(const struct config *c, struct span domain)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        if (config_domain_served(&c->servers[i], domain)) return true;
    return false;
}

bool spooler_wants_dsn(const struct config *c, const struct message *m, const struct recipient *r,
                       uint8_t outcome)
{
    if (m->flags & MESSAGE_DSN || message_reverse_path_for(m, r).n == 0) return false;
    if (r->notify & DSN_NOTIFY_NEVER) return false;
    /* a stranger's address may be forged, and it is our alias that is wrong: check and the log say so (I8) */
    if (r->flags & RECIPIENT_NOBODY && !served(c, domain_of(message_reverse_path_for(m, r)))) return false;
    if (outcome == RECIPIENT_DEFERRED) return true; /* the store asks for it when it is due (RFC 3461 4.1) */
    if (outcome == RECIPIENT_DELIVERED) return (r->notify & DSN_NOTIFY_SUCCESS) != 0;
    if (outcome != RECIPIENT_BOUNCED && outcome != RECIPIENT_EXPIRED) return false;
    return r->notify == 0 || (r->notify & DSN_NOTIFY_FAILURE) != 0; /* RFC 3461 5.2: failure is the default */
}

/* The recipient that the sender wrote. */
static const struct recipient *written(const struct message *m, const struct recipient *r)
{
    for (uint32_t i = 0; r->flags & RECIPIENT_DERIVED && i < m->n_recipients; i++)
        r = &message_recipients(m)[r->parent];
    return r;
}

static void read_head(struct envelope_head *head, struct buf *envid, struct span envelope)
{
    struct wire w = wire_on(envelope);
    if (envelope_read_head(&w, head) && xtext_valid(head->envid)) xtext_decode(head->envid, envid);
}

struct span spooler_orcpt(const struct message *m, const struct recipient *to, struct span envelope)
{
    uint32_t wanted = (uint32_t)(written(m, to) - message_recipients(m));
    struct wire w = wire_on(envelope);
    struct envelope_head head;
    struct envelope_recipient r;
    if (!(m->flags & MESSAGE_DSN_PARAMETERS) || !envelope_read_head(&w, &head)) return (struct span){0};
    for (uint32_t i = 0; envelope_read_recipient(&w, &r); i++)
        if (i == wanted) return r.orcpt;
    return (struct span){0};
}

static void decode_orcpt(struct buf *b, struct span orcpt)
{
    size_t type = span_find(orcpt, ';');
    if (type == SPAN_NPOS || !xtext_valid(span_skip(orcpt, type + 1))) return;
    buf_put(b, span_head(orcpt, type + 1));
    xtext_decode(span_skip(orcpt, type + 1), b);
}

/* The envelope of the notification: to the reverse-path, from nobody. */
static void put_envelope(struct buf *b, struct spooler *s, struct span to, unsigned is)
{
    struct envelope_head head = {.flags = ENVELOPE_DSN | (is & DSN_IS_8BIT ? ENVELOPE_8BITMIME : 0) |
                                          (is & DSN_IS_UTF8 ? ENVELOPE_SMTPUTF8 | ENVELOPE_8BITMIME : 0),
                                 .arrival_ms = s->now_ms,
                                 .server = SPAN("spooler"),
                                 .helo = s->child->config->hostname};
    struct envelope_recipient r = {
        .notify = DSN_NOTIFY_NEVER, .local = served(s->child->config, domain_of(to)), .path = to};
    envelope_put_head(b, &head);
    envelope_put_recipient(b, &r);
}

static enum store_status commit(struct spooler *s, const struct dsn *n, uint64_t token)
{
    uint8_t envelope[1024];
    size_t octets = dsn_octets(n);
    uint8_t *body = malloc(octets);
    struct buf e = buf_on(envelope, sizeof envelope), b = buf_on(body, octets);
    if (!body) return STORE_FAILED;
    unsigned is = dsn_put(&b, n);
    put_envelope(&e, s, n->to, is);
    enum store_status status = STORE_REFUSED;
    if (!b.over && !e.over) {
        struct span parts[2] = {buf_span(&e), buf_span(&b)};
        do /* the clock may have gone back since the last start */
            s->last_id = message_id_next(s->last_id, MESSAGE_ID_SPOOLER, s->now_ms);
        while (store_find(s->store, s->last_id));
        status = store_commit(s->store, s->last_id, 0, token, parts, 1, 2, b.n, s->now_ms);
        if (status == STORE_PENDING) s->notifications++;
    }
    free(body);
    return status;
}

static void log_notification(const struct spooler *s, struct span to, uint64_t about)
{
    uint8_t text[MESSAGE_ID_TEXT];
    struct buf b = buf_on(text, sizeof text);
    message_id_put(&b, about);
    log_begin(LOG_LEVEL_INFO, "notification");
    spooler_log_id(s->last_id);
    log_span("to", to);
    log_span("about", buf_span(&b));
    log_end();
}

struct told { /* what is said of one recipient: copies, for the commit may move the message */
    uint8_t final[LIMIT_PATH_OCTETS], wrote[LIMIT_PATH_OCTETS], orcpt[LIMIT_ORCPT_OCTETS * 3];
    uint8_t reply[LIMIT_RELAY_HOST_OCTETS + LIMIT_RESULT_TEXT_OCTETS + 32], remote[LIMIT_RELAY_HOST_OCTETS],
        status[12];
};

enum dsn_action spooler_action(const struct delivery *d)
{
    if (d->late) return DSN_DELAYED;
    if (d->state != RECIPIENT_DELIVERED) return DSN_FAILED;
    return d->relayed ? DSN_RELAYED : DSN_DELIVERED;
}

/* Its outcome; where that is only that time has passed, the last attempt says why, or what keeps its next hop from being tried. memory: LIMIT_STATE_HISTORY_OCTETS + 64. */
static struct state_event reason_of(const struct spooler *s, const struct message *m,
                                    const struct delivery *d, uint8_t *memory)
{
    bool waited = d->late || d->state == RECIPIENT_EXPIRED;
    struct state_event why = {.time_ms = waited ? 0 : s->now_ms,
                              .enhanced = span_str(d->enhanced),
                              .text = span_of(d->text, d->text_length),
                              .trace = d->trace},
                       e;
    if (!waited) return why;
    struct wire w =
        wire_on(store_read_history(s->store, m, d->recipient, memory, LIMIT_STATE_HISTORY_OCTETS + 64));
    while (state_event_read(&w, &e))
        if (e.kind == EVENT_ATTEMPT && e.state == RECIPIENT_DEFERRED && e.text.n) why = e;
    const struct destination_failure *hop =
        why.time_ms ? NULL : spooler_next_hop_failure(s, m, &message_recipients(m)[d->recipient]);
    if (!hop) return why;
    why.enhanced = span_str(hop->enhanced);
    why.text = hop->text;
    why.trace.host = hop->host;
    return why;
}

static bool names(struct span text, struct span host)
{
    for (; text.n >= host.n; text = span_skip(text, 1))
        if (span_eq(span_head(text, host.n), host)) return true;
    return false;
}

/* What the next hop said, as it said it (RFC 3464 2.3.6), or our own reason. X.0.0 is what we made of a reply without an enhanced code. */
static void put_reply(struct buf *b, const struct state_event *why)
{
    if (why->trace.code) {
        buf_u64(b, why->trace.code);
        buf_byte(b, ' ');
        if (!span_eq(span_skip(why->enhanced, 1), SPAN(".0.0"))) {
            buf_put(b, why->enhanced);
            buf_byte(b, ' ');
        }
    } else if (why->trace.host.n &&
               !names(why->text,
                      why->trace.host)) { /* it said nothing that can be quoted: our words, about whom */
        buf_put(b, why->trace.host);
        buf_str(b, ": ");
    }
    buf_put(b, span_head(why->text, LIMIT_RESULT_TEXT_OCTETS));
}

static void tell(struct dsn_recipient *r, struct told *t, const struct spooler *s, const struct message *m,
                 const struct delivery *d, struct span envelope, uint8_t *memory)
{
    const struct recipient *to = &message_recipients(m)[d->recipient], *first = written(m, to);
    struct state_event why = reason_of(s, m, d, memory);
    bool reached = why.trace.code || why.trace.connect_ms || why.trace.transfer_ms;
    struct span host = reached ? why.trace.host : SPAN(""); /* "mx.example.org[192.0.2.1]:25" */
    struct buf final = buf_on(t->final, sizeof t->final), wrote = buf_on(t->wrote, sizeof t->wrote),
               orcpt = buf_on(t->orcpt, sizeof t->orcpt), reply = buf_on(t->reply, sizeof t->reply),
               remote = buf_on(t->remote, sizeof t->remote), status = buf_on(t->status, sizeof t->status);
    put_reply(&reply, &why);
    buf_put(&remote, span_head(host, span_find(host, '[')));
    buf_put(&status, d->late ? why.enhanced : span_str(d->enhanced));
    buf_put(&final, message_path(m, to));
    if (first != to) buf_put(&wrote, message_path(m, first));
    decode_orcpt(&orcpt, spooler_orcpt(m, to, envelope));
    *r = (struct dsn_recipient){.action = spooler_action(d),
                                .final = buf_span(&final),
                                .expanded_from = buf_span(&wrote),
                                .orcpt = buf_span(&orcpt),
                                .status = buf_span(&status),
                                .diagnostic = buf_span(&reply),
                                .remote = buf_span(&remote),
                                .ours = why.trace.code == 0,
                                .last_attempt_seconds = why.time_ms / 1000,
                                .retry_until_seconds = store_expires_ms(s->store, m) / 1000};
}

/* What it takes to write one, all in one piece of memory. */
struct report {
    uint8_t content[CONTENT_OCTETS], history[LIMIT_STATE_HISTORY_OCTETS + 64];
    uint8_t id[MESSAGE_ID_TEXT], to[LIMIT_PATH_OCTETS], envid[LIMIT_ENVID_OCTETS * 3];
    struct dsn_recipient *recipients;
    struct told *told;
    uint8_t *envelope;
};

static enum store_status report(struct spooler *s, struct report *p, const struct message *m,
                                struct delivery *const *about, unsigned n, uint64_t token)
{
    struct envelope_head head = {0};
    struct span envelope = {0};
    struct buf id = buf_on(p->id, sizeof p->id), to = buf_on(p->to, sizeof p->to),
               envid = buf_on(p->envid, sizeof p->envid);
    if (store_read_envelope(s->store, m, p->envelope)) envelope = span_of(p->envelope, m->envelope_length);
    read_head(&head, &envid, envelope);
    int64_t octets = store_read_content(s->store, m, p->content, CONTENT_OCTETS);
    message_id_put(&id, m->id);
    buf_put(&to, message_reverse_path_for(m, &message_recipients(m)[about[0]->recipient]));
    for (unsigned i = 0; i < n; i++)
        tell(&p->recipients[i], &p->told[i], s, m, about[i], envelope, p->history);
    struct dsn notification = {.host = s->child->config->hostname,
                               .to = buf_span(&to),
                               .envid = buf_span(&envid),
                               .id = buf_span(&id),
                               .arrival_seconds = m->arrival_ms / 1000,
                               .now_seconds = s->now_ms / 1000,
                               .seed = s->seed ^ m->id ^ (uint64_t)about[0]->recipient << 40,
                               .utf8 = (head.flags & ENVELOPE_SMTPUTF8) != 0,
                               .full = (head.flags & ENVELOPE_RET_FULL) != 0,
                               .content = span_of(p->content, octets > 0 ? (size_t)octets : 0),
                               .content_whole = octets >= 0 && (uint64_t)octets == m->content_octets,
                               .recipients = p->recipients,
                               .n = n};
    uint64_t about_id = m->id;
    enum store_status status = commit(s, &notification, token);
    if (status == STORE_PENDING) log_notification(s, notification.to, about_id);
    return status;
}

enum store_status spooler_notify(struct spooler *s, struct delivery *const *about, unsigned n, uint64_t token)
{
    const struct message *m = store_find(s->store, about[0]->id);
    struct report *p = malloc(sizeof *p);
    if (!m || !p) {
        free(p);
        return STORE_FAILED;
    }
    p->recipients = calloc(n, sizeof *p->recipients);
    p->told = calloc(n, sizeof *p->told);
    p->envelope = malloc(m->envelope_length);
    enum store_status status =
        p->recipients && p->told && p->envelope ? report(s, p, m, about, n, token) : STORE_FAILED;
    free(p->recipients);
    free(p->told);
    free(p->envelope);
    free(p);
    return status;
}
