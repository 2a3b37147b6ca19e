/* spooler_relay: mail that leaves. Recipients that are due wait in the queue of their next hop (spool/destination.h); what may begin goes
 * to a relay as a job, with its segments lent, and comes back as results. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/route.h"
#include "process/spooler_private.h"
#include "system/log.h"

static const struct ipc_allowed allowed[] = {
    {MSG_JOB_RETURN, 4, 4, 0},
    {MSG_RELAY_RESULT, 16, 4096, 0},
};

/* --- slots of jobs --- */

bool spooler_relays_init(struct spooler *s)
{
    s->destinations = destinations_create(s->seed, SPOOLER_RELAY_JOBS);
    s->jobs = calloc(SPOOLER_RELAY_JOBS, sizeof *s->jobs);
    for (unsigned i = 0; i < SPOOLER_RELAY_JOBS; i++)
        s->free_jobs[i] = (uint16_t)(SPOOLER_RELAY_JOBS - 1 - i);
    return s->destinations && s->jobs;
}

/* There is always one: destinations has as many slots. */
static struct relay_job *job_take(struct spooler *s, uint32_t destination)
{
    if (s->n_jobs == SPOOLER_RELAY_JOBS) return NULL;
    struct relay_job *j = &s->jobs[s->free_jobs[SPOOLER_RELAY_JOBS - ++s->n_jobs]];
    j->destination = destination;
    return j;
}

static uint64_t job_name(const struct spooler *s, const struct relay_job *j)
{
    return (uint64_t)j->serial << 16 | (uint64_t)(j - s->jobs);
}

static struct relay_job *job_find(struct spooler *s, const struct relay_peer *r, uint64_t name)
{
    struct relay_job *j = &s->jobs[(name & 0xffff) % SPOOLER_RELAY_JOBS];
    return j->relay == r && job_name(s, j) == name ? j : NULL;
}

static void job_end(struct spooler *s, struct relay_job *j, struct destination_result *result)
{
    result->destination = j->destination;
    destinations_done(s->destinations, result, loop_now_ms(s->child->loop));
    if (j->relay) j->relay->jobs--;
    s->free_jobs[SPOOLER_RELAY_JOBS - s->n_jobs--] = (uint16_t)(j - s->jobs);
    *j = (struct relay_job){.serial = (uint16_t)(j->serial + 1)};
}

/* No attempt was made: its recipients are due again soon. */
static void job_undo(struct spooler *s, struct relay_job *j)
{
    struct destination_result untried = {.outcome = DESTINATION_UNTRIED};
    for (uint32_t i = 0; i < j->n; i++)
        if (j->deliveries[i] != SPOOLER_NO_DELIVERY)
            spooler_put_back(s, &s->deliveries[j->deliveries[i]], SPOOLER_RETRY_MS);
    s->n_relayed -= j->open;
    job_end(s, j, &untried);
}

/* Its relay is gone, and nobody knows how it ended. Once its recipients are due again soon. What was lost before may well be what
 * the relay dies of, or what its next hop gets a copy of each time: from then on that is an attempt, with its wait. */
static void job_lost(struct spooler *s, struct relay_job *j)
{
    struct destination_result untried = {.outcome = DESTINATION_UNTRIED};
    for (uint32_t i = 0; i < j->n; i++) {
        if (j->deliveries[i] == SPOOLER_NO_DELIVERY) continue;
        struct delivery *d = &s->deliveries[j->deliveries[i]];
        if (store_lost(s->store, d->id, d->recipient))
            spooler_outcome(s, d, RECIPIENT_DEFERRED, SPAN("4.3.0"),
                            SPAN("the process that sent it ended before it said what became of it; it may "
                                 "have been delivered"));
        else
            spooler_put_back(s, d, SPOOLER_RETRY_MS);
    }
    s->n_relayed -= j->open;
    job_end(s, j, &untried);
}

/* --- lining up --- */

static struct destination_rate rate_of(const struct config_rate *r)
{
    return r->limited ? (struct destination_rate){r->count, r->seconds * 1000}
                      : (struct destination_rate){DESTINATION_NO_MAX, 1000};
}

