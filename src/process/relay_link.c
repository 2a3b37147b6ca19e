/* A link: a way to one next hop. It begins with a question to the connector, goes on with a session, carries one job after the other,
 * and waits for a moment when there is none. What fails before it took anything is tried with the next candidate. */
#include <stdlib.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "process/relay_private.h"

/* ---- the table */

bool relay_links_create(struct relay *r)
{
    r->links = calloc(RELAY_LINKS, sizeof *r->links);
    if (!r->links) return false;
    for (unsigned i = RELAY_LINKS; i-- > 0;) {
        struct relay_link *l = &r->links[i];
        l->relay = r;
        list_begin(&l->place);
        list_begin(&l->age);
        l->next = r->free_links;
        r->free_links = l;
    }
    list_begin(&r->unasked);
    list_begin(&r->logins);
    list_begin(&r->idle);
    for (unsigned i = 0; i < RELAY_BUCKETS; i++)
        list_begin(&r->buckets[i]);
    return true;
}

struct relay_link *relay_link_find(struct relay *r, uint64_t tag)
{
    struct relay_link *l = &r->links[tag % RELAY_LINKS];
    return l->state != RELAY_LINK_FREE && l->tag == tag ? l : NULL;
}

void relay_link_free(struct relay_link *l)
{
    struct relay *r = l->relay;
    struct relay_link kept = {.relay = r, .key = l->key, .key_max = l->key_max, .next = r->free_links};
    if (l->state == RELAY_LINK_FREE) return;
    list_take(&l->place);
    list_take(&l->age);
    if (l->state == RELAY_LINK_IDLE) r->n_idle--;
    *l = kept;
    list_begin(&l->place);
    list_begin(&l->age);
    r->free_links = l;
}

/* Another tag: answers to older questions find nobody. */
static void renew(struct relay_link *l)
{
    struct relay *r = l->relay;
    l->tag = ++r->tags * RELAY_LINKS + (uint64_t)(l - r->links);
}

/* ---- idle ones */

static void take_from_idle(struct relay_link *l)
{
    list_take(&l->place);
    list_take(&l->age);
    l->relay->n_idle--;
    l->state = RELAY_LINK_OPEN;
}

void relay_link_idle(struct relay_link *l)
{
    struct relay *r = l->relay;
    bool old = loop_now_ms(r->child->loop) >= l->opened_ms + RELAY_REUSE_MS;
    if (r->draining || old || l->messages >= RELAY_REUSE_MESSAGES) {
        outbound_quit(l->session);
        return;
    }
    l->state = RELAY_LINK_IDLE;
    r->n_idle++;
    list_append(&r->buckets[l->bucket], &l->place);
    list_append(&r->idle, &l->age);
}

static struct relay_link *find_idle(struct relay *r, struct span key, uint32_t bucket)
{
    struct list *head = &r->buckets[bucket];
    for (struct list *p = head->prev; p != head; p = p->prev) { /* the one that was used last */
        struct relay_link *l = LIST_OF(p, struct relay_link, place);
        if (span_eq(span_of(l->key, l->key_n), key)) return l;
    }
    return NULL;
}

static struct relay_link *free_link(struct relay *r)
{
    if (!r->free_links && r->n_idle) {
        struct relay_link *oldest = LIST_OF(r->idle.next, struct relay_link, age);
        outbound_drop(oldest->session);
        relay_link_free(oldest);
    }
    struct relay_link *l = r->free_links;
    if (l) r->free_links = l->next;
    return l;
}

/* ---- the question */

/* The connector's share of the work begins: at once, or when it can be asked. */
static void ask(struct relay_link *l)
{
    static struct connect_question q;
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct relay *r = l->relay;
    struct buf b = buf_on(memory, sizeof memory);
    l->state = RELAY_LINK_ASKING;
    l->asked_ms = loop_now_ms(r->child->loop);
    list_take(&l->place);
    if (l->job->hop.user.n && !r->directory) { /* no host is kept waiting for it */
        list_append(&r->logins, &l->place);
        return;
    }
    if (!r->connector || !ipc_can_send(r->connector)) {
        list_append(&r->unasked, &l->place);
        return;
    }
    renew(l);
    q = (struct connect_question){.tag = l->tag, .hop = l->job->hop, .n_tried = l->n_tried};
    memcpy(q.tried, l->tried, sizeof q.tried);
    connect_question_put(&b, &q);
    if (b.over || !ipc_send(r->connector, MSG_CONNECT_QUESTION, buf_span(&b)))
        list_append(&r->unasked, &l->place);
}

void relay_links_ask(struct relay *r)
{
    while (r->connector && ipc_can_send(r->connector) && !list_empty(&r->unasked))
        ask(LIST_OF(r->unasked.next, struct relay_link, place));
}

