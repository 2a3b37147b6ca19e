#include <stdlib.h>
#include <unistd.h>

#include "service/outbound_private.h"

static void on_timer(struct timer *t)
{
    struct outbound_session *s = LIST_OF(t, struct outbound_session, timer);
    if (s->state != OUTBOUND_CLOSED) outbound_serve(s);
}

/* The next moment at which the clock alone ends something. */
static uint64_t due(const struct outbound_session *s)
{
    uint64_t ms = client_deadline(s->engine), now = loop_now_ms(s->all->setup.loop);
    if (s->state == OUTBOUND_SHAKING && !s->tls && now + OUTBOUND_TLS_AGAIN_MS < ms)
        ms = now + OUTBOUND_TLS_AGAIN_MS; /* there was no room for its handshake */
    uint64_t own = s->state == OUTBOUND_SHAKING ? s->since_ms + LIMIT_TLS_HANDSHAKE_SECONDS * 1000
                   : s->idle                    ? s->since_ms + OUTBOUND_IDLE_MS
                                                : UINT64_MAX;
    if (s->until_ms < own) own = s->until_ms;
    return own < ms ? own : ms;
}

void outbound_allow(struct outbound_session *s, uint64_t seconds)
{
    s->until_ms = loop_now_ms(s->all->setup.loop) + seconds * 1000;
}

void outbound_arm(struct outbound_session *s)
{
    uint64_t ms = due(s);
    /* deadlines move away with every reply: the timer follows only when it has fired, or when one comes nearer */
    if (s->armed && s->timer.due_ms <= ms && s->timer.due_ms > loop_now_ms(s->all->setup.loop)) return;
    s->armed = true;
    loop_timer_set(s->all->setup.loop, &s->timer, ms, on_timer);
}

void outbound_later(struct outbound_session *s)
{
    list_take(&s->ready);
    list_append(&s->all->ready, &s->ready);
}

static void again(struct timer *t)
{
    (void)t; /* only wakes the loop: outbound_after_turn does the work */
}

static void release(struct outbound_session *s)
{
    s->state = OUTBOUND_FREE;
    s->next = s->all->free;
    s->all->free = s;
}

void outbound_after_turn(struct outbound *o)
{
    struct list *last = o->ready.prev; /* what comes behind it waits for the next turn */
    while (!list_empty(&o->ready)) {
        struct list *l = list_shift(&o->ready);
        struct outbound_session *s = LIST_OF(l, struct outbound_session, ready);
        bool was_last = l == last;
        if (s->state == OUTBOUND_CLOSED)
            release(s);
        else
            outbound_serve(s);
        if (was_last) break;
    }
    if (!list_empty(&o->ready)) loop_timer_set(o->setup.loop, &o->again, loop_now_ms(o->setup.loop), again);
}

struct outbound *outbound_create(const struct outbound_setup *setup)
{
    struct outbound *o = calloc(1, sizeof *o);
    if (!o) return NULL;
    o->setup = *setup;
    list_begin(&o->ready);
    o->slots = calloc(setup->sessions, sizeof *o->slots);
    o->engines = calloc(setup->sessions, client_octets());
    if (!o->slots || !o->engines) {
        outbound_destroy(&o);
        return NULL;
    }
    for (unsigned i = setup->sessions; i-- > 0;) {
        struct outbound_session *s = &o->slots[i];
        s->all = o;
        s->engine = (struct client *)(void *)(o->engines + i * client_octets());
        list_begin(&s->ready);
        release(s);
    }
    return o;
}

void outbound_destroy(struct outbound **o)
{
    if (!*o) return;
    for (unsigned i = 0; (*o)->slots && i < (*o)->setup.sessions; i++)
        outbound_drop(&(*o)->slots[i]);
    loop_timer_stop((*o)->setup.loop, &(*o)->again);
    free((*o)->slots);
    free((*o)->engines);
    free(*o);
    *o = NULL;
}

/* Names and records are needed until the handshake, which STARTTLS may bring late. */
static bool keep_names(struct outbound_session *s, const struct outbound_peer *p)
{
    size_t octets = p->name.n + p->also.n + p->n_tlsa * sizeof(struct span);
    for (uint32_t i = 0; i < p->n_tlsa; i++)
        octets += p->tlsa[i].n;
    s->peer = *p;
    if (octets == 0) return true;
    s->names = malloc(octets);
    if (!s->names) return false;
    struct span *records = (struct span *)(void *)s->names;
    struct buf b = buf_on(s->names, octets);
    b.n = p->n_tlsa * sizeof *records;
    s->peer.name = span_of(b.p + b.n, p->name.n);
    buf_put(&b, p->name);
    s->peer.also = span_of(b.p + b.n, p->also.n);
    buf_put(&b, p->also);
    for (uint32_t i = 0; i < p->n_tlsa; i++) {
        records[i] = span_of(b.p + b.n, p->tlsa[i].n);
        buf_put(&b, p->tlsa[i]);
    }
    s->peer.tlsa = records;
    return true;
}