static struct destination_limits limits_of(const struct config *c, const struct config_destination *d)
{
    return (struct destination_limits){.sessions_first = d->sessions_first,
                                       .sessions_max = d->sessions_max,
                                       .recipients = d->recipients,
                                       .messages = rate_of(&d->messages),
                                       .connections = rate_of(&d->connections),
                                       .retry_first_seconds = c->retry_first_seconds,
                                       .retry_max_seconds = c->retry_max_seconds};
}

bool spooler_line_up(struct spooler *s, uint64_t id, uint32_t recipient)
{
    static struct config_way way;
    uint8_t memory[NEXT_HOP_KEY_OCTETS];
    struct buf key = buf_on(memory, sizeof memory);
    const struct message *m = store_find(s->store, id);
    if (!m || spooler_way(s, m, &message_recipients(m)[recipient], &way) != WAY_NEXT_HOP) return false;
    next_hop_put(&key, &way.hop);
    struct destination_limits limits =
        limits_of(s->child->config, config_destination_of(s->child->config, &way.hop));
    uint32_t sender = message_sender_for(m, &message_recipients(m)[recipient]);
    uint32_t ticket = key.over ? READY_NONE
                               : destinations_add(s->destinations, buf_span(&key), &limits, id, recipient,
                                                  sender, loop_now_ms(s->child->loop));
    if (ticket == READY_NONE) return false;
    store_ready(s->store, id, recipient, ticket, s->now_ms);
    return true;
}

void spooler_left(void *context, uint32_t ticket)
{
    struct spooler *s = context;
    destinations_remove(s->destinations, ticket, loop_now_ms(s->child->loop));
}

/* --- what is known of a next hop --- */

bool spooler_next_hop(const struct spooler *s, const struct message *m, const struct recipient *r,
                      struct buf *key)
{
    struct config_way way;
    if (config_next_hop_released(s->child->config, message_reverse_path_for(m, r), message_path(m, r),
                                 (r->flags & RECIPIENT_LOCAL) != 0, &way) != WAY_NEXT_HOP)
        return false;
    next_hop_put(key, &way.hop);
    return !key->over;
}

const struct destination_failure *spooler_next_hop_failure(const struct spooler *s, const struct message *m,
                                                           const struct recipient *r)
{
    uint8_t memory[NEXT_HOP_KEY_OCTETS];
    struct buf key = buf_on(memory, sizeof memory);
    struct destination_view view;
    if (!spooler_next_hop(s, m, r, &key)) return NULL;
    uint32_t destination = destinations_find(s->destinations, buf_span(&key));
    return destinations_view(s->destinations, destination, &view) ? view.failure : NULL;
}

/* --- what may begin --- */

/* The newest generation; among its relays always the same one for a destination, whose sessions it keeps. */
static struct relay_peer *relay_for(struct spooler *s, uint32_t destination)
{
    struct relay_peer *found[SPOOLER_RELAYS];
    unsigned n = 0, newest = 0;
    for (unsigned i = 0; i < SPOOLER_RELAYS; i++) {
        struct relay_peer *r = &s->relays[i];
        if (!r->holder.ipc || (n && r->generation < newest)) continue;
        if (n && r->generation > newest) n = 0;
        newest = r->generation;
        found[n++] = r;
    }
    return n ? found[destination % n] : NULL;
}

/* The recipients of a transaction are in our hands, as deliveries of the job. */
static bool take_recipients(struct spooler *s, struct relay_job *j, const struct destination_transaction *t)
{
    for (uint32_t i = 0; i < t->n; i++) {
        if (!store_taken(s->store, t->id, t->recipients[i])) continue;
        struct delivery *d = spooler_delivery_take(s, t->id, t->recipients[i]);
        if (!d) { /* none free: there were when it was taken */
            store_put_back(s->store, t->id, t->recipients[i], s->now_ms + SPOOLER_RETRY_MS);
            continue;
        }
        d->stage = DELIVERY_RELAYED;
        j->deliveries[j->n++] = (uint16_t)(d - s->deliveries);
    }
    j->open = j->n;
    s->n_relayed += j->open;
    return j->n > 0;
}

static bool send(struct relay_peer *r, uint16_t type, const struct buf *b)
{
    return !b->over && ipc_send(r->holder.ipc, type, buf_span(b));
}