void relay_links_ask_again(struct relay *r)
{
    for (unsigned i = 0; i < RELAY_LINKS; i++)
        if (r->links[i].state == RELAY_LINK_ASKING) ask(&r->links[i]);
}

void relay_links_log_in(struct relay *r)
{
    while (r->directory && !list_empty(&r->logins))
        ask(LIST_OF(r->logins.next, struct relay_link, place));
}

static bool keep_key(struct relay_link *l, struct span key)
{
    if (key.n > l->key_max) {
        uint8_t *p = realloc(l->key, key.n);
        if (!p) return false;
        l->key = p;
        l->key_max = (uint32_t)key.n;
    }
    memcpy(l->key, key.p, key.n);
    l->key_n = (uint32_t)key.n;
    return true;
}

static void attach(struct relay_link *l, struct relay_job *j)
{
    l->job = j;
    l->plain_tries = 0;
    j->link = l;
    j->begun_ms = loop_now_ms(l->relay->child->loop);
    l->relay->n_working++;
}

void relay_link_job(struct relay *r, struct relay_job *j)
{
    if (r->stopping) return; /* the spooler will find it untried */
    uint32_t bucket = crc32c(0, j->key.p, j->key.n) % RELAY_BUCKETS;
    struct relay_link *l = find_idle(r, j->key, bucket);
    if (l) {
        take_from_idle(l);
        attach(l, j);
        relay_send(l);
        return;
    }
    l = free_link(r);
    if (!l) { /* there are more than jobs */
        relay_spooler_lost(r, "more jobs than can be held");
        return;
    }
    l->bucket = bucket;
    l->state = RELAY_LINK_ASKING;
    attach(l, j);
    if (keep_key(l, j->key)) {
        ask(l);
        return;
    }
    static const struct client_reply none = {0, {4, 3, 0}, SPAN("no memory for another connection")};
    relay_tell_rest(l, &none, false);
    relay_link_free(l);
}

/* ---- failures */

static void note(struct relay_link *l, const struct client_reply *why)
{
    struct relay_failure *f = &l->failure;
    struct span text = span_head(why->text, sizeof f->text);
    *f = (struct relay_failure){
        .known = true, .code = why->code, .enhanced = why->enhanced, .text_n = (uint16_t)text.n};
    if (text.n) memcpy(f->text, text.p, text.n);
    f->enhanced.class = 4; /* what a host says of itself (RFC 5321 3.1: 554) is no verdict on a message */
}

/* The service ends: the job stays as it is, and the spooler finds it untried. */
static void abandon(struct relay_link *l)
{
    l->job->link = NULL;
    l->relay->n_working--;
    relay_link_free(l);
}

/* No candidate is left: the job waits for another day. */
static void give_up(struct relay_link *l)
{
    const struct relay_failure *f = &l->failure;
    struct client_reply reply = {f->code, f->enhanced, span_of(f->text, f->text_n)};
    relay_tell_rest(l, &reply, true);
    relay_link_free(l);
}

/* Its session is gone. True: so is the link, for the service ends. */
static bool without_session(struct relay_link *l, const struct client_reply *why)
{
    bool stopping = l->relay->stopping;
    note(l, why);
    l->session = NULL;
    l->messages = 0;
    l->sent_ms = 0;
    if (stopping) abandon(l);
    return stopping;
}

void relay_link_last(struct relay_link *l, const struct client_reply *why)
{
    if (!without_session(l, why)) give_up(l);
}

void relay_link_next(struct relay_link *l, const struct client_reply *why, bool same)
{
    if (without_session(l, why)) return;
    if (relay_job_late(l->relay, l->job) || (!same && (!l->has_address || l->n_tried == CONNECT_TRIED))) {
        give_up(l);
        return;
    }
    if (!same) l->tried[l->n_tried++] = (struct connect_tried){l->address, l->port};
    ask(l);
}

/* ---- the answer */

static void put_host(struct relay_link *l, const struct connect_answer *a)
{
    struct buf b = buf_on(l->host, sizeof l->host);
    if (l->job->hop.kind == NEXT_HOP_UNIX) {
        buf_put(&b, SPAN("unix:"));
        buf_put(&b, span_head(l->job->hop.name, LIMIT_SOCKET_PATH_OCTETS));
    } else {
        buf_put(&b, span_head(a->host, LIMIT_DOMAIN_OCTETS));
        buf_byte(&b, '[');
        address_put(&b, &a->address);
        buf_put(&b, SPAN("]:"));
        buf_u64(&b, a->port);
    }
    l->host_n = (uint16_t)b.n;
}