static void begin_engine(struct outbound_session *s)
{
    struct client_conf conf = {.helo = s->all->setup.hostname,
                               .lmtp = s->peer.lmtp,
                               .tls = outbound_tls_wish(&s->peer),
                               .tls_active = s->peer.implicit_tls,
                               .authenticate = s->peer.authenticate};
    client_begin(s->engine, &conf, loop_now_ms(s->all->setup.loop));
}

struct outbound_session *outbound_open(struct outbound *o, int fd, const struct outbound_peer *peer,
                                       void *owner)
{
    struct outbound_session *s = o->free;
    if (!s) {
        close(fd);
        return NULL;
    }
    o->free = s->next;
    struct client *engine = s->engine;
    *s = (struct outbound_session){.all = o, .engine = engine, .owner = owner, .state = OUTBOUND_TALKING};
    list_begin(&s->ready);
    if (!keep_names(s, peer) ||
        !loop_watch(o->setup.loop, &s->watch, fd, LOOP_READ | LOOP_WRITE, outbound_on_socket)) {
        free(s->names);
        close(fd);
        s->names = NULL;
        release(s);
        return NULL;
    }
    s->since_ms = s->begun_ms = loop_now_ms(o->setup.loop);
    outbound_allow(s, LIMIT_TRANSACTION_SECONDS);
    if (peer->implicit_tls) s->state = OUTBOUND_SHAKING;
    begin_engine(s);
    outbound_arm(s);
    outbound_later(s);
    return s;
}

/* Nothing of it is served any more; its slot is free after this turn. */
static void close_session(struct outbound_session *s)
{
    s->state = OUTBOUND_CLOSED;
    loop_timer_stop(s->all->setup.loop, &s->timer);
    tls_free(&s->tls);
    /* the connector that made the socket may hold it for a moment longer: epoll would go on telling of it */
    loop_forget(s->all->setup.loop, &s->watch);
    close(s->watch.fd);
    if (s->kept) explicit_bzero(s->kept, s->kept_max); /* I10 */
    free(s->kept);
    free(s->names);
    s->kept = s->names = NULL;
    s->message = NULL;
    outbound_later(s);
}

void outbound_end(struct outbound_session *s, const struct client_reply *reply, bool next_hop_failed)
{
    struct outbound_end e = {.reply = *reply,
                             .was_ready = s->was_ready,
                             .next_hop_failed = next_hop_failed,
                             .tls_failed = s->tls_failed,
                             .login_refused = client_login_refused(s->engine),
                             .tls_begun = s->tls != NULL};
    if (s->state == OUTBOUND_CLOSED) return;
    s->all->setup.hooks->closed(s, s->owner, &e);
    if (s->state == OUTBOUND_CLOSED) return; /* dropped by the hook */
    if (s->tls && s->state == OUTBOUND_TALKING && !s->write_broken) (void)tls_shutdown(s->tls);
    close_session(s);
}

void outbound_drop(struct outbound_session *s)
{
    if (s->state != OUTBOUND_CLOSED && s->state != OUTBOUND_FREE) close_session(s);
}

void outbound_send(struct outbound_session *s, const struct outbound_message *m)
{
    if (s->state != OUTBOUND_TALKING || s->message) return;
    s->message = m;
    s->idle = s->damaged = s->overdue = false;
    s->begun_ms = loop_now_ms(s->all->setup.loop);
    outbound_allow(s, LIMIT_TRANSACTION_SECONDS +
                          m->transaction.content_octets / LIMIT_CONTENT_RATE_OCTETS_PER_SECOND);
    client_transaction(s->engine, &m->transaction, loop_now_ms(s->all->setup.loop));
    outbound_later(s);
}

void outbound_auth(struct outbound_session *s, const struct client_login *l)
{
    uint8_t memory[LIMIT_AUTH_LINE_OCTETS + 64];
    struct buf out = buf_on(memory, sizeof memory);
    if (s->state != OUTBOUND_TALKING) return;
    client_auth_answer(s->engine, loop_now_ms(s->all->setup.loop), l, &out);
    if (!out.over) outbound_emit(s, &out);
    explicit_bzero(memory, sizeof memory); /* I10 */
    outbound_later(s);
}

void outbound_quit(struct outbound_session *s)
{
    s->quitting = true;
    if (s->state != OUTBOUND_CLOSED) outbound_later(s);
}

uint32_t outbound_recipients_max(const struct outbound_session *s)
{
    return client_recipients_max(s->engine);
}

bool outbound_offers_dsn(const struct outbound_session *s)
{
    return client_extensions(s->engine) & EXT_DSN;
}