static bool send_recipients(struct spooler *s, struct relay_job *j, const struct message *m,
                            struct span envelope)
{
    uint8_t memory[2048];
    for (uint32_t i = 0; i < j->n; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        const struct delivery *d = &s->deliveries[j->deliveries[i]];
        const struct recipient *r = &message_recipients(m)[d->recipient];
        relay_recipient_put(&b, &(struct relay_recipient){.job = job_name(s, j),
                                                          .recipient = d->recipient,
                                                          .notify = r->notify,
                                                          .path = message_path(m, r),
                                                          .orcpt = spooler_orcpt(m, r, envelope)});
        if (!send(j->relay, MSG_RELAY_RECIPIENT, &b)) return false;
    }
    return true;
}

static bool send_extents(struct spooler *s, const struct relay_job *j, const struct message *m)
{
    static struct relay_extents e;
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    uint32_t at = 0;
    e.job = job_name(s, j);
    do {
        struct buf b = buf_on(memory, sizeof memory);
        e.count = 0;
        while (at < m->n_extents && e.count < RELAY_EXTENTS)
            e.extents[e.count++] = message_extents(m)[at++];
        e.last = at == m->n_extents;
        relay_extents_put(&b, &e);
        if (!send(j->relay, MSG_RELAY_EXTENTS, &b)) return false;
    } while (!e.last);
    return true;
}

static bool send_job(struct spooler *s, struct relay_job *j, const struct message *m, struct span key)
{
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS], envelope[LIMIT_ENVELOPE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    struct wire w = wire_on(key);
    const struct recipient *first = &message_recipients(m)[s->deliveries[j->deliveries[0]].recipient];
    struct span encoded = {0};
    struct envelope_head head = {0};
    if (m->flags & MESSAGE_DSN_PARAMETERS && store_read_envelope(s->store, m, envelope)) {
        encoded = span_of(envelope, m->envelope_length);
        struct wire e = wire_on(encoded);
        (void)envelope_read_head(&e, &head);
    }
    struct relay_head h = {.job = job_name(s, j),
                           .id = m->id,
                           .content_octets = m->content_octets,
                           .flags = m->envelope_flags,
                           .recipients = j->n,
                           .reverse_path = message_reverse_path_for(m, first),
                           .envid = head.envid};
    if (!next_hop_read(&w, &h.hop)) return false;
    j->delivers = h.hop.protocol == NEXT_HOP_LMTP;
    relay_head_put(&b, &h);
    return send(j->relay, MSG_RELAY_HEAD, &b) && send_recipients(s, j, m, encoded) && send_extents(s, j, m);
}

static void relay_lost(struct spooler *s, struct relay_peer *r, const char *reason)
{
    ipc_close(&r->holder.ipc);
    spooler_leases_end(s, &r->holder);
    for (unsigned i = 0; r->jobs && i < SPOOLER_RELAY_JOBS; i++)
        if (s->jobs[i].relay == r) (s->draining || s->stopping ? job_undo : job_lost)(s, &s->jobs[i]);
    if (!s->stopping && reason) child_peer_lost(s->child, PROC_RELAY, r->index, reason);
}

/* Packets that a job takes at most. */
static unsigned packets_of(const struct relay_job *j, const struct message *m)
{
    uint64_t octets = (j->n + UINT64_C(1)) * (LIMIT_PATH_OCTETS + LIMIT_ORCPT_OCTETS + 64) +
                      NEXT_HOP_KEY_OCTETS + m->n_extents * UINT64_C(24);
    return (unsigned)(octets / (LIMIT_IPC_MESSAGE_OCTETS - 8192)) + 2;
}