static void open_session(struct relay_link *l, const struct connect_answer *a, int fd)
{
    static const struct client_reply none = {0, {4, 3, 2}, SPAN("too many sessions at once")};
    struct relay *r = l->relay;
    const struct next_hop *h = &l->job->hop;
    bool plain = l->plain_known && memcmp(&l->plain, &a->address, sizeof a->address) == 0;
    struct outbound_peer peer = {.lmtp = h->protocol == NEXT_HOP_LMTP,
                                 .implicit_tls = h->implicit_tls,
                                 .authenticate = h->user.n > 0,
                                 .tls = h->tls,
                                 .in_clear = plain,
                                 .dane = a->dane != CONNECT_TLSA_NONE,
                                 .tlsa = a->tlsa,
                                 .n_tlsa = a->n_tlsa};
    outbound_expect(&peer, h, a);
    put_host(l, a);
    l->address = a->address;
    l->port = a->port;
    l->has_address = h->kind != NEXT_HOP_UNIX;
    l->dns_ms = a->dns_ms;
    l->connect_ms = a->connect_ms ? a->connect_ms : 1; /* 0 means: an older session */
    l->opened_ms = loop_now_ms(r->child->loop);
    l->id = r->last_id = message_id_next(r->last_id, message_id_edge(r->child->generation, r->child->index),
                                         loop_unix_ms(r->child->loop));
    l->state = RELAY_LINK_OPEN;
    l->auth_step = 0;
    l->tls_n = 0;
    r->counters.sessions++;
    l->session = outbound_open(r->outbound, fd, &peer, l);
    if (l->session) return;
    relay_tell_rest(l, &none, false);
    relay_link_free(l);
}

/* What the last candidate said tells more than that there is no further one. */
static void no_candidate(struct relay_link *l, const struct connect_answer *a)
{
    struct enhanced e = {4, 4, 1};
    bool never = a->status == CONNECT_FAIL;
    if (l->failure.known) {
        give_up(l);
        return;
    }
    struct span said = span_of(a->enhanced, strnlen(a->enhanced, sizeof a->enhanced));
    (void)enhanced_parse(said, &e);
    e.class = never ? 5 : 4;
    l->dns_ms = a->dns_ms;
    l->connect_ms = a->connect_ms;
    if (a->host.n) put_host(l, a);
    struct client_reply reply = {0, e, span_head(a->text, LIMIT_RESULT_TEXT_OCTETS)};
    relay_tell_rest(l, &reply, !never);
    relay_link_free(l);
}

void relay_connector_said(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    static struct connect_answer a;
    struct relay *r = context;
    bool good = connect_answer_read(payload, &a) && (a.status == CONNECT_OPEN) == (type == MSG_CONNECT_OPEN);
    struct relay_link *l = good ? relay_link_find(r, a.tag) : NULL;
    if (!l || l->state != RELAY_LINK_ASKING) {
        if (n_fds) close(fds[0]);
    } else if (n_fds) {
        open_session(l, &a, fds[0]);
    } else {
        no_candidate(l, &a);
    }
}

/* ---- all at once */

/* What it was asked for is not known any more; nothing was sent to these next hops but a greeting. */
void relay_links_log_in_again(struct relay *r)
{
    static const struct client_reply lost = {
        0, {4, 3, 0}, SPAN("the directory was lost: nobody could log in")};
    r->directory_gone = false;
    for (unsigned i = 0; i < RELAY_LINKS; i++) {
        struct relay_link *l = &r->links[i];
        if (!l->session || !l->job || l->sent_ms || !l->job->hop.user.n) continue;
        outbound_drop(l->session);
        relay_link_next(l, &lost, true);
    }
}

void relay_links_overdue(struct relay *r)
{
    static const struct client_reply no_address = {0, {4, 3, 0}, SPAN("no address was found in time")};
    static const struct client_reply no_login = {0, {4, 3, 0}, SPAN("the directory was not there in time")};
    uint64_t now = loop_now_ms(r->child->loop);
    for (unsigned i = 0; i < RELAY_LINKS; i++) {
        struct relay_link *l = &r->links[i];
        if (l->state != RELAY_LINK_ASKING || now < l->asked_ms + RELAY_ANSWER_MS) continue;
        relay_tell_rest(l, l->job->hop.user.n && !r->directory ? &no_login : &no_address, false);
        relay_link_free(l);
    }
}

void relay_links_quit(struct relay *r)
{
    for (struct list *p = r->idle.next; p != &r->idle; p = p->next)
        outbound_quit(LIST_OF(p, struct relay_link, age)->session);
}

void relay_links_abandon(struct relay *r)
{
    for (unsigned i = 0; i < RELAY_LINKS; i++) {
        struct relay_link *l = &r->links[i];
        if (l->state == RELAY_LINK_FREE || !l->job || l->sent_ms) continue;
        if (l->session) outbound_drop(l->session);
        abandon(l);
    }
}

void relay_links_drop(struct relay *r)
{
    for (unsigned i = 0; i < RELAY_LINKS; i++) {
        struct relay_link *l = &r->links[i];
        if (l->state == RELAY_LINK_FREE) continue;
        if (l->session) outbound_drop(l->session);
        if (l->job) relay_job_end(r, l->job);
        relay_link_free(l);
    }
}
