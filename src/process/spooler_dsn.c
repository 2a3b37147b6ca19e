/* spooler_dsn: the sender is told what became of a recipient: RFC 3461, 3464. Never for a message that came with the null
 * reverse-path (invariant I8); the notification has one itself. */
#include <stdlib.h>

#include "mail/dsn.h"
#include "process/spooler_private.h"
#include "smtp/params.h"
#include "smtp/xtext.h"
#include "spool/message_id.h"
#include "system/log.h"

#define CONTENT_OCTETS 262144 /* of the original, at most */

bool spooler_wants_dsn(const struct message *m, const struct recipient *r, uint8_t outcome)
{
    if (m->flags & MESSAGE_DSN || message_reverse_path_for(m, r).n == 0) return false;
    if (r->notify & DSN_NOTIFY_NEVER) return false;
    if (outcome == RECIPIENT_DELIVERED) return (r->notify & DSN_NOTIFY_SUCCESS) != 0;
    if (outcome != RECIPIENT_BOUNCED && outcome != RECIPIENT_EXPIRED) return false;
    return r->notify == 0 || (r->notify & DSN_NOTIFY_FAILURE) != 0; /* RFC 3461 5.2: failure is the default */
}

static bool served(const struct config *c, struct span domain)
{
    for (uint32_t i = 0; i < c->n_servers; i++)
        if (config_domain_served(&c->servers[i], domain)) return true;
    return false;
}

struct original { /* what the notification says of the message it is about */
    struct envelope_head head;
    uint8_t envid[LIMIT_ENVID_OCTETS * 3], orcpt[LIMIT_ORCPT_OCTETS * 3];
    struct buf envid_out, orcpt_out;
};

/* The recipient that the sender wrote. */
static const struct recipient *written(const struct message *m, const struct recipient *r)
{
    for (uint32_t i = 0; r->flags & RECIPIENT_DERIVED && i < m->n_recipients; i++)
        r = &message_recipients(m)[r->parent];
    return r;
}

static void read_original(struct original *o, struct span envelope, uint32_t recipient)
{
    struct wire w = wire_on(envelope);
    struct envelope_recipient r;
    o->envid_out = buf_on(o->envid, sizeof o->envid);
    o->orcpt_out = buf_on(o->orcpt, sizeof o->orcpt);
    if (!envelope_read_head(&w, &o->head)) return;
    if (xtext_valid(o->head.envid)) xtext_decode(o->head.envid, &o->envid_out);
    for (uint32_t i = 0; envelope_read_recipient(&w, &r); i++) {
        size_t type = i == recipient ? span_find(r.orcpt, ';') : SPAN_NPOS;
        if (type == SPAN_NPOS || !xtext_valid(span_skip(r.orcpt, type + 1))) continue;
        buf_put(&o->orcpt_out, span_head(r.orcpt, type + 1));
        xtext_decode(span_skip(r.orcpt, type + 1), &o->orcpt_out);
    }
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

static enum store_status commit(struct spooler *s, struct delivery *d, const struct dsn *n)
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
        uint64_t token = SPOOLER_TOKEN_DSN | (uint64_t)d->serial << 16 | (uint64_t)(d - s->deliveries);
        do /* the clock may have gone back since the last start */
            s->last_id = message_id_next(s->last_id, MESSAGE_ID_SPOOLER, s->now_ms);
        while (store_find(s->store, s->last_id));
        status = store_commit(s->store, s->last_id, 0, token, parts, 1, 2, b.n, s->now_ms);
        if (status == STORE_PENDING) s->notifications++;
    }
    free(body);
    return status;
}

static void log_notification(const struct spooler *s, const struct delivery *d, struct span to)
{
    log_begin(LOG_LEVEL_INFO, "notification");
    spooler_log_id(s->last_id);
    log_span("to", to);
    log_end();
    (void)d;
}

enum store_status spooler_notify(struct spooler *s, struct delivery *d)
{
    const struct message *m = store_find(s->store, d->id);
    uint8_t *content = malloc(CONTENT_OCTETS), *envelope = malloc(m->envelope_length);
    static struct original o;
    uint8_t id[MESSAGE_ID_TEXT], to[LIMIT_PATH_OCTETS], final[LIMIT_PATH_OCTETS], wrote[LIMIT_PATH_OCTETS];
    enum store_status status = STORE_FAILED;
    if (content && envelope) {
        const struct recipient *r = &message_recipients(m)[d->recipient];
        const struct recipient *first = written(m, r);
        o = (struct original){0};
        if (store_read_envelope(s->store, m, envelope))
            read_original(&o, span_of(envelope, m->envelope_length),
                          (uint32_t)(first - message_recipients(m)));
        int64_t n = store_read_content(s->store, m, content, CONTENT_OCTETS);
        struct buf i = buf_on(id, sizeof id), t = buf_on(to, sizeof to), f = buf_on(final, sizeof final),
                   o_path = buf_on(wrote, sizeof wrote);
        message_id_put(&i, d->id);
        buf_put(&t, message_reverse_path_for(m, r)); /* copies: the commit may move the message */
        buf_put(&f, message_path(m, r));
        if (first != r) buf_put(&o_path, message_path(m, first));
        struct dsn_recipient about = {.action = d->state == RECIPIENT_DELIVERED ? DSN_DELIVERED : DSN_FAILED,
                                      .final = buf_span(&f),
                                      .expanded_from = buf_span(&o_path),
                                      .orcpt = buf_span(&o.orcpt_out),
                                      .status = span_str(d->enhanced),
                                      .diagnostic = span_of(d->text, d->text_length),
                                      .last_attempt_seconds = s->now_ms / 1000};
        struct dsn notification = {.host = s->child->config->hostname,
                                   .to = buf_span(&t),
                                   .envid = buf_span(&o.envid_out),
                                   .id = buf_span(&i),
                                   .arrival_seconds = m->arrival_ms / 1000,
                                   .now_seconds = s->now_ms / 1000,
                                   .seed = s->seed ^ d->id ^ (uint64_t)d->recipient << 40,
                                   .utf8 = (o.head.flags & ENVELOPE_SMTPUTF8) != 0,
                                   .full = (o.head.flags & ENVELOPE_RET_FULL) != 0,
                                   .content = span_of(content, n > 0 ? (size_t)n : 0),
                                   .content_whole = n >= 0 && (uint64_t)n == m->content_octets,
                                   .recipients = &about,
                                   .n = 1};
        status = commit(s, d, &notification);
        if (status == STORE_PENDING) log_notification(s, d, notification.to);
    }
    free(content);
    free(envelope);
    return status;
}