/* False: nothing more can begin now. */
static bool begin(struct spooler *s, struct relay_peer *r, const struct destination_transaction *t)
{
    struct relay_job *j = job_take(s, t->destination);
    if (!j) return false;
    const struct message *m = take_recipients(s, j, t) ? store_find(s->store, t->id) : NULL;
    bool ready = m != NULL;
    for (uint32_t i = 0; ready && i < m->n_extents; i++)
        ready = spooler_lend(s, &r->holder, message_extents(m)[i].segment) && ipc_can_send(r->holder.ipc);
    if (ready) ready = ipc_can_queue(r->holder.ipc, packets_of(j, m)); /* never half of one */
    if (!ready) {
        job_undo(s, j);
        return ipc_can_send(r->holder.ipc);
    }
    j->relay = r;
    r->jobs++;
    if (send_job(s, j, m, t->key)) return true;
    if (!ipc_broken(r->holder.ipc)) relay_lost(s, r, "jobs are not read"); /* it may have half of this one */
    return false; /* broken: it is gone, and results that it sent before are served first */
}

void spooler_relay_dispatch(struct spooler *s)
{
    static struct destination_transaction t;
    for (unsigned n = 0; n < SPOOLER_STARTED && store_writable(s->store); n++) {
        struct relay_peer *any = relay_for(s, 0);
        if (!any || !spooler_relays_have_room(s)) return;
        bool crowded = spooler_relays_crowded(s);
        if (!destinations_take(s->destinations, loop_now_ms(s->child->loop), crowded, &t)) return;
        struct relay_peer *r = relay_for(s, t.destination);
        if (!begin(s, r, &t)) return;
    }
}

uint64_t spooler_relay_next_ms(const struct spooler *s)
{
    for (unsigned i = 0; spooler_relays_have_room(s) && i < SPOOLER_RELAYS; i++)
        if (s->relays[i].holder.ipc) return destinations_next_ms(s->destinations, spooler_relays_crowded(s));
    return UINT64_MAX;
}

/* --- results --- */

static void outcome(struct spooler *s, struct relay_job *j, uint32_t place, const struct relay_result *r)
{
    static const uint8_t states[JOB_STATUS_COUNT] = {[JOB_DELIVERED] = RECIPIENT_DELIVERED,
                                                     [JOB_DEFERRED] = RECIPIENT_DEFERRED,
                                                     [JOB_FAILED] = RECIPIENT_BOUNCED};
    struct delivery *d = &s->deliveries[j->deliveries[place]];
    j->deliveries[place] = SPOOLER_NO_DELIVERY;
    j->open--;
    s->n_relayed--;
    struct buf host = buf_on(d->host, sizeof d->host), tls = buf_on(d->tls, sizeof d->tls);
    buf_put(&host, r->host);
    buf_put(&tls, r->tls);
    d->trace = (struct attempt_trace){.host = buf_span(&host),
                                      .tls = buf_span(&tls),
                                      .code = r->code,
                                      .dns_ms = r->dns_ms,
                                      .connect_ms = r->connect_ms,
                                      .session_ms = r->session_ms,
                                      .transfer_ms = r->transfer_ms};
    d->relayed = !j->delivers; /* RFC 3464 2.3.3 */
    d->next_hop_tells = r->relayed_dsn;
    spooler_outcome(s, d, states[r->status], span_str(r->enhanced), r->text);
}

static void missed(struct spooler *s, const struct relay_result *r, struct destination_result *ret)
{
    ret->outcome = DESTINATION_MISSED;
    ret->failure = (struct destination_failure){.unix_ms = s->now_ms, .text = r->text, .host = r->host};
    memcpy(ret->failure.enhanced, r->enhanced, sizeof ret->failure.enhanced);
}

/* Whose exchanger it reached: next hops that share exchangers may share limits. */
static void join_group(struct spooler *s, uint32_t destination, struct span host)
{
    const struct config *c = s->child->config;
    size_t end = span_find(host, '[');
    if (host.n == 0) return; /* none was: it stays where it is */
    const struct config_destination *g =
        config_mx_group_of(c, end == SPAN_NPOS ? host : span_head(host, end));
    struct destination_limits limits = g ? limits_of(c, g) : destination_limits_default;
    (void)destinations_group(s->destinations, destination, g ? g->name : (struct span){0}, &limits,
                             loop_now_ms(s->child->loop)); /* without memory it has its own limits only */
}

/* It costs its own job, not the others of that relay: all that has no result yet waits, in the ordinary way. */
static void unreadable(struct relay_result *r)
{
    log_note(LOG_LEVEL_ERROR, "result-unreadable", "a relay says what cannot be read", 0);
    *r = (struct relay_result){
        .job = r->job,
        .scope = RELAY_MESSAGE,
        .status = JOB_DEFERRED,
        .last = r->last != 0,
        .enhanced = "4.3.0",
        .text = SPAN("what the relay said of it cannot be read; it may have been delivered")};
}

static void on_result(struct spooler *s, struct relay_peer *peer, struct span payload)
{
    struct relay_result r;
    bool good = relay_result_read(payload, &r);
    struct relay_job *j = job_find(s, peer, r.job);
    if (!j) {
        relay_lost(s, peer, "a result of no job");
        return;
    }
    if (!good) unreadable(&r);
    s->now_ms = loop_unix_ms(s->child->loop);
    j->connected |= r.connect_ms > 0;
    for (uint32_t i = 0; i < j->n; i++) {
        if (j->deliveries[i] == SPOOLER_NO_DELIVERY) continue;
        bool meant = r.scope != RELAY_RECIPIENT || s->deliveries[j->deliveries[i]].recipient == r.recipient;
        if (meant) outcome(s, j, i, &r);
    }
    if (!r.last) return;
    if (j->open) {
        relay_lost(s, peer, "a job without results for all its recipients");
        return;
    }
    struct destination_result result = {.outcome = DESTINATION_REACHED, .connected = j->connected};
    if (r.scope == RELAY_NEXT_HOP) missed(s, &r, &result);
    join_group(s, j->destination, r.host);
    job_end(s, j, &result);
}

static void on_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct relay_peer *r = context;
    struct spooler *s = r->spooler;
    struct job_segment segment;
    (void)fds, (void)n_fds;
    if (!r->holder.ipc) return; /* closed while its packet is worked off */
    if (type == MSG_RELAY_RESULT)
        on_result(s, r, payload);
    else if (job_segment_read(payload, &segment))
        spooler_lease_returned(s, &r->holder, segment.segment);
}

static void on_closed(void *context, const char *reason)
{
    struct relay_peer *r = context;
    relay_lost(r->spooler, r, reason);
}

/* --- conversations --- */

void spooler_relay_open(struct spooler *s, unsigned index, unsigned generation, int fd)
{
    struct relay_peer *r = NULL;
    for (unsigned i = 0; i < SPOOLER_RELAYS; i++) {
        struct relay_peer *old = &s->relays[i];
        if (old->holder.ipc && old->index == index && old->generation == generation)
            relay_lost(s, old, NULL); /* it was started again */
        if (!old->holder.ipc && !r) r = old;
    }
    if (!r) {
        close(fd);
        log_note(LOG_LEVEL_ERROR, "peer-refused", "too many relays", 0);
        return;
    }
    *r = (struct relay_peer){.spooler = s, .index = index, .generation = generation};
    r->holder.ipc = ipc_open(s->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0],
                             SPOOLER_JOBS_QUEUED, on_message, on_closed, r);
    if (!r->holder.ipc) log_note(LOG_LEVEL_ERROR, "channel-failed", "relay", errno);
}

/* A job reads its content when its next hop is ready for it, which may take long. */
static void jobs_use_leases(struct spooler *s)
{
    if (s->now_ms - s->used_ms < SPOOLER_RETRY_MS) return;
    s->used_ms = s->now_ms;
    for (unsigned i = 0; s->n_jobs && i < SPOOLER_RELAY_JOBS; i++) {
        const struct relay_job *j = &s->jobs[i];
        for (uint32_t k = 0; j->relay && k < j->n; k++) {
            if (j->deliveries[k] == SPOOLER_NO_DELIVERY) continue;
            const struct message *m = store_find(s->store, s->deliveries[j->deliveries[k]].id);
            if (m) spooler_lease_used(s, &j->relay->holder, m);
            break; /* they are of one message */
        }
    }
}

void spooler_relays_turn(struct spooler *s)
{
    jobs_use_leases(s);
    for (unsigned i = 0; i < SPOOLER_RELAYS; i++) {
        struct relay_peer *r = &s->relays[i];
        if (!r->holder.ipc) continue;
        spooler_leases(s, &r->holder);
        ipc_flush(r->holder.ipc);
    }
}
